"""A test upstream: a real HTTP server on a loopback socket that does as it is told, faults included.

    async with FakeUpstream(Answer(stream("Hello there"))) as upstream:
        ...  # upstream.base_url is for providers, upstream.requests is what came
        await upstream.requests[0].closed.wait()

Answers are played one after the other, the last for all further requests; a function from the request to an answer
does as well. `GET …/models` is answered from `models`. A step of an answer is bytes to send, seconds to wait, an
`asyncio.Event` to wait for, or CUT or RESET.
"""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Self, TypeAlias

import trustme


class End(Enum):
    """How a connection ends before its time."""

    CUT = "close in the middle"
    RESET = "reset in the middle"


CUT = End.CUT
RESET = End.RESET
Step: TypeAlias = bytes | float | asyncio.Event | End


@dataclass(frozen=True)
class Answer:
    """What to answer. `raw`: the steps are the whole of it, head included. `before`: wait before the head."""

    steps: Iterable[Step] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    framing: Literal["chunked", "close", "raw"] = "chunked"
    before: float | asyncio.Event = 0


@dataclass
class Request:
    """A request as it came. `closed` is set when the client's side of the connection is gone, at time `closed_at`."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answers: TypeAlias = Callable[[Request], Answer]


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side meets an error rather than an end."""
    on_at_once = struct.pack("ii", 1, 0)  # without it, a socket that has nothing unread ends politely
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_at_once)
    writer.transport.abort()


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return what a server needs to speak TLS by these names."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def frame(chunk: object) -> bytes:
    """Return one event with `chunk` as JSON."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def chunk(delta: Mapping[str, object], finish: str | None = None, **more: object) -> bytes:
    """Return one event with a chat completion chunk, about as large as a real one."""
    return frame(
        {
            "id": "chatcmpl-BqX0yR3vN1mCkTzZ4uGd7eHfJ2wLs",
            "object": "chat.completion.chunk",
            "created": 1795000000,
            "model": "gpt-test",
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            **more,
        }
    )


def text(piece: str) -> bytes:
    """Return a text delta."""
    return chunk({"content": piece})


def usage(prompt: int = 9, completion: int = 3, **more: object) -> bytes:
    """Return the usage-only chunk that comes last."""
    return frame(
        {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0, **more}}
    )


def ending(finish: str = "stop") -> bytes:
    """Return the chunk with the reason for the end."""
    return chunk({}, finish)


ROLE = chunk({"role": "assistant", "content": "", "refusal": None})
DONE = b"data: [DONE]\n\n"


def gated(*pieces: str) -> tuple[list[Step], list[asyncio.Event]]:
    """Return an answer with a gate before every piece but the first, and the gates."""
    gates = [asyncio.Event() for _ in pieces[1:]]
    steps: list[Step] = [ROLE, text(pieces[0])]
    for gate, piece in zip(gates, pieces[1:], strict=True):
        steps += [gate, text(piece)]
    return [*steps, ending(), DONE], gates


def stream(said: str, *, pace: float = 0, finish: str = "stop") -> list[Step]:
    """Return a whole well-formed answer, a word a chunk, `pace` seconds apart."""
    words = [word for word in said.replace(" ", " \0").split("\0") if word]
    steps: list[Step] = [ROLE]
    for word in words:
        steps += [pace, text(word)] if pace else [text(word)]
    return [*steps, ending(finish), usage(completion=len(words)), DONE]


def error(
    status: int, message: str = "It went wrong.", code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error as OpenAI words it."""
    body = json.dumps({"error": {"message": message, "type": "test_error", "param": None, "code": code}}).encode()
    return Answer([body], status, {"content-type": "application/json", **(headers or {})})


class FakeUpstream:
    """The server. Leave its context and it is gone, with all its connections."""

    def __init__(
        self,
        *answers: Answer | Answers,
        models: Sequence[str | Mapping[str, object]] | Answer = ("gpt-test",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = list(answers) or [Answer(stream("Hello there."))]
        self.models = models
        self.requests: list[Request] = []
        self.connections = 0
        self._played = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrival = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def turns(self) -> list[Request]:
        """The requests for chat completions, oldest first."""
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    async def turn(self, number: int = 0) -> Request:
        """Wait for the request for chat completions of this number, from 0."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.turns) > number)
        return self.turns[number]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._converse(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        answering: asyncio.Task[None] | None = None
        request: Request | None = None
        try:
            # While an answer is played, this waits for the next request, and so sees the client leave.
            while True:
                begin = await reader.readexactly(1)
                if not begin.isalpha():  # TLS, most likely
                    writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                    break
                request = await _request(begin, reader, connection)
                async with self._arrival:
                    self.requests.append(request)
                    self._arrival.notify_all()
                answering = asyncio.ensure_future(self._answer(request, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            if request is not None:
                request.closed_at = time.monotonic()
                request.closed.set()
            if answering is not None:
                answering.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await answering
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        answer = self._next(request)
        if isinstance(answer.before, asyncio.Event):
            await answer.before.wait()
        else:
            await asyncio.sleep(answer.before)
        if answer.framing != "raw":
            writer.write(_head(answer))
        for step in answer.steps:
            if isinstance(step, bytes):
                writer.write(step if answer.framing != "chunked" else b"%x\r\n%b\r\n" % (len(step), step))
                await writer.drain()
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, End):
                reset_connection(writer) if step is RESET else writer.close()
                return
            else:
                await asyncio.sleep(step)
        if answer.framing == "chunked":
            writer.write(b"0\r\n\r\n")
        else:
            writer.close()
        request.answered.set()

    def _next(self, request: Request) -> Answer:
        if request.method == "GET" and request.path.partition("?")[0].endswith("/models"):
            return self.models if isinstance(self.models, Answer) else _listing(self.models)
        answer = self.answers[min(self._played, len(self.answers) - 1)]
        self._played += 1
        return answer(request) if callable(answer) else answer


def _listing(models: Sequence[str | Mapping[str, object]]) -> Answer:
    data = [{"id": model, "object": "model"} if isinstance(model, str) else dict(model) for model in models]
    return Answer([json.dumps({"object": "list", "data": data}).encode()], 200, {"content-type": "application/json"})


def _head(answer: Answer) -> bytes:
    framing = {"transfer-encoding": "chunked"} if answer.framing == "chunked" else {"connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**answer.headers, **framing}.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode()


async def _request(begin: bytes, reader: asyncio.StreamReader, connection: int) -> Request:
    head = begin + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, connection)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
