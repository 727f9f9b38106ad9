"""Room for large requests: never more than there is, fairly by person, and all of it given back in the end."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.conversation.room import Room, Share

SIZE = 64
PEOPLE = "abc"

GIVES = ("give back", "keep half", "cancel", "cancel unseen")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from(PEOPLE), st.integers(1, SIZE + 8)),
        st.tuples(st.just("now"), st.sampled_from(PEOPLE), st.integers(1, SIZE + 8)),
        st.tuples(st.sampled_from(GIVES), st.integers(0, 40), st.none()),
    ),
    max_size=60,
)


class Requests:
    """Requests that take and give back, each a task of its own."""

    def __init__(self) -> None:
        self.room = Room(SIZE)
        self.shares: list[Share] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def step(self, what: str, which: str | int, size: int | None) -> None:
        if isinstance(which, str):
            assert size is not None
            self.begin(which, size, is_patient=what == "take")
        elif self.shares:
            number = which % len(self.shares)
            if what.startswith("cancel"):
                self.tasks[number].cancel()
                if what == "cancel unseen":  # what others give back comes before it has come round
                    self.shares[number // 2].give_back()
            else:
                share = self.shares[number]
                share.give_back(but=share.size // 2 if what == "keep half" else 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.check()

    def begin(self, person: str, size: int, *, is_patient: bool) -> None:
        share = self.room.share_of(person)

        async def take() -> None:
            if is_patient:
                await share.take(size)
            else:
                share.take_now(size)

        self.shares.append(share)
        self.tasks.append(asyncio.create_task(take()))

    def held(self, shares: Iterable[Share]) -> int:
        return sum(share.size for share in shares)

    def check(self) -> None:
        assert 0 <= self.room.free == SIZE - self.held(self.shares)


@given(steps)
def test_it_is_never_overfull_and_all_is_given_back(taken: list[tuple[str, str | int, int | None]]) -> None:
    async def run() -> None:
        requests = Requests()
        for step in taken:
            await requests.step(*step)
        while not all(task.done() for task in requests.tasks):  # those who wait have their turn, one after the other
            before = sum(task.done() for task in requests.tasks)
            for share in requests.shares:
                share.give_back()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            requests.check()
            assert sum(task.done() for task in requests.tasks) > before, "somebody waits for room that is there"
        for share in requests.shares:
            share.give_back()
        assert requests.room.free == SIZE

    asyncio.run(run())


async def test_one_person_has_no_more_than_is_left_to_others() -> None:
    room = Room(SIZE)
    own = [room.share_of("a") for _ in range(10)]
    assert sum(share.take_now(8) for share in own) == 4
    other = [room.share_of("b") for _ in range(10)]
    assert sum(share.take_now(8) for share in other) == 2
    assert room.share_of("c").take_now(16), "there is still some for who comes then"


async def test_a_single_request_has_only_to_fit() -> None:
    room = Room(SIZE)
    assert room.share_of("a").take_now(SIZE)
    assert not room.share_of("b").take_now(1)


async def test_what_is_larger_than_the_room_takes_all_of_it() -> None:
    room = Room(SIZE)
    with room.share_of("a") as share:
        await share.take(SIZE * 2)
        assert room.free == 0
    assert room.free == SIZE


async def test_nobody_overtakes_who_waits_for_more() -> None:
    room = Room(SIZE)
    first = room.share_of("a")
    assert first.take_now(40)
    large = asyncio.create_task(room.share_of("b").take(50))
    await asyncio.sleep(0)
    assert not room.share_of("c").take_now(8), "it would fit"
    first.give_back()
    await asyncio.wait_for(large, 1)


async def test_who_waits_for_their_own_requests_holds_nobody_up() -> None:
    room = Room(SIZE)
    own = [room.share_of("a") for _ in range(4)]
    assert all(share.take_now(8) for share in own)
    more = asyncio.create_task(room.share_of("a").take(8))
    await asyncio.sleep(0)
    assert room.share_of("b").take_now(8)
    assert not more.done()
    own[0].give_back()
    own[1].give_back()
    await asyncio.wait_for(more, 1)


async def test_people_have_their_turns_one_after_the_other() -> None:
    room, order = Room(SIZE), list[str]()
    full = room.share_of("x")
    assert full.take_now(SIZE)

    async def one(person: str) -> None:
        share = room.share_of(person)
        await share.take(SIZE)
        order.append(person)
        share.give_back()

    waiting = [asyncio.create_task(one(person)) for person in "aaaab"]
    await asyncio.sleep(0)
    full.give_back()
    await asyncio.gather(*waiting)
    assert order.index("b") == 1, "not behind all that somebody else has sent before"


async def test_a_wait_has_an_end() -> None:
    room = Room(SIZE)
    full = room.share_of("a")
    assert full.take_now(SIZE)
    late = room.share_of("b")
    with pytest.raises(TimeoutError):
        await late.take(8, 0.01)
    full.give_back()
    assert (room.free, late.size) == (SIZE, 0)


async def test_who_leaves_as_their_turn_comes_has_nothing() -> None:
    room = Room(SIZE)
    full, late, last = room.share_of("a"), room.share_of("b"), room.share_of("c")
    assert full.take_now(SIZE)
    leaving = asyncio.create_task(late.take(SIZE))
    await asyncio.sleep(0)
    full.give_back()  # now it is late's, whose task has not heard of it
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert late.size == 0
    assert last.take_now(SIZE)
