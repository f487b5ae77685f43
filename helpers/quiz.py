"""Shows a quiz of `data/quizzes/`: `show_quiz("quiz_1")`.

The questions are in jupyterquiz's format (a JSON list) and jupyterquiz draws them. What it leaves
over is added here: answers can be reached and pressed by keyboard, a screen reader hears the
feedback, right and wrong differ by more than their colour, nothing is fetched from the network,
and the output is the same on every run. Where no script may run (a viewer, an untrusted notebook,
paper) the questions stand there as a list with the answers in folds.
"""

import html
import json
import re
from pathlib import Path

from IPython import get_ipython
from IPython.display import display
from IPython.utils.capture import capture_output
from jupyterquiz import display_quiz

QUIZZES = Path(__file__).resolve().parent.parent / "data" / "quizzes"
CHOICES = ("multiple_choice", "many_choice")
FEWEST_OPTIONS = 3
COLOURS = {  # white on these has a contrast of at least 4.5
    "--jq-multiple-choice-bg": "#1F4E79", "--jq-many-choice-bg": "#5B3A78", "--jq-numeric-bg": "#1F4E79",
    "--jq-correct-color": "#0B7A3B", "--jq-incorrect-color": "#B3261E", "--jq-numeric-input-bg": "#FFFFFF",
    "--jq-numeric-input-label": "inherit", "--jq-mc-button-border": "#8A8A8A",
}  # fmt: skip
STYLE = """<style>
.course-quiz.live .on-paper { display: none }
.course-quiz .on-paper li { margin-bottom: 0.8em }
.course-quiz .MCButton:focus-visible, .course-quiz .Input-text:focus-visible { outline: 3px solid #E69F00 }
.course-quiz .correctButton { animation: none; color: #FFFFFF; background: var(--jq-correct-color) }
.course-quiz .incorrectButton { animation: none; color: #FFFFFF; background: var(--jq-incorrect-color) }
.course-quiz .Input-text { border: 1px solid #8A8A8A }
.course-quiz .Input-text:not(.correctButton, .incorrectButton) { color: #111111 }
.course-quiz .Feedback { color: inherit; line-height: 1.4; padding: 0.4em }
@media print { .course-quiz.live .on-paper { display: block } .course-quiz .Quiz { display: none } }
</style>"""
BEFORE = """
  const quiz = document.currentScript.closest(".course-quiz");
  const CONTAINER = quiz.querySelector("#CONTAINER");  // this one, also if the quiz is open in two tabs
  const MathJax = undefined;  // jupyterquiz, seeing JupyterLab's, would fetch its own from the network
  quiz.classList.add("live");
"""
AFTER = """
  const mend = () => {
    if (!quiz.querySelector(".Quiz")) { setTimeout(mend, 50); return; }
    quiz.querySelectorAll(".Answer").forEach(answers => answers.setAttribute("role", "group"));
    quiz.querySelectorAll(".Feedback").forEach(feedback => feedback.setAttribute("role", "status"));
    quiz.querySelectorAll(".Input-text").forEach(input => input.setAttribute("aria-label", "numeric answer"));
    quiz.querySelectorAll(".MCButton").forEach(answer => {
      answer.querySelectorAll("input").forEach(input => input.remove());  // it doubled every click
      answer.setAttribute("role", "button");
      answer.tabIndex = 0;
      answer.dataset.lmSuppressShortcuts = "true";  // else typing D twice deletes the cell in JupyterLab
      answer.addEventListener("keydown", event => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        answer.querySelector("span").click();
      });
    });
  };
  mend();
"""


def load_quiz(name, folder=QUIZZES):
    """The questions of a quiz, checked: a list of dicts in jupyterquiz's format.

    Raises FileNotFoundError if there is no such quiz, and ValueError, naming the question, if one
    has a mistake (see `check_question`).
    """
    path = Path(folder) / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in Path(folder).glob("*.json"))) or "none yet"
        raise FileNotFoundError(f"there is no quiz {name!r}; there are: {known}")
    try:
        questions = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(questions, list) or not questions:
        raise ValueError(f"{path.name} must hold a list of questions")
    for number, question in enumerate(questions, 1):
        if mistake := check_question(question):
            raise ValueError(f"{path.name}, question {number}: {mistake}")
    return questions


