"""The course's measuring instrument: rankings in; recall, MRR and nDCG with intervals out; and the leaderboard.

python -m helpers.benchmark              recomputes data/leaderboard.csv and the README's picture of it
python -m helpers.benchmark --check      recomputes it and compares with the committed one; changes nothing
"""

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from helpers import datasets

STYLES = ("keyword", "name_number", "paraphrase")  # "spanish" is shown, but stays outside of the average
FILM_STYLES = ("keyword", "paraphrase")
MEASURES = ("success", "recall", "mrr", "ndcg")
K = 10
RESAMPLES = 10_000
LEADERBOARD = datasets.DATA / "leaderboard.csv"
JUDGED = 0.98  # a row with fewer judged passages among its first ten may not be compared


def dcg(gains: Sequence[float]) -> float:
    """Discounted cumulative gain of gains in ranked order: the sum of gain / log2(rank + 1) (Järvelin & Kekäläinen 2002)."""
    gains = np.asarray(gains, dtype=float)
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())


def measures(ranking: Sequence[str], labels: Mapping[str, int], k: int = K) -> dict[str, float]:
    """Success, recall, MRR and nDCG of one ranking within its first k places.

    For the first three a passage counts if it answers the question (grade 2); nDCG takes the grades 2 and 1 as gains.
    """
    first = list(ranking)[:k]
    answers = {passage for passage, grade in labels.items() if grade == 2}
    hits = [passage in answers for passage in first]
    ideal = sorted(labels.values(), reverse=True)[:k]
    return {
        "success": float(any(hits)),
        "recall": sum(hits) / len(answers),
        "mrr": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
        "ndcg": dcg([labels.get(passage, 0) for passage in first]) / dcg(ideal),
    }


@dataclass
class Evaluation:
    """What ``evaluate`` found: ``per_question`` (a frame, one question a row, index = question id) and what follows from it.

    styles: those that the plain average is taken over.
    """

    per_question: pd.DataFrame
    styles: tuple[str, ...] = STYLES

    @property
    def judged(self) -> float:
        """Share of the first ten passages that somebody has judged, over all questions."""
        return float(self.per_question["judged"].mean())

    @cached_property
    def by_style(self) -> pd.DataFrame:
        """Mean of each measure per style."""
        return self.per_question.groupby("style", sort=False)[list(MEASURES)].mean()

    def mean(self, measure: str = "ndcg") -> float:
        """The plain average of the styles (questions: the three English ones), so that the mix of styles does not decide."""
        return float(self.by_style.loc[list(self.styles), measure].mean())

    def interval(self, measure: str = "ndcg") -> tuple[float, float]:
        """95 % bootstrap interval of ``mean``: questions are drawn again within each style (Efron 1979)."""
        means = _resampled_means(self.per_question[["style", measure]], measure, self.styles)
        return tuple(np.quantile(means, [0.025, 0.975]))


def evaluate(rankings: Mapping[str, Sequence[str]], split: str = "test", k: int = K) -> Evaluation:
    """Measure rankings {question id: passage ids, best first} on all questions of a split.

    Raises ValueError where a question is missing or unknown, a ranking is empty, repeats a passage, or names one that does not
    exist: a measure over fewer questions would look better or worse than it is.
    """
    asked = datasets.questions(split).set_index("id")
    _check(rankings, asked.index, split, set(datasets.passages()["id"]))
    return Evaluation(_measured(rankings, asked, k))


def evaluate_films(rankings: Mapping[str, Sequence[str]], split: str = "test", k: int = K) -> Evaluation:
    """``evaluate`` for the film queries: rankings {query id: film ids, best first}, the plain average over both styles."""
    asked = datasets.film_queries(split).set_index("id")
    _check(rankings, asked.index, split, set(datasets.films()["id"]))
    return Evaluation(_measured(rankings, asked, k), FILM_STYLES)


def _measured(rankings: Mapping[str, Sequence[str]], asked: pd.DataFrame, k: int) -> pd.DataFrame:
    rows = []
    for question, row in asked.iterrows():
        first = list(rankings[question])[:k]
        judged = sum(item in row["judged"] for item in first) / len(first)
        rows.append({"id": question, "style": row["style"], **measures(first, row["labels"], k), "judged": judged})
    return pd.DataFrame(rows).set_index("id")


