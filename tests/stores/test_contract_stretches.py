"""What every store promises of stretches: a long conversation is read from its end, branches and all."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from stores.asking import ME, OTHER, ask, ended, make_turn

from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.errors import ConversationNotFound, MessageNotFound
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Message, Usage
from daehwa.conversation.ports import BegunTurn, ConversationChanges, ConversationStore
from daehwa.conversation.stretch import StretchWish, UsageTotal
from daehwa.stores.memory import MemoryStore

TURNS = 12


class Long:
    """A conversation of twelve turns, the third of which has another question with two answers below it."""

    def __init__(self, turns: Sequence[BegunTurn], other: BegunTurn, again: BegunTurn) -> None:
        self.id = turns[0].conversation.id
        self.turns, self.other, self.again = turns, other, again


async def spent(store: ConversationStore, words: str | None, **given: str) -> BegunTurn:
    begun = await store.begin_turn(make_turn(words, **given))
    await store.finish_reply(ended(begun.reply, f"to {words}", usage=Usage(input=10, output=2, cost=5)))
    return begun


@pytest.fixture
async def long(store: ConversationStore) -> Long:
    """Make it elsewhere and move it: some stores would take a while to write it turn by turn."""
    origin = MemoryStore()
    turns = [await spent(origin, "0")]
    home = turns[0].conversation.id
    for n in range(1, TURNS):
        turns.append(await spent(origin, str(n), conversation=home, parent=turns[-1].reply.id))
    other = await spent(origin, "other", conversation=home, parent=turns[1].reply.id)
    again = await spent(origin, None, conversation=home, parent=other.path[-1].id)
    await origin.change_conversation(ME, home, ConversationChanges(leaf=turns[-1].reply.id))
    [record] = [record async for record in origin.export_conversations()]
    assert (await cast(ConversationArchive, store).import_conversation(record)).outcome == "added"
    return Long(turns, other, again)


async def read(store: ConversationStore, conversation: str, limit: int, **wish: Any) -> tuple[Message, ...]:
    stretch = await store.read_stretch(ME, conversation, StretchWish(limit=limit, **wish))
    assert stretch.conversation.id == conversation
    return stretch.messages


def said(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]


async def test_a_conversation_that_is_no_longer_than_wished_comes_whole(store: ConversationStore) -> None:
    begun = await ask(store, "one")
    stretch = await store.read_stretch(ME, begun.conversation.id, StretchWish(limit=2))
    assert (stretch.conversation, stretch.messages) == await store.get_conversation(ME, begun.conversation.id)
    assert stretch.whole


async def test_a_long_one_comes_from_its_end_and_the_rest_by_and_by(store: ConversationStore, long: Long) -> None:
    messages = await read(store, long.id, 3)
    assert said(messages) == ["10", "to 10", "11", "to 11"], "it begins with a question"
    while messages[0].parent is not None:
        earlier = await read(store, long.id, 6, before=messages[0].id)
        assert earlier[-1].id == messages[0].parent or long.other.path[-1] in earlier
        messages = earlier + messages
    _, everything = await store.get_conversation(ME, long.id)
    below_other = {long.other.reply.id, long.again.reply.id}
    assert {message.id for message in messages} == {message.id for message in everything} - below_other


async def test_a_stretch_says_what_all_replies_took(store: ConversationStore, long: Long) -> None:
    stretch = await store.read_stretch(ME, long.id, StretchWish(limit=2, total=True))
    calls = TURNS + 2
    assert not stretch.whole
    assert stretch.total == UsageTotal(
        calls=calls, input=10 * calls, cached=0, output=2 * calls, reasoning=0, cost=5 * calls, unpriced=0, estimated=0
    )


async def test_what_stands_beside_a_message_comes_with_it(store: ConversationStore, long: Long) -> None:
    third = long.turns[2].path[-1]
    assert said(await read(store, long.id, 2, before=long.turns[3].path[-1].id)) == ["2", "to 2", "other"]
    assert said(await read(store, long.id, 2, message=long.other.reply.id)) == ["2", "other", "to other", "to None"]
    messages = await read(store, long.id, 2, message=long.other.path[-1].id)
    assert said(messages) == ["2", "other", "to other", "to None"]
    assert messages[0] == third


async def test_a_stretch_reaches_up_to_the_message_that_is_asked_for(store: ConversationStore, long: Long) -> None:
    found = long.turns[4].reply
    messages = await read(store, long.id, 2, message=found.id)
    assert said(messages) == [text for n in range(4, TURNS) for text in (str(n), f"to {n}")]


async def test_a_message_that_is_not_there_is_as_none_and_nothing_is_before_it(
    store: ConversationStore, long: Long
) -> None:
    elsewhere = await ask(store, "elsewhere")
    for missing in (new_id(), elsewhere.reply.id):
        assert said(await read(store, long.id, 2, message=missing)) == ["11", "to 11"]
        with pytest.raises(MessageNotFound):
            await read(store, long.id, 2, before=missing)
    assert await read(store, long.id, 2, before=long.turns[0].path[0].id) == ()


async def test_others_read_no_stretch(store: ConversationStore, long: Long) -> None:
    with pytest.raises(ConversationNotFound):
        await store.read_stretch(OTHER, long.id, StretchWish(limit=2))
    await store.delete_conversation(ME, long.id)
    with pytest.raises(ConversationNotFound):
        await store.read_stretch(ME, long.id, StretchWish(limit=2))
