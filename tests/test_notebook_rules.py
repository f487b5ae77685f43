"""The rules for notebooks can fail: a sound lesson passes them all, and each is broken on purpose."""

import copy

import nbformat
import pytest
from lesson_rules import LESSON_RULES, QUIZ_RULES
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import Lesson


def code(source, printed="", tag=None):
    cell = new_code_cell(source, metadata={"slideshow": {"slide_type": "fragment"}})
    if tag:
        cell.metadata["tags"] = [tag]
    if tag == "solution":
        cell.metadata["jupyter"] = {"source_hidden": True}
    if printed:
        cell.outputs = [new_output("stream", name="stdout", text=printed + "\n")]
    return cell


def prose(source):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": "slide"}})


def sound_exercise(number, learner):
    return [
        code(learner),
        code(f'@exercise("{number}")\ndef check(answer):\n    assert answer == 1', f"⬜ {number} your turn"),
        code("check(solution)", f"✅ {number} (worked solution)", "solution"),
        code(
            "check(2)\ncheck(3)\ncheck(4)",
            f"❌ {number} too much\n❌ {number} far too much\n❌ {number} too little",
            "wrong",
        ),
    ]


@pytest.fixture
def lesson(tmp_path):
    """A sound lesson 02 between two others, with every kind of output."""
    folder = tmp_path / "notebooks" / "1_section"
    folder.mkdir(parents=True)
    for name in ("01_first.ipynb", "03_third.ipynb"):
        (folder / name).touch()
    (tmp_path / "README.md").touch()
    title = "# 02 · A lesson\n\n*Una lección*\n\nIt takes 45 minutes. After this lesson you can test.\n\n"
    picture = code("show(figure)")
    alt = "Two bars, of which one is longer."
    data, words = {"image/png": "", "text/plain": alt}, {"image/png": {"alt": alt}}
    picture.outputs = [new_output("display_data", data, metadata=words)]
    cells = [
        prose(title + "[first](01_first.ipynb), [third](03_third.ipynb#top), [map](../../README.md)"),
        code("import numpy as np"),
        code("len(passages())", "4522"),
        picture,
        code("time_it()", "0.1 s", "nbval-ignore-output"),
        prose("## Failure lab: where does it break?"),
        *sound_exercise("2.1", 'def answer():\n    raise NotImplementedError("your turn")'),
        *sound_exercise("2.2", "answer = None"),
        prose("## Summary\n\n**Read on**: a book."),
        prose("Excerpts: *Anarchism*, Wikipedia, CC BY-SA 3.0."),
    ]
    lesson = Lesson(folder / "02_second.ipynb", new_notebook(cells=cells))
    for count, (_, cell) in enumerate(lesson.code, 1):
        cell.execution_count = count
    return lesson


@pytest.fixture
def quiz(tmp_path, lesson):
    (tmp_path / "data" / "quizzes").mkdir(parents=True)
    (tmp_path / "data" / "quizzes" / "quiz_1.json").touch()
    cells = [prose("# Quiz 1 · Words as vectors"), code('show_quiz("quiz_1")')]
    cells[1].execution_count = 1
    return Lesson(lesson.path.parent / "quiz_1.ipynb", new_notebook(cells=cells))


@pytest.mark.parametrize("rule", LESSON_RULES)
def test_a_sound_lesson_passes(rule, lesson):
    assert list(rule(lesson)) == []


@pytest.mark.parametrize("rule", QUIZ_RULES)
def test_a_sound_quiz_passes(rule, quiz):
    assert list(rule(quiz)) == []


def test_a_sound_lesson_survives_being_written(lesson):
    nbformat.write(lesson.notebook, lesson.path)
    assert [complaint for rule in LESSON_RULES for complaint in rule(Lesson(lesson.path))] == []


def cell_with(lesson, text):
    return next(cell for cell in lesson.cells if text in cell.source)


