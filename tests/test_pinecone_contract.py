"""Every call of the Pinecone SDK for dense indexes, sync and async, decoded by the SDK; and every error it can meet."""

# ruff: noqa: F811 (a test names the fixtures that it imports)

import http.client
import json
import logging
import socket
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from pinecone import Field, ServerlessSpec, Vector
from pinecone.errors.exceptions import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    PineconeError,
    ServiceError,
    UnauthorizedError,
)
from pinecone_model import KEY, Service, client, sdk, service  # noqa: F401 (fixtures)

from helpers.services import pinecone_requests

RECORDS = [
    ("a", [1.0, 0.0, 0.0], {"year": 1990, "genre": ["drama", "war"], "spanish": True}),
    ("b", [0.0, 2.0, 0.0], {"year": 2000, "genre": ["comedy"], "title": "B"}),
    ("c", [1.0, 1.0, 0.0], {"year": 2010.5, "spanish": False}),
    ("d", [0.1, 0.2, 0.3]),
]


@pytest.fixture(scope="module")
def filled(client, service, sdk):
    """The index course-test with four records, for tests that change nothing."""
    sdk(client.create_index("course-test", dimension=3, metric="cosine"))
    opened = sdk(client.index("course-test"))
    sdk(opened.upsert(vectors=RECORDS))
    yield opened
    sdk(opened.close())
    sdk(client.delete_index("course-test"))


@pytest.fixture
def index(filled, service, sdk):
    """The same, for tests that change it: filled anew afterwards."""
    yield filled
    inside = service.store.index("course-test")
    for name, _ in service.store.namespaces(inside):
        service.store.delete_namespace(inside, name)
    sdk(filled.upsert(vectors=RECORDS))


# -- indexes ----------------------------------------------------------------------------------------------------------


def test_the_life_of_an_index(client, sdk):
    spec = ServerlessSpec(cloud="aws", region="eu-west-1")
    made = sdk(client.create_index("course-life", spec, 4, "euclidean", tags={"lesson": "20"}))
    assert (made.name, made.dimension, made.metric, made.vector_type) == ("course-life", 4, "euclidean", "dense")
    assert (made.deployment.cloud, made.deployment.region) == ("aws", "eu-west-1")
    assert made.status.ready and made.status.state == "Ready" and made.tags == {"lesson": "20"}
    assert made.spec.serverless.region == "eu-west-1" and made.read_capacity.status.state == "Ready"
    assert sdk(client.describe_index("course-life")) == made == sdk(client.indexes.describe("course-life"))
    names = [i.name for i in sdk(client.list_indexes())]
    assert "course-life" in names and names == [i.name for i in sdk(client.indexes.list())] == sorted(names)
    assert sdk(client.has_index("course-life")) and not sdk(client.has_index("course-other"))
    assert sdk(client.configure_index("course-life", tags={"lesson": "", "owner": "me"})).tags == {"owner": "me"}
    assert sdk(client.configure_index("course-life", deletion_protection="enabled")).deletion_protection == "enabled"
    with pytest.raises(ForbiddenError, match="Deletion protection is enabled"):
        sdk(client.delete_index("course-life"))
    sdk(client.indexes.configure("course-life", deletion_protection="disabled", read_capacity={"mode": "OnDemand"}))
    sdk(client.delete_index("course-life"))
    assert "course-life" not in sdk(client.list_indexes()).names()


def test_an_index_can_be_declared_by_its_schema(client, sdk):
    schema = {"fields": {"_values": {"type": "dense_vector", "dimension": 2, "metric": "dotproduct"}}}
    deployment = {"deployment_type": "managed", "cloud": "gcp", "region": "us-central1"}
    made = sdk(client.indexes.create(schema=schema, deployment=deployment))
    assert made.schema.fields["_values"].dimension == 2 and made.deployment.cloud == "gcp" and made.name
    sdk(client.indexes.delete(made.name))
    assert not sdk(client.indexes.exists(made.name))


def test_an_index_is_reached_by_name_and_by_host(filled, client, sdk):
    host = sdk(client.describe_index("course-test")).host
    for again in (sdk(client.index(host=host)), sdk(client.index(name="course-test")), client.IndexAsyncio(host=host)):
        assert again.host == host == filled.host


# -- writing and reading ------------------------------------------------------------------------------------------------


