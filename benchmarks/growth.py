"""Parts of `run.py`: how cost grows with streams, with conversations, and with messages in one conversation.

`streams`: CPU a chunk with ever more paced streams. `conversations` and `messages` fill a store on disk through its own
functions, half of the words Korean, and time what the page asks of it: the list, a conversation, a search letter by
letter, the next question. The store with 100,000 conversations is `filled.py`'s.
"""

import asyncio
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import filled
import msgspec
import programs
from calls import PACE_MS, ask
from contestants import DAEHWA, DAEHWA_UVLOOP, NGINX, Contest, Contestant
from load import Work
from results import Bench, Measure
from store_acks import new_turn
from texts import OWNER, TYPED, Writer, store_turns

from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import TextPart
from daehwa.conversation.stretch import StretchWish
from daehwa.stores.sqlite import SqliteStore

SECTION = "Growth"
CPU = Measure("streams_cpu", SECTION, "CPU a chunk, 50/s each, µs")
LIST = Measure("list", SECTION, "list of conversations, ms", 2)
OPEN = Measure("open", SECTION, "opening one of 2 messages, ms", 2)
SEARCH = Measure("search", SECTION, "search as typed, p50, ms", 1)
SEARCH_P95 = Measure("search_p95", SECTION, "search as typed, p95, ms", 1)
OPEN_LONG = Measure("open_long", SECTION, "opening a long conversation, all of it, ms", 2)
OPEN_END = Measure("open_end", SECTION, "opening it as the page does, its last 100 messages, ms", 2)
TOTAL = Measure("total", SECTION, "what all replies in it took, asked after it, ms", 2)
ASKED = {
    32_768: Measure("ask_long", SECTION, "next question and answer, window of 32,768 tokens, ms", 2),
    400_000: Measure("ask_wide", SECTION, "next question and answer, window of 400,000 tokens, ms", 2),
}
"""By the context window of the model, in tokens: a small one, and one of those that people use."""

STREAMS = (10, 100, 300, 1000)
CONVERSATIONS = (10, 100, 1_000, 10_000)
MESSAGES = (10, 100, 1_000, 10_000)
_AT_ONCE = 1_000
_PAGE = StretchWish(limit=100)
_TOTAL = StretchWish(limit=1, total=True)
_TIMES = 15
_MICRO = 1_000_000


def more_streams(bench: Bench, contest: Contest) -> None:
    """Load nginx and daehwa with ever more paced streams."""
    programs.set_pace(contest.upstream, pace_ms=PACE_MS, tokens=200)
    chosen = [one for one in contest.running if one.name in {NGINX, DAEHWA, DAEHWA_UVLOOP}]
    for _ in bench.in_rounds("more streams", 2):
        for streams in STREAMS:
            for one in chosen:
                before = one.cpu()
                work = Work(streams=streams, tokens=100, seconds=30)
                seen = ask(bench, one, f"{streams} streams", work)
                if seen is not None:
                    cost = (one.cpu() - before) / max(1, seen.tokens) * _MICRO
                    bench.results.add_point(CPU, "streams", one.name, streams, cost)


def conversations(bench: Bench, _contestants: Mapping[str, Contestant]) -> None:
    """Fill a store with conversations of a question and an answer; time list, opening and search at each size.

    The largest is a copy of one that was filled before the parts began.
    """
    with tempfile.TemporaryDirectory(dir=programs.ROOT / "benchmarks") as folder:
        asyncio.run(_grow(bench, Path(folder, "growing.db"), CONVERSATIONS))
        if not bench.is_quick:
            many = Path(folder, "many.db")
            shutil.copy(filled.kept(), many)
            asyncio.run(_in_many(bench, many))


def messages(bench: Bench, _contestants: Mapping[str, Contestant]) -> None:
    """Let one conversation grow; time opening it and the next question."""
    sizes = MESSAGES[:-1] if bench.is_quick else MESSAGES
    with tempfile.TemporaryDirectory(dir=programs.ROOT / "benchmarks") as folder:
        asyncio.run(_messages(bench, Path(folder, "long.db"), sizes))


