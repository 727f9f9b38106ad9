"""What the benchmark makes of the values that it measured."""

import subprocess
import sys
from pathlib import Path

import held
import msgspec
import plots
import pytest
import tables
from calls import FIRST, MANY
from goals import GOALS, faults
from growth import LIST
from lambda_start import ASKED_CLOCK, CLOCK, USUAL_NAME
from results import Measure, Results, reason, spread
from run import PARTS, QUICK
from schedule import FULL, Schedule

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

CPU = Measure("cpu", "A call", "CPU, µs")
HELD = Measure("held", "A call", "streams held", 0, more=True)


def results() -> Results:
    found = Results({"date": "today"})
    for nginx, daehwa in ((10.0, 15.0), (20.0, 20.0), (10.0, 14.0)):
        found.add(CPU, "nginx", nginx)
        found.add(CPU, "daehwa", daehwa)
    found.add(CPU, "peer", 280.0)
    found.add(HELD, "daehwa", 800)
    found.absent["other peer"] = "did not start: no 200"
    return found


def test_a_ratio_is_the_median_of_the_rounds_and_of_medians_where_rounds_are_missing() -> None:
    assert results().ratio("cpu", "daehwa", "nginx") == 1.4
    assert results().ratio("cpu", "peer", "daehwa") == pytest.approx(280 / 15)
    assert results().ratio("cpu", "daehwa", "absent") is None
    assert results().ratio("nothing", "daehwa", "nginx") is None


def test_a_goal_is_missed_reached_or_exceeded() -> None:
    verdicts = {
        goal.title: goal.verdict(measured) for goal in GOALS if (measured := goal.read(results(), "daehwa")) is not None
    }
    assert verdicts == {"CPU a chunk, 200 streams, to nginx": "moonshot", "streams held": "moonshot"}
    held = next(goal for goal in GOALS if goal.title == "streams held")
    assert (held.verdict(499), held.verdict(500)) == ("**missed**", "reached")


def test_a_start_on_lambda_is_held_to_the_less_flattering_of_both_figures() -> None:
    goal = next(goal for goal in GOALS if goal.title.startswith("start on Lambda"))
    found = Results({})
    assert goal.read(found, "daehwa") is None
    for measure, ours, usual in ((CLOCK, 100, 700), (ASKED_CLOCK, 200, 800)):
        found.add(measure, "daehwa", ours)
        found.add(measure, USUAL_NAME, usual)
    assert goal.read(found, "daehwa") == 4


def test_a_limit_is_broken_where_too_much_is_taken_and_where_nothing_was_measured() -> None:
    found = Results({})
    for measure, bare, daehwa in ((FIRST, 1.0, 2.9), (MANY, 50.0, 101.0)):
        found.add(measure, "bare relay", bare)
        found.add(measure, "daehwa", daehwa)
    assert faults(found) == [
        "CPU a chunk, 200 streams: 2.02 times the bare relay's, and at most 2 is wanted",
        "whole answers a second: not measured",
    ]


def test_the_table_has_every_contestant_with_its_range_and_ratio_and_says_who_is_absent() -> None:
    table = tables.markdown(results())
    assert "what has none was measured once" in table
    assert "| **daehwa** | 15.0 (14.0–20.0) | 800 |" in table
    assert "| nginx | 10.0 (10.0–20.0); 0.71 × | – |" in table
    assert "| peer | 280.0; 19 × | – |" in table
    assert "| other peer (did not start: no 200) | – | – |" in table


def test_a_curve_says_how_much_more_the_largest_costs() -> None:
    found = results()
    for size, cost in ((10, 20.0), (1000, 25.0)):
        found.add_point(CPU, "streams", "daehwa", size, cost)
    assert "| daehwa | 20.0 | 25.0 | 1.25 × |" in tables.markdown(found)


@pytest.mark.parametrize(
    ("smallest", "largest", "said"),
    [(2.0, 2.0, "0.00: moonshot"), (0.1, 10.0, "0.50: reached"), (0.1, 1_000.0, "1.00: **missed**")],
)
def test_what_grows_as_the_size_does_misses_its_goal_and_what_stays_flat_exceeds_it(
    smallest: float, largest: float, said: str
) -> None:
    found = results()
    for size, took in ((10, smallest), (1_000, 1.0), (100_000, largest)):
        found.add_point(LIST, "conversations", "daehwa", size, took)
    assert f"listing conversations grows | ≤ 0.9 | ≤ 0.1 | {said} |" in tables.markdown(found)


