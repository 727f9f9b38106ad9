"""Coming in by accounts of the server's own: by a link, a password, a new one by mail; by keyboard and by eye."""

import json
import re
from typing import Any

import pytest
from browser.accessibility import faults
from browser.household import PASSWORD, Household, Member, Members
from browser.reader import PHONE
from browser.test_korean import InputMethod
from browser.test_looks import MOST_BYTES, MOST_REQUESTS, SMALL_TARGETS, TOO_WIDE, first_load
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_first_admin_comes_by_the_printed_link(members: Members, household: Household) -> None:
    early = await members()
    await expect(early.page.get_by_text("open the link in its terminal")).to_be_visible()
    early = await members(locale="ko-KR")
    await expect(early.page.get_by_text("터미널에 나온 링크를 열어 주세요")).to_be_visible()
    boss = await members(await household.first_link())
    await expect(boss.page.get_by_role("heading", name="Make the first account", level=1)).to_be_visible()
    await expect(boss.page).to_have_title("Make the first account · daehwa")
    await boss.page.get_by_role("textbox", name="Your name").fill("The Boss")
    login = boss.page.get_by_role("textbox", name="Name for signing in")
    await boss.new_password.fill("too short")
    await boss.page.keyboard.press("Enter")
    await expect(login).to_be_focused()
    await expect(boss.page.get_by_text("Write by what name you want to sign in.")).to_be_visible()
    await login.fill("boss@example.com")
    await expect(login).to_have_attribute("aria-invalid", "false")
    await expect(boss.page.get_by_text("Write by what name you want to sign in.")).to_have_count(0)
    for password in ("still short", "as short"):
        await boss.new_password.fill(password)
        await expect(boss.page.get_by_role("alert").filter(has_text="at least 12 characters")).to_have_count(0)
        await boss.page.get_by_role("button", name="Make the account").click()
        await expect(boss.page.get_by_role("alert").filter(has_text="at least 12 characters")).to_be_visible()
    await boss.new_password.fill("boss@example.com")
    await boss.page.keyboard.press("Enter")
    await expect(boss.page.get_by_role("alert").filter(has_text="the first that somebody would try")).to_be_visible()
    await expect(boss.new_password).to_be_focused()
    await boss.new_password.fill(PASSWORD)
    await expect(boss.page.get_by_role("list", name="What a password needs")).to_contain_text("(done)")
    await boss.page.keyboard.press("Enter")
    await boss.is_in()
    await expect(boss.account).to_contain_text("The Boss")
    await expect(boss.account).to_contain_text("Admin · boss@example.com")
    assert "link" not in boss.page.url
    await early.goes_to("/")
    await expect(early.page.get_by_role("main")).not_to_contain_text("터미널")


async def test_a_link_works_once(members: Members, household: Household) -> None:
    path = await household.user("invite", "once@example.com")
    once = await members()
    await once.accepts(path)
    await once.is_in()
    again = await members(path)
    await expect(again.page.get_by_role("heading", name="This link works no longer")).to_be_visible()
    await again.page.get_by_role("button", name="Go to the sign-in page").click()
    await expect(again.login).to_be_visible()


async def test_a_name_that_is_taken_is_said_where_it_stands(members: Members, household: Household) -> None:
    first = await members()
    await first.accepts(await household.user("invite"), login="taken")
    await first.is_in()
    second = await members()
    await second.accepts(await household.user("invite"), login="Taken")
    login = second.page.get_by_role("textbox", name="Name for signing in")
    await expect(login).to_be_focused()
    await expect(second.page.get_by_text("Choose another one.")).to_be_visible()
    await login.fill("not taken")
    await login.press("Enter")
    await expect(second.page.get_by_text("2 to 64 characters without spaces")).to_be_visible()
    await login.fill("free")
    await login.press("Enter")
    await second.is_in()


async def test_signing_in_and_out_by_keyboard(members: Members, household: Household) -> None:
    mina = await members()
    await mina.accepts(await household.user("invite", "mina@example.com"), login="mina", name="Mina")
    await mina.is_in()
    await mina.ask_to_end("Remember this place")
    place = mina.page.url.removeprefix(mina.address)
    await mina.signs_out()
    await mina.goes_to(place)
    await expect(mina.login).to_be_focused()
    await mina.page.keyboard.press("Enter")
    await expect(mina.page.get_by_text("Write your name or e-mail address.")).to_be_visible()
    await mina.page.keyboard.type("mina")
    await mina.page.keyboard.press("Tab")
    await expect(mina.password).to_be_focused()
    await mina.page.keyboard.type("not the password")
    await mina.page.keyboard.press("Enter")
    await expect(
        mina.page.get_by_role("alert").filter(has_text="no account with this name and password")
    ).to_be_visible()
    await expect(mina.password).to_be_focused()
    await expect(mina.password).to_have_value("")
    await mina.page.keyboard.type(PASSWORD)
    await mina.page.keyboard.press("Tab")
    await mina.page.keyboard.press("Space")
    await expect(mina.password).to_have_attribute("type", "text")
    await mina.page.keyboard.press("Shift+Tab")
    await mina.page.keyboard.press("Enter")
    await expect(mina.question).to_contain_text("Remember this place")
    assert mina.page.url.endswith(place)


async def test_enter_that_ends_a_syllable_does_not_sign_in(members: Members) -> None:
    reader = await members()
    await expect(reader.login).to_be_focused()
    method = await InputMethod.of(reader)
    await method.write_and_press_enter_meanwhile()
    await expect(reader.login).to_have_value("한글")
    await expect(reader.page.get_by_text("Write your password.")).to_have_count(0)
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_text("Write your password.")).to_be_visible()


