"""A quiz is checked before it is shown, can be answered by keyboard, and needs neither network nor script."""

import copy
import json
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from helpers.quiz import QUIZZES, check_question, load_quiz, show_quiz


def option(text, correct, feedback="Because."):
    return {"answer": text, "correct": correct, "feedback": feedback}


CHOICE = {
    "question": "What does a word's <b>IDF</b> grow with?",
    "type": "multiple_choice",
    "answers": [option("rarity", True, "It tells texts apart."), option("length", False), option("age", False)],
}
MANY = {
    "question": "Which rank unit vectors alike?",
    "type": "many_choice",
    "answers": [option("cosine", True), option("dot product", True), option("Manhattan", False, "Not always.")],
}
NUMERIC = {
    "question": "How many numbers are in MiniLM's vectors?",
    "type": "numeric",
    "answers": [
        {"type": "value", "value": 384, "correct": True, "feedback": "Yes."},
        {"type": "range", "range": [100, 300], "correct": False, "feedback": "More."},
        {"type": "default", "feedback": "Look at the shape."},
    ],
}


def write(folder, questions):
    (folder / "quiz_9.json").write_text(json.dumps(questions), encoding="utf-8")
    return folder


@pytest.fixture
def shown(tmp_path):
    """The data of the one output of a quiz with three questions."""
    InteractiveShell.instance()
    with capture_output() as captured:
        assert show_quiz("quiz_9", write(tmp_path, [CHOICE, MANY, NUMERIC])) is None
    InteractiveShell.clear_instance()
    (output,) = captured.outputs
    return output.data


def test_the_plain_text_is_constant_and_the_html_repeats(shown, tmp_path):
    assert shown["text/plain"] == "Quiz 9: 3 questions"
    InteractiveShell.instance()
    with capture_output() as captured:
        show_quiz("quiz_9", tmp_path)
    InteractiveShell.clear_instance()
    assert captured.outputs[0].data == shown


def test_nothing_is_fetched_from_the_network(shown):
    script = shown["text/html"].partition("<script>")[2]
    assert script.index("const MathJax = undefined;") < script.index("MathJax.")  # all that jupyterquiz would fetch
    assert set(re.findall(r"https?://[\w.]+", script)) <= {"https://cdn.jsdelivr.net"}
    assert not re.search(r"<(link|img|script|iframe)[^>]+(src|href)=", shown["text/html"])


def test_answers_are_reached_by_keyboard(shown):
    for mended in ('"role", "button"', "tabIndex = 0", '"keydown"', '"Enter"', '"role", "status"', "SuppressShortcuts"):
        assert mended in shown["text/html"]


def test_without_script_the_questions_and_answers_can_be_read(shown):
    paper = re.search(r'<ol class="on-paper">.*?</ol>', shown["text/html"], re.S)[0]
    assert paper.count("<details>") == 3 and CHOICE["question"] in paper
    assert "<b>rarity</b>: ✔ It tells texts apart." in paper
    assert "<b>Manhattan</b>: ✘ Not always." in paper and "<b>384</b>: ✔ Yes." in paper


def test_a_script_tag_in_a_question_cannot_end_the_script(tmp_path):
    question = copy.deepcopy(CHOICE)
    question["answers"][0]["feedback"] = "never </script> here"
    InteractiveShell.instance()
    with capture_output() as captured:
        show_quiz("quiz_9", write(tmp_path, [question]))
    InteractiveShell.clear_instance()
    assert captured.outputs[0].data["text/html"].partition("<script>")[2].count("</script>") == 1


@pytest.mark.parametrize("question", [CHOICE, MANY, NUMERIC])
def test_sound_questions_pass(question):
    assert check_question(question) is None


def changed(original, **changes):
    return {**copy.deepcopy(original), **changes}


@pytest.mark.parametrize(("question", "mistake"), [
    ("text", "no text"),
    (changed(CHOICE, question=" "), "no text"),
    (changed(CHOICE, type="choice"), "its type is 'choice'"),
    (changed(CHOICE, answers="rarity"), "not a list"),
    (changed(CHOICE, answers=CHOICE["answers"][:2]), "it has 2 options"),
    (changed(CHOICE, answers=MANY["answers"]), "2 right options; a multiple_choice question has exactly one"),
    (changed(CHOICE, answers=[option(t, False) for t in "abc"]), "0 right options"),
    (changed(CHOICE, answers=[option("a", True, ""), *CHOICE["answers"][1:]]), "no feedback"),
    (changed(CHOICE, answers=[option("a", "yes"), *CHOICE["answers"]]), "true or false"),
    (changed(CHOICE, answers=[option("", False), *CHOICE["answers"]]), "lacks its text"),
    (changed(CHOICE, question="What is $x$?"), "formulas"),
    (changed(MANY, answers=[option(t, True) for t in "abc"]), "not all"),
    (changed(MANY, answers=CHOICE["answers"]), "two or more"),
    (changed(NUMERIC, answers=NUMERIC["answers"][1:]), "right answer"),
    (changed(NUMERIC, answers=NUMERIC["answers"][:2]), "all other numbers"),
])  # fmt: skip
def test_mistakes_are_named(question, mistake, tmp_path):
    assert mistake in check_question(question)
    with pytest.raises(ValueError, match="quiz_9.json, question 2: "):
        load_quiz("quiz_9", write(tmp_path, [CHOICE, question]))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_file_that_is_no_quiz_is_refused(text, tmp_path):
    (tmp_path / "quiz_9.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="quiz_9.json"):
        load_quiz("quiz_9", tmp_path)


def test_an_unknown_quiz_names_the_known_ones(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no quiz 'quiz_7'; there are: quiz_9"):
        load_quiz("quiz_7", write(tmp_path, [CHOICE]))


@pytest.mark.parametrize("path", sorted(QUIZZES.glob("*.json")), ids=lambda path: path.stem)
def test_the_quizzes_of_the_course_are_sound(path):
    assert load_quiz(path.stem)
