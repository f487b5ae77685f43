"""Remake constraints.txt and environment.yml from requirements.txt: python -m helpers.lock [--upgrade]

constraints.txt is one lock for Linux, macOS and Windows and for Python 3.11 to 3.13. Versions
that it holds already stay unless --upgrade is given. Needs uv (on the PATH or in .venv).
"""

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK_HEADER = """\
# Everything else, pinned, for all platforms. Made by python -m helpers.lock on {date}; do not edit.
# Use: pip install -r requirements.txt -c constraints.txt
"""
CONDA_HEADER = """\
# The same environment for conda: conda provides Python, pip the pinned packages.
# Made by python -m helpers.lock from requirements.txt; do not edit.
#   conda env create -f environment.yml && conda activate embeddings-course && jupyter lab notebooks
# On Linux without an NVIDIA card, PyTorch's CPU build saves some gigabytes; after creating the environment:
#   pip install torch=={torch} --index-url https://download.pytorch.org/whl/cpu --force-reinstall --no-deps
name: embeddings-course
channels: [conda-forge, nodefaults]
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
      - -c constraints.txt
      - -e .
"""


def pins(text: str) -> list[str]:
    """The requirements of a file, without comments: ["numpy==2.4.6", …]"""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def conda_environment(requirements: str) -> str:
    """The text of environment.yml for the text of requirements.txt."""
    direct = pins(requirements)
    torch = next(pin.partition("==")[2] for pin in direct if pin.startswith("torch=="))
    return CONDA_HEADER.format(torch=torch) + "".join(f"      - {pin}\n" for pin in direct)


def portable(lock: str) -> str:
    """A lock that every machine can install: without the local part of PyTorch's CPU build."""
    return lock.replace("+cpu", "")


def main(arguments: list[str]) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if not uv:
        sys.exit("uv is needed to make the lock: python -m pip install uv")
    # Nothing of this machine may reach the lock: neither uv's variables nor its configuration.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    subprocess.run(
        [
            uv,
            "pip",
            "compile",
            "requirements.txt",
            "--universal",
            "--python-version",
            "3.11",
            "--no-config",
            "--default-index",
            "https://pypi.org/simple",
            "--no-annotate",
            "--no-header",
            "--quiet",
            "--output-file",
            "constraints.txt",
            *arguments,
        ],
        cwd=ROOT,
        env=env,
        check=True,
    )
    lock = portable((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    header = LOCK_HEADER.format(date=datetime.date.today())
    body = "".join(line + "\n" for line in lock.splitlines() if not line.startswith("#"))
    (ROOT / "constraints.txt").write_text(header + body, encoding="utf-8", newline="\n")
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    (ROOT / "environment.yml").write_text(conda_environment(requirements), encoding="utf-8", newline="\n")
    print(f"constraints.txt: {len(pins(lock))} packages; environment.yml: {len(pins(requirements))} direct ones.")


if __name__ == "__main__":
    main(sys.argv[1:])
