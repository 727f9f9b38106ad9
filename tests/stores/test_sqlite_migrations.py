"""A file of the oldest schema, with data in it, opens in every newer version, and a copy is kept."""
# ruff: noqa: ASYNC240 - small files

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from stores.asking import an_image, ask, found, titles

from daehwa.accounts.audit import AuditCheck
from daehwa.accounts.keys import KeyLimits
from daehwa.accounts.ledger import Entry, UsageQuery
from daehwa.accounts.people import NewUser
from daehwa.conversation.errors import StoreError
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Failure, Usage
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_answers import SqliteAnswers
from daehwa.stores.sqlite_connection import open_file, prepare_to_write
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_migrations import migrate
from daehwa.stores.sqlite_people import sqlite_people
from daehwa.stores.sqlite_schema import MIGRATIONS

SCHEMAS = Path(__file__).parent / "schema"
OWNER = "local"


def load(path: Path, schema: int) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript((SCHEMAS / f"{schema:04}.sql").read_text("utf-8"))
    connection.close()
    return path


def schema_of(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return rows


def m0002_made_up(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE conversations ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'")


def m0003_fails(database: sqlite3.Connection) -> None:
    database.execute("UPDATE conversations SET title = 'spoilt'")
    database.execute("SELECT nothing FROM nowhere")


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    return load(tmp_path / "daehwa.db", 1)


async def test_the_oldest_file_opens_with_all_that_was_in_it(oldest: Path) -> None:
    store = await SqliteStore.open(oldest)
    conversation, messages = await store.get_conversation(OWNER, "01930000-0000-7000-8000-000000000001")
    assert (conversation.title, conversation.title_source, conversation.pinned) == ("나무에 대하여", "model", True)
    assert [message.status for message in messages] == ["complete", "complete", "complete", "streaming", "interrupted"]
    assert messages[1].usage == Usage(input=12, output=8)
    assert messages[4].error == Failure(type="upstream_cut", message="The stream was cut.")
    assert await found(store, "perenn 나무", OWNER) == []
    assert await found(store, "perenn", OWNER) == await found(store, "나무", OWNER) == ["나무에 대하여"]
    assert await titles(store, OWNER) == ["나무에 대하여"]
    assert await store.interrupt_replies(heartbeat_before=0, runner="1234-abcd") == 1
    restored = await store.restore_conversation(OWNER, "01930000-0000-7000-8000-000000000002")
    assert restored.title == "Deleted"
    await ask(store, "new", owner=OWNER)
    await store.aclose()


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS) + 1))
def test_released_steps_are_never_changed(tmp_path: Path, schema: int) -> None:
    fresh = tmp_path / "fresh.db"
    connection = open_file(fresh)
    assert migrate(connection, fresh, MIGRATIONS[:schema]) is None
    connection.close()
    assert schema_of(fresh) == schema_of(load(tmp_path / "kept.db", schema))


async def test_accounts_of_a_file_of_schema_2_open(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 2))
    accounts = SqliteAccounts(store)
    found = await accounts.get_session("session-of-mina", now=1_730_000_006_000)
    assert found is not None
    session, mina = found
    assert (session.id_token, session.expires) == ("e30.e30.c2ln", 1_732_592_005_000)
    assert (mina.name, mina.email, mina.role) == ("미나", "mina@example.com", "admin")
    assert await accounts.list_users() == (mina,)
    assert await accounts.take_attempt("attempt", now=1_730_000_000_000) is not None
    assert await SqliteLedger(store).spent("all", "2024-10") == 0, "what was counted there was no released program's"
    await store.aclose()


async def test_the_ledger_of_a_file_of_schema_3_opens(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 3))
    ledger = SqliteLedger(store)
    assert await ledger.spent("all", "2024-10") == await ledger.spent("all", "total") == 1500
    assert await ledger.spent("group:research", "2024-10-27") == 500
    rows = await ledger.usage(UsageQuery(since=0, until=2_000_000_000_000))
    assert [(row.day, row.kind, row.input, row.cost, row.reserved) for row in rows] == [
        ("2024-10-27", "turn", 12, 500, 0),
        ("2024-10-27", "chat", 0, 1000, 1000),
    ]
    key = await SqliteKeys(store).find_key("d1e2a3")
    assert key is not None
    assert (key.name, key.limits) == ("Notebook", KeyLimits(models=("test/*",), month=5_000_000))
    answers = SqliteAnswers(store)
    mina = "01930000-0000-7000-8000-0000000000a1"
    assert await answers.claim(mina, "once", "f1", now=1_730_000_000_000) == "running"
    await store.aclose()


