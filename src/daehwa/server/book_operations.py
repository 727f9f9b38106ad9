"""The rows of keys and money, and of whoever watches over this server."""

from collections.abc import Iterator

from daehwa.accounts.errors import (
    AccountDisabled,
    KeyExpired,
    KeyMissing,
    KeyNotFound,
    KeyRevoked,
    KeyUnknown,
    NotAllowed,
)
from daehwa.accounts.key_making import KeyWish
from daehwa.accounts.memberships import Memberships
from daehwa.conversation.errors import InvalidRequest, StoreError, TooMuch
from daehwa.server.api import keys, usage
from daehwa.server.api.budgets import BudgetList, BudgetsApi
from daehwa.server.api.keys import KeysApi
from daehwa.server.api.usage import UsageApi
from daehwa.server.errors import BodyTooSlow, TooManyAtOnce, UnsupportedMediaType
from daehwa.server.metrics import MetricsApi
from daehwa.server.routing import Operation
from daehwa.server.wiring import Wiring

_BODY = (TooMuch, UnsupportedMediaType, BodyTooSlow, TooManyAtOnce)


def book_operations(wiring: Wiring) -> Iterator[Operation]:
    """Yield them."""
    books, entrances = wiring.books, wiring.entrances
    yield from _keys(KeysApi(books, wiring.options, wiring.identity.acts, wiring.programs))
    yield from _money(UsageApi(books), BudgetsApi(books, Memberships(wiring.groups)))
    yield from _watching(MetricsApi(wiring.traffic, books, has_sign_in=entrances.is_any, as_now=entrances.as_now))


def _keys(api: KeysApi) -> Iterator[Operation]:
    every, one, listed = "/api/keys", "/api/keys/{key}", (keys.KeyList,)
    errors = (NotAllowed, StoreError)
    yield Operation("GET", every, api.list_keys, query=keys.KeysQuery, answers=listed, errors=errors)
    made, wrong = (keys.MadeKey,), (InvalidRequest, NotAllowed, StoreError, *_BODY)
    yield Operation("POST", every, api.make_key, body=KeyWish, answers=made, status=201, errors=wrong)
    yield Operation("DELETE", one, api.revoke_key, answers=(keys.Key,), errors=(KeyNotFound, StoreError))


def _money(used: UsageApi, budgets: BudgetsApi) -> Iterator[Operation]:
    query, answers, errors = usage.UsageOf, (usage.UsageReport,), (NotAllowed, StoreError)
    yield Operation("GET", "/api/usage", used.get_usage, query=query, answers=answers, errors=errors)
    yield Operation("GET", "/api/usage.csv", used.get_usage_csv, query=query, text="text/csv", errors=errors)
    yield Operation("GET", "/api/budgets", budgets.list_budgets, answers=(BudgetList,), errors=(StoreError,))


def _watching(api: MetricsApi) -> Iterator[Operation]:
    errors = (KeyMissing, KeyUnknown, KeyExpired, KeyRevoked, NotAllowed, AccountDisabled, StoreError)
    yield Operation("GET", "/metrics", api.get_metrics, text="text/plain", errors=errors, is_open=True)
