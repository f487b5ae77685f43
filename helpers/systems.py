"""Every retriever of the leaderboard under its name: a function from questions to rankings of passage ids.

The pool of passages that were judged comes from these, and ``python -m helpers.benchmark`` recomputes the table with them.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers import datasets, encoder
from helpers import words as word_vectors
from helpers.retrieval import BM25, max_sim, reciprocal_rank_fusion, stems, top_k
from helpers.retrieval import words as split
from helpers.wikitext import split_sentences

DEPTH = 100  # how many passages a system ranks; more than the ten that are shown, since fusion needs them


def _texts() -> list[str]:
    return datasets.passages()["text"].tolist()


def _ids(places: np.ndarray) -> list[list[str]]:
    ids = datasets.passages()["id"].to_numpy()
    return [ids[row].tolist() for row in places]


def tf_idf(questions: Sequence[str]) -> list[list[str]]:
    """TF-IDF vectors of the words as they stand, cosine."""
    vectorizer, matrix = _tf_idf_index()
    return _ids(top_k((vectorizer.transform(questions) @ matrix.T).toarray(), DEPTH))


@functools.cache
def _tf_idf_index():
    vectorizer = TfidfVectorizer(tokenizer=split, token_pattern=None, lowercase=False)
    return vectorizer, vectorizer.fit_transform(_texts())


@functools.cache
def _bm25_index(tokenizer: Callable) -> BM25:
    return BM25([tokenizer(text) for text in _texts()])


def bm25(questions: Sequence[str]) -> list[list[str]]:
    """BM25 on the words as they stand."""
    return _bm25(questions, split)


def bm25_stems(questions: Sequence[str]) -> list[list[str]]:
    """BM25 without stop words, on stems: what a search engineer would run."""
    return _bm25(questions, stems)


def _bm25(questions: Sequence[str], tokenizer: Callable) -> list[list[str]]:
    index = _bm25_index(tokenizer)
    return _ids(np.array([top_k(index.scores(tokenizer(question)), DEPTH) for question in questions]))


def minilm(questions: Sequence[str]) -> list[list[str]]:
    """One MiniLM vector per passage, cosine, exact."""
    vectors = encoder.embed(list(questions), precision="float32", progress=False)
    return _ids(top_k(vectors @ encoder.passage_vectors().T, DEPTH))


def hybrid_rrf(questions: Sequence[str]) -> list[list[str]]:
    """BM25 on stems and MiniLM, merged by reciprocal rank fusion with equal votes."""
    return [reciprocal_rank_fusion(pair)[:DEPTH] for pair in zip(bm25_stems(questions), minilm(questions), strict=True)]


def sentences_max(questions: Sequence[str]) -> list[list[str]]:
    """A MiniLM vector per sentence; a passage is as good as its best sentence."""
    owner, vectors = _sentence_index()
    scores = encoder.embed(list(questions), precision="float32", progress=False) @ vectors.T
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    return _ids(top_k(np.maximum.reduceat(scores, starts, axis=1), DEPTH))


@functools.cache
def _sentence_index() -> tuple[np.ndarray, np.ndarray]:
    parts = [split_sentences(text) for text in _texts()]
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return owner, encoder.embed([sentence for part in parts for sentence in part])


def maxsim(questions: Sequence[str]) -> list[list[str]]:
    """MiniLM's first 30, re-ranked by late interaction on its own token vectors."""
    ranked = minilm(questions)
    needed = sorted({passage for ranking in ranked for passage in ranking[:30]})
    texts = datasets.passages().set_index("id")["text"]
    tokens = dict(zip(needed, token_vectors(texts[needed].tolist()), strict=True))
    reranked = []
    for question, ranking in zip(token_vectors(list(questions)), ranked, strict=True):
        scores = np.array([max_sim(question, tokens[passage]) for passage in ranking[:30]])
        reranked.append([ranking[place] for place in top_k(scores, 30)] + ranking[30:])
    return reranked


def token_vectors(texts: list[str]) -> list[np.ndarray]:
    """Unit vectors of the tokens of each text, (tokens, d), the special ones [CLS] and [SEP] left out."""
    found = encoder.load_encoder().encode(texts, output_value="token_embeddings", show_progress_bar=False)
    vectors = [tokens.float().cpu().numpy()[1:-1] for tokens in found]
    return [each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]


def word_mean(questions: Sequence[str]) -> list[list[str]]:
    """The mean of PPMI-SVD word vectors, cosine."""
    return _mean_vectors(questions, weighted=False)


def word_sif(questions: Sequence[str]) -> list[list[str]]:
    """The mean of PPMI-SVD word vectors weighted by rarity, first component removed (SIF; Arora, Liang & Ma 2017)."""
    return _mean_vectors(questions, weighted=True)


def _mean_vectors(questions: Sequence[str], weighted: bool) -> list[list[str]]:
    vocabulary, counts, vectors = word_vectors.ppmi_svd()
    weights = 1e-3 / (1e-3 + counts / counts.sum()) if weighted else np.ones(len(counts))

    def mean(texts):
        rows = np.zeros((len(texts), vectors.shape[1]))
        for row, text in enumerate(texts):
            places = [vocabulary[word] for word in datasets.tokenize(text) if word in vocabulary]
            if places:
                rows[row] = weights[places] @ vectors[places] / len(places)
        return rows

    passages, asked = mean(_texts()), mean(questions)
    if weighted:
        common = np.linalg.svd(passages, full_matrices=False)[2][:1]
        passages, asked = passages - passages @ common.T @ common, asked - asked @ common.T @ common
    scores = _unit(asked) @ _unit(passages).T
    return _ids(top_k(scores, DEPTH))


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class System:
    """A retriever: rank(questions) gives ids per question; lesson: where it is built; vectors or index size in bytes per passage."""

    rank: Callable[[Sequence[str]], list[list[str]]]
    lesson: int
    index_bytes: Callable[[], int]

    def bytes_per_passage(self) -> float:
        return self.index_bytes() / len(datasets.passages())


def _sparse_bytes(matrix) -> int:
    return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes


def _token_bytes() -> int:
    return sum(datasets.count_tokens(text) - 2 for text in _texts()) * encoder.passage_vectors().shape[1] * 4


def _word_mean_bytes() -> int:
    return len(_texts()) * word_vectors.DIMENSIONS * 4


def _minilm_bytes() -> int:
    return encoder.passage_vectors().nbytes


SYSTEMS = {
    "TF-IDF": System(tf_idf, 2, lambda: _sparse_bytes(_tf_idf_index()[1])),
    "BM25": System(bm25, 2, lambda: _bm25_index(split).nbytes),
    "BM25, stop words and stems": System(bm25_stems, 2, lambda: _bm25_index(stems).nbytes),
    "Mean of word vectors": System(word_mean, 7, _word_mean_bytes),
    "SIF of word vectors": System(word_sif, 7, _word_mean_bytes),
    "MiniLM": System(minilm, 10, _minilm_bytes),
    "Hybrid (RRF)": System(hybrid_rrf, 10, lambda: _bm25_index(stems).nbytes + _minilm_bytes()),
    "MiniLM, best sentence": System(sentences_max, 13, lambda: _sentence_index()[1].nbytes),
    "MiniLM, re-ranked by MaxSim": System(maxsim, 13, lambda: _minilm_bytes() + _token_bytes()),
}
