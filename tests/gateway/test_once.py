"""Callers who leave while their Idempotency-Key is claimed, and answers that are not kept."""

import asyncio
from typing import Literal

import pytest
from gateway.bed import OWNER

from daehwa.accounts.keys import Caller
from daehwa.gateway.answers import Answer
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.errors import IdempotencyKeyReused, StillAnswering
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import KeptAnswer
from daehwa.stores.memory_answers import MemoryAnswers

ASKED = JsonAsked.of("chat/completions", {"messages": []})
CALLER = Caller(user=OWNER)


class SlowAnswers(MemoryAnswers):
    """A store whose claims are made a moment before it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_claimed = asyncio.Event()
        self.go_on = asyncio.Event()

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        found = await super().claim(caller, key, fingerprint, now=now)
        self.is_claimed.set()
        await self.go_on.wait()
        return found


async def made() -> Answer:
    return KeptAnswer(status=200, headers=(), body=b"{}")


@pytest.mark.parametrize("times", [1, 2])
async def test_who_leaves_while_claiming_leaves_no_claim(times: int) -> None:
    store = SlowAnswers()
    once = OnceOnly(store, wait_seconds=0.05)
    first = asyncio.create_task(once.answer(CALLER, "k", ASKED, made))
    await store.is_claimed.wait()
    for _ in range(times):  # the client leaves, and the server ends
        first.cancel()
        await asyncio.sleep(0)
    store.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.sleep(0.01)
    assert await once.answer(CALLER, "k", ASKED, made) == await made()


async def test_who_leaves_while_another_one_answers_leaves_that_claim_alone() -> None:
    store = SlowAnswers()
    once = OnceOnly(store, wait_seconds=0.05)
    store.go_on.set()
    running = asyncio.Event()

    async def slow() -> Answer:
        await running.wait()
        return await made()

    first = asyncio.create_task(once.answer(CALLER, "k", ASKED, slow))
    await asyncio.sleep(0.01)
    store.go_on.clear()
    store.is_claimed.clear()
    elsewhere = OnceOnly(store, wait_seconds=0.05)  # here the store is not asked
    second = asyncio.create_task(elsewhere.answer(CALLER, "k", ASKED, made))
    await store.is_claimed.wait()
    second.cancel()
    await asyncio.sleep(0)
    store.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await second
    running.set()
    assert await first == await made()
    kept = await once.answer(CALLER, "k", ASKED, never)
    assert kept == await made()


async def test_a_call_that_takes_longer_than_its_claim_is_made_once_all_the_same() -> None:
    now = 1_000_000_000_000
    once = OnceOnly(MemoryAnswers(), clock=lambda: now, wait_seconds=0.05)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        begun.set()
        await go_on.wait()
        return await made()

    first = asyncio.create_task(once.answer(CALLER, "k", ASKED, slow))
    await begun.wait()
    now += 16 * 60 * 1000
    with pytest.raises(StillAnswering):
        await once.answer(CALLER, "k", ASKED, never)
    with pytest.raises(IdempotencyKeyReused):
        await once.answer(CALLER, "k", JsonAsked.of("chat/completions", {"messages": [], "n": 2}), never)
    await once.answer(CALLER, "another one", ASKED, made)
    second = asyncio.create_task(once.answer(CALLER, "k", ASKED, never))
    await asyncio.sleep(0)
    go_on.set()
    assert await first == await second == await made()
    assert await once.answer(CALLER, "k", ASKED, never) == await made()


async def never() -> Answer:
    raise AssertionError("it was kept")


async def test_an_error_by_200_is_not_kept() -> None:
    bodies = iter([b'{"error":{"message":"Overloaded."}}', b'{"choices":[]}'])

    async def failing_first() -> Answer:
        return KeptAnswer(status=200, headers=(), body=next(bodies))

    once = OnceOnly(MemoryAnswers())
    asked = [await once.answer(CALLER, "k", ASKED, failing_first) for _ in range(3)]
    assert [b"error" in answer.body for answer in asked if isinstance(answer, KeptAnswer)] == [True, False, False]
