"""The screens that are for admins: groups, providers, the audit log, and how all of them look."""

import json
import re
import zipfile
from typing import Any

import pytest
import pytest_asyncio
from browser.accessibility import faults
from browser.boss import act, admin_at, goes_to, joins, make_boss, row
from browser.household import PASSWORD, Household, Members
from browser.reader import PHONE, all_closed
from browser.test_korean import InputMethod
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCREENS = ("people", "groups", "providers", "installation", "audit")
TRANSITION_MS = 300
TRACK_AND_KNOB = """(element) => [null, "::before"]
    .map((part) => getComputedStyle(element.firstElementChild, part).backgroundColor)"""


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def boss_account(household: Household) -> None:
    await make_boss(household)


async def test_the_way_to_them_is_for_admins_alone(members: Members, household: Household) -> None:
    boss = await admin_at(members, "audit")
    await boss.account.click()
    await boss.page.get_by_role("menuitem", name="People and settings").click()
    await expect(boss.page.get_by_role("heading", name="People", level=1)).to_be_focused()
    plain = await joins(members, household, "plain")
    await plain.account.click()
    await expect(plain.page.get_by_role("menuitem", name="Your account")).to_be_visible()
    await expect(plain.page.get_by_role("menuitem", name="People and settings")).to_have_count(0)
    for screen in SCREENS:
        await plain.page.goto(f"{plain.address}/#/{screen}")
        await expect(plain.page.get_by_text("Only admins see this part.")).to_be_visible()
        await expect(plain.page.locator("main nav, main .button")).to_have_count(0)


async def test_guests_are_offered_no_keys_and_no_model_to_connect(members: Members, household: Household) -> None:
    guest = await members()
    link = await household.user("invite", "visitor@example.com", "--role", "guest")
    await guest.accepts(link, "visitor@example.com", name="visitor")
    await guest.is_in()
    await expect(guest.page.get_by_text("Your groups offer no model here. Ask an admin.")).to_be_visible()
    await expect(guest.sidebar.get_by_role("link", name="Usage and costs")).to_be_visible()
    await expect(guest.sidebar.get_by_role("link", name="API keys")).to_have_count(0)
    await guest.account.click()
    await expect(guest.page.get_by_role("menuitem", name="Your account")).to_be_visible()
    await expect(guest.page.get_by_role("menuitem", name="API keys")).to_have_count(0)
    await guest.page.keyboard.press("Escape")
    await guest.press("Settings")
    dialog = guest.page.get_by_role("dialog", name="Settings")
    await expect(dialog.get_by_role("link")).to_have_text(["Instructions", "Usage and costs"])
    await expect(dialog.get_by_role("button", name=re.compile("^Connect "))).to_have_count(0)
    await guest.page.keyboard.press("Escape")
    await all_closed(guest.page)
    await guest.page.goto(f"{guest.address}/#/keys")
    await expect(guest.page.get_by_text("Guests have no API keys")).to_be_visible()
    await expect(guest.page.locator("main .button")).to_have_count(0)


async def test_a_group_is_made_changed_and_removed(members: Members, household: Household) -> None:
    await joins(members, household, "grouped")
    boss = await admin_at(members, "groups")
    await boss.press("New group")
    dialog = boss.page.get_by_role("dialog")
    await boss.press("Create the group")
    await expect(dialog.get_by_role("textbox", name="Name")).to_be_focused()
    method = await InputMethod.of(boss)
    await method.write_and_press_enter_meanwhile()
    await expect(dialog.get_by_role("textbox", name="Name")).to_have_value("한글")
    await dialog.get_by_role("textbox", name="A month").fill("a lot")
    await boss.press("Create the group")
    await expect(dialog.get_by_text("Write dollars, such as 2.50.")).to_be_visible()
    await expect(dialog.get_by_role("textbox", name="A month")).to_have_accessible_description(
        "Write dollars, such as 2.50."
    )
    await dialog.get_by_role("textbox", name="A month").fill("12.50")
    await dialog.get_by_role("textbox", name="Models").fill("gpt-* gone-*")
    await dialog.get_by_role("textbox", name="Instructions").fill("Be brief.")
    await boss.press("Create the group")
    card = boss.page.get_by_role("listitem").filter(has=boss.page.get_by_role("heading", name="한글"))
    for part in ("0 members", "gpt-*", "so now: gone-*", "$0.00 of $12.50", "Be brief."):
        await expect(card).to_contain_text(part)
    await boss.press("New group")
    await dialog.get_by_role("textbox", name="Name").fill("한글")
    await boss.press("Create the group")
    await expect(dialog.get_by_role("alert").filter(has_text="Choose another one.")).to_be_visible()
    await boss.page.keyboard.press("Escape")
    await goes_to(boss, "people")
    dialog = await act(boss, "grouped", "Change…")
    await dialog.get_by_role("checkbox", name="한글").check()
    await boss.press("Save")
    await expect(row(boss, "grouped")).to_contain_text("한글")
    await goes_to(boss, "groups")
    await expect(card).to_contain_text("1 member")
    await card.get_by_role("button").click()
    await boss.page.get_by_role("menuitem", name="Change…").click()
    await dialog.get_by_role("textbox", name="A month").fill("")
    await boss.press("Save")
    await expect(card).not_to_contain_text("$12.50")
    await card.get_by_role("button").click()
    await boss.page.get_by_role("menuitem", name="Remove").click()
    await expect(dialog).to_contain_text("Its one member stays")
    await dialog.get_by_role("button", name="Remove").click()
    await expect(card).to_have_count(0)
    await goes_to(boss, "people")
    await expect(row(boss, "grouped")).to_contain_text("Removed group")
    dialog = await act(boss, "grouped", "Change…")
    await dialog.get_by_role("checkbox", name="Removed group").uncheck()
    await boss.press("Save")
    await expect(row(boss, "grouped")).not_to_contain_text("Removed group")


