"""A stand-in for Pinecone on this computer: the REST API that the Python SDK 10.2 (API 2026-07) uses for dense indexes.

An ASGI app over ``vector_store.VectorStore``. Search is exact; Pinecone's is approximate on large indexes. What it does
not do (sparse vectors, documents, integrated embedding, imports, backups, collections) is answered 501 with a sentence.
Left out as well: rate limits, quotas and prices; read units are counted in Pinecone's way only roughly.

As a process of its own, which prints its address (with a key in PINECONE_API_KEY only that key is let in)::

    python -m helpers.services.local_pinecone --port 0
"""

import argparse
import base64
import binascii
import hmac
import math
import os
import secrets
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, unquote

import orjson
from starlette.concurrency import run_in_threadpool

from helpers.services import pinecone_requests as rq
from helpers.services.faults import Faults
from helpers.services.pinecone_requests import NOT_HERE, Problem
from helpers.services.server import serve_forever
from helpers.services.vector_store import AlreadyThere, Index, StoreError, VectorStore

FOLDER = Path(__file__).resolve().parents[2] / "data" / "cache" / "pinecone"
API_VERSION = "2026-07"
ELSEWHERE = {  # first part of a path that the SDK knows and this service does not -> why
    "collections": "collections",
    "backups": "backups",
    "restore-jobs": "backups",
    "backup-schedules": "backups",
    "embed": "inference",
    "rerank": "inference",
    "models": "inference",
    "assistant": "assistant",
    "admin": "assistant",
    "bulk": "imports",
}
READY = {"mode": "OnDemand", "status": {"state": "Ready", "current_shards": None, "current_replicas": None}}


