"""Runs the installed program as a person does: a process of its own, with its own data folder and environment."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

PROGRAM = [sys.executable, "-c", "from daehwa.cli import main; main()"]
LIMIT_SECONDS = 60


class Ended(NamedTuple):
    """What a run left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


class Serving:
    """A server that runs."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, said: str) -> None:
        self.process = process
        self.address = address
        self.said = said

    async def says(self, words: str) -> None:
        """Return once it has said these words."""
        assert self.process.stdout is not None
        while words not in self.said:
            line = await asyncio.wait_for(self.process.stdout.readline(), LIMIT_SECONDS)
            assert line, self.said
            self.said += line.decode()

    async def end(self, number: int = signal.SIGINT) -> Ended:
        self.process.send_signal(number)
        out, err = await asyncio.wait_for(self.process.communicate(), LIMIT_SECONDS)
        return Ended(self.process.returncode or 0, self.said + out.decode(), err.decode())


class Program:
    """The program with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"

    def environment(self, **given: str) -> dict[str, str]:
        inherited = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "SYSTEMROOT") if name in os.environ
        }
        own = {"HOME": str(self.folder), "DAEHWA_DATA_DIR": str(self.data), "PYTHONWARNINGS": "default"}
        return {**inherited, **own, **given}

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )

    async def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        process = await self.start(*arguments, **environment)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), LIMIT_SECONDS)
        return Ended(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def serving(self, *arguments: str, **environment: str) -> AsyncIterator[Serving]:
        process = await self.start("--port", "0", *arguments, **environment)
        assert process.stdout is not None
        said = ""
        try:
            while not (found := re.search(r"http://\S+", said.partition("Open ")[2])):
                line = await asyncio.wait_for(process.stdout.readline(), LIMIT_SECONDS)
                assert line, said
                said += line.decode()
            yield Serving(process, found[0], said)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
