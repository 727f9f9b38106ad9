"""The installed program in a process of its own, as a person runs it, without the settings around the tests."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30
END_SECONDS = 10
_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):\d+")


class Program:
    """`daehwa serve` while it runs: where it is, and what it said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self.address = ""
        self._listens = asyncio.Event()
        self._spoke = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def listening(self) -> None:
        """Wait until it has said its address; fail with what it said instead."""
        await asyncio.wait_for(self._listens.wait(), START_SECONDS)
        assert self.address, f"`daehwa serve` did not start. It said:\n{self.said}"

    async def says(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait until it has said something of this kind."""
        while not (found := pattern.search(self.said)):
            self._spoke.clear()
            await asyncio.wait_for(self._spoke.wait(), START_SECONDS)
        return found

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        """End it as a person or an init system does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        code = await asyncio.wait_for(self.process.wait(), END_SECONDS)
        await self._reading
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said += line.decode()
            self._spoke.set()
            if not self.address and (found := _ADDRESS.search(self.said.partition("Open ")[2])):
                self.address = found[0]
                self._listens.set()
        self._listens.set()


@asynccontextmanager
async def serving_page(folder: Path, upstream: str) -> AsyncIterator[Program]:
    """Run `daehwa serve` with the page, for browsers, in front of an upstream."""
    page = ROOT / "src" / "daehwa" / "server" / "page" / "index.html"
    assert page.is_file(), "The page is not built: python hatch_build.py builds it."
    async with serving(folder / "data", {"OPENAI_BASE_URL": upstream}) as running:
        yield running


@asynccontextmanager
async def serving(data_dir: Path, settings: Mapping[str, str], *options: str) -> AsyncIterator[Program]:
    """Run `daehwa serve` on a free port with these environment variables; end it at the end of the block."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OPENAI_", "DAEHWA_"))}
    command = [str(Path(sys.executable).with_name("daehwa")), "serve", "--no-open", "--port", "0"]
    program = Program(
        await asyncio.create_subprocess_exec(
            *command,
            "--data-dir",
            str(data_dir),
            *options,
            cwd=data_dir.parent,
            env={**kept, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    )
    try:
        await program.listening()
        yield program
    finally:
        if program.process.returncode is None:
            with suppress(ProcessLookupError):
                program.process.terminate()
            try:
                await program.ended()
            except TimeoutError:
                await program.kill()