class LocalPinecone:
    """The service as an ASGI app.

    ``store``: where the records are; ``store.indexing_lag`` is the seconds until a write can be read.
    ``key``: the one key that is let in (None: any key, but one must be sent).
    ``faults``: what goes wrong on purpose, and the length of the way to the server. Nothing by default, as there is no lag;
    both may be changed while it runs.
    ``counts``: how many requests were worked on, by operation ("upsert", "query", "create_index" …); attempts that a fault
    refused are in ``faults.counts``.
    """

    def __init__(self, store: VectorStore, key: str | None = None, faults: Faults | None = None):
        self.store, self.faults = store, faults or Faults()
        self.counts: Counter[str] = Counter()
        self._key = key
        self._app = self.faults.middleware(self._serve, _fault)

    async def __call__(self, scope, receive, send):
        await self._app(scope, receive, send)

    async def _serve(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        body = await _whole_body(receive)
        if body is None:  # the client hung up in the middle: nothing was done, nobody is there to be told
            return None
        status, headers, answer = await run_in_threadpool(self._answer, scope, body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode()), *headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, scope: dict, body: bytes | Problem) -> tuple[int, list, bytes]:
        """Status, headers and body for one request; an error becomes Pinecone's error body and never a stack trace."""
        path = [
            unquote(part)
            for part in scope.get("raw_path", scope["path"].encode()).decode().split("?")[0].split("/")[1:]
        ]
        of_index = path[0] == "data"
        try:
            if isinstance(body, Problem):
                raise body
            self._let_in(scope)
            status, answer, *lsn = (
                self._index_call(scope, path, body) if of_index else self._control_call(scope, path, body)
            )
            return (
                status,
                _lsn_header(*lsn),
                b"" if answer is None else orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY),
            )
        except Problem as problem:
            return problem.status, [], orjson.dumps(problem.body(of_index))
        except sqlite3.Error as error:
            status = 503 if "locked" in str(error) else 500
            problem = Problem(status, f"The local store could not do this ({error}). Is the disk full?")
            return problem.status, [], orjson.dumps(problem.body(of_index))

    def _let_in(self, scope: dict) -> None:
        headers = {name: value for name, value in scope["headers"]}
        sent = headers.get(b"api-key", b"")
        if not sent or self._key is not None and not hmac.compare_digest(sent, self._key.encode()):
            raise Problem(401, "Invalid API Key")  # and not a letter of it
        if headers.get(b"x-pinecone-api-version", API_VERSION.encode()) != API_VERSION.encode():
            raise Problem(501, NOT_HERE["version"])

    # -- the control plane: indexes ----------------------------------------------------------------------------------

    def _control_call(self, scope: dict, path: list[str], body: bytes) -> tuple:
        match scope["method"], path:
            case "GET", ["indexes"]:
                self.counts["list_indexes"] += 1
                return 200, {"indexes": [_described(index, scope) for index in self.store.indexes()]}
            case "POST", ["indexes"]:
                self.counts["create_index"] += 1
                return 201, _described(self._create_index(rq.parse(body, rq.CreateIndexShape)), scope)
            case "POST", ["indexes", "create-for-model"]:
                raise Problem(501, NOT_HERE["records"])
            case "GET", ["indexes", name]:
                self.counts["describe_index"] += 1
                return 200, _described(self._index(name), scope)
            case "PATCH", ["indexes", name]:
                self.counts["configure_index"] += 1
                return 202, _described(self._configure(name, rq.parse(body, rq.ConfigureIndexShape)), scope)
            case "DELETE", ["indexes", name]:
                self.counts["delete_index"] += 1
                if self._index(name).settings["deletion_protection"] == "enabled":
                    sentence = (
                        "Deletion protection is enabled for this index. Disable deletion protection before retrying."
                    )
                    raise Problem(403, sentence)
                self.store.delete_index(name)
                return 202, None
            case _, ["indexes", _, "backups" | "backup-schedules", *_]:
                raise Problem(501, NOT_HERE["backups"])
        _refuse(scope["method"], path)

    def _index(self, name: str) -> Index:
        if not (index := self.store.index(name)):
            raise Problem(404, f"Resource {name[:60]} not found")
        return index

    def _create_index(self, request: rq.CreateIndexShape) -> Index:
        name = request.name if request.name is not None else f"index-{secrets.token_hex(4)}"
        rq.check_index_name(name)
        if request.source_collection or request.source_backup_id:
            raise Problem(501, NOT_HERE["backups"])
        dimension, metric = rq.checked_field(request.schema)
        rq.check_tags(request.tags or {})
        _check_protection(request.deletion_protection)
        _check_capacity(request.read_capacity)
        deployment = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1", **(request.deployment or {})}
        if deployment["deployment_type"] != "managed" or request.cmek_id:
            raise Problem(501, NOT_HERE["deployment"])
        if deployment["cloud"] not in ("aws", "gcp", "azure") or not isinstance(deployment["region"], str):
            raise Problem(
                400, f"The cloud must be aws, gcp or azure and the region a name, got {deployment['cloud']!r}"
            )
        deployment = {key: deployment[key] for key in ("deployment_type", "cloud", "region")}
        settings = {
            "deployment": deployment,
            "deletion_protection": request.deletion_protection,
            "tags": request.tags or None,
        }
        try:
            return self.store.create_index(name, dimension, metric, settings)
        except AlreadyThere:
            raise Problem(409, "Resource already exists") from None

    def _configure(self, name: str, request: rq.ConfigureIndexShape) -> Index:
        if request.schema is not None:
            raise Problem(400, "The schema of an index cannot be changed: create a new index")
        if request.deployment is not None:
            raise Problem(400, "Replicas and pod types belong to pod indexes; this index is serverless")
        _check_capacity(request.read_capacity)
        if request.deletion_protection is not None:
            _check_protection(request.deletion_protection)

        def change(settings: dict) -> None:
            if request.deletion_protection is not None:
                settings["deletion_protection"] = request.deletion_protection
            if request.tags is not None:  # merged; an empty value takes a tag away
                tags = {**(settings["tags"] or {}), **request.tags}
                settings["tags"] = {key: value for key, value in tags.items() if value} or None
                rq.check_tags(settings["tags"] or {})

        if not (index := self.store.change_index(name, change)):
            raise Problem(404, f"Resource {name[:60]} not found")
        return index

    # -- an index: records and namespaces ----------------------------------------------------------------------------

    def _index_call(self, scope: dict, path: list[str], body: bytes) -> tuple:
        index = self._index(path[1] if len(path) > 1 else "")
        rest, method = path[2:], scope["method"]
        simple = {
            ("POST", "vectors", "upsert"): (self._upsert, rq.UpsertShape),
            ("POST", "query"): (self._query, rq.QueryShape),
            ("POST", "vectors", "delete"): (self._delete, rq.DeleteShape),
            ("POST", "vectors", "update"): (self._update, rq.UpdateShape),
            ("POST", "vectors", "fetch_by_metadata"): (self._fetch_by_metadata, rq.FetchByMetadataShape),
            ("POST", "describe_index_stats"): (self._stats, rq.StatsShape),
            ("POST", "namespaces"): (self._create_namespace, rq.NamespaceShape),
        }
        if found := simple.get((method, *rest)):
            handler, shape = found
            self.counts[handler.__name__.lstrip("_")] += 1
            return handler(index, rq.parse(body, shape))
        asked = {key: values for key, values in parse_qs(scope["query_string"].decode("latin-1"), True).items()}
        match method, rest:
            case "GET", ["vectors", "fetch"]:
                self.counts["fetch"] += 1
                return self._fetch(index, asked)
            case "GET", ["vectors", "list"]:
                self.counts["list"] += 1
                return self._list(index, asked)
            case "GET", ["namespaces"]:
                self.counts["list_namespaces"] += 1
                return self._list_namespaces(index, asked)
            case "GET", ["namespaces", name]:
                self.counts["describe_namespace"] += 1
                schemas = {"__default__": None, **dict(self.store.namespaces(index))}
                if (name := rq.checked_namespace(name)) not in schemas:
                    raise Problem(404, "Namespace not found")
                return 200, self._namespace(index, name, schemas[name])
            case "DELETE", ["namespaces", name]:
                self.counts["delete_namespace"] += 1
                if not self.store.delete_namespace(index, rq.checked_namespace(name)):
                    raise Problem(404, "Namespace not found")
                return 200, {}
            case "POST", ["records", "namespaces", name, "search"]:
                self.counts["search"] += 1
                return self._search_records(index, name, rq.parse(body, rq.SearchShape))
            case _, ["records", *_]:
                raise Problem(501, NOT_HERE["records"])
            case _, ["namespaces", _, "documents", *_]:
                raise Problem(501, NOT_HERE["documents"])
        _refuse(method, rest)

    def _upsert(self, index: Index, request: rq.UpsertShape) -> tuple:
        namespace = rq.checked_namespace(request.namespace)
        ids, vectors, metadata = rq.checked_records(request, index.dimension)
        lsn = self.store.upsert(index, namespace, ids, vectors, metadata)
        return 200, {"upsertedCount": len(ids)}, "committed", lsn

    def _query(self, index: Index, request: rq.QueryShape) -> tuple:
        if request.scan_factor is not None or request.max_candidates is not None:
            raise Problem(400, "scanFactor and maxCandidates are for indexes on dedicated read nodes only")
        if request.sparse_vector is not None:
            raise Problem(501, NOT_HERE["sparse"])
        matches, lsn = self._nearest(index, request.namespace, request)
        answer = {"matches": matches, "namespace": request.namespace, "usage": {"readUnits": 1}}
        return 200, answer, "reconciled", lsn

    def _nearest(self, index: Index, name: str, request) -> tuple[list[dict], int]:
        """The matches of a query, best first, and how far in the log the namespace could be read."""
        rq.check_between("topK", request.top_k, 1, rq.MAX_TOP_K)
        if (request.vector is None) == (request.id is None):
            raise Problem(400, "A query needs either 'vector' or 'id', and not both")
        predicate = rq.checked_filter(request.filter)
        query = None
        if request.vector is not None:
            query = rq.checked_vector(request.vector, index.dimension, index.metric)
        else:
            rq.check_id(request.id)
        with self.store.reading(index, rq.checked_namespace(name)) as segment:
            if segment is not None and request.id in segment.row:
                query = segment.vector(request.id)
            if segment is None or query is None:  # no such namespace or id: nothing is near
                return [], segment.seen if segment else 0
            matches, size = [], 0
            for id_, score in segment.search(query, index.metric, request.top_k, predicate):
                match = {"id": id_, "score": score, "values": []}
                size += len(id_)
                if request.include_values:
                    match["values"] = segment.vector(id_)
                    size += 4 * index.dimension
                if request.include_metadata and (metadata := segment.metadata[segment.row[id_]]) is not None:
                    match["metadata"] = metadata
                    size += rq.metadata_bytes(metadata)
                if size > rq.MAX_RESULT_BYTES:
                    raise Problem(
                        400,
                        f"The result is larger than {rq.MAX_RESULT_BYTES} bytes: choose a smaller topK, or leave out "
                        "values or metadata",
                    )
                matches.append(match)
            return matches, segment.seen

    def _search_records(self, index: Index, name: str, request: rq.SearchShape) -> tuple:
        if request.query.inputs or request.query.match_terms:
            raise Problem(501, NOT_HERE["records"])
        if request.rerank:
            raise Problem(501, NOT_HERE["inference"])
        asked = request.query.vector or rq.SearchVectorShape()
        if asked.sparse_values or asked.sparse_indices:
            raise Problem(501, NOT_HERE["sparse"])
        query = rq.QueryShape(
            top_k=request.query.top_k,
            vector=asked.values,
            id=request.query.id,
            filter=request.query.filter,
            include_metadata=True,
        )
        matches, lsn = self._nearest(index, name, query)
        hits = []
        for match in matches:
            fields = match.get("metadata", {})
            if request.fields is not None:
                fields = {key: fields[key] for key in request.fields if key in fields}
            hits.append({"_id": match["id"], "_score": match["score"], "fields": fields})
        return 200, {"result": {"hits": hits}, "usage": {"read_units": 1}}, "reconciled", lsn

    def _fetch(self, index: Index, asked: dict) -> tuple:
        ids = asked.get("ids", [])
        rq.check_ids(ids, "A fetch")
        namespace = asked.get("namespace", [""])[0]
        with self.store.reading(index, rq.checked_namespace(namespace)) as segment:
            found = {id_: _record(segment, id_) for id_ in ids if segment is not None and id_ in segment.row}
        return 200, {"vectors": found, "namespace": namespace, "usage": {"readUnits": _tenths(len(found))}}

    def _fetch_by_metadata(self, index: Index, request: rq.FetchByMetadataShape) -> tuple:
        if not request.filter:
            raise Problem(400, "Empty filter provided for fetch by metadata request")
        rq.check_between("limit", request.limit, 1, rq.MAX_FETCHED)
        predicate, after = rq.checked_filter(request.filter), _read_token(request.pagination_token)
        found, more = {}, False
        with self.store.reading(index, rq.checked_namespace(request.namespace)) as segment:
            if segment is not None:
                ids = sorted(segment.ids[row] for row in segment.matching(predicate))
                ids = [id_ for id_ in ids if after is None or id_ > after]
                more = len(ids) > request.limit
                found = {id_: _record(segment, id_) for id_ in ids[: request.limit]}
        answer = {"vectors": found, "namespace": request.namespace, "usage": {"readUnits": _tenths(len(found))}}
        return 200, answer | _next_page(more, list(found))

    def _delete(self, index: Index, request: rq.DeleteShape) -> tuple:
        selectors = [request.ids is not None, request.delete_all, request.filter is not None]
        if sum(selectors) != 1:
            raise Problem(400, "A delete needs exactly one of 'ids', 'filter' and 'deleteAll'")
        namespace = rq.checked_namespace(request.namespace)
        if request.delete_all:
            lsn = self.store.clear(index, namespace)
        elif request.ids is not None:
            rq.check_ids(request.ids, "A delete")
            lsn = self.store.delete(index, namespace, request.ids)
        else:
            if not request.filter:
                raise Problem(400, "Delete with empty metadata filter is not allowed")
            lsn = self.store.delete(index, namespace, rq.checked_filter(request.filter))
        if lsn is None and namespace != "__default__":  # that one always exists
            raise Problem(404, "Namespace not found")
        return 200, {}, "committed", lsn

    def _update(self, index: Index, request: rq.UpdateShape) -> tuple:
        if (request.id is None) == (request.filter is None):
            raise Problem(400, "An update needs either 'id' or 'filter', and not both")
        if request.sparse_values is not None:
            raise Problem(501, NOT_HERE["sparse"])
        namespace, metadata = rq.checked_namespace(request.namespace), rq.checked_metadata(request.set_metadata)
        if request.id is not None:
            rq.check_id(request.id)
            vector = None
            if request.values is not None:
                vector = rq.checked_vector(request.values, index.dimension, index.metric, of_query=False)
            lsn = self.store.update(index, namespace, request.id, vector, metadata, rq.check_metadata_size)
            return 200, {}, "committed", lsn
        if request.values is not None:
            raise Problem(400, "Update by metadata request does not support updating vector values.")
        if not request.filter:
            raise Problem(400, "Update with empty metadata filter is not allowed")
        predicate = rq.checked_filter(request.filter)
        change = (metadata or {}, rq.check_metadata_size, request.dry_run)
        lsn, matched = self.store.update_matching(index, namespace, predicate, *change)
        return 200, {"matchedRecords": matched}, "committed", lsn

    def _list(self, index: Index, asked: dict) -> tuple:
        namespace, prefix = asked.get("namespace", [""])[0], asked.get("prefix", [""])[0]
        limit, after = _limit(asked), _read_token(asked.get("paginationToken", [None])[0])
        with self.store.reading(index, rq.checked_namespace(namespace)) as segment:
            ids, more = segment.page(prefix, after, limit) if segment is not None else ([], False)
        answer = {"vectors": [{"id": id_} for id_ in ids], "namespace": namespace, "usage": {"readUnits": 1}}
        return 200, answer | _next_page(more, ids)

    def _stats(self, index: Index, request: rq.StatsShape) -> tuple:
        if request.filter:
            raise Problem(
                400, "Serverless and Starter indexes do not support describing index stats with metadata filtering"
            )
        counts = {}
        for name, _ in self.store.namespaces(index):
            with self.store.reading(index, name) as segment:
                if segment is not None:
                    counts[name] = len(segment)
        return 200, {
            "namespaces": {name: {"vectorCount": count} for name, count in counts.items()},
            "dimension": index.dimension,
            "indexFullness": 0.0,
            "totalVectorCount": sum(counts.values()),
            "metric": index.metric,
            "vectorType": "dense",
        }

    def _create_namespace(self, index: Index, request: rq.NamespaceShape) -> tuple:
        if not request.name or request.name == "__default__":
            raise Problem(400, "A new namespace needs a name, other than '__default__', which always exists")
        fields = (request.schema or {}).get("fields", {})
        if request.schema is not None and (
            set(request.schema) != {"fields"}
            or not isinstance(fields, dict)
            or any(not isinstance(config, dict) or config.get("filterable") is not True for config in fields.values())
        ):
            raise Problem(400, 'A namespace\'s schema has the form {"fields": {"year": {"filterable": true}}}')
        try:
            self.store.create_namespace(index, rq.checked_namespace(request.name), request.schema)
        except AlreadyThere:
            raise Problem(409, f"Namespace '{request.name[:60]}' already exists") from None
        return 201, self._namespace(index, request.name, request.schema)

    def _list_namespaces(self, index: Index, asked: dict) -> tuple:
        prefix, after = asked.get("prefix", [""])[0], _read_token(asked.get("paginationToken", [None])[0])
        limit = _limit(asked)
        fitting = [(name, schema) for name, schema in self.store.namespaces(index) if name.startswith(prefix)]
        rest = [(name, schema) for name, schema in fitting if after is None or name > after]
        answer = {
            "namespaces": [self._namespace(index, name, schema) for name, schema in rest[:limit]],
            "total_count": len(fitting),
        }
        return 200, answer | _next_page(len(rest) > limit, [name for name, _ in rest[:limit]])

    def _namespace(self, index: Index, name: str, schema: dict | None) -> dict:
        with self.store.reading(index, name) as segment:
            count, size = (len(segment), segment.size_bytes(rq.metadata_bytes)) if segment is not None else (0, 0)
        # The counts are strings, as Pinecone's are.
        answer = {"name": name, "record_count": str(count), "size_bytes": str(size)}
        if schema is not None:
            answer |= {"schema": schema, "indexed_fields": {"fields": list(schema["fields"])}}
        return answer


