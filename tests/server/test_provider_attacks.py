"""An identity provider that is wrong, or that somebody has taken over."""

import base64
import itertools
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey
from server.entrance import ATTEMPT, PUBLIC, Entrance
from sign_in.issuer import CLIENT, RSA_KEY

from daehwa.accounts.errors import SignInFailed
from daehwa.conversation.ids import now_ms
from daehwa.http_client.client import HttpClient
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.settings import SignInSettings
from daehwa.stores.memory_accounts import MemoryAccounts

FOREIGN_KEY = RSAKey.generate_key(2048, {"kid": "evil"})


ODD_KEYS: list[Any] = [
    {"kty": "RSA", "kid": "first", "alg": ["RS256"], "n": "AQAB", "e": "AQAB"},
    {"kty": ["RSA"], "kid": "first"},
    {"kty": "RSA", "kid": "first", "use": {"sig": 1}, "n": 5},
    {"kty": "RSA", "kid": "first", "n": 5, "e": None},
    {"kty": "RSA", "kid": "first", "n": "", "e": "AA"},
    {"kty": "RSA", "kid": "first", "n": "A" * 100_000, "e": "AQAB"},
    {"kty": "RSA", "kid": "first", "key_ops": 5, "n": "AQAB", "e": "AQAB"},
    {"kty": "oct", "kid": "first", "k": "AQAB"},
]


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_an_odd_key_beside_the_right_one_does_no_harm(entrance: Entrance, key: dict[str, Any]) -> None:
    entrance.issuer.odd_keys = [key]
    await entrance.signed_in()


HEADS: list[dict[str, Any]] = [
    {"jku": "{url}/evil"},
    {"x5u": "{url}/evil", "x5t": "x"},
    {"x5c": ["AAAA"]},
    {"kid": "../../../../dev/null"},
    {"kid": "first' OR '1'='1"},
    {"kid": "{url}/evil"},
    {"jwk": FOREIGN_KEY.as_dict(private=False)},
    {"b64": False},
    {"b64": False, "crit": ["b64"]},
    {"crit": []},
    {"crit": ["exp"]},
    {"typ": ["JWT"]},
    {"alg": "none"},
    {"alg": "HS256"},
]


def token_with(entrance: Entrance, head: dict[str, Any], key: RSAKey) -> str:
    """Return an ID token for the last sign-in, its head as it stands."""
    asked_for = list(entrance.issuer._codes.values())[-1]
    url = entrance.issuer.url
    said = {name: text.format(url=url) if isinstance(text, str) else text for name, text in head.items()}
    content = entrance.issuer.id_token(asked_for["nonce"]).split(".")[1]
    parts = f"{base64.urlsafe_b64encode(msgspec.json.encode(said)).rstrip(b'=').decode()}.{content}"
    assert key.private_key is not None
    signature = key.private_key.sign(parts.encode(), PKCS1v15(), SHA256())
    return f"{parts}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("head", HEADS)
async def test_a_token_s_head_leads_to_no_other_key(entrance: Entrance, head: dict[str, Any]) -> None:
    path, attempt = await entrance.come_back()
    entrance.issuer.token = token_with(entrance, {"alg": "RS256", "kid": "first", **head}, FOREIGN_KEY)
    done = await entrance.get(path, **{ATTEMPT: attempt})
    assert done.headers["location"] == "/chat.html?sign_in_error=sign_in_failed"
    assert "evil" not in entrance.issuer.requests


async def test_where_a_head_points_nobody_looks(entrance: Entrance) -> None:
    path, attempt = await entrance.come_back()
    pointers = {"jku": "{url}/evil", "x5u": "{url}/evil", "x5c": ["AAAA"]}
    assert isinstance(RSA_KEY, RSAKey)
    entrance.issuer.token = token_with(entrance, {"alg": "RS256", "kid": "first", **pointers}, RSA_KEY)
    done = await entrance.get(path, **{ATTEMPT: attempt})
    assert done.headers["location"] == "/chat.html"
    assert "evil" not in entrance.issuer.requests


