"""Finds the price of a model: what the settings name, nothing where it runs on this machine, else the table's."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from daehwa.accounts.prices import FREE, Price

if TYPE_CHECKING:
    from daehwa.accounts.price_table import PricedModel

_FREE: Mapping[str, tuple[str, ...]] = {"openai": ("omni-moderation-", "text-moderation-")}
"""With what the names of models begin that their providers say are free, by what a table of prices knows the provider
as; no table has them. A name that has this within may be anybody's: who tunes a model chooses a part of its name.
"""
MODELS = 10_000
"""How many models' prices are remembered: names come from clients, too."""


class NamedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price that the settings name. `model` is an id, a bare name, or a pattern of either with `*`."""

    model: str
    price: Price


class PricedUpstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider's models run. `is_here`: on this machine, where nobody is paid."""

    base_url: str = ""
    is_here: bool = False


class PriceList:
    """Every price that can be known: `upstreams` by provider name, `named` in the order of the settings."""

    def __init__(self, upstreams: Mapping[str, PricedUpstream], named: Sequence[NamedPrice] = ()) -> None:
        self._upstreams = upstreams
        self._named = named
        self._found: dict[str, Price | PricedModel | None] = {}

    def price_of(self, model: str, *, now: int) -> Price | None:
        """Return what `provider/name-at-the-upstream` costs now, None where nobody knows."""
        if model not in self._found:
            if len(self._found) >= MODELS:
                self._found.clear()
            self._found[model] = self._looked_up(model)
        found = self._found[model]
        return found if found is None or isinstance(found, Price) else found.price_at(now)

    def _looked_up(self, model: str) -> "Price | PricedModel | None":
        provider, _, name = model.partition("/")
        for named in self._named:
            if fnmatchcase(model, named.model) or fnmatchcase(name, named.model):
                return named.price
        upstream = self._upstreams.get(provider)
        if upstream is None or upstream.is_here:
            return None if upstream is None else FREE
        return self._in_table(provider, name, upstream.base_url)

    def _in_table(self, provider: str, name: str, base_url: str) -> "Price | PricedModel | None":
        from daehwa.accounts.price_table import read_table  # noqa: PLC0415 - neither it nor its file is for the start

        table = read_table()
        known = table.provider(provider, base_url)
        if known is None:
            return None
        found = table.model(known, name)
        return FREE if found is None and name.startswith(_FREE.get(known.id, ())) else found
