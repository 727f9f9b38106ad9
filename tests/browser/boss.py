"""An admin at the screens that are for admins."""

from typing import Any

import aiohttp
from browser.household import PASSWORD, Household, Member, Members
from browser.reader import all_closed
from playwright.async_api import Locator, expect

BOSS = "boss@example.com"


async def make_boss(household: Household) -> None:
    """Make the first account, which is an admin's."""
    token = (await household.first_link()).rpartition("/")[2]
    wish = {"token": token, "login": BOSS, "name": "The Boss", "password": PASSWORD}
    headers = {"sec-fetch-site": "same-origin"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{household.address}/auth/link/accept", json=wish, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def admin_at(members: Members, screen: str, **options: Any) -> Member:
    """Sign the admin in and open one of the screens."""
    boss = await members(permissions=["clipboard-read", "clipboard-write"], **options)
    await expect(boss.page.locator('input[autocomplete="username"]')).to_be_visible()
    await boss.page.locator('input[autocomplete="username"]').fill(BOSS)
    await boss.page.locator('input[autocomplete="current-password"]').fill(PASSWORD)
    await boss.page.keyboard.press("Enter")
    await expect(boss.page.locator("#message")).to_be_editable()
    await goes_to(boss, screen)
    return boss


async def goes_to(boss: Member, screen: str) -> None:
    """Open a screen of admins."""
    await all_closed(boss.page)
    await boss.page.goto(f"{boss.address}/#/{screen}")
    await expect(boss.page.locator("main nav a[aria-current]")).to_have_attribute("href", f"#/{screen}")
    await expect(boss.page.locator(".waiting")).to_have_count(0)


async def joins(members: Members, household: Household, login: str) -> Member:
    """Make an account for somebody who is not an admin."""
    member = await members()
    await member.accepts(await household.user("invite", f"{login}@example.com"), f"{login}@example.com", name=login)
    await member.is_in()
    return member


def row(boss: Member, name: str) -> Locator:
    """Return what the list of people says of somebody."""
    return boss.page.get_by_role("listitem").filter(has=boss.page.get_by_role("heading", name=name, exact=True))


async def act(boss: Member, name: str, item: str) -> Locator:
    """Choose something to be done to a person; return the dialog."""
    await boss.page.get_by_role("button", name=f"Options for {name}", exact=True).click()
    await boss.page.get_by_role("menuitem", name=item).click()
    return boss.page.get_by_role("dialog")
