"""A stand-in with OpenAI's interface on this machine: not an OpenAI model, and no language model.

Embeddings are all-MiniLM-L6-v2's, chat answers are quotations (answerer.py), errors are OpenAI's in status code and
body. It says so in its model names, ``owned_by``, ``system_fingerprint`` and a header of every answer.

    python -m helpers.services.local_openai --port 8080        a process of its own; prints its URL
"""

import argparse
import asyncio
import base64
import functools
import json
import os
import re
import threading
import time
import uuid
from typing import NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from helpers.services import openai_requests as check
from helpers.services.faults import Faults
from helpers.services.openai_requests import ApiError
from helpers.services.server import LocalServer, serve_forever

KEY = "local"  # the only key that it takes; not a secret
EMBEDDING_MODEL = re.split(r"[/\\]", os.environ.get("COURSE_ENCODER", "").rstrip("/\\"))[-1] or "all-MiniLM-L6-v2"
CHAT_MODEL = "extractive-answerer"
OWNER = "course-stand-in"
ABOUT = f"stand-in with OpenAI's interface ({EMBEDDING_MODEL}); not an OpenAI model, not an LLM"
RETRY_AFTER = {"retry-after": "1", "retry-after-ms": "20"}  # on this machine nobody needs to wait longer


class Paid(NamedTuple):
    """What would be on the bill: requests answered by the service, texts embedded, tokens read and written."""

    requests: int = 0
    texts: int = 0
    tokens: int = 0


class LocalOpenAI:
    """The service: ``start()`` gives its base URL, ``faults`` makes things go wrong, ``paid`` counts what would be billed.

    Work is paid when it is done, also where a fault then loses the answer, as with OpenAI.
    """

    def __init__(self, faults: Faults | None = None):
        self.faults = faults or Faults()
        self.paid = Paid()
        self._counting, self._model = threading.Lock(), threading.Lock()  # the encoder works for one request at a time
        self.app = self._make_app()
        self.server = LocalServer(self.app, "local-openai")

    def start(self) -> str:
        return self.server.start() + "/v1"

    def stop(self) -> None:
        self.server.stop()

    @property
    def url(self) -> str | None:
        return self.server.url and self.server.url + "/v1"

    def _pay(self, texts: int, tokens: int) -> None:
        with self._counting:
            self.paid = Paid(self.paid.requests + 1, self.paid.texts + texts, self.paid.tokens + tokens)

    def _make_app(self):
        routes = [
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._one_model, methods=["GET"]),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        handlers = {ApiError: _api_error, HTTPException: _http_error, Exception: _bug}
        return self.faults.middleware(_labelled(Starlette(routes=routes, exception_handlers=handlers)), injected)

    async def _models(self, request: Request):
        check.key(request.headers, KEY)
        return JSONResponse({"object": "list", "data": [_model(EMBEDDING_MODEL), _model(CHAT_MODEL)]})

    async def _one_model(self, request: Request):
        check.key(request.headers, KEY)
        name = check.model(request.path_params["name"], EMBEDDING_MODEL, CHAT_MODEL)
        return JSONResponse(_model(name))

    async def _embeddings(self, request: Request):
        check.key(request.headers, KEY)
        asked = check.embedding_request(await check.body(request), EMBEDDING_MODEL, CHAT_MODEL)
        rows, tokens = await run_in_threadpool(self._embed, asked)
        self._pay(len(rows), tokens)
        data = [
            {"object": "embedding", "index": place, "embedding": _encoded(row, asked["encoding_format"])}
            for place, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "data": data, "model": EMBEDDING_MODEL, "usage": usage})

    def _embed(self, asked: dict) -> tuple[np.ndarray, int]:
        """Vectors (n, d) of texts or of lists of token ids, and the number of tokens, the two special ones included."""
        with self._model:
            from helpers import encoder  # here, since it takes seconds: the service is up at once

            model = encoder.load_encoder()
            size = check.dimensions(asked.get("dimensions"), model.get_embedding_dimension())
            token_ids = check.tokens(asked["input"], model.tokenizer, model.max_seq_length)
            if isinstance(asked["input"][0], str):
                rows = encoder.embed(asked["input"], precision="float32", cache=False, progress=False)
            else:
                rows = _embed_tokens(token_ids, model)
        if size < rows.shape[1]:
            rows = rows[:, :size] / np.maximum(np.linalg.norm(rows[:, :size], axis=1, keepdims=True), 1e-12)
        return rows, sum(map(len, token_ids))

    async def _chat(self, request: Request):
        check.key(request.headers, KEY)
        asked = check.chat_request(await check.body(request), CHAT_MODEL, EMBEDDING_MODEL)
        text, reason, read, written = await run_in_threadpool(self._answer, asked)
        self._pay(0, read + written)
        common = {
            "id": f"chatcmpl-local-{uuid.uuid4().hex[:12]}",
            "created": int(time.time()),
            "model": CHAT_MODEL,
            "system_fingerprint": OWNER,
        }
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        if asked["stream"]:
            chunks = _chunks(common, text, reason, usage if asked["include_usage"] else None)
            return StreamingResponse(chunks, media_type="text/event-stream", headers={"cache-control": "no-cache"})
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return JSONResponse({"object": "chat.completion", **common, "choices": [choice], "usage": usage})

    def _answer(self, asked: dict) -> tuple[str, str, int, int]:
        """The answer, why it ends, and the numbers of MiniLM's tokens read and written."""
        with self._model:
            from helpers import encoder
            from helpers.services.answerer import answer

            tokenizer = encoder.load_encoder().tokenizer
            read = check.chat_tokens(asked["messages"], tokenizer)
            text, reason = answer(asked["messages"]).text, "stop"
            spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
                "offset_mapping"
            ]
            if asked["limit"] is not None and len(spans) > asked["limit"]:
                spans, reason = spans[: asked["limit"]], "length"
                text = text[: spans[-1][1]]
            return text, reason, read, len(spans)


