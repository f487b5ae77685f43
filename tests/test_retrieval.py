"""Search as the lessons taught it: against the library bm25s, against brute force, and by hand."""

import doctest
import math
import random
from fractions import Fraction

import bm25s
import numpy as np
import pytest

from helpers import datasets, retrieval
from helpers.retrieval import BM25, max_sim, reciprocal_rank_fusion, stems, top_k, words

QUESTIONS = [
    "Who defeated the Assuwa league around 1400 BC?",
    "Which part of Canada gets the most hailstorms?",
    "the of and in",
    "moon moon moon landing landing",
    "Apollo 11",
    "zzyzx qwertyuiop albedo",
]


def library_scores(documents: list[list[str]], query: list[str], k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    return library_index(documents, k1, b).get_scores(query)


def library_index(documents, k1=1.5, b=0.75):
    index = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
    index.index(documents, show_progress=False)
    return index


def brute_force_scores(documents: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    """The formula as a paper prints it, one document and one word at a time."""
    mean_length = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            frequency = document.count(word)
            holding = sum(word in other for other in documents)
            if frequency:
                idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
                score += idf * frequency / (frequency + k1 * (1 - b + b * len(document) / mean_length))
        scores.append(score)
    return scores


def toy_corpus(seed: int) -> tuple[list[list[str]], list[str], float, float]:
    """Documents (some of them empty), a query that repeats words and holds unknown ones, k1 and b."""
    rng = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(rng.randint(1, 25))]
    documents = [rng.choices(vocabulary, k=rng.choice([0, 1, 3, 40])) for _ in range(rng.randint(1, 30))]
    documents.append([vocabulary[0]])
    query = rng.choices([*vocabulary, "unknown"], k=rng.randint(1, 8))
    return documents, query, rng.uniform(0.1, 3), rng.choice([0.0, 0.4, 0.75, 1.0])


@pytest.fixture(scope="module", params=[words, stems], ids=["words", "stems"])
def encyclopedia(request):
    documents = [request.param(text) for text in datasets.passages()["text"]]
    return request.param, BM25(documents), library_index(documents)


def test_words_are_lower_case_keep_numbers_and_accents_and_drop_signs():
    assert words("São Paulo's 2nd-best tea: 3.5 €!") == ["são", "paulo", "s", "2nd", "best", "tea", "3", "5"]
    assert words(" … ") == []


def test_stems_join_the_forms_of_a_word_and_drop_stop_words():
    assert stems("landing, landed, lands") == ["land"] * 3
    assert stems("It is what it was, and all of it") == []


def test_bm25_equals_the_library_on_the_encyclopedia(encyclopedia):
    split, ours, library = encyclopedia
    for question in QUESTIONS:
        query = split(question)
        if not query:
            assert not ours.scores(query).any()
            continue
        scores = ours.scores(query)
        assert scores.shape == (len(datasets.passages()),) and scores.dtype == np.float64
        assert np.abs(scores - library.get_scores(query)).max() < 1e-12
        assert scores.max() > 0.1  # so the agreement is not one of zeros


@pytest.mark.parametrize("seed", range(40))
def test_bm25_equals_library_and_formula_on_random_corpora(seed):
    documents, query, k1, b = toy_corpus(seed)
    ours = BM25(documents, k1=k1, b=b).scores(query)
    np.testing.assert_allclose(ours, brute_force_scores(documents, query, k1, b), rtol=0, atol=1e-12)
    if set(query) - {"unknown"}:
        np.testing.assert_allclose(ours, library_scores(documents, query, k1, b), rtol=0, atol=1e-12)


def test_bm25_by_hand():
    scores = BM25([["tea", "tea"], ["tea", "cup"], ["mat", "cat"]], k1=1.5, b=0.75).scores(["tea"])
    idf = math.log(1 + 1.5 / 2.5)
    assert scores == pytest.approx([idf * 2 / 3.5, idf * 1 / 2.5, 0], abs=1e-15)


def test_a_word_that_every_document_has_still_counts_a_little():
    assert (BM25([["the", "a"], ["the"], ["the"]]).scores(["the"]) > 0).all()


def test_a_word_asked_twice_counts_twice_and_an_unknown_one_nothing():
    index = BM25([["tea", "cup"], ["cat"]])
    np.testing.assert_array_equal(index.scores(["tea", "tea"]), 2 * index.scores(["tea"]))
    np.testing.assert_array_equal(index.scores(["tea", "dragon"]), index.scores(["tea"]))
    for nothing in (["dragon"], []):
        assert index.scores(nothing).tolist() == [0, 0]


def test_k1_and_b_do_what_the_docstring_says():
    documents = [["tea"] * 5 + ["cup"] * 5, ["tea"], ["cat"]]
    repeated, short, _ = BM25(documents, k1=1e-9).scores(["tea"])
    assert repeated == pytest.approx(short)  # repetition stops counting at once
    repeated, short, _ = BM25([["tea"] + ["cup"] * 9, ["tea"], ["cat"]], b=0).scores(["tea"])
    assert repeated == short  # length costs nothing
    repeated, short, _ = BM25([["tea"] + ["cup"] * 9, ["tea"], ["cat"]], b=1).scores(["tea"])
    assert repeated < short / 2


@pytest.mark.parametrize("documents", [[[]], [[], []], [[], ["tea"]]], ids=["one", "two", "beside a full one"])
def test_an_empty_document_scores_zero(documents):
    scores = BM25(documents).scores(["tea"])
    assert scores.shape == (len(documents),)
    assert scores[0] == 0 and np.isfinite(scores).all()


def test_an_empty_corpus_is_refused():
    with pytest.raises(ValueError, match="at least one document"):
        BM25([])


@pytest.mark.parametrize("documents", [["tea for two"], [["tea"], "for two"]])
def test_documents_given_as_text_are_refused(documents):
    with pytest.raises(ValueError, match=r"lists of words.*words\(text\)"):
        BM25(documents)


def test_a_query_given_as_text_is_refused():
    with pytest.raises(ValueError, match=r"list of words.*words\(text\)"):
        BM25([["t", "e", "a"]]).scores("tea")


def test_bytes_are_those_of_the_index():
    index = BM25([["tea", "cup", "tea"], ["tea"]])
    assert index.weights.nnz == 3
    assert index.nbytes == 3 * 8 + 3 * 4 + (2 + 1) * 4


def test_top_k_is_best_first_and_ties_go_to_the_earlier_place():
    assert top_k(np.array([0.1, 0.9, 0.5, 0.9, 0.5]), 4).tolist() == [1, 3, 2, 4]
    assert top_k(np.zeros(200), 5).tolist() == [0, 1, 2, 3, 4]
    assert top_k([2.0, -np.inf, np.inf]).tolist() == [2, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_top_k_equals_sorted(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, size=rng.integers(1, 60)).astype(rng.choice([np.float32, np.float64, np.int8]))
    expected = sorted(range(len(scores)), key=lambda place: (-int(scores[place]), place))[:7]
    assert top_k(scores, 7).tolist() == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool, np.float16])
