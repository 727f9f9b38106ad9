"""Budgets, groups and prices, as they are written and as they are misspelt."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.settings import SettingsError, load_settings
from daehwa.settings.money import micro_dollars
from daehwa.settings.values import ConfiguredBudget, ConfiguredGroup, ConfiguredMoney, ConfiguredPrice


def money(folder: Path, text: str = "", environment: Mapping[str, str] | None = None) -> ConfiguredMoney:
    file = folder / "daehwa.toml"
    file.write_text(text, "utf-8")
    return load_settings({}, config=file, environment=environment or {}).money


def test_without_a_word_about_money_there_is_no_limit(tmp_path: Path) -> None:
    assert money(tmp_path) == ConfiguredMoney()


def test_budgets_are_read_to_the_micro_dollar(tmp_path: Path) -> None:
    text = 'budgets = ["all month 50", "user day 2.50", "user:Ann@example.com month $30", "key total 0.000001"]'
    assert money(tmp_path, text).budgets == (
        ConfiguredBudget(scope="all", period="month", limit=50_000_000),
        ConfiguredBudget(scope="user", period="day", limit=2_500_000),
        ConfiguredBudget(scope="user:ann@example.com", period="month", limit=30_000_000),
        ConfiguredBudget(scope="key", period="total", limit=1),
    )


def test_groups_are_people_and_domains(tmp_path: Path) -> None:
    text = 'groups = ["research Ann@example.com @Lab.example.com"]\nbudgets = ["group:research month 100"]'
    found = money(tmp_path, text)
    assert found.groups == (ConfiguredGroup(name="research", members=("ann@example.com", "@lab.example.com")),)
    assert found.budgets == (ConfiguredBudget(scope="group:research", period="month", limit=100_000_000),)


def test_the_environment_says_the_same_with_commas(tmp_path: Path) -> None:
    environment = {
        "DAEHWA_BUDGETS": "all month 50, group:research day 3",
        "DAEHWA_GROUPS": "research ann@example.com @lab.example.com,office @example.com",
        "DAEHWA_PRICES": "gpt-7* input 2.50 output 10 cached 0.25, whisper-9 per_minute 0.006",
    }
    found = money(tmp_path, "", environment)
    assert [budget.scope for budget in found.budgets] == ["all", "group:research"]
    assert [group.name for group in found.groups] == ["research", "office"]
    assert found.prices == (
        ConfiguredPrice(model="gpt-7*", input=2_500_000, output=10_000_000, cached=250_000),
        ConfiguredPrice(model="whisper-9", per_minute=6_000),
    )


def test_prices_are_tables_whose_floats_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = """
[[prices]]
model = "work/qwen*"
input = 0.1
output = 0.3

[[prices]]
model = "drawer"
per_image = 0.04
"""
    assert money(tmp_path, text).prices == (
        ConfiguredPrice(model="work/qwen*", input=100_000, output=300_000),
        ConfiguredPrice(model="drawer", per_image=40_000),
    )


def test_a_groups_name_is_of_any_script_and_the_same_in_any_case(tmp_path: Path) -> None:
    text = 'groups = ["연구실-1 @lab.example", "Lab @b.example"]\nbudgets = ["group:연구실-1 day 1", "group:Lab day 1"]'
    found = money(tmp_path, text)
    assert [group.name for group in found.groups] == ["연구실-1", "lab"]
    assert [budget.scope for budget in found.budgets] == ["group:연구실-1", "group:lab"]


def test_an_id_is_kept_as_it_is_written(tmp_path: Path) -> None:
    (budget,) = money(tmp_path, 'budgets = ["user:Owner day 1"]').budgets
    assert budget.scope == "user:Owner"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('budgets = ["user month"]', 'line 1: budgets has "user month", which cannot be read. Write whose it is'),
        ('budgets = ["mina month 3"]', 'budgets has "mina month 3", which cannot be read.'),
        ('budgets = ["user: month 3"]', 'budgets has "user: month 3", which cannot be read.'),
        ('budgets = ["user week 3"]', 'budgets has "user week 3", which cannot be read.'),
        ('budgets = ["user month -3"]', 'budgets has "user month -3", which cannot be read.'),
        ('budgets = ["user month 1e9"]', 'budgets has "user month 1e9", which cannot be read.'),
        ('budgets = ["user month 0.0000001"]', "which cannot be read."),
        ('budgets = "user month 3"', "budgets is"),
        ('budgets = ["user month 3", "user month 4"]', "there are two entries for the budget user month."),
        (
            'budgets = ["group:lab month 3"]',
            "groups names no group lab. There are none yet. A group that was made on the page has its budget there.",
        ),
        (
            'groups = ["labs @example.com"]\nbudgets = ["group:lab month 3"]',
            "line 2: budgets has \"group:lab month 3\", and groups names no group lab. Did you mean 'labs'?",
        ),
        ('groups = ["research"]', 'groups has "research", which names nobody. Write its name,'),
        ('groups = [""]', "groups has an empty text. Write its name,"),
        ('groups = ["a/b @c.example"]', "and a/b cannot be a name: it begins with a letter or a digit,"),
        ('groups = ["research mina"]', 'the group research has "mina", which is nobody.'),
        ('groups = ["a @b.example", "A @c.example"]', "there are two entries for the group a."),
        ('[[prices]]\nmodel = "a"\ninputs = 1', "line 3: a price has no setting 'inputs'. Did you mean 'input'?"),
        ("[[prices]]\ninput = 1\noutput = 1", "line 1: this price has no model."),
        ('[[prices]]\nmodel = "a"\ninput = 1', "line 2: the price of a has no output. Write output = 0"),
        ('[[prices]]\nmodel = "a"\noutput = 1', "line 2: the price of a has no input."),
        ('[[prices]]\nmodel = "a"', "line 2: the price of a says nothing."),
        ('[[prices]]\nmodel = "a"\ninput = -1\noutput = 1', "line 3: input is -1, which is not allowed."),
        (
            '[[providers]]\nname = "x"\nkind = "embedded"\n[[prices]]\n[[prices]]\nmodel = 1',
            "line 4: this price has no model.",
        ),
        (
            '[[prices]]\nmodel = "a"\nper_image = 1\n\n[sign_in]\n\n[[prices]]\nmodel = 1',
            "line 8: model is 1, which is not allowed.",
        ),
        ('prices = ["a"]', "line 1: write each price as a table that begins with [[prices]]."),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    if "line" not in says:
        says = says.strip()
    with pytest.raises(SettingsError) as caught:
        money(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path / "daehwa.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DAEHWA_BUDGETS": "user month 2,50"}, 'DAEHWA_BUDGETS: budgets has "50", which cannot be read.'),
        ({"DAEHWA_GROUPS": "research"}, 'DAEHWA_GROUPS: groups has "research", which names nobody.'),
        ({"DAEHWA_PRICES": "gpt-7 input"}, 'DAEHWA_PRICES: "gpt-7 input" cannot be read.'),
        ({"DAEHWA_PRICES": "gpt-7 input cheap output 1"}, 'DAEHWA_PRICES: input is "cheap", which is not allowed.'),
        ({"DAEHWA_PRICE": "gpt-7 input 1 output 1"}, "Did you mean 'DAEHWA_PRICES'?"),
    ],
)
def test_what_is_wrong_in_a_variable_is_told_by_its_name(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        money(tmp_path, "", environment)
    assert says in str(caught.value)


@given(st.integers(0, 10**12))
def test_every_micro_dollar_survives_being_written_in_dollars(amount: int) -> None:
    assert micro_dollars(Decimal(amount) / 1_000_000) == amount
