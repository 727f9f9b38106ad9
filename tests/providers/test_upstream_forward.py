"""An answer that is forwarded: every framing, every end, a reader who is slow, a call that is given up."""

import asyncio
import gc
import ssl
import zlib
from pathlib import Path

import pytest
import trustme
from providers.client_asks import settled, upstream_fault_of
from providers.conftest import Make
from upstream import Answer, FakeUpstream, Step
from wire_server import Line, Talk, WireServer, end, left, reset, saying

from daehwa.conversation.errors import ProviderCutError, ProviderTimeoutError
from daehwa.providers.upstream import Patience
from daehwa.providers.upstream_client import UpstreamClient

pytestmark = pytest.mark.both_loops

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
WHOLE = CHUNKED + b"5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n"


class Basin:
    """A sink that keeps what it is given; `holds` bytes make it full, until it is emptied."""

    def __init__(self, holds: int = 1 << 30) -> None:
        self.pieces: list[bytes] = []
        self.holds = holds
        self.level = 0
        self.highest = 0
        self.free = asyncio.Event()
        self.waits = 0

    def write(self, piece: bytes) -> bool:
        assert piece, "nothing is not worth a write"
        self.pieces.append(piece)
        self.level += len(piece)
        self.highest = max(self.highest, self.level)
        return self.level < self.holds

    async def drained(self) -> None:
        self.waits += 1
        self.free.clear()
        await self.free.wait()

    def empty(self) -> None:
        self.level = 0
        self.free.set()

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)


async def forwarded(client: UpstreamClient, basin: Basin) -> None:
    stream = await client.post("chat/completions", b"{}")
    try:
        if last := await stream.forward(basin):
            basin.write(last)
    finally:
        stream.close()


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize(
    ("answer", "body", "reused"),
    [
        (WHOLE, b"hello there", True),
        (OK + b"content-length: 11\r\n\r\nhello there", b"hello there", True),
        (OK + b"content-length: 0\r\n\r\n", b"", True),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, b"hello there", True),
        (CHUNKED + b"2\r\nhi\r\n0\r\nx-late: 1\r\n\r\n", b"hi", True),
        (OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi", b"hi", False),
        (OK + b"\r\nhello there", b"hello there", False),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", b"hi", False),
    ],
)
async def test_each_framing(make: Make, answer: bytes, body: bytes, *, reused: bool, drips: bool) -> None:
    pieces = [answer[i : i + 1] for i in range(len(answer))] if drips else [answer]
    async with WireServer(saying(*pieces, then=None if reused else end)) as server:
        client = make(server.base_url)
        for _ in range(2):
            basin = Basin()
            await forwarded(client, basin)
            assert basin.text == body
        assert len(server.lines) == (1 if reused else 2)


async def test_a_compressed_answer_is_inflated(make: Make) -> None:
    packer = zlib.compressobj(wbits=31)
    said = bytes(4 * 1024 * 1024)
    packed = packer.compress(said) + packer.flush()
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with WireServer(saying(head, packed)) as server:
        basin = Basin()
        await forwarded(make(server.base_url), basin)
        assert basin.text == said


async def test_each_piece_is_written_within_the_callback_that_brought_it(make: Make) -> None:
    class Noting(Basin):
        tasks: list[object] = []  # noqa: RUF012 - of this test alone

        def write(self, piece: bytes) -> bool:
            self.tasks.append(asyncio.current_task())
            return super().write(piece)

    basin = Noting()
    steps: list[Step] = [0.005, b"one", 0.005, b"two", 0.005, b"three", 0.005]
    async with FakeUpstream(Answer(steps)) as upstream:
        await forwarded(make(upstream.base_url), basin)
    assert basin.pieces == [b"one", b"two", b"three"]
    assert basin.tasks == [None] * 3


