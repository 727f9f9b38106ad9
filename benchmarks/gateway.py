"""What a call through /v1 costs beside the direct call, nginx, a bare relay and the usual way of writing one.

    uv run --group dev python benchmarks/gateway.py [--rounds 5] [--only cpu,first,held,whole,memory]

Prints, from one run with all of them in turn (direct, nginx, bare relay, daehwa, direct, …): the first token added over
the direct call, server CPU per streamed chunk and the gaps between chunks, how many paced streams are held, whole
answers a second, memory per open stream. daehwa checks a key and a budget, counts usage and writes each call to its
ledger on disk; the others pass bytes on. Server on one processor, upstream and client on the other. CPU is read in
steps of 10 ms. Every word of every stream is checked by the client: `failed` counts those where one was missing.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import load
import programs
from contestants import DIRECT, STARTERS, Served, Starter, served
from load import Load, Work

_TOKENS_FIRST = 5
_PACE_MS = 20.0
_MICRO = 1_000_000
LONGEST_GAP_MS = 1.5 * _PACE_MS
STEPS = (100, 200, 350, 500, 750, 1000)
_RUNG = Work(tokens=200, ramp=2.0, seconds=14)
_MEMORY_STREAMS = 1000


@dataclass
class Rung:
    """One step of the ladder: so many paced streams, how the gaps were, whether all came whole."""

    streams: int
    gap_p50: float
    gap_p99: float
    gap_max: float
    failed: int

    @property
    def is_held(self) -> bool:
        """Whether the pace was kept and nothing lost."""
        return self.gap_p99 <= LONGEST_GAP_MS and not self.failed


@dataclass
class Figures:
    """One target's figures, a value a round."""

    first: list[float] = field(default_factory=list)
    first_p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    gap_p50: list[float] = field(default_factory=list)
    gap_p99: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    ladder: list[Rung] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    failed: int = 0


Table = dict[str, Figures]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, of whom, and how much of it."""

    names: Sequence[str]
    rounds: int = 5
    streams: int = 200
    tokens: int = 200
    firsts: int = 200
    seconds: float = 4.0
    steps: Sequence[int] = STEPS
    starters: Mapping[str, Starter] = field(default_factory=lambda: STARTERS)


def in_rounds(rounds: int, title: str, running: Sequence[Served], measure: Callable[[Served], None]) -> None:
    """Measure one after the other, and all of that several times."""
    for number in range(rounds):
        print(f"{title}, round {number + 1} of {rounds}", file=sys.stderr)
        for one in running:
            measure(one)


def first_tokens(plan: Plan, table: Table) -> None:
    """One stream at a time, on a kept connection, 10 ms apart."""
    with (
        programs.mock_upstream(tokens=_TOKENS_FIRST, pace_ms=1) as upstream,
        served(plan.names, upstream, plan.starters) as running,
    ):
        for one in running:
            load.run(one.target, Work(tokens=_TOKENS_FIRST, repeat=50, reuse=True))

        def measure(one: Served) -> None:
            work = Work(tokens=_TOKENS_FIRST, repeat=plan.firsts, pause=0.01, reuse=True)
            seen = load.run(one.target, work)
            figures = table[one.name]
            figures.failed += seen.failed
            figures.first.append(seen.first.p50)
            figures.first_p99.append(seen.first.p99)

        in_rounds(plan.rounds, "first token", running, measure)


def cpu_per_chunk(plan: Plan, table: Table) -> None:
    """Many paced streams at once; a chunk is a token that the client got."""
    with (
        programs.mock_upstream(tokens=200, pace_ms=_PACE_MS) as upstream,
        served(plan.names, upstream, plan.starters) as running,
    ):
        for one in running:
            load.run(one.target, Work(streams=20, tokens=20))

        def measure(one: Served) -> None:
            before = one.cpu()
            seen = load.run(one.target, Work(streams=plan.streams, tokens=plan.tokens))
            figures = table[one.name]
            figures.failed += seen.failed
            figures.cpu.append((one.cpu() - before) / max(1, seen.tokens) * _MICRO)
            figures.gap_p50.append(seen.gap.p50)
            figures.gap_p99.append(seen.gap.p99)

        in_rounds(plan.rounds, "CPU per chunk", running, measure)


def _rung(count: int, seen: Load) -> Rung:
    rung = Rung(count, seen.gap.p50, seen.gap.p99, seen.gap.max, seen.failed + seen.unfinished)
    print(
        f"    {count} streams: gap p50 {rung.gap_p50:.1f}, p99 {rung.gap_p99:.1f}, longest {rung.gap_max:.0f} ms; "
        f"{rung.failed} not whole",
        file=sys.stderr,
    )
    return rung


def streams_held(plan: Plan, table: Table) -> None:
    """Ever more paced streams, until the gaps grow too long or a word is lost."""
    with (
        programs.mock_upstream(tokens=200, pace_ms=_PACE_MS) as upstream,
        served(plan.names, upstream, plan.starters) as running,
    ):

        def measure(one: Served) -> None:
            print(f"  {one.name}", file=sys.stderr)
            held = 0
            for count in plan.steps:
                work = Work(streams=count, tokens=_RUNG.tokens, ramp=_RUNG.ramp, seconds=_RUNG.seconds)
                rung = _rung(count, load.run(one.target, work))
                table[one.name].ladder.append(rung)
                if not rung.is_held:
                    break
                held = count
            table[one.name].held.append(held)

        in_rounds(min(plan.rounds, 3), "streams held", running, measure)


def whole_answers(plan: Plan, table: Table) -> None:
    """Whole answers as fast as they come, over 16 connections."""
    with (
        programs.mock_upstream(tokens=5, pace_ms=0) as upstream,
        served(plan.names, upstream, plan.starters) as running,
    ):
        for one in running:
            load.run(one.target, Work(streams=16, whole=True, reuse=True, repeat=0, ramp=0, seconds=1))

        def measure(one: Served) -> None:
            work = Work(streams=16, whole=True, reuse=True, repeat=0, ramp=0, seconds=int(plan.seconds))
            seen = load.run(one.target, work)
            table[one.name].whole.append(seen.whole / seen.seconds)
            table[one.name].failed += seen.failed

        in_rounds(plan.rounds, "whole answers", running, measure)


def memory_per_stream(plan: Plan, table: Table) -> None:
    """Hold a thousand open streams of a chunk a second. Each program is begun anew: memory is not given back."""
    with programs.mock_upstream(tokens=1000, pace_ms=1000) as upstream:
        for number in range(min(plan.rounds, 3)):
            print(f"memory, round {number + 1}", file=sys.stderr)
            for name in plan.names:
                if name != DIRECT:
                    with served([name], upstream, plan.starters) as running:
                        table[name].memory += [_memory(one) for one in running]


def _memory(one: Served) -> float:
    load.run(one.target, Work(tokens=1, repeat=50))
    before = one.memory()
    with load.running(one.target, Work(streams=_MEMORY_STREAMS, tokens=1000, ramp=3.0)) as client:
        time.sleep(8)
        after = one.memory()
    open_now = client.load.open if client.load else 0
    if open_now < _MEMORY_STREAMS:
        print(f"  {one.name}: only {open_now} streams were open", file=sys.stderr)
    return (after - before) / max(1, open_now)


PARTS: Mapping[str, Callable[[Plan, Table], None]] = {
    "first": first_tokens,
    "cpu": cpu_per_chunk,
    "held": streams_held,
    "whole": whole_answers,
    "memory": memory_per_stream,
}


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median and the range."""
    if not values:
        return "–"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def _ratio(mine: Sequence[float], others: Sequence[float]) -> str:
    pairs = [one / other for one, other in zip(mine, others, strict=False) if other]
    return f"{statistics.median(pairs):.2f}" if pairs else "–"


