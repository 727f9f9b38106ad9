"""Rows of the database as values of the core, and the look-ups that all statements share."""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3
from collections.abc import Sequence
from typing import Any

from daehwa.conversation.errors import ConversationNotFound, MessageNotFound, Unreadable
from daehwa.conversation.messages import Conversation, Message
from daehwa.stores.records import decode_failure, decode_parts, decode_usage, unreadable

Row = tuple[Any, ...]

CONVERSATION = (
    "c.id, c.owner, c.title, c.title_source, c.model, c.leaf, c.pinned, c.archived, c.created, c.updated, c.seq"
)
MESSAGE = (
    "m.id, c.id, m.parent, m.role, CAST(m.parts AS BLOB), m.status, m.model, m.finish, m.usage, m.error, m.created, "
    "m.position, m.heartbeat"
)
"""The parts as bytes, which are decoded once and not twice: a third of what reading a message takes. They are written
from bytes, too (`CAST(? AS TEXT)`).
"""
MESSAGES = "messages m JOIN conversations c ON c.seq = m.conversation"


def conversation_of(row: Sequence[Any]) -> Conversation:
    """Return a row of `CONVERSATION` as a value."""
    return Conversation(
        id=row[0],
        owner=row[1],
        title=row[2],
        title_source=row[3],
        model=row[4],
        leaf=row[5],
        pinned=bool(row[6]),
        archived=bool(row[7]),
        created=row[8],
        updated=row[9],
    )


def message_of(row: Sequence[Any]) -> Message:
    """Return a row of `MESSAGE` as a value. Raise `Unreadable`."""
    try:
        return Message(
            id=row[0],
            conversation=row[1],
            parent=row[2],
            role=row[3],
            parts=decode_parts(row[4]),
            status=row[5],
            model=row[6],
            finish=row[7],
            usage=decode_usage(row[8]),
            error=decode_failure(row[9]),
            created=row[10],
            position=row[11],
            heartbeat=row[12],
        )
    except Unreadable as error:
        raise unreadable(row[1], row[0]) from error


def owned_conversation(database: sqlite3.Connection, owner: str, conversation: str) -> Row:
    """Return the row of an owner's conversation. Raise `ConversationNotFound`."""
    row: Row | None = database.execute(
        f"SELECT {CONVERSATION} FROM conversations c WHERE c.id = ? AND c.owner = ? AND c.deleted IS NULL",
        (conversation, owner),
    ).fetchone()
    if row is None:
        raise ConversationNotFound
    return row


def owned_message(database: sqlite3.Connection, owner: str, message: str, param: str) -> Message:
    """Return an owner's message. Raise `MessageNotFound` naming the parameter."""
    row = database.execute(
        f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.id = ? AND c.owner = ? AND c.deleted IS NULL", (message, owner)
    ).fetchone()
    if row is None:
        raise MessageNotFound(param)
    return message_of(row)
