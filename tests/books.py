"""Books in memory: keys, a ledger, prices and budgets, and what was used on known days."""

from collections.abc import Sequence
from datetime import UTC, datetime

from daehwa.accounts.budgets import BudgetRule, BudgetRules
from daehwa.accounts.ledger import Entry
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people_ports import GroupStore
from daehwa.accounts.ports import AccountStore
from daehwa.accounts.price_list import NamedPrice, PriceList
from daehwa.accounts.prices import Price, Rates
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallKind
from daehwa.server.books import Books, Exposition
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_keys import MemoryKeys
from daehwa.stores.memory_ledger import MemoryLedger
from daehwa.stores.memory_people import MemoryGroups

PARROT = NamedPrice(model="parrot", price=Price(rates=(Rates(input=1_000_000, output=4_000_000, cached=100_000),)))


def at(day: str) -> int:
    """Noon of a day, in ms since 1970."""
    return int(datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()) * 1000


TODAY = "2026-11-28"


class Told:
    """An `Exposition` that tells how many requests there are."""

    async def text(self, *, requests: int) -> bytes:
        return b"requests %d\n" % requests


TOLD = Told()


def some_books(
    *,
    accounts: AccountStore | None = None,
    groups: GroupStore | None = None,
    budgets: Sequence[BudgetRule] = (),
    exposition: Exposition | None = TOLD,
) -> Books:
    """Books on TODAY, empty."""
    people, ledger = accounts or MemoryAccounts(), MemoryLedger()
    rules = BudgetRules(budgets=tuple(budgets))

    def clock() -> int:
        return at(TODAY)

    meter = LedgerMeter(ledger, PriceList({}, [PARROT]), rules, accounts=people, clock=clock)
    return Books(
        keys=MemoryKeys(),
        ledger=ledger,
        accounts=people,
        groups=groups or MemoryGroups(),
        meter=meter,
        exposition=exposition,
        clock=clock,
    )


async def note(  # noqa: PLR0913 - a call has many sides
    books: Books,
    user: str,
    *,
    day: str = TODAY,
    key: str | None = None,
    model: str = "scripted/parrot",
    kind: CallKind = "chat",
    cost: int | None = 1_500_000,
    is_open: bool = False,
    failed: str | None = None,
    groups: tuple[str, ...] = (),
) -> None:
    """Write a call of a thousand tokens into the ledger."""
    usage = None if is_open else Usage(input=1_000, cached=200, output=300, reasoning=50, cost=cost)
    entry = Entry(
        id=new_id(),
        created=at(day),
        user=user,
        key=key,
        kind=kind,
        model=model,
        usage=usage,
        reserved=cost or 0,
        failed=failed,
        groups=groups,
    )
    if is_open:
        await books.ledger.reserve(entry, [])
    else:
        await books.ledger.settle(entry)
