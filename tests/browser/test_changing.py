"""Changing the list of conversations: names, places, deletion, and finding in it. Nothing is lost by it."""

import pytest
from browser.reader import PHONE, Reader, Readers
from browser.turns import conversation_of
from model import Model
from playwright.async_api import expect
from program import Program

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOP = "(element) => element.getBoundingClientRect().top"
COVERED = """() => {
    const toast = document.querySelector(".toast").getBoundingClientRect();
    const apart = (place) => place.right <= toast.left || place.left >= toast.right ||
        place.bottom <= toast.top || place.top >= toast.bottom;
    return [...document.querySelectorAll("button, a, input, select, textarea")]
        .filter((each) => !each.closest(".toast, .skip, .veil, [inert]") && each.checkVisibility())
        .filter((each) => !apart(each.getBoundingClientRect()))
        .map((each) => each.ariaLabel || each.textContent);
}"""


async def test_pinning_and_undoing_by_keyboard_keep_the_focus(reader: Reader, model: Model) -> None:
    model.title = "Held by keyboard"
    await reader.ask_to_end("Anything")
    row = reader.row("Held by keyboard")
    for item in ("Pin", "Unpin"):
        await row.get_by_role("button").focus()
        await reader.page.keyboard.press("Enter")
        await reader.page.get_by_role("menuitem", name=item, exact=True).press("Enter")
        await expect(row.get_by_role("link")).to_be_focused()
    await row.get_by_role("button").focus()
    await reader.page.keyboard.press("Enter")
    await reader.page.get_by_role("menuitem", name="Delete").press("Enter")
    await reader.page.get_by_role("button", name="Undo").press("Enter")
    await expect(row.get_by_role("link")).to_be_focused()


async def test_pinning_by_mouse_keeps_the_focus_and_the_list_in_its_place(readers: Readers, program: Program) -> None:
    made = [(await conversation_of(program, 1)).rpartition("/")[2] for _ in range(35)]
    reader = await readers(viewport={"width": 1280, "height": 500})
    ask = reader.page.context.request
    named = await ask.patch(
        f"{reader.address}/api/conversations/{made[12]}",
        data={"title": "Moves far"},
        headers={"origin": reader.address},
    )
    assert named.ok, await named.text()
    await reader.page.reload()
    row = reader.row("Moves far")

    async def moves(item: str) -> None:
        await reader.box.focus()
        await reader.choose(row, item)
        await expect(row.get_by_role("link")).to_be_focused()
        await expect(row.get_by_role("link")).not_to_be_in_viewport()

    await row.scroll_into_view_if_needed()
    above = await row.evaluate_handle("row => row.previousElementSibling")
    before = await above.evaluate(TOP)
    await moves("Pin")
    assert await above.evaluate(TOP) == pytest.approx(before, abs=1)
    await reader.sidebar.locator(".list").evaluate("list => (list.scrollTop = 0)")
    await moves("Unpin")
    assert await reader.sidebar.locator(".list").evaluate("list => list.scrollTop") == 0


async def test_a_menu_has_the_focus_at_once(reader: Reader, model: Model) -> None:
    """A key pressed before the browser reports that the menu is open belongs to the menu already."""
    model.title = "Opened quickly"
    await reader.ask_to_end("Anything")
    opener = reader.row("Opened quickly").get_by_role("button")
    await expect(opener).to_be_attached()
    focused = await opener.evaluate("opener => (opener.click(), document.activeElement.textContent.trim())")
    assert focused == "Rename"
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await opener.evaluate("opener => opener.click()")
    await expect(reader.page.get_by_role("menu")).to_have_count(0)
    await expect(opener).to_have_attribute("aria-expanded", "false")


async def conversations_called(reader: Reader, model: Model, *titles: str) -> None:
    for title in titles:
        model.title = title
        await reader.press("New conversation", reader.sidebar)
        await reader.ask_to_end("Anything")
        await expect(reader.row(title)).to_be_visible()