def test_plots_are_drawn_of_what_there_is_and_the_same_for_the_same_figures(tmp_path: Path) -> None:
    found = results()
    found.add(FIRST, "nginx", 0.2)
    found.add(FIRST, "daehwa", -0.1)  # noise: less than nothing is no bar
    for size, cost in ((10, 20.0), (1000, 25.0)):
        found.add_point(CPU, "streams", "daehwa", size, cost)
    names = [path.name for path in plots.draw(found, tmp_path)]
    assert names == ["gateway.svg", "gateway.png", "growth.svg", "growth.png"]
    before = [(tmp_path / name).read_bytes() for name in names]
    plots.draw(found, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_no_picture_stays_of_an_earlier_run_that_had_more(tmp_path: Path) -> None:
    more, less = results(), results()
    more.add_point(CPU, "streams", "daehwa", 10, 20.0)
    (tmp_path / "other.svg").touch()
    for found, drawn in (
        (more, {"gateway.svg", "gateway.png", "growth.svg", "growth.png"}),
        (less, {"gateway.svg", "gateway.png"}),
    ):
        plots.draw(found, tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {*drawn, "other.svg"}


@pytest.mark.parametrize(
    ("most", "begin", "probes", "found", "doubt"),
    [
        (1000, 1000, 1, 1000, None),
        (460, 400, 5, 450, None),
        (120, 400, 5, 75, "at least 75, 150 were too many, nothing between was tried"),
        (460, 450, 3, 450, None),
        (900, 10, 4, 100, "at least 100, more was not tried"),
        (0, 10, 3, 0, None),
    ],
)
def test_the_most_that_is_held_is_found_in_few_probes_and_what_they_leave_open_is_said(
    most: int, begin: int, probes: int, found: int, doubt: str | None
) -> None:
    asked = list[int]()

    def holds(streams: int) -> bool:
        asked.append(streams)
        return streams <= most

    seen = held.most_held(holds, begin, probes)
    assert (seen.most, seen.doubt()) == (found, doubt)
    assert asked[0] == begin
    assert len(asked) <= probes


def test_every_part_has_its_place_in_the_schedule_and_a_run_says_how_long_it_takes() -> None:
    assert set(PARTS) == set(FULL)
    assert Schedule(PARTS, is_quick=False, has_peers=True).total() <= 20 * 60
    assert Schedule(QUICK, is_quick=True, has_peers=False).total() <= 3 * 60
    said = Schedule(("first", "many"), is_quick=True, has_peers=False)
    assert said.announced() == "2 parts, about 0:50 on a quiet machine: first 0:15, many 0:35"
    assert said.begun("many") == "[0:00 of about 0:50] 2/2 many"


def test_results_are_the_same_after_a_file() -> None:
    found = results()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Results) == found
    assert spread([], 1) == "–"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            subprocess.CalledProcessError(1, ["/opt/x/load_client", "--key", "dh_secret"]),
            "load_client ended with code 1",
        ),
        (subprocess.TimeoutExpired(["/opt/x/load_client"], 30), "load_client took longer than 30 s"),
        (OSError("no file /srv/x/a/b here"), "no file a path here"),
        (OSError("no 200 at /healthz within 30 s"), "no 200 at /healthz within 30 s"),
        (OSError(), "OSError"),
    ],
)
def test_a_remark_names_no_path_and_no_key(problem: Exception, said: str) -> None:
    assert reason(problem) == said


def test_an_unknown_part_is_refused_and_the_known_ones_are_named() -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--only", "nothing"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
    assert ended.returncode == 1
    assert "There is no part nothing; there are start," in ended.stderr


def test_an_unknown_contestant_is_refused_and_the_known_ones_are_named() -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--only", "first", "--names", "nobody"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
    assert ended.returncode == 1
    assert "There is no contestant nobody; there are direct, nginx," in ended.stderr
