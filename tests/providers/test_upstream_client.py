"""The HTTP client against real sockets: every form of an answer, every early end, connections used again or not."""

import asyncio
import zlib
from typing import Any

import pytest
from providers.client_asks import body_of, settled, upstream_fault_of
from providers.conftest import Make
from upstream import Answer, FakeUpstream
from wire_server import Line, Talk, WireServer, end, left, reset, saying

from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderMalformedError,
    ProviderUnreachableError,
)
from daehwa.http_client.connection import BUFFER_BYTES
from daehwa.http_client.errors import ConnectionLost, NotHttp
from daehwa.http_client.reading import INFLATED_BYTES

pytestmark = pytest.mark.both_loops

OK = b"HTTP/1.1 200 OK\r\n"
SHORT = OK + b"content-length: 2\r\n\r\nhi"
ENDLESS = OK + b"transfer-encoding: chunked\r\n\r\n"


def deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


def with_length(data: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(header + b"\r\n" for header in headers) + b"content-length: %d\r\n\r\n" % len(data) + data


# ---------------------------------------------------------------- forms of an answer


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize(
    ("answer", "body", "reused"),
    [
        (SHORT, b"hi", True),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi", b"hi", True),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n" + chunked(b"h", b"i") + b"\r\n", b"hi", True),
        (ENDLESS + chunked(b"hi") + b"content-type: text/html\r\nx-late: 1\r\n\r\n", b"hi", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + SHORT, b"hi", True),
        (with_length(b"hi", b"Connection: close"), b"hi", False),
        (OK + b"\r\nhi", b"hi", False),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi", b"hi", True),
        (with_length(deflated(b"hi" * 99, 31), b"content-encoding: gzip"), b"hi" * 99, True),
        (with_length(deflated(b"hi" * 99, 15), b"Content-Encoding: Deflate"), b"hi" * 99, True),
    ],
)
async def test_an_answer_in_each_form(make: Make, answer: bytes, body: bytes, *, reused: bool, drips: bool) -> None:
    pieces = [answer[i : i + 1] for i in range(len(answer))] if drips else [answer]
    async with WireServer(saying(*pieces, then=None if reused else end)) as server:
        client = make(server.base_url)
        for _ in range(2):
            stream = await client.get("models")
            assert await stream.body() == body
            assert stream.status == 200
            assert not {"x-late", "link", "x", "content-type"} & set(stream.headers)
            stream.close()
        assert len(server.lines) == (1 if reused else 2)


@pytest.mark.parametrize("more", [b"HTTP/1.1 500 No\r\nx: y\r\ncontent-length: 3\r\n\r\nbad", b"junk"])
async def test_what_comes_after_an_answer_is_not_part_of_it(make: Make, more: bytes) -> None:
    async with WireServer(saying(SHORT + more)) as server:
        client = make(server.base_url)
        for _ in range(2):
            stream = await client.get("models")
            assert (stream.status, await stream.body(), len(stream.headers)) == (200, b"hi", 1)
            stream.close()
        assert len(server.lines) == 2


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body(make: Make, status: int) -> None:
    async with WireServer(saying(b"HTTP/1.1 %d Nothing\r\n\r\n" % status)) as server:
        client = make(server.base_url)
        assert [await body_of(client) for _ in range(2)] == [b"", b""]
        assert len(server.lines) == 1


