"""The word vectors of helpers.words and their comparison with people: claims against brute force, scipy and gensim."""

import numpy as np
import pandas as pd
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath
from scipy import sparse
from scipy.stats import spearmanr

from helpers import datasets, word2vec, words

TOY = [["the", "cat", "sat", "on", "the", "mat"], ["rare", "the", "cat", "sat"], ["cat"], ["sat", "sat"]]


@pytest.fixture
def toy_corpus(monkeypatch):
    monkeypatch.setattr(datasets, "sentences", lambda: TOY)
    words.cooccurrence.cache_clear()
    yield TOY
    words.cooccurrence.cache_clear()


@pytest.fixture(scope="module")
def model():
    vocabulary, _, vectors = words.ppmi_svd()
    return vocabulary, vectors


@pytest.fixture(scope="module")
def evaluation(model):
    return words.evaluate_words(*model)


@pytest.mark.parametrize("window", [1, 2, 10])
def test_cooccurrence_equals_a_count_by_brute_force(toy_corpus, window):
    vocabulary, counts, matrix = words.cooccurrence(window, min_count=2)
    assert list(vocabulary) == ["sat", "cat", "the"] and counts.tolist() == [
        4,
        3,
        3,
    ]  # frequent first, then by alphabet
    expected = np.zeros((3, 3))
    for sentence in toy_corpus:
        for i, word in enumerate(sentence):
            for j, other in enumerate(sentence):
                if i != j and abs(i - j) <= window and word in vocabulary and other in vocabulary:
                    expected[vocabulary[word], vocabulary[other]] += 1
    assert (matrix.toarray() == expected).all() and (expected == expected.T).all()


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one word"):
        words.cooccurrence(0)


def test_ppmi_by_hand():
    counts = sparse.csr_matrix([[0.0, 6.0, 2.0], [6.0, 0.0, 2.0], [2.0, 2.0, 0.0]])  # 20 pairs in all, rows 8, 8, 4
    found = words.ppmi(counts).toarray()
    assert found[0, 1] == pytest.approx(np.log(6 * 20 / (8 * 8)))
    assert found[0, 2] == pytest.approx(np.log(2 * 20 / (8 * 4)))
    assert found[0, 0] == 0 and (found == found.T).all()


def test_less_than_chance_becomes_zero_and_is_not_stored():
    found = words.ppmi(sparse.csr_matrix([[9.0, 1.0], [1.0, 0.0]]))  # expected by chance at 0, 0: 10 * 10 / 11
    assert found[0, 0] == 0 and found.nnz == 2


def test_vectors_of_the_encyclopedia_have_a_direction_and_a_place(model):
    vocabulary, vectors = model
    assert vectors.shape == (len(vocabulary), words.DIMENSIONS) and np.isfinite(vectors).all()
    assert (np.linalg.norm(vectors, axis=1) > 0).all()


def test_ppmi_svd_agrees_with_people_at_least_at_the_course_s_target(evaluation):
    assert evaluation.rho >= 0.45 and evaluation.low > 0.3 and (evaluation.n, evaluation.total) == (224, 353)
    assert evaluation.low < evaluation.rho < evaluation.high


@pytest.mark.parametrize("data", ["wordsim", "simlex"])
def test_rho_equals_scipy_and_gensim(model, data):
    vocabulary, vectors = model
    found = words.evaluate_words(vocabulary, vectors, data)
    scored = found.pairs.dropna()
    assert found.rho == pytest.approx(spearmanr(scored["cosine"], scored["human"]).statistic)
    peer = KeyedVectors(vectors.shape[1])
    peer.add_vectors(list(vocabulary), vectors)
    _, spearman, missing = peer.evaluate_word_pairs(datapath(words.JUDGEMENTS[data]))
    assert found.rho == pytest.approx(spearman.statistic, abs=1e-3)  # gensim rounds to float32
    assert found.n / found.total == pytest.approx(1 - missing / 100)


