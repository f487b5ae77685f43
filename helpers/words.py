"""Word vectors compared with human judgement, and their leaderboard; makers: helpers.word_counts and helpers.word2vec.

python -m helpers.words      recomputes data/word_leaderboard.csv
"""

import functools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from gensim.test.utils import datapath
from scipy import sparse
from scipy.sparse.linalg import norm
from scipy.stats import rankdata

from helpers import datasets, word2vec
from helpers.word_counts import DIMENSIONS, MIN_COUNT, WINDOW, cooccurrence, ppmi, ppmi_svd

__all__ = ["DIMENSIONS", "MIN_COUNT", "WINDOW", "assert_word_row_agrees", "cooccurrence", "difference", "evaluate_words",
           "human_judgements", "mean_rho", "ppmi", "ppmi_svd", "word_leaderboard"]  # fmt: skip

JUDGEMENTS = {"wordsim": "wordsim353.tsv", "simlex": "simlex999.txt"}  # they come inside gensim's wheel
RESAMPLES, FEWEST_PAIRS = 5_000, 10
LEADERBOARD = datasets.DATA / "word_leaderboard.csv"


@functools.cache
def human_judgements(data: str = "wordsim") -> pd.DataFrame:
    """Pairs of words with people's scores from 0 to 10: columns ``first``, ``second`` (lower case) and ``human``.

    "wordsim": WordSim-353, relatedness (Finkelstein et al. 2002; one of its pairs stands there twice). "simlex": SimLex-999,
    similarity (Hill, Reichart & Korhonen 2015). Raises ValueError for another name.
    """
    if data not in JUDGEMENTS:
        raise ValueError(f"There is no data set of human judgements {data!r}: choose one of {', '.join(JUDGEMENTS)}.")
    frame = pd.read_csv(datapath(JUDGEMENTS[data]), sep="\t", comment="#", names=["first", "second", "human"])
    return frame.assign(first=frame["first"].str.lower(), second=frame["second"].str.lower())


@dataclass(frozen=True)
class WordEvaluation:
    """How well vectors agree with people: Spearman's ``rho`` with its 95 % interval ``low`` to ``high``, on ``n`` of ``total`` pairs.

    ``pairs``: the judgements with a column ``cosine``, which is NaN where a pair was skipped.
    """

    data: str
    rho: float
    low: float
    high: float
    n: int
    total: int
    pairs: pd.DataFrame

    def __str__(self) -> str:
        return f"{self.data}: ρ = {self.rho:.2f} [{self.low:.2f}, {self.high:.2f}] on {self.n} of {self.total} pairs"


def evaluate_words(vocabulary: Mapping[str, int], vectors, data="wordsim", common: Collection = ()) -> WordEvaluation:
    """Compare the cosines of word vectors with human judgements: Spearman's ρ with a bootstrap over pairs (Efron 1979).

    vocabulary: {word: row}; vectors: (V, d), an array or a sparse matrix (of gensim: ``kv.key_to_index, kv.vectors``).
    common: other vocabularies; only pairs that they know too are scored, so that models are compared on the same pairs.
    A pair with an unknown word is skipped, and n says so. Raises ValueError where vectors do not fit the vocabulary, have
    NaN or length zero, where fewer than ten pairs are left, or all cosines are equal.
    """
    vectors = vectors.tocsr() if sparse.issparse(vectors) else np.asarray(vectors)
    if vectors.ndim != 2 or sorted(vocabulary.values()) != list(range(vectors.shape[0])):
        raise ValueError(
            f"Vectors of shape {vectors.shape} do not fit a vocabulary of {len(vocabulary)} words: the vocabulary gives each "
            "word the number of its row, and every row has one word."
        )
    pairs = human_judgements(data)
    words = set(vocabulary).intersection(*common)
    known = pairs["first"].isin(words) & pairs["second"].isin(words)
    if known.sum() < FEWEST_PAIRS:
        raise ValueError(
            f"Only {known.sum()} of {len(pairs)} pairs of {data} have both words in every vocabulary, and ρ needs at least "
            f"{FEWEST_PAIRS}. Are the words in lower case?"
        )
    first, second = (_unit_rows(vocabulary, vectors, pairs.loc[known, side]) for side in ("first", "second"))
    pairs = pairs.assign(cosine=np.nan)
    pairs.loc[known, "cosine"] = np.asarray(first.multiply(second).sum(axis=1)).ravel()
    scored = pairs.loc[known, ["cosine", "human"]].to_numpy().T
    if np.ptp(scored[0]) < 1e-9:
        raise ValueError("All cosines are equal, so there is no order to compare: have these vectors been trained?")
    low, high = np.quantile(_spearman(*_resampled(scored)), [0.025, 0.975])
    return WordEvaluation(data, float(_spearman(*scored)), float(low), float(high), int(known.sum()), len(pairs), pairs)


def difference(first: WordEvaluation, second: WordEvaluation) -> tuple[float, float, float]:
    """ρ of the first minus ρ of the second on the pairs that both know, with the ends of its paired 95 % interval."""
    if first.data != second.data:
        raise ValueError(f"{first.data} and {second.data} are different judgements: their ρ cannot be compared.")
    scores = np.stack([first.pairs["cosine"], second.pairs["cosine"], first.pairs["human"]])
    scores = scores[:, ~np.isnan(scores).any(axis=0)]
    if scores.shape[1] < FEWEST_PAIRS:
        raise ValueError(f"Only {scores.shape[1]} pairs are known to both: {FEWEST_PAIRS} are the least.")
    drawn = _resampled(scores)  # the same pairs are drawn for both, which is what makes it paired
    low, high = np.quantile(_spearman(drawn[0], drawn[2]) - _spearman(drawn[1], drawn[2]), [0.025, 0.975])
    return float(_spearman(scores[0], scores[2]) - _spearman(scores[1], scores[2])), float(low), float(high)


