"""Word vectors from counting alone, as lesson 3 builds them: co-occurrence, PPMI, truncated SVD."""

import functools
from collections import Counter

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from helpers import datasets

WINDOW, MIN_COUNT, DIMENSIONS = 10, 5, 100


@functools.cache
def cooccurrence(window: int = WINDOW, min_count: int = MIN_COUNT):
    """Vocabulary {word: place}, word counts (V,), and how often two words stand within a window of each other (V, V).

    min_count: rarer words are left out, but keep their place in the sentence. Raises ValueError for a window below 1.
    """
    if window < 1:
        raise ValueError(f"The window must reach at least one word to each side, not {window}.")
    counts = Counter(word for sentence in datasets.sentences() for word in sentence)
    kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    vocabulary = {word: place for place, word in enumerate(kept)}
    rows, columns = [], []
    for sentence in datasets.sentences():
        places = np.array([vocabulary.get(word, -1) for word in sentence])
        for distance in range(1, min(window, len(places) - 1) + 1):
            left, right = places[:-distance], places[distance:]
            both = (left >= 0) & (right >= 0)
            rows += [left[both], right[both]]
            columns += [right[both], left[both]]
    row, column = np.concatenate(rows), np.concatenate(columns)
    ones, size = np.ones(len(row), dtype=np.float32), len(vocabulary)
    return vocabulary, np.array([counts[word] for word in kept]), sparse.csr_matrix((ones, (row, column)), (size, size))


def ppmi(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Positive pointwise mutual information of a co-occurrence matrix (Church & Hanks 1990): log(p(x, y) / p(x) p(y)), at least 0."""
    coo = counts.tocoo()
    total = coo.data.sum()
    row_sums, column_sums = np.asarray(counts.sum(axis=1)).ravel(), np.asarray(counts.sum(axis=0)).ravel()
    values = np.log(coo.data * total / (row_sums[coo.row] * column_sums[coo.col]))
    found = sparse.csr_matrix((np.maximum(values, 0).astype(np.float32), (coo.row, coo.col)), shape=counts.shape)
    found.eliminate_zeros()
    return found


@functools.cache
def ppmi_svd(dimensions: int = DIMENSIONS):
    """Vocabulary, counts and word vectors (V, dimensions): U √S of the PPMI matrix's truncated singular value decomposition."""
    vocabulary, counts, matrix = cooccurrence()
    left, values, _ = randomized_svd(ppmi(matrix), dimensions, n_iter=5, random_state=0)
    return vocabulary, counts, left * np.sqrt(values)
