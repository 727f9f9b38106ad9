"""API keys: list, make, revoke. Only a person in the page comes here, so no key can make another one."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.key_making import KeyWish, facts_of, is_live, make_key
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.ledger import UsageQuery
from daehwa.accounts.ports import Budget, LedgerStore
from daehwa.accounts.spending import TOTAL, month_so_far, period_at
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.ids import checked_id
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body, query_values
from daehwa.server.books import Books, whose
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Programs
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.acts import Acts

MOST_OLD_KEYS = 50
"""How many keys that open nothing any more are listed beside those that do."""
MOST_LISTED_KEYS = 500
"""How many of everybody's keys are listed."""
_AT_ONCE = 10


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a key has cost in micro-dollars today, this month (UTC) and in all, calls that still run included. In all is
    told only of keys with a limit on it, their own or the settings' that has had it counted, else null.
    """

    day: int
    month: int
    total: int | None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown: its text never. Money is in micro-dollars, times are milliseconds since 1970, and null is
    no limit, or never. `models` are what it may ask, none of them: every model.
    """

    id: str
    user: str
    name: str
    prefix: Annotated[str, Meta(description="The beginning of its text.")]
    models: tuple[str, ...]
    day: int | None
    month: int | None
    total: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    created: int
    expires: int | None
    last_used: int | None
    revoked: int | None
    spent: Spent


class KeyList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keys, newest first, and what their owners are called, by id. `each` is what the settings let each key spend
    beside its own limits, by kind of period, in micro-dollars.
    """

    keys: tuple[Key, ...]
    users: dict[str, str]
    each: dict[BudgetKind, int] = {}


class MadeKey(Unshown, frozen=True, kw_only=True):
    """A new key and its text, which is told this one time and stored nowhere."""

    key: Key
    secret: str


class KeysQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose keys."""

    everybody: Annotated[bool, Meta(description="Everybody's, for admins; else one's own.")] = False


class KeysApi:
    """The operations on keys."""

    def __init__(self, books: Books, options: ServerOptions, acts: Acts, programs: Programs | None = None) -> None:
        self._acts = acts
        self._programs = programs
        self._books = books
        self._options = options

    async def list_keys(self, request: Request) -> Response:
        """List API keys: all that open something, and the newest 50 that do not any more.

        Of everybody's, which an admin may ask for, the newest 500.
        """
        asked = query_values(request, KeysQuery)
        found = await self._books.keys.list_keys(whose(request.user, everybody=asked.everybody))
        names = await self._books.names_of(request.user, everybody=asked.everybody)
        shown = found[:MOST_LISTED_KEYS] if asked.everybody else tuple(_without_old(found, self._books.clock()))
        owners = {key.user for key in shown}
        users = {user: name for user, name in names.items() if user in owners}
        return json_response(KeyList(keys=await self._shown(shown), users=users, each=dict(self._each)))

    async def make_key(self, request: Request) -> Response:
        """Make an API key. Its text is told in this answer and never again. A person may have 50 keys, a guest none."""
        wish = await json_body(request, KeyWish, self._options)
        if request.user.role == "guest":  # now: the body may have been long on its way
            raise NotAllowed("Guests have no API keys. Ask an admin to make you a member.")
        key, text = await make_key(self._books.keys, request.user.id, wish, now=self._books.clock())
        await self._note(request, "key.made", key)
        return json_response(made_key(key, text), 201)

    async def revoke_key(self, request: Request) -> Response:
        """Revoke an API key at once and for good; an admin may revoke anybody's. Revoked already is fine.

        Calls under way with it end.
        """
        key = checked_id(request.path["key"], "key")
        user = None if request.user.role == "admin" else request.user.id
        revoked = await self._books.keys.revoke_key(key, user=user, now=self._books.clock())
        if self._programs is not None:
            self._programs.end_calls_with(revoked)
        await self._note(request, "key.revoked", revoked)
        return json_response((await self._shown([revoked]))[0])

    async def _note(self, request: Request, action: str, key: ApiKey) -> None:
        """Write into the audit log, where there is one, what was done about a key, and whose it is."""
        visitor = visitor_of(request.scope, self._options)
        await self._acts.note(action, visitor, actor=request.user, subject=key.user, **facts_of(key))

    async def _shown(self, keys: Sequence[ApiKey]) -> tuple[Key, ...]:
        return await shown_keys(keys, self._books.ledger, now=self._books.clock(), each=self._each)

    @property
    def _each(self) -> Mapping[BudgetKind, int]:
        return self._books.meter.of_each_key


