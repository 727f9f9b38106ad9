"""Search in the database.

How this works and why. The index (FTS5 without text, positions and sizes) answers in well under a millisecond which
messages hold all tokens of a query, newest first; their text is then read and checked one by one until enough
conversations are found, so a frequent word costs no more than a rare one. What the index lists too much, or still
lists of a message that is gone, the check drops. Titles are few and short: an index that
holds them, newest first, is scanned.
"""

# ruff: noqa: S608 - what is put together are column names and marks of ours
import sqlite3
from itertools import islice

from daehwa.conversation.ports import SearchHit
from daehwa.stores.records import text_of
from daehwa.stores.search_text import Query, folded, tokens
from daehwa.stores.sqlite_rows import CONVERSATION, MESSAGES, conversation_of

_CANDIDATES = """
SELECT m.seq, m.conversation FROM message_index
CROSS JOIN messages m ON m.seq = message_index.rowid CROSS JOIN conversations c ON c.seq = m.conversation
WHERE message_index MATCH ? AND c.owner = ? AND c.deleted IS NULL
ORDER BY message_index.rowid DESC
"""
_TERMS_ASKED = 12
# Bounds for queries that the index cannot narrow down; what is found by then is shown.
_CANDIDATES_READ_IN_VAIN = 1_000
_CANDIDATES_SEEN_WHEN_FULL = 500
_PAGES_AT_ONCE = 200
_CHANGES_OF_A_MERGE = 2
"""FTS5's documented sign: a merge that changes fewer rows than this found nothing to do."""


def index_text(database: sqlite3.Connection, seq: int, text: str) -> None:
    """Make a message's text findable."""
    if found := " ".join(tokens(text)):
        database.execute("INSERT INTO message_index (rowid, tokens) VALUES (?, ?)", (seq, found))


def unindex_text(database: sqlite3.Connection, seq: int, text: str) -> None:
    """Take a text that was made findable out of the index again."""
    if found := " ".join(tokens(text)):
        database.execute(
            "INSERT INTO message_index (message_index, rowid, tokens) VALUES ('delete', ?, ?)", (seq, found)
        )


def search(database: sqlite3.Connection, owner: str, query: Query, limit: int) -> tuple[SearchHit, ...]:
    """Return what is found, title matches first, then by the newest message that matches."""
    hits = _title_hits(database, owner, query, limit)
    by_title_only = set(hits)
    read = 0
    for seen, (seq, number) in enumerate(database.execute(_CANDIDATES, (_match(query), owner))):
        is_full = len(hits) >= limit
        if is_full and (not by_title_only or seen >= _CANDIDATES_SEEN_WHEN_FULL):
            break
        if number not in by_title_only and (is_full or number in hits):
            continue
        hit = _text_hit(database, seq, query)
        if hit is not None:
            hits[number] = hit
            by_title_only.discard(number)
        read += hit is None
        if read >= _CANDIDATES_READ_IN_VAIN:
            break
    return tuple(hits.values())


def _match(query: Query) -> str:
    """Return the tokens in FTS5's language; they hold letters, digits and marks only, and are quoted all the same."""
    terms = sorted(query.index_terms().items(), key=lambda term: (term[1], -len(term[0])))[:_TERMS_ASKED]
    return " AND ".join(f'"{token}"*' if is_prefix else f'"{token}"' for token, is_prefix in terms)


def _title_hits(database: sqlite3.Connection, owner: str, query: Query, limit: int) -> dict[int, SearchHit]:
    holds_all = " AND ".join(["instr(title_folded, ?)"] * len(query.chunks))
    rows = database.execute(
        f"SELECT seq, title_folded FROM conversations INDEXED BY conversations_titles WHERE owner = ? "
        f"AND deleted IS NULL AND {holds_all} ORDER BY updated DESC, id DESC",
        (owner, *query.chunks),
    )
    numbers = islice((number for number, title_folded in rows if query.matches(title_folded)), limit)
    return {number: _title_hit(database, number, query) for number in numbers}


def _title_hit(database: sqlite3.Connection, number: int, query: Query) -> SearchHit:
    row = database.execute(f"SELECT {CONVERSATION} FROM conversations c WHERE c.seq = ?", (number,)).fetchone()
    conversation = conversation_of(row)
    return SearchHit(conversation=conversation, title=query.highlighted(conversation.title))


def _text_hit(database: sqlite3.Connection, seq: int, query: Query) -> SearchHit | None:
    row = database.execute(
        f"SELECT m.id, m.parts, {CONVERSATION} FROM {MESSAGES} WHERE m.seq = ?",
        (seq,),
    ).fetchone()
    text = text_of(row[1])
    if not query.matches(folded(text)):
        return None
    conversation = conversation_of(row[2:])
    return SearchHit(
        conversation=conversation,
        title=query.highlighted(conversation.title),
        message=row[0],
        snippet=query.snippet(text),
    )


def begin_forgetting(database: sqlite3.Connection) -> None:
    """Begin to write the index anew: until then its files still hold the words of what was taken out."""
    database.execute("INSERT INTO message_index (message_index, rank) VALUES ('merge', ?)", (-_PAGES_AT_ONCE,))


def forget_some(database: sqlite3.Connection) -> bool:
    """Go on with writing the index anew; return whether it is done."""
    changes = database.total_changes
    database.execute("INSERT INTO message_index (message_index, rank) VALUES ('merge', ?)", (_PAGES_AT_ONCE,))
    return database.total_changes - changes < _CHANGES_OF_A_MERGE
