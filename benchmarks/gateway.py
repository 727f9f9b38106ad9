"""What a call through /v1 costs beside the direct call, nginx, a bare relay and the usual way of writing one.

    uv run --group dev python benchmarks/gateway.py [--rounds 5] [--only cpu,first,held,whole,memory]

Prints, from one run with all of them in turn (direct, nginx, bare relay, daehwa, direct, …): the first token added over
the direct call, server CPU per streamed chunk, how many paced streams are held, whole answers a second, memory per open
stream. daehwa checks a key and a budget, counts usage and writes each call to its ledger on disk; the others pass bytes
on. Server on one processor, upstream and client on the other. CPU is read in steps of 10 ms.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import programs
from load import StreamResult, Target, answers_per_second, open_stream, streams_at_once, streams_in_turn

_TOKENS_FIRST = 5
_PACE_MS = 20.0
_MICRO = 1_000_000
_LONGEST_GAP_MS = 1.5 * _PACE_MS
_STEPS = (100, 200, 300, 400, 500, 600, 700, 800)
_MEMORY_STREAMS = 1000
_LITELLM = "litellm"


@dataclass
class Served:
    """One of those that are measured, as it runs."""

    name: str
    target: Target
    process: subprocess.Popen[bytes] | None

    def cpu(self) -> float:
        """Return the CPU seconds it has taken so far."""
        return 0.0 if self.process is None else programs.cpu_seconds(programs.process_tree(self.process.pid))

    def memory(self) -> float:
        """Return its memory in KB."""
        return 0.0 if self.process is None else 1024 * programs.memory_mb(programs.process_tree(self.process.pid))


@dataclass
class Figures:
    """One target's figures, a value a round."""

    first: list[float] = field(default_factory=list)
    first_p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    failed: int = 0


Table = dict[str, Figures]


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
def litellm(upstream: int) -> Iterator[Served]:
    """Run LiteLLM's proxy, where it is installed: 573 MB, so only when asked for."""
    port = programs.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(
            "model_list:\n  - model_name: mock\n    litellm_params:\n      model: openai/mock\n"
            f"      api_base: http://127.0.0.1:{upstream}/v1\n      api_key: benchmark\n"
        )
        command = [str(Path(sys.executable).with_name(_LITELLM)), "--config", str(config), "--port", str(port)]
        with programs.program(command, core=programs.SERVER_CORE, cwd=Path(folder)) as process:
            programs.wait_until_up(port, "/health/liveliness", 120)
            yield Served(_LITELLM, Target(_LITELLM, port), process)


