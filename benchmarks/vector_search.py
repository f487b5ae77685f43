"""Searching vectors exactly and approximately, on one thread: recall, distance computations, time, and the memory's limit.

python benchmarks/vector_search.py [--json] [--write]     --write renews data/results/vector_search.csv for lesson 15

Four collections. "random" measures how the time of exact search grows (up to 1,000,000 × 384: 1.5 GB), which is all that
random vectors are good for. "passages" are the encyclopedia's, asked with the course's questions: the indexes of lesson
15, in NumPy, and faiss's HNSW (Malkov & Yashunin 2020). "random, same shape" asks the same indexes about vectors without
any structure. "grown" is a collection of 100,000 with the passages' structure: points between neighbouring passages, plus
noise.

A distance computation is one dot product of two vectors, those with centroids and hyperplanes included. limit_ms is the
time that the memory needs to deliver the numbers that are read, at the highest rate seen on this machine; a collection
that fits into the processor's cache may be faster than that.
"""

import argparse
import heapq
import json
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # read when NumPy and faiss are imported, so it is set before

import time  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402

import faiss  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from helpers import datasets, encoder  # noqa: E402

K = 10
RESULTS = datasets.DATA / "results" / "vector_search.csv"
Found = tuple[Sequence[int], int]  # places of the K nearest, best first, and how many distances were computed
BITS, TABLES, NEIGHBOURS, CANDIDATES = 6, 32, 16, 64  # of the hash, of the hash, per node, looked at per node


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def best(scores: np.ndarray, k: int = K) -> np.ndarray:
    """Places of the k highest scores, best first; scores that differ by rounding only count as equal, the lower place wins."""
    k = min(k, len(scores))
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    places = np.flatnonzero(scores >= edge - 1e-6)
    return places[np.argsort(-scores[places].round(6), kind="stable")[:k]]


def recall(found: Sequence[int], true: Sequence[int]) -> float:
    """Share of the true neighbours that were found."""
    return len(set(found[: len(true)]) & set(true)) / len(true)


class BruteForce:
    """Every vector is compared with the question."""

    knobs = {"": [0]}

    def __init__(self, vectors: np.ndarray):
        self.vectors = vectors

    def search(self, question: np.ndarray, _: int = 0) -> Found:
        return best(self.vectors @ question), len(self.vectors)


class InvertedFile:
    """k-means lists, of which those with the nearest centroids are read."""

    knobs = {"lists probed": [1, 2, 4, 8, 16, 32]}

    def __init__(self, vectors: np.ndarray, lists: int = 64, seed: int = 0, rounds: int = 15, train: int = 20_000):
        random = np.random.default_rng(seed)
        self.vectors = vectors
        sample = vectors if len(vectors) <= train else vectors[random.choice(len(vectors), train, replace=False)]
        sample = sample.astype(float)  # in double precision the lists come out the same on every CPU
        centroids = sample[random.choice(len(sample), lists, replace=False)]
        for _ in range(rounds):
            label = (sample @ centroids.T).argmax(axis=1)
            members = [sample[label == j] for j in range(lists)]
            centroids = unit(
                np.array([m.sum(axis=0) if len(m) else c for m, c in zip(members, centroids, strict=True)])
            )
        self.centroids = centroids.astype(vectors.dtype)
        label = (vectors @ self.centroids.T).argmax(axis=1)
        self.lists = [np.flatnonzero(label == j) for j in range(lists)]

    def search(self, question: np.ndarray, probes: int) -> Found:
        nearest = best(self.centroids @ question, probes)
        places = np.sort(np.concatenate([self.lists[j] for j in nearest]))
        return places[best(self.vectors[places] @ question)], len(self.centroids) + len(places)


class Hyperplanes:
    """Random-hyperplane hashing (Charikar 2002): who shares the question's code in one of the tables is compared."""

    knobs = {"tables": [1, 2, 4, 8, 16, 32]}

    def __init__(self, vectors: np.ndarray, bits: int = BITS, tables: int = TABLES, seed: int = 0):
        self.vectors, self.bits = vectors, bits
        random = np.random.default_rng(seed)
        self.planes = random.normal(size=(tables, vectors.shape[1], bits)).astype(vectors.dtype)
        self.buckets = []
        for planes in self.planes:
            codes = self.codes(vectors, planes)
            order = np.argsort(codes, kind="stable")
            self.buckets.append(np.split(order, np.searchsorted(codes[order], np.arange(1, 2**bits))))

    def codes(self, vectors: np.ndarray, planes: np.ndarray) -> np.ndarray:
        return (vectors @ planes > 0) @ (1 << np.arange(self.bits))

    def search(self, question: np.ndarray, tables: int) -> Found:
        pairs = zip(self.buckets, self.planes[:tables], strict=False)
        places = np.unique(np.concatenate([bucket[self.codes(question, planes)] for bucket, planes in pairs]))
        hashed = tables * self.bits
        return (places[best(self.vectors[places] @ question)] if len(places) else places), hashed + len(places)


