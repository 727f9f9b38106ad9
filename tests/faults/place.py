"""A data folder, a settings file and an upstream's address; servers come and go on it."""

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from program import Program, serving

from daehwa.data_folder import DataFolder

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
MODEL = "gpt-test"
_HEAD = """\
titles = false
default_model = "{first}/{model}"
budgets = ["all month 100000", "user day 100000"]
{more}
[[prices]]
model = "*"
input = 2
cached = 1
output = 8
"""
_PROVIDER = """
[[providers]]
name = "{name}"
base_url = "{base_url}"
models = ["{model}"]
{more}
"""


@dataclass
class Place:
    """Where servers run, one after the other. Every call is counted against two budgets that hold nobody back."""

    folder: Path
    base_url: str
    providers: tuple[str, ...] = ("double",)
    lines: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _HEAD.format(first=self.providers[0], model=MODEL, more=self.lines)
        (self.folder / "daehwa.toml").write_text(text, "utf-8")
        for name in self.providers:
            self.add_provider(name, self.base_url)

    def add_provider(self, name: str, base_url: str, more: str = "") -> None:
        """Write one more provider into the settings file."""
        with (self.folder / "daehwa.toml").open("a", encoding="utf-8") as settings:
            settings.write(_PROVIDER.format(name=name, base_url=base_url, model=MODEL, more=more))

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def database(self) -> Path:
        """The file of conversations."""
        return DataFolder(self.data).database

    @asynccontextmanager
    async def served(self) -> AsyncIterator[tuple[Program, aiohttp.ClientSession]]:
        """Run a server; yield it and a client with as many connections as are wanted."""
        async with AsyncExitStack() as stack:
            program = await stack.enter_async_context(serving(self.data, {}))
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
            client = aiohttp.ClientSession(program.address, connector=connector, timeout=timeout, headers=SAME_ORIGIN)
            yield program, await stack.enter_async_context(client)

    def integrity(self) -> str:
        """Return what SQLite says of its file."""
        with closing(sqlite3.connect(self.database)) as connection:
            return "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check"))

    def counters_off(self) -> int:
        """Return how many counters of money are not the sum of their entries."""
        with closing(sqlite3.connect(self.database)) as connection:
            counted = "CASE WHEN settled THEN coalesce(cost, 0) ELSE reserved END"
            (total,) = connection.execute(f"SELECT coalesce(sum({counted}), 0) FROM entries").fetchone()  # noqa: S608 - our own words
            counters = connection.execute("SELECT counted FROM counters").fetchall()
            # One month, one day, one person: all counters count all entries, unless midnight was in between.
            return sum(row[0] != total for row in counters)

    def unsettled(self) -> int:
        """Return how many calls in the ledger are not settled."""
        with closing(sqlite3.connect(self.database)) as connection:
            (number,) = connection.execute("SELECT count(*) FROM entries WHERE NOT settled").fetchone()
            return int(number)


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    """Return an answer's JSON."""
    async with client.get(path) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return json.loads(text)


def resident_mb(process: int) -> float:
    """Return how much memory of its own a process has, in MB."""
    for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no RssAnon in the process's status")


def descriptors(process: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{process}/fd"))  # noqa: PTH208 - a plain count
