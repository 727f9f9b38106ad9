-- A file of schema 13 with data, as SQL. Never changed: every newer version must be able to open it.
PRAGMA application_id = 1684104567;
CREATE TABLE conversations (
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
);
CREATE INDEX conversations_listed ON conversations (owner, archived, pinned DESC, updated DESC, id DESC)
    WHERE deleted IS NULL;
CREATE INDEX conversations_titles ON conversations (owner, updated DESC, id DESC, title_folded)
    WHERE deleted IS NULL;
CREATE INDEX conversations_deleted ON conversations (deleted) WHERE deleted IS NOT NULL;
CREATE TABLE messages (
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
);
CREATE INDEX messages_streaming ON messages (runner) WHERE status = 'streaming';
CREATE VIRTUAL TABLE message_index USING fts5(
    tokens, content='', columnsize=0, detail=none, prefix='1 2 3', tokenize='ascii'
);
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_seen INTEGER NOT NULL, groups TEXT NOT NULL DEFAULT '[]', disabled INTEGER, leaving INTEGER, claimed TEXT NOT NULL DEFAULT '[]',
    UNIQUE (issuer, subject)
) WITHOUT ROWID;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (id),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    id_token TEXT
, last_seen INTEGER NOT NULL DEFAULT 0, address TEXT, agent TEXT);
CREATE INDEX sessions_expire ON sessions (expires);
CREATE TABLE sign_in_attempts (
    id TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    return_to TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_in_attempts_expire ON sign_in_attempts (expires);
CREATE TABLE entries (
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
) WITHOUT ROWID;
CREATE TABLE counters (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    counted INTEGER NOT NULL,
    PRIMARY KEY (scope, period)
) WITHOUT ROWID;
CREATE TABLE keys (
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
);
CREATE INDEX keys_of_user ON keys (user);
CREATE TABLE kept_answers (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    expires INTEGER NOT NULL,
    answer BLOB,
    PRIMARY KEY (caller, key)
);
CREATE INDEX kept_answers_expire ON kept_answers (expires);
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE passwords (
    user TEXT PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL,
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE totps (
    user TEXT PRIMARY KEY REFERENCES users (id),
    secret BLOB NOT NULL,
    confirmed INTEGER,
    last_step INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE recovery_codes (
    user TEXT NOT NULL REFERENCES users (id),
    code TEXT NOT NULL,
    PRIMARY KEY (user, code)
) WITHOUT ROWID;
CREATE TABLE passkeys (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (id),
    public_key BLOB NOT NULL,
    sign_count INTEGER NOT NULL,
    name TEXT NOT NULL,
    transports TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER
) WITHOUT ROWID;
CREATE INDEX passkeys_of_user ON passkeys (user);
CREATE TABLE links (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    user TEXT,
    email TEXT,
    role TEXT NOT NULL,
    groups TEXT NOT NULL,
    made_by TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE people_groups (
    id TEXT PRIMARY KEY,
    name_folded TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (seq INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE installation (only INTEGER PRIMARY KEY CHECK (only = 1), value TEXT NOT NULL);
CREATE TABLE spent_ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE title_index USING fts5(
    tokens, content='', columnsize=0, detail=none, prefix='3', tokenize='ascii'
);
INSERT INTO conversations (seq, id, owner, title, title_folded, title_source, title_usage, model, leaf, pinned, archived, created, updated, deleted)
VALUES (1, '01930000-0000-7000-8000-000000000001', 'local', '나무에 대하여', '나무에 대하여', 'model', '{"input":40,"output":5}', 'test/parrot', '01930000-0000-7000-8000-000000000014', 1, 0, 1730000000000, 1730000002000, NULL);
INSERT INTO conversations (seq, id, owner, title, title_folded, title_source, title_usage, model, leaf, pinned, archived, created, updated, deleted)
VALUES (2, '01930000-0000-7000-8000-000000000002', 'local', 'Deleted', 'deleted', 'user', NULL, NULL, NULL, 0, 0, 1730000003000, 1730000003000, 1730000004000);
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (1, '01930000-0000-7000-8000-000000000011', 1, NULL, 'user', 'complete', NULL, NULL, NULL, NULL, 1730000000001, 0, NULL, NULL, 0, '[{"type":"text","text":"나무란 무엇인가요? What is a tree?"}]');
INSERT INTO message_index (rowid, tokens)
VALUES (1, 'a is tree what 가요 나무 란 무란 무엇 엇인 요 인가');
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (2, '01930000-0000-7000-8000-000000000012', 1, '01930000-0000-7000-8000-000000000011', 'assistant', 'complete', 'test/parrot', 'stop', '{"input":12,"output":8}', NULL, 1730000000002, 29, NULL, NULL, 0, '[{"type":"text","text":"A tree is a perennial plant."}]');
INSERT INTO message_index (rowid, tokens)
VALUES (2, 'a is perennial plant tree');
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (3, '01930000-0000-7000-8000-000000000013', 1, '01930000-0000-7000-8000-000000000012', 'user', 'complete', NULL, NULL, NULL, NULL, 1730000000003, 0, NULL, NULL, 0, '[{"type":"text","text":"더 자세히"}]');
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (4, '01930000-0000-7000-8000-000000000014', 1, '01930000-0000-7000-8000-000000000013', 'assistant', 'streaming', 'test/parrot', NULL, NULL, NULL, 1730000000004, 17, 1730000002500, '1234-abcd', 0, '[{"type":"text","text":"A tree has a tru"}]');
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (5, '01930000-0000-7000-8000-000000000015', 1, '01930000-0000-7000-8000-000000000011', 'assistant', 'interrupted', 'test/parrot', NULL, NULL, '{"type":"upstream_cut","message":"The stream was cut."}', 1730000000005, 6, NULL, NULL, 1, '[{"type":"text","text":"Trees"}]');
INSERT INTO message_index (rowid, tokens)
VALUES (5, 'trees');
INSERT INTO messages (seq, id, conversation, parent, role, status, model, finish, usage, error, created, position, heartbeat, runner, stop_requested, parts)
VALUES (6, '01930000-0000-7000-8000-000000000016', 2, NULL, 'user', 'complete', NULL, NULL, NULL, NULL, 1730000000006, 0, NULL, NULL, 0, '[{"type":"text","text":"gone"}]');
INSERT INTO message_index (rowid, tokens)
VALUES (6, 'gone');
INSERT INTO users (id, issuer, subject, email, name, role, created, last_seen)
VALUES ('01930000-0000-7000-8000-0000000000a1', 'https://id.example', 'mina', 'mina@example.com', '미나', 'admin', 1730000000000, 1730000005000);
INSERT INTO sessions (id, user, created, expires, id_token)
VALUES ('session-of-mina', '01930000-0000-7000-8000-0000000000a1', 1730000005000, 1732592005000, 'e30.e30.c2ln');
INSERT INTO sign_in_attempts (id, browser, nonce, verifier, return_to, expires)
VALUES ('attempt', 'browser', 'nonce', 'verifier', '/chat.html', 1730000600000);
INSERT INTO entries (created, id, user, key, groups, model, kind, conversation, reserved, settled, input, cached, output, reasoning, cost, estimated, seconds, images, failed)
VALUES (1730000000002, '01930000-0000-7000-8000-000000000012', '01930000-0000-7000-8000-0000000000a1', NULL, '["research"]', 'test/parrot', 'turn', '01930000-0000-7000-8000-000000000001', 900, 1, 12, 4, 8, 2, 500, 0, 0, 0, NULL);
INSERT INTO entries (created, id, user, key, groups, model, kind, conversation, reserved, settled, input, cached, output, reasoning, cost, estimated, seconds, images, failed)
VALUES (1730000001000, '01930000-0000-7000-8000-0000000000e2', '01930000-0000-7000-8000-0000000000a1', '01930000-0000-7000-8000-0000000000b1', NULL, 'test/parrot', 'chat', NULL, 1000, 0, 0, 0, 0, 0, NULL, 0, 0, 0, NULL);
INSERT INTO counters (scope, period, counted)
VALUES ('all', '2024-10', 1500);
INSERT INTO keys (id, user, name, prefix, digest, limits, created, expires, last_used, revoked)
VALUES ('01930000-0000-7000-8000-0000000000b1', '01930000-0000-7000-8000-0000000000a1', 'Notebook', 'dh_AbCd1234', 'd1e2a3', '{"models":["test/*"],"month":5000000}', 1730000000500, NULL, 1730000001000, NULL);
INSERT INTO kept_answers (caller, key, fingerprint, expires, answer)
VALUES ('01930000-0000-7000-8000-0000000000a1', 'once', 'f1', 1730086400000, NULL);
INSERT INTO users (id, issuer, subject, email, name, role, created, last_seen, groups, disabled, leaving)
VALUES ('01930000-0000-7000-8000-0000000000a2', 'local', 'jun', 'jun@example.com', 'Jun', 'guest', 1730000006000, 1730000006000, '["01930000-0000-7000-8000-0000000000c1"]', NULL, NULL);
INSERT INTO sessions (id, user, created, expires, id_token, last_seen, address, agent)
VALUES ('session-of-jun', '01930000-0000-7000-8000-0000000000a2', 1730000006000, 1732592006000, NULL, 1730000006500, '203.0.113.8', 'Firefox');
INSERT INTO passwords (user, hash, changed)
VALUES ('01930000-0000-7000-8000-0000000000a2', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', 1730000006000);
INSERT INTO totps (user, secret, confirmed, last_step)
VALUES ('01930000-0000-7000-8000-0000000000a2', x'00ff', 1730000006100, 57666666);
INSERT INTO recovery_codes (user, code)
VALUES ('01930000-0000-7000-8000-0000000000a2', 'c0de');
INSERT INTO passkeys (id, user, public_key, sign_count, name, transports, created, last_used)
VALUES ('cGFzc2tleQ', '01930000-0000-7000-8000-0000000000a2', x'a501', 3, 'Key ring', '["usb"]', 1730000006200, NULL);
INSERT INTO links (id, kind, user, email, role, groups, made_by, created, expires)
VALUES ('link', 'invite', NULL, 'new@example.com', 'member', '[]', '01930000-0000-7000-8000-0000000000a1', 1730000006000, 1730604806000);
INSERT INTO people_groups (id, name_folded, value)
VALUES ('01930000-0000-7000-8000-0000000000c1', 'visitors', '{"id":"01930000-0000-7000-8000-0000000000c1","name":"Visitors","models":["test/*"],"day":1000000,"created":1730000005500}');
INSERT INTO audit (seq, value)
VALUES (1, '{"seq":1,"at":1730000006000,"actor":"01930000-0000-7000-8000-0000000000a1","actor_name":"미나","action":"person.invited","subject":"","address":"203.0.113.7","details":{"email":"jun@example.com"},"who_salt":"c8d4f854eaef78c6a802ecb3443ebd12","who":"8595f460aebb20e1419caf3c3fff87ca586738fde9cdc5c4419f1640f15a55c0","what_salt":"9eb26302d756fd75621bd6bc8763ebab","what":"20961c152a508acce37a3772017369083db575fc1793ef165b62b557b456a060","previous":"0000000000000000000000000000000000000000000000000000000000000000","hash":"58f4f1dd660e14fda5250eb7dffcef4ff61af67b83da1c2e268d1a515716eb32"}');
INSERT INTO installation (only, value)
VALUES (1, '{"admins_may_read":false,"retention_days":90}');
INSERT INTO users (id, issuer, subject, email, name, role, created, last_seen, groups, disabled, leaving, claimed)
VALUES ('01930000-0000-7000-8000-0000000000a3', 'https://id.example', 'sora', 'sora@example.com', 'Sora', 'admin', 1730000008000, 1730000008000, '[]', NULL, NULL, '["chat-admins"]');
INSERT INTO spent_ids (id)
VALUES ('owner');
CREATE INDEX messages_below ON messages (conversation, parent);
CREATE INDEX messages_system ON messages (conversation) WHERE role = 'system';
INSERT INTO title_index (rowid, tokens)
VALUES (1, '나무 대하 무에 에 여 하여');
INSERT INTO title_index (rowid, tokens)
VALUES (2, 'deleted');
CREATE TABLE preferences (user TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO preferences (user, value)
VALUES ('01930000-0000-7000-8000-0000000000a1', '{"instructions":"반말로 답해 줘."}');
CREATE TABLE images (
    seq INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (seq),
    id TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (conversation, id)
);
INSERT INTO images (seq, conversation, id, media_type, data)
VALUES (1, 1, '01930000-0000-7000-8000-0000000000d1', 'image/gif', x'474946383961');
CREATE TABLE index_waiting (
    index_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (index_name, number)
) WITHOUT ROWID;
INSERT INTO index_waiting (index_name, number) VALUES ('message_index', 3);
PRAGMA user_version = 13;
