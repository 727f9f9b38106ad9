"""Measures daehwa and its peers in turn in one run, and writes a table, JSON and plots.

    uv run --group bench benchmarks/run.py [--quick] [--without-peers] [--only first,many] [--output FOLDER] [--replace]
    uv run --group bench benchmarks/run.py --check

The peers are installed once, from their packages, into environments of their own that are kept. Every part has a
bounded time; one that fails, and a peer that does not install or start, is said in the table. Linux with two processors
and a C compiler; nginx is the reference where it is installed.
"""

import argparse
import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TypeVar

import calls
import earlier
import embedded
import filled
import goals
import growth
import held
import interpreter
import judge
import lambda_start
import msgspec
import pages
import peers
import plots
import programs
import start
import store_acks
import tables
import turns
import versions
from contestants import BARE, DAEHWA, DIRECT, OURS, Contest, Contestant, served
from results import Bench, Results, about_this_machine, reason
from schedule import Schedule

OVER_ONE_UPSTREAM: Mapping[str, calls.Part] = {
    **calls.PARTS,
    "held": held.streams_held,
    "turns": turns.page_turns,
    "turns_held": held.turns_held,
    "streams": growth.more_streams,
    "judge": judge.as_the_judge_sees_it,
}
ALONE: Mapping[str, Callable[[Bench, Mapping[str, Contestant]], None]] = {
    "start": start.starts,
    "acks": store_acks.acknowledgements,
    "conversations": growth.conversations,
    "messages": growth.messages,
    "embedded": embedded.tokens_a_second,
    "lambda": lambda_start.cold_starts,
}
BESIDE_STARTING_PAGES: Mapping[str, Callable[[Bench, Mapping[str, Contestant]], None]] = {"size": start.sizes}
IN_PAGES: Mapping[str, Callable[[Bench, pages.Pages], None]] = {"visit": pages.first_visits, "page": pages.replies}
PARTS = (*ALONE, *BESIDE_STARTING_PAGES, *IN_PAGES, *OVER_ONE_UPSTREAM)
Given = TypeVar("Given")
QUICK = ("start", "acks", "messages", "first", "few", "many", "turns")
CHECKED = ("first", "many", "whole")


class OutOfTimeError(Exception):
    """A part took longer than its time; no OSError, which parts handle as a contestant's."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfTimeError("it took longer than its time")


@contextlib.contextmanager
def part(bench: Bench, name: str, schedule: Schedule) -> Iterator[None]:
    """Give a part its time: no new round after it, and the end of all some time later; a fault is remarked."""
    began = time.monotonic()
    bench.deadline = began + schedule.patience(name)
    print(schedule.begun(name), flush=True)
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, schedule.last_moment(name), 60)  # again, should a library swallow the first
    try:
        yield
    except Exception as fault:  # noqa: BLE001 - whatever a part meets, the others are measured
        bench.results.remark(f"{name} was not finished: {type(fault).__name__}: {reason(fault)}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        bench.results.seconds[name] = time.monotonic() - began


def measure(bench: Bench, contestants: Mapping[str, Contestant], chosen: Sequence[str]) -> None:
    """Measure the chosen parts: first what runs alone, then the pages, then what is over one upstream."""
    has_peers = any(contestant.is_peer for contestant in contestants.values())
    schedule = Schedule([name for name in PARTS if name in chosen], bench.is_quick, has_peers)
    print(schedule.announced(), flush=True)
    do(bench, schedule, ALONE, contestants)
    if IN_PAGES.keys() & set(schedule.parts):
        with pages.started(bench, contestants) as started:
            do(bench, schedule, BESIDE_STARTING_PAGES, contestants)
            do(bench, schedule, IN_PAGES, started)
    else:
        do(bench, schedule, BESIDE_STARTING_PAGES, contestants)
    together = OVER_ONE_UPSTREAM.keys() & set(schedule.parts)
    able = {name: contestant for name, contestant in contestants.items() if contestant.speaks_openai}
    names = [name for name, contestant in able.items() if together or (contestant.is_peer and "start" in chosen)]
    if not names:
        return
    with programs.mock_upstream(tokens=200, pace_ms=20) as upstream, contextlib.ExitStack() as stack:
        running = stack.enter_context(served(contestants, names, upstream, bench.results))
        contest = Contest(contestants, upstream, running)
        if "start" in chosen:
            start.peers_started(bench, contest)
        for name, measured in OVER_ONE_UPSTREAM.items():
            do(bench, schedule, {name: measured}, contest.of(name))


def do(bench: Bench, schedule: Schedule, parts: Mapping[str, Callable[[Bench, Given], None]], given: Given) -> None:
    """Measure those of these parts that are in the schedule; what is found is kept after each."""
    for name in schedule.parts:
        if name in parts:
            with part(bench, name, schedule):
                parts[name](bench, given)
            bench.keep(bench.results)


def install_beside(chosen: Sequence[str], invited: Collection[str]) -> None:
    """Install what parts need beside the peers, so that it does not take of their time; a part says what failed."""
    wanted = {"lambda": lambda_start.USUAL} | ({"judge": peers.JUDGE} if peers.LITELLM in invited else {})
    for name, package in wanted.items():
        if name in chosen:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                package.install()


def write(results: Results, folder: Path) -> None:
    """Write the table and the JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    for name, content in (("results.json", encoded + b"\n"), ("table.md", tables.markdown(results).encode())):
        unfinished = folder / f"{name}.unfinished"
        unfinished.write_bytes(content)
        unfinished.replace(folder / name)


