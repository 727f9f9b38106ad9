"""Deleting a person: all that is theirs, in every store, so that no trace is left.

How this works and why. The stores share no transaction, so a person first stops being let in (`leaving`), which is one
step and refuses the last admin; then each store forgets them, and the person's own row goes last. Whatever breaks off
in between is gone on with by `resume`, since until the end the row says that they are leaving. That they are deleted is
written into the audit log, without their name and once, when nothing but the row is left: what may still fail must not
be told as done, and a deletion that nobody wrote down is one that has not ended.

Where several processes serve, another one may have let them in just before, and store what they asked after all that:
so who is gone is looked for once more (`sweep`), when no request from before can be under way.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

import msgspec

from daehwa.accounts.audit import DELETED, NewEvent
from daehwa.accounts.people import User, UserChanges
from daehwa.accounts.people_ports import Owned, PeopleStores
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms

_T = TypeVar("_T")


class Erasure:
    """Deletes people. `owned` is all else that keeps something of theirs: conversations, keys, answers, the ledger."""

    def __init__(self, people: PeopleStores, owned: Sequence[Owned], *, clock: Callable[[], int] = now_ms) -> None:
        self._people = people
        self._owned = tuple(owned)
        self._clock = clock

    def telling_first(self, owned: Owned) -> "Erasure":
        """Return what deletes people likewise, and tells this one before all others."""
        return Erasure(self._people, (owned, *self._owned), clock=self._clock)

    async def erase(self, user: str, *, act: NewEvent | None = None) -> None:
        """Delete a person and all that is theirs. Raise `LastAdmin`. Somebody who is not among the people (the owner of
        a server without sign-in) loses all that is theirs likewise. Again: no-op.

        `act` is what is written down of it, where it was somebody else's; else it was done by nobody any more.
        """
        now = self._clock()
        known = await self._people.accounts.get_user(user)
        if known is not None:
            known = await self._people.accounts.change_user(user, UserChanges(disabled=now, leaving=now))
        await self._finish(user, known, act or NewEvent(at=now, action=DELETED, subject=user))

    async def resume(self, *, before: int | None = None) -> int:
        """Go on with what was broken off; return how many people are gone by it. `before`: only with what began then,
        since somebody may be at work on the rest. Where it fails for one, the others go, and then it raises.
        """
        people = await self._people.accounts.list_users()
        leaving = [user for user in people if user.leaving is not None and (before is None or user.leaving < before)]
        return await _each(leaving, self._resumed)

    async def sweep(self, *, before: int) -> int:
        """Remove what was stored of people after they were deleted, of those who were before this time; return how many
        these are. Otherwise as `resume`.
        """
        return await _each(await self._people.accounts.list_removed(before=before), self._swept)

    async def _resumed(self, user: User) -> None:
        act = NewEvent(at=self._clock(), action=DELETED, subject=user.id, details={"resumed": True})
        await self._finish(user.id, user, act)

    async def _swept(self, user: str) -> None:
        await self._forget(user)
        await self._people.accounts.drop_removed(user)

    async def _forget(self, user: str, words: Collection[str] = ()) -> None:
        for store in self._owned:
            await store.forget(user)
        await self._people.links.forget(user)
        await self._people.preferences.forget(user)
        await self._people.audit.forget(user, words)
        await self._people.accounts.empty_user(user)

    async def _finish(self, user: str, known: User | None, act: NewEvent) -> None:
        await self._forget(user, () if known is None else _words(known))
        if known is not None:
            # Now, not when it began: all that may last minutes, and the log is read by its times.
            await self._people.audit.append_once(msgspec.structs.replace(act, at=self._clock()))
        await self._people.accounts.remove_user(user)


async def _each(people: Iterable[_T], act: Callable[[_T], Awaitable[None]]) -> int:
    """Do it for each, and raise what failed last when it was tried for all; return how many they are."""
    fault: DaehwaError | None = None
    done = 0
    for person in people:
        try:
            await act(person)
        except DaehwaError as error:
            fault = error
        done += 1
    if fault is not None:
        raise fault
    return done


def _words(user: User) -> frozenset[str]:
    """Return what a person may be named by in the details of an event."""
    return frozenset(word.casefold() for word in (user.login, user.email) if word)
