"""Kill a process in the middle of writing to Chroma, many times, and look at what is left of the collection.

python benchmarks/chroma_crash.py [--kills 32] [--write]      --write keeps data/results/chroma_crash.csv, which lesson 19 shows
python benchmarks/chroma_crash.py --setting "saved often" --seed 1 --append      more kills of one setting: no row is ever taken out

For each kill an empty folder and a writer in a process of its own, which puts the encyclopedia into it in batches and says
after each batch what Chroma has acknowledged. It is killed (SIGKILL; TerminateProcess on Windows) at a random moment between
its first record and its last. Then the folder is opened again, every record is compared with the truth, what is missing is
written, the folder is closed and opened once more, and every record is compared again. Where Chroma cannot do that, the
folder is thrown away and filled anew: the truth is in the texts and in their vectors, and never only in the index.

One setting is not left to chance: "default, aimed" waits at the random moment for the next save of the index, and kills then.

Settings take turns: Chroma's own, which saves the index every 1,000 records, one that saves it every 100, and the lesson's,
which never does.
A killed process is not a power cut: what the operating system had taken over was still written to disk.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import datasets, encoder
from helpers.progress import ProgressBar

RESULTS = datasets.DATA / "results" / "chroma_crash.csv"
SETTINGS = {  # sync_threshold, records in a batch
    "Chroma's default": (1_000, 500),
    "saved often": (100, 100),  # more moments at which a kill can hit
    "the lesson's": (1_000_000, 500),  # above what any collection here holds: never saved
}
AIMED = "default, aimed"  # as Chroma's default, but killed when the first save after the random moment has begun
SETTINGS[AIMED] = SETTINGS["Chroma's default"]

WRITER = """
import json, sys
import chromadb, numpy as np
from chromadb.config import Settings

job = json.loads(sys.stdin.readline())  # imports take seconds: a writer is started early, and waits here
records = json.load(open(job["records"], encoding="utf-8"))
vectors = np.load(job["vectors"])
client = chromadb.PersistentClient(job["folder"], Settings(anonymized_telemetry=False))
collection = client.get_or_create_collection(
    "passages", embedding_function=None,
    configuration={"hnsw": {"space": "cosine", "sync_threshold": job["sync_threshold"]}},
)
print("ready", flush=True)
there = set(collection.get(include=[])["ids"])
todo = [row for row, name in enumerate(records["ids"]) if name not in there]
for start in range(0, len(todo), job["batch"]):
    rows = todo[start : start + job["batch"]]
    collection.upsert(
        [records["ids"][row] for row in rows], vectors[rows], documents=[records["documents"][row] for row in rows]
    )
    print(len(there) + start + len(rows), flush=True)
"""

READER = """
import json, sys, time
import chromadb, numpy as np
from chromadb.config import Settings

job = json.loads(sys.stdin.readline())
start = time.perf_counter()
try:
    client = chromadb.PersistentClient(job["folder"], Settings(anonymized_telemetry=False))
    collection = client.get_collection("passages", embedding_function=None)
    kept = collection.get(include=["embeddings", "documents"])
    vectors = np.array(kept["embeddings"], dtype=np.float32)
    if len(vectors):
        collection.query(query_embeddings=vectors[:1], n_results=1)  # loads the graph as well
    np.save(job["vectors"], vectors)
    found = {"ids": kept["ids"], "documents": kept["documents"], "count": collection.count()}
    found["seconds"] = time.perf_counter() - start
except BaseException as error:  # a panic of Chroma's compiled part is no Exception
    found = {"error": " ".join(str(error).split())}