def check_question(question):
    """What is wrong with a question, in words, or None.

    A question needs a text and a type. A choice needs three options or more, one of them right
    (many_choice: at least two) and one wrong; every answer needs its feedback. A numeric question
    needs a right value or range, and feedback for all other numbers (`{"type": "default", …}`).
    """
    if not isinstance(question, dict) or not str(question.get("question", "")).strip():
        return "it has no text"
    kind, answers = question.get("type"), question.get("answers")
    if kind not in (*CHOICES, "numeric"):
        return f"its type is {kind!r}, not multiple_choice, many_choice or numeric"
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        return "its answers are not a list"
    if "$" in json.dumps(question):
        return "it holds a $: formulas need the network, so write them in words"
    if any(not str(answer.get("feedback", "")).strip() for answer in answers):
        return "an answer has no feedback"
    n_right = sum(answer.get("correct") is True for answer in answers)
    if kind == "numeric":
        if n_right == 0 or any("value" not in a and "range" not in a for a in answers if a.get("correct") is True):
            return "it needs a right answer with a value or a range"
        return None if any(a.get("type") == "default" for a in answers) else "it lacks feedback for all other numbers"
    if len(answers) < FEWEST_OPTIONS:
        return f"it has {len(answers)} options, and needs at least {FEWEST_OPTIONS}"
    if any(not isinstance(answer.get("correct"), bool) or not answer.get("answer") for answer in answers):
        return "an option lacks its text, or `correct` as true or false"
    if kind == "multiple_choice" and n_right != 1:
        return f"it has {n_right} right options; a multiple_choice question has exactly one"
    if kind == "many_choice" and not 2 <= n_right < len(answers):
        return f"it has {n_right} right options of {len(answers)}; a many_choice question has two or more, but not all"
    return None


def show_quiz(name, folder=QUIZZES):
    """Display a quiz, and return None. Its plain text is constant: `Quiz 1: 8 questions`."""
    questions = load_quiz(name, folder)
    plain = f"{name.replace('_', ' ').capitalize()}: {len(questions)} questions"
    if get_ipython() is None:
        print(plain)
        return
    data = {"text/html": quiz_html(name, questions), "text/plain": plain}
    display(data, raw=True)


def quiz_html(name, questions):
    """The quiz as one piece of HTML: a list for paper, and jupyterquiz's version, which hides it."""
    marked = [{**question, "answers": [_marked(answer) for answer in question["answers"]]} for question in questions]
    with capture_output() as captured:
        display_quiz(marked, colors=COLOURS, shuffle_answers=True, max_width=760)
    container, script = (output.data for output in captured.outputs)
    container, script = container["text/html"], script["application/javascript"]
    random_id = re.search(r'<div id="(\w+)"', container)[1]
    fixed_id = f"jupyterquiz_{name}"
    container, script = container.replace(random_id, fixed_id), script.replace(random_id, fixed_id)
    script = "{" + BEFORE.replace("CONTAINER", fixed_id) + script + AFTER + "}"
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f'<div class="course-quiz">{STYLE}{_paper(questions)}{container}</div><script>{script}</script></div>'


def _marked(answer):
    """The answer with a sign before its feedback, since colour alone says nothing to many."""
    return {**answer, "feedback": ("✔ " if answer.get("correct") else "✘ ") + answer["feedback"]}


def _paper(questions):
    """The questions as a list, with their answers in folds."""
    items = []
    for question in questions:
        code = f"<pre>{html.escape(question['code'])}</pre>" if question.get("code") else ""
        options = "".join(f"<li>{answer['answer']}</li>" for answer in question["answers"] if answer.get("answer"))
        replies = "".join(f"<li>{_label(answer)}{_marked(answer)['feedback']}</li>" for answer in question["answers"])
        items.append(
            f"<li>{question['question']}{code}<ul>{options}</ul>"
            f"<details><summary>Answer</summary><ul>{replies}</ul></details></li>"
        )
    return f'<ol class="on-paper">{"".join(items)}</ol>'


def _label(answer):
    if "range" in answer:
        return f"<b>{answer['range'][0]} to {answer['range'][1]}</b>: "
    text = answer.get("answer", answer.get("value", ""))
    return f"<b>{text}</b>: " if text != "" else ""
