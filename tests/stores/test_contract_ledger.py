"""What every ledger does, held to the same contract: a further one joins by one line in `PLACES`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores.places import PLACES, Place

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ledger import Entry, UsageQuery
from daehwa.accounts.ports import Budget, LedgerStore
from daehwa.accounts.spending import bounds, counters_of, is_counted_under
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.stores.memory_ledger import MemoryLedger

NOW = 1_795_305_600_000
DAY_MS = 24 * 60 * 60 * 1000
DAY, MONTH = "2026-11-22", "2026-11"
EVERYTHING = UsageQuery(since=NOW - 40 * DAY_MS, until=NOW + 40 * DAY_MS)


@pytest.fixture(params=list(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with PLACES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
async def ledger(place: Place) -> LedgerStore:
    return (await place.process()).ledger


def an_entry(reserved: int = 0, **changes: Any) -> Entry:
    given = {"id": new_id(), "created": NOW, "user": "mina", "kind": "chat", "model": "test/parrot", **changes}
    return msgspec.convert({**given, "reserved": reserved}, Entry)


def ended(entry: Entry, cost: int | None, **usage: Any) -> Entry:
    return msgspec.structs.replace(entry, usage=Usage(cost=cost, **usage))


def a_budget(limit: int, scope: str = "user:mina", period: str = DAY) -> Budget:
    return Budget(scope=scope, period=period, limit=limit)


async def is_reserved(ledger: LedgerStore, entry: Entry, limits: list[Budget]) -> bool:
    try:
        await ledger.reserve(entry, limits)
    except BudgetExceeded:
        return False
    return True


async def test_nothing_is_counted_at_first(ledger: LedgerStore) -> None:
    assert await ledger.spent("user:mina", DAY) == 0
    assert await ledger.usage(EVERYTHING) == ()


async def test_a_budget_may_be_used_to_its_last_micro_dollar_and_not_beyond(ledger: LedgerStore) -> None:
    await ledger.reserve(an_entry(7), [a_budget(10)])
    with pytest.raises(BudgetExceeded) as refused:
        await ledger.reserve(an_entry(4), [a_budget(10)])
    assert (refused.value.scope, refused.value.period, refused.value.limit) == ("user:mina", DAY, 10)
    await ledger.reserve(an_entry(3), [a_budget(10)])
    assert await ledger.spent("user:mina", DAY) == 10
    with pytest.raises(BudgetExceeded):
        await ledger.reserve(an_entry(6, user="other"), [a_budget(5, "user:other")])
    assert await ledger.spent("user:other", DAY) == 0
    assert [row.calls for row in await ledger.usage(EVERYTHING)] == [2], "what was refused is no call"


async def test_a_refused_reservation_may_be_tried_again(ledger: LedgerStore) -> None:
    first, second = an_entry(10), an_entry(8)
    await ledger.reserve(first, [a_budget(10)])
    assert not await is_reserved(ledger, second, [a_budget(10)])
    await ledger.settle(ended(first, 2))
    assert await is_reserved(ledger, second, [a_budget(10)])


@pytest.mark.parametrize("really", [None, 0, 3, 5, 20])
async def test_what_was_really_spent_takes_the_place_of_what_was_reserved(
    ledger: LedgerStore, really: int | None
) -> None:
    entry = an_entry(5)
    await ledger.reserve(an_entry(4), [a_budget(10)])
    await ledger.reserve(entry, [a_budget(10)])
    await ledger.settle(ended(entry, really))
    counted = 4 + (really or 0)
    assert await ledger.spent("user:mina", DAY) == counted
    assert await is_reserved(ledger, an_entry(1), [a_budget(10)]) == (counted + 1 <= 10)


async def test_the_same_entry_counts_once_and_is_settled_once(ledger: LedgerStore) -> None:
    entry = an_entry(5)
    for _ in range(3):
        await ledger.reserve(entry, [a_budget(5)])
    assert await ledger.spent("user:mina", DAY) == 5
    for really in (2, 4, 2):
        await ledger.settle(ended(entry, really))
    assert await ledger.spent("user:mina", DAY) == 2
    await ledger.reserve(entry, [a_budget(5)])
    assert await ledger.spent("user:mina", DAY) == 2, "a request that was repeated late spends nothing"


async def test_the_same_id_of_another_day_is_another_entry(ledger: LedgerStore) -> None:
    today = an_entry(5)
    before = msgspec.structs.replace(today, created=NOW - DAY_MS)
    for entry in (today, before):
        await ledger.reserve(entry, [])
    await ledger.settle(ended(before, 2))
    assert await ledger.spent("user:mina", MONTH) == 5 + 2
    assert await ledger.spent("user:mina", DAY) == 5


async def test_the_same_entry_many_times_at_once_counts_once(ledger: LedgerStore) -> None:
    entry = an_entry(5)
    await asyncio.gather(*(ledger.reserve(entry, [a_budget(100)]) for _ in range(10)))
    assert await ledger.spent("user:mina", DAY) == 5
    await asyncio.gather(*(ledger.settle(ended(entry, 3)) for _ in range(10)))
    assert await ledger.spent("user:mina", DAY) == 3
    unreserved = an_entry()
    await asyncio.gather(*(ledger.settle(ended(unreserved, 4)) for _ in range(10)))
    assert await ledger.spent("user:mina", DAY) == 7


async def test_a_hundred_at_once_never_overspend_whichever_process_they_ask(place: Place) -> None:
    processes = [(await place.process()).ledger for _ in range(3)]
    entries = [an_entry(10) for _ in range(100)]
    done = await asyncio.gather(
        *(is_reserved(processes[at % 3], entry, [a_budget(30)]) for at, entry in enumerate(entries))
    )
    assert sum(done) == 3
    assert {await each.spent("user:mina", DAY) for each in processes} == {30}
    assert [row.reserved for row in await processes[0].usage(EVERYTHING)] == [30]


async def test_several_budgets_are_counted_all_or_none(ledger: LedgerStore) -> None:
    together = [a_budget(100, "all"), a_budget(10), a_budget(15, period=MONTH)]
    entry = an_entry(9)
    await ledger.reserve(entry, together)
    with pytest.raises(BudgetExceeded) as refused:
        await ledger.reserve(an_entry(5), together)
    assert (refused.value.scope, refused.value.period) == ("user:mina", DAY)
    counted = [await ledger.spent(each.scope, each.period) for each in together]
    assert counted == [9, 9, 9]
    await ledger.settle(ended(entry, 4))
    assert [await ledger.spent(each.scope, each.period) for each in together] == [4, 4, 4]


async def test_a_counter_named_twice_is_counted_once_under_the_lower_limit(ledger: LedgerStore) -> None:
    assert not await is_reserved(ledger, an_entry(6), [a_budget(5), a_budget(10)])
    assert await is_reserved(ledger, an_entry(5), [a_budget(10), a_budget(5)])
    assert await ledger.spent("user:mina", DAY) == 5


async def test_a_call_without_budgets_is_counted_all_the_same(ledger: LedgerStore) -> None:
    reserved, unreserved = an_entry(5, key="k", groups=("한국", "all of us")), an_entry()
    await ledger.reserve(reserved, [])
    await ledger.settle(ended(unreserved, 2))
    assert await ledger.spent("all", DAY) == await ledger.spent("user:mina", MONTH) == 7
    assert await ledger.spent("group:한국", MONTH) == await ledger.spent("key:k", DAY) == 5
    await ledger.settle(ended(reserved, 1))
    assert await ledger.spent("all", MONTH) == 3
    assert await ledger.spent("group:all of us", DAY) == 1
    assert await ledger.spent("group:한", DAY) == await ledger.spent("key:mina", DAY) == 0


async def test_a_budget_that_comes_in_mid_month_counts_what_was_spent_before(ledger: LedgerStore) -> None:
    earlier = an_entry(created=NOW - 20 * DAY_MS)
    still_open = an_entry(3, created=NOW - DAY_MS)
    await ledger.settle(ended(earlier, 4))
    await ledger.settle(ended(an_entry(created=NOW - 22 * DAY_MS), 100))  # of the month before
    await ledger.settle(ended(an_entry(user="other"), 50))
    await ledger.reserve(still_open, [])
    assert not await is_reserved(ledger, an_entry(4), [a_budget(10, period=MONTH)])
    assert await is_reserved(ledger, an_entry(3), [a_budget(10, period=MONTH)])
    assert await ledger.spent("user:mina", MONTH) == 10
    await ledger.settle(ended(still_open, 1))
    await ledger.settle(ended(an_entry(), 2))
    assert await ledger.spent("user:mina", MONTH) == 10
    assert await ledger.spent("user:mina", DAY) == 5


async def test_what_was_begun_is_told_for_many_budgets_at_once(ledger: LedgerStore) -> None:
    await ledger.settle(ended(an_entry(groups=("research",), created=NOW - DAY_MS), 4))
    await ledger.settle(ended(an_entry(groups=("research",)), 3))
    await ledger.settle(ended(an_entry(), 100))
    budgets = [a_budget(9, "group:research", period) for period in (DAY, MONTH, "total")]
    other = a_budget(9, "group:other")
    assert set((await ledger.counted([*budgets, other])).values()) <= {0, 3, 7}, "nothing but what is right"
    for _ in range(2):
        await ledger.begin(budgets)
    assert {each: (await ledger.counted([*budgets, other]))[each] for each in budgets} == dict(
        zip(budgets, (3, 7, 7), strict=True)
    )
    await ledger.settle(ended(an_entry(groups=("research",)), 2))
    assert [(await ledger.counted([each]))[each] for each in budgets] == [5, 9, 9]
    assert await ledger.counted([]) == {}


async def test_open_entries_stay_counted_after_a_crash_and_can_be_settled_then(place: Place) -> None:
    entry = an_entry(8)
    await (await place.process()).ledger.reserve(entry, [a_budget(10)])
    after = (await place.process()).ledger
    assert await after.spent("user:mina", DAY) == 8
    assert not await is_reserved(after, an_entry(3), [a_budget(10)])
    await after.settle(ended(entry, 1))
    assert await after.spent("user:mina", DAY) == 1


async def test_who_called_and_when_stays_as_it_was(ledger: LedgerStore) -> None:
    entry = an_entry(5, groups=("research",))
    await ledger.reserve(entry, [a_budget(10, "group:research")])
    later = msgspec.structs.replace(entry, groups=(), model="test/other", failed="upstream_cut", seconds=3)
    await ledger.settle(ended(later, 2))
    assert await ledger.spent("group:research", DAY) == 2
    assert [(row.model, row.failed) for row in await ledger.usage(EVERYTHING)] == [("test/other", 1)]


async def test_usage_is_summed_by_day_user_key_model_and_kind(ledger: LedgerStore) -> None:
    first = an_entry(key="k")
    for entry in (
        ended(first, 7, input=10, cached=4, output=5, reasoning=2),
        ended(msgspec.structs.replace(first, id=new_id(), failed="upstream_cut"), None, input=1, estimated=True),
        ended(an_entry(), 1),
        ended(an_entry(kind="embedding", created=NOW + DAY_MS - 1), 1),
        ended(an_entry(user="anna", created=NOW + DAY_MS), 9),
    ):
        await ledger.settle(entry)
    await ledger.reserve(msgspec.structs.replace(first, id=new_id(), reserved=30), [])
    rows = await ledger.usage(EVERYTHING)
    assert [(row.day, row.user, row.key, row.kind, row.cost) for row in rows] == [
        (DAY, "mina", None, "chat", 1),
        (DAY, "mina", None, "embedding", 1),
        (DAY, "mina", "k", "chat", 37),
        ("2026-11-23", "anna", None, "chat", 9),
    ]
    with_key = rows[2]
    assert (with_key.calls, with_key.input, with_key.cached, with_key.output, with_key.reasoning) == (3, 11, 4, 5, 2)
    assert (with_key.reserved, with_key.estimated, with_key.unpriced, with_key.failed) == (30, 1, 1, 1)


async def test_a_report_is_about_the_days_and_the_person_asked_for(ledger: LedgerStore) -> None:
    for user in ("anna", "mina", "min"):
        for day in range(4):
            await ledger.settle(ended(an_entry(user=user, created=NOW + day * DAY_MS), 1))
    days = await ledger.usage(UsageQuery(since=NOW + DAY_MS, until=NOW + 3 * DAY_MS))
    assert [(row.day, row.user) for row in days] == [
        (day, user) for day in ("2026-11-23", "2026-11-24") for user in ("anna", "min", "mina")
    ]
    hers = await ledger.usage(UsageQuery(since=NOW, until=NOW + DAY_MS, user="min"))
    assert [(row.day, row.user, row.calls) for row in hers] == [(DAY, "min", 1)]
    assert await ledger.usage(UsageQuery(since=NOW, until=NOW)) == ()


async def test_a_report_may_be_apart_by_the_groups_of_the_time(ledger: LedgerStore) -> None:
    for groups, cost in (((), 1), (("b", "a"), 2), (("a",), 4), (("a",), 8)):
        entry = msgspec.structs.replace(an_entry(user="mina", created=NOW), groups=groups)
        await ledger.reserve(entry, [])
        # Whoever settles may know nothing of the groups of the time.
        await ledger.settle(msgspec.structs.replace(ended(entry, cost), groups=()))
    apart = await ledger.usage(msgspec.structs.replace(EVERYTHING, by_group=True))
    assert [(row.groups, row.cost, row.calls) for row in apart] == [((), 1, 1), (("a",), 12, 2), (("b", "a"), 2, 1)]
    (together,) = await ledger.usage(EVERYTHING)
    assert (together.groups, together.cost, together.calls) == ((), 15, 4)


async def test_what_is_no_text_is_mended_and_not_refused(ledger: LedgerStore) -> None:
    entry = an_entry(5, model="broken \ud83d", kind="turn")
    await ledger.reserve(entry, [a_budget(10)])
    await ledger.settle(ended(entry, 3))
    assert await ledger.spent("user:mina", DAY) == 3


def test_a_period_begins_where_the_one_before_it_ends() -> None:
    assert bounds(DAY) == (NOW, NOW + DAY_MS)
    begins, ends = (datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1000 for month in (11, 12))
    assert bounds(MONTH) == (begins, ends)
    assert bounds("total") is None


# ------------------------------------------------------------ whatever the order

_Step: TypeAlias = tuple[str, int, frozenset[str], int]
_SCOPES = ("all", "user", "key", "group")
_PERIODS = (DAY, MONTH)
_scopes = st.frozensets(st.sampled_from(_SCOPES))
_step: st.SearchStrategy[_Step] = st.one_of(
    st.tuples(st.just("reserve"), st.integers(0, 5), _scopes, st.integers(0, 20)),
    st.tuples(st.just("settle"), st.integers(0, 5), st.just(frozenset()), st.integers(0, 30)),
    st.tuples(st.just("crash"), st.just(0), st.just(frozenset()), st.just(0)),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, max_size=10))
async def test_counters_are_the_sum_of_their_entries_whatever_the_order(place: Place, steps: list[_Step]) -> None:
    """Reserved, settled, repeated, left open, opened anew, in any order: as a ledger does that only sums entries."""
    run = uuid4().hex[:8]  # the same store for every example
    model, ledger = MemoryLedger(), (await place.process()).ledger
    entries = [
        an_entry(
            id=f"{run}-{at}",
            user=f"u{at % 2}-{run}",
            key=f"k{at % 4}-{run}",  # each one person's
            groups=(f"g-{run}",) if at % 2 else (),
            created=NOW - (at % 2) * DAY_MS,
        )
        for at in range(6)
    ]
    for kind, at, scopes, amount in steps:
        if kind == "crash":
            ledger = (await place.process()).ledger
        elif kind == "settle":
            for each in (model, ledger):
                await each.settle(ended(entries[at], amount))
        else:
            # Of "all", which every example shares, there is room; what it says is compared for each person.
            budgets = [
                a_budget(10**9 if counter.scope == "all" else 50, *msgspec.structs.astuple(counter))
                for counter in counters_of(entries[at])
                if counter.scope.partition(":")[0] in scopes and counter.period != "total"
            ]
            entry = msgspec.structs.replace(entries[at], reserved=amount)
            assert await is_reserved(ledger, entry, budgets) == await is_reserved(model, entry, budgets)
    counters = {counter for entry in entries for counter in counters_of(entry)}
    for counter in counters:
        if counter.scope != "all" and counter.period != "total":
            assert any(is_counted_under(entry, counter) for entry in entries)
            assert await ledger.spent(*msgspec.structs.astuple(counter)) == await model.spent(
                *msgspec.structs.astuple(counter)
            )
