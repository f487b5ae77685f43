"""The measuring instrument: measures against scikit-learn, statistics against brute force, refusals, the leaderboard."""

import doctest
import functools
import itertools
import json
import math
import runpy
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from sklearn.metrics import ndcg_score

from helpers import benchmark, datasets, systems
from helpers.benchmark import STYLES, Evaluation, compare, evaluate, holm, measures

LABELS = {"a": 2, "b": 2, "c": 1}


@pytest.fixture(scope="module")
def asked():
    return datasets.questions("test")


@pytest.fixture(scope="module")
def perfect(asked):
    """What the labels themselves would rank: grade 2, then grade 1."""
    return {row.id: sorted(row.labels, key=row.labels.get, reverse=True) for row in asked.itertuples()}


@pytest.fixture(scope="module")
def irrelevant(asked):
    """Ten passages that were judged and found to be no help."""
    return {row.id: sorted(row.judged - set(row.labels))[:10] for row in asked.itertuples()}


@pytest.fixture(scope="module")
def measured(asked):
    """name -> the evaluation of a retriever of the leaderboard, run once."""

    @functools.cache
    def run(name):
        ranked = systems.SYSTEMS[name].rank(asked["question"].tolist())
        return evaluate(dict(zip(asked["id"], ranked, strict=True)))

    return run


@pytest.fixture(scope="module")
def at_random(asked):
    rng = np.random.default_rng(0)
    ids = datasets.passages()["id"].to_numpy()
    return evaluate({question: rng.choice(ids, 10, replace=False).tolist() for question in asked["id"]})


def made_up(ndcg, styles=None) -> Evaluation:
    """An evaluation with given nDCGs, the styles taking turns."""
    styles = np.resize(STYLES, len(ndcg)) if styles is None else styles
    index = pd.Index([f"q{number}" for number in range(len(ndcg))], name="id")
    frame = pd.DataFrame({"style": styles, "judged": 1.0}, index=index)
    return Evaluation(frame.assign(**dict.fromkeys(benchmark.MEASURES, np.asarray(ndcg, dtype=float))))


# --- measures of one ranking ---


def test_measures_by_hand():
    found = measures(["x", "c", "b", "y"], LABELS)
    assert found["success"] == 1
    assert found["recall"] == 1 / 2
    assert found["mrr"] == 1 / 3
    dcg = 1 / math.log2(3) + 2 / math.log2(4)
    ideal = 2 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert found["ndcg"] == pytest.approx(dcg / ideal, abs=1e-15)


def test_only_ndcg_counts_a_passage_that_merely_helps():
    found = measures(["c", "x"], LABELS)
    assert found["success"] == found["recall"] == found["mrr"] == 0
    assert found["ndcg"] > 0


def test_what_comes_after_the_tenth_place_counts_nothing():
    others = [f"x{number}" for number in range(10)]
    assert set(measures([*others, "a", "b", "c"], LABELS).values()) == {0}
    assert measures([*others[:9], "a", "b", "c"], LABELS)["mrr"] == 1 / 10
    assert measures(["x", "a"], LABELS, k=1)["success"] == 0


def test_a_perfect_ranking_gives_one_even_where_more_than_ten_passages_are_relevant():
    assert measures(["b", "a", "c", "x"], LABELS) == {"success": 1, "recall": 1, "mrr": 1, "ndcg": 1}
    many = {f"p{number}": 2 for number in range(15)}
    found = measures(list(many), many)
    assert found["ndcg"] == pytest.approx(1) and found["recall"] == 10 / 15


def test_a_ranking_shorter_than_ten_is_measured_as_it_is():
    assert measures(["a"], {"a": 2})["ndcg"] == 1
    assert measures([], LABELS) == {"success": 0, "recall": 0, "mrr": 0, "ndcg": 0}


