"""The screen of people: inviting, changing, helping and deleting them, and finding them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from browser.boss import BOSS, act, admin_at, goes_to, joins, make_boss, row
from browser.household import LINK, PASSWORD, Household, Members
from browser.reader import all_closed
from model import Model
from playwright.async_api import Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def boss_account(household: Household) -> None:
    await make_boss(household)


async def test_somebody_is_invited_by_a_link_that_is_shown_once(members: Members) -> None:
    boss = await admin_at(members, "people")
    await boss.press("Invite")
    dialog = boss.page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="E-mail address").fill("no address")
    await dialog.get_by_role("textbox", name="E-mail address").press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="no e-mail address")).to_be_visible()
    await dialog.get_by_role("textbox", name="E-mail address").fill("guest@example.com")
    await dialog.get_by_role("radio", name="Guest").check()
    await boss.press("Make the link")
    await expect(dialog.get_by_role("button", name="Copy the link")).to_be_focused()
    await boss.page.keyboard.press("Enter")
    await expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    link: str = await boss.page.evaluate("navigator.clipboard.readText()")
    found = LINK.fullmatch(link)
    assert found is not None
    await boss.press("Done")
    await expect(boss.page.get_by_role("button", name="Invite")).to_be_focused()
    assert link not in await boss.page.content()
    await expect(boss.page.get_by_role("region", name="Links that still work")).to_contain_text("guest@example.com")
    guest = await members()
    await guest.accepts(found[1])
    await guest.is_in()
    await boss.page.reload()
    await expect(row(boss, "guest@example.com")).to_contain_text("Guest")
    await expect(boss.page.get_by_text("Links that still work")).to_have_count(0)
    await boss.press("Invite")
    await boss.press("Make the link")
    await boss.press("Done")
    await boss.press("Revoke the link for Invitation")
    await expect(boss.page.get_by_text("Links that still work")).to_have_count(0)


async def test_a_person_is_changed_kept_out_and_deleted(members: Members, household: Household, model: Model) -> None:
    model.title = "Of somebody"
    mina = await joins(members, household, "mina")
    await mina.ask_to_end("Something that goes with me")
    boss = await admin_at(members, "people")
    await expect(row(boss, "The Boss")).to_contain_text("You")
    dialog = await act(boss, "mina", "Change…")
    await dialog.get_by_role("textbox", name="Name", exact=True).fill("Mina Kim")
    await dialog.get_by_role("radio", name="Guest").check()
    await expect(dialog).to_contain_text("signs them out everywhere")
    await boss.press("Save")
    await expect(row(boss, "Mina Kim")).to_contain_text("Guest")
    await mina.page.reload()
    await expect(mina.login).to_be_visible()
    dialog = await act(boss, "Mina Kim", "Disable")
    await dialog.get_by_role("button", name="Disable").click()
    await expect(row(boss, "Mina Kim")).to_contain_text("Disabled")
    mina.watch.expect("status of 403")
    await mina.signs_in("mina@example.com")
    await expect(mina.page.get_by_role("alert").filter(has_text="This account is disabled.")).to_be_visible()
    await act(boss, "Mina Kim", "Enable")
    await expect(row(boss, "Mina Kim")).not_to_contain_text("Disabled")
    await mina.signs_in("mina@example.com")
    await mina.is_in()
    dialog = await act(boss, "Mina Kim", "Delete…")
    final = dialog.get_by_role("button", name="Delete for good")
    await expect(final).to_be_disabled()
    await dialog.get_by_role("textbox").fill("mina@example")
    await expect(final).to_be_disabled()
    await dialog.get_by_role("textbox").fill("mina@example.com")
    await boss.page.keyboard.press("Enter")
    await expect(row(boss, "Mina Kim")).to_have_count(0)
    await expect(boss.page.get_by_role("heading", name="People", level=1)).to_be_focused()
    await mina.page.reload()
    await expect(mina.login).to_be_visible()


async def test_a_lost_password_and_a_lost_phone_are_helped_by_a_link(members: Members, household: Household) -> None:
    lost = await joins(members, household, "forgetful")
    boss = await admin_at(members, "people")
    dialog = await act(boss, "forgetful", "Link for a new password…")
    await dialog.get_by_role("checkbox").check()
    await boss.press("Make the link")
    await dialog.get_by_role("button", name="Copy the link").click()
    link: str = await boss.page.evaluate("navigator.clipboard.readText()")
    await boss.press("Done")
    await expect(boss.page.get_by_role("region", name="Links that still work")).to_contain_text(
        "New password for forgetful"
    )
    await lost.accepts(link.removeprefix(lost.address), password="another long sentence")
    await lost.is_in()
    await lost.page.goto(f"{lost.address}/#/account")
    told = lost.page.get_by_role("region", name="Password", exact=True)
    await expect(told).to_contain_text("A link that an admin had made, or that was mailed")
    await act(boss, "forgetful", "Sign out everywhere")
    await expect(boss.page.locator(".toast").filter(has_text="signed out everywhere")).to_be_visible()
    await lost.page.reload()
    await expect(lost.login).to_be_visible()


async def test_the_last_admin_stays_one(members: Members) -> None:
    boss = await admin_at(members, "people")
    dialog = await act(boss, "The Boss", "Change…")
    await expect(dialog.get_by_role("radio", name="Member")).to_be_disabled()
    await expect(dialog).to_contain_text("by another admin")
    await boss.page.keyboard.press("Escape")
    await all_closed(boss.page)
    await boss.page.goto(f"{boss.address}/#/account")
    await boss.press("Delete my account…")
    await dialog.get_by_role("textbox", name=f"Write {BOSS} to confirm").fill(BOSS)
    await dialog.get_by_label("Password you have now").fill(PASSWORD)
    await boss.page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="last admin")).to_be_visible()


async def test_people_are_looked_through_in_pages(members: Members) -> None:
    boss = await admin_at(members, "groups")

    async def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        everybody = json.loads(await (await route.fetch(url=f"{boss.address}/api/people")).text())["people"]
        many = [{**everybody[0], "id": str(at), "name": f"Person {at}"} for at in range(60)]
        found = [person for person in many if asked.get("query", [""])[0] in person["name"]]
        begin = int(asked.get("after", ["0"])[0])
        end = begin + int(asked["limit"][0])
        after = str(end) if end < len(found) else None
        await route.fulfill(json={"people": found[begin:end], "count": len(found), "after": after})

    await boss.page.route("**/api/people?*", answer)
    await goes_to(boss, "people")
    rows = boss.page.locator("li[data-person]")
    await expect(rows).to_have_count(50)
    await expect(boss.page.get_by_role("status").filter(has_text="60 people")).to_be_visible()
    await boss.press("Show more")
    await expect(rows).to_have_count(60)
    await expect(boss.page.get_by_role("button", name="Show more")).to_have_count(0)
    await boss.page.get_by_role("searchbox", name="Search by name").fill("Person 5")
    await expect(rows).to_have_count(11)
    await expect(boss.page.get_by_role("status").filter(has_text="11 people")).to_be_visible()
    await boss.page.get_by_role("searchbox", name="Search by name").fill("Nobody")
    await expect(rows).to_have_count(0)
    await expect(boss.page.get_by_role("status").filter(has_text="0 people")).to_be_visible()
    await expect(boss.page.locator("main .count + ul")).to_be_hidden()


async def test_the_name_of_a_group_is_read_whole(members: Members) -> None:
    boss = await admin_at(members, "groups")
    name = "Marketing and Communications Department for Europe, Africa and the Middle East"
    await boss.press("New group")
    await boss.page.get_by_role("dialog").get_by_role("textbox", name="Name").fill(name)
    await boss.press("Create the group")
    await goes_to(boss, "people")
    dialog = await act(boss, "The Boss", "Change…")
    await dialog.get_by_role("checkbox", name=name).check()
    await boss.press("Save")
    badge = row(boss, "The Boss").get_by_text(name)
    for width in (1280, 320):
        await boss.page.set_viewport_size({"width": width, "height": 800})
        assert await badge.evaluate("(badge) => badge.scrollWidth <= badge.clientWidth"), width
