"""Search as the lessons taught it, for the lessons that come after: BM25, top-k, fusion, late interaction."""

import functools
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import Stemmer
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS


def words(text: str) -> list[str]:
    """Lower-case words and numbers of a text.

    >>> words("Apollo 11 landed.")
    ['apollo', '11', 'landed']
    """
    return re.findall(r"\w+", text.lower())


@functools.cache
def _stem(word: str) -> str:
    return Stemmer.Stemmer("english").stemWord(word)


def stems(text: str) -> list[str]:
    """Words without scikit-learn's English stop words, cut to their stems (Snowball, Porter 2001).

    >>> stems("The astronauts were landing on the Moon")
    ['astronaut', 'land', 'moon']
    """
    return [_stem(word) for word in words(text) if word not in ENGLISH_STOP_WORDS]


class BM25:
    """Okapi BM25 (Robertson & Walker 1994) in Lucene's variant, the default of the library bm25s.

    documents: n lists of words. k1: how soon repetition stops counting. b: how much long documents pay (0 to 1).
    Raises ValueError where there is no document or a document is text instead of a list of words.
    """

    def __init__(self, documents: Sequence[Sequence[str]], k1: float = 1.5, b: float = 0.75):
        if not len(documents):
            raise ValueError("BM25 needs at least one document.")
        if any(isinstance(document, str) for document in documents):
            raise ValueError(
                "BM25 takes lists of words, but a document is one text. Split it first, for example words(text)."
            )
        self.vocabulary: dict[str, int] = {}
        rows, columns = [], []
        for row, document in enumerate(documents):
            for word in document:
                rows.append(row)
                columns.append(self.vocabulary.setdefault(word, len(self.vocabulary)))
        shape = (len(documents), len(self.vocabulary))
        counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        counts.sum_duplicates()
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        document_frequency = np.bincount(counts.indices, minlength=shape[1])
        idf = np.log(1 + (shape[0] - document_frequency + 0.5) / (document_frequency + 0.5))
        penalty = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))  # (n,)
        repeats = np.diff(counts.indptr)
        counts.data = idf[counts.indices] * counts.data / (counts.data + np.repeat(penalty, repeats))
        self.weights = counts.tocsc()  # (n, vocabulary): a query adds up its words' columns

    def scores(self, query: Iterable[str]) -> np.ndarray:
        """The score of every document for a list of words, shape (n,); words that no document has count nothing."""
        if isinstance(query, str):
            raise ValueError("BM25 takes the query as a list of words, for example words(text).")
        columns = [self.vocabulary[word] for word in query if word in self.vocabulary]
        return np.asarray(self.weights[:, columns].sum(axis=1)).ravel()

    @property
    def nbytes(self) -> int:
        """Bytes of the index: values, row numbers, column starts."""
        return self.weights.data.nbytes + self.weights.indices.nbytes + self.weights.indptr.nbytes


def top_k(scores: np.ndarray, k: int = 10) -> np.ndarray:
    """Places of the k highest scores, best first; ties go to the earlier place. Shape (n,) gives (k,), (m, n) gives (m, k).

    Raises ValueError for NaN, which would land anywhere.
    """
    scores = np.asarray(scores)
    if np.isnan(scores).any():
        raise ValueError("Some scores are NaN, so there is no order. Look for a zero vector or an empty text.")
    # From the back, not by -scores: minus a uint8 of Hamming distances wraps around.
    backwards = np.argsort(scores[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (scores.shape[-1] - 1 - backwards)[..., :k]


def reciprocal_rank_fusion(rankings: Sequence[Sequence], weights: Sequence[float] | None = None, k: int = 60) -> list:
    """Merge rankings by the sum of weight / (k + rank) (Cormack, Clarke & Büttcher 2009); ties in order of appearance.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    ['b', 'a', 'c']
    """
    weights = [1.0] * len(rankings) if weights is None else weights
    votes: dict = {}
    for weight, ranking in zip(weights, rankings, strict=True):
        for rank, item in enumerate(ranking, 1):
            votes.setdefault(item, []).append(weight / (k + rank))
    # fsum, since a plain sum of three votes depends on their order and would part ties.
    return sorted(votes, key=lambda item: math.fsum(votes[item]), reverse=True)


def max_sim(query_tokens: np.ndarray, passage_tokens: np.ndarray) -> float:
    """Late interaction (Khattab & Zaharia 2020): each query token takes its best passage token; the mean of these cosines.

    query_tokens: (q, d), passage_tokens: (p, d), unit rows.
    """
    return float((query_tokens @ passage_tokens.T).max(axis=1).mean())
