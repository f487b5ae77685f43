"""A small web service on this machine: in a thread of this process (`LocalServer`) or in a process of its own.

It listens on 127.0.0.1 only, prints nothing, and ends with the process that started it.
"""

import asyncio
import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import uvicorn

PATIENCE = 30  # seconds to wait for a service to come up


class LocalServer:
    """An ASGI app, served by a daemon thread. ``start()`` gives the URL; a second start changes nothing.

    Calling it after a fork starts a service of the child's own, since threads are not inherited.
    """

    def __init__(self, app, name: str):
        self.app, self.name, self.url = app, name, None
        self._lock, self._process = threading.Lock(), None
        self._server = self._thread = None

    def start(self) -> str:
        """Serve on a free port; returns the URL, such as ``http://127.0.0.1:40123``. Raises RuntimeError if it fails."""
        with self._lock:
            if self._process == os.getpid() and self._thread.is_alive():
                return self.url
            listener, self.url = _listen(0)
            self._server, self._process, problem = _server(self.app), os.getpid(), []
            self._thread = threading.Thread(
                target=_serve, args=(self._server, listener, problem), name=self.name, daemon=True
            )
            self._thread.start()
            give_up = time.monotonic() + PATIENCE
            while not self._server.started and self._thread.is_alive() and time.monotonic() < give_up:
                time.sleep(0.005)
            if not self._server.started:
                raise RuntimeError(f"The local service {self.name} did not start: {problem or 'no answer'}.")
            atexit.unregister(self.stop)
            atexit.register(self.stop)
            return self.url

    def stop(self) -> None:
        """Close the port and end the thread; does nothing where it is not running."""
        with self._lock:
            if self._process == os.getpid():
                self._server.should_exit = True
                self._thread.join(timeout=5)
            self._process, self.url = None, None
            atexit.unregister(self.stop)


def serve_forever(app, port: int = 0, with_parent: bool = False) -> None:
    """Serve in this process until it is interrupted; the first line on stdout is the URL.

    with_parent: end as soon as stdin closes, which happens when the process that holds its other end ends, however it ends.
    """
    listener, url = _listen(port)
    server = _server(app)
    print(url, flush=True)
    if with_parent:
        threading.Thread(target=_wait_for_parent, args=(server,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


class LocalProcess:
    """A service in a process of its own: ``with LocalProcess("helpers.services.local_openai", "--rate", "0.2") as url: …``

    It ends with ``stop()`` (or at once with ``kill()``), and by itself when this process ends.
    """

    def __init__(self, module: str, *arguments: str):
        self.command = [sys.executable, "-m", module, "--with-parent", *arguments]
        self.process = self.url = None

    def start(self) -> str:
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(
            self.command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http"):
            self.kill()
            raise RuntimeError(f"{' '.join(self.command[1:])} did not start; what it said stands above or in the log.")
        return self.url

    def stop(self) -> None:
        """End it in order: what was accepted is finished."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._close()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self._close()

    def _close(self):
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_):
        self.stop()


def _listen(port: int) -> tuple[socket.socket, str]:
    # Named, so that asyncio sees TCP and sets TCP_NODELAY: without it small answers wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # on Windows this option would let a second service take the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise RuntimeError(
            f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}). Port 0 takes a free one."
        ) from None
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def _server(app) -> uvicorn.Server:
    async def with_drop(scope, receive, send):
        # So that faults can close a connection without an answer: ASGI has no word for that, uvicorn's transport has.
        if scope["type"] == "http":
            scope["drop_connection"] = send.__self__.transport.close
        await app(scope, receive, send)

    quiet = {"log_config": None, "log_level": "critical", "access_log": False}
    return uvicorn.Server(
        uvicorn.Config(
            with_drop,
            loop="asyncio",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=2,
            interface="asgi3",
            **quiet,
        )
    )


def _serve(server: uvicorn.Server, listener: socket.socket, problem: list) -> None:
    try:
        with asyncio.Runner() as runner:
            runner.run(server.serve(sockets=[listener]))
    except (Exception, SystemExit) as error:
        problem.append(repr(error))
    finally:
        listener.close()


def _wait_for_parent(server: uvicorn.Server) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(1024):
            pass
    server.should_exit = True
