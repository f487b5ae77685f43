"""How fast ``embed()`` is, beside ``SentenceTransformer.encode`` on the same passages.

python benchmarks/encoder.py [--json] [--passages 600] [--rounds 5]

Runs are interleaved, so that a slow minute of the machine hits all alike; the table shows medians, and ratios are
medians of the ratios within a round. ``ratio`` compares with encode as users call it (float32),
``ratio_same_precision`` with encode on a model in the precision that embed() chose.
"""

import argparse
import json
import time

import numpy as np
import torch

from helpers import datasets, encoder


def timed(work) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(n_passages: int, rounds: int) -> dict:
    texts = datasets.passages()["text"].sample(n_passages, random_state=0).tolist()
    chosen = "bfloat16" if encoder.has_fast_bfloat16() else "float32"
    plain, same = encoder.load_encoder(), encoder._model(chosen)
    ways = {
        "encode, float32": lambda: plain.encode(texts, show_progress_bar=False),
        f"encode, {chosen}": lambda: same.encode(texts, convert_to_numpy=False, show_progress_bar=False),
        "embed(), float32": lambda: encoder.embed(texts, cache=False, progress=False, precision="float32"),
        f"embed(), {chosen}": lambda: encoder.embed(texts, cache=False, progress=False, precision=chosen),
    }
    for work in (
        lambda: plain.encode(texts[:64]),
        lambda: encoder.embed(texts[:64], cache=False, progress=False, precision=chosen),
    ):
        work()  # the first call of anything is slow
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        results = {}
        for name, work in ways.items():
            elapsed, results[name] = timed(work)
            seconds[name].append(elapsed)
    cosines = (results["encode, float32"] * results[f"embed(), {chosen}"]).sum(axis=1)
    of = {name: np.array(times) for name, times in seconds.items()}
    ours = of[f"embed(), {chosen}"]
    return {
        "passages": n_passages,
        "precision": chosen,
        "threads": torch.get_num_threads(),
        "passages_per_second": {name: round(n_passages / float(np.median(times)), 1) for name, times in of.items()},
        "ratio": round(float(np.median(of["encode, float32"] / ours)), 2),
        "ratio_same_precision": round(float(np.median(of[f"encode, {chosen}"] / ours)), 2),
        "ratio_float32": round(float(np.median(of["encode, float32"] / of["embed(), float32"])), 2),
        "min_cosine": round(float(cosines.min()), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--passages", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.passages, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{found['passages']} passages, {found['threads']} threads, median of {options.rounds} interleaved rounds\n")
    for name, speed in found["passages_per_second"].items():
        print(f"{name:20} {speed:8.1f} passages/s")
    print(f"\nembed() against encode as users call it: {found['ratio']:.2f}×")
    print(f"embed() against encode in {found['precision']}:     {found['ratio_same_precision']:.2f}×")
    print(f"embed() against encode, both float32:    {found['ratio_float32']:.2f}×")
    print(f"lowest cosine to encode in float32:      {found['min_cosine']:.6f}")


if __name__ == "__main__":
    main()
