"""Passkeys as those see them who should not come in: copied devices, answers used twice, nonsense."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from server.front_door import CHALLENGE, PASSWORD, FrontDoor, a_front_door, people_in
from server.test_local_auth import passkey_of
from sign_in.authenticator import USER_PRESENT, Authenticator, b64

PROOF = {"password": PASSWORD}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with people_in("sqlite", tmp_path) as people, a_front_door(tmp_path, people=people) as made:
        yield made


async def challenged(door: FrontDoor) -> tuple[Any, dict[str, Any]]:
    browser = door.browser()
    return browser, (await browser.call("POST", "/auth/passkey/options", {}))[1]["publicKey"]


async def test_a_passkey_s_answer_counts_once_and_for_its_challenge(door: FrontDoor) -> None:
    device, _ = await passkey_of(await door.member(), counts=False)
    browser, options = await challenged(door)
    kept, credential = dict(browser.cookies), device.use(options)
    assert (await browser.call("POST", "/auth/passkey", {"credential": credential}))[0] == 200
    thief = door.browser()
    thief.cookies = kept
    assert (await thief.call("POST", "/auth/passkey", {"credential": credential}))[0] == 400
    other, more = await challenged(door)
    assert (await other.call("POST", "/auth/passkey", {"credential": credential}))[0] == 400
    mixed = door.browser()
    mixed.cookies = {CHALLENGE: kept[CHALLENGE]}
    assert (await mixed.call("POST", "/auth/passkey", {"credential": device.use(more)}))[0] == 400
    late, options = await challenged(door)
    door.clock.go_on(301)
    assert await late.refused("POST", "/auth/passkey", {"credential": device.use(options)}) == (400, "sign_in_expired")


async def test_a_passkey_s_answer_in_two_requests_opens_once(door: FrontDoor) -> None:
    device, _ = await passkey_of(await door.member(), counts=False)
    browser, options = await challenged(door)
    twin = door.browser()
    twin.cookies = dict(browser.cookies)
    credential = {"credential": device.use(options)}
    answers = await asyncio.gather(*(each.call("POST", "/auth/passkey", credential) for each in (browser, twin)))
    assert sorted(status for status, _ in answers) == [200, 400]


async def test_a_copied_passkey_is_noticed(door: FrontDoor) -> None:
    device, _ = await passkey_of(await door.member())
    browser, options = await challenged(door)
    assert (await browser.call("POST", "/auth/passkey", {"credential": device.use(options)}))[0] == 200
    device.count -= 1
    browser, options = await challenged(door)
    assert await browser.refused("POST", "/auth/passkey", {"credential": device.use(options)}) == (
        *(400, "passkey_refused"),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://chat.example"},
        {"origin": "https://chat.example.evil.example"},
        {"rp_id": "evil.example"},
        {"challenge": b64(b"x" * 32)},
        {"handle": b64(b"somebody else")},
    ],
)
async def test_a_passkey_for_another_site_or_person_opens_nothing(door: FrontDoor, wrong: dict[str, str]) -> None:
    device, _ = await passkey_of(await door.member())
    browser, options = await challenged(door)
    credential = device.use(options, **wrong)
    assert await browser.refused("POST", "/auth/passkey", {"credential": credential}) == (400, "passkey_refused")
    assert not await browser.is_in()


async def test_a_passkey_must_have_verified_the_person(door: FrontDoor) -> None:
    mina = await door.member()
    device, _ = await passkey_of(mina)
    device.flags = USER_PRESENT
    browser, options = await challenged(door)
    assert (await browser.call("POST", "/auth/passkey", {"credential": device.use(options)}))[0] == 400
    options = (await mina.call("POST", "/api/account/passkeys/options", PROOF))[1]["publicKey"]
    credential = {"name": "x", "credential": device.make(options)}
    assert await mina.refused("POST", "/api/account/passkeys", credential) == (400, "passkey_refused")


async def test_a_passkey_is_made_for_who_asked_and_is_nobody_else_s(door: FrontDoor) -> None:
    mina, other = await door.member(), await door.member("other")
    device, _ = await passkey_of(mina)
    options = (await other.call("POST", "/api/account/passkeys/options", PROOF))[1]["publicKey"]
    same = {"name": "x", "credential": device.make(options)}
    assert await other.refused("POST", "/api/account/passkeys", same) == (400, "passkey_refused")
    mina.cookies[CHALLENGE] = other.cookies[CHALLENGE]
    options = (await other.call("POST", "/api/account/passkeys/options", PROOF))[1]["publicKey"]
    assert (await mina.call("POST", "/api/account/passkeys", {"name": "x", "credential": device.make(options)}))[
        0
    ] == 400


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"id": "x"},
        {"id": 1},
        {"id": "x", "rawId": "x", "type": "public-key", "response": None},
        {"id": "x", "rawId": "x", "type": "password", "response": {}},
        {"response": {"userHandle": ["x"]}, "id": "y"},
    ],
)
async def test_nonsense_is_no_passkey(door: FrontDoor, credential: dict[str, Any]) -> None:
    mina = await door.member()
    browser, _ = await challenged(door)
    assert (await browser.call("POST", "/auth/passkey", {"credential": credential}))[0] == 400
    await mina.call("POST", "/api/account/passkeys/options", PROOF)
    assert (await mina.call("POST", "/api/account/passkeys", {"name": "x", "credential": credential}))[0] == 400


async def test_an_open_browser_alone_gets_no_passkey(door: FrontDoor) -> None:
    mina, path = await door.member(), "/api/account/passkeys"
    device = Authenticator(door.local.public_url)
    assert (await mina.refused("POST", f"{path}/options", {}))[0] == 400
    assert await mina.refused("POST", f"{path}/options", {"password": "not that one at all"}) == (
        *(401, "credentials_refused"),
    )
    assert CHALLENGE not in mina.cookies
    # The challenge that a door asks of anybody's passkeys is none for a new one.
    options = (await mina.call("POST", "/auth/passkey/options", {}))[1]["publicKey"]
    made = device.make({**options, "rp": {"id": options["rpId"]}, "user": {"id": b64(b"mina")}})
    assert await mina.refused("POST", path, {"name": "x", "credential": made}) == (400, "passkey_refused")
    assert (await mina.call("GET", "/api/account"))[1]["passkeys"] == []


async def test_another_password_ends_what_was_begun_with_the_one_before(door: FrontDoor) -> None:
    mina = await door.member()
    options = (await mina.call("POST", "/api/account/passkeys/options", PROOF))[1]["publicKey"]
    kept = mina.cookies[CHALLENGE]
    assert (await mina.call("POST", "/api/account/password", {"current": PASSWORD, "new": f"{PASSWORD} more"}))[
        0
    ] == 204
    mina.cookies[CHALLENGE] = kept
    credential = Authenticator(door.local.public_url).make(options)
    assert await mina.refused("POST", "/api/account/passkeys", {"name": "x", "credential": credential}) == (
        *(400, "passkey_refused"),
    )


async def test_broken_bytes_of_a_passkey_are_refused(door: FrontDoor) -> None:
    device, _ = await passkey_of(await door.member())
    for name in ("authenticatorData", "clientDataJSON", "signature"):
        for broken in ("", "AAAA", "!!!", b64(b"\xff" * 37), b64(b"{}"), b64(b"[" * 5000)):
            browser, options = await challenged(door)
            credential = device.use(options)
            credential["response"][name] = broken
            door.clock.go_on(60)
            status = await browser.refused("POST", "/auth/passkey", {"credential": credential})
            assert status == (400, "passkey_refused")
