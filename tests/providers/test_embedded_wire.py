"""What programs ask of the embedded model in OpenAI's dialect, on the real one: what it takes, and how it refuses."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from upstream import Answer, FakeUpstream

from daehwa.conversation.errors import InvalidRequest, ModelNotFound
from daehwa.gateway.ports import WireRequest
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.embedded_child import takes_tools
from daehwa.providers.embedded_files import MODEL_NAME
from daehwa.providers.embedded_wire import made_fit


async def test_it_is_asked_in_openais_dialect(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (listed,) = await catalogue.listed()
    (target,) = await catalogue.targets(None, "chat/completions")
    assert (listed.kind, target.model.id) == ("chat", f"embedded/{MODEL_NAME}")
    fields = {"model": target.upstream_name, "max_tokens": 8}
    messages = [{"role": "user", "content": "Say hello."}]
    answers: list[dict[str, Any]] = []
    for endpoint, asked in (
        ("chat/completions", {**fields, "messages": messages}),
        ("completions", {**fields, "prompt": "Once upon a time"}),
    ):
        request = WireRequest(endpoint=endpoint, body=json.dumps(asked).encode())  # type: ignore[arg-type]  # a text for one of the literals
        answer = await target.send(request)
        pieces = []
        while piece := await answer.read():
            pieces.append(piece)
        answer.close()
        assert answer.status == 200, pieces
        answers.append(json.loads(b"".join(pieces)))
    assert answers[0]["choices"][0]["message"]["content"]
    assert answers[1]["choices"][0]["text"]
    assert {answer["model"] for answer in answers} == {MODEL_NAME}, "never the path of its file"
    (state,) = catalogue.upstreams()
    assert (state.calls, state.failures) == (0, 0)


@pytest.mark.parametrize(
    ("endpoint", "model", "sentence"),
    [
        ("responses", None, "does not serve /v1/responses. Ask /v1/chat/completions, or name another model."),
        ("responses", MODEL_NAME, "does not serve /v1/responses"),
        ("embeddings", MODEL_NAME, "does not serve /v1/embeddings"),
        ("images/generations", MODEL_NAME, "does not serve /v1/images/generations"),
        ("audio/translations", MODEL_NAME, "does not serve /v1/audio/translations"),
        ("embeddings", None, "known to serve /v1/embeddings. Name a model in the field “model”."),
        ("audio/transcriptions", None, "Name a model"),
        ("images/generations", None, "Name a model"),
        ("audio/speech", None, "Name a model"),
        ("moderations", None, "Name a model"),
        ("moderations", MODEL_NAME, "does not serve /v1/moderations"),
    ],
)
async def test_what_it_does_not_serve_is_refused_before_its_server_is_asked(
    endpoint: Any, model: str | None, sentence: str
) -> None:
    provider = EmbeddedProvider()
    with pytest.raises(ModelNotFound, match=sentence):
        await Catalogue([provider]).targets(model, endpoint)
    await provider.aclose()


async def test_what_it_cannot_see_is_the_caller_s_fault(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (target,) = await catalogue.targets(None, "chat/completions")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = json.dumps({"messages": [{"role": "user", "content": [image]}]}).replace(" ", "").encode()
    with pytest.raises(InvalidRequest, match="reads text only"):
        await target.send(WireRequest(endpoint="chat/completions", body=body))
    (state,) = catalogue.upstreams()
    assert state.failures == 0


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def with_tools(**more: Any) -> WireRequest:
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, **more}
    return WireRequest(endpoint="chat/completions", body=json.dumps(asked).encode())


@pytest.mark.embedded
async def test_tools_of_which_it_would_not_be_told_are_refused(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (target,) = await catalogue.targets(None, "chat/completions")
    for asked in (
        with_tools(tools=[TOOL]),
        with_tools(tools=[TOOL], tool_choice="required"),
        with_tools(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "weather"}}),
        with_tools(functions=[TOOL["function"]]),
    ):
        with pytest.raises(InvalidRequest, match=r"calls no tools\. Leave 'tools' out, or choose") as told:
            await target.send(asked)
        assert told.value.param == "tools"
    for asked in (with_tools(tools=[]), with_tools(tools=None), with_tools(tools=[TOOL], tool_choice="none")):
        answer = await target.send(asked)
        assert answer.status == 200
        answer.close()
    (state,) = catalogue.upstreams()
    assert state.failures == 0


@pytest.mark.parametrize(
    ("props", "takes"),
    [
        ({"chat_template_caps": {"supports_tools": True, "supports_tool_calls": True}}, True),
        ({"chat_template_caps": {"supports_tools": False, "supports_tool_calls": True}}, True),
        ({"chat_template_caps": {"supports_tools": False, "supports_tool_calls": False}}, False),
        ({}, True),
        ([], True),
    ],
)
async def test_whether_a_model_is_told_of_tools_is_what_its_server_says(props: object, *, takes: bool) -> None:
    async with FakeUpstream(Answer([json.dumps(props).encode()])) as server:
        address = server.base_url.removesuffix("/v1")
        assert await asyncio.to_thread(takes_tools, address, "a key") is takes
        assert server.requests[0].path == "/props"
        assert server.requests[0].headers["authorization"] == "Bearer a key"
    assert await asyncio.to_thread(takes_tools, address, "a key"), "nobody there says no"


async def test_a_request_that_is_not_one_is_refused_by_its_server_and_starts_nothing_anew(
    embedded: EmbeddedProvider,
) -> None:
    (target,) = await Catalogue([embedded]).targets(None, "chat/completions")
    answer = await target.send(WireRequest(endpoint="chat/completions", body=b"no json"))
    assert 400 <= answer.status <= 500
    assert b"error" in await answer.read()
    answer.close()


# ---------------------------------------------------------------- OpenAI's dialect

HI = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def told(provider: EmbeddedProvider, endpoint: Any, asked: object) -> tuple[int, Any]:
    """Ask and return the status and the JSON of the answer."""
    (target,) = await Catalogue([provider]).targets(None, endpoint)
    answer = await target.send(WireRequest(endpoint=endpoint, body=json.dumps(asked).encode()))
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    answer.close()
    assert answer.headers.get("content-length", str(len(b"".join(pieces)))) == str(len(b"".join(pieces)))
    return answer.status, json.loads(b"".join(pieces))


@pytest.mark.embedded
async def test_what_its_engine_refuses_is_said_in_openais_shape(embedded: EmbeddedProvider) -> None:
    long = {"messages": [{"role": "user", "content": "hello " * 3000}], "stream": True}
    for endpoint, asked, param, code, words in (
        ("chat/completions", long, "messages", "context_length_exceeded", "maximum context length is 2048 tokens"),
        ("completions", {"prompt": "hello " * 3000}, "prompt", "context_length_exceeded", "the prompt has 300"),
        ("chat/completions", {**HI, "temperature": "warm"}, "temperature", "invalid_request", "must be number"),
        ("chat/completions", {**HI, "grammar": "(((("}, None, "invalid_request", "failed to parse grammar"),
        ("chat/completions", {**HI, "json_schema": {"type": "x"}}, None, "invalid_request", "unrecognized type x"),
        ("chat/completions", {"messages": [{"role": "user"}]}, None, "invalid_request", "must contain 'content'"),
    ):
        status, answer = await told(embedded, endpoint, asked)
        error = answer["error"]
        assert status == 400
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
        assert words in error["message"]
        assert "exception" not in error["message"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": 5, "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}]}, "messages[0].tool_calls[0].id"),
        ({"messages": "x"}, "messages"),
        ({"tools": [5], "tool_choice": "none"}, "tools[0]"),
        ({"reasoning_format": "x"}, "reasoning_format"),
        ({"grammar": 'root ::= "a"', "json_schema": {}}, "grammar"),
        ({"n": 2}, "n"),
        ({"n_cmpl": []}, "n_cmpl"),
    ],
)
async def test_what_its_engine_would_call_its_own_fault_or_count_wrong_is_refused_before(
    embedded: EmbeddedProvider, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest, match=r"\.$") as caught:
        await told(embedded, "chat/completions", {**HI, **more})
    assert caught.value.param == param
    assert embedded._child is None, "nobody was asked"


@pytest.mark.parametrize(
    ("prompt", "is_one"), [(["a"], True), ([1, 2], True), (["a", "b"], False), ([[1], [2]], False)]
)
async def test_it_goes_on_with_one_prompt(embedded: EmbeddedProvider, prompt: object, *, is_one: bool) -> None:
    asked = msgspec.json.encode({"prompt": prompt, "max_tokens": 1})
    if is_one:
        assert made_fit("completions", asked, MODEL_NAME) == asked
        return
    with pytest.raises(InvalidRequest, match="one prompt to a request"):
        await told(embedded, "completions", {"prompt": prompt})


@pytest.mark.embedded
async def test_all_that_is_right_about_messages_is_taken(embedded: EmbeddedProvider) -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    parts = [{"type": "text", "text": "Hi"}]
    asked = {
        "messages": [
            {"role": "developer", "content": "Be short.", "name": "x"},
            {"role": "user", "content": parts},
            called,
            {"role": "tool", "tool_call_id": "a", "content": parts},
            {"role": "assistant", "content": "Yes", "tool_calls": None, "refusal": None},
            {"role": "user", "content": ""},
        ],
        **dict.fromkeys(("n_cmpl", "tools", "json_schema")),
        "n": 1,
        "grammar": 'root ::= "a"',
        "max_tokens": 4,
    }
    assert (await told(embedded, "chat/completions", asked))[0] == 200


@pytest.mark.embedded
async def test_a_completion_has_sixteen_tokens_where_its_request_does_not_say_it(embedded: EmbeddedProvider) -> None:
    (target,) = await Catalogue([embedded]).targets(None, "completions")
    assert (target.default_limit("completions"), target.default_limit("chat/completions")) == (16, None)
    for more, tokens in (({}, 16), ({"max_tokens": None}, 16), ({"max_tokens": 20}, 20), ({"n_predict": 3}, 3)):
        _, answer = await told(embedded, "completions", {"prompt": "Once upon a time", "ignore_eos": True, **more})
        assert answer["usage"]["completion_tokens"] == tokens
