"""What a screen reader is told while the page changes: where it can be heard, and once."""

import pytest
from browser.reader import Reader, Readers, comes_true
from browser.test_changing import conversations_called
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Heard is what comes into a live region that no dialog makes deaf, and what is there when a dialog that did so goes.
LISTEN = """() => {
    window.heard = [];
    const regions = () => [...document.querySelectorAll('[aria-live], [role="status"], [role="alert"], [role="log"]')]
        .filter((region) => region.ariaLive !== "off");
    const isDeaf = (region) => {
        const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
        return modal !== undefined && !modal.contains(region);
    };
    const known = new Map();
    const listen = () => {
        for (const region of regions()) {
            const text = isDeaf(region) ? "" : region.textContent.trim();
            if (text !== "" && text !== known.get(region)) window.heard.push(text);
            known.set(region, text);
        }
    };
    listen();
    window.heard = [];
    new MutationObserver(listen).observe(document, { subtree: true, childList: true, characterData: true });
}"""


async def hears(reader: Reader, words: str) -> None:
    """Wait until these words are heard."""
    await comes_true(reader.page, "words => heard.some((text) => text.includes(words))", words)


async def heard(reader: Reader, words: str) -> int:
    """Return how often these words were heard."""
    said: list[str] = await reader.page.evaluate("heard")
    return sum(words in text for text in said)


async def test_a_note_that_is_seen_again_after_another_is_told_once(reader: Reader, model: Model) -> None:
    await conversations_called(reader, model, "Told first", "Told second")
    await reader.page.evaluate(LISTEN)
    for title in ("Told first", "Told second"):
        await reader.choose(reader.row(title), "Delete")
        await hears(reader, f"“{title}” was deleted. Undo")
    toasts = reader.page.locator(".toast")
    await reader.press("Close", toasts)
    await expect(toasts).to_contain_text("Told first")
    assert await heard(reader, "Told first") == 1
    assert await heard(reader, "Told second") == 1


async def test_a_note_that_a_dialog_covered_is_told_once(reader: Reader, model: Model) -> None:
    await conversations_called(reader, model, "Covered")
    await reader.page.evaluate(LISTEN)
    await reader.choose(reader.row("Covered"), "Delete")
    await hears(reader, "“Covered” was deleted.")
    await reader.press("Settings", reader.sidebar)
    await expect(reader.page.get_by_role("dialog")).to_be_visible()
    await reader.page.keyboard.press("Escape")
    await expect(reader.page.get_by_role("dialog")).to_have_count(0)
    await expect(reader.page.locator(".toast")).to_contain_text("Covered")
    assert await heard(reader, "Covered") == 1


async def test_what_happens_in_a_dialog_is_told_in_it(readers: Readers) -> None:
    reader = await readers(permissions=["clipboard-read", "clipboard-write"])
    await reader.page.goto(f"{reader.address}/#/keys")
    await reader.press("New key")
    await reader.page.get_by_role("textbox", name="Name").fill("Heard")
    await reader.page.keyboard.press("Enter")
    made = reader.page.get_by_role("dialog", name="The key “Heard” is ready")
    await expect(made.get_by_role("button", name="Copy the key")).to_be_focused()
    await reader.page.evaluate(LISTEN)
    await reader.page.keyboard.press("Enter")
    await hears(reader, "Copied")
    await made.get_by_role("button", name="Done").click()
    await expect(made).to_have_count(0)
    assert await heard(reader, "Copied") == 1


async def test_what_follows_the_end_of_a_dialog_is_told_in_the_page(readers: Readers) -> None:
    reader = await readers()
    made = await reader.page.context.request.post(
        f"{reader.address}/api/keys", data={"name": "Soon gone"}, headers={"origin": reader.address}
    )
    assert made.ok, await made.text()
    await reader.page.goto(f"{reader.address}/#/keys")
    await reader.page.get_by_role("button", name="Revoke the key “Soon gone”").click()
    await reader.page.evaluate(LISTEN)
    await reader.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await hears(reader, "“Soon gone”")
    await expect(reader.page.get_by_role("dialog")).to_have_count(0)
    assert await heard(reader, "“Soon gone”") == 1
