"""The meter: finds price and budgets of a call, reserves before it, counts after it.

How this works and why. Where no budget applies, nothing is written before the call: counting it once, at its end, is
enough. Where one does, the dearest that the call can cost is reserved first, in one step of the store, so that calls
side by side never pass a limit; a call that is never settled (a crash) stays reserved, which fails on the safe side.
What is settled is written within a turn of the loop where the ledger can do that, else by a task of the meter's own:
whoever waits for it may be cancelled, the counting is not.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil

import msgspec

from daehwa.accounts.answer_lengths import LEAST_OUTPUT, longest_output, unasked_output, wanted_output
from daehwa.accounts.budgets import BudgetRules, BudgetState, KnownBudgets, of_person
from daehwa.accounts.errors import BudgetExceeded, PriceUnknown
from daehwa.accounts.ledger import Entry
from daehwa.accounts.people import User
from daehwa.accounts.ports import AccountStore, Budget, LedgerStore, SettlesSoon
from daehwa.accounts.price_list import PriceList
from daehwa.accounts.prices import Price, cost, dearest, spoken
from daehwa.accounts.spending import OF_EACH_KEY, OF_THIS_KEY, limits_of, renewal
from daehwa.conversation.budget import BudgetKind, kind_of
from daehwa.conversation.errors import DaehwaError, StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import (
    AskedBy,
    CallEnded,
    CallObserver,
    GroupShare,
    Outcome,
    PaidCall,
    RefusalObserver,
)

ANSWERS = frozenset({"turn", "title", "chat", "completion", "response"})
"""The kinds of calls whose answer can be limited."""
PERSON_SECONDS = 60.0
"""How long it is remembered who somebody is: their address decides which groups they are in."""
PEOPLE = 10_000
SETTLE_SECONDS = 2.0
"""How long whoever settles waits for the store; the writing itself goes on."""
_SETTLE_PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0)
_LAST_SECONDS = 2.0
_LOWER_LIMIT_TRIES = 3
_log = logging.getLogger("daehwa.meter")


class LedgerMeter:
    """A `Meter` whose entries are kept in a ledger."""

    def __init__(
        self,
        ledger: LedgerStore,
        prices: PriceList,
        rules: BudgetRules | None = None,
        *,
        accounts: AccountStore,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.prices = prices
        self._ledger = ledger
        self._settle_soon = ledger.settle_soon if isinstance(ledger, SettlesSoon) else None
        self._rules = rules or BudgetRules()
        self._budgets = KnownBudgets(self._rules)
        self._asks_for_people = self._rules.asks_for_people
        self._accounts = accounts
        self._clock = clock
        self._emails: dict[str, tuple[int, str | None]] = {}
        self._observers: list[CallObserver] = []
        self._refusal_observers: list[RefusalObserver] = []
        self._reserved: dict[str, Entry] = {}
        self.uncounted = 0
        """So many calls could not be counted as they ended."""
        self._writing: set[asyncio.Task[None]] = set()

    def observe(self, observer: CallObserver) -> None:
        """Tell somebody of each call once it has ended. An observer is quick and raises nothing."""
        self._observers.append(observer)

    def observe_refusals(self, observer: RefusalObserver) -> None:
        """Tell somebody of each call that was not made. An observer is quick and raises nothing."""
        self._refusal_observers.append(observer)

    def note_refused(self, by: AskedBy, error: DaehwaError) -> None:
        """As on `Meter`."""
        if error.refusal is not None:
            for observer in self._refusal_observers:
                observer(by, error.refusal)

    async def open(self, call: PaidCall) -> "LedgerCharge":
        """As on `Meter`."""
        try:
            return await self._open(call)
        except BudgetExceeded as error:
            raise _named(self._as_held(self._as_set(error)), call.groups) from None

    def _as_set(self, error: BudgetExceeded) -> BudgetExceeded:
        """Return the error with the right remedy where the limit is what the settings let each key spend."""
        if not error.scope.startswith("key:") or self.of_each_key.get(error.budget.kind) != error.limit:
            return error
        return error.worded(error.message.replace(OF_THIS_KEY, OF_EACH_KEY))

    def _as_held(self, error: BudgetExceeded) -> BudgetExceeded:
        """Return the error with a word on it where this process's calls under way hold what there is no room for."""
        held = sum(entry.reserved for entry in self._reserved.values() if error.scope in entry.scopes)
        if held < error.lacks:
            return error
        message = error.message.replace("is used up", "has no room left just now")
        return error.worded(f"{message} Calls under way hold the rest: once they have ended there may be room again.")

    async def _open(self, call: PaidCall) -> "LedgerCharge":
        now = self._clock()
        email = await self._email(call.user, now)
        budgets = self._budgets.budgets_for(call, email, now=now)
        entry = Entry(
            id=call.id,
            created=now,
            user=call.user,
            kind=call.kind,
            model=call.model,
            key=call.key,
            groups=(*self._rules.groups_of(email), *(group.id for group in call.groups)),
            conversation=call.conversation,
        )
        if not budgets:
            return LedgerCharge(self, call, entry)
        price = self._highest_price(call, now)
        if price.is_free:
            return LedgerCharge(self, call, entry)
        is_answer = call.kind in ANSWERS
        limit = call.output_limit if is_answer else unasked_output(call)
        if limit is None or (is_answer and call.may_be_shorter):
            return await self._open_with_room(call, entry, budgets, price)
        reserved = await self._reserve(entry, budgets, dearest(call, limit, price))
        return LedgerCharge(self, call, reserved)

    def _highest_price(self, call: PaidCall, now: int) -> Price:
        """Return the price of the model, or of the dearest of those that may answer in its place."""
        limit = wanted_output(call)
        prices: list[Price] = []
        for model in (call.model, *call.others):
            if (price := self.prices.price_of(model, now=now)) is None:
                raise PriceUnknown(model)
            prices.append(price)
        return prices[0] if len(prices) == 1 else max(prices, key=lambda price: dearest(call, limit, price))

    async def budgets_of(self, user: User, groups: Sequence[GroupShare] = ()) -> tuple[BudgetState, ...]:
        """Return a person's budgets as they stand now, the whole server's only to an admin; `groups` are those that
        they are in. Raise `StoreError`.
        """
        now, names = self._clock(), {f"group:{group.id}": group.name for group in groups}
        limits = limits_of(self._rules.budgets_of(user.id, user.email, now=now, shares=groups))
        states = [
            BudgetState(
                scope=counter.scope,
                period=counter.period,
                kind=kind_of(counter.period),
                limit=limit,
                spent=await self._ledger.spent(counter.scope, counter.period),
                renews=renewal(counter.period),
                name=names.get(counter.scope),
            )
            for counter, limit in limits.items()
        ]
        return of_person(user, states)

    @property
    def of_each_key(self) -> Mapping[BudgetKind, int]:
        """What each key may spend beside its own limits, in micro-dollars."""
        return self._rules.of_each_key

    async def aclose(self) -> None:
        """Give what is still to be written a last moment, before the store is closed."""
        await asyncio.sleep(0)  # what is written within this turn of the loop either is, or has a task by then
        if self._writing:
            _, late = await asyncio.wait(list(self._writing), timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
            self.uncounted += len(late)
            if late:
                _log.warning("%d calls are not counted as they ended: the store takes too long", len(late))
                await asyncio.wait(late)

    # ------------------------------------------------------------ before a call

    async def _email(self, user: str, now: int) -> str | None:
        if not self._asks_for_people:
            return None
        known = self._emails.get(user)
        if known is not None and now - known[0] < PERSON_SECONDS * 1000:
            return known[1]
        person = await self._accounts.get_user(user)
        if len(self._emails) >= PEOPLE:
            self._emails.clear()
        email = None if person is None else person.email
        self._emails[user] = (now, email)
        return email

    async def _open_with_room(
        self, call: PaidCall, entry: Entry, budgets: tuple[Budget, ...], price: Price
    ) -> "LedgerCharge":
        """Reserve an answer of the settings' length, else of the assumed one, or of what there is room for."""
        limit = wanted_output(call)
        for _ in range(_LOWER_LIMIT_TRIES):
            try:
                reserved = await self._reserve(entry, budgets, dearest(call, limit, price))
            except BudgetExceeded:
                # Others spend at the same time, so there may be less room once more.
                lower = longest_output(call, price, await self._room(budgets), below=limit)
                if lower is None:
                    raise
                limit = lower
            else:
                return LedgerCharge(self, call, reserved, output_limit=None if limit == call.output_limit else limit)
        reserved = await self._reserve(entry, budgets, dearest(call, LEAST_OUTPUT, price))
        return LedgerCharge(self, call, reserved, output_limit=LEAST_OUTPUT)

    async def _room(self, budgets: tuple[Budget, ...]) -> int:
        return min([budget.limit - await self._ledger.spent(budget.scope, budget.period) for budget in budgets])

    async def _reserve(self, entry: Entry, budgets: tuple[Budget, ...], amount: int) -> Entry:
        reserved = msgspec.structs.replace(entry, reserved=amount)
        try:
            await self._ledger.reserve(reserved, budgets)
        except asyncio.CancelledError:
            self._take_back(reserved)
            raise
        except StoreError:
            if self._settle_soon is None:  # a network is between, which may have lost no more than the answer
                await asyncio.wait([self._take_back(reserved, StoreError.type)], timeout=SETTLE_SECONDS)
            raise
        self._reserved[reserved.id] = reserved
        return reserved

    def _take_back(self, reserved: Entry, why: str | None = None) -> asyncio.Task[None]:
        """Begin to settle with nothing what nobody knows to be reserved: it counts nothing then, in either order."""
        return self.write(msgspec.structs.replace(reserved, usage=Usage(cost=0), failed=why))

    def give_back(self, entry: str) -> None:
        """Note that an entry is no longer reserved, or is about not to be."""
        self._reserved.pop(entry, None)

    # ------------------------------------------------------------ after a call

    def price_now(self, model: str) -> Price | None:
        """Return a model's price."""
        return self.prices.price_of(model, now=self._clock())

    def tell(self, call: PaidCall, outcome: Outcome, usage: Usage | None, began: int) -> None:
        """Tell whoever watches of a call that has ended."""
        if not self._observers:
            return
        ended = CallEnded(call=call, outcome=outcome, usage=usage, began=began, ended=self._clock())
        loop = asyncio.get_running_loop()
        for observer in self._observers:
            loop.call_soon(observer, ended)  # a fault of theirs is the loop's to log, and nobody's call fails by it

    def write_soon(self, entry: Entry) -> bool:
        """Keep a settled entry without anybody's waiting; return False where the ledger cannot do that."""
        if self._settle_soon is None:
            return False
        self._settle_soon(entry, partial(self.write, entry))
        return True

    def write(self, entry: Entry) -> asyncio.Task[None]:
        """Begin to keep a settled entry; the task is held until it is done."""
        task = asyncio.create_task(self._write(entry), name=f"count {entry.id}")
        self._writing.add(task)
        task.add_done_callback(self._written)
        return task

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.uncounted += 1
            _log.error("%s: the store failed in a way that it does not announce", task.get_name(), exc_info=error)

    async def _write(self, entry: Entry) -> None:
        for pause in (*_SETTLE_PAUSES, None):
            try:
                await self._ledger.settle(entry)
            except StoreError as error:
                if pause is None:
                    self.uncounted += 1
                    _log.error("call %s is not counted as it ended: %s", entry.id, error.message)
                    return
                await asyncio.sleep(pause)
            else:
                return


class LedgerCharge:
    """A `Charge` whose entry is kept in a ledger."""

    def __init__(self, meter: LedgerMeter, call: PaidCall, entry: Entry, *, output_limit: int | None = None) -> None:
        self.output_limit = output_limit
        self._meter = meter
        self._call = call
        self._entry = entry
        self._settled: tuple[Usage | None] | None = None

    def priced(self, outcome: Outcome) -> Usage | None:
        """As on `Charge`."""
        usage = outcome.usage
        if usage is None and not outcome.seconds and not outcome.images:
            return None
        price = self._meter.price_now(outcome.model or self._call.model)
        usage = usage or Usage()
        if price is None:
            return msgspec.structs.replace(usage, cost=None)
        seconds, images, counted = outcome.seconds, outcome.images, usage
        if usage.estimated:  # then nobody counted these either
            seconds, images = seconds or self._call.seconds, images or self._call.images
            if self._call.kind == "image":  # whoever leaves ahead of the count may have seen them
                counted = msgspec.structs.replace(usage, output=images * unasked_output(self._call))
        kind = self._call.kind
        amount = cost(counted, price, kind=kind, seconds=seconds, images=images, shown=outcome.shown)
        amount += spoken(price, self._call.characters)
        return msgspec.structs.replace(usage, cost=amount)

    def settle_now(self, outcome: Outcome) -> bool:
        """As on `Charge`."""
        if self._settled is None:
            usage = self.priced(outcome)
            if not self._meter.write_soon(self._as_settled(outcome, usage)):
                return False
            self._note(outcome, usage)
        return True

    async def settle(self, outcome: Outcome) -> Usage | None:
        """As on `Charge`."""
        if self._settled is not None:
            return self._settled[0]
        usage = self.priced(outcome)
        self._note(outcome, usage)
        entry = self._as_settled(outcome, usage)
        if not self._meter.write_soon(entry):
            await asyncio.wait([self._meter.write(entry)], timeout=SETTLE_SECONDS)
        return usage

    def _note(self, outcome: Outcome, usage: Usage | None) -> None:
        self._settled = (usage,)
        self._meter.give_back(self._entry.id)
        self._meter.tell(self._call, outcome, usage, self._entry.created)

    def _as_settled(self, outcome: Outcome, usage: Usage | None) -> Entry:
        return msgspec.structs.replace(
            self._entry,
            model=outcome.model or self._entry.model,
            usage=usage or Usage(cost=0),
            seconds=ceil(outcome.seconds),
            images=outcome.images,
            failed=outcome.error,
        )


def _named(error: BudgetExceeded, groups: Sequence[GroupShare]) -> BudgetExceeded:
    """Return the error with the name of a group in it whose id stands in the scope."""
    group = next((group for group in groups if error.scope == f"group:{group.id}"), None)
    if group is None:
        return error
    message = error.message.replace(f"“{group.id}”", f"“{group.name}”")
    return error.worded(message, name=group.name)
