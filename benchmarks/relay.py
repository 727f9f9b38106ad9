"""What a page turn costs beside the direct call and beside nginx relaying the same stream.

    uv run --group dev python benchmarks/relay.py [--rounds 5] [--streams 20]

Prints, from one run with the three in turn (direct, nginx, daehwa, direct, …): the first token added over the direct
call with one stream at a time (20 ms apart, so that daehwa has named the conversation before), server CPU per streamed
token at 100 tokens/s, and the reads in which they reach the client. daehwa stores every turn with `synchronous=FULL`;
nginx does nothing but pass bytes on. Server on one processor, upstream and client on the other. CPU is read in steps of
10 ms, so a row with few tokens is coarse.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

import load
import programs
from load import Target, Work

_TOKENS_FIRST = 5
_PAUSE = 0.02
_MICRO = 1_000_000


@dataclass
class Row:
    """One target's figures of all rounds."""

    name: str
    first_ms: list[float]
    p99_ms: list[float]
    cpu_us: list[float]
    reads: list[float]
    failed: int = 0


def first_round(row: Row, target: Target, firsts: int) -> None:
    """Add the first-token times of one round."""
    seen = load.run(target, Work(tokens=_TOKENS_FIRST, repeat=firsts, pause=_PAUSE, reuse=True))
    row.failed += seen.failed
    row.first_ms.append(seen.first.p50)
    row.p99_ms.append(seen.first.p99)


def cpu_round(row: Row, target: Target, pids: Callable[[], list[int]], streams: int, tokens: int) -> None:
    """Add the CPU per token of one round."""
    before = programs.cpu_seconds(pids())
    seen = load.run(target, Work(streams=streams, tokens=tokens))
    row.failed += seen.failed
    row.cpu_us.append((programs.cpu_seconds(pids()) - before) / max(1, seen.tokens) * _MICRO)
    row.reads.append(seen.reads / max(1, seen.tokens))


def run(options: argparse.Namespace) -> list[Row]:
    """Measure everything; the rows come back in the order direct, nginx, daehwa."""
    rows = [Row(name, [], [], [], []) for name in ("direct", "nginx", "daehwa")]
    no_pids: Callable[[], list[int]] = list
    with (
        programs.mock_upstream(tokens=_TOKENS_FIRST, pace_ms=1) as quick,
        programs.mock_upstream(tokens=options.tokens, pace_ms=10) as paced,
    ):
        with programs.nginx(quick) as (near, _), programs.daehwa(quick) as (page, _):
            targets = [Target("direct", quick), Target("nginx", near), Target("daehwa", page, page=True)]
            for target in targets:
                load.run(target, Work(tokens=_TOKENS_FIRST, repeat=20, reuse=True))
            for number in range(options.rounds):
                print(f"first token, round {number + 1} of {options.rounds}", file=sys.stderr)
                for row, target in zip(rows, targets, strict=True):
                    first_round(row, target, options.firsts)
        with programs.nginx(paced) as (near, nginx), programs.daehwa(paced) as (page, daehwa):
            paced_targets = [
                (Target("direct", paced), no_pids),
                (Target("nginx", near), lambda: programs.process_tree(nginx.pid)),
                (Target("daehwa", page, page=True), lambda: programs.process_tree(daehwa.pid)),
            ]
            for number in range(options.rounds):
                print(f"CPU per token, round {number + 1} of {options.rounds}", file=sys.stderr)
                for row, (target, pids) in zip(rows, paced_targets, strict=True):
                    cpu_round(row, target, pids, options.streams, options.tokens)
    return rows


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--streams", type=int, default=20)
    arguments.add_argument("--tokens", type=int, default=500)
    arguments.add_argument("--firsts", type=int, default=200)
    options = arguments.parse_args()
    programs.compile_bytecode()
    os.sched_setaffinity(0, {programs.CLIENT_CORE})
    rows = run(options)
    direct, near, _ = rows
    print(f"\n{options.rounds} rounds; {options.streams} streams of {options.tokens} tokens at 100 tokens/s")
    print("| | first token p50, ms | added | p99, ms | CPU per token, µs | × nginx | reads per token | failed |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        first, cpu = statistics.median(row.first_ms), statistics.median(row.cpu_us)
        ratios = [mine / his for mine, his in zip(row.cpu_us, near.cpu_us, strict=True) if his]
        spread = f"{min(row.cpu_us):.1f}–{max(row.cpu_us):.1f}"
        print(
            f"| {row.name} | {first:.2f} | {first - statistics.median(direct.first_ms):+.2f} "
            f"| {statistics.median(row.p99_ms):.2f} | {cpu:.1f} ({spread}) | {statistics.median(ratios):.2f} "
            f"| {statistics.mean(row.reads):.2f} | {row.failed} |"
        )


if __name__ == "__main__":
    main()
