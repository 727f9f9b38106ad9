"""The store that the benchmark fills once."""

import asyncio
from pathlib import Path

import filled

from daehwa.stores.sqlite import SqliteStore


def test_a_store_is_filled_once_and_an_older_one_goes(tmp_path: Path) -> None:
    older = tmp_path / "conversations-of-older-code.db"
    older.touch()
    path = filled.kept(tmp_path, 3)
    made = path.stat().st_mtime_ns
    assert filled.kept(tmp_path, 3).stat().st_mtime_ns == made
    assert list(tmp_path.iterdir()) == [path]
    assert asyncio.run(_count(path)) == 3


def test_it_is_another_file_where_the_code_that_fills_it_has_changed(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("one")
    before = filled.digest([code])
    assert filled.digest([code]) == before
    code.write_text("other")
    assert filled.digest([code]) != before


async def _count(path: Path) -> int:
    store = await SqliteStore.open(path)
    found = await filled.ids_in(store)
    await store.aclose()
    return len(found)
