"""How many writes a second can a store acknowledge as durable (fsync), and what does that cost?

Our store against aiosqlite, the usual choice for asyncio, in the same run, on the same disk, `synchronous=FULL` both,
256 writers at once. Then the cost of checkpoints per streamed token.
`uv run --with aiosqlite python benchmarks/store_acks.py [seconds]`.
"""

import asyncio
import itertools
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import msgspec

from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Message, TextPart
from daehwa.conversation.ports import Checkpoint, NewTurn
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_writer import SqliteWriter

WRITERS = 256
WORD = "token "
CHECKPOINT_S = 0.4
TOKENS_A_SECOND = 100
ROW = "INSERT INTO plain (id, conversation, created, parts) VALUES (?, ?, ?, ?)"
TABLE = "CREATE TABLE IF NOT EXISTS plain (id TEXT PRIMARY KEY, conversation TEXT, created INTEGER, parts TEXT)"
Write = Callable[[], Awaitable[object]]


def plain_row() -> tuple[str, str, int, str]:
    """Return a row of about 600 bytes with an index, as a message is."""
    return new_id(), new_id(), now_ms(), "x" * 500


def new_turn() -> NewTurn:
    """Return a first question of a new conversation with its reply to come."""
    conversation, at = new_id(), now_ms()
    words = "한국어로 질문합니다. How does a write-ahead log work, and why is it quick? " + new_id()
    question = Message(
        id=new_id(), conversation=conversation, parent=None, role="user", parts=(TextPart(words),), created=at
    )
    reply = Message(
        id=new_id(),
        conversation=conversation,
        parent=question.id,
        role="assistant",
        parts=(),
        status="streaming",
        model="test/parrot",
        created=at,
        heartbeat=at,
    )
    return NewTurn(
        owner="local", conversation=conversation, question=question, reply=reply, title=words[:60], runner="benchmark"
    )


async def hammer(write: Write, writers: int, seconds: float) -> tuple[float, float, float, float]:
    """Return acknowledgements a second, CPU microseconds each, and their p50 and p99 latency in ms."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def one_writer() -> None:
        while (began := time.perf_counter()) < end:
            await write()
            took.append((time.perf_counter() - began) * 1000)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_writer() for _ in range(writers)))
    elapsed, spent = time.perf_counter() - began, time.process_time() - cpu
    return len(took) / elapsed, spent / len(took) * 1e6, median(took), quantiles(took, n=100)[98]


async def report(name: str, write: Write, seconds: float, writers: int = WRITERS) -> float:
    """Measure, print one line, and return acknowledgements a second."""
    rate, cpu, p50, p99 = await hammer(write, writers, seconds)
    print(f"{name:44} {writers:5} {rate:9.0f} {cpu:9.0f} {p50:8.2f} {p99:8.2f}")
    return rate


async def measure_ours(folder: Path, seconds: float) -> tuple[float, float]:
    """Return the rates of plain rows and of whole turns."""
    store = await SqliteStore.open(folder / "ours.db")
    writer: SqliteWriter = store._writer  # noqa: SLF001 - the same plain row that aiosqlite writes

    def insert(database: sqlite3.Connection) -> None:
        database.execute(ROW, plain_row())

    await writer.run(lambda database: database.execute(TABLE).fetchall())
    plain = await report("daehwa: a plain row", lambda: writer.run(insert), seconds)
    await report("daehwa: a plain row", lambda: writer.run(insert), seconds, 1)
    turns = await report("daehwa: begin_turn (2 rows, index, checks)", lambda: store.begin_turn(new_turn()), seconds)
    await report("daehwa: begin_turn", lambda: store.begin_turn(new_turn()), seconds, 1)
    await store.aclose()
    return plain, turns


async def measure_aiosqlite(folder: Path, seconds: float) -> tuple[float, float]:
    """Return the rates of one shared connection and of one connection a writer, whichever suits it."""
    import aiosqlite  # noqa: PLC0415 - the one benchmark that needs it

    async def connect() -> aiosqlite.Connection:
        connection = await aiosqlite.connect(folder / "aiosqlite.db", timeout=60)
        for sql in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", TABLE):
            await connection.execute(sql)
        await connection.commit()
        return connection

    async def write(connection: aiosqlite.Connection, lock: asyncio.Lock) -> None:
        async with lock:
            await connection.execute(ROW, plain_row())
            await connection.commit()

    shared = await connect()
    lock = asyncio.Lock()
    one = await report("aiosqlite: a plain row, one connection", partial(write, shared, lock), seconds)
    await report("aiosqlite: a plain row, one connection", partial(write, shared, lock), seconds, 1)
    await shared.close()
    pool = [await connect() for _ in range(8)]
    locks = [asyncio.Lock() for _ in pool]
    turn = itertools.cycle(range(len(pool)))

    def pooled() -> Awaitable[None]:
        which = next(turn)
        return write(pool[which], locks[which])

    many = await report("aiosqlite: a plain row, eight connections", pooled, seconds)
    for connection in pool:
        await connection.close()
    return one, many


async def measure_checkpoints(folder: Path, streams: int, tokens_before: int, seconds: float) -> None:
    """Print the CPU of storing growing replies, per token that they grow by."""
    store = await SqliteStore.open(folder / f"growing-{streams}-{tokens_before}.db")
    replies = [(await store.begin_turn(new_turn())).reply for _ in range(streams)]
    grown = tokens_before
    cpu, rounds = time.process_time(), 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        grown += int(TOKENS_A_SECOND * CHECKPOINT_S)
        parts = (TextPart(WORD * grown),)
        at = now_ms()
        await store.save_checkpoints(
            [
                Checkpoint(
                    reply=reply.id,
                    conversation=reply.conversation,
                    parts=parts,
                    position=1 + len(WORD) * grown,
                    heartbeat=at,
                )
                for reply in replies
            ]
        )
        rounds += 1
        await asyncio.sleep(CHECKPOINT_S - (time.perf_counter() - began))
    spent = time.process_time() - cpu
    tokens = rounds * streams * TOKENS_A_SECOND * CHECKPOINT_S
    print(f"{streams:7} {tokens_before * len(WORD):>9} {spent / tokens * 1e6:10.2f}")
    cpu, began = time.process_time(), time.perf_counter()
    final = (TextPart(WORD * grown),)
    for reply in replies:
        await store.finish_reply(msgspec.structs.replace(reply, parts=final, status="complete"))
    spent = (time.process_time() - cpu) / streams * 1e6
    print(f"{'':18} its end, indexed: {spent:.0f} us CPU, {(time.perf_counter() - began) / streams * 1e3:.2f} ms")
    await store.aclose()


async def main(seconds: float) -> None:
    """Print everything."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        print(f"{'':44} {'at once':>5} {'acks/s':>7} {'us CPU':>9} {'p50 ms':>8} {'p99 ms':>8}")
        ours, turns = await measure_ours(folder, seconds)
        one, many = await measure_aiosqlite(folder, seconds)
        best = max(one, many)
        print(f"\nplain rows: {ours / best:.1f} x aiosqlite at its best; whole turns: {turns / best:.1f} x its rows")
        print(f"\n{'streams':>7} {'bytes':>9} {'us CPU per token (target 3)':>10}")
        for streams, tokens in ((1, 200), (10, 200), (50, 200), (10, 1400), (50, 1400), (10, 11_000)):
            await measure_checkpoints(folder, streams, tokens, seconds)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0))
