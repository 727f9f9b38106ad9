"""A part of `run.py`: how many writes a second can a store acknowledge as durable (fsync), and what does that cost?

Our store against aiosqlite, the usual choice for asyncio, and against sqlite3 itself with as many rows a transaction as
there are writers, which is the limit; on the same disk, `synchronous=FULL` all, 256 writers at once, a row of about 600
bytes with an index. Then whole turns (two rows, search index, checks), and the cost of checkpoints per streamed token.
"""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import aiosqlite
import programs
from contestants import DAEHWA, Contestant
from results import Bench, Measure
from texts import turn_to_come

from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import TextPart
from daehwa.conversation.ports import Checkpoint, NewTurn
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_writer import SqliteWriter

SECTION = "Durable writes, 256 at once"
RATE = Measure("acks", SECTION, "acknowledgements a second", 0, more=True)
CPU = Measure("ack_cpu", SECTION, "CPU each, µs")
LATENCY = Measure("ack_p99", SECTION, "p99, ms")
TURNS = Measure("turn_acks", SECTION, "whole turns begun a second", 0, more=True)
CHECKPOINTS = Measure("checkpoint_cpu", SECTION, "checkpoints, 10 streams of 1 KB: CPU a token, µs", 2)
RAW, AIOSQLITE, AIOSQLITE_POOL = (
    "sqlite3, 256 a transaction",
    "aiosqlite, one connection",
    "aiosqlite, eight connections",
)

WRITERS = 256
WORD = "token "
CHECKPOINT_S = 0.4
CHECKPOINTS_S = 2.0
TOKENS_A_SECOND = 100
ROW = "INSERT INTO plain (id, conversation, created, parts) VALUES (?, ?, ?, ?)"
TABLE = "CREATE TABLE IF NOT EXISTS plain (id TEXT PRIMARY KEY, conversation TEXT, created INTEGER, parts TEXT)"
Write = Callable[[], Awaitable[object]]


def plain_row() -> tuple[str, str, int, str]:
    """Return a row of about 600 bytes with an index, as a message is."""
    return new_id(), new_id(), now_ms(), "x" * 500


def new_turn(conversation: str | None = None, parent: str | None = None) -> NewTurn:
    """Return the next question of a conversation, or the first of a new one, with its reply to come."""
    words = "한국어로 질문합니다. How does a write-ahead log work, and why is it quick? " + new_id()
    return turn_to_come(conversation or new_id(), parent, words, now_ms())


class Hammered(NamedTuple):
    """Acknowledgements a second, CPU microseconds each, their p99 latency in milliseconds."""

    rate: float
    cpu_us: float
    p99_ms: float


async def hammer(write: Write, writers: int, seconds: float) -> Hammered:
    """Let so many writers write one after the other's acknowledgement."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def one_writer() -> None:
        while (began := time.perf_counter()) < end:
            await write()
            took.append((time.perf_counter() - began) * 1000)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_writer() for _ in range(writers)))
    elapsed, spent = time.perf_counter() - began, time.process_time() - cpu
    return Hammered(len(took) / elapsed, spent / len(took) * 1e6, quantiles(took, n=100)[98])


def report(bench: Bench, name: str, done: Hammered) -> None:
    """Add a round's figures."""
    bench.results.add(RATE, name, done.rate)
    bench.results.add(CPU, name, done.cpu_us)
    bench.results.add(LATENCY, name, done.p99_ms)


async def measure_ours(bench: Bench, folder: Path, seconds: float) -> None:
    """Write plain rows through our store's writer, and begin whole turns."""
    store = await SqliteStore.open(folder / "ours.db")
    writer: SqliteWriter = store._writer  # noqa: SLF001 - the same plain row that aiosqlite writes

    def insert(database: sqlite3.Connection) -> None:
        database.execute(ROW, plain_row())

    await writer.run(lambda database: database.execute(TABLE).fetchall())
    report(bench, DAEHWA, await hammer(lambda: writer.run(insert), WRITERS, seconds))
    turns = await hammer(lambda: store.begin_turn(new_turn()), WRITERS, seconds)
    bench.results.add(TURNS, DAEHWA, turns.rate)
    await store.aclose()


async def measure_aiosqlite(bench: Bench, folder: Path, seconds: float) -> None:
    """Write the same through one shared connection, and through eight, whichever suits it."""

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

    pool = [await connect() for _ in range(8)]
    locks = [asyncio.Lock() for _ in pool]
    turn = itertools.cycle(range(len(pool)))

    def pooled() -> Awaitable[None]:
        which = next(turn)
        return write(pool[which], locks[which])

    report(bench, AIOSQLITE, await hammer(partial(write, pool[0], locks[0]), WRITERS, seconds))
    report(bench, AIOSQLITE_POOL, await hammer(pooled, WRITERS, seconds))
    for connection in pool:
        await connection.close()


def measure_raw(bench: Bench, folder: Path, seconds: float) -> None:
    """Write the same with nothing around sqlite3, as many rows a transaction as there are writers."""
    database = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for sql in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", TABLE):
        database.execute(sql)
    took: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) < began + seconds:
        database.execute("BEGIN IMMEDIATE")
        for _ in range(WRITERS):
            database.execute(ROW, plain_row())
        database.execute("COMMIT")
        took.append((time.perf_counter() - now) * 1000)
    elapsed, spent, rows = time.perf_counter() - began, time.process_time() - cpu, len(took) * WRITERS
    database.close()
    report(bench, RAW, Hammered(rows / elapsed, spent / rows * 1e6, quantiles(took, n=100)[98]))


async def measure_checkpoints(folder: Path, streams: int, tokens_before: int, seconds: float) -> float:
    """Return the CPU of storing growing replies, microseconds per token that they grow by."""
    store = await SqliteStore.open(folder / f"growing-{streams}-{tokens_before}.db")
    replies = [(await store.begin_turn(new_turn())).reply for _ in range(streams)]
    grown = tokens_before
    cpu, rounds = time.process_time(), 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        grown += int(TOKENS_A_SECOND * CHECKPOINT_S)
        parts, position = (TextPart(WORD * grown),), 1 + len(WORD) * grown
        checkpoints = [
            Checkpoint(
                reply=reply.id, conversation=reply.conversation, parts=parts, position=position, heartbeat=now_ms()
            )
            for reply in replies
        ]
        await store.save_checkpoints(checkpoints)
        rounds += 1
        await asyncio.sleep(CHECKPOINT_S - (time.perf_counter() - began))
    spent = time.process_time() - cpu
    await store.aclose()
    return spent / (rounds * streams * TOKENS_A_SECOND * CHECKPOINT_S) * 1e6


def acknowledgements(bench: Bench, _contestants: Mapping[str, Contestant]) -> None:
    """Measure all of them in turn, on the disk of this folder."""
    seconds = 0.5 if bench.is_quick else 0.7
    for _ in bench.in_rounds("durable acknowledgements"):
        with tempfile.TemporaryDirectory(dir=programs.ROOT / "benchmarks") as name:
            folder = Path(name)
            measure_raw(bench, folder, seconds)
            asyncio.run(measure_ours(bench, folder, seconds))
            asyncio.run(measure_aiosqlite(bench, folder, seconds))
            checkpoints = asyncio.run(measure_checkpoints(folder, 10, 200, CHECKPOINTS_S))
            bench.results.add(CHECKPOINTS, DAEHWA, checkpoints)
