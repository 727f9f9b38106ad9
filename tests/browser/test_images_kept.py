"""Images of questions that are not sent yet: they stay with the draft, and with what waits to be sent."""

import json
from typing import Any

import pytest
from browser.files import add, file
from browser.porter import ADA
from browser.reader import Reader
from browser.shown import asked, shown_in, thumbnails, tile
from browser.stored_images import none_kept
from browser.visitor import Visits
from model import Model
from playwright.async_api import Request, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RED, BLUE = tile(200, 30, 30), tile(30, 30, 200)
AGE = """(days) => new Promise((resolve) => {
    const opening = indexedDB.open("daehwa.images");
    opening.onsuccess = () => {
        const change = opening.result.transaction("images", "readwrite");
        const store = change.objectStore("images");
        store.getAll().onsuccess = ({ target }) => {
            for (const image of target.result) store.put({ ...image, kept: image.kept - days * 86400000 });
        };
        change.oncomplete = () => (opening.result.close(), resolve());
    };
})"""
NO_DATABASE = """Object.defineProperty(window, "indexedDB", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
});"""


async def test_a_draft_keeps_its_images_over_a_reload_and_in_its_conversation(reader: Reader, model: Model) -> None:
    await add(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.reload()
    await expect(thumbnails(reader)).to_have_attribute("alt", "red.png")
    await reader.ask_to_end("What is this?")
    assert shown_in(await asked(model)) == [RED]
    await none_kept(reader)

    await add(reader, file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.press("New conversation")
    await expect(reader.questions).to_have_count(0)
    await expect(thumbnails(reader)).to_have_count(0)
    await reader.page.go_back()
    await expect(thumbnails(reader)).to_have_attribute("alt", "blue.png")
    await reader.page.get_by_role("button", name="Take out “blue.png”").click()
    await none_kept(reader)
    await reader.page.reload()
    await expect(reader.question.get_by_role("img")).to_be_visible()
    await expect(thumbnails(reader)).to_have_count(0)


async def test_a_draft_that_nobody_went_on_with_for_a_month_loses_its_images(reader: Reader) -> None:
    await reader.box.fill("Some day")
    await add(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.evaluate(AGE, 29)
    await reader.page.reload()
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.evaluate(AGE, 2)
    await reader.page.reload()
    await none_kept(reader)
    await reader.page.reload()
    await expect(reader.page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    await expect(thumbnails(reader)).to_have_count(0)
    await expect(reader.box).to_have_value("Some day")


async def test_where_a_browser_keeps_nothing_images_are_asked_all_the_same(reader: Reader, model: Model) -> None:
    await reader.page.add_init_script(NO_DATABASE)
    await reader.page.reload()
    await add(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.ask_to_end("What is this?")
    assert shown_in(await asked(model)) == [RED]
    await add(reader, file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.reload()
    await expect(reader.question.get_by_role("img")).to_be_visible()
    await expect(thumbnails(reader)).to_have_count(0)
    await reader.ask_to_end("And now?")
    assert shown_in(await asked(model)) == []


async def test_a_question_asked_offline_is_sent_with_its_images_once_the_connection_is_back(
    reader: Reader, model: Model
) -> None:
    reader.watch.expect("ERR_INTERNET_DISCONNECTED")
    await add(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.context.set_offline(True)
    await reader.ask("What is this?")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await expect(reader.question.get_by_role("img", name="Image", exact=True)).to_be_visible()
    await reader.page.context.set_offline(False)
    await reader.ended()
    assert shown_in(await asked(model)) == [RED]
    await none_kept(reader)


async def test_what_waits_to_be_sent_outlives_a_reload_with_its_images(reader: Reader, model: Model) -> None:
    reader.watch.expect("ERR_FAILED")
    reader.watch.expect("status of 404")  # nobody but this browser knows the conversation yet
    await reader.page.route("**/api/turns", lambda route: route.abort())
    await add(reader, file("red.png", RED), file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.ask("What are these?")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await reader.page.reload()
    await expect(reader.question.get_by_role("img", name="Image 2 of 2")).to_be_visible()
    await reader.page.unroute_all()
    await reader.ended()
    assert shown_in(await asked(model)) == [RED, BLUE]
    await none_kept(reader)
    await reader.page.reload()
    await expect(reader.question.get_by_role("img", name="Image 2 of 2")).to_be_visible()


async def test_a_question_that_is_taken_back_brings_its_images(reader: Reader, model: Model) -> None:
    reader.watch.expect("ERR_FAILED")
    reader.watch.expect("status of 404")  # nobody but this browser knows the conversation yet
    await reader.page.route("**/api/turns", lambda route: route.abort())
    await add(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.ask("What is this?")
    await reader.press("Take the question back")
    await expect(thumbnails(reader)).to_have_attribute("alt", "red.png")
    await expect(reader.box).to_have_value("What is this?")
    await reader.page.unroute_all()
    await reader.page.get_by_role("button", name="Send", exact=True).click()
    await reader.ended()
    assert shown_in(await asked(model)) == [RED]


async def test_an_edited_question_keeps_its_images_and_can_leave_some_out(reader: Reader, model: Model) -> None:
    await add(reader, file("red.png", RED), file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.ask_to_end("What are these?")
    assert shown_in(await asked(model)) == [RED, BLUE]

    posted: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/turns"):
            posted.append(json.loads(request.post_data or ""))

    reader.page.on("request", note)
    await reader.press("Edit the question", reader.question)
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.page.get_by_role("button", name="Take out “Image 1 of 2”").press("Enter")
    await expect(reader.page.get_by_role("button", name="Take out “Image”")).to_be_focused()
    await reader.page.reload()
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("What is this?")
    await reader.press("Send", reader.question)
    await reader.ended()
    assert shown_in(await asked(model)) == [BLUE]
    assert [sorted(part) for part in posted[-1]["message"]["parts"]] == [
        ["height", "image", "type", "width"],
        ["text", "type"],
    ], "the conversation has it already"
    await expect(reader.question.get_by_role("img", name="Image", exact=True)).to_be_visible()
    await reader.press("Previous version", reader.question)
    await expect(reader.question.get_by_role("img", name="Image 2 of 2")).to_be_visible()
    await reader.press("Edit the question", reader.question)
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.press("Cancel", reader.question)
    await expect(reader.question.get_by_role("button", name="Edit the question")).to_be_focused()


async def test_signing_out_leaves_no_image_behind(visits: Visits) -> None:
    visitor = await visits(ADA)
    other = await visitor.tab()
    for tab in (visitor, other):
        await expect(tab.account).to_be_visible()
        await add(tab.reader, file("red.png", RED))
        await expect(thumbnails(tab.reader).first).to_be_visible()
    databases = "async () => (await indexedDB.databases()).map(({ name }) => name)"
    assert await visitor.page.evaluate(databases) == [f"daehwa.of.{ADA['id']}.images"]
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    for tab in (visitor, other):
        await expect(tab.way_in).to_be_visible()
        assert await tab.page.evaluate(databases) == []