def test_sparse_and_dense_vectors_give_the_same(model):
    vocabulary, vectors = model
    assert words.evaluate_words(vocabulary, sparse.csr_matrix(vectors)).rho == pytest.approx(
        words.evaluate_words(vocabulary, vectors).rho
    )


def test_length_and_scale_do_not_count(model, evaluation):
    vocabulary, vectors = model
    lengths = np.random.default_rng(0).uniform(0.1, 10, (len(vectors), 1))
    assert words.evaluate_words(vocabulary, vectors * lengths).rho == pytest.approx(evaluation.rho, abs=1e-6)


def test_missing_pairs_are_skipped_and_counted(model, evaluation):
    vocabulary, vectors = model
    known = [word for word in vocabulary if word != "money"]
    fewer = words.evaluate_words(
        dict(zip(known, range(len(known)), strict=True)), vectors[[vocabulary[w] for w in known]]
    )
    with_money = (evaluation.pairs[["first", "second"]] == "money").any(axis=1) & evaluation.pairs["cosine"].notna()
    assert with_money.sum() > 0 and fewer.n == evaluation.n - with_money.sum() and fewer.total == 353
    assert fewer.pairs["cosine"].isna().sum() == 353 - fewer.n

    common = words.evaluate_words(vocabulary, vectors, common=[set(known)])
    assert common.n == fewer.n and common.rho == pytest.approx(fewer.rho)


def test_the_mean_over_seeds_is_a_mean_and_surer_than_one_seed(model, evaluation):
    assert words.mean_rho([evaluation]) == pytest.approx((evaluation.rho, evaluation.low, evaluation.high))
    vocabulary, vectors = model
    noisy = [
        words.evaluate_words(vocabulary, vectors + np.random.default_rng(seed).normal(0, vectors.std(), vectors.shape))
        for seed in range(3)
    ]
    value, low, high = words.mean_rho(noisy)
    assert value == pytest.approx(np.mean([each.rho for each in noisy]))
    assert low < value < high and high - low < np.mean([each.high - each.low for each in noisy])
    with pytest.raises(ValueError, match="same judgements"):
        words.mean_rho([evaluation, words.evaluate_words(*model, data="simlex")])
    with pytest.raises(ValueError, match="at least one"):
        words.mean_rho([])


SMALL = word2vec.SKIP_GRAM | {"min_count": 1, "vector_size": 8, "epochs": 2, "sample": 0}


def test_a_training_repeats_and_another_seed_is_another_training():
    first, again, other = (word2vec.train(SMALL, seed, TOY) for seed in (1, 1, 2))
    assert (first.wv.vectors == again.wv.vectors).all() and (first.wv.vectors != other.wv.vectors).any()
    vocabulary, vectors = word2vec.vocabulary_and_vectors(first)
    assert list(vocabulary.values()) == list(range(len(vectors))) and vectors.shape == (6, 8)


def test_settings_with_a_bucket_give_fasttext_which_knows_new_words():
    model = word2vec.train(SMALL | {"bucket": 100}, sentences=TOY)
    assert "cats" not in model.wv.key_to_index and np.isfinite(model.wv["cats"]).all()


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ("the cat sat", "every letter would become a word"),
        (["the cat sat", "on the mat"], "every letter would become a word"),
        ([], "no sentence with a word"),
        ([[], []], "no sentence with a word"),
        ([["rare"], ["words"]], "No word occurs 2 times"),
    ],
)
def test_a_corpus_that_teaches_nothing_gets_a_sentence(sentences, message):
    with pytest.raises(ValueError, match=message):
        word2vec.train(SMALL | {"min_count": 2}, sentences=sentences)


def test_judgements_are_complete():
    assert len(words.human_judgements()) == 353 and len(words.human_judgements("simlex")) == 999
    for data in words.JUDGEMENTS:
        frame = words.human_judgements(data)
        assert frame.notna().all(axis=None) and frame["human"].between(0, 10).all()
    wordsim = words.human_judgements()
    assert wordsim[["first", "second"]].duplicated().sum() == 1  # money and cash, as its authors published it


