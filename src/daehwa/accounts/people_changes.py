"""The rules of changes to people, pure."""

from collections.abc import Collection

from msgspec import UNSET

from daehwa.accounts.errors import PersonLeaving
from daehwa.accounts.people import User, UserChanges


def changed_person(known: User, changes: UserChanges) -> User:
    """Return a person with these changes. Whoever is being deleted is changed no more, so that nothing lets them in
    again: raise `PersonLeaving`.
    """
    if known.leaving is not None and changes.leaving is UNSET:
        raise PersonLeaving
    return changes.of(known)


def moved(groups: Collection[str], joins: Collection[str], leaves: Collection[str]) -> tuple[str, ...]:
    """Return groups without those that somebody leaves and with those that they join, each once."""
    stays = [group for group in groups if group not in leaves or group in joins]
    return tuple(dict.fromkeys((*stays, *joins)))


def loses_admin(before: User, after: User) -> bool:
    """Whether a change takes away an admin who could come in."""
    return before.is_enabled_admin and not after.is_enabled_admin


def counts_up(before: int, now: int) -> bool:
    """Whether an authenticator's count of signatures goes up as it should; one that counts nothing always says 0."""
    return now > before or (now == 0 and before == 0)
