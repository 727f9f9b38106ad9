"""The schema of the database file, as numbered steps. A step that was released is never changed, only followed."""

import sqlite3
from collections.abc import Callable

from daehwa.stores.search_text import tokens

Migration = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x64616577
"""What `PRAGMA application_id` says in a file of ours ("daew")."""


def m0001_conversations(database: sqlite3.Connection) -> None:
    """Conversations, their messages, and the search index.

    `messages.parent` has no foreign key: every deletion of a message would have to look for children, and messages
    only go together with their conversation. `messages_streaming` leaves out what a checkpoint changes, so that a
    checkpoint writes to no index. `conversations_titles` holds all that a search of titles reads. The search index
    holds no text: `search_text.tokens` go in, row numbers come out.
    """
    for statement in _M0001:
        database.execute(statement)


_M0001 = (
    """CREATE TABLE conversations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    title_folded TEXT NOT NULL,
    title_source TEXT NOT NULL,
    title_usage TEXT,
    model TEXT,
    leaf TEXT,
    pinned INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER
)""",
    """CREATE INDEX conversations_listed ON conversations (owner, archived, pinned DESC, updated DESC, id DESC)
    WHERE deleted IS NULL""",
    """CREATE INDEX conversations_titles ON conversations (owner, updated DESC, id DESC, title_folded)
    WHERE deleted IS NULL""",
    "CREATE INDEX conversations_deleted ON conversations (deleted) WHERE deleted IS NOT NULL",
    """CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversations (seq),
    parent TEXT,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    model TEXT,
    finish TEXT,
    usage TEXT,
    error TEXT,
    created INTEGER NOT NULL,
    position INTEGER NOT NULL,
    heartbeat INTEGER,
    runner TEXT,
    stop_requested INTEGER NOT NULL DEFAULT 0,
    parts TEXT NOT NULL
)""",
    "CREATE INDEX messages_of_conversation ON messages (conversation)",
    "CREATE INDEX messages_streaming ON messages (runner) WHERE status = 'streaming'",
    """CREATE VIRTUAL TABLE message_index USING fts5(
    tokens, content='', columnsize=0, detail=none, prefix='1 2 3', tokenize='ascii'
)""",
)


def m0002_accounts(database: sqlite3.Connection) -> None:
    """People, their sign-ins, and counters of money.

    `sessions` and `sign_in_attempts` hold hashes of tokens, never a token. `budget_reservations.counters` is JSON: the
    scope and period of each counter that the reservation was counted against; `settled` is 0 until it was settled.
    """
    for statement in _M0002:
        database.execute(statement)


_M0002 = (
    """CREATE TABLE users (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) WITHOUT ROWID""",
    """CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (id),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    id_token TEXT
)""",
    "CREATE INDEX sessions_expire ON sessions (expires)",
    """CREATE TABLE sign_in_attempts (
    id TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    return_to TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID""",
    "CREATE INDEX sign_in_attempts_expire ON sign_in_attempts (expires)",
    """CREATE TABLE budget_counters (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    spent INTEGER NOT NULL,
    PRIMARY KEY (scope, period)
) WITHOUT ROWID""",
    """CREATE TABLE budget_reservations (
    id TEXT PRIMARY KEY,
    amount INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    counters TEXT NOT NULL
) WITHOUT ROWID""",
)


def m0003_ledger(database: sqlite3.Connection) -> None:
    """Add what every call cost, keys by which programs ask, and answers kept to be given again.

    The counters of before are dropped: nothing ever counted with them. An entry is open while `settled` is 0. A counter
    begins, when it is first needed, with the sum of its entries; `entries.groups` is JSON. `keys.limits` is JSON.
    `kept_answers.answer` is compressed; NULL while the answer is being made, empty where it was too large.
    """
    for statement in _M0003:
        database.execute(statement)


_M0003 = (
    "DROP TABLE budget_counters",
    "DROP TABLE budget_reservations",
    """CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    user TEXT NOT NULL,
    key TEXT,
    groups TEXT,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    conversation TEXT,
    reserved INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER,
    estimated INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    images INTEGER NOT NULL,
    failed TEXT
)""",
    "CREATE INDEX entries_created ON entries (created)",
    "CREATE INDEX entries_of_key ON entries (key, created) WHERE key IS NOT NULL",
    """CREATE TABLE counters (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    counted INTEGER NOT NULL,
    PRIMARY KEY (scope, period)
) WITHOUT ROWID""",
    """CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    limits TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    revoked INTEGER
)""",
    "CREATE INDEX keys_of_user ON keys (user)",
    """CREATE TABLE kept_answers (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    expires INTEGER NOT NULL,
    answer BLOB,
    PRIMARY KEY (caller, key)
)""",
    "CREATE INDEX kept_answers_expire ON kept_answers (expires)",
)


def m0004_people(database: sqlite3.Connection) -> None:
    """Add local accounts: what people prove themselves with, links, groups, the audit log and what admins decide.

    `users.groups` and `links.groups` are JSON. Secrets are hashes, but for the seeds of authenticator apps, which the
    codes are calculated from. `people_groups.value`, `audit.value` and `installation.value` are JSON; nothing but
    `AuditStore.forget` ever changes an event.
    """
    for statement in _M0004:
        database.execute(statement)


