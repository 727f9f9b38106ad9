"""A search hit is opened: the word that was searched for is in view and marked, however long its message is."""

from unicodedata import normalize

import pytest
from browser.reader import PHONE, Reader, Readers
from browser.samples import LONG
from model import Model
from playwright.async_api import expect
from upstream import gated

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MARKED = """() => {
    const view = document.querySelector("main .scroller").getBoundingClientRect();
    const marks = [...(CSS.highlights.get("found") ?? [])];
    return marks.map((mark) => {
        const { top, bottom } = mark.getBoundingClientRect();
        return [mark.toString(), (top + bottom) / 2 > view.top && (top + bottom) / 2 < view.bottom];
    });
}"""
SETTLED_MS = 700


def with_word(word: str) -> str:
    return LONG.replace("Item 97 is", f"Item 97, {word}은(는) is")


async def hidden_in_a_long_answer(reader: Reader, model: Model, word: str) -> None:
    """Say a word far within the first of three long answers, and leave the conversation."""
    model.says(with_word(word), LONG, LONG)
    for number in range(3):
        await reader.page.locator("#message").fill(f"Question {number}")
        await reader.page.locator("#message").press("Control+Enter")
        await expect(reader.page.locator(".answer")).to_have_count(number + 1)
        await expect(reader.page.locator(".answer").last).to_have_attribute("aria-busy", "false")
    await reader.page.goto("about:blank")
    await reader.page.goto(reader.address)


async def marked(reader: Reader) -> list[tuple[str, bool]]:
    """Return the marked words, and whether each is in view, once nothing moves any more."""
    await reader.page.wait_for_timeout(SETTLED_MS)
    return [(normalize("NFC", text), is_seen) for text, is_seen in await reader.page.evaluate(MARKED)]


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_the_word_is_in_view_and_marked(readers: Readers, model: Model, device: dict[str, object]) -> None:
    reader = await readers(**device)
    word = f"zebra{'phone' if device else 'desk'}"
    await hidden_in_a_long_answer(reader, model, word)
    if device:
        await reader.press("Show conversations")
    await reader.search.fill(word)
    await reader.hits.get_by_role("link").click()
    await expect(reader.answers.first.locator(".md li")).to_have_count(120)
    assert await marked(reader) == [(word, True)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_korean_is_found_composed_and_not(readers: Readers, model: Model, form: str) -> None:
    reader = await readers(locale="ko-KR")
    word = {"NFC": "참외", "NFD": "자두"}[form]
    await hidden_in_a_long_answer(reader, model, normalize(form, word))  # type: ignore[arg-type]  # one of its forms
    await reader.page.get_by_role("searchbox").fill(word)
    await reader.hits.get_by_role("link").first.click()
    await expect(reader.page.locator(".answer").first.locator(".md li")).to_have_count(120)
    assert await marked(reader) == [(word, True)]


async def test_the_place_is_right_also_where_the_text_is_drawn_late(reader: Reader, model: Model) -> None:
    await hidden_in_a_long_answer(reader, model, "ocelot")
    come = await reader.hold_back("**/assets/markdown-*.js")
    await reader.search.fill("ocelot")
    await reader.hits.get_by_role("link").click()
    await expect(reader.answers.first.locator(".plain")).to_be_visible()
    assert await marked(reader) == [("ocelot", True)]
    come.set()
    await expect(reader.answers.first.locator(".md li")).to_have_count(120)
    assert await marked(reader) == [("ocelot", True)]


async def test_the_same_message_is_shown_for_other_words_and_left_alone_after_that(
    reader: Reader, model: Model
) -> None:
    await hidden_in_a_long_answer(reader, model, "quokka")
    await reader.search.fill("quokka")
    await reader.hits.get_by_role("link").click()
    await expect(reader.answers.first.locator(".md li")).to_have_count(120)
    assert await marked(reader) == [("quokka", True)]
    await reader.search.fill("quokka 97")
    await expect(reader.hits.locator("mark", has_text="97").first).to_be_visible()
    await reader.hits.get_by_role("link").click()
    words = await marked(reader)
    assert {text for text, _ in words} == {"quokka", "97"}
    assert any(is_seen for _, is_seen in words)
    await reader.scroller.hover()
    await reader.page.mouse.wheel(0, -3000)
    await reader.page.wait_for_timeout(SETTLED_MS)
    assert not any(is_seen for _, is_seen in await marked(reader))
    await reader.page.get_by_role("button", name="New conversation").first.click()
    assert await reader.page.evaluate("CSS.highlights.has('found')") is False


async def test_what_was_found_near_the_end_stays_in_view_while_the_end_grows(reader: Reader, model: Model) -> None:
    steps, gates = gated("Well. ", LONG)
    model.says(LONG, steps)
    await reader.ask_to_end("Something long first")
    await reader.ask("Is there a pangolin?")
    await expect(reader.answer).to_contain_text("Well.")
    await reader.press("New conversation", reader.sidebar)
    await reader.search.fill("pangolin")
    await reader.hits.get_by_role("link").click()
    assert await marked(reader) == [("pangolin", True)]
    to_end = reader.page.get_by_role("button", name="Scroll to the end")
    await expect(to_end).to_have_count(0)
    gates[0].set()
    await reader.ended()
    assert await marked(reader) == [("pangolin", True)]
    await to_end.click()
    await expect(reader.answer.get_by_text("words at the end.")).to_be_in_viewport()