def test_the_order_of_two_passages_matters_to_ndcg_as_their_grades_say():
    best, middle, worst = (measures(order, LABELS)["ndcg"] for order in ("abc", "acb", "cab"))
    assert 1 == pytest.approx(best) and best > middle > worst
    assert measures("bac", LABELS)["ndcg"] == best


@pytest.mark.parametrize("seed", range(30))
def test_ndcg_equals_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 40))
    grades = rng.choice([0, 0, 0, 1, 2], size=size)
    grades[0] = 2
    ranking = rng.permutation(size)  # of all documents, so that every relevant one is in it
    scores = np.empty(size)
    scores[ranking] = np.arange(size, 0, -1)
    labels = {str(place): int(grade) for place, grade in enumerate(grades) if grade}
    ours = measures([str(place) for place in ranking], labels)["ndcg"]
    assert ours == pytest.approx(ndcg_score(grades[None], scores[None], k=10), abs=1e-12)


# --- evaluate: all questions, and nothing but questions ---


def test_perfect_rankings_give_one_and_irrelevant_ones_nothing(perfect, irrelevant):
    best, worst = evaluate(perfect), evaluate(irrelevant)
    for measure in ("success", "mrr", "ndcg"):
        assert best.mean(measure) == pytest.approx(1)
        assert best.interval(measure) == pytest.approx((1, 1))
        assert worst.mean(measure) == 0 and worst.interval(measure) == (0, 0)
    assert best.judged == worst.judged == 1


def test_a_reversed_ranking_is_worse_and_at_the_end_of_ten_wrong_ones_nothing(asked, perfect, irrelevant):
    reversed_ = {question: ranking[::-1] for question, ranking in perfect.items()}
    last = {question: irrelevant[question] + perfect[question] for question in perfect}
    assert 0 < evaluate(reversed_).mean() < 1
    assert evaluate(last).mean() == 0


def test_every_question_of_the_split_is_measured_once(asked, perfect):
    found = evaluate(perfect).per_question
    assert found.index.tolist() == asked["id"].tolist()
    assert found["style"].tolist() == asked["style"].tolist()
    dev = datasets.questions("dev")
    assert len(evaluate({row.id: list(row.labels) for row in dev.itertuples()}, split="dev").per_question) == 40


def test_the_order_of_the_mapping_and_the_kind_of_sequence_do_not_matter(perfect):
    shuffled = {question: np.array(perfect[question]) for question in sorted(perfect, reverse=True)}
    pd.testing.assert_frame_equal(evaluate(shuffled).per_question, evaluate(perfect).per_question)


def test_the_mean_is_that_of_the_three_english_styles(measured):
    evaluation = measured("TF-IDF")
    by_hand = [evaluation.per_question.query("style == @style")["ndcg"].mean() for style in STYLES]
    assert evaluation.mean() == pytest.approx(np.mean(by_hand), abs=1e-12)
    assert evaluation.mean() != pytest.approx(evaluation.per_question["ndcg"].mean(), abs=0.01)
    without_spanish = Evaluation(evaluation.per_question.query("style != 'spanish'"))
    assert without_spanish.mean() == evaluation.mean() and without_spanish.interval() == evaluation.interval()


def test_judged_is_the_share_of_what_is_shown(asked, irrelevant):
    half = {}
    for row in asked.itertuples():
        unjudged = (passage for passage in datasets.passages()["id"] if passage not in row.judged)
        half[row.id] = irrelevant[row.id][:5] + list(itertools.islice(unjudged, 5))
    assert evaluate(half).judged == pytest.approx(0.5)


def test_an_unknown_question_is_refused(perfect):
    with pytest.raises(ValueError, match=r"no question 'q9999' in the split 'test'.*questions\('test'\)"):
        evaluate(perfect | {"q9999": ["Aardvark#003"]})


def test_a_question_of_the_other_split_is_refused(perfect):
    stranger = datasets.questions("dev")["id"].iloc[0]
    with pytest.raises(ValueError, match=f"no question '{stranger}' in the split 'test'"):
        evaluate(perfect | {stranger: ["Aardvark#003"]})


