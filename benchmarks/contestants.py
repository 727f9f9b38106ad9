"""Those that are measured over the same upstream: each is started on the server's processor and watched as it runs."""

import contextlib
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import programs
from load import Target
from results import Results, reason

DIRECT, NGINX, BARE, NAIVE = "direct", "nginx", "bare relay", "naive stack"
BARE_UVLOOP = "bare relay with uvloop"
DAEHWA, DAEHWA_UVLOOP = "daehwa", "daehwa with uvloop"
CORE_ALONE = programs.ROOT / "benchmarks" / "core_alone"
_WITHOUT_UVLOOP = programs.ROOT / "tests" / "cli" / "without_uvloop"


@dataclass
class Served:
    """One of those that are measured, as it runs; the direct call has no process. `page` is its page's own dialect."""

    name: str
    target: Target
    program: programs.Program | None = None
    page: Target | None = None

    def cpu(self) -> float:
        """Return the CPU seconds it and all below it have taken so far."""
        return 0.0 if self.program is None else programs.cpu_seconds(programs.process_tree(self.program.pid))

    def memory(self) -> float:
        """Return its memory in MB, with all that is below it."""
        return 0.0 if self.program is None else programs.memory_mb(programs.process_tree(self.program.pid))


Starter = Callable[[int], contextlib.AbstractContextManager[Served]]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """How one of them is started over an upstream, and what can be asked of it.

    `streams` is how many streams of 50 tokens/s it is loaded with at most where CPU is measured, below what one
    processor holds of it. `held` is how many it keeps open where memory is measured. `is_peer`: it is slow to start, so
    it is measured in two rounds at most; `speaks_openai` is false for what has a page alone. `parts`: it is measured in
    these alone.
    """

    start: Starter
    streams: int = 200
    held: int = 1000
    is_peer: bool = False
    speaks_openai: bool = True
    parts: Collection[str] | None = None

    def is_in(self, part: str) -> bool:
        """Whether it is measured in a part."""
        return self.parts is None or part in self.parts


@contextlib.contextmanager
def direct(upstream: int) -> Iterator[Served]:
    """Nothing between the client and the upstream."""
    yield Served(DIRECT, Target(DIRECT, upstream))


@contextlib.contextmanager
def nginx(upstream: int) -> Iterator[Served]:
    """Run the reference: it passes bytes on."""
    with programs.nginx(upstream) as running:
        yield Served(NGINX, Target(NGINX, running.port), running)


@contextlib.contextmanager
def bare(upstream: int) -> Iterator[Served]:
    """Run the least that relays in Python."""
    with programs.asgi("bare_relay", upstream) as running:
        yield Served(BARE, Target(BARE, running.port), running)


@contextlib.contextmanager
def bare_uvloop(upstream: int) -> Iterator[Served]:
    """Run the same on uvloop: what daehwa with uvloop is compared with."""
    _needs_uvloop()
    with programs.asgi("bare_relay", upstream, loop="uvloop") as running:
        yield Served(BARE_UVLOOP, Target(BARE_UVLOOP, running.port), running)


@contextlib.contextmanager
def naive(upstream: int) -> Iterator[Served]:
    """Run what is written first when such a gateway is written."""
    with programs.asgi("naive_relay", upstream) as running:
        yield Served(NAIVE, Target(NAIVE, running.port), running)


@contextlib.contextmanager
def daehwa(upstream: int) -> Iterator[Served]:
    """Run daehwa as its core is installed, on asyncio's loop."""
    with _daehwa(DAEHWA, upstream, {"PYTHONPATH": _path_with(CORE_ALONE, _WITHOUT_UVLOOP)}) as running:
        yield running


@contextlib.contextmanager
def daehwa_uvloop(upstream: int) -> Iterator[Served]:
    """Run daehwa as it is installed with its extra `uvloop`."""
    _needs_uvloop()
    with _daehwa(DAEHWA_UVLOOP, upstream, {"PYTHONPATH": _path_with(CORE_ALONE)}) as running:
        yield running


def _needs_uvloop() -> None:
    if importlib.util.find_spec("uvloop") is None:
        raise ModuleNotFoundError("uvloop is not installed")


def _path_with(*folders: Path) -> str:
    known = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, folders), *([known] if known else [])])


@contextlib.contextmanager
def _daehwa(name: str, upstream: int, env: Mapping[str, str]) -> Iterator[Served]:
    """Run daehwa with a key, budgets and a price, so that every call and turn is checked, reserved and settled."""
    port = programs.free_port()
    command = programs.daehwa_command()
    with tempfile.TemporaryDirectory(dir=programs.ROOT / "benchmarks") as folder:
        given = {
            **env,
            "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
            "OPENAI_API_KEY": "benchmark",
            "DAEHWA_REQUIRE_KEYS": "true",
            "DAEHWA_BUDGETS": "all month 100000, user day 100000",
            "DAEHWA_PRICES": "mock input 1 output 2",
            "DAEHWA_DATA_DIR": folder,
        }
        making = [command, "key", "create", "benchmark", "--month", "100000"]
        made = subprocess.run(
            making, env={**os.environ, **given}, cwd=folder, check=True, capture_output=True, text=True, timeout=60
        )
        key = next(word for word in made.stdout.split() if word.startswith("dh_"))
        line = [command, "serve", "--no-open", "--port", str(port)]
        serving = programs.Command(line=line, port=port, ready="/healthz", env=given, cwd=Path(folder))
        with programs.server(serving) as running:
            yield Served(name, Target(name, port, key=key), running, Target(name, port, page=True))


@dataclass(frozen=True)
class Contest:
    """Those who run over one upstream."""

    contestants: Mapping[str, Contestant]
    upstream: int
    running: Sequence[Served]

    def of(self, part: str) -> "Contest":
        """Return it with those alone who are measured in a part."""
        running = [one for one in self.running if self.contestants[one.name].is_in(part)]
        return Contest(self.contestants, self.upstream, running)


OURS: Mapping[str, Contestant] = {
    DIRECT: Contestant(start=direct),
    NGINX: Contestant(start=nginx),
    BARE: Contestant(start=bare),
    BARE_UVLOOP: Contestant(start=bare_uvloop, parts=("first", "many", "whole")),
    NAIVE: Contestant(start=naive, streams=35, held=200),
    DAEHWA: Contestant(start=daehwa),
    DAEHWA_UVLOOP: Contestant(start=daehwa_uvloop),
}


@contextlib.contextmanager
def served(
    contestants: Mapping[str, Contestant], names: Sequence[str], upstream: int, results: Results
) -> Iterator[list[Served]]:
    """Run those of these names over one upstream; one that does not start is left out, and the results say why."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in names:
            try:
                running.append(stack.enter_context(contestants[name].start(upstream)))
                results.absent.pop(name, None)
            except (OSError, ImportError, subprocess.SubprocessError) as problem:
                results.absent[name] = f"did not start: {reason(problem)}"
                results.remark(f"{name} did not start: {reason(problem)}")
        yield running
