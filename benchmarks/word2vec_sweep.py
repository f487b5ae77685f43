"""What each setting of Word2Vec is worth: one changed at a time, measured against people.

python benchmarks/word2vec_sweep.py            writes data/results/word2vec_sweep.csv (about eight minutes on one core)
python benchmarks/word2vec_sweep.py --only "window 5"     trains one setting and prints it

A row is one training (one worker, so it repeats): the settings, ρ with its 95 % interval and number of pairs on WordSim-353
and SimLex-999, and the paired gain in ρ on WordSim-353 over the baseline of the same seed; ``mean_…`` is over all seeds of
the setting. Seconds are of the processor.
"""

import argparse
import time

import pandas as pd

from helpers import datasets
from helpers.word2vec import CBOW, DEFAULTS, SKIP_GRAM, train, vocabulary_and_vectors
from helpers.words import difference, evaluate_words, mean_rho

RESULTS = datasets.DATA / "results" / "word2vec_sweep.csv"
ONE, THREE = (1,), (1, 2, 3)
SWEEP = {
    "baseline": (SKIP_GRAM, THREE),
    "gensim's defaults": (DEFAULTS, THREE),
    "defaults, skip-gram": (DEFAULTS | {"sg": 1}, THREE),
    "CBOW": (SKIP_GRAM | {"sg": 0}, THREE),
    "CBOW, rate 0.1": (CBOW, THREE),
    "window 2": (SKIP_GRAM | {"window": 2}, THREE),
    "window 5": (SKIP_GRAM | {"window": 5}, ONE),
    "window 20": (SKIP_GRAM | {"window": 20}, ONE),
    "50 dimensions": (SKIP_GRAM | {"vector_size": 50}, ONE),
    "200 dimensions": (SKIP_GRAM | {"vector_size": 200}, ONE),
    "1 negative": (SKIP_GRAM | {"negative": 1}, ONE),
    "15 negatives": (SKIP_GRAM | {"negative": 15}, ONE),
    "sample 1e-3": (SKIP_GRAM | {"sample": 1e-3}, ONE),
    "sample 1e-5": (SKIP_GRAM | {"sample": 1e-5}, ONE),
    "5 epochs": (SKIP_GRAM | {"epochs": 5}, THREE),
    "10 epochs": (SKIP_GRAM | {"epochs": 10}, ONE),
    "40 epochs": (SKIP_GRAM | {"epochs": 40}, ONE),
    "rate 0.05": (SKIP_GRAM | {"alpha": 0.05}, ONE),
}


def measure(name: str, seed: int) -> tuple[dict, object]:
    settings = SWEEP[name][0]
    start = time.process_time()
    model = train(settings, seed)
    seconds = time.process_time() - start
    row, found = {"name": name, "seed": seed, **settings}, {}
    for data in ("wordsim", "simlex"):
        found[data] = evaluate_words(*vocabulary_and_vectors(model), data)
        row |= {f"{data}_{what}": round(getattr(found[data], what), 4) for what in ("rho", "low", "high", "n")}
    print(f"{name:20} seed {seed}  {seconds:5.1f} s  {found['wordsim']}  {found['simlex']}", flush=True)
    return row | {"cpu_seconds": round(seconds, 1)}, found["wordsim"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=list(SWEEP), help="train this setting with its first seed, and write nothing")
    only = parser.parse_args().only
    if only:
        measure(only, SWEEP[only][1][0])
        return
    rows, baselines = [], {}
    for name, (_, seeds) in SWEEP.items():
        found = [measure(name, seed) for seed in seeds]
        mean = mean_rho([evaluation for _, evaluation in found])
        for row, evaluation in found:
            base = baselines.setdefault(row["seed"], evaluation)  # the baseline comes first, with every seed
            added = zip(("mean_rho", "mean_low", "mean_high", "gain", "gain_low", "gain_high"),
                        (*mean, *difference(evaluation, base)), strict=True)  # fmt: skip
            rows.append(row | {what: round(value, 4) for what, value in added})
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