def test_records_come_back_as_they_were_stored(index, sdk):
    answer = sdk(index.fetch(ids=["a", "d", "nobody"]))
    assert set(answer.vectors) == {"a", "d"} and answer.usage.read_units == 1
    assert answer.vectors["a"].values == [1.0, 0.0, 0.0]
    assert answer.vectors["a"].metadata == {"year": 1990.0, "genre": ["drama", "war"], "spanish": True}
    assert isinstance(answer.vectors["a"].metadata["year"], float)  # all numbers become 64-bit floats, as in Pinecone
    assert answer.vectors["d"].metadata is None
    assert answer.vectors["d"].values == [0.1, 0.2, 0.3]  # 32-bit numbers in their shortest form


def test_all_forms_of_a_record_are_taken(index, sdk):
    forms = [
        Vector(id="v1", values=[1.0, 2.0, 3.0], metadata={"n": 1}),
        ("v2", np.array([1, 2, 3], np.float32)),
        {"id": "v3", "values": [1, 2, 3], "metadata": {"n": 3}},
        ("v4", [1, 2, 3], {}),
    ]
    assert sdk(index.upsert(vectors=forms, namespace="forms")).upserted_count == 4
    found = sdk(index.fetch(ids=["v1", "v2", "v3", "v4"], namespace="forms")).vectors
    assert [found[f"v{i}"].values for i in (1, 2, 3, 4)] == [[1.0, 2.0, 3.0]] * 4


def test_batches_and_frames_are_upserted_in_bulk(index, sdk):
    vectors = [(f"n{i:03}", [1.0, i, 0.0]) for i in range(230)]
    answer = sdk(index.upsert(vectors=vectors, namespace="bulk", batch_size=50, show_progress=False))
    assert (answer.upserted_count, answer.total_batch_count, answer.has_errors) == (230, 5, False)
    assert answer.response_info.lsn_committed > 0
    frame = pd.DataFrame({"id": ["x", "y"], "values": [[1.0, 2, 3], [3.0, 2, 1]], "metadata": [{"n": 1}, {"n": 2}]})
    answer = sdk(index.upsert_from_dataframe(frame, namespace="bulk", show_progress=False))
    assert answer.upserted_count == 2
    assert sdk(index.describe_index_stats()).namespaces["bulk"].vector_count == 232
    assert [len(page.vectors) for page in sdk(index.list(namespace="bulk"))] == [100, 100, 32]


def test_a_failed_batch_is_reported_and_the_others_are_kept(index, sdk):
    vectors = [("good", [1.0, 2.0, 3.0]), ("bad", [1.0, 2.0])]
    answer = sdk(index.upsert(vectors=vectors, batch_size=1, namespace="half", show_progress=False))
    assert answer.upserted_count == 1 and [item["id"] for item in answer.failed_items] == ["bad"]
    assert "dimension 2 does not match the dimension of the index 3" in answer.errors[0].error_message


@pytest.mark.parametrize(
    ("metric", "ranking"),
    [
        ("cosine", [("a", 1.0), ("c", 0.70710678), ("d", 0.26726124), ("b", 0.0)]),
        ("dotproduct", [("a", 2.0), ("c", 2.0), ("d", 0.2), ("b", 0.0)]),
        ("euclidean", [("a", 1.0), ("c", 2.0), ("d", 3.74), ("b", 8.0)]),  # squared distance, the smallest first
    ],
)
def test_scores_are_pinecones(client, sdk, metric, ranking):
    sdk(client.create_index(f"course-{metric}", dimension=3, metric=metric))
    index = sdk(client.index(f"course-{metric}"))
    sdk(index.upsert(vectors=RECORDS))
    matches = sdk(index.query(vector=[2, 0, 0], top_k=10)).matches
    assert [m.id for m in matches] == [id_ for id_, _ in ranking]
    np.testing.assert_allclose([m.score for m in matches], [score for _, score in ranking], rtol=1e-6, atol=1e-7)
    merged = sdk(index.query_namespaces(vector=[2, 0, 0], namespaces=["", "empty"], metric=metric, top_k=2))
    assert [m.id for m in merged.matches] == [id_ for id_, _ in ranking[:2]]
    assert merged.usage.read_units == 2
    sdk(client.delete_index(f"course-{metric}"))