FAULTS: list[dict[str, Any]] = [
    {"metadata": {"authorization_endpoint": "https://id.example/\u00fc"}},
    {"metadata": {"authorization_endpoint": "https://id.example/\r\nset-cookie: x=y"}},
    {"metadata": {"authorization_endpoint": "javascript:alert(1)//https://"}},
    {"metadata": {"end_session_endpoint": "javascript:alert(1)"}},
    {"metadata": {"token_endpoint": "http://169.254.169.254/latest/meta-data"}},
    {"metadata": {"jwks_uri": "file:///etc/passwd"}},
    {"metadata": {"x": "a" * 9_000_000}},
    {"metadata": {"issuer": "https://evil.example\r\n12:00:00  forged line"}},
    {"tokens": {"access_token": "a\r\nx-evil: 1"}, "claims": {"email": None, "at_hash": None}},
    {"tokens": {"access_token": "a b"}, "claims": {"email": None, "at_hash": None}},
    {"tokens": {"access_token": "\u00fc\U0001f600"}, "claims": {"email": None, "at_hash": None}},
    {"tokens": {"access_token": ["x"]}},
    {"tokens": {"id_token": "a." * 50_001}},
    {"claims": {"x": "a" * 200_000}},
    {"claims": {"iat": 99_999_999_999}},
    {"claims": {"azp": ""}},
    {"person": {"sub": "x", "email": "x" * 1_000_000 + "@example.com", "email_verified": True}},
    {"person": {"sub": "x", "email": ["x@example.com"], "email_verified": True}},
    {"person": {"sub": "x", "email": "a@evil.example,x@example.com", "email_verified": True}},
    {"person": {"sub": "x", "email": "boss@example.com ", "email_verified": True}},
    {"person": {"sub": "x", "email": "\u2003boss@example.com", "email_verified": True}},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault)[:60])
async def test_whatever_the_provider_answers_the_page_tells_that_it_failed(
    entrance: Entrance, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in fault.items():
        setattr(entrance.issuer, name, value)
    if "metadata" in fault:
        done = await entrance.get("/auth/sign-in")
    else:
        path, attempt = await entrance.come_back()
        done = await entrance.get(path, **{ATTEMPT: attempt})
    assert done.status == 302
    assert done.headers["location"].startswith("/chat.html?sign_in_error=")
    assert "set-cookie" not in done.headers
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("daehwa")]
    assert all("\n" not in line and "\r" not in line and len(line) < 1000 for line in lines)


NAMED = ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"]


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[tuple[SignIn, dict[str, str], list[str]]]:
    """An issuer over TLS that names what a test says, and what listens beside us on this machine."""
    asked_for: list[str] = []

    async def beside(request: web.Request) -> web.Response:
        asked_for.append(request.path)
        return web.json_response({"keys": [], "id_token": "a.b.c", "access_token": "x"})

    document: dict[str, str] = {}

    async def discovery(_request: web.Request) -> web.Response:
        return web.json_response(document)

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    issuer, neighbour = web.Application(), web.Application()
    issuer.router.add_get("/.well-known/openid-configuration", discovery)
    neighbour.router.add_route("*", "/{any:.*}", beside)
    runners = [web.AppRunner(app, access_log=None, shutdown_timeout=0.1) for app in (issuer, neighbour)]
    for runner, tls in zip(runners, (context, None), strict=True):
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    url, here = f"https://localhost:{runners[0].addresses[0][1]}", f"http://127.0.0.1:{runners[1].addresses[0][1]}"
    document |= {"issuer": url, "here": here, **dict.fromkeys(NAMED, f"{url}/x")}
    http = HttpClient(ca_file=str(tmp_path / "ca.pem"))
    settings = SignInSettings(issuer=url, client_id=CLIENT, public_url=PUBLIC, allowed_emails=("*",))
    clock = itertools.count(now_ms(), 6_000).__next__  # a failure is remembered for five seconds
    yield SignIn(settings, MemoryAccounts(), http, clock=clock), document, asked_for
    await http.aclose()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize("name", NAMED)
async def test_a_provider_elsewhere_cannot_ask_through_us_what_is_on_this_machine(
    elsewhere: tuple[SignIn, dict[str, str], list[str]], name: str
) -> None:
    sign_in, document, asked_for = elsewhere
    kept = document[name]
    document[name] = document["here"] + "/2018-06-01/runtime/invocation/next"
    with pytest.raises(SignInFailed, match="without https"):
        await sign_in.begin("/chat.html", None)
    document[name] = kept
    assert (await sign_in.begin("/chat.html", None)).location.startswith(document["issuer"])
    assert asked_for == []