def show(table: Table) -> None:
    """Print the table."""
    print("| | first token, ms | added | p99 | CPU per chunk, µs | × nginx | gap p99, ms | streams held"
          " | whole answers/s | × bare | KB per stream | failed |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    empty = Figures()
    straight, near, least = (table.get(name, empty) for name in (DIRECT, "nginx", "bare"))
    for name, row in table.items():
        added = [one - other for one, other in zip(row.first, straight.first, strict=False)]
        print(
            f"| {name} | {spread(row.first, 2)} | {spread(added, 2)} | {spread(row.first_p99, 2)} "
            f"| {spread(row.cpu, 1)} | {_ratio(row.cpu, near.cpu)} | {spread(row.gap_p99, 1)} | {spread(row.held, 0)} "
            f"| {spread(row.whole, 0)} | {_ratio(row.whole, least.whole)} | {spread(row.memory, 1)} | {row.failed} |"
        )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--streams", type=int, default=200)
    arguments.add_argument("--tokens", type=int, default=200)
    arguments.add_argument("--firsts", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument("--steps", default=",".join(map(str, STEPS)), help="of the ladder of streams held")
    arguments.add_argument("--only", default=",".join(PARTS))
    arguments.add_argument("--names", default="direct,nginx,bare,naive,daehwa", help="and 'daehwa page'")
    options = arguments.parse_args()
    plan = Plan(
        names=options.names.split(","),
        rounds=options.rounds,
        streams=options.streams,
        tokens=options.tokens,
        firsts=options.firsts,
        seconds=options.seconds,
        steps=[int(step) for step in options.steps.split(",")],
    )
    programs.compile_bytecode()
    os.sched_setaffinity(0, {programs.CLIENT_CORE})
    table: Table = {name: Figures() for name in plan.names}
    began = time.monotonic()
    for part in options.only.split(","):
        PARTS[part](plan, table)
    took = time.monotonic() - began
    print(f"\n{plan.rounds} rounds, {took:.0f} s; {plan.streams} streams of {plan.tokens} chunks at 50/s")
    show(table)


if __name__ == "__main__":
    main()