def test_a_query_gives_what_it_is_asked_for(index, sdk):
    bare = sdk(index.query(id="a", top_k=2))
    assert [m.id for m in bare.matches] == ["a", "c"] and bare.usage.read_units == 1
    assert bare.matches[0].values == [] and bare.matches[0].metadata is None
    full = sdk(index.query(id="a", top_k=1, include_values=True, include_metadata=True)).matches[0]
    assert full.values == [1.0, 0.0, 0.0] and full.metadata["genre"] == ["drama", "war"]
    chosen = (Field("year").gte(1995) & (Field("genre") == "comedy")).to_dict()
    assert [m.id for m in sdk(index.query(vector=[1, 1, 1], top_k=9, filter=chosen)).matches] == ["b"]
    assert sdk(index.query(vector=[1, 1, 1], top_k=9, namespace="unknown")).matches == []
    assert sdk(index.query(id="nobody", top_k=9)).matches == []


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ({"genre": "drama"}, "a"),
        ({"genre": {"$eq": "war"}}, "a"),
        ({"genre": {"$ne": "war"}}, "bcd"),
        ({"genre": {"$in": ["war", "comedy"]}}, "ab"),
        ({"genre": {"$nin": ["war", "comedy"]}}, "cd"),
        ({"year": {"$gt": 1990}}, "bc"),
        ({"year": {"$gte": 1990, "$lt": 2010}}, "ab"),
        ({"year": {"$lte": 2010.5}}, "abc"),
        ({"year": {"$in": [1990, 2000, "2010.5"]}}, "ab"),
        ({"year": "1990"}, ""),
        ({"spanish": True}, "a"),
        ({"spanish": 1}, ""),
        ({"spanish": {"$ne": True}}, "bcd"),
        ({"year": {"$exists": False}}, "d"),
        ({"title": {"$exists": True}, "year": 2000}, "b"),
        ({"$or": [{"spanish": False}, {"$and": [{"year": 2000}, {"title": "B"}]}]}, "bc"),
        ({}, "abcd"),
    ],
)
def test_filters_let_through_what_they_say(filled, sdk, condition, ids):
    assert sorted(m.id for m in sdk(filled.query(vector=[1, 1, 1], top_k=9, filter=condition)).matches) == list(ids)
    if condition:
        assert sorted(sdk(filled.fetch_by_metadata(filter=condition)).vectors) == list(ids)
        assert sdk(filled.update(filter=condition, set_metadata={"x": 1}, dry_run=True)).matched_records == len(ids)


def test_an_update_changes_only_what_it_names(index, sdk):
    sdk(index.update(id="a", set_metadata={"year": 1991}))
    sdk(index.update(id="a", values=[0, 0, 5]))
    sdk(index.update(id="nobody", values=[1, 1, 1]))  # as in Pinecone: no error, and no new record
    stored = sdk(index.fetch(ids=["a", "nobody"])).vectors
    assert stored["a"].metadata["year"] == 1991 and stored["a"].metadata["spanish"] and stored["a"].values == [0, 0, 5]
    assert set(stored) == {"a"}
    answer = sdk(index.update(filter={"year": {"$gt": 1995}}, set_metadata={"new": True, "title": "T"}))
    assert answer.matched_records == 2
    assert sdk(index.fetch(ids=["b"])).vectors["b"].metadata["title"] == "T"


def test_deletions(index, sdk):
    sdk(index.delete(ids=["a", "nobody"]))
    assert sorted(v for page in sdk(index.list()) for v in [item.id for item in page.vectors]) == ["b", "c", "d"]
    sdk(index.delete(filter={"year": {"$gte": 2005}}))
    assert sdk(index.fetch(ids=["c"])).vectors == {}
    sdk(index.delete(delete_all=True))
    stats = sdk(index.describe_index_stats())
    assert stats.total_vector_count == 0 and stats.namespaces["__default__"].vector_count == 0
    with pytest.raises(NotFoundError, match="Namespace not found"):
        sdk(index.delete(ids=["a"], namespace="unknown"))
    sdk(index.upsert(vectors=RECORDS[:1]))
    assert sdk(index.describe_index_stats()).total_vector_count == 1


def test_lists_have_pages(index, sdk):
    sdk(index.upsert(vectors=[(f"doc{i % 3}#{i:02}", [1.0, i, 0], {"n": 1}) for i in range(30)], namespace="pages"))
    first = sdk(index.list_paginated(namespace="pages", prefix="doc1#", limit=4))
    assert [item.id for item in first.vectors] == ["doc1#01", "doc1#04", "doc1#07", "doc1#10"]
    token = first.pagination.next
    second = sdk(index.list_paginated(namespace="pages", prefix="doc1#", limit=4, pagination_token=token))
    assert second.vectors[0].id == "doc1#13" and second.pagination.next
    assert sum(len(page.vectors) for page in sdk(index.list(namespace="pages", limit=7))) == 30
    assert sdk(index.list_paginated(namespace="pages", prefix="none")).vectors == []
    found, token = [], None
    while True:
        page = sdk(index.fetch_by_metadata(filter={"n": 1}, namespace="pages", limit=12, pagination_token=token))
        found += list(page.vectors)
        if not page.pagination:
            break
        token = page.pagination.next
    assert len(found) == 30 == len(set(found))