@pytest.mark.parametrize(
    ("pieces", "then"),
    [
        ([OK + b"content-length: 3\r\n\r\nhi"], end),
        ([OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n2\r\nhi\r\n"], end),
        ([OK + b"\r\nhi"], reset),
        ([ENDLESS + b"2\r\nhi\r\nnonsense\r\n"], left),
        ([with_length(b"this is not gzip", b"content-encoding: gzip")], left),
    ],
)
async def test_an_answer_that_is_cut(make: Make, pieces: list[bytes], then: Talk) -> None:
    async with WireServer(saying(*pieces, then=then)) as server:
        assert type(await upstream_fault_of(body_of(make(server.base_url)))) is ProviderCutError


async def test_a_held_stream_that_is_reset_is_cut_and_not_ended(make: Make) -> None:
    async with WireServer(saying(OK + b"\r\nhi", then=reset)) as server:
        stream = await make(server.base_url).post("chat/completions", b"{}")
        assert await stream.read() == b"hi"
        stream.hold()
        await server.ended[0].wait()
        assert type(await upstream_fault_of(stream.gather())) is ProviderCutError
        stream.close()


@pytest.mark.parametrize(
    ("start", "piece", "kind"),
    [
        (OK, b"x-more: " + b"m" * 1000 + b"\r\n", ProviderMalformedError),
        (OK + b"x: ", b"m" * 1000, ProviderMalformedError),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", ProviderMalformedError),
        (ENDLESS + b"2\r\nhi\r\n0\r\n", b"x-more: " + b"m" * 1000 + b"\r\n", ProviderCutError),
        (ENDLESS + b"2;", b"m" * 1000, ProviderCutError),
    ],
)
async def test_headers_without_end_are_bounded(make: Make, start: bytes, piece: bytes, kind: type[Exception]) -> None:
    said = 0

    async def talk(line: Line) -> None:
        nonlocal said
        await line.request()
        await line.say(start)
        while True:
            said += len(piece)
            await line.say(piece)

    async with WireServer(talk) as server:
        assert type(await upstream_fault_of(body_of(make(server.base_url)))) is kind
        await server.ended[0].wait()
    assert said < 8 * 1024 * 1024  # what the kernel's buffers hold comes on top


async def test_a_compressed_answer_cannot_fill_the_memory(make: Make) -> None:
    bomb = deflated(bytes(64 * 1024 * 1024), 31)
    async with WireServer(saying(with_length(bomb, b"content-encoding: gzip"))) as server:
        stream = await make(server.base_url).post("chat/completions", b"{}")

        async def read_all() -> None:  # piece by piece, as a stream is read
            while await stream.read():
                assert stream._connection._size <= INFLATED_BYTES

        assert type(await upstream_fault_of(read_all())) is ProviderCutError
        stream.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", "not HTTP"),
        (with_length(b"x", b"content-encoding: br"), "the encoding “br”"),
        (OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx", "not HTTP"),
        (OK + b"content-length: x\r\n\r\n", "not HTTP"),
        (b"SSH-2.0-Server\r\n", "not HTTP"),
    ],
)
async def test_an_answer_that_cannot_be_read(make: Make, answer: bytes, sentence: str) -> None:
    async with WireServer(saying(answer, then=left)) as server:
        fault = await upstream_fault_of(body_of(make(server.base_url)))
        assert type(fault) is ProviderMalformedError
        assert sentence in str(fault)
        await server.ended[0].wait()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_slow_reader_holds_the_upstream_back_and_gets_all(make: Make, framing: Any, *, held: bool) -> None:
    pieces = [bytes([n % 256]) * 100_000 for n in range(100)]
    async with FakeUpstream(Answer(pieces, framing=framing)) as upstream:
        stream = await make(upstream.base_url).post("chat/completions", b"{}")
        got = bytearray(await stream.read())
        if held:
            stream.hold()
        await asyncio.sleep(0.05)
        assert not upstream.requests[0].answered.is_set()
        assert stream._connection._size <= BUFFER_BYTES + 256 * 1024  # one read of asyncio
        while piece := await stream.gather():
            got += piece
        assert bytes(got) == b"".join(pieces)
        stream.close()


# ---------------------------------------------------------------- requests


async def test_a_request_of_ten_megabytes_to_a_slow_reader(make: Make) -> None:
    async with FakeUpstream(Answer([b"got it"], headers={})) as upstream:
        stream = await make(upstream.base_url).post("chat/completions", b"x" * 10_000_000)
        assert await stream.body() == b"got it"
        stream.close()
    assert len(upstream.requests[0].body) == 10_000_000


async def test_an_answer_before_the_request_is_sent_whole_is_read_and_its_connection_not_used_again(make: Make) -> None:
    async def talk(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(b"HTTP/1.1 413 Too large\r\ncontent-length: 5\r\n\r\nlarge")
        await line.left()

    async with WireServer(talk) as server:
        client = make(server.base_url)
        stream = await client.post("chat/completions", b"x" * 10_000_000)
        assert (stream.status, await stream.body()) == (413, b"large")
        stream.close()
        assert client.connections.idle == []


async def test_header_values_outside_ascii_arrive_as_utf_8(make: Make) -> None:
    async with FakeUpstream() as upstream:
        await body_of(make(upstream.base_url, headers={"X-Title": "대화"}))
    assert upstream.requests[0].headers["x-title"] == "대화"


async def test_a_header_cannot_begin_another(make: Make) -> None:
    async with FakeUpstream() as upstream:
        with pytest.raises(ValueError, match="one line"):
            await make(upstream.base_url, key="key\r\nx-other: 1").get("models")
    assert upstream.connections == 0


# ---------------------------------------------------------------- connections used again


def stale(*last_words: bytes) -> Talk:
    """Answer the first request of a first connection and close it upon the second, as a server may."""

    async def talk(line: Line) -> None:
        await line.request()
        await line.say(SHORT)
        await line.request()
        if line.number == 1:
            await line.say(*last_words)
            return
        await line.say(SHORT)

    return talk


async def test_a_request_on_a_connection_gone_stale_is_sent_again_once(make: Make) -> None:
    async with WireServer(stale()) as server:
        client = make(server.base_url)
        assert [await body_of(client) for _ in range(3)] == [b"hi"] * 3
        assert len(server.lines) == 2


async def test_a_request_is_not_sent_again_when_a_byte_of_an_answer_came(make: Make) -> None:
    async with WireServer(stale(b"HTTP/1.1 2")) as server:
        client = make(server.base_url)
        assert await body_of(client) == b"hi"
        assert type(await upstream_fault_of(client.post("chat/completions", b"{}"))) is ProviderUnreachableError
        assert len(server.lines) == 1


async def test_a_request_is_not_sent_again_when_it_may_have_been_worked_on(make: Make) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        await line.say(SHORT)
        await line.request()
        await asyncio.sleep(0.4)

    async with WireServer(talk) as server:
        client = make(server.base_url)
        assert await body_of(client) == b"hi"
        assert type(await upstream_fault_of(client.post("chat/completions", b"{}"))) is ProviderUnreachableError
        assert len(server.lines) == 1


async def test_of_many_connections_gone_stale_one_costs_a_try(make: Make) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        if line.number > 3:
            return
        await line.say(SHORT)
        await line.request()

    async with WireServer(talk) as server:
        client = make(server.base_url)
        await asyncio.gather(*(body_of(client) for _ in range(3)))
        assert len(client.connections.idle) == 3
        assert type(await upstream_fault_of(client.post("chat/completions", b"{}"))) is ProviderUnreachableError
        assert len(server.lines) == 4
        assert client.connections.idle == []


@pytest.mark.parametrize("idle", [59, 61])
async def test_a_connection_idle_for_a_minute_is_not_used(make: Make, idle: int) -> None:
    async with WireServer(saying(SHORT)) as server:
        client = make(server.base_url)
        await body_of(client)
        client.connections.idle[0].idle_since_date -= idle
        await body_of(client)
        assert len(server.lines) == (1 if idle < 60 else 2)


async def test_connections_long_idle_are_closed_when_another_comes_back(make: Make) -> None:
    async with WireServer(saying(SHORT)) as server:
        client = make(server.base_url)
        await asyncio.gather(body_of(client), body_of(client))
        client.connections.idle[0].idle_since -= 61
        await body_of(client)
        await settled(lambda: len(client.connections.idle) == 1)
        assert len(server.lines) == 2


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", b"junk", b""])
async def test_a_connection_on_which_something_comes_while_it_is_idle_is_closed(make: Make, unasked: bytes) -> None:
    go = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.request()
        await line.say(SHORT)
        await go.wait()
        await line.say(unasked)

    async with WireServer(talk) as server:
        client = make(server.base_url)
        await body_of(client)
        go.set()
        await settled(lambda: client.connections.idle == [])
        assert await body_of(client) == b"hi"


async def test_words_before_any_request_are_not_an_answer(make: Make) -> None:
    async def talk(line: Line) -> None:
        await line.say(SHORT)
        await line.left()

    async with WireServer(talk) as server:
        client = make(server.base_url)
        connection = await client.connections.open()
        await settled(lambda: connection.is_lost)
        assert client.connections.busy == set()
        with pytest.raises(NotHttp):
            await client.connections.answer(connection, b"GET / HTTP/1.1\r\n\r\n", 1)


async def test_a_connection_lost_before_it_is_used_is_noticed(make: Make) -> None:
    async with WireServer(end) as server:
        client = make(server.base_url)
        connection = await client.connections.open()
        await settled(lambda: connection.is_lost)
        async with asyncio.timeout(30):
            with pytest.raises(ConnectionLost):
                await client.connections.answer(connection, b"GET / HTTP/1.1\r\n\r\n", 1)
