"""What accounts need of the world, as protocols that they own. The docstrings here are the contract.

One contract suite holds every implementation to them: `tests/stores/test_contract_accounts.py` and
`tests/stores/test_contract_ledger.py`, `test_contract_keys.py` and `test_contract_rates.py`. What else is kept of
people (credentials, links, groups, the audit log, the installation) is in `people_ports`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from daehwa.accounts.keys import ApiKey
from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.people import NewUser, Profile, Role, Session, SignInAttempt, User, UserChanges


class AccountStore(Protocol):
    """Where people and their sign-ins are kept. Any method raises `StoreError` when the store cannot do its work.

    What has expired by `now` (ms) behaves as if it were not there, whether or not it has been removed.
    """

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),
        leaves: Collection[str] = (),
    ) -> User:
        """Return the user of this issuer and subject, made if new; e-mail, name, `claimed` and `last_seen` are brought
        up to date. A new user's id is one that nobody had before.

        `role` is given to a new user ("member" where None); for a known one None leaves the role as it is. They are put
        into the groups (ids) that they join, and taken out of those that they leave. Safe when the same person signs in
        twice at once: one user. Raise `AccountDisabled`; nothing is then changed.
        """
        ...

    async def add_user(self, new: NewUser, *, now: int) -> User:
        """Make a local account: its login is folded, and unique; its id is one that nobody had before. Raise
        `LoginTaken`, also for all but one at once.
        """
        ...

    async def find_user(self, login: str) -> User | None:
        """Return the local account of this login, folded or not; where there is none, the one local account that has
        this e-mail address. A disabled one too. Where people sign in by it, whether there is one does not show in how
        long it takes.
        """
        ...

    async def get_user(self, user: str) -> User | None:
        """Return a user by id, a disabled one too."""
        ...

    async def find_by_subject(self, issuer: str, subject: str) -> User | None:
        """Return who this issuer's subject is here, a disabled one too, without looking at all others."""
        ...

    async def list_users(self) -> tuple[User, ...]:
        """Return all users, by creation and then id."""
        ...

    async def change_user(self, user: str, changes: UserChanges) -> User:
        """Apply changes and return the result; who is disabled is signed out everywhere. Raise `UserNotFound`,
        `PersonLeaving` for whoever is leaving already, but to begin that anew, and `LastAdmin` where no enabled admin
        would be left: that holds when several are changed at once.
        """
        ...

    async def note_seen(self, user: str, *, now: int) -> None:
        """Remember when somebody signed in last. Missing: no-op."""
        ...

    async def save_session(self, session: Session) -> None:
        """Keep a session; the same id again replaces it. Of those of its user that are above `people.MOST_SESSIONS`,
        the ones end that would expire first, but never this one.
        """
        ...

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        """Return a session that has not expired, and its user; None where they are disabled."""
        ...

    async def list_sessions(self, user: str, *, now: int) -> tuple[Session, ...]:
        """Return a user's sessions that have not expired, the one begun last first."""
        ...

    async def touch_session(self, session: Session, *, now: int, address: str | None) -> None:
        """Remember that a session, as `get_session` gave it, is used, and from where. Written at most every
        `people.SEEN_EVERY_MS`; ended meanwhile: it stays ended.
        """
        ...

    async def delete_session(self, session: str) -> None:
        """End a session at once. Missing: no-op."""
        ...

    async def delete_sessions(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of a user at once, but this one, and return how many."""
        ...

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        """Keep a begun sign-in."""
        ...

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        """Return a begun sign-in and remove it in the same step: of several callers one gets it."""
        ...

    async def purge_expired(self, *, now: int) -> int:
        """Remove what has expired and return how many; 0 where the store does so by itself."""
        ...

    async def empty_user(self, user: str) -> None:
        """Remove the sessions and credentials of a user for good, without a trace, and do all else that takes long or
        may fail: only `remove_user` is left then, and `get_user` may say less of them than before. Again, or with
        nothing there: no-op.
        """
        ...

    async def remove_user(self, user: str) -> None:
        """Remove a user who was emptied, for good. Missing: no-op."""
        ...

    async def list_removed(self, *, before: int) -> tuple[str, ...]:
        """Return the ids of whom `remove_user` removed before this time (ms), until `drop_removed`: of those something
        may have been stored since, by another process that had let them in. Nobody where one process serves all.
        """
        ...

    async def drop_removed(self, user: str) -> None:
        """Note that nothing can have been stored of a removed user any more. Missing: no-op."""
        ...


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in micro-dollars for one scope ("all", "user:…", "key:…", "group:…") in one period.

    `period` is a day ("2026-11-22"), a month ("2026-11") or "total", in UTC.
    """

    scope: str
    period: str
    limit: int


class LedgerStore(Protocol):
    """Every call and what it cost, and counters of money in whole micro-dollars.

    Any method raises `StoreError` when the store cannot do its work. What is counted for a scope and period is always
    the sum of `counted` of the entries of that scope and period: a counter that is not there yet begins with that sum.
    All calls with a key are one person's.
    """

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        """Keep an open entry and count its `reserved` against every budget, or nothing and raise `BudgetExceeded`.

        Holds under concurrency: what is counted never passes a limit by a reservation. Idempotent by the entry's id and
        `created`: a store may keep the same id of another time as another entry. One that is never settled stays
        counted: that fails on the safe side. The budgets are of the entry's scopes and of periods that it was created
        in; what else counts this entry counts it too, whatever limit it has.
        """
        ...

    async def settle(self, entry: Entry) -> None:
        """Keep the settled entry in the open one's place, and correct the counters: those it was reserved against, and
        those of its scopes that exist. Without an open one it is added, and counted likewise. An entry that is settled
        already stays as it is. Who called, and for which conversation, is as it was when the entry was opened, and
        `created` the same.
        """
        ...

    async def spent(self, scope: str, period: str) -> int:
        """Return what is counted, reservations included; 0 where nothing was. The counter may begin by it: to be asked
        where there is a limit.
        """
        ...

    async def begin(self, budgets: Sequence[Budget]) -> None:
        """Begin the counters of these budgets, those that are not there yet."""
        ...

    async def counted(self, budgets: Sequence[Budget]) -> Mapping[Budget, int]:
        """Return what is counted against these budgets, all in one look and without reading an entry: one whose counter
        is not there yet may be left out.
        """
        ...

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """Return sums by day, user, key, model and kind, in that order."""
        ...

    async def forget(self, user: str) -> None:
        """Keep what a user's calls cost, so that every sum stays right, without anything that says whose they were: at
        most a random number that is nobody's any more. So it is with what is settled after that of calls before it.
        """
        ...


Settling: TypeAlias = Callable[[], asyncio.Task[None]]
"""Begins to settle an entry, and returns who does that."""


@runtime_checkable
class SettlesSoon(Protocol):
    """A ledger that can settle without anybody's waiting, so that nobody who leaves can come between."""

    def settle_soon(self, entry: Entry, otherwise: Settling) -> None:
        """Settle as `settle` does, within a turn of the loop and before whatever else is asked of this ledger; at once
        where nothing was reserved. Where that has to wait, nothing is done but what `otherwise` begins. Raise nothing.
        """
        ...


class KeyStore(Protocol):
    """Where keys are kept. Any method raises `StoreError` when the store cannot do its work."""

    async def add_key(self, key: ApiKey) -> None:
        """Keep a new key, and begin the counters of its own limits of money at 0: no later call has to sum up for them.

        Raise `IdTaken` where its id or digest is there already.
        """
        ...

    async def find_key(self, digest: str) -> ApiKey | None:
        """Return the key of this digest, revoked and expired ones too. Sees at once what another process wrote."""
        ...

    async def list_keys(self, user: str | None = None) -> tuple[ApiKey, ...]:
        """Return the keys of a user, or of all, newest first, revoked ones too."""
        ...

    async def revoke_key(self, key: str, *, user: str | None, now: int) -> ApiKey:
        """Revoke a key for good and return it; again: no change. Raise `KeyNotFound`, also where it is not `user`'s."""
        ...

    async def note_key_used(self, key: str, *, now: int) -> None:
        """Remember when the key was last used. Missing: no-op."""
        ...

    async def forget(self, user: str) -> None:
        """Remove a user's keys for good, revoked ones too: from now on they open nothing."""
        ...


class RateTaken(msgspec.Struct, frozen=True):
    """How much the minute has left. `wait`: it had no room; so many seconds remain of it."""

    left: int
    wait: float | None = None


class RateStore(Protocol):
    """Counts what happens in a minute. Any method raises `StoreError` when the store cannot do its work."""

    async def take(self, scope: str, amount: int, limit: int, *, now: int) -> RateTaken:
        """Count `amount` for `scope` if no more than `limit` is then counted in this minute, and say what is left of
        it; where it is not counted, after how many seconds it may be tried again. An `amount` above `limit` counts
        where it is alone.
        """
        ...

    async def adjust(self, scope: str, difference: int, *, now: int) -> None:
        """Correct the count of the minute of `now`, once it is known how much it really was; never below 0. A minute
        that is over is let be.
        """
        ...
