"""OpenAI's dialect over real sockets: the answers, the errors, and who leaves."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import Bed
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from server.serving import Site, serving

from daehwa.conversation.errors import (
    ProviderAuthError,
    ProviderCutError,
    ProviderRefusedError,
    ProviderUnreachableError,
)
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget, as_events, as_json

CHAT = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
SSE = {"content-type": "text/event-stream"}


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def site(bed: Bed, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=bed.programs()) as made:
        yield made


def only(bed: Bed) -> ScriptedTarget:
    return bed.models.all[0]


async def streamed(site: Site, body: object) -> str:
    async with site.client.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return await answer.text()


async def test_a_chat_is_answered_whole(site: Site, bed: Bed) -> None:
    status, answer = await site.call("POST", "/v1/chat/completions", {**CHAT, "unknown": {"x": [1, None]}})
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == "You said: Hi"
    assert only(bed).bodies == [{**CHAT, "unknown": {"x": [1, None]}}]


async def test_a_chat_is_streamed_and_counted_without_showing_that_usage_was_asked_for(site: Site, bed: Bed) -> None:
    text = await streamed(site, {**CHAT, "stream": True})
    assert '"usage"' not in text
    assert text.endswith("data: [DONE]\n\n")
    assert only(bed).bodies[0]["stream_options"] == {"include_usage": True}
    shown = await streamed(site, {**CHAT, "stream": True, "stream_options": {"include_usage": True, "x": 1}})
    assert '"prompt_tokens":7' in shown
    assert only(bed).bodies[1]["stream_options"] == {"include_usage": True, "x": 1}
    assert [outcome.usage for outcome in bed.meter.outcomes if outcome.usage] == [bed.usage, bed.usage]


async def test_the_upstream_s_own_name_stands_in_what_is_sent(site: Site, bed: Bed) -> None:
    await site.call("POST", "/v1/chat/completions", {**CHAT, "model": "scripted/parrot"})
    await site.call("POST", "/v1/chat/completions", {"messages": []})
    assert [body["model"] for body in only(bed).bodies] == ["parrot", "parrot"]


async def test_an_upstream_without_stream_options_is_asked_without(site: Site, bed: Bed) -> None:
    def refuses(request: Any) -> ScriptedAnswer:
        if b"stream_options" in request.body:
            return as_json({"error": {"message": "Unknown field: stream_options"}}, 400)
        return as_events({"choices": [{"delta": {"content": "a"}}]})

    only(bed).script = refuses
    await streamed(site, {**CHAT, "stream": True})
    await streamed(site, {**CHAT, "stream": True})
    assert len(only(bed).requests) == 3, "it is remembered"
    usages = [outcome.usage for outcome in bed.meter.outcomes]
    assert all(usage is not None and usage.estimated and usage.output for usage in usages)


async def test_what_a_caller_says_teaches_nothing_about_the_upstream(site: Site, bed: Bed) -> None:
    def echoes(request: Any) -> ScriptedAnswer:
        if b'"stream_options max_tokens"' in request.body:
            return as_json({"error": {"message": "There is no role 'stream_options max_tokens'."}}, 400)
        return as_events({"choices": [{"delta": {"content": "a"}}]})

    bed.meter.output_limit = 300
    only(bed).script = echoes
    bad = {"role": "stream_options max_tokens", "content": "Hi"}
    status, _ = await site.call("POST", "/v1/chat/completions", {**CHAT, "stream": True, "messages": [bad]})
    assert status == 400
    await streamed(site, {**CHAT, "stream": True})
    body = only(bed).bodies[-1]
    assert (body["stream_options"], body["max_tokens"]) == ({"include_usage": True}, 300)


async def test_a_completion_whose_limit_is_refused_is_not_sent_again(site: Site, bed: Bed) -> None:
    def refuses(_request: Any) -> ScriptedAnswer:
        once = len(only(bed).requests) == 1
        return as_json({"error": {"message": "'max_tokens' is too large."}}, 400) if once else as_json({"choices": []})

    only(bed).script = refuses
    bed.meter.output_limit = 300
    status, _ = await site.call("POST", "/v1/completions", {"model": "parrot", "prompt": "Once"})
    assert (status, len(only(bed).requests)) == (400, 1)


async def test_errors_of_the_upstream_go_through_with_their_headers(site: Site, bed: Bed) -> None:
    body = {"error": {"message": "Slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    headers = {"retry-after": "7", "x-request-id": "req_9", "openai-version": "2020-10-01", "server": "x", "x-a": "b"}
    only(bed).script = lambda _request: as_json(body, 429, **headers)
    async with site.client.post("/v1/chat/completions", json=CHAT) as answer:
        assert answer.status == 429
        assert await answer.json() == body
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["openai-version"] == "2020-10-01"
        assert answer.headers["x-upstream-request-id"] == "req_9"
        assert len(answer.headers.getall("x-request-id")) == 1
        assert "x-a" not in answer.headers
    assert [outcome.usage for outcome in bed.meter.outcomes] == [None]


ERRORS: list[tuple[str, bytes | None, tuple[int, str, str | None]]] = [
    ("GET /v1/nothing", None, (404, "route_not_found", None)),
    ("GET /v1", None, (404, "route_not_found", None)),
    ("GET /v1/chat/completions", None, (405, "method_not_allowed", None)),
    ("POST /v1/chat/completions", b"{", (400, "invalid_request", None)),
    ("POST /v1/chat/completions", b"[]", (400, "invalid_request", None)),
    ("POST /v1/chat/completions", b'{"model": "\xff"}', (400, "invalid_request", None)),
    ("POST /v1/chat/completions", b'{"model": 5}', (400, "invalid_request", "model")),
    ("POST /v1/chat/completions", b'{"model": "nobody", "messages": []}', (404, "model_not_found", "model")),
    (
        "POST /v1/chat/completions",
        b'{"model": "%b", "messages": []}' % (b"n" * 501),
        (400, "invalid_request", "model"),
    ),
    ("POST /v1/chat/completions", b" " * 1_000_001, (413, "too_large", None)),
    ("POST /v1/chat/completions", b'{"model": "parrot"}', (400, "invalid_request", "messages")),
    ("POST /v1/chat/completions", b'{"messages": [], "n": 0}', (400, "invalid_request", "n")),
    ("POST /v1/chat/completions", b'{"messages": [], "n": 1.5}', (400, "invalid_request", "n")),
    ("POST /v1/chat/completions", b'{"messages": [], "max_tokens": 1e99}', (400, "invalid_request", "max_tokens")),
    ("POST /v1/chat/completions", b'{"messages": [], "stream_options": 1}', (400, "invalid_request", "stream_options")),
    ("POST /v1/completions", b'{"prompt": [1, 2], "best_of": "2"}', (400, "invalid_request", "best_of")),
    ("GET /v1/models/nobody/here", None, (404, "model_not_found", "model")),
]


@pytest.mark.parametrize(("asked", "body", "expected"), ERRORS)
async def test_errors_of_our_own_have_openai_s_shape(
    site: Site, asked: str, body: bytes | None, expected: tuple[int, str, str | None]
) -> None:
    method, _, path = asked.partition(" ")
    headers = {"content-type": "application/json"}
    async with site.client.request(method, path, data=body and BytesIO(body), headers=headers) as answer:
        error = (await answer.json())["error"]
        assert answer.headers["x-request-id"]
        assert (answer.status, error["code"], error["param"]) == expected
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    assert set(error) == {"message", "type", "param", "code"}


async def test_a_strange_host_and_another_site_are_refused_in_openai_s_shape(site: Site) -> None:
    async with site.client.get("/v1/models", headers={"Host": "evil.example"}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (421, "host_not_allowed")
    async with site.client.post("/v1/chat/completions", json=CHAT, headers={"Origin": "https://evil"}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "cross_site_request")


async def test_our_key_is_nobody_s_business(site: Site, bed: Bed) -> None:
    only(bed).script = lambda _request: ProviderAuthError("The upstream does not accept the key.", status=401)
    status, answer = await site.call("POST", "/v1/chat/completions", CHAT)
    assert (status, answer["error"]["code"], answer["error"]["type"]) == (502, "upstream_auth", "server_error")


async def test_the_next_upstream_is_asked_before_the_first_byte_and_not_after(tmp_path: Path) -> None:
    unreachable = ScriptedTarget(lambda _request: ProviderUnreachableError("No."), provider="a")
    broken = ScriptedTarget(lambda _request: as_json({"error": {"message": "no"}}, 503), provider="b")
    refusing = ScriptedTarget(lambda _request: as_json({"error": {"message": "no"}}, 400), provider="c")
    good = ScriptedTarget(provider="d")
    cut = ScriptedTarget(lambda _request: ScriptedAnswer([b"data: {}\n\n", ProviderCutError("Cut.")], 200, SSE))
    bed = Bed(unreachable, broken, good)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        assert (await site.call("POST", "/v1/chat/completions", {**CHAT, "model": "any"}))[0] == 200
        assert [call.model for call in bed.meter.calls] == ["a/parrot", "b/parrot", "d/parrot"]
        assert [outcome.usage for outcome in bed.meter.outcomes] == [None, None, bed.usage]
        bed.models.all = (refusing, good)
        assert (await site.call("POST", "/v1/chat/completions", {**CHAT, "model": "any"}))[0] == 400
        at_fault = ScriptedTarget(lambda _request: ProviderRefusedError("No.", status=400), provider="e")
        bed.models.all = (at_fault, good)
        status, answer = await site.call("POST", "/v1/chat/completions", {**CHAT, "model": "any"})
        assert (status, answer["error"]["code"]) == (502, "upstream_refused")
        bed.models.all = (unreachable, broken)
        assert (await site.call("POST", "/v1/chat/completions", {**CHAT, "model": "any"}))[0] == 503
        bed.models.all = (cut, good)
        text = await streamed(site, {**CHAT, "model": "any", "stream": True})
        assert text.startswith("data: {}\n\ndata: {")
        assert '"code":"upstream_cut"' in text
        assert bed.meter.outcomes[-1].error == "upstream_cut"
        assert bed.meter.outcomes[-1].usage is not None


@pytest.mark.parametrize("pieces", [[asyncio.Event()], [b"data: {}\n\n", asyncio.Event()]])
async def test_a_client_that_leaves_ends_the_upstream_call(site: Site, bed: Bed, pieces: list[Any]) -> None:
    script = ScriptedAnswer(pieces, 200, SSE if len(pieces) > 1 else None)
    only(bed).script = lambda _request: script
    body = b'{"model": "parrot", "messages": [], "stream": true}'
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    if len(pieces) > 1:
        await reader.readuntil(b"data: {}\n\n")
    else:
        await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()
    writer.close()
    async with asyncio.timeout(5):
        await script.closed.wait()
        await bed.meter.settled.wait()
    assert asyncio.get_running_loop().time() - began < 0.2
    usage = bed.meter.outcomes[-1].usage
    assert usage is not None, "what the upstream has read is counted"
    assert usage.estimated
    assert usage.input > 0


async def test_models_are_listed_and_found_by_names_with_slashes(site: Site) -> None:
    status, answer = await site.call("GET", "/v1/models")
    model = {"id": "scripted/parrot", "object": "model", "created": 1_672_531_200, "owned_by": "scripted"}
    assert (status, answer) == (200, {"object": "list", "data": [model]})
    assert await site.call("GET", "/v1/models/scripted/parrot") == (200, model)
    assert await site.call("GET", "/v1/models/scripted%2Fparrot") == (200, model)
    assert await site.call("GET", "/v1/models/parrot") == (200, {**model, "id": "parrot"})


async def test_what_is_served_is_described(site: Site) -> None:
    status, document = await site.call("GET", "/v1/openapi.json")
    assert status == 200
    validate(document, cls=OpenAPIV31SpecValidator)
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(each.method, each.path) for each in site.app.operations if each.path.startswith("/v1/")}
    _, own = await site.call("GET", "/api/openapi.json")
    assert not any(path.startswith("/v1") for path in own["paths"])
