"""A proxy between the server and its upstream that spoils answers: each as the question's own fault says.

It asks the upstream once for each kind of stream, keeps the bytes, and lets through what the fault lets through.
`passed` holds that for each question: what the server can have received, and so what it must have stored.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self, TypeAlias

from upstream import reset_connection

Fault: TypeAlias = Callable[["Spoiling"], Awaitable[None]]
_ASK = b"POST /v1/chat/completions HTTP/1.1\r\nhost: upstream\r\ncontent-length: %d\r\n\r\n%b"


class Spoiling:
    """One answer on its way: the whole of it as it was recorded, and what a fault can do with it."""

    def __init__(
        self, recorded: bytes, told: Callable[[bytes], None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.recorded = recorded
        self.passed = b""
        self._told = told
        self.keeps = False
        """Whether the connection may serve again."""
        self._reader = reader
        self._writer = writer

    async def let(self, piece: bytes) -> None:
        """Let bytes through."""
        self.passed += piece
        self._told(self.passed)  # now: the server may be done with it before the fault is
        self._writer.write(piece)
        await self._writer.drain()

    def end_one_way(self) -> None:
        """Say that no more comes, and leave the connection open."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Close so that the other side meets an error."""
        reset_connection(self._writer)

    async def left(self) -> None:
        """Wait until the server has closed its side."""
        while await self._reader.read(65536):
            pass


class FaultProxy:
    """The proxy. `faults` by question; `recordings` by kind, which is the question's first word."""

    def __init__(self, upstream_port: int) -> None:
        self.faults: dict[str, Fault] = {}
        self.passed: dict[str, bytes] = {}
        self.recordings: dict[str, bytes] = {}
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=2000)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        """The address for the server."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def record(self, kind: str) -> bytes:
        """Return the upstream's answer to a kind of question as it comes over the wire."""
        if kind not in self.recordings:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            body = json.dumps({"messages": [{"role": "user", "content": kind}]}).encode()
            writer.write(_ASK % (len(body), body))
            recorded = b""
            while not recorded.endswith(b"\r\n0\r\n\r\n") and (piece := await reader.read(65536)):
                recorded += piece
            writer.close()
            self.recordings[kind] = recorded
        return self.recordings[kind]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            keeps = True
            while keeps:
                keeps = await self._answer(await _question(reader), reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _answer(self, question: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        told = partial(self.passed.__setitem__, question)
        told(b"")  # where it is asked again, the answer before counts no more
        spoiling = Spoiling(await self.record(question.split(maxsplit=1)[0]), told, reader, writer)
        await self.faults[question](spoiling)
        return spoiling.keeps


async def _question(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    question: str = json.loads(await reader.readexactly(length))["messages"][-1]["content"]
    return question


# ------------------------------------------------------------ what can be known of bytes


def body_of(passed: bytes) -> tuple[bytes, bool] | None:
    """Return the body that these bytes of an answer hold, and whether its end is among them; None without a head."""
    head, mark, rest = passed.partition(b"\r\n\r\n")
    if not mark:
        return None
    if b"transfer-encoding: chunked" not in head.lower():
        return rest, False
    body = b""
    while True:
        size, mark, rest = rest.partition(b"\r\n")
        if not mark:
            return body, False
        length = int(size, 16)
        if not length:
            return body, rest.startswith(b"\r\n")
        body += rest[:length]
        rest = rest[length + 2 :]


def events_in(body: bytes) -> list[bytes]:
    """Return the data of the whole events in a body, by the plainest reading of the rules."""
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole = lines.split(b"\n\n")[:-1]
    return [b"\n".join(line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")) for event in whole]


def heard(body: bytes) -> tuple[str, str, bool]:
    """Return the text and the reasoning that whole events of a body say, and whether they say why it ends."""
    text = reasoning = ""
    has_finish = False
    for data in events_in(body):
        if data in {b"", b"[DONE]"}:
            continue
        for choice in json.loads(data).get("choices", ()):
            delta = choice.get("delta") or {}
            text += delta.get("content") or ""
            reasoning += delta.get("reasoning_content") or ""
            has_finish = has_finish or choice.get("finish_reason") is not None
    return text, reasoning, has_finish
