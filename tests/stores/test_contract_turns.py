"""What every store promises of turns: the tree, idempotency, checkpoints, ends."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import msgspec
import pytest
from stores.asking import ME, OTHER, RUNNER, ask, beat, ended, grown, make_turn, next_moment, text

from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.errors import (
    ConversationNotFound,
    IdTaken,
    InvalidParent,
    MessageNotFound,
    ReplyStillGrowing,
)
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import (
    MESSAGE_CHARACTERS,
    Failure,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from daehwa.conversation.ports import ConversationStore, PromptMessage
from daehwa.conversation.transcript import build_transcript
from daehwa.stores.memory import MemoryStore


async def test_a_first_turn_makes_the_conversation(store: ConversationStore) -> None:
    turn = make_turn("What is a tree?", title="Trees")
    begun = await store.begin_turn(turn)
    assert begun.created
    assert begun.reply == turn.reply
    assert begun.path == (turn.question,)
    conversation, messages = await store.get_conversation(ME, turn.conversation)
    assert conversation == begun.conversation
    assert (conversation.title, conversation.title_source, conversation.owner) == ("Trees", "question", ME)
    assert (conversation.leaf, conversation.model) == (turn.reply.id, "test/parrot")
    assert conversation.created == conversation.updated == turn.reply.created
    assert messages == (turn.question, turn.reply)
    assert await store.get_message(ME, turn.reply.id) == turn.reply


async def test_the_path_goes_from_the_root_to_the_replys_parent(store: ConversationStore) -> None:
    first = await ask(store, "one", "1")
    other = await ask(store, None, "uno", conversation=first.conversation.id, parent=first.path[0].id)
    second = await store.begin_turn(make_turn("two", conversation=first.conversation.id, parent=first.reply.id))
    assert [message.text for message in second.path] == ["one", "1", "two"]
    assert second.conversation.leaf == second.reply.id
    third = make_turn("three", conversation=first.conversation.id, parent=other.reply.id, model="test/owl")
    begun = await store.begin_turn(third)
    assert [message.text for message in begun.path] == ["one", "uno", "three"]
    assert begun.conversation.model == "test/owl"
    assert begun.conversation.updated == third.reply.created


async def test_a_clock_that_is_set_back_does_not_move_a_conversation_down(store: ConversationStore) -> None:
    first = await ask(store, "one", "1")
    turn = make_turn("two", conversation=first.conversation.id, parent=first.reply.id, at=first.reply.created - 60_000)
    begun = await store.begin_turn(turn)
    assert begun.conversation.updated == first.reply.created
    assert begun.reply.created == turn.reply.created


async def test_a_cut_reply_goes_on_under_itself(store: ConversationStore) -> None:
    first = await store.begin_turn(make_turn("one"))
    await store.finish_reply(ended(first.reply, "half of", finish="length"))
    turn = make_turn(None, conversation=first.conversation.id, parent=first.reply.id, continue_reply=True)
    begun = await store.begin_turn(turn)
    assert [message.text for message in begun.path] == ["one", "half of"]


async def test_the_same_turn_again_changes_nothing(store: ConversationStore) -> None:
    turn = make_turn()
    await store.begin_turn(turn)
    await store.finish_reply(ended(turn.reply, "Done."))
    before = await store.get_conversation(ME, turn.conversation)
    again = await store.begin_turn(turn)
    assert not again.created
    assert again.path == ()
    assert again.reply == ended(turn.reply, "Done.")
    assert again.conversation == before[0]
    assert await store.get_conversation(ME, turn.conversation) == before


async def test_of_fifty_same_turns_at_once_one_is_created(store: ConversationStore) -> None:
    turn = make_turn()
    begun = await asyncio.gather(*(store.begin_turn(turn) for _ in range(50)))
    assert sum(one.created for one in begun) == 1
    assert {one.reply.id for one in begun} == {turn.reply.id}
    assert len((await store.get_conversation(ME, turn.conversation))[1]) == 2


async def test_fifty_different_turns_at_once_are_all_stored(store: ConversationStore) -> None:
    first = await ask(store, "root")
    turns = [make_turn(str(n), conversation=first.conversation.id, parent=first.reply.id) for n in range(50)]
    begun = await asyncio.gather(*map(store.begin_turn, turns))
    assert all(one.created for one in begun)
    assert len((await store.get_conversation(ME, first.conversation.id))[1]) == 102


async def test_a_refused_turn_among_many_fails_alone(store: ConversationStore) -> None:
    good, bad = [make_turn(str(n)) for n in range(20)], make_turn(None, parent=new_id())
    results = await asyncio.gather(*map(store.begin_turn, [*good, bad, *good]), return_exceptions=True)
    assert [type(result) for result in results].count(ConversationNotFound) == 1
    assert isinstance(results[20], ConversationNotFound)
    assert len((await store.list_conversations(ME)).conversations) == 20


async def test_a_question_that_is_there_can_have_another_reply(store: ConversationStore) -> None:
    turn = make_turn()
    assert turn.question
    await store.begin_turn(turn)
    retry = make_turn(turn.question.text, conversation=turn.conversation, question=turn.question.id)
    begun = await store.begin_turn(retry)
    assert begun.created
    assert begun.path == (turn.question,)
    assert len((await store.get_conversation(ME, turn.conversation))[1]) == 3


async def test_the_rules_of_the_tree_hold_and_store_nothing(store: ConversationStore) -> None:
    there = await ask(store, "root")
    elsewhere = await ask(store, "elsewhere")
    growing = await store.begin_turn(make_turn("growing"))
    home, question, reply = there.conversation.id, there.path[0], there.reply
    cases = [
        (make_turn("foreign", conversation=home, owner=OTHER), ConversationNotFound),
        (make_turn("no such parent", conversation=home, parent=new_id()), MessageNotFound),
        (make_turn("parent elsewhere", conversation=home, parent=elsewhere.reply.id), MessageNotFound),
        (make_turn(None, conversation=new_id(), parent=question.id), ConversationNotFound),
        (make_turn("late", conversation=new_id(), parent=reply.id), ConversationNotFound),
        (make_turn("under a question", conversation=home, parent=question.id), InvalidParent),
        (make_turn("changed words", conversation=home, question=question.id), IdTaken),
        (make_turn("id of a question", conversation=home, reply=question.id), IdTaken),
        (make_turn("id of a reply elsewhere", conversation=home, reply=elsewhere.reply.id), IdTaken),
        (
            make_turn("early", conversation=growing.conversation.id, parent=growing.reply.id),
            ReplyStillGrowing,
        ),
    ]
    before = [await store.get_conversation(ME, name) for name in (home, elsewhere.conversation.id)]
    for turn, error in cases:
        with pytest.raises(error):
            await store.begin_turn(turn)
    assert [await store.get_conversation(ME, name) for name in (home, elsewhere.conversation.id)] == before
    assert len((await store.list_conversations(ME)).conversations) == 3


async def test_checkpoints_grow_replies_and_never_shrink_them(store: ConversationStore) -> None:
    one, two = [(await store.begin_turn(make_turn())).reply for _ in range(2)]
    assert await store.save_checkpoints([grown(one, "Once upon"), grown(two, "Es war")]) == frozenset()
    late = grown(one, "Once")
    await store.save_checkpoints([late, beat(two, 7)])
    stored = await store.get_message(ME, one.id)
    assert (stored.text, stored.position, stored.status) == ("Once upon", 10, "streaming")
    assert stored.heartbeat is not None
    assert stored.heartbeat < late.heartbeat, "a checkpoint that comes too late is not a sign of life either"
    # A heartbeat names its position too, and one of the past is passed over.
    assert (await store.get_message(ME, two.id)).heartbeat != 7
    at = next_moment()
    await store.save_checkpoints([msgspec.structs.replace(beat(two, at), position=7)])
    beaten = await store.get_message(ME, two.id)
    assert (beaten.text, beaten.position, beaten.heartbeat) == ("Es war", 7, at)


async def test_checkpoints_of_ended_replies_change_nothing_and_missing_ones_stop(store: ConversationStore) -> None:
    reply = (await store.begin_turn(make_turn())).reply
    await store.finish_reply(ended(reply, "The end."))
    missing = msgspec.structs.replace(reply, id=new_id())
    assert await store.save_checkpoints([grown(missing, "x"), grown(reply, "The end. And more")]) == {missing.id}
    assert await store.save_checkpoints([]) == frozenset()
    assert (await store.get_message(ME, reply.id)).text == "The end."


async def test_all_kinds_of_parts_and_ends_survive(store: ConversationStore) -> None:
    reply = (await store.begin_turn(make_turn())).reply
    parts = (ReasoningPart("Hm."), TextPart("Look:"), ToolCallPart("1", "search", '{"q":"나무"}'), TextPart("There."))
    end = msgspec.structs.replace(
        reply,
        parts=parts,
        status="interrupted",
        finish="length",
        usage=Usage(input=3, output=5, cached=1),
        error=Failure(type="upstream_cut", message="It was cut.", retry_after=1.5),
        position=44,
    )
    await store.finish_reply(end)
    assert await store.get_message(ME, reply.id) == end


async def test_an_end_is_final(store: ConversationStore) -> None:
    reply = (await store.begin_turn(make_turn())).reply
    await store.finish_reply(ended(reply, "First.", status="stopped", finish=None))
    await store.finish_reply(ended(reply, "Second."))
    await store.finish_reply(ended(msgspec.structs.replace(reply, id=new_id()), "Missing."))
    stored = await store.get_message(ME, reply.id)
    assert (stored.text, stored.status, stored.finish) == ("First.", "stopped", None)


async def test_a_runner_taken_for_dead_has_the_last_word(store: ConversationStore) -> None:
    reply = (await store.begin_turn(make_turn())).reply
    await store.save_checkpoints([grown(reply, "Half", at=1000)])
    assert await store.interrupt_replies(heartbeat_before=1001) == 1
    stored = await store.get_message(ME, reply.id)
    assert (stored.status, stored.text, stored.error) == ("interrupted", "Half", None)
    await store.finish_reply(ended(reply, "Half and whole."))
    assert (await store.get_message(ME, reply.id)).text == "Half and whole."
    await store.finish_reply(ended(reply, "Too late."))
    assert (await store.get_message(ME, reply.id)).text == "Half and whole."


async def test_an_interruption_with_a_reason_stays(store: ConversationStore) -> None:
    reply = (await store.begin_turn(make_turn())).reply
    fault = Failure(type="upstream_cut", message="It was cut.")
    await store.finish_reply(ended(reply, "Cut", status="interrupted", finish=None, error=fault))
    await store.finish_reply(ended(reply, "Whole."))
    assert (await store.get_message(ME, reply.id)).text == "Cut"


async def test_replies_are_interrupted_by_heartbeat_or_runner(store: ConversationStore) -> None:
    fresh, stale, gone, never = [
        (await store.begin_turn(make_turn(runner=runner))).reply for runner in (RUNNER, RUNNER, "gone", RUNNER)
    ]
    done = (await ask(store, "done")).reply
    await store.save_checkpoints([grown(fresh, "a", at=2000), grown(stale, "b", at=999), grown(gone, "c", at=2000)])
    await store.save_checkpoints([beat(never, 1000)])
    assert await store.interrupt_replies(heartbeat_before=1000) == 1
    assert await store.interrupt_replies(heartbeat_before=0, runner="gone") == 1
    assert await store.interrupt_replies(heartbeat_before=1000, runner="gone") == 0
    states = [(await store.get_message(ME, reply.id)).status for reply in (fresh, stale, gone, never, done)]
    assert states == ["streaming", "interrupted", "interrupted", "streaming", "complete"]


async def test_replies_whose_last_sign_is_ahead_of_all_clocks_are_interrupted(store: ConversationStore) -> None:
    alive, ahead = [(await store.begin_turn(make_turn())).reply for _ in range(2)]
    await store.save_checkpoints([grown(alive, "a", at=2000), grown(ahead, "b", at=2001)])
    assert await store.interrupt_replies(heartbeat_before=1000) == 0
    assert await store.interrupt_replies(heartbeat_before=1000, heartbeat_after=2000) == 1
    states = [(await store.get_message(ME, reply.id)).status for reply in (alive, ahead)]
    assert states == ["streaming", "interrupted"]


async def test_replies_of_one_conversation_are_interrupted_and_no_others(store: ConversationStore) -> None:
    here, there = [(await store.begin_turn(make_turn(runner="gone"))).reply for _ in range(2)]
    await store.save_checkpoints([grown(here, "a", at=999), grown(there, "b", at=999)])
    assert await store.interrupt_replies(heartbeat_before=1000, conversation=new_id()) == 0
    assert await store.interrupt_replies(heartbeat_before=1000, runner="gone", conversation=here.conversation) == 1
    states = [(await store.get_message(ME, reply.id)).status for reply in (here, there)]
    assert states == ["interrupted", "streaming"]


async def test_a_stop_is_told_with_the_next_checkpoint(store: ConversationStore) -> None:
    one, two = [(await store.begin_turn(make_turn())).reply for _ in range(2)]
    assert await store.request_stop(ME, one.id) == one
    assert await store.request_stop(ME, one.id) == one
    at = next_moment()
    assert await store.save_checkpoints([grown(one, "a"), beat(two, at)]) == {one.id}
    assert (await store.get_message(ME, one.id)).text == "a", "what came by now is kept all the same"
    assert (await store.get_message(ME, two.id)).heartbeat == at
    assert await store.save_checkpoints([beat(one, next_moment())]) == {one.id}
    await store.finish_reply(ended(one, "a", status="stopped", finish=None))
    assert (await store.request_stop(ME, one.id)).status == "stopped"


async def test_a_stop_of_an_ended_reply_returns_it_as_it_is(store: ConversationStore) -> None:
    reply = (await ask(store, "done")).reply
    assert (await store.request_stop(ME, reply.id)).status == "complete"
    assert await store.save_checkpoints([grown(reply, "An answer. More")]) == frozenset()


async def test_messages_of_others_and_missing_ones_are_not_found(store: ConversationStore) -> None:
    begun = await ask(store, "mine")
    for owner, message in ((OTHER, begun.reply.id), (ME, new_id()), (ME, "nonsense"), (ME, "'; DROP TABLE messages")):
        with pytest.raises(MessageNotFound):
            await store.get_message(owner, message)
        with pytest.raises(MessageNotFound):
            await store.request_stop(owner, message)
    for owner, conversation in ((OTHER, begun.conversation.id), (ME, new_id())):
        with pytest.raises(ConversationNotFound):
            await store.get_conversation(owner, conversation)


async def test_messages_come_parents_first_and_siblings_by_age(store: ConversationStore) -> None:
    first = await ask(store, "root", at=5000)
    home, root = first.conversation.id, first.path[0].id
    # A clock that went back: the child is older than its parent.
    early = await ask(store, "early", conversation=home, parent=first.reply.id, at=1000)
    late = await ask(store, None, conversation=home, parent=root, at=9000)
    middle = await ask(store, None, conversation=home, parent=root, at=7000)
    same = sorted([new_id(), new_id(), new_id()])
    for reply in reversed(same):
        await ask(store, None, conversation=home, parent=root, at=8000, reply=reply)
    order = [message.id for message in (await store.get_conversation(ME, home))[1]]
    assert (
        order.index(root) < order.index(first.reply.id) < order.index(early.path[-1].id) < order.index(early.reply.id)
    )
    siblings = [name for name in order if name in {first.reply.id, middle.reply.id, late.reply.id, *same}]
    assert siblings == [first.reply.id, middle.reply.id, *same, late.reply.id]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "안녕하세요 👩‍👩‍👧 🇰🇷",
        "e\u0301 \u1112\u1161\u11ab",
        "null \x00 byte",
        "\u202eright to left",
        "\U0010ffff",
        "'\"\\%_\r\n\t",
    ],
)
async def test_any_text_comes_back_as_it_was(store: ConversationStore, words: str) -> None:
    begun = await ask(store, words, words, title=words)
    conversation, messages = await store.get_conversation(ME, begun.conversation.id)
    assert conversation.title == words
    assert [message.text for message in messages] == [words, words]


async def test_half_a_surrogate_pair_becomes_a_replacement_character(store: ConversationStore) -> None:
    turn = make_turn("broken \ud83d heart", title="\udc94")
    begun = await store.begin_turn(turn)
    assert not (await store.begin_turn(turn)).created
    await store.save_checkpoints([grown(begun.reply, "half \ud83d")])
    assert (await store.get_message(ME, begun.reply.id)).text == "half \ufffd"
    await store.finish_reply(ended(begun.reply, "half \ud83d done"))
    conversation, messages = await store.get_conversation(ME, turn.conversation)
    assert conversation.title == "\ufffd"
    assert [message.text for message in messages] == ["broken \ufffd heart", "half \ufffd done"]
    retry = make_turn("broken \ud83d heart", conversation=turn.conversation, question=messages[0].id)
    assert (await store.begin_turn(retry)).created


async def test_the_longest_texts_fit(store: ConversationStore) -> None:
    words = "말" * MESSAGE_CHARACTERS
    begun = await store.begin_turn(make_turn(words, title="long"))
    await store.save_checkpoints([grown(begun.reply, words)])
    await store.finish_reply(ended(begun.reply, words))
    _, messages = await store.get_conversation(ME, begun.conversation.id)
    assert [message.parts for message in messages] == [text(words)] * 2


async def test_a_long_conversation_keeps_its_whole_path(store: ConversationStore) -> None:
    origin = MemoryStore()
    begun = await ask(origin, "0")
    for n in range(1, 149):
        begun = await ask(origin, str(n), conversation=begun.conversation.id, parent=begun.reply.id)
    records = [record async for record in origin.export_conversations()]
    assert [(await cast(ConversationArchive, store).import_conversation(record)).outcome for record in records] == [
        "added"
    ]
    begun = await ask(store, "149", conversation=begun.conversation.id, parent=begun.reply.id)
    assert [message.text for message in begun.path[::2]] == [str(n) for n in range(150)]


async def test_a_path_begins_where_the_models_window_does(store: ConversationStore) -> None:
    begun = await ask(store, "question 0 " * 20)
    for n in range(1, 12):
        begun = await ask(store, f"question {n} " * 20, conversation=begun.conversation.id, parent=begun.reply.id)
    turn = make_turn("the last", conversation=begun.conversation.id, parent=begun.reply.id, context_window=200)
    path = (await store.begin_turn(turn)).path
    assert 2 < len(path) < 20
    assert path[-1] == turn.question
    assert all(parent.id == message.parent for parent, message in pairwise(path))
    whole = (await store.begin_turn(make_turn(None, conversation=turn.conversation, parent=path[-1].id))).path
    assert len(whole) == 25
    assert build(path, 200) == build(whole, 200)


async def test_a_path_with_a_system_message_is_whole(store: ConversationStore) -> None:
    origin = MemoryStore()
    begun = await ask(origin, "question " * 100)
    [record] = [record async for record in origin.export_conversations()]
    question, reply = record.messages
    system = msgspec.structs.replace(question, id=new_id(), role="system", parts=text("Be brief."))
    messages = (system, msgspec.structs.replace(question, parent=system.id), reply)
    record = msgspec.structs.replace(record, messages=messages)
    assert (await cast(ConversationArchive, store).import_conversation(record)).outcome == "added"
    home = begun.conversation.id
    begun = await ask(store, "more " * 100, conversation=home, parent=reply.id, context_window=20)
    assert [message.role for message in begun.path] == ["system", "user", "assistant", "user"]


def build(path: Sequence[Message], context_window: int) -> Sequence[PromptMessage]:
    return build_transcript(path, context_window=context_window, continue_reply=False, continues_replies=True)


async def test_closing_twice_is_fine(store: ConversationStore) -> None:
    await ask(store, "kept")
    await store.aclose()
    await store.aclose()
