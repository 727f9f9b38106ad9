"""Followers that give a sink: told in the very call in which the reply grew, and as whole as those that ask."""

import asyncio
import gc
import weakref
from collections.abc import Sequence

import pytest
from cores import Core, a_core, texts

from daehwa.conversation.errors import MessageNotFound
from daehwa.conversation.events import Finished, Heartbeat, Numbered, ReplyEnded, StreamedEvent, TextDelta, TitleMade
from daehwa.conversation.following import Followers, Told
from daehwa.providers.scripted import Step


class Sink:
    """Keeps what it is given. It is full after each batch once it is `slow`, until it `may_drain`."""

    def __init__(self, *, slow: bool = False) -> None:
        self.batches: list[list[Numbered]] = []
        self.is_slow = slow
        self.may_drain = asyncio.Event()
        self.drains = 0

    def write(self, batch: list[Numbered]) -> bool:
        self.batches.append(batch)
        return not self.is_slow

    async def drained(self) -> None:
        self.drains += 1
        await self.may_drain.wait()

    @property
    def numbered(self) -> list[Numbered]:
        return [each for batch in self.batches for each in batch if not isinstance(each.event, Heartbeat)]

    @property
    def events(self) -> list[StreamedEvent]:
        return [each.event for each in self.numbered]


async def test_a_sink_is_given_what_whoever_asks_is_given() -> None:
    gate = asyncio.Event()
    script: list[Step] = [(TextDelta("one "),), gate, (TextDelta("two "),), (TextDelta("three"),), (Finished("stop"),)]
    async with a_core(script, titles=True) as core:
        request = core.question()
        await core.running.start(request)
        sink = Sink()
        forwarding = asyncio.create_task(core.running.forward("me", request.reply, sink))
        asking = asyncio.create_task(core.followed(request.reply))
        await asyncio.sleep(0.01)
        assert texts(sink.events) == "one "
        gate.set()
        await asyncio.wait_for(forwarding, 5)
        asked = await asking
        assert texts(sink.events) == "one two three"
        assert sink.numbered[-1] == asked[-1]
        assert [type(event) for event in sink.events if not isinstance(event, TextDelta)] == [
            type(each.event) for each in asked if not isinstance(each.event, TextDelta)
        ]
        assert isinstance(sink.events[-1], TitleMade)


@pytest.mark.parametrize("home", ["in flight", "stored"])
async def test_a_sink_is_given_the_rest_after_any_position(core: Core, home: str) -> None:
    request = core.question("a b c")
    await core.running.start(request)
    whole = await core.followed(request.reply)
    if home == "stored":
        await core.running.aclose()
    for position in range(whole[-1].position + 1):
        sink = Sink(slow=home == "stored")
        sink.may_drain.set()
        await asyncio.wait_for(core.running.forward("me", request.reply, sink, after=position), 5)
        assert texts(sink.events) == "You said: a b c"[max(0, position - 1) :]
        assert isinstance(sink.events[-1], ReplyEnded)


async def test_a_slow_sink_is_given_all_at_once_when_it_has_drained() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    script: list[Step] = [step for number, gate in enumerate(gates) for step in ((TextDelta(f"{number} "),), gate)]
    async with a_core([*script, (Finished("stop"),)]) as core:
        request = core.question()
        await core.running.start(request)
        sink = Sink(slow=True)
        forwarding = asyncio.create_task(core.running.forward("me", request.reply, sink))
        await asyncio.sleep(0.01)
        for gate in gates:
            gate.set()
            await asyncio.sleep(0.1)  # signs of life too, which a full sink is spared
        assert (len(sink.batches), texts(sink.events)) == (1, "0 ")
        sink.is_slow = False
        sink.may_drain.set()
        await asyncio.wait_for(forwarding, 5)
        assert texts(sink.events) == "0 1 2 "
        assert (sink.drains, len(sink.batches)) == (1, 2)


