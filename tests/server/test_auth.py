"""Signing in over HTTP: the routes, the cookies, who owns what, and which requests of whom are refused."""

from pathlib import Path
from typing import Any

import pytest
from cores import Core
from server.entrance import ATTEMPT, OURS, PUBLIC, SAFE, SESSION, Entrance, an_entrance
from server.serving import Site, asked, serving, text_of
from sign_in.issuer import SECRET, query_of


async def test_signing_in_gives_a_session(entrance: Entrance) -> None:
    begun = await entrance.get("/auth/sign-in?return_to=/chat.html")
    assert begun.status == 302
    assert begun.headers["location"].startswith(f"{entrance.issuer.url}/authorize?")
    assert begun.headers["set-cookie"] == f"{ATTEMPT}={begun.cookies[ATTEMPT].value}; Max-Age=600{SAFE}"
    path, attempt = await entrance.come_back("/chat.html%3Fc%3D1%23x")
    done = await entrance.get(path, **{ATTEMPT: attempt})
    assert (done.status, done.headers["location"]) == (302, "/chat.html?c=1#x")
    session = done.cookies[SESSION].value
    assert done.headers.getall("set-cookie") == [
        f"{SESSION}={session}; Max-Age=2592000{SAFE}",
        f"{ATTEMPT}=; Max-Age=0{SAFE}",
    ]
    status, me = await entrance.site.call("GET", "/api/me", headers={"cookie": f"other=1; {SESSION}={session}"})
    assert status == 200
    assert me["sign_in"] is True
    assert me["user"] | {"id": ""} == {"id": "", "name": "Mina", "role": "member", "email": "mina@example.com"}


async def test_redirects_carry_a_body_and_are_kept_by_nobody(entrance: Entrance) -> None:
    path, attempt = await entrance.come_back()
    for answer in (
        await entrance.get("/auth/sign-in"),
        await entrance.get(path, **{ATTEMPT: attempt}),
        await entrance.get("/auth/callback"),
    ):
        assert answer.status == 302
        body = await answer.text()
        assert body == "Go on at the address in the header Location.\n"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


