"""Images in the SQLite file: who reads their bytes, what a kill leaves of them, damage, and copies of the file."""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from stores.asking import ME, an_image, ask, ended, grown, make_turn

from daehwa.conversation.errors import StoreError, Unreadable
from daehwa.conversation.ids import now_ms
from daehwa.conversation.images import ImageNotFound
from daehwa.conversation.messages import ImagePart
from daehwa.conversation.ports import ConversationChanges
from daehwa.conversation.stretch import StretchWish
from daehwa.stores.records import decode_parts
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_copying import take_copy
from daehwa.stores.sqlite_restoring import put_back

TESTS = Path(__file__).parents[1]
_ASKS = """
import asyncio, sys
from pathlib import Path
from stores.asking import an_image, make_turn
from daehwa.stores.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    while True:
        turn = make_turn("Look", shows=[an_image(200_000) for _ in range(8)])
        await store.begin_turn(turn)
        print(turn.conversation, flush=True)

asyncio.run(main())
"""


async def forbid_bytes(store: SqliteStore) -> None:
    """Let SQLite refuse each statement of this store that reads the bytes of images."""

    def authorize(action: int, table: str | None, column: str | None, *_: str | None) -> int:
        is_refused = action == sqlite3.SQLITE_READ and (table, column) == ("images", "data")
        return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK

    await store.writer.run(lambda database: database.set_authorizer(authorize))
    for reader in (store.reader, store._searcher, store.reports):
        await reader.run(lambda database: database.set_authorizer(authorize))


async def test_nothing_reads_the_bytes_that_is_not_asked_for_an_image(sqlite: SqliteStore) -> None:
    image = an_image(50_000)
    begun = await ask(sqlite, "What is this tree?", shows=[image])
    conversation = begun.conversation.id
    await forbid_bytes(sqlite)
    with pytest.raises(StoreError):
        await sqlite.get_image(ME, conversation, image.id)
    await sqlite.list_conversations(ME)
    await sqlite.get_conversation(ME, conversation)
    await sqlite.read_stretch(ME, conversation, StretchWish(limit=1))
    assert await sqlite.search_conversations(ME, "tree")
    again = await sqlite.begin_turn(make_turn("Again", conversation=conversation, shows=[image], images=[]))
    await sqlite.save_checkpoints([grown(again.reply, "It")])
    await sqlite.finish_reply(ended(again.reply, "It is one."))
    await ask(sqlite, "More", conversation=conversation, parent=again.reply.id)
    await sqlite.get_message(ME, again.path[-1].id)
    await sqlite.change_conversation(ME, conversation, ConversationChanges(title="Tree"))
    await sqlite.delete_conversation(ME, conversation)
    await sqlite.restore_conversation(ME, conversation)
    await sqlite.forget(ME)


async def test_killed_at_any_moment_questions_have_their_images(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    acknowledged: set[str] = set()
    for round_ in range(4):
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _ASKS, path), stdout=asyncio.subprocess.PIPE, env=environment
        )
        assert program.stdout is not None
        acknowledged.add((await program.stdout.readline()).decode().strip())
        await asyncio.sleep(0.007 * (1 + 3 * round_))
        program.kill()
        acknowledged.update((await program.stdout.read()).decode().split("\n")[:-1])
        await program.wait()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = {row[0] for row in database.execute("SELECT id FROM conversations")}
        rows = database.execute("SELECT parts FROM messages WHERE role = 'user'").fetchall()
        sizes = dict(database.execute("SELECT id, length(data) FROM images").fetchall())
    named = [part for (parts,) in rows for part in decode_parts(parts) if isinstance(part, ImagePart)]
    assert acknowledged <= stored
    assert len(rows) == len(stored)
    assert {part.image: part.size for part in named} == sizes
    assert len(sizes) == 8 * len(stored)