def test_missing_questions_are_counted_and_the_first_is_named(asked, perfect):
    first, second = asked["id"].iloc[[3, 7]]
    fewer = {question: ranking for question, ranking in perfect.items() if question not in (first, second)}
    with pytest.raises(ValueError, match=f"2 of {len(asked)} questions .* no ranking .*{first}.*every question"):
        evaluate(fewer)
    with pytest.raises(ValueError, match=f"{len(asked)} of {len(asked)} questions"):
        evaluate({})


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (["Aardvark#003", "Aardvark#004", "Aardvark#003"], "'Aardvark#003' twice"),
        (["Aardvark#003", "Aardvark#999"], "names 'Aardvark#999', which is no id"),
        (["Aardvark#003", 7], "names 7, which is no id"),
        ([], "is empty or a text: give a list of passage ids"),
        ("Aardvark#003", "is empty or a text: give a list of passage ids"),
    ],
    ids=["repeated", "unknown", "a place, not an id", "empty", "text"],
)
def test_a_ranking_that_is_none_is_refused_with_its_question(asked, perfect, ranking, message):
    question = asked["id"].iloc[-1]
    with pytest.raises(ValueError, match=f"The ranking of question {question} .*{message}"):
        evaluate(perfect | {question: ranking})


def test_a_fault_beyond_the_tenth_place_is_refused_too(asked, perfect, irrelevant):
    question = asked["id"].iloc[0]
    with pytest.raises(ValueError, match="twice"):
        evaluate(perfect | {question: [*irrelevant[question], irrelevant[question][0]]})


def test_an_unknown_split_is_refused(perfect):
    with pytest.raises(ValueError, match='"dev", "test" or None, not \'train\''):
        evaluate(perfect, split="train")


# --- intervals and comparisons ---


def test_the_interval_holds_the_mean_and_is_the_same_every_time(measured):
    evaluation = measured("BM25")
    for measure in benchmark.MEASURES:
        low, high = evaluation.interval(measure)
        assert 0 < low < evaluation.mean(measure) < high < 1
        assert Evaluation(evaluation.per_question.copy()).interval(measure) == (low, high)


def test_the_interval_is_as_wide_as_theory_says(measured):
    per_style = measured("BM25").per_question.groupby("style")["ndcg"]
    error = np.sqrt((per_style.var(ddof=0) / per_style.size())[list(STYLES)].sum()) / len(STYLES)
    low, high = measured("BM25").interval()
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_the_interval_is_narrower_where_questions_agree_and_where_there_are_more():
    def width(ndcg):
        low, high = made_up(ndcg).interval()
        return high - low

    spread = np.random.default_rng(0).uniform(size=60)
    assert width(0.5 + 0.2 * (spread - 0.5)) == pytest.approx(0.2 * width(spread), rel=1e-6)
    assert width(np.tile(spread, 4)) == pytest.approx(width(spread) / 2, rel=0.05)
    assert width(np.full(60, 0.7)) == pytest.approx(0)


def test_the_interval_holds_the_truth_about_95_times_in_100(monkeypatch):
    monkeypatch.setattr(benchmark, "RESAMPLES", 400)
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = made_up(rng.beta(0.5, 0.5, size=150)).interval()
        held += low <= 0.5 <= high
    assert 0.90 <= held / 200 <= 0.985


def test_the_same_evaluation_twice_shows_no_difference(measured):
    assert compare(measured("BM25"), measured("BM25")) == {"difference": 0, "low": 0, "high": 0, "p": 1}


def test_compare_is_antisymmetric(measured):
    first, second = measured("TF-IDF"), measured("BM25")
    there, back = compare(first, second, "mrr"), compare(second, first, "mrr")
    assert there["difference"] == pytest.approx(second.mean("mrr") - first.mean("mrr"), abs=1e-12)
    for one, other in [("difference", "difference"), ("low", "high"), ("high", "low")]:
        assert there[one] == pytest.approx(-back[other], abs=1e-12)
    assert there["p"] == back["p"]
    assert there["low"] < there["difference"] < there["high"]