def injected(status: int) -> tuple[dict, dict]:
    """OpenAI's error body and headers for an injected fault."""
    what = {
        429: ("Rate limit reached for requests. Please try again in 20ms.", "requests", "rate_limit_exceeded"),
        500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
        503: ("The engine is currently overloaded, please try again later", "server_error", None),
    }
    message, kind, code = what[status]
    headers = {"x-request-id": f"req_{uuid.uuid4().hex}", "x-course-service": ABOUT}
    return ApiError(status, f"{message} (An injected fault of the local service.)", None, code, kind).body, (
        headers | RETRY_AFTER if status in (429, 503) else headers
    )


def _model(name: str) -> dict:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


def _encoded(row: np.ndarray, encoding: str):
    return row.tolist() if encoding == "float" else base64.b64encode(row.astype("<f4").tobytes()).decode()


def _embed_tokens(token_ids: list[list[int]], model) -> np.ndarray:
    import torch

    rows = np.empty((len(token_ids), model.get_embedding_dimension()), dtype=np.float32)
    order = sorted(range(len(token_ids)), key=lambda place: len(token_ids[place]))
    for start in range(0, len(order), 16):
        batch = order[start : start + 16]
        features = model.tokenizer.pad({"input_ids": [token_ids[i] for i in batch]}, return_tensors="pt").to(
            model.device
        )
        with torch.inference_mode():
            found = model(dict(features))["sentence_embedding"].float()
        rows[batch] = torch.nn.functional.normalize(found).cpu().numpy()
    return rows


async def _chunks(common: dict, text: str, reason: str, usage: dict | None):
    """Server-sent events: a chunk per word, then why it ends, then (if asked for) the usage without choices."""
    more = {"usage": None} if usage else {}

    def event(choices: list, **extra) -> str:
        return f"data: {json.dumps({'object': 'chat.completion.chunk', **common, 'choices': choices, **more, **extra})}\n\n"

    def choice(delta: dict, ends: str | None = None) -> list:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": ends}]

    yield event(choice({"role": "assistant", "content": "", "refusal": None}))
    for place, word in enumerate(text.split(" ")):
        yield event(choice({"content": " " * (place > 0) + word}))
        await asyncio.sleep(0)
    yield event(choice({}, reason))
    if usage:
        yield event([], usage=usage)
    yield "data: [DONE]\n\n"


def _labelled(app):
    async def labelled(scope, receive, send):
        async def with_headers(message):
            if message["type"] == "http.response.start":
                label = [(b"x-course-service", ABOUT.encode()), (b"x-request-id", f"req_{uuid.uuid4().hex}".encode())]
                message = {**message, "headers": [*message.get("headers", []), *label]}
            await send(message)

        await app(scope, receive, with_headers if scope["type"] == "http" else send)

    return labelled


async def _api_error(request: Request, error: ApiError):
    return JSONResponse(error.body, error.status)


async def _http_error(request: Request, error: HTTPException):
    where = f"{request.method} {request.url.path}"
    if error.status_code == 405:
        message = f"Not allowed to {request.method} on {request.url.path}. (HINT: another HTTP method is needed here.)"
        return JSONResponse(ApiError(405, message, None, "method_not_supported").body, 405, headers=error.headers)
    offered = "The local service has /v1/models, /v1/embeddings and /v1/chat/completions."
    return JSONResponse(ApiError(404, f"Invalid URL ({where}). {offered}", None, "unknown_url").body, error.status_code)


async def _bug(request: Request, error: Exception):
    message = f"The local service failed ({type(error).__name__}): this is a fault of the course, please report it."
    return JSONResponse(ApiError(500, message, None, None, "server_error").body, 500)


@functools.cache
def service() -> LocalOpenAI:
    """The service of this process, made once; it serves after ``start()``."""
    return LocalOpenAI()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.services.local_openai", description=ABOUT)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin closes")
    Faults.add_arguments(parser)
    parsed = parser.parse_args()
    serve_forever(LocalOpenAI(Faults.from_arguments(parsed)).app, parsed.port, parsed.with_parent)


if __name__ == "__main__":
    main()
