"""Money, as it is configured: `budgets` and `groups` as texts, `prices` as tables or texts; in micro-dollars here."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec

from daehwa.settings.source import SettingsFile, checked, meant
from daehwa.settings.values import (
    ConfiguredBudget,
    ConfiguredGroup,
    ConfiguredMoney,
    ConfiguredPrice,
    Settings,
    SettingsError,
    described,
)

PRICES = "prices"
PRICES_VARIABLE = "DAEHWA_PRICES"
MOST_DOLLARS = 1_000_000_000
Period: TypeAlias = Literal["day", "month", "total"]
_DOLLARS = "a number of dollars from 0"
_Dollars: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=MOST_DOLLARS)]
_AMOUNT = r"\$?(\d{1,10}(?:\.\d{1,6})?)"
_GROUP_NAME = r"[^\W_][\w.-]*"
"""Letters and digits are those of any script."""
_MEMBER = r"[^\s@*,;]*@[^\s@*,;]+"
_BUDGET_FORM = (
    "Write whose it is (all, user, key, user:ann@example.com or group:research), for which time (day, month or total) "
    'and the dollars, for example "user month 20".'
)
_GROUP_FORM = (
    'Write its name, then e-mail addresses and @domains, for example "research ann@example.com @lab.example.com".'
)


class PriceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[prices]]` table: what a model costs."""

    model: Annotated[
        str,
        described(
            "a model's id or name; * stands for any text",
            "Which models: `work/qwen3-32b`, `qwen3-32b`, `work/*`. The first table that fits counts, before any price "
            "that the package knows.",
            min_length=1,
        ),
    ]
    input: Annotated[_Dollars | None, described(_DOLLARS, "Dollars per million tokens of the prompt.")] = None
    output: Annotated[_Dollars | None, described(_DOLLARS, "Dollars per million tokens of the answer.")] = None
    cached: Annotated[
        _Dollars | None,
        described(
            _DOLLARS, "Dollars per million tokens of the prompt that the upstream had cached. Left out: as `input`."
        ),
    ] = None
    per_minute: Annotated[_Dollars | None, described(_DOLLARS, "Dollars per minute of audio.")] = None
    per_image: Annotated[
        _Dollars | None, described(_DOLLARS, "Dollars per image, whatever its size and quality: name the dearest.")
    ] = None
    per_million_characters: Annotated[
        _Dollars | None, described(_DOLLARS, "Dollars per million characters of a text that is spoken.")
    ] = None
    per_request: Annotated[
        _Dollars | None,
        described(_DOLLARS, "Dollars per request, beside all else: what a model asks for its searches, for example."),
    ] = None


def configured_money(
    settings: Settings, sources: Mapping[str, str], file: SettingsFile, env: Mapping[str, str]
) -> ConfiguredMoney:
    """Return budgets, groups and prices. Raise `SettingsError`."""
    groups = tuple(_group(text, sources["groups"]) for text in settings.groups)
    _refuse_twice((group.name for group in groups), sources["groups"], "group")
    names = [group.name for group in groups]
    budgets = tuple(_budget(text, sources["budgets"], names) for text in settings.budgets)
    _refuse_twice((f"{budget.scope} {budget.period}" for budget in budgets), sources["budgets"], "budget")
    return ConfiguredMoney(budgets=budgets, groups=groups, prices=tuple(_prices(file, env)))


def _group(text: str, place: str) -> ConfiguredGroup:
    name, *members = text.lower().split() or [""]
    if not name:
        raise SettingsError(f"{place}: groups has an empty text. {_GROUP_FORM}")
    if not re.fullmatch(_GROUP_NAME, name):
        raise SettingsError(
            f'{place}: groups has "{text}", and {name} cannot be a name: it begins with a letter or a digit, and has '
            f"letters and digits of any script, '-', '_' and '.' alone. {_GROUP_FORM}"
        )
    if not members:
        raise SettingsError(f'{place}: groups has "{text}", which names nobody. {_GROUP_FORM}')
    for member in members:
        if not re.fullmatch(_MEMBER, member):
            raise SettingsError(f'{place}: the group {name} has "{member}", which is nobody. {_GROUP_FORM}')
    return ConfiguredGroup(name=name, members=tuple(members))


