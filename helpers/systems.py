"""Every retriever of the leaderboard under its name: a function from questions to rankings of passage ids.

The pool of passages that were judged comes from these, and ``python -m helpers.benchmark`` recomputes the table with them.
"""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers import datasets, encoder
from helpers import words as word_vectors
from helpers.retrieval import BM25, max_sim, min_max, reciprocal_rank_fusion, stems, top_k
from helpers.retrieval import words as split
from helpers.wikitext import split_sentences

DEPTH = 100  # how many passages a system ranks; more than the ten that are shown, since fusion needs them
HYBRID_WEIGHT = 0.1  # BM25's share; the best of 0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5 on the dev questions (lesson 10)
RESCORED = 200  # candidates that the bits hand on
CHROMA = {"max_neighbors": 16, "ef_construction": 200, "ef_search": 400}  # lesson 17: as good as exact on this corpus


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


def hybrid_weighted(questions: Sequence[str]) -> list[list[str]]:
    """BM25 and MiniLM, their scores scaled to 0–1 per question and added; BM25's weight was chosen on the dev questions."""
    index = _bm25_index(split)
    lexical = np.array([index.scores(split(question)) for question in questions])
    dense = encoder.embed(list(questions), precision="float32", progress=False) @ encoder.passage_vectors().T
    return _ids(top_k(HYBRID_WEIGHT * min_max(lexical) + (1 - HYBRID_WEIGHT) * min_max(dense), DEPTH))


def int8(questions: Sequence[str]) -> list[list[str]]:
    """Passage vectors in int8, one scale per dimension; the question stays in float32."""
    codes, scale = _int8_index()
    asked = encoder.embed(list(questions), precision="float32", progress=False)
    return _ids(top_k((asked * scale) @ codes.T.astype(np.float32), DEPTH))


@functools.cache
def _int8_index() -> tuple[np.ndarray, np.ndarray]:
    """Codes (n, d) int8 and the scale of each dimension (d,): vector ≈ codes * scale."""
    vectors = encoder.passage_vectors()
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-9) / 127  # two of MiniLM's dimensions are always zero
    return np.round(vectors / scale).astype(np.int8), scale.astype(np.float32)


def binary(questions: Sequence[str]) -> list[list[str]]:
    """One bit per dimension, its sign, for passages and questions; ranked by the number of equal bits."""
    return _ids(top_k(_equal_bits(encoder.embed(list(questions), precision="float32", progress=False)), DEPTH))


def binary_rescored(questions: Sequence[str]) -> list[list[str]]:
    """The first 200 by bits, put in order by the int8 vectors and the float32 question (Yamada et al. 2021 rescore so)."""
    asked = encoder.embed(list(questions), precision="float32", progress=False)
    codes, scale = _int8_index()
    candidates = np.sort(top_k(_equal_bits(asked), RESCORED), axis=1)  # sorted, so that ties go to the earlier passage
    scores = np.stack([codes[row] @ (vector * scale) for row, vector in zip(candidates, asked, strict=True)])
    return _ids(np.take_along_axis(candidates, top_k(scores, DEPTH), axis=1))


def _equal_bits(asked: np.ndarray) -> np.ndarray:
    """How many of the d bits agree, (questions, passages)."""
    different = np.bitwise_count(_packed(asked)[:, None, :] ^ _packed(encoder.passage_vectors())[None]).sum(axis=2)
    return asked.shape[1] - different.astype(np.int32)


def _packed(vectors: np.ndarray) -> np.ndarray:
    """Signs as bits, eight to a byte: (n, d / 8) uint8."""
    return np.packbits(vectors > 0, axis=1)


def sentences_max(questions: Sequence[str]) -> list[list[str]]:
    """A MiniLM vector per sentence; a passage is as good as its best sentence."""
    owner, vectors = sentence_index()
    scores = encoder.embed(list(questions), precision="float32", progress=False) @ vectors.T
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    return _ids(top_k(np.maximum.reduceat(scores, starts, axis=1), DEPTH))


