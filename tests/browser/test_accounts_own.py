"""One's own account on its screen: name, password, authenticator app, recovery codes, passkeys, sessions."""

import json
from typing import Any

import pytest
from browser.accessibility import faults
from browser.household import PASSWORD, Household, Member, Members, code_of
from browser.reader import PHONE
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from playwright.async_api import Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOPS_OF_LINES = """(element) => {
    const text = document.createRange();
    text.selectNodeContents(element);
    return [...new Set([...text.getClientRects()].map((line) => line.top))];
}"""


async def at_home(members: Members, household: Household, login: str, **options: Any) -> Member:
    """Make an account and open its screen."""
    member = await members(permissions=["clipboard-read", "clipboard-write"], **options)
    await member.accepts(await household.user("invite", f"{login}@example.com"))
    await expect(member.page.locator("#message")).to_be_editable()
    await member.page.goto(f"{member.address}/#/account")
    await expect(member.page.get_by_role("heading", level=1)).to_be_focused()
    await expect(section(member, "Where you are signed in", "로그인한 곳")).to_be_visible()
    return member


def section(member: Member, *names: str) -> Locator:
    """A part of the screen, by its title in whatever language."""
    first, *others = (member.page.get_by_role("region", name=name, exact=True) for name in names)
    for other in others:
        first = first.or_(other)
    return first


async def proves(member: Member, password: str = PASSWORD) -> None:
    """Give the password where it is asked for once more."""
    field = member.page.get_by_role("dialog").locator('input[name="current"]')
    await expect(field).to_be_focused()
    await field.fill(password)
    await field.press("Enter")


async def with_app(member: Member) -> tuple[str, list[str]]:
    """Set up an authenticator app; return its secret, and the recovery codes as they were copied."""
    await section(member, "Authenticator app").get_by_role("button", name="Set up").click()
    dialog = member.page.get_by_role("dialog")
    await proves(member, "not the password")
    await expect(dialog.get_by_role("alert").filter(has_text="not the password you have now")).to_be_visible()
    await proves(member)
    await expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    await expect(dialog.get_by_role("textbox", name="Then write the six digits")).to_be_focused()
    await dialog.get_by_text("It cannot be scanned?").click()
    secret = await dialog.get_by_role("group", name="Secret").locator("code").inner_text()
    await dialog.get_by_role("textbox").fill("000000")
    await dialog.get_by_role("textbox").press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="This code is not right")).to_be_visible()
    await dialog.get_by_role("textbox").fill(code_of(secret))
    await dialog.get_by_role("textbox").press("Enter")
    await expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    await member.page.keyboard.press("Enter")
    await expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied: str = await member.page.evaluate("navigator.clipboard.readText()")
    async with member.page.expect_download() as downloading:
        await dialog.get_by_role("button", name="Download").click()
    kept = (await (await downloading.value).path()).read_text("utf-8")
    codes = copied.split()
    assert len(codes) == 10
    assert all(code in kept for code in codes)
    await dialog.get_by_role("button", name="I have kept them").click()
    await expect(section(member, "Authenticator app")).to_contain_text("10 recovery codes are left.")
    assert codes[0] not in await member.page.content()
    return secret, codes


async def test_a_summary_of_two_lines_is_one_text(members: Members, household: Household) -> None:
    member = await at_home(members, household, "narrow", viewport={"width": 280, "height": 640})
    await section(member, "Authenticator app").get_by_role("button", name="Set up").click()
    await proves(member)
    summary = member.page.get_by_text("It cannot be scanned?")
    await expect(summary).to_be_visible()
    first, second = await summary.evaluate(TOPS_OF_LINES)
    assert 15 < second - first < 25


async def test_a_name_is_changed(members: Members, household: Household) -> None:
    member = await at_home(members, household, "renamed")
    you = section(member, "You")
    await expect(you).to_contain_text("renamed@example.com")
    await expect(you.get_by_role("button", name="Save")).to_be_disabled()
    await you.get_by_role("textbox", name="Your name").fill("Another Name")
    await you.get_by_role("textbox", name="Your name").press("Enter")
    await expect(member.account).to_contain_text("Another Name")


