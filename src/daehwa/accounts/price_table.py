"""Reads `prices.json`: what public providers ask for their models, as `scripts/generate_prices.py` wrote it down.

How this works and why. The table has two thousand models, and a process asks a handful of them: the file is read at
first need, each provider's models when that provider is asked. A model is found by a rule rather than by its name, so
that a new dated name has the price of its family. A rule is a text whose first character says how it matches (`=`
equals, `^` begins, `$` ends, `*` contains, `~` regular expression), or a list of rules after `|` (any) or `&` (all).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from daehwa.accounts.prices import Price, Rates

Rule: TypeAlias = str | list[Any]
FILE_NAME = "prices.json"
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class DatedPrice(msgspec.Struct, frozen=True, array_like=True):
    """A price, and from which day (UTC, "2026-11-22") or between which minutes of each day it is asked."""

    rates: tuple[Rates, ...]
    request: int = 0
    hour: int = 0
    since: str | None = None
    between: tuple[int, int] | None = None
    characters: int = 0

    def holds(self, at: datetime) -> bool:
        """Return whether this is the price at a time in UTC."""
        if self.since is not None and at.date().isoformat() < self.since:
            return False
        if self.between is None:
            return True
        first, last = self.between
        minute = at.hour * 60 + at.minute
        return first <= minute < last if first <= last else minute >= first or minute < last


class PricedModel(msgspec.Struct, frozen=True, array_like=True):
    """A model's rule and its prices; of those that hold, the last one counts."""

    rule: Rule
    prices: tuple[DatedPrice, ...]

    def price_at(self, now: int) -> Price:
        """Return the price at `now` (ms since 1970)."""
        at = datetime.fromtimestamp(now / 1000, UTC)
        dated = next((price for price in reversed(self.prices) if price.holds(at)), self.prices[0])
        return Price(rates=dated.rates, request=dated.request, hour=dated.hour, characters=dated.characters)


class TableProvider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider: `url` is a regular expression of its addresses, `named` a rule of its names. Models that it has not
    itself are those of the providers in `falls_to`.
    """

    id: str
    url: str
    named: Rule | None = None
    falls_to: tuple[str, ...] = ()
    models: msgspec.Raw


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. `version` is that of the package `genai-prices` it was made of."""

    version: str
    providers: tuple[TableProvider, ...]


class PriceTable:
    """What the file says, read as far as it is asked. `version` is that of `genai-prices`."""

    def __init__(self, table: Table) -> None:
        self.version = table.version
        self._providers = table.providers
        self._models: dict[str, _Models] = {}

    def provider(self, name: str, base_url: str) -> TableProvider | None:
        """Return the provider at an address, else that of a name."""
        for provider in self._providers:
            if base_url and re.match(provider.url, base_url):
                return provider
        name = name.lower()
        same = next((provider for provider in self._providers if provider.id == name), None)
        return same or next((provider for provider in self._providers if _is_named(provider, name)), None)

    def model(self, provider: TableProvider, name: str) -> PricedModel | None:
        """Return a provider's model by its name at the upstream."""
        name = name.lower()
        found, dashed = self._found(provider, name), _COMPACT_DATE.sub(r"-\1-\2-\3", name)
        return found if found is not None or dashed == name else self._found(provider, dashed)

    def _found(self, provider: TableProvider, name: str) -> PricedModel | None:
        others = (other for wanted in provider.falls_to for other in self._providers if other.id == wanted)
        found = (self._of(asked).find(name) for asked in (provider, *others))
        return next((model for model in found if model is not None), None)

    def _of(self, provider: TableProvider) -> "_Models":
        if provider.id not in self._models:
            self._models[provider.id] = _Models(msgspec.json.decode(provider.models, type=tuple[PricedModel, ...]))
        return self._models[provider.id]

    def __iter__(self) -> Iterator[TableProvider]:
        return iter(self._providers)


class _Models:
    """A provider's models. Whole names are looked up: some list hundreds, and a page asks for the price of each."""

    def __init__(self, models: tuple[PricedModel, ...]) -> None:
        self._models = models
        self._named: dict[str, int] = {}
        self._others: list[int] = []
        for number, model in enumerate(models):
            whole, is_all = _whole_names(model.rule)
            for name in whole:
                self._named.setdefault(name, number)
            if not is_all:
                self._others.append(number)

    def find(self, name: str) -> PricedModel | None:
        """Return the first model whose rule finds a name."""
        named = self._named.get(name, len(self._models))
        others = (number for number in self._others if number < named and matches(self._models[number].rule, name))
        number = next(others, named)
        return self._models[number] if number < len(self._models) else None


def _whole_names(rule: Rule) -> tuple[list[str], bool]:
    """Return the names that a rule finds as they are, and whether it finds no other."""
    rules = rule[1:] if isinstance(rule, list) and rule[0] == "|" else [rule]
    whole = [below[1:] for below in rules if isinstance(below, str) and below[0] == "="]
    return whole, len(whole) == len(rules)


def _is_named(provider: TableProvider, name: str) -> bool:
    return provider.named is not None and matches(provider.named, name)


def matches(rule: Rule, name: str) -> bool:
    """Return whether a rule finds a name, which is in lower case."""
    how, rest = rule[0], rule[1:]
    if not isinstance(rest, str):
        found = (matches(below, name) for below in rest)
        return any(found) if how == "|" else all(found)
    tests = {"=": name == rest, "^": name.startswith(rest), "$": name.endswith(rest), "*": rest in name}
    return tests[how] if how in tests else re.search(rest, name) is not None


@cache
def read_table() -> PriceTable:
    """Read the file that stands beside this module."""
    return PriceTable(msgspec.json.decode(Path(__file__).with_name(FILE_NAME).read_bytes(), type=Table))
