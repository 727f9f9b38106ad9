"""The meter that both homes build of settings: budgets, groups, and where prices come from."""

from urllib.parse import urlsplit

from daehwa.accounts.budgets import BudgetRule, BudgetRules, Group
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.ports import AccountStore, LedgerStore
from daehwa.accounts.price_list import NamedPrice, PricedUpstream, PriceList
from daehwa.accounts.prices import Price, Rates
from daehwa.settings import ConfiguredProvider, LoadedSettings
from daehwa.settings.surroundings import is_loopback
from daehwa.settings.values import ConfiguredMoney, ConfiguredPrice

_MINUTES_PER_HOUR = 60


def build_meter(loaded: LoadedSettings, ledger: LedgerStore, accounts: AccountStore) -> LedgerMeter:
    """Return the one meter of this process; no price is read yet."""
    return LedgerMeter(ledger, build_prices(loaded), budget_rules(loaded.money), accounts=accounts)


def build_prices(loaded: LoadedSettings) -> PriceList:
    """Return the prices of these providers' models; the table is read at first need."""
    upstreams = {configured.name: _upstream(configured) for configured in loaded.providers}
    return PriceList(upstreams, [_named(price) for price in loaded.money.prices])


def _upstream(configured: ConfiguredProvider) -> PricedUpstream:
    if configured.settings.kind == "embedded":
        return PricedUpstream(is_here=True)
    host = urlsplit(configured.base_url).hostname or ""
    # What does the finding out takes a few milliseconds to import, and most upstreams have a name.
    may_be_here = host == "localhost" or ":" in host or host[-1:].isdigit()
    return PricedUpstream(base_url=configured.base_url, is_here=may_be_here and is_loopback(host))


def _named(price: ConfiguredPrice) -> NamedPrice:
    rates = Rates(input=price.input, output=price.output, cached=price.cached)
    hour = price.per_minute * _MINUTES_PER_HOUR
    named = Price(
        rates=(rates,),
        request=price.per_request,
        hour=hour,
        image=price.per_image,
        characters=price.per_million_characters,
    )
    return NamedPrice(model=price.model, price=named)


def budget_rules(money: ConfiguredMoney) -> BudgetRules:
    """Return the budgets and groups that the settings name."""
    return BudgetRules(
        budgets=tuple(BudgetRule(scope=each.scope, kind=each.period, limit=each.limit) for each in money.budgets),
        groups=tuple(Group(name=group.name, members=group.members) for group in money.groups),
    )
