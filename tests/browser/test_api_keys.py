"""API keys made, copied, used and revoked in the page."""

import json
from typing import Any

import pytest
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers
from browser.test_korean import InputMethod
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from playwright.async_api import Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OVER_PLAIN_HTTP = """() => {
    window.pasteboard = navigator.clipboard;
    Object.defineProperty(navigator, "clipboard", { value: undefined });
}"""
"""What browsers leave a page that came from another machine without a certificate."""


async def open_keys(readers: Readers, **options: Any) -> Reader:
    reader = await readers(permissions=["clipboard-read", "clipboard-write"], **options)
    await reader.page.goto(f"{reader.address}/#/keys")
    await expect(reader.page.get_by_role("heading", level=1)).to_be_focused()
    return reader


def form(reader: Reader) -> Locator:
    return reader.page.get_by_role("dialog", name="New API key")


def entry(reader: Reader, name: str) -> Locator:
    return reader.page.get_by_role("listitem").filter(has=reader.page.get_by_role("heading", name=name, exact=True))


async def create(reader: Reader, name: str) -> str:
    """Make a key and return its text as it was copied."""
    await reader.press("New key")
    await expect(form(reader).get_by_role("textbox", name="Name")).to_be_focused()
    await form(reader).get_by_role("textbox", name="Name").fill(name)
    await reader.page.keyboard.press("Enter")
    made = reader.page.get_by_role("dialog", name=f"The key “{name}” is ready")
    copying = made.get_by_role("button", name="Copy the key")
    await expect(copying).to_be_focused()
    await reader.page.keyboard.press("Enter")
    await expect(made.get_by_role("button", name="Copied")).to_be_visible()
    secret: str = await reader.page.evaluate("navigator.clipboard.readText()")
    assert secret.startswith("dh_")
    await expect(made.get_by_role("group", name="Try it in a terminal")).to_contain_text(f"Bearer {secret}")
    await made.get_by_role("button", name="Done").click()
    await expect(made).to_have_count(0)
    await expect(reader.page.get_by_role("button", name="New key")).to_be_focused()
    await expect(entry(reader, name)).to_contain_text(secret[:11])
    assert secret not in await reader.page.content()
    return secret


async def test_what_keys_are_for_is_said_before_there_are_any(readers: Readers, axe: str) -> None:
    reader = await readers()
    await reader.page.route("**/api/keys", lambda route: route.fulfill(json={"keys": [], "users": {}}))
    await reader.sidebar.get_by_role("link", name="API keys").click()
    await expect(reader.page.get_by_role("heading", name="No keys yet")).to_be_visible()
    await expect(reader.page.get_by_role("group", name="Base URL")).to_contain_text(f"{reader.address}/v1")
    assert await faults(reader, axe) == []


async def test_a_key_is_made_used_and_revoked(readers: Readers) -> None:
    reader = await open_keys(readers)
    secret = await create(reader, "Editor")
    ask = reader.page.context.request
    used = await ask.get(f"{reader.address}/v1/models", headers={"authorization": f"Bearer {secret}"})
    assert used.status == 200
    revoking = entry(reader, "Editor").get_by_role("button", name="Revoke the key “Editor”")
    await revoking.click()
    sure = reader.page.get_by_role("dialog", name="Revoke “Editor”?")
    await sure.get_by_role("button", name="Keep it").click()
    await expect(revoking).to_be_focused()
    await revoking.click()
    await sure.get_by_role("button", name="Revoke", exact=True).click()
    await expect(entry(reader, "Editor")).to_be_hidden()
    await expect(reader.page.get_by_role("heading", name="API keys")).to_be_focused()
    await reader.page.get_by_text("no longer valid").click()
    await expect(entry(reader, "Editor")).to_contain_text("Revoked")
    used = await ask.get(f"{reader.address}/v1/models", headers={"authorization": f"Bearer {secret}"})
    assert used.status == 401


async def test_a_key_is_copied_over_plain_http_too(readers: Readers) -> None:
    reader = await open_keys(readers)
    await reader.page.evaluate(OVER_PLAIN_HTTP)
    await reader.press("New key")
    await form(reader).get_by_role("textbox", name="Name").fill("In the clear")
    await reader.press("Create the key")
    made = reader.page.get_by_role("dialog")
    secret = await made.get_by_role("group", name="API key").locator("code").inner_text()
    await made.get_by_role("button", name="Copy the key").click()
    copied = made.get_by_role("button", name="Copied")
    await expect(copied).to_be_focused()
    assert await reader.page.evaluate("window.pasteboard.readText()") == secret
    await reader.press("Done")
    await reader.press("Copy the base URL")
    assert await reader.page.evaluate("window.pasteboard.readText()") == f"{reader.address}/v1"


async def test_enter_that_is_held_down_creates_one_key(readers: Readers) -> None:
    reader = await open_keys(readers)
    come = await reader.hold_back("**/api/keys")
    await reader.press("New key")
    await form(reader).get_by_role("textbox", name="Name").fill("Once")
    for _ in range(3):  # as the keyboard repeats it
        await reader.page.keyboard.down("Enter")
    await reader.page.keyboard.up("Enter")
    come.set()
    await reader.press("Done")
    await expect(entry(reader, "Once")).to_have_count(1)