async def test_a_question_that_fails_leaves_no_image(sqlite: SqliteStore) -> None:
    begun = await ask(sqlite, "First")
    turn = make_turn("Second", conversation=begun.conversation.id, shows=[an_image(50_000)])
    await sqlite.writer.run(
        lambda database: database.execute(
            "CREATE TEMP TRIGGER fails BEFORE INSERT ON images BEGIN SELECT raise(ABORT, 'made up'); END"
        )
    )
    with pytest.raises(StoreError):
        await sqlite.begin_turn(turn)
    await sqlite.writer.run(lambda database: database.execute("DROP TRIGGER fails"))
    assert len((await sqlite.get_conversation(ME, begun.conversation.id))[1]) == 2
    assert (await sqlite.begin_turn(turn)).created


async def test_a_damaged_image_is_missing_and_told_by_an_export(sqlite: SqliteStore) -> None:
    image = an_image(50_000)
    begun = await ask(sqlite, "What is this?", shows=[image])
    whole = await ask(sqlite, "Whole", shows=[an_image()])
    await sqlite.writer.run(
        lambda database: database.execute("UPDATE images SET media_type = 'imagf/png' WHERE id = ?", (image.id,))
    )
    with pytest.raises(ImageNotFound):
        await sqlite.get_image(ME, begun.conversation.id, image.id)
    assert len((await sqlite.get_conversation(ME, begun.conversation.id))[1]) == 2
    left_out: list[str] = []
    records = [record async for record in sqlite.export_conversations(left_out=left_out.append)]
    assert [record.conversation.id for record in records] == [whole.conversation.id]
    assert begun.conversation.id in left_out[0]
    with pytest.raises(Unreadable):
        _ = [record async for record in sqlite.export_conversations()]


async def test_a_page_that_a_disk_has_damaged_takes_its_image_alone(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    store = await SqliteStore.open(path)
    image, other = an_image(50_000), an_image(50_000)
    begun = await ask(store, "What are these?", shows=[image, other])
    await store.leave_no_copy()
    await store.aclose()
    content = bytearray(path.read_bytes())
    at = content.index(image.data[20_000:20_100]) // 4096 * 4096
    content[at : at + 4] = b"\xff\xff\xff\xff"  # where the next page of an image stands
    path.write_bytes(content)
    store = await SqliteStore.open(path)
    with pytest.raises(ImageNotFound):
        await store.get_image(ME, begun.conversation.id, image.id)
    assert await store.get_image(ME, begun.conversation.id, other.id) == other
    await ask(store, "More", conversation=begun.conversation.id, parent=begun.reply.id)
    left_out: list[str] = []
    assert [record async for record in store.export_conversations(left_out=left_out.append)] == []
    assert begun.conversation.id in left_out[0]
    await store.aclose()


async def test_a_copy_that_is_put_back_has_the_images(tmp_path: Path) -> None:
    path, copy = tmp_path / "daehwa.db", tmp_path / "copy.db"
    store = await SqliteStore.open(path)
    image = an_image(500_000)
    begun = await ask(store, "Look", shows=[image])
    await asyncio.to_thread(take_copy, path, copy)
    await store.forget(ME)
    await store.aclose()
    await asyncio.to_thread(put_back, copy, path)
    store = await SqliteStore.open(path)
    assert await store.get_image(ME, begun.conversation.id, image.id) == image
    await store.aclose()


async def test_many_images_are_removed_in_small_pieces(sqlite: SqliteStore) -> None:
    begun = await ask(sqlite, "Many", shows=[an_image(100_000) for _ in range(8)])
    for _ in range(4):
        shows = [an_image(100_000) for _ in range(8)]
        begun = await ask(sqlite, "More", conversation=begun.conversation.id, parent=begun.reply.id, shows=shows)
    await sqlite.delete_conversation(ME, begun.conversation.id)
    purging = asyncio.create_task(sqlite.purge_deleted(before=now_ms() + 1))
    between = 0
    while not purging.done():
        left = await sqlite.writer.run(lambda database: database.execute("SELECT count(*) FROM images").fetchone()[0])
        between += 0 < left < 40
    assert await purging == 1
    assert between, "others wrote meanwhile"


async def test_an_image_of_a_record_is_as_it_was_in_json(sqlite: SqliteStore) -> None:
    image = an_image(1_000)
    await ask(sqlite, "Look", shows=[image])
    (record,) = [record async for record in sqlite.export_conversations()]
    there = msgspec.json.decode(msgspec.json.encode(record), type=type(record))
    assert there == record
    assert there.images == (image,)
