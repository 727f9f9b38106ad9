"""What every store of keys does, held to the same contract: a further one joins by one line in `PLACES`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from stores.places import PLACES, Place

from daehwa.accounts.errors import BudgetExceeded, KeyNotFound
from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.accounts.ledger import Entry
from daehwa.accounts.ports import Budget, KeyStore
from daehwa.conversation.errors import IdTaken
from daehwa.conversation.ids import new_id

NOW = 1_795_305_600_000


@pytest.fixture(params=list(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with PLACES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
async def keys(place: Place) -> KeyStore:
    return (await place.process()).keys


def a_key(user: str = "mina", created: int = NOW) -> ApiKey:
    name = new_id()
    return ApiKey(id=name, user=user, name="공책", prefix="dh_AbCd1234", digest=f"digest of {name}", created=created)


async def test_a_key_is_found_by_its_digest_with_all_that_it_says(keys: KeyStore) -> None:
    limits = KeyLimits(
        models=("gpt-*", "local/나무"), day=1, month=2, total=3, requests_per_minute=4, tokens_per_minute=5
    )
    full, plain = msgspec.structs.replace(a_key(), limits=limits, expires=NOW + 5), a_key()
    for key in (full, plain):
        await keys.add_key(key)
        assert await keys.find_key(key.digest) == key
    assert await keys.find_key("no such digest") is None


async def test_an_id_or_digest_is_taken_once(keys: KeyStore) -> None:
    key = a_key()
    await keys.add_key(key)
    for again in (
        key,
        msgspec.structs.replace(a_key(), id=key.id),
        msgspec.structs.replace(a_key(), digest=key.digest),
    ):
        with pytest.raises(IdTaken):
            await keys.add_key(again)
    assert await keys.list_keys() == (key,)
    same = a_key()
    done = await asyncio.gather(*(keys.add_key(same) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["IdTaken"] * 4 + ["NoneType"]


async def test_keys_are_listed_newest_first(keys: KeyStore) -> None:
    hers = [a_key(created=NOW + at) for at in (3, 1, 2)]
    other = a_key("min", NOW + 9)
    for key in (*hers, other):
        await keys.add_key(key)
    newest_first = tuple(sorted(hers, key=lambda key: key.created, reverse=True))
    assert await keys.list_keys("mina") == newest_first
    assert await keys.list_keys() == (other, *newest_first)
    assert await keys.list_keys("nobody") == ()


async def test_revoking_is_seen_at_once_by_every_process_and_is_for_good(place: Place) -> None:
    here, there = (await place.process()).keys, (await place.process()).keys
    key = a_key()
    await here.add_key(key)
    assert await there.find_key(key.digest) == key
    assert await here.find_key(key.digest) == key
    revoked = await there.revoke_key(key.id, user="mina", now=NOW + 1)
    assert revoked == msgspec.structs.replace(key, revoked=NOW + 1)
    assert await here.find_key(key.digest) == revoked
    assert await here.revoke_key(key.id, user=None, now=NOW + 2) == revoked
    assert await here.list_keys("mina") == (revoked,)


async def test_nobody_revokes_what_is_not_theirs(keys: KeyStore) -> None:
    key = a_key()
    await keys.add_key(key)
    for name, user in ((key.id, "other"), (new_id(), None), (new_id(), "mina")):
        with pytest.raises(KeyNotFound):
            await keys.revoke_key(name, user=user, now=NOW)
    assert await keys.find_key(key.digest) == key
    assert (await keys.revoke_key(key.id, user=None, now=NOW)).revoked == NOW


async def test_the_last_use_is_remembered(place: Place) -> None:
    keys, there = (await place.process()).keys, (await place.process()).keys
    key = a_key()
    await keys.add_key(key)
    for at in (5, 9):
        await there.note_key_used(key.id, now=NOW + at)
        assert await keys.find_key(key.digest) == msgspec.structs.replace(key, last_used=NOW + at)
    await keys.note_key_used(new_id(), now=NOW)
    assert len(await keys.list_keys()) == 1


async def test_the_counters_of_a_keys_own_limits_begin_with_it(place: Place) -> None:
    stores = await place.process()
    key = msgspec.structs.replace(a_key(), limits=KeyLimits(day=10, month=20, total=30))
    await stores.keys.add_key(key)
    budgets = [
        Budget(scope=f"key:{key.id}", period=period, limit=limit)
        for period, limit in (("2026-11-22", 10), ("2026-11", 20), ("total", 30))
    ]
    assert [await stores.ledger.spent(each.scope, each.period) for each in budgets] == [0, 0, 0]
    for day in range(4):  # the counters of later days begin with their first call
        created = NOW + day * 24 * 60 * 60 * 1000
        entry = Entry(
            id=f"{key.id}-{day}", created=created, user="mina", key=key.id, kind="chat", model="a/b", reserved=8
        )
        limits = [Budget(scope=f"key:{key.id}", period=f"2026-11-{22 + day}", limit=10), *budgets[1:]]
        if day < 2:
            await stores.ledger.reserve(entry, limits)
        else:
            with pytest.raises(BudgetExceeded) as refused:
                await stores.ledger.reserve(entry, limits)
            assert refused.value.period == "2026-11"
    assert [await stores.ledger.spent(each.scope, each.period) for each in budgets] == [8, 16, 16]
