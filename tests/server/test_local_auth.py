"""Local accounts over HTTP: the first admin, invitations, passwords, codes, passkeys, links, one's own account."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from server.front_door import CHALLENGE, CODE, KNOWN, PASSWORD, SESSION, Browser, FrontDoor, a_front_door, people_in
from server.serving import Site, asked, serving, text_of
from sign_in.authenticator import Authenticator

from daehwa.accounts.groups import Group
from daehwa.accounts.people import Profile, UserChanges
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.one_time_codes import code_at, step_of
from daehwa.sign_in.throttle import CODE as CODE_PACE


@pytest.fixture(params=["memory", "sqlite"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with people_in(request.param, tmp_path) as people, a_front_door(tmp_path, people=people) as made:
        yield made


async def a_code(door: FrontDoor, browser: Browser) -> str:
    """The code that the app of whoever is signed in here shows now."""
    user = (await browser.call("GET", "/api/account"))[1]["user"]["id"]
    totp = (await door.people.credentials.get_credentials(user)).totp
    assert totp is not None
    return code_at(totp.secret, door.clock.now // 1000 // 30)


async def with_app(door: FrontDoor, browser: Browser) -> list[str]:
    """Set up an authenticator app; return the recovery codes."""
    status, begun = await browser.call("POST", "/api/account/totp", {"password": PASSWORD})
    assert status == 200
    assert begun["uri"].startswith("otpauth://totp/daehwa%3A")
    assert begun["secret"] in begun["uri"]
    status, codes = await browser.call("POST", "/api/account/totp/confirm", {"code": await a_code(door, browser)})
    assert status == 200
    door.clock.go_on(60)
    found: list[str] = codes["recovery_codes"]
    return found


async def passkey_of(browser: Browser, *, name: str = "Phone", **more: Any) -> tuple[Authenticator, dict[str, Any]]:
    """Add a passkey; return the device and what the server says of it."""
    device = Authenticator(browser.door.local.public_url, **more)
    status, options = await browser.call("POST", "/api/account/passkeys/options", {"password": PASSWORD})
    assert status == 200, options
    credential = device.make(options["publicKey"])
    status, made = await browser.call("POST", "/api/account/passkeys", {"name": name, "credential": credential})
    assert status == 201, made
    return device, made


async def test_the_first_admin_comes_by_the_link_and_nobody_after(door: FrontDoor) -> None:
    older = await door.local.first_admin_link()
    newer = await door.local.first_admin_link()
    assert older is not None
    assert newer is not None
    browser = door.browser()
    assert await browser.call("POST", "/auth/link", {"token": older.url.rpartition("/")[2]}) == (
        404,
        {"error": {"type": "link_gone", "message": "This link has been used or is too old. Ask for a new one."}},
    )
    status, seen = await browser.call("POST", "/auth/link", {"token": newer.url.rpartition("/")[2]})
    assert (status, seen["kind"], seen["login"], seen["role"]) == (200, "first_admin", None, "admin")
    assert await browser.accept(newer.url, login="Boss@Example.com", name="The Boss") == (200, {"next": "done"})
    account = (await browser.call("GET", "/api/account"))[1]
    assert account["user"] | {"id": ""} == {
        "id": "",
        "name": "The Boss",
        "email": "boss@example.com",
        "login": "boss@example.com",
        "role": "admin",
        "groups": [],
    }
    assert await door.local.first_admin_link() is None
    assert (await door.browser().accept(newer.url, login="second"))[0] == 404


async def test_whoever_leaves_the_name_empty_is_called_by_what_they_sign_in_with(door: FrontDoor) -> None:
    boss = await door.admin("owner")
    mina = await door.member("mina", email="mina@example.com")
    mine, minas = [(await browser.call("GET", "/api/me"))[1]["user"] for browser in (boss, mina)]
    assert [(user["name"], user["login"]) for user in (mine, minas)] == [("", "owner"), ("", "mina")]
    asker = await door.people.accounts.get_user(mine["id"])
    assert asker is not None
    assert await door.books.names_of(asker, everybody=True) == {mine["id"]: "owner", minas["id"]: "mina"}


async def test_an_invitation_makes_an_account_as_it_says(door: FrontDoor) -> None:
    await door.people.groups.add_group(Group(id="g1", name="Lab"))
    maker = door.local.links.maker
    made = await maker.invite(email="mina@example.com", role="guest", groups=("g1",), made_by=None, now=door.clock.now)
    browser = door.browser()
    status, _ = await browser.accept(made.url)
    assert status == 200, "the login is the address that was invited"
    user = (await browser.call("GET", "/api/account"))[1]["user"]
    assert (user["login"], user["email"], user["role"], user["groups"]) == (
        *("mina@example.com", "mina@example.com", "guest"),
        ["Lab"],
    )
    assert await door.acts() == ["link.used", "session.begun"]


async def test_signing_in_and_out(door: FrontDoor) -> None:
    mina = await door.member()
    other = door.browser(**{"user-agent": "Firefox/1"})
    assert await other.sign_in("MINA ") == (200, {"next": "done"})
    assert set(other.cookies) == {SESSION, KNOWN}
    sessions = (await other.call("GET", "/api/account"))[1]["sessions"]
    assert [(each["agent"], each["current"], each["address"]) for each in sessions if each["current"]] == [
        ("Firefox/1", True, "127.0.0.1")
    ]
    assert len(sessions) == 2
    assert await other.call("POST", "/auth/sign-out") == (200, {"location": None})
    assert not await other.is_in()
    assert await mina.is_in()
    assert await other.refused("POST", "/auth/password", {"login": "mina", "password": "something else"}) == (
        *(401, "credentials_refused"),
    )


async def test_an_admin_behind_a_closed_door_is_none_who_can_come_in(door: FrontDoor) -> None:
    closed = Profile(issuer="https://id.example", subject="1", email=None, name="")
    await door.people.accounts.sign_in(closed, role="admin", now=door.clock.now)
    boss = await door.admin()

    async def is_first() -> bool:
        return bool((await door.browser().call("GET", "/auth/doors"))[1]["first"])

    assert not await is_first()
    assert await boss.call("DELETE", "/api/account", {"password": PASSWORD}) == (204, None)
    door.clock.go_on(59)
    assert not await is_first(), "anybody may ask, so it is looked at once a minute"
    door.clock.go_on(1)
    assert await is_first()
    assert await (await door.admin()).is_in()


async def test_each_door_is_told(door: FrontDoor, site: Site) -> None:
    told = {"password": True, "passkey": True, "oidc": False, "oidc_name": None, "mail": False, "first": True}
    assert await door.browser().call("GET", "/auth/doors") == (200, told)
    await door.member()
    assert (await door.browser().call("GET", "/auth/doors"))[1]["first"], "a member is no admin"
    await door.admin()
    told["first"] = False
    assert await door.browser().call("GET", "/auth/doors") == (200, told)
    assert (await site.call("GET", "/auth/doors"))[1] == {**told, "password": False, "passkey": False}
    assert await door.browser().refused("GET", "/auth/sign-in") == (404, "provider_off")
    assert await door.browser().refused("POST", "/auth/reset", {"login": "mina"}) == (404, "mail_off")
    assert await site.refused("POST", "/auth/password", {}) == (404, "route_not_found", None)


async def test_whoever_has_an_account_asks_models(door: FrontDoor) -> None:
    mina = await door.member()
    cookie = "; ".join(f"{name}={text}" for name, text in mina.cookies.items())
    assert text_of(await door.site.turn(asked(), cookie=cookie, **mina.headers))


async def test_a_code_is_asked_for_after_the_password(door: FrontDoor) -> None:
    mina = await door.member()
    recovery = await with_app(door, mina)
    assert len(recovery) == len(set(recovery)) == 10
    other = door.browser()
    assert await other.sign_in("mina") == (200, {"next": "code"})
    assert set(other.cookies) == {CODE}
    assert not await other.is_in()
    assert await other.call("POST", "/auth/code", {"code": await a_code(door, mina)}) == (200, {"next": "done"})
    assert await other.is_in()
    assert CODE not in other.cookies
    account = (await mina.call("GET", "/api/account"))[1]
    assert (account["totp"], account["recovery_codes"]) == (True, 10)
    assert await mina.refused("POST", "/api/account/totp", {"password": PASSWORD}) == (409, "codes_on")
    off = {"password": "not the password"}
    assert await mina.refused("POST", "/api/account/totp/off", off) == (401, "credentials_refused")
    assert await mina.call("POST", "/api/account/totp/off", {"password": PASSWORD}) == (204, None)
    assert await door.browser().sign_in("mina") == (200, {"next": "done"})


async def test_a_recovery_code_opens_once(door: FrontDoor) -> None:
    mina = await door.member()
    code = (await with_app(door, mina))[0]
    for expected in (200, 401):
        other = door.browser()
        await other.sign_in("mina")
        assert (await other.call("POST", "/auth/code", {"code": code.upper().replace("-", " ")}))[0] == expected
    assert (await mina.call("GET", "/api/account"))[1]["recovery_codes"] == 9


async def test_recovery_codes_are_renewed_with_the_password(door: FrontDoor) -> None:
    mina, path = await door.member(), "/api/account/totp/recovery-codes"
    proof = {"password": PASSWORD}
    assert await mina.refused("POST", path, proof) == (409, "codes_off")
    await mina.call("POST", "/api/account/totp", proof)
    assert await mina.refused("POST", path, proof) == (409, "codes_off"), "one that was not confirmed is none"
    old = await with_app(door, mina)
    assert await mina.refused("POST", path, {"password": "not that one at all"}) == (401, "credentials_refused")
    status, answer = await mina.call("POST", path, proof)
    new = answer["recovery_codes"]
    assert (status, len(new), set(new) & set(old)) == (200, 10, set())
    for code, expected in ((old[1], 401), (new[0], 200)):
        other = door.browser()
        await other.sign_in("mina")
        assert (await other.call("POST", "/auth/code", {"code": code}))[0] == expected
    assert (await mina.call("GET", "/api/account"))[1]["recovery_codes"] == 9
    assert "recovery_codes.renewed" in await door.acts()


async def test_an_app_is_begun_with_the_password(door: FrontDoor) -> None:
    mina, path = await door.member(), "/api/account/totp"
    assert (await mina.refused("POST", path, {}))[0] == 400
    assert await mina.refused("POST", path, {"password": "not that one at all"}) == (401, "credentials_refused")
    code = {"code": "000000"}
    assert await mina.refused("POST", f"{path}/confirm", code) == (401, "credentials_refused"), "there is nothing begun"
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    assert (await door.people.credentials.get_credentials(user.id)).totp is None
    assert "password.refused" in await door.acts()


async def test_changing_the_password_ends_all_other_sessions(door: FrontDoor) -> None:
    mina, other = await door.member(), door.browser()
    await other.sign_in("mina")
    before = mina.cookies[SESSION]
    change = {"current": PASSWORD, "new": "another long sentence"}
    assert await mina.call("POST", "/api/account/password", change) == (204, None)
    assert mina.cookies[SESSION] != before
    assert await mina.is_in()
    assert not await other.is_in()
    assert (await other.sign_in("mina"))[0] == 401
    assert (await other.sign_in("mina", "another long sentence"))[0] == 200
    assert "password.changed" in await door.acts()


async def test_a_reset_sets_a_new_password_and_ends_everything(door: FrontDoor) -> None:
    mina = await door.member()
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    made = await door.local.links.maker.reset(user, made_by=None, now=door.clock.now)
    other = door.browser()
    seen = (await other.call("POST", "/auth/link", {"token": made.url.rpartition("/")[2]}))[1]
    assert (seen["kind"], seen["login"]) == ("reset", "mina")
    assert await other.accept(made.url, password="a wholly new password") == (200, {"next": "done"})
    assert not await mina.is_in()
    assert (await door.browser().sign_in("mina"))[0] == 401
    assert (await door.browser().sign_in("mina", "a wholly new password"))[0] == 200


async def test_an_account_tells_when_a_link_of_an_admin_s_set_its_password(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    assert (await mina.call("GET", "/api/account"))[1]["admin_links"] == [], "an invitation is none"
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    for _ in range(2):
        door.clock.go_on(60)
        link = (await boss.call("POST", f"/api/people/{user.id}/reset", {}))[1]["url"]
        assert (await door.browser().accept(link, password="what an admin has made up"))[0] == 200
    used = door.clock.now
    door.clock.go_on(60)
    own = await door.local.links.maker.mailed(user, now=door.clock.now)
    assert (await mina.accept(own.url, password="a wholly new password"))[0] == 200
    assert (await mina.call("GET", "/api/account"))[1]["admin_links"] == [used, used - 60_000]


async def test_a_reset_does_not_go_round_the_app(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    code = await a_code(door, mina)
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    made = await door.local.links.maker.reset(user, made_by=None, now=door.clock.now)
    other = door.browser()
    assert await other.accept(made.url, password="a wholly new password") == (200, {"next": "code"})
    assert not await other.is_in()
    assert await other.call("POST", "/auth/code", {"code": code}) == (200, {"next": "done"})


async def test_a_passkey_is_a_whole_sign_in(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    device, made = await passkey_of(mina)
    assert (made["name"], made["last_used"]) == ("Phone", None)
    other = door.browser()
    options = (await other.call("POST", "/auth/passkey/options", {}))[1]["publicKey"]
    assert options["rpId"] == "chat.example"
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []
    assert CHALLENGE in other.cookies
    assert await other.call("POST", "/auth/passkey", {"credential": device.use(options)}) == (200, {"next": "done"})
    assert await other.is_in()
    assert CHALLENGE not in other.cookies
    known = (await mina.call("GET", "/api/account"))[1]["passkeys"]
    assert [(each["id"], each["last_used"]) for each in known] == [(made["id"], door.clock.now)]
    assert await mina.call("DELETE", f"/api/account/passkeys/{made['id']}") == (204, None)
    assert await mina.refused("DELETE", f"/api/account/passkeys/{made['id']}") == (404, "passkey_not_found")
    options = (await other.call("POST", "/auth/passkey/options", {}))[1]["publicKey"]
    assert await other.refused("POST", "/auth/passkey", {"credential": device.use(options)}) == (400, "passkey_refused")


async def test_on_this_machine_passkeys_are_tied_to_localhost(tmp_path: Path) -> None:
    for url, is_possible in (
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:1", False),
    ):
        async with a_front_door(tmp_path, public_url=url) as door:
            assert (await door.site.call("GET", "/auth/doors"))[1]["passkey"] is is_possible
            status, answer = await door.site.call("POST", "/auth/passkey/options", {})
            assert (status == 200) is is_possible
            if is_possible:
                assert answer["publicKey"]["rpId"] == "localhost"


async def test_sessions_are_listed_and_ended(door: FrontDoor) -> None:
    mina, second, third = await door.member(), door.browser(), door.browser()
    await second.sign_in("mina")
    await third.sign_in("mina")
    listed = (await second.call("GET", "/api/account"))[1]["sessions"]
    current = next(each["id"] for each in listed if each["current"])
    assert await mina.call("DELETE", f"/api/account/sessions/{current}") == (204, None)
    assert not await second.is_in()
    assert await mina.refused("DELETE", f"/api/account/sessions/{current}") == (404, "session_not_found")
    assert await mina.call("POST", "/api/account/sessions/end-others") == (204, None)
    assert not await third.is_in()
    assert await mina.is_in()


async def test_a_name_is_changed(door: FrontDoor) -> None:
    mina = await door.member()
    status, account = await mina.call("PATCH", "/api/account", {"name": "  Mina   Kim "})
    assert (status, account["user"]["name"]) == (200, "Mina Kim")
    assert (await mina.call("PATCH", "/api/account", {"name": "x" * 101}))[0] == 400


async def test_who_is_disabled_is_out_at_once(door: FrontDoor) -> None:
    await door.admin()
    mina = await door.member()
    device, _ = await passkey_of(mina)
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    await door.people.accounts.change_user(user.id, UserChanges(disabled=now_ms()))
    assert not await mina.is_in()
    other = door.browser()
    assert await other.refused("POST", "/auth/password", {"login": "mina", "password": PASSWORD}) == (
        *(403, "account_disabled"),
    )
    options = (await other.call("POST", "/auth/passkey/options", {}))[1]["publicKey"]
    assert (await other.call("POST", "/auth/passkey", {"credential": device.use(options)}))[0] == 403
    assert (await other.call("POST", "/auth/password", {"login": "mina", "password": "not the password"}))[0] == 401


async def test_hashes_are_made_anew_when_they_shall_cost_more(door: FrontDoor, tmp_path: Path) -> None:
    await door.member()
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    kept = (await door.people.credentials.get_credentials(user.id)).password
    assert kept is not None
    assert "m=64,t=1,p=1" in kept.hash
    async with a_front_door(tmp_path, people=door.people, passes=2) as later:
        assert (await later.browser().sign_in("mina"))[0] == 200
        newer = (await door.people.credentials.get_credentials(user.id)).password
        assert newer is not None
        assert "m=64,t=2,p=1" in newer.hash
        assert newer.changed == kept.changed
        assert (await later.browser().sign_in("mina"))[0] == 200


async def test_where_nobody_signs_in_there_is_no_account(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path) as site:
        assert await site.refused("POST", "/auth/password", {}) == (404, "route_not_found", None)


async def test_the_hash_is_made_off_the_loop_and_few_at_once(door: FrontDoor) -> None:
    await door.member()
    tries = [door.browser().sign_in("mina") for _ in range(12)]
    answers = await asyncio.gather(*tries)
    assert {status for status, _ in answers} <= {200, 429}
    assert sum(status == 200 for status, _ in answers) >= 10
    assert CODE_PACE.tries == 10
    assert step_of(b"x" * 20, "123", now=0) is None
