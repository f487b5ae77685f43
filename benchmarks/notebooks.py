"""How long each notebook takes, and how much memory: python benchmarks/notebooks.py [05 quiz_1 …] [--json FILE]

Each notebook runs as the tests run it, on one thread and in a fresh kernel, one after another; its file is not touched.
Memory is the largest sum over the kernel and every process it started, sampled ten times a second (unique set size, so
that shared libraries do not count twice; resident set size where the system does not tell). Run it on a quiet machine,
after python -m helpers.prepare. The exit code is 1 where a limit of the course is not kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parent.parent
SECONDS, SLOWEST, GIB = 60, 120, 3  # at most two notebooks may take longer than the first, none longer than the second
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def memory(process: psutil.Process) -> int:
    """Bytes held by a process and its descendants; those that ended in between count nothing."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            held = one.memory_full_info()
            total += getattr(held, "uss", held.rss)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return total


def measure(notebook: Path) -> dict:
    """Seconds from start to end, the largest memory in GiB, and whether it ran to its end."""
    code = "import sys, pathlib, nbformat; from helpers.refresh import execute; path = pathlib.Path(sys.argv[1])\n"
    code += "execute(nbformat.read(path, as_version=4), path.parent)"
    env = os.environ | ONE_THREAD | {"PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1", "COURSE_REFRESH": "1"}
    peak, over = 0, threading.Event()
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([sys.executable, "-c", code, str(notebook)], env=env, cwd=ROOT, stderr=said)
        watched = psutil.Process(child.pid)

        def watch():
            nonlocal peak
            while not over.wait(0.1):
                try:
                    peak = max(peak, memory(watched))
                except psutil.NoSuchProcess:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        ended = child.wait()
        seconds = time.perf_counter() - start
        over.set()
        watcher.join()
        if ended:
            said.seek(0)
            print(
                f"{notebook.name} did not run to its end:",
                said.read().decode("utf-8", "replace")[-1500:],
                file=sys.stderr,
            )
    return {"notebook": notebook.stem, "seconds": round(seconds), "GiB": round(peak / 2**30, 2), "ran": ended == 0}


def kept(table: pd.DataFrame) -> bool:
    """Whether the limits of the course hold: no notebook over 120 s or 3 GiB, at most two over 60 s, all run to their end."""
    slow = table["seconds"].sort_values(ascending=False)
    return bool(
        table["ran"].all()
        and slow.iloc[0] <= SLOWEST
        and (slow.iloc[2:] <= SECONDS).all()
        and table["GiB"].max() <= GIB
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="numbers or beginnings of names; all notebooks without")
    parser.add_argument("--json", type=Path, help="write the table there as well")
    options = parser.parse_args()
    notebooks = sorted((ROOT / "notebooks").glob("*/*.ipynb"))
    chosen = [path for path in notebooks if not options.names or path.stem.startswith(tuple(options.names))]
    if not chosen:
        parser.error(f"no notebook begins with {' or '.join(options.names)}")
    rows = []
    for path in chosen:
        rows.append(measure(path))
        print(
            "{notebook:45} {seconds:4d} s {GiB:6.2f} GiB{0}".format("" if rows[-1]["ran"] else "  FAILED", **rows[-1]),
            flush=True,
        )
    table = pd.DataFrame(rows)
    print(f"{'together':45} {table['seconds'].sum():4d} s {table['GiB'].max():6.2f} GiB at most")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(
        "The limits are kept." if kept(table) else f"Over a limit: {SLOWEST} s, {SECONDS} s for all but two, {GIB} GiB."
    )
    return 0 if kept(table) else 1


if __name__ == "__main__":
    sys.exit(main())
