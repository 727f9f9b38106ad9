"""House is kept every hour where nothing runs between requests: all that is due, within the time there is."""

import asyncio
import logging

import pytest
from stores.asking import ask

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people import NewUser, UserChanges
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.errors import ConversationNotFound, StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.purging import DAY_MS, RESTORABLE_MS
from daehwa.services.hourly import AT_ONCE, LONGEST_CALL_MS, HourlyHousekeeping
from daehwa.stores.memory import MemoryStore
from daehwa.stores.memory_people import memory_people

ME = "me"
SECONDS = 30.0


class FaultyStore(MemoryStore):
    """A store that purges slowly, or not at all."""

    def __init__(self, fault: StoreError | None = None) -> None:
        super().__init__()
        self.fault = fault

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        if self.fault is not None:
            raise self.fault
        await asyncio.sleep(SECONDS)
        return await super().purge_deleted(before=before, limit=limit)


class Home:
    """What house is kept of; `later` is how far the clock has gone on, `days` what was decided."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.people: PeopleStores = memory_people()
        self.later = 0
        self.days: int | None = None
        erasure = Erasure(self.people, [self.store], clock=self.now)
        self._housekeeping = HourlyHousekeeping(self.store, erasure, self.retention, clock=self.now)

    def now(self) -> int:
        return now_ms() + self.later

    async def retention(self) -> int | None:
        return self.days

    async def an_hour(self, seconds: float = SECONDS) -> None:
        await self._housekeeping.keep_house(seconds)

    async def left(self) -> int:
        return len([record async for record in self.store.export_conversations()])


async def deleted(home: Home, count: int) -> list[str]:
    names = [(await ask(home.store, f"gone {n}", owner=ME)).conversation.id for n in range(count)]
    for name in names:
        await home.store.delete_conversation(ME, name)
    return names


async def test_what_can_be_restored_stays_and_then_all_of_it_goes() -> None:
    home = Home()
    names = await deleted(home, AT_ONCE + 2)
    home.later = RESTORABLE_MS - 60_000
    await home.an_hour()
    assert await home.left() == AT_ONCE + 2
    await home.store.restore_conversation(ME, names[0])
    home.later = RESTORABLE_MS + 60_000
    await home.an_hour()
    assert await home.left() == 1
    with pytest.raises(ConversationNotFound):
        await home.store.restore_conversation(ME, names[1])


async def test_what_is_kept_no_longer_goes_and_never_where_nothing_is_decided() -> None:
    home = Home()
    for number in range(3):
        await ask(home.store, f"old {number}", owner=ME)
    home.later = 31 * DAY_MS
    await home.an_hour()
    assert await home.left() == 3
    home.days = 30
    await home.an_hour()
    assert await home.left() == 0


async def test_a_persons_deletion_goes_on_once_nobody_can_be_at_it() -> None:
    home = Home()
    await home.people.accounts.add_user(NewUser(login="root", name="", role="admin"), now=now_ms())
    user = await home.people.accounts.add_user(NewUser(login="mina", name="", role="admin"), now=now_ms())
    await ask(home.store, "of mina", owner=user.id)
    await home.people.accounts.change_user(user.id, UserChanges(disabled=home.now(), leaving=home.now()))
    await home.an_hour()
    assert await home.left() == 1
    home.later = LONGEST_CALL_MS + 1
    await home.an_hour()
    assert await home.left() == 0
    assert [user.login for user in await home.people.accounts.list_users()] == ["root"]


async def test_it_ends_when_its_time_is_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "daehwa")
    async with asyncio.timeout(10):
        await Home(FaultyStore()).an_hour(0.05)
    assert "goes on in an hour" in caplog.text


async def test_a_step_that_fails_is_logged_and_the_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    home = Home(FaultyStore(StoreError("The table is away.")))
    home.days, home.later = 1, 2 * DAY_MS
    await ask(home.store, "old", owner=ME)
    await home.an_hour()
    assert await home.left() == 0
    assert "housekeeping waits: The table is away." in caplog.text
