"""Where the function's AWS credentials come from: its environment, or, with SnapStart, an address beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from daehwa.aws.signature import AwsCredentials
from daehwa.conversation.errors import StoreError
from daehwa.http_client.client import HttpClient
from daehwa.http_client.errors import HttpError

ReadCredentials: TypeAlias = Callable[[], Awaitable[AwsCredentials]]

_RENEW_BEFORE = timedelta(minutes=10)
_SECONDS = 2.0
_OK = 200


class _Lent(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str | None = None
    expiration: datetime

    def __repr__(self) -> str:
        """Show nothing of them."""
        return "_Lent(…)"


def known_credentials(credentials: AwsCredentials) -> ReadCredentials:
    """Return a reader of credentials that stay as they are, as Lambda puts them into the environment."""

    async def read() -> AwsCredentials:
        return credentials

    return read


class LentCredentials:
    """Credentials that an address gives for some hours, as after a start from a snapshot."""

    def __init__(
        self, http: HttpClient, address: str, token: str | None, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._http = http
        self._address = address
        self._headers = {} if token is None else {"authorization": token}
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lent: _Lent | None = None
        self._asking = asyncio.Lock()

    async def __call__(self) -> AwsCredentials:
        """Return credentials that are good for some minutes yet. Raise `StoreError`."""
        async with self._asking:
            if self._lent is None or self._lent.expiration - self._clock() < _RENEW_BEFORE:
                self._lent = await self._fetched()
            lent = self._lent
        return AwsCredentials(
            access_key=lent.access_key_id, secret_key=lent.secret_access_key, session_token=lent.token
        )

    async def _fetched(self) -> _Lent:
        try:
            answer = await self._http.fetch("GET", self._address, headers=self._headers, seconds=_SECONDS)
            if answer.status == _OK:
                return msgspec.json.decode(answer.body, type=_Lent)
        except (HttpError, msgspec.DecodeError) as error:
            raise StoreError("The function's AWS credentials cannot be read. Try again in a moment.") from error
        raise StoreError(f"The function's AWS credentials cannot be read ({answer.status}). Try again in a moment.")