def test_entries_are_the_same_in_the_order_of_time(tmp_path: Path) -> None:
    path = load(tmp_path / "daehwa.db", 9)
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        before = [dict(row) for row in database.execute("SELECT * FROM entries ORDER BY created")]
    with closing(open_file(path)) as database:
        migrate(database, path)
        database.row_factory = sqlite3.Row
        after = [dict(row) for row in database.execute("SELECT 1 AS seq, * FROM entries")]
    assert len(before) == 2
    assert [{**row, "seq": 1} for row in before] == after


@pytest.mark.parametrize("schema", [3, 9])
async def test_a_call_that_was_open_as_the_file_was_written_anew_is_settled_once(tmp_path: Path, schema: int) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", schema))
    ledger = SqliteLedger(store)
    entry = Entry(
        id="01930000-0000-7000-8000-0000000000e2",
        created=1_730_000_001_000,
        user="01930000-0000-7000-8000-0000000000a1",
        kind="chat",
        model="test/parrot",
        key="01930000-0000-7000-8000-0000000000b1",
        reserved=1000,
        usage=Usage(cost=30),
    )
    for _ in range(2):
        await ledger.settle(entry)
    assert await ledger.spent("all", "2024-10") == await ledger.spent("all", "total") == 530
    await store.aclose()


async def test_people_of_a_file_of_schema_4_open(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 4))
    people = sqlite_people(store)
    jun = await people.accounts.find_user("jun")
    assert jun is not None
    credentials = await people.credentials.get_credentials(jun.id)
    assert (credentials.asks_for_code, credentials.recovery_codes, credentials.passkeys[0].transports) == (
        True,
        1,
        ("usb",),
    )
    found = await people.accounts.get_session("session-of-jun", now=1_730_000_007_000)
    assert found is not None
    assert (found[0].agent, found[1]) == ("Firefox", jun)
    group = await people.groups.get_group(jun.groups[0])
    assert group is not None
    assert (group.name, group.models, group.day) == ("Visitors", ("test/*",), 1_000_000)
    assert [link.kind for link in await people.links.list_links(now=1_730_000_007_000)] == ["invite"]
    assert (await people.installation.get_installation()).retention_days == 90
    assert await people.audit.check() == AuditCheck(ok=True, events=1)
    await store.aclose()


async def test_claims_and_spent_ids_of_a_file_of_schema_5_open(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 5))
    accounts = sqlite_people(store, first_admin="owner").accounts
    sora = await accounts.get_user("01930000-0000-7000-8000-0000000000a3")
    assert sora is not None
    assert sora.claimed == ("chat-admins",)
    assert (await accounts.add_user(NewUser(login="new", role="admin"), now=1)).id != "owner"
    await store.aclose()


async def test_what_people_set_in_a_file_of_schema_11_is_there(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 11))
    kept = await sqlite_people(store).preferences.get_preferences("01930000-0000-7000-8000-0000000000a1")
    assert kept.instructions == "반말로 답해 줘."
    await store.aclose()


async def test_an_image_in_a_file_of_schema_12_is_there(tmp_path: Path) -> None:
    store = await SqliteStore.open(load(tmp_path / "daehwa.db", 12))
    image = "01930000-0000-7000-8000-0000000000d1"
    found = await store.get_image(OWNER, "01930000-0000-7000-8000-000000000001", image)
    assert found == Image(image, "image/gif", b"GIF89a")
    await store.aclose()


async def test_the_oldest_file_takes_images_in(oldest: Path) -> None:
    store = await SqliteStore.open(oldest)
    image = an_image(50_000)
    conversation = "01930000-0000-7000-8000-000000000001"
    await ask(store, "What is this?", conversation=conversation, owner=OWNER, shows=[image])
    assert await store.get_image(OWNER, conversation, image.id) == image
    await store.aclose()


