"""What every store of budgets does, held to the same contract: a further one joins by one line in `BUDGET_STORES`."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest
from dynamodb_local import shared_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ports import Budget, BudgetStore
from daehwa.stores.dynamodb_budgets import DynamoBudgets
from daehwa.stores.memory_budgets import MemoryBudgets
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_budgets import SqliteBudgets

Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[BudgetStore]]
NOW = 1_795_305_600_000
DAY, MONTH = "2026-11-22", "2026-11"


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[BudgetStore]:
    yield MemoryBudgets()


@contextlib.asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[BudgetStore]:
    store = await SqliteStore.open(folder / "daehwa.db")
    try:
        yield SqliteBudgets(store)
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def open_dynamodb(_folder: Path) -> AsyncIterator[BudgetStore]:
    server = shared_server()
    table = server.connect(await server.new_table())
    try:
        yield DynamoBudgets(table)
    finally:
        await table.aclose()


BUDGET_STORES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}


@pytest.fixture(params=list(BUDGET_STORES))
async def budgets(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BudgetStore]:
    async with BUDGET_STORES[request.param](tmp_path) as opened:
        yield opened


def a_budget(limit: int, scope: str = "user:mina", period: str = DAY) -> Budget:
    return Budget(scope=scope, period=period, limit=limit)


async def is_reserved(budgets: BudgetStore, reservation: str, limits: list[Budget], amount: int) -> bool:
    try:
        await budgets.reserve(reservation, limits, amount, now=NOW)
    except BudgetExceeded:
        return False
    return True


async def test_nothing_is_counted_at_first(budgets: BudgetStore) -> None:
    assert await budgets.spent("user:mina", DAY) == 0
    await budgets.settle("nobody-reserved-this", 5, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 0


async def test_a_budget_may_be_used_to_its_last_micro_dollar_and_not_beyond(budgets: BudgetStore) -> None:
    await budgets.reserve("a", [a_budget(10)], 7, now=NOW)
    with pytest.raises(BudgetExceeded, match=r"\$0\.00.*user:mina.*2026-11-22") as refused:
        await budgets.reserve("b", [a_budget(10)], 4, now=NOW)
    assert (refused.value.scope, refused.value.period, refused.value.limit) == ("user:mina", DAY, 10)
    await budgets.reserve("c", [a_budget(10)], 3, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 10
    with pytest.raises(BudgetExceeded):
        await budgets.reserve("first", [a_budget(5, "user:other")], 6, now=NOW)
    assert await budgets.spent("user:other", DAY) == 0


async def test_a_refused_reservation_may_be_tried_again(budgets: BudgetStore) -> None:
    await budgets.reserve("a", [a_budget(10)], 10, now=NOW)
    assert not await is_reserved(budgets, "b", [a_budget(10)], 1)
    await budgets.settle("a", 2, now=NOW)
    assert await is_reserved(budgets, "b", [a_budget(10)], 8)


@pytest.mark.parametrize("really", [0, 3, 5, 20])
async def test_what_was_really_spent_takes_the_place_of_what_was_reserved(budgets: BudgetStore, really: int) -> None:
    await budgets.reserve("other", [a_budget(10)], 4, now=NOW)
    await budgets.reserve("a", [a_budget(10)], 5, now=NOW)
    await budgets.settle("a", really, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 4 + really
    assert await is_reserved(budgets, "next", [a_budget(10)], 1) == (4 + really + 1 <= 10)


async def test_the_same_reservation_counts_once_and_is_settled_once(budgets: BudgetStore) -> None:
    for _ in range(3):
        await budgets.reserve("a", [a_budget(5)], 5, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 5
    for really in (2, 4, 2):
        await budgets.settle("a", really, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 2
    await budgets.reserve("a", [a_budget(5)], 5, now=NOW)
    assert await budgets.spent("user:mina", DAY) == 2, "a request that was repeated late spends nothing"


async def test_the_same_reservation_many_times_at_once_counts_once(budgets: BudgetStore) -> None:
    await asyncio.gather(*(budgets.reserve("a", [a_budget(100)], 5, now=NOW) for _ in range(10)))
    assert await budgets.spent("user:mina", DAY) == 5
    await asyncio.gather(*(budgets.settle("a", 3, now=NOW) for _ in range(10)))
    assert await budgets.spent("user:mina", DAY) == 3


async def test_a_hundred_at_once_never_overspend(budgets: BudgetStore) -> None:
    limits = [a_budget(30)]
    done = await asyncio.gather(*(is_reserved(budgets, str(uuid4()), limits, 10) for _ in range(100)))
    assert sum(done) == 3
    assert await budgets.spent("user:mina", DAY) == 30


async def test_several_budgets_are_counted_all_or_none(budgets: BudgetStore) -> None:
    all_of_us, mine, mine_this_month = a_budget(100, "all"), a_budget(10), a_budget(15, period=MONTH)
    together = [all_of_us, mine, mine_this_month]
    await budgets.reserve("a", together, 9, now=NOW)
    with pytest.raises(BudgetExceeded) as refused:
        await budgets.reserve("b", together, 5, now=NOW)
    assert (refused.value.scope, refused.value.period) == ("user:mina", DAY)
    counted = [await budgets.spent(each.scope, each.period) for each in together]
    assert counted == [9, 9, 9]
    await budgets.settle("a", 4, now=NOW)
    assert [await budgets.spent(each.scope, each.period) for each in together] == [4, 4, 4]


async def test_a_counter_named_twice_is_counted_once_under_the_lower_limit(budgets: BudgetStore) -> None:
    assert not await is_reserved(budgets, "a", [a_budget(5), a_budget(10)], 6)
    assert await is_reserved(budgets, "a", [a_budget(10), a_budget(5)], 5)
    assert await budgets.spent("user:mina", DAY) == 5


async def test_without_budgets_nothing_is_counted(budgets: BudgetStore) -> None:
    await budgets.reserve("a", [], 5, now=NOW)
    await budgets.settle("a", 5, now=NOW)
    assert await budgets.spent("all", DAY) == 0


async def test_scopes_and_periods_are_apart(budgets: BudgetStore) -> None:
    for at, (scope, period) in enumerate([("all", DAY), ("all", "total"), ("key:한국", DAY), ("key:한", DAY)], start=1):
        await budgets.reserve(f"r{at}", [a_budget(100, scope, period)], at, now=NOW)
    assert await budgets.spent("all", DAY) == 1
    assert await budgets.spent("all", "total") == 2
    assert await budgets.spent("key:한국", DAY) == 3
    assert await budgets.spent("key:한", DAY) == 4


_SCOPES = ("all", "user:a", "user:b")
_Step: TypeAlias = tuple[str, int, frozenset[str], int]
_step: st.SearchStrategy[_Step] = st.one_of(
    st.tuples(
        st.just("reserve"), st.integers(0, 5), st.frozensets(st.sampled_from(_SCOPES), min_size=1), st.integers(0, 20)
    ),
    st.tuples(st.just("settle"), st.integers(0, 5), st.just(frozenset()), st.integers(0, 30)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, max_size=12))
async def test_counters_are_the_sum_of_what_was_spent_and_what_is_still_reserved(
    budgets: BudgetStore, steps: list[_Step]
) -> None:
    run = uuid4().hex  # the same store for every example
    entries: dict[int, tuple[frozenset[str], int]] = {}
    settled: set[int] = set()
    for kind, name, scopes, amount in steps:
        if kind == "reserve":
            limits = [a_budget(50, f"{scope}-{run}") for scope in sorted(scopes)]
            if await is_reserved(budgets, f"{name}-{run}", limits, amount):
                entries.setdefault(name, (scopes, amount))
        else:
            await budgets.settle(f"{name}-{run}", amount, now=NOW)
            if name in entries and name not in settled:
                settled.add(name)
                entries[name] = (entries[name][0], amount)
    expected: Counter[str] = Counter()
    for scopes, amount in entries.values():  # what was never settled (a crash) stays counted
        expected.update(dict.fromkeys(scopes, amount))
    assert {scope: await budgets.spent(f"{scope}-{run}", DAY) for scope in _SCOPES} == {
        scope: expected[scope] for scope in _SCOPES
    }
