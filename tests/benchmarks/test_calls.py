"""What the benchmark makes of the streams of a call: what is added to the direct call, and what is compared at all."""

from collections.abc import Mapping

import calls
import embedded
import load
import msgspec
import programs
import pytest
from contestants import DAEHWA, DIRECT, Contest, Contestant, Served, direct
from load import Load, Target, Times, Work
from results import Bench, Results

from daehwa.providers.embedded import SMALL_MODEL_BODY

PEER = "peer"


def contest(*names: str) -> Contest:
    contestants = {name: Contestant(start=direct, streams=10 if name == PEER else 200) for name in names}
    return Contest(contestants, 1, [Served(name, Target(name, 1)) for name in names])


@pytest.fixture
def firsts(monkeypatch: pytest.MonkeyPatch, a_load: Load) -> dict[str, list[float | None]]:
    """Let the client say these times to the first token, one a round; None where nothing came whole."""
    told: dict[str, list[float | None]] = {}

    def run(target: Target, work: Work) -> Load:
        if work.pause == 0:  # a warm-up
            return a_load
        first = told[target.name].pop(0)
        took = first or 0.0
        return msgspec.structs.replace(a_load, first=Times(1, took, took, took, took), whole=int(first is not None))

    def no_upstream(_port: int, **_wanted: object) -> None:
        """There is none whose pace could be set."""

    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(programs, "set_pace", no_upstream)
    return told


def measured(one: Contest, rounds: int) -> Mapping[str, list[float]]:
    bench = Bench(Results({}), is_quick=True, rounds=rounds)
    calls.first_tokens(bench, one)
    row = bench.results.rows.get(calls.FIRST.key)
    return row.values if row else {}


def test_a_first_token_is_what_it_takes_beyond_the_direct_call_of_its_round(
    firsts: dict[str, list[float | None]],
) -> None:
    firsts |= {DIRECT: [1.0, 2.0], DAEHWA: [3.0, 5.0]}
    assert measured(contest(DIRECT, DAEHWA), 2) == {DAEHWA: [2.0, 3.0]}


def test_without_a_direct_call_in_its_round_no_first_token_counts_as_added(
    firsts: dict[str, list[float | None]],
) -> None:
    firsts |= {DIRECT: [None, 2.0, None], DAEHWA: [3.0, 5.0, 7.0]}
    assert measured(contest(DIRECT, DAEHWA), 3) == {DAEHWA: [3.0]}
    firsts |= {DAEHWA: [3.0]}
    assert measured(contest(DAEHWA), 1) == {}


def test_answers_that_failed_are_remarked_and_those_broken_off_at_the_end_are_not(
    monkeypatch: pytest.MonkeyPatch, a_load: Load
) -> None:
    def run(_target: Target, _work: Work) -> Load:
        return msgspec.structs.replace(a_load, failed=3, refused=2, wrong=1, unfinished=16)

    monkeypatch.setattr(load, "run", run)
    bench = Bench(Results({}), is_quick=True, rounds=1)
    for one in contest(DAEHWA).running:
        calls.ask(bench, one, "whole answers", Work(whole=True, repeat=0))
        calls.ask(bench, one, "streams", Work(repeat=2))
    assert bench.results.remarks == [
        "daehwa, whole answers: 3 answers not whole (2 refused, 1 wrong, 0 unfinished)",
        "daehwa, streams: 19 streams not whole (2 refused, 1 wrong, 16 unfinished)",
    ]


def test_who_is_measured_in_some_parts_takes_part_in_no_other() -> None:
    one = contest(DIRECT, DAEHWA)
    some = Contestant(start=direct, parts=("first",))
    chosen = Contest({**one.contestants, DAEHWA: some}, one.upstream, one.running)
    assert [served.name for served in chosen.of("first").running] == [DIRECT, DAEHWA]
    assert [served.name for served in chosen.of("held").running] == [DIRECT]


def test_what_a_processor_would_hold_is_told_of_the_same_load_alone(
    firsts: dict[str, list[float | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert firsts == {}

    def as_dear(_bench: Bench, _one: Served, _streams: int, _tokens: int) -> tuple[float, float]:
        return 50.0, 1.0

    monkeypatch.setattr(calls, "_cpu", as_dear)
    bench = Bench(Results({}), is_quick=True, rounds=1)
    for part in (calls.few_streams, calls.many_streams):
        part(bench, contest(DAEHWA, PEER))
    assert bench.results.rows[calls.BY_CPU.key].values == {DAEHWA: [400.0]}
    assert bench.results.rows[calls.FEW.key].values == {DAEHWA: [50.0], PEER: [50.0]}


def test_the_embedded_model_is_asked_alone_what_daehwa_asks_it() -> None:
    asked = embedded.question("model")
    assert asked["temperature"] == 0
    assert asked == {**SMALL_MODEL_BODY, **asked}
    assert asked.keys() > SMALL_MODEL_BODY.keys()
