"""Search of titles in the database.

How this works and why. The newest titles are scanned, in an index that holds them; the older ones are looked up by
their tokens (`sqlite_index.py`). What is frequent is found often enough among the newest, so what is looked up is rare,
and few titles are read for it, checked and sorted.
"""

import sqlite3
from collections.abc import Iterator
from itertools import islice

from daehwa.stores.search_text import Query
from daehwa.stores.sqlite_index import LETTERS_LISTED, by_lists, matching

_NEWEST_NOT_SCANNED = """
SELECT updated, id FROM conversations INDEXED BY conversations_titles WHERE owner = ? AND deleted IS NULL
ORDER BY updated DESC, id DESC LIMIT 1 OFFSET ?
"""
_NEWEST = """
SELECT seq, title_folded FROM conversations INDEXED BY conversations_titles
WHERE owner = ? AND deleted IS NULL AND (updated, id) > (?, ?) AND {holds_all} ORDER BY updated DESC, id DESC
"""
_OLDER = """
SELECT c.seq, c.title_folded FROM title_index CROSS JOIN conversations c ON c.seq = title_index.rowid
WHERE title_index MATCH ? AND c.owner = ? AND c.deleted IS NULL AND (c.updated, c.id) <= (?, ?) AND {holds_all}
ORDER BY c.updated DESC, c.id DESC
"""
_LISTED = "SELECT rowid FROM title_index WHERE title_index MATCH ? LIMIT ?"
_SCANNED = 3_000
_CHECKED = 1_000
_BEFORE_ALL = (-1, "")


def find_titles(database: sqlite3.Connection, owner: str, query: Query, limit: int) -> list[int]:
    """Return the numbers of conversations whose titles match, those used last first."""
    end = database.execute(_NEWEST_NOT_SCANNED, (owner, _SCANNED)).fetchone()
    found = list(islice(_numbers(database, _NEWEST, (owner, *(end or _BEFORE_ALL)), query), limit))
    if end is not None and len(found) < limit:
        older = _numbers(database, _OLDER, (_match(database, query), owner, *end), query)
        found += islice(older, limit - len(found))
    return found


def _numbers(database: sqlite3.Connection, statement: str, values: tuple[object, ...], query: Query) -> Iterator[int]:
    holds_all = " AND ".join(["instr(title_folded, ?)"] * len(query.chunks))
    rows = database.execute(statement.format(holds_all=holds_all), (*values, *query.chunks))
    return (number for number, title_folded in rows if query.matches(title_folded))


def _match(database: sqlite3.Connection, query: Query) -> str:
    """Return what is asked of the index: lists alone where that leaves few titles to be checked."""
    terms = query.index_terms()
    listed = {token: is_prefix for token, is_prefix in terms.items() if not is_prefix or len(token) >= LETTERS_LISTED}
    by_lists_alone = matching(by_lists(listed or terms))
    rows = database.execute(_LISTED, (by_lists_alone, _CHECKED + 1)).fetchall()
    return by_lists_alone if len(rows) <= _CHECKED else matching(terms)
