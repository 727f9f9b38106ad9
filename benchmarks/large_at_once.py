"""What large requests take of the memory when many come in one moment, and how long others wait meanwhile: `daehwa
serve` with accounts, a person for each request, and an upstream that thinks before it answers.
`python large_at_once.py [name of a work …]`; Linux alone.
"""

import asyncio
import json
import multiprocessing
import os
import re
import secrets
import socket
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from daehwa.accounts.key_making import KeyWish, make_key
from daehwa.accounts.people import NewUser
from daehwa.conversation.ids import new_id, now_ms
from daehwa.data_folder import DataFolder
from daehwa.sign_in.sessions import Sessions
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_people import sqlite_people

PEOPLE = 40
THINKS = 1.0
"""Seconds until the upstream says its first word."""
PNG = b"\x89PNG\r\n\x1a\n"
IMAGES, IMAGE_BYTES = 8, 499_000
JSON = {"content-type": "application/json"}
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"Yes."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


class Person(NamedTuple):
    """Somebody with a session and a key, as headers."""

    browser: dict[str, str]
    program: dict[str, str]


# ---------------------------------------------------------------- the upstream


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        left = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while left and (piece := await reader.read(min(left, 1 << 20))):
            left -= len(piece)
        await asyncio.sleep(THINKS)
        writer.write(_ANSWER)
        await writer.drain()
    writer.close()


def _serve_upstream(listener: socket.socket) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_answer, sock=listener)
        await server.serve_forever()

    asyncio.run(serve())


# ---------------------------------------------------------------- the home


async def _people(data: Path) -> list[Person]:
    store = await SqliteStore.open(DataFolder(data).database)
    people, keys, found = sqlite_people(store, first_admin="owner"), SqliteKeys(store), []
    for number in range(PEOPLE):
        user = await people.accounts.add_user(NewUser(login=f"p{number}", name=f"p{number}"), now=now_ms())
        session = await Sessions(people.accounts).begin(user)
        _, key = await make_key(keys, user.id, KeyWish(name="key"), now=now_ms())
        browser = {"cookie": f"daehwa={session}", "sec-fetch-site": "same-origin", **JSON}
        found.append(Person(browser, {"authorization": f"Bearer {key}", **JSON}))
    await store.aclose()
    return found


