"""Accounts in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import Callable, Collection

import msgspec

from daehwa.accounts.errors import AccountDisabled, LastAdmin, LoginTaken, UserNotFound
from daehwa.accounts.people import (
    LOCAL_ISSUER,
    MOST_SESSIONS,
    SEEN_EVERY_MS,
    NewUser,
    Profile,
    Role,
    Session,
    SignInAttempt,
    User,
    UserChanges,
    folded_login,
)
from daehwa.accounts.people_changes import changed_person, loses_admin, moved
from daehwa.conversation.ids import new_id
from daehwa.stores.records import storable


class MemoryAccounts:
    """An `AccountStore` that keeps everything in dictionaries. No method awaits, so each is one transaction.

    `forgets` are told of each user who is emptied, by what else keeps something of people.
    """

    def __init__(self) -> None:
        self._users: dict[tuple[str, str], User] = {}
        self._sessions: dict[str, Session] = {}
        self._attempts: dict[str, SignInAttempt] = {}
        self.forgets: list[Callable[[str], None]] = []

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),
        leaves: Collection[str] = (),
    ) -> User:
        profile = storable(profile)
        person = (profile.issuer, profile.subject)
        known = self._users.get(person) or User(
            id=new_id(), issuer=profile.issuer, subject=profile.subject, created=now
        )
        if known.disabled is not None:
            raise AccountDisabled
        self._users[person] = msgspec.structs.replace(
            known,
            email=profile.email,
            name=profile.name,
            role=role or known.role,
            groups=moved(known.groups, joins, leaves),
            claimed=profile.claimed,
            last_seen=now,
        )
        return self._users[person]

    async def add_user(self, new: NewUser, *, now: int) -> User:
        new = storable(new)
        login = folded_login(new.login)
        if (LOCAL_ISSUER, login) in self._users:
            raise LoginTaken
        user = User(
            id=new_id(),
            issuer=LOCAL_ISSUER,
            subject=login,
            email=new.email,
            name=new.name,
            role=new.role,
            groups=new.groups,
            created=now,
        )
        self._users[LOCAL_ISSUER, login] = user
        return user

    async def find_user(self, login: str) -> User | None:
        login = folded_login(storable(login))
        local = (user for user in self._users.values() if user.login is not None and user.email is not None)
        found = [user for user in local if folded_login(user.email or "") == login]
        return self._users.get((LOCAL_ISSUER, login)) or (found[0] if len(found) == 1 else None)

    async def get_user(self, user: str) -> User | None:
        return self._user(user)

    async def find_by_subject(self, issuer: str, subject: str) -> User | None:
        return self._users.get((issuer, storable(subject)))

    async def list_users(self) -> tuple[User, ...]:
        return tuple(sorted(self._users.values(), key=lambda user: (user.created, user.id)))

    async def change_user(self, user: str, changes: UserChanges) -> User:
        known = self._user(user)
        if known is None:
            raise UserNotFound
        changed = storable(changed_person(known, changes))
        others = (other for other in self._users.values() if other.id != user)
        if loses_admin(known, changed) and not any(other.is_enabled_admin for other in others):
            raise LastAdmin
        self._users[known.issuer, known.subject] = changed
        if changed.disabled is not None:
            await self.delete_sessions(user)
        return changed

    async def note_seen(self, user: str, *, now: int) -> None:
        if (known := self._user(user)) is not None:
            self._users[known.issuer, known.subject] = msgspec.structs.replace(known, last_seen=now)

    async def save_session(self, session: Session) -> None:
        self._sessions[session.id] = storable(session)
        mine = [each for each in self._sessions.values() if each.user == session.user and each.id != session.id]
        mine.sort(key=lambda each: each.expires, reverse=True)
        for each in mine[MOST_SESSIONS - 1 :]:
            del self._sessions[each.id]

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        found = self._sessions.get(session)
        if found is None or found.expires <= now:
            return None
        user = self._user(found.user)
        return None if user is None or user.disabled is not None else (found, user)

    async def list_sessions(self, user: str, *, now: int) -> tuple[Session, ...]:
        found = (session for session in self._sessions.values() if session.user == user and session.expires > now)
        return tuple(sorted(found, key=lambda session: (session.created, session.id), reverse=True))

    async def touch_session(self, session: Session, *, now: int, address: str | None) -> None:
        if session.id in self._sessions and now - session.last_seen >= SEEN_EVERY_MS:
            known = self._sessions[session.id]
            self._sessions[session.id] = msgspec.structs.replace(known, last_seen=now, address=address)

    async def delete_session(self, session: str) -> None:
        self._sessions.pop(session, None)

    async def delete_sessions(self, user: str, *, but: str | None = None) -> int:
        gone = [name for name, session in self._sessions.items() if session.user == user and name != but]
        for name in gone:
            del self._sessions[name]
        return len(gone)

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        self._attempts[attempt.id] = attempt

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        taken = self._attempts.pop(attempt, None)
        return None if taken is None or taken.expires <= now else taken

    async def purge_expired(self, *, now: int) -> int:
        before = len(self._sessions) + len(self._attempts)
        self._sessions = {key: session for key, session in self._sessions.items() if session.expires > now}
        self._attempts = {key: attempt for key, attempt in self._attempts.items() if attempt.expires > now}
        return before - len(self._sessions) - len(self._attempts)

    async def empty_user(self, user: str) -> None:
        await self.delete_sessions(user)
        for forget in self.forgets:
            forget(user)

    async def remove_user(self, user: str) -> None:
        self._users = {person: known for person, known in self._users.items() if known.id != user}

    async def list_removed(self, *, before: int) -> tuple[str, ...]:  # noqa: ARG002 - one process serves all
        return ()

    async def drop_removed(self, user: str) -> None:
        pass

    def _user(self, user: str) -> User | None:
        return next((known for known in self._users.values() if known.id == user), None)