def _check(rankings: Mapping[str, Sequence[str]], asked: Iterable[str], split: str, known: set[str]) -> None:
    asked = list(asked)
    if missing := [question for question in asked if question not in rankings]:
        raise ValueError(
            f"{len(missing)} of {len(asked)} questions of the split '{split}' have no ranking (the first: {missing[0]}). "
            "Rank passages for every question; a retriever that finds nothing returns them in any order."
        )
    if unknown := sorted(set(rankings) - set(asked)):
        raise ValueError(
            f"There is no question {unknown[0]!r} in the split '{split}'. Ids come from questions('{split}')['id']."
        )
    for question in asked:
        ranking = rankings[question]
        if isinstance(ranking, str) or not len(ranking):
            raise ValueError(
                f"The ranking of question {question} is empty or a text: give a list of passage ids, best first."
            )
        if len(set(ranking)) < len(ranking):
            twice = next(passage for passage in ranking if list(ranking).count(passage) > 1)
            raise ValueError(
                f"The ranking of question {question} holds passage {twice!r} twice: each may stand there once."
            )
        if strange := next((passage for passage in ranking if passage not in known), None):
            raise ValueError(
                f"The ranking of question {question} names {strange!r}, which is no id such as 'Aardvark#003'."
            )


def _resampled_means(frame: pd.DataFrame, column: str, styles: Sequence[str]) -> np.ndarray:
    """Means over the styles' means of RESAMPLES bootstrap samples, shape (RESAMPLES,)."""
    random = np.random.default_rng(0)
    total = np.zeros(RESAMPLES)
    for style in styles:
        values = frame.loc[frame["style"] == style, column].to_numpy()
        total += values[random.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    return total / len(styles)


def compare(first: Evaluation, second: Evaluation, measure: str = "ndcg") -> dict[str, float]:
    """Paired difference second − first: ``difference``, 95 % interval ``low`` to ``high``, ``p`` of a sign-flip test (Fisher 1935).

    Raises ValueError where the two were not measured on the same questions.
    """
    if list(first.per_question.index) != list(second.per_question.index):
        raise ValueError("The two evaluations are not on the same questions: a paired comparison needs the same split.")
    paired = pd.DataFrame(
        {"style": first.per_question["style"], "d": second.per_question[measure] - first.per_question[measure]}
    )
    low, high = np.quantile(_resampled_means(paired, "d", first.styles), [0.025, 0.975])
    paired = paired[paired["style"].isin(first.styles)]
    weights = 1 / (len(first.styles) * paired.groupby("style")["d"].transform("size"))
    parts = (weights * paired["d"]).to_numpy()
    flips = np.random.default_rng(0).choice([-1.0, 1.0], size=(RESAMPLES, len(parts))) @ parts
    p = (1 + (np.abs(flips) >= abs(parts.sum()) - 1e-12).sum()) / (1 + RESAMPLES)
    return {"difference": float(parts.sum()), "low": float(low), "high": float(high), "p": float(p)}


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p values corrected for having asked several times (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def row(evaluation: Evaluation, *, bytes_per_passage: float, ms_per_query: float) -> dict:
    """One row of the leaderboard. Raises ValueError where too few of the shown passages were judged."""
    if evaluation.judged < JUDGED:
        raise ValueError(
            f"Only {evaluation.judged:.3f} of the first ten passages were judged (at least {JUDGED} are needed): this retriever "
            "finds passages that nobody looked at, and they would all count as wrong. Judge them: "
            "python benchmarks/pool.py lists them."
        )
    low, high = evaluation.interval()
    found = {
        "ndcg": evaluation.mean(),
        "low": low,
        "high": high,
        "mrr": evaluation.mean("mrr"),
        "recall": evaluation.mean("recall"),
    }
    found |= {style: evaluation.by_style.loc[style, "ndcg"] for style in (*STYLES, "spanish")}
    found = {name: round(float(value), 4) for name, value in found.items()}
    about = {"judged": round(evaluation.judged, 4), "bytes_per_passage": round(bytes_per_passage, 1)}
    return found | about | {"ms_per_query": float(f"{ms_per_query:.2g}"), "labels_version": datasets.LABELS_VERSION}


def leaderboard() -> pd.DataFrame:
    """The committed leaderboard, best nDCG@10 first; index: the retrievers' names. Raises ValueError where labels are others."""
    table = pd.read_csv(LEADERBOARD, index_col="name")
    if set(table["labels_version"]) != {datasets.LABELS_VERSION}:
        raise ValueError("data/leaderboard.csv was computed with other labels: run python -m helpers.benchmark.")
    return table


def assert_agrees(name: str, evaluation: Evaluation, bytes_per_passage: float | None = None) -> None:
    """Assert that a lesson's own retriever gives the committed row: nDCG@10 within 0.005, bytes exactly; times are never compared."""
    committed = leaderboard().loc[name]
    assert abs(evaluation.mean() - committed["ndcg"]) <= 0.005, (
        f"{name}: nDCG@10 is {evaluation.mean():.4f} here and {committed['ndcg']:.4f} on the leaderboard"
    )
    if bytes_per_passage is not None:
        assert abs(bytes_per_passage - committed["bytes_per_passage"]) < 0.1, (
            f"{name}: {bytes_per_passage} bytes per passage"
        )


def unjudged(ranked: Mapping[str, Sequence[Sequence[str]]], asked: pd.DataFrame) -> list[dict]:
    """What nobody has judged among the first ten of each ranking: {"id": question, "item": …, "by": names of retrievers}, sorted.

    ranked: name → a ranking per row of ``asked`` (a frame with columns ``id`` and ``judged``).
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name, rankings in ranked.items():
        for row, ranking in zip(asked.itertuples(), rankings, strict=True):
            for item in list(ranking)[:K]:
                if item not in row.judged:
                    found.setdefault((row.id, item), []).append(name)
    return [{"id": question, "item": item, "by": names} for (question, item), names in sorted(found.items())]


def recompute() -> pd.DataFrame:
    """The leaderboard computed from scratch, best first, in the same form as ``leaderboard()``."""
    from helpers import systems

    test = datasets.questions("test")
    rows = {}
    for name, system in systems.SYSTEMS.items():
        system.rank(test["question"].tolist()[:2])  # builds its index
        start = time.perf_counter()
        ranked = system.rank(test["question"].tolist())
        ms = 1000 * (time.perf_counter() - start) / len(test)
        evaluation = evaluate(dict(zip(test["id"], ranked, strict=True)))
        rows[name] = {"lesson": system.lesson} | row(
            evaluation, bytes_per_passage=system.bytes_per_passage(), ms_per_query=ms
        )
        print(f"{name:36} {rows[name]['ndcg']:.3f} [{rows[name]['low']:.3f}, {rows[name]['high']:.3f}]", flush=True)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
    return table.sort_values(["ndcg", "lesson"], ascending=[False, True], kind="stable")


def disagreements(found: pd.DataFrame, committed: pd.DataFrame, tolerance: float = 0.005) -> list[str]:
    """What differs between two leaderboards: rows, bytes, or a figure of quality by more than ``tolerance``; times never count."""
    wrong = [f"{name}: only in one of the two" for name in sorted(set(found.index) ^ set(committed.index))]
    for name in found.index.intersection(committed.index):
        for column in found.columns.difference(["ms_per_query"]):
            here, there = found.loc[name, column], committed.loc[name, column]
            if abs(here - there) > (0.1 if column == "bytes_per_passage" else tolerance):
                wrong.append(f"{name}: {column} is {here} here and {there} in the committed table")
    return wrong


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.benchmark", description="Recompute the leaderboard.")
    parser.add_argument("--check", action="store_true", help="compare with the committed table and change nothing")
    check = parser.parse_args(arguments).check
    table = recompute()
    if not check:
        table.to_csv(LEADERBOARD, lineterminator="\n")
        draw(table).savefig(datasets.DATA.parent / "docs" / "leaderboard.png", dpi=110, metadata={"Software": None})
    elif wrong := disagreements(table, leaderboard()):
        sys.exit("\n".join(wrong))
    else:
        print(f"All {len(table)} rows agree with data/leaderboard.csv.")


def draw(table: pd.DataFrame):
    """The leaderboard as a figure: bars of nDCG@10 with intervals, in the order of the lessons (the number before each name)."""
    from helpers.plots import bars

    table = table.astype({"ndcg": float, "low": float, "high": float}).sort_values(["lesson", "ndcg"])
    names = [f"{lesson:.0f} · {name}" for name, lesson in table["lesson"].items()]
    return bars(
        names,
        table["ndcg"],
        table[["low", "high"]],
        title="From counting words to a neural encoder: what each lesson's search can do",
        axis_label="nDCG@10 on the test questions, with 95 % intervals",
        highlight=[name for name in names if "MiniLM" in name],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