def test_namespaces(index, sdk):
    schema = {"fields": {"year": {"filterable": True}}}
    made = sdk(index.create_namespace(name="films-en", schema=schema))
    assert (made.name, made.record_count, made.indexed_fields.fields) == ("films-en", 0, ["year"])
    with pytest.raises(ConflictError):
        sdk(index.create_namespace(name="films-en"))
    sdk(index.upsert(vectors=RECORDS, namespace="films-es"))
    sdk(index.upsert(vectors=RECORDS[:1], namespace="odd/name?&"))
    described = sdk(index.describe_namespace(name="films-es"))
    assert described.record_count == 4 and described.size_bytes > 4 * 12 and described.schema is None
    assert sdk(index.describe_namespace(name="odd/name?&")).record_count == 1
    assert sdk(index.describe_namespace(name="__default__")).record_count == 4
    page = sdk(index.list_namespaces_paginated(prefix="films-", limit=1))
    assert page.total_count == 2 and [n.name for n in page] == ["films-en"]
    page = sdk(index.list_namespaces_paginated(prefix="films-", limit=1, pagination_token=page.pagination.next))
    assert [n.name for n in page] == ["films-es"] and page.pagination is None
    names = [n.name for page in sdk(index.list_namespaces(limit=2)) for n in page]
    assert names == ["__default__", "films-en", "films-es", "odd/name?&"]
    sdk(index.delete_namespace(name="films-es"))
    for call in (index.delete_namespace, index.describe_namespace):
        with pytest.raises(NotFoundError, match="Namespace not found"):
            sdk(call(name="films-es"))
    assert "films-es" not in sdk(index.describe_index_stats()).namespaces


def test_the_default_namespace_has_two_names(index, sdk):
    assert set(sdk(index.fetch(ids=["a", "b"], namespace="__default__")).vectors) == {"a", "b"}
    assert sdk(index.describe_index_stats()).namespaces["__default__"].vector_count == 4


def test_records_are_searched_by_vector_and_by_id(index, sdk):
    answer = sdk(index.search(namespace="__default__", vector=[1, 0, 0], top_k=2, filter={"year": {"$exists": True}}))
    assert [hit.id for hit in answer.result.hits] == ["a", "c"] and answer.usage.read_units == 1
    answer = sdk(index.search_records(namespace="__default__", id="a", top_k=1, fields=["year", "none"]))
    assert answer.result.hits[0].fields == {"year": 1990.0}


def test_a_read_tells_whether_it_saw_a_write(index, sdk):
    written = sdk(index.upsert(vectors=RECORDS, namespace="log")).response_info.lsn_committed
    assert sdk(index.query(id="a", top_k=1, namespace="log")).response_info.is_reconciled(written)


def test_stats(index, sdk):
    stats = sdk(index.describe_index_stats())
    assert (stats.dimension, stats.metric, stats.vector_type, stats.total_vector_count) == (3, "cosine", "dense", 4)
    with pytest.raises(ApiError, match="do not support describing index stats with metadata filtering"):
        sdk(index.describe_index_stats(filter={"year": 1}))


