"""Deleting a person: all that is theirs, in every store, so that no trace is left.

How this works and why. The stores share no transaction, so a person first stops being let in (`leaving`), which is one
step and refuses the last admin; then each store forgets them, and the person's own row goes last. Whatever breaks off
in between is gone on with by `resume`, since until the end the row says that they are leaving. Whoever writes
"deleted" into the audit log does so afterwards, without a name.
"""

from collections.abc import Sequence

from daehwa.accounts.people import User, UserChanges
from daehwa.accounts.people_ports import Owned, PeopleStores


class Erasure:
    """Deletes people. `owned` is all else that keeps something of theirs: conversations, keys, answers, the ledger."""

    def __init__(self, people: PeopleStores, owned: Sequence[Owned]) -> None:
        self._people = people
        self._owned = tuple(owned)

    async def erase(self, user: str, *, now: int) -> None:
        """Delete a person and all that is theirs. Raise `LastAdmin`. Somebody who is not among the people (the owner of
        a server without sign-in) loses all that is theirs likewise. Again: no-op.
        """
        known = await self._people.accounts.get_user(user)
        if known is not None:
            known = await self._people.accounts.change_user(user, UserChanges(disabled=now, leaving=now))
        await self._finish(user, known)

    async def resume(self) -> int:
        """Go on with what was broken off; return how many people are gone by it."""
        leaving = [user for user in await self._people.accounts.list_users() if user.leaving is not None]
        for user in leaving:
            await self._finish(user.id, user)
        return len(leaving)

    async def _finish(self, user: str, known: User | None) -> None:
        for store in self._owned:
            await store.forget(user)
        await self._people.links.forget(user)
        await self._people.audit.forget(user, () if known is None else _words(known))
        await self._people.accounts.forget(user)


def _words(user: User) -> frozenset[str]:
    """Return what a person may be named by in the details of an event."""
    return frozenset(word.casefold() for word in (user.login, user.email) if word)
