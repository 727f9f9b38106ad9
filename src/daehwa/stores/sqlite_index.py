"""The search index in the database: how it is written, how it is asked, and how it forgets what was taken out.

How this works and why. FTS5 holds no text, no positions and no sizes: tokens go in, row numbers come out, those of
messages, and those of conversations for their titles. To take something out it is told the same tokens again.

A question is told to it only once its answer has ended, or somebody searches: that was a fifth of the work of storing
one, for which whoever asked waits. Which rows wait is kept in a table, in the transaction that stores them.

It keeps lists of what begins with the same letters (one, two and three of them in texts, three in titles), and gives
the newest rows of a list at once. For any other beginning it first merges the lists of all words that begin so.
"""

# ruff: noqa: S608 - what is put together are table names of ours
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from daehwa.stores.records import legible_text_of
from daehwa.stores.search_text import tokens

Terms: TypeAlias = Mapping[str, bool]
"""Tokens to ask for; True where a token that begins so will do."""

LETTERS_LISTED: Final = 3
"""The most letters of a beginning for which lists are kept."""
_MESSAGE_INDEX: Final = "message_index"
_TITLE_INDEX: Final = "title_index"
TITLE_INDEX: Final = (_TITLE_INDEX,)
INDEXES: Final = (_MESSAGE_INDEX, _TITLE_INDEX)
_TEXTS: Final = {
    _MESSAGE_INDEX: "SELECT CAST(parts AS BLOB) FROM messages WHERE seq = ?",
    _TITLE_INDEX: "SELECT title FROM conversations WHERE seq = ?",
}
_WAIT_NO_MORE: Final = "DELETE FROM index_waiting WHERE index_name = ? AND number = ?"
_LET_WAIT: Final = "INSERT INTO index_waiting (index_name, number) VALUES (?, ?)"
_TERMS_ASKED = 12
_PAGES_AT_ONCE = 200
_CHANGES_OF_A_MERGE = 2
"""FTS5's documented sign: a merge that changes fewer rows than this found nothing to do."""


def index_text(database: sqlite3.Connection, seq: int, text: str) -> None:
    """Make a message's text findable."""
    _add(database, _MESSAGE_INDEX, seq, text)


def index_text_later(database: sqlite3.Connection, seq: int) -> None:
    """Let a message's text, as it is stored, wait for `index_waiting`."""
    database.execute(_LET_WAIT, (_MESSAGE_INDEX, seq))


def index_title_later(database: sqlite3.Connection, number: int) -> None:
    """Let a conversation's title wait likewise."""
    database.execute(_LET_WAIT, (_TITLE_INDEX, number))


def is_waiting(database: sqlite3.Connection) -> bool:
    """Return whether anything waits."""
    return database.execute("SELECT 1 FROM index_waiting LIMIT 1").fetchone() is not None


def index_waiting(database: sqlite3.Connection) -> None:
    """Make findable what waits: of each question one row, so no more than answers that grow or were broken off."""
    for index, number in database.execute("SELECT index_name, number FROM index_waiting").fetchall():
        for (text,) in database.execute(_TEXTS[index], (number,)).fetchall():
            _add(database, index, number, legible_text_of(text) if index == _MESSAGE_INDEX else text)
    database.execute("DELETE FROM index_waiting")


def unindex_text(database: sqlite3.Connection, seq: int, text: str) -> None:
    """Take a text that was made findable out of the index again."""
    _take_out(database, _MESSAGE_INDEX, seq, text)


def index_title(database: sqlite3.Connection, number: int, title: str) -> None:
    """Make a conversation's title findable."""
    _add(database, _TITLE_INDEX, number, title)


def unindex_title(database: sqlite3.Connection, number: int, title: str) -> None:
    """Take a title that was made findable out of the index again."""
    _take_out(database, _TITLE_INDEX, number, title)


def change_title(database: sqlite3.Connection, number: int, before: str, after: str) -> None:
    """Make a conversation findable by its new title, and no more by the one before."""
    if before != after:
        unindex_title(database, number, before)
        index_title(database, number, after)


def _add(database: sqlite3.Connection, index: str, row: int, text: str) -> None:
    if found := " ".join(tokens(text)):
        database.execute(f"INSERT INTO {index} (rowid, tokens) VALUES (?, ?)", (row, found))


def _take_out(database: sqlite3.Connection, index: str, row: int, text: str) -> None:
    if database.execute(_WAIT_NO_MORE, (index, row)).rowcount:
        return
    if found := " ".join(tokens(text)):
        database.execute(f"INSERT INTO {index} ({index}, rowid, tokens) VALUES ('delete', ?, ?)", (row, found))


def matching(terms: Terms) -> str:
    """Return terms in FTS5's language; they hold letters, digits and marks only, and are quoted all the same."""
    chosen = sorted(terms.items(), key=lambda term: (term[1], -len(term[0])))[:_TERMS_ASKED]
    return " AND ".join(f'"{token}"*' if is_prefix else f'"{token}"' for token, is_prefix in chosen)


def by_lists(terms: Terms) -> Terms:
    """Return terms that ask for less, where lists are kept: what holds the given ones holds these too."""
    return {token[:LETTERS_LISTED] if is_prefix else token: is_prefix for token, is_prefix in terms.items()}


def begin_forgetting(database: sqlite3.Connection, indexes: Sequence[str]) -> None:
    """Begin to write indexes anew: until then their files still hold the words of what was taken out."""
    for index in indexes:
        _merge(database, index, -_PAGES_AT_ONCE)


def forget_some(database: sqlite3.Connection, indexes: Sequence[str]) -> bool:
    """Go on with writing indexes anew; return whether it is done."""
    return all(_merge(database, index, _PAGES_AT_ONCE) for index in indexes)


def _merge(database: sqlite3.Connection, index: str, pages: int) -> bool:
    """Merge some pages of an index; return whether there was nothing to do."""
    changes = database.total_changes
    database.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', ?)", (pages,))
    return database.total_changes - changes < _CHANGES_OF_A_MERGE
