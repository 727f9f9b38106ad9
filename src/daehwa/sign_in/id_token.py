"""The ID token: whether it is the provider's, for us, for this sign-in, and of now.

The rules are those of OpenID Connect Core 1.0, section 3.1.3.7.
"""

import asyncio
import base64
import hashlib
import hmac
import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from daehwa.accounts.errors import SignInFailed
from daehwa.accounts.unshown import Unshown
from daehwa.sign_in.signing_keys import KEY_TYPES, Key, SigningKeys
from daehwa.sign_in.tokens import encoded

LEEWAY_SECONDS = 60
_SUBJECT_CHARACTERS = 255
_TOKEN_CHARACTERS = 100_000
_LATEST_SECONDS = 1e12
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class Expected(Unshown, frozen=True, kw_only=True):
    """What a token must say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None
    now: int


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str | None = None
    crit: Any = None


async def checked_claims(token: str, expected: Expected, keys: SigningKeys) -> dict[str, Any]:
    """Return what a token says, once its signature and all that it says are found right. Raise `SignInFailed`."""
    header = _header_of(token)
    if header.alg not in KEY_TYPES:
        raise _wrong("is not signed in a way that is accepted", "Let the provider sign with RS256 or ES256")
    if header.crit is not None:
        raise _wrong("demands an extension that is not known here")
    candidates = await keys.matching(header.kid, header.alg)
    await asyncio.to_thread(importlib.import_module, "joserfc.jws")  # 70 ms the first time, in which others stream on
    payload = _verified(token, header.alg, candidates)
    if payload is None:
        raise _wrong("is not signed by the provider's own key")
    try:
        claims = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong("cannot be read") from None
    _check_claims(claims, expected)
    _check_access_token(claims.get("at_hash"), expected.access_token, header.alg)
    return claims


def _wrong(what: str, advice: str = "Sign in again") -> SignInFailed:
    return SignInFailed(f"The identity provider's ID token {what}. {advice}.")


def _header_of(token: str) -> _Header:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _TOKEN_CHARACTERS or not token.isascii():  # noqa: PLR2004 - of a JWS
        raise _wrong("cannot be read")
    # Only to choose the key; the library reads the header again, and verifies it.
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(parts[0] + "=="), type=_Header)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _wrong("cannot be read") from None


def _verified(token: str, algorithm: str, candidates: Sequence[Key]) -> bytes | None:
    """Return the content that one of the keys has signed."""
    from joserfc import jwk, jws  # noqa: PLC0415 - not before somebody signs in
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415 - as above

    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for candidate in candidates:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of the name EdDSA, see above
            try:
                return jws.deserialize_compact(token, jwk.import_key(candidate), registry=registry).payload
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a key that cannot be read, or another's: the next one
    return None


def _check_claims(claims: dict[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _wrong("is of another issuer")
    _check_audience(claims, expected.client_id)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise _wrong("is not of this sign-in")
    _check_times(claims, expected.now / 1000)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_CHARACTERS:
        raise _wrong("does not say who you are")


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    audience, party = claims.get("aud"), claims.get("azp")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or (party is None and len(audiences) > 1) or party not in (None, client_id):
        raise _wrong("is meant for another site", "Check the setting client_id")


def _check_times(claims: dict[str, Any], now: float) -> None:
    advice = "Check that the clock of this server is right, then sign in again"
    if _seconds(claims, "exp") <= now - LEEWAY_SECONDS:
        raise _wrong("has expired", advice)
    if max(_seconds(claims, "iat"), _seconds(claims, "nbf", 0)) > now + LEEWAY_SECONDS:
        raise _wrong("is of the future", advice)


def _seconds(claims: dict[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST_SECONDS:
        raise _wrong("does not say of when it is")
    return value


def _check_access_token(at_hash: object, access_token: str | None, algorithm: str) -> None:
    if at_hash is None or access_token is None:
        return
    made = _HASHES.get(algorithm[-3:], hashlib.sha512)(access_token.encode()).digest()  # Ed25519 goes with SHA-512
    if at_hash != encoded(made[: len(made) // 2]):  # no secret: both came together
        raise _wrong("does not belong to the access token that came with it")