def test_a_real_difference_is_seen(measured, at_random):
    found = compare(at_random, measured("MiniLM"))
    assert found["p"] == 1 / (1 + benchmark.RESAMPLES)
    assert 0.6 < found["low"] < found["difference"] < found["high"]
    assert compare(measured("TF-IDF"), measured("BM25"))["p"] < 0.01  # much closer, and still seen


def test_pairing_sees_what_two_intervals_do_not():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 0.9, size=90)
    first, second = made_up(hard), made_up(hard + rng.uniform(0.01, 0.05, size=90))
    assert first.interval()[1] > second.interval()[0]  # they overlap
    assert compare(first, second)["p"] < 0.001


def test_p_equals_all_sign_flips_counted():
    rng = np.random.default_rng(3)
    for _ in range(5):
        styles = np.repeat(STYLES, [3, 4, 5])
        first, second = rng.uniform(size=12), rng.uniform(size=12)
        parts = (second - first) / np.repeat([3 * 3, 3 * 4, 3 * 5], [3, 4, 5])
        flips = np.array(list(itertools.product([-1, 1], repeat=12))) @ parts
        exact = np.mean(np.abs(flips) >= abs(parts.sum()) - 1e-12)
        found = compare(made_up(first, styles), made_up(second, styles))
        assert found["difference"] == pytest.approx(parts.sum())
        assert found["p"] == pytest.approx(exact, abs=0.02)


def test_between_equal_systems_p_is_uniform(monkeypatch):
    monkeypatch.setattr(benchmark, "RESAMPLES", 500)
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        both = rng.beta(0.5, 0.5, size=60)[:, None] + rng.normal(scale=0.2, size=(60, 2))
        p.append(compare(made_up(both[:, 0]), made_up(both[:, 1]))["p"])
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_evaluations_of_different_splits_are_not_compared(measured):
    dev = datasets.questions("dev")
    other = evaluate({row.id: list(row.labels) for row in dev.itertuples()}, split="dev")
    with pytest.raises(ValueError, match="not on the same questions"):
        compare(measured("BM25"), other)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3·0.01; 2·0.03; 1·0.04, but not below the step before
        ([0.005, 0.01, 0.02, 0.5], [0.02, 0.03, 0.04, 0.5]),
        ([0.9, 0.8], [1, 1]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.2], [0.2]),
        ([], []),
    ],
)
def test_holm_by_hand(p_values, corrected):
    assert holm(p_values).tolist() == pytest.approx(corrected, abs=1e-12)


def test_holm_lies_between_no_correction_and_bonferronis():
    p = np.random.default_rng(0).uniform(0, 0.2, size=9)
    assert (holm(p) >= p).all() and (holm(p) <= np.minimum(9 * p, 1) + 1e-15).all()
    assert (np.diff(holm(p)[np.argsort(p)]) >= 0).all()


def test_the_examples_in_the_docstrings_hold():
    results = doctest.testmod(benchmark)
    assert results.attempted >= 1 and results.failed == 0


# --- rows of the leaderboard ---


def with_judged(evaluation: Evaluation, judged: float) -> Evaluation:
    return Evaluation(evaluation.per_question.assign(judged=judged))


def test_a_row_says_what_was_measured(measured):
    evaluation = measured("BM25")
    row = benchmark.row(evaluation, bytes_per_passage=12.34, ms_per_query=0.123)
    assert row["bytes_per_passage"] == 12.3 and row["ms_per_query"] == 0.12
    assert row["labels_version"] == datasets.LABELS_VERSION
    assert row["ndcg"] == pytest.approx(evaluation.mean(), abs=5e-5)
    assert (row["low"], row["high"]) == pytest.approx(evaluation.interval(), abs=5e-5)
    assert row["recall"] == pytest.approx(evaluation.mean("recall"), abs=5e-5)
    assert row["mrr"] == pytest.approx(evaluation.mean("mrr"), abs=5e-5)
    for style in (*STYLES, "spanish"):
        assert row[style] == pytest.approx(evaluation.by_style.loc[style, "ndcg"], abs=5e-5)


