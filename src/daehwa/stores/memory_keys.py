"""Keys in memory, for tests and trials."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import msgspec

from daehwa.accounts.errors import KeyNotFound
from daehwa.accounts.keys import ApiKey
from daehwa.conversation.errors import IdTaken


class MemoryKeys:
    """A `KeyStore` that keeps everything in dictionaries. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._by_digest: dict[str, str] = {}

    async def add_key(self, key: ApiKey) -> None:
        if key.id in self._keys or key.digest in self._by_digest:
            raise IdTaken("key")
        self._keys[key.id] = key
        self._by_digest[key.digest] = key.id

    async def find_key(self, digest: str) -> ApiKey | None:
        found = self._by_digest.get(digest)
        return None if found is None else self._keys[found]

    async def list_keys(self, user: str | None = None) -> tuple[ApiKey, ...]:
        asked = (key for key in self._keys.values() if user in (None, key.user))
        return tuple(sorted(asked, key=lambda key: (key.created, key.id), reverse=True))

    async def revoke_key(self, key: str, *, user: str | None, now: int) -> ApiKey:
        found = self._keys.get(key)
        if found is None or user not in (None, found.user):
            raise KeyNotFound
        if found.revoked is None:
            found = self._keys[key] = msgspec.structs.replace(found, revoked=now)
        return found

    async def note_key_used(self, key: str, *, now: int) -> None:
        if key in self._keys:
            self._keys[key] = msgspec.structs.replace(self._keys[key], last_used=now)

    async def forget(self, user: str) -> None:
        for key in [key for key in self._keys.values() if key.user == user]:
            del self._keys[key.id], self._by_digest[key.digest]
