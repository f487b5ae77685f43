"""The parts that every lesson has, and every quiz, as rules (see notebook_rules.py)."""

import ast
import re

from notebook_rules import (
    FILE_RULES,
    LINK,
    few_outputs_are_ignored,
    no_output_tells_of_the_machine,
    pictures_have_words,
    printed,
    tags,
    tree,
)

WRONG_ANSWERS = 3


def title_cell_is_complete(lesson):
    cell = lesson.cells[0]
    wanted = {
        rf"\A# {lesson.number} · \S": f"a first line `# {lesson.number} · Title`",
        r"^([*_])(?![*_])\S.*\S\1\s*$": "the Spanish title in italics, on a line of its own",
        r"After this lesson you can": "the words `After this lesson you can`",
        r"\d+ minutes": "the minutes it takes",
    }
    for pattern, what in wanted.items():
        if cell.cell_type != "markdown" or not re.search(pattern, cell.source, re.M):
            yield f"the title cell lacks {what}"


def title_cell_links_to_neighbours(lesson):
    targets = [target.partition("#")[0] for target in LINK.findall(lesson.cells[0].source)]
    linked = {(lesson.path.parent / target).resolve() for target in targets if "://" not in target}
    for step, name in [(-1, "previous"), (1, "next")]:
        number = int(lesson.number or 0) + step
        neighbour = lesson.sibling(number)
        wanted = neighbour.resolve() if neighbour else (lesson.path.parent.parent.parent / "README.md").resolve()
        if number >= 1 and wanted not in linked:
            yield f"the title cell lacks a link to the {name} lesson: {wanted.name}"


def imports_stand_in_one_cell(lesson):
    cells = [number for number, cell in lesson.code
             if any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree(cell).body)]  # fmt: skip
    if cells != [number for number, _ in lesson.code[:1]]:
        yield f"cells {cells} import: one import cell, the first code cell"


def headings_are_there(lesson):
    text = "\n".join(cell.source for _, cell in lesson.prose)
    if not re.search(r"^#{2,3} .*failure lab", text, re.M | re.I):
        yield "there is no section `Failure lab`"
    summary = re.split(r"^## .*Summary.*$", text, flags=re.M)
    if len(summary) < 2 or not re.search(r"read on", summary[-1], re.I):
        yield "there is no section `## Summary` with `Read on`"


def licence_is_named(lesson):
    quotes = re.compile(r"\b(articles|passages|sentences)\(")
    if any(quotes.search(cell.source) for _, cell in lesson.code) and "CC BY-SA" not in lesson.cells[-1].source:
        yield "the lesson uses the encyclopedia: its last cell must name the articles quoted and CC BY-SA"


def exercises_check_themselves(lesson):
    numbers = re.findall(r"^@exercise\(\"([^\"]*)\"\)", "\n".join(cell.source for _, cell in lesson.code), re.M)
    if len(numbers) < 2:
        yield f"there are {len(numbers)} exercises (@exercise): a lesson has at least two"
    for exercise in numbers:
        if numbers.count(exercise) > 1 or exercise.split(".")[0] != str(int(lesson.number or 0)):
            yield f"exercise {exercise}: numbers are unique and begin with the lesson's, as {int(lesson.number or 0)}.1"
        yield from (f"exercise {exercise}: {complaint}" for complaint in _exercise_complaints(lesson, exercise))


def _exercise_complaints(lesson, exercise):
    at = next(place for place, (_, cell) in enumerate(lesson.code) if f'@exercise("{exercise}")' in cell.source)
    _, check = lesson.code[at]
    if tags(check) & {"solution", "wrong", "nbval-ignore-output"}:
        yield "the check must stand in the open, in a cell without tags"
    learners = [check.source] + [cell.source for _, cell in lesson.code[max(0, at - 1) : at]]
    if not any('raise NotImplementedError("your turn")' in s or re.search(r"^\w+ = None", s, re.M) for s in learners):
        yield 'the learner\'s cell needs a body of `raise NotImplementedError("your turn")`, or `answer = None`'
    if not _lines(check, f"⬜ {exercise} your turn"):
        yield f"the check's cell must print `⬜ {exercise} your turn`"
    solved = [cell for _, cell in lesson.code if _lines(cell, f"✅ {exercise} (worked solution)")]
    if not any("solution" in tags(cell) for cell in solved):
        yield f"no cell tagged `solution` prints `✅ {exercise} (worked solution)`"
    for cell in solved:
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield "the solution's cell must be folded: metadata jupyter.source_hidden = true"
    n_wrong = sum(_lines(cell, f"❌ {exercise} ") for _, cell in lesson.code if tags(cell) & {"solution", "wrong"})
    if n_wrong < WRONG_ANSWERS:
        yield f"{n_wrong} wrong answers are fed to the check (❌): {WRONG_ANSWERS} or more, tagged `wrong`/`solution`"


def _lines(cell, beginning):
    return sum(line.startswith(beginning) for line in printed(cell).splitlines())


def quiz_shows_its_questions(lesson):
    name = lesson.path.stem
    if not any(f'show_quiz("{name}")' in cell.source for _, cell in lesson.code):
        yield f'no cell calls show_quiz("{name}")'
    if not (lesson.path.parent.parent.parent / "data" / "quizzes" / f"{name}.json").is_file():
        yield f"data/quizzes/{name}.json does not exist"
    if not re.match(rf"# Quiz {name.removeprefix('quiz_')}\b", lesson.cells[0].source):
        yield f"the first line must begin with `# Quiz {name.removeprefix('quiz_')}`"


QUIZ_RULES = [*FILE_RULES, quiz_shows_its_questions]
LESSON_RULES = [
    *FILE_RULES, no_output_tells_of_the_machine, pictures_have_words, few_outputs_are_ignored, title_cell_is_complete,
    title_cell_links_to_neighbours, imports_stand_in_one_cell, headings_are_there, licence_is_named,
    exercises_check_themselves,
]  # fmt: skip