def test_a_retriever_that_finds_unjudged_passages_gets_no_row(asked):
    ids = datasets.passages()["id"].tolist()
    unjudged = {
        row.id: list(itertools.islice((passage for passage in ids if passage not in row.judged), 10))
        for row in asked.itertuples()
    }
    evaluation = evaluate(unjudged)
    assert evaluation.judged == evaluation.mean() == 0
    with pytest.raises(ValueError, match=r"Only 0\.000 of the first ten passages were judged.*benchmarks/pool.py"):
        benchmark.row(evaluation, bytes_per_passage=1, ms_per_query=1)


def test_a_row_needs_98_of_100_passages_judged(measured):
    benchmark.row(with_judged(measured("BM25"), 0.98), bytes_per_passage=1, ms_per_query=1)
    with pytest.raises(ValueError, match=r"Only 0\.979 .*at least 0\.98"):
        benchmark.row(with_judged(measured("BM25"), 0.979), bytes_per_passage=1, ms_per_query=1)


def test_the_committed_leaderboard_is_complete_and_consistent():
    table = benchmark.leaderboard()
    assert set(table.index) == set(systems.SYSTEMS) and table.index.is_unique
    assert not table.isna().any(axis=None)
    assert table["judged"].min() >= benchmark.JUDGED
    assert (table["lesson"] == [systems.SYSTEMS[name].lesson for name in table.index]).all()
    assert table["ndcg"].is_monotonic_decreasing
    assert (table["low"] < table["ndcg"]).all() and (table["ndcg"] < table["high"]).all()
    assert (table["ndcg"] - table[list(STYLES)].mean(axis=1)).abs().max() < 1.1e-4
    assert (table[["bytes_per_passage", "ms_per_query"]] > 0).all(axis=None)


def test_a_leaderboard_of_other_labels_is_refused(tmp_path, monkeypatch):
    table = benchmark.leaderboard()
    table.iloc[0, table.columns.get_loc("labels_version")] += 1  # one old row is enough
    table.to_csv(tmp_path / "leaderboard.csv")
    monkeypatch.setattr(benchmark, "LEADERBOARD", tmp_path / "leaderboard.csv")
    with pytest.raises(ValueError, match="other labels: run python -m helpers.benchmark"):
        benchmark.leaderboard()
    monkeypatch.undo()
    monkeypatch.setattr(datasets, "LABELS_VERSION", datasets.LABELS_VERSION + 1)
    with pytest.raises(ValueError, match="other labels"):
        benchmark.leaderboard()


@pytest.mark.parametrize("name", ["TF-IDF", "BM25", "BM25, stop words and stems", "MiniLM"])
def test_a_row_recomputed_is_the_committed_one(measured, name):
    evaluation = measured(name)
    committed = benchmark.leaderboard().loc[name]
    size = systems.SYSTEMS[name].bytes_per_passage()
    row = benchmark.row(evaluation, bytes_per_passage=size, ms_per_query=1)
    assert row["bytes_per_passage"] == committed["bytes_per_passage"]
    for column in ("ndcg", "low", "high", *STYLES, "spanish"):
        assert row[column] == pytest.approx(committed[column], abs=0.005), column
    benchmark.assert_agrees(name, evaluation, size)
    benchmark.assert_agrees(name, evaluation)