# -- errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "status", "says"),
    [
        (
            lambda i: i.upsert(vectors=[("x", [1, 2])]),
            400,
            "Vector dimension 2 does not match the dimension of the index 3",
        ),
        (
            lambda i: i.upsert(vectors=[("x", [1, float("nan"), 2])]),
            400,
            r"vectors\[0\].values\[1\]. \(NaN and infinity",
        ),
        (lambda i: i.upsert(vectors=[("x", [1, float("-inf"), 2])]), 400, "NaN and infinity"),
        (lambda i: i.upsert(vectors=[("x", [1, 1e39, 2])]), 400, "'x': numbers must be finite and fit into 32-bit"),
        (lambda i: i.upsert(vectors=[("x", ["1", 2, 3])]), 400, "Expected `float`, got `str`"),
        (lambda i: i.upsert(vectors=[("x", [0, 0, 0])]), 400, "non-zero value. Vector ID 'x' contains only zeros"),
        (lambda i: i.upsert(vectors=[]), 400, "at least one record"),
        (lambda i: i.upsert(vectors=[("", [1, 2, 3])]), 400, "1 to 512 ASCII characters, got 0"),
        (lambda i: i.upsert(vectors=[("x" * 513, [1, 2, 3])]), 400, "1 to 512 ASCII characters, got 513"),
        (lambda i: i.upsert(vectors=[(str(n), [1, 2, 3]) for n in range(1001)]), 400, "at most 1000 records, got 1001"),
        (
            lambda i: i.upsert(vectors=[("x", [1, 2, 3], {"f": "é" * 30_000})]),
            400,
            "Metadata size is 60008 bytes.* 40960",
        ),
        (lambda i: i.upsert(vectors=[("x", [1, 2, 3], {"f": None})]), 400, "got 'null' for field 'f'"),
        (lambda i: i.upsert(vectors=[("x", [1, 2, 3], {"$f": 1})]), 400, "must not begin with"),
        (lambda i: i.update(id="a", values=[1, 2]), 400, "Vector dimension 2"),
        (lambda i: i.update(id="a", values=[0, 0, 0]), 400, "non-zero"),
        (lambda i: i.update(id="a", set_metadata={"f": {"nested": 1}}), 400, "got '{\"nested\":1}' for field 'f'"),
        (lambda i: i.update(id="a", set_metadata={"f": "x" * 41_000}), 400, "exceeds the limit of 40960"),
        (lambda i: i.query(vector=[1, 2], top_k=1), 400, "Query vector dimension 2 does not match"),
        (lambda i: i.query(vector=[0, 0, 0], top_k=1), 400, "non-zero"),
        (lambda i: i.query(id="a", top_k=1, scan_factor=2.0), 400, "dedicated read nodes"),
        (
            lambda i: i.query(id="a", top_k=1, filter={"f": {"$regex": "x"}}),
            400,
            r"'\$regex' on field 'f' is not a filter",
        ),
        (lambda i: i.query(id="a", top_k=1, filter={"$not": [{"f": 1}]}), 400, r"'\$not' is not a filter operator"),
        (lambda i: i.query(id="a", top_k=1, filter={"$eq": 1}), 400, r"\$eq must stand inside a field"),
        (
            lambda i: i.query(id="a", top_k=1, filter={"$and": {"f": 1}}),
            400,
            r"\$and must be followed by a non-empty list",
        ),
        (lambda i: i.query(id="a", top_k=1, filter={"$or": []}), 400, r"\$or must be followed by a non-empty list"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$gt": "x"}}), 400, r"\$gt on field 'f' needs a number"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$gt": True}}), 400, "needs a number"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$in": "x"}}), 400, "needs a list of strings or numbers"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$in": [[1]]}}), 400, "strings and numbers only"),
        (
            lambda i: i.query(id="a", top_k=1, filter={"f": {"$in": [1] * 10_001}}),
            400,
            "10001 values; the most is 10000",
        ),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$exists": 1}}), 400, "needs true or false"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {"$eq": None}}), 400, "needs a string, number or boolean"),
        (lambda i: i.query(id="a", top_k=1, filter={"f": {}}), 400, "is empty"),
        (lambda i: i.query(id="a", top_k=1, filter={"$and": [1]}), 400, "must be an object"),
        (lambda i: i.fetch(ids=[str(n) for n in range(1001)]), 400, "A fetch takes 1 to 1000 ids, got 1001"),
        (lambda i: i.delete(ids=[str(n) for n in range(1001)]), 400, "A delete takes 1 to 1000 ids, got 1001"),
        (lambda i: i.delete(filter={"f": {"$has": 1}}), 400, "not a filter operator"),
        (lambda i: i.list_paginated(pagination_token="made up"), 400, "Invalid pagination token"),
        (lambda i: i.upsert(vectors=[("x", [1, 2, 3])], namespace="é"), 400, "at most 512 ASCII characters"),
        (lambda i: i.search(namespace="x", inputs={"text": "hi"}, top_k=1), 501, "integrated embedding"),
        (
            lambda i: i.search(namespace="x", vector={"sparse_indices": [1], "sparse_values": [1.0]}, top_k=1),
            501,
            "sparse",
        ),
        (lambda i: i.upsert_records(namespace="x", records=[{"_id": "1", "text": "hi"}]), 501, "integrated embedding"),
        (lambda i: i.start_import("s3://bucket/folder"), 501, "imports from object storage"),
        (lambda i: i.list_imports_paginated(), 501, "imports from object storage"),
        (lambda i: i.describe_import("1"), 501, "imports from object storage"),
        (
            lambda i: i.documents.upsert(namespace="x", documents=[{"_id": "1", "t": "hi"}]),
            501,
            "documents need an index",
        ),
        (lambda i: i.query(sparse_vector={"indices": [1], "values": [1.0]}, vector=[1, 2, 3], top_k=1), 501, "sparse"),
        (
            lambda i: i.upsert(
                vectors=[{"id": "x", "values": [1, 2, 3], "sparse_values": {"indices": [1], "values": [1.0]}}]
            ),
            501,
            "sparse vectors",
        ),
    ],
)
def test_an_index_refuses(filled, sdk, call, status, says):
    with pytest.raises(ApiError, match=says) as caught:
        sdk(call(filled))
    assert caught.value.status_code == status
    assert caught.value.body["code"] == {400: 3, 501: 12}[status] and caught.value.body["details"] == []
    assert sdk(filled.describe_index_stats()).total_vector_count == 4  # and nothing was written


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda c: c.create_index("course-test", dimension=3), ConflictError, "Resource already exists"),
        (
            lambda c: c.create_index("course-other", dimension=0),
            ApiError,
            "Dimension must be between 1 and 20000, got 0",
        ),
        (lambda c: c.create_index("course-other", dimension=20_001), ApiError, "between 1 and 20000"),
        (lambda c: c.describe_index("course-other"), NotFoundError, "Resource course-other not found"),
        (lambda c: c.delete_index("course-other"), NotFoundError, "not found"),
        (lambda c: c.configure_index("course-other", tags={"a": "b"}), NotFoundError, "not found"),
        (lambda c: c.configure_index("course-test", replicas=2), ApiError, "this index is serverless"),
        (lambda c: c.create_index("course-other", vector_type="sparse"), ServiceError, "dense indexes only"),
        (
            lambda c: c.indexes.create(
                name="course-o", schema={"fields": {"t": {"type": "string", "full_text_search": {}}}}
            ),
            ServiceError,
            "dense indexes only",
        ),
        (lambda c: c.list_collections(), ServiceError, "collections need Pinecone's cloud"),
        (lambda c: c.create_backup(index_name="course-test"), ServiceError, "backups, restore jobs"),
        (lambda c: c.list_restore_jobs(), ServiceError, "backups, restore jobs"),
        (
            lambda c: c.inference.embed("multilingual-e5-large", ["hi"], {"input_type": "query"}),
            ServiceError,
            "no models that embed",
        ),
        (
            lambda c: c.create_index_for_model(
                "course-o", "aws", "us-east-1", {"model": "m", "field_map": {"text": "t"}}
            ),
            ServiceError,
            "integrated embedding",
        ),
    ],
)
def test_the_control_plane_refuses(client, filled, sdk, call, error, says):
    with pytest.raises(error, match=says) as caught:
        sdk(call(client))
    assert (
        set(caught.value.body) == {"error", "status"} and caught.value.error_code == caught.value.body["error"]["code"]
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda c, i: c.create_index("Course-Capitals", dimension=3),
        lambda c, i: i.query(id="a", top_k=0),
        lambda c, i: i.query(id="a", top_k=10_001),
        lambda c, i: i.upsert(vectors=[("x", [1, 2, 3], {"nested": {"a": 1}})]),
        lambda c, i: i.delete(),
        lambda c, i: i.delete(filter={}),
        lambda c, i: i.create_namespace(name="__default__"),
    ],
)
def test_what_the_sdk_itself_refuses(client, filled, sdk, call):
    with pytest.raises(PineconeError) as caught:
        sdk(call(client, filled))
    assert not isinstance(caught.value, ApiError)


