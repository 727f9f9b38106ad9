"""Parts of `run.py`: what a call through `/v1` costs beside the direct call, nginx, two relays in Python, and peers.

All of them run over one upstream and are measured in turn (direct, nginx, …, daehwa, …, direct, …). daehwa checks a key
and budgets, counts usage and writes each call to its ledger on disk; nginx and the bare relay pass bytes on. Server on
one processor, upstream and client on the other. Every word of every stream is checked by the client: what lost one is
remarked. A peer is slow to measure and takes part in the first round and the third.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence

import load
import programs
from contestants import DIRECT, Contest, Contestant, Served
from load import Load, Times, Work
from results import Bench, Measure, reason

SECTION = "A streamed call through /v1"
FIRST = Measure("first", SECTION, "first token, added to the direct call, p50, ms", 2)
FIRST_P99 = Measure("first_p99", SECTION, "… p99, ms", 2)
FEW = Measure("cpu_few", SECTION, "CPU a chunk, 10 streams at 50/s, µs")
MANY = Measure("cpu", SECTION, "CPU a chunk, 200 streams at 50/s, µs")
GAP = Measure("gap_p99", SECTION, "gap between chunks, 10 streams, p99 beyond the 20 ms of the pace, ms", 2)
GAP_MANY = Measure("gap_p99_many", SECTION, "gap, 200 streams, p99 beyond the pace, ms", 2)
BY_CPU = Measure("by_cpu", SECTION, "streams of 50/s that a processor would hold, by CPU alone", 0, more=True)
FULL = Measure("full_speed", SECTION, "chunks a second, upstream at full speed", 0, more=True)
WHOLE = Measure("whole", SECTION, "whole answers a second, 16 connections", 0, more=True)

PACE_MS = 20.0
_TOKENS_FIRST = 5
_FEW, _MANY = 10, 200
_ROUNDS_OF_FEW = 3
_MICRO = 1_000_000


def ask(bench: Bench, one: Served, what: str, work: Work) -> Load | None:
    """Do the work; remark what did not come whole, and return None where nothing did."""
    try:
        seen = load.run(one.target, work)
    except subprocess.SubprocessError as problem:
        bench.results.remark(f"{one.name}, {what}: {reason(problem)}")
        return None
    unfinished = seen.unfinished if work.repeat else 0  # who asks until the time is over is always broken off
    if seen.failed or unfinished:
        kinds = f"{seen.refused} refused, {seen.wrong} wrong, {unfinished} unfinished"
        answers = "answers" if work.whole else "streams"
        bench.results.remark(f"{one.name}, {what}: {seen.failed + unfinished} {answers} not whole ({kinds})")
    return seen if seen.whole else None


def takes_part(contestant: Contestant, number: int) -> bool:
    """Whether it is measured in this round."""
    return not contestant.is_peer or number in {0, 2}


def in_turn(
    bench: Bench, title: str, contest: Contest, running: Sequence[Served], most: int | None = None
) -> Iterator[Served]:
    """Yield one after the other, and all of that several times."""
    for number in bench.in_rounds(title, most):
        for one in running:
            if takes_part(contest.contestants[one.name], number):
                yield one


def able_to_stream(bench: Bench, contest: Contest, running: Sequence[Served]) -> list[Served]:
    """Return those who can stream at all, warm; the upstream's pace is then a quick one."""
    programs.set_pace(contest.upstream, pace_ms=1, tokens=_TOKENS_FIRST)
    work = Work(tokens=_TOKENS_FIRST, repeat=20, reuse=True, seconds=20)
    return [one for one in running if ask(bench, one, "a stream", work) is not None]


def first_tokens(bench: Bench, contest: Contest) -> None:
    """One stream at a time, on a kept connection, 10 ms apart. Of a peer's 25 calls the p99 is the slowest."""
    straight: Times | None = None
    able = able_to_stream(bench, contest, contest.running)
    for one in in_turn(bench, "first token", contest, able):
        times = (50 if bench.is_quick else 100) // (4 if contest.contestants[one.name].is_peer else 1)
        work = Work(tokens=_TOKENS_FIRST, repeat=times, pause=0.01, reuse=True, seconds=20)
        seen = ask(bench, one, "first token", work)
        straight = beyond_direct(bench, one, seen, straight, (FIRST, FIRST_P99))