async def test_one_note_is_seen_at_a_time_and_covers_nothing_to_press(reader: Reader, model: Model) -> None:
    await conversations_called(reader, model, "First to go", "Second to go")
    for title in ("First to go", "Second to go"):
        await reader.choose(reader.row(title), "Delete")
    toasts = reader.page.locator(".toast")
    await expect(toasts).to_have_count(1)
    await expect(toasts).to_contain_text("Second to go")
    assert await reader.page.evaluate(COVERED) == []
    await reader.press("Undo")
    await expect(toasts).to_contain_text("The conversation is back.")
    await reader.press("Close", toasts)
    await expect(toasts).to_contain_text("First to go")
    await reader.press("Undo")
    await expect(reader.row("First to go")).to_be_visible()


async def test_on_a_phone_a_deletion_covers_nothing_and_brings_up_no_keyboard(readers: Readers, model: Model) -> None:
    reader = await readers(**PHONE)
    model.title = "Deleted by finger"
    await reader.ask_to_end("Anything")
    await reader.press("Show conversations")
    while await reader.rows.count() > 0:
        rows = await reader.rows.count()
        await reader.choose(reader.rows.first, "Delete")
        await expect(reader.rows).to_have_count(rows - 1)
    await expect(reader.page.locator(".toast")).to_be_visible()
    await expect(reader.search).not_to_be_focused()
    assert await reader.page.evaluate(COVERED) == []
    await reader.press("Undo")
    await expect(reader.rows).to_have_count(1)


async def test_a_note_that_is_closed_gives_the_focus_back_and_ends_no_other(reader: Reader, model: Model) -> None:
    await conversations_called(reader, model, "First note", "Second note")
    await reader.page.clock.install()
    for title in ("First note", "Second note"):
        await reader.choose(reader.row(title), "Delete")
    toasts = reader.page.locator(".toast")
    await expect(toasts).to_contain_text("Second note")
    await reader.box.focus()
    await toasts.get_by_role("button", name="Close").press("Enter")
    await expect(toasts).to_contain_text("First note")
    await expect(reader.box).to_be_focused()
    await toasts.hover()
    await reader.page.clock.run_for(60_000)
    await expect(toasts).to_contain_text("First note")
    await reader.page.mouse.move(640, 700)
    await reader.page.clock.run_for(60_000)
    await expect(toasts).to_have_count(0)


async def test_a_conversation_is_renamed_and_pinned(reader: Reader, model: Model) -> None:
    model.title = "To be renamed"
    await reader.ask_to_end("Anything")
    await reader.choose(reader.row("To be renamed"), "Rename")
    box = reader.page.get_by_role("textbox", name="Title of the conversation")
    await box.fill("Mine")
    await box.press("Enter")
    await expect(reader.row("Mine").get_by_role("link")).to_be_focused()
    await expect(reader.page).to_have_title("Mine · daehwa")
    await reader.choose(reader.row("Mine"), "Pin")
    pinned = reader.sidebar.get_by_role("list", name="Pinned")
    await expect(pinned.get_by_role("link", name="Mine")).to_be_visible()
    await reader.page.reload()
    await expect(pinned.get_by_role("link", name="Mine")).to_be_visible()
    await reader.choose(reader.row("Mine"), "Unpin")
    await expect(pinned).to_have_count(0)


async def test_a_deleted_conversation_comes_back_by_undo(reader: Reader, model: Model) -> None:
    model.title = "To be deleted"
    model.says("Kept all the same.")
    await reader.ask_to_end("Anything")
    await reader.choose(reader.row("To be deleted"), "Delete")
    await expect(reader.row("To be deleted")).to_have_count(0)
    await expect(reader.page.locator(".toast", has_text="“To be deleted” was deleted.")).to_be_visible()
    await expect(reader.answers).to_have_count(0)
    await reader.press("Undo")
    await expect(reader.row("To be deleted")).to_be_visible()
    await expect(reader.answer.locator(".prose")).to_have_text("Kept all the same.")


