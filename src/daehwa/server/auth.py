"""The way in and out: to the identity provider, back from it, and signing out. Browsers come here, not programs."""

import logging
from typing import TYPE_CHECKING, Annotated

import msgspec

from daehwa.accounts.errors import SignInOff
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import Headers, Request, Response, json_response
from daehwa.server.body import query_values
from daehwa.server.cookies import Cookie
from daehwa.server.identity import Identity
from daehwa.server.options import ServerOptions
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.addresses import HOME_PATH, checked_return_path
from daehwa.sign_in.errors import ProviderOff
from daehwa.sign_in.flow import ATTEMPT_SECONDS, ProviderAnswer, SignIn

if TYPE_CHECKING:
    from daehwa.sign_in.local_accounts import LocalAccounts

_log = logging.getLogger("daehwa.server")
# An answer without a body never ends behind some streaming proxies.
_GO_ON = b"Go on at the address in the header Location.\n"


class SignInQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Where to come back to, and as whom."""

    return_to: Annotated[str, msgspec.Meta(description="A path of this site.")] = HOME_PATH
    other_account: Annotated[
        bool, msgspec.Meta(description="Let the identity provider ask who it is, though it knows somebody.")
    ] = False


class Doors(Unshown, frozen=True, kw_only=True):
    """By which doors people come in here; by none, where nobody signs in. `mail`: a new password can be asked for.
    `first`: there is no admin yet, and the link in the terminal makes one.
    """

    password: bool
    passkey: bool
    oidc: bool
    oidc_name: Annotated[str | None, msgspec.Meta(description="What the identity provider is called.")]
    mail: bool
    first: bool


class SignedOut(msgspec.Struct, frozen=True):
    """Signed out here; `location` is where the identity provider ends its own session, where it has such a page."""

    location: str | None


class AuthApi:
    """The operations of signing in and out. What goes wrong on the way, the page tells, by the type in its address."""

    def __init__(
        self, sign_in: SignIn | None, identity: Identity, options: ServerOptions, local: "LocalAccounts | None" = None
    ) -> None:
        self._sign_in = sign_in
        self._local = local
        self._identity = identity
        self._options = options
        self._session = identity.cookie
        self._attempt = Cookie("daehwa-sign-in", seconds=ATTEMPT_SECONDS, is_secure=identity.is_secure)

    async def get_doors(self, _request: Request) -> Response:
        """Say by which doors people come in here."""
        local, sign_in = self._local, self._sign_in
        doors = Doors(
            password=local is not None,
            passkey=local is not None and local.parts.site.has_passkeys,
            oidc=sign_in is not None,
            oidc_name=None if sign_in is None else sign_in.name,
            mail=local is not None and local.has_mail,
            first=local is not None and await local.awaits_first_admin(),
        )
        return json_response(doors)

    async def begin_sign_in(self, request: Request) -> Response:
        """Send the browser to the identity provider; it comes back to `return_to`, a path of this site."""
        sign_in = self._on()
        asked = query_values(request, SignInQuery)
        return_to = checked_return_path(asked.return_to)
        try:
            browser, visitor = self._attempt.read(request.scope), visitor_of(request.scope, self._options)
            begun = await sign_in.begin(return_to, browser, visitor, other_account=asked.other_account)
        except DaehwaError as error:
            return _failed(error)
        return _redirect(begun.location, [self._attempt.set(begun.browser)])

    async def finish_sign_in(self, request: Request) -> Response:
        """Take the identity provider's answer, begin a session and send the browser on.

        Where that fails, it is sent to `/chat.html?sign_in_error=` with the error's type.
        """
        sign_in = self._on()
        answer = query_values(request, ProviderAnswer)
        browser, replaced = self._attempt.read(request.scope), self._session.read(request.scope)
        try:
            visitor = visitor_of(request.scope, self._options)
            finished = await sign_in.finish(answer, browser, replaced, visitor)
        except DaehwaError as error:
            return _failed(error)
        return _redirect(finished.return_to, [self._session.set(finished.session), self._attempt.remove()])

    async def sign_out(self, request: Request) -> Response:
        """End this browser's session. Signed out already is fine."""
        if not self._identity.has_doors:
            raise SignInOff
        ended, location = await self._identity.end(request), None
        if ended is not None:
            visitor = visitor_of(request.scope, self._options)
            await self._identity.acts.note("session.ended", visitor, actor=ended[1])
            location = None if self._sign_in is None else await self._sign_in.logout_location(*ended)
        return json_response(SignedOut(location), headers=[self._session.remove()])

    def _on(self) -> SignIn:
        if self._sign_in is None:
            raise ProviderOff if self._identity.has_doors else SignInOff
        return self._sign_in


def _redirect(location: str, headers: Headers) -> Response:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    return Response(302, _GO_ON, [(b"location", location.encode("ascii")), kind, *headers])


def _failed(error: DaehwaError) -> Response:
    _log.warning("sign-in: %s", error.message)
    return _redirect(f"{HOME_PATH}?sign_in_error={error.type}", [])
