"""What admins set for everybody: an announcement, whether they may read along, how long conversations are kept."""

import pytest
import pytest_asyncio
from browser.boss import act, admin_at, goes_to, joins, make_boss
from browser.files import add, file
from browser.household import Household, Members
from browser.shown import thumbnails, tile
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def boss_account(household: Household) -> None:
    await make_boss(household)


async def test_everybody_sees_an_announcement_until_they_put_it_away(members: Members, household: Household) -> None:
    boss = await admin_at(members, "installation")
    korean = boss.page.get_by_role("textbox", name="In Korean")
    announced = boss.page.get_by_test_id("announcement")
    await korean.fill("금요일 18시에 점검해요")
    await boss.page.get_by_role("textbox", name="In English").fill("Maintenance on Friday **18:00**")
    await boss.page.get_by_label("Shown until").fill("2001-01-01T00:00")
    await boss.press("Announce")
    await expect(boss.page.get_by_text("Choose an end that is still to come, or none.")).to_be_visible()
    await boss.page.get_by_label("Shown until").fill("2099-01-01T00:00")
    await boss.press("Announce")
    await expect(announced).to_have_text("Maintenance on Friday **18:00**")
    await expect(boss.page.get_by_text("It is shown until Jan 1, 2099")).to_be_visible()

    member = await joins(members, household, "told")
    told = member.page.get_by_test_id("announcement")
    await expect(told).to_contain_text("Maintenance on Friday")
    await told.get_by_role("button").click()
    await expect(told).to_have_count(0)
    await member.page.reload()
    await expect(member.account).to_be_visible()
    await expect(told).to_have_count(0)

    await boss.page.get_by_role("textbox", name="In English").fill("")
    await korean.fill("토요일 18시에 점검해요")
    await korean.press("Enter")
    await expect(announced).to_have_text("토요일 18시에 점검해요")
    await member.page.reload()
    await expect(told).to_have_text("토요일 18시에 점검해요")
    await boss.press("Take down")
    await expect(announced).to_have_count(0)
    await expect(korean).to_have_value("")
    await goes_to(boss, "audit")
    await expect(boss.page.get_by_text("announcement: no")).to_be_visible()
    await expect(boss.page.get_by_text("announcement 토요일 18시에 점검해요")).to_be_visible()


async def test_everybody_sees_that_admins_may_read(members: Members, household: Household, model: Model) -> None:
    told = "Admins here may read every conversation."
    model.title = "A private title"
    model.says("Hello **there**.")
    member = await joins(members, household, "watched")
    await add(member, file("private.png", tile(200, 30, 30)))
    await expect(thumbnails(member)).to_have_count(1)
    await member.ask_to_end("Something private")
    await expect(member.banner).not_to_contain_text(told)
    boss = await admin_at(members, "installation")
    switch = boss.page.get_by_role("switch", name="Admins may read conversations")
    off = boss.page.get_by_text("Off, nobody but their owners reads them.")
    await expect(off).to_be_visible()
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    dialog = boss.page.get_by_role("dialog", name="Let admins read what everybody writes?")
    await expect(dialog).to_contain_text("Everybody is told so")
    await boss.page.keyboard.press("Escape")
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    await dialog.get_by_role("button", name="Let admins read").click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    await expect(boss.banner).to_contain_text(told)
    await expect(off).to_have_count(0)
    toast, banner = await boss.page.locator(".toast").bounding_box(), await boss.banner.bounding_box()
    assert toast is not None
    assert banner is not None
    assert toast["y"] >= banner["y"] + banner["height"]
    await member.page.reload()
    await expect(member.banner).to_contain_text(told)
    await goes_to(boss, "people")
    reading = await act(boss, "watched", "Read conversations…")
    await reading.get_by_role("button", name="A private title").click()
    await expect(reading).to_contain_text("Something private")
    await expect(reading).to_contain_text("With an image, which is not shown here.")
    await expect(reading.locator("strong")).to_have_text("there")
    await boss.press("All conversations")
    await expect(reading.get_by_role("listitem")).to_have_count(1)
    await boss.page.keyboard.press("Escape")
    await goes_to(boss, "audit")
    await expect(boss.page.get_by_role("row").nth(1)).to_contain_text("Read a conversation")
    await expect(boss.page.get_by_role("row").nth(1)).to_contain_text("watched")
    await goes_to(boss, "installation")
    await switch.click()
    await expect(boss.banner).not_to_contain_text(told)
    await goes_to(boss, "audit")
    await expect(boss.page.get_by_role("row").nth(1)).to_contain_text("Changed what holds for everybody")
    await expect(boss.page.get_by_role("row").nth(1)).to_contain_text("admins may read: no")


async def test_retention_is_set_after_a_warning(members: Members) -> None:
    boss = await admin_at(members, "installation")
    days = boss.page.get_by_role("textbox", name="Days")
    for wrong in ("soon", "0", "1.5"):
        await days.fill(wrong)
        await expect(days).to_have_attribute("aria-invalid", "false")
        await days.press("Enter")
        await expect(boss.page.get_by_text("Write a whole number from 1 to 36,500, or nothing.")).to_be_visible()
    await days.fill("90")
    await days.press("Enter")
    dialog = boss.page.get_by_role("dialog", name="Delete older conversations?")
    await expect(dialog).to_contain_text("older than 90 days")
    await dialog.get_by_role("button", name="Delete what is older").click()
    await expect(boss.page.locator(".toast").filter(has_text="kept for 90 days")).to_be_visible()
    await boss.page.reload()
    await expect(days).to_have_value("90")
    await days.fill("")
    await days.press("Enter")
    await expect(boss.page.locator(".toast").filter(has_text="kept for ever")).to_be_visible()
