"""Search in the database.

How this works and why. The index (`sqlite_index.py`) says which messages hold all tokens of a query, newest first;
their text is then read and checked one by one until enough conversations are found, so a frequent word costs no more
than a rare one. What the index lists too much, or still lists of a message that is gone, the check drops. Whole words
are asked for first. Then come beginnings: candidates are asked for by three letters of each, for which the index has
lists, and by whole beginnings, which it has to merge, only where too many were read in vain.

Titles come first (`sqlite_titles.py`); what is found by its title shows one of its messages that matches too.
"""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from daehwa.conversation.ports import SearchHit
from daehwa.stores.records import legible_text_of
from daehwa.stores.search_text import Query, folded
from daehwa.stores.sqlite_index import by_lists, is_waiting, matching
from daehwa.stores.sqlite_rows import CONVERSATION, MESSAGES, conversation_of
from daehwa.stores.sqlite_titles import find_titles

_CANDIDATES = """
SELECT m.seq, m.conversation FROM message_index
CROSS JOIN messages m ON m.seq = message_index.rowid CROSS JOIN conversations c ON c.seq = m.conversation
WHERE message_index MATCH ? AND message_index.rowid < ? AND c.owner = ? AND c.deleted IS NULL
ORDER BY message_index.rowid DESC
"""
_LISTED = """
SELECT rowid FROM message_index WHERE message_index MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?
"""
_ABOVE_ALL = 2**63 - 1
# Bounds for queries that the index cannot narrow down; what is found by then is shown.
_READ_IN_VAIN_BY_LISTS = 100
_READ_IN_VAIN_WHOLE = 300
_READ_IN_VAIN = 1_000
_READ_WITHOUT_INDEX = 100
_READ_OF_TITLED = 500
_LISTED_FOR_TITLED = 5_000


def search(
    database: sqlite3.Connection, owner: str, query: Query, limit: int, *, waits: bool
) -> tuple[SearchHit, ...] | None:
    """Return what is found as of one moment: titles first, then texts; of each, whole words first, then the newest.
    None, where `waits` is true and something is still to be taken into the index.
    """
    one = _Search(database, owner, query, limit)
    database.execute("BEGIN")
    try:
        if waits and is_waiting(database):
            return None
        one.add_titles()
        one.add_texts()
    finally:
        database.execute("ROLLBACK")
    return tuple(one.hits.values())


class _Search:
    """One search and what it has found: hits by the numbers of their conversations, in their order."""

    def __init__(self, database: sqlite3.Connection, owner: str, query: Query, limit: int) -> None:
        self.hits: dict[int, SearchHit] = {}
        self._database = database
        self._owner = owner
        self._query = query
        self._limit = limit
        terms = query.index_terms()
        self._by_lists, self._exactly = matching(by_lists(terms)), matching(terms)
        self._whole = None if query.is_always_whole else matching(query.index_terms(whole=True))

    def add_titles(self) -> None:
        """Add conversations whose titles match, each with the newest of its messages that matches best."""
        for number in find_titles(self._database, self._owner, self._query, self._limit):
            self.hits[number] = self._title_hit(number)
        left = set(self.hits)
        numbers = {seq: number for number in left for seq in self._messages_of(number)}
        if self._whole is not None:
            self._show_messages(left, numbers, self._whole, whole=True)
        if left:
            self._show_messages(left, numbers, self._by_lists, whole=False)

    def _show_messages(self, left: set[int], numbers: Mapping[int, int], match: str, *, whole: bool) -> None:
        """Let hits that are left show the newest of their messages that matches, and take them out of `left`."""
        rows = (seq for seq in self._may_match(match, numbers) if numbers.get(seq) in left)
        for seq in islice(rows, _READ_OF_TITLED):
            hit = self._text_hit(seq, whole=whole)
            if hit is not None:
                self.hits[numbers[seq]] = hit
                left.discard(numbers[seq])
            if not left:
                return

    def _messages_of(self, number: int) -> Iterable[int]:
        rows = self._database.execute("SELECT seq FROM messages WHERE conversation = ?", (number,))
        return (seq for (seq,) in rows)

    def _may_match(self, match: str, seqs: Collection[int]) -> Iterable[int]:
        """Return messages, newest first: these where they are few, else what the index lists among the newest."""
        if len(seqs) <= _READ_WITHOUT_INDEX:
            return sorted(seqs, reverse=True)
        rows = self._database.execute(_LISTED, (match, min(seqs), max(seqs), _LISTED_FOR_TITLED))
        return (seq for (seq,) in rows)

    def add_texts(self) -> None:
        """Add conversations by the newest of their messages that matches, those with whole words first."""
        if self._whole is not None:
            self._read(self._whole, _ABOVE_ALL, _READ_IN_VAIN_WHOLE, whole=True)
        below: int | None = _ABOVE_ALL
        if self._by_lists != self._exactly:
            below = self._read(self._by_lists, _ABOVE_ALL, _READ_IN_VAIN_BY_LISTS)
        if below is not None:
            self._read(self._exactly, below, _READ_IN_VAIN)

    def _read(self, match: str, below: int, in_vain: int, *, whole: bool = False) -> int | None:
        """Read candidates below a row, newest first; return the last one where so many were read in vain."""
        if len(self.hits) >= self._limit:
            return None
        for seq, number in self._database.execute(_CANDIDATES, (match, below, self._owner)):
            if number in self.hits:
                continue
            hit = self._text_hit(seq, whole=whole)
            if hit is None:
                in_vain -= 1
                if not in_vain:
                    return int(seq)
            else:
                self.hits[number] = hit
                if len(self.hits) >= self._limit:
                    return None
        return None

    def _title_hit(self, number: int) -> SearchHit:
        row = self._database.execute(
            f"SELECT {CONVERSATION} FROM conversations c WHERE c.seq = ?", (number,)
        ).fetchone()
        conversation = conversation_of(row)
        return SearchHit(conversation=conversation, title=self._query.highlighted(conversation.title))

    def _text_hit(self, seq: int, *, whole: bool) -> SearchHit | None:
        row = self._database.execute(
            f"SELECT m.id, CAST(m.parts AS BLOB), {CONVERSATION} FROM {MESSAGES} WHERE m.seq = ?", (seq,)
        ).fetchone()
        text = legible_text_of(row[1])
        if not self._query.matches(folded(text), whole=whole):
            return None
        conversation = conversation_of(row[2:])
        return SearchHit(
            conversation=conversation,
            title=self._query.highlighted(conversation.title),
            message=row[0],
            snippet=self._query.snippet(text),
        )
