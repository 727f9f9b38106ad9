"""A store in trouble: no room, no right to write, a lock, a torn log, other versions' files, a clock that went back."""

import asyncio
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp
from faults.findings import Findings, Note, Size
from faults.place import Place, get
from faults.reading import said_by
from program import Program
from server.serving import Json, asked, frames_of, text_of
from stores.asking import ask, make_turn
from upstream import Answer, FakeUpstream, Request, stream

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DATABASE
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_schema import MIGRATIONS

SAID = "All is well here."
SCHEMAS = Path(__file__).resolve().parents[1] / "stores" / "schema"
DAY_MS = 24 * 60 * 60 * 1000


class Bed(NamedTuple):
    """What every trial has: where it may write, an upstream, and where it tells."""

    folder: Path
    upstream: FakeUpstream
    found: Findings
    size: Size

    def expect(self, what: str, fault: str | None) -> None:
        """Note whether it went as it should."""
        self.found.add(what, "as it should" if fault is None else "not as it should", holds=fault is None)
        if fault is not None:
            self.found.blame(f"{what}: {fault}")


Trial = Callable[[Bed], Awaitable[None]]


async def turn(client: aiohttp.ClientSession, body: Json) -> tuple[int, str]:
    """Ask; return the status and the text, or the error's type."""
    async with client.post("/api/turns", json=body) as answer:
        if answer.status == 200:
            return 200, text_of(frames_of(await answer.text()))
        return answer.status, (await answer.json())["error"]["type"]


async def kept(client: aiohttp.ClientSession, body: Json) -> tuple[str, str]:
    """Return a reply's status and text as they are stored."""
    reply = (await get(client, f"/api/conversations/{body['conversation']}"))["messages"][-1]
    return reply["status"], said_by(reply)


@asynccontextmanager
async def served(bed: Bed, name: str) -> AsyncIterator[tuple[Place, Program, aiohttp.ClientSession]]:
    """Run a server in a folder of its own."""
    place = Place(bed.folder / name, bed.upstream.base_url)
    async with place.served() as (program, client):
        yield place, program, client


async def _in_trouble(
    client: aiohttp.ClientSession, trouble: Callable[[], None], relief: Callable[[], None]
) -> str | None:
    """Ask before, in and after trouble; return what is wrong. A reply that ends within it is stored after it."""
    before, growing, refused, after = asked("before"), asked("slow"), asked("refused"), asked("after")
    await turn(client, before)
    task = asyncio.create_task(turn(client, growing))
    while (await _status(client, growing)) != "streaming":  # noqa: ASYNC110 - a server is asked
        await asyncio.sleep(0.05)
    trouble()
    try:
        status, kind = await turn(client, refused)
        if (status, kind) != (503, "store_unavailable"):
            return f"a question is told {status} and {kind!r}"
        if await kept(client, before) != ("complete", SAID):
            return "what was stored cannot be read"
        await asyncio.sleep(1.5)
    finally:
        relief()
    if await task != (200, " ".join(SAID for _ in range(6))):
        return f"the reply that ended in trouble is told as {task.result()}"
    if (await kept(client, growing))[0] != "complete":
        return f"the reply that ended in trouble is stored as {await kept(client, growing)}"
    again = (await turn(client, after), await turn(client, refused))
    return None if again == ((200, SAID), (200, SAID)) else f"after it, new and refused questions are told {again}"


async def _status(client: aiohttp.ClientSession, body: Json) -> str:
    async with client.get(f"/api/conversations/{body['conversation']}") as answer:
        return (await answer.json())["messages"][-1]["status"] if answer.status == 200 else ""


async def _sound(bed: Bed, place: Place, when: str) -> None:
    """See that the file is sound and every call counted, once the trouble is over."""
    for _ in range(300):
        if not place.unsettled():
            break
        await asyncio.sleep(0.1)
    is_sound = (place.integrity(), place.unsettled(), place.counters_off()) == ("ok", 0, 0)
    said = f"{place.integrity()}, {place.unsettled()} unsettled, {place.counters_off()} counters off"
    bed.expect(f"the file and the money when {when}", None if is_sound else said)


# ------------------------------------------------------------ no room, no right, a lock


async def no_room_for_files(bed: Bed) -> None:
    """No file of the server's may grow any more: what it writes fails as on a disk that is full or broken."""
    async with served(bed, "no-room") as (place, program, client):
        limit = resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE)

        def trouble() -> None:
            resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (4096, limit[1]))

        def relief() -> None:
            resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, limit)

        bed.expect("files that may not grow, then may", await _in_trouble(client, trouble, relief))
        await _sound(bed, place, "files may grow again")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Lay a small disk under a folder, where this machine lets us; yield whether."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    made = (
        mount is not None
        and sys.platform == "linux"
        and _done("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder)
    )
    try:
        yield made
    finally:
        if made:
            _done("umount", "-l", folder)