class Graph:
    """One layer of a navigable graph: each vector knows near ones in different directions, and is known by them."""

    knobs = {"ef": [10, 20, 40, 80, 160]}

    def __init__(self, vectors: np.ndarray, neighbours: int = NEIGHBOURS, candidates: int = CANDIDATES):
        self.vectors = vectors
        self.entry = int(best(vectors @ vectors.mean(axis=0), 1)[0])
        exact = vectors.astype(float)  # in double precision the edges come out the same on every CPU
        kept = [self.spread(exact, a, candidates, neighbours) for a in range(len(vectors))]
        self.edges = [list(row) for row in kept]
        for a, row in enumerate(kept):
            for b in row:
                if a not in self.edges[b]:
                    self.edges[b].append(a)

    @staticmethod
    def spread(vectors: np.ndarray, a: int, candidates: int, neighbours: int) -> list[int]:
        """Neighbours of a, nearest first, without those that are nearer to one already kept than to a."""
        scores = vectors @ vectors[a]
        scores[a] = -np.inf
        kept: list[int] = []
        for b in best(scores, candidates).tolist():
            if len(kept) < neighbours and (not kept or (vectors[kept] @ vectors[b]).max() < scores[b]):
                kept.append(b)
        return kept

    def search(self, question: np.ndarray, ef: int) -> Found:
        first = float(self.vectors[self.entry] @ question)
        seen, open_ends, found, computed = {self.entry}, [(-first, self.entry)], [(first, self.entry)], 1
        while open_ends:
            score, node = heapq.heappop(open_ends)
            if len(found) == ef and -score < found[0][0]:
                break
            fresh = [other for other in self.edges[node] if other not in seen]
            seen.update(fresh)
            computed += len(fresh)
            for score, other in zip((self.vectors[fresh] @ question).tolist(), fresh, strict=True):
                if len(found) < ef or score > found[0][0]:
                    heapq.heappush(open_ends, (-score, other))
                    heapq.heappush(found, (score, other))
                    if len(found) > ef:
                        heapq.heappop(found)
        return [place for _, place in sorted(found, reverse=True)[:K]], computed


class FaissHNSW:
    """faiss's IndexHNSWFlat: the same graph in layers, in C++."""

    knobs = {"efSearch": [10, 20, 40, 80, 160, 320, 640]}

    def __init__(self, vectors: np.ndarray, neighbours: int = NEIGHBOURS // 2, ef_construction: int = 100):
        self.index = faiss.IndexHNSWFlat(vectors.shape[1], neighbours)
        self.index.hnsw.efConstruction = ef_construction
        self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, question: np.ndarray, ef: int) -> Found:
        self.index.hnsw.efSearch = ef
        faiss.cvar.hnsw_stats.reset()
        places = self.index.search(question[None].astype(np.float32, copy=False), K)[1][0]
        return places[places >= 0].tolist(), faiss.cvar.hnsw_stats.ndis


INDEXES: dict[str, Callable] = {
    "brute force": BruteForce,
    "inverted file": InvertedFile,
    "hyperplanes (LSH)": Hyperplanes,
    "graph, one layer": Graph,
    "HNSW (faiss)": FaissHNSW,
}


def read_rate(megabytes: int = 512, rounds: int = 5) -> float:
    """Bytes per second at which one thread reads memory: the best of several passes over an array beyond all caches."""
    block = np.ones(megabytes * 2**18, dtype=np.float32)
    ways = [lambda: np.dot(block, block), lambda: block.max(), lambda: block.view(np.uint64).sum()]
    seconds = []
    for way in ways * rounds:
        start = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - start)
    return block.nbytes / min(seconds)


def searched(ways: dict, questions: np.ndarray, rounds: int) -> Iterator[tuple]:
    """For each way what it found, the mean number of distances, and the median milliseconds of one question; ways take turns."""
    times: dict = {way: [] for way in ways}
    answers: dict = {way: [] for way in ways}
    for turn in range(rounds):
        for way, search in ways.items():
            for question in questions:
                start = time.perf_counter()
                found = search(question)
                times[way].append(1000 * (time.perf_counter() - start))
                if turn == 0:
                    answers[way].append(found)
    for way in ways:
        yield way, [f for f, _ in answers[way]], np.mean([n for _, n in answers[way]]), np.median(times[way])


