"""One execution environment: the function's processes, started, frozen and ended as Lambda does it.

What Lambda does, and so this: extensions (files in the layer's `extensions/`) start before the function; the function
is started by the wrapper script that AWS_LAMBDA_EXEC_WRAPPER names; one event is given at a time; **as soon as an
answer has ended, every process is frozen** (SIGSTOP) until the next event; at the deadline they are killed; before an
idle environment is ended, the function gets SIGTERM and a moment.

Every path of the layer stands for one below /opt. Each environment has a port and a writable folder of its own, which
on Lambda are 8080 and /tmp in all of them.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lambda_bed.errors import NotStarted
from lambda_bed.invocation import Invocation
from lambda_bed.runtime_api import RuntimeApi

INIT_SECONDS = 60.0
"""Lambda allows 10, and starts anew then. A test machine may be busy; a test of the start's time measures it."""
END_SECONDS = 2.0
"""What Lambda allows between SIGTERM and SIGKILL where there are extensions."""
READ_SECONDS = 5.0


@dataclass(frozen=True)
class Code:
    """What is deployed: the unpacked zip, the unpacked layer, the handler's name and the environment variables."""

    task_root: Path
    layer: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    handler: str = "run.sh"
    memory_mb: int = 512


class Environment:
    """The processes of one environment. `said` is all that they wrote, which is what CloudWatch would hold."""

    def __init__(self, code: Code, folder: Path) -> None:
        self.code = code
        self.folder = folder
        self.api = RuntimeApi(on_idle=self._idle)
        self.said = ""
        self.busy = False
        self.frozen = False
        self.alive = False
        self.init_seconds = 0.0
        self.port = _free_port()
        self._closed = False
        self.used_at = 0.0
        self._processes: list[asyncio.subprocess.Process] = []
        self._watches: list[asyncio.Task[None]] = []
        self._invocation: Invocation | None = None

    async def start(self) -> None:
        """Start everything and wait until the first event is asked for."""
        began = time.monotonic()
        await self.api.__aenter__()
        variables = self._variables()
        try:
            for extension in sorted((self.code.layer / "extensions").iterdir()):
                await self._run([str(extension)], variables)
            wrapper = variables["AWS_LAMBDA_EXEC_WRAPPER"].replace("/opt", str(self.code.layer), 1)
            await self._run([wrapper, "/var/runtime/bootstrap"], variables)
            self.alive = True
            async with asyncio.timeout(INIT_SECONDS):
                await self.api.ready.wait()
        except TimeoutError:
            self.alive = False
        if self.api.init_error or not self.alive:
            await self.kill()
            raise NotStarted(f"{self.api.init_error or ''}\n{self.said}")
        self.init_seconds = time.monotonic() - began
        self.freeze()

    async def run(self, invocation: Invocation) -> None:
        """Give it an event and see it to its end, or to its deadline."""
        self._invocation = invocation
        self.used_at = time.monotonic()
        self.thaw()
        self.api.give(invocation)
        try:
            async with asyncio.timeout(invocation.seconds):
                await invocation.ended.wait()
        except TimeoutError:
            invocation.fail("Sandbox.Timedout", f"Task timed out after {invocation.seconds:.2f} seconds")
            await self.kill()
        finally:
            if self._invocation is invocation:
                self._invocation = None

    @property
    def exit_code(self) -> int | None:
        """How the function's process ended; None while it runs."""
        return self._processes[-1].returncode

    def freeze(self) -> None:
        """Stop every process where it is."""
        if self.alive and not self.frozen:
            self.frozen = True
            self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the processes go on."""
        if self.frozen:
            self.frozen = False
            self._signal(signal.SIGCONT)

    async def close(self) -> None:
        """End it as Lambda ends an idle environment. Do nothing if it was ended."""
        self.thaw()
        if self.alive:
            self.alive = False
            self.api.shut_down("SPINDOWN")
            with suppress(ProcessLookupError):
                self._processes[-1].send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._processes[-1].wait(), END_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """End it at once, as at a deadline."""
        self.alive = self.frozen = False
        if self._closed:
            return
        self._closed = True
        self._signal(signal.SIGKILL)
        if self._invocation is not None:
            self._invocation.fail("Runtime.ExitError", "Runtime exited with error: signal: killed")
        await asyncio.gather(*(process.wait() for process in self._processes))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._watches), READ_SECONDS)
        await self.api.__aexit__()

    def memory_mb(self) -> dict[str, float]:
        """Return each process's memory at its peak, by its name."""
        found = {}
        for process in self._processes:
            status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
            lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            found[lines["Name"].strip()] = int(lines["VmHWM"].split()[0]) / 1024
        return found

    def _idle(self) -> None:
        self.busy = False
        self.freeze()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)

    async def _run(self, command: list[str], variables: Mapping[str, str]) -> None:
        # setpriv: a frozen process would outlive a test run that was killed.
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "--", *command),
            cwd=self.code.task_root,
            env=dict(variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )
        self._processes.append(process)
        self._watches.append(asyncio.create_task(self._watch(process)))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while read := await process.stdout.read(65536):
            self.said += read.decode("utf-8", "replace")
        code = await process.wait()
        if self.alive:  # nobody asked for its end
            self.alive = False
            self._signal(signal.SIGKILL)
            self.api.ready.set()
            if self._invocation is not None:
                self._invocation.fail("Runtime.ExitError", f"Runtime exited with error: exit status {code}")

    def _variables(self) -> dict[str, str]:
        """Return the environment as Lambda sets it; the function's own variables cannot change what is Lambda's."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        # The interpreter itself, not the tests' environment: only what is in the zip can be imported, as on Lambda.
        for name in ("python", "python3", "python3.14"):
            (programs / name).symlink_to(Path(sys.executable).resolve())
        (self.folder / "tmp").mkdir()
        return {
            **self.code.variables,
            "_HANDLER": self.code.handler,
            "LAMBDA_TASK_ROOT": str(self.code.task_root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "daehwa",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.code.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/daehwa",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/22/[$LATEST]0123456789abcdef",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_LWA_PORT": str(self.port),
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(self.folder / "tmp"),
        }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