def test_top_k_orders_every_kind_of_number(dtype):
    # -np.uint8(1) is 255 and -True is an error: an order by -scores would be wrong.
    assert top_k(np.array([0, 1, 0, 1]).astype(dtype)).tolist() == [1, 3, 0, 2]


def test_top_k_takes_one_row_per_question():
    scores = np.array([[1.0, 2, 3], [3, 3, 1]])
    assert top_k(scores, 2).tolist() == [[2, 1], [0, 1]]
    assert top_k(scores, 2).tolist() == [top_k(row, 2).tolist() for row in scores]


def test_top_k_of_more_than_there_are_gives_all():
    assert top_k(np.array([1.0, 2]), 10).tolist() == [1, 0]
    assert top_k(np.ones((2, 3)), 10).shape == (2, 3)
    assert top_k(np.array([]), 10).tolist() == []


@pytest.mark.parametrize("scores", [[1, np.nan, 2], [[1, 2], [np.nan, 3]]])
def test_top_k_refuses_nan(scores):
    with pytest.raises(ValueError, match="NaN.*zero vector or an empty text"):
        top_k(np.array(scores))


def brute_force_fusion(rankings, weights, k):
    """Exact fractions, so that ties are ties."""
    seen = list(dict.fromkeys(item for ranking in rankings for item in ranking))
    score = {
        item: sum(
            Fraction(weight) / (k + ranking.index(item) + 1)
            for ranking, weight in zip(rankings, weights, strict=True)
            if item in ranking
        )
        for item in seen
    }
    return sorted(seen, key=lambda item: -score[item])