async def shown_keys(
    keys: Sequence[ApiKey], ledger: LedgerStore, *, now: int, each: Mapping[BudgetKind, int]
) -> tuple[Key, ...]:
    """Return keys as they are shown, with what they have cost; `each` is what the settings let each key spend. Raise
    `StoreError`.

    However many keys there are, the ledger is asked for one month's sums; and for what was spent in all only where a
    limit has had it counted: a key's own since the key was made, the settings' since the key's first call under it.
    """
    if not keys:
        return ()
    days, months = await _month(keys, ledger, now)
    totals = await _totals(keys, ledger)
    if (limit := each.get("total")) is not None:
        totals |= await _counted(keys, ledger, limit)
    return tuple(_key(key, Spent(day=days[key.id], month=months[key.id], total=totals.get(key.id))) for key in keys)


async def _totals(keys: Sequence[ApiKey], ledger: LedgerStore) -> dict[str, int]:
    totals: dict[str, int] = {}
    limited = [key.id for key in keys if key.limits.total is not None]
    for some in (limited[begin : begin + _AT_ONCE] for begin in range(0, len(limited), _AT_ONCE)):
        spent = await asyncio.gather(*(ledger.spent(f"key:{key}", TOTAL) for key in some))
        totals.update(zip(some, spent, strict=True))
    return totals


async def _counted(keys: Sequence[ApiKey], ledger: LedgerStore, limit: int) -> dict[str, int]:
    """Return what is counted in all of keys without such a limit of their own: nothing of one that was never used."""
    keys = [key for key in keys if key.limits.total is None]
    of = {key.id: Budget(scope=f"key:{key.id}", period=TOTAL, limit=limit) for key in keys}
    counted = await ledger.counted(tuple(of.values()))
    unused = {key.id: 0 for key in keys if key.last_used is None}
    return unused | {key: counted[budget] for key, budget in of.items() if budget in counted}


async def _month(keys: Sequence[ApiKey], ledger: LedgerStore, now: int) -> tuple[Counter[str], Counter[str]]:
    """Return what was spent today and this month, by key."""
    users = {key.user for key in keys}
    since, until = month_so_far(now)
    rows = await ledger.usage(UsageQuery(since=since, until=until, user=users.pop() if len(users) == 1 else None))
    today, days, months = period_at("day", now), Counter[str](), Counter[str]()
    for row in rows:
        if row.key is not None:
            months[row.key] += row.cost
            days[row.key] += row.cost if row.day == today else 0
    return days, months


def made_key(key: ApiKey, text: str) -> MadeKey:
    """Return a new key as it is shown this one time."""
    return MadeKey(key=_key(key, Spent(day=0, month=0, total=None if key.limits.total is None else 0)), secret=text)


def _without_old(keys: Iterable[ApiKey], now: int) -> Iterable[ApiKey]:
    old = 0
    for key in keys:
        old += not is_live(key, now)
        if is_live(key, now) or old <= MOST_OLD_KEYS:
            yield key


def _key(key: ApiKey, spent: Spent) -> Key:
    limits = msgspec.structs.asdict(key.limits)
    own = {name: getattr(key, name) for name in Key.__struct_fields__ if name not in limits and name != "spent"}
    return Key(**own, **limits, spent=spent)