_M0004 = (
    "ALTER TABLE users ADD COLUMN groups TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE users ADD COLUMN disabled INTEGER",
    "ALTER TABLE users ADD COLUMN leaving INTEGER",
    "ALTER TABLE sessions ADD COLUMN last_seen INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN address TEXT",
    "ALTER TABLE sessions ADD COLUMN agent TEXT",
    "CREATE INDEX sessions_of_user ON sessions (user)",
    """CREATE TABLE passwords (
    user TEXT PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL,
    changed INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE totps (
    user TEXT PRIMARY KEY REFERENCES users (id),
    secret BLOB NOT NULL,
    confirmed INTEGER,
    last_step INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE recovery_codes (
    user TEXT NOT NULL REFERENCES users (id),
    code TEXT NOT NULL,
    PRIMARY KEY (user, code)
) WITHOUT ROWID""",
    """CREATE TABLE passkeys (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (id),
    public_key BLOB NOT NULL,
    sign_count INTEGER NOT NULL,
    name TEXT NOT NULL,
    transports TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER
) WITHOUT ROWID""",
    "CREATE INDEX passkeys_of_user ON passkeys (user)",
    """CREATE TABLE links (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    user TEXT,
    email TEXT,
    role TEXT NOT NULL,
    groups TEXT NOT NULL,
    made_by TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE people_groups (
    id TEXT PRIMARY KEY,
    name_folded TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL
) WITHOUT ROWID""",
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE installation (only INTEGER PRIMARY KEY CHECK (only = 1), value TEXT NOT NULL)",
)


def m0005_claims(database: sqlite3.Connection) -> None:
    """Keep which of their provider's groups give somebody a role (JSON), and which ids that are given by name were
    somebody's who is deleted.
    """
    for statement in _M0005:
        database.execute(statement)


_M0005 = (
    "ALTER TABLE users ADD COLUMN claimed TEXT NOT NULL DEFAULT '[]'",
    "CREATE TABLE spent_ids (id TEXT PRIMARY KEY) WITHOUT ROWID",
    """INSERT INTO spent_ids (id) SELECT DISTINCT json_extract(value, '$.subject') FROM audit
    WHERE json_extract(value, '$.action') = 'person.deleted'
    AND json_extract(value, '$.subject') NOT IN (SELECT id FROM users)""",
)


def m0006_long_conversations(database: sqlite3.Connection) -> None:
    """Know without reading a conversation whether it has system messages, which only an import brings."""
    database.execute("CREATE INDEX messages_system ON messages (conversation) WHERE role = 'system'")


def m0007_titles(database: sqlite3.Connection) -> None:
    """Add an index of what titles hold; it takes in 100,000 of them in a few seconds."""
    database.execute(_M0007)
    titles = database.execute("SELECT seq, title FROM conversations")
    found = ((seq, " ".join(tokens(title))) for seq, title in titles)
    database.executemany("INSERT INTO title_index (rowid, tokens) VALUES (?, ?)", (row for row in found if row[1]))


_M0007 = """CREATE VIRTUAL TABLE title_index USING fts5(
    tokens, content='', columnsize=0, detail=none, prefix='3', tokenize='ascii'
)"""


def m0008_leaner_ledger(database: sqlite3.Connection) -> None:
    """Remove an index that each call wrote to twice. Only the sum that a key's counter begins with read from it, once
    in each day or month; it looks at all entries of that time now, as those of users and groups do.
    """
    database.execute("DROP INDEX entries_of_key")


def m0009_stretches(database: sqlite3.Connection) -> None:
    """Find the messages below one, which is what stands beside another: a long conversation is read in stretches."""
    database.execute("CREATE INDEX messages_below ON messages (conversation, parent)")
    database.execute("DROP INDEX messages_of_conversation")


def m0010_ledger_by_time(database: sqlite3.Connection) -> None:
    """Keep the entries of the ledger in the order of time and under nothing else: a call wrote to a table and to two
    indexes of it, twice. Whoever settles an entry knows when it was opened; reports are about a time.
    """
    for statement in _M0010:
        database.execute(statement)


_M0010 = (
    "ALTER TABLE entries RENAME TO entries_by_id",
    """CREATE TABLE entries (
    created INTEGER NOT NULL,
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    key TEXT,
    groups TEXT,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    conversation TEXT,
    reserved INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER,
    estimated INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    images INTEGER NOT NULL,
    failed TEXT,
    PRIMARY KEY (created, id)
) WITHOUT ROWID""",
    """INSERT INTO entries (created, id, user, key, groups, model, kind, conversation, reserved, settled, input,
    cached, output, reasoning, cost, estimated, seconds, images, failed)
SELECT created, id, user, key, groups, model, kind, conversation, reserved, settled, input,
    cached, output, reasoning, cost, estimated, seconds, images, failed FROM entries_by_id ORDER BY created, id""",
    "DROP TABLE entries_by_id",
)


def m0011_preferences(database: sqlite3.Connection) -> None:
    """Keep what people have set for themselves."""
    database.execute("CREATE TABLE preferences (user TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


def m0012_images(database: sqlite3.Connection) -> None:
    """Keep the images of questions, beside their messages: nothing reads this table that is not asked for an image."""
    database.execute(_M0012)


_M0012 = """CREATE TABLE images (
    seq INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (seq),
    id TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (conversation, id)
)"""


def m0013_waiting(database: sqlite3.Connection) -> None:
    """Note what is still to be taken into an index: a question waits neither for that nor for its title's."""
    database.execute(_M0013)


_M0013 = """CREATE TABLE index_waiting (
    index_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (index_name, number)
) WITHOUT ROWID"""


MIGRATIONS: tuple[Migration, ...] = (
    m0001_conversations,
    m0002_accounts,
    m0003_ledger,
    m0004_people,
    m0005_claims,
    m0006_long_conversations,
    m0007_titles,
    m0008_leaner_ledger,
    m0009_stretches,
    m0010_ledger_by_time,
    m0011_preferences,
    m0012_images,
    m0013_waiting,
)
