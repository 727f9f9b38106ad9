"""Whoever comes through an identity provider sheds nothing by deleting their account and coming back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from books import some_books
from msgspec.structs import replace
from server.entrance import OURS, Entrance, an_entrance

from daehwa.accounts.budgets import BudgetRule
from daehwa.accounts.groups import Group
from daehwa.accounts.people import User, UserChanges
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import Outcome, PaidCall
from daehwa.sign_in.throttle import GOING
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people

BUDGET = BudgetRule(scope="user", kind="month", limit=10_000_000)
CLAIMS: dict[str, Any] = {"group_claim": "groups", "group_roles": {"visitors": "guest"}}


class Provided:
    """A site where Mina comes through the provider, and what an admin makes of her."""

    def __init__(self, entrance: Entrance, people: PeopleStores) -> None:
        self.entrance = entrance
        self.people = people

    async def comes(self, **person: Any) -> tuple[dict[str, str], User]:
        browser = await self.entrance.signed_in(**person)
        (mina,) = await self.people.accounts.list_users()
        return browser, mina

    async def leaves(self, browser: dict[str, str]) -> tuple[int, str]:
        async with self.entrance.site.client.delete("/api/account", headers={**OURS, **browser}) as answer:
            return answer.status, (await answer.json())["error"]["type"] if answer.status != 204 else ""

    async def spends(self, user: User) -> None:
        meter = self.entrance.books.meter
        call = PaidCall(id=new_id(), kind="chat", user=user.id, model="scripted/parrot", input_tokens=1000)
        await (await meter.open(call)).settle(Outcome(usage=Usage(input=1000, output=300)))


@pytest.fixture(params=[{}, CLAIMS])
async def provided(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provided]:
    accounts = MemoryAccounts()
    people = memory_people(accounts)
    ways: dict[str, Any] = {**request.param, "books_of": lambda known: some_books(accounts=known, budgets=[BUDGET])}
    async with an_entrance(tmp_path, people=people, accounts=accounts, **ways) as entrance:
        yield Provided(entrance, people)


async def test_nobody_leaves_a_group_or_a_budget_by_going(provided: Provided) -> None:
    await provided.people.groups.add_group(Group(id="lab", name="Lab", models=("small",)))
    browser, mina = await provided.comes()
    await provided.people.accounts.change_user(mina.id, UserChanges(groups=("lab",)))
    assert await provided.leaves(browser) == (409, "held_by_admin")
    await provided.people.accounts.change_user(mina.id, UserChanges(groups=("removed",)))
    assert await provided.leaves(browser) == (409, "held_by_admin"), "in removed groups alone nobody may ask anything"
    await provided.people.accounts.change_user(mina.id, UserChanges(groups=()))
    await provided.spends(mina)
    assert await provided.leaves(browser) == (409, "held_by_admin")
    _, again = await provided.comes()
    assert again == replace(mina, last_seen=again.last_seen)


@pytest.mark.parametrize("provided", [{}], indirect=True)  # where claims give roles, an admin makes no lasting guests
async def test_a_guest_is_no_member_by_going(provided: Provided) -> None:
    browser, mina = await provided.comes()
    await provided.people.accounts.change_user(mina.id, UserChanges(role="guest"))
    assert await provided.leaves(browser) == (409, "held_by_admin")


async def test_whoever_would_come_back_as_they_were_may_go(provided: Provided) -> None:
    browser, mina = await provided.comes()
    assert await provided.leaves(browser) == (204, "")
    assert (await provided.comes())[1].id != mina.id


async def test_nobody_goes_and_comes_back_all_day(provided: Provided) -> None:
    for _ in range(GOING.tries):
        browser, _ = await provided.comes()
        assert await provided.leaves(browser) == (204, "")
    browser, _ = await provided.comes()
    assert await provided.leaves(browser) == (429, "too_many_attempts")
    browser, _ = await provided.comes()
    assert await provided.leaves(browser) == (429, "too_many_attempts")


async def test_whoever_may_not_go_as_the_last_admin_has_used_up_nothing(provided: Provided) -> None:
    browser, _ = await provided.comes(sub="boss", email="boss@example.com")
    for _ in range(GOING.tries + 1):
        assert await provided.leaves(browser) == (409, "last_admin")


async def test_what_the_provider_says_again_holds_nobody(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    people = memory_people(accounts)
    await people.groups.add_group(Group(id="out", name="Out", claim="visitors", models=("small",)))
    async with an_entrance(tmp_path, people=people, accounts=accounts, **CLAIMS) as entrance:
        provided = Provided(entrance, people)
        browser, mina = await provided.comes(groups=["visitors"])
        assert (mina.role, mina.groups) == ("guest", ("out",))
        assert await provided.leaves(browser) == (204, "")
        _, again = await provided.comes()
        assert (again.role, again.groups) == ("guest", ("out",))
