"""An identity provider on a loopback port that also does what no decent one would: it signs whatever a test says.

Its honest part checks the client, the redirect address and PKCE as the standards say, so that it refuses what we get
wrong. `tests/oidc/` holds the same flow to a certified implementation.
"""

import asyncio
import base64
import hashlib
import hmac
import time
import warnings
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from aiohttp import web
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

CLIENT, SECRET = "daehwa", "a secret: with + and /"
Json = dict[str, Any]


def a_key(algorithm: str = "RS256", kid: str = "first") -> RSAKey | ECKey | OKPKey:
    """Return a new key for an algorithm."""
    match algorithm[:2]:
        case "ES":
            curve = {"256": "P-256", "384": "P-384", "512": "P-521"}[algorithm[2:]]
            return ECKey.generate_key(curve, {"kid": kid, "use": "sig"})
        case "Ed":
            return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"})
        case _:
            return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def signed(claims: Mapping[str, Any], key: Key | None, algorithm: str = "RS256", **header: Any) -> str:
    """Return claims as a token, whatever they say."""
    head = {"alg": algorithm, **({} if key is None or key.kid is None else {"kid": key.kid}), **header}
    if key is None:  # `alg: none` and its like: nothing signs
        return f"{_part(head)}.{_part(claims)}."
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has another name since RFC 9864
        return jws.serialize_compact(head, msgspec.json.encode(claims), key, registry=registry)


def signed_with_password(claims: Mapping[str, Any], password: bytes) -> str:
    """Return claims as a token of HS256."""
    told = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(claims)}"
    made = hmac.digest(password, told.encode(), "sha256")
    return f"{told}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def claims_of(token: str) -> Json:
    """Return what a token says, whoever signed it."""
    claims: Json = msgspec.json.decode(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def half_hash(text: str) -> str:
    """Return what `at_hash` is for RS256."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


class Issuer:
    """The provider while it runs. Everything that a test may change is an attribute."""

    def __init__(self) -> None:
        self.key = RSA_KEY
        self.algorithm = "RS256"
        self.published: list[RSAKey | ECKey | OKPKey] = [self.key]
        self.odd_keys: list[Json] = []
        """What it publishes beside, as it stands."""
        self.metadata: Json = {}
        self.claims: Json = {}
        """What the ID token says instead; None leaves a claim out."""
        self.token: str | None = None
        self.tokens: Json = {}
        self.person: Json = {"sub": "mina", "email": "mina@example.com", "email_verified": True, "name": "Mina"}
        self.answer: dict[str, str] = {}
        """What the authorization answer says beside code and state, or instead."""
        self.status: dict[str, int] = {}
        self.redirects: dict[str, tuple[int, str]] = {}
        """Where it sends whoever asks, and with which status."""
        self.pause: dict[str, float] = {}
        self.secret: str | None = SECRET
        self.requests: list[str] = []
        self.url = ""
        self._codes: dict[str, dict[str, str]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        @web.middleware
        async def misbehaving(request: web.Request, handler: Any) -> web.StreamResponse:
            return await self._misbehave(request, handler)

        app = web.Application(middlewares=[misbehaving])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/person", self._person)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Be down."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        self.requests.append(name)
        await asyncio.sleep(self.pause.get(name, 0))
        if name in self.redirects:
            status, there = self.redirects[name]
            return web.Response(status=status, headers={"location": there})
        if name in self.status:
            return web.Response(status=self.status[name], text="{}", content_type="application/json")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discovery(self, _request: web.Request) -> web.Response:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/person",
            "response_types_supported": ["code"],
            **self.metadata,
        }
        return web.json_response({name: value for name, value in document.items() if value is not None})

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [*self.odd_keys, *(key.as_dict(private=False) for key in self.published)]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.requests)}"
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], **self.answer}
        address = f"{asked['redirect_uri']}?{urlencode(answer)}"
        return web.Response(status=302, headers={"location": address})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        if not self._is_the_client(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(form["code"], None)
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != made or asked["redirect_uri"] != form["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.id_token(asked["nonce"]) if self.token is None else self.token
        return web.json_response({"access_token": "access", "token_type": "Bearer", "id_token": token, **self.tokens})

    def _is_the_client(self, request: web.Request, form: Mapping[str, str]) -> bool:
        if self.secret is None:
            return form.get("client_id") == CLIENT and "authorization" not in request.headers
        if "client_secret" in form:
            return (form.get("client_id"), form["client_secret"]) == (CLIENT, self.secret)
        expected = base64.b64encode(b"daehwa:a+secret%3A+with+%2B+and+%2F").decode()
        return self.secret == SECRET and request.headers.get("authorization") == f"Basic {expected}"

    async def _person(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer access"
        return web.json_response(self.person)

    def id_token(self, nonce: str) -> str:
        """Return the ID token for a nonce, with whatever the test wants to be wrong with it."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "at_hash": half_hash("access") if self.algorithm.endswith("256") else None,
            **self.person,
            **self.claims,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        return signed(said, self.key, self.algorithm)


RSA_KEY = a_key()


def query_of(location: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, keep_blank_values=True).items()}
