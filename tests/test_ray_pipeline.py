"""The pipeline beyond one process loses nothing when a worker dies (needs the optional requirements-scale.txt)."""

import importlib.util
import sys

import pytest

from helpers import datasets

pytest.importorskip("ray", reason="Ray is optional: pip install -r requirements-scale.txt -c constraints.txt")


@pytest.fixture
def ray_pipeline(monkeypatch):
    path = datasets.DATA.parent / "benchmarks" / "ray_pipeline.py"
    spec = importlib.util.spec_from_file_location("ray_pipeline", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ray_pipeline", module)  # workers get the class by value, the parent finds it here
    spec.loader.exec_module(module)
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(module)
    return module


def test_every_passage_arrives_once_though_a_worker_is_killed(ray_pipeline, tmp_path):
    passages = datasets.passages().head(300)
    found = ray_pipeline.pipeline(passages, 2, tmp_path, kill=True)
    ray_pipeline.check(passages, tmp_path)
    assert found["processes"] > 2, "no worker was replaced, so none was killed in the middle"


def test_the_check_notices_what_is_missing(ray_pipeline, tmp_path):
    passages = datasets.passages().head(64)
    ray_pipeline.pipeline(passages.head(63), 1, tmp_path)
    with pytest.raises(AssertionError, match="missing or came twice"):
        ray_pipeline.check(passages, tmp_path)
