"""A store with 100,000 conversations, filled once and kept beside the peers: it takes two minutes, and is no figure.

It is filled anew where the code of the stores or the texts have changed.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import peers
import programs
import texts

from daehwa.conversation.ids import new_id
from daehwa.stores.sqlite import SqliteStore

CONVERSATIONS = 100_000
_AT_ONCE = 1_000
_STORES = programs.ROOT / "src" / "daehwa" / "stores"


def kept(folder: Path = peers.FOLDER, size: int = CONVERSATIONS) -> Path:
    """Return the file, for copying; fill it where it is not there."""
    made_by = (*_STORES.glob("sqlite*.py"), _STORES / "records.py", _STORES / "search_text.py")
    path = folder / f"conversations-{digest((*made_by, Path(texts.__file__), Path(__file__)))}.db"
    if not path.exists():
        print(f"  filling a store with {size} conversations, once", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("conversations-*"):
            old.unlink()
        unfinished = path.with_suffix(".unfinished")
        asyncio.run(_filled(unfinished, size))
        unfinished.rename(path)
    return path


def digest(paths: Sequence[Path]) -> str:
    """Return what changes where one of these files does."""
    contents = hashlib.sha256()
    for path in sorted(paths):
        contents.update(path.read_bytes())
    return contents.hexdigest()[:16]


async def _filled(path: Path, size: int) -> None:
    store, writer = await SqliteStore.open(path), texts.Writer()
    for done in range(0, size, _AT_ONCE):
        await add(store, writer, min(_AT_ONCE, size - done))
    await store.aclose()


async def add(store: SqliteStore, writer: texts.Writer, count: int) -> list[str]:
    """Add conversations of a question and an answer in one transaction; return their ids."""

    def work(database: sqlite3.Connection, ids: Sequence[str]) -> None:
        for conversation in ids:
            texts.store_turns(database, writer, conversation, None, 1)

    ids = [new_id() for _ in range(count)]
    await store.writer.run(partial(work, ids=ids))
    return ids


async def ids_in(store: SqliteStore) -> list[str]:
    """Return the ids of all conversations."""
    rows = await store.writer.run(lambda database: database.execute("SELECT id FROM conversations").fetchall())
    return [identity for (identity,) in rows]
