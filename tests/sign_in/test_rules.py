"""The rules of signing in that need no network: who may come in, where one may go, when keys are asked for again."""

import pprint
from typing import Any

import msgspec
import pytest

from daehwa.accounts.errors import NotAllowed, SignInMisconfigured
from daehwa.accounts.people import Session, SignInAttempt, User
from daehwa.conversation.errors import InvalidRequest
from daehwa.sign_in.addresses import (
    checked_issuer,
    checked_origin,
    checked_return_path,
    is_safe_address,
    is_safe_endpoint,
)
from daehwa.sign_in.admission import admitted_role
from daehwa.sign_in.flow import BegunSignIn, FinishedSignIn, ProviderAnswer
from daehwa.sign_in.id_token import Expected
from daehwa.sign_in.identity_provider import Tokens
from daehwa.sign_in.settings import SignInSettings
from daehwa.sign_in.signing_keys import FIRST_WAIT_MS, KEYS_MS, LONGEST_WAIT_MS, SigningKeys
from daehwa.sign_in.tokens import challenge, digest, is_token, new_token

HIDDEN = "a-text-that-must-not-be-seen"


def settings(*, allowed: tuple[str, ...] = (), admins: tuple[str, ...] = ()) -> SignInSettings:
    return SignInSettings(
        issuer="https://id.example", client_id="c", public_url="https://x", allowed_emails=allowed, admin_emails=admins
    )


@pytest.mark.parametrize(
    ("email", "allowed"),
    [
        ("mina@example.com", "mina@example.com"),
        ("Mina@Example.COM", " mina@example.com "),
        ("mina@example.com", "@example.com"),
        ("mina@example.com", "@EXAMPLE.com"),
        ("mina@example.com", "*"),
        (None, "*"),
        ("민아@example.com", "민아@example.com"),
        ("mina+list@example.com", "@example.com"),
    ],
)
def test_who_is_named_may_come_in(email: str | None, allowed: str) -> None:
    assert admitted_role(email, settings(allowed=("other@example.org", allowed))) == "member"


@pytest.mark.parametrize(
    ("email", "allowed"),
    [
        ("mina@example.com", "min@example.com"),
        ("mina@sub.example.com", "@example.com"),
        ("mina@evilexample.com", "@example.com"),
        ("mina@example.com.evil", "@example.com"),
        ("@example.com@evil", "@example.com"),
        ("mina@example.com", "example.com"),
        ("mina@example.com", ""),
        ("mina@example.com", "@"),
        ("\u212aim@example.com", "kim@example.com"),  # the sign for Kelvin, whose lower case is a k
        ("", "@"),
        ("mina@", "@"),
        ("@example.com", "@example.com"),
        (None, "@example.com"),
        ("a@evil.example,b@example.com", "@example.com"),
        ("<a@evil.example>b@example.com", "@example.com"),
        ('"a@evil.example"@example.com', "@example.com"),
        ("a(@evil.example)@example.com", "@example.com"),
        ("a b@example.com", "@example.com"),
        ("a\x00@example.com", "@example.com"),
        ("a\u200b@example.com", "@example.com"),
        ("mina@example.com\n", "mina@example.com"),
        ("\u2003mina@example.com", "mina@example.com"),
        ("mina+list@example.com", "mina@example.com"),
        ("mina@example\uff0ecom", "@example.com"),
        ("m" * 250 + "@example.com", "@example.com"),
    ],
)
def test_nobody_else_may(email: str | None, allowed: str) -> None:
    with pytest.raises(NotAllowed):
        admitted_role(email, settings(allowed=(allowed,)))
    with pytest.raises(NotAllowed):
        admitted_role(email, settings())


def test_an_admin_may_come_in_without_being_allowed_besides() -> None:
    assert admitted_role("boss@example.com", settings(admins=("Boss@example.com",))) == "admin"
    assert admitted_role("boss@example.com", settings(allowed=("*",), admins=("boss@example.com",))) == "admin"
    assert admitted_role("mina@example.com", settings(allowed=("*",), admins=("boss@example.com",))) == "member"
    with pytest.raises(NotAllowed):
        admitted_role(None, settings(admins=("boss@example.com",)))


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/", "/"),
        ("/chat.html", "/chat.html"),
        ("/chat.html?c=1&x=%20#/a:b", "/chat.html?c=1&x=%20#/a:b"),
        ("/chat.html?c=한", "/chat.html?c=%ED%95%9C"),
        ('/a"<>', "/a%22%3C%3E"),
        ("/a\ud800", "/a?"),
        ("/authors", "/authors"),
    ],
)
def test_a_path_of_ours_can_be_gone_back_to(path: str, sent: str) -> None:
    assert checked_return_path(path) == sent
    assert sent.isascii()


WAYS_OUT = (
    *("", "chat.html", "//evil.example", "///evil.example", "/\\evil.example", "/a\\b", "\\\\evil", "https://evil"),
    *("javascript:alert(1)", "/\t/evil", "\t//evil", "/\n/evil", "/\r\nSet-Cookie: x", "/\0", "/a b", " /", "/\x7f"),
    *("/auth/sign-in", "/api/me", "/" + "a" * 2000, "http:/x"),
)