def test_a_difference_with_itself_is_nothing_and_a_real_one_is_found(model, evaluation):
    vocabulary, vectors = model
    assert words.difference(evaluation, evaluation) == (0, 0, 0)
    noise = np.random.default_rng(0).normal(size=vectors.shape)
    value, low, high = words.difference(evaluation, words.evaluate_words(vocabulary, noise))
    assert value > 0.3 and 0 < low < value < high


def test_the_interval_is_that_of_a_plain_bootstrap(evaluation):
    scored, generator = evaluation.pairs.dropna(), np.random.default_rng(1)
    draws = []
    for _ in range(1000):
        sample = scored.iloc[generator.integers(0, len(scored), len(scored))]
        draws.append(spearmanr(sample["cosine"], sample["human"]).statistic)
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx([evaluation.low, evaluation.high], abs=0.015)


def test_every_system_has_its_row_and_the_best_comes_first():
    table = words.word_leaderboard()
    assert set(words.SYSTEMS) == set(table.index) and table["wordsim_rho"].is_monotonic_decreasing


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if s.lesson > 3 else ()) for n, s in words.SYSTEMS.items()]
)
def test_the_committed_row_is_what_the_code_gives(name):
    table = words.word_leaderboard()
    vocabulary, vectors = words.SYSTEMS[name].build()
    assert (table.loc[name, "words"], table.loc[name, "dimensions"]) == vectors.shape
    for data in words.JUDGEMENTS:
        words.assert_word_row_agrees(name, words.evaluate_words(vocabulary, vectors, data))


def test_a_row_that_differs_is_refused(model, evaluation):
    words.assert_word_row_agrees("PPMI-SVD", evaluation)
    with pytest.raises(AssertionError, match="on the leaderboard"):
        words.assert_word_row_agrees("PPMI", evaluation)
    with pytest.raises(AssertionError, match="no row 'GloVe'"):
        words.assert_word_row_agrees("GloVe", evaluation)
    fewer = words.evaluate_words(*model, common=[set(model[0]) - {"money"}])
    with pytest.raises(AssertionError, match="pairs of wordsim"):
        words.assert_word_row_agrees("PPMI-SVD", fewer)


def test_a_missing_leaderboard_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(words, "LEADERBOARD", tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match="python -m helpers.words"):
        words.word_leaderboard()


def broken(vectors, row, value):
    vectors = vectors.copy()
    vectors[row] = value
    return vectors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, x: (v, broken(x, v["money"], 0)), "'money' has length zero"),
        (lambda v, x: (v, sparse.csr_matrix(broken(x, v["money"], 0))), "'money' has length zero"),
        (lambda v, x: (v, broken(x, v["money"], np.nan)), "'money' has NaN"),
        (lambda v, x: (v, broken(x, v["money"], np.inf)), "'money' has NaN or infinity"),
        (lambda v, x: (v, x[:-1]), "do not fit a vocabulary"),
        (lambda v, x: (v, x[0]), "do not fit a vocabulary"),
        (lambda v, x: ({word: place + 1 for word, place in v.items()}, x), "do not fit a vocabulary"),
        (lambda v, x: (v, np.ones_like(x)), "All cosines are equal"),
        (lambda v, x: ({word.upper(): place for word, place in v.items()}, x), "lower case"),
        (lambda v, x: ({}, x[:0]), "Only 0 of 353 pairs"),
    ],
)
def test_bad_vectors_get_a_sentence(model, change, message):
    with pytest.raises(ValueError, match=message):
        words.evaluate_words(*change(*model))


def test_other_bad_input_gets_a_sentence(model, evaluation):
    with pytest.raises(ValueError, match="choose one of wordsim, simlex"):
        words.evaluate_words(*model, data="wordsim353")
    with pytest.raises(ValueError, match="cannot be compared"):
        words.difference(evaluation, words.evaluate_words(*model, data="simlex"))
    nothing = evaluation.pairs.assign(cosine=np.nan)
    empty = words.WordEvaluation("wordsim", 0, 0, 0, 0, 353, pd.DataFrame(nothing))
    with pytest.raises(ValueError, match="Only 0 pairs"):
        words.difference(evaluation, empty)
