"""A database of which single bytes were changed, so that SQLite finds nothing wrong: the rest goes on as before."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from stores.asking import ME, ask, ended, make_turn

from daehwa.conversation.errors import Unreadable
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import ConversationChanges
from daehwa.conversation.stretch import StretchWish
from daehwa.services.messages_report import messages_report
from daehwa.stores.sqlite import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    yield store
    await store.aclose()


def change(store: SqliteStore, statement: str, *given: str) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(statement, given)
        connection.commit()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


DAMAGES = (
    "UPDATE messages SET parts = replace(parts, '\"text\"', '\"tezt\"') WHERE id = ?",
    "UPDATE messages SET parts = CAST(substr(CAST(parts AS BLOB), 1, 30) || x'ff' AS TEXT) WHERE id = ?",
    "UPDATE messages SET usage = '{garb' WHERE id = ?",
    "UPDATE messages SET error = '[]' WHERE id = ?",
)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_one_message_that_cannot_be_read_is_named_and_keeps_no_other(store: SqliteStore, damage: str) -> None:
    broken, whole = await ask(store, "broken 나무 " * 9, "first"), await ask(store, "whole 나무", "second")
    change(store, damage, broken.reply.id)
    with pytest.raises(Unreadable, match=f"Message {broken.reply.id} of conversation {broken.conversation.id}"):
        await store.get_conversation(ME, broken.conversation.id)
    assert len((await store.get_conversation(ME, whole.conversation.id))[1]) == 2
    assert len((await store.list_conversations(ME)).conversations) == 2
    assert [hit.conversation.id for hit in await store.search_conversations(ME, "second")] == [whole.conversation.id]
    await store.search_conversations(ME, "first")
    left_out: list[str] = []
    records = [record async for record in store.export_conversations(left_out=left_out.append)]
    assert [record.conversation.id for record in records] == [whole.conversation.id]
    assert len(left_out) == 1
    with pytest.raises(Unreadable):
        _ = [record async for record in store.export_conversations()]
    report = messages_report(store.path)
    assert report is not None
    assert (report.messages, report.looked_at, report.unreadable) == (4, 4, 1)
    assert broken.reply.id in report.told[0]


SILENT_DAMAGES = (
    ("UPDATE messages SET role = 'uses' WHERE id = ?", "Message "),
    ("UPDATE messages SET status = 'complexe' WHERE id = ?", "Message "),
    ("UPDATE messages SET created = 'abc' WHERE id = ?", "Message "),
    ("UPDATE messages SET model = CAST(model AS BLOB) WHERE id = ?", "Message "),
    ("UPDATE messages SET parent = replace(parent, '-', '_') WHERE id = ?", "Message "),
    ("UPDATE conversations SET title_source = 'usex' WHERE leaf = ?", "Conversation "),
    ("UPDATE conversations SET leaf = replace(leaf, '-', '_') WHERE leaf = ?", "Conversation "),
    ("UPDATE conversations SET updated = 'abc' WHERE leaf = ?", "Conversation "),
)
"""Such as decode: with what the doctor says is damaged."""


@pytest.mark.parametrize(("damage", "named"), SILENT_DAMAGES)
async def test_damage_that_decodes_is_named_where_all_is_looked_at(store: SqliteStore, damage: str, named: str) -> None:
    broken, whole = await ask(store, "broken"), await ask(store, "whole")
    change(store, damage, broken.reply.id)
    left_out: list[str] = []
    records = [record async for record in store.export_conversations(left_out=left_out.append)]
    assert [record.conversation.id for record in records] == [whole.conversation.id]
    assert [broken.conversation.id in sentence for sentence in left_out] == [True]
    report = messages_report(store.path)
    assert report is not None
    assert (report.looked_at, report.unreadable) == (4, 1)
    assert report.told[0].startswith(named)
    assert broken.conversation.id in report.told[0]


async def test_a_page_that_is_none_of_sqlites_costs_its_own_conversation_alone(tmp_path: Path) -> None:
    """An overflow page, which no other conversation's row has a part of."""
    path = tmp_path / "paged.db"
    store = await SqliteStore.open(path)
    asked = [await ask(store, f"question {number}", f"<{number}>" * 20_000) for number in range(3)]
    await store.aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())
    at = content.index(b"<1>" * 900) // page_bytes * page_bytes + page_bytes
    content[at : at + 4] = b"\xff" * 4  # where the next page of this text is
    path.write_bytes(content)
    store = await SqliteStore.open(path)
    left_out: list[str] = []
    records = [record async for record in store.export_conversations(left_out=left_out.append)]
    await store.aclose()
    assert [record.conversation.id for record in records] == [asked[0].conversation.id, asked[2].conversation.id]
    assert [asked[1].conversation.id in sentence for sentence in left_out] == [True]