def test_ids_of_the_deleted_are_found_in_the_audit_log(tmp_path: Path) -> None:
    database = sqlite3.connect(load(tmp_path / "daehwa.db", 4))
    database.execute("""INSERT INTO audit VALUES (2, '{"action":"person.deleted","subject":"owner"}')""")
    database.commit()
    migrate(database, tmp_path / "daehwa.db", MIGRATIONS[:5])
    assert database.execute("SELECT id FROM spent_ids").fetchall() == [("owner",)]
    database.close()


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [int(step.__name__[1:5]) for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_new_step_runs_once_and_a_copy_of_the_file_is_kept(oldest: Path) -> None:
    before = schema_of(oldest)
    connection = open_file(oldest)
    prepare_to_write(connection, oldest)
    connection.execute("UPDATE conversations SET title = 'in the log only' WHERE seq = 1")
    steps = (*MIGRATIONS[:1], m0002_made_up)
    backup = migrate(connection, oldest, steps)
    assert backup is not None
    assert backup.name.startswith("daehwa.schema-1.2")
    assert backup.name.endswith("Z.backup.db")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert migrate(connection, oldest, steps) is None
    assert connection.execute("SELECT title, colour FROM conversations").fetchall()[0] == ("in the log only", "green")
    connection.close()
    assert schema_of(backup) == before
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT title FROM conversations WHERE seq = 1").fetchone() == ("in the log only",)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    assert {file.name for file in oldest.parent.iterdir()} == {oldest.name, backup.name}


def test_a_step_that_fails_leaves_the_file_as_it_was(oldest: Path) -> None:
    before = schema_of(oldest)
    connection = open_file(oldest)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, oldest, (*MIGRATIONS[:1], m0002_made_up, m0003_fails))
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT title FROM conversations WHERE seq = 1").fetchone() == ("나무에 대하여",)
    connection.close()
    assert schema_of(oldest) == before
    assert [file.name for file in oldest.parent.iterdir()] == [oldest.name], "no copy for each attempt"


class StoppedAtTheEnd(sqlite3.Connection):
    """A connection whose program is stopped in the moment in which it has committed."""

    def execute(self, *given: Any) -> sqlite3.Cursor:
        cursor = super().execute(*given)
        if given[0] == "COMMIT":
            raise KeyboardInterrupt
        return cursor


def test_a_file_that_was_changed_keeps_its_copy_whatever_comes_after(oldest: Path) -> None:
    connection = sqlite3.connect(oldest, isolation_level=None, factory=StoppedAtTheEnd)
    with pytest.raises(KeyboardInterrupt):
        migrate(connection, oldest, (*MIGRATIONS[:1], m0002_made_up))
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()
    assert len(list(oldest.parent.glob("*.backup.db"))) == 1


def test_no_copy_is_kept_where_sqlite_itself_took_all_back(oldest: Path) -> None:
    def m0002_ends(database: sqlite3.Connection) -> None:
        database.execute("ROLLBACK")  # as SQLite does on some errors
        raise sqlite3.OperationalError

    connection = open_file(oldest)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, oldest, (*MIGRATIONS[:1], m0002_ends))
    connection.close()
    assert [file.name for file in oldest.parent.iterdir()] == [oldest.name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_copy_for_which_there_is_no_room_leaves_nothing_behind(oldest: Path) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    connection = open_file(oldest)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (oldest.stat().st_size // 2, before[1]))
    try:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, oldest, (*MIGRATIONS[:1], m0002_made_up))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    connection.close()
    assert [file.name for file in oldest.parent.iterdir()] == [oldest.name]


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(oldest: Path) -> None:
    connection = sqlite3.connect(oldest)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = oldest.read_bytes()
    with pytest.raises(StoreError, match=r"newer daehwa .*Install the newer version"):
        await SqliteStore.open(oldest)
    assert oldest.read_bytes() == before


async def test_a_new_file_needs_no_copy(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    assert store.backup is None
    await store.aclose()
    assert [file.name for file in tmp_path.iterdir()] == ["daehwa.db"]


async def test_a_file_in_use_is_changed_only_where_its_folder_can_be_held(oldest: Path) -> None:
    before = oldest.read_bytes()

    def refusing() -> AbstractContextManager[None]:
        raise StoreError("An older daehwa works with it.")

    with pytest.raises(StoreError, match="older daehwa works"):
        await SqliteStore.open(oldest, holding=refusing)
    assert oldest.read_bytes() == before
    assert [file.name for file in oldest.parent.iterdir()] == [oldest.name]
    held: list[str] = []

    @contextlib.contextmanager
    def holding() -> Iterator[None]:
        held.append("begin")
        yield
        held.append("end")

    store = await SqliteStore.open(oldest, holding=holding)
    await store.aclose()
    assert held == ["begin", "end"], "not longer than it takes"
    for path in (oldest, oldest.with_name("new.db")):  # nothing to change, and nobody's yet
        store = await SqliteStore.open(path, holding=refusing)
        await store.aclose()
