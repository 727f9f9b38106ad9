"""What a home does not do yet."""
# ruff: noqa: D102, ARG002 - what the methods do is written once, on the protocol

from typing import Never

from daehwa.accounts.people import NewUser, Session, User, UserChanges
from daehwa.conversation.errors import StoreError


class LocalAccountsUnbuilt:
    """Methods of an `AccountStore` that local accounts need."""

    async def add_user(self, new: NewUser, *, now: int) -> User:
        _refuse()

    async def find_user(self, login: str) -> User | None:
        _refuse()

    async def change_user(self, user: str, changes: UserChanges) -> User:
        _refuse()

    async def note_seen(self, user: str, *, now: int) -> None:
        _refuse()

    async def list_sessions(self, user: str, *, now: int) -> tuple[Session, ...]:
        _refuse()

    async def touch_session(self, session: Session, *, now: int, address: str | None) -> None:
        _refuse()

    async def delete_sessions(self, user: str, *, but: str | None = None) -> int:
        _refuse()

    async def forget(self, user: str) -> None:
        _refuse()


def _refuse() -> Never:
    raise StoreError("Local accounts cannot be kept here yet.")
