"""One's own account: who one is here, how one signs in, and where one is signed in."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from daehwa.accounts.credentials import Credentials, Passkey
from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.people import Role, UserChanges
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.errors import NotFound
from daehwa.conversation.ids import now_ms
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.identity import Identity
from daehwa.server.local_auth import AuthCookies, Code, PasskeyOptions, Password, small
from daehwa.server.options import ServerOptions
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.errors import AccountsOff
from daehwa.sign_in.links import BY_ADMIN, checked_name
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.tokens import digest
from daehwa.sign_in.visitors import Visitor

MOST_LINKS = 5
"""So many of the last links by which somebody set a password are looked at."""


class SessionNotFound(NotFound):
    """No session of this person has this id."""

    type = "session_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such session; it may have ended.", param="session")


class PasskeyNotFound(NotFound):
    """No passkey of this person has this id."""

    type = "passkey_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such passkey, or it is not yours.", param="passkey")


class AccountPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Who one is here. `login` is by what one signs in, null for whoever comes through an identity provider."""

    id: str
    name: str
    email: str | None
    login: str | None
    role: Role
    groups: Annotated[tuple[str, ...], Meta(description="Names of groups.")]


class ShownPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey. Times are milliseconds since 1970."""

    id: str
    name: str
    created: int
    last_used: int | None


class ShownSession(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in, from where, and what it calls itself; `current` is the one that asks."""

    id: str
    created: int
    last_seen: int
    address: str | None
    agent: str | None
    current: bool


class Account(Unshown, frozen=True, kw_only=True):
    """One's own account. `totp`: an authenticator app's code is asked for; so many `recovery_codes` are left.
    `admin_links`: when the last links that admins had made, or that were mailed after an admin had changed the address,
    set the password, the newest first (ms since 1970).
    """

    user: AccountPerson
    password: bool
    admin_links: tuple[int, ...]
    totp: bool
    recovery_codes: int
    passkeys: tuple[ShownPasskey, ...]
    sessions: tuple[ShownSession, ...]


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change."""

    name: Annotated[str, Meta(max_length=1000)]


class PasswordChange(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password as it is, and as it shall be."""

    current: Password
    new: Password


class TotpBegun(Unshown, frozen=True):
    """What an authenticator app needs: the secret, and the same as the address in a QR code."""

    secret: str
    uri: str