async def test_a_deleted_conversation_is_gone(reader: Reader, model: Model) -> None:
    model.title = "Gone for good"
    await reader.ask_to_end("Anything")
    address = reader.page.url
    await reader.choose(reader.row("Gone for good"), "Delete")
    await expect(reader.row("Gone for good")).to_have_count(0)
    reader.watch.expect("status of 404")
    await reader.page.goto(address)
    await reader.page.reload()
    await expect(reader.page.get_by_text("This conversation does not exist, or it was deleted.")).to_be_visible()
    await reader.press("Start a new conversation")
    await expect(reader.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


async def test_what_another_tab_deletes_is_gone_here_and_back_by_its_undo(reader: Reader, model: Model) -> None:
    reader.watch.expect("status of 404")
    model.title = "Deleted elsewhere"
    await reader.ask_to_end("Anything")
    await expect(reader.row("Deleted elsewhere")).to_be_visible()
    other = await reader.tab()
    await expect(other.answer.locator(".prose")).to_have_text("Hello there.")
    await other.box.fill("Half a question")
    await reader.choose(reader.row("Deleted elsewhere"), "Delete")
    await expect(other.page.get_by_text("This conversation does not exist, or it was deleted.")).to_be_visible()
    await expect(other.answers).to_have_count(0)
    await expect(other.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    await reader.press("Undo")
    await expect(other.answer.locator(".prose")).to_have_text("Hello there.")
    await expect(other.row("Deleted elsewhere")).to_be_visible()
    await expect(other.box).to_have_value("Half a question")
    await other.box.press("Enter")
    await expect(other.questions).to_have_count(2)


async def test_a_search_without_letters_says_what_it_needs(reader: Reader, model: Model) -> None:
    model.title = "About signs"
    model.says("## Signs\n\nThe **ampersand** is `&`.")
    await reader.ask_to_end("Which sign?")
    await reader.search.fill("%*'")
    await expect(reader.sidebar.get_by_text("Search needs a letter or a digit.")).to_be_visible()
    await reader.search.fill("ampers")
    await expect(reader.hits.locator(".snippet").first).to_have_text("Signs The ampersand is &.")
    await expect(reader.hits.locator(".snippet mark").first).to_have_text("ampers")


async def test_a_found_word_that_the_end_of_a_title_cuts_off_leaves_no_trace(reader: Reader, model: Model) -> None:
    word = "lena" * 10
    model.title = f"A river named {word}"
    await reader.ask_to_end("Which river?")
    await reader.search.fill(word)
    title = reader.hits.locator(".title")
    await expect(title.locator("mark")).to_have_text(word)
    seen, mark = await title.bounding_box(), await title.locator("mark").bounding_box()
    assert seen is not None
    assert mark is not None
    assert mark["y"] >= seen["y"] + seen["height"], "it is all on the line that is not shown"


async def test_words_are_found_by_their_beginnings(reader: Reader, model: Model) -> None:
    model.title = "Rivers of the north"
    model.says("The Yenisei is long.")
    await reader.ask_to_end("Which is longest?")
    await expect(reader.row("Rivers of the north")).to_be_visible()
    await reader.page.keyboard.press("Control+k")
    await expect(reader.search).to_be_focused()
    await reader.page.keyboard.type("yeni")
    await expect(reader.hits.locator("mark")).to_have_text(["Yeni"])
    await reader.search.fill("rivers")
    await expect(reader.hits.locator(".title mark").first).to_have_text("Rivers")
    await reader.page.keyboard.press("Escape")
    await expect(reader.row("Rivers of the north")).to_be_visible()


async def test_back_and_forth_walk_through_conversations(reader: Reader, model: Model) -> None:
    for title in ("The first one", "The second one"):
        model.title = title
        await reader.press("New conversation", reader.sidebar)
        await reader.ask_to_end(f"{title}?")
        await expect(reader.row(title)).to_be_visible()
    await reader.row("The first one").get_by_role("link").click()
    await expect(reader.question.locator(".bubble")).to_have_text("The first one?")
    await reader.page.go_back()
    await expect(reader.question.locator(".bubble")).to_have_text("The second one?")
    await reader.page.go_forward()
    await expect(reader.question.locator(".bubble")).to_have_text("The first one?")
