"""Encoding as a Ray Data pipeline, beside helpers.encoder.embed in one process, and with a worker killed in the middle.

python benchmarks/ray_pipeline.py [--passages 500 2000] [--workers 1 2] [--kill] [--write]

Needs requirements-scale.txt. Each worker is a process with a model of its own and one core. ``startup`` is the time until the
first batch is done: Ray itself, its workers, the import of torch, the model. ``--kill`` ends one worker with SIGKILL after its
first batch. In every run it is checked that each passage arrived exactly once, with the vector that one process gives.
``--write`` keeps the table in data/results/ray_pipeline.csv.
"""

import argparse
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import datasets

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
RESULTS = datasets.DATA / "results" / "ray_pipeline.csv"
BATCH = 64  # passages that travel to a worker together
BLOCK = 128  # passages in a block, the unit that is lost and done again with a worker


class Encoder:
    """A worker: loads the model once, then turns batches of texts into vectors; leaves a note of each batch in a folder."""

    def __init__(self, notes: str):
        import torch

        from helpers import encoder

        torch.set_num_threads(1)
        encoder.load_encoder()
        self.embed, self.notes = encoder.embed, Path(notes)

    def __call__(self, batch: dict) -> dict:
        batch["vector"] = self.embed(list(batch["text"]), precision="float32", cache=False, progress=False)
        (self.notes / f"{time.time():.6f} {os.getpid()}").touch()
        return {"id": batch["id"], "vector": batch["vector"]}


def pipeline(passages: pd.DataFrame, workers: int, folder: Path, kill: bool = False) -> dict:
    """Encode ``passages`` (columns id and text) into Parquet files under ``folder``; returns the seconds of startup and in all."""
    import ray

    notes = folder / "notes"
    notes.mkdir(parents=True)
    started, begin = time.time(), time.perf_counter()
    ray.init(address="local",
        _node_ip_address="127.0.0.1", num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
             runtime_env={"env_vars": {"PYTHONPATH": str(datasets.DATA.parent)}})  # fmt: skip
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        blocks = ray.data.from_pandas(passages[["id", "text"]]).repartition(-(-len(passages) // BLOCK))
        encoded = blocks.map_batches(
            Encoder, fn_constructor_args=[str(notes)], batch_size=BATCH, num_cpus=1, compute=ray.data.ActorPoolStrategy(size=workers)
        )  # fmt: skip
        if kill:
            _kill_soon(notes)
        encoded.write_parquet(str(folder / "vectors"))
        seconds = time.perf_counter() - begin
    finally:
        ray.shutdown()
    stamps = sorted((float(stamp), int(process)) for stamp, process in (note.name.split() for note in notes.iterdir()))
    return {
        "seconds_startup": stamps[0][0] - started,
        "seconds_total": seconds,
        "processes": len({p for _, p in stamps}),
    }


def _kill_soon(notes: Path) -> None:
    """In the background: SIGKILL for the worker that is the first to finish a batch."""
    import threading

    def wait_and_kill() -> None:
        while not (done := list(notes.iterdir())):
            time.sleep(0.05)
        os.kill(int(done[0].name.split()[1]), signal.SIGKILL)
        print(f"killed a worker after {len(done)} batches", flush=True)

    threading.Thread(target=wait_and_kill, daemon=True).start()


def check(passages: pd.DataFrame, folder: Path) -> None:
    """Assert that the folder holds every passage exactly once, with the vector that one process gives."""
    from helpers import encoder

    table = pd.read_parquet(folder / "vectors")
    assert table["id"].is_unique and set(table["id"]) == set(passages["id"]), "a passage is missing or came twice"
    found = np.stack(table.set_index("id").loc[passages["id"], "vector"].to_numpy())
    places = np.linspace(0, len(passages) - 1, 40).astype(int)
    expected = encoder.embed(passages["text"].iloc[places], precision="float32", cache=False, progress=False)
    assert np.abs(found[places] - expected).max() < 1e-5, "a vector is not that of its passage"


def one_process(passages: pd.DataFrame) -> dict:
    """The same work by ``embed``, with all cores, the model loaded already."""
    from helpers import encoder

    encoder.embed("warm up", progress=False)
    begin = time.perf_counter()
    encoder.embed(passages["text"], precision="float32", cache=False, progress=False)
    return {"seconds_startup": 0.0, "seconds_total": time.perf_counter() - begin, "processes": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passages", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--kill", action="store_true", help="kill a worker in the middle, and check that nothing is lost"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"keep the table as {RESULTS.relative_to(datasets.DATA.parent)}"
    )
    options = parser.parse_args()
    rows = []
    for n in options.passages:
        passages = datasets.passages().head(n)
        if not options.kill:
            rows.append({"pipeline": "embed, one process", "workers": 1, "passages": n} | one_process(passages))
        for workers in options.workers:
            folder = Path(tempfile.mkdtemp(prefix="ray-pipeline-"))
            try:
                found = pipeline(passages, workers, folder, options.kill)
                check(passages, folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            rows.append({"pipeline": "Ray Data", "workers": workers, "passages": n} | found)
    table = pd.DataFrame(rows)
    table["passages_per_s"] = table["passages"] / (table["seconds_total"] - table["seconds_startup"])
    table = table.round({"seconds_startup": 1, "seconds_total": 1, "passages_per_s": 1})
    print(table.to_string(index=False))
    if options.write:
        table.to_csv(RESULTS, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
