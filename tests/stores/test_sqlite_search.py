"""What the search in the database promises where there is much: nothing is lost by what is not looked at."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from stores.asking import ME, OTHER, ask, found, make_turn, marked, next_moment, text

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Conversation, Message
from daehwa.conversation.ports import ConversationChanges
from daehwa.stores.memory import MemoryStore
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_archive import import_conversation

MANY = 3_100
"""More conversations than titles are scanned for one search."""
QUERIES = (
    "z",
    "zeb",
    "zebra",
    "zebra cr",
    "zebra crossing o",
    "note o",
    "crossing zebra",
    "얼룩",
    "룩말",
    "말",
    "얼룩 z",
    "note 얼",
    "note",
    "notew",
    "note 2",
    "note 30",
    "zebra 3",
    "crossing 3",
    "1 얼룩",
    "nothing",
)


def record(title: str, words: str, *, at: int | None = None, name: str | None = None) -> ConversationRecord:
    """Return a conversation of one question."""
    moment, name = at or next_moment(), name or new_id()
    question = Message(id=new_id(), conversation=name, parent=None, role="user", parts=text(words), created=moment)
    conversation = Conversation(
        id=name, owner=ME, title=title, title_source="question", leaf=question.id, created=moment, updated=moment
    )
    return ConversationRecord(conversation=conversation, messages=(question,))


async def add(store: SqliteStore, records: list[ConversationRecord]) -> None:
    def add_all(database: sqlite3.Connection) -> None:
        for one in records:
            import_conversation(database, one)

    await store.writer.run(add_all)


async def shown(store: SqliteStore | MemoryStore, query: str) -> list[tuple[str, str | None]]:
    return [(hit.conversation.title, hit.message) for hit in await store.search_conversations(ME, query)]


async def test_among_many_titles_the_same_are_found_as_in_memory(sqlite: SqliteStore) -> None:
    memory = MemoryStore()
    old = [record(f"zebra crossing {n}" if n % 2 else f"얼룩말 zebra {n}", f"zebra {n}") for n in range(40)]
    rare = [record("crossing over", "nothing"), record("noteworthy", "words"), record("얼룩 Zürich", "말")]
    many = [record(f"note {n} on {'zebrafish' if n % 300 == 0 else 'trees'}", "words") for n in range(MANY)]
    for one in (*old, *rare, *many):
        await memory.import_conversation(one)
    await add(sqlite, [*old, *rare, *many])
    for query in QUERIES:
        assert await shown(sqlite, query) == await shown(memory, query), query


async def test_old_titles_are_found_as_they_are_now(sqlite: SqliteStore) -> None:
    old = [record(f"walrus {n}", "words") for n in range(4)]
    await add(sqlite, [*old, *(record("note", "words") for _ in range(MANY))])
    renamed, titled, replaced, purged = (one.conversation.id for one in old)
    await sqlite.change_conversation(ME, renamed, ConversationChanges(title="ostrich 0"))
    assert await sqlite.set_title(titled, "ostrich 1", "model", None)
    await add(sqlite, [record("ostrich 2", "words", at=old[2].conversation.updated + 1, name=replaced)])
    assert await found(sqlite, "ostrich") == ["ostrich 2", "ostrich 1", "ostrich 0"]
    assert await found(sqlite, "walrus") == ["walrus 3"]
    assert await found(sqlite, "walrus", OTHER) == []
    await sqlite.delete_conversation(ME, purged)
    assert await found(sqlite, "walrus") == []
    await sqlite.purge_deleted(before=now_ms() + 1000)
    assert await sqlite.reader.run(partial(titles_listed, word="walrus")) == []
    assert len(await sqlite.reader.run(partial(titles_listed, word="ostrich"))) == 3


def titles_listed(database: sqlite3.Connection, word: str) -> list[tuple[int]]:
    return database.execute("SELECT rowid FROM title_index WHERE title_index MATCH ?", (f'"{word}"',)).fetchall()


async def test_what_waits_for_the_index_is_taken_in_at_an_answers_end(sqlite: SqliteStore) -> None:
    begun = await sqlite.begin_turn(make_turn("walrus", title="walrus"))
    assert (await waiting(sqlite), await listed(sqlite, "walrus")) == (["message_index", "title_index"], [])
    await ask(sqlite, "ostrich", "giraffe")
    assert (await waiting(sqlite), len(await listed(sqlite, "walrus"))) == ([], 1)
    assert await sqlite.set_title(begun.conversation.id, "Animals", "model", None)
    assert await sqlite.reader.run(partial(titles_listed, word="walrus")) == []


async def test_what_waits_outlives_its_program(sqlite: SqliteStore, tmp_path: Path) -> None:
    await sqlite.begin_turn(make_turn("walrus", title="Zoo"))
    copy = tmp_path / "copy.db"  # as a killed process leaves the file
    with closing(sqlite3.connect(sqlite.path)) as database, closing(sqlite3.connect(copy)) as other:
        database.backup(other)
    store = await SqliteStore.open(copy)
    assert await waiting(store) == ["message_index", "title_index"]
    assert await found(store, "walrus") == ["Zoo"]
    assert await waiting(store) == []
    await store.aclose()


async def test_where_nothing_can_be_written_what_was_indexed_is_found(sqlite: SqliteStore) -> None:
    await ask(sqlite, "walrus one", title="One")
    await sqlite.begin_turn(make_turn("walrus two", title="Two"))
    await sqlite.writer.run(lambda database: database.execute("PRAGMA query_only = ON"), in_transaction=False)
    assert await found(sqlite, "walrus") == ["One"]
    await sqlite.writer.run(lambda database: database.execute("PRAGMA query_only = OFF"), in_transaction=False)
    assert await found(sqlite, "walrus") == ["Two", "One"]


async def test_a_search_does_not_wait_for_long(sqlite: SqliteStore) -> None:
    await ask(sqlite, "walrus one", title="One")
    await sqlite.begin_turn(make_turn("walrus two", title="Two"))
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await found(sqlite, "walrus") == ["One"]
        other.execute("COMMIT")
    assert await found(sqlite, "walrus") == ["Two", "One"]


async def waiting(store: SqliteStore) -> list[str]:
    look = "SELECT index_name FROM index_waiting"
    rows = await store.reader.run(lambda database: database.execute(look).fetchall())
    return [row[0] for row in rows]


async def listed(store: SqliteStore, word: str) -> list[tuple[int]]:
    look = "SELECT rowid FROM message_index WHERE message_index MATCH ?"
    return await store.reader.run(lambda database: database.execute(look, (f'"{word}"',)).fetchall())


@pytest.mark.parametrize("query", ["interf", "interface lo"])
async def test_what_begins_like_many_others_is_found_below_them(sqlite: SqliteStore, query: str) -> None:
    older = [record(f"older {n}", "an interface of lorries") for n in range(2)]
    await add(sqlite, [*older, *(record(f"newer {n}", "international long words") for n in range(150))])
    assert await found(sqlite, query) == ["older 1", "older 0"]


async def test_a_long_conversation_found_by_its_title_shows_its_newest_match(sqlite: SqliteStore) -> None:
    last = await ask(sqlite, "first", "nightingale one", title="Nightingales")
    for n in range(60):
        words = "nightingale two" if n == 7 else "something"
        last = await ask(sqlite, words, "else", conversation=last.conversation.id, parent=last.reply.id)
    await ask(sqlite, "nightingale", title="other")
    hits = await sqlite.search_conversations(ME, "nightin")
    assert [marked(hit) for hit in hits] == [("[Nightin]gales", "[nightin]gale two"), ("other", "[nightin]gale")]