@contextlib.contextmanager
def served(names: Sequence[str], upstream: int) -> Iterator[list[Served]]:
    """Run those of these names over one upstream."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in names:
            if name == "direct":
                running.append(Served(name, Target(name, upstream), None))
            elif name == "nginx":
                port, process = stack.enter_context(programs.nginx(upstream))
                running.append(Served(name, Target(name, port), process))
            elif name in {"bare", "naive"}:
                port, process = stack.enter_context(programs.asgi(f"{name}_relay", upstream))
                running.append(Served(name, Target(name, port), process))
            else:
                running.append(stack.enter_context(litellm(upstream) if name == _LITELLM else daehwa(upstream)))
        yield running


def in_rounds(
    rounds: int, title: str, running: Sequence[Served], measure: Callable[[Served], None], *, skip: Sequence[str] = ()
) -> None:
    """Measure one after the other, and all of that several times."""
    for number in range(rounds):
        print(f"{title}, round {number + 1} of {rounds}", file=sys.stderr)
        for one in running:
            if one.name not in skip:
                measure(one)


def first_tokens(options: argparse.Namespace, table: Table) -> None:
    """One stream at a time."""
    with (
        programs.mock_upstream(tokens=_TOKENS_FIRST, pace_ms=1) as upstream,
        served(options.names, upstream) as running,
    ):
        for one in running:
            asyncio.run(streams_in_turn(one.target, 50, _TOKENS_FIRST))

        def measure(one: Served) -> None:
            results = asyncio.run(streams_in_turn(one.target, options.firsts, _TOKENS_FIRST, pause=0.01))
            good = sorted(result.first for result in results if not result.failed)
            figures = table[one.name]
            figures.failed += len(results) - len(good)
            figures.first.append(statistics.median(good))
            figures.first_p99.append(good[min(len(good) - 1, int(len(good) * 0.99))])

        in_rounds(options.rounds, "first token", running, measure)


def cpu_per_chunk(options: argparse.Namespace, table: Table) -> None:
    """Many paced streams at once; a chunk is an event that the client got."""
    with programs.mock_upstream(tokens=200, pace_ms=_PACE_MS) as upstream, served(options.names, upstream) as running:
        for one in running:
            asyncio.run(streams_at_once(one.target, 20, 20))

        def measure(one: Served) -> None:
            before = one.cpu()
            results = asyncio.run(streams_at_once(one.target, options.streams, options.tokens))
            figures = table[one.name]
            figures.failed += sum(result.failed for result in results)
            figures.cpu.append((one.cpu() - before) / (options.streams * options.tokens) * _MICRO)

        in_rounds(options.rounds, "CPU per chunk", running, measure)


def _is_held(results: Sequence[StreamResult]) -> bool:
    gaps = sorted(gap for result in results for gap in result.gaps)
    p99 = gaps[int(len(gaps) * 0.99)] if gaps else 0.0
    print(f"    {len(results)} streams: p99 gap {p99:.1f} ms", file=sys.stderr)
    return p99 <= _LONGEST_GAP_MS and not any(result.failed for result in results)


def streams_held(options: argparse.Namespace, table: Table) -> None:
    """Ever more paced streams, until the gaps grow too long."""
    with programs.mock_upstream(tokens=200, pace_ms=_PACE_MS) as upstream, served(options.names, upstream) as running:

        def measure(one: Served) -> None:
            print(f"  {one.name}", file=sys.stderr)
            held = 0
            for count in _STEPS:
                results = asyncio.run(streams_at_once(one.target, count, 200, ramp=2.0))
                if not _is_held(results):
                    break
                held = count
            table[one.name].held.append(held)

        in_rounds(min(options.rounds, 3), "streams held", running, measure)


def whole_answers(options: argparse.Namespace, table: Table) -> None:
    """Whole answers as fast as they come, over 16 connections."""
    with programs.mock_upstream(tokens=5, pace_ms=0) as upstream, served(options.names, upstream) as running:
        for one in running:
            asyncio.run(answers_per_second(one.target, 16, 1.0))

        def measure(one: Served) -> None:
            rate, failed = asyncio.run(answers_per_second(one.target, 16, options.seconds))
            table[one.name].whole.append(rate)
            table[one.name].failed += failed

        in_rounds(options.rounds, "whole answers", running, measure)


def memory_per_stream(options: argparse.Namespace, table: Table) -> None:
    """Hold a thousand open streams of a chunk a second. Each program is begun anew: memory is not given back."""
    with programs.mock_upstream(tokens=1000, pace_ms=1000) as upstream:
        for number in range(min(options.rounds, 3)):
            print(f"memory, round {number + 1}", file=sys.stderr)
            for name in options.names:
                if name != "direct":
                    with served([name], upstream) as (one,):
                        table[name].memory.append(asyncio.run(_memory(one)))


async def _memory(one: Served) -> float:
    for _ in range(50):
        stream = await open_stream(one.target, 1)
        await stream.result_within(10)
    before = await asyncio.to_thread(one.memory)
    streams = []
    for count in range(_MEMORY_STREAMS):
        streams.append(await open_stream(one.target, 1000))
        if count % 20 == 0:
            await asyncio.sleep(0.05)
    await asyncio.sleep(5)
    after = await asyncio.to_thread(one.memory)
    open_now = sum(bool(stream.result.first) for stream in streams)
    for stream in streams:
        stream.transport.abort()
    if open_now < _MEMORY_STREAMS:
        print(f"  {one.name}: only {open_now} streams were open", file=sys.stderr)
    return (after - before) / max(1, open_now)


PARTS = {
    "first": first_tokens,
    "cpu": cpu_per_chunk,
    "held": streams_held,
    "whole": whole_answers,
    "memory": memory_per_stream,
}


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def _ratio(mine: Sequence[float], others: Sequence[float]) -> str:
    pairs = [one / other for one, other in zip(mine, others, strict=False) if other]
    return f"{statistics.median(pairs):.2f}" if pairs else "–"


def show(table: Table) -> None:
    """Print the table."""
    print("| | first token, ms | added | p99 | CPU per chunk, µs | × nginx | streams held | whole answers/s | × bare |"
          " KB per stream | failed |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    empty = Figures()
    direct, near, bare = (table.get(name, empty) for name in ("direct", "nginx", "bare"))
    for name, row in table.items():
        added = [one - other for one, other in zip(row.first, direct.first, strict=False)]
        print(
            f"| {name} | {_spread(row.first, 2)} | {_spread(added, 2)} | {_spread(row.first_p99, 2)} "
            f"| {_spread(row.cpu, 1)} | {_ratio(row.cpu, near.cpu)} | {_spread(row.held, 0)} "
            f"| {_spread(row.whole, 0)} | {_ratio(row.whole, bare.whole)} | {_spread(row.memory, 1)} | {row.failed} |"
        )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--streams", type=int, default=200)
    arguments.add_argument("--tokens", type=int, default=200)
    arguments.add_argument("--firsts", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument("--only", default=",".join(PARTS))
    arguments.add_argument("--names", default="direct,nginx,bare,naive,daehwa", help=f"and {_LITELLM}")
    options = arguments.parse_args()
    options.names = options.names.split(",")
    programs.compile_bytecode()
    os.sched_setaffinity(0, {programs.CLIENT_CORE})
    table: Table = {name: Figures() for name in options.names}
    began = time.monotonic()
    for part in options.only.split(","):
        PARTS[part](options, table)
    took = time.monotonic() - began
    print(f"\n{options.rounds} rounds, {took:.0f} s; {options.streams} streams of {options.tokens} chunks at 50/s")
    show(table)


if __name__ == "__main__":
    main()
