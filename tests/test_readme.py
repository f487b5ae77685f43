"""The README's map of the lessons: complete, and its figures are those of the leaderboards and of the lessons' own outputs."""

import re
from pathlib import Path

import nbformat
import pytest

from helpers import benchmark
from helpers.words import word_leaderboard

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\d\d) \| \[([^]]+)\]\(([^)]+)\)<br>\*([^|]+)\* \| (.+) \|$", re.M)
NUMBER = r"\d[\d,]*(?:\.\d+)?"


def lessons():
    return {row[0]: row for row in ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))}


def outputs(path):
    """Everything that a lesson printed, as one text."""
    found = []
    for cell in nbformat.read(ROOT / path, as_version=4).cells:
        for output in cell.get("outputs", []):
            found.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(found)


def named(result):
    """The rows of the leaderboards that a line names, each with the figure behind it; longest names first, so that
    'MiniLM, binary 0.72' is not read as MiniLM's; and what is left of the line."""
    retrieval, words = benchmark.leaderboard()["ndcg"], word_leaderboard()["wordsim_rho"]
    figures, found = {**words, **retrieval}, []
    for name in sorted(figures, key=len, reverse=True):
        for figure in re.findall(rf"{re.escape(name)} (0\.\d\d)\b", result):
            found.append((name, figure, f"{figures[name]:.2f}"))
            result = result.replace(f"{name} {figure}", "")
    return found, result


def wrong_figures(result, printed):
    """What a result line says and neither a leaderboard nor the lesson's output does."""
    pairs, rest = named(result)
    wrong = [f"{name} {said}, but it is {true}" for name, said, true in pairs if said != true]
    known = set(re.findall(NUMBER, printed))
    for number, percent in re.findall(rf"({NUMBER})( %)?", rest):
        spellings = {number, number.replace(",", "")} | ({f"{float(number) / 100:.2f}"} if percent else set())
        wrong += [] if spellings & known else [f"{number}: the lesson prints no such number"]
    return wrong


def test_every_lesson_is_on_the_map_once_with_what_comes_out():
    there = sorted(str(path.relative_to(ROOT).as_posix()) for path in (ROOT / "notebooks").glob("*/[0-9]*.ipynb"))
    assert [row[2] for row in lessons().values()] == there
    assert all(row[4].strip() and len(row[4]) < 170 for row in lessons().values())
    quizzes = re.findall(r"\((notebooks/[^)]*quiz_\d\.ipynb)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert quizzes == sorted(
        str(path.relative_to(ROOT).as_posix()) for path in (ROOT / "notebooks").glob("*/quiz_*.ipynb")
    )


@pytest.mark.parametrize("number", sorted(lessons()))
def test_the_figures_on_the_map_are_true(number):
    _, _, path, _, result = lessons()[number]
    assert not wrong_figures(result, outputs(path))


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ("TF-IDF 0.58 → BM25 0.63", "TF-IDF 0.58, but it is 0.57"),
        ("MiniLM, binary 0.79", "MiniLM, binary 0.79, but it is 0.72"),
        ("98 of 251 answers", "251: the lesson prints no such number"),
        ("only 5 % is read", "5: the lesson prints no such number"),
    ],
)
def test_a_wrong_figure_would_be_told(result, hint):
    assert wrong_figures(result, "98 of 252, 0.04 and 0.57") == [hint]


def test_the_pictures_words_are_the_leaderboards():
    words = re.search(
        r"!\[(How well [^]]+)\]\(docs/leaderboard\.png\)", (ROOT / "README.md").read_text(encoding="utf-8")
    )[1]
    scores = benchmark.leaderboard()["ndcg"].map("{:.2f}".format)
    rows = ("TF-IDF", "BM25", "Mean of word vectors", "SIF of word vectors", "MiniLM", "MiniLM, re-ranked by MaxSim")
    assert re.findall(r"0\.\d\d", words) == [scores[name] for name in rows]
