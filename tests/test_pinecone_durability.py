"""What was acknowledged stays: with faults, with eight threads, with several processes, and after a SIGKILL."""

import os
import random
import signal
import socket
import sqlite3
import sys
import threading
import time
import warnings
from urllib.parse import urlsplit

import numpy as np
import pytest
from pinecone import Index, Pinecone
from pinecone.errors.exceptions import PineconeError
from pinecone_model import KEY, Service, no_waiting

from helpers.services import vector_store
from helpers.services.local_pinecone import LocalPinecone
from helpers.services.server import LocalProcess, LocalServer
from helpers.services.vector_store import StoreError, VectorStore

SOAK = float(os.environ.get("COURSE_SOAK_SECONDS", "3"))  # of the eight threads; 30 by hand


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    no_waiting(monkeypatch)
    yield
    no_waiting()


def versions(index, ids, namespace="") -> dict[str, int]:
    """The version of each stored record; a record's vector and metadata must be of the same one."""
    found = {}
    for start in range(0, len(ids), 500):
        for id_, record in index.fetch(ids=ids[start : start + 500], namespace=namespace).vectors.items():
            found[id_] = int(record.metadata["version"])
            assert record.values == [1.0, 2.0, float(found[id_])]
    return found


def batch(ids, version) -> list:
    return [(id_, [1.0, 2.0, version], {"version": version}) for id_ in ids]


@pytest.mark.parametrize("when", ["before", "after"])
def test_with_one_fault_in_five_every_record_arrives_once_in_its_final_form(tmp_path, when):
    ids = [f"r{n:03}" for n in range(600)]
    with Service(tmp_path) as service:
        index = service.index()
        service.app.faults.set(rate=0.2, seed=7, when=when, kinds=("429", "503", "drop"))
        for version in (1, 2):
            for start in range(0, 600, 10):
                send(index, batch(ids[start : start + 10], version))
        service.app.faults.off()
        counts = service.app.faults.counts
        assert counts["429"] + counts["503"] + counts["drop"] > 15  # there was something to survive
        assert (service.app.counts["upsert"] > 120) == (
            when == "after"
        )  # a lost answer means that the work is done twice
        assert versions(index, ids) == dict.fromkeys(ids, 2)
        assert index.describe_index_stats().total_vector_count == 600


def send(index, records):
    """The SDK tries four times; what fails then is sent again, as lesson 21 does."""
    while True:
        try:
            return index.upsert(vectors=records)
        except PineconeError:
            no_waiting()


def test_with_faults_the_failed_batches_can_be_sent_again(tmp_path):
    ids = [f"r{n:03}" for n in range(400)]
    with Service(tmp_path) as service:
        index = service.index()
        service.app.faults.set(rate=0.2, seed=3)
        left, rounds = batch(ids, 1), 0
        while left and rounds < 20:
            no_waiting()
            left = index.upsert(vectors=left, batch_size=10, show_progress=False).failed_items
            rounds += 1
        service.app.faults.off()
        assert not left and versions(index, ids) == dict.fromkeys(ids, 1)


