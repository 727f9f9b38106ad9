"""Whom a ledger has forgotten: their last calls may end after that, and must not say again whose they were."""

import msgspec

from daehwa.accounts.ledger import Entry
from daehwa.conversation.ids import new_id, now_ms


class Forgotten:
    """The users that this process has forgotten, each with the number that is nobody's under which their calls stand.
    What ends in another process (a command deletes people too) keeps its user's id, which is a random number but for
    the owner of a server without sign-in.
    """

    def __init__(self) -> None:
        self._nobodies: dict[str, tuple[str, int]] = {}

    def add(self, user: str) -> str:
        """Note a user, and return their number."""
        nobody = new_id()
        self._nobodies[user] = nobody, now_ms()
        return nobody

    def unnamed(self, entry: Entry) -> Entry:
        """Return an entry without whose it was, where it was made before its user was forgotten. Whoever has their id
        after that, as the owner of a server without sign-in, is somebody else.
        """
        nobody, forgotten = self._nobodies.get(entry.user, ("", -1))
        if entry.created > forgotten:
            return entry
        return msgspec.structs.replace(entry, user=nobody, conversation=None)
