"""Local accounts as those see them who should not come in: guessers, thieves of links, other sites."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from server.front_door import CODE, KNOWN, PASSWORD, SESSION, FrontDoor, a_front_door, people_in
from server.test_local_auth import a_code, passkey_of, with_app

from daehwa.sign_in.throttle import ACCOUNT, ADDRESS
from daehwa.sign_in.tokens import digest, new_token

WRONG = "not the password at all"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with (
        people_in("sqlite", tmp_path) as people,
        a_front_door(tmp_path, people=people, trusted_proxies=("127.0.0.1",)) as made,
    ):
        yield made


def from_address(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


# ------------------------------------------------------------------------------------------ guessing


async def test_names_that_nobody_has_are_answered_alike(door: FrontDoor) -> None:
    await door.member()
    browser = door.browser()
    _, known, known_headers = await browser.heard("POST", "/auth/password", {"login": "mina", "password": WRONG})
    _, unknown, headers = await browser.heard("POST", "/auth/password", {"login": "nobody", "password": WRONG})
    assert known == unknown
    assert [name for name in known_headers if name != "date"] == [name for name in headers if name != "date"]


async def test_names_that_nobody_has_take_as_long(tmp_path: Path) -> None:
    async with a_front_door(tmp_path, passes=400) as door:  # so long that the rest does not count
        await door.member()
        seconds: dict[str, list[float]] = {"mina": [], "nobody": []}
        await door.browser().sign_in("nobody", WRONG)  # the first one makes the hash that nobody has
        for _ in range(7):
            for login, taken in seconds.items():
                door.clock.go_on(120)
                begun = time.perf_counter()
                assert (await door.browser().sign_in(login, WRONG))[0] == 401
                taken.append(time.perf_counter() - begun)
        ratio = statistics.median(seconds["nobody"]) / statistics.median(seconds["mina"])
        assert 1 / 3 < ratio < 3, "without a hash it would be a hundredth"


@pytest.mark.parametrize("login", ["mina", "nobody"])
async def test_an_account_can_be_guessed_at_slowly_alone(door: FrontDoor, login: str) -> None:
    await door.member()
    for number in range(ACCOUNT.tries):
        status, _ = await door.browser(**from_address(f"203.0.113.{number}")).sign_in(login, WRONG)
        assert status == 401
    status, answer, headers = await door.browser(**from_address("203.0.113.99")).heard(
        "POST", "/auth/password", {"login": login, "password": PASSWORD}
    )
    assert (status, answer["error"]["type"]) == (429, "too_many_attempts")
    assert 1 <= int(headers["Retry-After"]) <= ACCOUNT.seconds + 1
    door.clock.go_on(ACCOUNT.seconds + 1)
    assert (await door.browser().sign_in(login))[0] == (200 if login == "mina" else 401)


async def test_the_owner_s_own_browser_is_not_locked_out_by_others(door: FrontDoor) -> None:
    mina = await door.member()
    await mina.call("POST", "/auth/sign-out")
    assert set(mina.cookies) == {KNOWN}
    for number in range(ACCOUNT.tries + 3):
        await door.browser(**from_address(f"203.0.113.{number}")).sign_in("mina", WRONG)
    assert (await door.browser(**from_address("198.51.100.1")).sign_in("mina"))[0] == 429
    mina.headers |= from_address("198.51.100.2")
    assert (await mina.sign_in("mina"))[0] == 200


async def test_a_known_browser_is_known_for_its_own_account_and_password_alone(door: FrontDoor) -> None:
    mina, other = await door.member(), await door.member("other")
    for number in range(ACCOUNT.tries):
        await door.browser(**from_address(f"203.0.113.{number}")).sign_in("mina", WRONG)
    stranger = door.browser(**from_address("198.51.100.1"))
    for known in (other.cookies[KNOWN], new_token(), f"{new_token()}.{new_token()}", f"{mina.cookies[KNOWN]}x", "."):
        stranger.cookies = {KNOWN: known}
        assert (await stranger.sign_in("mina"))[0] == 429
    before = mina.cookies[KNOWN]
    await mina.call("POST", "/api/account/password", {"current": PASSWORD, "new": "another long sentence"})
    stranger.cookies = {KNOWN: before}
    assert (await stranger.sign_in("mina", "another long sentence"))[0] == 429


async def test_an_address_can_guess_slowly_alone_and_others_are_not_slowed(door: FrontDoor) -> None:
    await door.member()
    guesser = door.browser(**from_address("203.0.113.7"))
    answers = [await guesser.sign_in(f"name{number}", WRONG) for number in range(ADDRESS.tries + 1)]
    assert [status for status, _ in answers] == [401] * ADDRESS.tries + [429]
    assert (await guesser.sign_in("mina"))[0] == 429
    assert (await door.browser(**from_address("203.0.113.8")).sign_in("mina"))[0] == 200
    v6 = [door.browser(**from_address(f"2001:db8:1:2::{number:x}")) for number in range(1, ADDRESS.tries + 2)]
    assert [(await each.sign_in("x", WRONG))[0] for each in v6][-1] == 429, "one customer has 2**64 addresses"


async def test_nobody_s_word_about_their_address_counts(tmp_path: Path) -> None:
    async with a_front_door(tmp_path) as door:
        for number in range(ADDRESS.tries):
            await door.browser(**from_address(f"203.0.113.{number}")).sign_in(f"x{number}", WRONG)
        assert (await door.browser(**from_address("203.0.113.200")).sign_in("x", WRONG))[0] == 429
    async with a_front_door(tmp_path, trusted_proxies=("127.0.0.1", "10.0.0.0/8")) as door:
        mina = await door.member()
        for said, found in (
            ("1.2.3.4, 198.51.100.9", "198.51.100.9"),
            ("1.2.3.4, 198.51.100.9, 10.1.2.3", "198.51.100.9"),
            ("198.51.100.9:4711", "198.51.100.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("nonsense", "127.0.0.1"),
            ("", "127.0.0.1"),
        ):
            browser = door.browser(**from_address(said))
            await browser.sign_in("mina")
            sessions = (await browser.call("GET", "/api/account"))[1]["sessions"]
            assert next(each["address"] for each in sessions if each["current"]) == found
        assert await mina.is_in()


async def test_many_at_once_are_no_way_round_the_throttle(door: FrontDoor) -> None:
    await door.member()
    browsers = [door.browser(**from_address(f"203.0.113.{number}")) for number in range(40)]
    answers = await asyncio.gather(*(each.sign_in("mina", WRONG) for each in browsers))
    assert sum(status == 401 for status, _ in answers) <= ACCOUNT.tries


@pytest.mark.parametrize("password", ["x" * 1025, "ﷺ" * 200, "x" * 60_000])
async def test_a_password_without_end_is_not_hashed(door: FrontDoor, password: str) -> None:
    status = await door.browser().refused("POST", "/auth/password", {"login": "mina", "password": password})
    assert status == (400, "password_refused")
    huge = {"login": "mina", "password": "x" * 70_000}
    assert (await door.browser().call("POST", "/auth/password", huge))[0] == 413


# ------------------------------------------------------------------------------------------ codes


async def test_a_code_counts_once_whoever_has_seen_it(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    code = await a_code(door, mina)
    browsers = [door.browser() for _ in range(5)]
    for each in browsers:
        assert await each.sign_in("mina") == (200, {"next": "code"})
    answers = await asyncio.gather(*(each.call("POST", "/auth/code", {"code": code}) for each in browsers))
    assert sorted(status for status, _ in answers) == [200, 401, 401, 401, 401]
    later = door.browser()
    await later.sign_in("mina")
    assert (await later.call("POST", "/auth/code", {"code": code}))[0] == 401
    door.clock.go_on(30)
    assert (await later.call("POST", "/auth/code", {"code": code}))[0] == 401, "nor in the next step"
    assert (await later.call("POST", "/auth/code", {"code": await a_code(door, mina)}))[0] == 200


async def test_codes_cannot_be_guessed(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    thief = door.browser()
    await thief.sign_in("mina")
    for _ in range(5):
        assert (await thief.call("POST", "/auth/code", {"code": "000000"}))[0] in {401, 200}
    right = await a_code(door, mina)
    assert await thief.refused("POST", "/auth/code", {"code": right}) == (400, "sign_in_expired")
    await thief.sign_in("mina")
    statuses = {(await thief.call("POST", "/auth/code", {"code": f"00000{n % 10}"}))[0] for n in range(5)}
    await thief.sign_in("mina")
    assert (await thief.call("POST", "/auth/code", {"code": right}))[0] == 429
    assert statuses == {401}


async def test_a_right_password_alone_opens_nothing(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    thief = door.browser()
    await thief.sign_in("mina")
    thief.cookies[SESSION] = thief.cookies[CODE]
    assert not await thief.is_in()
    assert await door.browser().refused("POST", "/auth/code", {"code": await a_code(door, mina)}) == (
        *(400, "sign_in_expired"),
    )
    code = await a_code(door, mina)
    door.clock.go_on(301)
    assert await thief.refused("POST", "/auth/code", {"code": code}) == (400, "sign_in_expired")


async def test_a_password_changed_meanwhile_ends_the_waiting(door: FrontDoor) -> None:
    mina = await door.member()
    await with_app(door, mina)
    thief = door.browser()
    await thief.sign_in("mina")
    await mina.call("POST", "/api/account/password", {"current": PASSWORD, "new": "another long sentence"})
    code = await a_code(door, mina)
    assert await thief.refused("POST", "/auth/code", {"code": code}) == (400, "sign_in_expired")


async def test_an_app_that_was_not_confirmed_asks_nobody(door: FrontDoor) -> None:
    mina = await door.member()
    await mina.call("POST", "/api/account/totp", {"password": PASSWORD})
    assert await mina.refused("POST", "/api/account/totp/confirm", {"code": "000000"}) == (401, "credentials_refused")
    assert await door.browser().sign_in("mina") == (200, {"next": "done"})


# ------------------------------------------------------------------------------------------ links


async def test_one_link_taken_by_many_makes_one_account(door: FrontDoor) -> None:
    link = await door.invite()
    browsers = [door.browser() for _ in range(8)]
    answers = await asyncio.gather(*(each.accept(link, login=f"name{n}") for n, each in enumerate(browsers)))
    assert sorted(status for status, _ in answers) == [200, *[404] * 7]
    assert len(await door.people.accounts.list_users()) == 1


async def test_one_reset_taken_by_two_sets_one_password(door: FrontDoor) -> None:
    await door.member()
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    made = await door.local.links.maker.reset(user, made_by=None, now=door.clock.now)
    words = ("the first new password", "the second new password")
    answers = await asyncio.gather(*(door.browser().accept(made.url, password=word) for word in words))
    assert sorted(status for status, _ in answers) == [200, 404]
    open_by = [(await door.browser().sign_in("mina", word))[0] for word in words]
    assert sorted(open_by) == [200, 401]
    assert open_by.index(200) == [status for status, _ in answers].index(200)


async def test_links_are_not_guessed_and_end(door: FrontDoor) -> None:
    link = await door.invite()
    for token in ("", "x", new_token(), digest(link.rpartition("/")[2]), link.rpartition("/")[2].swapcase()):
        status, answer = await door.browser().call("POST", "/auth/link", {"token": token})
        assert (status, answer["error"]["type"]) == (404, "link_gone")
    assert (await door.browser().call("POST", "/auth/link", {"token": link.rpartition("/")[2]}))[0] == 200
    door.clock.go_on(7 * 24 * 3600 + 1)
    assert (await door.browser().accept(link, login="late"))[0] == 404
    assert [each for each in await door.people.links.list_links(now=0) if link.rpartition("/")[2] in str(each.id)] == []


async def test_a_refused_acceptance_leaves_the_link(door: FrontDoor) -> None:
    await door.member()
    link = await door.invite()
    browser = door.browser()
    for changes, expected in (
        ({"login": "mina"}, (409, "login_taken")),
        ({"login": "MINA"}, (409, "login_taken")),
        ({"login": "new", "password": "short"}, (400, "password_refused")),
        ({"login": "longer-than-12", "password": "longer-than-12"}, (400, "password_refused")),
        ({"login": "boss@example.com"}, (400, "invalid_request")),
        ({"login": "a b"}, (400, "invalid_request")),
        ({}, (400, "invalid_request")),
    ):
        body = {"token": link.rpartition("/")[2], "password": PASSWORD, **changes}
        assert await browser.refused("POST", "/auth/link/accept", body) == expected
    assert await browser.accept(link, login="new") == (200, {"next": "done"})


async def test_the_first_admin_s_link_is_void_once_there_is_one(door: FrontDoor) -> None:
    made = await door.local.first_admin_link()
    assert made is not None
    await door.member("other", role="admin")
    assert (await door.browser().accept(made.url, login="second"))[0] == 404


async def test_a_new_reset_makes_the_older_one_void_and_a_changed_password_both(door: FrontDoor) -> None:
    mina = await door.member()
    user = await door.people.accounts.find_user("mina")
    assert user is not None
    maker = door.local.links.maker
    older = await maker.reset(user, made_by=None, now=door.clock.now)
    newer = await maker.reset(user, made_by=None, now=door.clock.now)
    assert (await door.browser().accept(older.url))[0] == 404
    await mina.call("POST", "/api/account/password", {"current": PASSWORD, "new": "another long sentence"})
    assert (await door.browser().accept(newer.url))[0] == 404


# ------------------------------------------------------------------------------------------ sessions and other sites


async def test_a_session_given_to_a_browser_is_not_the_one_it_has_afterwards(door: FrontDoor) -> None:
    mina, thief = await door.member(), await door.member("thief")
    victim = door.browser()
    victim.cookies = {SESSION: thief.cookies[SESSION]}
    assert (await victim.sign_in("mina"))[0] == 200
    assert victim.cookies[SESSION] != thief.cookies[SESSION]
    assert not await thief.is_in(), "what it was given has ended"
    made_up = door.browser()
    made_up.cookies = {SESSION: "a" * 43}
    await made_up.sign_in("mina")
    assert made_up.cookies[SESSION] != "a" * 43
    assert await mina.is_in()


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
]
POSTS: list[tuple[str, dict[str, Any]]] = [
    ("/auth/password", {"login": "thief", "password": PASSWORD}),
    ("/auth/code", {"code": "1"}),
    ("/auth/passkey/options", {}),
    ("/auth/passkey", {"credential": {}}),
    ("/auth/link", {"token": "x"}),
    ("/auth/link/accept", {"token": "x", "password": PASSWORD}),
    ("/auth/reset", {"login": "mina"}),
    ("/api/account/password", {"current": PASSWORD, "new": WRONG}),
    ("/api/account/totp", {"password": PASSWORD}),
    ("/api/account/totp/recovery-codes", {"password": PASSWORD}),
    ("/api/account/totp/off", {"password": PASSWORD}),
    ("/api/account/passkeys/options", {"password": PASSWORD}),
    ("/api/account/passkeys", {"name": "x", "credential": {}}),
    ("/api/account/sessions/end-others", {}),
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_other_sites_sign_nobody_in_and_change_nothing(door: FrontDoor, headers: dict[str, str]) -> None:
    mina = await door.member()
    for browser in (mina, door.browser()):
        browser.headers = headers
        for path, body in POSTS:
            assert await browser.refused("POST", path, body) == (403, "cross_site_request")
    mina.headers = headers
    assert await mina.refused("PATCH", "/api/account", {"name": "x"}) == (403, "cross_site_request")


async def test_a_form_of_another_site_is_no_json(door: FrontDoor) -> None:
    async with door.site.client.post("/auth/password", data={"login": "mina", "password": PASSWORD}) as answer:
        assert answer.status == 415


async def test_without_a_session_no_account_is_told(door: FrontDoor) -> None:
    for method, path in (
        *(("GET", "/api/account"), ("PATCH", "/api/account"), ("POST", "/api/account/totp")),
        *(("DELETE", "/api/account/sessions/x"), ("DELETE", "/api/account/passkeys/x")),
    ):
        assert await door.browser().refused(method, path) == (401, "not_signed_in")


async def test_nobody_ends_or_removes_what_is_another_s(door: FrontDoor) -> None:
    mina, other = await door.member(), await door.member("other")
    _, passkey = await passkey_of(mina)
    theirs = (await mina.call("GET", "/api/account"))[1]["sessions"][0]["id"]
    assert (await other.call("DELETE", f"/api/account/sessions/{theirs}"))[0] == 404
    assert (await other.call("DELETE", f"/api/account/passkeys/{passkey['id']}"))[0] == 404
    assert await mina.is_in()


async def test_what_is_written_down_holds_no_secret(door: FrontDoor, caplog: pytest.LogCaptureFixture) -> None:
    mina = await door.member()
    recovery = await with_app(door, mina)
    await door.browser().sign_in("mina", WRONG)
    await door.browser().sign_in("a name that nobody has", WRONG)
    await mina.call("POST", "/api/account/password", {"current": PASSWORD, "new": "another long sentence"})
    events = [event async for event in door.people.audit.events()]
    said = str(events) + caplog.text
    for secret in (
        PASSWORD,
        WRONG,
        "another long sentence",
        "a name that nobody has",
        recovery[0],
        mina.cookies[SESSION],
    ):
        assert secret not in said
    assert {event.action for event in events} == {
        *("link.used", "session.begun", "sign_in.failed", "totp.added", "password.changed"),
    }
    assert (await door.people.audit.check()).ok
