"""What accounts need of the world, as protocols that they own. The docstrings here are the contract.

One contract suite holds every implementation to them: `tests/stores/test_contract_accounts.py` and
`tests/stores/test_contract_budgets.py`.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from daehwa.accounts.people import Profile, Role, Session, SignInAttempt, User


class AccountStore(Protocol):
    """Where people and their sign-ins are kept. Any method raises `StoreError` when the store cannot do its work.

    What has expired by `now` (ms) behaves as if it were not there, whether or not it has been removed.
    """

    async def sign_in(self, profile: Profile, *, role: Role | None, now: int) -> User:
        """Return the user of this issuer and subject, made if new; e-mail, name and `last_seen` are brought up to date.

        `role` is given to a new user ("member" where None); for a known one None leaves the role as it is. Safe
        when the same person signs in twice at once: one user.
        """
        ...

    async def get_user(self, user: str) -> User | None:
        """Return a user by id."""
        ...

    async def list_users(self) -> tuple[User, ...]:
        """Return all users, by creation and then id."""
        ...

    async def save_session(self, session: Session) -> None:
        """Keep a session; the same id again replaces it."""
        ...

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        """Return a session that has not expired, and its user."""
        ...

    async def delete_session(self, session: str) -> None:
        """End a session at once. Missing: no-op."""
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


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in micro-dollars for one scope ("all", "user:…", "key:…", "group:…") in one period.

    `period` is a day ("2026-11-22"), a month ("2026-11") or "total", in UTC.
    """

    scope: str
    period: str
    limit: int


class BudgetStore(Protocol):
    """Counters of money, in whole micro-dollars. Any method raises `StoreError` when the store cannot do its work."""

    async def reserve(self, reservation: str, budgets: Sequence[Budget], amount: int, *, now: int) -> None:
        """Count `amount` (≥ 0) against every budget, or against none of them and raise `BudgetExceeded`.

        Holds under concurrency: what is counted never passes a limit by a reservation. Idempotent by the id of the
        reservation. A reservation that is never settled stays counted: that fails on the safe side.
        """
        ...

    async def settle(self, reservation: str, amount: int, *, now: int) -> None:
        """Put what was really spent (≥ 0, perhaps more than reserved) in place of what was reserved. Only the first
        time counts; a reservation that is not there is passed over.
        """
        ...

    async def spent(self, scope: str, period: str) -> int:
        """Return what is counted, reservations included; 0 where nothing was."""
        ...
