"""Skip-gram with negative sampling, small enough to read: what lesson 8 builds, compiled, on one core or on all.

    corpus = encode([["a", "cat", "sat"], ["a", "dog", "sat"]], min_count=1)
    model = train(corpus, epochs=20, seed=1)                    # one thread: repeats bit by bit
    model.vocabulary["cat"], model.vectors[0], model.losses     # {word: row}, W (V, d), mean loss per pair and epoch

T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean: Distributed Representations of Words and Phrases, NeurIPS 2013.
"""

import math
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

LONGEST, LOWEST_RATE, NOISE_BITS, GOLDEN = 1_000, 1e-4, 18, np.uint64(0x9E3779B97F4A7C15)
# Words as numbers. counts (V,): most frequent first; tokens (n,): rows; sentence s is tokens[starts[s] : starts[s + 1]].
Corpus = namedtuple("Corpus", "vocabulary counts tokens starts")
# vectors W (V, d): the input rows, which are kept; outputs C (V, d): the other matrix; losses: mean per pair, one an epoch.
Model = namedtuple("Model", "vocabulary vectors outputs losses")


def encode(sentences, min_count: int = 5) -> Corpus:
    """Sentences (lists of words) as a Corpus; words rarer than min_count go, their neighbours close up. Raises TypeError for strings,
    ValueError where fewer than two words are left. A sentence of over 1,000 words is cut, as in word2vec.c."""
    sentences = list(sentences)
    if any(isinstance(sentence, str) for sentence in sentences):
        raise TypeError(
            "A sentence is a list of words, not a string: split it into words first, or every letter becomes a word."
        )
    counts = Counter(word for sentence in sentences for word in sentence)
    if not counts:
        raise ValueError(
            "The corpus is empty: there is no word in it. (An iterator can be read only once: pass a list.)"
        )
    kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    if len(kept) < 2:
        raise ValueError(f"min_count={min_count} leaves {len(kept)} of {len(counts)} words, and two are the least; the most frequent "
                         f"one occurs {max(counts.values())} times. Lower min_count, or take more text.")  # fmt: skip
    vocabulary, tokens, starts = {word: row for row, word in enumerate(kept)}, [], [0]
    for sentence in sentences:
        rows = [vocabulary[word] for word in sentence if word in vocabulary]
        for begin in range(0, len(rows), LONGEST):
            tokens += rows[begin : begin + LONGEST]
            starts.append(len(tokens))
    return Corpus(vocabulary, np.array([counts[word] for word in kept]), np.array(tokens, np.int32), np.array(starts))


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """Subsampling: the probability (V,) that an occurrence stays, √(t / f) + t / f as in word2vec.c; sample 0: all stay."""
    share = counts / counts.sum()
    return np.minimum(np.sqrt(sample / share) + sample / share, 1.0) if sample else np.ones(len(counts))


def noise_table(counts: np.ndarray) -> np.ndarray:
    """2^18 rows of words, each as often as count ** 0.75 asks: a random place in it is a negative (word2vec.c has one of 10^8)."""
    shares = np.cumsum(counts**0.75) / (counts**0.75).sum()
    rows = np.searchsorted(shares, (np.arange(2**NOISE_BITS) + 0.5) / 2**NOISE_BITS)
    return rows.astype(np.min_scalar_type(len(counts)))  # small, so that it fits into the CPU's cache


@numba.njit(cache=True, nogil=True)
def _random(state):
    """64 random bits for each value of a counter that grows by GOLDEN: SplitMix64 (Steele, Lea & Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _draw(sentence, keep, window, noise, state, kept, pairs):
    """Write a sentence's pairs as rows (target, context, negatives …); returns how many. kept and pairs are scratch space."""
    n_kept, n, state = 0, 0, _random(state)
    for token in sentence:
        state += GOLDEN
        if (_random(state) >> np.uint64(11)) * 2.0**-53 < keep[token]:
            kept[n_kept] = token
            n_kept += 1
    for i in range(n_kept):
        state += GOLDEN
        reach = 1 + int(_random(state) >> np.uint64(33)) % window  # the window is drawn anew at each place
        for j in range(max(0, i - reach), min(n_kept, i + reach + 1)):
            if j != i:
                pairs[n, 0], pairs[n, 1] = kept[i], kept[j]
                for m in range(2, pairs.shape[1]):
                    state += GOLDEN
                    pairs[n, m] = noise[_random(state) >> np.uint64(64 - NOISE_BITS)]
                n += 1
    return n


