"""A stretch of a conversation, read from the database: each message is found by an index, however many there are."""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3

import msgspec

from daehwa.conversation.errors import Unreadable
from daehwa.conversation.messages import Message
from daehwa.conversation.stretch import Node, Stretch, StretchWish, UsageTotal, path_of, total_of
from daehwa.stores.ordering import in_tree_order
from daehwa.stores.records import decode_usages, legible_usage
from daehwa.stores.sqlite_rows import MESSAGE, MESSAGES, conversation_of, message_of, owned_conversation

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE conversation = ? LIMIT ?)"
_NODE = "SELECT id, parent, role, created FROM messages WHERE id = ? AND conversation = ?"
_NEWEST_CHILD = """
SELECT id, parent, role, created FROM messages WHERE conversation = ? AND parent IS ?
ORDER BY created DESC, id DESC LIMIT 1
"""
_ALL = f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.conversation = ?"
_FIRST = f"{_ALL} AND m.parent IS NULL"
_BELOW = f"{_ALL} AND m.parent IN (SELECT value FROM json_each(?))"
_USAGES = "SELECT group_concat(usage) FROM messages WHERE conversation = ? AND usage IS NOT NULL"
_EACH_USAGE = "SELECT usage FROM messages WHERE conversation = ?"


class _Tree:
    """A conversation's tree, of which single rows are read."""

    def __init__(self, database: sqlite3.Connection, conversation: int) -> None:
        self._database = database
        self._conversation = conversation

    def node(self, message: str) -> Node | None:
        row = self._database.execute(_NODE, (message, self._conversation)).fetchone()
        return None if row is None else Node(*row)

    def newest_child(self, message: str | None) -> Node | None:
        row = self._database.execute(_NEWEST_CHILD, (self._conversation, message)).fetchone()
        return None if row is None else Node(*row)


def read_stretch(database: sqlite3.Connection, owner: str, conversation: str, wish: StretchWish) -> Stretch:
    """Return a stretch of a conversation as of one moment."""
    database.execute("BEGIN")
    try:
        row = owned_conversation(database, owner, conversation)
        value, number = conversation_of(row), row[-1]
        total = _total(database, number) if wish.total else None
        (count,) = database.execute(_COUNT, (number, wish.limit + 1)).fetchone()
        is_whole = count <= wish.limit
        if is_whole:
            messages = list(map(message_of, database.execute(_ALL, (number,))))
        else:
            path = path_of(_Tree(database, number), value.leaf, wish)
            messages = _with_siblings(database, number, path)
    finally:
        database.execute("ROLLBACK")
    return Stretch(value, in_tree_order(messages), whole=is_whole, total=total)


def _total(database: sqlite3.Connection, conversation: int) -> UsageTotal:
    (usages,) = database.execute(_USAGES, (conversation,)).fetchone()
    try:
        return total_of(decode_usages(usages))
    except Unreadable:  # a message that is not shown keeps no other from being shown; one that is shown is named
        return total_of(legible_usage(usage) for (usage,) in database.execute(_EACH_USAGE, (conversation,)))


def _with_siblings(database: sqlite3.Connection, conversation: int, path: list[Node]) -> list[Message]:
    parents = {node.parent for node in path}
    below = msgspec.json.encode([parent for parent in parents if parent is not None]).decode()
    rows = list(database.execute(_BELOW, (conversation, below)))
    if None in parents:
        rows += database.execute(_FIRST, (conversation,))
    return list(map(message_of, rows))