def raw(service, method, path, body=b"", headers=None, cut=0):
    """A request without the SDK, which would not send it: status and decoded body."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(service.url).port, timeout=10)
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, body, {"Api-Key": KEY, **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/query", {"topK": 0, "id": "a"}, "topK must be between 1 and 10000, got 0"),
        ("/query", {"topK": 10_001, "id": "a"}, "topK must be between 1 and 10000, got 10001"),
        ("/query", {"topK": 1}, "either 'vector' or 'id'"),
        ("/query", {"topK": 1, "id": "a", "vector": [1, 2, 3]}, "and not both"),
        ("/query", {"topk": 1, "id": "a"}, "unknown field `topk`"),
        ("/query", {"topK": 1.5, "id": "a"}, "Expected `int`"),
        ("/query", b"no json", "not valid JSON"),
        ("/query", b'{"topK": 1, "id": "a', "not valid JSON: Input data was truncated"),
        ("/query", b'{"topK": 1, "id": "\xff"}', "not valid JSON"),
        ("/query", b"", "missing required field `topK`"),
        ("/query", b"[1]", "Expected `object`, got `array`"),
        ("/query", b'{"topK": 1, "filter": ' + b'{"$and": [' * 5000 + b"]}" * 5000 + b"}", ""),
        (
            "/query",
            {"topK": 1, "id": "a", "filter": {"$and": [json.loads('{"$and": [' * 60 + "{}" + "]}" * 60)]}},
            "nested",
        ),
        (
            "/vectors/upsert",
            {"vectors": [{"id": "x", "values": [1, 2, 3], "metadata": {"a": {"b": 1}}}]},
            "got '{\"b\":1}'",
        ),
        ("/vectors/upsert", {"vectors": [{"id": "x", "values": [1, 2, 3], "metadata": {"a": [1]}}]}, "got '.1.' for"),
        ("/vectors/upsert", {"vectors": [{"id": "é", "values": [1, 2, 3]}]}, "ASCII"),
        ("/vectors/upsert", b'{"vectors": [{"id": "x", "values": [1e999, 2, 3]}]}', ""),
        ("/vectors/upsert", b'{"vectors": [{"id": "x", "values": [NaN, 2, 3]}]}', "not valid JSON"),
        ("/vectors/upsert", b'{"vectors": [{"id":"x","values":[1,2,3],"metadata":{"n":1' + b"0" * 400 + b"}}]}", ""),
        ("/vectors/delete", {"ids": ["a"], "deleteAll": True}, "exactly one of"),
        ("/vectors/delete", {}, "exactly one of"),
        ("/vectors/delete", {"filter": {}}, "Delete with empty metadata filter is not allowed"),
        ("/vectors/delete", {"ids": []}, "1 to 1000 ids, got 0"),
        ("/vectors/update", {"filter": {}, "setMetadata": {}}, "Update with empty metadata filter is not allowed"),
        ("/vectors/update", {"filter": {"a": 1}, "values": [1, 2, 3]}, "does not support updating vector values"),
        ("/vectors/update", {}, "either 'id' or 'filter'"),
        ("/vectors/fetch_by_metadata", {"filter": {}}, "Empty filter"),
        ("/vectors/fetch_by_metadata", {"filter": {"a": 1}, "limit": 10_001}, "limit must be between 1 and 10000"),
        ("/namespaces", {"name": "__default__"}, "always exists"),
        ("/namespaces", {"name": "x", "schema": {"fields": {"a": {"filterable": False}}}}, "has the form"),
    ],
)
def test_requests_that_the_sdk_would_not_send(service, path, body, says):
    index = service.index("course-raw")
    index.upsert(vectors=RECORDS)
    status, answer = raw(service, "POST", "/data/course-raw" + path, body)
    assert (status, answer["code"]) == (400, 3) and says.replace(".1.", "[1]") in answer["message"]
    assert index.describe_index_stats().total_vector_count == 4


@pytest.mark.parametrize("name", ["Course", "-course", "course-", "", "co_urse", "ñ", "x" * 46])
def test_index_names(service, name):
    field = {"type": "dense_vector", "dimension": 3, "metric": "cosine"}
    status, answer = raw(service, "POST", "/indexes", {"name": name, "schema": {"fields": {"_values": field}}})
    assert (status, answer["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert "lower case alphanumeric" in answer["error"]["message"]


def test_a_path_that_is_not_there(service):
    service.index("course-raw")
    assert raw(service, "GET", "/nothing")[0] == 404
    assert raw(service, "PUT", "/data/course-raw/vectors/upsert")[0] == 404
    assert raw(service, "POST", "/data/course-gone/query", {"topK": 1, "id": "a"})[1]["code"] == 5
    assert raw(service, "GET", "/data")[0] == 404 and raw(service, "GET", "/")[0] == 404


def test_another_version_of_the_api_is_not_spoken(service):
    status, answer = raw(service, "GET", "/indexes", headers={"X-Pinecone-Api-Version": "2024-07"})
    assert status == 501 and "2026-07" in answer["error"]["message"]


def test_a_body_that_ends_too_soon_harms_nobody(service):
    index = service.index("course-raw")
    with socket.create_connection(("127.0.0.1", urlsplit(service.url).port)) as connection:
        head = (
            f"POST /data/course-raw/vectors/delete HTTP/1.1\r\nHost: x\r\nApi-Key: {KEY}\r\nContent-Length: 500\r\n\r\n"
        )
        connection.sendall(head.encode() + b'{"deleteAll": true}')
    index.upsert(vectors=RECORDS)
    assert index.describe_index_stats().total_vector_count == 4


def test_an_upsert_of_more_than_2_mb_is_refused(service):
    index = service.index("course-large", dimension=1536)
    vectors = [(f"r{i}", [0.5] * 1536) for i in range(345)]
    with pytest.raises(PayloadTooLargeError, match="the limit is 2097152 bytes: send smaller batches"):
        index.upsert(vectors=vectors)
    assert index.upsert(vectors=vectors[:300]).upserted_count == 300
    with pytest.raises(ApiError, match="The result is larger than 4194304 bytes"):
        for batch in (1, 2, 3):
            index.upsert(vectors=[(f"{batch}-{id_}", values) for id_, values in vectors[:300]])
        index.query(vector=vectors[0][1], top_k=1000, include_values=True)
    assert len(index.query(vector=vectors[0][1], top_k=1000).matches) == 1000


def test_a_thousand_ids_are_fetched_at_once(service):
    index = service.index("course-raw")
    ids = [f"article-with-a-long-name#{i:04}" for i in range(1000)]
    index.upsert(vectors=[(id_, [1, 2, 3]) for id_ in ids], namespace="many")
    assert len(index.fetch(ids=ids, namespace="many").vectors) == 1000


def test_of_an_id_twice_in_one_upsert_the_last_counts(service):
    index = service.index("course-raw")
    index.upsert(vectors=[("twice", [1, 2, 3]), ("twice", [3, 2, 1], {"n": 2})], namespace="twice")
    stored = index.fetch(ids=["twice"], namespace="twice").vectors["twice"]
    assert stored.values == [3, 2, 1] and stored.metadata == {"n": 2}
    assert index.query(vector=[3, 2, 1], top_k=5, namespace="twice").matches[0].score == 1


# -- keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["pcsk_wrong_key_of_somebody", KEY[:-1], KEY + "x"])
def test_a_wrong_key_is_refused_and_never_shown(service, sdk, key):
    client = sdk.client(service.url, key)
    with pytest.raises(UnauthorizedError, match="Invalid API Key") as caught:
        sdk(client.list_indexes())
    assert key not in str(caught.value) + repr(caught.value) + json.dumps(caught.value.body)
    index = sdk(client.index(host=service.url + "/data/course-raw"))
    with pytest.raises(UnauthorizedError, match="Invalid API Key"):
        sdk(index.describe_index_stats())


def test_no_key_is_refused(service):
    assert raw(service, "GET", "/indexes", headers={"Api-Key": ""})[0] == 401


def test_no_key_in_any_output(service, capfd, caplog, monkeypatch):
    monkeypatch.setenv("PINECONE_DEBUG_CURL", "1")
    caplog.set_level(logging.DEBUG)
    index = service.index("course-raw")
    said = []
    for call in (
        lambda: index.upsert(vectors=[("x", [1])]),
        lambda: index.query(vector=[1, 2, 3], top_k=3, filter={"f": {"$no": KEY[:3]}}),
        lambda: index.start_import("s3://x"),
        lambda: index.describe_namespace(name="none"),
    ):
        with pytest.raises(ApiError) as caught:
            call()
        said += [str(caught.value), repr(caught.value), str(caught.value.headers)]
    said += [repr(index), repr(index.query(vector=[1, 2, 3], top_k=1)), *capfd.readouterr(), caplog.text]
    assert not any(KEY in text for text in said)


# -- the answer after a write with an indexing lag ------------------------------------------------------------------------


def test_with_a_lag_a_write_is_acknowledged_before_it_is_seen(tmp_path):
    with Service(tmp_path, lag=3600) as service:
        index = service.index()
        written = index.upsert(vectors=RECORDS).response_info.lsn_committed
        assert index.describe_index_stats().total_vector_count == 0
        query = index.query(vector=[1, 1, 1], top_k=9)
        assert query.matches == [] and not query.response_info.is_reconciled(written)
        index.delete(filter={"year": 1990})  # a write sees all writes before it
        service.store.indexing_lag = 0
        assert sorted(m.id for m in index.query(vector=[1, 1, 1], top_k=9).matches) == ["b", "c", "d"]
        service.store.indexing_lag = 3600
        index.upsert(vectors=[("b", [9, 9, 9])])
        index.delete(ids=["c"])
        stored = index.fetch(ids=["b", "c"]).vectors  # the old state is what is seen
        assert stored["b"].values == [0, 2, 0] and "c" in stored
        service.store.indexing_lag = 0
        stored = index.fetch(ids=["b", "c"]).vectors
        assert stored["b"].values == [9, 9, 9] and "c" not in stored


def test_requests_are_counted_by_operation(service):
    index = service.index("course-raw")
    before = service.app.counts.copy()
    index.upsert(vectors=RECORDS * 10, batch_size=4, show_progress=False)
    index.query(id="a", top_k=1)
    assert service.app.counts - before == {"upsert": 10, "query": 1}


def test_the_limits_are_pinecones():
    r = pinecone_requests
    limits = (
        r.MAX_TOP_K,
        r.MAX_METADATA_BYTES,
        r.MAX_ID,
        r.MAX_RECORDS,
        r.MAX_UPSERT_BYTES,
        r.MAX_IDS,
        r.MAX_DIMENSION,
    )
    assert limits == (10_000, 40 * 1024, 512, 1_000, 2 * 1024**2, 1_000, 20_000)
