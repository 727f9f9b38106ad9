"""The committed table of prices, held to the package that it is made of."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data import providers as their_providers
from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith, MatchLogic, ModelPrice, Provider

from daehwa.accounts.price_list import NamedPrice, PricedUpstream, PriceList
from daehwa.accounts.price_table import PriceTable, matches, read_table
from daehwa.accounts.prices import FREE, Price, Rates, cost
from daehwa.conversation.messages import Usage

ROOT = Path(__file__).parents[2]
NOW = 1_795_305_600_000  # 2026-11-22
AT = datetime.fromtimestamp(NOW / 1000, UTC)
COUNTED = {
    *("input_mtok", "output_mtok", "cache_read_mtok", "output_reasoning_mtok", "requests_kcount"),
    *("web_searches_kcount", "storage_searches_kcount", "cache_write_mtok", "cache_write_1h_mtok"),  # never asked for
}


def test_the_table_is_what_the_pinned_package_says() -> None:
    script = ROOT / "scripts" / "generate_prices.py"
    command = [sys.executable, str(script), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert checked.returncode == 0, checked.stderr


def test_the_package_of_prices_is_pinned_to_the_tables_version() -> None:
    first = (ROOT / "src/daehwa/accounts/prices.json").read_text("utf-8").splitlines()[0]
    version = first.split('"')[3]
    assert f'"genai-prices=={version}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_table_stays_small() -> None:
    assert (ROOT / "src/daehwa/accounts/prices.json").stat().st_size < 250_000


def test_the_program_starts_without_the_table() -> None:
    program = (
        "import sys, daehwa.services.local, daehwa.services.metering\n"
        "sys.exit(bool({'genai_prices', 'daehwa.accounts.price_table'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603 - our own


def _names(rule: MatchLogic) -> Iterator[str]:
    if isinstance(rule, ClauseEquals):
        yield rule.equals
    elif isinstance(rule, ClauseStartsWith):
        yield rule.starts_with + "-2031-01-01"
    elif isinstance(rule, ClauseOr):
        for below in rule.or_:
            yield from _names(below)


@pytest.mark.parametrize("provider", their_providers, ids=lambda provider: provider.id)
def test_every_model_costs_what_the_package_says(provider: Provider) -> None:
    table = read_table()
    ours = next((each for each in table if each.id == provider.id), None)
    for name in {name for model in provider.models for name in (model.id, *_names(model.match))}:
        theirs = provider.find_model(name)
        if theirs is None:
            continue
        prices = theirs.get_prices(AT)
        if not set(_named(prices)) <= COUNTED or "input_mtok" not in _named(prices):
            continue
        assert ours is not None
        found = table.model(ours, name)
        assert found is not None, name
        for size in (1_000, 150_000, 300_000, 2_000_000):
            usage = TheirUsage(input_tokens=size, cache_read_tokens=size // 3, output_tokens=777)
            expected = prices.calc_price(usage)["total_price"] * 1_000_000
            counted = cost(Usage(input=size, cached=size // 3, output=777), found.price_at(NOW))
            assert Decimal(counted) - expected <= 2 + expected / 100_000, name  # some of theirs are floats' remains
            assert Decimal(counted) >= expected, name


def _named(prices: ModelPrice) -> dict[str, object]:
    return {key: value for key, value in vars(prices).items() if value is not None}


def a_list(*named: NamedPrice, **upstreams: str) -> PriceList:
    return PriceList({name: PricedUpstream(base_url=url, is_here=not url) for name, url in upstreams.items()}, named)


def test_a_price_is_found_by_the_providers_address_whatever_its_name() -> None:
    prices = a_list(work="https://api.openai.com/v1")
    found = prices.price_of("work/gpt-4o", now=NOW)
    assert found is not None
    assert found.rates == (Rates(0, 2_500_000, 10_000_000, 1_250_000),)


def test_a_price_is_found_by_the_providers_name_where_nobody_knows_the_address() -> None:
    prices = a_list(openai="https://gateway.example.com/v1", work="https://gateway.example.com/v1")
    assert prices.price_of("openai/gpt-4o", now=NOW) is not None
    assert prices.price_of("work/gpt-4o", now=NOW) is None


def test_a_new_dated_name_costs_what_its_family_does() -> None:
    prices = a_list(claude="https://api.anthropic.com/v1/")
    family = prices.price_of("claude/claude-3-5-sonnet", now=NOW)
    assert family is not None
    assert prices.price_of("claude/claude-3-5-sonnet-20310101", now=NOW) == family


def test_a_date_without_dashes_is_read_as_one_with_them() -> None:
    prices = a_list(openai="https://api.openai.com/v1")
    assert prices.price_of("openai/gpt-5.2-20251211", now=NOW) == prices.price_of("openai/gpt-5.2", now=NOW)


def test_a_model_that_nobody_knows_has_no_price() -> None:
    prices = a_list(openai="https://api.openai.com/v1")
    assert prices.price_of("openai/never-heard-of", now=NOW) is None
    assert prices.price_of("nobody/gpt-4o", now=NOW) is None
    assert prices.price_of("openai/never-heard-of", now=NOW) is None


def test_what_runs_on_this_machine_costs_nothing_unless_a_price_is_named() -> None:
    named = NamedPrice(model="llama*", price=Price(rates=(Rates(0, 1, 2),)))
    prices = a_list(named, here="")
    assert prices.price_of("here/gpt-4o", now=NOW) == FREE
    assert prices.price_of("here/llama-5", now=NOW) == named.price


def test_the_settings_come_before_the_table_and_the_first_of_them_before_the_next() -> None:
    mine = NamedPrice(model="openai/gpt-4o*", price=Price(rates=(Rates(0, 1, 2),)))
    other = NamedPrice(model="gpt*", price=Price(rates=(Rates(0, 3, 4),)))
    prices = a_list(mine, other, openai="https://api.openai.com/v1")
    assert prices.price_of("openai/gpt-4o-mini", now=NOW) == mine.price
    assert prices.price_of("openai/gpt-4", now=NOW) == other.price


def test_the_price_of_the_day_and_of_the_hour_counts() -> None:
    prices = a_list(deepseek="https://api.deepseek.com")

    def rate(*at: int) -> int:
        found = prices.price_of("deepseek/deepseek-v4-pro", now=int(datetime(*at, tzinfo=UTC).timestamp() * 1000))  # type: ignore[misc,arg-type] # year to minute
        assert found is not None
        return found.rates[0].input

    assert rate(2026, 8, 16, 12) == 435_000
    assert rate(2026, 8, 17, 12) == 660_000
    assert rate(2026, 8, 17, 6) == 1_320_000
    assert rate(2026, 8, 17, 9, 59) == 1_320_000
    assert rate(2026, 8, 17, 10) == 660_000


def test_transcriptions_are_paid_by_the_hour_and_instruct_by_the_token() -> None:
    prices = a_list(openai="https://api.openai.com/v1")
    whisper = prices.price_of("openai/whisper-1", now=NOW)
    assert whisper is not None
    assert cost(Usage(), whisper, kind="audio", seconds=90) == 9_000
    instruct = prices.price_of("openai/gpt-3.5-turbo-instruct", now=NOW)
    assert instruct is not None
    assert cost(Usage(input=1000, output=1000), instruct) == 3_500


@pytest.mark.parametrize(
    ("rule", "name", "is_found"),
    [
        ("=gpt-4o", "gpt-4o", True),
        ("=gpt-4o", "gpt-4o-mini", False),
        ("^gpt-4o", "gpt-4o-mini", True),
        ("$mini", "gpt-4o-mini", True),
        ("*4o", "gpt-4o-mini", True),
        ("~^gpt-\\d", "gpt-4o", True),
        (["|", "=a", "=b"], "b", True),
        (["|", "=a", "=b"], "c", False),
        (["&", "^a", "$b"], "acb", True),
        (["&", "^a", "$b"], "ac", False),
    ],
)
def test_a_rule_finds_names(rule: str | list[str], name: str, *, is_found: bool) -> None:
    assert matches(rule, name) is is_found


def test_an_upstream_that_serves_others_models_asks_their_price() -> None:
    prices = a_list(azure="https://mine.openai.azure.com/openai/v1", openai="https://api.openai.com/v1")
    assert prices.price_of("azure/gpt-4.1", now=NOW) is not None
    assert isinstance(read_table(), PriceTable)


def test_a_hundred_thousand_wrong_names_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daehwa.accounts.price_list.MODELS", 3)
    prices = a_list(openai="https://api.openai.com/v1")
    found = [prices.price_of(f"openai/{name}", now=NOW) for name in ("a", "b", "gpt-4o", "c", "gpt-4o")]
    assert [price is not None for price in found] == [False, False, True, False, True]