OPERATIONS = [
    ("GET", "/api/me"),
    ("GET", "/api/models"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/conversations"),
    ("GET", "/api/conversations/x"),
    ("DELETE", "/api/conversations/x"),
    ("POST", "/api/turns"),
    ("GET", "/api/turns/x/events"),
    ("POST", "/api/turns/x/stop"),
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("cookie", ["", f"{SESSION}=", f"{SESSION}={'a' * 43}", "daehwa=" + "a" * 43])
async def test_without_a_session_nothing_is_told(entrance: Entrance, method: str, path: str, cookie: str) -> None:
    headers = {**OURS, **({"cookie": cookie} if cookie else {})}
    assert await entrance.site.refused(method, path, headers=headers) == (401, "not_signed_in", None)


async def test_only_health_the_page_and_signing_in_are_open(entrance: Entrance) -> None:
    assert (await entrance.site.call("GET", "/healthz"))[0] == 200
    assert {operation.path for operation in entrance.site.app.operations if operation.is_open} == {
        *("/healthz", "/metrics", "/auth/sign-in", "/auth/callback", "/auth/sign-out", "/auth/doors")
    }
    assert await entrance.site.refused("GET", "/auth/nothing") == (404, "route_not_found", None)


async def test_everybody_has_their_own_conversations(entrance: Entrance) -> None:
    mina = await entrance.signed_in()
    boss = await entrance.signed_in(sub="boss", email="boss@example.com")
    body = asked("A secret of mine")
    frames = await entrance.site.turn(body, **mina, **OURS)
    assert text_of(frames)
    path = f"/api/conversations/{body['conversation']}"
    assert (await entrance.site.call("GET", path, headers=mina))[0] == 200
    assert (await entrance.site.call("GET", "/api/conversations?query=secret", headers=mina))[1]["hits"]
    theirs = {**boss, **OURS}
    assert (await entrance.site.call("GET", "/api/me", headers=boss))[1]["user"]["role"] == "admin"
    assert (await entrance.site.call("GET", "/api/conversations", headers=boss))[1]["conversations"] == []
    assert (await entrance.site.call("GET", "/api/conversations?query=secret", headers=boss))[1]["hits"] == []
    for method, where, content in (
        ("GET", path, None),
        ("PATCH", path, {"title": "Mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
        ("GET", f"/api/turns/{body['reply']}/events", None),
        ("POST", f"/api/turns/{body['reply']}/stop", None),
    ):
        assert (await entrance.site.refused(method, where, content, headers=theirs))[0] == 404
    assert (await entrance.site.refused("POST", "/api/turns", body, headers=theirs))[0] in {404, 409}


async def test_signing_out_ends_this_browser_s_session(entrance: Entrance) -> None:
    entrance.issuer.metadata["end_session_endpoint"] = f"{entrance.issuer.url}/end"
    here, elsewhere = await entrance.signed_in(), await entrance.signed_in()
    async with entrance.site.client.post("/auth/sign-out", headers={**here, **OURS}) as answer:
        location = (await answer.json())["location"]
        assert answer.headers["set-cookie"] == f"{SESSION}=; Max-Age=0{SAFE}"
    assert location.startswith(f"{entrance.issuer.url}/end?id_token_hint=")
    assert (await entrance.site.refused("GET", "/api/me", headers=here))[0] == 401
    assert (await entrance.site.call("GET", "/api/me", headers=elsewhere))[0] == 200
    again = await entrance.site.call("POST", "/auth/sign-out", headers={**here, **OURS})
    assert again == (200, {"location": None})
    assert await entrance.site.call("POST", "/auth/sign-out") == (200, {"location": None})


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/auth/callback", "sign_in_expired"),
        ("/auth/callback?state=x&code=y", "sign_in_expired"),
        (f"/auth/callback?state={'a' * 43}&code=y", "sign_in_expired"),
    ],
)
async def test_a_strange_return_is_told_by_the_page(entrance: Entrance, path: str, kind: str) -> None:
    answer = await entrance.get(path, **{ATTEMPT: "b" * 43})
    assert (answer.status, answer.headers["location"]) == (302, f"/chat.html?sign_in_error={kind}")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"person": {"sub": "x", "email": "x@elsewhere.example", "email_verified": True}}, "not_allowed"),
        ({"person": {"sub": "x", "email": "x@example.com", "email_verified": False}}, "email_not_verified"),
        ({"claims": {"nonce": "another"}}, "sign_in_failed"),
        ({"answer": {"error": "access_denied"}}, "sign_in_cancelled"),
        ({"answer": {"error": "server_error"}}, "sign_in_failed"),
        ({"status": {"token": 503}}, "sign_in_unavailable"),
        ({"metadata": {"issuer": "https://other.example"}}, "sign_in_misconfigured"),
    ],
)
async def test_a_failure_is_told_by_the_page(
    entrance: Entrance, wrong: dict[str, Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in wrong.items():
        setattr(entrance.issuer, name, value)
    if kind == "sign_in_misconfigured":
        answer = await entrance.get("/auth/sign-in")
    else:
        path, attempt = await entrance.come_back()
        answer = await entrance.get(path, **{ATTEMPT: attempt})
    assert (answer.status, answer.headers["location"]) == (302, f"/chat.html?sign_in_error={kind}")
    assert SESSION not in answer.cookies
    told = [record.getMessage() for record in caplog.records if record.name.startswith("daehwa")]
    assert any(line.startswith("sign-in: ") for line in told), "the person who runs it reads the reason"
    assert not any(SECRET in line or "code-" in line or "eyJ" in line for line in told)


async def test_a_provider_that_is_down_is_told_by_the_page(entrance: Entrance) -> None:
    await entrance.issuer.stop()
    answer = await entrance.get("/auth/sign-in")
    assert answer.headers["location"] == "/chat.html?sign_in_error=sign_in_unavailable"


async def test_another_browser_cannot_finish_a_sign_in(entrance: Entrance) -> None:
    path, _ = await entrance.come_back()
    _, theirs = await entrance.come_back()
    for cookies in ({}, {ATTEMPT: theirs}, {"daehwa-sign-in": theirs}):
        answer = await entrance.get(path, **cookies)
        assert answer.headers["location"] == "/chat.html?sign_in_error=sign_in_expired"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "%2F%5Cevil", "/a%0d%0ab", "x"])