def test_a_row_that_does_not_agree_is_told(measured, at_random):
    with pytest.raises(AssertionError, match=r"BM25: nDCG@10 is 0\.\d+ here and 0\.\d+ on the leaderboard"):
        benchmark.assert_agrees("BM25", at_random)
    off = measured("BM25").per_question
    slightly = Evaluation(off.assign(ndcg=off["ndcg"] - 0.006))
    with pytest.raises(AssertionError, match="BM25: nDCG@10"):
        benchmark.assert_agrees("BM25", slightly)
    benchmark.assert_agrees("BM25", Evaluation(off.assign(ndcg=off["ndcg"] - 0.0045)))
    size = systems.SYSTEMS["BM25"].bytes_per_passage()
    with pytest.raises(AssertionError, match="BM25: .* bytes per passage"):
        benchmark.assert_agrees("BM25", measured("BM25"), size + 1)


def test_the_command_recomputes_the_table(tmp_path, monkeypatch, capsys):
    names = ["TF-IDF", "BM25"]
    monkeypatch.setattr(systems, "SYSTEMS", {name: systems.SYSTEMS[name] for name in names})
    committed = benchmark.leaderboard().loc[["BM25", "TF-IDF"]].drop(columns="ms_per_query")
    monkeypatch.setattr(benchmark, "LEADERBOARD", tmp_path / "leaderboard.csv")
    figure = Mock()  # the real one would replace the README's figure by one of two bars
    monkeypatch.setattr(benchmark, "draw", figure)
    benchmark.main()
    assert figure.call_args.args[0].index.tolist() == ["BM25", "TF-IDF"]
    assert figure.return_value.savefig.call_args.args[0].name == "leaderboard.png"
    pd.testing.assert_frame_equal(benchmark.leaderboard().drop(columns="ms_per_query"), committed)
    assert [line[:6].strip() for line in capsys.readouterr().out.splitlines()] == names
    benchmark.main(["--check"])
    assert capsys.readouterr().out.endswith("All 2 rows agree with data/leaderboard.csv.\n")
    table = pd.read_csv(benchmark.LEADERBOARD, index_col="name")
    table.loc["BM25", ["ndcg", "ms_per_query"]] += [0.006, 1000]
    table.rename(index={"TF-IDF": "TF"}).to_csv(benchmark.LEADERBOARD)
    before = benchmark.LEADERBOARD.read_bytes()
    with pytest.raises(SystemExit) as found:
        benchmark.main(["--check"])
    told = str(found.value).splitlines()
    assert [line.partition(" is ")[0] for line in told] == [
        "TF: only in one of the two",
        "TF-IDF: only in one of the two",
        "BM25: ndcg",
    ]
    assert benchmark.LEADERBOARD.read_bytes() == before and figure.call_count == 1


def test_the_pool_lists_what_wants_a_judge(monkeypatch, capsys):
    pool = runpy.run_path(str(datasets.DATA.parent / "benchmarks" / "pool.py"))
    strange = {}
    for row in datasets.questions().itertuples():
        known, unknown = sorted(row.judged)[0], next(p for p in datasets.passages()["id"] if p not in row.judged)
        strange[row.question] = [known, unknown]
    system = systems.System(lambda asked: [strange[question] for question in asked], 1, lambda: 1)
    monkeypatch.setattr(systems, "SYSTEMS", {"Strange": system})
    monkeypatch.setitem(pool["main"].__globals__, "variants", lambda questions: [])
    pool["main"]()
    pairs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((pair["id"], pair["item"]) for pair in pairs) == sorted(
        (row.id, strange[row.question][1]) for row in datasets.questions().itertuples()
    )


def test_the_figure_shows_every_row_in_the_order_of_the_lessons():
    axes = benchmark.draw(benchmark.leaderboard()).axes[0]
    names = [
        label.get_text().replace("-\n", "-").replace("\n", " ") for label in axes.get_yticklabels()
    ]  # long ones are wrapped
    assert sorted(name.split(" · ")[1] for name in names) == sorted(systems.SYSTEMS)
    lessons = [int(name.split(" · ")[0]) for name in names]
    assert lessons in (sorted(lessons), sorted(lessons, reverse=True))