def test_eight_threads_write_and_read(tmp_path):
    with Service(tmp_path) as service:
        index, problems, written = service.index(), [], {}
        end = time.monotonic() + SOAK

        def write(thread: int):
            version = 0
            while time.monotonic() < end:
                version += 1
                ids = [f"{thread}-{version % 7}-{n}" for n in range(25)]
                index.upsert(vectors=batch(ids, version))
                written.update(dict.fromkeys(ids, version))
                if version % 10 == 0:
                    gone = ids[:5]
                    index.delete(ids=gone)
                    for id_ in gone:
                        del written[id_]

        def read(thread: int):
            luck = random.Random(thread)
            while time.monotonic() < end:
                matches = index.query(
                    vector=[1, 2, 5], top_k=30, filter={"version": {"$gte": 1}}, include_metadata=True
                ).matches
                assert len({m.id for m in matches}) == len(matches)
                versions(index, [f"{luck.randrange(4)}-{luck.randrange(7)}-{n}" for n in range(25)])
                index.list_paginated(prefix=f"{luck.randrange(4)}-", limit=50)
                index.describe_index_stats()

        def guarded(action, thread):
            try:
                action(thread)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=guarded, args=((write, read)[n % 2], n // 2)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOAK + 30)
        assert not problems
        assert len(written) > 100 and versions(index, sorted(written)) == written
        assert index.describe_index_stats().total_vector_count == len(written)
    with Service(tmp_path) as again:  # and it is all on disk
        assert versions(again.index(), sorted(written)) == written


class Process:
    """A service in a process of its own. On Linux it is forked off, which takes no time: nothing is imported again."""

    def __init__(self, folder):
        if sys.platform != "linux":
            self.process = LocalProcess("helpers.services.local_pinecone", "--data", str(folder))
            self.url = self.process.start()
            return
        out, into = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of forks beside threads; there are none at this moment
            self.pid = os.fork()
        if self.pid == 0:
            try:
                url = LocalServer(LocalPinecone(VectorStore(folder), KEY), "to be killed").start()
                os.write(into, url.encode() + b"\n")
                time.sleep(600)
            finally:
                os._exit(1)
        os.close(into)
        with open(out) as pipe:
            self.url = pipe.readline().strip()

    def kill(self) -> bool:
        """SIGKILL; True if that ended it, and nothing else before."""
        if sys.platform != "linux":
            self.process.kill()
            return True
        os.kill(self.pid, signal.SIGKILL)
        return os.WTERMSIG(os.waitpid(self.pid, 0)[1]) == signal.SIGKILL


def test_sigkill_at_ten_random_moments_loses_nothing(tmp_path):
    luck = random.Random(20)
    # Each batch of ten records lives through versions; every fifth is a deletion. What was under way at the kill may be
    # there or not, but as a whole.
    done, started = {}, {}
    with Service(tmp_path) as service:
        service.index("course-kill")
    for _ in range(10):
        process, stop, writers = Process(tmp_path), threading.Event(), []
        try:
            index = Index(host=process.url + "/data/course-kill", api_key=KEY)
            check(index, done, started)
            for thread in range(2):
                writers.append(threading.Thread(target=work, args=(index, thread, done, started, stop)))
                writers[-1].start()
            time.sleep(luck.uniform(0.02, 0.4))
        finally:
            killed = process.kill()
            stop.set()
        for writer in writers:
            writer.join(30)
        assert killed
        no_waiting()
    with Service(tmp_path) as service:
        check(service.index("course-kill"), done, started)
    assert sum(1 for version in done.values() if version) > 20


def work(index, thread: int, done: dict, started: dict, stop: threading.Event):
    while not stop.is_set():
        for number in range(20):
            name = f"{thread}-{number:02}"
            started[name] = abs(started.get(name, 0)) + 1
            delete = started[name] % 5 == 0
            ids = [f"{name}#{n}" for n in range(10)]
            try:
                index.delete(ids=ids) if delete else index.upsert(vectors=batch(ids, started[name]))
            except PineconeError:
                return
            done[name] = started[name]


def check(index, done: dict, started: dict):
    """Every acknowledged write is there; one that was under way is there as a whole or not at all."""
    stored = versions(index, [f"{name}#{n}" for name in sorted(started) for n in range(10)]) if started else {}
    for name in sorted(started):
        found = {stored.get(f"{name}#{n}", 0) for n in range(10)}
        acknowledged, last = [version if version % 5 else 0 for version in (done.get(name, 0), started[name])]
        assert found in ({acknowledged}, {last}), (name, found, acknowledged, last)
        done[name] = started[name] if found == {last} else done.get(name, 0)


def test_two_processes_write_into_one_index(tmp_path):
    with Service(tmp_path) as here, LocalProcess("helpers.services.local_pinecone", "--data", str(tmp_path)) as url:
        one = here.index()
        other = Pinecone(api_key=KEY, host=url).index("course-test")
        threads = [
            threading.Thread(
                target=lambda i, p: [i.upsert(vectors=batch([f"{p}{n}"], n)) for n in range(1, 60)], args=pair
            )
            for pair in ((one, "a"), (other, "b"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        expected = {f"{p}{n}": n for p in "ab" for n in range(1, 60)}
        assert versions(one, sorted(expected)) == expected == versions(other, sorted(expected))
        one.delete(filter={"version": {"$lt": 30}})
        assert other.describe_index_stats().total_vector_count == 60
        other.delete(delete_all=True)
        one.upsert(vectors=batch(["new"], 1))
        for index in (one, other):
            assert [m.id for m in index.query(vector=[1, 2, 3], top_k=99).matches] == ["new"]
        # Nobody outside this computer can reach it.
        port = urlsplit(url).port
        for address in {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {
            "127.0.0.1"
        }:
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=2).close()


def test_a_deletion_is_heard_of_even_when_its_trace_is_gone(tmp_path, monkeypatch):
    first, second = VectorStore(tmp_path), VectorStore(tmp_path)
    index = first.create_index("course-x", 2, "cosine", {})
    first.upsert(index, "n", ["a", "b", "c"], np.eye(3, 2, dtype=np.float32) + 1, [None] * 3)
    with second.reading(index, "n") as segment:
        assert sorted(segment.ids) == ["a", "b", "c"]
    first.delete(index, "n", ["b"])
    monkeypatch.setattr(vector_store, "TOMBSTONE_SECONDS", -1)
    third = VectorStore(tmp_path)  # opening buries old deletions
    assert sqlite3.connect(tmp_path / "records.sqlite3").execute("SELECT count(*) FROM records").fetchone() == (2,)
    for store in (first, second, third):
        with store.reading(index, "n") as segment:
            assert sorted(segment.ids) == ["a", "c"]
        store.close()


def test_a_deleted_index_leaves_nothing_to_its_successor(tmp_path):
    with Service(tmp_path) as service, Service(tmp_path) as other:
        index = service.index()
        index.upsert(vectors=batch(["old"], 1))
        assert other.index().describe_index_stats().total_vector_count == 1
        Pinecone(api_key=KEY, host=service.url).delete_index("course-test")
        Pinecone(api_key=KEY, host=service.url).create_index("course-test", dimension=3)
        for reader in (index, other.index()):
            assert reader.describe_index_stats().total_vector_count == 0
            assert reader.query(vector=[1, 2, 3], top_k=3).matches == []


def test_a_write_that_fails_changes_nothing(tmp_path):
    store = VectorStore(tmp_path)
    index = store.create_index("course-x", 2, "cosine", {})
    store.upsert(index, "n", ["a"], np.ones((1, 2), np.float32), [{"v": 1.0}])

    def refuse(metadata):
        raise ValueError("no")

    with pytest.raises(ValueError):
        store.update(index, "n", "a", None, {"v": 2.0}, refuse)
    with store.reading(index, "n") as segment:
        assert segment.metadata == [{"v": 1.0}]
    store.upsert(index, "n", ["b"], np.ones((1, 2), np.float32), [None])  # and the store is usable
    store.close()


def test_what_cannot_be_opened_is_said(tmp_path):
    (tmp_path / "records.sqlite3").write_bytes(b"this is no database, but long enough to be read as one" * 40)
    with pytest.raises(StoreError, match="if the file is damaged, delete the folder"):
        VectorStore(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        VectorStore(tmp_path / "file")
    VectorStore(tmp_path / "old").close()
    with sqlite3.connect(tmp_path / "old" / "records.sqlite3") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="another version of the course: delete the folder"):
        VectorStore(tmp_path / "old")


def test_many_may_open_a_new_folder_at_once(tmp_path):
    stores, problems = [], []

    def open_one():
        try:
            stores.append(VectorStore(tmp_path / "new"))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and len(stores) == 8
    for store in stores:
        store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_closed_store_leaves_no_open_file(tmp_path):
    with Service(tmp_path) as service:
        service.index().upsert(vectors=batch(["a"], 1))
    left = [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    ]
    assert not [path for path in left if str(tmp_path) in path]
