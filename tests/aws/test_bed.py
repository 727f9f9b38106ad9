"""The test bed's own rules, without the adapter: what it takes for an answer, and what it refuses."""

import asyncio
import base64
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from lambda_bed.environment import Code, Environment
from lambda_bed.errors import Failed, NotAFrame, NotStarted
from lambda_bed.events import event, request
from lambda_bed.frame import DELIMITER, FrameReader
from lambda_bed.invocation import Invocation
from lambda_bed.runtime_api import RUNTIME, STREAMED, RuntimeApi
from program import ROOT

HEAD = json.dumps({"statusCode": 201, "headers": {"a": "1"}, "cookies": ["b=2", "c=3"]}).encode()
STREAMING = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Content-Type": STREAMED}


class Runtime:
    """A runtime that a test plays by hand."""

    def __init__(self, api: RuntimeApi, client: aiohttp.ClientSession) -> None:
        self.api = api
        self.client = client
        self.invocation = Invocation(event(request("GET", "/hello")), 30)

    async def next(self) -> str:
        """Ask for the event and return its id."""
        self.api.give(self.invocation)
        async with self.client.get(f"{RUNTIME}/invocation/next") as answer:
            assert json.loads(await answer.read())["path"] == "/hello"
            assert int(answer.headers["Lambda-Runtime-Deadline-Ms"]) == self.invocation.deadline_ms
            return answer.headers["Lambda-Runtime-Aws-Request-Id"]

    async def respond(self, *pieces: bytes, **headers: str) -> int:
        """Answer the event in these chunks."""
        id_ = await self.next()

        async def body() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        path = f"{RUNTIME}/invocation/{id_}/response"
        async with self.client.post(path, data=body(), headers={**STREAMING, **headers}) as answer:
            return answer.status


@pytest_asyncio.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with RuntimeApi() as api, aiohttp.ClientSession(f"http://{api.address}") as client:
        yield Runtime(api, client)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_frame_is_read_however_it_is_cut(size: int) -> None:
    wire = HEAD + DELIMITER + b"payload with \0 in it"
    reader = FrameReader()
    payload = b"".join(reader.feed(wire[at : at + size]) for at in range(0, len(wire), size))
    assert reader.metadata is not None
    assert (reader.metadata.status, reader.metadata.header("a"), reader.metadata.cookies) == (201, "1", ("b=2", "c=3"))
    assert payload == b"payload with \0 in it"


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"x" * 20_000, "within the first 16 KB"),
        (b"{}" + DELIMITER[:-1], "ended before"),
        (b"<html>" + DELIMITER, "not JSON"),
        (b'{"body":""}' + DELIMITER, "something unknown"),
        (b'{"headers":{"vary":["a","b"]}}' + DELIMITER, "not a string"),
    ],
)
def test_what_api_gateway_does_not_take_is_no_frame(wire: bytes, why: str) -> None:
    def read() -> None:
        reader = FrameReader()
        reader.feed(wire)
        reader.end()

    with pytest.raises(NotAFrame, match=why):
        read()


async def test_an_answer_is_read_as_it_comes(runtime: Runtime) -> None:
    assert await runtime.respond(HEAD, DELIMITER, b"one", b"two") == 202
    assert [chunk.data for chunk in runtime.invocation.chunks] == [b"one", b"two"]
    assert (await runtime.invocation.metadata()).status == 201
    assert await runtime.invocation.body() == b"onetwo"
    assert runtime.api.faults == []


async def test_an_answer_that_is_not_streamed_is_a_fault(runtime: Runtime) -> None:
    headers = {"Lambda-Runtime-Function-Response-Mode": "buffered"}
    assert await runtime.respond(b'{"statusCode":200}', **headers) == 202
    with pytest.raises(Failed, match="did not stream"):
        await runtime.invocation.metadata()
    assert len(runtime.api.faults) == 1


async def test_an_error_trailer_ends_the_answer_with_that_error(runtime: Runtime) -> None:
    id_ = await runtime.next()
    reader, writer = await asyncio.open_connection(*runtime.api.address.split(":"))
    names = "".join(f"{name}: {value}\r\n" for name, value in STREAMING.items())
    head = f"POST {RUNTIME}/invocation/{id_}/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{names}\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (HEAD + DELIMITER, b"half"))
    told = base64.b64encode(b"it broke").decode()
    trailers = f"Lambda-Runtime-Function-Error-Type: Oops\r\nLambda-Runtime-Function-Error-Body: {told}\r\n"
    writer.write(head.encode() + chunks + b"0\r\n" + trailers.encode() + b"\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 202")
    writer.close()
    with pytest.raises(Failed, match="Oops: it broke"):
        await runtime.invocation.body()
    assert runtime.invocation.arrived == b"half"


async def test_a_failed_invocation_and_unknown_requests(runtime: Runtime) -> None:
    id_ = await runtime.next()
    async with runtime.client.post(f"{RUNTIME}/invocation/{id_}/error", data=b"{}") as answer:
        assert answer.status == 202
    with pytest.raises(Failed):
        await runtime.invocation.metadata()
    async with runtime.client.get("/2018-06-01/elsewhere") as answer:
        assert answer.status == 403
    async with runtime.client.post(f"{RUNTIME}/invocation/{id_}/response", data=b"late") as answer:
        assert answer.status == 400
    assert len(runtime.api.faults) == 2


async def test_a_function_that_does_not_start_says_why(tmp_path: Path) -> None:
    layer, task = tmp_path / "layer", tmp_path / "task"
    (layer / "extensions").mkdir(parents=True)
    (layer / "bootstrap").write_text("#!/bin/sh\necho there is no settings table\nexit 7\n", "utf-8")
    (layer / "bootstrap").chmod(0o755)
    task.mkdir()
    environment = Environment(Code(task, layer, {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}), tmp_path / "one")
    with pytest.raises(NotStarted, match="there is no settings table"):
        await environment.start()


async def test_without_cargo_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "lambda_adapter.py"
    nothing = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), env=nothing, stderr=PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"install Rust" in said