def replace(text, new):
    def change(lesson):
        cell = cell_with(lesson, text)
        cell.source = cell.source.replace(text, new)

    return change


def outputs(text, *new):
    def change(lesson):
        cell_with(lesson, text).outputs = [new_output(**output) for output in new]

    return change


def tag(text, *new):
    return lambda lesson: cell_with(lesson, text).metadata.update(tags=list(new))


def metadata(text, key):
    return lambda lesson: cell_with(lesson, text).metadata.pop(key)


def stripped(lesson):
    for _, cell in lesson.code:
        cell.execution_count = None


def twice_the_id(lesson):
    lesson.cells[1].id = lesson.cells[2].id


def stdout(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


PASSAGES, PICTURE = "len(passages", "show(figure"
CHECK, SOLUTION, WRONG = '@exercise("2.1', "check(solution", "check(2)"
BROKEN = {
    "execution_counts_are_one_to_n": [
        (stripped, "execution counts"),
        (lambda lesson: setattr(lesson.cells[2], "execution_count", 7), "1, 7, 3"),
    ],
    "no_output_is_an_error_or_stderr": [
        (outputs(PASSAGES, {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}), "KeyError"),
        (outputs(PASSAGES, {"output_type": "stream", "name": "stderr", "text": "oh"}), "cell 3 writes to stderr"),
    ],
    "no_output_tells_of_the_machine": [
        (outputs(PASSAGES, stdout(text)), "the output of cell 3")
        for text in ("/home/ana/x", "C:\\Users\\ana", "/tmp/x", "sk-abcdefgh1234", "pcsk_a1", "FutureWarning: old")
    ] + [(outputs(PASSAGES, {"output_type": "display_data", "data": {"text/html": "/root/x"}}), "/root/")],
    "pictures_have_words": [
        (outputs(PICTURE, {"output_type": "display_data", "data": {"image/png": "", "text/plain": "<Fig>"}}), "cell 4"),
        (outputs(PICTURE, {"output_type": "display_data", "data": {"image/png": "", "text/plain": "a" * 30},
                           "metadata": {"image/png": {"alt": "b" * 30}}}), "cell 4"),
    ],
    "few_outputs_are_ignored": [
        (lambda lesson: [c.metadata.update(tags=["nbval-ignore-output"]) for _, c in lesson.code[:3]], "one in five"),
    ],
    "no_cell_escapes_the_tests": [
        (tag(PASSAGES, "nbval-skip"), "cell 3"), (tag(PASSAGES, "raises-exception"), "cell 3"),
        (replace(PASSAGES, "# NBVAL_IGNORE_OUTPUT\nlen(passages"), "nbval comment"),
    ],
    "cells_have_ids": [
        (lambda lesson: lesson.cells[0].pop("id"), "cell 1 has no id"), (twice_the_id, "of another cell"),
    ],
    "metadata_is_clean": [
        (lambda lesson: lesson.notebook.metadata.update(widgets={}), "widget state"),
        (lambda lesson: lesson.notebook.metadata.update(language_info={"version": "3.11"}), "Python version"),
        (lambda lesson: lesson.cells[1].metadata.update(execution={}), "cell 2 holds times"),
    ],
    "cells_have_a_slide_type": [
        (metadata(PASSAGES, "slideshow"), "cell 3 has slide type None"),
        (lambda lesson: lesson.cells[0].metadata.slideshow.update(slide_type="page"), "cell 1"),
    ],
    "links_resolve": [
        (replace("Read on", "[Read on](gone.ipynb)"), "gone.ipynb"),
        (replace("Read on", "Read on ![picture](gone.png)"), "gone.png"),
    ],
    "code_is_self_contained": [
        (replace(PASSAGES, text), "cell 3 holds")
        for text in ('warnings.filterwarnings("ignore") #', "%pip install numpy #", "!pip install numpy #",
                     'open("/home/ana/x") #', 'open("C:\\\\x") #', "!conda install numpy #", 'open("~/x") #')
    ],
    "cells_are_short": [
        (replace(PASSAGES, "x = 1\n" * 25 + PASSAGES), "26 lines"),
        (replace(SOLUTION, "x = 1\n" * 40 + SOLUTION), "41 lines"),
    ],
    "title_cell_is_complete": [
        (replace("# 02 ·", "# 03 ·"), "# 02 · Title"), (replace("*Una lección*", "Una lección"), "Spanish title"),
        (replace("After this lesson", "Then"), "After this lesson"), (replace("45 minutes", "long"), "minutes"),
    ],
    "title_cell_links_to_neighbours": [
        (replace("01_first.ipynb", "../../README.md"), "previous lesson: 01_first"),
        (replace("03_third.ipynb", "01_first.ipynb"), "next lesson: 03_third"),
        (lambda lesson: ((lesson.path.parent / "03_third.ipynb").unlink(), replace("../../README.md", "x")(lesson)),
         "next lesson: README.md"),
    ],
    "imports_stand_in_one_cell": [
        (replace(PASSAGES, "import re\nlen(passages"), "cells [2, 3]"),
        (replace("import numpy as np", "x = 1"), "cells []"),
    ],
    "headings_are_there": [
        (replace("Failure lab", "Success"), "Failure lab"), (replace("## Summary", "## End"), "Summary"),
        (replace("Read on", "Stop"), "Read on"),
    ],
    "licence_is_named": [(replace("CC BY-SA", "free"), "CC BY-SA")],
    "exercises_check_themselves": [
        (replace('@exercise("2.2")', "#"), "at least two"),
        (replace('@exercise("2.2")', '@exercise("2.1")'), "numbers are unique"),
        (replace('@exercise("2.2")', '@exercise("3.2")'), "begin with the lesson's, as 2.1"),
        (tag(CHECK, "nbval-ignore-output"), "exercise 2.1: the check must stand in the open"),
        (replace('NotImplementedError("your turn")', "ValueError()"), "exercise 2.1: the learner's cell"),
        (replace("answer = None", "answer = 1"), "exercise 2.2: the learner's cell"),
        (outputs(CHECK, stdout("✅ 2.1")), "must print `⬜ 2.1 your turn`"),
        (outputs(SOLUTION, stdout("✅ 2.1")), "(worked solution)"),
        (outputs(SOLUTION, stdout("❌ 2.1 no")), "(worked solution)"),
        (tag(SOLUTION), "no cell tagged `solution`"),
        (metadata(SOLUTION, "jupyter"), "must be folded"),
        (outputs(WRONG, stdout("❌ 2.1 too much\n✅ 2.1")), "1 wrong answers"),
    ],
}  # fmt: skip
BROKEN_QUIZ = [
    (replace('show_quiz("quiz_1")', 'show_quiz("quiz_2")'), "no cell calls"),
    (replace("# Quiz 1", "# Quiz 2"), "# Quiz 1"),
    (lambda quiz: (quiz.path.parent.parent.parent / "data/quizzes/quiz_1.json").unlink(), "does not exist"),
]
BREAKS = [(rule, *case) for rule in LESSON_RULES for case in BROKEN.get(rule.__name__, [])]


@pytest.mark.parametrize(("rule", "breaks", "words"), BREAKS, ids=[f"{r.__name__}-{w}" for r, _, w in BREAKS])
def test_the_rule_catches(rule, breaks, words, lesson):
    broken = Lesson(lesson.path, copy.deepcopy(lesson.notebook))
    breaks(broken)
    assert words in "\n".join(rule(broken))


@pytest.mark.parametrize(("breaks", "words"), BROKEN_QUIZ)
def test_the_quiz_rule_catches(breaks, words, quiz):
    breaks(quiz)
    assert words in "\n".join(QUIZ_RULES[-1](quiz))


def test_no_rule_goes_untested():
    assert {rule.__name__ for rule in LESSON_RULES} == set(BROKEN)
