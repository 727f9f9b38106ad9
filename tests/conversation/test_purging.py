"""What was deleted goes for good in the course of requests: seldom, little, short, and never to their harm."""

import asyncio
import logging

import pytest
from stores.asking import ask

from daehwa.conversation.errors import ConversationNotFound, StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.purging import AT_ONCE, DAY_MS, RESTORABLE_MS, SELDOM_MS, PurgeInPassing
from daehwa.stores.memory import MemoryStore

ME = "me"


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.later = 0

    def __call__(self) -> int:
        return now_ms() + self.later


class FaultyStore(MemoryStore):
    """A store that purges slowly, or not at all."""

    def __init__(self, fault: StoreError | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.asked = 0

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        await asyncio.sleep(30)
        return await super().purge_deleted(before=before, limit=limit)


async def deleted(store: MemoryStore, count: int) -> list[str]:
    names = [(await ask(store, f"gone {n}", owner=ME)).conversation.id for n in range(count)]
    for name in names:
        await store.delete_conversation(ME, name)
    return names


async def left(store: MemoryStore) -> int:
    return len([record async for record in store.export_conversations()])


async def test_what_can_be_restored_stays_and_then_a_few_go_now_and_then() -> None:
    store, clock = MemoryStore(), Clock()
    names = await deleted(store, AT_ONCE + 2)
    purge = PurgeInPassing(store, clock=clock)
    clock.later = RESTORABLE_MS - 60_000
    await purge.remove_some()
    await store.restore_conversation(ME, names[0])
    await store.delete_conversation(ME, names[0])
    clock.later = RESTORABLE_MS + 60_000
    await purge.remove_some()
    assert await left(store) == AT_ONCE + 2, "not twice in ten minutes"
    clock.later += SELDOM_MS
    await purge.remove_some()
    assert await left(store) == 2
    await purge.remove_some()
    assert await left(store) == 2
    clock.later += SELDOM_MS
    await purge.remove_some()
    assert await left(store) == 0
    with pytest.raises(ConversationNotFound):
        await store.restore_conversation(ME, names[0])


async def test_nobody_waits_long_for_it(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore()
    caplog.set_level(logging.INFO, "daehwa")
    async with asyncio.timeout(10):
        await PurgeInPassing(store, patience=0.05).remove_some()
    assert "goes on another time" in caplog.text


async def test_a_failure_is_logged_and_not_tried_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore(StoreError("The table is away."))
    purge = PurgeInPassing(store)
    await purge.remove_some()
    await purge.remove_some()
    assert store.asked == 1
    assert "removing deleted conversations waits: The table is away." in caplog.text


async def test_what_is_kept_no_longer_goes_as_well_and_never_where_nothing_is_decided() -> None:
    store, clock, days = MemoryStore(), Clock(), [None, 30]

    async def retention() -> int | None:
        return days[0]

    for number in range(AT_ONCE + 1):
        await ask(store, f"old {number}", owner=ME)
    purge = PurgeInPassing(store, retention=retention, clock=clock)
    clock.later = 31 * DAY_MS
    await purge.remove_some()
    assert await left(store) == AT_ONCE + 1
    days.pop(0)
    clock.later += SELDOM_MS
    await purge.remove_some()
    assert await left(store) == 1, "a few at a time"
