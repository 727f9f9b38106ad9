"""All that is one's own: taken along as a file, or deleted for good."""

import asyncio
import io
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import msgspec

from daehwa.accounts.credentials import Credentials
from daehwa.accounts.errors import HeldByAdmin, LastAdmin
from daehwa.accounts.keys import KeyLimits
from daehwa.accounts.ledger import UsageQuery
from daehwa.accounts.people import Role, User
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.export_file import End, Head, Line, write_line
from daehwa.server.administration import Administration
from daehwa.server.asgi import Request, Response
from daehwa.server.body import json_body
from daehwa.server.download import Download
from daehwa.server.local_auth import AuthCookies, Password, small
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.errors import CredentialsRefused
from daehwa.sign_in.throttle import GOING, Throttle
from daehwa.sign_in.tokens import digest

ZIP = "application/zip"
USAGE_DAYS = 400
"""As long is what was used remembered on AWS."""
_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("daehwa")


class Goodbye(Unshown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deleting one's account: with the password, by whoever has one here."""

    password: Password | None = None


class ExportedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key in an export: what it may do, and never its text."""

    id: str
    name: str
    prefix: str
    limits: KeyLimits
    created: int
    expires: int | None
    last_used: int | None
    revoked: int | None


class ExportedPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey in an export."""

    name: str
    created: int
    last_used: int | None


class ExportedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in, in an export."""

    created: int
    last_seen: int
    address: str | None
    agent: str | None


class ExportedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody is here, in an export; times are milliseconds since 1970. `claimed` are groups at the identity
    provider that are kept here, `instructions` what models are told before this person's questions.
    """

    id: str
    login: str | None
    email: str | None
    name: str
    role: Role
    groups: tuple[str, ...]
    claimed: tuple[str, ...]
    instructions: str
    created: int
    last_seen: int
    password_changed: int | None
    totp_since: int | None
    passkeys: tuple[ExportedPasskey, ...]
    sessions: tuple[ExportedSession, ...]


class BelongingsApi:
    """The operations on all that one has."""

    def __init__(self, office: Administration, archive: ConversationArchive) -> None:
        self._office = office
        self._archive = archive
        self._options = small(office.options)
        self._cookies = AuthCookies(office.identity, is_secure=office.identity.is_secure)
        self._throttle = Throttle(office.clock)

    async def export_account(self, request: Request) -> Download:
        """Return all that is one's own as a ZIP.

        In it are the account, the keys without their texts, what was used and what it cost, and the conversations as
        `daehwa export` writes them.
        """
        await self._office.note(request, "account.exported")
        day = datetime.fromtimestamp(self._office.clock() / 1000, UTC).date().isoformat()
        return Download(self._zipped(request.user), name=f"daehwa-{day}.zip", kind=ZIP)

    async def delete_account(self, request: Request) -> Response:
        """Delete one's account and all that is one's own, for good and without a trace; one is signed out by it.

        What one's calls cost stays counted under nobody's name. The last admin stays. Whoever comes through an identity
        provider asks an admin where they are a guest, in groups, or have spent of a budget of their own.
        """
        given = await json_body(request, Goodbye, self._options) if _has_body(request) else Goodbye()
        await self._prove(request, given.password)
        await self._refuse_held(request.user)
        try:
            await self._office.erasure.erase(request.user.id)
        except LastAdmin:
            self._throttle.give_back(_going(request.user))
            raise
        return Response(204, headers=[self._cookies.session.remove(), self._cookies.known.remove()])

    async def _prove(self, request: Request, password: str | None) -> None:
        """Raise `CredentialsRefused` where somebody who has a password here does not give it."""
        local, user = self._office.local, request.user
        if local is None or user.login is None or (await local.own.credentials(user)).password is None:
            return
        if password is None:
            raise CredentialsRefused("Give your password too: an open browser may be somebody else's.")
        await local.own.prove(user, password, visitor_of(request.scope, self._office.options))

    async def _refuse_held(self, user: User) -> None:
        """Raise `HeldByAdmin` where somebody would come back with more than they have, and `TooManyAttempts` where they
        go and come back again and again.
        """
        if user.login is not None:
            return
        budgets, own = await self._office.books.meter.budgets_of(user), f"user:{user.id}"
        has_spent = any(state.spent for state in budgets if state.scope == own)
        if has_spent or await self._office.identity.is_held(user):
            raise HeldByAdmin
        self._throttle.take(_going(user), GOING)

    async def _zipped(self, user: User) -> AsyncGenerator[bytes, None]:
        import zipfile  # noqa: PLC0415 - each start pays for imports, and this is asked for seldom

        out = _Pieces()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("account.json", _encode(await self._account(user)))
            archive.writestr("keys.json", _encode(await self._keys(user.id)))
            archive.writestr("usage.json", _encode(await self._usage(user.id)))
            with archive.open("conversations.jsonl", "w", force_zip64=True) as lines:
                write_line(lines, Head.of(self._office.options.version, {user.id: user.email or ""}))
                conversations = messages = 0
                async for record in self._archive.export_conversations(user.id, left_out=_note_left_out):
                    # In a thread: a long conversation takes long to press.
                    await asyncio.to_thread(write_line, lines, Line(record=record))
                    conversations, messages = conversations + 1, messages + len(record.messages)
                    if piece := out.taken():
                        yield piece
                write_line(lines, End(conversations=conversations, messages=messages))
        yield out.taken()

    async def _account(self, user: User) -> ExportedAccount:
        people = self._office.people
        has = Credentials() if user.login is None else await people.credentials.get_credentials(user.id)
        sessions = await people.accounts.list_sessions(user.id, now=self._office.clock())
        names = {group.id: group.name for group in await people.groups.list_groups()}
        return ExportedAccount(
            id=user.id,
            login=user.login,
            email=user.email,
            name=user.name,
            role=user.role,
            groups=tuple(names.get(group, "(removed)") for group in user.groups),
            claimed=user.claimed,
            instructions=(await people.preferences.get_preferences(user.id)).instructions,
            created=user.created,
            last_seen=user.last_seen,
            password_changed=None if has.password is None else has.password.changed,
            totp_since=None if has.totp is None else has.totp.confirmed,
            passkeys=tuple(
                ExportedPasskey(name=each.name, created=each.created, last_used=each.last_used) for each in has.passkeys
            ),
            sessions=tuple(
                ExportedSession(created=each.created, last_seen=each.last_seen, address=each.address, agent=each.agent)
                for each in sessions
            ),
        )

    async def _keys(self, user: str) -> list[ExportedKey]:
        names = ExportedKey.__struct_fields__
        keys = await self._office.books.keys.list_keys(user)
        return [ExportedKey(**{name: getattr(key, name) for name in names}) for key in keys]

    async def _usage(self, user: str) -> object:
        now = self._office.books.clock()
        query = UsageQuery(since=now - USAGE_DAYS * _DAY_MS, until=now + _DAY_MS, user=user)
        return await self._office.books.ledger.usage(query)


def _going(user: User) -> str:
    return digest(f"{user.issuer} {user.subject}")


def _note_left_out(reason: str) -> None:
    _log.error("left out of an export: %s", reason)


class _Pieces(io.RawIOBase):
    """What is written is taken away in pieces; nothing can go back in it, as a ZIP that is streamed need not."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: "bytes | bytearray | memoryview") -> int:  # type: ignore[override] # as zipfile calls it
        self._written += piece
        return len(piece)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        piece = bytes(self._written)
        self._written.clear()
        return piece


def _has_body(request: Request) -> bool:
    """Whether a request brings anything: a password is asked for in words where it is missing."""
    length = request.header(b"content-length")
    return request.header(b"transfer-encoding") is not None or length not in {None, "0"}
