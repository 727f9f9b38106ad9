"""The doors of local accounts: a password, a code, a passkey, a link. JSON both ways; no script reads the cookies."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from daehwa.accounts.errors import SignInExpired
from daehwa.accounts.links import LinkKind
from daehwa.accounts.people import Role
from daehwa.accounts.unshown import Unshown
from daehwa.server.asgi import Headers, Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.cookies import Cookie
from daehwa.server.identity import Identity
from daehwa.server.options import ServerOptions
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.challenges import CHALLENGE_SECONDS
from daehwa.sign_in.entering import CODE_SECONDS, LOGIN_CHARACTERS, Entered
from daehwa.sign_in.known_browsers import KNOWN_SECONDS
from daehwa.sign_in.links import Wish
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.visitors import Carried, Visitor

BODY_BYTES = 64 * 1024
BODY_SECONDS = 20.0

Login = Annotated[str, Meta(min_length=1, max_length=LOGIN_CHARACTERS, description="A name or an e-mail address.")]
Password = Annotated[str, Meta(max_length=BODY_BYTES, description="At most 1,024 characters.")]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Token = Annotated[str, Meta(max_length=100, description="What stands behind `#/link/` in a link.")]


class PasswordGiven(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and its password."""

    login: Login
    password: Password


class CodeGiven(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authenticator app's code, or a recovery code."""

    code: Code


class NothingGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class CredentialGiven(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `navigator.credentials` has answered, as its `toJSON()` says it."""

    credential: dict[str, Any]


class LinkGiven(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link, to be looked at."""

    token: Token


class LinkAccepted(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link, to be used: by which name to sign in (not where it is for a new password), and with what password."""

    token: Token
    password: Password
    login: Login | None = None
    name: Annotated[str, Meta(max_length=1000)] | None = None


class ResetAsked(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose password is lost."""

    login: Login


class Next(msgspec.Struct, frozen=True):
    """What comes next: `done`, signed in; `code`, an authenticator app's code is asked for as well."""

    next: Literal["done", "code"]


class PasskeyOptions(Unshown, frozen=True, kw_only=True, rename={"public_key": "publicKey"}):
    """What to hand to `navigator.credentials`, in the JSON form of WebAuthn level 3."""

    public_key: dict[str, Any]


class LinkSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for, and until when (ms since 1970). `login` is whose password it sets anew."""

    kind: LinkKind
    login: str | None
    email: str | None
    role: Role
    expires: int


class LocalAuthApi:
    """The operations of coming in by a local account."""

    def __init__(self, local: LocalAccounts, identity: Identity, options: ServerOptions) -> None:
        self._local = local
        self._options = small(options)
        self.cookies = AuthCookies(identity, is_secure=local.public_url.startswith("https://"))

    async def give_password(self, request: Request) -> Response:
        """Sign in with a name and a password. Whether it was the name or the password that was wrong is not told."""
        given = await json_body(request, PasswordGiven, self._options)
        visitor, carried = self._visitor(request), self.cookies.carried(request)
        return self._entered(await self._local.entering.by_password(given.login, given.password, visitor, carried))

    async def give_code(self, request: Request) -> Response:
        """Give the code that was asked for after the password, within 5 minutes."""
        given = await json_body(request, CodeGiven, self._options)
        visitor, carried = self._visitor(request), self.cookies.carried(request)
        return self._entered(await self._local.entering.by_code(given.code, visitor, carried))

    async def ask_passkey(self, request: Request) -> Response:
        """Say what the browser shall ask its passkeys."""
        await json_body(request, NothingGiven, self._options)
        text, options = self._local.entering.passkey_options()
        return json_response(PasskeyOptions(public_key=options), headers=[self.cookies.challenge.set(text)])

    async def give_passkey(self, request: Request) -> Response:
        """Sign in with a passkey, within 5 minutes."""
        given = await json_body(request, CredentialGiven, self._options)
        visitor, carried = self._visitor(request), self.cookies.carried(request)
        return self._entered(await self._local.entering.by_passkey(given.credential, visitor, carried))

    async def look_at_link(self, request: Request) -> Response:
        """Say what a link is for. It stays as it is."""
        given = await json_body(request, LinkGiven, self._options)
        link, user = await self._local.links.look(given.token, self._visitor(request))
        seen = LinkSeen(
            kind=link.kind,
            login=None if user is None else user.login,
            email=link.email,
            role=link.role,
            expires=link.expires,
        )
        return json_response(seen)

    async def accept_link(self, request: Request) -> Response:
        """Use a link: make an account, or set a new password. It works once."""
        given = await json_body(request, LinkAccepted, self._options)
        wish = Wish(token=given.token, password=given.password, login=given.login, name=given.name)
        visitor, carried = self._visitor(request), self.cookies.carried(request)
        return self._entered(await self._local.links.accept(wish, visitor, carried))

    async def ask_for_reset(self, request: Request) -> Response:
        """Have a link for a new password sent, if there is such an account and it has an address. That is not told."""
        given = await json_body(request, ResetAsked, self._options)
        self._local.ask_for_reset(given.login, self._visitor(request))
        return Response(202)

    def _visitor(self, request: Request) -> Visitor:
        return visitor_of(request.scope, self._options)

    def _entered(self, entered: Entered) -> Response:
        if entered.waiting is not None:
            return json_response(Next("code"), headers=[self.cookies.waiting.set(entered.waiting)])
        return json_response(Next("done"), headers=self.cookies.of(entered))


class AuthCookies:
    """The cookies of the doors: read from a request, and set by an answer."""

    def __init__(self, identity: Identity, *, is_secure: bool) -> None:
        self.session = identity.cookie
        self.waiting = Cookie("daehwa-code", seconds=CODE_SECONDS, is_secure=is_secure)
        self.challenge = Cookie("daehwa-passkey", seconds=CHALLENGE_SECONDS, is_secure=is_secure)
        self.known = Cookie("daehwa-known", seconds=KNOWN_SECONDS, is_secure=is_secure)

    def carried(self, request: Request) -> Carried:
        """Return what the browser carries."""
        scope = request.scope
        return Carried(
            session=self.session.read(scope),
            known=self.known.read(scope),
            waiting=self.waiting.read(scope),
            challenge=self.challenge.read(scope),
        )

    def of(self, entered: Entered) -> Headers:
        """Return the headers for a browser that has come in."""
        if entered.session is None:
            raise SignInExpired
        known = [] if entered.known is None else [self.known.set(entered.known)]
        return [self.session.set(entered.session), *known, self.waiting.remove(), self.challenge.remove()]


def small(options: ServerOptions) -> ServerOptions:
    """Return options under which bodies are no longer than what is sent here, and do not take long."""
    limits = msgspec.structs.replace(options.limits, body_bytes=BODY_BYTES)
    return msgspec.structs.replace(options, limits=limits, body_seconds=BODY_SECONDS)
