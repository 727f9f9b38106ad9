"""Search of titles in the database.

How this works and why. The newest titles are scanned, in an index that holds them; the older ones are looked up by
their tokens (`sqlite_index.py`). What is frequent is found often enough among the newest, so what is looked up is rare,
and few titles are read for it, checked and sorted. Titles that hold the words whole are looked for first: what is being
typed is seldom a whole word, so the index, which tells these apart, is asked before anything is scanned.
"""

import sqlite3
from collections.abc import Iterator

from daehwa.stores.search_text import Query
from daehwa.stores.sqlite_index import LETTERS_LISTED, Terms, by_lists, matching

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
_AFTER_ALL = (2**63 - 1, "")


def find_titles(database: sqlite3.Connection, owner: str, query: Query, limit: int) -> list[int]:
    """Return the numbers of conversations whose titles match: whole words first, of both those used last first."""
    end = database.execute(_NEWEST_NOT_SCANNED, (owner, _SCANNED)).fetchone()
    titles = _Titles(database, owner, query, end)
    found: dict[int, None] = {}
    for whole in (False,) if query.is_always_whole else (True, False):
        for number in titles.matching(whole=whole):
            if len(found) >= limit:
                return [*found]
            found[number] = None
    return [*found]


class _Titles:
    """An owner's titles; `end` is the newest conversation whose title is not scanned, None where all are."""

    def __init__(self, database: sqlite3.Connection, owner: str, query: Query, end: tuple[int, str] | None) -> None:
        self._database = database
        self._owner = owner
        self._query = query
        self._end = end

    def matching(self, *, whole: bool) -> Iterator[int]:
        """Yield the numbers of those that match, those used last first."""
        if whole:
            match = matching(self._query.index_terms(whole=True))
            if not _is_frequent(self._database, match):
                yield from self._numbers(_OLDER, (match, self._owner, *_AFTER_ALL), whole=True)
                return
        yield from self._numbers(_NEWEST, (self._owner, *(self._end or _BEFORE_ALL)), whole=whole)
        if self._end is not None:
            match = _match(self._database, self._query.index_terms(whole=whole))
            yield from self._numbers(_OLDER, (match, self._owner, *self._end), whole=whole)

    def _numbers(self, statement: str, values: tuple[object, ...], *, whole: bool) -> Iterator[int]:
        chunks = self._query.chunks
        holds_all = " AND ".join(["instr(title_folded, ?)"] * len(chunks))
        rows = self._database.execute(statement.format(holds_all=holds_all), (*values, *chunks))
        return (number for number, title_folded in rows if self._query.matches(title_folded, whole=whole))


def _match(database: sqlite3.Connection, terms: Terms) -> str:
    """Return what is asked of the index: lists alone where that leaves few titles to be checked."""
    listed = {token: is_prefix for token, is_prefix in terms.items() if not is_prefix or len(token) >= LETTERS_LISTED}
    by_lists_alone = matching(by_lists(listed or terms))
    return matching(terms) if _is_frequent(database, by_lists_alone) else by_lists_alone


def _is_frequent(database: sqlite3.Connection, match: str) -> bool:
    return len(database.execute(_LISTED, (match, _CHECKED + 1)).fetchall()) > _CHECKED
