"""The identity provider: what it says of itself, its keys, its tokens, what it knows of a person. All over HTTP."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote_plus, urlencode

import msgspec

from daehwa.accounts.errors import SignInFailed, SignInMisconfigured, SignInUnavailable
from daehwa.accounts.unshown import Unshown
from daehwa.http_client.errors import HttpError
from daehwa.sign_in.addresses import is_safe_endpoint
from daehwa.sign_in.settings import SignInSettings

T = TypeVar("T")

_GOOGLE = "https://accounts.google.com"
"""It announces no prompts, and documents `select_account` but not `login`."""
METADATA_MS = 60 * 60_000
"""How long what the provider says of itself is taken for granted."""
FAILURE_MS = 5_000
"""How long it is not asked again after a failure: anybody can begin a sign-in, and each would wait for a provider that
is down until its time is over.
"""


class HttpAnswer(Protocol):
    """A whole answer, whatever its status."""

    @property
    def status(self) -> int:
        """HTTP's own figure."""
        ...

    @property
    def body(self) -> bytes:
        """What was sent, to its end."""
        ...


class Http(Protocol):
    """What asks the provider: `daehwa.http_client.client.HttpClient`, which is slow to import and so not named here."""

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", seconds: float
    ) -> HttpAnswer:
        """Send a request and return the whole answer; redirects are not followed. Raise `HttpError`."""
        ...


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The discovery document, as far as it is needed (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    prompt_values_supported: tuple[str, ...] | None = None

    @property
    def other_account(self) -> str:
        """What makes it ask who it is although it knows somebody. Few announce what they know; "login" most do."""
        knows_accounts = "select_account" in (self.prompt_values_supported or ()) or self.issuer == _GOOGLE
        return "select_account" if knows_accounts else "login"


class Tokens(Unshown, frozen=True, kw_only=True):
    """What a code was changed for."""

    id_token: str
    access_token: str | None = None


class _Jwks(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class IdentityProvider:
    """One provider, asked as one client. What it says of itself is kept for a while."""

    def __init__(self, settings: SignInSettings, http: Http, *, clock: Callable[[], int], seconds: float) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._seconds = seconds
        self._metadata: Metadata | None = None
        self._metadata_at = 0
        self._failure: SignInFailed | SignInMisconfigured | None = None
        self._failed_at = 0
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return the discovery document. Raise `SignInUnavailable`, `SignInFailed` or `SignInMisconfigured`.

        Of several that wait one asks, and all get its answer.
        """
        known = self._known()
        if known is not None:
            return known
        async with self._asking:
            return self._known() or await self._asked()

    def _known(self) -> Metadata | None:
        """Return, or raise, what was found out lately; None where it must be asked for."""
        now = self._clock()
        if self._metadata is not None and now - self._metadata_at < METADATA_MS:
            return self._metadata
        if self._failure is None or abs(now - self._failed_at) >= FAILURE_MS:
            return None
        return self._in_spite_of(self._failure)

    async def _asked(self) -> Metadata:
        try:
            found = await self._discovered()
        except (SignInFailed, SignInMisconfigured) as error:
            self._failure, self._failed_at = error, self._clock()
            return self._in_spite_of(error)
        self._failure = None
        self._metadata, self._metadata_at = found, self._clock()
        return found

    def _in_spite_of(self, failure: SignInFailed | SignInMisconfigured) -> Metadata:
        if self._metadata is None or not isinstance(failure, SignInUnavailable):
            raise failure.with_traceback(None) from None  # raised often: without the ways that it has gone before
        return self._metadata  # it hardly ever changes, and whatever is wrong will show in the next step

    async def _discovered(self) -> Metadata:
        issuer = self._settings.issuer
        url = issuer.removesuffix("/") + "/.well-known/openid-configuration"
        found = await self._json("GET", url, Metadata, "its discovery document")
        if found.issuer != issuer:
            raise SignInMisconfigured(
                f"The identity provider calls itself {found.issuer[:200]!r}, and the settings name the issuer "
                f"'{issuer}'. They must be equal letter by letter: correct the setting."
            )
        addresses = (
            *(found.authorization_endpoint, found.token_endpoint, found.jwks_uri),
            *(found.userinfo_endpoint, found.end_session_endpoint),
        )
        if not all(is_safe_endpoint(address, issuer) for address in addresses if address is not None):
            raise SignInFailed("The identity provider names an address without https. Choose one that is safe.")
        return found

    async def keys(self) -> list[dict[str, Any]]:
        """Return its public keys as they are published (RFC 7517)."""
        metadata = await self.metadata()
        return (await self._json("GET", metadata.jwks_uri, _Jwks, "its keys")).keys

    async def tokens(self, code: str, verifier: str, redirect: str) -> Tokens:
        """Change a code for tokens. Raise `SignInFailed`, or `SignInUnavailable`."""
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        await self._authenticate(metadata, form, headers)
        body = urlencode(form).encode()
        found = await self._json("POST", metadata.token_endpoint, Tokens, "a token", headers=headers, body=body)
        if found.access_token is not None and not _fits_a_header(found.access_token):
            raise SignInFailed("The identity provider gives an access token that cannot be used. Sign in again.")
        return found

    async def _authenticate(self, metadata: Metadata, form: dict[str, str], headers: dict[str, str]) -> None:
        """Add who asks, in the way that the provider takes (RFC 6749, section 2.3.1)."""
        client = self._settings.client_id
        secret = None if self._settings.client_secret is None else await self._settings.client_secret()
        if secret is None:
            form["client_id"] = client
            return
        methods = metadata.token_endpoint_auth_methods_supported or ("client_secret_basic",)
        if "client_secret_basic" in methods:
            both = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(both).decode()}"
        elif "client_secret_post" in methods:
            form |= {"client_id": client, "client_secret": secret}
        else:
            raise SignInMisconfigured(
                "The identity provider takes a client secret neither as client_secret_basic nor as "
                "client_secret_post. Register this site there as a client with one of these."
            )

    async def person(self, access_token: str) -> dict[str, Any]:
        """Return what it says of the person whose token this is; empty where it has no such service."""
        url = (await self.metadata()).userinfo_endpoint
        if url is None:
            return {}
        headers = {"authorization": f"Bearer {access_token}"}
        return await self._json("GET", url, dict[str, Any], "what it knows of you", headers=headers)

    async def _json(
        self,
        method: str,
        url: str,
        kind: type[T],
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> T:
        headers = {"accept": "application/json", **(headers or {})}
        try:
            answer = await self._http.fetch(method, url, headers=headers, body=body, seconds=self._seconds)
        except HttpError as error:
            raise SignInUnavailable(
                f"The identity provider was asked for {what}, in vain: {error.message}. Try again in a moment."
            ) from None
        if answer.status >= 500 or answer.status == 429:  # noqa: PLR2004 - HTTP's own figures
            raise SignInUnavailable(
                f"The identity provider was asked for {what}, and is out of order (HTTP {answer.status}). Try again "
                "in a moment."
            )
        if answer.status != 200:  # noqa: PLR2004 - as above
            raise SignInFailed(
                f"The identity provider does not give {what} (HTTP {answer.status}). Sign in again; if it stays so, "
                "check client_id, the client's secret and the callback address there."
            )
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SignInFailed(
                f"The identity provider gives {what} in a form that is not OpenID Connect's. Check the setting issuer."
            ) from None


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token
