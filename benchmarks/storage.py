"""What the storage of vectors costs per query: bytes and milliseconds of each format, by NumPy and by faiss, on one thread.

python benchmarks/storage.py [--rounds 15]      writes data/results/storage.csv, which lesson 14 shows

The small collection is the encyclopedia; the large one repeats its vectors with a little noise until there are 200,000,
which is right for measuring time and for nothing else. Formats take turns, so that a slow moment of the machine hits all
alike; the table holds medians. Each query is asked alone, as users ask.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # read when NumPy and faiss are imported, so it is set before

import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import faiss  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from helpers import datasets, encoder  # noqa: E402
from helpers.systems import RESCORED  # noqa: E402

LARGE = 200_000
RESULTS = datasets.DATA / "results" / "storage.csv"
Search = Callable[[np.ndarray], np.ndarray]


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k highest scores, unsorted: sorting ten is free, finding them among 200,000 is not."""
    return np.argpartition(scores, len(scores) - k)[-k:]


def by_numpy(vectors: np.ndarray) -> dict[str, tuple[float, Search]]:
    """For each format its bytes per passage and a function from one question (384,) to the places of its first ten."""
    half = vectors.astype(np.float16)
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-9) / 127
    codes = np.round(vectors / scale).astype(np.int8)
    words = np.packbits(vectors > 0, axis=1).view(np.uint64)  # (n, 6): 64 bits are compared at a time

    def equal_bits(question: np.ndarray) -> np.ndarray:
        return -np.bitwise_count(words ^ np.packbits(question > 0).view(np.uint64)).sum(axis=1, dtype=np.int16)

    def rescored(question: np.ndarray) -> np.ndarray:
        candidates = best(equal_bits(question), RESCORED)
        return candidates[best(codes[candidates] @ (question * scale), 10)]

    size = vectors.shape[1]
    return {
        "float32": (4 * size, lambda question: best(vectors @ question, 10)),
        "float16": (2 * size, lambda question: best(half @ question, 10)),
        "int8": (size, lambda question: best(codes @ (question * scale), 10)),
        "binary": (size / 8, lambda question: best(equal_bits(question), 10)),
        "binary and rescored": (size / 8 + size, rescored),
    }


def by_faiss(vectors: np.ndarray) -> dict[str, tuple[float, Search]]:
    """The same formats in faiss's indexes, which read them without converting the whole collection first."""
    size, inner = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
    indexes = {
        "float32": (4 * size, faiss.IndexFlatIP(size)),
        "float16": (2 * size, faiss.IndexScalarQuantizer(size, faiss.ScalarQuantizer.QT_fp16, inner)),
        "int8": (size, faiss.IndexScalarQuantizer(size, faiss.ScalarQuantizer.QT_8bit, inner)),
    }
    for _, index in indexes.values():
        index.train(vectors)
        index.add(vectors)
    bits = faiss.IndexBinaryFlat(size)
    bits.add(np.packbits(vectors > 0, axis=1))
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-9) / 127
    codes = np.round(vectors / scale).astype(np.int8)

    def equal_bits(question: np.ndarray, k: int) -> np.ndarray:
        return bits.search(np.packbits(question > 0)[None], k)[1][0]

    def rescored(question: np.ndarray) -> np.ndarray:
        candidates = equal_bits(question, RESCORED)
        return candidates[best(codes[candidates] @ (question * scale), 10)]

    found = {name: (cost, lambda q, i=index: i.search(q[None], 10)[1][0]) for name, (cost, index) in indexes.items()}
    return found | {
        "binary": (size / 8, lambda question: equal_bits(question, 10)),
        "binary and rescored": (size / 8 + size, rescored),
    }


def large_collection(vectors: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    rows = vectors[np.arange(LARGE) % len(vectors)]
    rows = rows + random.normal(scale=0.01, size=rows.shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measure(vectors: np.ndarray, questions: np.ndarray, rounds: int) -> list[dict]:
    """Median milliseconds of one query for each engine and format."""
    ways = {("numpy", name): way for name, way in by_numpy(vectors).items()}
    ways |= {("faiss", name): way for name, way in by_faiss(vectors).items()}
    times: dict = {key: [] for key in ways}
    for turn in range(rounds + 1):
        for key, (_, search) in ways.items():
            start = time.perf_counter()
            search(questions[turn % len(questions)])
            times[key].append(1000 * (time.perf_counter() - start))
    return [
        {
            "passages": len(vectors),
            "engine": engine,
            "format": name,
            "bytes_per_passage": ways[engine, name][0],
            "ms_per_query": float(f"{np.median(times[engine, name][1:]):.2g}"),  # the first call of anything is slow
        }
        for engine, name in ways
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    vectors = encoder.passage_vectors()
    asked = encoder.embed(datasets.questions("dev")["question"].tolist(), precision="float32", progress=False)
    rows = []
    for collection in (vectors, large_collection(vectors)):
        rows += measure(collection, asked, options.rounds)
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS, index=False, lineterminator="\n")
    wide = table.pivot(index=["passages", "format", "bytes_per_passage"], columns="engine", values="ms_per_query")
    print(wide.to_string())


if __name__ == "__main__":
    main()
