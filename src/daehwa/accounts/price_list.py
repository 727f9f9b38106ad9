"""Finds the price of a model: what the settings name, nothing where it runs on this machine, else the table's."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from daehwa.accounts.prices import FREE, Price


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

    def price_of(self, model: str, *, now: int) -> Price | None:  # noqa: ARG002
        """Return what `provider/name-at-the-upstream` costs now, None where nobody knows."""
        provider, _, name = model.partition("/")
        for named in self._named:
            if fnmatchcase(model, named.model) or fnmatchcase(name, named.model):
                return named.price
        upstream = self._upstreams.get(provider)
        return FREE if upstream is not None and upstream.is_here else None
