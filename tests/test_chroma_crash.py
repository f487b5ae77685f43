"""A writer to Chroma may be killed at any moment, or run out of disk: what was acknowledged stays, and the rest can be resumed."""

import importlib.util
import json
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from helpers import datasets
from helpers.chroma import chroma_client

NEVER = 1_000_000  # a sync_threshold above what any collection here holds: the index is never saved
BATCH = 40

FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
"""


@pytest.fixture(scope="module")
def crash():
    path = datasets.DATA.parent / "benchmarks" / "chroma_crash.py"
    spec = importlib.util.spec_from_file_location("chroma_crash", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["chroma_crash"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["chroma_crash"]


@pytest.fixture(scope="module")
def pool(crash):
    with crash.Pool(ahead=2) as pool:
        yield pool


@pytest.fixture
def truth(crash, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(600, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"record-{number:03d}" for number in range(600)]
    return crash.Truth(names, [f"The text of {name}." for name in names], vectors, tmp_path)


@pytest.fixture
def half(truth, tmp_path):
    """A collection with the first 300 records, whose index is saved every 100."""
    write(tmp_path / "half", truth, range(300))
    return tmp_path / "half"


def write(folder, truth, rows):
    hnsw = {"space": "cosine", "sync_threshold": 100}
    with closing(chroma_client(folder)) as client:
        collection = client.get_or_create_collection("passages", embedding_function=None, configuration={"hnsw": hnsw})
        for at in range(rows.start, rows.stop, 50):
            part = slice(at, at + 50)
            collection.upsert(truth.ids[part], truth.vectors[part], documents=truth.documents[part])


def test_six_kills_in_one_ingestion_lose_nothing_and_double_nothing(crash, pool, truth, tmp_path):
    folder, moments = tmp_path / "killed", random.Random(0)
    for _ in range(6):
        writer = pool.take(crash.Writer)
        writer.write(truth.job(folder, NEVER, 20))
        for _ in range(moments.randint(1, 3)):
            writer.process.stdout.readline()
        time.sleep(moments.uniform(0, 0.01))  # somewhere inside the next batch
        at_work, acknowledged = writer.kill()
        assert at_work
        with closing(chroma_client(folder)) as client:
            there = client.get_collection("passages", embedding_function=None).get(include=[])["ids"]
        assert set(truth.ids[:acknowledged]) <= set(there) and len(there) < 600
    crash.fill(folder, truth, NEVER, 20, pool)
    assert crash.compare(folder, truth, pool)[0] == set(truth.ids)  # ids once each, texts, vectors


def test_a_killed_writer_is_surveyed_and_its_row_says_so(crash, truth):
    table = crash.kill_and_survey(truth, 1, {"never saved": (NEVER, BATCH)})
    row = table.iloc[0]
    assert (row["outcome"], row["mended"], row["finally_right"], len(table)) == ("complete", "resumed", 600, 1)
    assert row["acknowledged"] <= row["there"]


def test_resuming_writes_only_what_is_missing(crash, pool, truth, half):
    found = crash.survey(half, truth, 300, NEVER, BATCH, pool)
    assert (found["outcome"], found["there"], found["mended"], found["finally_right"]) == (
        "complete",
        300,
        "resumed",
        600,
    )


def test_an_acknowledged_record_that_is_missing_is_noticed_and_mended(crash, pool, truth, half):
    found = crash.survey(half, truth, 301, NEVER, BATCH, pool)
    assert found["outcome"] == "wrong" and "1 acknowledged" in found["said"]
    assert (found["mended"], found["finally_right"]) == ("rebuilt", 600)


@pytest.mark.parametrize(
    ("what", "record"),
    [
        ("vectors", {"ids": ["record-007"], "embeddings": [[1.0] + [0.0] * 63]}),
        ("documents", {"ids": ["record-007"], "documents": ["another text"]}),
        ("ids", {"ids": ["stranger"], "embeddings": [[1.0] + [0.0] * 63], "documents": ["The text of nobody."]}),
    ],
)
def test_one_wrong_record_among_hundreds_is_noticed(crash, pool, truth, half, what, record):
    with closing(chroma_client(half)) as client:
        client.get_collection("passages", embedding_function=None).upsert(
            **{"embeddings": truth.vectors[[7]], **record}
        )
    with pytest.raises(ValueError, match=f"^{what}"):
        crash.compare(half, truth, pool)


def test_a_torn_folder_is_noticed_and_rebuilt_from_the_truth(crash, pool, truth, half, tmp_path):
    """What a kill between two files leaves behind: the database of a later moment, the index of an earlier one."""
    shutil.copytree(half, tmp_path / "later")
    write(tmp_path / "later", truth, range(300, 600))
    shutil.copy(tmp_path / "later" / "chroma.sqlite3", half / "chroma.sqlite3")
    found = crash.survey(half, truth, 600, NEVER, BATCH, pool)
    assert found["outcome"] == "does not open" and found["said"]
    assert (found["mended"], found["finally_right"]) == ("rebuilt", 600)


def test_a_database_that_ends_its_reader_does_not_end_the_benchmark(crash, truth, half, monkeypatch):
    """As a damaged index can do: a segmentation fault is no exception that could be caught."""
    monkeypatch.setattr(crash, "READER", "import os, sys; sys.stdin.readline(); os._exit(11)")
    with crash.Pool(ahead=0) as pool, pytest.raises(crash.CannotOpen, match="ended"):
        crash.compare(half, truth, pool)


def test_a_full_disk_is_said_and_after_making_room_the_writing_goes_on(crash, pool, truth, tmp_path):
    pytest.importorskip("resource", reason="Windows cannot limit the size of a process's files")
    job = json.dumps(truth.job(tmp_path / "full", NEVER, BATCH))
    command = [sys.executable, "-c", FULL_DISK + crash.WRITER]
    writer = subprocess.run(command, input=job + "\n", capture_output=True, text=True, timeout=120)
    said = writer.stdout.split()
    assert writer.returncode != 0 and "Error" in writer.stderr  # raised, not swallowed
    assert said[0] == "ready" and 0 < int(said[-1]) < 600
    found = crash.survey(tmp_path / "full", truth, int(said[-1]), NEVER, BATCH, pool)
    assert (found["outcome"], found["mended"], found["finally_right"]) == ("complete", "resumed", 600)


def test_the_committed_table_holds_what_lesson_19_says_of_it(crash):
    table = pd.read_csv(crash.RESULTS, keep_default_na=False)
    kills = table["setting"].value_counts()
    assert set(kills.index) == set(crash.SETTINGS) and (kills >= 30).all()
    assert (table["finally_right"] == table["records"]).all()
    ours = table[table["setting"] == "the lesson's"]
    assert (ours["sync_threshold"] > ours["records"]).all()
    assert (ours["outcome"] == "complete").all() and (ours["mended"] == "resumed").all()
    assert (ours["there"] >= ours["acknowledged"]).all()
