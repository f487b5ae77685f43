"""Every notebook of the course keeps the rules of notebook_rules.py and lesson_rules.py."""

import re
from pathlib import Path

import pytest
from lesson_rules import LESSON_RULES, QUIZ_RULES
from notebook_rules import Lesson

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
COURSE = sorted(path for path in NOTEBOOKS.glob("*/*.ipynb") if ".ipynb_checkpoints" not in path.parts)
CASES = [
    pytest.param(path, rule, id=f"{path.stem}-{rule.__name__}")
    for path in COURSE
    for rule in (QUIZ_RULES if path.stem.startswith("quiz_") else LESSON_RULES)
]


@pytest.mark.parametrize(("path", "rule"), CASES)
def test_notebook_keeps_the_rule(path, rule):
    complaints = list(rule(Lesson(path)))
    assert not complaints, f"{path.name}:\n" + "\n".join(complaints)


def test_lessons_are_numbered_without_a_gap():
    numbers = [Lesson(path).number for path in COURSE if not path.stem.startswith("quiz_")]
    assert numbers, "there are no lessons in notebooks/*/"
    assert numbers == [f"{number:02d}" for number in range(1, len(numbers) + 1)]


def test_a_lesson_goes_by_one_name():
    names = {path.name: Lesson(path).cells[0].source.partition("\n")[0].removeprefix("# ") for path in COURSE}
    pages = {path.name: "\n".join(cell.source for _, cell in Lesson(path).prose) for path in COURSE}
    readme = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    pages["README.md"] = re.sub(r"^\| (\d\d) \| \[", r"[\1 · ", readme, flags=re.M)
    links = [
        (page, text, names[file])
        for page, source in pages.items()
        for text, file in re.findall(r"\[(\d\d · [^\]]+)\]\((?:[^)]*/)?([^)/#]+\.ipynb)", source)
    ]
    assert len(links) > 3 * len(names), "a link to a lesson reads: its number, a dot, its title"
    assert not [f"{page}: “{text}”, but its title is “{name}”" for page, text, name in links if text != name]