async def test_a_key_that_cannot_be_made_is_told_of_where_one_looks(readers: Readers) -> None:
    reader = await open_keys(readers)
    reader.watch.expect("status of 500")
    refusal = {"error": {"type": "internal_error", "message": "It went wrong."}}
    await reader.page.route("**/api/keys", lambda route: route.fulfill(status=500, json=refusal))
    await reader.press("New key")
    await form(reader).get_by_role("textbox", name="Name").fill("Never")
    await reader.press("Create the key")
    told = form(reader).get_by_role("alert").filter(has_text="Something went wrong in daehwa itself.")
    await expect(told).to_be_visible()
    await expect(form(reader).get_by_role("textbox", name="Name")).to_have_value("Never")
    await reader.page.unroute("**/api/keys")
    await reader.press("Create the key")
    await reader.press("Done")
    await expect(entry(reader, "Never")).to_be_visible()


async def test_limits_are_set_and_what_cannot_be_read_is_said(readers: Readers) -> None:
    reader = await open_keys(readers)
    await reader.press("New key")
    dialog = form(reader)
    await reader.press("Create the key")
    await expect(dialog.get_by_role("alert").filter(has_text="Give it a name.")).to_be_visible()
    await expect(dialog.get_by_role("textbox", name="Name")).to_be_focused()
    await dialog.get_by_role("textbox", name="Name").fill("Limited")
    await expect(dialog.get_by_text("Give it a name.")).to_have_count(0)
    month = dialog.get_by_role("textbox", name="A month")
    await month.fill("a lot")
    await reader.press("Create the key")
    await expect(dialog.get_by_text("Write dollars, such as 2.50.")).to_be_visible()
    await expect(month).to_be_focused()
    await month.fill("a lot more")
    await expect(month).to_have_attribute("aria-invalid", "false")
    await reader.press("Create the key")
    await expect(dialog.get_by_text("Write dollars, such as 2.50.")).to_be_visible()
    await month.fill("12.50")
    await expect(dialog.get_by_text("Write dollars, such as 2.50.")).to_have_count(0)
    await expect(month).to_have_attribute("aria-invalid", "false")
    await dialog.get_by_role("combobox", name="Valid").select_option(label="90 days")
    await dialog.get_by_text("Models and rates").click()
    await dialog.get_by_role("textbox", name="Models").fill("gpt-*")
    await dialog.get_by_role("textbox", name="Requests a minute").fill("60")
    # A click beside the dialog must not throw away what was written.
    await reader.page.mouse.click(5, 5)
    await reader.press("Create the key")
    await reader.press("Done")
    made = entry(reader, "Limited")
    for part in ("$0.00 of $12.50", "Valid until", "60 requests", "gpt-*", "Never"):
        await expect(made).to_contain_text(part)


async def test_enter_that_ends_a_syllable_creates_nothing(readers: Readers) -> None:
    reader = await open_keys(readers)
    await reader.press("New key")
    name = form(reader).get_by_role("textbox", name="Name")
    method = await InputMethod.of(reader)
    await name.focus()
    await method.write_and_press_enter_meanwhile()
    await expect(name).to_have_value("한글")
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_role("dialog", name="The key “한글” is ready")).to_be_visible()


async def test_korean(readers: Readers) -> None:
    reader = await open_keys(readers, locale="ko-KR")
    await reader.page.get_by_role("button", name="새 키").click()
    dialog = reader.page.get_by_role("dialog", name="새 API 키")
    await dialog.get_by_role("textbox", name="이름").fill("편집기")
    await dialog.get_by_role("button", name="키 만들기").click()
    made = reader.page.get_by_role("dialog", name="‘편집기’ 키를 만들었어요")
    await expect(made).to_contain_text("다시 볼 수 없어요")
    await made.get_by_role("button", name="완료").click()
    await expect(entry(reader, "편집기")).to_contain_text("사용한 적 없음")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_nothing_is_in_the_way_of_anybody(readers: Readers, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    reader = await open_keys(readers, color_scheme=scheme, **options)
    await create(reader, f"{device} {scheme}")
    seen = {"list": await faults(reader, axe)}
    small = await reader.page.evaluate(SMALL_TARGETS)
    await reader.press("New key")
    await form(reader).get_by_text("Models and rates").click()
    await reader.press("Create the key")
    seen["form"] = await faults(reader, axe)
    small += await reader.page.evaluate(SMALL_TARGETS)
    await form(reader).get_by_role("textbox", name="Name").fill("Another")
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_role("button", name="Copy the key")).to_be_visible()
    seen["secret"] = await faults(reader, axe)
    await reader.press("Done")
    await entry(reader, "Another").first.get_by_role("button").click()
    seen["revoke"] = await faults(reader, axe)
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
    assert not await reader.page.evaluate(TOO_WIDE)
    if device == "phone":
        assert small == []
