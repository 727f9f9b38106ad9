"""한국어: by real composition events, as an input method sends them, and the page's own Korean."""

import pytest
from browser.reader import Reader, Readers
from model import Model
from playwright.async_api import CDPSession, expect
from upstream import gated

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WATCH_KEYS = """() => {
    window.keys = [];
    addEventListener("keydown", (event) => window.keys.push([event.key, event.isComposing, event.keyCode]), true);
}"""


class InputMethod:
    """A Korean input method: syllables grow in a composition and are committed at its end."""

    def __init__(self, session: CDPSession, reader: Reader) -> None:
        self._session = session
        self._reader = reader

    @classmethod
    async def of(cls, reader: Reader) -> "InputMethod":
        await reader.page.evaluate(WATCH_KEYS)
        return cls(await reader.page.context.new_cdp_session(reader.page), reader)

    async def compose(self, *states: str) -> None:
        for state in states:
            place = {"selectionStart": len(state), "selectionEnd": len(state)}
            await self._session.send("Input.imeSetComposition", {"text": state, **place})

    async def commit(self, text: str) -> None:
        await self._session.send("Input.insertText", {"text": text})

    async def key(self, code: int, key: str = "Enter") -> None:
        """Press a key that the page gets to see, without the text it may stand for."""
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self._session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})
        await self._session.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})

    async def write_and_press_enter_meanwhile(self) -> None:
        """Write 한글; press Enter while 글 is being composed, in the ways that browsers report it."""
        await self.compose("ㅎ", "하", "한")
        await self.commit("한")
        await self.compose("ㄱ", "그", "글")
        await self.key(13)
        await self.key(229)
        seen = await self._reader.page.evaluate("window.keys")
        assert ["Enter", True, 13] in seen
        assert any(code == 229 for _, _, code in seen)
        await self.commit("글")
        # Safari ends the composition first and sends the keydown of the Enter that ended it afterwards.
        await self.key(229)


async def test_enter_that_ends_a_syllable_does_not_send(reader: Reader, model: Model) -> None:
    method = await InputMethod.of(reader)
    await reader.box.focus()
    await method.write_and_press_enter_meanwhile()
    await expect(reader.box).to_have_value("한글")
    assert model.questions == []
    await expect(reader.questions).to_have_count(0)
    await reader.page.keyboard.press("Enter")
    await reader.ended()
    await expect(reader.question.locator(".bubble")).to_have_text("한글")
    await expect(reader.box).to_have_value("")
    assert [asked.json["messages"][-1]["content"] for asked in model.questions] == ["한글"]


async def test_enter_in_a_composition_does_not_send_an_edit(reader: Reader, model: Model) -> None:
    await reader.ask_to_end("영어")
    await reader.press("Edit the question", reader.question)
    box = reader.page.get_by_role("textbox", name="Edit your question")
    await box.fill("")
    method = await InputMethod.of(reader)
    await method.write_and_press_enter_meanwhile()
    await expect(box).to_have_value("한글")
    assert len(model.questions) == 1
    await reader.page.keyboard.press("Enter")
    await expect(reader.question.locator(".bubble")).to_have_text("한글")
    await reader.ended()
    assert model.questions[1].json["messages"][-1]["content"] == "한글"


async def test_enter_in_a_composition_does_not_end_renaming(reader: Reader, model: Model) -> None:
    model.title = "Before"
    await reader.ask_to_end("Something")
    await reader.choose(reader.row("Before"), "Rename")
    box = reader.page.get_by_role("textbox", name="Title of the conversation")
    await expect(box).to_be_focused()
    method = await InputMethod.of(reader)
    await method.write_and_press_enter_meanwhile()
    await expect(box).to_have_value("한글")
    await reader.page.keyboard.press("Enter")
    await expect(box).to_have_count(0)
    await expect(reader.row("한글")).to_be_visible()
    await reader.page.reload()
    await expect(reader.row("한글")).to_be_visible()


async def test_a_syllable_that_is_only_begun_takes_no_list_away(reader: Reader, model: Model) -> None:
    model.title = "찾기 쉬운 제목"
    await reader.ask_to_end("무엇을 찾아?")
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url) if "search" in request.url else None)
    await reader.search.focus()
    method = await InputMethod.of(reader)
    await method.compose("ㅊ")
    await reader.page.wait_for_timeout(400)
    await expect(reader.row("찾기 쉬운 제목")).to_be_visible()
    await method.compose("차", "찾")
    await method.commit("찾")
    await expect(reader.hits.first.locator("mark").first).to_have_text("찾")
    await method.compose("ㄱ")
    await reader.page.wait_for_timeout(400)
    await expect(reader.hits.first.locator("mark").first).to_have_text("찾")
    await method.compose("기")
    await method.commit("기")
    await expect(reader.hits.first.locator("mark").first).to_have_text("찾기")
    assert not any(url.endswith(("%E3%85%8A", "%E3%84%B1")) for url in asked)


