"""Hostile text in the real page: in answers, questions, titles, errors and what a server names; nothing of it runs.

Beside dialogs and what `Watch` sees, refusals by the policy for scripts and by Trusted Types are looked for.
"""

import json

import pytest
from attacks.lines import markup
from browser.reader import Reader, Readers
from model import Model
from playwright.async_api import Dialog, expect
from upstream import Answer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CHOSEN = [text for text in markup() if "\x00" not in text and "[x]:" not in text]
_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


async def _watched(readers: Readers) -> tuple[Reader, list[str]]:
    """Open the page where dialogs and violations are written down."""
    reader = await readers()
    dialogs: list[str] = []

    async def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        await dialog.dismiss()

    reader.page.on("dialog", note)
    await reader.page.evaluate(_WATCH)
    return reader, dialogs


async def _nothing_ran(reader: Reader, dialogs: list[str]) -> None:
    await reader.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert dialogs == []
    assert await reader.page.evaluate("window.violations") == []
    made = reader.page.locator("article :is(script, iframe, img, object, embed, form, style, base, meta)")
    assert await made.count() == 0
    assert await reader.page.evaluate("[...document.querySelectorAll('script')].every((each) => each.src)")


async def test_markup_in_an_answer_stays_text(readers: Readers, model: Model) -> None:
    reader, dialogs = await _watched(readers)
    model.says("\n\n".join(CHOSEN))
    await reader.ask_to_end("Say it")
    await _nothing_ran(reader, dialogs)
    for link in await reader.answer.get_by_role("link").all():
        assert ((await link.get_attribute("href")) or "").startswith(("https://", "http://", "mailto:"))


async def test_markup_in_a_question_and_in_a_title_stays_text(readers: Readers, model: Model) -> None:
    reader, dialogs = await _watched(readers)
    for text in ("<img src=x onerror=alert(1)>", "</title><script>alert(1)</script>", "<svg onload=alert(1)>"):
        model.title = f"T {text}"
        await reader.open("/")
        await reader.page.evaluate(_WATCH)
        await reader.ask_to_end(text)
        await expect(reader.question).to_contain_text(text)
        await expect(reader.rows.first).to_contain_text(f"T {text}")
        await _nothing_ran(reader, dialogs)


async def test_markup_in_an_error_stays_text(readers: Readers, model: Model) -> None:
    reader, dialogs = await _watched(readers)
    text = "<img src=x onerror=alert(1)>"
    body = json.dumps({"error": {"message": text, "type": text, "code": text}}).encode()
    model.says(Answer([body], status=400, headers={"content-type": "application/json"}))
    await reader.ask("Fail, please")
    await expect(reader.page.locator("main")).to_contain_text(text)
    await _nothing_ran(reader, dialogs)


async def test_the_page_has_no_way_to_make_html_of_text(readers: Readers, model: Model) -> None:
    del model
    reader, dialogs = await _watched(readers)
    reader.watch.expect("Trusted|TrustedHTML|TrustedScript|Content Security Policy")
    made = await reader.page.evaluate(
        """() => {
            const tried = {
                html: () => { document.createElement("div").innerHTML = "<img src=x onerror=alert(1)>"; },
                adjacent: () => document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>"),
                written: () => document.write("<script>alert(1)</" + "script>"),
                parsed: () => new DOMParser().parseFromString("<p>x</p>", "text/html"),
                frame: () => { document.createElement("iframe").srcdoc = "<p>x</p>"; },
                script: () => { document.createElement("script").src = "https://evil.example/x.js"; },
                timer: () => setTimeout("alert(1)"),
                policy: () => trustedTypes.createPolicy("mine", { createHTML: (text) => text }),
                again: () => trustedTypes.createPolicy("svelte-trusted-html", { createHTML: (text) => text }),
            };
            return Object.keys(tried).filter((name) => {
                try { tried[name](); return true; } catch { return false; }
            });
        }"""
    )
    assert made == []
    assert dialogs == []
