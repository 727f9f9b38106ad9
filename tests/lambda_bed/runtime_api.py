"""A test double of what Lambda offers inside of one execution environment, on a loopback socket.

Two HTTP interfaces on one address, the one of `AWS_LAMBDA_RUNTIME_API`:

* the Runtime API: `GET …/runtime/invocation/next` waits for an event; `POST …/{id}/response` takes the answer, a
  streamed one chunk by chunk with error trailers; `POST …/{id}/error` and `POST …/init/error` take failures;
* the Extensions API: `POST …/extension/register`, then `GET …/extension/event/next` waits for what was subscribed to.

It is strict: an answer must be streamed as API Gateway's stream integration wants it, one event is out at a time, and
whatever is asked otherwise stands in `faults`.

Documents: "Using the Lambda runtime API for custom runtimes", "Using the Lambda Extensions API", in the Lambda
Developer Guide; the Runtime API's client in the crate lambda_runtime, which the adapter is made with.
"""

import asyncio
import base64
import json
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from lambda_bed.errors import NotAFrame
from lambda_bed.invocation import Invocation

RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
STREAMED = "application/vnd.awslambda.http-integration-response"
FUNCTION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:daehwa"
_STATUS = b'{"status":"OK"}'


@dataclass
class Extension:
    """An extension that registered: what it subscribed to, and whether it said that it is ready."""

    name: str
    events: list[str]
    ready: bool = False


@dataclass
class Call:
    """A request to the double; its trailers are there once `chunks` are read."""

    method: str
    path: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    trailers: dict[str, str] = field(default_factory=dict)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is left of the body as it comes: a chunk for each chunk of the wire."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(self.headers.get("content-length", "0"))
            if length:
                yield await self.reader.readexactly(length)
            return
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            self.trailers[name.strip().lower()] = value.strip()

    async def body(self) -> bytes:
        """Return the whole body."""
        return b"".join([chunk async for chunk in self.chunks()])


class RuntimeApi:
    """The double. `ready` is set when runtime and extensions have asked for their first event."""

    acknowledges_at_once = True
    """Whether packets are acknowledged at once. Linux may wait 40 ms, for which the adapter holds an answer's payload;
    that would give the function as long to finish what it left for after the last byte.
    """

    def __init__(self, *, on_idle: Callable[[], None] = lambda: None) -> None:
        self.ready = asyncio.Event()
        self.extensions: dict[str, Extension] = {}
        self.init_error: str | None = None
        self.faults: list[str] = []
        self.agents: set[str] = set()
        self._on_idle = on_idle
        self._runtime_asked = False
        self._given: asyncio.Queue[Invocation] = asyncio.Queue()
        self._running: Invocation | None = None
        self._shutdown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def give(self, invocation: Invocation) -> None:
        """Hand the runtime an event, as soon as it asks."""
        self._given.put_nowait(invocation)

    def shut_down(self, reason: str) -> None:
        """Tell the extensions that subscribed to it."""
        if not self._shutdown.done():
            self._shutdown.set_result(reason)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    await self._answer(await _call(reader), writer)
                    await writer.drain()
                    if self.acknowledges_at_once:
                        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        finally:
            writer.close()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.agents.add(call.headers.get("user-agent", ""))
        match call.method, call.path.removeprefix(RUNTIME).strip("/").split("/"):
            case "GET", ["invocation", "next"]:
                await self._next(writer)
            case "POST", ["invocation", id_, "response"]:
                await self._response(id_, call, writer)
            case "POST", ["invocation", id_, "error"]:
                body = await call.body()
                if invocation := self._of(id_):
                    kind = call.headers.get("lambda-runtime-function-error-type", "Unhandled")
                    invocation.fail(kind, body.decode())
                    self._end()
                _write(writer, 202, _STATUS)
            case "POST", ["init", "error"]:
                self.init_error = (await call.body()).decode()
                self.ready.set()
                _write(writer, 202, _STATUS)
            case _:
                await self._extension(call, writer)

    async def _extension(self, call: Call, writer: asyncio.StreamWriter) -> None:
        body = await call.body()
        extension = self.extensions.get(call.headers.get("lambda-extension-identifier", ""))
        match call.method, call.path.removeprefix(EXTENSION):
            case "POST", "/register" if name := call.headers.get("lambda-extension-name"):
                identifier = str(uuid.uuid4())
                self.extensions[identifier] = Extension(name, json.loads(body)["events"])
                known = {"functionName": "daehwa", "functionVersion": "$LATEST", "handler": "run.sh"}
                _write(writer, 200, json.dumps(known).encode(), {"Lambda-Extension-Identifier": identifier})
            case "GET", "/event/next" if extension is not None:
                extension.ready = True
                self._check_ready()
                reason = await asyncio.shield(self._shutdown)
                if "SHUTDOWN" not in extension.events:
                    await asyncio.Event().wait()  # nothing ever comes; the process is ended without a word
                told = {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": 0}
                _write(writer, 200, json.dumps(told).encode())
            case _:
                self.faults.append(f"unknown request: {call.method} {call.path}")
                _write(writer, 403, b'{"errorMessage":"Unknown","errorType":"Forbidden"}')

    async def _next(self, writer: asyncio.StreamWriter) -> None:
        if self._running is not None:
            self.faults.append("the next event was asked for before the last one was answered")
        self._runtime_asked = True
        self._check_ready()
        invocation = await self._given.get()
        self._running = invocation
        invocation.begin()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        }
        _write(writer, 200, invocation.event, headers)

    async def _response(self, id_: str, call: Call, writer: asyncio.StreamWriter) -> None:
        invocation = self._of(id_)
        if invocation is None:
            _write(writer, 400, b'{"errorType":"InvalidRequestID"}')
            return
        try:
            await _take_answer(call, invocation)
        except NotAFrame as error:
            await call.body()  # what is left of it
            self.faults.append(str(error))
            invocation.fail("NotAFrame", str(error))
        self._end()
        _write(writer, 202, _STATUS)

    def _check_ready(self) -> None:
        if self._runtime_asked and all(extension.ready for extension in self.extensions.values()):
            self.ready.set()

    def _of(self, id_: str) -> Invocation | None:
        if self._running is not None and self._running.id == id_:
            return self._running
        self.faults.append(f"an answer to no running invocation: {id_}")
        return None

    def _end(self) -> None:
        self._running = None
        self._on_idle()


async def _take_answer(call: Call, invocation: Invocation) -> None:
    if call.headers.get("lambda-runtime-function-response-mode") != "streaming":
        raise NotAFrame("The function did not stream; a STREAM integration needs AWS_LWA_INVOKE_MODE.")
    if call.headers.get("content-type") != STREAMED:
        raise NotAFrame(f"The answer is not {STREAMED}.")
    async for chunk in call.chunks():
        invocation.feed(chunk)
    if kind := call.trailers.get("lambda-runtime-function-error-type"):
        told = call.trailers.get("lambda-runtime-function-error-body", "")
        invocation.fail(kind, base64.b64decode(told).decode())
    else:
        invocation.finish()


async def _call(reader: asyncio.StreamReader) -> Call:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Call(method, path, headers, reader)


def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    told = {"Content-Type": "application/json", **(headers or {}), "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body)
