"""What a request to the local Pinecone may hold: shapes, limits, and an error for each limit that is passed.

The names and types are those that the Python SDK 10.2 (API 2026-07) sends. Limits are Pinecone's documented ones:
https://docs.pinecone.io/reference/api/database-limits. Error bodies have Pinecone's two forms: a number and a
message from an index (code 3 is "invalid argument"), a named code from the control plane.
"""

import re
from typing import Any

import msgspec
import numpy as np
import orjson

from helpers.services.filters import FilterError, Predicate, compile_filter

MAX_TOP_K = 10_000
MAX_RESULT_BYTES = 4 * 2**20  # of one query's answer
MAX_METADATA_BYTES = 40_960  # per record, as JSON
MAX_ID = 512  # characters; also of a namespace's name
MAX_RECORDS = 1_000  # per upsert
MAX_UPSERT_BYTES = 2 * 2**20  # counted as Pinecone's own table of batch sizes does: 4 bytes a number, ids, metadata
MAX_IDS = 1_000  # per fetch or delete
MAX_PAGE = 100  # ids or namespaces on one page
MAX_FETCHED = 10_000  # records on one page of fetch_by_metadata
MAX_DIMENSION = 20_000
MAX_BODY_BYTES = 64 * 2**20  # of any request; a guard of this service, not one of Pinecone's limits

CODES = {  # HTTP status -> (number in an index's errors, name in the control plane's)
    400: (3, "INVALID_ARGUMENT"),
    401: (16, "UNAUTHENTICATED"),
    403: (7, "FORBIDDEN"),
    404: (5, "NOT_FOUND"),
    409: (6, "ALREADY_EXISTS"),
    413: (11, "PAYLOAD_TOO_LARGE"),
    500: (13, "INTERNAL"),
    501: (12, "UNIMPLEMENTED"),
    503: (14, "UNAVAILABLE"),
}


