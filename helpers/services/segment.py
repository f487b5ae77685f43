"""The records of one namespace in memory, and exact search over them.

Vectors lie in one float32 matrix that doubles when it is full; a deleted row is filled by the last one, so the matrix
stays dense and a query is one product of a matrix and a vector.
"""

import bisect

import numpy as np

from helpers.services.filters import Column, Predicate


class Segment:
    """Ids, vectors and metadata of one namespace.

    ``seen``: the number of the last write (log sequence number) that is in here.
    """

    def __init__(self, dimension: int):
        self.dimension = dimension
        self.ids: list[str] = []
        self.metadata: list[dict | None] = []
        self.row: dict[str, int] = {}
        self.seen = 0
        self._matrix = np.empty((64, dimension), np.float32)
        self._lengths = np.empty(64, np.float32)
        self._forget()

    def __len__(self) -> int:
        return len(self.ids)

    def _forget(self) -> None:
        """What was derived from the records is out of date."""
        self._columns: dict[str, Column] = {}
        self._sorted: list[str] | None = None
        self._bytes: int | None = None

    def put(self, ids: list[str], vectors: np.ndarray, metadata: list[dict | None]) -> None:
        """Insert or overwrite records; of an id that comes twice the last one counts. ``vectors``: (n, dimension)."""
        if not ids:
            return
        rows = []
        for id_, record in zip(ids, metadata, strict=True):
            row = self.row.get(id_)
            if row is None:
                row = self.row[id_] = len(self.ids)
                self.ids.append(id_)
                self.metadata.append(record)
            else:
                self.metadata[row] = record
            rows.append(row)
        self.reserve(len(self.ids))
        if len(set(rows)) < len(rows):
            # A repeated index in one assignment has no order that NumPy promises: keep the last of each row.
            last = {row: position for position, row in enumerate(rows)}
            rows, vectors = list(last), vectors[list(last.values())]
        # New records lie behind each other, where a slice is several times faster than a list of rows.
        where = slice(rows[0], rows[-1] + 1) if rows == list(range(rows[0], rows[0] + len(rows))) else rows
        self._matrix[where] = vectors
        self._lengths[where] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        self._forget()

    def reserve(self, count: int) -> None:
        """Make room for this many records in all; at least doubled, so that growing stays cheap."""
        if count > (capacity := len(self._matrix)):
            self._matrix = _larger(self._matrix, max(count, 2 * capacity))
            self._lengths = _larger(self._lengths, max(count, 2 * capacity))

    def drop(self, ids: list[str]) -> None:
        """Remove records; ids that are not here are passed over."""
        for id_ in ids:
            row = self.row.pop(id_, None)
            if row is None:
                continue
            last = len(self.ids) - 1
            if row != last:
                self.ids[row], self.metadata[row] = self.ids[last], self.metadata[last]
                self.row[self.ids[row]] = row
                self._matrix[row], self._lengths[row] = self._matrix[last], self._lengths[last]
            self.ids.pop()
            self.metadata.pop()
        self._forget()

    def vector(self, id_: str) -> np.ndarray:
        """The stored vector of an id that is here, (dimension,), float32."""
        return self._matrix[self.row[id_]].copy()

    def sorted_ids(self) -> list[str]:
        """All ids in the order of their characters (kept until the next write)."""
        if self._sorted is None:
            self._sorted = sorted(self.ids)
        return self._sorted

    def size_bytes(self, metadata_size) -> int:
        """About how much the records hold: 4 bytes per number, the ids and the metadata."""
        if self._bytes is None:
            texts = sum(len(id_) + metadata_size(record) for id_, record in zip(self.ids, self.metadata, strict=True))
            self._bytes = 4 * self.dimension * len(self.ids) + texts
        return self._bytes

    def page(self, prefix: str, after: str | None, limit: int) -> tuple[list[str], bool]:
        """Up to ``limit`` ids with this prefix that come after ``after``, and whether there are more."""
        ids = self.sorted_ids()
        start = bisect.bisect_left(ids, prefix)
        if after is not None:
            start = max(start, bisect.bisect_right(ids, after))
        found = ids[start : start + limit + 1]
        found = [id_ for id_ in found if id_.startswith(prefix)]
        return found[:limit], len(found) > limit

    def matching(self, predicate: Predicate) -> np.ndarray:
        """Row numbers of the records that a filter (see ``filters.compile_filter``) lets through."""

        def column(field: str) -> Column:
            if field not in self._columns:
                self._columns[field] = Column(self.metadata, field)
            return self._columns[field]

        return np.flatnonzero(predicate(column, len(self.ids)))

    def search(
        self, query: np.ndarray, metric: str, top_k: int, predicate: Predicate | None = None
    ) -> list[tuple[str, float]]:
        """The ``top_k`` nearest records as (id, score), best first; equal scores are ordered by id.

        cosine and dotproduct: larger is nearer. euclidean: the squared distance, smaller is nearer.
        All rows are scored in float32; those that could be among the best are scored again in float64, so the answer does
        not depend on the processor's way of adding up.
        """
        rows = np.arange(len(self.ids)) if predicate is None else self.matching(predicate)
        if len(rows) == 0:
            return []
        lengths = self._lengths[: len(self.ids)]
        near = rows
        if len(rows) > top_k and lengths.min() > 1e-15 and lengths.max() < 1e15:  # else float32 over- or underflows
            if len(rows) < len(self.ids) // 8:  # few: their copy is cheaper than scores for all
                rough = _rough_scores(self._matrix[rows], lengths[rows], query, metric)
            else:
                rough = _rough_scores(self._matrix[: len(self.ids)], lengths, query, metric)[rows]
            bar = np.partition(rough, len(rows) - top_k)[len(rows) - top_k]
            if np.isfinite(bar):
                near = rows[rough >= bar - 2 * _error_bound(lengths, query, metric)]
        scores = _exact_scores(self._matrix[near], query, metric).astype(np.float32)
        ids = [self.ids[row] for row in near]
        signed = scores if metric == "euclidean" else -scores
        order = sorted(range(len(ids)), key=lambda i: (signed[i], ids[i]))[:top_k]
        return [(ids[i], float(scores[i])) for i in order]


def _larger(array: np.ndarray, capacity: int) -> np.ndarray:
    grown = np.empty((capacity, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def _rough_scores(vectors: np.ndarray, lengths: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """Scores in float32, (n,), larger is nearer for every metric."""
    products = vectors @ query
    if metric == "dotproduct":
        return products
    if metric == "cosine":
        return products / (lengths * np.float32(np.linalg.norm(query)))
    return 2 * products - lengths * lengths - np.float32(query @ query)


def _error_bound(lengths: np.ndarray, query: np.ndarray, metric: str) -> float:
    """How far a float32 score can be from the true one: 2 · dimension + 10 roundings of the size of the terms."""
    length, longest = float(np.linalg.norm(query.astype(np.float64))), float(lengths.max())
    scale = {"cosine": 1.0, "dotproduct": length * longest, "euclidean": (length + longest) ** 2}[metric]
    return (2 * len(query) + 10) * float(np.finfo(np.float32).eps) * scale


def _exact_scores(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    vectors, query = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "euclidean":
        return ((vectors - query) ** 2).sum(axis=1)
    products = (vectors * query).sum(axis=1)  # not "@": each row is added up in the same way, so equal rows tie
    if metric == "dotproduct":
        return products
    return products / (np.sqrt((vectors**2).sum(axis=1)) * np.sqrt((query**2).sum()))