async def test_a_provider_is_tried(members: Members, model: Model) -> None:
    model.says("I am here.")
    boss = await admin_at(members, "providers")
    card = boss.page.get_by_role("listitem").filter(has=boss.page.get_by_role("heading", name="openai"))
    await expect(card).to_contain_text("In order")
    await card.get_by_role("button", name="Test openai").click()
    await expect(card.get_by_role("status")).to_contain_text("gpt-test answered in")
    await expect(card.get_by_role("status")).to_contain_text("I am here.")


async def test_what_is_on_and_where_one_is_is_seen_in_the_readers_own_colours(members: Members) -> None:
    boss = await admin_at(members, "installation", forced_colors="active")
    tabs = boss.page.locator("main nav a")
    for at in range(len(SCREENS)):
        is_here = await tabs.nth(at).get_attribute("aria-current") is not None
        await expect(tabs.nth(at)).to_have_css("border-bottom-style", "solid" if is_here else "none")
    switch = boss.page.get_by_role("switch", name="Admins may read conversations")
    colours = set()
    for is_on in ("false", "true"):
        await switch.evaluate("(switch_, is_on) => (switch_.ariaChecked = is_on)", is_on)
        await boss.page.wait_for_timeout(TRANSITION_MS)
        track, knob = await switch.evaluate(TRACK_AND_KNOB)
        assert track != knob
        colours.add(track)
        await expect(switch.locator("span")).to_have_css("outline-style", "solid")
    assert len(colours) == 2


async def test_usage_is_told_by_who_was_in_a_group_at_the_time(
    members: Members, household: Household, model: Model
) -> None:
    model.says("Before.", "Within.", "After.")
    boss, counted = await admin_at(members, "groups"), await joins(members, household, "counted")
    ask, headers = boss.page.context.request, {"origin": boss.address}

    async def changes(path: str, wish: dict[str, Any], method: str = "PATCH") -> Any:
        answer = await ask.fetch(f"{boss.address}/api/{path}", method=method, data=wish, headers=headers)
        assert answer.ok, await answer.text()
        return await answer.json()

    group = await changes("groups", {"name": "Counters", "models": []}, "POST")
    people = (await (await ask.get(f"{boss.address}/api/people")).json())["people"]
    person = next(each["id"] for each in people if each["email"] == "counted@example.com")
    await counted.ask_to_end("Before")
    await changes(f"people/{person}", {"groups": [group["id"]]})
    await counted.ask_to_end("Within")
    await changes(f"people/{person}", {"groups": []})
    await counted.ask_to_end("After")
    await boss.page.goto(f"{boss.address}/#/usage")
    await boss.page.get_by_role("checkbox", name="Everybody’s").check()
    await boss.page.get_by_role("radio", name="Group").check()
    sums = boss.page.get_by_role("region", name="Group: sums of the period")
    calls = sums.get_by_role("row", name="Counters").get_by_role("cell").nth(1)
    await expect(calls).to_have_text("1")
    await expect(sums.get_by_role("row", name="In no group")).to_be_visible()
    await expect(boss.page.get_by_text("Whoever was in several counts in each of them")).to_be_visible()


async def test_on_a_phone_the_title_stands_in_one_place_on_all_screens(members: Members) -> None:
    boss = await admin_at(members, "people", **PHONE)
    places = {}
    for screen in SCREENS:
        await goes_to(boss, screen)
        box = await boss.page.get_by_role("heading", level=1).bounding_box()
        assert box is not None
        places[screen] = box["y"] + box["height"] / 2
    assert len({round(place) for place in places.values()}) == 1, places