class TotpConfirmed(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app's first code."""

    code: Code


class RecoveryCodes(Unshown, frozen=True):
    """Codes for a lost app, each good once. They are told in this answer and never again."""

    recovery_codes: tuple[str, ...]


class PasswordProof(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password, since an open browser may be somebody else's."""

    password: Password


class NewPasskey(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey as the browser has made it, and what to call it."""

    name: Annotated[str, Meta(min_length=1, max_length=1000)]
    credential: dict[str, Any]


class AccountApi:
    """The operations on one's own account. Without `local`, people come through an identity provider alone."""

    def __init__(
        self, people: PeopleStores, local: LocalAccounts | None, identity: Identity, options: ServerOptions
    ) -> None:
        self._people = people
        self._local = local
        self._options = small(options)
        self._clock = now_ms if local is None else local.parts.clock
        self._cookies = AuthCookies(identity, is_secure=identity.is_secure)
        self._acts = Acts(people.audit, self._clock)

    async def get_account(self, request: Request) -> Response:
        """Tell who one is here, how one can sign in, and where one is signed in."""
        user = request.user
        stored = await self._people.accounts.get_user(user.id) or user
        has = Credentials() if user.login is None else await self._people.credentials.get_credentials(user.id)
        names = {group.id: group.name for group in await self._people.groups.list_groups()}
        sessions = await self._people.accounts.list_sessions(user.id, now=self._clock())
        current = self._current(request)
        account = Account(
            user=AccountPerson(
                id=user.id,
                name=user.name,
                email=user.email,
                login=user.login,
                role=user.role,
                groups=tuple(names[group] for group in stored.groups if group in names),
            ),
            password=has.password is not None,
            admin_links=() if user.login is None else await self._admin_links(user.id),
            totp=has.asks_for_code,
            recovery_codes=has.recovery_codes if has.asks_for_code else 0,
            passkeys=tuple(map(_shown, has.passkeys)),
            sessions=tuple(
                ShownSession(
                    id=each.id,
                    created=each.created,
                    last_seen=max(each.last_seen, each.created),
                    address=each.address,
                    agent=each.agent,
                    current=each.id == current,
                )
                for each in sessions
            ),
        )
        return json_response(account)

    async def change_account(self, request: Request) -> Response:
        """Change one's name."""
        changes = await json_body(request, AccountChanges, self._options)
        if request.user.login is None:
            raise NotAllowed("Your name comes from where you sign in. Change it there.")
        name = checked_name(changes.name)
        request.user = await self._people.accounts.change_user(request.user.id, UserChanges(name=name))
        await self._acts.note("person.renamed", self._visitor(request), actor=request.user)
        return await self.get_account(request)

    async def change_password(self, request: Request) -> Response:
        """Change one's password. All sessions end; this browser is given a new one."""
        given = await json_body(request, PasswordChange, self._options)
        visitor, carried = self._visitor(request), self._cookies.carried(request)
        own = self._on().own
        entered = await own.change_password(request.user, given.current, given.new, visitor, carried)
        return Response(204, headers=self._cookies.of(entered))

    async def begin_totp(self, request: Request) -> Response:
        """Make a secret for an authenticator app, with the password. No code is asked for before one of it came."""
        given = await json_body(request, PasswordProof, self._options)
        begun = await self._on().own.begin_totp(request.user, given.password, self._visitor(request))
        return json_response(TotpBegun(*begun))

    async def confirm_totp(self, request: Request) -> Response:
        """Confirm an authenticator app by its first code; from now on codes are asked for."""
        given = await json_body(request, TotpConfirmed, self._options)
        codes = await self._on().own.confirm_totp(request.user, given.code, self._visitor(request))
        return json_response(RecoveryCodes(codes))

    async def renew_recovery_codes(self, request: Request) -> Response:
        """Make new recovery codes; the old ones are void."""
        given = await json_body(request, PasswordProof, self._options)
        codes = await self._on().own.renew_recovery_codes(request.user, given.password, self._visitor(request))
        return json_response(RecoveryCodes(codes))

    async def end_totp(self, request: Request) -> Response:
        """Ask for no codes any more; the recovery codes are void."""
        given = await json_body(request, PasswordProof, self._options)
        await self._on().own.end_totp(request.user, given.password, self._visitor(request))
        return Response(204)

    async def ask_new_passkey(self, request: Request) -> Response:
        """Say what the browser needs for a new passkey; it takes the password."""
        given = await json_body(request, PasswordProof, self._options)
        text, options = await self._on().own.passkey_options(request.user, given.password, self._visitor(request))
        return json_response(PasskeyOptions(public_key=options), headers=[self._cookies.challenge.set(text)])

    async def add_passkey(self, request: Request) -> Response:
        """Keep a passkey that the browser has made, within 5 minutes. A person may have 20."""
        given = await json_body(request, NewPasskey, self._options)
        visitor, carried = self._visitor(request), self._cookies.carried(request)
        made = await self._on().own.add_passkey(request.user, given.name, given.credential, visitor, carried)
        return json_response(_shown(made), 201, headers=[self._cookies.challenge.remove()])

    async def remove_passkey(self, request: Request) -> Response:
        """Remove a passkey: it opens nothing from now on."""
        if not await self._on().own.remove_passkey(request.user, request.path["passkey"], self._visitor(request)):
            raise PasskeyNotFound
        return Response(204)

    async def end_session(self, request: Request) -> Response:
        """End a session at once, in whatever browser it is."""
        accounts, asked = self._people.accounts, request.path["session"]
        mine = await accounts.list_sessions(request.user.id, now=self._clock())
        if asked not in {session.id for session in mine}:
            raise SessionNotFound
        await accounts.delete_session(asked)
        await self._acts.note("session.ended", self._visitor(request), actor=request.user)
        return Response(204)

    async def end_other_sessions(self, request: Request) -> Response:
        """End all sessions but the one that asks."""
        ended = await self._people.accounts.delete_sessions(request.user.id, but=self._current(request))
        await self._acts.note("session.ended", self._visitor(request), actor=request.user, sessions=ended)
        return Response(204)

    async def _admin_links(self, user: str) -> tuple[int, ...]:
        used = await self._people.audit.told("link.used", user, limit=MOST_LINKS)
        return tuple(event.at for event in used if event.details.get(BY_ADMIN))

    def _current(self, request: Request) -> str | None:
        text = self._cookies.session.read(request.scope)
        return None if text is None else digest(text)

    def _visitor(self, request: Request) -> Visitor:
        return visitor_of(request.scope, self._options)

    def _on(self) -> LocalAccounts:
        if self._local is None:
            raise AccountsOff
        return self._local


def _shown(passkey: Passkey) -> ShownPasskey:
    return ShownPasskey(id=passkey.id, name=passkey.name, created=passkey.created, last_used=passkey.last_used)
