"""pinecone_client() talks to the right service, shows no key, and touches no index that is not the course's."""

import json

import pytest
from pinecone.errors.exceptions import PineconeValueError, UnauthorizedError
from pinecone_model import KEY, Service, no_waiting, only_loopback

from helpers.services import pinecone_access
from helpers.services.pinecone_access import CoursePinecone, local_pinecone, pinecone_client
from helpers.services.server import LocalProcess


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """No settings from outside, and a local service of this test's own."""
    for name in ("COURSE_CLOUD", "PINECONE_API_KEY", "PINECONE_CONTROLLER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pinecone_access, "FOLDER", tmp_path / "local")
    monkeypatch.setattr(pinecone_access, "_started", [])
    no_waiting(monkeypatch)
    with only_loopback():
        yield
    for app, server in pinecone_access._started:
        server.stop()
        app.store.close()


def cells(client) -> str:
    """What a lesson does; the same for every service."""
    client.create_index("course-20-films", dimension=2)
    index = client.index("course-20-films")
    index.upsert(vectors=[("a", [1.0, 0.0], {"year": 1990}), ("b", [1.0, 1.0])])
    answer = [
        (m.id, round(m.score, 6), m.metadata)
        for m in index.query(vector=[1, 0], top_k=2, include_metadata=True).matches
    ]
    client.delete_index("course-20-films")
    return json.dumps(answer)


def test_without_settings_a_local_service_answers(capsys):
    cells(pinecone_client())
    assert "local stand-in" in capsys.readouterr().out
    assert local_pinecone().counts["upsert"] == 1


def test_a_second_client_finds_the_same_indexes():
    pinecone_client().create_index("course-20-films", dimension=2)
    assert pinecone_client().has_index("course-20-films") and len(pinecone_access._started) == 1


def test_a_key_alone_changes_nothing(monkeypatch, capsys):
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", "https://controller.example.com")
    client = pinecone_client()
    assert client.config.host.startswith("http://127.0.0.1:") and client.config.api_key != KEY
    cells(client)
    assert "local stand-in" in capsys.readouterr().out


def test_the_same_cells_run_against_another_service(monkeypatch, tmp_path, capfd):
    here = cells(pinecone_client())
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    with LocalProcess("helpers.services.local_pinecone", "--data", str(tmp_path / "there")) as url:
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", url)
        monkeypatch.setenv("COURSE_CLOUD", "pinecone")
        before = local_pinecone().counts.copy()
        client = pinecone_client()
        assert cells(client) == here and local_pinecone().counts == before
        assert KEY not in repr(client) + str(client) and KEY[-4:] not in repr(client)
        monkeypatch.delenv("COURSE_CLOUD")  # a host on this computer may be used without it
        assert cells(pinecone_client()) == here
        monkeypatch.setenv("PINECONE_API_KEY", "pcsk_another_key")
        with pytest.raises(UnauthorizedError, match="Invalid API Key"):
            pinecone_client().list_indexes()
    out, err = capfd.readouterr()
    assert KEY not in out + err and "another_key" not in out + err


def test_the_cloud_is_pinecones_own_address(monkeypatch):
    monkeypatch.setenv("COURSE_CLOUD", "pinecone")
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    pinecone_client_host = pinecone_client().config.host  # building a client sends nothing
    assert pinecone_client_host == "https://api.pinecone.io"
    with Service(pinecone_access.FOLDER):  # so that the guard has something to see
        pass


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.delete_index("production"),
        lambda c: c.indexes.delete("production", timeout=-1),
        lambda c: c.index("production"),
        lambda c: c.Index("production"),
        lambda c: c.index(host="https://production-abc123.svc.aped-4627-b74a.pinecone.io"),
        lambda c: c.index(host="production-course-abc123.svc.aped-4627-b74a.pinecone.io"),
        lambda c: c.IndexAsyncio(host="https://production-abc123.svc.aped-4627-b74a.pinecone.io"),
        lambda c: c.create_index("production", dimension=3),
        lambda c: c.indexes.create(dimension=3),
    ],
)
def test_other_indexes_are_left_alone(call):
    with Service(pinecone_access.FOLDER) as service:
        service.index("production")
        before = service.app.counts.copy()
        client = CoursePinecone(api_key=KEY, host=service.url)
        with pytest.raises(PineconeValueError, match="only touches indexes whose names begin with 'course-'"):
            call(client)
        assert service.app.counts == before and service.store.index("production")


def test_the_courses_cloud_hosts_are_opened():
    client = CoursePinecone(api_key=KEY, host="http://127.0.0.1:9")
    host = "https://course-20-films-abc123.svc.aped-4627-b74a.pinecone.io"
    assert client.index(host=host).host == host and client.IndexAsyncio(host=host).host == host
    with Service(pinecone_access.FOLDER):
        pass


def test_a_bad_name_gets_pinecones_own_words():
    client = pinecone_client()
    with pytest.raises(PineconeValueError, match="lowercase alphanumeric"):
        client.create_index("Course-Films", dimension=3)
