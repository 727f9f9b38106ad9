"""Streams over our own protocol's line: bytes leave as they come, slow readers hold back, leaving is seen."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, listening, serving
from tills import Till

from daehwa.conversation.errors import ProviderCutError
from daehwa.conversation.metering import Meter
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.rates import Rates
from daehwa.gateway.scripted import Piece, ScriptedAnswer
from daehwa.server.asgi import ClientLeftError, Receive, Scope, Send
from daehwa.server.direct import LEAST_READ_BYTES, DirectBody, line_of
from daehwa.server.leaving import EndedWhenLeft
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_rates import MemoryRates

pytestmark = pytest.mark.both_loops

SSE = {"content-type": "text/event-stream"}
BODY = b'{"model":"parrot","stream":true,"messages":[]}'
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
ASK += b"content-length: %d\r\n" % len(BODY)
END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(text: str) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()


LAST = b"data: [DONE]"
"""No blank line ends it, so it goes on with the end."""


class Play:
    """A site whose upstream plays these pieces."""

    def __init__(self, site: Site, bed: Bed) -> None:
        self.site = site
        self.bed = bed

    def script(self, *pieces: Piece) -> None:
        self.bed.models.all[0].script = lambda _: ScriptedAnswer(pieces, 200, SSE)

    @property
    def answer(self) -> ScriptedAnswer:
        return self.bed.models.all[0].answers[-1]

    @contextlib.asynccontextmanager
    async def asked(self, head: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port, limit=2**20)
        try:
            writer.write(ASK + head + b"\r\n" + BODY)
            async with asyncio.timeout(5):
                yield reader, writer
        finally:
            writer.close()


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    bed = Bed()
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        yield Play(site, bed)


async def test_head_and_first_bytes_leave_together(play: Play) -> None:
    play.script(event("a"), asyncio.Event())
    async with play.asked() as (reader, _):
        first = await reader.read(65536)
    head, _, body = first.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"x-request-id" in head
    assert b"content-security-policy" in head
    assert body == b"%x\r\n%b\r\n" % (len(event("a")), event("a"))


async def test_the_head_does_not_wait_for_a_model_that_thinks(play: Play) -> None:
    go = asyncio.Event()
    play.script(go, event("a"))
    async with play.asked() as (reader, _):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        go.set()
        assert event("a") in await reader.readuntil(b"0\r\n\r\n")


async def test_the_connection_serves_again_and_what_was_sent_ahead_is_answered_after(play: Play) -> None:
    play.script(event("a"), 0.01, event("b"))
    async with play.asked() as (reader, writer):
        writer.write(ASK + b"\r\n" + BODY)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            body = await reader.readuntil(b"\r\n0\r\n\r\n")
            assert [body.count(event("a")), body.count(event("b"))] == [1, 1]
    assert len(play.bed.meter.outcomes) == 2


class SlowAnswers(MemoryAnswers):
    """A store that takes its time to keep an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, began: int, now: int) -> None:
        await self.gate.wait()
        await super().keep(caller, key, answer, began=began, now=now)


async def test_what_came_with_the_end_goes_with_it_where_it_is_counted_at_once(play: Play) -> None:
    go = asyncio.Event()
    play.script(event("a"), go, LAST)
    async with play.asked() as (reader, _):
        await reader.readuntil(event("a") + b"\r\n")
        go.set()
        assert await reader.read(65536) == b"%x\r\n%b\r\n0\r\n\r\n" % (len(LAST), LAST)
        assert len(play.bed.meter.outcomes) == 1


@pytest.mark.parametrize("slow", ["ledger", "answers"])
async def test_what_came_with_the_end_waits_for_no_store(tmp_path: Path, slow: str) -> None:
    bed, till, answers = Bed(), Till(), SlowAnswers()
    meter: Meter = bed.meter
    head, gate = b"idempotency-key: once\r\n", answers.gate
    if slow == "ledger":
        meter, head, gate = till.meter, b"", asyncio.Event()
        till.faulty.gate = gate
    bed.gateway = Gateway(bed.models, meter, Rates(MemoryRates()), OnceOnly(answers))
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        play = Play(site, bed)
        play.script(event("a"), LAST)
        async with play.asked(head) as (reader, _):
            await reader.readuntil(LAST)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readuntil(END), 0.05)
            gate.set()
            await reader.readuntil(END)


async def test_a_connection_that_is_to_close_closes_after_the_end(play: Play) -> None:
    play.script(event("a"))
    async with play.asked(b"connection: close\r\n") as (reader, _):
        assert (await reader.read()).endswith(b"\r\n0\r\n\r\n")


async def test_an_old_client_is_answered_without_the_line(play: Play) -> None:
    play.script(event("a"), event("b"), DONE)
    old = ASK.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + BODY
    for asked in (old, old.replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1)):
        head, _, body = (await play.site.raw(asked)).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert head.endswith(b"connection: close")
        assert body == event("a") + event("b") + DONE


async def test_a_slow_reader_holds_the_upstream_back(play: Play) -> None:
    pieces = [event("x" * 50_000) for _ in range(400)]
    play.script(*pieces)
    async with play.asked() as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        left = sum(1 for _ in play.answer._pieces)
        assert left > 100, "twenty megabytes do not wait in memory"


