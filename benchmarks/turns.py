"""A part of `run.py`: what a turn of daehwa's own page costs, stored on disk as it grows, beside the same from nginx.

In turn (direct, nginx, daehwa, direct, …): the first token added over the direct call with one stream at a time, 20 ms
apart, so that daehwa has named the conversation before; then CPU per streamed token at 100 tokens/s; then tokens a
second where the upstream waits for nothing, of 64 turns at once: each waits 50 ms for what its second frame gathers, so
16 of them left the processor idle. daehwa checks the budgets, stores every turn with `synchronous=FULL` and names each
conversation by a further call. How many such turns it holds is `held.py`'s to find.
"""

from collections.abc import Sequence
from dataclasses import replace

import programs
from calls import able_to_stream, ask, at_full_speed, beyond_direct, in_turn
from contestants import DAEHWA, DAEHWA_UVLOOP, DIRECT, NGINX, Contest, Served
from load import Times, Work
from results import Bench, Measure

SECTION = "A turn of the page, stored"
FIRST = Measure("turn_first", SECTION, "first token, added to the direct call, p50, ms", 2)
FIRST_P99 = Measure("turn_first_p99", SECTION, "… p99, ms", 2)
CPU = Measure("turn_cpu", SECTION, "CPU a token, 20 streams of 500 at 100/s, µs")
READS = Measure("turn_reads", SECTION, "reads in which a token reaches the client", 2)
SPEED = Measure("turn_speed", SECTION, "tokens a second, 64 turns of 200 at once, upstream at full speed", 0, more=True)

_TOKENS_FIRST = 5
_TOKENS = 500
_TOKENS_AT_ONCE = 200
_STREAMS = 20
_PACE_MS = 10
_ROUNDS = 3
_MICRO = 1_000_000


def as_page(one: Served) -> Served:
    """Ask it in its page's dialect, if it has one that the client speaks."""
    return one if one.page is None else replace(one, target=one.page)


def with_pages(contest: Contest) -> list[Served]:
    """Return daehwa, asked in its page's dialect, and what it is compared with."""
    return [as_page(one) for one in contest.running if one.name in {DIRECT, NGINX, DAEHWA, DAEHWA_UVLOOP}]


def page_turns(bench: Bench, contest: Contest) -> None:
    """Measure all three."""
    chosen = able_to_stream(bench, contest, with_pages(contest))
    _first_tokens(bench, contest, chosen)
    _cpu(bench, contest, chosen)
    _full_speed(bench, contest, chosen)


def _first_tokens(bench: Bench, contest: Contest, chosen: Sequence[Served]) -> None:
    straight: Times | None = None
    for one in in_turn(bench, "first token of a turn", contest, chosen):
        work = Work(tokens=_TOKENS_FIRST, repeat=50, pause=0.02, reuse=True, seconds=30)
        seen = ask(bench, one, "first token of a turn", work)
        straight = beyond_direct(bench, one, seen, straight, (FIRST, FIRST_P99))


def _cpu(bench: Bench, contest: Contest, chosen: Sequence[Served]) -> None:
    programs.set_pace(contest.upstream, pace_ms=_PACE_MS, tokens=_TOKENS)
    for one in in_turn(bench, "CPU a token of turns", contest, chosen, _ROUNDS):
        if one.name == DIRECT:
            continue
        before = one.cpu()
        seen = ask(bench, one, "turns", Work(streams=_STREAMS, tokens=_TOKENS, seconds=40))
        if seen is not None:
            bench.results.add(CPU, one.name, (one.cpu() - before) / max(1, seen.tokens) * _MICRO)
            bench.results.add(READS, one.name, seen.reads / max(1, seen.tokens))


def _full_speed(bench: Bench, contest: Contest, chosen: Sequence[Served]) -> None:
    programs.set_pace(contest.upstream, pace_ms=0, tokens=_TOKENS_AT_ONCE)
    for one in in_turn(bench, "tokens of turns a second", contest, chosen, _ROUNDS):
        at_full_speed(
            bench, one, SPEED, Work(streams=64, tokens=_TOKENS_AT_ONCE, repeat=10, ramp=0, reuse=True, seconds=20)
        )
