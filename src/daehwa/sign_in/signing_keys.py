"""The provider's public keys, kept for a while, and asked for again when a token names one that is not known."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Key: TypeAlias = dict[str, Any]
"""A public key as it is published (RFC 7517)."""

KEYS_MS = 60 * 60_000
"""How long keys are trusted: what the provider withdraws ends here by then."""
FIRST_WAIT_MS = 10_000
LONGEST_WAIT_MS = 5 * 60_000

KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519"), "OKP"),
}
"""The signatures that are accepted, and the type of key for each: public keys alone, so neither `none` nor HS256."""


class SigningKeys:
    """Finds keys by `kid`. An unknown one makes it ask again, but ever more rarely: anybody can make up a `kid`."""

    def __init__(self, read: Callable[[], Awaitable[list[Key]]], *, clock: Callable[[], int]) -> None:
        self._read = read
        self._clock = clock
        self._keys: list[Key] | None = None
        self._read_at = 0
        self._wait = FIRST_WAIT_MS

    async def matching(self, kid: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have made a signature."""
        age = self._clock() - self._read_at
        if self._keys is None or age >= KEYS_MS:
            return _matching(await self._read_again(), kid, algorithm)
        found = _matching(self._keys, kid, algorithm)
        if found:
            self._wait = FIRST_WAIT_MS
        elif age >= self._wait:
            self._wait = min(2 * self._wait, LONGEST_WAIT_MS)
            found = _matching(await self._read_again(), kid, algorithm)
        return found

    async def _read_again(self) -> list[Key]:
        self._keys = await self._read()
        self._read_at = self._clock()
        return self._keys


def _matching(keys: list[Key], kid: str | None, algorithm: str) -> list[Key]:
    return [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) in _same(algorithm)
        and (kid is None or key.get("kid") == kid)
    ]


def _same(algorithm: str) -> tuple[str, ...]:
    """Ed25519 was called EdDSA before RFC 9864, and still is by most."""
    return ("EdDSA", "Ed25519") if KEY_TYPES[algorithm] == "OKP" else (algorithm,)
