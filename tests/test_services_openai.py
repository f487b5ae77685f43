"""The local service with OpenAI's interface, spoken to through the real openai client."""

import asyncio
import base64
import concurrent.futures
import json

import httpx2
import numpy as np
import openai
import pytest

from helpers import encoder
from helpers.services import (
    async_openai_client,
    chat_model,
    embedding_model,
    is_local,
    local_service,
    openai_client,
)

TEXTS = ["A cat sleeps.", "The stock market fell.", "Über die Dörfer"]
PROMPT = """Answer from the passages.

[1] (Aardvark#003) The aardvark eats ants and termites. It is nocturnal.
[2] (Algeria#001) Algiers is the capital of Algeria.

Question: What does the aardvark eat?"""


@pytest.fixture
def client():
    found = openai_client(max_retries=0)
    yield found
    local_service(found).faults.off()
    found.close()


@pytest.fixture
def service(client):
    return local_service(client)


def embed(client, texts, **options):
    answer = client.embeddings.create(model=embedding_model(client), input=texts, **options)
    return np.array([item.embedding for item in answer.data], dtype=np.float32)


def refused(client, error, **request):
    """The body of the error that a request for embeddings is refused with."""
    with pytest.raises(error) as caught:
        client.embeddings.create(**{"model": embedding_model(client), "input": TEXTS} | request)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    return caught.value.body


def post(client, content, path="/embeddings", method="POST", key="local", **headers):
    """A request that the client would not send."""
    headers = ({"authorization": f"Bearer {key}"} if key else {}) | headers
    with httpx2.Client(trust_env=False, headers=headers) as http:
        return http.request(method, str(client.base_url).rstrip("/") + path, content=content)


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_embeddings_are_the_encoders(client, encoding):
    answer = client.embeddings.create(model=embedding_model(client), input=TEXTS, **encoding)
    rows = [np.frombuffer(base64.b64decode(d.embedding), "<f4") if encoding.get("encoding_format") == "base64"
            and isinstance(d.embedding, str) else np.array(d.embedding) for d in answer.data]  # fmt: skip
    np.testing.assert_allclose(np.array(rows), encoder.embed(TEXTS), atol=1e-6)
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert answer.model == "all-MiniLM-L6-v2" == embedding_model(client)
    tokens = sum(len(ids) for ids in encoder.load_encoder().tokenizer(TEXTS)["input_ids"])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == tokens


def test_one_text_gives_one_vector(client):
    assert embed(client, "A cat sleeps.").shape == (1, 384)


def test_token_ids_are_minilms_own(client):
    tokenizer = encoder.load_encoder().tokenizer
    bare = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    wrapped = [tokenizer(text)["input_ids"] for text in TEXTS]
    for ids in (bare, wrapped):
        np.testing.assert_allclose(embed(client, ids), encoder.embed(TEXTS), atol=1e-5)
    np.testing.assert_allclose(embed(client, bare[0])[0], encoder.embed(TEXTS[0]), atol=1e-5)
    assert "not OpenAI's" in refused(client, openai.BadRequestError, input=[[5, 100_000]])["message"]


def test_dimensions_cut_and_renormalise(client):
    whole, cut = embed(client, TEXTS), embed(client, TEXTS, dimensions=64)
    assert cut.shape == (3, 64)
    np.testing.assert_allclose(cut, whole[:, :64] / np.linalg.norm(whole[:, :64], axis=1, keepdims=True), atol=1e-6)


def test_as_many_inputs_as_openai_takes(client, service):
    before = service.paid
    assert embed(client, ["tea", "coffee"] * 1024, dimensions=2).shape == (2048, 2)
    assert service.paid.texts - before.texts == 2048 and service.paid.requests - before.requests == 1


