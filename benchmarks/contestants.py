"""Those that are measured over the same upstream: each is started on the server's processor and watched as it runs."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import programs
from load import Target

DIRECT = "direct"


@dataclass
class Served:
    """One of those that are measured, as it runs; the direct call has no process."""

    name: str
    target: Target
    process: subprocess.Popen[bytes] | None

    def cpu(self) -> float:
        """Return the CPU seconds it and all below it have taken so far."""
        return 0.0 if self.process is None else programs.cpu_seconds(programs.process_tree(self.process.pid))

    def memory(self) -> float:
        """Return its memory in KB."""
        return 0.0 if self.process is None else 1024 * programs.memory_mb(programs.process_tree(self.process.pid))


Starter = Callable[[int], contextlib.AbstractContextManager[Served]]


@contextlib.contextmanager
def direct(upstream: int) -> Iterator[Served]:
    """Nothing between the client and the upstream."""
    yield Served(DIRECT, Target(DIRECT, upstream), None)


@contextlib.contextmanager
def nginx(upstream: int) -> Iterator[Served]:
    """Run the reference: it passes bytes on."""
    with programs.nginx(upstream) as (port, process):
        yield Served("nginx", Target("nginx", port), process)


@contextlib.contextmanager
def bare(upstream: int) -> Iterator[Served]:
    """Run the least that relays in Python."""
    with programs.asgi("bare_relay", upstream) as (port, process):
        yield Served("bare", Target("bare", port), process)


@contextlib.contextmanager
def naive(upstream: int) -> Iterator[Served]:
    """Run what is written first when such a gateway is written."""
    with programs.asgi("naive_relay", upstream) as (port, process):
        yield Served("naive", Target("naive", port), process)


@contextlib.contextmanager
def daehwa(upstream: int) -> Iterator[Served]:
    """Run daehwa with a key, budgets and a price, so that every call is checked, reserved and settled."""
    port = programs.free_port()
    command = programs.daehwa_command()
    env = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "benchmark",
        "DAEHWA_REQUIRE_KEYS": "true",
        "DAEHWA_BUDGETS": "all month 100000, user day 100000",
        "DAEHWA_PRICES": "mock input 1 output 2",
    }
    with tempfile.TemporaryDirectory(dir=programs.ROOT / "benchmarks") as folder:
        env["DAEHWA_DATA_DIR"] = folder
        making = [command, "key", "create", "benchmark", "--month", "100000"]
        made = subprocess.run(making, env={**os.environ, **env}, cwd=folder, check=True, capture_output=True, text=True)
        key = next(word for word in made.stdout.split() if word.startswith("dh_"))
        serving = [command, "serve", "--no-open", "--port", str(port)]
        with programs.program(serving, core=programs.SERVER_CORE, env=env, cwd=Path(folder)) as process:
            programs.wait_until_up(port)
            yield Served("daehwa", Target("daehwa", port, key=key), process)


@contextlib.contextmanager
def daehwa_page(upstream: int) -> Iterator[Served]:
    """Run daehwa for its page's own turns, each stored on disk as it grows."""
    with programs.daehwa(upstream) as (port, process):
        yield Served("daehwa page", Target("daehwa page", port, page=True), process)


STARTERS: Mapping[str, Starter] = {
    DIRECT: direct,
    "nginx": nginx,
    "bare": bare,
    "naive": naive,
    "daehwa": daehwa,
    "daehwa page": daehwa_page,
}


@contextlib.contextmanager
def served(names: Sequence[str], upstream: int, starters: Mapping[str, Starter] = STARTERS) -> Iterator[list[Served]]:
    """Run those of these names over one upstream; one that does not start is said so and left out."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in names:
            try:
                running.append(stack.enter_context(starters[name](upstream)))
            except (OSError, subprocess.SubprocessError) as problem:
                print(f"{name} did not start: {problem}", file=sys.stderr)
        yield running
