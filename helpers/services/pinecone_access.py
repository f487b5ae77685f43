"""The Pinecone client of the lessons: Pinecone's own, talking to the cloud when asked to, else to ``local_pinecone``.

Whatever it talks to, indexes are opened and deleted only if their name begins with ``course-``: an account's other
indexes are safe, and a cell that works here works there.
"""

import ipaddress
import os
import re
import threading
from urllib.parse import urlsplit

from pinecone import Pinecone
from pinecone.client.indexes import Indexes
from pinecone.errors.exceptions import PineconeValueError

from helpers.services.cloud import allow_loopback, secret, uses_cloud
from helpers.services.local_pinecone import FOLDER, LocalPinecone
from helpers.services.server import LocalServer
from helpers.services.vector_store import VectorStore

PREFIX = "course-"
LOCAL_KEY = "local-stand-in"  # no secret: it opens nothing but the service of this computer
_started: list[tuple[LocalPinecone, LocalServer]] = []
_lock = threading.Lock()


def pinecone_client() -> Pinecone:
    """A Pinecone client.

    With ``COURSE_CLOUD=pinecone`` it uses ``PINECONE_API_KEY`` and Pinecone's cloud (or ``PINECONE_CONTROLLER_HOST``);
    without, a controller host on this computer, or a local service that it starts; it says which one it is.
    """
    host = os.environ.get("PINECONE_CONTROLLER_HOST", "").strip()
    if uses_cloud("pinecone"):
        print(
            "Pinecone: the cloud, with your key." if not host else "Pinecone: the service of PINECONE_CONTROLLER_HOST."
        )
        return CoursePinecone(api_key=secret("PINECONE_API_KEY"), host=host or None)
    allow_loopback()
    if _is_here(host):
        print("Pinecone: the service of PINECONE_CONTROLLER_HOST, on this computer.")
        return CoursePinecone(api_key=secret("PINECONE_API_KEY", required=False) or LOCAL_KEY, host=host)
    _, server = _service()
    print("Pinecone: a local stand-in with Pinecone's interface, on this computer (exact search, no key).")
    return CoursePinecone(api_key=LOCAL_KEY, host=server.start())


def local_pinecone() -> LocalPinecone:
    """The local service that ``pinecone_client`` starts: its ``faults``, its ``counts``, its ``store.indexing_lag``."""
    return _service()[0]


class CoursePinecone(Pinecone):
    """Pinecone's client, which opens and deletes only indexes whose names begin with ``course-``, and shows no key."""

    def __repr__(self) -> str:
        return f"Pinecone(host='{self.config.host}')"

    @property
    def indexes(self) -> Indexes:
        if self._indexes is None:
            self._indexes = _CourseIndexes(http=self._http, host_cache=self._host_cache)
        return self._indexes

    def index(self, name: str = "", *, host: str = "", **options):
        if host:
            _check(_name_in(host), "open")
        elif name:
            _check(name, "open")
        return super().index(name, host=host, **options)

    def IndexAsyncio(self, host: str, **options):  # noqa: N802 (the SDK's name)
        _check(_name_in(host), "open")
        return super().IndexAsyncio(host, **options)


class _CourseIndexes(Indexes):
    def create(self, *, name: str | None = None, **options):
        # A name that Pinecone itself refuses is left to Pinecone's own message.
        if name is None or re.fullmatch(r"[a-z0-9][a-z0-9-]{0,44}", name):
            _check(name or "", "create")
        return super().create(name=name, **options)

    def delete(self, name: str, *, timeout: int | None = None) -> None:
        if isinstance(name, str) and name.strip():
            _check(name, "delete")
        super().delete(name, timeout=timeout)


def _check(name: str, verb: str) -> None:
    if not name.startswith(PREFIX):
        raise PineconeValueError(
            f"The course does not {verb} the index '{name}': it only touches indexes whose names begin with '{PREFIX}', so that "
            "nothing else in an account can be changed or lost."
        )


def _name_in(host: str) -> str:
    """The index's name, which begins a cloud host's first label and ends a local host's path."""
    parts = urlsplit(host if "//" in host else f"//{host}")
    return parts.path.strip("/").split("/")[-1] or (parts.hostname or "")


def _is_here(host: str) -> bool:
    hostname = urlsplit(host if "//" in host else f"//{host}").hostname or ""
    try:
        return hostname == "localhost" or ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _service() -> tuple[LocalPinecone, LocalServer]:
    with _lock:
        if not _started:
            app = LocalPinecone(VectorStore(FOLDER), LOCAL_KEY)
            _started.append((app, LocalServer(app, "local Pinecone")))
        return _started[0]
