"""Back closes what is open over the page, the innermost first, and nothing of it stays in the history."""

import pytest
import pytest_asyncio
from browser.reader import PHONE, Reader, Readers, all_closed
from model import Model
from playwright.async_api import Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def after_a_first_conversation(reader: Reader, model: Model) -> Reader:
    """Ask once, then begin anew: one step back lies what was asked."""
    model.title = "What was asked"
    await reader.ask_to_end("The first one?")
    await reader.press("New conversation")
    await expect(reader.questions).to_have_count(0)
    return reader


@pytest_asyncio.fixture(loop_scope="session")
async def wide(reader: Reader, model: Model) -> Reader:
    return await after_a_first_conversation(reader, model)


@pytest_asyncio.fixture(loop_scope="session")
async def phone(readers: Readers, model: Model) -> Reader:
    return await after_a_first_conversation(await readers(**PHONE), model)


async def goes_back_to_what_was_asked(reader: Reader) -> None:
    """Go back once more, which must lead to the page before."""
    await expect(reader.questions).to_have_count(0)
    await all_closed(reader.page)
    await reader.page.go_back()
    await expect(reader.question.locator(".bubble")).to_have_text("The first one?")


def settings_of(reader: Reader) -> Locator:
    return reader.page.get_by_role("dialog", name="Settings")


async def test_back_closes_a_dialog_and_leaves_the_page_behind_it(wide: Reader) -> None:
    await wide.press("Settings", wide.sidebar)
    await expect(settings_of(wide)).to_be_visible()
    await wide.page.go_back()
    await expect(settings_of(wide)).to_have_count(0)
    await expect(wide.sidebar.get_by_role("button", name="Settings")).to_be_focused()
    await goes_back_to_what_was_asked(wide)


@pytest.mark.parametrize("way", ["Escape", "button", "beside"])
async def test_a_dialog_that_was_closed_takes_no_step_back(wide: Reader, way: str) -> None:
    await wide.press("Settings", wide.sidebar)
    await expect(settings_of(wide)).to_be_visible()
    if way == "Escape":
        await wide.page.keyboard.press("Escape")
    elif way == "button":
        await wide.press("Close", settings_of(wide))
    else:
        await wide.page.mouse.click(5, 5)
    await expect(settings_of(wide)).to_have_count(0)
    await goes_back_to_what_was_asked(wide)


async def test_forward_does_not_lead_to_a_dialog_that_is_gone(wide: Reader) -> None:
    await wide.press("Settings", wide.sidebar)
    await expect(settings_of(wide)).to_be_visible()
    await wide.page.go_back()
    await expect(settings_of(wide)).to_have_count(0)
    await wide.page.go_forward()
    await expect(settings_of(wide)).to_have_count(0)
    await goes_back_to_what_was_asked(wide)


async def test_a_dialog_that_is_still_being_fetched_opens_over_nothing_else(wide: Reader) -> None:
    come = await wide.hold_back("**/assets/PageDialog-*")
    await wide.press("Settings", wide.sidebar)
    await wide.page.go_back()
    await expect(wide.question.locator(".bubble")).to_have_text("The first one?")
    async with wide.page.expect_response("**/assets/PageDialog-*.js"):
        come.set()
    await wide.page.wait_for_timeout(200)
    await expect(settings_of(wide)).to_have_count(0)
    await wide.press("Settings", wide.sidebar)
    await expect(settings_of(wide)).to_be_visible()


async def test_a_dialog_in_anothers_place_has_its_entry(wide: Reader) -> None:
    before = await wide.page.evaluate("history.length")
    await wide.press("Settings", wide.sidebar)
    await wide.press("Connect another model", settings_of(wide))
    connect = wide.page.get_by_role("dialog", name="Connect another model")
    await expect(connect).to_be_visible()
    assert await wide.page.evaluate("history.length") == before + 1
    await wide.page.go_back()
    await expect(wide.page.get_by_role("dialog")).to_have_count(0)
    await goes_back_to_what_was_asked(wide)


async def test_a_link_in_a_dialog_leads_on_from_the_page_below_it(wide: Reader) -> None:
    usage = wide.page.get_by_role("heading", name="Usage and costs", level=1)
    await wide.press("Settings", wide.sidebar)
    await settings_of(wide).get_by_role("link", name="Usage and costs").click()
    await expect(usage).to_be_visible()
    await expect(wide.page.get_by_role("dialog")).to_have_count(0)
    await all_closed(wide.page)
    await wide.page.go_back()
    await expect(usage).to_have_count(0)
    await expect(wide.page.get_by_role("dialog")).to_have_count(0)
    await wide.page.go_forward()
    await expect(usage).to_be_visible()
    await wide.page.go_back()
    await expect(usage).to_have_count(0)
    await goes_back_to_what_was_asked(wide)


async def test_after_a_reload_a_dialog_is_gone_and_so_is_its_entry(wide: Reader) -> None:
    await wide.press("Settings", wide.sidebar)
    await expect(settings_of(wide)).to_be_visible()
    await wide.page.reload()
    await expect(wide.box).to_be_editable()
    await expect(settings_of(wide)).to_have_count(0)
    await goes_back_to_what_was_asked(wide)


async def test_back_closes_what_opens_beside_its_button(wide: Reader) -> None:
    await goes_back_to_what_was_asked(wide)
    await wide.page.get_by_title("What this conversation cost").click()
    cost = wide.page.get_by_role("dialog", name="What this conversation cost")
    await expect(cost).to_be_visible()
    await wide.page.go_back()
    await expect(cost).to_be_hidden()
    await expect(wide.question).to_be_visible()


async def test_on_a_phone_back_closes_one_after_the_other(phone: Reader) -> None:
    await phone.press("Show conversations")
    row = phone.row("What was asked").first
    await row.get_by_role("button").click()
    menu = phone.page.get_by_role("menu")
    await expect(menu).to_be_visible()
    await phone.page.go_back()
    await expect(menu).to_be_hidden()
    await expect(phone.sidebar).to_be_visible()
    await phone.press("Settings", phone.sidebar)
    await expect(settings_of(phone)).to_be_visible()
    await phone.page.go_back()
    await expect(settings_of(phone)).to_have_count(0)
    await expect(phone.sidebar).to_be_visible()
    await phone.page.go_back()
    await expect(phone.sidebar).to_have_count(0)
    await expect(phone.page.get_by_role("button", name="Show conversations")).to_be_focused()
    await goes_back_to_what_was_asked(phone)


async def test_what_is_chosen_in_the_list_leads_on_from_where_it_was_opened(phone: Reader) -> None:
    await phone.press("Show conversations")
    await phone.row("What was asked").first.get_by_role("link").tap()
    await expect(phone.question.locator(".bubble")).to_have_text("The first one?")
    await expect(phone.sidebar).to_have_count(0)
    await all_closed(phone.page)
    await phone.page.go_back()
    await expect(phone.questions).to_have_count(0)
    await expect(phone.sidebar).to_have_count(0)
    await phone.page.go_forward()
    await expect(phone.question.locator(".bubble")).to_have_text("The first one?")
    await phone.press("Show conversations")
    await phone.press("New conversation", phone.sidebar)
    await expect(phone.questions).to_have_count(0)
    await expect(phone.sidebar).to_have_count(0)
    await goes_back_to_what_was_asked(phone)
