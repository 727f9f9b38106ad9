"""The rules of budgets, pure: which of them count, which would be overspent, and when they renew."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import msgspec

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.ledger import Entry
from daehwa.accounts.ports import Budget
from daehwa.conversation.budget import BudgetKind, dollars, kind_of

TOTAL = "total"
OF_THIS_KEY = "Another key can be made with more."
OF_EACH_KEY = "Each key here has this limit: whoever runs this server can raise it."
_DAY_MS = 24 * 60 * 60 * 1000


class Counter(msgspec.Struct, frozen=True, array_like=True):
    """What money is counted under."""

    scope: str
    period: str


def period_at(kind: BudgetKind, now: int) -> str:
    """Return the period of this kind that `now` (ms since 1970) is in, in UTC."""
    if kind == TOTAL:
        return TOTAL
    today = _day(now // _DAY_MS)
    return today if kind == "day" else today[:7]


@lru_cache(maxsize=8)  # it is the same one for each call of a day
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * _DAY_MS / 1000, UTC).date().isoformat()


def renewal(period: str) -> int | None:
    """Return when the next period of this kind begins (ms since 1970); None where none follows."""
    begins = _next(period)
    return (
        None if begins is None else int(datetime(begins.year, begins.month, begins.day, tzinfo=UTC).timestamp()) * 1000
    )


def bounds(period: str) -> tuple[int, int] | None:
    """Return when a period begins and when the next one does (ms since 1970); None for all time."""
    end = renewal(period)
    if end is None:
        return None
    first = date.fromisoformat(period if kind_of(period) == "day" else f"{period}-01")
    return int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1000, end


def month_so_far(now: int) -> tuple[int, int]:
    """Return when the month of `now` began and when its day is over (ms since 1970), in UTC."""
    today = datetime.fromtimestamp(now / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(today.replace(day=1).timestamp()) * 1000, int((today + timedelta(days=1)).timestamp()) * 1000


def counters_of(entry: Entry) -> tuple[Counter, ...]:
    """Return every counter that an entry is counted under, where there is such a one."""
    return tuple(Counter(scope, period) for scope in entry.scopes for period in periods_of(entry))


def periods_of(entry: Entry) -> tuple[str, str, str]:
    """Return the periods that an entry is counted in, in each of its scopes."""
    day = period_at("day", entry.created)
    return day, day[:7], TOTAL


def counters_of_key(key: ApiKey) -> tuple[Counter, ...]:
    """Return the counters of a new key's own limits: with nothing spent yet, they can begin at 0 with the key."""
    return tuple(Counter(f"key:{key.id}", period_at(kind, key.created)) for kind in key.limits.money)


def is_counted_under(entry: Entry, counter: Counter) -> bool:
    """Return whether a counter counts this entry."""
    if counter.scope not in entry.scopes:
        return False
    return counter.period == TOTAL or period_at("day", entry.created).startswith(counter.period)


def _next(period: str) -> date | None:
    kind = kind_of(period)
    if kind == "total":
        return None
    if kind == "day":
        return date.fromisoformat(period) + timedelta(days=1)
    first = date.fromisoformat(f"{period}-01")
    return (first + timedelta(days=31)).replace(day=1)


def limits_of(budgets: Sequence[Budget]) -> dict[Counter, int]:
    """Return each counter's limit, the lowest where a counter is named twice."""
    limits: dict[Counter, int] = {}
    for budget in budgets:
        counter = Counter(budget.scope, budget.period)
        limits[counter] = min(budget.limit, limits.get(counter, budget.limit))
    return limits


def check_limits(limits: Mapping[Counter, int], spent: Mapping[Counter, int], amount: int) -> None:
    """Raise `BudgetExceeded` for the first counter that would pass its limit."""
    for counter, limit in limits.items():
        if spent.get(counter, 0) + amount > limit:
            raise exceeded(counter, limit, spent=spent.get(counter, 0), amount=amount)


def exceeded(counter: Counter, limit: int, *, spent: int, amount: int) -> BudgetExceeded:
    """Return the error that says which budget has no room for this call of at most `amount`, and when it renews."""
    begins = _next(counter.period)
    renews = "It does not renew by itself." if begins is None else f"It renews at midnight UTC on {begins.isoformat()}."
    return BudgetExceeded(
        f"{_whose(counter)} of {dollars(limit)} {_lack(counter, limit - spent, amount)}. {renews} {_remedy(counter)}",
        scope=counter.scope,
        period=counter.period,
        limit=limit,
        renews=renewal(counter.period),
        lacks=spent + amount - limit,
    )


def _lack(counter: Counter, left: int, amount: int) -> str:
    if left <= 0:
        return "is used up"
    if counter.scope == "all":  # what everybody spends together is an admin's business
        return "has no room left for this"
    return f"has {dollars(left)} left, and this may cost up to {dollars(amount)}"


def _remedy(counter: Counter) -> str:
    if counter.scope.startswith("key:"):  # a key's own limits stay as they were made
        return OF_THIS_KEY
    return "Whoever runs this server can raise it."


def _whose(counter: Counter) -> str:
    period = {"day": "for today", "month": "for this month", "total": "for all time"}[kind_of(counter.period)]
    kind, _, name = counter.scope.partition(":")
    whose = {
        "all": "The whole server's budget",
        "user": "Your budget",
        "key": "This API key's budget",
        "group": f"The budget of the group “{name}”",
    }
    return f"{whose.get(kind, 'The budget')} {period}"
