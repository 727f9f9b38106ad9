"""A part of `run.py`: how many paced streams each holds, with a gap of 30 ms at most at the 99th percentile.

The search begins where a contestant is known to be, goes away from there by ever larger steps, then by halves between
what was held and what was not. Streams begin slowly where Python relays them, since a beginning costs as
much as a hundred chunks, and gaps count only while all of them are open. Then the client leaves: held is what brought
no wrong word, all of them open at the end, and nearly as many tokens as were due. What fails is tried once more: one
disturbance of a shared machine is enough for a gap; what failed by far is not.
"""

import math
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import load
import programs
from calls import PACE_MS, SECTION, able_to_stream, in_turn
from contestants import BARE, DAEHWA, DAEHWA_UVLOOP, DIRECT, NAIVE, NGINX, Contest, Served
from load import Load, Work
from peers import LITELLM, OPEN_WEBUI
from results import Bench, Measure

HELD = Measure("held", SECTION, "streams of 50/s held, at least; p99 gap ≤ 30 ms, no word lost", 0, more=True)

LONGEST_GAP_MS = 1.5 * PACE_MS
STEPS = (2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 750, 900, 1000)
BEGINNINGS: Mapping[str, int] = {
    DIRECT: 1000,
    NGINX: 750,
    BARE: 250,
    NAIVE: 75,
    DAEHWA: 250,
    DAEHWA_UVLOOP: 400,
    LITELLM: 20,
    OPEN_WEBUI: 100,
}
_OTHERS_BEGINNING = 10
_PROBES = 4
_BEGUN_A_SECOND: Mapping[str, int] = {DIRECT: 400, NGINX: 200}
_PYTHONS_BEGUN_A_SECOND = 100
_TOGETHER_SECONDS, _SLACK_SECONDS = 2, 2
_LEAST_PART = 0.95


class Held(NamedTuple):
    """The most that was seen to be held, 0 for nothing, and the least above it that was not, if any was tried."""

    most: int
    too_many: int | None

    def doubt(self) -> str | None:
        """Say what lies above and was not tried; None where the next step was, or there is none."""
        above = STEPS[STEPS.index(self.most) + 1 :] if self.most else ()
        if not above or above[0] == self.too_many:
            return None
        if self.too_many is None:
            return f"at least {self.most}, more was not tried"
        return f"at least {self.most}, {self.too_many} were too many, nothing between was tried"


def streams_held(bench: Bench, contest: Contest) -> None:
    """Search for the most that each holds; the direct call shows what upstream and client can."""
    able = able_to_stream(bench, contest, contest.running)
    programs.set_pace(contest.upstream, pace_ms=PACE_MS, tokens=1000)
    for one in in_turn(bench, "streams held", contest, able, 1):
        found = most_held(partial(_holds, one), BEGINNINGS.get(one.name, _OTHERS_BEGINNING), _PROBES)
        print(f"    {one.name}: {found.most}", flush=True)
        if found.most:
            bench.results.add(HELD, one.name, found.most)
        else:
            bench.results.remark(f"{one.name}, streams held: nothing that was tried was held")
        if doubt := found.doubt():
            bench.results.remark(f"{one.name}, streams held: {doubt}")
        if one.name == DIRECT and found.most < STEPS[-1]:
            bench.results.remark(
                f"the direct call held {found.most} of {STEPS[-1]}: the machine was too busy to tell by this"
            )
        bench.keep(bench.results)


def most_held(holds: Callable[[int], bool], begin: int, probes: int) -> Held:
    """Return the highest of the steps that was seen to be held, in so many probes."""
    low, high = -1, len(STEPS)
    at, stride = next(place for place, step in enumerate(STEPS) if step >= begin), 1
    for _ in range(probes):
        if holds(STEPS[at]):
            low = at
        else:
            high = at
        if high - low <= 1:
            break
        if low >= 0 and high < len(STEPS):
            at = (low + high) // 2
        else:
            at = min(low + stride, len(STEPS) - 1) if low >= 0 else max(high - stride, 0)
            stride *= 2
    return Held(STEPS[low] if low >= 0 else 0, STEPS[high] if high < len(STEPS) else None)


def _holds(one: Served, streams: int) -> bool:
    for _ in range(2):
        seen = _probe(one, streams)
        if seen is None or seen.failed or seen.open < streams or seen.gap.p99 > 2 * LONGEST_GAP_MS:
            return False
        if seen.gap.p99 <= LONGEST_GAP_MS and seen.tokens >= _LEAST_PART * _due(one, streams):
            return True
    return False


def _probe(one: Served, streams: int) -> Load | None:
    """Open so many streams, slowly, and keep them open together for a while."""
    ramp = _ramp(one, streams)
    seconds = ramp + _TOGETHER_SECONDS
    tokens = int((seconds + _SLACK_SECONDS) * 1000 / PACE_MS)
    work = Work(streams=streams, tokens=tokens, ramp=ramp, seconds=seconds, all_open=True)
    try:
        return load.run(one.target, work)
    except subprocess.SubprocessError:
        return None


def _ramp(one: Served, streams: int) -> int:
    return math.ceil(streams / _BEGUN_A_SECOND.get(one.name, _PYTHONS_BEGUN_A_SECOND))


def _due(one: Served, streams: int) -> float:
    """Return how many tokens come in a probe where nothing is late."""
    return streams * (_ramp(one, streams) / 2 + _TOGETHER_SECONDS) * 1000 / PACE_MS