async def test_a_password_is_changed_and_other_browsers_are_out(members: Members, household: Household) -> None:
    member = await at_home(members, household, "changed")
    other = await members()
    await other.signs_in("changed@example.com")
    await other.is_in()
    await section(member, "Password").get_by_role("button").click()
    dialog = member.page.get_by_role("dialog", name="Change the password")
    await expect(dialog.get_by_label("Password you have now")).to_be_focused()
    await dialog.get_by_label("Password you have now").fill("not the password")
    await member.new_password.fill("another long sentence")
    await member.page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="not the password you have now")).to_be_visible()
    await dialog.get_by_label("Password you have now").fill(PASSWORD)
    await member.page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await other.ask("Too late")
    await expect(other.page.get_by_role("dialog", name="You were signed out")).to_be_visible()
    await member.signs_out()
    await member.signs_in("changed@example.com", "another long sentence")
    await member.is_in()


async def test_an_app_is_set_up_used_and_switched_off(members: Members, household: Household) -> None:
    member = await at_home(members, household, "coded")
    secret, codes = await with_app(member)
    await member.signs_out()
    await member.signs_in("coded@example.com")
    code = member.page.get_by_role("textbox", name="Code from your app")
    await expect(code).to_be_focused()
    await code.fill("000000")
    await code.press("Enter")
    await expect(member.page.get_by_role("alert").filter(has_text="not right")).to_be_visible()
    await code.fill(code_of(secret, ahead=1))
    await code.press("Enter")
    await member.is_in()
    await member.signs_out()
    await member.signs_in("coded@example.com")
    await member.press("Use a recovery code")
    await member.page.get_by_role("textbox", name="Recovery code").fill(codes[0])
    await member.page.keyboard.press("Enter")
    await member.is_in()
    await member.page.goto(f"{member.address}/#/account")
    app = section(member, "Authenticator app")
    await expect(app).to_contain_text("9 recovery codes are left.")
    await app.get_by_role("button", name="New codes").click()
    fresh = member.page.get_by_role("dialog")
    await fresh.get_by_label("Password you have now").fill(PASSWORD)
    await member.page.keyboard.press("Enter")
    await expect(fresh.get_by_role("listitem")).to_have_count(10)
    await expect(fresh.get_by_role("list")).not_to_contain_text(codes[1])
    await fresh.get_by_role("button", name="I have kept them").click()
    await expect(app).to_contain_text("10 recovery codes are left.")
    await app.get_by_role("button", name="Switch off").click()
    sure = member.page.get_by_role("dialog", name="Switch off the authenticator app?")
    await sure.get_by_label("Password you have now").fill(PASSWORD)
    await member.page.keyboard.press("Enter")
    await expect(app.get_by_role("button", name="Set up")).to_be_visible()


async def test_a_browser_without_passkeys_says_so(members: Members, household: Household) -> None:
    member = await at_home(members, household, "keyless")
    await member.page.add_init_script("delete window.PublicKeyCredential")
    await member.page.reload()
    await expect(section(member, "Passkeys")).to_contain_text("This browser can make none for this address")
    await expect(member.page.get_by_role("button", name="Add a passkey")).to_have_count(0)


