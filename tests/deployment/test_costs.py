import re
from pathlib import Path

import msgspec
import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import (
    PRICES,
    PRICES_OF,
    Sitting,
    TurnUnits,
    estimate,
    idle_costs,
    stored_costs,
    tab_cost,
    total,
    turn_costs,
)

DEFAULTS = DeploymentSettings()


def test_a_thousand_turns_of_ten_seconds_stay_within_the_target() -> None:
    assert total(turn_costs(DEFAULTS)) <= 0.10


def test_an_idle_month_stays_within_the_target() -> None:
    assert total(idle_costs(DEFAULTS)) <= 0.10


def test_lambda_is_billed_by_memory_and_seconds() -> None:
    alone = Sitting(turns=1, minutes=0, opening=0, returns=0)
    units = TurnUnits(seconds=10, sitting=alone)
    assert units.requests == 1
    function = turn_costs(DeploymentSettings(memory=512), units)[0].dollars
    assert function == pytest.approx(1000 * (10 * 0.5 * 0.0000133334 + 0.0000002))
    doubled = turn_costs(DeploymentSettings(memory=1024), units)[0].dollars
    assert doubled == pytest.approx(2 * function, rel=0.01)


def test_units_of_the_table_are_what_they_cost() -> None:
    none = TurnUnits(write_units=0, turn_read_units=0)
    some = TurnUnits(write_units=8, turn_read_units=4)
    difference = total(turn_costs(DEFAULTS, some)) - total(turn_costs(DEFAULTS, none))
    assert difference == pytest.approx(1000 * (8 * PRICES.write_unit + 4 * PRICES.read_unit))


def test_what_is_chosen_beside_is_counted_and_named() -> None:
    chosen = idle_costs(DeploymentSettings(snap_start=True, waf=True, memory=512))
    by_name = {line.what: line.dollars for line in chosen}
    assert by_name["SnapStart's copy of the function"] == pytest.approx(1.98, abs=0.05)
    assert by_name["web firewall"] == 7.0
    assert "sign-in by Cognito" in by_name
    foreign = idle_costs(DeploymentSettings(issuer="https://id.example", client_id="daehwa"))
    assert "sign-in by Cognito" not in {line.what for line in foreign}


def test_the_metric_of_the_first_byte_is_named_with_what_it_costs_where_the_free_ones_are_used() -> None:
    (line,) = (line for line in idle_costs(DEFAULTS) if "metric made of the access log" in line.what)
    assert (line.dollars, line.note) == (0.0, "an account has 10 free, then $0.30 each")


def test_stored_conversations_cost_their_recovery_even_within_the_free_tier() -> None:
    assert total(stored_costs(10)) == pytest.approx(2.0)
    assert total(stored_costs(30)) == pytest.approx(5 * 0.25 + 30 * 0.20)
    assert total(stored_costs(1, is_tier_free=False)) == pytest.approx(0.45)


def test_the_estimate_says_whose_prices_and_their_date() -> None:
    lines = estimate(DEFAULTS)
    assert PRICES_OF in lines[0]
    assert "us-east-1" in lines[0]
    assert any("1,000 turns of 10 s" in line for line in lines)
    assert max(map(len, lines)) < 160


def test_a_sitting_is_counted_by_what_the_page_does() -> None:
    """Ten turns, four requests to open, 6.7 looks by the clock and three at returns, a load for each, models thrice."""
    assert Sitting().requests == pytest.approx(10 + 4 + 2 * (20 / 3 + 3) + 3)
    assert Sitting(turns=2).loads == 2, "only a finished answer is loaded"
    page = (Path(__file__).parents[2] / "web/src/conversation/current.svelte.ts").read_text("utf-8")
    (milliseconds,) = re.findall(r"LOOK_AGAIN_ON_AWS = ([\d_]+);", page)
    assert int(milliseconds) == Sitting().look_minutes * 60_000


def test_units_that_a_turn_reads_are_those_of_its_share_of_a_sitting() -> None:
    alone = Sitting(turns=1, minutes=0, opening=3, returns=0)
    units = TurnUnits(sitting=alone, turn_read_units=5, who_read_units=2, list_read_units=2, load_read_units=4)
    assert units.requests == 4
    assert units.read_units == 5 + 4 * 2 + 2 + 4


def test_a_tab_that_is_left_open_costs_each_of_its_looks() -> None:
    few, many = (TurnUnits(sitting=Sitting(look_minutes=minutes)) for minutes in (6, 3))
    assert tab_cost(DEFAULTS, many) == pytest.approx(2 * tab_cost(DEFAULTS, few))
    free = TurnUnits(other_request_seconds=0, who_read_units=0, list_read_units=0, other_kilobytes=0)
    bare = msgspec.structs.replace(free, request_log_kilobytes=0)
    assert tab_cost(DEFAULTS, bare) == pytest.approx(
        480 * (PRICES.gateway_request + PRICES.edge_request + PRICES.edge_function_call + PRICES.lambda_request)
    )
    assert tab_cost(DEFAULTS) < 0.005


def test_each_request_beside_the_turn_adds_what_it_takes() -> None:
    one, two = (TurnUnits(sitting=Sitting(turns=1, minutes=0, opening=n, returns=0, files=0)) for n in (1, 2))
    per_request = (
        PRICES.gateway_request
        + PRICES.edge_request
        + PRICES.edge_function_call
        + PRICES.lambda_request
        + 10 / 1e6 * PRICES.edge_gigabyte
        + 1 / 1e6 * PRICES.log_gigabyte
        + 2 * PRICES.read_unit
        + 0.05 * DEFAULTS.memory / 1024 * PRICES.lambda_gigabyte_second
    )
    assert total(turn_costs(DEFAULTS, two)) - total(turn_costs(DEFAULTS, one)) == pytest.approx(1000 * per_request)
