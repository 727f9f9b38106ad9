"""Other versions of questions and answers, and edits that are under way: nothing is lost by them."""

import pytest
from browser.reader import Reader, Readers
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ENGLISH = {
    "again": "Answer again",
    "previous": "Previous version",
    "next": "Next version",
    "first": "Version 1 of 3",
    "second": "Version 2 of 3",
}
KOREAN = {
    "again": "다시 답변",
    "previous": "이전 버전",
    "next": "다음 버전",
    "first": "3개 중 1번째 버전",
    "second": "3개 중 2번째 버전",
}


async def test_a_question_is_edited_and_both_versions_stay(reader: Reader, model: Model) -> None:
    model.says("About cats.", "More about cats.", "About dogs.")
    await reader.ask_to_end("Cats?")
    await reader.ask_to_end("More?")
    first = reader.questions.first
    await reader.press("Edit the question", first)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("Dogs?")
    await reader.press("Send", first)
    await expect(reader.answer.locator(".prose")).to_have_text("About dogs.")
    await reader.ended()
    await expect(reader.questions).to_have_count(1)
    await expect(first.get_by_role("group", name="Version 2 of 2")).to_contain_text("2/2")
    assert [message["content"] for message in model.questions[2].json["messages"]] == ["Dogs?"]
    await reader.press("Previous version", first)
    await expect(reader.questions.locator(".bubble")).to_have_text(["Cats?", "More?"])
    await expect(reader.answers.locator(".prose")).to_have_text(["About cats.", "More about cats."])
    await reader.page.reload()
    await expect(reader.questions.locator(".bubble")).to_have_text(["Cats?", "More?"])
    await reader.press("Next version", first)
    await expect(reader.questions.locator(".bubble")).to_have_text(["Dogs?"])
    await expect(reader.answers.locator(".prose")).to_have_text(["About dogs."])


async def test_escape_leaves_an_edit_as_it_was(reader: Reader, model: Model) -> None:
    await reader.ask_to_end("Cats?")
    await reader.press("Edit the question", reader.question)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("Dogs?")
    await reader.page.keyboard.press("Escape")
    await expect(reader.question.locator(".bubble")).to_have_text("Cats?")
    await expect(reader.question.get_by_role("button", name="Edit the question")).to_be_focused()
    assert len(model.questions) == 1


async def test_an_edit_under_way_is_there_again_wherever_one_went(reader: Reader, model: Model) -> None:
    model.title = "Half edited"
    await reader.ask_to_end("Cats?")
    await expect(reader.row("Half edited")).to_be_visible()
    editing = reader.page.get_by_role("textbox", name="Edit your question")
    await reader.press("Edit the question", reader.question)
    await editing.fill("Dogs, and")
    await reader.press("New conversation", reader.sidebar)
    await expect(editing).to_have_count(0)
    await reader.row("Half edited").get_by_role("link").click()
    await expect(editing).to_have_value("Dogs, and")
    await expect(editing).not_to_be_focused()
    await editing.press_sequentially(" hors")
    await reader.page.reload()
    await expect(editing).to_have_value("Dogs, and hors")
    await editing.fill("Dogs, and horses?")
    await editing.blur()
    other = await reader.tab()
    await reader.page.close()
    restored = other.page.get_by_role("textbox", name="Edit your question")
    await expect(restored).to_have_value("Dogs, and horses?")
    await restored.press("Enter")
    await expect(other.question.locator(".bubble")).to_have_text("Dogs, and horses?")
    await other.ended()
    await other.press("Previous version", other.question)
    await expect(other.question.locator(".bubble")).to_have_text("Cats?")
    assert await kept_edits(other) == []


async def test_an_edit_that_is_cancelled_or_changed_nothing_is_not_kept(reader: Reader) -> None:
    await reader.ask_to_end("Cats?")
    editing = reader.page.get_by_role("textbox", name="Edit your question")
    await reader.press("Edit the question", reader.question)
    await editing.fill("Dogs?")
    await editing.press("Escape")
    await expect(reader.question.locator(".bubble")).to_have_text("Cats?")
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("Cats?")
    await reader.press("Edit the question", reader.question)
    await expect(editing).to_have_value("Cats?")
    await expect(editing).to_be_focused()
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("Cats?")
    assert await kept_edits(reader) == []


async def kept_edits(reader: Reader) -> list[str]:
    names: list[str] = await reader.page.evaluate("Object.keys(localStorage).filter((name) => name.includes('edit'))")
    return names


async def test_an_answer_is_made_again_and_both_stay(reader: Reader, model: Model) -> None:
    model.says("The first answer.", "The second answer.")
    await reader.ask_to_end("Which?")
    await reader.press("Answer again", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("The second answer.")
    await expect(reader.answer.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    await reader.press("Previous version", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("The first answer.")
    await reader.page.reload()
    await expect(reader.answer.locator(".prose")).to_have_text("The first answer.")
    await reader.press("Next version", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("The second answer.")
    await expect(reader.questions).to_have_count(1)
    assert model.questions[0].json["messages"] == model.questions[1].json["messages"]


@pytest.mark.parametrize(("locale", "names"), [("en-US", ENGLISH), ("ko-KR", KOREAN)])
async def test_versions_are_walked_by_keyboard(
    readers: Readers, model: Model, locale: str, names: dict[str, str]
) -> None:
    reader = await readers(locale=locale)
    model.says("One.", "Two.", "Three.", "Three and a half.")
    await reader.page.locator("#message").fill("Which?")
    await reader.page.keyboard.press("Enter")
    answer = reader.page.locator(".answer").last
    for number in range(3):
        await expect(answer).to_have_attribute("aria-busy", "false")
        await expect(answer.get_by_role("group")).to_have_count(min(number, 1))
        if number < 2:
            await reader.press(names["again"], answer)
    announced = reader.page.get_by_test_id("announcer")
    back = answer.get_by_role("button", name=names["previous"])
    await back.focus()
    for number, said in ((2, names["second"]), (1, names["first"])):
        await reader.page.keyboard.press("Enter")
        await expect(answer.locator(".versions")).to_contain_text(f"{number}/3")
        await expect(announced).to_contain_text(said)
        await expect(back).to_be_focused()
    await expect(back).to_be_disabled()
    await expect(back).to_have_css("outline-style", "solid")
    await expect(back).to_have_css("opacity", "1")
    await reader.page.keyboard.press("Enter")
    await expect(answer.locator(".versions")).to_contain_text("1/3")
    await reader.page.keyboard.press("Tab")
    await reader.page.keyboard.press("Enter")
    await expect(answer.locator(".versions")).to_contain_text("2/3")
    await expect(answer.get_by_role("button", name=names["next"])).to_be_focused()