class Problem(Exception):
    """A request that gets an error: the HTTP status and a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message

    def body(self, of_index: bool) -> dict:
        number, name = CODES[self.status]
        if of_index:
            return {"code": number, "message": self.message, "details": []}
        return {"error": {"code": name, "message": self.message}, "status": self.status}


class Shape(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """A JSON body; what is not named here is an error, so that a typing mistake is heard of."""


class VectorShape(Shape):
    id: str
    values: list[float] = []
    sparse_values: dict | None = None
    metadata: dict[str, Any] | None = None


class UpsertShape(Shape):
    vectors: list[VectorShape]
    namespace: str = ""


class QueryShape(Shape):
    top_k: int
    vector: list[float] | None = None
    id: str | None = None
    namespace: str = ""
    filter: dict[str, Any] | None = None
    include_values: bool = False
    include_metadata: bool = False
    sparse_vector: dict | None = None
    scan_factor: float | None = None
    max_candidates: int | None = None


class DeleteShape(Shape):
    ids: list[str] | None = None
    delete_all: bool = False
    filter: dict[str, Any] | None = None
    namespace: str = ""


class UpdateShape(Shape):
    id: str | None = None
    values: list[float] | None = None
    sparse_values: dict | None = None
    set_metadata: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    dry_run: bool = False
    namespace: str = ""


class FetchByMetadataShape(Shape):
    filter: dict[str, Any]
    namespace: str = ""
    limit: int = 100
    pagination_token: str | None = None


class StatsShape(Shape):
    filter: dict[str, Any] | None = None


class NamespaceShape(Shape):
    name: str
    schema: dict[str, Any] | None = None


class SearchVectorShape(Shape, rename=None):
    values: list[float] | None = None
    sparse_values: list[float] | None = None
    sparse_indices: list[int] | None = None


class SearchQueryShape(Shape, rename=None):
    top_k: int
    vector: SearchVectorShape | None = None
    id: str | None = None
    inputs: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    match_terms: dict[str, Any] | None = None


class SearchShape(Shape, rename=None):
    query: SearchQueryShape
    fields: list[str] | None = None
    rerank: dict[str, Any] | None = None


class CreateIndexShape(Shape, rename=None):
    schema: dict[str, Any]
    name: str | None = None
    deployment: dict[str, Any] | None = None
    read_capacity: dict[str, Any] | None = None
    deletion_protection: str = "disabled"
    tags: dict[str, str] | None = None
    source_collection: str | None = None
    source_backup_id: str | None = None
    cmek_id: str | None = None


class ConfigureIndexShape(Shape, rename=None):
    schema: dict[str, Any] | None = None
    deployment: dict[str, Any] | None = None
    read_capacity: dict[str, Any] | None = None
    deletion_protection: str | None = None
    tags: dict[str, str] | None = None


def parse(body: bytes, shape: type[Shape]) -> Any:
    """A body as one of the shapes. Raises Problem 400 where it is no JSON, cut off, or of another form."""
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.ValidationError as error:
        hint = (
            " (NaN and infinity have no form in JSON: the client sends them as null)" if "`null`" in str(error) else ""
        )
        raise Problem(400, f"Invalid request: {error}{hint}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not valid JSON: {error or 'nested too deeply'}") from None


def checked_vector(values: list[float], dimension: int, metric: str, of_query: bool = True) -> np.ndarray:
    """One vector as float32. Raises Problem 400 for a wrong dimension, a number out of range, or all zeros."""
    if len(values) != dimension:
        what = "Query vector" if of_query else "Vector"
        raise Problem(400, f"{what} dimension {len(values)} does not match the dimension of the index {dimension}")
    with np.errstate(over="ignore"):
        vector = np.array(values, np.float32)
    if not np.isfinite(vector).all():
        raise Problem(400, "A vector's numbers must be finite and fit into 32-bit floating point")
    if not vector.any() and (metric == "cosine" or not of_query):
        raise Problem(400, "Dense vectors must contain at least one non-zero value")
    return vector


def checked_records(request: UpsertShape, dimension: int) -> tuple[list[str], np.ndarray, list[dict | None]]:
    """Ids, vectors (n, dimension) and metadata of an upsert, after all checks. Raises Problem."""
    records = request.vectors
    if not records:
        raise Problem(400, "An upsert needs at least one record")
    if len(records) > MAX_RECORDS:
        raise Problem(400, f"An upsert holds at most {MAX_RECORDS} records, got {len(records)}: send smaller batches")
    size = 0
    for record in records:
        check_id(record.id)
        if record.sparse_values is not None:
            raise Problem(501, NOT_HERE["sparse"])
        if len(record.values) != dimension:
            found = f"Vector dimension {len(record.values)} does not match the dimension of the index {dimension}"
            raise Problem(400, found)
        record.metadata = checked_metadata(record.metadata)
        size += 4 * dimension + len(record.id) + metadata_bytes(record.metadata)
    if size > MAX_UPSERT_BYTES:
        raise Problem(
            413, f"The request holds {size} bytes, the limit is {MAX_UPSERT_BYTES} bytes: send smaller batches"
        )
    with np.errstate(over="ignore"):
        vectors = np.array([record.values for record in records], np.float32)
    for bad in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        raise Problem(400, f"Vector ID '{records[bad].id}': numbers must be finite and fit into 32-bit floating point")
    for bad in np.flatnonzero(~vectors.any(axis=1)):
        raise Problem(
            400,
            f"Dense vectors must contain at least one non-zero value. Vector ID '{records[bad].id}' contains only zeros",
        )
    return [r.id for r in records], vectors, [r.metadata for r in records]


def checked_metadata(metadata: dict | None) -> dict | None:
    """Metadata as it is kept: all numbers as 64-bit floats, as in Pinecone. Raises Problem 400."""
    if not metadata:
        return None
    kept = {}
    for field, value in metadata.items():
        if field.startswith("$"):
            raise Problem(400, f"Metadata field '{field[:40]}' must not begin with '$'")
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) >= 2**1023:
                raise Problem(400, f"Metadata field '{field[:40]}' holds a number beyond 64-bit floating point")
            value = float(value)
        if not (
            isinstance(value, (str, float, bool)) or isinstance(value, list) and all(isinstance(v, str) for v in value)
        ):
            shown = orjson.dumps(value).decode()
            shown = shown if len(shown) <= 16 else shown[:16] + "..."
            allowed = "a string, number, boolean or list of strings"
            raise Problem(400, f"Metadata value must be {allowed}, got '{shown}' for field '{field[:40]}'")
        kept[field] = value
    check_metadata_size(kept)
    return kept


def metadata_bytes(metadata: dict | None) -> int:
    return len(orjson.dumps(metadata)) if metadata else 0


def check_metadata_size(metadata: dict | None) -> None:
    if (size := metadata_bytes(metadata)) > MAX_METADATA_BYTES:
        message = f"Metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA_BYTES} bytes per vector"
        raise Problem(400, message)


def check_id(id_: str) -> None:
    if not id_ or len(id_) > MAX_ID or not id_.isascii() or "\x00" in id_:
        shown = id_ if len(id_) <= 40 else id_[:40] + "…"
        raise Problem(400, f"A vector ID has 1 to {MAX_ID} ASCII characters, got {len(id_)}: '{shown}'")


def check_ids(ids: list[str], what: str) -> None:
    if not 1 <= len(ids) <= MAX_IDS:
        raise Problem(400, f"{what} takes 1 to {MAX_IDS} ids, got {len(ids)}")
    for id_ in ids:
        check_id(id_)


def checked_filter(condition: dict | None) -> Predicate | None:
    if condition is None:
        return None
    try:
        return compile_filter(condition)
    except FilterError as error:
        raise Problem(400, str(error)) from None


def check_between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Problem(400, f"{name} must be between {low} and {high}, got {value}")


def checked_namespace(name: str) -> str:
    """The stored name; the default namespace is called "" or "__default__"."""
    if len(name) > MAX_ID or not name.isascii() or "\x00" in name:
        raise Problem(400, f"A namespace has at most {MAX_ID} ASCII characters, got {len(name)}")
    return name or "__default__"


def check_index_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?", name):
        raise Problem(
            400,
            "Name must consist of lower case alphanumeric characters or '-', start and end with an alphanumeric "
            f"character, and have at most 45 characters, got '{name[:60]}'",
        )


def check_tags(tags: dict[str, str]) -> None:
    if len(tags) > 20:
        raise Problem(400, f"An index has at most 20 tags, got {len(tags)}")
    for key, value in tags.items():
        if (
            not re.fullmatch(r"[a-zA-Z0-9_-]{1,80}", key)
            or len(value) > 120
            or not (value.isascii() and value.isprintable())
        ):
            raise Problem(
                400, f"Tag '{key[:80]}': a key has 1 to 80 of a-z A-Z 0-9 _ -, a value at most 120 ASCII characters"
            )


def checked_field(schema: dict) -> tuple[int, str]:
    """Dimension and metric of the one dense field. Raises Problem: 400 for bad values, 501 for other kinds of index."""
    fields = schema.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise Problem(400, "The schema needs 'fields' with at least one searched field")
    if list(fields) != ["_values"] or not isinstance(fields["_values"], dict):
        raise Problem(501, NOT_HERE["schema"])
    field = fields["_values"]
    if field.get("type") != "dense_vector":
        raise Problem(400, f"Field '_values' must have the type 'dense_vector', got '{field.get('type')}'")
    dimension, metric = field.get("dimension"), field.get("metric", "cosine")
    if isinstance(dimension, bool) or not isinstance(dimension, int):
        raise Problem(400, f"The dimension must be a whole number, got {dimension!r}")
    check_between("Dimension", dimension, 1, MAX_DIMENSION)
    if metric not in ("cosine", "dotproduct", "euclidean"):
        raise Problem(400, f"The metric must be cosine, dotproduct or euclidean, got '{metric}'")
    return dimension, metric


_ONLY = "The local stand-in for Pinecone serves dense indexes only: "
NOT_HERE = {  # a 501's sentence
    "sparse": _ONLY + "sparse vectors and hybrid queries need Pinecone's cloud.",
    "schema": _ONLY
    + "create the index with dimension= and metric= (sparse, text and document schemas need Pinecone's cloud).",
    "documents": _ONLY + "documents need an index with a schema, which Pinecone's cloud has.",
    "records": _ONLY
    + "text records need integrated embedding, which Pinecone's cloud has. Embed the texts and use upsert.",
    "inference": _ONLY + "it has no models that embed or rerank. Embed the texts with the course's encoder.",
    "imports": _ONLY + "imports from object storage need Pinecone's cloud. Use upsert with batch_size=.",
    "backups": _ONLY + "backups, restore jobs and schedules need Pinecone's cloud.",
    "collections": _ONLY + "collections need Pinecone's cloud.",
    "deployment": _ONLY + "pods, dedicated read capacity, own keys and own clouds need Pinecone's cloud.",
    "assistant": _ONLY + "assistants and the administration of projects need Pinecone's cloud.",
    "version": _ONLY + "it speaks API version 2026-07, the one of the SDK that the course pins.",
}
