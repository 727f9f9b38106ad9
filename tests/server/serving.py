"""A real server on a loopback port: the shipped application on uvicorn's protocol, a core in memory behind it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from books import some_books
from cores import Core
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from daehwa.accounts.people import User
from daehwa.conversation.ids import new_id
from daehwa.server.app import App, create_app
from daehwa.server.asgi import ASGIApp
from daehwa.server.books import Books
from daehwa.server.entrances import Entrances
from daehwa.server.http_protocol import BoundedHttpProtocol
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Programs
from daehwa.server.run import Server
from daehwa.sign_in.flow import SignIn

Json = dict[str, Any]


class Frame(NamedTuple):
    """One server-sent event."""

    id: int
    event: str
    data: Any


def frames_of(text: str) -> list[Frame]:
    """Read a stream's text as strictly as it was written: three lines an event, comments between."""
    frames = []
    for block in text.split("\n\n")[:-1]:
        if block == ":":
            continue
        first, second, third = block.split("\n")
        assert first.startswith("id: ")
        assert second.startswith("event: ")
        assert third.startswith("data: ")
        frames.append(Frame(int(first[4:]), second[7:], json.loads(third[6:])))
    return frames


def text_of(frames: Sequence[Frame]) -> str:
    """Return the text that a stream's deltas make."""
    return "".join(frame.data for frame in frames if frame.event == "delta")


def asked(text: str = "Hello", *, conversation: str = "", parent: str | None = None) -> Json:
    """Return the body of a turn that asks a question."""
    return {
        "conversation": conversation or new_id(),
        "reply": new_id(),
        "message": {"id": new_id(), "parent": parent, "parts": [{"type": "text", "text": text}]},
    }


class Site:
    """A server and a client of it."""

    def __init__(self, core: Core, app: App, port: int, client: aiohttp.ClientSession) -> None:
        self.core = core
        self.app = app
        self.port = port
        self.client = client

    async def call(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        content = None if body is None else BytesIO(json.dumps(body).encode())
        headers = {"content-type": "application/json", **(headers or {})} if content is not None else headers
        async with self.client.request(method, path, data=content, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def refused(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, str, str | None]:
        """Return status, type and param of an error, once it is a whole one."""
        status, answer = await self.call(method, path, body, **more)
        error = answer["error"]
        assert error["message"].endswith("."), "a sentence"
        assert set(error) <= {"type", "message", "param"}
        return status, error["type"], error.get("param")

    async def turn(self, body: Json, **headers: str) -> list[Frame]:
        """Begin a turn and return its whole stream."""
        headers["content-type"] = "application/json"
        async with self.client.post("/api/turns", data=BytesIO(json.dumps(body).encode()), headers=headers) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return frames_of(text)

    async def follow(self, reply: str, after: int | None = None) -> list[Frame]:
        """Follow a reply to its end."""
        path = f"/api/turns/{reply}/events" + ("" if after is None else f"?after={after}")
        async with self.client.get(path) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return frames_of(text)

    async def raw(self, sent: bytes, *, then_eof: bool = False) -> bytes:
        """Send bytes on a connection of their own and return what comes back until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            if then_eof:
                writer.write_eof()
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, protocol: type[HttpToolsProtocol] = BoundedHttpProtocol) -> AsyncIterator[int]:
    """Serve an application as `Server` does, without its signals and its pauses; yield the port."""
    loop = asyncio.get_running_loop()
    config, state = Server(app).config, ServerState()
    config.load()
    server = await loop.create_server(lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=5)


@contextlib.asynccontextmanager
async def serving(
    core: Core,
    page: Path,
    *,
    sign_in: SignIn | None = None,
    programs: Programs | None = None,
    books: Books | None = None,
    **options: Any,
) -> AsyncIterator[Site]:
    """Serve a core; yield the site. The core is closed with it. `entrances` instead of `sign_in`, for more doors."""
    entrances = options.pop("entrances", None)
    known: Any = {"version": "0.0-test", "user": User(id="me", name="Tester"), "page": page, **options}
    app = create_app(
        core,
        options=ServerOptions(**known),
        books=books or some_books(),
        entrances=entrances or Entrances(sign_in),
        programs=programs,
    )
    async with listening(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield Site(core, app, port, client)
        await core.running.aclose()