@pytest.mark.parametrize(
    ("request_", "says", "param", "code"),
    [
        ({"input": ""}, "input[0] is an empty text", "input", None),
        ({"input": ["good", ""]}, "input[1] is an empty text", "input", None),
        ({"input": " \n\t"}, "input[0] is only white space", "input", None),
        ({"input": ["good", None]}, "input[1] is null", "input", None),
        ({"input": [1, "two"]}, "input[0] is int", "input", None),
        ({"input": [[1], "two"]}, "input[1] is str", "input", None),
        ({"input": [[]]}, "input[0] must hold token ids", "input", None),
        ({"input": None}, "'input' must be a text", "input", None),
        ({"input": []}, "empty array", "input", "empty_array"),
        ({"input": ["tea"] * 2049}, "with length 2049 instead", "input", "array_above_max_length"),
        ({"input": ["good", "tea " * 25_000]}, "256 tokens, however you requested 25002 tokens", None, None),
        ({"input": ["tea " * 255]}, "however you requested 257 tokens", None, None),
        ({"dimensions": 0}, "Expected a value >= 1, but got 0", "dimensions", "integer_below_min_value"),
        ({"dimensions": 385}, "'dimensions' = 385. Must be less than or equal to 384", "dimensions", None),
        ({"dimensions": True}, "expected an integer", "dimensions", "invalid_type"),
        ({"encoding_format": "int8"}, "'float' and 'base64'", "encoding_format", "invalid_value"),
        ({"extra_body": {"colour": "red"}}, "Unrecognized request argument supplied: colour", None, None),
        ({"model": "extractive-answerer"}, "use `all-MiniLM-L6-v2`", "model", None),
        ({"model": ""}, "you must provide a model parameter", None, None),
        ({"input": ["tea " * 200] * 1600}, "max 300000 tokens per request", None, "max_tokens_per_request"),
    ],
)
def test_bad_embedding_requests_are_400_and_named(client, service, request_, says, param, code):
    paid = service.paid
    body = refused(client, openai.BadRequestError, **request_)
    assert says in body["message"] and (body["param"], body["code"]) == (param, code)
    assert service.paid == paid  # what is refused is not paid


def test_the_longest_text_is_taken_whole(client):
    assert embed(client, "tea " * 254).shape == (1, 384)  # 254 and two special tokens


def test_long_texts_with_the_same_beginning_are_not_silently_cut(client):
    refused(client, openai.BadRequestError, input=["tea " * 300 + "A", "tea " * 300 + "B"])


def test_half_a_character_is_400(client):
    response = post(client, b'{"model": "all-MiniLM-L6-v2", "input": "half \\ud83d"}')
    assert response.status_code == 400 and "lone surrogate" in response.json()["error"]["message"]


# ---------------------------------------------------------------- keys, models, paths


def test_a_wrong_key_is_401_and_is_not_repeated(client):
    wrong = openai_client(api_key="sk-wrong-0123456789", max_retries=0)
    body = refused(wrong, openai.AuthenticationError)
    assert body["code"] == "invalid_api_key" and "Incorrect API key" in body["message"]
    assert "0123456789" not in json.dumps(body) and "sk-" not in json.dumps(body)
    assert post(client, b"{}", key=None).json()["error"]["message"].startswith("You didn't provide an API key")
    assert post(client, b"{}", key=None).status_code == 401