async def test_pieces_that_come_in_one_packet_are_one_write(make: Make) -> None:
    async with WireServer(saying(CHUNKED + b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")) as server:
        basin = Basin()
        await forwarded(make(server.base_url), basin)
        assert basin.pieces == [b"abc"]


@pytest.mark.parametrize(
    ("pieces", "then", "before"),
    [
        ([OK + b"content-length: 3\r\n\r\n", b"hi"], end, b"hi"),
        ([CHUNKED + b"2\r\nhi\r\n"], end, b"hi"),
        ([OK + b"\r\nhi"], reset, b"hi"),
        ([CHUNKED + b"2\r\nhi\r\nnonsense\r\n"], left, b"hi"),
        ([OK + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"], left, b""),
    ],
)
async def test_a_cut_is_told_after_all_that_came(make: Make, pieces: list[bytes], then: Talk, before: bytes) -> None:
    async with WireServer(saying(*pieces, then=then)) as server:
        basin = Basin()
        assert type(await upstream_fault_of(forwarded(make(server.base_url), basin))) is ProviderCutError
        assert basin.text == before


async def test_a_full_sink_holds_the_upstream_back_and_gets_all(make: Make) -> None:
    pieces = [bytes([n % 256]) * 100_000 for n in range(100)]
    async with FakeUpstream(Answer(pieces)) as upstream:
        basin = Basin(holds=200_000)
        task = asyncio.ensure_future(forwarded(make(upstream.base_url), basin))
        await settled(lambda: basin.waits == 1)
        await asyncio.sleep(0.05)
        assert not upstream.requests[0].answered.is_set()
        while not task.done():
            basin.empty()
            await asyncio.sleep(0)
        await task
        assert basin.text == b"".join(pieces)
        assert basin.highest <= 200_000 + 64 * 1024


async def test_a_slow_reader_is_not_taken_for_a_silent_upstream(make: Make) -> None:
    async with FakeUpstream(Answer([b"hello", 0.03, b"there"])) as upstream:
        basin = Basin(holds=1)
        task = asyncio.ensure_future(
            forwarded(make(upstream.base_url, patience=Patience(first_byte=0.1, idle=0.1)), basin)
        )
        await asyncio.sleep(0.35)
        assert not task.done()
        basin.holds = 99
        basin.empty()
        await task
        assert basin.text == b"hellothere"


@pytest.mark.parametrize(
    ("steps", "patience", "sentence"),
    [
        ([9.0], Patience(first_byte=0.1, idle=9), "within"),
        ([9.0], Patience(first_byte=0.1, idle=0.04), "within"),
        ([b"hi", 9.0], Patience(first_byte=9, idle=0.1), "fell silent"),
        ([b"hi", 0.05, b"ho", 0.05, b"hu", 9.0], Patience(first_byte=0.04, idle=0.1), "fell silent"),
    ],
)
async def test_silence_is_told(make: Make, steps: list[bytes | float], patience: Patience, sentence: str) -> None:
    async with FakeUpstream(Answer(steps)) as upstream:
        begun = asyncio.get_running_loop().time()
        fault = await upstream_fault_of(forwarded(make(upstream.base_url, patience=patience), Basin()))
        assert type(fault) is ProviderTimeoutError
        assert sentence in fault.message
        assert asyncio.get_running_loop().time() - begun < 0.5


@pytest.mark.parametrize("full", [False, True])
async def test_cancelling_closes_the_upstream_at_once(make: Make, *, full: bool) -> None:
    async with FakeUpstream(Answer([b"hello", 9.0])) as upstream:
        client = make(upstream.base_url)
        basin = Basin(holds=1 if full else 99)
        stream = await client.post("chat/completions", b"{}")
        task = asyncio.ensure_future(stream.forward(basin))
        await settled(lambda: basin.text == b"hello")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(0.2):
            await upstream.requests[0].closed.wait()
        assert stream._watch is None
        assert [*client.connections.idle, *client.connections.busy] == []
    del task, stream
    gc.collect()


async def test_over_tls(make: Make, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    pieces = [bytes([n]) * 50_000 for n in range(40)]
    async with FakeUpstream(Answer(pieces), tls=context) as upstream:
        client = make(upstream.base_url, ca_file=str(tmp_path / "ca.pem"))
        basin = Basin(holds=300_000)
        task = asyncio.ensure_future(forwarded(client, basin))
        while not task.done():
            basin.empty()
            await asyncio.sleep(0)
        await task
        assert basin.text == b"".join(pieces)
        assert len(client.connections.idle) == 1


async def test_what_is_read_first_is_not_forwarded_again(make: Make) -> None:
    go = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED + b"5\r\nhello\r\n")
        await go.wait()
        await line.say(b"6\r\n there\r\n0\r\n\r\n")
        await line.left()

    async with WireServer(talk) as server:
        stream = await make(server.base_url).post("chat/completions", b"{}")
        assert await stream.read() == b"hello"
        go.set()
        basin = Basin()
        assert await stream.forward(basin) == b" there", "it came with the end"
        assert basin.text == b""
        assert await stream.read() == b""
        stream.close()


@pytest.mark.parametrize("full", [False, True])
async def test_what_came_with_the_end_is_written_although_it_is_cancelled_in_the_same_turn(
    make: Make, *, full: bool
) -> None:
    async with WireServer(saying(CHUNKED + b"5\r\nfirst\r\n", then=left)) as server:
        client = make(server.base_url)
        stream = await client.post("chat/completions", b"{}")
        basin = Basin(holds=1 if full else 99)
        task = asyncio.ensure_future(stream.forward(basin))
        await settled(lambda: basin.text == b"first")
        usage = b"5\r\nusage\r\n0\r\n\r\n"
        stream._connection.get_buffer(-1)[: len(usage)] = usage
        stream._connection.buffer_updated(len(usage))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert basin.pieces == [b"first", b"usage"]
        assert len(client.connections.idle) == 1, "it came to its end"