# Sums may be reordered, so that the compiler can use the CPU's wide registers.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def train_on_pairs(W, C, pairs, rate):
    """One step of gradient descent for each row (target, context, negatives …), in order and in place; returns the sum of losses.
    W, C: (V, d). A row's scores come before its updates. A negative that equals the context is skipped."""
    scores, step, total = np.empty(pairs.shape[1], W.dtype), np.empty(W.shape[1], W.dtype), 0.0
    for p in range(len(pairs)):
        w, likelihood = W[pairs[p, 0]], 1.0
        for j in range(1, len(scores)):
            c, score = C[pairs[p, j]], W.dtype.type(0)
            for i in range(len(w)):
                score += w[i] * c[i]
            scores[j] = score
        for j in range(1, len(scores)):
            real = 1.0 / (1.0 + math.exp(-scores[j]))  # the probability that the pair is real
            is_context = pairs[p, j] == pairs[p, 1]
            scores[j] = rate * (1.0 - real) if j == 1 else 0.0 if is_context else -rate * real
            likelihood *= real if j == 1 else 1.0 if is_context else 1.0 - real
            for before in range(2, j):  # a negative drawn twice is one row with two errors
                if pairs[p, before] == pairs[p, j]:
                    scores[before], scores[j] = scores[before] + scores[j], 0.0
        total -= math.log(max(likelihood, 1e-300))
        step[:] = 0.0
        for j in range(1, len(scores)):
            c, g = C[pairs[p, j]], scores[j]
            for i in range(len(w)):
                step[i] += g * c[i]
                c[i] += g * w[i]
        w += step
    return total


@numba.njit(cache=True, nogil=True)
def _train_share(W, C, tokens, starts, keep, window, noise, columns, states, rates, share, shares):
    """Every shares-th sentence from number `share` on; returns the sum of losses and the number of pairs."""
    longest, total, n_pairs = np.diff(starts).max(), 0.0, 0
    kept, pairs = np.empty(longest, np.int32), np.empty((2 * window * longest, columns), np.int32)
    for s in range(share, len(starts) - 1, shares):
        n = _draw(tokens[starts[s] : starts[s + 1]], keep, window, noise, states[s], kept, pairs)
        total += train_on_pairs(W, C, pairs[:n], rates[0] + (rates[1] - rates[0]) * starts[s] / len(tokens))
        n_pairs += n
    return total, n_pairs


def _states(seed, epoch, n):
    return np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64) + np.arange(n, dtype=np.uint64)


def draw(corpus: Corpus, *, window=10, negatives=5, sample=1e-4, seed=1, epoch=0) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that train() sees in one epoch: rows (target, context, negatives …) (n, 2 + negatives), and their sentences (n,)."""
    keep, noise, longest = (
        keep_probabilities(corpus.counts, sample),
        noise_table(corpus.counts),
        np.diff(corpus.starts).max(),
    )
    kept, pairs = np.empty(longest, np.int32), np.empty((2 * window * longest, 2 + negatives), np.int32)
    sentences = np.split(corpus.tokens, corpus.starts[1:-1])
    found = [pairs[: _draw(sentence, keep, window, noise, state, kept, pairs)].copy()
             for sentence, state in zip(sentences, _states(seed, epoch, len(sentences)), strict=True)]  # fmt: skip
    return np.concatenate(found), np.repeat(np.arange(len(found)), [len(rows) for rows in found])


def train(corpus: Corpus, *, dimensions=100, window=10, negatives=5, sample=1e-4, epochs=20, rate=0.025, seed=1,
          threads: int | None = 1, after_epoch=lambda model: None) -> Model:  # fmt: skip
    """Skip-gram vectors of a corpus; the rate falls linearly to 0.0001, and after_epoch(model) sees the matrices as they grow.
    threads=1 repeats bit by bit on one machine; more (None: all cores) write into the same matrices without waiting for each other
    and never repeat (Hogwild: Niu, Recht, Ré & Wright 2011). Raises ValueError, FloatingPointError when the training explodes."""
    threads = numba.get_num_threads() if threads is None else threads
    if min(dimensions, window, epochs, threads) < 1 or min(negatives, sample) < 0 or not rate > 0:
        raise ValueError(
            f"{dimensions=}, {window=}, {epochs=}, {threads=} begin at 1, {negatives=}, {sample=} at 0; {rate=} > 0."
        )
    keep, noise = keep_probabilities(corpus.counts, sample), noise_table(corpus.counts)
    W = (
        np.random.default_rng(seed)
        .uniform(-1 / dimensions, 1 / dimensions, (len(corpus.counts), dimensions))
        .astype(np.float32)
    )
    model = Model(corpus.vocabulary, W, np.zeros_like(W), [])
    with ThreadPoolExecutor(threads) as pool:  # the compiled code lets go of Python's lock
        for epoch in range(epochs):
            rates = tuple(rate - (rate - min(LOWEST_RATE, rate)) * (epoch + part) / epochs for part in (0, 1))
            given = (
                W,
                model.outputs,
                *corpus[2:],
                keep,
                window,
                noise,
                2 + negatives,
                _states(seed, epoch, len(corpus.starts)),
                rates,
            )
            shares = [pool.submit(_train_share, *given, share, threads) for share in range(threads)]
            total, n_pairs = np.sum([share.result() for share in shares], axis=0)
            if not n_pairs:
                raise ValueError("There is no pair to learn from: no sentence is left with two words.")
            model.losses.append(float(total / n_pairs))
            if not (np.isfinite(W).all() and model.losses[-1] < 2 * (1 + negatives) * math.log(2)):
                raise FloatingPointError(
                    f"The training explodes: loss {model.losses[-1]:.3g} in epoch {epoch + 1}; lower {rate=}."
                )
            after_epoch(model)
    return model