def test_an_openai_model_is_404_and_says_what_to_do(client):
    body = refused(client, openai.NotFoundError, model="text-embedding-3-small")
    assert body["code"] == "model_not_found"
    for hint in ("`text-embedding-3-small` does not exist", "embedding_model(client)", "COURSE_CLOUD=openai"):
        assert hint in body["message"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5")


def test_it_says_what_it_is(client):
    assert [model.id for model in client.models.list()] == ["all-MiniLM-L6-v2", "extractive-answerer"]
    assert {model.owned_by for model in client.models.list()} == {"course-stand-in"}
    assert client.models.retrieve("all-MiniLM-L6-v2").id == "all-MiniLM-L6-v2"
    raw = client.embeddings.with_raw_response.create(model=embedding_model(client), input="tea")
    assert "not an OpenAI model, not an LLM" in raw.headers["x-course-service"]
    assert raw.headers["x-request-id"].startswith("req_")


def test_unknown_paths_methods_and_bodies(client):
    assert post(client, b"{}", "/audio").status_code == 404
    assert "Invalid URL (POST /v1/audio)" in post(client, b"{}", "/audio").json()["error"]["message"]
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.responses.create(model=chat_model(client), input="hello")
    response = post(client, b"", method="PUT")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_supported")
    for broken in (b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000):
        response = post(client, broken)
        assert response.status_code == 400 and "could not parse the JSON body" in response.text
    assert post(client, b'"' + b"x" * 2**25 + b'"').status_code == 413


def test_a_refused_connection_says_so():
    with pytest.raises(openai.APIConnectionError):
        embed(openai_client(base_url="http://127.0.0.1:9/v1", max_retries=0), "tea")


# ---------------------------------------------------------------- chat


def chat(client, content=PROMPT, **options):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return client.chat.completions.create(model=chat_model(client), messages=messages, **options)


def test_chat_quotes_and_cites(client):
    completion = chat(client, temperature=0, seed=1)
    assert completion.choices[0].message.content == "“The aardvark eats ants and termites.” [1]"
    assert completion.choices[0].finish_reason == "stop" and completion.choices[0].message.role == "assistant"
    assert (completion.model, completion.system_fingerprint) == ("extractive-answerer", "course-stand-in")
    usage = completion.usage
    assert usage.prompt_tokens > usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_the_stream_holds_the_same_answer(client):
    whole = chat(client)
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == whole.choices[0].message.content
    assert len(chunks) > 5 and chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage  # the chunk without choices
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[0].usage is None
    assert all(chunk.choices for chunk in chat(client, stream=True))  # without include_usage there is none


def test_the_stream_ends_with_done(client):
    body = json.dumps(
        {"model": chat_model(client), "messages": [{"role": "user", "content": "Hello?"}], "stream": True}
    )
    response = post(client, body.encode(), "/chat/completions")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")


def test_an_answer_cut_by_its_limit_says_so(client):
    for option in ("max_tokens", "max_completion_tokens"):
        completion = chat(client, **{option: 3})
        assert completion.choices[0].finish_reason == "length" and completion.usage.completion_tokens == 3
        assert completion.choices[0].message.content == "“The aa"


def test_text_parts_and_system_messages_are_read(client):
    passages, question = PROMPT.split("Question:")
    parts = [{"type": "text", "text": question}]
    completion = chat(client, [{"role": "system", "content": passages}, {"role": "user", "content": parts}])
    assert completion.choices[0].message.content.endswith("[1]")


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"content": []}, "messages"),
        ({"content": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"content": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"content": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages[0].content"),
        ({"content": "word " * 20_000}, "messages"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)  # fmt: skip
def test_bad_chat_requests_are_400_and_named(client, options, param):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **options)
    assert caught.value.param == param


def test_empty_messages_and_no_passages_are_refused_in_words(client):
    assert "found no question" in chat(client, " ").choices[0].message.content
    assert "can only quote" in chat(client, "Who are you?").choices[0].message.content


# ---------------------------------------------------------------- many at once, and async


def test_requests_at_the_same_time(client):
    texts = [f"text number {i}" for i in range(24)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rows = np.concatenate(list(pool.map(lambda text: embed(client, text), texts)))
    np.testing.assert_allclose(rows, encoder.embed(texts), atol=1e-5)


def test_the_async_client():
    async def work():
        async with async_openai_client() as client:
            assert is_local(client)
            jobs = [client.embeddings.create(model=embedding_model(client), input=text) for text in TEXTS]
            rows = [answer.data[0].embedding for answer in await asyncio.gather(*jobs)]
            messages = [{"role": "user", "content": PROMPT}]
            stream = await client.chat.completions.create(model=chat_model(client), messages=messages, stream=True)
            words = [chunk.choices[0].delta.content async for chunk in stream]
            with pytest.raises(openai.BadRequestError):
                await client.embeddings.create(model=embedding_model(client), input="")
            return rows, "".join(word or "" for word in words)

    rows, text = asyncio.run(work())
    np.testing.assert_allclose(np.array(rows), encoder.embed(TEXTS), atol=1e-5)
    assert text == "“The aardvark eats ants and termites.” [1]"


# ---------------------------------------------------------------- faults


def test_each_fault_is_the_clients_error(client, service):
    faults = {"429": openai.RateLimitError, "500": openai.InternalServerError, "503": openai.InternalServerError,
              "drop": openai.APIConnectionError, "cut": openai.APIConnectionError}  # fmt: skip
    for kind, error in faults.items():
        service.faults.plan(kind)
        with pytest.raises(error) as caught:
            embed(client, "tea")
        if kind == "429":
            assert caught.value.response.headers["retry-after"] == "1" and caught.value.code == "rate_limit_exceeded"
            assert "injected fault" in caught.value.message
    assert embed(client, "tea").shape == (1, 384)


def test_the_client_survives_what_it_retries(client, service):
    service.faults.counts.clear()
    service.faults.plan("429", "503", "ok", "drop", "ok")
    patient = client.with_options(max_retries=2)
    embed(patient, "tea"), embed(patient, "tea")
    assert service.faults.counts == {"attempts": 5, "requests": 2, "answers": 2, "429": 1, "503": 1, "drop": 1}


def test_with_a_fifth_failing_every_text_is_embedded_once_and_in_order(client, service):
    texts = [f"document {i} about {topic}" for i in range(50) for topic in ("tea", "rain")]
    expected, before = encoder.embed(texts, precision="float32", cache=False), service.paid
    service.faults.counts.clear()
    with service.faults.during(rate=0.2, seed=5):
        patient = client.with_options(max_retries=10)
        rows = np.concatenate([embed(patient, texts[i : i + 4]) for i in range(0, 100, 4)])
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    assert service.paid.texts - before.texts == 100 and service.paid.requests - before.requests == 25
    counts = service.faults.counts
    assert counts["attempts"] == 25 + counts["429"] + counts["503"] + counts["drop"] > 25
    assert counts["429"] and counts["503"] and counts["drop"]


def test_an_answer_lost_after_the_work_is_paid_twice(client, service):
    before = service.paid
    service.faults.set(when="after")
    service.faults.plan("drop", "ok")
    embed(client.with_options(max_retries=1), "tea")
    assert service.paid.texts - before.texts == 2


def test_a_stream_cut_half_way_is_an_error_not_a_short_answer(client, service):
    service.faults.plan("cut")
    pieces = []
    with pytest.raises(Exception) as caught:  # noqa: B017 - the client's or the transport's, see below
        for chunk in chat(client, stream=True):
            pieces.append(chunk.choices[0].delta.content or "")
    assert isinstance(caught.value, (openai.APIConnectionError, httpx2.RemoteProtocolError))
    assert 0 < len("".join(pieces)) < len("“The aardvark eats ants and termites.” [1]")


def test_a_far_server_takes_its_time(client, service):
    with service.faults.during(round_trip_ms=300), pytest.raises(openai.APITimeoutError):
        embed(client.with_options(timeout=0.1), "tea")
    assert embed(client, "tea").shape == (1, 384)


def test_faults_are_off_by_default_and_checked(service):
    faults = service.faults
    assert (faults.rate, faults.round_trip_ms) == (0, 0)
    for wrong in (
        {"rate": 2},
        {"kinds": ["418"]},
        {"kinds": []},
        {"when": "never"},
        {"round_trip_ms": -1},
        {"speed": 1},
    ):
        with pytest.raises(ValueError):
            faults.set(**wrong)
    with pytest.raises(ValueError):
        faults.plan("rain")
    assert faults.rate == 0