async def test_the_audit_log_is_paged_checked_and_taken_along(members: Members) -> None:
    boss = await admin_at(members, "people")
    for _ in range(55):
        answer = await boss.page.request.post(
            f"{boss.address}/api/invitations", data={}, headers={"sec-fetch-site": "same-origin"}
        )
        assert answer.status == 201
    await goes_to(boss, "audit")
    rows = boss.page.get_by_role("row")
    await expect(rows).to_have_count(51)
    await expect(rows.nth(1)).to_contain_text("Made a link")
    await expect(rows.nth(1)).to_contain_text("The Boss")
    await boss.press("Older")
    await expect(rows.nth(56)).to_be_visible()
    await boss.press("Check the log")
    await expect(boss.page.get_by_role("status").filter(has_text="Unbroken")).to_be_visible()
    async with boss.page.expect_download() as downloading:
        await boss.page.get_by_role("link", name="Export").click()
    lines = (await (await downloading.value).path()).read_text("utf-8").splitlines()
    assert len(lines) > 55
    assert json.loads(lines[0])["seq"] == 1


async def test_what_was_done_at_the_terminal_is_not_said_to_be_a_strangers(
    members: Members, household: Household
) -> None:
    await household.user("invite", "from-terminal@example.com")
    boss = await admin_at(members, "audit")
    made = boss.page.get_by_role("row").filter(has_text="Made a link").first
    await expect(made).to_contain_text("At the terminal")


async def test_one_takes_all_along_and_deletes_it(members: Members, household: Household) -> None:
    leaving = await joins(members, household, "leaving")
    await leaving.ask_to_end("A word that nobody else knows")
    await leaving.page.goto(f"{leaving.address}/#/account")
    async with leaving.page.expect_download() as downloading:
        await leaving.page.get_by_role("link", name="Download everything").click()
    with zipfile.ZipFile(await (await downloading.value).path()) as taken:
        assert {"account.json", "conversations.jsonl"} <= set(taken.namelist())
        assert b"A word that nobody else knows" in taken.read("conversations.jsonl")
    await leaving.press("Delete my account…")
    dialog = leaving.page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Write leaving@example.com to confirm").fill("leaving@example.com")
    await dialog.get_by_label("Password you have now").fill("not the password")
    await leaving.page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="not the password you have now")).to_be_visible()
    await dialog.get_by_label("Password you have now").fill(PASSWORD)
    await leaving.page.keyboard.press("Enter")
    await expect(leaving.login).to_be_visible()
    await leaving.signs_in("leaving@example.com")
    await expect(leaving.page.get_by_role("alert").filter(has_text="no account")).to_be_visible()


async def test_korean(members: Members) -> None:
    boss = await admin_at(members, "people", locale="ko-KR")
    await boss.page.get_by_role("button", name="초대하기").click()
    await expect(boss.page.get_by_role("dialog", name="새 사용자 초대하기")).to_be_visible()
    await boss.page.keyboard.press("Escape")
    await goes_to(boss, "audit")
    await expect(boss.page.get_by_role("row").nth(1)).to_contain_text("로그인함")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_nothing_is_in_the_way_of_anybody(members: Members, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    boss = await admin_at(members, "people", color_scheme=scheme, **options)
    seen: dict[str, list[str]] = {}
    small: list[str] = []

    async def look(name: str) -> None:
        seen[name] = await faults(boss, axe)
        small.extend(await boss.page.evaluate(SMALL_TARGETS))
        assert not await boss.page.evaluate(TOO_WIDE), name

    for screen in SCREENS:
        await goes_to(boss, screen)
        await look(screen)
    events = boss.page.get_by_role("region", name="Events, newest first")
    assert await events.evaluate("table => table.scrollWidth <= table.clientWidth"), "nothing has to be scrolled for"
    await goes_to(boss, "people")
    await boss.press("Invite")
    await look("invite")
    await boss.press("Make the link")
    await expect(boss.page.get_by_role("button", name="Copy the link")).to_be_visible()
    await look("link")
    await boss.press("Done")
    await act(boss, "The Boss", "Change…")
    await look("change")
    await boss.page.keyboard.press("Escape")
    await goes_to(boss, "groups")
    await boss.press("New group")
    await boss.press("Create the group")
    await look("group")
    await boss.page.keyboard.press("Escape")
    await goes_to(boss, "installation")
    await boss.page.get_by_role("switch").click()
    await look("sure")
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
    if device == "phone":
        assert small == []
