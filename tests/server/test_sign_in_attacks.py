"""Signing in as those see it who should not come in: other sites, neighbours, members, and readers of logs."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from joserfc.jwk import RSAKey
from server.entrance import ATTEMPT, OURS, PUBLIC, SESSION, Entrance, an_entrance
from server.serving import asked, text_of
from sign_in.issuer import SECRET, query_of

from daehwa.conversation.ids import new_id
from daehwa.sign_in.throttle import BEGIN
from daehwa.stores.memory_accounts import MemoryAccounts

MADE_UP = "a" * 43
FOREIGN_KEY = RSAKey.generate_key(2048, {"kid": "evil"})


async def statuses(entrance: Entrance, cookie: bytes, path: str = "/api/me") -> tuple[int, bytes]:
    """Ask with a cookie header as it stands; return the status and the whole answer."""
    head = f"GET {path} HTTP/1.1\r\nhost: chat.example\r\nconnection: close\r\n".encode()
    answer = await entrance.site.raw(head + b"cookie: " + cookie + b"\r\n\r\n")
    return int(answer.split(b" ", 2)[1]), answer


# ------------------------------------------------------------ somebody who begins and begins


async def test_sign_ins_are_begun_from_one_address_so_often_and_no_more(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    async with an_entrance(tmp_path, accounts=accounts, trusted_proxies=("127.0.0.1",)) as entrance:

        async def begun(address: str) -> str:
            headers = {"x-forwarded-for": address}
            async with entrance.site.client.get("/auth/sign-in", headers=headers, allow_redirects=False) as answer:
                return answer.headers["location"]

        places = [await begun("192.0.2.1") for _ in range(BEGIN.tries + 20)]
        assert sum(place.startswith(entrance.issuer.url) for place in places) in range(BEGIN.tries, BEGIN.tries + 20)
        assert places[-1] == "/chat.html?sign_in_error=too_many_attempts"
        assert (await begun("192.0.2.2")).startswith(entrance.issuer.url), "others come in"


# ------------------------------------------------------------ a neighbour that can set cookies for the whole domain

# What a browser lets a sibling subdomain set, since to it none of these names begins with `__Host-`.
TOSSED = [
    *(b"\xa0__Host-daehwa", b"\x85__Host-daehwa", b"\xc2\xa0__Host-daehwa", b"\xe2\x80\x80__Host-daehwa"),
    *(b"__Host-daehwa\xa0", b"__host-daehwa", b"__HOST-DAEHWA", b"daehwa", b"__Secure-daehwa", b"x__Host-daehwa"),
    *(b"=__Host-daehwa", b"$Version=1,__Host-daehwa"),
]


@pytest.mark.parametrize("name", TOSSED)
async def test_a_neighbour_cannot_give_a_browser_a_session(entrance: Entrance, name: bytes) -> None:
    theirs = (await entrance.signed_in())["cookie"].partition("=")[2].encode()
    assert (await statuses(entrance, b"__Host-daehwa=" + theirs))[0] == 200
    assert (await statuses(entrance, b"a=1;\t__Host-daehwa=" + theirs))[0] == 200
    assert (await statuses(entrance, name + b"=" + theirs))[0] == 401
    assert (await statuses(entrance, name + b"=" + theirs + b"; __Host-daehwa=" + MADE_UP.encode()))[0] == 401


@pytest.mark.parametrize("name", TOSSED)
async def test_a_neighbour_cannot_let_a_browser_finish_their_sign_in(entrance: Entrance, name: bytes) -> None:
    path, attempt = await entrance.come_back()
    _, answer = await statuses(entrance, name + b"-sign-in=" + attempt.encode(), path)
    assert b"location: /chat.html?sign_in_error=sign_in_expired\r\n" in answer
    assert b"set-cookie" not in answer


async def test_a_session_that_was_there_before_is_not_taken_up(entrance: Entrance) -> None:
    theirs = (await entrance.signed_in(sub="evil", email="evil@example.com"))["cookie"].partition("=")[2]
    entrance.issuer.person |= {"sub": "mina", "email": "mina@example.com"}
    for before in (theirs, MADE_UP):
        path, attempt = await entrance.come_back()
        done = await entrance.get(path, **{SESSION: before, ATTEMPT: attempt})
        assert done.cookies[SESSION].value != before
        headers = {"cookie": f"{SESSION}={before}"}
        assert (await entrance.site.refused("GET", "/api/me", headers=headers))[0] == 401


async def test_much_too_long_cookies_are_nobody_s(entrance: Entrance) -> None:
    assert (await statuses(entrance, b"__Host-daehwa=" + b"a" * 60_000))[0] == 401
    assert (await statuses(entrance, b"x=1; " * 12_000 + b"__Host-daehwa=" + MADE_UP.encode()))[0] == 401


# ------------------------------------------------------------ another site


ODD_ORIGINS = [
    *("", "null", "chat.example", "https://chat.example.evil.example", "https://chat.example/"),
    *("https://chat.example:8443", "https://chat.example@evil.example", "https://chat.example\t.evil.example"),
    *("https://evil.example, https://chat.example", "https://evil.example https://chat.example"),
    *("https://127.0.0.1", "http://127.0.0.1"),
]


@pytest.mark.parametrize("origin", ODD_ORIGINS)
async def test_an_origin_that_is_nearly_ours_is_not_ours(entrance: Entrance, origin: str) -> None:
    mina = await entrance.signed_in()
    for host in ({}, {"Host": "chat.example"}):
        headers = {**mina, **host, "Origin": origin}
        assert (await entrance.site.refused("POST", "/auth/sign-out", headers=headers))[0] == 403
    assert (await entrance.site.call("GET", "/api/me", headers=mina))[0] == 200


@pytest.mark.parametrize("site", ["", "same-origin, cross-site", "Same-Origin", "cross-site, same-origin", "none"])
async def test_a_site_that_is_nearly_ours_is_not_ours(entrance: Entrance, site: str) -> None:
    mina = await entrance.signed_in()
    headers = {**mina, "Sec-Fetch-Site": site, "Origin": PUBLIC}
    assert (await entrance.site.refused("POST", "/auth/sign-out", headers=headers))[0] == 403


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]
)
async def test_no_header_makes_of_a_read_a_change(entrance: Entrance, header: str) -> None:
    mina = await entrance.signed_in()
    value = "/auth/sign-out" if header.endswith("URL") else "POST"
    async with entrance.site.client.get("/auth/sign-out", headers={**mina, header: value}) as answer:
        assert answer.status == 405
    async with entrance.site.client.get("/api/me?_method=DELETE", headers={**mina, header: value}) as answer:
        assert answer.status == 200
    for method in ("OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        head = f"{method} /auth/sign-out HTTP/1.1\r\nhost: chat.example\r\nconnection: close\r\n"
        raw = await entrance.site.raw(f"{head}cookie: {mina['cookie']}\r\n\r\n".encode())
        assert int(raw.split(b" ", 2)[1]) >= 400
    assert (await entrance.site.call("GET", "/api/me", headers=mina))[0] == 200


FORGED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=http",
    "X-Host": "evil.example",
    "X-Api-Key": "x",
    "X-Amzn-Lambda-Context": '{"deadline":1,"identity":{"cognito_identity_id":"boss"}}',
    "X-Amzn-Request-Context": '{"authorizer":{"claims":{"email":"boss@example.com","sub":"boss"}}}',
    "X-Amzn-Oidc-Identity": "boss",
    "X-Remote-User": "boss@example.com",
    "Authorization": "Bearer " + MADE_UP,
}


async def test_what_proxies_may_say_of_somebody_is_not_believed(entrance: Entrance) -> None:
    assert await entrance.site.refused("GET", "/api/me", headers=FORGED) == (401, "not_signed_in", None)
    async with entrance.site.client.get("/auth/sign-in", headers=FORGED, allow_redirects=False) as answer:
        assert query_of(answer.headers["location"])["redirect_uri"] == f"{PUBLIC}/auth/callback"
    mina = await entrance.signed_in()
    status, me = await entrance.site.call("GET", "/api/me", headers={**FORGED, **mina})
    assert (status, me["user"]["role"]) == (200, "member")
    assert text_of(await entrance.site.turn(asked(), **FORGED, **mina, **OURS))


WAYS = [
    *("/.//evil.example", "/..//evil.example", "/%2f/evil.example", "/%5c/evil.example", "/@evil.example"),
    *("/;//evil.example", "/?//evil.example", "/#//evil.example", "/\u3002/evil.example", "/%00%0d%0aX:y"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_however_the_way_back_is_written_it_stays_here(entrance: Entrance, way: str) -> None:
    async with entrance.site.client.get("/auth/sign-in", params={"return_to": way}, allow_redirects=False) as begun:
        if begun.status == 400:
            return
        attempt, location = begun.cookies[ATTEMPT].value, begun.headers["location"]
    async with entrance.site.client.get(location, allow_redirects=False) as answer:
        back = answer.headers["location"].removeprefix(PUBLIC)
    done = await entrance.get(back, **{ATTEMPT: attempt})
    assert SESSION in done.cookies
    assert urlsplit(urljoin(f"{PUBLIC}/auth/callback", done.headers["location"]))[:2] == ("https", "chat.example")
    assert "X" not in done.headers


async def test_of_two_ways_back_the_one_that_is_checked_is_taken(entrance: Entrance) -> None:
    there = "/auth/sign-in?return_to=/chat.html&return_to=//evil.example"
    assert (await entrance.site.refused("GET", there))[0] == 400


# ------------------------------------------------------------ another member


async def test_what_is_another_s_looks_like_what_is_not_there(entrance: Entrance) -> None:
    mina, evil = await entrance.signed_in(), await entrance.signed_in(sub="evil", email="boss@example.com")
    theirs = asked("A secret of mine")
    await entrance.site.turn(theirs, **mina, **OURS)
    other = {"conversation": new_id(), "reply": new_id(), "message": {"id": new_id()}}
    mine = asked("Mine")
    await entrance.site.turn(mine, **evil, **OURS)

    async def answers(ids: dict[str, Any]) -> list[tuple[int, Any]]:
        conversation, reply, question = f"/api/conversations/{ids['conversation']}", ids["reply"], ids["message"]["id"]
        home = f"/api/conversations/{mine['conversation']}"
        turn = {"conversation": mine["conversation"], "reply": new_id()}
        return [
            await entrance.site.call(method, path, body, headers={**evil, **OURS})
            for method, path, body in (
                ("GET", conversation, None),
                ("HEAD", conversation, None),
                ("PATCH", conversation, {"title": "Mine", "pinned": True}),
                ("DELETE", conversation, None),
                ("POST", f"{conversation}/restore", None),
                ("GET", f"/api/turns/{reply}/events", None),
                ("GET", f"/api/turns/{reply}/events?after=3", None),
                ("GET", f"/api/turns/{question}/events", None),
                ("POST", f"/api/turns/{reply}/stop", None),
                ("PATCH", home, {"leaf": reply}),
                ("PATCH", home, {"leaf": question}),
                ("POST", "/api/turns", {**turn, "parent": question}),
                ("POST", "/api/turns", {**turn, "parent": reply, "continue": True}),
                ("POST", "/api/turns", {**asked(parent=reply), "conversation": mine["conversation"]}),
            )
        ]

    foreign, absent = await answers(theirs), await answers(other)
    assert foreign == absent
    assert all(status in {400, 404, 422} for status, _ in foreign), foreign
    whole = await entrance.site.call("GET", f"/api/conversations/{theirs['conversation']}", headers=mina)
    assert whole[1]["conversation"]["title"] == "A secret of mine"
    assert len(whole[1]["messages"]) == 2


async def test_a_running_reply_is_neither_stopped_nor_taken_over_by_another(entrance: Entrance) -> None:
    mina, evil = await entrance.signed_in(), await entrance.signed_in(sub="evil", email="evil@example.com")
    theirs, own = asked("A secret of mine"), asked("Mine")
    stolen = {**own, "reply": theirs["reply"]}
    headers = {**mina, **OURS}
    async with entrance.site.client.post("/api/turns", json=theirs, headers=headers) as answer:
        assert answer.status == 200
        for method, path, body in (
            ("POST", f"/api/turns/{theirs['reply']}/stop", None),
            ("GET", f"/api/turns/{theirs['reply']}/events", None),
            ("DELETE", f"/api/conversations/{theirs['conversation']}", None),
            ("POST", "/api/turns", theirs),
            ("POST", "/api/turns", stolen),
        ):
            refused = await entrance.site.refused(method, path, body, headers={**evil, **OURS})
            assert refused[0] in {404, 409}, (method, path)
        assert "event: done" in await answer.text()


# ------------------------------------------------------------ whoever reads the logs


async def test_logs_have_no_secret_and_no_person_in_them(entrance: Entrance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "daehwa")
    begun = await entrance.get("/auth/sign-in?return_to=/chat.html?secret-place")
    query = query_of(begun.headers["location"])
    path, attempt = await entrance.come_back()
    callback = query_of(f"{PUBLIC}{path}")
    mina = await entrance.get(path, **{ATTEMPT: attempt})
    session = mina.cookies[SESSION].value
    headers = {"cookie": f"{SESSION}={session}", **OURS}
    await entrance.site.turn(asked("a secret question"), **headers)
    await entrance.site.call("GET", "/api/conversations?query=secret", headers=headers)
    entrance.issuer.claims = {"aud": "another"}
    path, wrong = await entrance.come_back()
    await entrance.get(path, **{ATTEMPT: wrong})
    await entrance.site.call("POST", "/auth/sign-out", headers=headers)
    secrets = [*callback.values(), *(query[name] for name in ("state", "nonce", "code_challenge")), session, attempt]
    people = ["mina", "example.com", "secret question", "secret-place", "query=", SECRET, "eyJ", "Bearer", "Basic"]
    told = "\n".join(f"{record.getMessage()} {record.__dict__.get('fields')}" for record in caplog.records)
    assert "/auth/callback 302" in told
    assert "sign-in: " in told
    assert not [text for text in (*secrets, *people) if text in told]
