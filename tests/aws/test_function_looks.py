"""What it takes of the table that somebody looks at their budgets."""

from aws.in_process import a_function
from upstream import FakeUpstream


async def test_who_has_spent_nothing_yet_is_summed_up_once() -> None:
    budgets = "user day 2, user month 20, user total 50, all month 300"
    async with FakeUpstream() as upstream, a_function(upstream, DAEHWA_MODELS="small", DAEHWA_BUDGETS=budgets) as made:
        browser = await made.signed_in("mina")
        for _ in range(2):
            made.role.actions.clear()
            status, told = await made.call(browser, "GET", "/api/models")
            assert (status, [budget["spent"] for budget in told["budgets"]]) == (200, [0, 0, 0])
        assert made.role.actions["Query"] == 0
        assert made.role.actions["GetItem"] <= 6
