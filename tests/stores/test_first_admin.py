"""Who owned everything before there was anybody to sign in goes on owning it, as the first admin who signs in."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from daehwa.accounts.people import NewUser, Profile, User
from daehwa.conversation.ids import checked_id
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts

NOW = 1_800_000_000_000
MINA = Profile(issuer="https://id.example", subject="mina", email="mina@example.com", name="미나")
JUN = msgspec.structs.replace(MINA, subject="jun", email="jun@example.com", name="Jun")


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[SqliteAccounts]:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    yield SqliteAccounts(store, first_admin="owner")
    await store.aclose()


async def test_the_first_admin_is_the_owner_and_nobody_else(accounts: SqliteAccounts) -> None:
    member = await accounts.sign_in(JUN, role=None, now=NOW)
    assert checked_id(member.id, "id") == member.id
    first = await accounts.sign_in(MINA, role="admin", now=NOW)
    assert (first.id, first.email, first.role) == ("owner", "mina@example.com", "admin")
    further = await accounts.sign_in(msgspec.structs.replace(MINA, subject="mina at home"), role="admin", now=NOW)
    assert checked_id(further.id, "id") == further.id
    assert {user.id for user in await accounts.list_users()} == {member.id, "owner", further.id}


async def test_the_owner_stays_who_it_is_at_each_sign_in(accounts: SqliteAccounts) -> None:
    users: list[User] = [await accounts.sign_in(MINA, role="admin", now=NOW + times) for times in range(3)]
    assert {user.id for user in users} == {"owner"}
    as_member = await accounts.sign_in(MINA, role="member", now=NOW)
    assert (as_member.id, as_member.role) == ("owner", "member")


async def test_a_known_person_who_becomes_an_admin_stays_who_they_are(accounts: SqliteAccounts) -> None:
    before = await accounts.sign_in(JUN, role="member", now=NOW)
    after = await accounts.sign_in(JUN, role="admin", now=NOW)
    assert (after.id, after.role) == (before.id, "admin")
    assert (await accounts.sign_in(MINA, role="admin", now=NOW)).id == "owner"


async def test_the_first_admin_may_have_a_local_account(accounts: SqliteAccounts) -> None:
    member = await accounts.add_user(NewUser(login="jun"), now=NOW)
    first = await accounts.add_user(NewUser(login="mina", role="admin"), now=NOW)
    further = await accounts.add_user(NewUser(login="later", role="admin"), now=NOW)
    assert first.id == "owner" not in {member.id, further.id}
    assert await accounts.find_user("mina") == first


async def test_nobody_becomes_who_was_deleted(accounts: SqliteAccounts) -> None:
    await accounts.remove_user("owner")
    assert (await accounts.sign_in(MINA, role="admin", now=NOW)).id == "owner", "nobody had it"
    await accounts.remove_user("owner")
    for _ in range(2):
        again = await accounts.sign_in(MINA, role="admin", now=NOW)
        assert checked_id(again.id, "id") == again.id
        await accounts.remove_user(again.id)
    assert (await accounts.add_user(NewUser(login="jun", role="admin"), now=NOW)).id != "owner"
