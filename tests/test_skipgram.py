"""Claims about helpers.skipgram: against plain NumPy, the formulas of the papers, and itself; and that its race with gensim runs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets, skipgram

ROOT = Path(__file__).resolve().parent.parent
TOY = [
    ["the", "cat", "sat", "on", "the", "mat"],
    ["the", "dog", "sat", "on", "the", "log"],
    ["cat", "and", "dog"],
    ["sun"],
] * 30
SETTINGS = {"dimensions": 12, "window": 3, "negatives": 4, "sample": 0.05, "epochs": 3, "seed": 5}


@pytest.fixture(scope="module")
def toy():
    return skipgram.encode(TOY, min_count=1)


@pytest.fixture(scope="module")
def encyclopedia():
    return skipgram.encode(datasets.sentences())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def loss_of(W, C, pair):
    """The loss of one row (target, context, negatives …), written as in the paper."""
    negatives = [row for row in pair[2:] if row != pair[1]]
    return -np.log(sigmoid(W[pair[0]] @ C[pair[1]])) - sum(np.log(sigmoid(-W[pair[0]] @ C[row])) for row in negatives)


def plain_step(W, C, pair, rate):
    """One pair by NumPy, in place."""
    rows = np.array([pair[1], *(row for row in pair[2:] if row != pair[1])])
    errors = sigmoid(C[rows] @ W[pair[0]]) - (np.arange(len(rows)) == 0)
    step, changes = errors @ C[rows], np.outer(errors, W[pair[0]])
    W[pair[0]] -= rate * step
    np.add.at(C, rows, -rate * changes)


def test_words_become_numbers_and_back():
    corpus = skipgram.encode([["b", "a", "b"], ["rare", "b", "a"], [], ["c", "c"]], min_count=2)
    assert list(corpus.vocabulary) == ["b", "a", "c"] and corpus.counts.tolist() == [
        3,
        2,
        2,
    ]  # frequent first, then by alphabet
    assert [part.tolist() for part in np.split(corpus.tokens, corpus.starts[1:-1])] == [[0, 1, 0], [0, 1], [2, 2]]


def test_a_sentence_without_end_is_cut():
    corpus = skipgram.encode([["a", "b"] * 1_250], min_count=1)
    assert np.diff(corpus.starts).tolist() == [1000, 1000, 500]


def test_one_thread_repeats_bit_by_bit_and_another_seed_does_not(toy):
    first, again, other = (skipgram.train(toy, **SETTINGS | {"seed": seed}) for seed in (5, 5, 6))
    assert (
        (first.vectors == again.vectors).all()
        and (first.outputs == again.outputs).all()
        and first.losses == again.losses
    )
    assert not np.allclose(first.vectors, other.vectors)


def test_the_compiled_training_is_plain_numpy_on_the_same_pairs(toy):
    model = skipgram.train(toy, **SETTINGS)
    bound = 1 / SETTINGS["dimensions"]
    W = np.random.default_rng(5).uniform(-bound, bound, model.vectors.shape)
    C, losses = np.zeros_like(W), []
    for epoch in range(3):
        pairs, of_sentence = skipgram.draw(toy, window=3, negatives=4, sample=0.05, seed=5, epoch=epoch)
        done = (epoch + toy.starts[of_sentence] / len(toy.tokens)) / 3
        losses.append(np.mean([(loss_of(W, C, pair), plain_step(W, C, pair, 0.025 - 0.0249 * part))[0]
                               for pair, part in zip(pairs, done, strict=True)]))  # fmt: skip
    assert model.vectors == pytest.approx(W, abs=1e-5) and model.outputs == pytest.approx(
        C, abs=1e-5
    )  # 32 against 64 bits
    assert model.losses == pytest.approx(losses, abs=1e-5)


@pytest.mark.parametrize("pair", [[0, 1, 2, 3, 4], [0, 1, 2, 2, 2], [0, 1, 1, 3, 1], [2, 2, 2, 0, 0], [3, 0, 3, 3, 1]])
def test_a_step_follows_the_measured_gradient(pair):
    generator, rate, h = np.random.default_rng(0), 1e-3, 1e-5
    start = generator.normal(size=(2, 5, 7))
    moved = start.copy()
    total = skipgram.train_on_pairs(moved[0], moved[1], np.array([pair], np.int32), rate)
    measured = np.zeros_like(start)
    for place in np.ndindex(start.shape):
        shift = np.zeros_like(start)
        shift[place] = h
        measured[place] = (loss_of(*(start + shift), pair) - loss_of(*(start - shift), pair)) / (2 * h)
    gradient = (start - moved) / rate
    assert np.linalg.norm(gradient - measured) / np.linalg.norm(measured) < 1e-6
    assert total == pytest.approx(loss_of(*start, pair))


def test_at_most_k_plus_two_rows_move():
    W, C = np.ones((9, 3)), np.ones((9, 3))
    skipgram.train_on_pairs(W, C, np.array([[0, 1, 2, 3, 4, 5]], np.int32), 0.1)
    assert np.flatnonzero((W != 1).any(axis=1)).tolist() == [0]
    assert np.flatnonzero((C != 1).any(axis=1)).tolist() == [1, 2, 3, 4, 5]


def test_negatives_come_as_often_as_count_to_the_power_of_three_quarters(encyclopedia):
    negatives = skipgram.draw(encyclopedia)[0][:, 2:]
    drawn = np.bincount(negatives.ravel(), minlength=len(encyclopedia.counts))
    expected = encyclopedia.counts**0.75 / (encyclopedia.counts**0.75).sum() * negatives.size
    assert np.corrcoef(drawn, expected)[0, 1] > 0.9999
    often = expected > 3_000
    assert often.sum() > 100 and np.abs(drawn / expected - 1)[often].max() < 0.07
    rarest = encyclopedia.counts == 5  # the table's steps are coarse for a rare word, but not on average
    assert drawn[rarest].sum() / expected[rarest].sum() == pytest.approx(1, abs=0.02)


def test_frequent_words_are_subsampled_as_the_formula_says(encyclopedia):
    share = encyclopedia.counts / encyclopedia.counts.sum()
    keep = skipgram.keep_probabilities(encyclopedia.counts, 1e-4)
    assert keep == pytest.approx(np.minimum(1, np.sqrt(1e-4 / share) + 1e-4 / share))
    assert (skipgram.keep_probabilities(encyclopedia.counts, 0) == 1).all()
    pairs, of_sentence = skipgram.draw(encyclopedia, window=1, negatives=0)
    # With a window of 1 each word kept has its neighbours as pairs: a sentence of n words kept gives 2 (n - 1) of them.
    per_sentence = np.bincount(of_sentence, minlength=len(encyclopedia.starts) - 1)
    n_kept = (per_sentence[per_sentence > 0] / 2 + 1).sum()
    expected = (keep * encyclopedia.counts).sum()
    assert n_kept / expected == pytest.approx(1, abs=0.02)  # a sentence that keeps a single word is not seen here
    the = (pairs[:, 0] == 0).sum() / len(pairs)
    assert the == pytest.approx((keep * encyclopedia.counts)[0] / expected, rel=0.1)  # it often stands at the beginning


def test_the_window_is_drawn_from_one_to_c():
    corpus = skipgram.encode([[f"w{i}" for i in range(900)]] * 20, min_count=1)
    place = {row: int(word[1:]) for word, row in corpus.vocabulary.items()}
    pairs, _ = skipgram.draw(corpus, window=4, sample=0, negatives=0)
    distances = np.bincount([abs(place[target] - place[context]) for target, context in pairs])
    assert len(distances) == 5 and distances[0] == 0
    assert distances[1:] / distances[1] == pytest.approx([1, 0.75, 0.5, 0.25], abs=0.02)


def test_pairs_do_not_cross_sentences_and_new_epochs_draw_anew(toy):
    first, of_sentence = skipgram.draw(toy, window=10, sample=0)
    for pair, sentence in list(zip(first, of_sentence, strict=True))[:200]:
        inside = toy.tokens[toy.starts[sentence] : toy.starts[sentence + 1]]
        assert pair[0] in inside and pair[1] in inside
    second = skipgram.draw(toy, window=10, sample=0, epoch=1)[0]
    assert first.shape != second.shape or (first != second).any()


def test_many_threads_learn_the_same_things(encyclopedia):
    part = encyclopedia._replace(starts=encyclopedia.starts[:4001])
    one, two = (skipgram.train(part, epochs=2, threads=threads) for threads in (1, 2))
    half = skipgram.train(part._replace(starts=part.starts[:2001]), epochs=2)  # what a lost thread would look like
    apart = abs(
        np.subtract(two.losses, one.losses)
    )  # threads meet in another order each time, so this differs between runs
    assert (apart < 0.2).all() and (np.subtract(half.losses, one.losses) > 0.3).all()


def test_the_matrices_can_be_watched(toy):
    seen = []
    model = skipgram.train(toy, **SETTINGS, after_epoch=lambda model: seen.append(model.vectors.copy()))
    assert len(seen) == 3 == len(model.losses) and (seen[-1] == model.vectors).all() and (seen[0] != seen[1]).any()
    assert (
        model.vocabulary is toy.vocabulary
        and model.vectors.shape == (len(toy.counts), 12)
        and model.vectors.dtype == np.float32
    )


def test_words_of_one_company_come_together():
    generator, groups = np.random.default_rng(0), (["red", "green", "blue", "pink"], ["one", "two", "three", "four"])
    text = [list(generator.choice(groups[i % 2], 6)) for i in range(600)]
    model = skipgram.train(skipgram.encode(text, 1), dimensions=8, sample=0, epochs=20)
    unit = model.vectors / np.linalg.norm(model.vectors, axis=1, keepdims=True)
    rows = [[model.vocabulary[word] for word in group] for group in groups]
    inside = min((unit[group] @ unit[group].T).min() for group in rows)
    assert inside > (unit[rows[0]] @ unit[rows[1]].T).max()


@pytest.mark.parametrize(
    ("sentences", "min_count", "error", "message"),
    [
        ("the cat sat", 1, TypeError, "not a string"),
        (["the cat sat", "the dog"], 1, TypeError, "list of words"),
        ([["the", "cat"], "a dog"], 1, TypeError, "not a string"),
        ([], 1, ValueError, "corpus is empty"),
        ([[], []], 1, ValueError, "corpus is empty"),
        (iter([]), 1, ValueError, "only once"),
        (TOY, 1000, ValueError, "min_count=1000 leaves 0 of 9 words"),
        (TOY, 100, ValueError, "min_count=100 leaves 1 of 9 words"),
    ],
)
def test_bad_text_gets_a_sentence(sentences, min_count, error, message):
    with pytest.raises(error, match=message):
        skipgram.encode(sentences, min_count)


@pytest.mark.parametrize(
    "wrong",
    [{"dimensions": 0}, {"window": 0}, {"epochs": 0}, {"threads": 0}, {"negatives": -1}, {"sample": -1}, {"rate": 0},
     {"rate": float("nan")}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(toy, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        skipgram.train(toy, **SETTINGS | wrong)


def test_sentences_of_one_word_have_nothing_to_teach():
    with pytest.raises(ValueError, match="no pair to learn from"):
        skipgram.train(skipgram.encode([["a"], ["b"]], 1))


@pytest.mark.parametrize("rate", [0.5, 5.0, 1e6])
def test_a_training_that_explodes_says_so(encyclopedia, rate):
    with pytest.raises(FloatingPointError, match="explodes.*rate="):
        skipgram.train(encyclopedia, epochs=2, rate=rate)


def test_the_race_prints_one_object():
    options = "--json --epochs 1 --rounds 2 --workers 1 --sentences 6000".split()
    command = [sys.executable, "benchmarks/word2vec.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["ratio"] > 0 and -1 <= found["rho_ours"] <= 1 and -1 <= found["rho_gensim"] <= 1
    assert found["gensim_workers"] == 1 and found["seeds"] == 2 and len(found["rho_each"]["ours"]) == 2