def _done(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


async def full_disk(bed: Bed) -> None:
    """A disk that is really full, and has room again."""
    with small_disk(bed.folder / "full", 8) as made:
        if not made:
            bed.found.add("a full disk", "not tried: no disk can be made here")
            return
        async with served(bed, "full") as (place, _, client):
            filler = place.folder / "filler"

            def trouble() -> None:
                with suppress(OSError), filler.open("wb", buffering=0) as file:
                    while file.write(bytes(4096)):
                        pass

            bed.expect("a full disk, then room", await _in_trouble(client, trouble, filler.unlink))
            await _sound(bed, place, "there is room again")


async def read_only(bed: Bed) -> None:
    """A disk that may only be read: an open server refuses questions and shows what is there; a new one says why."""
    folder = bed.folder / "read-only"
    with small_disk(folder, 32) as made:
        if not made:
            bed.found.add("a folder that may only be read", "not tried: no disk can be made here")
            return
        async with served(bed, "read-only") as (_, _, client):
            await turn(client, asked("before"))
        _done("mount", "-o", "remount,ro", folder)
        said = await _refusal(folder)
        bed.expect("a folder that may only be read", None if "data folder" in said else said)
        _done("mount", "-o", "remount,rw", folder)


async def _refusal(folder: Path) -> str:
    """Start a server that cannot start; return what it says, or that it did not say it well."""
    command = [str(Path(sys.executable).with_name("daehwa")), "serve", "--no-open", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--data-dir", str(folder / "data")),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "DAEHWA_CONFIG": str(folder / "daehwa.toml")},
    )
    try:
        said = (await asyncio.wait_for(process.communicate(), 30))[0].decode()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "it starts all the same"
    return "a traceback" if "Traceback" in said or not process.returncode else said


async def locked(bed: Bed) -> None:
    """Another program holds the file: for a moment nobody notices, for long it is told, and then all goes on."""
    async with served(bed, "locked") as (place, _, client):
        await turn(client, asked("before"))
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.create_task(turn(client, asked("a moment")))
            await asyncio.sleep(1)
            other.execute("ROLLBACK")
            bed.expect("locked for a second", None if await task == (200, SAID) else str(task.result()))
            other.execute("BEGIN IMMEDIATE")
            told = await turn(client, asked("long"))
            other.execute("ROLLBACK")
        bed.expect("locked for long", None if told == (503, "store_unavailable") else str(told))
        again = await turn(client, asked("after"))
        bed.expect("free again", None if again == (200, SAID) else str(again))


# ------------------------------------------------------------ a torn log


async def torn_log(bed: Bed) -> None:
    """The log is cut short, or has a wrong byte, at many places: what opens is whole, and begins as what was stored."""
    whole = bed.folder / "torn" / "whole"
    whole.mkdir(parents=True)
    store = await SqliteStore.open(whole / DATABASE)
    stored = [(await ask(store, f"question {n}", f"answer {n}")).reply.id for n in range(bed.size.of(12, 40))]
    for name in (DATABASE, f"{DATABASE}-wal"):
        shutil.copy(whole / name, whole / f"{name}.kept")  # as they are when the machine stops
    await store.aclose()
    length = (whole / f"{DATABASE}-wal.kept").stat().st_size
    chance = random.Random(5)  # noqa: S311 - any place will do
    places = sorted(chance.sample(range(length), bed.size.of(20, 1500)))
    wrong = 0
    for number, place in enumerate(places):
        torn = _torn(whole, bed.folder / "torn" / "here", place, is_cut=number % 2 == 0)
        fault = await _opened_torn(torn, stored)
        if fault is not None:
            wrong += 1
            bed.found.blame(f"the log torn at {place} of {length}: {fault}")
    bed.found.add("places at which the log was torn", len(places))
    bed.found.count("of these opened wrongly", wrong)


def _torn(whole: Path, here: Path, place: int, *, is_cut: bool) -> Path:
    """Return a file as it was, whose log ends at this place, or has a wrong byte there."""
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    shutil.copy(whole / f"{DATABASE}.kept", here / DATABASE)
    log = bytearray((whole / f"{DATABASE}-wal.kept").read_bytes())
    if is_cut:
        del log[place:]
    else:
        log[place] ^= 0xFF
    (here / f"{DATABASE}-wal").write_bytes(log)
    return here / DATABASE


async def _opened_torn(path: Path, stored: list[str]) -> str | None:
    store = await SqliteStore.open(path)
    try:
        page = await store.list_conversations("me", limit=1000)
        held = []
        for conversation in page.conversations:
            _, messages = await store.get_conversation("me", conversation.id)
            held.append((messages[-1].id, [message.text for message in messages], messages[-1].status))
        await ask(store, "and on")
    except StoreError as error:
        return error.message
    finally:
        await store.aclose()
    ids = [one[0] for one in reversed(held)]
    if ids != stored[: len(ids)]:
        return f"{len(ids)} turns that are not the first ones"
    halves = [one for one in held[1:] if one[2] != "complete" or one[1][1] != one[1][0].replace("question", "answer")]
    return f"halves: {halves[:2]}" if halves else None


# ------------------------------------------------------------ other versions, another time


async def old_schemas(bed: Bed) -> None:
    """A server starts on a file of each older version, also where it was killed while it changed the file."""
    for version in range(1, len(MIGRATIONS) + 1):
        script = SCHEMAS / f"{version:04}.sql"
        place = Place(bed.folder / f"schema-{version}", bed.upstream.base_url)
        place.data.mkdir()
        with closing(sqlite3.connect(place.database)) as connection:
            connection.executescript(script.read_text("utf-8"))
        for after in (0.15, 0.3, 0.4, 0.5) if bed.size.is_long else (0.35,):
            await _killed_at_start(place, after)
        async with place.served() as (_, client):
            before = await get(client, "/api/conversations")
            told = await turn(client, asked("new"))
        is_right = told == (200, SAID) and isinstance(before["conversations"], list)
        fault = None if is_right and place.integrity() == "ok" else f"{told}, {place.integrity()}"
        bed.expect(f"a file of schema {version}", fault)


async def _killed_at_start(place: Place, after: float) -> None:
    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(stack.enter_async_context(place.served()))
        await asyncio.wait([starting], timeout=after)
        starting.cancel()
        await asyncio.wait([starting])


async def newer_schema(bed: Bed) -> None:
    """A file of a newer version is refused in a sentence and stays as it is."""
    place = Place(bed.folder / "newer", bed.upstream.base_url)
    place.data.mkdir()
    await (await SqliteStore.open(place.database)).aclose()
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = place.database.read_bytes()
    said = await _refusal(place.folder)
    is_right = "newer daehwa" in said and place.database.read_bytes() == before
    bed.expect("a file of a newer schema is refused and left alone", None if is_right else said)


async def clock_back(bed: Bed) -> None:
    """The clock went back by a day since the last start: all goes on, and what is new stands below what is old."""
    place = Place(bed.folder / "clock", bed.upstream.base_url)
    place.data.mkdir()
    store = await SqliteStore.open(place.database)
    ahead = now_ms() + DAY_MS
    first = await ask(store, "tomorrow", owner=OWNER, at=ahead)
    cut = await store.begin_turn(make_turn("cut off", owner=OWNER, at=ahead, runner="server"))
    await store.aclose()
    async with place.served() as (_, client):
        more = asked("today", conversation=first.conversation.id, parent=first.reply.id)
        told = await turn(client, more)
        opened = await get(client, f"/api/conversations/{first.conversation.id}")
        interrupted = await get(client, f"/api/conversations/{cut.conversation.id}")
        listed = await get(client, "/api/conversations")
    order = [message["id"] for message in opened["messages"]]
    is_right = (
        told == (200, SAID)
        and order[-2:] == [more["message"]["id"], more["reply"]]
        and opened["conversation"]["updated"] >= ahead
        and interrupted["messages"][-1]["status"] == "interrupted"
        and len(listed["conversations"]) == 2
    )
    bed.expect("a clock that went back by a day", None if is_right else f"{told}, {order}, {interrupted}, {listed}")


TRIALS: tuple[Trial, ...] = (
    *(no_room_for_files, full_disk, read_only, locked, torn_log, old_schemas, newer_schema, clock_back),
)


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Try everything, side by side: most of it waits."""
    found = Findings("store")

    def answer(request: Request) -> Answer:
        body = request.json["messages"][-1]["content"]
        said = " ".join(SAID for _ in range(6)) if body == "slow" else SAID
        return Answer(stream(said, pace=0.08 if body == "slow" else 0))

    async with FakeUpstream(answer) as upstream:
        bed = Bed(folder, upstream, found, size)

        async def one(trial: Trial) -> None:
            began = time.monotonic()
            await trial(bed)
            note(f"{trial.__name__}: {time.monotonic() - began:.1f} s")

        await asyncio.gather(*map(one, TRIALS))
    return found