async def test_a_client_that_leaves_with_a_request_sent_ahead_is_no_fault(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    play.script(event("a"), asyncio.Event())
    ahead = BODY + b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", play.site.port)
    writer.write(ASK + b"\r\n" + ahead)
    await asyncio.wait_for(reader.readuntil(event("a")), 5)
    writer.close()
    async with asyncio.timeout(5):
        await play.answer.closed.wait()
    await asyncio.sleep(0.1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class Reader:
    """A full connection, as much of one as a body takes; who reads takes so many bytes within each patience.

    They are taken as soon as they are waited for: a busy machine may well sleep for as long as a test's patience.
    """

    def __init__(self, waiting: int, takes: int) -> None:
        self.flow, self.transport = self, self
        self.waiting, self.takes = waiting, takes
        self.write_paused, self.is_cut = True, False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    async def drain(self) -> None:
        self.waiting = max(0, self.waiting - self.takes)
        if self.waiting:
            await asyncio.Event().wait()
        self.write_paused = False

    def abort(self) -> None:
        self.is_cut = True


@pytest.mark.parametrize("takes", [0, LEAST_READ_BYTES - 1])
async def test_a_reader_that_reads_nothing_to_speak_of_is_not_waited_for_for_ever(takes: int) -> None:
    reader = Reader(1_000_000, takes)
    await DirectBody(reader, patience=0.05).drained()  # type: ignore[arg-type] # see there
    assert reader.is_cut


@pytest.mark.parametrize("waiting", [LEAST_READ_BYTES // 2, 5 * LEAST_READ_BYTES])
async def test_a_reader_that_goes_on_reading_is_waited_for(waiting: int) -> None:
    reader = Reader(waiting, LEAST_READ_BYTES)
    await DirectBody(reader, patience=0.05).drained()  # type: ignore[arg-type] # see there
    assert (reader.is_cut, reader.waiting) == (False, 0)


async def test_a_slow_reader_gets_all(play: Play) -> None:
    pieces = [event("x" * 50_000) for _ in range(100)]
    play.script(*pieces)
    got = 0
    async with play.asked() as (reader, _):
        while True:
            read = await reader.read(100_000)
            got += read.count(b'data: {"choices"')
            if read.endswith(b"0\r\n\r\n"):
                break
            await asyncio.sleep(0)
    assert got >= 98  # a mark may lie across two reads


@pytest.mark.parametrize("full", [False, True])
async def test_who_leaves_ends_the_upstream_call_and_pays_for_what_came(play: Play, *, full: bool) -> None:
    many = [event("x" * 50_000) for _ in range(400)] if full else []
    play.script(event("a"), *many, asyncio.Event())
    async with play.asked() as (reader, writer):
        await reader.readuntil(event("a"))
        await asyncio.sleep(0.05 if full else 0)
        writer.transport.abort()
        await play.answer.closed.wait()
        assert play.answer.is_closed
        await play.bed.meter.settled.wait()
    (outcome,) = play.bed.meter.outcomes
    assert outcome.usage is not None
    assert outcome.usage.estimated
    assert outcome.usage.output >= 1


async def test_who_leaves_with_the_last_event_is_counted(play: Play) -> None:
    play.script(
        event("a"), b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n', b"data: [DONE]\n\n"
    )
    async with play.asked() as (reader, writer):
        await reader.readuntil(b"[DONE]")
        writer.transport.abort()
        await play.bed.meter.settled.wait()
    (outcome,) = play.bed.meter.outcomes
    assert outcome.usage is not None
    assert (outcome.usage.input, outcome.usage.output) == (3, 4)


async def test_a_fault_in_the_middle_is_told_as_an_event(play: Play) -> None:
    play.script(event("a"), ProviderCutError("It was cut."))
    async with play.asked() as (reader, _):
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
    assert event("a") in body
    assert b"It was cut." in body


async def test_a_stream_that_stops_without_its_end_is_told_to_have_broken_off(play: Play) -> None:
    half = event("ccc")[:-5]
    play.script(event("a"), 0.001, event("b"), half)
    async with play.asked() as (reader, _):
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
    assert event("a") in body
    assert event("b") in body
    assert b"ccc" not in body, "the error would be joined to the half of an event"
    assert b'"code":"upstream_cut"' in body
    assert [outcome.error for outcome in play.bed.meter.outcomes] == ["upstream_cut"]


async def test_the_log_knows_how_much_was_sent(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "daehwa.access")
    play.script(event("a"), 0.001, event("b"), DONE)
    async with play.asked() as (reader, _):
        await reader.readuntil(b"\r\n0\r\n\r\n")
    line = next(text for text in caplog.messages if "/v1/chat" in text)
    assert re.search(r" (\d+) bytes", line)[1] == str(2 * len(event("a")) + len(DONE))  # type: ignore[index]  # it is there, or the test fails


# ---------------------------------------------------------------- under another server


class Other:
    """A server that knows ASGI alone."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, object]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_under_another_server_leaving_is_seen_too() -> None:
    other = Other()
    begun = asyncio.Event()

    async def app() -> None:
        with EndedWhenLeft({"type": "http"}, other.receive):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(app())
    await begun.wait()
    other.left.set()
    with pytest.raises(ClientLeftError):
        await task


async def test_a_cancellation_that_is_not_the_client_s_goes_on_its_way() -> None:
    other = Other()
    begun = asyncio.Event()

    async def app() -> None:
        with EndedWhenLeft({"type": "http"}, other.receive):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(app())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("has_begun", [True, False])
async def test_what_comes_once_the_client_has_left_goes_nowhere(*, has_begun: bool) -> None:
    """Between the client's leaving and the end of the call, its upstream may say more: a sink never raises."""
    written: list[bool] = []
    done = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None
        body = line.body()
        assert body is not None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if has_begun:
            written.append(body.write(b"early"))
        left = asyncio.Event()
        line.holder.listen(left.set)
        await left.wait()
        await asyncio.sleep(0.05)  # by now its socket is closed too
        written.append(body.write(b"late"))
        body.close()
        done.set()

    async with listening(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await done.wait()
    assert all(written)
