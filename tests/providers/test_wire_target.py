"""Requests in OpenAI's own dialect, as bytes, over real sockets: what goes out, what comes back, what is kept back."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from providers.client_asks import settled
from providers.conftest import KEY, Connect
from upstream import Answer, FakeUpstream, error, stream
from wire_server import Line, WireServer

from daehwa.conversation.errors import (
    ModelNotFound,
    ProviderAuthError,
    ProviderMalformedError,
    ProviderRefusedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
)
from daehwa.conversation.ports import Model
from daehwa.gateway.ports import Endpoint, Sink, WireAnswer, WireModels, WireRequest, WireTarget
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.upstream import Patience

JSON = {"content-type": "application/json"}
WHISPER = Model(id="acme/whisper-1", name="whisper-1", provider="acme", kind="audio")
BODY = b'{"model":"gpt-test","messages":[],"x_unknown":{"a":[1.50]}}'


def asked(body: bytes = BODY, **more: object) -> WireRequest:
    return WireRequest(**{"endpoint": "chat/completions", "body": body, **more})  # type: ignore[arg-type]  # a text for one of the literals


async def target_of(provider: OpenAIWireProvider) -> WireTarget:
    (target,) = await Catalogue([provider]).targets("acme/gpt-test", "chat/completions")
    return target


async def whole(answer: WireAnswer) -> bytes:
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    answer.close()
    return b"".join(pieces)


class Full(Sink):
    """A sink that is full after every piece."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, piece: bytes) -> bool:
        self.said += piece
        return False

    async def drained(self) -> None:
        await asyncio.sleep(0)


async def test_bytes_go_out_and_come_back_as_they_are(connect: Connect) -> None:
    said = b"".join(step for step in stream("Hello there.") if isinstance(step, bytes))
    async with FakeUpstream(Answer([said], headers={"content-type": "text/event-stream", "x-a": "1"})) as upstream:
        target = await target_of(connect(upstream.base_url))
        assert (target.model.id, target.upstream_name) == ("acme/gpt-test", "gpt-test")
        own = (("OpenAI-Beta", "x=1"), ("Authorization", "Bearer theirs"), ("Transfer-Encoding", "chunked"))
        answer = await target.send(asked(headers=own))
        assert (answer.status, answer.headers["x-a"]) == (200, "1")
        assert await whole(answer) == said
        answer = await target.send(asked())
        sink = Full()
        sink.write(await answer.forward(sink))
        answer.close()
        assert sink.said == said
        first = upstream.turns[0]
        assert (first.path, first.body) == ("/v1/chat/completions", BODY)
        assert first.headers["authorization"] == f"Bearer {KEY}"
        assert first.headers["openai-beta"] == "x=1"
        assert "transfer-encoding" not in first.headers
        assert {turn.connection for turn in upstream.turns} == {upstream.turns[0].connection}


async def test_errors_come_back_as_they_are_but_for_our_key(connect: Connect) -> None:
    async with FakeUpstream(error(429, f"Slow down, {KEY}.", headers={"retry-after": "7"})) as upstream:
        target = await target_of(connect(upstream.base_url))
        answer = await target.send(asked())
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        body = await whole(answer)
        assert json.loads(body)["error"]["message"] == "Slow down, [key]."
        assert answer.headers["content-length"] == str(len(body))


async def test_a_403_that_refuses_what_was_asked_comes_back_as_it_is_but_for_our_key(connect: Connect) -> None:
    said = {"error": {"message": "Flagged.", "code": 403, "metadata": {"reasons": ["violence"], "flagged": KEY}}}
    async with FakeUpstream(Answer([json.dumps(said).encode()], 403)) as upstream:
        answer = await (await target_of(connect(upstream.base_url))).send(asked())
        assert answer.status == 403
        said["error"]["metadata"] = {"reasons": ["violence"], "flagged": "[key]"}
        assert json.loads(await whole(answer)) == said


@pytest.mark.parametrize(
    ("status", "message", "fault"),
    [
        (401, "Not in your region.", ProviderAuthError),
        (403, "The key may not do this.", ProviderAuthError),
        (307, "Over there.", ProviderRefusedError),
        (600, "No such status.", ProviderMalformedError),
        (999, "Nor this one.", ProviderMalformedError),
    ],
)
async def test_what_is_wrong_between_us_and_the_upstream_is_an_error(
    connect: Connect, status: int, message: str, fault: type[Exception]
) -> None:
    async with FakeUpstream(error(status, message, headers={"location": "https://elsewhere.invalid"})) as upstream:
        with pytest.raises(fault):
            await (await target_of(connect(upstream.base_url))).send(asked())
        assert len(upstream.turns) == 1


async def test_no_answer_is_an_error(connect: Connect) -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer(before=never)) as upstream:
        impatient = connect(upstream.base_url, patience=Patience(first_byte=0.05))
        with pytest.raises(ProviderTimeoutError):
            await (await target_of(impatient)).send(asked())
        target = await target_of(connect(upstream.base_url))
    with pytest.raises(ProviderUnreachableError):
        await target.send(asked())