print(json.dumps(found))
"""


@dataclass
class Truth:
    """What the collection must hold: n ids, n documents and unit vectors (n, d); kept as files for the writers."""

    ids: list[str]
    documents: list[str]
    vectors: np.ndarray
    folder: Path

    def __post_init__(self):
        np.save(self.folder / "vectors.npy", self.vectors)
        records = {"ids": self.ids, "documents": self.documents}
        (self.folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
        self.row = {name: row for row, name in enumerate(self.ids)}

    def job(self, folder: Path, sync_threshold: int, batch: int) -> dict:
        files = {"records": str(self.folder / "records.json"), "vectors": str(self.folder / "vectors.npy")}
        return {**files, "folder": str(folder), "sync_threshold": sync_threshold, "batch": batch}


class Child:
    """A process that imports Chroma and waits; ``begin`` gives it its job."""

    def __init__(self, script: str):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([sys.executable, "-c", script], text=True, encoding="utf-8", **pipes)

    def begin(self, job: dict) -> None:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Writer(Child):
    def __init__(self):
        super().__init__(WRITER)

    def write(self, job: dict) -> None:
        """Begin, and return when the collection is there and the first record is about to be written."""
        self.begin(job)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"The writer ended with code {self.process.wait()} before its first record.")

    def kill(self) -> tuple[bool, int]:
        """End it without a warning: whether it was still at work, and how many records had been acknowledged."""
        self.process.kill()
        code = self.process.wait()
        said = self.process.stdout.read().split()
        self.close()
        return code != 0, int(said[-1]) if said else 0


class Reader(Child):
    def __init__(self):
        super().__init__(READER)

    def read(self, folder: Path, vectors: Path) -> dict:
        """What is in the folder; the vectors go to a file. Raises CannotOpen."""
        try:
            self.begin({"folder": str(folder), "vectors": str(vectors)})
            said = self.process.stdout.read()
            if self.process.wait() != 0 or not said:
                raise CannotOpen("the process that opened it was ended (a segmentation fault)")
        finally:
            self.close()
        found = json.loads(said)
        if "error" in found:
            raise CannotOpen(found["error"])
        return found


class Pool:
    """Processes that are started ahead, since importing Chroma takes longer than their work."""

    def __init__(self, ahead: int = 3):
        self.ahead, self.waiting = ahead, {Writer: deque(), Reader: deque()}

    def take(self, kind):
        while len(self.waiting[kind]) <= self.ahead:
            self.waiting[kind].append(kind())
        return self.waiting[kind].popleft()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for child in [*self.waiting[Writer], *self.waiting[Reader]]:
            child.close()


class CannotOpen(Exception):
    """Chroma raised, or the process that opened the folder was ended by it."""


def compare(folder: Path, truth: Truth, pool: Pool) -> tuple[set[str], float]:
    """Open a folder in a process of its own, compare every record that is there with the truth: their ids, and the seconds to open.

    Not in this process, because a damaged index can end the process that loads it (a segmentation fault).
    Raises CannotOpen, or ValueError that names what is wrong.
    """
    vectors = truth.folder / "found.npy"
    found = pool.take(Reader).read(folder, vectors)
    ids = found["ids"]
    strange = [name for name in ids if name not in truth.row]
    if strange or len(set(ids)) < len(ids) or found["count"] != len(ids):
        raise ValueError(f"ids: {len(ids)} records, {found['count']} counted, unknown {strange[:3]}")
    rows = [truth.row[name] for name in ids]
    if found["documents"] != [truth.documents[row] for row in rows]:
        raise ValueError("documents differ")
    if rows and not np.allclose(np.load(vectors), truth.vectors[rows], atol=1e-6):
        raise ValueError("vectors differ")
    return set(ids), round(found["seconds"], 2)


def fill(folder: Path, truth: Truth, sync_threshold: int, batch: int, pool: Pool) -> None:
    """Let a writer write what is not there yet, to its end. Raises CannotOpen where it does not get there."""
    writer = pool.take(Writer)
    try:
        writer.begin(truth.job(folder, sync_threshold, batch))
        writer.process.stdout.read()
        if writer.process.wait() != 0:
            raise CannotOpen("the writer that resumed did not come to its end")
    finally:
        writer.close()


def survey(folder: Path, truth: Truth, acknowledged: int, sync_threshold: int, batch: int, pool: Pool) -> dict:
    """After a kill: open, compare, resume, compare; where that fails, rebuild and compare.

    ``outcome``: "complete" (all that was acknowledged is there and right), "does not open", or "wrong". ``mended``: "resumed" or
    "rebuilt". ``finally_right``: how many records agree with the truth in id, text and vector at the end (all, or it raises).
    """
    found, there = (
        {"acknowledged": acknowledged, "there": 0, "outcome": "complete", "said": "", "seconds_to_open": None},
        set(),
    )
    try:
        there, found["seconds_to_open"] = compare(folder, truth, pool)
        if missing := set(truth.ids[:acknowledged]) - there:
            raise ValueError(f"{len(missing)} acknowledged records are missing")
    except (CannotOpen, ValueError) as error:
        found |= {"outcome": "wrong" if isinstance(error, ValueError) else "does not open", "said": str(error)[:160]}
    found |= {"there": len(there), "mended": "resumed"}
    try:
        if found["outcome"] != "complete":
            raise ValueError(found["said"])
        fill(folder, truth, sync_threshold, batch, pool)
        finally_there, _ = compare(folder, truth, pool)
        if finally_there != set(truth.ids):
            raise ValueError(f"{len(truth.ids) - len(finally_there)} records are missing after resuming")
    except (CannotOpen, ValueError) as error:
        found |= {"mended": "rebuilt", "said": found["said"] or str(error)[:160]}
        shutil.rmtree(folder)
        fill(folder, truth, sync_threshold, batch, pool)
        finally_there, _ = compare(folder, truth, pool)
    if finally_there != set(truth.ids):
        raise AssertionError(f"{len(truth.ids) - len(finally_there)} records are missing even after a rebuild")
    return found | {"finally_right": len(finally_there)}


def duration(truth: Truth, folder: Path, sync_threshold: int, batch: int) -> float:
    """Seconds from the first record to the last of a writer that nobody kills."""
    writer = Writer()
    try:
        writer.write(truth.job(folder, sync_threshold, batch))
        start = time.perf_counter()
        writer.process.stdout.read()
        return time.perf_counter() - start
    finally:
        writer.close()


def wait_for_a_save(folder: Path, process: subprocess.Popen) -> None:
    """Return when a file of the saved index is written to, or the process has ended."""

    def saved() -> list[int]:
        return [path.stat().st_mtime_ns for path in folder.glob("*/data_level0.bin")]

    before = saved()
    while saved() == before and process.poll() is None:
        time.sleep(0.0005)


def kill_and_survey(truth: Truth, kills: int, settings: dict[str, tuple[int, int]], seed: int = 0) -> pd.DataFrame:
    """One row for each kill of a working writer, ``kills`` of each setting; the settings take turns."""
    moments, rows = random.Random(seed), []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place,
        ProgressBar(kills * len(settings), "Killing writers") as bar,
    ):
        seconds = {
            name: duration(truth, Path(place) / f"whole-{len(name)}-{how[0]}", *how) for name, how in settings.items()
        }
        with Pool(ahead=min(3, kills)) as pool:
            while len(rows) < kills * len(settings):
                name = list(settings)[len(rows) % len(settings)]
                folder = Path(tempfile.mkdtemp(dir=place))
                writer = pool.take(Writer)
                try:
                    writer.write(truth.job(folder, *settings[name]))
                    time.sleep(moments.uniform(0, seconds[name]))
                    if name == AIMED:
                        wait_for_a_save(folder, writer.process)
                        time.sleep(moments.uniform(0, 0.01))
                finally:
                    at_work, acknowledged = writer.kill()
                if not at_work:
                    continue  # it was done before the kill: that proves nothing
                found = survey(folder, truth, acknowledged, *settings[name], pool)
                about = {"setting": name, "sync_threshold": settings[name][0], "records": len(truth.ids)}
                rows.append({**about, **found})
                shutil.rmtree(folder)
                bar.update()
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One line a setting: kills, what was found, what helped, and the records compared at the end."""
    groups = table.groupby("setting", sort=False)
    lines = {
        name: {
            "kills": len(rows),
            "complete": (rows["outcome"] == "complete").sum(),
            "does not open": (rows["outcome"] == "does not open").sum(),
            "wrong": (rows["outcome"] == "wrong").sum(),
            "rebuilt": (rows["mended"] == "rebuilt").sum(),
            "right in the end": (rows["finally_right"] == rows["records"]).sum(),
            "records compared": rows["finally_right"].sum(),
            "seconds to open (median)": rows["seconds_to_open"].median(),
        }
        for name, rows in groups
    }
    return pd.DataFrame(lines).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=32, help="of each setting")
    parser.add_argument("--setting", choices=SETTINGS, help="only this one")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--append", action="store_true", help="add the rows to the table that is there")
    parser.add_argument("--records", type=int, default=3_000, help="passages to write, each time")
    parser.add_argument("--write", action="store_true", help=f"keep the table as {RESULTS.name}")
    options = parser.parse_args()
    passages = datasets.passages()[: options.records]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        truth = Truth(
            passages["id"].tolist(),
            passages["text"].tolist(),
            encoder.passage_vectors()[: options.records],
            Path(place),
        )
        settings = {options.setting: SETTINGS[options.setting]} if options.setting else SETTINGS
        table = kill_and_survey(truth, options.kills, settings, options.seed)
    if options.append and RESULTS.exists():
        table = pd.concat([pd.read_csv(RESULTS, keep_default_na=False), table], ignore_index=True)
    if options.write or options.append:
        table.to_csv(RESULTS, index=False, lineterminator="\n")
    print(summary(table).to_string())
    for said, times in table["said"][table["said"] != ""].value_counts().items():
        print(f"{times} × {said}")


if __name__ == "__main__":
    main()
