"""Faults on purpose: refused requests, lost answers, dropped connections, a long way to the server. All off by default."""

import argparse
import asyncio
import contextlib
import json
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator

KINDS = ("429", "500", "503", "drop", "cut")
OFF = {
    "rate": 0.0,
    "kinds": ("429", "503", "drop"),
    "when": "before",
    "round_trip_ms": 0.0,
    "seed": 0,
    "only": "",
    "cut_after": 3,
}


class Faults:
    """What goes wrong in a local service. Change it while the service runs: ``faults.set(rate=0.2)``, ``faults.off()``.

    rate: the share of attempts that fail (0 to 1), drawn from ``seed`` in their order of arrival.
    kinds: each failure is one of these at random: "429", "500" and "503" are answered with the vendor's error, "drop"
        closes the connection without an answer, "cut" closes it in the middle of the answer.
    when: "before" refuses the request untouched; "after" lets the service do the work and loses the answer.
    round_trip_ms: milliseconds that each attempt waits, as if the server were far away.
    only: faults and waiting concern only paths that hold this text, such as "/embeddings".
    cut_after: how many chunks of a streamed answer go out before "cut" closes it; an answer in one piece is halved.

    ``plan("429", "ok", "drop")`` sets the fate of the next attempts one by one, before the rate applies again.
    ``counts``: a Counter of "attempts" (all that arrived, retries too), "requests" (those that the service worked on),
    "answers" (those whose answer went out whole) and each kind of fault.
    """

    def __init__(
        self, rate=0.0, kinds=("429", "503", "drop"), when="before", round_trip_ms=0, seed=0, only="", cut_after=3
    ):
        self.counts: Counter = Counter()
        self._lock, self._planned = threading.Lock(), deque()
        self.set(
            rate=rate, kinds=kinds, when=when, round_trip_ms=round_trip_ms, seed=seed, only=only, cut_after=cut_after
        )

    def set(self, **changes) -> "Faults":
        """Change some settings (the draw of luck starts again from the seed). Raises ValueError, and then changes nothing."""
        new = {name: getattr(self, name, OFF[name]) for name in OFF} | changes
        if unknown := sorted(set(changes) - set(OFF)):
            raise ValueError(f"Faults know {', '.join(OFF)}, not {', '.join(unknown)}.")
        new["kinds"] = (new["kinds"],) if isinstance(new["kinds"], str) else tuple(map(str, new["kinds"]))
        if not 0 <= new["rate"] <= 1:
            raise ValueError(f"rate is the share of attempts that fail, from 0 to 1, not {new['rate']}.")
        if not new["kinds"] or set(new["kinds"]) - set(KINDS):
            raise ValueError(f"kinds are some of {', '.join(KINDS)}, not {new['kinds']}.")
        if new["when"] not in ("before", "after"):
            raise ValueError(f'when is "before" or "after" the work, not {new["when"]!r}.')
        if new["round_trip_ms"] < 0 or new["cut_after"] < 0:
            raise ValueError("round_trip_ms and cut_after must not be negative.")
        with self._lock:
            vars(self).update(new)
            self._random = random.Random(new["seed"])
        return self

    def off(self) -> None:
        """No faults and no waiting any more; nothing planned. The counts stay."""
        self._planned.clear()
        self.set(**OFF)

    @contextlib.contextmanager
    def during(self, **changes) -> Iterator["Faults"]:
        """``with faults.during(rate=0.2): …`` restores the settings afterwards."""
        before = {name: getattr(self, name) for name in OFF}
        try:
            yield self.set(**changes)
        finally:
            self.set(**before)

    def plan(self, *fates: str) -> None:
        """The fate of the next attempts: kinds of fault, or "ok"."""
        if unknown := set(fates) - {"ok", *KINDS}:
            raise ValueError(f"A fate is ok, {', '.join(KINDS)}, not {sorted(unknown)}.")
        self._planned.extend(fates)

    def _draw(self) -> str:
        with self._lock:
            self.counts["attempts"] += 1
            if self._planned:
                fate = self._planned.popleft()
            else:
                fate = self._random.choice(self.kinds) if self._random.random() < self.rate else "ok"
            if fate != "ok":
                self.counts[fate] += 1
            return fate

    def middleware(self, app, error: Callable[[int], tuple[dict, dict]]):
        """The ASGI app with these faults around it; error(status) gives the vendor's error body and headers."""

        async def faulty(scope, receive, send):
            if scope["type"] != "http" or self.only not in scope["path"]:
                await app(scope, receive, send)
                return
            fate, when = self._draw(), self.when
            if self.round_trip_ms:
                await asyncio.sleep(self.round_trip_ms / 1000)
            if fate in ("ok", "cut"):
                out = _Cut(scope, send, self.cut_after) if fate == "cut" else send
                self.counts["requests"] += 1  # before the answer goes out: whoever has it must find it counted
                self.counts["answers"] += fate == "ok"
                await app(scope, receive, out)
                return
            if when == "after":
                self.counts["requests"] += 1
                await app(scope, receive, _nowhere)
            else:
                await _read_to_the_end(receive)  # a client that is still sending would not see the answer
            await (_drop(scope, receive) if fate == "drop" else _answer(send, int(fate), *error(int(fate))))

        return faulty

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Options for a service that runs as a process of its own; ``Faults.from_arguments(parsed)`` reads them."""
        parser.add_argument("--rate", type=float, default=0.0, help="share of attempts that fail")
        parser.add_argument("--kinds", default="429,503,drop", help=f"of {','.join(KINDS)}")
        parser.add_argument("--when", default="before", choices=["before", "after"], help="the work is done")
        parser.add_argument("--round-trip-ms", type=float, default=0.0, help="milliseconds that each attempt waits")
        parser.add_argument("--seed", type=int, default=0)

    @classmethod
    def from_arguments(cls, parsed: argparse.Namespace) -> "Faults":
        kinds = tuple(parsed.kinds.split(","))
        return cls(parsed.rate, kinds, parsed.when, parsed.round_trip_ms, parsed.seed)


async def _nowhere(message) -> None:
    """The answer is lost."""


async def _read_to_the_end(receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _drop(scope, receive) -> None:
    scope["drop_connection"]()  # put there by server.py
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send, status: int, body: dict, headers: dict) -> None:
    content = json.dumps(body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})


class _Cut:
    """Sends the beginning of an answer, then closes the connection."""

    def __init__(self, scope, send, chunks: int):
        self.scope, self.send, self.left, self.closed = scope, send, chunks, False

    async def __call__(self, message) -> None:
        if self.closed:
            return
        if message["type"] == "http.response.body":
            streamed = message.get("more_body", False)
            if not streamed or self.left <= 0:
                half = b"" if streamed else message.get("body", b"")[: len(message.get("body", b"")) // 2]
                await self.send({"type": "http.response.body", "body": half, "more_body": True})
                self.closed = True
                self.scope["drop_connection"]()
                return
            self.left -= 1
        await self.send(message)
