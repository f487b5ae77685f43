"""Any sequence of writes and reads gives what a plain NumPy and pandas model gives; also through a second process's eyes."""

import os
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pinecone_model import Model, Service, floats, matches

from helpers.services.filters import compile_filter
from helpers.services.segment import Segment

IDS = [f"id{n}" for n in range(8)]
WORDS = ["drama", "war", "comedy", ""]
EXAMPLES = int(os.environ.get("COURSE_EXAMPLES", "60"))  # more, now and then, by hand
METRICS = ("cosine", "dotproduct", "euclidean")

numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 2000, 1e300, -0.0]))
values = st.one_of(numbers, st.booleans(), st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=3))
fields = st.sampled_from(["year", "genre", "flag", "naïve field"])
metadata = st.dictionaries(fields, values, max_size=3)
# Few different numbers, so that equal scores, which are ordered by id, are common.
vectors = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0]), min_size=3, max_size=3).filter(any)
scalars = st.one_of(numbers, st.booleans(), st.sampled_from(WORDS))
tests = st.one_of(
    scalars,
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$eq", "$ne"]), scalars),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), numbers),
    st.builds(
        lambda o, v: {o: v},
        st.sampled_from(["$in", "$nin"]),
        st.lists(st.one_of(numbers, st.sampled_from(WORDS)), max_size=3),
    ),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.builds(lambda a, b: {"$gte": a, "$lt": b}, numbers, numbers),
)
leaves = st.dictionaries(fields, tests, min_size=1, max_size=2)
filters = st.recursive(
    leaves,
    lambda f: st.builds(
        lambda o, parts: {o: parts}, st.sampled_from(["$and", "$or"]), st.lists(f, min_size=1, max_size=3)
    ),
)
records = st.lists(st.tuples(st.sampled_from(IDS), vectors, metadata), min_size=1, max_size=5)
some_ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=4)
operations = st.one_of(
    st.tuples(st.just("upsert"), records),
    st.tuples(st.just("upsert"), records),
    st.tuples(st.just("update"), st.tuples(st.sampled_from(IDS), metadata, st.none() | vectors)),
    st.tuples(st.just("update matching"), st.tuples(filters, metadata)),
    st.tuples(st.just("delete"), some_ids),
    st.tuples(st.just("delete matching"), filters),
    st.tuples(st.just("delete all"), st.none()),
)
questions = st.tuples(vectors, st.integers(1, 10), st.none() | filters)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two services over one folder, as two processes would be: every step goes through one of them in turn."""
    folder = tmp_path_factory.mktemp("pinecone")
    with Service(folder) as first, Service(folder) as second:
        yield [
            {metric: service.index(f"course-{metric}", 3, metric) for metric in METRICS} for service in (first, second)
        ]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(operations, min_size=1, max_size=8),
    asked=st.lists(questions, min_size=1, max_size=4),
    who=st.integers(0, 1),
)
def test_the_service_agrees_with_the_model(both, steps, asked, who):
    namespace, model = uuid.uuid4().hex, Model()
    metric = METRICS[len(steps) % 3]
    for step, (operation, argument) in enumerate(steps):
        index = both[(step + who) % 2][metric]
        if operation == "upsert":
            model.upsert(argument)
            index.upsert(vectors=argument, namespace=namespace)
        elif model.frame.empty and step == 0:
            continue  # there is no namespace yet, and a deletion in it is an error
        elif operation == "update":
            id_, changes, vector = argument
            model.update([id_], changes, vector)
            index.update(id=id_, set_metadata=changes, values=vector, namespace=namespace)
        elif operation == "update matching":
            condition, changes = argument
            ids = model.matching(condition)
            model.update(ids, changes)
            answer = index.update(filter=condition, set_metadata=changes, namespace=namespace)
            assert answer.matched_records == len(ids)
        elif both[0][metric].describe_index_stats().namespaces.get(namespace):
            if operation == "delete":
                model.delete(argument)
                index.delete(ids=argument, namespace=namespace)
            elif operation == "delete matching":
                model.delete(model.matching(argument))
                index.delete(filter=argument, namespace=namespace)
            else:
                model.delete(IDS)
                index.delete(delete_all=True, namespace=namespace)
    for index in (both[0][metric], both[1][metric]):
        assert_same(index, namespace, metric, model, asked)


def assert_same(index, namespace, metric, model, asked):
    listed = [item.id for page in index.list(namespace=namespace, limit=3) for item in page.vectors]
    assert listed == sorted(model.frame["id"])
    stats = index.describe_index_stats().namespaces.get(namespace)
    assert (stats.vector_count if stats else 0) == len(model.frame)
    stored = index.fetch(ids=IDS, namespace=namespace).vectors
    assert set(stored) == set(model.frame["id"])
    for row in model.frame.itertuples():
        assert np.array_equal(np.float32(stored[row.id].values), row.vector)
        assert floats(stored[row.id].metadata) == row.metadata
    for vector, top_k, condition in asked:
        matches = index.query(vector=vector, top_k=top_k, filter=condition, namespace=namespace).matches
        expected = model.query(vector, metric, top_k, condition)
        assert [m.id for m in matches] == [id_ for id_, _ in expected]
        np.testing.assert_allclose([m.score for m in matches], [score for _, score in expected], rtol=1e-6, atol=1e-7)
        if condition:
            assert sorted(index.fetch_by_metadata(filter=condition, namespace=namespace).vectors) == model.matching(
                condition
            )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e18])
def test_search_is_exact_for_many_vectors_of_any_length(tmp_path, metric, scale):
    rng = np.random.default_rng(5)
    vectors = (rng.standard_normal((3000, 16)) * scale).astype(np.float32)
    vectors[500:520] = vectors[0]  # equal vectors must get equal scores, wherever they lie
    segment = Segment(16)
    for start in range(0, 3000, 250):
        segment.put([f"{i:04}" for i in range(start, start + 250)], vectors[start : start + 250], [None] * 250)
    segment.drop([f"{i:04}" for i in range(0, 3000, 7)])
    kept = np.array([i for i in range(3000) if i % 7])
    wide, query = vectors[kept].astype(float), vectors[1].astype(float)
    truth = np.square(wide - query).sum(axis=1) if metric == "euclidean" else (wide * query).sum(axis=1)
    if metric == "cosine":
        truth = truth / np.sqrt(np.square(wide).sum(axis=1)) / np.sqrt(np.square(query).sum())
    with np.errstate(over="ignore"):  # squares of 1e18 pass the end of 32-bit numbers only in sums
        order = np.lexsort((kept, np.float32(truth if metric == "euclidean" else -truth)))[:50]
        found = segment.search(vectors[1], metric, 50)
    assert [int(id_) for id_, _ in found] == kept[order].tolist()


@settings(max_examples=5 * EXAMPLES, deadline=None, derandomize=True, database=None)
@given(stored=st.lists(metadata, max_size=6), condition=filters)
def test_a_filter_lets_through_what_the_model_lets_through(stored, condition):
    stored = [floats(record) or None for record in stored]
    segment = Segment(2)
    segment.put([str(n) for n in range(len(stored))], np.ones((len(stored), 2), np.float32), stored)
    expected = [n for n, record in enumerate(stored) if matches(record or {}, condition)]
    assert segment.matching(compile_filter(condition)).tolist() == expected