def _budget(text: str, place: str, groups: list[str]) -> ConfiguredBudget:
    words = text.split()
    wrong = SettingsError(f'{place}: budgets has "{text}", which cannot be read. {_BUDGET_FORM}')
    if len(words) != len(("whose", "when", "how much")):
        raise wrong
    scope, period, dollars = words[0].lower(), words[1].lower(), re.fullmatch(_AMOUNT, words[2])
    kind, _, name = scope.partition(":")
    is_scope = scope in {"all", "user", "key"} or (kind in {"user", "group"} and bool(name))
    if not is_scope or period not in get_args(Period) or dollars is None:
        raise wrong
    if kind == "group" and name not in groups:
        there = meant(name, groups) if groups else " There are none yet."
        elsewhere = " A group that was made on the page has its budget there."
        raise SettingsError(f'{place}: budgets has "{text}", and groups names no group {name}.{there}{elsewhere}')
    # An id is written as it is; an address, and a group's name, is the same in any case.
    scope = scope if "@" in name or kind != "user" or not name else f"{kind}:{words[0].partition(':')[2]}"
    return ConfiguredBudget(scope=scope, period=period, limit=micro_dollars(Decimal(dollars[1])))  # type: ignore[arg-type] # looked up above


def _refuse_twice(names: Iterable[str], place: str, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SettingsError(f"{place}: there are two entries for the {what} {name}. Leave one of them.")
        seen.add(name)


def _prices(file: SettingsFile, env: Mapping[str, str]) -> Iterable[ConfiguredPrice]:
    if env.get(PRICES_VARIABLE):
        texts = [text.strip() for text in env[PRICES_VARIABLE].split(",") if text.strip()]
        return [_price(_words(text), lambda _: PRICES_VARIABLE) for text in texts]
    tables = file.values.get(PRICES, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{file.place(PRICES)}: write each price as a table that begins with [[prices]].")
    return [_price(table, partial(file.place, table=number, of=PRICES)) for number, table in enumerate(tables)]


def _words(text: str) -> dict[str, Any]:
    """Read a price that is written in one line: the model, then names and amounts."""
    model, *words = text.split()
    if len(words) % 2:
        raise SettingsError(
            f'{PRICES_VARIABLE}: "{text}" cannot be read. Write the model, then names and dollars, for example '
            '"gpt-7* input 2.50 output 10".'
        )
    amounts: dict[str, Any] = {}
    for key, amount in zip(words[::2], words[1::2], strict=True):
        found = re.fullmatch(_AMOUNT, amount)
        amounts[key] = float(found[1]) if found else amount
    return {"model": model, **amounts}


def _price(table: Mapping[str, Any], place: Callable[[str], str]) -> ConfiguredPrice:
    fields = {field.name: field for field in msgspec.structs.fields(PriceSettings)}
    for key in table:
        if key not in fields:
            raise SettingsError(f"{place(key)}: a price has no setting '{key}'.{meant(key, list(fields))}")
    if "model" not in table:
        raise SettingsError(f'{place("model")}: this price has no model. Add one, for example model = "work/*".')
    price = PriceSettings(**{key: checked(fields[key], value, place(key)) for key, value in table.items()})
    if (price.input is None) != (price.output is None):
        missing = "output" if price.output is None else "input"
        raise SettingsError(
            f"{place('model')}: the price of {price.model} has no {missing}. Write {missing} = 0 where nothing is paid "
            "for it."
        )
    if all(getattr(price, name) is None for name in fields if name not in {"model", "cached"}):
        raise SettingsError(
            f"{place('model')}: the price of {price.model} says nothing. Add input and output, per_minute, per_image, "
            "per_million_characters or per_request."
        )
    return ConfiguredPrice(
        model=price.model,
        input=_micro(price.input) or 0,
        output=_micro(price.output) or 0,
        cached=_micro(price.cached),
        per_minute=_micro(price.per_minute) or 0,
        per_image=_micro(price.per_image) or 0,
        per_million_characters=_micro(price.per_million_characters) or 0,
        per_request=_micro(price.per_request) or 0,
    )


def _micro(dollars: float | None) -> int | None:
    # A float's shortest text is what was written; it is never calculated with.
    return None if dollars is None else micro_dollars(Decimal(repr(dollars)))


def micro_dollars(dollars: Decimal) -> int:
    """Return dollars as whole micro-dollars, rounded up."""
    return int((dollars * 1_000_000).to_integral_value(rounding=ROUND_CEILING))
