"""Conversations in the database: listing, changing, deleting, and removing for good."""
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3

import msgspec

from daehwa.conversation.errors import MessageNotFound
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Conversation, Message, TitleSource, Usage
from daehwa.conversation.ports import ConversationChanges, ConversationPage
from daehwa.stores.ordering import ListPosition, encode_cursor, in_tree_order, position_in_list
from daehwa.stores.records import added, encode_value, legible_text_of, legible_usage, storable
from daehwa.stores.search_text import folded
from daehwa.stores.sqlite_images import purge_images
from daehwa.stores.sqlite_index import change_title, unindex_text, unindex_title
from daehwa.stores.sqlite_rows import CONVERSATION, MESSAGE, MESSAGES, conversation_of, message_of, owned_conversation

BEING_PURGED = 0
"""`deleted` of a conversation whose messages are going: it cannot be restored, and a next purge goes on with it."""
_MESSAGES_PURGED_AT_ONCE = 200
_FIRST_POSITION = ListPosition(pinned=True, updated=2**62, id="")


def get_conversation(
    database: sqlite3.Connection, owner: str, conversation: str
) -> tuple[Conversation, tuple[Message, ...]]:
    """Return a conversation with its messages, both as of one moment."""
    database.execute("BEGIN")
    try:
        row = owned_conversation(database, owner, conversation)
        rows = database.execute(f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.conversation = ?", (row[-1],))
        messages = list(map(message_of, rows))  # one row at a time: thousands kept together make the collector run
    finally:
        database.execute("ROLLBACK")
    return conversation_of(row), in_tree_order(messages)


def list_conversations(
    database: sqlite3.Connection, owner: str, *, archived: bool, start: ListPosition | None, limit: int
) -> ConversationPage:
    """Return the page that begins after a position."""
    start = start or _FIRST_POSITION
    rows = database.execute(
        f"SELECT {CONVERSATION} FROM conversations c WHERE c.owner = ? AND c.archived = ? AND c.deleted IS NULL "
        "AND (c.pinned, c.updated, c.id) < (?, ?, ?) ORDER BY c.pinned DESC, c.updated DESC, c.id DESC LIMIT ?",
        (owner, archived, start.pinned, start.updated, start.id, limit + 1),
    ).fetchall()
    page = tuple(map(conversation_of, rows[:limit]))
    return ConversationPage(page, encode_cursor(position_in_list(page[-1])) if len(rows) > limit else None)


def change_conversation(
    database: sqlite3.Connection, owner: str, conversation: str, changes: ConversationChanges
) -> Conversation:
    """Apply changes and return the result."""
    row = owned_conversation(database, owner, conversation)
    if changes.leaf is not None and not _is_message_of(database, changes.leaf, row[-1]):
        raise MessageNotFound("leaf")
    given = {name: value for name, value in msgspec.structs.asdict(storable(changes)).items() if value is not None}
    if "title" in given:
        change_title(database, row[-1], row[2], given["title"])
        given |= {"title_source": "user", "title_folded": folded(given["title"])}
    if given:
        assignments = ", ".join(f"{name} = ?" for name in given)
        database.execute(f"UPDATE conversations SET {assignments} WHERE seq = ?", (*given.values(), row[-1]))
    return conversation_of(owned_conversation(database, owner, conversation))


def _is_message_of(database: sqlite3.Connection, message: str, conversation: int) -> bool:
    found = database.execute("SELECT 1 FROM messages WHERE id = ? AND conversation = ?", (message, conversation))
    return found.fetchone() is not None


def title_usage(database: sqlite3.Connection, owner: str, conversation: str) -> Usage | None:
    """Return what a conversation's titles took; None where that was damaged, which keeps nobody from opening it."""
    seq = owned_conversation(database, owner, conversation)[-1]
    (usage,) = database.execute("SELECT title_usage FROM conversations WHERE seq = ?", (seq,)).fetchone()
    return legible_usage(usage)


def set_title(
    database: sqlite3.Connection, conversation: str, title: str, source: TitleSource, usage: Usage | None
) -> bool:
    """Give a title that a model made, unless it comes too late; keep its cost."""
    row = database.execute(
        "SELECT seq, title, title_usage, deleted IS NULL AND title_source <> 'user' FROM conversations WHERE id = ?",
        (conversation,),
    ).fetchone()
    if row is None:
        return False
    seq, before, spent, is_welcome = row
    if usage is not None:
        total = encode_value(added(legible_usage(spent), usage))
        database.execute("UPDATE conversations SET title_usage = ? WHERE seq = ?", (total, seq))
    if is_welcome:
        title = storable(title)
        change_title(database, seq, before, title)
        database.execute(
            "UPDATE conversations SET title = ?, title_folded = ?, title_source = ? WHERE seq = ?",
            (title, folded(title), source, seq),
        )
    return bool(is_welcome)


def delete_conversation(database: sqlite3.Connection, owner: str, conversation: str) -> None:
    """Hide a conversation until it is restored or purged."""
    seq = owned_conversation(database, owner, conversation)[-1]
    database.execute("UPDATE conversations SET deleted = ? WHERE seq = ?", (now_ms(), seq))
    database.execute("UPDATE messages SET stop_requested = 1 WHERE conversation = ? AND status = 'streaming'", (seq,))


def restore_conversation(database: sqlite3.Connection, owner: str, conversation: str) -> Conversation:
    """Show a deleted conversation again."""
    database.execute(
        "UPDATE conversations SET deleted = NULL WHERE id = ? AND owner = ? AND deleted <> ?",
        (conversation, owner, BEING_PURGED),
    )
    return conversation_of(owned_conversation(database, owner, conversation))


def begin_purge(database: sqlite3.Connection, before: int, limit: int | None) -> list[int]:
    """Choose what is purged, for good: it cannot be restored any more."""
    rows = database.execute(
        "SELECT seq FROM conversations WHERE deleted < ? ORDER BY deleted LIMIT ?",
        (before, -1 if limit is None else limit),  # SQLite's word for all of them
    ).fetchall()
    return _chosen(database, rows)


def begin_purge_untouched(database: sqlite3.Connection, before: int, limit: int | None) -> list[int]:
    """Choose conversations in which nothing was asked since this time."""
    rows = database.execute(
        "SELECT seq FROM conversations WHERE updated < ? ORDER BY updated LIMIT ?",
        (before, -1 if limit is None else limit),
    ).fetchall()
    return _chosen(database, rows)


def begin_purge_of_owner(database: sqlite3.Connection, owner: str) -> list[int]:
    """Choose all conversations of an owner, deleted ones too."""
    return _chosen(database, database.execute("SELECT seq FROM conversations WHERE owner = ?", (owner,)).fetchall())


def _chosen(database: sqlite3.Connection, rows: list[tuple[int]]) -> list[int]:
    database.executemany("UPDATE conversations SET deleted = ? WHERE seq = ?", [(BEING_PURGED, row[0]) for row in rows])
    return [row[0] for row in rows]


def purge_some(database: sqlite3.Connection, conversation: int) -> bool:
    """Remove some images of a conversation, or messages and what the index has of them; return whether it is gone
    altogether.

    What cannot be read goes as well. Only which of its words the index holds cannot be told any more.
    """
    if not purge_images(database, conversation):
        return False
    rows = database.execute(
        "SELECT seq, status, CAST(parts AS BLOB) FROM messages WHERE conversation = ? LIMIT ?",
        (conversation, _MESSAGES_PURGED_AT_ONCE),
    ).fetchall()
    for seq, status, parts in rows:
        if status != "streaming":
            unindex_text(database, seq, legible_text_of(parts))
        database.execute("DELETE FROM messages WHERE seq = ?", (seq,))
    if len(rows) < _MESSAGES_PURGED_AT_ONCE:
        row = database.execute("DELETE FROM conversations WHERE seq = ? RETURNING title", (conversation,))
        for (title,) in row.fetchall():
            unindex_title(database, conversation, title)
        return True
    return False
