"""How the benchmark looks for what is held: by which gap, how often, and with nothing left of the turns before."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import held
import load
import msgspec
import programs
import pytest
from contestants import DAEHWA, Contest, Contestant, Served, direct
from held import STREAMS, TURNS, Search
from load import Load, Target, Work
from results import Bench, Results

SECONDS_TOGETHER, TOKENS_A_SECOND = 2, 50
Probes = list[int]


@pytest.fixture
def a_machine(monkeypatch: pytest.MonkeyPatch, a_load: Load) -> Callable[[float, float], Probes]:
    """Return what makes the client see this gap, and so large a part of the tokens; the probes are noted."""

    def no_upstream(_port: int, **_wanted: object) -> None:
        """There is none whose pace could be set."""

    def of(gap_ms: float, delivered: float) -> Probes:
        probes = Probes()

        def run(_target: Target, work: Work) -> Load:
            if work.repeat == 1:  # else a warm-up
                probes.append(work.streams)
            due = work.streams * (work.ramp / 2 + SECONDS_TOGETHER) * TOKENS_A_SECOND
            gap = msgspec.structs.replace(a_load.gap, p99=gap_ms)
            return msgspec.structs.replace(a_load, open=work.streams, tokens=round(delivered * due), gap=gap)

        monkeypatch.setattr(load, "run", run)
        return probes

    monkeypatch.setattr(programs, "set_pace", no_upstream)
    return of


@pytest.mark.parametrize(
    ("search", "gap_ms", "delivered", "found", "probed"),
    [
        (STREAMS, 30.0, 1.0, [900], [500, 600, 900]),
        (STREAMS, 30.1, 1.0, [], [500, 500, 450, 450, 350, 350, 150, 150]),
        (STREAMS, 60.1, 1.0, [], [500, 450, 350, 150]),
        (TURNS, 75.0, 0.951, [1000], [750, 900, 1000]),
        (TURNS, 75.1, 1.0, [], [750, 750, 600, 600, 450, 450, 250, 250]),
        (TURNS, 75.0, 0.949, [], [750, 750, 600, 600, 450, 450, 250, 250]),
    ],
)
def test_a_gap_may_be_half_as_long_again_as_a_relays_pace_or_a_pages_frame_is(
    a_machine: Callable[[float, float], Probes],
    search: Search,
    gap_ms: float,
    delivered: float,
    found: list[float],
    probed: Probes,
) -> None:
    probes = a_machine(gap_ms, delivered)
    one = Served(DAEHWA, Target(DAEHWA, 1), page=Target(DAEHWA, 1, page=True))
    bench = Bench(Results({}), is_quick=False, rounds=5)
    part = held.streams_held if search is STREAMS else held.turns_held
    part(bench, Contest({DAEHWA: Contestant(start=direct)}, 1, [one]))
    assert bench.results.values(search.measure.key, DAEHWA) == found
    assert probes == probed
    nothing = f"daehwa, {search.title}: nothing that was tried was held"
    assert (nothing in bench.results.remarks) is not bool(found)


@pytest.mark.parametrize("search", [STREAMS, TURNS])
def test_the_name_of_the_measure_says_which_gap_is_held_to(search: Search) -> None:
    assert f"p99 gap ≤ {search.longest_gap_ms:g} ms" in search.measure.title


def asked(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.skipif(programs.lacking() is not None, reason="it needs what the benchmark needs")
def test_no_turn_of_a_probe_goes_on_beside_the_next_one() -> None:
    with programs.mock_upstream(tokens=200, pace_ms=20) as upstream, programs.daehwa(upstream) as running:
        page = Target(DAEHWA, running.port, page=True)
        seen = held.probe(upstream, TURNS, Served(DAEHWA, page, running), 5)
        assert seen is not None
        assert (seen.open, seen.failed) == (5, 0)
        conversations = asked(running.port, "conversations")["conversations"]
        messages = [asked(running.port, f"conversations/{one['id']}")["messages"] for one in conversations]
    assert [[message["status"] for message in each] for each in messages] == [["complete", "complete"]] * 5
