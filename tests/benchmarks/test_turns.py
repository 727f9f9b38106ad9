"""What the benchmark asks of a turn of the page, and of whom."""

import load
import programs
import pytest
import turns
from contestants import DAEHWA, DIRECT, NGINX, Contest, Contestant, Served, direct
from load import Load, Target, Work
from results import Bench, Results

PEER = "peer"


def test_turns_are_asked_in_the_pages_dialect_and_only_of_what_they_are_compared_with(
    monkeypatch: pytest.MonkeyPatch, a_load: Load
) -> None:
    asked = list[tuple[str, bool]]()

    def run(target: Target, _work: Work) -> Load:
        asked.append((target.name, target.page))
        return a_load

    def no_upstream(_port: int, **_wanted: object) -> None:
        """There is none whose pace could be set."""

    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(programs, "set_pace", no_upstream)
    running = [Served(name, Target(name, 1)) for name in (DIRECT, NGINX, PEER)]
    running.append(Served(DAEHWA, Target(DAEHWA, 1), page=Target(DAEHWA, 1, page=True)))
    bench = Bench(Results({}), is_quick=False, rounds=5)
    turns.page_turns(bench, Contest({one.name: Contestant(start=direct) for one in running}, 1, running))
    assert set(asked) == {(DIRECT, False), (NGINX, False), (DAEHWA, True)}
    rounds = {
        key: {name: len(values) for name, values in row.values.items()} for key, row in bench.results.rows.items()
    }
    five, three = ({NGINX: times, DAEHWA: times} for times in (5, 3))
    assert rounds == {
        turns.FIRST.key: five,
        turns.FIRST_P99.key: five,
        turns.CPU.key: three,
        turns.READS.key: three,
        turns.SPEED.key: {DIRECT: 3, **three},
    }
