"""Whether all messages on this machine can be read, for `daehwa doctor`; read only, while a server may be running."""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from daehwa.conversation.errors import Unreadable
from daehwa.stores.checking import checked_conversation, checked_message
from daehwa.stores.records import unreadable, unreadable_conversation
from daehwa.stores.sqlite_connection import mending_text, open_as_it_is
from daehwa.stores.sqlite_conversations import BEING_PURGED
from daehwa.stores.sqlite_rows import CONVERSATION, MESSAGE, MESSAGES, conversation_of, message_of

SECONDS = 20.0
"""So long messages are looked at, the newest first: in about two million of them."""
_TOLD = 3
_IN_IT = "EXISTS (SELECT 1 FROM messages other WHERE other.id = {id} AND other.conversation = c.seq)"
_STAYS = f"c.deleted IS NOT {BEING_PURGED}"  # of others some messages are gone already
_ALL_MESSAGES = (
    f"SELECT {MESSAGE}, m.parent IS NOT NULL AND {_STAYS} AND NOT {_IN_IT.format(id='m.parent')} "
    f"FROM {MESSAGES} ORDER BY m.seq DESC"
)
_ALL_CONVERSATIONS = (
    f"SELECT {CONVERSATION}, c.leaf IS NOT NULL AND {_STAYS} AND NOT {_IN_IT.format(id='c.leaf')} FROM conversations c"
)


class MessagesReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages there are, how many were looked at in time, and what is wrong with how many things. `told` are
    sentences about the first of these.
    """

    messages: int
    looked_at: int
    unreadable: int
    told: tuple[str, ...]


def messages_report(path: Path, *, seconds: float = SECONDS) -> MessagesReport | None:
    """Read messages and conversations; None where there is no database, or it cannot be read: others say so."""
    if not path.is_file():
        return None
    until = time.monotonic() + seconds
    looked_at = 0
    faults: list[str] = []
    try:
        with closing(open_as_it_is(path)) as connection:
            (messages,) = connection.execute("SELECT count(*) FROM messages").fetchone()
            faults += _faulty_titles(connection)
            with mending_text(connection):
                faults += _faulty_conversations(connection)
                for fault in _faults(connection):
                    looked_at += 1
                    faults += [] if fault is None else [fault]
                    if time.monotonic() >= until:
                        break
    except sqlite3.Error:
        return None
    return MessagesReport(messages=messages, looked_at=looked_at, unreadable=len(faults), told=tuple(faults[:_TOLD]))


def _faults(connection: sqlite3.Connection) -> Iterator[str | None]:
    """Yield what is wrong with each message, the newest first; None where nothing is."""
    for *row, has_no_place in connection.execute(_ALL_MESSAGES):
        try:
            message = checked_message(message_of(row))
        except Unreadable as error:
            yield error.message
        else:
            yield unreadable(message.conversation, message.id).message if has_no_place else None


def _faulty_conversations(connection: sqlite3.Connection) -> Iterator[str]:
    for *row, has_no_leaf in connection.execute(_ALL_CONVERSATIONS):
        try:
            conversation = checked_conversation(conversation_of(row))
        except Unreadable as error:
            yield error.message
        else:
            if has_no_leaf:
                yield unreadable_conversation(conversation.id).message


def _faulty_titles(connection: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT id, CAST(title AS BLOB) FROM conversations"
    for conversation, title in connection.execute(query):
        try:
            title.decode()
        except UnicodeDecodeError:
            yield f"The title of conversation {conversation} was damaged, and shows marks instead. Rename it."