async def _program(folder: Path, upstream: str) -> tuple[asyncio.subprocess.Process, str]:
    (folder / "daehwa.toml").write_text(
        f'accounts = true\ntitles = false\n[[providers]]\nname = "far"\nbase_url = "{upstream}"\nmodels = ["large"]\n'
    )
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daehwa", "serve", "--no-open", "--port", "0", "--data-dir", "data"),
        cwd=folder,
        env={**os.environ, "FAR_API_KEY": "sk-none"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert program.stdout is not None
    async for line in program.stdout:
        if found := re.search(rb"Open http://[a-z0-9.]+:(\d+)", line):
            return program, f"http://127.0.0.1:{int(found[1])}"
    raise RuntimeError("the program did not start")


class Home:
    """The program while it runs: what it holds, and how long it lets others wait."""

    def __init__(self, process: int, client: aiohttp.ClientSession, people: list[Person], address: str) -> None:
        self.process = process
        self.client = client
        self.people = people
        self.address = address
        self.statuses: dict[int, int] = {}

    async def posted(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        """Send a body and return the answer."""
        async with self.client.post(path, data=body, headers=headers) as answer:
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            return await answer.text()

    def resident(self, name: str = "status", line: str = "VmHWM:") -> float:
        """Return how much memory the process has had at most, or what another line says, in MB."""
        said = Path(f"/proc/{self.process}/{name}").read_text("ascii").splitlines()
        return next(int(each.split()[1]) / 1000 for each in said if each.startswith(line))

    def forget(self) -> None:
        """Let what it holds now be the most that it has had."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5", "ascii")

    async def measured(self, work: Callable[["Home"], Awaitable[str | None]]) -> str:
        """Do a work; return what it took as a row of a table."""
        self.forget()
        self.statuses.clear()
        waits: list[float] = []
        watching = asyncio.create_task(self._watched(waits))
        began = time.monotonic()
        told = await work(self)
        took = time.monotonic() - began
        watching.cancel()
        await asyncio.sleep(1)
        after = self.resident("smaps_rollup", "Pss:")
        answers = ", ".join(f"{number} x {status}" for status, number in sorted(self.statuses.items()))
        row = f"{self.resident():.0f} | {after:.0f} | {max(waits):.2f} s | {took:.1f} s | {answers}"
        return row + (f"; {told}" if told else "")

    async def _watched(self, waits: list[float]) -> None:
        async with aiohttp.ClientSession(self.address) as client:
            while True:
                began = time.monotonic()
                async with client.get("/api/me", headers=self.people[0].browser) as answer:
                    await answer.read()
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.02)


# ---------------------------------------------------------------- the works


def question(conversation: str, parent: str | None, images: int = IMAGES) -> dict[str, Any]:
    """Return a turn's body with images that nobody has seen before."""
    parts: list[dict[str, object]] = [{"type": "text", "text": "What is this?"}]
    for _ in range(images):
        data = b64encode(PNG + secrets.token_bytes(IMAGE_BYTES - len(PNG))).decode()
        parts.append({"type": "image", "image": new_id(), "width": 640, "height": 480, "data": data})
    shown = {"id": new_id(), "parent": parent, "parts": parts}
    return {"conversation": conversation, "reply": new_id(), "message": shown}


async def _three_turns(home: Home, person: Person) -> tuple[str, str]:
    conversation, parent, last = new_id(), None, ""
    for _ in range(3):
        body = question(conversation, parent)
        await home.posted("/api/turns", json.dumps(body).encode(), person.browser)
        parent, last = body["reply"], body["message"]["id"]
    return conversation, last


async def turns(home: Home, number: int) -> None:
    """Three turns in a row of so many people, with 4 MB of images each."""
    await asyncio.gather(*(_three_turns(home, person) for person in home.people[:number]))


async def turns_of_one(home: Home) -> None:
    """Three such turns in each of forty tabs of one person."""
    await asyncio.gather(*(_three_turns(home, home.people[0]) for _ in range(PEOPLE)))


async def calls(home: Home, *, of_one: bool, stream: bool = True) -> None:
    """Forty calls of /v1 with 5 MB each."""
    image = b64encode(PNG + secrets.token_bytes(3_750_000)).decode()
    shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    body = json.dumps({"model": "large", "stream": stream, "messages": [{"role": "user", "content": [shown]}]}).encode()
    people = [home.people[0]] * PEOPLE if of_one else home.people
    await asyncio.gather(*(home.posted("/v1/chat/completions", body, person.program) for person in people))


async def imports(home: Home, *, of_one: bool) -> None:
    """Twenty requests that bring 9.5 MB of conversations each."""

    def body() -> bytes:
        messages = [
            {"uuid": f"{number}", "sender": "human" if number % 2 else "assistant", "text": "word " * 500}
            for number in range(36)
        ]
        brought = [
            {"uuid": new_id(), "name": "Brought", "created_at": "2026-01-01T00:00:00Z", "chat_messages": messages}
            for _ in range(99)
        ]
        return json.dumps({"conversations": brought}).encode()

    people = [home.people[0]] * 20 if of_one else home.people[:20]
    await asyncio.gather(*(home.posted("/api/conversations/import", body(), each.browser) for each in people))


async def regenerations(home: Home) -> str:
    """Twenty further answers at once, of one person, to questions with twenty-four images on the way to each."""
    asked = [await _three_turns(home, home.people[1]) for _ in range(20)]
    await asyncio.sleep(1)
    home.forget()
    before = home.resident()
    bodies = [{"conversation": conversation, "reply": new_id(), "parent": parent} for conversation, parent in asked]
    await asyncio.gather(
        *(home.posted("/api/turns", json.dumps(each).encode(), home.people[1].browser) for each in bodies)
    )
    return f"{before:.0f} MB before"


async def slow_halves(home: Home) -> str:
    """Forty bodies of one person that stop half-way, and a large question of somebody else."""
    body = json.dumps(question(new_id(), None)).encode()
    place = home.address.rpartition(":")[2]
    slow = home.people[2]
    head = "".join(f"{name}: {text}\r\n" for name, text in slow.browser.items())
    head = f"POST /api/turns HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {len(body)}\r\n\r\n"
    writers = []
    for _ in range(40):
        _, writer = await asyncio.open_connection("127.0.0.1", int(place))
        writer.write(head.encode() + body[: len(body) * 9 // 10])
        writers.append(writer)
    await asyncio.sleep(3)
    held = home.resident()
    began = time.monotonic()
    await home.posted("/api/turns", json.dumps(question(new_id(), None)).encode(), home.people[3].browser)
    waited = time.monotonic() - began - THINKS
    for writer in writers:
        writer.transport.abort()
    return f"{held:.0f} MB with the halves, the other question waited {waited:.2f} s"


WORKS: dict[str, Callable[[Home], Awaitable[str | None]]] = {
    "1 turn": partial(turns, number=1),
    "10 turns": partial(turns, number=10),
    "40 turns": partial(turns, number=40),
    "40 turns again": partial(turns, number=40),
    "40 turns of one person": turns_of_one,
    "40 calls": partial(calls, of_one=False),
    "40 calls of one person": partial(calls, of_one=True),
    "20 imports": partial(imports, of_one=False),
    "20 imports of one person": partial(imports, of_one=True),
    "20 regenerations": regenerations,
    "40 halves": slow_halves,
}


async def measured(name: str, upstream: str) -> str:
    """Do one work before a program that has just started; return the row."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "data").mkdir(mode=0o700)
        people = await _people(folder / "data")
        program, address = await _program(folder, upstream)
        try:
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=600)
            async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as client:
                home = Home(program.pid, client, people, address)
                row = await home.measured(WORKS[name])
        finally:
            program.terminate()
            await program.communicate()
        return row


async def main(names: list[str]) -> None:
    """Print a table."""
    listener = socket.create_server(("127.0.0.1", 0))
    serving = multiprocessing.Process(target=_serve_upstream, args=(listener,), daemon=True)
    serving.start()
    upstream = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    print("| in one moment | resident at most, MB | after (PSS) | another waits | all of it | answers |")
    print("|---|--:|--:|--:|--:|---|")
    for name in names or WORKS:
        print(f"| {name} | {await measured(name, upstream)} |", flush=True)
    serving.terminate()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