def beyond_direct(
    bench: Bench, one: Served, seen: Load | None, straight: Times | None, measures: tuple[Measure, Measure]
) -> Times | None:
    """Add what the first token took beyond this round's direct call; return the direct call's times.

    Where the direct call brought nothing, nothing is added: a whole time would stand where an added one shall.
    """
    times = seen.first if seen is not None else None
    if one.name == DIRECT:
        return times
    if times is not None and straight is not None:
        middle, high = measures
        bench.results.add(middle, one.name, times.p50 - straight.p50)
        bench.results.add(high, one.name, times.p99 - straight.p99)
    return straight


def _cpu(bench: Bench, one: Served, streams: int, tokens: int) -> tuple[float, float] | None:
    """Return microseconds a chunk and the p99 gap beyond the pace; None where nothing came."""
    before = one.cpu()
    seen = ask(bench, one, f"{streams} streams", Work(streams=streams, tokens=tokens, ramp=streams / 200, seconds=40))
    if seen is None:
        return None
    return (one.cpu() - before) / max(1, seen.tokens) * _MICRO, seen.gap.p99 - PACE_MS


def few_streams(bench: Bench, contest: Contest) -> None:
    """Ten paced streams, which every one of them holds; a chunk is a token that the client got."""
    _paced(bench, contest, contest.running, _FEW, _ROUNDS_OF_FEW)


def many_streams(bench: Bench, contest: Contest) -> None:
    """Two hundred paced streams, for those who hold them."""
    strong = [one for one in contest.running if contest.contestants[one.name].streams >= _MANY]
    _paced(bench, contest, strong, _MANY)


def _paced(bench: Bench, contest: Contest, running: Sequence[Served], streams: int, most: int | None = None) -> None:
    cpu, gap = (FEW, GAP) if streams == _FEW else (MANY, GAP_MANY)
    able = able_to_stream(bench, contest, running)
    programs.set_pace(contest.upstream, pace_ms=PACE_MS, tokens=200)
    for one in in_turn(bench, f"CPU a chunk, {streams} streams", contest, able, most):
        found = _cpu(bench, one, streams, 50 if bench.is_quick and streams == _FEW else 100)
        if found is not None:
            if one.name != DIRECT:
                bench.results.add(cpu, one.name, found[0])
                if streams == _MANY:  # a chunk of few streams costs more, so both make no comparison
                    bench.results.add(BY_CPU, one.name, PACE_MS / 1000 * _MICRO / found[0])
            bench.results.add(gap, one.name, found[1])


def full_speed(bench: Bench, contest: Contest) -> None:
    """Sixteen streams whose upstream waits for nothing."""
    programs.set_pace(contest.upstream, pace_ms=0, tokens=200)
    for one in in_turn(bench, "chunks a second", contest, contest.running):
        repeat = 20 if contest.contestants[one.name].streams >= _MANY else 1
        at_full_speed(bench, one, FULL, Work(streams=16, tokens=200, repeat=repeat, ramp=0, reuse=True, seconds=20))


def at_full_speed(bench: Bench, one: Served, measure: Measure, work: Work) -> None:
    """Add how many tokens a second come."""
    seen = ask(bench, one, "full speed", work)
    if seen is not None:
        bench.results.add(measure, one.name, seen.tokens / seen.seconds)


def whole_answers(bench: Bench, contest: Contest) -> None:
    """Whole answers as fast as they come, over 16 connections; of peers for longer, since those at the end are lost."""
    programs.set_pace(contest.upstream, pace_ms=0, tokens=5)
    for one in in_turn(bench, "whole answers", contest, contest.running):
        seconds = 4 if contest.contestants[one.name].is_peer else 1
        work = Work(streams=16, whole=True, reuse=True, repeat=0, ramp=0, seconds=seconds)
        seen = ask(bench, one, "whole answers", work)
        if seen is not None:
            bench.results.add(WHOLE, one.name, seen.whole / seen.seconds)


Part = Callable[[Bench, Contest], None]
PARTS: Mapping[str, Part] = {
    "first": first_tokens,
    "few": few_streams,
    "many": many_streams,
    "full": full_speed,
    "whole": whole_answers,
}