@pytest.mark.parametrize("seed", range(60))
def test_fusion_equals_brute_force_in_exact_fractions(seed):
    rng = random.Random(seed)
    rankings = [rng.sample("abcdefgh", rng.randint(0, 8)) for _ in range(rng.randint(1, 6))]
    weights = [rng.choice([1, 2, 0.5]) for _ in rankings]
    k = rng.choice([1, 10, 60])
    assert reciprocal_rank_fusion(rankings, weights, k) == brute_force_fusion(rankings, weights, k)
    assert reciprocal_rank_fusion(rankings) == brute_force_fusion(rankings, [1] * len(rankings), 60)


def test_equal_votes_in_another_order_are_a_tie():
    # d and a have the same four ranks; a plain sum of their votes differs in the last digit.
    rankings = ["dfghe", "gebfchad", "bah", "fghecbda", "adce"]
    assert sorted(r.index("d") for r in rankings if "d" in r) == sorted(r.index("a") for r in rankings if "a" in r)
    fused = reciprocal_rank_fusion(rankings)
    assert fused.index("d") < fused.index("a")


def test_fusion_of_one_ranking_is_that_ranking_and_of_none_nothing():
    assert reciprocal_rank_fusion([["c", "a", "b"]]) == ["c", "a", "b"]
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == []


def test_fusion_weights_decide_and_a_missing_one_is_refused():
    assert reciprocal_rank_fusion([["a", "b"], ["b", "a"]], weights=[1, 2]) == ["b", "a"]
    assert reciprocal_rank_fusion([["a", "b"], ["b", "a"]], weights=[2, 1]) == ["a", "b"]
    assert reciprocal_rank_fusion([["a"], ["b"]], weights=[0, 1]) == ["b", "a"]
    with pytest.raises(ValueError, match="argument 2"):
        reciprocal_rank_fusion([["a"], ["b"]], weights=[1])


def test_a_large_k_makes_fusion_a_count_of_votes_and_a_small_one_a_race_of_winners():
    rankings = [["w", "a", "b"], ["c", "d", "b"]]
    assert reciprocal_rank_fusion(rankings, k=1000)[0] == "b"
    assert reciprocal_rank_fusion(rankings, k=0)[0] == "w"


def test_max_sim_by_hand():
    query = np.array([[1.0, 0], [0, 1]])
    passage = np.array([[0.6, 0.8], [0.8, 0.6], [-1, 0]])
    assert max_sim(query, passage) == pytest.approx(0.8)
    assert max_sim(query[:1], passage[2:]) == -1
    assert max_sim(query, query) == 1


def test_max_sim_never_falls_when_the_passage_grows_and_is_not_symmetric():
    rng = np.random.default_rng(0)
    query, passage = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 12, 8)))
    grown = [max_sim(query, passage[:n]) for n in range(1, 13)]
    assert grown == sorted(grown) and grown[0] < grown[-1]
    assert max_sim(query[:3], passage) != pytest.approx(max_sim(passage, query[:3]))
    by_loops = np.mean([max(float(token @ other) for other in passage) for token in query])
    assert max_sim(query, passage) == pytest.approx(by_loops)


def test_the_examples_in_the_docstrings_hold():
    results = doctest.testmod(retrieval)
    assert results.attempted >= 3 and results.failed == 0
