"""Secrets out of SSM's parameter store: read at the first need, kept a while in memory, never logged."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from daehwa.aws.credentials import ReadCredentials
from daehwa.aws.signature import RequestToSign, Scope, signed_headers
from daehwa.conversation.errors import KeyNotSet, ProviderUnavailableError, StoreError
from daehwa.http_client.client import HttpAnswer, HttpClient
from daehwa.http_client.errors import HttpError

KEPT_SECONDS = 300.0
MISSING_SECONDS = 2.0
"""How long it is believed that a parameter is missing: short, so that one that is set works at once."""
AGAIN_SECONDS = 10.0
"""When it is asked again after AWS could not be, while the text of before serves on."""

_OK, _SERVER_FAULT = 200, 500
_PAUSES = (0.2, 0.6, 1.2)
"""At most: forty reads a second are allowed, and many functions that start at once must not come again at once."""
_SECONDS = 5.0
_MISSING = frozenset({"ParameterNotFound", "ParameterVersionNotFound"})
_THROTTLED = frozenset({"ThrottlingException", "TooManyUpdates"})
_log = logging.getLogger("daehwa.aws")


class _Parameter(msgspec.Struct, frozen=True, rename="pascal"):
    value: str


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    parameter: _Parameter


class _Fault(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="__type", default="")


class ParameterStore:
    """Reads parameters of one region. `endpoint` only where it is not AWS's own."""

    def __init__(
        self, http: HttpClient, *, region: str, credentials: ReadCredentials, endpoint: str | None = None
    ) -> None:
        self._http = http
        self._scope = Scope(region, "ssm")
        self._credentials = credentials
        suffix = ".cn" if region.startswith("cn-") else ""
        self._address = f"{endpoint or f'https://ssm.{region}.amazonaws.com{suffix}'}/"

    async def read(self, name: str) -> str | None:
        """Return a parameter's text, decrypted; None where there is none. Raise `StoreError`."""
        pauses = iter(_PAUSES)
        while True:
            answer = await self._asked(name)
            if answer.status == _OK:
                return _value(answer.body).strip() or None
            fault = _fault(answer.body)
            if fault in _MISSING:
                return None
            pause = next(pauses, None)
            if pause is None or not (answer.status >= _SERVER_FAULT or fault in _THROTTLED):
                # Not its text: a refusal may tell account and role.
                raise StoreError(
                    f"AWS does not give the parameter '{name}' ({fault or answer.status}). Check the function's "
                    "rights, or deploy again."
                )
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - spreads attempts, guards nothing

    async def _asked(self, name: str) -> HttpAnswer:
        body = msgspec.json.encode({"Name": name, "WithDecryption": True})
        request = RequestToSign(
            method="POST",
            url=self._address,
            headers={"content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.GetParameter"},
            body=body,
        )
        headers = signed_headers(request, await self._credentials(), self._scope, now=datetime.now(UTC))
        try:
            return await self._http.fetch("POST", self._address, headers=headers, body=body, seconds=_SECONDS)
        except HttpError as error:
            raise StoreError(f"AWS's parameter store cannot be asked ({error.message}). Try again.") from error


class KeptParameter:
    """One parameter, kept in memory for some minutes, and longer while AWS cannot be asked."""

    def __init__(self, store: ParameterStore, name: str, *, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._store = store
        self._clock = clock
        self._text: str | None = None
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def read(self) -> str | None:
        """Return its text, None where it is missing. Raise `StoreError` where nothing is known of it."""
        async with self._reading:
            if not 0 < self._until - self._clock() <= KEPT_SECONDS:  # a clock that was set back does not keep it longer
                self._until = self._clock() + await self._refreshed()
            return self._text

    async def _refreshed(self) -> float:
        """Read it, and return for how many seconds that holds."""
        try:
            self._text = await self._store.read(self.name)
        except StoreError as error:
            if self._text is None:
                raise
            # It is most likely right still, and better than no answer to anybody.
            _log.warning("the parameter '%s' is used as it was: %s", self.name, error.message)
            return AGAIN_SECONDS
        return MISSING_SECONDS if self._text is None else KEPT_SECONDS

    def forget(self) -> None:
        """Read it anew at the next need."""
        self._until = 0.0


class UpstreamKey:
    """The upstream's key out of a parameter."""

    def __init__(self, parameter: KeptParameter) -> None:
        self._parameter = parameter

    async def read(self) -> str:
        """Return the key. Raise `KeyNotSet`, `ProviderUnavailableError`."""
        try:
            key = await self._parameter.read()
        except StoreError as error:
            raise ProviderUnavailableError(f"The key cannot be read: {error.message}") from error
        if key is None:
            raise KeyNotSet("There is no key for the models yet. Whoever runs this site types: daehwa deploy set-key")
        return key

    def forget(self) -> None:
        """Read it anew at the next need: the upstream does not accept it."""
        self._parameter.forget()


def _value(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Answer).parameter.value
    except msgspec.DecodeError:
        # Without its text, which may be the secret.
        raise StoreError("AWS's parameter store answers something that cannot be read. Try again.") from None


def _fault(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Fault).kind.rpartition("#")[2]
    except msgspec.DecodeError:
        return ""
