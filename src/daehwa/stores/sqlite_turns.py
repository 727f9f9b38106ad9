"""Turns in the database: each function is one piece of work for the writer, which checks before it writes."""

# ruff: noqa: S608 - what is put together are column names and marks of ours
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from daehwa.conversation.messages import Message
from daehwa.conversation.ports import BegunTurn, Checkpoint, NewTurn
from daehwa.conversation.transcript import end_within
from daehwa.conversation.tree import Stored, check_turn, images_named, new_images
from daehwa.stores.records import encode_parts, encode_value, legible_text_of, storable, storable_beside_images
from daehwa.stores.search_text import folded
from daehwa.stores.sqlite_images import images_there, insert_images
from daehwa.stores.sqlite_index import (
    index_text,
    index_text_later,
    index_title_later,
    index_waiting,
    unindex_text,
)
from daehwa.stores.sqlite_rows import (
    CONVERSATION,
    MESSAGE,
    MESSAGES,
    Row,
    conversation_of,
    message_of,
    owned_conversation,
    owned_message,
)

_INSERT_MESSAGE = """
INSERT INTO messages (id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat,
    runner, parts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))
"""
_PATH = f"""
WITH RECURSIVE path (seq, parent) AS (
    SELECT seq, parent FROM messages WHERE id = ?
    UNION ALL SELECT m.seq, m.parent FROM path JOIN messages m ON m.id = path.parent
)
SELECT {MESSAGE} FROM path
CROSS JOIN messages m ON m.seq = path.seq CROSS JOIN conversations c ON c.seq = m.conversation
"""
"""Upwards, each message read when its row is asked for: any other join would walk the whole path first."""
_SYSTEM_MESSAGE = "SELECT 1 FROM messages WHERE conversation = ? AND role = 'system' LIMIT 1"
_GROW = """
UPDATE messages SET parts = CAST(? AS TEXT), position = ?, heartbeat = ?
WHERE id = ? AND status = 'streaming' AND position <= ?
"""
_BEAT = "UPDATE messages SET heartbeat = ? WHERE id = ? AND status = 'streaming' AND position <= ?"
_GOES_ON = " AND NOT stop_requested"
_IDS_AT_ONCE = 500


def begin_turn(database: sqlite3.Connection, turn: NewTurn) -> BegunTurn:
    """Store a turn, or return it as it is stored."""
    turn = storable_beside_images(turn)
    reply = turn.reply
    row = _conversation_row(database, turn.conversation)
    stored = _stored(database, turn, row)
    if not check_turn(turn, stored):
        there = owned_conversation(database, turn.owner, turn.conversation)
        reply = owned_message(database, turn.owner, reply.id, "reply")
        return BegunTurn(created=False, conversation=conversation_of(there), reply=reply)
    named = images_named(turn)
    images = new_images(turn, images_there(database, turn.conversation, named) if named else ())
    number = _touch_conversation(database, turn) if row else _create_conversation(database, turn)
    if turn.question is not None and stored.question is None:
        index_text_later(database, _insert_message(database, turn.question, number, None))
    if images:
        insert_images(database, number, images)
    _insert_message(database, reply, number, turn.runner)
    there = owned_conversation(database, turn.owner, turn.conversation)
    path = _path_to(database, reply.parent, number, turn.context_window)
    return BegunTurn(created=True, conversation=conversation_of(there), reply=reply, path=path)


def _path_to(
    database: sqlite3.Connection, message: str | None, conversation: int, context_window: int | None
) -> tuple[Message, ...]:
    if database.execute(_SYSTEM_MESSAGE, (conversation,)).fetchone():
        context_window = None  # it is given to the model from wherever it stands
    with closing(database.execute(_PATH, (message,))) as rows:
        return end_within(map(message_of, rows), context_window)


def _conversation_row(database: sqlite3.Connection, conversation: str) -> Row | None:
    row: Row | None = database.execute(
        f"SELECT {CONVERSATION}, c.deleted FROM conversations c WHERE c.id = ?", (conversation,)
    ).fetchone()
    return row


def _stored(database: sqlite3.Connection, turn: NewTurn, row: Row | None) -> Stored:
    question = turn.question
    parent = turn.reply.parent if question is None else question.parent
    ids = (turn.reply.id, parent, None if question is None else question.id)
    rows = database.execute(f"SELECT {MESSAGE} FROM {MESSAGES} WHERE m.id IN (?, ?, ?)", ids)
    found: dict[str | None, Message] = {there[0]: message_of(there) for there in rows}
    return Stored(
        conversation=None if row is None else conversation_of(row),
        deleted=row is not None and row[-1] is not None,
        question=None if question is None else found.get(question.id),
        reply=found.get(turn.reply.id),
        parent=found.get(parent),
    )


def _create_conversation(database: sqlite3.Connection, turn: NewTurn) -> int:
    reply = turn.reply
    cursor = database.execute(
        "INSERT INTO conversations (id, owner, title, title_folded, title_source, model, leaf, created, updated) "
        "VALUES (?, ?, ?, ?, 'question', ?, ?, ?, ?)",
        (
            turn.conversation,
            turn.owner,
            turn.title,
            folded(turn.title),
            reply.model,
            reply.id,
            reply.created,
            reply.created,
        ),
    )
    number = cursor.lastrowid or 0
    index_title_later(database, number)
    return number


