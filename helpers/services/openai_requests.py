"""What the local service with OpenAI's interface accepts, and OpenAI's error for everything else."""

import json

from starlette.requests import ClientDisconnect, Request

MOST_INPUTS, MOST_TOKENS = 2048, 300_000  # per embedding request, as OpenAI documents them
MOST_CHAT_TOKENS = 16_384
MOST_BYTES = 32 * 2**20
EMBEDDING_FIELDS = {"input", "model", "encoding_format", "dimensions", "user"}
# A quotation does not depend on these, so they are taken and have no effect …
NO_EFFECT = set(
    "temperature top_p seed presence_penalty frequency_penalty user store metadata stop logit_bias service_tier "
    "reasoning_effort verbosity safety_identifier prompt_cache_key".split()
)
# … but whoever asks for these expects an answer of another kind, which this service cannot give.
CHAT_FIELDS = {"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"}


class ApiError(Exception):
    """An error as OpenAI sends it: a status code and a body with message, type, param and code."""

    def __init__(self, status: int, message: str, param=None, code=None, kind="invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def key(headers, right: str) -> None:
    """401 for a missing or a wrong key; unlike OpenAI's, the message does not repeat any part of it."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise ApiError(401, "You didn't provide an API key: it belongs in the header Authorization: Bearer YOUR_KEY.")
    if given.strip() != right:
        message = f"Incorrect API key provided. The local service takes one key only, '{right}': use openai_client()."
        raise ApiError(401, message, None, "invalid_api_key")


async def body(request: Request) -> dict:
    """The request's JSON object; 413 where it is too large, 400 where it is no JSON object."""
    content = bytearray()
    try:
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise ApiError(
                    413, f"The request is larger than {MOST_BYTES // 2**20} MiB. Send fewer texts at a time."
                )
        parsed = json.loads(content)
    except (ValueError, RecursionError, ClientDisconnect):
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError(400, "We could not parse the JSON body of your request: a JSON object is expected.")
    return parsed


def model(name, right: str, other: str) -> str:
    """The model's name; 404 for an unknown one, with what to do; 400 for none or for the model of another endpoint."""
    if not isinstance(name, str) or not name:
        raise ApiError(400, "you must provide a model parameter")
    if name not in (right, other):
        message = (
            f"The model `{name:.80}` does not exist or you do not have access to it. This is the local service: it has "
            f"`{right}` and `{other}`. Take the name from embedding_model(client) or chat_model(client), or set "
            "COURSE_CLOUD=openai and OPENAI_API_KEY to use OpenAI's models."
        )
        raise ApiError(404, message, "model", "model_not_found")
    return name


def _right_model(asked: dict, right: str, other: str) -> None:
    if model(asked.get("model"), right, other) != right:
        raise ApiError(400, f"The model `{other}` does not work with this endpoint: use `{right}`.", "model", None)


def embedding_request(asked: dict, right: str, other: str) -> dict:
    """The request with ``input`` as a list of texts or of lists of token ids, and ``encoding_format``."""
    _right_model(asked, right, other)
    if unknown := sorted(set(asked) - EMBEDDING_FIELDS):
        raise ApiError(400, f"Unrecognized request argument supplied: {', '.join(unknown)[:200]}")
    encoding = asked.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        message = (
            f"Invalid value for 'encoding_format': {str(encoding)[:40]!r}. Supported values are: 'float' and 'base64'."
        )
        raise ApiError(400, message, "encoding_format", "invalid_value")
    return {**asked, "input": _inputs(asked.get("input")), "encoding_format": encoding}


def _inputs(given) -> list:
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        raise _invalid("'input' must be a text, a list of texts, a list of token ids or a list of such lists.")
    if given and all(_is_id(item) for item in given):
        given = [given]
    if not given:
        message = (
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise ApiError(400, message, "input", "empty_array")
    if len(given) > MOST_INPUTS:
        message = (
            f"Invalid 'input': array too long. Expected an array with maximum length {MOST_INPUTS}, but got an array "
            f"with length {len(given)} instead."
        )
        raise ApiError(400, message, "input", "array_above_max_length")
    kind = list if isinstance(given[0], list) else str
    for place, item in enumerate(given):
        if not isinstance(item, kind):
            what = "null" if item is None else type(item).__name__
            raise _invalid(
                f"input[{place}] is {what}, where {'a list of token ids' if kind is list else 'a text'} is expected."
            )
        if kind is str and not item.strip():
            raise _invalid(
                f"input[{place}] is {'only white space' if item else 'an empty text'}: there is nothing to embed."
            )
        if kind is str and not _is_unicode(item):
            raise _invalid(f"input[{place}] holds half a character (a lone surrogate), from a broken decoding.")
        if kind is list and (not item or not all(_is_id(number) for number in item)):
            raise _invalid(f"input[{place}] must hold token ids (whole numbers), at least one.")
    return given


def _invalid(why: str) -> ApiError:
    return ApiError(400, f"'$.input' is invalid. {why}", "input")


def _is_id(item) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def dimensions(asked, most: int) -> int:
    """The number of dimensions to keep; 400 for anything but a whole number from 1 to ``most``."""
    if asked is None:
        return most
    if not _is_id(asked):
        raise ApiError(400, "Invalid type for 'dimensions': expected an integer.", "dimensions", "invalid_type")
    if asked < 1:
        message = f"Invalid 'dimensions': integer below minimum value. Expected a value >= 1, but got {asked} instead."
        raise ApiError(400, message, "dimensions", "integer_below_min_value")
    if asked > most:
        message = f"Invalid value for 'dimensions' = {asked}. Must be less than or equal to {most}."
        raise ApiError(400, message, "dimensions")
    return asked


def tokens(inputs: list, tokenizer, limit: int) -> list[list[int]]:
    """Each input's token ids with the special ones around; 400 where one is longer than the model reads, or all are too many.

    Ids in a request are of the model's own tokenizer (MiniLM's WordPiece, 30,522 entries; not OpenAI's cl100k_base), with
    or without [CLS] and [SEP].
    """
    if isinstance(inputs[0], str):
        found = tokenizer(inputs, verbose=False)["input_ids"]
    else:
        first, last, known = tokenizer.cls_token_id, tokenizer.sep_token_id, len(tokenizer)
        for place, ids in enumerate(inputs):
            if not all(0 <= number < known for number in ids):
                why = f"its ids run from 0 to {known - 1:,} (this model's tokenizer, not OpenAI's)."
                raise _invalid(f"input[{place}] holds a token id that the model does not have: {why}")
        found = [ids if ids[0] == first and ids[-1] == last else [first, *ids, last] for ids in inputs]
    for place, ids in enumerate(found):
        if len(ids) > limit:
            raise ApiError(
                400,
                f"This model's maximum context length is {limit} tokens, however you requested {len(ids)} tokens "
                f"({len(ids)} in your prompt; 0 for the completion). Please reduce your prompt; or completion length. "
                f"(input[{place}])",
            )
    total = sum(map(len, found))
    if total > MOST_TOKENS:
        kind = "max_tokens_per_request"
        raise ApiError(400, f"Requested {total} tokens, max {MOST_TOKENS} tokens per request", None, kind, kind)
    return found


def chat_request(asked: dict, right: str, other: str) -> dict:
    """Messages with plain texts, whether to stream (with usage), and the limit of tokens to write."""
    _right_model(asked, right, other)
    given = {name: value for name, value in asked.items() if value is not None}
    for name in sorted(set(given) - CHAT_FIELDS - NO_EFFECT):
        message = (
            f"Unsupported parameter: '{name[:60]}' is not supported with this model, which can only quote passages."
        )
        raise ApiError(400, message, name[:60], "unsupported_parameter")
    if given.get("n", 1) != 1:
        raise ApiError(400, "Invalid value for 'n': this model gives one answer only.", "n", "invalid_value")
    limit = given.get("max_completion_tokens", given.get("max_tokens"))
    if limit is not None and not (_is_id(limit) and limit >= 1):
        name = "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"
        raise ApiError(400, f"Invalid value for '{name}': expected an integer >= 1.", name, "invalid_value")
    options, stream = given.get("stream_options", {}), given.get("stream", False)
    if not isinstance(stream, bool) or not isinstance(options, dict):
        raise ApiError(400, "Invalid type for 'stream' or 'stream_options'.", "stream", "invalid_type")
    if options and not stream:
        raise ApiError(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "Invalid 'messages': expected an array with minimum length 1.", "messages", "empty_array")
    messages = [_message(place, message) for place, message in enumerate(messages)]
    return {"messages": messages, "stream": stream, "include_usage": bool(options.get("include_usage")), "limit": limit}


def _message(place: int, message) -> dict:
    where = f"messages[{place}]"
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("system", "developer", "user", "assistant"):
        raise ApiError(
            400, f"Invalid value for '{where}.role': it is system, developer, user or assistant.", f"{where}.role"
        )
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = "\n".join(parts) if all(isinstance(part, str) for part in parts) else None
    if not isinstance(content, str) or not _is_unicode(content):
        what = "expected a string or a list of text parts"
        raise ApiError(400, f"Invalid value for '{where}.content': {what}.", f"{where}.content", "invalid_type")
    return {"role": role, "content": content}


def chat_tokens(messages: list[dict], tokenizer) -> int:
    """The tokens of all messages; 400 where they are more than the service reads."""
    texts = [message["content"] for message in messages]
    count = sum(map(len, tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]))
    if count > MOST_CHAT_TOKENS:
        message = (
            f"This model's maximum context length is {MOST_CHAT_TOKENS} tokens. However, your messages resulted in "
            f"{count} tokens. Please reduce the length of the messages."
        )
        raise ApiError(400, message, "messages", "context_length_exceeded")
    return count
