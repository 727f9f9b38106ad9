"""Tokens that are not right, and keys that change."""

import base64
from typing import Any

import msgspec
import pytest
from sign_in.conftest import Desk, refused
from sign_in.issuer import CLIENT, a_key, claims_of, query_of, signed, signed_with_password

from daehwa.accounts.errors import (
    SignInFailed,
)
from daehwa.conversation.ids import now_ms

MINUTE = 60_000


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "not of this sign-in"),
        ({"nonce": None}, "not of this sign-in"),
        ({"nonce": 1}, "not of this sign-in"),
        ({"aud": "another"}, "another site"),
        ({"aud": None}, "another site"),
        ({"aud": []}, "another site"),
        ({"aud": {"daehwa": 1}}, "another site"),
        ({"aud": [CLIENT, "another"]}, "another site"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "another site"),
        ({"azp": "another"}, "another site"),
        ({"azp": [CLIENT]}, "another site"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "of when it is"),
        ({"exp": "9999999999"}, "of when it is"),
        ({"exp": True}, "of when it is"),
        ({"exp": 10**300}, "of when it is"),
        ({"iat": None}, "of when it is"),
        ({"iat": 9_999_999_999}, "of the future"),
        ({"nbf": 9_999_999_999}, "of the future"),
        ({"sub": None}, "who you are"),
        ({"sub": ""}, "who you are"),
        ({"sub": 7}, "who you are"),
        ({"sub": "s" * 256}, "who you are"),
        ({"at_hash": "another"}, "does not belong"),
        ({"at_hash": 1}, "does not belong"),
    ],
)
async def test_a_token_that_says_something_wrong_is_refused(desk: Desk, claims: dict[str, Any], said: str) -> None:
    desk.issuer.claims = claims
    sentence = await refused(desk, match=said)
    assert sentence.endswith(".")
    assert "eyJ" not in sentence


@pytest.mark.parametrize("seconds", [-59, 59])
async def test_clocks_may_differ_by_a_minute(desk: Desk, seconds: int) -> None:
    at = now_ms() // 1000
    if seconds < 0:
        desk.issuer.claims = {"exp": at + seconds + 10}
    else:
        desk.issuer.claims = {"iat": at + seconds - 10, "nbf": at + seconds - 10}
    await desk.signed_in()


async def test_several_audiences_need_us_as_the_party(desk: Desk) -> None:
    desk.issuer.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    await desk.signed_in()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_a_token_that_nobody_signed_is_refused(desk: Desk, algorithm: str) -> None:
    begun, answer = await desk.begun()
    nonce = query_of(begun.location)["nonce"]
    payload = desk.issuer.id_token(nonce).split(".")[1]
    desk.issuer.token = f"{signed({}, None, algorithm).split('.')[0]}.{payload}."
    with pytest.raises(SignInFailed, match="not signed in a way"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_token_signed_with_the_public_key_as_a_password_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    claims = claims_of(desk.issuer.id_token(query_of(begun.location)["nonce"]))
    desk.issuer.token = signed_with_password(claims, desk.issuer.key.as_pem(private=False))
    with pytest.raises(SignInFailed, match="not signed in a way"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_token_of_a_foreign_key_is_refused(desk: Desk) -> None:
    desk.issuer.key = a_key(kid="first")
    await refused(desk, match="provider's own key")


async def test_a_token_with_a_key_in_its_own_head_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    claims = claims_of(desk.issuer.id_token(query_of(begun.location)["nonce"]))
    own = a_key(kid="first")
    desk.issuer.token = signed(claims, own, jwk=own.as_dict(private=False))
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_changed_token_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    head, payload, signature = desk.issuer.id_token(query_of(begun.location)["nonce"]).split(".")
    for changed in (f"{head}.{payload[:-4]}AAAA.{signature}", f"{head}.{payload}.{signature[:-4]}AAAA"):
        desk.issuer.token = changed
        with pytest.raises(SignInFailed, match="provider's own key"):
            await desk.sign_in.finish(answer, begun.browser, None)
        begun, answer = await desk.begun()


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", "bnVsbA.e30.", "e30.e30.", "A" * 200_000]
)
async def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    desk.issuer.token = token
    await refused(desk, match="cannot be read")


async def test_a_demanded_extension_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    head = msgspec.json.encode({"alg": "RS256", "kid": "first", "crit": ["x"], "x": 1})
    rest = desk.issuer.id_token(query_of(begun.location)["nonce"]).partition(".")[2]
    desk.issuer.token = f"{base64.urlsafe_b64encode(head).rstrip(b'=').decode()}.{rest}"
    with pytest.raises(SignInFailed, match="extension"):
        await desk.sign_in.finish(answer, begun.browser, None)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])
async def test_the_signatures_of_today_are_accepted(desk: Desk, algorithm: str) -> None:
    desk.issuer.key, desk.issuer.algorithm = a_key(algorithm), algorithm
    other = a_key("ES256", kid="first") if not algorithm.startswith("ES") else a_key(kid="first")
    desk.issuer.published = [other, desk.issuer.key]
    desk.issuer.claims = {"at_hash": None}
    await desk.signed_in()


async def test_a_new_key_is_found_when_the_provider_changes_it(desk: Desk) -> None:
    await desk.signed_in()
    desk.issuer.key = a_key(kid="second")
    desk.issuer.published = [desk.issuer.key]
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.signed_in()
    assert desk.issuer.requests.count("keys") == 1, "asked a moment ago: anybody can make up a key's name"
    desk.later_ms = 11_000
    await desk.signed_in()
    assert desk.issuer.requests.count("keys") == 2


async def test_a_key_that_was_withdrawn_counts_for_an_hour_at_most(desk: Desk) -> None:
    await desk.signed_in()
    old, desk.issuer.published = desk.issuer.key, [a_key(kid="second")]
    desk.later_ms = 59 * MINUTE
    desk.issuer.claims = {"exp": now_ms() // 1000 + 7200}
    await desk.signed_in()
    assert desk.issuer.key is old
    desk.later_ms = 61 * MINUTE
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.signed_in()
