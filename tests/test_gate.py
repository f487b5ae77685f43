"""The test command can fail: one wrong digit in any compared output of a notebook is enough.

tests/canary/wrong_output.ipynb holds every kind of output and is wrong in its last cell. Here the
command of `python course.py test` meets it, its corrected twin, and copies with one change each.
"""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from notebook_rules import Lesson, execution_counts_are_one_to_n

import course

ROOT = Path(__file__).resolve().parent.parent
CANARY = ROOT / "tests" / "canary" / "wrong_output.ipynb"
WRONG_DIGITS = {  # id of the cell: what stands in its output, what is put there
    "stream": ("4522", "4523"),
    "result": ("0.63", "0.64"),
    "table": ("BM25     85", "BM25     86"),
    "figure": ("BM25 answers 85", "BM25 answers 86"),  # its alternative text
}
UNCOMPARED = {"figure": "image/png", "table": "text/html"}


def command(monkeypatch, *arguments):
    """The arguments and environment with which `course.py test` would start Python."""
    started = []
    monkeypatch.setattr(course, "set_up", lambda *_, **__: None)
    monkeypatch.setattr(course, "prepare", lambda *_, **__: 0)
    monkeypatch.setattr(course, "run", lambda arguments, env: started.append((arguments, env)) or 0)
    course.test(list(arguments))
    return started[0]


def run(monkeypatch, *arguments, canary=True):
    arguments, env = command(monkeypatch, *map(str, arguments))
    env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | ({"COURSE_CANARY": "1"} if canary else {})
    return subprocess.run([sys.executable, *arguments], env=env, cwd=ROOT, capture_output=True, encoding="utf-8")


def corrected():
    text = CANARY.read_text(encoding="utf-8")
    assert text.count('"43"') == 1, "the canary has lost its wrong output"
    return text.replace('"43"', '"42"')


def with_wrong_digits():
    notebook = json.loads(corrected())
    for cell in notebook["cells"]:
        for old, new in filter(None, [WRONG_DIGITS.get(cell["id"])]):
            holder, key = cell["outputs"][0], "text"
            if key not in holder:
                holder, key = holder["data"], "text/plain"
            assert old in "".join(holder[key])
            holder[key] = "".join(holder[key]).replace(old, new)
    return json.dumps(notebook)


def with_other_pictures():
    notebook = json.loads(corrected())
    for cell in notebook["cells"]:
        if kind := UNCOMPARED.get(cell["id"]):
            assert cell["outputs"][0]["data"][kind]
            cell["outputs"][0]["data"][kind] = "something else"
    return json.dumps(notebook)


def stripped():
    notebook = json.loads(CANARY.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """{copy: {ids of the cells that failed}} from one run over copies of the canary, in a folder with our conftest."""
    house = tmp_path_factory.mktemp("house")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, house)
    copies = {"corrected": corrected(), "stripped": stripped(),
              "wrong_digits": with_wrong_digits(), "other_pictures": with_other_pictures()}  # fmt: skip
    (house / "notebooks").mkdir()
    for name, text in copies.items():
        (house / "notebooks" / f"{name}.ipynb").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        result = run(monkeypatch, house / "notebooks", f"--junitxml={house / 'junit.xml'}")
    ids = [cell["id"] for cell in json.loads(corrected())["cells"] if cell["cell_type"] == "code"]
    failed = {name: set() for name in copies}
    cases = list(ElementTree.parse(house / "junit.xml").iter("testcase"))
    assert len(cases) == len(ids) * len(copies), result.stdout
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            name = case.get("classname").removesuffix(".ipynb").split(".")[-1]
            failed[name].add(ids[int(case.get("name").removeprefix("Cell "))])
    return failed


def test_a_wrong_notebook_fails(monkeypatch):
    result = run(monkeypatch, CANARY)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "43" in result.stdout and "1 failed, 5 passed" in result.stdout


def test_its_corrected_twin_passes(verdicts):
    assert verdicts["corrected"] == set()


@pytest.mark.parametrize("cell", WRONG_DIGITS)
def test_one_wrong_digit_fails(cell, verdicts):
    assert cell in verdicts["wrong_digits"]


def test_only_pictures_and_html_are_not_compared(verdicts):
    assert verdicts["other_pictures"] == set()


def test_a_stripped_notebook_passes_nbval_but_not_the_rules(verdicts):
    assert verdicts["stripped"] == set(), "nbval compares stripped notebooks now: good; simplify this test"
    assert list(execution_counts_are_one_to_n(Lesson("stripped.ipynb", nbformat.reader.reads(stripped()))))


def test_the_canary_is_left_alone_otherwise(monkeypatch):
    result = run(monkeypatch, "tests/canary", canary=False)
    assert result.returncode == 5, result.stdout  # pytest's code for "no tests collected"


def test_exactly_these_outputs_are_not_compared(request):
    conftest = next(p for p in request.config.pluginmanager.get_plugins() if hasattr(p, "NOT_COMPARED"))
    assert set(conftest.NOT_COMPARED) == {"stderr", "text/html", "image/png", "image/svg+xml"}
    assert not {"stdout", "text", "data", "text/plain", "text/latex", "text/markdown"} & set(conftest.BOOKKEEPING)


def test_a_plain_pytest_sees_what_the_command_sees(monkeypatch):
    _, env = command(monkeypatch)
    fixed = ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    assert {name: os.environ.get(name) for name in fixed} == {name: env.get(name) for name in fixed}
    assert (
        env["PYTHONHASHSEED"] == "0" and os.environ["PYTHONHASHSEED"].isdigit()
    )  # a plain pytest may try another seed
    assert not [name for name in course.CLOUD if name in os.environ or name in env]
