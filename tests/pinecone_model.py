"""What the Pinecone tests share: a reference model in plain NumPy and pandas, and a running service."""

import asyncio
import contextlib
import functools
import inspect
import sys

import numpy as np
import pandas as pd
import pinecone._internal.http_client as transport
import pytest
from pinecone import AsyncPinecone, Pinecone
from pinecone._internal.bulk import get_registry

from helpers.services.local_pinecone import LocalPinecone
from helpers.services.server import LocalServer
from helpers.services.vector_store import VectorStore

KEY = "pcsk_NeverShowThisKey_0123456789"
addresses: list = []  # of all connections and listeners of this process, while the guard watches


class Model:
    """A namespace as a frame with columns id, vector, metadata: slow, plain, and easy to believe."""

    def __init__(self):
        self.frame = pd.DataFrame({"id": [], "vector": [], "metadata": []}, dtype=object)

    def upsert(self, records):
        for id_, vector, metadata in records:
            self.frame = self.frame[self.frame["id"] != id_]
            row = {"id": [id_], "vector": [np.array(vector, np.float32)], "metadata": [floats(metadata)]}
            self.frame = pd.concat([self.frame, pd.DataFrame(row)], ignore_index=True)

    def update(self, ids, metadata, vector=None):
        for row in self.frame.index[self.frame["id"].isin(ids)]:
            self.frame.at[row, "metadata"] = {**self.frame.at[row, "metadata"], **floats(metadata)}
            if vector is not None:
                self.frame.at[row, "vector"] = np.array(vector, np.float32)

    def delete(self, ids):
        self.frame = self.frame[~self.frame["id"].isin(ids)]

    def matching(self, condition) -> list[str]:
        kept = [matches(metadata, condition) for metadata in self.frame["metadata"]]
        return sorted(self.frame["id"][np.array(kept, bool)])

    def query(self, vector, metric, top_k, condition=None) -> list[tuple[str, float]]:
        chosen = self.frame if condition is None else self.frame[self.frame["id"].isin(self.matching(condition))]
        if chosen.empty:
            return []
        vectors, query = np.stack(chosen["vector"]).astype(float), np.array(vector, np.float32).astype(float)
        if metric == "euclidean":
            scores = np.square(vectors - query).sum(axis=1)
        else:
            scores = (vectors * query).sum(axis=1)
            if metric == "cosine":
                scores = scores / np.sqrt(np.square(vectors).sum(axis=1)) / np.sqrt(np.square(query).sum())
        ranked = pd.DataFrame({"id": chosen["id"].to_numpy(), "score": scores.astype(np.float32)})
        ranked = ranked.sort_values(["score", "id"], ascending=[metric == "euclidean", True])
        return list(ranked.head(top_k).itertuples(index=False, name=None))


def floats(metadata):
    """Metadata as Pinecone hands it back: its numbers are 64-bit floats."""
    return {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in (metadata or {}).items()}


def matches(metadata: dict, condition: dict) -> bool:
    """Whether a record passes a filter, one record and one operator at a time."""
    for key, value in condition.items():
        if key == "$and":
            passed = all(matches(metadata, part) for part in value)
        elif key == "$or":
            passed = any(matches(metadata, part) for part in value)
        else:
            tests = value if isinstance(value, dict) else {"$eq": value}
            passed = all(_test(metadata.get(key), operator, operand) for operator, operand in tests.items())
        if not passed:
            return False
    return True


def _test(value, operator, operand) -> bool:
    def same(operand):
        if isinstance(value, list):
            return operand in value
        return value == operand and isinstance(value, bool) == isinstance(operand, bool)

    number = isinstance(value, float)
    return {
        "$eq": lambda: same(operand),
        "$ne": lambda: not same(operand),
        "$gt": lambda: number and value > operand,
        "$gte": lambda: number and value >= operand,
        "$lt": lambda: number and value < operand,
        "$lte": lambda: number and value <= operand,
        "$in": lambda: any(same(o) for o in operand),
        "$nin": lambda: not any(same(o) for o in operand),
        "$exists": lambda: (value is not None) == operand,
    }[operator]()


class Sync:
    """The SDK's blocking clients."""

    kind = "sync"

    def client(self, url, key=KEY):
        return Pinecone(api_key=key, host=url)

    def __call__(self, result):
        return list(result) if inspect.isgenerator(result) or hasattr(result, "to_list") else result


class Async:
    """The SDK's asyncio clients, in the same words: calling this object waits for a result."""

    kind = "async"

    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def client(self, url, key=KEY):
        return AsyncPinecone(api_key=key, host=url)

    def __call__(self, result):
        async def wait():
            if inspect.isasyncgen(result) or hasattr(result, "to_list"):
                return [item async for item in result]
            return await result if inspect.isawaitable(result) else result

        return self.loop.run_until_complete(wait())


class Service:
    """A local Pinecone in a thread; ``with Service(folder) as service``."""

    def __init__(self, folder, key: str | None = KEY, lag: float = 0.0):
        self.store = VectorStore(folder, lag)
        self.app = LocalPinecone(self.store, key)
        self.server = LocalServer(self.app, "pinecone under test")

    def __enter__(self):
        self.url = self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.store.close()

    @functools.cache  # noqa: B019 (it lives as long as a test)
    def index(self, name="course-test", dimension=3, metric="cosine"):
        """A blocking client of an index, made if need be."""
        with Pinecone(api_key=KEY, host=self.url) as client:
            if not client.has_index(name):
                client.create_index(name, dimension=dimension, metric=metric)
            return client.index(name)


def no_waiting(monkeypatch=None):
    """The SDK counts failures of a host for a whole process and waits between attempts: begin anew, and do not wait."""
    transport.get_budget_registry()._reset()
    get_registry()._gates.clear()
    if monkeypatch:
        monkeypatch.setattr(transport, "_retry_sleep", lambda seconds: None)


def _watch(event, arguments):
    if event in ("socket.connect", "socket.bind"):
        addresses.append(arguments[1])


sys.addaudithook(_watch)


@contextlib.contextmanager
def only_loopback():
    """Fails if this process connects or listens anywhere but on 127.0.0.1 (or a Unix socket)."""
    addresses.clear()
    yield
    away = [a for a in addresses if isinstance(a, tuple) and a[0] not in ("127.0.0.1", "localhost", "::1")]
    assert addresses and not away, f"not on loopback: {away}"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with only_loopback(), Service(tmp_path_factory.mktemp("pinecone")) as running:
        yield running


@pytest.fixture(scope="module", params=[Sync, Async], ids=["sync", "async"])
def sdk(request):
    return request.param()


@pytest.fixture(scope="module")
def client(sdk, service):
    """A client of the service; one for all tests, since the SDK reads all of the system's certificates for each."""
    no_waiting()
    pc = sdk.client(service.url)
    yield pc
    sdk(pc.close())