def check() -> int:
    """Measure daehwa beside the bare relay, quickly; return 1 where a limit is broken twice in a row."""
    found: list[str] = []
    for _ in range(2):
        bench = Bench(Results(about_this_machine()), is_quick=True, rounds=3)
        measure(bench, {name: OURS[name] for name in (DIRECT, BARE, DAEHWA)}, CHECKED)
        print(tables.markdown(bench.results))
        found = goals.faults(bench.results)
        if not found:
            break
    print("\n".join(found) or "Every limit of benchmarks/goals.py is kept.")
    return 1 if found else 0


def options_given() -> argparse.Namespace:
    """Return what was asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="some 3 minutes: 2 rounds of the most telling parts")
    arguments.add_argument("--rounds", type=int, help="5, quick 2")
    arguments.add_argument("--only", help=f"parts, of {', '.join(PARTS)}; quick: {', '.join(QUICK)}")
    arguments.add_argument("--without-peers", action="store_true", help="nor install them")
    arguments.add_argument("--check", action="store_true", help="what CI does: a minute, daehwa beside the bare relay")
    arguments.add_argument("--install", action="store_true", help="install the peers, and measure nothing")
    arguments.add_argument("--names", help="of the contestants to measure beside the direct call alone, between commas")
    arguments.add_argument("--output", type=Path, default=programs.ROOT / "benchmarks" / "results")
    arguments.add_argument("--replace", action="store_true", help="a run in that folder that has more")
    return arguments.parse_args()


def asked_for(options: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
    """Return the parts, and the contestants that were named; end the program where there is no such."""
    chosen = options.only.split(",") if options.only else QUICK if options.quick else PARTS
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    named = options.names.split(",") if options.names else []
    if unknown := set(named) - {*OURS, *peers.PEERS}:
        sys.exit(f"There is no contestant {', '.join(sorted(unknown))}; there are {', '.join((*OURS, *peers.PEERS))}.")
    return chosen, named


def left_out(options: argparse.Namespace, named: Collection[str]) -> list[str]:
    """Return the contestants that the run will not measure."""
    known = OURS if options.without_peers else {**OURS, **peers.PEERS}
    wanted = known.keys() & {DIRECT, *named} if named else known
    return [name for name in (*OURS, *peers.PEERS) if name not in wanted]


def main() -> None:
    """Measure, write, print."""
    options = options_given()
    if options.install:
        absent: dict[str, str] = {}
        print("installed:", ", ".join(peers.install(absent)))
        for package in (peers.JUDGE, lambda_start.USUAL):
            package.install()
        filled.kept()
        print(*(f"{name} {why}" for name, why in absent.items()), sep="\n")
        return
    chosen, named = asked_for(options)
    if lack := programs.lacking():
        sys.exit(lack)
    os.sched_setaffinity(0, {programs.CLIENT_CORE})
    if options.check:
        sys.exit(check())
    if not options.replace and (objection := earlier.objection(options.output, chosen, left_out(options, named))):
        sys.exit(objection)
    programs.compile_bytecode()
    rounds = options.rounds or (2 if options.quick else 5)
    bench = Bench(Results(about_this_machine()), options.quick, rounds)
    bench.keep = functools.partial(write, folder=options.output)
    print(f"Python {bench.results.about['Python']}", flush=True)
    if interpreter.built_with_profile() == "no":
        bench.results.remark(interpreter.SLOW)
    invited = {} if options.without_peers else peers.install(bench.results.absent)
    install_beside(chosen, invited)
    known = {**OURS, **invited}
    names = [DIRECT, *named] if named else list(known)
    found = versions.versions(names)
    bench.results.about["versions"] = "; ".join(f"{name} {version}" for name, version in found.items())
    if "conversations" in chosen and not options.quick:
        filled.kept()
    try:
        measure(bench, {name: known[name] for name in names if name in known}, chosen)
    except KeyboardInterrupt:
        bench.results.remark("the run was broken off: what is not here was not measured")
    write(bench.results, options.output)
    plots.draw(bench.results, options.output)
    print(f"\n{tables.markdown(bench.results)}\nwritten to {options.output}")


if __name__ == "__main__":
    main()
