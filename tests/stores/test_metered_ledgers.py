"""The meter on real ledgers: whatever is opened, settled, failed or lost, counters are the sum of entries."""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores.places import PLACES
from tills import DAY, MONTH, NOW, Till, a_call, a_rule

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ledger import UsageQuery, UsageRow
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import Charge, Outcome

USER_LIMIT, ALL_LIMIT = 60_000, 100_000


class Step(NamedTuple):
    """A call: who makes it, how much it may take, how it ends, and what it has really taken."""

    user: str
    key: str | None
    prompt: int
    limit: int | None
    end: str
    turns: int
    used: int


STEPS = st.builds(
    Step,
    user=st.sampled_from(["mina", "bob"]),
    key=st.sampled_from([None, "k"]),
    prompt=st.integers(0, 3_000),
    limit=st.none() | st.integers(0, 3_000),
    end=st.sampled_from(["settle", "fail", "lost", "left"]),
    turns=st.integers(0, 4),  # of the loop, until it has left
    used=st.integers(0, 3_000),
)


async def _opened(till: Till, step: Step) -> Charge | None:
    call = a_call(user=step.user, key=step.key, input_tokens=step.prompt, output_limit=step.limit)
    opening = asyncio.create_task(till.meter.open(call))
    if step.end == "left":
        for _ in range(step.turns):
            await asyncio.sleep(0)
        opening.cancel()
    try:
        return await opening
    except (BudgetExceeded, asyncio.CancelledError):
        return None


async def _ended(charge: Charge | None, step: Step) -> None:
    if charge is None or step.end in {"lost", "left"}:
        return
    most = step.limit if step.limit is not None else charge.output_limit or 0
    usage = None if step.end == "fail" else Usage(input=step.prompt, output=min(step.used, most))
    await charge.settle(Outcome(usage=usage, error="upstream_cut" if usage is None else None))


def _sum(rows: tuple[UsageRow, ...], *, user: str | None = None, key: str | None = None) -> int:
    return sum(row.cost for row in rows if user in {None, row.user} and key in {None, row.key})


async def _checked(name: str, folder: Path, steps: list[Step], order: list[int]) -> None:
    async with PLACES[name](folder) as place:
        rules = [a_rule("user", USER_LIMIT), a_rule("all", ALL_LIMIT, "month"), a_rule("key", USER_LIMIT, "total")]
        till = Till(*rules, ledger=(await place.process()).ledger)
        charges = await asyncio.gather(*(_opened(till, step) for step in steps))
        assert await till.spent("all", MONTH) <= ALL_LIMIT
        await asyncio.gather(*(_ended(charges[number], steps[number]) for number in order if number < len(steps)))
        await till.meter.aclose()
        rows = await till.ledger.usage(UsageQuery(since=NOW - 10**9, until=NOW + 10**9))
        assert await till.spent("all", MONTH) == _sum(rows) <= ALL_LIMIT
        assert await till.spent("key:k", "total") == _sum(rows, key="k") <= USER_LIMIT
        for user in ("mina", "bob"):
            assert await till.spent(f"user:{user}", DAY) == _sum(rows, user=user) <= USER_LIMIT
            assert await till.spent(f"user:{user}", MONTH) == _sum(rows, user=user)


@pytest.mark.parametrize(("name", "examples"), [("sqlite", 40), ("dynamodb", 10)])
def test_counters_are_the_sum_of_entries_whatever_happens_to_calls(name: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.lists(STEPS, max_size=14), st.permutations(range(14)))
    def check(steps: list[Step], order: list[int]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_checked(name, Path(folder), steps, order))

    check()


@pytest.mark.parametrize("name", ["sqlite", "dynamodb"])
async def test_a_hundred_calls_at_once_never_overspend_a_budget_for_three(name: str, tmp_path: Path) -> None:
    async with PLACES[name](tmp_path) as place:
        tills = [Till(a_rule("user", 3_500), ledger=(await place.process()).ledger) for _ in range(3)]
        opened = await asyncio.gather(
            *(tills[number % 3].meter.open(a_call()) for number in range(100)), return_exceptions=True
        )
        assert sum(isinstance(each, BudgetExceeded) for each in opened) == 97
        assert await tills[0].spent() == 3_000