async def _timed(work: Callable[[], Awaitable[object]], times: int = _TIMES) -> list[float]:
    """Return the milliseconds that each of so many calls took, after one that counts for nothing."""
    await work()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return took


async def _grow(bench: Bench, path: Path, sizes: Sequence[int]) -> None:
    store, writer, known = await SqliteStore.open(path), Writer(), list[str]()
    for size in sizes:
        while len(known) < size:
            known += await filled.add(store, writer, min(_AT_ONCE, size - len(known)))
            if time.monotonic() > bench.deadline:
                bench.results.remark(f"conversations: only {len(known)} of {sizes[-1]} grown in its time")
                await store.aclose()
                return
        await _asked(bench, store, known)
    await store.aclose()


async def _in_many(bench: Bench, path: Path) -> None:
    store = await SqliteStore.open(path)
    await _asked(bench, store, await filled.ids_in(store))
    await store.aclose()


async def _asked(bench: Bench, store: SqliteStore, known: Sequence[str]) -> None:
    """Time list, opening and search in a store that has these conversations."""
    size = len(known)
    print(f"  {size} conversations", flush=True)
    for value in await _timed(lambda: store.list_conversations(OWNER, limit=50)):
        bench.results.add_point(LIST, "conversations", DAEHWA, size, value)
    chosen = random.Random(7)  # noqa: S311 - the same ones in every run
    for value in await _timed(partial(_open_one, store, chosen.choices(known, k=_TIMES + 1))):
        bench.results.add_point(OPEN, "conversations", DAEHWA, size, value)
    took = [
        value
        for query in TYPED
        for length in range(1, len(query) + 1)
        for value in await _timed(partial(store.search_conversations, OWNER, query[:length]), 1)
    ]
    bench.results.add_point(SEARCH, "conversations", DAEHWA, size, median(took))
    bench.results.add_point(SEARCH_P95, "conversations", DAEHWA, size, quantiles(took, n=20)[18])


async def _open_one(store: SqliteStore, left: list[str]) -> None:
    await store.get_conversation(OWNER, left.pop())


async def _messages(bench: Bench, path: Path, sizes: Sequence[int]) -> None:
    store, writer, conversation = await SqliteStore.open(path), Writer(), new_id()
    parent, count = None, 0

    def add(database: sqlite3.Connection, turns: int) -> str:
        return store_turns(database, writer, conversation, parent, turns)

    for size in sizes:
        while count < size:
            turns = min(_AT_ONCE, (size - count) // 2)
            parent = await store.writer.run(partial(add, turns=turns))
            count += 2 * turns
        print(f"  {size} messages", flush=True)
        for value in await _timed(lambda: store.get_conversation(OWNER, conversation)):
            bench.results.add_point(OPEN_LONG, "messages in one conversation", DAEHWA, size, value)
        for value in await _timed(lambda: store.read_stretch(OWNER, conversation, _PAGE)):
            bench.results.add_point(OPEN_END, "messages in one conversation", DAEHWA, size, value)
        for value in await _timed(lambda: store.read_stretch(OWNER, conversation, _TOTAL)):
            bench.results.add_point(TOTAL, "messages in one conversation", DAEHWA, size, value)
        for window, measure in ASKED.items():
            for value in await _timed(partial(_next_question, store, conversation, parent, window)):
                bench.results.add_point(measure, "messages in one conversation", DAEHWA, size, value)
    await store.aclose()


async def _next_question(store: SqliteStore, conversation: str, parent: str | None, window: int) -> None:
    turn = msgspec.structs.replace(new_turn(conversation, parent), context_window=window)
    begun = await store.begin_turn(turn)
    await store.finish_reply(msgspec.structs.replace(begun.reply, parts=(TextPart("An answer."),), status="complete"))