async def test_messages_in_a_ring_are_not_dropped_from_an_export(store: SqliteStore) -> None:
    broken = await ask(store, "broken")
    question = broken.reply.parent
    assert question is not None
    change(store, "UPDATE messages SET parent = ? WHERE id = ?", broken.reply.id, question)
    with pytest.raises(Unreadable, match=f"Conversation {broken.conversation.id} cannot be read whole"):
        _ = [record async for record in store.export_conversations()]


async def test_what_is_being_removed_for_good_is_no_damage(store: SqliteStore) -> None:
    asked = await ask(store, "going")
    change(store, "UPDATE conversations SET deleted = 0")
    change(store, "DELETE FROM messages WHERE id = ?", asked.reply.parent or "")
    report = messages_report(store.path)
    assert report is not None
    assert (report.looked_at, report.unreadable) == (1, 0)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_it_is_removed_for_good_without_being_read(store: SqliteStore, damage: str) -> None:
    broken, whole = await ask(store, "broken", "first"), await ask(store, "whole", "second")
    change(store, damage, broken.reply.id)
    for each in (broken, whole):
        await store.delete_conversation(ME, each.conversation.id)
    assert await store.purge_deleted(before=now_ms() + 1) == 2
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)


async def test_a_growing_reply_that_cannot_be_read_is_interrupted_with_the_others(store: SqliteStore) -> None:
    turns = [await store.begin_turn(make_turn(f"question {number}")) for number in range(2)]
    change(store, "UPDATE messages SET parts = 'x' WHERE id = ?", turns[0].reply.id)
    assert await store.interrupt_replies(heartbeat_before=now_ms() * 2) == 2


async def test_a_title_that_is_no_text_is_shown_with_marks_and_can_be_changed(store: SqliteStore) -> None:
    broken, whole = await ask(store, "broken"), await ask(store, "whole")
    damage = "UPDATE conversations SET title = CAST(x'62eb82' AS TEXT) WHERE id = ?"
    change(store, damage, broken.conversation.id)
    listed = (await store.list_conversations(ME)).conversations
    assert {each.id: each.title for each in listed}[broken.conversation.id] == "b�"
    assert {each.id: each.title for each in listed}[whole.conversation.id] == "whole"
    report = messages_report(store.path)
    assert report is not None
    assert report.unreadable == 1
    await store.change_conversation(ME, broken.conversation.id, ConversationChanges(title="mended"))
    assert (await store.get_conversation(ME, broken.conversation.id))[0].title == "mended"


async def test_a_conversation_opens_whose_cost_of_titles_cannot_be_read(store: SqliteStore) -> None:
    asked = await ask(store, "question")
    await store.set_title(asked.conversation.id, "Title", "model", Usage(input=1, output=1))
    change(store, "UPDATE conversations SET title_usage = '{garb' WHERE id = ?", asked.conversation.id)
    assert await store.title_usage(ME, asked.conversation.id) is None
    (record,) = [record async for record in store.export_conversations()]
    assert record.title_usage is None
    await store.set_title(asked.conversation.id, "Another", "model", Usage(input=2, output=3))
    assert await store.title_usage(ME, asked.conversation.id) == Usage(input=2, output=3)


async def test_a_total_leaves_out_what_cannot_be_read_of_a_message_that_is_not_shown(store: SqliteStore) -> None:
    conversation, parent, replies = None, None, []
    for number in range(4):
        turn = make_turn(f"question {number}", conversation=conversation, parent=parent)
        begun = await store.begin_turn(turn)
        await store.finish_reply(ended(begun.reply, "answer", usage=Usage(input=10, output=1)))
        conversation, parent = begun.conversation.id, begun.reply.id
        replies.append(begun.reply.id)
    assert conversation is not None
    change(store, "UPDATE messages SET usage = '{garb' WHERE id = ?", replies[0])
    stretch = await store.read_stretch(ME, conversation, StretchWish(limit=2, total=True))
    assert not stretch.whole
    assert stretch.total is not None
    assert (stretch.total.calls, stretch.total.input) == (3, 30)


async def test_messages_are_looked_at_for_a_while(store: SqliteStore) -> None:
    for number in range(3):
        await ask(store, f"question {number}")
    report = messages_report(store.path, seconds=0)
    assert report is not None
    assert (report.messages, report.looked_at) == (6, 1)
