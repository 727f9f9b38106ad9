"""Credentials that somebody else keeps fresh, as aiodynamo wants them."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiodynamo.credentials import Credentials, Key
from aiodynamo.http.types import HttpImplementation

AwsKey: TypeAlias = tuple[str, str, str | None]
"""Access key id, secret, and session token where there is one."""


class GivenCredentials(Credentials):
    """Credentials asked for at each request. `read_key` may raise `StoreError`."""

    def __init__(self, read_key: Callable[[], Awaitable[AwsKey]]) -> None:
        self._read_key = read_key

    async def get_key(self, http: HttpImplementation) -> Key | None:
        """Return the key of now."""
        del http
        return Key(*await self._read_key())

    def invalidate(self) -> bool:
        """Say that asking again may bring a newer key."""
        return True

    def is_disabled(self) -> bool:
        """Say that a key can be asked for."""
        return False
