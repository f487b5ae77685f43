"""Which server a client talks to, where keys come from, and that nothing is left behind."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from helpers.services import chat_model, cloud, embedding_model, is_local, local_service, openai_client
from helpers.services.server import LocalProcess, LocalServer, serve_forever

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-secret-0123456789"


@pytest.fixture
def recorder():
    """A second server with OpenAI's interface: ``seen`` holds (path, authorization) of all that reaches it."""
    seen = []

    async def embeddings(request):
        seen.append((request.url.path, request.headers.get("authorization")))
        item = {"object": "embedding", "index": 0, "embedding": [1.0, 0.0]}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return JSONResponse(
            {"object": "list", "data": [item], "model": (await request.json())["model"], "usage": usage}
        )

    server = LocalServer(Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])]), "recorder")
    server.seen = seen
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_dotenv(monkeypatch, tmp_path):
    monkeypatch.setattr(cloud, "DOTENV", tmp_path / ".env")
    return tmp_path / ".env"


def one_embedding(client):
    return client.embeddings.create(model=embedding_model(client), input="tea")


def test_a_key_alone_changes_nothing(recorder, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", recorder.url + "/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {KEY}")
    client = openai_client()
    answer = one_embedding(client)
    assert is_local(client) and client.api_key == "local" and len(answer.data[0].embedding) == 384
    assert recorder.seen == [] and capsys.readouterr().out == ""


def test_the_cloud_is_used_when_it_is_asked_for(recorder, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_CLOUD", "pinecone, OpenAI")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", recorder.url + "/v1")
    client = openai_client()
    assert not is_local(client) and one_embedding(client).data[0].embedding == [1, 0]
    assert recorder.seen == [("/v1/embeddings", f"Bearer {KEY}")]
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "127.0.0.1" in said and KEY not in said
    with pytest.raises(ValueError, match="does not talk to the local service"):
        local_service(client)


def test_another_server_needs_no_key_and_has_its_own_models(recorder, monkeypatch):
    monkeypatch.setenv("COURSE_CLOUD", "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", recorder.url + "/v1")
    client = openai_client()
    assert (embedding_model(client), chat_model(client)) == ("text-embedding-3-small", "gpt-5.4-mini")
    monkeypatch.setenv("OPENAI_EMBEDDING_MODEL", "nomic-embed-text")
    monkeypatch.setenv("OPENAI_CHAT_MODEL", "llama")
    assert (embedding_model(client), chat_model(client)) == ("nomic-embed-text", "llama")
    assert one_embedding(client).model == "nomic-embed-text"
    assert embedding_model(openai_client(base_url="http://127.0.0.1:9/v1")) == "nomic-embed-text"


def test_with_only_a_key_it_is_openai(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_CLOUD", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert str(openai_client().base_url) == "https://api.openai.com/v1/"
    assert "api.openai.com" in capsys.readouterr().out


def test_the_cloud_without_a_key_says_what_to_do(monkeypatch):
    monkeypatch.setenv("COURSE_CLOUD", "openai")
    with pytest.raises(LookupError, match="There is no OPENAI_API_KEY.*take COURSE_CLOUD away"):
        openai_client()


def test_an_unknown_cloud_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_CLOUD", "opneai")
    with pytest.raises(ValueError, match="'opneai'.*openai,pinecone"):
        openai_client()
    monkeypatch.setenv("COURSE_CLOUD", KEY)  # a key in the wrong place is not repeated
    with pytest.raises(ValueError) as caught:
        openai_client()
    assert "0123456789" not in str(caught.value)


def test_keys_come_from_the_environment_then_the_file(monkeypatch, no_dotenv):
    no_dotenv.write_bytes(b"\xef\xbb\xbf# keys\r\nexport A_KEY = 'from the file'\r\nB_KEY=b\r\nC_KEY=\"c c\"\r\n")
    assert cloud.secret("B_KEY") == "b"
    monkeypatch.setenv("B_KEY", "environment")
    assert cloud.secret("B_KEY") == "environment"
    assert cloud.secret("D_KEY", required=False) is None
    for name in ("A_KEY", "C_KEY"):
        with pytest.raises(ValueError, match=f"{name} holds a space") as caught:
            cloud.secret(name)
        assert "from the file" not in str(caught.value) and "c c" not in str(caught.value)
    no_dotenv.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="plain UTF-8"):
        cloud.secret("B2_KEY")


def test_a_key_is_asked_for_only_where_somebody_can_type(monkeypatch):
    monkeypatch.setattr(cloud.getpass, "getpass", lambda prompt: " typed ")
    with pytest.raises(LookupError):
        cloud.secret("E_KEY")
    monkeypatch.setattr(cloud.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr(cloud, "_typed", {})
    assert cloud.secret("E_KEY") == "typed"


def test_the_file_with_keys_is_ignored_by_git():
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_loopback_is_added_to_what_stands_there(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "*")
    cloud.allow_loopback()
    cloud.allow_loopback()
    assert os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost" and os.environ["no_proxy"] == "*"


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_does_not_break_loopback(monkeypatch, proxy):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert len(one_embedding(openai_client(max_retries=0)).data) == 1


def test_the_service_is_started_once():
    assert openai_client().base_url == openai_client().base_url
    assert sum(thread.name == "local-openai" for thread in threading.enumerate()) == 1


def test_a_stopped_server_leaves_no_thread_and_can_start_again():
    before = set(threading.enumerate())
    server = LocalServer(Starlette(routes=[]), "short-lived")
    first = server.start()
    assert server.start() == first == server.url
    server.stop()
    server.stop()
    assert set(threading.enumerate()) <= before and server.url is None
    server.start()
    server.stop()


def run(code, **environment):
    quiet = {"PYTHONWARNINGS": "error::ResourceWarning", "PYTHONDEVMODE": ""}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | quiet | environment, capture_output=True, text=True, timeout=120
    )  # fmt: skip


def test_nothing_is_left_when_the_process_ends_and_nothing_is_printed():
    code = (
        "from helpers.services import openai_client, embedding_model, local_service\n"
        "import logging; logging.basicConfig(level='INFO')\n"
        "client = openai_client(max_retries=0)\n"
        "client.embeddings.create(model=embedding_model(client), input='tea')\n"
        "local_service(client).faults.plan('500')\n"
        "try: client.models.list()\n"
        "except Exception as error: kind = type(error).__name__\n"
        "print(client.base_url)\n"
    )
    done = run(code, OPENAI_API_KEY=KEY)
    assert done.returncode == 0 and KEY not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 and "uvicorn" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert is_closed(lines[0])


def is_closed(url):
    import socket

    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1].split("/")[0]))) != 0


def test_a_service_in_a_process_of_its_own_ends_with_it():
    with LocalProcess("helpers.services.local_openai", "--rate", "1", "--kinds", "503") as url:
        client = openai_client(base_url=url + "/v1", max_retries=0)
        with pytest.raises(Exception, match="overloaded"):
            client.models.list()
    assert is_closed(url)
    code = (
        "from helpers.services.server import LocalProcess; import os\n"
        "p = LocalProcess('helpers.services.local_openai'); print(p.start(), flush=True); os._exit(1)\n"  # no clean-up at all
    )
    url = run(code).stdout.strip()
    for _ in range(100):
        if is_closed(url):
            break
        threading.Event().wait(0.1)
    assert is_closed(url)


def test_a_server_that_cannot_start_says_why():
    server = LocalServer(Starlette(routes=[]), "taken")
    port = server.start().rsplit(":", 1)[1]
    with pytest.raises(RuntimeError, match=f"Port {port} of 127.0.0.1 cannot be used"):
        serve_forever(Starlette(routes=[]), int(port))
    server.stop()