async def test_escape_in_a_composition_does_not_clear_the_search(reader: Reader, model: Model) -> None:
    model.title = "한글날"
    await reader.ask_to_end("무슨 날이야?")
    await reader.search.focus()
    method = await InputMethod.of(reader)
    await method.compose("ㅎ", "하", "한")
    await method.key(27, "Escape")
    await method.key(13)
    await method.commit("한")
    await expect(reader.search).to_have_value("한")
    await method.compose("ㄱ", "그", "글")
    await method.key(229)
    await method.commit("글")
    await expect(reader.search).to_have_value("한글")
    await expect(reader.hits.first.locator("mark").first).to_have_text("한글")
    await reader.page.keyboard.press("Escape")
    await expect(reader.search).to_have_value("")


async def test_escape_in_a_composition_does_not_close_a_dialog(reader: Reader) -> None:
    await reader.page.goto(f"{reader.address}/#/keys")
    await reader.press("New key")
    dialog = reader.page.get_by_role("dialog", name="New API key")
    name = dialog.get_by_role("textbox", name="Name")
    await expect(name).to_be_focused()
    method = await InputMethod.of(reader)
    await method.compose("ㅎ", "하", "한")
    await method.key(27, "Escape")
    await method.commit("한")
    await expect(name).to_have_value("한")
    await reader.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_two_letter_words_are_found_as_one_types(reader: Reader, model: Model) -> None:
    for title, answer in (("주말 계획", "서울에서 부산까지 기차로 갑니다."), ("저녁 메뉴", "김치찌개가 좋겠습니다.")):
        model.title = title
        model.says(answer)
        await reader.press("New conversation", reader.sidebar)
        await reader.ask_to_end("추천해 줘")
        await expect(reader.row(title)).to_be_visible()
    await reader.search.fill("부산")
    await expect(reader.hits).to_have_count(1)
    await expect(reader.hits.locator("mark")).to_have_text(["부산"])
    await expect(reader.hits).to_contain_text("서울에서 부산까지")
    await reader.search.fill("저녁")
    await expect(reader.hits.locator(".title mark")).to_have_text("저녁")
    await reader.search.fill("없는말")
    await expect(reader.sidebar).to_contain_text("Nothing found for “없는말”.")
    await reader.search.fill("부산")
    await reader.hits.get_by_role("link").click()
    await expect(reader.answer).to_contain_text("서울에서 부산까지")


async def test_the_page_speaks_korean_to_a_korean_browser(readers: Readers, model: Model) -> None:
    model.says("안녕하세요.")
    reader = await readers(locale="ko-KR")
    await expect(reader.page.locator("html")).to_have_attribute("lang", "ko")
    await expect(reader.page.get_by_role("heading", name="무엇이 궁금하세요?")).to_be_visible()
    box = reader.page.get_by_role("textbox", name="메시지", exact=True)
    await box.fill("안녕?")
    await reader.page.get_by_role("button", name="보내기").click()
    await expect(reader.page.get_by_role("article", name="답변")).to_contain_text("안녕하세요.")


async def test_the_language_is_switched_and_remembered(reader: Reader) -> None:
    await reader.press("Settings", reader.sidebar)
    await reader.page.get_by_role("combobox", name="Language").select_option("한국어")
    await expect(reader.page.get_by_role("heading", name="설정")).to_be_visible()
    await reader.page.reload()
    await expect(reader.page.get_by_role("heading", name="무엇이 궁금하세요?")).to_be_visible()


async def test_what_is_drawn_already_changes_its_language_too(reader: Reader, model: Model) -> None:
    steps, gates = gated("```python\n1 + 1\n```\n\n| one |\n|---|\n| two |\n\n", "and a last word")
    model.says("```python\n1 + 1\n```", steps)
    await reader.ask_to_end("Code, please")
    await reader.ask("And a table")
    await expect(reader.answer.get_by_role("cell")).to_have_text("two")
    await expect(reader.page.get_by_role("button", name="Copy code")).to_have_count(2)
    await reader.press("Settings", reader.sidebar)
    await reader.page.get_by_role("combobox", name="Language").select_option("한국어")
    await reader.page.keyboard.press("Escape")
    await expect(reader.page.get_by_role("button", name="코드 복사")).to_have_count(2)
    await expect(reader.page.get_by_role("button", name="Copy code")).to_have_count(0)
    for name in ("코드 python", "표"):
        await expect(reader.page.get_by_role("group", name=name, exact=True).last).to_be_visible()
    for gate in gates:
        gate.set()
    answers = reader.page.get_by_role("article", name="답변", exact=True)
    await expect(answers.last).to_contain_text("and a last word")
    await expect(answers.last.get_by_role("cell")).to_have_text("two")
