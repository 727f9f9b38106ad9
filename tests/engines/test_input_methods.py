"""Enter while an input method composes, in the order of events of each engine: it ends a syllable, and that is all."""

import pytest
from engines.tab import Tab
from engines.walking import ask_to_end, choose
from model import Model

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="session")]

# Safari ends the composition first and sends the keydown of the Enter that ended it afterwards, by code 229 alone;
# elsewhere it comes before, and says so.
COMPOSE = """(() => {
    const box = document.activeElement;
    const isSafari = navigator.userAgent.includes("AppleWebKit");
    const codes = [];
    box.addEventListener("keydown", (event) => codes.push(event.keyCode), { once: true });
    const say = (type, data) => box.dispatchEvent(new CompositionEvent(type, { data, bubbles: true }));
    const enter = { key: "Enter", code: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    const press = () => box.dispatchEvent(new KeyboardEvent("keydown", { ...enter, isComposing: !isSafari }));
    box.setRangeText("한글");
    say("compositionstart", "");
    say("compositionupdate", "글");
    if (!isSafari) press();
    say("compositionend", "글");
    box.dispatchEvent(new InputEvent("input", { bubbles: true, data: "글", inputType: "insertCompositionText" }));
    if (isSafari) press();
    return codes;
})()"""
BOX = "document.activeElement.value"


async def ends_a_syllable(tab: Tab) -> None:
    """Write 한글 where the focus is, and end it by Enter: it stays there."""
    assert await tab.js(COMPOSE) == [229]
    assert "한글" in await tab.js(BOX)


async def test_enter_that_ends_a_syllable_sends_nothing(tab: Tab, model: Model) -> None:
    await tab.click("textbox", "Message")
    await ends_a_syllable(tab)
    assert model.questions == []
    await tab.press("Enter")
    await tab.sees("document.querySelector('article .bubble')?.textContent === '한글'")
    await tab.sees("document.querySelector('article.answer').ariaBusy === 'false'")
    await tab.click("button", "Edit the question")
    await tab.find("textbox", "Edit your question")
    await ends_a_syllable(tab)
    assert len(model.questions) == 1
    await tab.press("Escape")


async def test_enter_that_ends_a_syllable_names_nothing(tab: Tab, model: Model) -> None:
    model.title = "Before it is renamed"
    await ask_to_end(tab, "Something")
    await choose(tab, model.title, "Rename")
    await tab.find("textbox", "Title of the conversation")
    await ends_a_syllable(tab)
    await tab.press("Enter")
    await tab.sees("document.querySelector('nav').innerText.includes('한글')")
    await tab.open("/#/keys")
    await tab.click("button", "New key")
    await tab.find("dialog", "New API key")
    await ends_a_syllable(tab)
    assert await tab.has("dialog", "New API key")
    await tab.press("Escape")
