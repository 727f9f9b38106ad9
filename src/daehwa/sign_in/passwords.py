"""Passwords, hashed by argon2id in threads of their own: a few at once, so that no crowd takes all memory or all cores.

The library is imported by the first who needs it: a server without accounts starts and stays without it.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from daehwa.sign_in.errors import TooManyAttempts
from daehwa.sign_in.tokens import new_token

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from argon2 import PasswordHasher

T = TypeVar("T")


class HashCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one hash costs: passes over so much memory. The figures are in docs/decisions/0027-local-accounts.md."""

    passes: int = 3
    memory_kib: int = 32 * 1024
    lanes: int = 1


class Checked(msgspec.Struct, frozen=True):
    """Whether a password was right; `newer` is its hash at today's cost, where the kept one has another."""

    is_right: bool
    newer: str | None = None


class Passwords:
    """Hashes and checks, never on the event loop."""

    AT_ONCE = 2
    MOST_WAITING = 32
    """So many may wait for a thread; whoever comes then is told to come again."""

    def __init__(self, cost: HashCost | None = None) -> None:
        self._cost = cost or HashCost()
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """Return what is kept of a password, which has been normalized."""
        return await self._run(lambda: self._hasher().hash(password))

    async def check(self, kept: str | None, password: str) -> Checked:
        """Check a password. None, where nobody has such a name, takes as long and is never right."""
        return await self._run(lambda: self._checked(kept, password))

    async def aclose(self) -> None:
        """Let go of the threads."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # noqa: PLC0415 - see above

        cost = self._cost
        return PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)

    def _checked(self, kept: str | None, password: str) -> Checked:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - see above

        hasher = self._hasher()
        if kept is None:
            if self._nobodys is None:
                self._nobodys = hasher.hash(new_token())
            kept, password = self._nobodys, ""
        try:
            hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return Checked(is_right=False)
        return Checked(is_right=True, newer=hasher.hash(password) if hasher.check_needs_rehash(kept) else None)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self.MOST_WAITING:
            raise TooManyAttempts(5)
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            self._threads = ThreadPoolExecutor(self.AT_ONCE, thread_name_prefix="passwords")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
