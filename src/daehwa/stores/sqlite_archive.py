"""Conversations moved out of the database and into it, whole."""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3

from daehwa.conversation.archive import arriving, images_shown, imported, is_brought_back, is_later, takes_place
from daehwa.conversation.archive_ports import ConversationRecord, Imported
from daehwa.conversation.errors import IdTaken, OwnedByAnother, StoreError
from daehwa.conversation.messages import Message
from daehwa.stores.checking import checked_record
from daehwa.stores.records import (
    encode_parts,
    encode_value,
    legible_usage,
    storable_beside_images,
    unreadable_conversation,
)
from daehwa.stores.search_text import folded
from daehwa.stores.sqlite_connection import is_damage
from daehwa.stores.sqlite_conversations import BEING_PURGED
from daehwa.stores.sqlite_images import images_of, insert_images
from daehwa.stores.sqlite_index import change_title, index_text, index_title, unindex_text
from daehwa.stores.sqlite_rows import CONVERSATION, MESSAGE, MESSAGES, Row, conversation_of, message_of
from daehwa.stores.sqlite_turns import insert_message

_CONVERSATION_COLUMNS = (
    "id, owner, title, title_source, model, leaf, pinned, archived, created, updated, deleted, title_usage, "
    "title_folded"
)
_MESSAGE_COLUMNS = "parts, status, model, finish, usage, error, created, position, heartbeat"


def list_numbers(database: sqlite3.Connection, owner: str | None) -> list[int]:
    """Return the row numbers of what is exported, the one used last at the end."""
    rows = database.execute(
        "SELECT seq FROM conversations WHERE (?1 IS NULL OR owner = ?1) AND deleted IS NOT ?2 ORDER BY updated, id",
        (owner, BEING_PURGED),
    )
    return [row[0] for row in rows]


def export_conversation(database: sqlite3.Connection, number: int) -> ConversationRecord | None:
    """Return a conversation as of one moment, or None when it is gone. Raise `Unreadable`."""
    row: Row | None = None
    database.execute("BEGIN")
    try:
        row = database.execute(
            f"SELECT {CONVERSATION}, c.deleted, c.title_usage FROM conversations c WHERE c.seq = ? "
            "AND c.deleted IS NOT ?",
            (number, BEING_PURGED),
        ).fetchone()
        rows = database.execute(f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.conversation = ?", (number,)).fetchall()
        images = images_of(database, number)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise unreadable_conversation(f"number {number}" if row is None else row[0]) from error
        raise
    finally:
        database.execute("ROLLBACK")
    if row is None:
        return None
    return checked_record(
        conversation_of(row), map(message_of, rows), images, deleted=row[-2], title_usage=legible_usage(row[-1])
    )


def import_conversation(database: sqlite3.Connection, record: ConversationRecord) -> Imported:
    """Store what of a record is not there yet."""
    record = arriving(storable_beside_images(record))
    given = record.conversation
    row = database.execute(
        f"SELECT {CONVERSATION}, c.deleted FROM conversations c WHERE c.id = ?", (given.id,)
    ).fetchone()
    _check_ids(record, row)
    there = _messages_there(database, record)
    has_changed = row is None or is_later(given, conversation_of(row))
    number = _insert_conversation(database, record) if row is None else row[-2]
    if row is not None and has_changed:
        change_title(database, number, row[2], given.title)
        _replace_conversation(database, record, number)
    if is_back := row is not None and is_brought_back(record, row[-1]):
        database.execute("UPDATE conversations SET deleted = NULL WHERE seq = ?", (number,))
    for message in record.messages:
        if message.id not in there:
            insert_message(database, message, number)
        elif takes_place(message, there[message.id]):
            _replace_message(database, message, there[message.id])
        else:
            continue
        has_changed = True
    images = insert_images(database, number, images_shown(record, there.get))
    return imported(is_new=row is None, is_back=is_back, has_changed=has_changed, images=images)


def _check_ids(record: ConversationRecord, row: Row | None) -> None:
    if row is None:
        return
    if row[1] != record.conversation.owner:
        raise OwnedByAnother(row[1])
    if row[-1] == BEING_PURGED:
        raise StoreError("This conversation is just being removed for good. Import it again in a minute.")


def _messages_there(database: sqlite3.Connection, record: ConversationRecord) -> dict[str, Message]:
    there = {}
    for message in record.messages:
        row = database.execute(f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.id = ?", (message.id,)).fetchone()
        if row is not None:
            there[message.id] = message_of(row)
            if there[message.id].conversation != record.conversation.id:
                raise IdTaken("messages")
    return there


def _values(record: ConversationRecord) -> tuple[object, ...]:
    given = record.conversation
    return (
        given.id,
        given.owner,
        given.title,
        given.title_source,
        given.model,
        given.leaf,
        given.pinned,
        given.archived,
        given.created,
        given.updated,
        record.deleted,
        encode_value(record.title_usage),
        folded(given.title),
    )


def _insert_conversation(database: sqlite3.Connection, record: ConversationRecord) -> int:
    values = _values(record)
    marks = ", ".join("?" * len(values))
    cursor = database.execute(f"INSERT INTO conversations ({_CONVERSATION_COLUMNS}) VALUES ({marks})", values)
    number = cursor.lastrowid or 0
    index_title(database, number, record.conversation.title)
    return number


def _replace_conversation(database: sqlite3.Connection, record: ConversationRecord, number: int) -> None:
    values = _values(record)
    marks = ", ".join("?" * len(values))
    database.execute(f"UPDATE conversations SET ({_CONVERSATION_COLUMNS}) = ({marks}) WHERE seq = ?", (*values, number))


def _replace_message(database: sqlite3.Connection, message: Message, there: Message) -> None:
    number = database.execute("SELECT seq FROM messages WHERE id = ?", (message.id,)).fetchone()[0]
    if there.status != "streaming":
        unindex_text(database, number, there.text)
    database.execute(
        f"UPDATE messages SET ({_MESSAGE_COLUMNS}) = (CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?, ?) WHERE seq = ?",
        (
            encode_parts(message.parts),
            message.status,
            message.model,
            message.finish,
            encode_value(message.usage),
            encode_value(message.error),
            message.created,
            message.position,
            message.heartbeat,
            number,
        ),
    )
    index_text(database, number, message.text)
