"""A small durable vector store: SQLite keeps the records, NumPy searches them.

Every write is one SQLite transaction in WAL mode and is acknowledged after its commit: it survives the death of the
process (``synchronous=NORMAL``: a commit just before a power cut may be lost, a crash of the program loses nothing).
Several processes may open the same folder. Each keeps the namespaces that it reads in memory (``segment.Segment``) and
asks SQLite before every read, by the number of the last write, whether there is something newer to fetch.
A deletion stays in the table as a record without a vector for an hour, so that the other processes hear of it.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from helpers.services.filters import Predicate
from helpers.services.segment import Segment

LAYOUT = 1  # of the tables; rises when they change
TOMBSTONE_SECONDS = 3600
TABLES = """
CREATE TABLE IF NOT EXISTS clock (lsn INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS indexes (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, dimension INTEGER, metric TEXT,
    settings TEXT);
CREATE TABLE IF NOT EXISTS namespaces (id INTEGER PRIMARY KEY AUTOINCREMENT, "index" INTEGER, name TEXT, "schema" TEXT,
    lsn INTEGER DEFAULT 0, at REAL DEFAULT 0, reset_lsn INTEGER DEFAULT 0, reset_at REAL DEFAULT 0, UNIQUE ("index", name));
CREATE TABLE IF NOT EXISTS records (namespace INTEGER, id TEXT, lsn INTEGER, at REAL, metadata TEXT, vector BLOB,
    UNIQUE (namespace, id));
CREATE INDEX IF NOT EXISTS newest ON records (namespace, lsn);
CREATE INDEX IF NOT EXISTS tombstones ON records (at) WHERE vector IS NULL;
"""
PUT = """INSERT INTO records VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, id)
    DO UPDATE SET lsn=excluded.lsn, at=excluded.at, metadata=excluded.metadata, vector=excluded.vector"""


class StoreError(RuntimeError):
    """The store cannot be opened; the message says what to do."""


class AlreadyThere(ValueError):
    """An index or namespace of that name exists."""


@dataclass(frozen=True)
class Index:
    """An index as it was created: ``settings`` holds what is only handed back (tags, deployment, protection)."""

    id: int
    name: str
    dimension: int
    metric: str
    settings: dict


@dataclass(frozen=True)
class _Namespace:
    id: int
    name: str
    schema: dict | None
    lsn: int
    at: float
    reset_lsn: int
    reset_at: float


@dataclass(frozen=True)
class _Moment:
    """The number and the time of one write."""

    lsn: int
    at: float


class VectorStore:
    """Indexes, namespaces and records in ``folder``; safe to use from many threads and many processes.

    ``indexing_lag``: seconds until an acknowledged write is seen by a read (0: at once). It may be changed at any time.
    """

    def __init__(self, folder: Path | str, indexing_lag: float = 0.0):
        self.indexing_lag = indexing_lag
        self._lock = threading.RLock()
        self._segments: dict[int, Segment] = {}
        self._db = _open(Path(folder))

    def close(self) -> None:
        """Close the file; the records stay."""
        with self._lock:
            self._db.close()
            self._segments.clear()

    # -- indexes ---------------------------------------------------------------------------------------------------

    def create_index(self, name: str, dimension: int, metric: str, settings: dict) -> Index:
        """A new, empty index. Raises AlreadyThere."""
        with self._writing():
            if self.index(name):
                raise AlreadyThere(name)
            values = (name, dimension, metric, orjson.dumps(settings).decode())
            self._db.execute("INSERT INTO indexes (name, dimension, metric, settings) VALUES (?, ?, ?, ?)", values)
            return self.index(name)

    def index(self, name: str) -> Index | None:
        """The index of that name, or None."""
        with self._lock:
            row = self._db.execute("SELECT * FROM indexes WHERE name=?", (name,)).fetchone()
        return Index(*row[:4], orjson.loads(row[4])) if row else None

    def indexes(self) -> list[Index]:
        """All indexes by name."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM indexes ORDER BY name").fetchall()
        return [Index(*row[:4], orjson.loads(row[4])) for row in rows]

    def change_index(self, name: str, change: Callable[[dict], None]) -> Index | None:
        """Let ``change`` alter the settings of an index in place; None where there is no such index."""
        with self._writing():
            if found := self.index(name):
                change(found.settings)
                text = orjson.dumps(found.settings).decode()
                self._db.execute("UPDATE indexes SET settings=? WHERE id=?", (text, found.id))
            return found

    def delete_index(self, name: str) -> bool:
        """Delete an index and all that is in it; False where there is none."""
        with self._writing():
            if found := self.index(name):
                for namespace in self._namespaces(found):
                    self._db.execute("DELETE FROM records WHERE namespace=?", (namespace.id,))
                    self._segments.pop(namespace.id, None)
                self._db.execute('DELETE FROM namespaces WHERE "index"=?', (found.id,))
                self._db.execute("DELETE FROM indexes WHERE id=?", (found.id,))
            return bool(found)

    # -- namespaces ------------------------------------------------------------------------------------------------

    def create_namespace(self, index: Index, name: str, schema: dict | None = None) -> None:
        """A new, empty namespace. Raises AlreadyThere."""
        with self._writing():
            if self._namespace(index, name):
                raise AlreadyThere(name)
            self._new_namespace(index, name, schema)

    def delete_namespace(self, index: Index, name: str) -> bool:
        """Delete a namespace and its records; False where there is none."""
        with self._writing():
            if found := self._namespace(index, name):
                self._db.execute("DELETE FROM records WHERE namespace=?", (found.id,))
                self._db.execute("DELETE FROM namespaces WHERE id=?", (found.id,))
                self._segments.pop(found.id, None)
            return bool(found)

    def namespaces(self, index: Index) -> list[tuple[str, dict | None]]:
        """Names and schemas of the namespaces of an index, by name."""
        with self._lock:
            return [(n.name, n.schema) for n in self._namespaces(index)]

    # -- writes: each returns the number of the write (log sequence number) ------------------------------------------

    def upsert(
        self, index: Index, namespace: str, ids: list[str], vectors: np.ndarray, metadata: list[dict | None]
    ) -> int:
        """Insert or overwrite records, all or none. ``vectors``: (n, dimension) float32; of an id twice the last counts."""
        with self._writing() as moment:
            found = self._namespace(index, namespace) or self._new_namespace(index, namespace)
            self._put(found, moment, ids, vectors, metadata)
        self._apply(found, moment, lambda segment: segment.put(ids, vectors, metadata), index.dimension)
        return moment.lsn

    def update(
        self, index: Index, namespace: str, id_: str, vector: np.ndarray | None, metadata: dict | None, check
    ) -> int:
        """Replace the vector and merge the metadata of one record; an id that is not there is passed over.

        ``check(merged metadata)`` may raise: nothing is written then.
        """
        with self._writing() as moment:
            found = self._namespace(index, namespace)
            records = self._stored(found, [id_]) if found else {}
            changed = _merged(records, vector, metadata, check)
            self._put(found, moment, *changed)
        self._apply(found, moment, lambda segment: segment.put(*changed), index.dimension)
        return moment.lsn

    def update_matching(self, index: Index, namespace: str, predicate: Predicate, metadata: dict, check, dry_run=False):
        """Merge metadata into all records that match; returns (write number or None, number of matches)."""
        with self._writing(not dry_run) as moment:
            found = self._namespace(index, namespace)
            if not found:
                return None, 0
            ids = self._matching(index, found, predicate)
            if dry_run:
                return None, len(ids)
            changed = _merged(self._stored(found, ids), None, metadata, check)
            self._put(found, moment, *changed)
        self._apply(found, moment, lambda segment: segment.put(*changed), index.dimension)
        return moment.lsn, len(ids)

    def delete(self, index: Index, namespace: str, ids: list[str] | Predicate) -> int | None:
        """Delete records by id or by filter; ids that are not there are passed over. None: no such namespace."""
        with self._writing() as moment:
            found = self._namespace(index, namespace)
            if not found:
                return None
            if not isinstance(ids, list):
                ids = self._matching(index, found, ids)
            there = list(self._stored(found, ids, "id"))
            self._db.executemany(PUT, [(found.id, id_, moment.lsn, moment.at, None, None) for id_ in there])
            self._stamp(found, moment)
        self._apply(found, moment, lambda segment: segment.drop(there), index.dimension)
        return moment.lsn

    def clear(self, index: Index, namespace: str) -> int | None:
        """Delete all records of a namespace, which stays. None: no such namespace."""
        with self._writing() as moment:
            found = self._namespace(index, namespace)
            if not found:
                return None
            self._db.execute("DELETE FROM records WHERE namespace=?", (found.id,))
            self._db.execute(
                "UPDATE namespaces SET reset_lsn=?, reset_at=? WHERE id=?", (moment.lsn, moment.at, found.id)
            )
            self._stamp(found, moment)
            return moment.lsn

    # -- reads -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self, index: Index, namespace: str) -> Iterator[Segment | None]:
        """The readable records of a namespace, up to date, for as long as the ``with`` lasts. None: no such namespace."""
        with self._lock:
            found = self._namespace(index, namespace)
            yield self._fresh(index, found) if found else None

    # -- inside ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self, keep: bool = True) -> Iterator[_Moment]:
        """One transaction; nothing of it stays when the block raises (or when ``keep`` is False)."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                # Times never run backwards, whatever the computer's clock does: reads with a lag depend on it.
                self._db.execute("UPDATE clock SET lsn=lsn+1, at=max(at, ?)", (time.time(),))
                yield _Moment(*self._db.execute("SELECT lsn, at FROM clock").fetchone())
                self._db.execute("COMMIT" if keep else "ROLLBACK")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _namespaces(self, index: Index) -> list[_Namespace]:
        rows = self._db.execute('SELECT * FROM namespaces WHERE "index"=? ORDER BY name', (index.id,))
        return [_row_to_namespace(row) for row in rows]

    def _namespace(self, index: Index, name: str) -> _Namespace | None:
        row = self._db.execute('SELECT * FROM namespaces WHERE "index"=? AND name=?', (index.id, name)).fetchone()
        return _row_to_namespace(row) if row else None

    def _new_namespace(self, index: Index, name: str, schema: dict | None = None) -> _Namespace:
        text = orjson.dumps(schema).decode() if schema is not None else None
        self._db.execute('INSERT INTO namespaces ("index", name, "schema") VALUES (?, ?, ?)', (index.id, name, text))
        return self._namespace(index, name)

    def _stamp(self, namespace: _Namespace, moment: _Moment) -> None:
        self._db.execute("UPDATE namespaces SET lsn=?, at=? WHERE id=?", (moment.lsn, moment.at, namespace.id))

    def _put(self, namespace: _Namespace | None, moment: _Moment, ids, vectors, metadata) -> None:
        if namespace is None:
            return
        texts = [None if record is None else orjson.dumps(record).decode() for record in metadata]
        blobs = [vector.tobytes() for vector in vectors]
        rows = zip(ids, texts, blobs, strict=True)
        self._db.executemany(PUT, [(namespace.id, i, moment.lsn, moment.at, text, blob) for i, text, blob in rows])
        self._stamp(namespace, moment)

    def _stored(self, namespace: _Namespace, ids: list[str], columns="id, vector, metadata") -> dict[str, tuple]:
        """The live records among ``ids`` as they are on disk, whatever the lag: id -> row."""
        found = {}
        for start in range(0, len(ids), 500):  # SQLite bounds the number of "?" in one statement
            some = ids[start : start + 500]
            marks = ",".join("?" * len(some))
            query = f"SELECT {columns} FROM records WHERE namespace=? AND vector NOT NULL AND id IN ({marks})"
            found.update((row[0], row) for row in self._db.execute(query, (namespace.id, *some)))
        return found

    def _matching(self, index: Index, namespace: _Namespace, predicate: Predicate) -> list[str]:
        """Ids of all acknowledged records that match, also of those that no read sees yet."""
        segment = self._fresh(index, namespace) if not self.indexing_lag else Segment(index.dimension)
        if self.indexing_lag:
            self._load(segment, namespace, float("inf"))
        return [segment.ids[row] for row in segment.matching(predicate)]

    def _apply(self, namespace: _Namespace | None, moment: _Moment, change, dimension: int) -> None:
        """Bring a committed write into memory without reading it back, if memory holds all that was before it."""
        with self._lock:
            if namespace is None or self.indexing_lag:
                return
            if namespace.lsn == 0:  # its first write
                self._segments.setdefault(namespace.id, Segment(dimension))
            segment = self._segments.get(namespace.id)
            if segment is not None and segment.seen == namespace.lsn:
                change(segment)
                segment.seen = moment.lsn

    def _fresh(self, index: Index, namespace: _Namespace) -> Segment:
        readable = time.time() - self.indexing_lag if self.indexing_lag else float("inf")
        segment = self._segments.get(namespace.id)
        if segment is None or segment.seen < namespace.reset_lsn and namespace.reset_at <= readable:
            segment = self._segments[namespace.id] = Segment(index.dimension)
        if segment.seen < namespace.lsn:
            self._load(segment, namespace, readable)
        return segment

    def _load(self, segment: Segment, namespace: _Namespace, readable: float) -> None:
        """Bring what was written after ``segment.seen``, and before the time ``readable``, into a segment."""
        # Not beyond namespace.lsn: between that read and this one another process may have emptied the namespace.
        where = "FROM records WHERE namespace=? AND lsn>? AND lsn<=? AND at<=?"
        values = (namespace.id, segment.seen, namespace.lsn, readable)
        segment.reserve(len(segment) + self._db.execute(f"SELECT count(*) {where}", values).fetchone()[0])
        cursor = self._db.execute(f"SELECT id, vector, metadata, lsn {where} ORDER BY lsn", values)
        last = segment.seen
        while rows := cursor.fetchmany(2000):  # in pieces, or all records would be in memory twice
            segment.drop([row[0] for row in rows if row[1] is None])
            kept = [row for row in rows if row[1] is not None]
            vectors = np.frombuffer(b"".join(row[1] for row in kept), np.float32).reshape(len(kept), segment.dimension)
            metadata = [None if row[2] is None else orjson.loads(row[2]) for row in kept]
            segment.put([row[0] for row in kept], vectors, metadata)
            last = rows[-1][3]
        segment.seen = last
        if namespace.at <= readable:
            segment.seen = namespace.lsn


def _merged(
    records: dict[str, tuple], vector: np.ndarray | None, metadata: dict | None, check
) -> tuple[list, list, list]:
    """Ids, vectors and metadata of stored records with a new vector and/or some metadata fields replaced."""
    vectors, merged = [], []
    for _, blob, text in records.values():
        vectors.append(np.frombuffer(blob, np.float32) if vector is None else vector)
        old = None if text is None else orjson.loads(text)
        merged.append({**(old or {}), **metadata} if metadata else old)
        check(merged[-1])
    return list(records), np.array(vectors, np.float32), merged


def _row_to_namespace(row: tuple) -> _Namespace:
    id_, _, name, schema, *rest = row
    return _Namespace(id_, name, orjson.loads(schema) if schema else None, *rest)


def _open(folder: Path) -> sqlite3.Connection:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # isolation_level=None: transactions begin and end where this file says so.
        db = sqlite3.connect(folder / "records.sqlite3", timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA page_size=8192")  # several vectors on a page; before the file's first table
        _patiently(lambda: db.execute("PRAGMA journal_mode=WAL").fetchone())
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA cache_size=-8192")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, LAYOUT):
            db.close()
            raise StoreError(
                f"{folder} was written by another version of the course: delete the folder and start again."
            )
        for statement in TABLES.split(";"):
            db.execute(statement)
        if version == 0:
            db.execute("INSERT INTO clock VALUES (0, 0)")
            db.execute(f"PRAGMA user_version={LAYOUT}")
        _bury(db)
        db.execute("COMMIT")
        return db
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreError(
            f"The vectors in {folder} cannot be opened ({error}). If the disk is full or the folder is read-only, mend that; "
            "if the file is damaged, delete the folder and fill the indexes again."
        ) from error


def _bury(db: sqlite3.Connection) -> None:
    """Forget old deletions; a process that still waits to hear of one reads its namespace anew."""
    old = time.time() - TOMBSTONE_SECONDS
    where = "vector IS NULL AND at < ?"
    query = f"SELECT namespace, max(lsn), max(at) FROM records WHERE {where} GROUP BY namespace"
    for namespace, lsn, at in db.execute(query, (old,)).fetchall():
        reset = "UPDATE namespaces SET reset_lsn=max(reset_lsn, ?), reset_at=max(reset_at, ?) WHERE id=?"
        db.execute(reset, (lsn, at, namespace))
    db.execute(f"DELETE FROM records WHERE {where}", (old,))


def _patiently(action: Callable, seconds: float = 30) -> None:
    """Several processes may open a new file at once, and the change to WAL needs it for itself."""
    end = time.monotonic() + seconds
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)
