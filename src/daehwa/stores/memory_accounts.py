"""Accounts in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import msgspec

from daehwa.accounts.people import Profile, Role, Session, SignInAttempt, User
from daehwa.conversation.ids import new_id
from daehwa.stores.records import storable


class MemoryAccounts:
    """An `AccountStore` that keeps everything in dictionaries. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, str], User] = {}
        self._sessions: dict[str, Session] = {}
        self._attempts: dict[str, SignInAttempt] = {}

    async def sign_in(self, profile: Profile, *, role: Role | None, now: int) -> User:
        profile = storable(profile)
        person = (profile.issuer, profile.subject)
        known = self._users.get(person) or User(
            id=new_id(), issuer=profile.issuer, subject=profile.subject, created=now
        )
        self._users[person] = msgspec.structs.replace(
            known, email=profile.email, name=profile.name, role=role or known.role, last_seen=now
        )
        return self._users[person]

    async def get_user(self, user: str) -> User | None:
        return next((known for known in self._users.values() if known.id == user), None)

    async def list_users(self) -> tuple[User, ...]:
        return tuple(sorted(self._users.values(), key=lambda user: (user.created, user.id)))

    async def save_session(self, session: Session) -> None:
        self._sessions[session.id] = session

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        found = self._sessions.get(session)
        if found is None or found.expires <= now:
            return None
        user = await self.get_user(found.user)
        return None if user is None else (found, user)

    async def delete_session(self, session: str) -> None:
        self._sessions.pop(session, None)

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
