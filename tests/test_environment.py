"""The requirement files stay in step, without asking the network."""

import ast
import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path

from helpers import lock

ROOT = Path(__file__).resolve().parent.parent
OURS = {"course", "helpers", "conftest", "tests"}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text):
    """{"numpy": {"2.4.6"}} for the lines `numpy==2.4.6 ; marker`."""
    versions = {}
    for pin in lock.pins(text):
        name, _, version = pin.partition(";")[0].strip().partition("==")
        versions.setdefault(normal(name), set()).add(version)
    return versions


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_direct_dependency_is_pinned_once():
    for pin in lock.pins(read("requirements.txt")):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", pin), f"not a plain pin: {pin}"
    assert all(len(versions) == 1 for versions in pinned(read("requirements.txt")).values())


def test_the_lock_holds_the_same_versions():
    locked = pinned(read("constraints.txt"))
    for name, versions in pinned(read("requirements.txt")).items():
        assert locked.get(name) == versions, f"{name}: run python -m helpers.lock"


def test_the_lock_is_for_every_machine():
    text = read("constraints.txt")
    assert "+cpu" not in text and "--" not in text and "://" not in text and " @ " not in text
    assert all("==" in pin for pin in lock.pins(text))
    assert "sys_platform == 'win32'" in text and "sys_platform == 'darwin'" in text


def test_the_conda_file_is_what_the_script_makes():
    assert read("environment.yml") == lock.conda_environment(read("requirements.txt")), "run python -m helpers.lock"


def test_the_project_reads_the_same_file():
    project = tomllib.loads(read("pyproject.toml"))
    assert project["project"]["requires-python"] == ">=3.11,<3.14"
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"] == ["requirements.txt"]
    assert "dependencies" not in project["project"]


def test_the_course_runs_in_the_versions_that_are_pinned():
    wrong = {}
    for name, versions in pinned(read("requirements.txt")).items():
        installed = importlib.metadata.version(name).partition("+")[0]
        if {installed} != versions:
            wrong[name] = installed
    assert not wrong


def sources():
    """(file, Python code) of the helpers, tests, benchmarks and notebooks."""
    for folder in ("helpers", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")
    for path in [*(ROOT / "notebooks").rglob("*.ipynb"), ROOT / "conftest.py"]:
        if path.suffix == ".py" and path.exists():
            yield path, path.read_text(encoding="utf-8")
        elif path.suffix == ".ipynb" and ".ipynb_checkpoints" not in path.parts:
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    yield path, re.sub(r"^\s*[%!].*$", "pass", "".join(cell["source"]), flags=re.M)


def imported(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_every_import_is_a_direct_dependency():
    direct = set(pinned(read("requirements.txt")))
    optional = {normal(pin.partition("[")[0].partition("==")[0]) for pin in lock.pins(read("requirements-scale.txt"))}
    distributions = importlib.metadata.packages_distributions()
    siblings = {path.stem for folder in ("tests", "benchmarks") for path in (ROOT / folder).glob("*.py")}
    missing = set()
    for path, code in sources():
        for name in set(imported(code)) - set(sys.stdlib_module_names) - OURS - siblings:
            wanted = {normal(distribution) for distribution in distributions.get(name, [])}
            if not wanted & direct and normal(name) not in optional:
                missing.add(f"{path.relative_to(ROOT)} imports {name}")
    assert not missing, "add to requirements.txt and run python -m helpers.lock"
