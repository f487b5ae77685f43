"""Search as the lessons taught it, for the lessons that come after: BM25, top-k, fusion, late interaction, an engine."""

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import Stemmer
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from helpers.wikitext import split_sentences


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


def min_max(scores: np.ndarray) -> np.ndarray:
    """Scores (queries, n) scaled so that each row runs from 0 (its lowest) to 1 (its highest); a row without differences becomes 0.

    >>> min_max(np.array([[2.0, 4.0, 3.0]])).tolist()
    [[0.0, 1.0, 0.5]]
    """
    lowest = scores.min(axis=1, keepdims=True)
    return (scores - lowest) / np.maximum(scores.max(axis=1, keepdims=True) - lowest, 1e-9)


def max_sim(query_tokens: np.ndarray, passage_tokens: np.ndarray) -> float:
    """Late interaction (Khattab & Zaharia 2020): each query token takes its best passage token; the mean of these cosines.

    query_tokens: (q, d), passage_tokens: (p, d), unit rows.
    """
    return float((query_tokens @ passage_tokens.T).max(axis=1).mean())


@dataclass
class Hit:
    """One result: a document's id, score, text and metadata; ``sentence``: (start, end) of its best sentence, if asked for."""

    id: str
    score: float
    text: str
    metadata: dict
    sentence: tuple[int, int] | None = None

    def snippet(self, before: str = "**", after: str = "**") -> str:
        """The text with its best sentence between two marks. (For a web page escape the parts of the text first.)"""
        if self.sentence is None:
            return self.text
        start, end = self.sentence
        return self.text[:start] + before + self.text[start:end] + after + self.text[end:]


class SearchEngine:
    """Exact search by meaning in documents that come and go; lesson 13 builds it step by step.

    embed: a list of texts → unit vectors (n, d), one text → (d,), as ``helpers.encoder.embed``. rerank: (query, hits) → a
    score per hit, higher is better, which puts the first ``candidates`` hits in order anew.
    """

    def __init__(self, embed: Callable, rerank: Callable | None = None, candidates: int = 30):
        self.embed, self.rerank, self.candidates = embed, rerank, candidates
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.metadata: list[dict] = []
        self.vectors: np.ndarray | None = None  # (n, d), row i belongs to ids[i]

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: Sequence[str], texts: Sequence[str], metadata: Sequence[Mapping] | None = None, vectors=None):
        """Add documents; one whose id is known replaces the old one. vectors: (n, d), unit rows, where they are ready-made.

        Raises ValueError where the lists differ in length, an id comes twice, or the vectors do not fit.
        """
        ids, texts = list(ids), list(texts)
        metadata = [{} for _ in ids] if metadata is None else [dict(each) for each in metadata]
        if not len(ids) == len(texts) == len(metadata):
            raise ValueError(f"{len(ids)} ids, {len(texts)} texts and {len(metadata)} metadata: one each per document.")
        if len(set(ids)) < len(ids):
            twice = next(each for each in ids if ids.count(each) > 1)
            raise ValueError(f"The id {twice!r} comes twice in one call: which of the two documents should stay?")
        if not ids:
            return
        vectors = np.asarray(self.embed(texts) if vectors is None else vectors, dtype=np.float32)
        old = np.empty((0, *vectors.shape[1:]), np.float32) if self.vectors is None else self.vectors
        if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] != old.shape[1]:
            raise ValueError(
                f"Vectors of shape {vectors.shape} for {len(ids)} documents beside vectors of {old.shape}."
            )
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise ValueError(
                "The vectors are not of length 1. Divide each by its norm, else long ones win every search."
            )
        self.delete(set(ids) & set(self.ids))
        self.vectors = np.concatenate([old if self.vectors is None else self.vectors, vectors])
        self.ids, self.texts, self.metadata = self.ids + ids, self.texts + texts, self.metadata + metadata

    def delete(self, ids: Iterable[str]) -> None:
        """Forget documents. Where an id is unknown, raises KeyError and forgets none."""
        unwanted = {ids} if isinstance(ids, str) else set(ids)
        if unknown := unwanted - set(self.ids):
            raise KeyError(f"There is no document {min(unknown)!r} to delete.")
        if unwanted:
            kept = [row for row, each in enumerate(self.ids) if each not in unwanted]
            self.ids, self.texts = [self.ids[row] for row in kept], [self.texts[row] for row in kept]
            self.metadata, self.vectors = [self.metadata[row] for row in kept], self.vectors[kept]

    def search(self, query: str, k: int = 10, where: Mapping | None = None, one_per: str | None = None,
               snippets: bool = False) -> list[Hit]:  # fmt: skip
        """The k best documents, best first, ties in the order of adding; fewer where fewer pass the filter.

        where: {field: wanted}; a set, list or tuple means "any of these"; a document whose field is a list passes if one
        of its values is wanted. one_per: at most one hit for each value of this field. snippets: mark the best sentence.
        Raises ValueError for a field that no document has, since a misspelt filter would look like an empty library.
        """
        known = {field for each in self.metadata for field in each}
        if unknown := {*(where or {}), *([one_per] if one_per else [])} - known:
            raise ValueError(
                f"No document has a field {min(unknown)!r}; there are: {', '.join(sorted(known)) or 'none'}."
            )
        rows = np.array([row for row, each in enumerate(self.metadata) if _passes(each, where or {})], dtype=int)
        if not len(rows):
            return []
        asked = self.embed(query)  # (d,)
        scores = self.vectors[rows] @ asked
        best = top_k(scores, len(rows) if one_per else max(k, self.candidates))
        hits = [
            Hit(self.ids[rows[place]], float(scores[place]), self.texts[rows[place]], self.metadata[rows[place]])
            for place in best
        ]
        hits = self._reranked(query, hits) if self.rerank else hits
        if one_per:
            best_of: dict[str, Hit] = {}
            for hit in hits:
                best_of.setdefault(repr(hit.metadata.get(one_per, hit.id)), hit)
            hits = list(best_of.values())
        for hit in hits[:k] if snippets else []:
            hit.sentence = self._best_sentence(hit.text, asked)
        return hits[:k]

    def _reranked(self, query: str, hits: list[Hit]) -> list[Hit]:
        first, rest = hits[: self.candidates], hits[self.candidates :]
        for hit, score in zip(first, self.rerank(query, first), strict=True):
            hit.score = float(score)
        return [first[place] for place in top_k(np.array([hit.score for hit in first]), len(first))] + rest

    def _best_sentence(self, text: str, asked: np.ndarray) -> tuple[int, int]:
        sentences = split_sentences(text)
        best = sentences[int(top_k(self.embed(sentences) @ asked, 1)[0])]
        return text.index(best), text.index(best) + len(best)


def _passes(metadata: Mapping, where: Mapping) -> bool:
    for field, wanted in where.items():
        wanted = list(wanted) if isinstance(wanted, (set, list, tuple)) else [wanted]
        value = metadata.get(field)
        if not any(each in wanted for each in (value if isinstance(value, (list, tuple)) else [value])):
            return False
    return True