async def test_the_way_back_leads_nowhere_else(entrance: Entrance, path: str) -> None:
    refused = await entrance.site.refused("GET", f"/auth/sign-in?return_to={path}")
    assert refused == (400, "invalid_request", "return_to")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/callback"])
async def test_only_a_get_goes_the_way(entrance: Entrance, method: str, path: str) -> None:
    async with entrance.site.client.request(method, path, headers=OURS) as answer:
        assert answer.status == 405


FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "http://chat.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": PUBLIC},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_browser_s_change_must_come_from_our_page(entrance: Entrance, headers: dict[str, str]) -> None:
    mina = {**await entrance.signed_in(), **headers}
    for method, path in (("POST", "/api/turns"), ("DELETE", "/api/conversations/x"), ("POST", "/auth/sign-out")):
        assert await entrance.site.refused(method, path, headers=mina) == (403, "cross_site_request", None)
    assert (await entrance.site.call("GET", "/api/me", headers=mina))[0] == 200
    assert not entrance.site.core.provider.calls


@pytest.mark.parametrize(
    "headers", [OURS, {"Origin": PUBLIC}, {"Origin": "https://CHAT.example"}, {**OURS, "Origin": PUBLIC}]
)
async def test_our_page_may_ask_for_changes_behind_a_proxy(entrance: Entrance, headers: dict[str, str]) -> None:
    mina = await entrance.signed_in()
    assert text_of(await entrance.site.turn(asked(), **mina, **headers))


async def test_our_own_name_is_answered_to(entrance: Entrance) -> None:
    assert (await entrance.site.call("GET", "/healthz", headers={"Host": "chat.example"}))[0] == 200
    assert (await entrance.site.call("GET", "/healthz", headers={"Host": "evil.example"}))[0] == 421


async def test_a_stream_goes_on_when_its_session_ends(tmp_path: Path) -> None:
    async with an_entrance(tmp_path) as entrance:
        mina = await entrance.signed_in()
        body = asked()
        headers = {**mina, **OURS}
        async with entrance.site.client.post("/api/turns", json=body, headers=headers) as answer:
            assert answer.status == 200
            assert (await entrance.site.call("POST", "/auth/sign-out", headers=headers))[0] == 200
            assert "event: done" in await answer.text()
        refused = await entrance.site.refused("GET", f"/api/turns/{body['reply']}/events", headers=mina)
        assert refused == (401, "not_signed_in", None)


async def test_over_plain_http_on_this_machine_the_cookies_are_plain(tmp_path: Path) -> None:
    async with an_entrance(tmp_path, "http://127.0.0.1:8000") as entrance:
        begun = await entrance.get("/auth/sign-in")
        value = begun.cookies["daehwa-sign-in"].value
        assert begun.headers["set-cookie"] == f"daehwa-sign-in={value}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"
        async with entrance.site.client.get(begun.headers["location"], allow_redirects=False) as answer:
            location = answer.headers["location"]
        assert set(query_of(location)) == {"code", "state"}
        done = await entrance.get(location.removeprefix("http://127.0.0.1:8000"), **{"daehwa-sign-in": value})
        headers = {"cookie": f"daehwa={done.cookies['daehwa'].value}"}
        assert (await entrance.site.call("GET", "/api/me", headers=headers))[0] == 200


async def test_without_sign_in_there_is_nothing_to_sign_in_to(site: Site) -> None:
    for method, path in (("GET", "/auth/sign-in"), ("GET", "/auth/callback"), ("POST", "/auth/sign-out")):
        assert await site.refused(method, path) == (404, "sign_in_off", None)


async def test_a_public_address_is_our_own_without_sign_in_too(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, public_url=PUBLIC) as site:
        for headers in ({"Origin": PUBLIC}, {"Origin": PUBLIC, "Host": "chat.example"}):
            async with site.client.post("/api/turns", json=asked(), headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