async def test_closing_an_answer_ends_the_call(connect: Connect) -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer([*stream("Hello")[:2], never])) as upstream:
        provider = connect(upstream.base_url)
        answer = await (await target_of(provider)).send(asked())
        assert await answer.read()
        assert provider.upstream_gate.calls == 1
        answer.close()
        answer.close()
        assert provider.upstream_gate.calls == 0
        async with asyncio.timeout(30):
            await upstream.turns[0].closed.wait()


async def test_who_leaves_while_waiting_for_a_place_has_sent_nothing(connect: Connect) -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer(before=never)) as upstream:
        provider = connect(upstream.base_url, max_concurrent=1, patience=Patience())
        target = await target_of(provider)
        first, second = asked(), asked()
        one = asyncio.ensure_future(target.send(first))
        async with asyncio.timeout(30):
            await upstream.turn()
        other = asyncio.ensure_future(target.send(second))
        await asyncio.sleep(0)
        assert provider.upstream_gate.state().waiting == 1
        for sending in (other, one):
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert (first.is_sent, second.is_sent, len(upstream.turns)) == (True, False, 1)


async def test_who_leaves_while_the_connection_is_being_made_has_sent_nothing(connect: Connect) -> None:
    async with WireServer(Line.left) as server:  # no word of TLS
        target = await target_of(connect(server.base_url.replace("http:", "https:"), models=("gpt-test",)))
        request = asked()
        sending = asyncio.ensure_future(target.send(request))
        await settled(lambda: len(server.lines) == 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert not request.is_sent


async def test_the_settings_fields_are_added_where_the_request_has_none(connect: Connect) -> None:
    async with FakeUpstream(Answer([b"{}"], headers=JSON)) as upstream:
        provider = connect(upstream.base_url, extra_body={"temperature": 0.2, "top_k": 40})
        target = await target_of(provider)
        for endpoint in ("chat/completions", "embeddings"):
            await whole(await target.send(asked(b'{"temperature":1.0,"seed":7}', endpoint=endpoint)))
        await whole(await target.send(asked(b"no json")))
        first, second, third = (request.body for request in upstream.requests if request.method == "POST")
        assert json.loads(first) == {"temperature": 1.0, "top_k": 40, "seed": 7}
        assert second == b'{"temperature":1.0,"seed":7}'
        assert third == b"no json"


async def test_a_limit_in_the_settings_fields_gives_way_to_any_of_the_request_s(connect: Connect) -> None:
    async with FakeUpstream(Answer([b"{}"], headers=JSON)) as upstream:
        target = await target_of(connect(upstream.base_url, extra_body={"max_tokens": 8000, "top_k": 40}))
        await whole(await target.send(asked(b'{"max_completion_tokens":10}', endpoint="chat/completions")))
        (sent,) = (request.body for request in upstream.requests if request.method == "POST")
        assert json.loads(sent) == {"max_completion_tokens": 10, "top_k": 40}


@pytest.mark.parametrize(
    ("endpoint", "said", "sent"),
    [
        ("chat/completions", b'{"max_tokens": null}', {"max_tokens": 1000}),
        ("chat/completions", b'{"max_completion_tokens":null }', {"max_tokens": 1000}),
        ("chat/completions", b'{"max_tokens":null,"max_completion_tokens":10}', {"max_completion_tokens": 10}),
        ("completions", b'{"max_tokens":null}', {"max_tokens": 1000}),
        ("responses", b'{"max_output_tokens":null}', {"max_output_tokens": 500}),
    ],
)
async def test_a_limit_that_is_null_leaves_the_one_of_the_settings(
    connect: Connect, endpoint: Endpoint, said: bytes, sent: dict[str, int]
) -> None:
    extra = {"max_output_tokens": 500} if endpoint == "responses" else {"max_tokens": 1000}
    async with FakeUpstream(Answer([b"{}"], headers=JSON)) as upstream:
        target = await target_of(connect(upstream.base_url, extra_body=extra))
        await whole(await target.send(asked(said, endpoint=endpoint)))
        (request,) = (request for request in upstream.requests if request.method == "POST")
    assert request.json == sent


async def test_a_limit_in_the_settings_fields_is_known_before_a_call(connect: Connect) -> None:
    async with FakeUpstream(Answer([b"{}"], headers=JSON)) as upstream:
        target = await target_of(connect(upstream.base_url, extra_body={"max_tokens": 7, "max_output_tokens": "no"}))
        assert target.default_limit("chat/completions") == 7
        assert target.default_limit("completions") == 7
        assert target.default_limit("responses") is None
        assert target.default_limit("embeddings") is None


async def pieces_of(count: int, size: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * size


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_long_body_goes_out_as_it_comes_and_never_stands_in_memory(
    connect: Connect, *, has_length: bool
) -> None:
    count, size = 400, 65_536
    got = 0

    async def talk(line: Line) -> None:
        nonlocal got
        head = (await line.reader.readuntil(b"\r\n\r\n")).lower()
        assert b"content-type: multipart/form-data; boundary=x\r\n" in head
        assert (b"content-length: %d\r\n" % (count * size) in head) == has_length
        assert (b"transfer-encoding: chunked\r\n" in head) != has_length
        wanted = count * size
        while got < wanted:
            part = await line.reader.read(4096)
            got += len(part)
        if not has_length:
            await line.reader.readuntil(b"\r\n0\r\n\r\n")
        await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    async with WireServer(talk) as server:
        provider = connect(server.base_url)
        target = provider.wire_target(WHISPER, "whisper-1")
        request = WireRequest(
            endpoint="audio/transcriptions",
            body=pieces_of(count, size),
            length=count * size if has_length else None,
            content_type="multipart/form-data; boundary=x",
        )
        tracemalloc.start()
        answer = await target.send(request)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert await whole(answer) == b"hi"
    assert request.is_sent
    assert peak < 2 * 1024 * 1024  # of 25 MB


async def test_an_answer_before_the_bodys_end_ends_the_sending(connect: Connect) -> None:
    async def talk(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await line.left()

    async with WireServer(talk) as server:
        provider = connect(server.base_url)
        request = WireRequest(endpoint="audio/transcriptions", body=pieces_of(10_000, 65_536), content_type="a/b")
        async with asyncio.timeout(30):
            answer = await provider.wire_target(WHISPER, "whisper-1").send(request)
        assert (answer.status, await whole(answer)) == (413, b"big")


class ClientLeft(Exception):  # noqa: N818 - states the fact
    """The client is gone."""


async def test_a_source_that_breaks_ends_the_call(connect: Connect) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ClientLeft

    left = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.left()
        left.set()

    async with WireServer(talk) as server:
        provider = connect(server.base_url)
        request = WireRequest(endpoint="audio/transcriptions", body=broken(), length=9, content_type="a/b")
        with pytest.raises(ClientLeft):
            await provider.wire_target(WHISPER, "whisper-1").send(request)
        assert not request.is_sent
        async with asyncio.timeout(30):
            await left.wait()
        assert provider.upstream_gate.calls == 0


async def test_who_answers_in_openais_dialect(connect: Connect) -> None:
    names = ("gpt-test", "text-embedding-3-small", "whisper-1", "gpt-3.5-turbo-instruct", "gpt-image-1")
    async with FakeUpstream(models=names) as upstream:
        catalogue = Catalogue([connect(upstream.base_url)])
        kinds = [model.kind for model in await catalogue.listed()]
        assert kinds == ["chat", "embedding", "audio", "completion", "image"]
        assert [model.name for model in await catalogue.models()] == ["gpt-test", "gpt-3.5-turbo-instruct"]
        for endpoint, name in (
            ("chat/completions", "gpt-test"),
            ("responses", "gpt-test"),
            ("completions", "gpt-3.5-turbo-instruct"),
            ("embeddings", "text-embedding-3-small"),
            ("audio/translations", "whisper-1"),
            ("images/generations", "gpt-image-1"),
        ):
            (target,) = await catalogue.targets(None, endpoint)  # type: ignore[arg-type]  # a text for one of the literals
            assert target.upstream_name == name
        with pytest.raises(ModelNotFound, match=r"no model for conversations"):
            await catalogue.resolve("whisper-1")
        with pytest.raises(ModelNotFound):
            await catalogue.targets("acme/nothing", "chat/completions")


@pytest.mark.parametrize(
    ("names", "answers"),
    [(("gpt-9", "gpt-4o-mini", "davinci-002"), "gpt-4o-mini"), (("davinci-002",), "davinci-002")],
)
async def test_a_default_that_only_goes_on_with_prompts_is_not_asked_to_chat_where_another_can(
    connect: Connect, names: tuple[str, ...], answers: str
) -> None:
    async with FakeUpstream(models=names) as upstream:
        catalogue = Catalogue([connect(upstream.base_url, name="openai")], default="davinci-002")
        assert await catalogue.default_model() == "openai/davinci-002"
        for endpoint, name in (("chat/completions", answers), ("completions", "davinci-002")):
            (target,) = await catalogue.targets(None, endpoint)  # type: ignore[arg-type]  # a text for one of the literals
            assert target.upstream_name == name


MODELS: type[WireModels] = Catalogue


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_header_in_which_our_key_stands_is_left_out(connect: Connect, status: int) -> None:
    headers = {**JSON, "openai-organization": f"of {KEY}", "x-request-id": KEY, "openai-version": "1"}
    async with FakeUpstream(Answer([b"{}"], status, headers)) as upstream:
        answer = await (await target_of(connect(upstream.base_url))).send(asked())
        answer.close()
    assert KEY not in str(answer.headers)
    assert answer.headers["openai-version"] == "1"
