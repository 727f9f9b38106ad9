import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import (
    PRICES,
    PRICES_OF,
    TurnUnits,
    estimate,
    idle_costs,
    stored_costs,
    total,
    turn_costs,
)

DEFAULTS = DeploymentSettings()


def test_a_thousand_turns_of_ten_seconds_stay_within_the_target() -> None:
    assert total(turn_costs(DEFAULTS)) <= 0.10


def test_an_idle_month_stays_within_the_target() -> None:
    assert total(idle_costs(DEFAULTS)) <= 0.10


def test_lambda_is_billed_by_memory_and_seconds() -> None:
    units = TurnUnits(seconds=10, requests=1, write_units=0, read_units=0, edge_kilobytes=0, log_kilobytes=0)
    function = turn_costs(DeploymentSettings(memory=512), units)[0].dollars
    assert function == pytest.approx(1000 * (10 * 0.5 * 0.0000133334 + 0.0000002))
    doubled = turn_costs(DeploymentSettings(memory=1024), units)[0].dollars
    assert doubled == pytest.approx(2 * function, rel=0.01)


def test_units_of_the_table_are_what_they_cost() -> None:
    none = TurnUnits(write_units=0, read_units=0)
    some = TurnUnits(write_units=8, read_units=4)
    difference = total(turn_costs(DEFAULTS, some)) - total(turn_costs(DEFAULTS, none))
    assert difference == pytest.approx(1000 * (8 * PRICES.write_unit + 4 * PRICES.read_unit))


def test_what_is_chosen_beside_is_counted_and_named() -> None:
    chosen = idle_costs(DeploymentSettings(snap_start=True, waf=True))
    by_name = {line.what: line.dollars for line in chosen}
    assert by_name["SnapStart's copy of the function"] == pytest.approx(1.98, abs=0.05)
    assert by_name["web firewall"] == 7.0
    assert "sign-in by Cognito" in by_name
    foreign = idle_costs(DeploymentSettings(issuer="https://id.example", client_id="daehwa"))
    assert "sign-in by Cognito" not in {line.what for line in foreign}


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