# -- small parts -----------------------------------------------------------------------------------------------------


def _fault(status: int) -> tuple[dict, dict]:
    """Body and headers of an error that is made on purpose."""
    messages = {429: "Too many requests", 500: "Internal error", 503: "Service unavailable"}
    return {"code": {429: 8, 500: 13, 503: 14}[status], "message": messages[status], "details": []}, {}


async def _lifespan(receive, send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _whole_body(receive) -> bytes | Problem | None:
    """The body of a request; None when the client hung up before its end; a Problem when it is far too long."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message.get("body", b""))
        if size <= rq.MAX_BODY_BYTES:
            parts.append(message.get("body", b""))
        if not message.get("more_body"):
            too_long = f"A request has at most {rq.MAX_BODY_BYTES} bytes, this one has {size}: send smaller batches"
            return b"".join(parts) if size <= rq.MAX_BODY_BYTES else Problem(413, too_long)


def _described(index: Index, scope: dict) -> dict:
    """An index as the SDK's IndexModel reads it. Its host is a path of this service, at the address that was asked."""
    address = dict(scope["headers"]).get(b"host", b"127.0.0.1").decode("latin-1")
    field = {"type": "dense_vector", "dimension": index.dimension, "metric": index.metric}
    return {
        "name": index.name,
        "host": f"http://{address}/data/{index.name}",
        "status": {"ready": True, "state": "Ready"},
        "schema": {"fields": {"_values": field}},
        "read_capacity": READY,
        **index.settings,
    }


def _refuse(method: str, path: list[str]):
    if path[0] in ELSEWHERE:
        raise Problem(501, NOT_HERE[ELSEWHERE[path[0]]])
    raise Problem(404, f"There is no {method} {'/' + '/'.join(path)[:80]} in this API")


def _check_protection(value: str) -> None:
    if value not in ("enabled", "disabled"):
        raise Problem(400, f"deletion_protection must be 'enabled' or 'disabled', got '{value[:40]}'")


def _check_capacity(capacity: dict | None) -> None:
    if capacity is not None and capacity.get("mode") != "OnDemand":
        raise Problem(501, NOT_HERE["deployment"])


def _record(segment, id_: str) -> dict:
    record = {"id": id_, "values": segment.vector(id_)}
    metadata = segment.metadata[segment.row[id_]]
    return record if metadata is None else {**record, "metadata": metadata}


def _lsn_header(kind: str = "", lsn: int | None = None) -> list:
    """Where in the log a write landed, or how far a query could read; the SDK's ``response_info`` reads it."""
    return [(f"x-pinecone-lsn-{kind}".encode(), str(lsn).encode())] if lsn is not None else []


def _tenths(records: int) -> int:
    return max(1, math.ceil(records / 10))  # Pinecone counts one read unit for ten fetched records


def _limit(asked: dict) -> int:
    text = asked.get("limit", ["100"])[0]
    if not text.isdecimal() or not 1 <= int(text[:9]) <= rq.MAX_PAGE:
        raise Problem(400, f"limit must be between 1 and {rq.MAX_PAGE}, got '{text[:20]}'")
    return int(text)


def _next_page(more: bool, names: list[str]) -> dict:
    if not more:
        return {}
    return {"pagination": {"next": base64.urlsafe_b64encode(orjson.dumps({"after": names[-1]})).decode()}}


def _read_token(token: str | None) -> str | None:
    if not token:
        return None
    try:
        after = orjson.loads(base64.urlsafe_b64decode(token.encode()))["after"]
        if isinstance(after, str):
            return after
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise Problem(400, "Invalid pagination token: take it from 'pagination.next' of the page before")


def main(arguments: list[str] | None = None) -> None:
    """Serve on this computer until the process is ended; the first line of output is the address."""
    parser = argparse.ArgumentParser(description="A local stand-in for Pinecone (127.0.0.1 only).")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of the records")
    parser.add_argument("--indexing-lag", type=float, default=0.0, help="seconds before a write is readable")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    Faults.add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        store = VectorStore(options.data, options.indexing_lag)
    except StoreError as error:
        sys.exit(str(error))
    app = LocalPinecone(store, os.environ.get("PINECONE_API_KEY") or None, Faults.from_arguments(options))
    try:
        serve_forever(app, options.port, options.with_parent)
    finally:
        store.close()


if __name__ == "__main__":
    main()
