"""What lesson 13 takes ready-made: vectors of chunks in several sizes, of titled passages, and MaxSim on the test questions.

python benchmarks/chunking.py [chunks_128 …] [passages_with_title] [maxsim]     (without a name: all, in about a quarter of an hour)

Writes data/vectors/chunks_*.npy and passages_with_title.npy with their sidecars, and data/results/maxsim.csv: for each
test question the first ten passages after late interaction on MiniLM's first 30.
"""

import sys
import warnings

import pandas as pd

from helpers import datasets, encoder
from helpers.chunks import CUTS, TITLED, chunks, titled_passages
from helpers.systems import maxsim

RESULTS = datasets.DATA / "results" / "maxsim.csv"


def write_vectors(name: str) -> None:
    frame = titled_passages() if name == TITLED else chunks(*CUTS[name])
    with warnings.catch_warnings(record=True) as caught:  # a title can push the end of a full passage out
        warnings.simplefilter("always")
        encoder.write_ready_made(name, frame)
    print(f"{name}: {len(frame):,} texts", *(f"({warning.message})" for warning in caught), flush=True)


def write_maxsim() -> None:
    test = datasets.questions("test")
    rows = [
        (question, rank, passage)
        for question, ranking in zip(test["id"], maxsim(test["question"].tolist()), strict=True)
        for rank, passage in enumerate(ranking[:10], 1)
    ]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["question", "rank", "passage"]).to_csv(RESULTS, index=False, lineterminator="\n")
    print(f"maxsim: {len(test)} questions", flush=True)


def main() -> None:
    parts = [*CUTS, TITLED, "maxsim"]
    wanted = sys.argv[1:] or parts
    if unknown := set(wanted) - set(parts):
        sys.exit(f"There is no part {unknown.pop()!r}: choose from {', '.join(parts)}.")
    for part in wanted:
        write_maxsim() if part == "maxsim" else write_vectors(part)


if __name__ == "__main__":
    main()
