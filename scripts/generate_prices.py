"""Writes `src/daehwa/accounts/prices.json` of the package `genai-prices`; `--check` only says whether it is stale.

The package takes half a second to import and is a megabyte and a half; the program needs the numbers alone.
"""

import sys
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ConditionalPrice,
    MatchLogic,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

PACKAGE = "genai-prices"
TABLE = Path(__file__).resolve().parents[1] / "src" / "daehwa" / "accounts" / "prices.json"
MICRO = 1_000_000
HOW = {ClauseEquals: "=", ClauseStartsWith: "^", ClauseEndsWith: "$", ClauseContains: "*"}
# In the order of `Rates`, after `above`.
TOKEN_KEYS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "output_reasoning_mtok",
    "input_audio_mtok",
    "output_image_mtok",
    "input_image_mtok",
)


def written() -> bytes:
    """Return the table as it is to stand in the file: one line a model, so that a change of it can be read."""
    lines = [f'{{"version":"{version(PACKAGE)}","providers":[']
    found = [(provider, models) for provider in providers if (models := _models(provider))]
    for number, (provider, models) in enumerate(found):
        head: dict[str, Any] = {"id": provider.id, "url": provider.api_pattern}
        if provider.provider_match is not None:
            head["named"] = _rule(provider.provider_match)
        if provider.fallback_model_providers:
            head["falls_to"] = provider.fallback_model_providers
        lines.append(("," if number else "") + _json(head)[:-1] + ',"models":[')
        lines += [_json(model) + ("," if below else "") for below, model in _countdown(models)]
        lines.append("]}")
    return ("\n".join([*lines, "]}"]) + "\n").encode()


def _countdown(models: list[Any]) -> list[tuple[int, Any]]:
    return [(len(models) - 1 - number, model) for number, model in enumerate(models)]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _models(provider: Provider) -> list[Any]:
    return [[_rule(model.match), dated] for model in provider.models if (dated := _dated(model.prices))]


def _rule(clause: MatchLogic) -> str | list[Any]:
    if isinstance(clause, ClauseRegex):
        return "~" + clause.regex
    if isinstance(clause, (ClauseOr, ClauseAnd)):
        how, clauses = ("|", clause.or_) if isinstance(clause, ClauseOr) else ("&", clause.and_)
        rules: list[str | list[Any]] = [_rule(below) for below in clauses]
        below = [rule for number, rule in enumerate(rules) if rule not in rules[:number]]
        return [how, *below] if len(below) > 1 else rules[0]
    (text,) = vars(clause).values()
    return HOW[type(clause)] + str(text).lower()


def _dated(prices: ModelPrice | list[ConditionalPrice]) -> list[Any]:
    conditional = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
    return [price for one in conditional if (price := _price(one)) is not None]


def _price(conditional: ConditionalPrice) -> list[Any] | None:
    prices = {key: value for key, value in vars(conditional.prices).items() if value is not None}
    hour = prices.get("audio_hours", prices.get("input_audio_hours"))
    characters = prices.get("input_mchars")
    if "input_mtok" not in prices and hour is None and characters is None:
        return None  # by pages, which nobody counts here
    since, between = None, None
    if isinstance(conditional.constraint, StartDateConstraint):
        since = conditional.constraint.start_date.isoformat()
    elif isinstance(conditional.constraint, TimeOfDateConstraint):
        first, last = conditional.constraint.start_time, conditional.constraint.end_time
        between = [first.hour * 60 + first.minute, last.hour * 60 + last.minute]
    request = _micro(prices.get("requests_kcount"), 1000) or 0
    values = [_rates(prices), request, _micro(hour) or 0, since, between, _micro(characters) or 0]
    return _short(values, left_out=(0, None))


def _rates(prices: dict[str, Decimal | TieredPrices]) -> list[list[int | None]]:
    tiered = [value for value in prices.values() if isinstance(value, TieredPrices)]
    starts = sorted({0, *(tier.start for value in tiered for tier in value.tiers)})
    return [_short([start, *(_at(prices.get(key), start, key) for key in TOKEN_KEYS)]) for start in starts]


def _at(price: Decimal | TieredPrices | None, start: int, key: str) -> int | None:
    """Return a rate for prompts of more than `start` tokens."""
    if isinstance(price, TieredPrices):
        price = next((tier.price for tier in reversed(price.tiers) if tier.start <= start), price.base)
    return _micro(price) if price is not None or key not in {"input_mtok", "output_mtok"} else 0


def _micro(dollars: Any, per: int = 1) -> int | None:
    if dollars is None:
        return None
    return int((dollars * MICRO / per).to_integral_value(rounding=ROUND_CEILING))


def _short(values: list[Any], *, left_out: tuple[object, ...] = (None,)) -> list[Any]:
    """Leave out at the end what is read as that anyway."""
    while values[-1] in left_out:
        values = values[:-1]
    return values


def main() -> None:
    """Write the table, or say whether it is stale."""
    now = written()
    if "--check" not in sys.argv:
        TABLE.write_bytes(now)
    elif TABLE.read_bytes() != now:
        sys.exit(f"{TABLE.name} is not what {PACKAGE} {version(PACKAGE)} says. Run scripts/generate_prices.py.")


if __name__ == "__main__":
    main()
