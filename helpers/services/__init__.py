"""Services of the lessons: the real client, talking to the cloud when asked to, else to a stand-in on this machine.

    from helpers.services import chat_model, embedding_model, openai_client
    client = openai_client()
    client.embeddings.create(model=embedding_model(client), input="A cat sleeps.")

The cloud is used only where ``COURSE_CLOUD`` names it (``COURSE_CLOUD=openai``); a key alone changes nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from helpers.services import cloud

if TYPE_CHECKING:  # imported where it is used: whoever talks to Pinecone need not wait for it
    import openai

# What lessons use in OpenAI's cloud; another server with OpenAI's interface has other names: set these variables.
CLOUD_MODELS = {"OPENAI_EMBEDDING_MODEL": "text-embedding-3-small", "OPENAI_CHAT_MODEL": "gpt-5.4-mini"}


def openai_client(**options) -> openai.OpenAI:
    """A real ``openai.OpenAI``; options are its own, such as ``max_retries`` and ``timeout``.

    With ``COURSE_CLOUD=openai`` it talks to OpenAI with ``OPENAI_API_KEY``, or to ``OPENAI_BASE_URL`` (where a key may not be
    needed), and prints where. Else it talks to the local stand-in, which is started once per process, and no key or
    address of the environment is used. Raises LookupError where the cloud is asked for and there is no key.
    """
    import openai

    return openai.OpenAI(**_connection(openai.DefaultHttpxClient, options))


def async_openai_client(**options) -> openai.AsyncOpenAI:
    """``openai_client()`` for ``await``: a real ``openai.AsyncOpenAI``."""
    import openai

    return openai.AsyncOpenAI(**_connection(openai.DefaultAsyncHttpxClient, options))


def _connection(http_client, options: dict) -> dict:
    if not cloud.uses_cloud("openai"):
        from helpers.services import local_openai

        cloud.allow_loopback()
        options = {"base_url": local_openai.service().start(), "api_key": local_openai.KEY} | options
        if "http_client" not in options:
            options["http_client"] = http_client(trust_env=False)  # a proxy of the environment has no business here
        if "OPENAI_CUSTOM_HEADERS" in os.environ:  # may hold another key
            authorization = {"Authorization": f"Bearer {options['api_key']}"}
            options["default_headers"] = authorization | dict(options.get("default_headers") or {})
        return options
    base_url = options.get("base_url") or cloud.secret("OPENAI_BASE_URL", required=False)
    if not options.get("api_key"):
        options["api_key"] = cloud.secret("OPENAI_API_KEY", required=not base_url) or "not-needed"
    options["base_url"] = base_url or "https://api.openai.com/v1"
    address = urlsplit(str(options["base_url"]))
    if address.hostname in ("127.0.0.1", "localhost"):
        cloud.allow_loopback()
    host = f"{address.hostname}:{address.port}" if address.port else address.hostname
    print(f"COURSE_CLOUD=openai: talking to {host}, as asked for. Requests there may cost money.")
    return options


def is_local(client: openai.OpenAI | openai.AsyncOpenAI) -> bool:
    """Whether a client talks to this process's stand-in (numbers in lessons are asserted only then)."""
    from helpers.services import local_openai

    url = local_openai.service().url
    return url is not None and str(client.base_url).rstrip("/") == url


def local_service(client: openai.OpenAI | openai.AsyncOpenAI):
    """The stand-in behind a client: its ``faults`` (see faults.py) and what would be ``paid``. Raises ValueError in the cloud."""
    from helpers.services import local_openai

    if not is_local(client):
        raise ValueError("This client does not talk to the local service, so faults and counts cannot be had from it.")
    return local_openai.service()


def embedding_model(client: openai.OpenAI | openai.AsyncOpenAI) -> str:
    """The embedding model's name where the client talks to; ``OPENAI_EMBEDDING_MODEL`` names another one for the cloud."""
    from helpers.services import local_openai

    return local_openai.EMBEDDING_MODEL if is_local(client) else _cloud_model("OPENAI_EMBEDDING_MODEL")


def chat_model(client: openai.OpenAI | openai.AsyncOpenAI) -> str:
    """The chat model's name where the client talks to; ``OPENAI_CHAT_MODEL`` names another one for the cloud."""
    from helpers.services import local_openai

    return local_openai.CHAT_MODEL if is_local(client) else _cloud_model("OPENAI_CHAT_MODEL")


def _cloud_model(name: str) -> str:
    return os.environ.get(name, "").strip() or CLOUD_MODELS[name]


def pinecone_client():
    """A real ``pinecone.Pinecone``; see ``helpers.services.pinecone_access.pinecone_client``."""
    from helpers.services import pinecone_access

    return pinecone_access.pinecone_client()