async def test_a_lost_password_is_set_anew_by_mail(members: Members, household: Household) -> None:
    lost = await members()
    await lost.accepts(await household.user("invite", "lost@example.com"))
    await lost.is_in()
    await lost.signs_out()
    await lost.login.fill("lost@example.com")
    await lost.press("Forgot your password?")
    await expect(lost.login).to_have_value("lost@example.com")
    await lost.press("Send the link")
    await expect(lost.page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    path = await household.mailed_link()
    await lost.goes_to(path)
    await expect(lost.page.get_by_role("heading", name="A new password")).to_be_visible()
    await expect(lost.page.get_by_role("main")).to_contain_text("lost@example.com")
    await lost.new_password.fill("another long sentence")
    await lost.new_password.press("Enter")
    await lost.is_in()
    await lost.signs_out()
    await lost.signs_in("lost@example.com")
    await expect(lost.page.get_by_role("alert").filter(has_text="no account")).to_be_visible()
    await lost.signs_in("lost@example.com", "another long sentence")
    await lost.is_in()


async def test_a_session_that_ends_is_begun_again_on_the_page(
    members: Members, household: Household, model: Model
) -> None:
    model.title = "Kept"
    ada = await members()
    await ada.accepts(await household.user("invite", "ada@example.com"))
    await ada.is_in()
    await ada.ask_to_end("First")
    await ada.page.context.clear_cookies(name="daehwa")
    await ada.ask("Second")
    dialog = ada.page.get_by_role("dialog", name="You were signed out")
    await expect(dialog.get_by_role("textbox", name="Name or e-mail address")).to_have_value("ada@example.com")
    await ada.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await ada.banner.get_by_role("button", name="Sign in").click()
    await expect(dialog.get_by_label("Password", exact=True)).to_be_focused()
    await ada.page.keyboard.type(PASSWORD)
    await ada.page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(ada.questions).to_have_count(2)
    await ada.ended()
    await expect(ada.answer).to_contain_text("Hello there.")


async def test_whoever_signs_in_elsewhere_is_let_in_by_all_tabs(members: Members, household: Household) -> None:
    eve = await members()
    await eve.accepts(await household.user("invite", "eve@example.com"))
    await eve.is_in()
    await eve.signs_out()
    page = await eve.page.context.new_page()
    other = Member(page, eve.address, eve.watch)
    await other.goes_to("/")
    await expect(other.login).to_be_visible()
    await eve.signs_in("eve@example.com")
    await other.is_in()


async def test_too_many_tries_are_told_with_the_wait(members: Members) -> None:
    tried = await members()
    for _ in range(11):
        await tried.signs_in("somebody", "a wrong password")
        await expect(tried.password).to_be_focused()
        await expect(tried.page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
        if await tried.page.get_by_text("tried too often").count():
            break
        await expect(tried.password).to_have_value("")
    tried.watch.expect("status of 429")
    await expect(
        tried.page.get_by_role("alert").filter(has_text=re.compile(r"too often\. Try again in \d+ seconds"))
    ).to_be_visible()


async def test_the_way_in_is_light(members: Members) -> None:
    member = await members("/healthz")
    sizes = await first_load(member.page, member.address)
    await expect(member.login).to_be_visible()
    assert len(sizes) <= MOST_REQUESTS
    assert sum(sizes) <= MOST_BYTES


async def test_korean(members: Members, household: Household) -> None:
    member = await members(await household.user("invite", "minji@example.com"), locale="ko-KR")
    await expect(member.page.get_by_role("heading", name="초대받으셨어요")).to_be_visible()
    await member.new_password.fill("짧은 비밀번호")
    await member.new_password.press("Enter")
    await expect(member.page.get_by_role("alert").filter(has_text="12자 이상")).to_be_visible()
    await member.new_password.fill("비밀번호가 아닌 긴 문장")
    await member.new_password.press("Enter")
    await expect(member.page.locator("#message")).to_be_editable()
    await member.page.context.clear_cookies()
    await member.goes_to("/")
    await member.page.get_by_role("textbox", name="이름 또는 이메일 주소").fill("minji@example.com")
    await member.page.get_by_label("비밀번호", exact=True).fill("비밀번호가 아닌 긴 문장")
    await member.page.get_by_role("button", name="로그인", exact=True).click()
    await expect(member.page.locator("#message")).to_be_editable()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_nothing_is_in_the_way_of_anybody(
    members: Members, household: Household, axe: str, scheme: str, device: str
) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    member = await members(color_scheme=scheme, **options)
    await expect(member.login).to_be_visible()
    seen = {"sign-in": await faults(member, axe)}
    small = await member.page.evaluate(SMALL_TARGETS)
    await member.press("Sign in")
    await expect(member.page.get_by_text("Write your password.")).to_be_visible()
    seen["missing"] = await faults(member, axe)
    await member.press("Forgot your password?")
    seen["lost"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    await member.goes_to(await household.user("invite"))
    await expect(member.new_password).to_be_visible()
    await member.press("Make the account")
    seen["link"] = await faults(member, axe)
    small += await member.page.evaluate(SMALL_TARGETS)
    assert not await member.page.evaluate(TOO_WIDE)
    await member.goes_to("/#/link/nothing")
    await expect(member.page.get_by_role("heading", name="This link works no longer")).to_be_visible()
    seen["gone"] = await faults(member, axe)
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
    if device == "phone":
        assert small == []