@pytest.mark.parametrize("path", WAYS_OUT)
def test_no_other_place_can(path: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_return_path(path)


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://id.example", True),
        ("https://id.example:8443/a/b?c", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:3000/x", True),
        ("http://id.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost@evil.example", False),
        ("https://me:secret@id.example", False),
        ("https://", False),
        ("https:///x", False),
        ("https://id.example:port", False),
        ("https://[::1", False),
        ("https://id.example\n", False),
        ("https://id.example/ x", False),
        ("https://id.example/\x85", False),
        ("https://\u0131d.example", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_secrets_go_over_https_or_stay_on_this_machine(url: str, *, is_safe: bool) -> None:
    assert is_safe_address(url) == is_safe


@pytest.mark.parametrize(
    ("url", "issuer", "is_safe"),
    [
        ("https://keys.example/x", "https://id.example", True),
        ("http://127.0.0.1:3000/x", "http://localhost:3000", True),
        ("https://id.example/x", "http://localhost:3000", True),
        ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "https://id.example", False),
        ("HTTP://localhost:2773/x", "https://id.example", False),
        ("http://169.254.169.254/latest", "http://localhost:3000", False),
    ],
)
def test_an_issuer_elsewhere_names_nothing_on_this_machine(url: str, issuer: str, *, is_safe: bool) -> None:
    assert is_safe_endpoint(url, issuer) == is_safe


def test_addresses_of_settings() -> None:
    assert checked_issuer("https://login.example/tenant/") == "https://login.example/tenant/"
    assert checked_origin("https://chat.example:8443/") == "https://chat.example:8443"
    for origin in ("https://chat.example//", "https://chat.example/?x", "https://chat.example#x", "chat.example"):
        with pytest.raises(SignInMisconfigured):
            checked_origin(origin)


def test_tokens_are_256_random_bits() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(is_token(token) and len(token) == 43 for token in tokens)
    assert digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    # RFC 7636, appendix B
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Publisher:
    """Keys as a provider publishes them, and a clock."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.reads = 0
        self.now = 1_000_000
        self.known = SigningKeys(self.read, clock=lambda: self.now)

    async def read(self) -> list[dict[str, Any]]:
        self.reads += 1
        return self.keys

    async def kids(self, kid: str | None, algorithm: str = "RS256") -> list[str]:
        return [key["kid"] for key in await self.known.matching(kid, algorithm)]


def rsa(kid: str, **more: str) -> dict[str, Any]:
    return {"kty": "RSA", "kid": kid, **more}


async def test_keys_are_read_once_and_again_after_an_hour() -> None:
    publisher = Publisher(rsa("a"))
    assert await publisher.kids("a") == await publisher.kids("a") == ["a"]
    assert publisher.reads == 1
    publisher.now += KEYS_MS
    publisher.keys = [rsa("b")]
    assert await publisher.kids("a") == []
    assert publisher.reads == 2


async def test_an_unknown_key_is_asked_for_ever_more_rarely() -> None:
    publisher = Publisher(rsa("a"))
    await publisher.kids("a")
    reads = []
    for second in range(3000):
        publisher.now = 1_000_000 + second * 1000
        before = publisher.reads
        await publisher.kids("made up")
        if publisher.reads > before:
            reads.append(second * 1000)
    pauses = [later - earlier for earlier, later in zip([0, *reads], reads, strict=False)]
    assert pauses[:4] == [FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS, 8 * FIRST_WAIT_MS]
    assert set(pauses[6:]) == {LONGEST_WAIT_MS}


async def test_after_a_key_that_is_known_the_wait_is_short_again() -> None:
    publisher = Publisher(rsa("a"))
    await publisher.kids("a")
    for _ in range(3):
        publisher.now += LONGEST_WAIT_MS
        await publisher.kids("made up")
    await publisher.kids("a")
    publisher.keys = [rsa("b")]
    publisher.now += FIRST_WAIT_MS
    assert await publisher.kids("b") == ["b"]


async def test_only_a_key_that_can_have_signed_is_tried() -> None:
    publisher = Publisher(
        rsa("a"),
        rsa("b", use="enc"),
        rsa("c", alg="RS512"),
        rsa("d", alg="RS256", use="sig"),
        {"kty": "EC", "kid": "e"},
        {"kty": "oct", "kid": "f", "k": "c2VjcmV0"},
        {"kty": "OKP", "kid": "g", "alg": "EdDSA"},
        {"kid": "h"},
    )
    assert await publisher.kids(None) == ["a", "d"]
    assert await publisher.kids("d") == ["d"]
    assert await publisher.kids(None, "ES256") == ["e"]
    assert await publisher.kids(None, "Ed25519") == await publisher.kids(None, "EdDSA") == ["g"]


@pytest.mark.parametrize(
    "value",
    [
        Tokens(id_token=HIDDEN, access_token=HIDDEN),
        ProviderAnswer(state=HIDDEN, code=HIDDEN),
        BegunSignIn(location=f"https://id.example?state={HIDDEN}", browser=HIDDEN),
        FinishedSignIn(session=HIDDEN, user=User(id="u"), return_to="/"),
        SignInAttempt(id="i", browser=HIDDEN, nonce=HIDDEN, verifier=HIDDEN, return_to="/", expires=1),
        Session(id=HIDDEN, user="u", created=1, expires=2, id_token=HIDDEN),
        Expected(issuer="i", client_id="c", nonce=HIDDEN, access_token=HIDDEN, now=1),
        SignInSettings(issuer="i", client_id="c", public_url="p", allowed_emails=(HIDDEN,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_tokens_shows_none_and_is_a_value_all_the_same(value: msgspec.Struct) -> None:
    for shown in (repr(value), str(value), f"{[value]}", pprint.pformat(value), str(list(value.__rich_repr__()))):
        assert HIDDEN not in shown
    assert repr(value) == f"{type(value).__name__}(…)"
    assert msgspec.structs.replace(value) == value
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], "x")
