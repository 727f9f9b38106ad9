"""Images that are brought to a question while it is edited, beside those that it showed."""

import json
from typing import Any

import pytest
from browser.files import add, bring, file
from browser.reader import Reader
from browser.shown import asked, moving, shown_in, thumbnails, tile
from browser.stored_images import none_kept
from model import Model
from playwright.async_api import FilePayload, Locator, Request, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RED, BLUE, GREEN = tile(200, 30, 30), tile(30, 30, 200), tile(30, 200, 30)
EDITED = "form[data-files]"


def edit_of(reader: Reader) -> Locator:
    return reader.page.locator(EDITED)


async def choose(reader: Reader, *files: FilePayload) -> None:
    await add(reader, *files, within=edit_of(reader))


async def begin(reader: Reader) -> None:
    await reader.press("Edit the question", reader.question)
    await expect(reader.page.get_by_role("textbox", name="Edit your question")).to_be_focused()


async def test_images_are_chosen_dropped_and_pasted_while_a_question_is_edited(reader: Reader, model: Model) -> None:
    await reader.ask_to_end("What is this?")
    await asked(model)
    await begin(reader)
    await choose(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await expect(reader.page.get_by_role("textbox", name="Edit your question")).to_be_focused()
    assert await bring(reader, "dragover", file("blue.png", BLUE), to=f"{EDITED} textarea")
    assert await bring(reader, "drop", file("blue.png", BLUE), to=f"{EDITED} textarea")
    await expect(thumbnails(reader)).to_have_count(2)
    assert await bring(reader, "paste", file("green.png", GREEN), to=f"{EDITED} textarea")
    await expect(thumbnails(reader)).to_have_count(3)
    await expect(edit_of(reader).get_by_role("img")).to_have_count(3)

    await reader.page.reload()
    await expect(edit_of(reader).get_by_role("img")).to_have_count(3)
    await reader.press("Take out “blue.png”")
    await reader.press("Send", reader.question)
    await reader.ended()
    assert shown_in(await asked(model)) == [RED, GREEN]
    await none_kept(reader)
    await expect(reader.question.get_by_role("img", name="Image 2 of 2")).to_be_visible()
    await reader.press("Previous version", reader.question)
    await expect(reader.question.get_by_role("img")).to_have_count(0)


async def test_an_added_image_stands_beside_those_that_the_question_showed(reader: Reader, model: Model) -> None:
    assert await bring(reader, "paste", file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.ask_to_end("What is this?")
    assert shown_in(await asked(model)) == [RED]
    posted: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/turns"):
            posted.append(json.loads(request.post_data or ""))

    reader.page.on("request", note)
    await begin(reader)
    await choose(reader, file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.press("Take out “Image 1 of 2”")
    await choose(reader, file("green.png", GREEN))  # as many as were stored, and others
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.page.reload()
    await expect(edit_of(reader).get_by_role("img")).to_have_count(2)
    await reader.press("Cancel", reader.question)
    await none_kept(reader)

    await begin(reader)
    await expect(thumbnails(reader)).to_have_count(1)
    await choose(reader, file("blue.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.press("Send", reader.question)
    await reader.ended()
    assert shown_in(await asked(model)) == [RED, BLUE]
    parts = posted[-1]["message"]["parts"]
    assert ["data" in part for part in parts] == [False, True, False], "the conversation has the first already"


async def test_an_edit_that_is_given_up_leaves_nothing(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    await begin(reader)
    await choose(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.keyboard.press("Escape")
    await expect(edit_of(reader)).to_have_count(0)
    await none_kept(reader)
    await reader.page.reload()
    await expect(reader.question.get_by_role("button", name="Edit the question")).to_be_visible()
    await begin(reader)
    await expect(thumbnails(reader)).to_have_count(0)


async def test_an_edit_shows_no_more_than_a_question_may(reader: Reader) -> None:
    for number in range(7):
        assert await bring(reader, "paste", file(f"{number}.png", tile(number, 0, 0)))
    await expect(thumbnails(reader)).to_have_count(7)
    await reader.ask_to_end("What are these?")
    await begin(reader)
    await choose(reader, file("blue.png", BLUE), file("green.png", GREEN))
    await expect(thumbnails(reader)).to_have_count(8)
    await expect(edit_of(reader).get_by_role("status")).to_contain_text("8")


async def test_the_bytes_of_what_was_shown_count_with_those_that_are_added(reader: Reader) -> None:
    # What moves stays as it is, so these have the bytes that they are given: a comment fills them.
    large, small = (
        moving()[:-1] + b"\x21\xfe" + (b"\xff" + b"," * 255) * blocks + b"\0\x3b" for blocks in (15_000, 1_000)
    )
    await add(reader, file("large.gif", large, "image/gif"))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.ask_to_end("What is this?")
    await begin(reader)
    await choose(reader, file("small.gif", small, "image/gif"))
    told = "“small.gif” is too large. The images of a question may have 4 MB together."
    await expect(edit_of(reader).get_by_role("status")).to_have_text(told)
    await expect(thumbnails(reader)).to_have_count(1)


async def test_an_edit_for_a_model_that_sees_none_says_so(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    blind = {"id": "openai/gpt-test", "name": "gpt-test", "provider": "openai", "sees_images": False}
    models = {"models": [blind], "default": blind["id"], "problems": []}
    await reader.page.route("**/api/models", lambda route: route.fulfill(json=models))
    await reader.page.reload()
    await begin(reader)
    await choose(reader, file("red.png", RED))
    note = edit_of(reader).get_by_role("status")
    await expect(note).to_have_text("gpt-test sees no images. Choose another model, or take the images out.")
    await expect(edit_of(reader).get_by_role("button", name="Send")).to_be_disabled()
    await reader.press("Take out “red.png”")
    await expect(note).to_have_count(0)
    await expect(edit_of(reader).get_by_role("button", name="Send")).to_be_enabled()


async def test_an_edit_made_offline_is_sent_with_its_images_once_the_connection_is_back(
    reader: Reader, model: Model
) -> None:
    reader.watch.expect("ERR_INTERNET_DISCONNECTED")
    await reader.ask_to_end("What is this?")
    await asked(model)
    await begin(reader)
    await choose(reader, file("red.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.page.context.set_offline(True)
    await reader.press("Send", reader.question)
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await expect(reader.question.get_by_role("img", name="Image", exact=True)).to_be_visible()
    await reader.page.context.set_offline(False)
    await reader.ended()
    assert shown_in(await asked(model)) == [RED]
    await none_kept(reader)


async def test_what_is_dropped_elsewhere_is_for_the_next_question(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    await begin(reader)
    assert await bring(reader, "drop", file("red.png", RED), to="main")
    await expect(thumbnails(reader)).to_have_count(1)
    await expect(edit_of(reader).get_by_role("img")).to_have_count(0)


async def test_a_text_file_goes_below_an_edited_question(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    await begin(reader)
    await choose(reader, file("names.txt", "하나\n둘".encode(), "text/plain"))
    box = reader.page.get_by_role("textbox", name="Edit your question")
    await expect(box).to_have_value("What is this?\n\nnames.txt:\n\n```\n하나\n둘\n```")
    await expect(box).to_be_focused()


async def test_an_edit_that_is_too_long_says_so(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    await begin(reader)
    box = reader.page.get_by_role("textbox", name="Edit your question")
    await box.fill("가" * 200_002)
    await expect(edit_of(reader).get_by_role("status")).to_contain_text("2 characters too long. The limit is 200,000.")
    await expect(edit_of(reader).get_by_role("button", name="Send")).to_be_disabled()
    await box.fill("What is that?")
    await expect(edit_of(reader).get_by_role("status")).to_have_count(0)
    await expect(edit_of(reader).get_by_role("button", name="Send")).to_be_enabled()


async def test_one_writes_on_where_one_was_when_a_text_file_is_dropped_on_an_edit(reader: Reader) -> None:
    await reader.ask_to_end("What is this?")
    await begin(reader)
    box = reader.page.get_by_role("textbox", name="Edit your question")
    await box.fill("What is this?  \n\n")
    assert await bring(reader, "drop", file("names.txt", b"One", "text/plain"), to=f"{EDITED} textarea")
    await expect(box).to_have_value("What is this?\n\nnames.txt:\n\n```\nOne\n```")
    await reader.page.keyboard.type(" And")
    await expect(box).to_have_value("What is this? And\n\nnames.txt:\n\n```\nOne\n```")
