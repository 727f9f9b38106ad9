"""What every store of accounts does, held to the same contract: a further one joins by one line in `ACCOUNT_STORES`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from dynamodb_local import shared_server

from daehwa.accounts.people import MOST_SESSIONS, Profile, Session, SignInAttempt, UserChanges
from daehwa.accounts.ports import AccountStore
from daehwa.conversation.ids import checked_id
from daehwa.stores.dynamodb_accounts import DynamoAccounts
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts

Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[AccountStore]]
NOW = 1_800_000_000_000
MINA = Profile(issuer="https://id.example", subject="mina", email="mina@example.com", name="미나")


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[AccountStore]:
    yield MemoryAccounts()


@contextlib.asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[AccountStore]:
    store = await SqliteStore.open(folder / "daehwa.db")
    try:
        yield SqliteAccounts(store)
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def open_dynamodb(_folder: Path) -> AsyncIterator[AccountStore]:
    server = shared_server()
    table = server.connect(await server.new_table())
    try:
        yield DynamoAccounts(table)
    finally:
        await table.aclose()


ACCOUNT_STORES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}


@pytest.fixture(params=list(ACCOUNT_STORES))
async def accounts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AccountStore]:
    async with ACCOUNT_STORES[request.param](tmp_path) as opened:
        yield opened


def changed(profile: Profile, **changes: Any) -> Profile:
    return msgspec.structs.replace(profile, **changes)


def a_session(user: str, *, name: str = "one", expires: int = NOW + 1000, id_token: str | None = None) -> Session:
    return Session(id=name, user=user, created=NOW, expires=expires, id_token=id_token)


def an_attempt(name: str = "one", *, expires: int = NOW + 1000) -> SignInAttempt:
    return SignInAttempt(id=name, browser="b", nonce="n", verifier="v", return_to="/chat.html?c=한", expires=expires)


async def test_a_person_who_signs_in_first_becomes_a_user(accounts: AccountStore) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    assert checked_id(user.id, "id") == user.id
    assert (user.issuer, user.subject, user.email, user.name) == (MINA.issuer, "mina", "mina@example.com", "미나")
    assert (user.role, user.created, user.last_seen) == ("member", NOW, NOW)
    assert await accounts.get_user(user.id) == user
    assert await accounts.list_users() == (user,)


async def test_the_same_person_stays_the_same_user_and_is_brought_up_to_date(accounts: AccountStore) -> None:
    first = await accounts.sign_in(MINA, role="admin", now=NOW)
    again = await accounts.sign_in(changed(MINA, email=None, name="Mina Kim"), role=None, now=NOW + 5)
    assert again == msgspec.structs.replace(first, email=None, name="Mina Kim", last_seen=NOW + 5)
    assert again.role == "admin", "None leaves the role as it is"
    assert await accounts.get_user(first.id) == again
    assert (await accounts.sign_in(MINA, role="member", now=NOW + 6)).role == "member"


async def test_issuer_and_subject_together_are_the_person(accounts: AccountStore) -> None:
    people = [MINA, changed(MINA, subject="other"), changed(MINA, issuer="https://elsewhere.example")]
    users = [await accounts.sign_in(person, role=None, now=NOW + at) for at, person in enumerate(people)]
    assert len({user.id for user in users}) == 3
    assert await accounts.list_users() == tuple(users), "an e-mail address alone never joins two people"
    assert [await accounts.find_by_subject(each.issuer, each.subject) for each in people] == users
    await accounts.change_user(users[0].id, UserChanges(disabled=NOW))
    found = await accounts.find_by_subject(MINA.issuer, MINA.subject)
    assert found is not None
    assert (found.id, found.disabled) == (users[0].id, NOW)
    assert await accounts.find_by_subject(MINA.issuer, "nobody") is None


async def test_users_are_listed_by_creation_then_id(accounts: AccountStore) -> None:
    later = await accounts.sign_in(changed(MINA, subject="later"), role=None, now=NOW + 9)
    same = [await accounts.sign_in(changed(MINA, subject=name), role=None, now=NOW) for name in ("a", "b", "c")]
    assert await accounts.list_users() == (*sorted(same, key=lambda user: user.id), later)


async def test_twice_at_once_is_one_user(accounts: AccountStore) -> None:
    users = await asyncio.gather(*(accounts.sign_in(MINA, role="admin", now=NOW) for _ in range(8)))
    assert len({user.id for user in users}) == 1
    assert len(await accounts.list_users()) == 1


async def test_nobody_is_nobody(accounts: AccountStore) -> None:
    assert await accounts.get_user("nobody") is None
    assert await accounts.list_users() == ()
    assert await accounts.get_session("none", now=NOW) is None
    assert await accounts.take_attempt("none", now=NOW) is None
    await accounts.delete_session("none")
    assert await accounts.purge_expired(now=NOW) == 0


async def test_a_name_with_half_a_surrogate_pair_is_kept_as_far_as_it_can_be(accounts: AccountStore) -> None:
    user = await accounts.sign_in(changed(MINA, name="Mi\ud800na"), role=None, now=NOW)
    assert user.name == "Mi\N{REPLACEMENT CHARACTER}na"
    assert await accounts.get_user(user.id) == user


async def test_a_session_gives_its_user_until_it_is_deleted(accounts: AccountStore) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    session = a_session(user.id, id_token="e30.e30.c2ln")
    await accounts.save_session(session)
    await accounts.save_session(a_session(user.id, name="two"))
    assert await accounts.get_session("one", now=NOW) == (session, user)
    await accounts.delete_session("one")
    assert await accounts.get_session("one", now=NOW) is None
    other = await accounts.get_session("two", now=NOW)
    assert other is not None, "another browser stays signed in"


async def test_the_same_session_again_replaces_it(accounts: AccountStore) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    await accounts.save_session(a_session(user.id, id_token="old"))
    renewed = a_session(user.id, expires=NOW + 5000)
    await accounts.save_session(renewed)
    assert await accounts.get_session("one", now=NOW + 4000) == (renewed, user)


async def test_a_person_has_so_many_sessions_and_the_oldest_end(accounts: AccountStore) -> None:
    mina, other = [await accounts.sign_in(changed(MINA, subject=name), role=None, now=NOW) for name in ("m", "o")]
    await accounts.save_session(a_session(other.id, name="theirs"))
    for number in range(MOST_SESSIONS + 2):
        await accounts.save_session(a_session(mina.id, name=f"s{number}", expires=NOW + 1000 * (number + 1)))
    await accounts.save_session(a_session(mina.id, name="short"))
    listed = {session.id for session in await accounts.list_sessions(mina.id, now=NOW)}
    assert listed == {"short", *(f"s{number}" for number in range(3, MOST_SESSIONS + 2))}, "a new one stays"
    for gone in ("s0", "s2"):
        assert await accounts.get_session(gone, now=NOW) is None
    assert await accounts.get_session("theirs", now=NOW) is not None
    again = a_session(mina.id, name="s9", expires=NOW + 90_000)
    await accounts.save_session(again)
    assert len(await accounts.list_sessions(mina.id, now=NOW)) == MOST_SESSIONS
    assert await accounts.delete_sessions(mina.id) == MOST_SESSIONS


async def test_a_session_shows_its_user_as_of_now(accounts: AccountStore) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    await accounts.save_session(a_session(user.id))
    newer = await accounts.sign_in(changed(MINA, name="Mina Kim"), role="admin", now=NOW + 1)
    found = await accounts.get_session("one", now=NOW + 2)
    assert found is not None
    assert found[1] == newer


@pytest.mark.parametrize(("now", "is_there"), [(NOW + 999, True), (NOW + 1000, False), (NOW + 1001, False)])
async def test_what_has_expired_is_not_there(accounts: AccountStore, now: int, *, is_there: bool) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    await accounts.save_session(a_session(user.id))
    await accounts.save_attempt(an_attempt())
    assert (await accounts.get_session("one", now=now) is not None) == is_there
    assert (await accounts.take_attempt("one", now=now) is not None) == is_there


async def test_an_attempt_is_taken_once(accounts: AccountStore) -> None:
    await accounts.save_attempt(an_attempt())
    await accounts.save_attempt(an_attempt("two"))
    takers = await asyncio.gather(*(accounts.take_attempt("one", now=NOW) for _ in range(8)))
    assert [taken for taken in takers if taken is not None] == [an_attempt()]
    assert await accounts.take_attempt("one", now=NOW) is None
    assert await accounts.take_attempt("two", now=NOW) == an_attempt("two")


async def test_purging_takes_what_has_expired_and_nothing_else(accounts: AccountStore) -> None:
    user = await accounts.sign_in(MINA, role=None, now=NOW)
    for name, expires in (("old", NOW), ("new", NOW + 1)):
        await accounts.save_session(a_session(user.id, name=name, expires=expires))
        await accounts.save_attempt(an_attempt(name, expires=expires))
    removed = await accounts.purge_expired(now=NOW)
    assert removed in {0, 2}, "0 where the store does so by itself"
    assert await accounts.get_session("new", now=NOW) is not None
    assert await accounts.take_attempt("new", now=NOW) is not None
    assert await accounts.purge_expired(now=NOW) == 0
    assert await accounts.get_user(user.id) == user
