"""Parts of `run.py`: how many paced streams each holds, relayed through `/v1`, and as stored turns of daehwa's page.

A gap at the 99th percentile may be half as long again as it is by design. Relayed, a token comes each 20 ms: 30 ms. The
page's turns, where there are twenty or more, gather for 50 ms what goes out as one frame: 75 ms, and no token waits
longer than the gap that it ends.

The search begins where a contestant is known to be, goes away from there by ever larger steps, then by halves between
what was held and what was not. Streams begin slowly where Python relays them, since a beginning costs as
much as a hundred chunks, and gaps count only while all of them are open. Then the client leaves: held is what brought
no wrong word, all of them open at the end, and nearly as many tokens as were due. What fails is tried once more: one
disturbance of a shared machine is enough for a gap; what failed by far is not. A turn goes on when its client leaves,
so the next probe waits until those of the last are over, which the upstream hurries.
"""

import math
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import load
import programs
import turns
from calls import PACE_MS, SECTION, able_to_stream, in_turn
from contestants import BARE, DAEHWA, DAEHWA_UVLOOP, DIRECT, NAIVE, NGINX, Contest, Served
from load import Load, Work
from peers import LITELLM, OPEN_WEBUI
from results import Bench, Measure

HELD = Measure("held", SECTION, "streams of 50/s held, at least; p99 gap ≤ 30 ms, no word lost", 0, more=True)
TURNS_HELD = Measure(
    "turns_held",
    turns.SECTION,
    "streams of 50/s held, at least; p99 gap ≤ 75 ms (a frame gathers 50), no word lost",
    0,
    more=True,
)

STEPS = (2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 750, 900, 1000)
BEGINNINGS: Mapping[str, int] = {
    DIRECT: 1000,
    NGINX: 1000,
    BARE: 400,
    NAIVE: 75,
    DAEHWA: 500,
    DAEHWA_UVLOOP: 500,
    LITELLM: 20,
    OPEN_WEBUI: 150,
}
TURNS_BEGINNINGS: Mapping[str, int] = {DIRECT: 1000, NGINX: 1000, DAEHWA: 750, DAEHWA_UVLOOP: 750}
_OTHERS_BEGINNING = 10
_LONGEST_TURNS_GAP_MS = 75.0
_PROBES = 3
_BEGUN_A_SECOND: Mapping[str, int] = {DIRECT: 400, NGINX: 200}
_PYTHONS_BEGUN_A_SECOND, _TURNS_BEGUN_A_SECOND = 100, 75
_HURRIED_MS = 1.0
_STILL_SECONDS, _STILL_LOOKS, _STILL_PART, _STILL_AT_LAST_SECONDS = 0.2, 2, 0.005, 15
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


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched for, by which gap, from where, and how many streams begin a second where Python makes them."""

    measure: Measure
    title: str
    longest_gap_ms: float
    beginnings: Mapping[str, int]
    begun_a_second: int

    def ramp(self, name: str, streams: int) -> int:
        """Return in how many seconds so many streams of this contestant begin."""
        return math.ceil(streams / _BEGUN_A_SECOND.get(name, self.begun_a_second))

    def due(self, name: str, streams: int) -> float:
        """Return how many tokens come in a probe where nothing is late."""
        return streams * (self.ramp(name, streams) / 2 + _TOGETHER_SECONDS) * 1000 / PACE_MS


STREAMS = Search(
    measure=HELD,
    title="streams held",
    longest_gap_ms=1.5 * PACE_MS,
    beginnings=BEGINNINGS,
    begun_a_second=_PYTHONS_BEGUN_A_SECOND,
)
TURNS = Search(
    measure=TURNS_HELD,
    title="turns held",
    longest_gap_ms=_LONGEST_TURNS_GAP_MS,
    beginnings=TURNS_BEGINNINGS,
    begun_a_second=_TURNS_BEGUN_A_SECOND,
)


def streams_held(bench: Bench, contest: Contest) -> None:
    """Search for the most that each holds; the direct call shows what upstream and client can."""
    _search(bench, contest, able_to_stream(bench, contest, contest.running), STREAMS)


def turns_held(bench: Bench, contest: Contest) -> None:
    """Search for the most turns of its page that daehwa holds, stored as they grow, beside the same streams relayed."""
    _search(bench, contest, able_to_stream(bench, contest, turns.with_pages(contest)), TURNS)


def _search(bench: Bench, contest: Contest, able: Sequence[Served], search: Search) -> None:
    for one in in_turn(bench, search.title, contest, able, 1):
        holds = partial(_holds, contest.upstream, search, one)
        found = most_held(holds, search.beginnings.get(one.name, _OTHERS_BEGINNING), _PROBES)
        print(f"    {one.name}: {found.most}", flush=True)
        if found.most:
            bench.results.add(search.measure, one.name, found.most)
        else:
            bench.results.remark(f"{one.name}, {search.title}: nothing that was tried was held")
        if doubt := found.doubt():
            bench.results.remark(f"{one.name}, {search.title}: {doubt}")
        if one.name == DIRECT and found.most < STEPS[-1]:
            bench.results.remark(
                f"the direct call held {found.most} of {STEPS[-1]}: the machine was too busy to tell by this"
            )
        bench.keep(bench.results)


def most_held(holds: Callable[[int], bool], begin: int, probes: int) -> Held:
    """Return the highest of the steps that was seen to be held, in so many probes, and one more where none was."""
    low, high = -1, len(STEPS)
    at, stride = next(place for place, step in enumerate(STEPS) if step >= begin), 1
    for number in range(probes + 1):
        if number == probes and low >= 0:
            break
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


def _holds(upstream: int, search: Search, one: Served, streams: int) -> bool:
    for _ in range(2):
        seen = probe(upstream, search, one, streams)
        if seen is None or seen.failed or seen.open < streams or seen.gap.p99 > 2 * search.longest_gap_ms:
            return False
        if seen.gap.p99 <= search.longest_gap_ms and seen.tokens >= _LEAST_PART * search.due(one.name, streams):
            return True
    return False


def probe(upstream: int, search: Search, one: Served, streams: int) -> Load | None:
    """Open so many streams, slowly, and keep them open together for a while."""
    ramp = search.ramp(one.name, streams)
    seconds = ramp + _TOGETHER_SECONDS
    tokens = int((seconds + _SLACK_SECONDS) * 1000 / PACE_MS)
    programs.set_pace(upstream, pace_ms=PACE_MS, tokens=tokens)
    work = Work(streams=streams, tokens=tokens, ramp=ramp, seconds=seconds, all_open=True)
    try:
        return load.run(one.target, work)
    except subprocess.SubprocessError:
        return None
    finally:
        if one.target.page:
            _let_turns_end(upstream, one, tokens)


def _let_turns_end(upstream: int, one: Served, tokens: int) -> None:
    """Hurry the turns that nobody reads any more, and return once they are over: then the server does nothing."""
    programs.set_pace(upstream, pace_ms=_HURRIED_MS, tokens=tokens)
    deadline = time.monotonic() + _STILL_AT_LAST_SECONDS
    spent, still = one.cpu(), 0
    while time.monotonic() < deadline and still < _STILL_LOOKS:  # it may wait for a disk, and then go on
        time.sleep(_STILL_SECONDS)
        before, spent = spent, one.cpu()
        still = still + 1 if spent - before < _STILL_PART * _STILL_SECONDS else 0
