"""The people of this machine's accounts, for the terminal; a server may be running on the same file."""

from typing import Literal, Self

import msgspec

from daehwa.accounts.audit import TERMINAL, FactValue, NewEvent
from daehwa.accounts.people import LOCAL_ISSUER, Role, User, UserChanges, folded_login
from daehwa.accounts.people_changes import loses_admin
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER
from daehwa.services.opened_store import open_store
from daehwa.sign_in.links import LinkMaker, MadeLink, void_made_by, without_second_factor
from daehwa.sign_in.passwords import Passwords
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people

__all__ = ["MadeLink", "People", "Role", "User"]


class KnownPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, as the terminal shows them. Times are milliseconds since 1970."""

    id: str
    login: str | None
    email: str | None
    name: str
    role: Role
    groups: tuple[str, ...]
    door: Literal["local", "oidc"]
    totp: bool
    passkeys: int
    sessions: int
    last_seen: int
    disabled: int | None


class People:
    """Who is known here, and what is done about them. Each act is in the audit log, as the terminal's."""

    def __init__(self, people: PeopleStores, store: SqliteStore) -> None:
        self._people = people
        self._store = store

    @classmethod
    async def open(cls, folder: DataFolder) -> Self:
        """Open the store of this machine."""
        store = await open_store(folder)
        return cls(sqlite_people(store, first_admin=OWNER), store)

    async def all(self) -> tuple[User, ...]:
        """Return everybody, whoever came first at the beginning."""
        return await self._people.accounts.list_users()

    async def shown(self) -> tuple[KnownPerson, ...]:
        """Return everybody with what they sign in with."""
        groups = {group.id: group.name for group in await self._people.groups.list_groups()}
        return tuple([await self._shown(user, groups) for user in await self.all()])

    async def invite(self, *, email: str | None, role: Role, groups: tuple[str, ...], public_url: str) -> MadeLink:
        """Make an invitation. Raise `InvalidRequest`."""
        maker = LinkMaker(self._people.links, public_url)
        made = await maker.invite(email=email, role=role, groups=groups, made_by=None, now=now_ms())
        await self._note("link.made", kind="invite", role=role)
        return made

    async def group_ids(self) -> dict[str, str]:
        """Return the ids of groups by their names, folded as logins are."""
        return {folded_login(group.name): group.id for group in await self._people.groups.list_groups()}

    async def reset(self, user: User, *, public_url: str, second_factor: bool) -> MadeLink:
        """Make a link for a new password; with `second_factor`, whoever lost their app and passkeys has none any
        more, and the password of before opens nothing.

        Raise `InvalidRequest`.
        """
        made = await LinkMaker(self._people.links, public_url).reset(user, made_by=None, now=now_ms())
        if second_factor:
            passwords = Passwords()
            await without_second_factor(self._people.credentials, passwords, user.id, now=now_ms())
            await passwords.aclose()
        await self._note("link.made", user, kind="reset", second_factor=second_factor)
        return made

    async def disable(self, user: User) -> None:
        """Let somebody in no more: their sessions end and their keys open nothing. Raise `LastAdmin`."""
        changed = await self._people.accounts.change_user(user.id, UserChanges(disabled=now_ms()))
        await self._people.accounts.delete_sessions(user.id)
        await self._note("person.disabled", user)
        await self._void_links_of(user, changed)

    async def enable(self, user: User) -> None:
        """Let somebody in again."""
        await self._people.accounts.change_user(user.id, UserChanges(disabled=None))
        await self._note("person.enabled", user)

    async def set_role(self, user: User, role: Role) -> None:
        """Change somebody's role; their sessions end. Raise `LastAdmin`."""
        changed = await self._people.accounts.change_user(user.id, UserChanges(role=role))
        await self._people.accounts.delete_sessions(user.id)
        await self._note("person.role_changed", user, role=role)
        await self._void_links_of(user, changed)

    async def sign_out(self, user: User) -> int:
        """End all of somebody's sessions, and return how many."""
        ended = await self._people.accounts.delete_sessions(user.id)
        await self._note("session.ended", user, sessions=ended)
        return ended

    async def _void_links_of(self, before: User, now: User) -> None:
        if loses_admin(before, now):
            voided = await void_made_by(self._people.links, now.id, now=now_ms())
            if voided:
                await self._note("link.revoked", now, links=voided)

    async def aclose(self) -> None:
        """Finish and close."""
        await self._store.aclose()

    async def _shown(self, user: User, groups: dict[str, str]) -> KnownPerson:
        has = await self._people.credentials.get_credentials(user.id)
        return KnownPerson(
            id=user.id,
            login=user.login,
            email=user.email,
            name=user.name,
            role=user.role,
            groups=tuple(groups.get(group, "(removed)") for group in user.groups),
            door="local" if user.issuer == LOCAL_ISSUER else "oidc",
            totp=has.asks_for_code,
            passkeys=len(has.passkeys),
            sessions=len(await self._people.accounts.list_sessions(user.id, now=now_ms())),
            last_seen=user.last_seen,
            disabled=user.disabled,
        )

    async def _note(self, action: str, user: User | None = None, **details: FactValue) -> None:
        event = NewEvent(
            at=now_ms(),
            action=action,
            actor_name=TERMINAL,
            subject="" if user is None else user.id,
            details=dict(details),
        )
        await self._people.audit.append(event)