async def test_a_quiet_sink_is_given_signs_of_life() -> None:
    async with a_core([asyncio.Event()]) as core:
        request = core.question()
        await core.running.start(request)
        sink = Sink()
        forwarding = asyncio.create_task(core.running.forward("me", request.reply, sink))
        await asyncio.sleep(0.3)  # six signs are due
        assert sink.batches[:2] == [[Numbered(0, Heartbeat())]] * 2
        forwarding.cancel()


async def test_a_turn_goes_on_when_a_sink_is_given_up() -> None:
    gate = asyncio.Event()
    async with a_core([(TextDelta("one "),), gate, (TextDelta("two"),), (Finished("stop"),)]) as core:
        request = core.question()
        await core.running.start(request)
        sink = Sink()
        forwarding = asyncio.create_task(core.running.forward("me", request.reply, sink))
        await asyncio.sleep(0.01)
        forwarding.cancel()
        await asyncio.wait([forwarding])
        gate.set()
        assert texts(await core.events(request.reply)) == "one two"
        assert texts(sink.events) == "one "


async def test_nobody_is_given_somebody_elses_reply(core: Core) -> None:
    request = core.question()
    await core.running.start(request)
    sink = Sink()
    with pytest.raises(MessageNotFound):
        await core.running.forward("somebody else", request.reply, sink)
    assert not sink.batches


class Growing:
    """Something that is followed, by the letter."""

    def __init__(self) -> None:
        self.text, self.is_over = "", False

    def new_to(self, told: Told) -> list[Numbered]:
        new = self.text[told.position :]
        told.position = len(self.text)
        return [Numbered(told.position, TextDelta(new))] if new else []


def _text(batches: Sequence[Sequence[Numbered]]) -> str:
    return texts([each.event for batch in batches for each in batch])


async def test_news_is_written_in_the_call_that_tells_of_it() -> None:
    followers, growing, sink = Followers(), Growing(), Sink()
    forwarding = asyncio.create_task(followers.forward(growing, 0, sink))
    await asyncio.sleep(0)
    for letter in "abc":
        growing.text += letter
        followers.tell(changed=True)
        assert _text(sink.batches) == growing.text, "before anything else had a turn of the loop"
    growing.is_over = True
    followers.tell(changed=True)
    await asyncio.wait_for(forwarding, 5)
    followers.tell(changed=True)
    assert _text(sink.batches) == "abc"


class BrokenSink(Sink):
    """Fails with what it is given second."""

    def write(self, batch: list[Numbered]) -> bool:
        if self.batches:
            raise ValueError("This cannot be written.")
        return super().write(batch)


async def test_what_a_sink_raises_ends_its_follower_and_neither_the_turn_nor_another_one() -> None:
    gate = asyncio.Event()
    async with a_core([(TextDelta("one "),), gate, (TextDelta("two"),), (Finished("stop"),)]) as core:
        request = core.question()
        await core.running.start(request)
        sinks = [BrokenSink(), Sink()]
        forwardings = [asyncio.create_task(core.running.forward("me", request.reply, sink)) for sink in sinks]
        await asyncio.sleep(0.01)
        gate.set()
        with pytest.raises(ValueError, match="This cannot be written"):
            await asyncio.wait_for(forwardings[0], 5)
        await asyncio.wait_for(forwardings[1], 5)
        assert texts(sinks[1].events) == "one two"
        assert (await core.ended(request.reply)).status == "complete"


async def test_a_turn_that_has_ended_is_kept_by_nothing_of_its_own() -> None:
    core = Core()
    gc.collect()
    gc.disable()
    try:
        request = core.question()
        await core.running.start(request)
        turns = [weakref.ref(turn) for turn in core.running._turns.values()]
        await core.running.forward("me", request.reply, Sink())
        await core.followed(request.reply)
        await core.running.aclose()
        await asyncio.sleep(0.05)
        assert [turn() for turn in turns] == [None]
    finally:
        gc.enable()
