"""A meter to try things on: a ledger in memory, one priced model, and the people who ask it."""

import asyncio
from collections.abc import Sequence

from daehwa.accounts.budgets import BudgetRule, BudgetRules, Group
from daehwa.accounts.ledger import Entry
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people import Profile, User
from daehwa.accounts.ports import Budget, LedgerStore
from daehwa.accounts.price_list import NamedPrice, PricedUpstream, PriceList
from daehwa.accounts.prices import Price, Rates
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import PaidCall
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_ledger import MemoryLedger

NOW = 1_795_305_600_000  # 2026-11-22
DAY, MONTH = "2026-11-22", "2026-11"
MODEL = "scripted/parrot"
PRICE = Price(rates=(Rates(0, 1_000_000, 10_000_000, 100_000),))
"""A micro-dollar a token of the prompt, ten a token of the answer."""


def a_rule(scope: str, limit: int, kind: BudgetKind = "day") -> BudgetRule:
    return BudgetRule(scope=scope, kind=kind, limit=limit)


def a_call(**fields: object) -> PaidCall:
    standard = {"id": new_id(), "kind": "chat", "user": "mina", "model": MODEL, "input_tokens": 100, "output_limit": 90}
    return PaidCall(**{**standard, **fields})  # type: ignore[arg-type] # checked by msgspec's own constructor


class FaultyLedger(MemoryLedger):
    """A ledger whose store fails, or takes its time, as often as is said."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.gate: asyncio.Event | None = None
        self.word: asyncio.Event | None = None
        """Where there is one, a reservation is made at once, and its caller is told only once this is set."""
        self.settled: list[Entry] = []

    async def _pass(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise StoreError("The disk is full.")

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        await self._pass()
        await super().reserve(entry, budgets)
        if self.word is not None:
            await self.word.wait()

    async def settle(self, entry: Entry) -> None:
        await self._pass()
        self.settled.append(entry)
        await super().settle(entry)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class AskedAccounts(MemoryAccounts):
    """Accounts that remember for whom they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def get_user(self, user: str) -> User | None:
        self.asked.append(user)
        return await super().get_user(user)


class Till:
    """A meter, what it is made of, and what it has counted."""

    def __init__(self, *rules: BudgetRule, groups: Sequence[Group] = (), ledger: LedgerStore | None = None) -> None:
        self.faulty = FaultyLedger()
        self.ledger: LedgerStore = ledger or self.faulty
        self.accounts = AskedAccounts()
        self.clock = Clock()
        upstreams = {
            "scripted": PricedUpstream(base_url="https://unheard-of.example.com"),
            "here": PricedUpstream(is_here=True),
        }
        self.meter = LedgerMeter(
            self.ledger,
            PriceList(upstreams, [NamedPrice(model=MODEL, price=PRICE)]),
            BudgetRules(budgets=rules, groups=tuple(groups)),
            accounts=self.accounts,
            clock=self.clock,
        )

    async def person(self, email: str) -> str:
        """Let somebody sign in; return their id."""
        profile = Profile(issuer="https://id.example.com", subject=email, email=email, name="")
        return (await self.accounts.sign_in(profile, role=None, now=NOW)).id

    async def spent(self, scope: str = "user:mina", period: str = DAY) -> int:
        return await self.ledger.spent(scope, period)


def used(tokens_in: int, tokens_out: int, *, cached: int = 0) -> Usage:
    return Usage(input=tokens_in, output=tokens_out, cached=cached)
