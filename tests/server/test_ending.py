"""A server that ends in the middle of the calls of other programs: they are told, counted, and nothing is left."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from books import some_books
from cores import Core
from gateway.bed import Bed

from daehwa.gateway.scripted import ScriptedAnswer
from daehwa.server.app import App, create_app
from daehwa.server.options import ServerOptions
from daehwa.server.run import Server, address_of, bind

pytestmark = pytest.mark.both_loops

CHAT: dict[str, Any] = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
SSE = {"content-type": "text/event-stream"}


@pytest.fixture
def bed() -> Bed:
    return Bed()


class Running:
    """A server, and its end."""

    def __init__(self, app: App) -> None:
        listener = bind("127.0.0.1", 0)
        self.address = address_of(listener)
        self._started = asyncio.Event()
        self._server = Server(app, on_started=self._started.set, before_shutdown=app.aclose)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def begun(self) -> None:
        await asyncio.wait_for(self._started.wait(), 5)

    async def ended(self) -> float:
        """End it as a signal does; return how many seconds that took."""
        begun = time.monotonic()
        self._server.end()
        await asyncio.wait_for(self._task, 8)
        return time.monotonic() - begun


@contextlib.asynccontextmanager
async def running(bed: Bed, page: Path) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    options = ServerOptions(version="0", page=page)
    app = create_app(Core(), books=some_books(), options=options, programs=bed.programs())
    server = Running(app)
    await server.begun()
    try:
        async with aiohttp.ClientSession(server.address) as client:
            yield server, client
    finally:
        await server.ended()


def stays(bed: Bed, *pieces: bytes, headers: dict[str, str] = SSE) -> asyncio.Semaphore:
    """Let the upstream say this much, and then nothing for ever. What is returned counts how often it was asked."""
    times = asyncio.Semaphore(0)

    def script(_request: object) -> ScriptedAnswer:
        times.release()
        return ScriptedAnswer([*pieces, asyncio.Event()], headers=headers)

    bed.models.all[0].script = script
    return times


async def test_a_stream_is_told_that_the_server_ends(
    bed: Bed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stays(bed, CHUNK)
    async with running(bed, tmp_path) as (server, client):
        answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
        assert await answer.content.readuntil(b"\n\n") == CHUNK
        ending = asyncio.create_task(server.ended())
        said = await asyncio.wait_for(answer.text(), 5)
        assert await ending < 2, "nobody had to be waited for"
    assert said.startswith('data: {"error":{"message":"This server is ending')
    assert said.endswith('"code":"shutting_down"}}\n\n')
    assert bed.models.all[0].answers[0].is_closed
    (outcome,) = bed.meter.outcomes
    assert outcome.usage is not None
    assert outcome.usage.output == 1, "what came is counted"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_whole_answers_that_wait_are_refused_each_in_its_own_shape(
    bed: Bed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = stays(bed, headers={"content-type": "application/json"})
    async with running(bed, tmp_path) as (server, client):
        openai = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
        classic = asyncio.create_task(client.post("/chat", json={"text": "Hi"}))
        await times.acquire()
        await times.acquire()
        assert await server.ended() < 2
        answer = await openai
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert (await answer.json())["error"]["code"] == "shutting_down"
        said = await (await classic).json()
        assert (said["statusCode"], said["msg"][:21]) == (503, "This server is ending")
    assert len(bed.meter.outcomes) == 2, "both are counted"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_body_that_is_still_coming_is_not_waited_for(bed: Bed, tmp_path: Path) -> None:
    async with running(bed, tmp_path) as (server, _client):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.1)
        assert await server.ended() < 2
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
    assert not bed.models.all[0].requests


async def test_who_comes_while_it_ends_is_refused(bed: Bed, tmp_path: Path) -> None:
    app = create_app(
        Core(), books=some_books(), options=ServerOptions(version="0", page=tmp_path), programs=bed.programs()
    )
    server = Running(app)
    await server.begun()
    async with aiohttp.ClientSession(server.address) as client:
        await app.aclose()
        for path in ("/v1/chat/completions", "/chat"):
            answer = await client.post(path, json=CHAT)
            said = await answer.json()
            assert 503 in {answer.status, said.get("statusCode")}
        assert (await client.get("/v1/models")).status == 503
    await server.ended()
    assert not bed.models.all[0].requests


async def test_who_does_not_read_is_let_go(bed: Bed, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = stays(bed, *[b"data: %b\n\n" % (b"x" * 1_000_000)] * 30)
    async with running(bed, tmp_path) as (server, _client):
        _reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]), limit=1)
        body = b'{"messages":[],"stream":true}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await times.acquire()
        await asyncio.sleep(0.3)
        assert await server.ended() < 4
        writer.close()
    assert len(bed.meter.outcomes) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
