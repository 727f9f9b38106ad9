"""Clients that take their time with what they have to say: they hold few connections, and others are answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from attacks.outcome import request, said_to, status_of
from books import some_books
from cores import Core
from server.serving import asked
from uvicorn.server import ServerState

from daehwa.accounts.people import User
from daehwa.conversation.events import TextDelta
from daehwa.providers.scripted import ScriptedProvider
from daehwa.server.app import create_app
from daehwa.server.http_protocol import HEAD_SECONDS, WAITED_FOR_SHARE, BoundedHttpProtocol
from daehwa.server.options import ServerOptions
from daehwa.server.run import Server

MOST = 40
ATTACKERS = 120

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Small:
    """A server that takes few connections."""

    def __init__(self, port: int, state: ServerState) -> None:
        self.port = port
        self.state = state

    async def is_answering(self) -> bool:
        """Whether somebody new is answered."""
        return status_of(await said_to(self.port, request("GET /healthz HTTP/1.1", "host: localhost"))) == 200

    async def holds_at_most(self, most: int) -> None:
        """Wait until it holds no more connections than that."""
        async with asyncio.timeout(20):
            while len(self.state.connections) > most:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def small(core: Core, page: Path) -> AsyncIterator[Small]:
    app = create_app(
        core, books=some_books(), options=ServerOptions(version="0", user=User(id="me"), page=page, body_seconds=60)
    )
    config, state = Server(app).config, ServerState()
    config.limit_concurrency = MOST
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield Small(server.sockets[0].getsockname()[1], state)
        for connection in list(state.connections):
            connection.transport.abort()
        await core.running.aclose()


BEGINNINGS = {
    "nothing": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-",
    "half a body": b"POST /api/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 1000\r\n\r\n{",
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_many_that_drip_leave_room_for_others(tmp_path: Path, beginning: bytes) -> None:
    async with small(Core(), tmp_path) as server:
        opened: list[Connection] = []
        for _ in range(ATTACKERS):
            opened.append(await asyncio.open_connection("127.0.0.1", server.port))
            opened[-1][1].write(beginning)
            for _, writer in opened[-10:]:  # a byte now and then is no reason to be kept longer
                if beginning and not writer.is_closing():
                    writer.write(b"x")
            await asyncio.sleep(0)
        await server.holds_at_most(MOST // WAITED_FOR_SHARE + 1)
        for _ in range(10):
            assert await server.is_answering()
        await server.holds_at_most(MOST // WAITED_FOR_SHARE + 1)
        for _, writer in opened:
            writer.close()


async def test_who_waits_for_an_answer_is_never_let_go_for_them(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    core = Core(ScriptedProvider([(TextDelta("Once "),), go_on, (TextDelta("upon"),)]))
    async with (
        small(core, tmp_path) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        client.post("/api/turns", json=asked()) as answer,
    ):
        await answer.content.readuntil(b"Once")
        attackers = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(ATTACKERS)]
        assert await server.is_answering()
        go_on.set()
        assert "upon" in await answer.text()
        for _, writer in attackers:
            writer.close()


def test_a_head_has_less_time_than_a_silent_connection() -> None:
    assert Server(lambda *_: asyncio.sleep(0)).config.timeout_keep_alive > HEAD_SECONDS
