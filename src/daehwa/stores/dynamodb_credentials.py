"""Credentials that somebody else keeps fresh, as aiodynamo wants them."""

from collections.abc import Callable

from aiodynamo.credentials import Credentials, Key
from aiodynamo.http.types import HttpImplementation


class LentCredentials(Credentials):
    """Credentials asked for at each request: access key id, secret, and session token where there is one."""

    def __init__(self, read_key: Callable[[], tuple[str, str, str | None]]) -> None:
        self._read_key = read_key

    async def get_key(self, http: HttpImplementation) -> Key | None:
        """Return the key of now."""
        del http
        return Key(*self._read_key())

    def invalidate(self) -> bool:
        """Say that asking again may bring a newer key."""
        return True

    def is_disabled(self) -> bool:
        """Say that a key can be asked for."""
        return False
