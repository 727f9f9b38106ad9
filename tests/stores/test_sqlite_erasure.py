"""Nothing of what was removed is left in the file, in corners of it that SQLite does not use either."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from stores.asking import ask, found, titles

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people import NewUser
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ports import ConversationChanges
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people

NOW = 1_795_305_600_000
CANARY = "zanzibarcanary"


def files_holding(folder: Path, word: str) -> list[str]:
    return [file.name for file in folder.iterdir() if word.encode() in file.read_bytes()]


async def test_not_even_pages_that_were_split_hold_a_word_of_who_is_gone(sqlite: SqliteStore) -> None:
    people = sqlite_people(sqlite)
    users = [
        (await people.accounts.add_user(NewUser(login=said, name=said), now=NOW)).id
        for said in (CANARY, "innocent", "other")
    ]
    sizes = random.Random(0)  # noqa: S311 - any order of long and short texts, the same each time
    for _ in range(8):
        said = [(user, sizes.choice((1, 5, 250))) for user in users for _ in range(14)]
        sizes.shuffle(said)
        words = dict(zip(users, (CANARY, "innocent", "other"), strict=True))
        await asyncio.gather(
            *(ask(sqlite, f"{words[user]} " * size, f"{words[user]} " * size, owner=user) for user, size in said)
        )
    assert files_holding(sqlite.path.parent, CANARY)
    await Erasure(people, [sqlite]).erase(users[0])
    assert files_holding(sqlite.path.parent, CANARY[:6]) == []
    assert len(await titles(sqlite, users[1])) == 50, "a page of them"
    assert len(await found(sqlite, "innocent", users[1])) == 30
    with closing(sqlite3.connect(sqlite.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_an_old_title_is_gone_with_the_next_purge_though_it_removes_nothing(sqlite: SqliteStore) -> None:
    renamed = (await ask(sqlite, "a question", title=CANARY)).conversation.id
    for n in range(30):
        await ask(sqlite, "another", title=f"other {n}")
    await sqlite.change_conversation("me", renamed, ConversationChanges(title="nothing to see"))
    assert files_holding(sqlite.path.parent, CANARY)
    assert await sqlite.purge_deleted(before=NOW) == 0
    assert files_holding(sqlite.path.parent, CANARY[:6]) == []
    assert await found(sqlite, "nothing", "me") == ["nothing to see"]


async def test_a_deletion_for_which_the_file_was_locked_is_begun_again(sqlite: SqliteStore) -> None:
    people = sqlite_people(sqlite)
    user = await people.accounts.add_user(NewUser(login=CANARY, name=CANARY), now=NOW)
    await sqlite.writer.run(lambda database: database.execute("PRAGMA busy_timeout = 0"), in_transaction=False)
    erasure = Erasure(people, [sqlite])
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await erasure.erase(user.id)
        other.execute("ROLLBACK")
    await erasure.erase(user.id)
    assert await people.accounts.list_users() == ()
    assert files_holding(sqlite.path.parent, CANARY) == []