@functools.cache
def sentence_index() -> tuple[np.ndarray, np.ndarray]:
    """For each sentence of all passages the place of its passage (n,), ascending, and its vector (n, 384)."""
    parts = [split_sentences(text) for text in _texts()]
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return owner, encoder.embed([sentence for part in parts for sentence in part], precision="float32")


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


def chroma(questions: Sequence[str]) -> list[list[str]]:
    """The MiniLM vectors in a Chroma collection: HNSW, cosine, with the settings of lesson 17."""
    asked = encoder.embed(list(questions), precision="float32", progress=False)
    return _chroma_index().query(query_embeddings=asked, n_results=DEPTH, include=[])["ids"]


@functools.cache
def _chroma_index():
    from helpers import chroma as course_chroma  # here, since importing Chroma takes seconds

    collection = course_chroma.create_collection(course_chroma.chroma_client(), "passages", **CHROMA)
    collection.add(datasets.passages()["id"].tolist(), embeddings=encoder.passage_vectors())
    return collection


def _chroma_bytes() -> int:
    """Vectors, and the links of the graph's ground floor; the floors above (about 9 bytes a passage) differ from build to build."""
    n, d = encoder.passage_vectors().shape
    return n * (4 * d + 4 + 4 * 2 * CHROMA["max_neighbors"] + 8)  # floats, number of links, links, label


def pinecone_api(questions: Sequence[str]) -> list[list[str]]:
    """The MiniLM vectors behind Pinecone's interface: its client asks the course's stand-in, which compares every vector."""
    asked = encoder.embed(list(questions), precision="float32", progress=False)
    index = _pinecone_index()
    return [[match.id for match in index.query(vector=row.tolist(), top_k=DEPTH).matches] for row in asked]


@functools.cache
def _pinecone_index():
    """An index in a service and a folder of this process alone, never in the cloud; both go when the process ends."""
    from helpers.services import pinecone_access as access  # here, since importing the client takes a while

    datasets.CACHE.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="pinecone_row_", dir=datasets.CACHE)
    store = access.VectorStore(folder)
    server = access.LocalServer(access.LocalPinecone(store, access.LOCAL_KEY), "Pinecone API of the leaderboard")

    def tidy() -> None:
        server.stop()
        store.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(tidy)
    access.allow_loopback()
    client = access.CoursePinecone(api_key=access.LOCAL_KEY, host=server.start())
    ids, vectors = datasets.passages()["id"].tolist(), encoder.passage_vectors()
    client.create_index("course-24-row", dimension=vectors.shape[1], metric="cosine")
    index = client.index("course-24-row")
    for start in range(0, len(ids), 200):  # a request may weigh 2 MB
        part = slice(start, start + 200)
        index.upsert(vectors=list(zip(ids[part], vectors[part].tolist(), strict=True)))
    return index


def _pinecone_bytes() -> int:
    """The stored vectors, float32; ids, metadata and the database's own pages are not counted, and the cloud tells no size."""
    return encoder.passage_vectors().astype(np.float32).nbytes


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
    "Hybrid (weighted)": System(hybrid_weighted, 10, lambda: _bm25_index(split).nbytes + _minilm_bytes()),
    "MiniLM, int8": System(int8, 14, lambda: _int8_index()[0].nbytes),
    "MiniLM, binary": System(binary, 14, lambda: _packed(encoder.passage_vectors()).nbytes),
    "MiniLM, binary and rescored": System(
        binary_rescored, 14, lambda: _packed(encoder.passage_vectors()).nbytes + _int8_index()[0].nbytes
    ),
    "MiniLM, best sentence": System(sentences_max, 13, lambda: sentence_index()[1].nbytes),
    "MiniLM, re-ranked by MaxSim": System(maxsim, 13, lambda: _minilm_bytes() + _token_bytes()),
    "Chroma": System(chroma, 17, _chroma_bytes),
    "Pinecone API (local stand-in, exact)": System(pinecone_api, 24, _pinecone_bytes),
}
