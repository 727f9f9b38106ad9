"""A question, and the answer as it arrives."""

import asyncio

import pytest
from browser.reader import Reader, Readers
from browser.samples import CODE, HOSTILE, MARKDOWN
from model import Model
from playwright.async_api import Error, expect
from upstream import DONE, ROLE, ending, text, usage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_answer_appears_while_it_is_made(reader: Reader, model: Model) -> None:
    gate, rest = asyncio.Event(), asyncio.Event()
    model.says([ROLE, gate, text("The first words "), rest, text("and the last."), ending(), usage(12, 5), DONE])
    await reader.ask("Say something")
    await expect(reader.answer).to_contain_text("Waiting for the first word…")
    await expect(reader.box).to_have_value("")
    gate.set()
    await expect(reader.answer).to_contain_text("The first words")
    await expect(reader.answer).to_have_attribute("aria-busy", "true")
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("The answer begins.")
    rest.set()
    await reader.ended()
    await expect(reader.answer.locator(".prose")).to_have_text("The first words and the last.")
    await expect(reader.question).to_contain_text("Say something")
    await expect(reader.answer).to_contain_text("12 input and 5 output tokens")
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("The answer is complete.")


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        ("stop", "The model sent an empty answer."),
        ("length", "This answer was cut off at the length limit."),
        ("content_filter", "The model's provider ended this answer by its content rules."),
    ],
)
async def test_what_is_said_of_an_end_is_what_stands_there(
    reader: Reader, model: Model, finish: str, said: str
) -> None:
    model.says([ROLE, ending(finish), usage(12, 0), DONE])
    await reader.ask_to_end("Say something")
    await expect(reader.answer).to_contain_text(said)
    await expect(reader.page.get_by_test_id("announcer")).to_have_text(said)


async def test_an_empty_answer_is_called_one_and_asked_for_again(reader: Reader, model: Model) -> None:
    model.says([ROLE, ending(), usage(12, 0), DONE], "Something after all.")
    await reader.ask_to_end("Say something")
    await expect(reader.answer).to_contain_text("The model sent an empty answer.")
    await expect(reader.answer.get_by_role("button", name="Answer again")).to_have_count(0)
    await reader.page.reload()
    await reader.press("Try again", reader.answer)
    await expect(reader.answer).to_contain_text("Something after all.")
    await reader.ended()
    await expect(reader.answer).not_to_contain_text("empty answer")


async def test_the_title_comes_into_the_sidebar(reader: Reader, model: Model) -> None:
    model.title = "Names of rivers"
    await reader.ask_to_end("Which rivers are there?")
    await expect(reader.row("Names of rivers")).to_be_visible()
    await expect(reader.page).to_have_title("Names of rivers · daehwa")


async def test_markdown_becomes_what_it_says(readers: Readers, model: Model) -> None:
    reader = await readers(permissions=["clipboard-read", "clipboard-write"])
    model.says(MARKDOWN)
    await reader.ask_to_end("Show me")
    await expect(reader.answer.locator("strong", has_text="bold")).to_be_visible()
    await expect(reader.answer.get_by_role("listitem")).to_have_text(["first", "second"])
    await expect(reader.answer.get_by_role("cell")).to_have_text(["apple", "3"])
    await expect(reader.answer.locator("pre code")).to_have_text(CODE)
    await expect(reader.answer.locator("pre code span").first).to_be_attached()
    await reader.answer.locator(".md-code button").click()
    await expect(reader.answer.locator(".md-code button")).to_have_text("Copied")
    assert await reader.page.evaluate("navigator.clipboard.readText()") == CODE


async def test_an_answer_is_copied_as_it_was_written(readers: Readers, model: Model) -> None:
    reader = await readers(permissions=["clipboard-read", "clipboard-write"])
    model.says(MARKDOWN)
    await reader.ask_to_end("Show me")
    await reader.press("Copy", reader.answer)
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("Copied")
    assert await reader.page.evaluate("navigator.clipboard.readText()") == MARKDOWN


async def test_hostile_text_runs_nothing_and_fetches_nothing(reader: Reader, model: Model) -> None:
    model.says(HOSTILE)
    await reader.ask_to_end("Do your worst")
    await expect(reader.answer).to_contain_text("The end.")
    assert await reader.page.evaluate("window.harmed") is None
    assert await reader.answer.locator("script, iframe, img, object, embed, .prose svg").count() == 0
    links = await reader.answer.locator("a").evaluate_all("found => found.map((link) => link.protocol)")
    assert set(links) == {"https:"}
    honest = reader.answer.get_by_role("link", name="an honest link")
    await expect(honest).to_have_attribute("rel", "noopener noreferrer")
    await reader.page.reload()
    await expect(reader.answer).to_contain_text("The end.")
    assert await reader.page.evaluate("window.harmed") is None


@pytest.mark.parametrize(
    "attempt",
    [
        "document.createElement('script').textContent = 'window.harmed = 1'",
        "document.body.setAttribute('onclick', 'window.harmed = 1')",
    ],
)
async def test_script_put_in_by_hand_is_refused(reader: Reader, attempt: str) -> None:
    with pytest.raises(Error, match="requires 'TrustedScript' assignment"):
        await reader.page.evaluate(attempt)
    await reader.page.locator("body").click()
    assert await reader.page.evaluate("window.harmed") is None
    reader.watch.expect("TrustedScript")


async def test_style_put_in_by_hand_is_refused_and_the_watch_sees_it(reader: Reader) -> None:
    await reader.page.evaluate("document.body.setAttribute('style', 'color: red')")
    (fault,) = reader.watch.faults
    assert "Content Security Policy" in fault
    reader.watch.expect("Content Security Policy")


async def test_shift_enter_breaks_the_line(reader: Reader, model: Model) -> None:
    await reader.box.fill("one")
    await reader.box.press("Shift+Enter")
    await reader.box.press_sequentially("two")
    await expect(reader.box).to_have_value("one\ntwo")
    assert model.questions == []
    await reader.box.press("Enter")
    await reader.ended()
    assert model.questions[0].json["messages"][-1]["content"] == "one\ntwo"


async def test_a_message_that_is_too_long_is_not_sent(reader: Reader, model: Model) -> None:
    await reader.box.fill("x" * 200_003)
    await expect(reader.page.get_by_text("3 characters too long. The limit is 200,000.")).to_be_visible()
    await reader.box.press("Enter")
    await expect(reader.page.get_by_role("button", name="Send")).to_be_disabled()
    await expect(reader.questions).to_have_count(0)
    assert model.questions == []


async def test_a_draft_survives_a_reload(reader: Reader) -> None:
    await reader.box.fill("half a thought")
    await reader.page.reload()
    await expect(reader.box).to_have_value("half a thought")
