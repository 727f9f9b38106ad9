"""Keys in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import msgspec

from daehwa.accounts.errors import KeyNotFound
from daehwa.accounts.keys import ApiKey
from daehwa.conversation.errors import IdTaken


class MemoryKeys:
    """A `KeyStore` that keeps everything in a dictionary. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}

    async def add_key(self, key: ApiKey) -> None:
        if key.id in self._keys or await self.find_key(key.digest) is not None:
            raise IdTaken("key")
        self._keys[key.id] = key

    async def find_key(self, digest: str) -> ApiKey | None:
        return next((key for key in self._keys.values() if key.digest == digest), None)

    async def list_keys(self, user: str | None = None) -> tuple[ApiKey, ...]:
        found = (key for key in self._keys.values() if user is None or key.user == user)
        return tuple(sorted(found, key=lambda key: (key.created, key.id), reverse=True))

    async def revoke_key(self, key: str, *, user: str | None, now: int) -> ApiKey:
        known = self._keys.get(key)
        if known is None or (user is not None and known.user != user):
            raise KeyNotFound
        if known.revoked is None:
            self._keys[key] = msgspec.structs.replace(known, revoked=now)
        return self._keys[key]

    async def note_key_used(self, key: str, *, now: int) -> None:
        if key in self._keys:
            self._keys[key] = msgspec.structs.replace(self._keys[key], last_used=now)