def mean_rho(evaluations: Sequence[WordEvaluation]) -> tuple[float, float, float]:
    """Mean ρ of one recipe trained with several seeds, and its 95 % interval: the same pairs are drawn for every seed."""
    if len({evaluation.data for evaluation in evaluations}) != 1:
        raise ValueError("A mean needs at least one evaluation, and all of them on the same judgements.")
    human = evaluations[0].pairs["human"]
    scores = np.stack([*(evaluation.pairs["cosine"] for evaluation in evaluations), human])
    scores = scores[:, ~np.isnan(scores).any(axis=0)]
    drawn, means = _resampled(scores), np.mean([_spearman(cosines, scores[-1]) for cosines in scores[:-1]])
    low, high = np.quantile(np.mean([_spearman(each, drawn[-1]) for each in drawn[:-1]], axis=0), [0.025, 0.975])
    return float(means), float(low), float(high)


def _unit_rows(vocabulary, vectors, words) -> sparse.csr_matrix:
    rows = sparse.csr_matrix(vectors[[vocabulary[word] for word in words]], dtype=float)
    lengths = norm(rows, axis=1)
    for flaw, found in (
        ("NaN or infinity in it", ~np.isfinite(lengths)),
        ("length zero, so no direction", lengths == 0),
    ):
        if found.any():
            word = words.iloc[found.argmax()]
            raise ValueError(f"The vector of {word!r} has {flaw}: mend it, or leave the word out of the vocabulary.")
    return sparse.diags(1 / lengths) @ rows


def _resampled(scores: np.ndarray) -> np.ndarray:
    """Pairs drawn again with replacement: (k, n) → (k, RESAMPLES, n), the same draws for every model on n pairs."""
    return scores[:, np.random.default_rng(0).integers(0, scores.shape[1], (RESAMPLES, scores.shape[1]))]


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis: the correlation of ranks, ties sharing their mean rank."""
    x, y = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (rankdata(x, axis=-1), rankdata(y, axis=-1)))
    return (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))


@dataclass(frozen=True)
class WordSystem:
    """A maker of word vectors: build() → (vocabulary, vectors); lesson: where it is built."""

    build: Callable
    lesson: int


def _trained(settings: dict):
    return word2vec.vocabulary_and_vectors(word2vec.train(settings))


def _skip_gram_of_lesson_8():
    from helpers import skipgram  # compiles, so only when it is asked for

    model = skipgram.train(skipgram.encode(datasets.sentences()), epochs=30)
    return model.vocabulary, model.vectors


SYSTEMS = {
    "Co-occurrence counts": WordSystem(lambda: cooccurrence()[::2], 3),
    "PPMI": WordSystem(lambda: (cooccurrence()[0], ppmi(cooccurrence()[2])), 3),
    "PPMI-SVD": WordSystem(lambda: ppmi_svd()[::2], 3),
    "CBOW": WordSystem(lambda: _trained(word2vec.CBOW), 7),
    "Skip-gram": WordSystem(lambda: _trained(word2vec.SKIP_GRAM), 7),
    "FastText": WordSystem(lambda: _trained(word2vec.FASTTEXT), 7),
    "Skip-gram, ours": WordSystem(_skip_gram_of_lesson_8, 8),
}


def word_leaderboard() -> pd.DataFrame:
    """The committed leaderboard of word vectors, best ρ on WordSim-353 first; index: the systems' names."""
    if not LEADERBOARD.exists():
        raise FileNotFoundError("data/word_leaderboard.csv is missing: python -m helpers.words makes it.")
    return pd.read_csv(LEADERBOARD, index_col="name")


def assert_word_row_agrees(name: str, evaluation: WordEvaluation) -> None:
    """Assert that a lesson's own vectors give the committed row: ρ within 0.005, the number of pairs exactly."""
    table = word_leaderboard()
    assert name in table.index, f"there is no row {name!r} in data/word_leaderboard.csv, only {', '.join(table.index)}"
    rho, n = table.loc[name, f"{evaluation.data}_rho"], table.loc[name, f"{evaluation.data}_n"]
    assert evaluation.n == n, f"{name}: {evaluation.n} pairs of {evaluation.data} here, {n} on the leaderboard"
    assert abs(evaluation.rho - rho) <= 0.005, (
        f"{name}: ρ is {evaluation.rho:.4f} here and {rho:.4f} on the leaderboard"
    )


def main() -> None:
    datasets.sentences()  # shared by all, so not part of anybody's seconds
    rows = {}
    for name, system in SYSTEMS.items():
        cooccurrence.cache_clear()
        ppmi_svd.cache_clear()
        start = time.perf_counter()
        vocabulary, vectors = system.build()
        seconds = time.perf_counter() - start
        rows[name] = {"lesson": system.lesson, "words": vectors.shape[0], "dimensions": vectors.shape[1]}
        for data in JUDGEMENTS:
            found = evaluate_words(vocabulary, vectors, data)
            rows[name] |= {f"{data}_{what}": round(getattr(found, what), 4) for what in ("rho", "low", "high", "n")}
            print(f"{name:22} {found}", flush=True)
        rows[name]["seconds_to_build"] = float(f"{seconds:.2g}")
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("wordsim_rho", ascending=False)
    table.to_csv(LEADERBOARD, index_label="name", lineterminator="\n")


if __name__ == "__main__":
    main()
