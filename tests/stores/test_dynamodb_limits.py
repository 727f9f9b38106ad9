"""How many limits of money may count for one call in the table."""

import pytest
from stores.dynamo_bed import Bed
from tills import Till, a_call

from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.conversation.metering import GroupShare, Outcome
from daehwa.stores.dynamodb_ledger import DynamoLedger


def groups(count: int) -> tuple[GroupShare, ...]:
    """Make groups with a limit for a day, a month and in all."""
    limits: dict[BudgetKind, int] = {"day": 10**9, "month": 10**9, "total": 10**9}
    return tuple(GroupShare(id=new_id(), name=f"group {number}", limits=limits) for number in range(count))


async def test_as_many_limits_count_as_a_transaction_takes(bed: Bed) -> None:
    till = Till(ledger=DynamoLedger(bed.open()[0].table))
    shares = groups(33)
    charge = await till.meter.open(a_call(groups=shares))
    assert await till.spent(f"group:{shares[-1].id}", "total") > 0
    await charge.settle(Outcome(usage=None))
    assert await till.spent(f"group:{shares[-1].id}", "total") == 0
    with pytest.raises(StoreError, match=r"102 limits of money .* takes 99 at once"):
        await till.meter.open(a_call(groups=groups(34)))