async def test_a_passkey_is_made_used_and_removed(members: Members, household: Household) -> None:
    member = await at_home(members, household, "keyed")
    device = await member.passkeys()
    keys = section(member, "Passkeys")
    await keys.get_by_role("button", name="Add a passkey").click()
    name = member.page.get_by_role("textbox", name="Name of the passkey")
    await expect(name).to_have_value("Chrome, Linux")
    await expect(section(member, "Password")).not_to_contain_text("passkeys")
    await name.fill("My laptop")
    await name.press("Enter")
    await expect(member.page.get_by_role("alert").filter(has_text="Write the password you have now.")).to_be_visible()
    await proves(member, "not the password")
    await expect(member.page.get_by_role("alert").filter(has_text="not the password you have now")).to_be_visible()
    await proves(member)
    await expect(keys.get_by_role("listitem")).to_contain_text("not used yet")
    await expect(section(member, "Password")).to_contain_text("Your passkeys let you in as before")
    await section(member, "Password").get_by_role("button").click()
    await expect(member.page.get_by_role("dialog")).to_contain_text("Your passkeys let you in as before")
    await member.page.keyboard.press("Escape")
    await keys.get_by_role("button", name="Add a passkey").click()
    await member.page.get_by_label("Password you have now").fill(PASSWORD)
    await member.page.get_by_role("button", name="Continue").click()
    await expect(
        member.page.get_by_role("alert").filter(has_text="has a passkey for this site already")
    ).to_be_visible()
    await member.page.keyboard.press("Escape")
    await member.signs_out()
    await device.is_verified(verified=False)
    await member.press("Sign in with a passkey")
    await expect(member.page.get_by_role("alert").filter(has_text="No passkey was used.")).to_be_visible()
    await device.is_verified(verified=True)
    await member.press("Sign in with a passkey")
    await member.is_in()
    await member.page.goto(f"{member.address}/#/account")
    await expect(keys.get_by_role("listitem")).to_contain_text("last used")
    await keys.get_by_role("button", name="Remove the passkey “My laptop”").click()
    await member.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(keys.get_by_role("listitem")).to_have_count(0)
    await member.signs_out()
    await member.press("Sign in with a passkey")
    await expect(member.page.get_by_role("alert").filter(has_text="passkey")).to_be_visible()


async def test_sessions_are_listed_and_ended(members: Members, household: Household) -> None:
    member = await at_home(members, household, "seated")
    phone = await members(**PHONE, user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1")
    await phone.signs_in("seated@example.com")
    await expect(phone.page.locator("#message")).to_be_editable()
    third = await members()
    await third.signs_in("seated@example.com")
    await third.is_in()
    await member.page.reload()
    sessions = section(member, "Where you are signed in")
    await expect(sessions.get_by_role("listitem")).to_have_count(3)
    await expect(sessions.get_by_role("listitem").first).to_contain_text("This browser")
    await sessions.get_by_role("button", name="End the session of Safari, iPhone").click()
    await expect(sessions.get_by_role("listitem")).to_have_count(2)
    await phone.page.locator("#message").fill("Too late")
    await phone.page.get_by_role("button", name="Send").click()
    await expect(phone.page.get_by_role("dialog", name="You were signed out")).to_be_visible()
    await sessions.get_by_role("button", name="End all others").click()
    await expect(sessions.get_by_role("listitem")).to_have_count(1)
    await expect(member.page.get_by_role("heading", level=1)).to_be_focused()


async def test_korean(members: Members, household: Household) -> None:
    member = await at_home(members, household, "suyeon", locale="ko-KR")
    await section(member, "인증 앱").get_by_role("button", name="설정하기").click()
    await expect(member.page.get_by_role("dialog", name="인증 앱 설정하기")).to_contain_text("한 번 더 확인해요")
    await proves(member)
    await expect(member.page.get_by_role("dialog", name="인증 앱 설정하기")).to_contain_text("스캔해 주세요")
    await member.page.keyboard.press("Escape")
    await expect(section(member, "로그인한 곳")).to_contain_text("이 브라우저")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_nothing_is_in_the_way_of_anybody(
    members: Members, household: Household, axe: str, scheme: str, device: str
) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    member = await at_home(members, household, f"{device}-{scheme}", color_scheme=scheme, **options)
    await member.passkeys()
    await section(member, "Passkeys").get_by_role("button", name="Add a passkey").click()
    seen = {"passkey": await faults(member, axe)}
    small = await member.page.evaluate(SMALL_TARGETS)
    await member.page.get_by_label("Password you have now").fill(PASSWORD)
    await member.press("Continue")
    await expect(section(member, "Passkeys").get_by_role("listitem")).to_be_visible()
    seen["account"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    await member.press("Change the password")
    seen["password"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    await member.page.keyboard.press("Escape")
    await section(member, "Authenticator app").get_by_role("button", name="Set up").click()
    seen["proof"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    await proves(member)
    await expect(member.page.get_by_role("img", name="QR code")).to_be_visible()
    seen["app"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    await member.page.keyboard.press("Escape")
    secret, _ = await with_app(member)
    assert secret
    assert not await member.page.evaluate(TOO_WIDE)
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
    if device == "phone":
        assert small == []
