"""No lesson talks to anybody but this machine, watched in two ways that can both fail.

In Python, an audit hook (tests/loopback/sitecustomize.py) refuses and writes down every address beyond loopback, in each child
process too. Compiled code such as Chroma's does not pass by it, so on Linux the same code also runs in a network namespace of
its own that has loopback only, where the kernel counts the packets for which there was no route.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
GUARD = ROOT / "tests" / "loopback"
SOMEBODY = "192.0.2.1"  # reserved for documentation: nobody is there (RFC 5737)
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c"]
SCRIPT = 'ip link set lo up; "$@"; code=$?; grep ^Ip: /proc/net/snmp > "$COURSE_SOCKET_LOG.kernel"; exit $code'

CHROMA = """
import socket, subprocess, sys, time
import chromadb
from helpers.chroma import add_in_batches, chroma_client, create_collection, open_collection, quiet

folder, texts = sys.argv[1], ["The cat sleeps.", "Stars are born.", "The tram was late."]
for client in (chroma_client(), chroma_client(folder)):
    add_in_batches(create_collection(client, "texts"), ["a", "b", "c"], documents=texts)
    assert open_collection(client, "texts").query(query_texts="a kitten", n_results=1)["ids"] == [["a"]]
client.close()

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
command = [sys.executable, "-c", "from chromadb.cli.cli import app; app()", "run", "--path", folder]
server = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL)
try:
    for _ in range(600):
        try:
            client = chromadb.HttpClient("127.0.0.1", port, settings=quiet())
            break
        except Exception:
            time.sleep(0.2)
    assert open_collection(client, "texts").count() == 3
finally:
    server.terminate()
    server.wait(30)
"""


def can_be_alone():
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*ALONE, "ip link set lo up"], capture_output=True).returncode == 0


def run(code, tmp_path, *arguments, alone=False):
    """Run code in a guarded child: what it printed, the addresses it asked for, and (alone) packets without a route."""
    log = tmp_path / "beyond.log"
    path = os.pathsep.join([str(GUARD), str(ROOT)])
    proxies = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    environment = {**os.environ, **proxies, "PYTHONPATH": path, "COURSE_SOCKET_LOG": str(log), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    if alone:
        command = [*ALONE, SCRIPT, "sh", *command]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert ran.returncode == 0, ran.stderr
    beyond = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return ran.stdout, beyond, packets(Path(f"{log}.kernel")) if alone else 0


def packets(path):
    names, numbers = (line.split() for line in path.read_text().splitlines())
    return int(numbers[names.index("OutNoRoutes")])


TRIES = {
    "connect": f"socket.socket().connect(('{SOMEBODY}', 80))",
    "sendto": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{SOMEBODY}', 53))",
    "getaddrinfo": "socket.getaddrinfo('telemetry.example', 443)",
    "gethostbyname": "socket.gethostbyname('telemetry.example')",
}


@pytest.mark.parametrize("call", TRIES)
def test_guard_refuses_and_writes_down_even_where_the_error_is_swallowed(tmp_path, call):
    code = f"import socket\ntry:\n    {TRIES[call]}\nexcept OSError as error:\n    print(error)"
    printed, beyond, _ = run(code, tmp_path)
    assert "leads beyond this machine" in printed
    assert [line.split()[0] for line in beyond] == [call]


def test_guard_sees_children_and_threads(tmp_path):
    inner = f"import socket, threading; threading.Thread(target=socket.socket().connect, args=(('{SOMEBODY}', 80),)).start()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], stderr=subprocess.DEVNULL)"
    assert run(code, tmp_path)[1] == [f"connect {SOMEBODY}"]


def test_guard_lets_this_machine_be_reached(tmp_path):
    code = (
        "import socket\n"
        "for host in ('127.0.0.1', 'localhost'):\n"
        "    server = socket.create_server(('127.0.0.1', 0))\n"
        "    socket.create_connection((host, server.getsockname()[1])).close()\n"
        "print('reached')"
    )
    assert run(code, tmp_path)[:2] == ("reached\n", [])


def test_kernel_counts_what_passes_by_the_guard(tmp_path):
    if not can_be_alone():
        pytest.skip("no network namespaces for this user: only Python's own sockets are watched here")
    code = (  # as compiled code does it: through the C library, which no audit hook sees
        "import ctypes, socket\n"
        "family = socket.AF_INET.to_bytes(2, 'little')\n"
        "unwatched = socket.socket()\n"
        f"address = family + (80).to_bytes(2, 'big') + socket.inet_aton('{SOMEBODY}') + bytes(8)\n"
        "print(ctypes.CDLL(None).connect(unwatched.fileno(), address, 16))"
    )
    printed, beyond, lost = run(code, tmp_path, alone=True)
    assert printed == "-1\n" and beyond == [] and lost >= 1


def test_chroma_in_memory_on_disk_and_as_a_server_stays_on_this_machine(tmp_path):
    _, beyond, lost = run(CHROMA, tmp_path, tmp_path / "database", alone=can_be_alone())
    assert beyond == [] and lost == 0


def lessons_with_services():
    """The notebooks whose libraries know how to reach the internet by themselves."""
    known = ("chroma", "openai", "pinecone", "gradio", "search_app", "requests", "httpx", "urllib")
    for path in sorted(NOTEBOOKS.glob("*/*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        if any(name in code for name in known):
            yield path


NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient
from pathlib import Path

path = Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
"""


@pytest.mark.skipif(not os.environ.get("COURSE_LOOPBACK"), reason="minutes: set COURSE_LOOPBACK=1 to run whole lessons")
@pytest.mark.parametrize("path", list(lessons_with_services()), ids=lambda path: path.stem)
def test_lesson_stays_on_this_machine(tmp_path, path):
    _, beyond, lost = run(NOTEBOOK, tmp_path, path, alone=can_be_alone())
    assert beyond == [] and lost == 0