def measure(
    collection: str, vectors: np.ndarray, questions: np.ndarray, indexes: dict, rate: float, rounds: int
) -> list:
    """A row for each index and setting of its knob."""
    built = {name: make(vectors) for name, make in indexes.items()}
    ways = {
        (name, knob, value): (lambda q, index=index, value=value: index.search(q, value))
        for name, index in built.items()
        for knob, values in index.knobs.items()
        for value in values
    }
    truth = [BruteForce(vectors).search(question)[0] for question in questions]
    rows = []
    for (name, knob, value), found, distances, ms in searched(ways, questions, rounds):
        recalls = np.array([recall(f, t) for f, t in zip(found, truth, strict=True)])
        rows.append(
            {
                "collection": collection,
                "n": len(vectors),
                "index": name,
                "knob": knob,
                "value": value,
                "recall": round(float(recalls.mean()), 4),
                "nothing": round(float((recalls == 0).mean()), 4),
                "distances": round(float(distances), 1),
                "ms_per_query": float(f"{ms:.2g}"),
                "queries_per_second": float(f"{1000 / ms:.2g}"),
                "limit_ms": float(f"{1000 * distances * vectors.shape[1] * 4 / rate:.2g}"),
            }
        )
    return rows


def grown(passages: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """n float32 vectors with the structure of the passages: points between a passage and one of its neighbours, plus noise."""
    random = np.random.default_rng(seed)
    near = np.stack([best(passages @ row, K + 1)[1:] for row in passages])
    first = random.integers(len(passages), size=n)
    second, share = near[first, random.integers(near.shape[1], size=n)], random.uniform(size=(n, 1)).astype(np.float32)
    noise = random.normal(scale=0.02, size=(n, passages.shape[1])).astype(np.float32)
    return unit(share * passages[first] + (1 - share) * passages[second] + noise).astype(np.float32)


def random_vectors(n: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """n random unit vectors, float32, scaled in place: a second copy of a million would be another 1.5 GB."""
    vectors = np.random.default_rng(seed).standard_normal((n, dimensions), dtype=np.float32)
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors


def run(
    passages: np.ndarray, questions: np.ndarray, largest: int, n_grown: int, rounds: int
) -> tuple[list[dict], float]:
    """All rows, and the rate of the memory in bytes per second."""
    faiss.omp_set_num_threads(1)
    rate, rows, size = read_rate(), [], passages.shape[1]
    for n in [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= largest]:
        asked = random_vectors(20, size, seed=1)
        rows += measure("random", random_vectors(n, size), asked, {"brute force": BruteForce}, rate, rounds)
    rows += measure("passages", passages, questions, INDEXES, rate, rounds)
    noise, noise_asked = random_vectors(len(passages), size), random_vectors(len(questions), size, seed=1)
    rows += measure("random, same shape", noise, noise_asked, INDEXES, rate, 1)
    if n_grown:
        large = {
            name: make for name, make in INDEXES.items() if make is not Graph
        }  # its exact construction takes n² / 2
        large["inverted file"] = lambda vectors: InvertedFile(vectors, lists=512)
        large["hyperplanes (LSH)"] = lambda vectors: Hyperplanes(vectors, bits=10)
        rows += measure("grown", grown(passages, n_grown), questions[::4], large, rate, rounds)
    return rows, rate


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--write", action="store_true", help="renew data/results/vector_search.csv")
    parser.add_argument("--passages", type=int, default=None, help="only the first so many (quick, for trying)")
    parser.add_argument("--largest", type=int, default=1_000_000, help="largest random collection")
    parser.add_argument("--grown", type=int, default=100_000, help="size of the grown collection, 0 for none")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    smallest = max(InvertedFile.knobs["lists probed"]) * 4  # as many passages as the inverted file has lists, and more
    if options.passages is not None and options.passages < smallest:
        parser.error(f"--passages must be at least {smallest}, not {options.passages}.")
    if options.grown and options.grown < 1_000:
        parser.error(f"--grown must be 0 or at least 1,000, not {options.grown}.")
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}.")
    if options.write and (options.passages, options.largest, options.grown) != (None, 1_000_000, 100_000):
        parser.error("--write keeps the full table only: leave out --passages, --largest and --grown.")
    passages = encoder.passage_vectors()[: options.passages]
    questions = encoder.embed(datasets.questions()["question"].tolist(), precision="float32", progress=False)
    rows, rate = run(passages, questions, options.largest, options.grown, options.rounds)
    if options.write:
        pd.DataFrame(rows).to_csv(RESULTS, index=False, lineterminator="\n")
    if options.json:
        print(json.dumps({"threads": 1, "read_gb_per_second": round(rate / 1e9, 1), "rows": rows}))
        return
    print(f"One thread, which reads memory at {rate / 1e9:.1f} GB/s; median of single questions.\n")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
