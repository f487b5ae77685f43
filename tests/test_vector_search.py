"""The benchmark's indexes find what exact search finds when their knobs are open, count honestly, and its command answers."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest

from helpers import datasets


@pytest.fixture(scope="module")
def bench():
    path = datasets.DATA.parent / "benchmarks" / "vector_search.py"
    spec = importlib.util.spec_from_file_location("vector_search", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clumps():
    """800 unit vectors in 20 clumps, and 30 questions near them."""
    random = np.random.default_rng(0)
    middles = random.normal(size=(20, 16))
    rows = middles[random.integers(20, size=830)] + 0.6 * random.normal(size=(830, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[:800], rows[800:]


def mean_recall(index, questions, value, truth):
    from_index = [index.search(question, value)[0] for question in questions]
    return np.mean([len(set(found) & set(true)) / 10 for found, true in zip(from_index, truth, strict=True)])


def true_neighbours(bench, vectors, questions):
    return [bench.BruteForce(vectors).search(question)[0] for question in questions]


def test_best_is_a_stable_sort(bench):
    scores = np.array([0.5, 0.9, 0.5, 0.9 + 1e-9, 0.1])  # the fourth is higher by rounding only
    assert bench.best(scores, 3).tolist() == [1, 3, 0]
    assert bench.best(scores, 99).tolist() == [1, 3, 0, 2, 4], "more than there are: all of them"


def test_exact_search_is_a_full_sort_and_counts_every_vector(bench, clumps):
    vectors, questions = clumps
    for question in questions:
        places, distances = bench.BruteForce(vectors).search(question)
        assert places.tolist() == np.argsort(-(vectors @ question), kind="stable")[:10].tolist()
        assert distances == 800


def test_inverted_file_with_all_lists_is_exact_and_its_lists_share_out_the_vectors(bench, clumps):
    vectors, questions = clumps
    index = bench.InvertedFile(vectors, lists=32)
    assert sorted(np.concatenate(index.lists)) == list(range(800)), "each vector is in one list"
    assert mean_recall(index, questions, 32, true_neighbours(bench, vectors, questions)) == 1
    assert index.search(questions[0], 32)[1] == 32 + 800


def test_a_hash_finds_a_stored_vector_itself_and_returns_nothing_from_an_empty_drawer(bench, clumps):
    vectors, _ = clumps
    index = bench.Hyperplanes(vectors)
    assert all(index.search(vectors[place], 1)[0][0] == place for place in range(0, 800, 50))
    index = bench.Hyperplanes(vectors[:1], bits=8)
    places, distances = index.search(-vectors[0], 1)  # the opposite side of every plane
    assert len(places) == 0 and distances == 8


def test_the_graph_is_two_way_and_a_beam_as_wide_as_the_collection_is_exact(bench, clumps):
    vectors, questions = clumps
    index = bench.Graph(vectors)
    assert all(a in index.edges[b] for a, row in enumerate(index.edges) for b in row)
    assert all(a not in row and len(row) == len(set(row)) for a, row in enumerate(index.edges))
    assert mean_recall(index, questions, 800, true_neighbours(bench, vectors, questions)) == 1
    assert index.search(questions[0], 800)[1] == 800, "no vector is compared twice"


def test_more_work_finds_more(bench, clumps):
    vectors, questions = clumps
    truth = true_neighbours(bench, vectors, questions)
    for make in (bench.InvertedFile, bench.Hyperplanes, bench.Graph, bench.FaissHNSW):
        index = make(vectors)
        (values,) = index.knobs.values()
        recalls = [mean_recall(index, questions, value, truth) for value in values]
        work = [np.mean([index.search(question, value)[1] for question in questions]) for value in values]
        assert (np.diff(recalls) > -0.02).all() and (np.diff(work) >= 0).all(), make.__name__
        assert recalls[-1] > recalls[0], make.__name__


def test_grown_vectors_are_unit_and_stay_near_the_passages(bench, clumps):
    vectors, _ = clumps
    rows = bench.grown(vectors.astype(np.float32), 2_000)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows.dtype == np.float32 and ((rows @ vectors.T).max(axis=1) > 0.8).mean() > 0.95


@pytest.mark.slow
def test_the_command_prints_one_json_object(bench, capsys, monkeypatch):
    monkeypatch.setattr(bench, "read_rate", lambda: 10e9)
    bench.main(["--json", "--passages", "300", "--largest", "1000", "--grown", "0", "--rounds", "1"])
    found = json.loads(capsys.readouterr().out)
    assert found["threads"] == 1 and {row["collection"] for row in found["rows"]} >= {"random", "passages"}
    exact = next(row for row in found["rows"] if row["collection"] == "random")
    assert exact["recall"] == 1 and exact["limit_ms"] == 0.15, "1,000 × 384 × 4 bytes at 10 GB/s"


@pytest.mark.parametrize(
    "wrong", (["--passages", "5"], ["--grown", "7"], ["--rounds", "0"], ["--write", "--grown", "0"])
)
def test_a_wrong_option_is_said_before_anything_is_measured(bench, wrong, capsys):
    with pytest.raises(SystemExit):
        bench.main(wrong)
    assert "--" in capsys.readouterr().err


def test_the_committed_table_is_complete(bench):
    table = pd.read_csv(bench.RESULTS, keep_default_na=False)
    assert set(table["collection"]) == {"random", "passages", "random, same shape", "grown"}
    assert table.loc[table["collection"] == "random", "n"].max() == 1_000_000
    assert set(table.loc[table["collection"] == "passages", "index"]) == set(bench.INDEXES)
    assert table["recall"].between(0, 1).all() and (table["ms_per_query"] > 0).all()