def _touch_conversation(database: sqlite3.Connection, turn: NewTurn) -> int:
    reply = turn.reply
    database.execute(
        "UPDATE conversations SET updated = max(updated, ?), leaf = ?, model = ? WHERE id = ?",
        (reply.created, reply.id, reply.model, turn.conversation),
    )
    number: int = database.execute("SELECT seq FROM conversations WHERE id = ?", (turn.conversation,)).fetchone()[0]
    return number


def insert_message(database: sqlite3.Connection, message: Message, conversation: int) -> None:
    """Store a message that is new, and make it findable."""
    index_text(database, _insert_message(database, message, conversation, None), message.text)


def _insert_message(database: sqlite3.Connection, message: Message, conversation: int, runner: str | None) -> int:
    cursor = database.execute(
        _INSERT_MESSAGE,
        (
            message.id,
            conversation,
            message.parent,
            message.role,
            message.status,
            message.model,
            message.finish,
            encode_value(message.usage),
            encode_value(message.error),
            message.created,
            message.position,
            message.heartbeat,
            runner,
            encode_parts(message.parts),
        ),
    )
    return cursor.lastrowid or 0


def save_checkpoints(database: sqlite3.Connection, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
    """Store growing replies, and return which were asked to stop, or are there no more."""
    grown = [
        (encode_parts(at.parts), at.position, at.heartbeat, at.reply, at.position)
        for at in checkpoints
        if at.parts is not None
    ]
    beats = [(at.heartbeat, at.reply, at.position) for at in checkpoints if at.parts is None]
    if _updated(database, grown, beats, _GOES_ON) == len(checkpoints):
        return frozenset()  # nearly always: nothing more has to be asked
    _updated(database, grown, beats)  # what shall stop keeps what has come by now
    return _stopping(database, checkpoints)


def _updated(database: sqlite3.Connection, grown: Sequence[Row], beats: Sequence[Row], where: str = "") -> int:
    """Write what has grown, and signs of life; return of how many replies."""
    written = ((_GROW, grown), (_BEAT, beats))
    return sum(database.executemany(statement + where, rows).rowcount for statement, rows in written if rows)


def _stopping(database: sqlite3.Connection, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
    stopping: set[str] = set()
    for start in range(0, len(checkpoints), _IDS_AT_ONCE):
        ids = [at.reply for at in checkpoints[start : start + _IDS_AT_ONCE]]
        marks = ", ".join("?" * len(ids))
        going = database.execute(f"SELECT id FROM messages WHERE id IN ({marks}) AND NOT stop_requested", ids)
        stopping.update(set(ids).difference(row[0] for row in going))
    return frozenset(stopping)


def finish_reply(database: sqlite3.Connection, reply: Message) -> None:
    """Store a reply's end, unless it has one already that counts."""
    row = database.execute(
        "SELECT seq, status, error, CAST(parts AS BLOB) FROM messages WHERE id = ?", (reply.id,)
    ).fetchone()
    if row is None:
        return
    seq, status, error, parts = row
    if status == "interrupted" and error is None:
        unindex_text(database, seq, legible_text_of(parts))
    elif status != "streaming":
        return
    reply = storable(reply)
    database.execute(
        "UPDATE messages SET parts = CAST(? AS TEXT), status = ?, finish = ?, usage = ?, error = ?, position = ? "
        "WHERE seq = ?",
        (
            encode_parts(reply.parts),
            reply.status,
            reply.finish,
            encode_value(reply.usage),
            encode_value(reply.error),
            reply.position,
            seq,
        ),
    )
    index_waiting(database)
    if reply.status != "streaming":
        index_text(database, seq, reply.text)


def request_stop(database: sqlite3.Connection, owner: str, reply: str) -> Message:
    """Note that a reply shall stop, and return it."""
    message = owned_message(database, owner, reply, "reply")
    database.execute("UPDATE messages SET stop_requested = 1 WHERE id = ? AND status = 'streaming'", (reply,))
    return message


def interrupt_replies(
    database: sqlite3.Connection, alive: tuple[int, int | None], runner: str | None, conversation: str | None
) -> int:
    """Mark replies whose runner is gone, and make their text findable. Who is `alive` gave a sign between two moments,
    the second of which may be any.
    """
    rows = database.execute(
        "SELECT seq, CAST(parts AS BLOB) FROM messages WHERE status = 'streaming' "
        "AND (coalesce(heartbeat, created) < ? OR coalesce(heartbeat, created) > ? OR runner = ?) "
        "AND (? IS NULL OR conversation = (SELECT seq FROM conversations WHERE id = ?))",
        (*alive, runner, conversation, conversation),
    ).fetchall()
    for seq, parts in rows:
        database.execute("UPDATE messages SET status = 'interrupted' WHERE seq = ?", (seq,))
        index_text(database, seq, legible_text_of(parts))
    return len(rows)
