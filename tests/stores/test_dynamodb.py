"""What is DynamoDB's own: long texts in pieces, faults of the network and of the service, other processes, its cost."""

import asyncio
import contextlib
import random
import subprocess
import sys
from typing import get_args

import msgspec
import pytest
from aiodynamo.expressions import HashKey
from cores import OneProviderCatalogue
from dynamodb_local import shared_server
from stores.asking import ME, ask, beat, ended, grown, make_turn, text
from stores.dynamo_bed import Bed
from stores.faulty_transport import Fault

from daehwa.conversation.errors import MessageNotFound, StoreError
from daehwa.conversation.events import TextDelta
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import MESSAGE_CHARACTERS, Usage
from daehwa.conversation.ports import ConversationChanges
from daehwa.conversation.running import Question, RunningOptions, RunningTurns, TurnRequest
from daehwa.conversation.stretch import StretchWish
from daehwa.providers.scripted import ScriptedProvider
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable, Item
from daehwa.stores.dynamodb_text import PIECE_BYTES, SMALL_PIECES

_ITEM_BYTES = 300_000
_TRANSIENT = [fault for fault in get_args(Fault) if fault not in {"lost answer", "partial", "behind"}]


async def stored_items(table: DynamoTable, conversation: str) -> list[Item]:
    return await table.query(HashKey(names.PARTITION_KEY, names.conversation_partition(conversation)))


def hard_to_compress(characters: int, seed: int = 1) -> str:
    return "".join(map(chr, random.Random(seed).choices(range(0xAC00, 0xD7A4), k=characters)))  # noqa: S311 - made-up text


async def test_a_stretch_says_what_all_replies_took_unasked_as_all_are_read(bed: Bed) -> None:
    store, sent = bed.open()
    begun = await store.begin_turn(make_turn())
    await store.finish_reply(ended(begun.reply, "words", usage=Usage(input=10, output=2, cost=5)))
    sent.sent.clear()
    stretch = await store.read_stretch(ME, begun.conversation.id, StretchWish(limit=1))
    assert [action for action, _ in sent.sent] == ["Query"]
    assert not stretch.whole
    assert stretch.total is not None
    assert (stretch.total.calls, stretch.total.cost) == (1, 5)


# ------------------------------------------------------------ long texts


async def test_the_longest_reply_is_in_pieces_and_comes_back_whole(bed: Bed) -> None:
    store, _ = bed.open()
    words = hard_to_compress(400_000)  # 1.2 MB
    begun = await store.begin_turn(make_turn(hard_to_compress(MESSAGE_CHARACTERS, 2), title="long"))
    await store.save_checkpoints([grown(begun.reply, words[:350_000])])
    assert (await store.get_message(ME, begun.reply.id)).text == words[:350_000]
    await store.finish_reply(ended(begun.reply, words))
    assert (await store.get_message(ME, begun.reply.id)).text == words
    _, messages = await store.get_conversation(ME, begun.conversation.id)
    assert [message.text for message in messages] == [begun.path[0].text, words]
    items = await stored_items(store.table, begun.conversation.id)
    assert max(len(item.get(names.TEXT, b"")) for item in items) <= PIECE_BYTES * 1.01
    assert max(len(msgspec.json.encode(item)) for item in items) < _ITEM_BYTES


async def test_a_growing_text_writes_each_piece_once(bed: Bed) -> None:
    store, sent = bed.open()
    words = hard_to_compress(20_000)
    reply = (await store.begin_turn(make_turn())).reply
    for characters in range(2_000, 20_001, 2_000):
        await store.save_checkpoints([grown(reply, words[:characters])])
    await store.finish_reply(ended(reply, words))
    puts = [
        request["PutRequest"]["Item"]["sk"]["S"]
        for action, body in sent.sent
        if action == "BatchWriteItem"
        for request in body["RequestItems"][bed.name]
    ]
    assert len(puts) == len(set(puts)), "each is written once"
    head = next(item for item in await stored_items(store.table, reply.conversation) if names.PIECES in item)
    assert len(puts) == len(head[names.PIECES]) > SMALL_PIECES


async def test_a_shorter_end_than_what_was_stored_is_what_counts(bed: Bed) -> None:
    store, _ = bed.open()
    reply = (await store.begin_turn(make_turn())).reply
    await store.save_checkpoints([grown(reply, hard_to_compress(30_000))])
    other, _ = bed.open()
    await other.finish_reply(ended(reply, "short"))
    assert (await store.get_message(ME, reply.id)).text == "short"


async def test_purging_leaves_nothing_behind(bed: Bed) -> None:
    store, sent = bed.open()
    begun = await ask(store, hard_to_compress(50_000), hard_to_compress(30_000, 2), title="long")
    await store.delete_conversation(ME, begun.conversation.id)
    sent.fail("BatchWriteItem", "partial", "partial", "throttled")
    assert await store.purge_deleted(before=now_ms() + 1000) == 1
    page = await store.table._client.scan_single_page(bed.name)
    assert page.items == []


async def test_a_purge_that_is_broken_off_wherever_it_is_goes_on_later(bed: Bed) -> None:
    store, sent = bed.open()
    begun = await ask(store, hard_to_compress(50_000), hard_to_compress(30_000, 2), title="long")
    await store.delete_conversation(ME, begun.conversation.id)
    for milliseconds in range(1, 30, 3):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(milliseconds / 1000):
                await store.purge_deleted(before=now_ms() + 1000, limit=3)
    await store.purge_deleted(before=now_ms() + 1000, limit=3)
    page = await store.table._client.scan_single_page(bed.name)
    assert page.items == []
    sent.sent.clear()
    assert await store.purge_deleted(before=now_ms() + 1000, limit=3) == 0
    assert [action for action, _ in sent.sent] == ["Query"], "where there is nothing to do, it costs one request"


async def test_conversations_are_removed_a_few_at_once(bed: Bed) -> None:
    store, sent = bed.open()
    for number in range(20):
        await ask(store, f"question {number}", "answer", title="short")
    sent.most_at_once.clear()
    await store.forget(ME)
    assert 4 <= sent.most_at_once["BatchWriteItem"] <= 8
    page = await store.table._client.scan_single_page(bed.name)
    assert page.items == []


# ------------------------------------------------------------ faults


@pytest.mark.parametrize("fault", _TRANSIENT)
async def test_what_passes_is_waited_for(bed: Bed, fault: Fault) -> None:
    store, sent = bed.open()
    for action in ("Query", "PutItem", "TransactWriteItems", "UpdateItem", "GetItem", "BatchGetItem"):
        sent.fail(action, fault)
    begun = await ask(store, "one", "answer")
    await store.change_conversation(ME, begun.conversation.id, ConversationChanges(title="Mine"))
    stored = await store.get_message(ME, begun.reply.id)
    assert (stored.text, stored.status) == ("answer", "complete")
    assert (await store.get_conversation(ME, begun.conversation.id))[0].title == "Mine"


@pytest.mark.parametrize("fault", ["throttled", "too many requests", "502", "no answer"])
async def test_what_does_not_pass_is_a_store_error_in_bounded_time(bed: Bed, fault: Fault) -> None:
    store, sent = bed.open(retry_seconds=0.2)
    reply = (await store.begin_turn(make_turn())).reply
    for action in ("Query", "UpdateItem", "GetItem"):
        sent.fail(action, *[fault] * 1000)
    async with asyncio.timeout(30):
        for call in (
            store.get_conversation(ME, reply.conversation),
            store.get_message(ME, reply.id),
            store.save_checkpoints([beat(reply, now_ms())]),
            store.finish_reply(ended(reply, "x")),
            store.list_conversations(ME),
        ):
            with pytest.raises(StoreError, match=r"Try again in a moment\.$"):
                await call


@pytest.mark.parametrize("action", ["Query", "PutItem", "TransactWriteItems"])
async def test_a_turn_whose_answer_is_lost_on_the_way_is_begun_once(bed: Bed, action: str) -> None:
    store, sent = bed.open()
    turn = make_turn()
    sent.fail(action, "lost answer")
    begun = await store.begin_turn(turn)
    # moto does not know a transaction's token, by which DynamoDB tells a repetition from a second one.
    assert begun.created or not shared_server().choice.is_local, "whoever asked is to make the reply"
    assert not (await store.begin_turn(turn)).created
    assert len((await store.get_conversation(ME, turn.conversation))[1]) == 2


async def test_a_checkpoint_and_an_end_whose_answers_are_lost_are_stored_once(bed: Bed) -> None:
    store, sent = bed.open()
    reply = (await store.begin_turn(make_turn("question"))).reply
    sent.fail("UpdateItem", "lost answer")
    await store.save_checkpoints([grown(reply, "Once")])
    assert (await store.get_message(ME, reply.id)).text == "Once"
    sent.fail("UpdateItem", "lost answer")
    await store.finish_reply(ended(reply, "Once upon"))
    there = await store.get_message(ME, reply.id)
    assert there == ended(reply, "Once upon", heartbeat=there.heartbeat)
    assert len(await store.search_conversations(ME, "upon")) == 1


async def test_partial_batches_are_completed(bed: Bed) -> None:
    store, sent = bed.open()
    sent.fail("BatchWriteItem", "partial", "partial", "partial")
    words = hard_to_compress(100_000)
    begun = await ask(store, words, title="long")
    assert (await store.get_conversation(ME, begun.conversation.id))[1][0].text == words
    old = [(await store.begin_turn(make_turn())).reply for _ in range(5)]
    await store.save_checkpoints([beat(reply, 1000) for reply in old])
    sent.fail("BatchGetItem", "partial", "partial")
    assert await store.interrupt_replies(heartbeat_before=1001) == 5


async def test_of_several_checkpoints_the_others_are_stored_when_one_fails(bed: Bed) -> None:
    store, sent = bed.open(retry_seconds=0.0)
    replies = [(await store.begin_turn(make_turn())).reply for _ in range(3)]
    sent.fail("UpdateItem", "cut")
    with pytest.raises(StoreError):
        await store.save_checkpoints([grown(reply, "Half") for reply in replies])
    texts = [(await store.get_message(ME, reply.id)).text for reply in replies]
    assert sorted(texts) == ["", "Half", "Half"]


async def test_a_table_that_is_not_there_is_named() -> None:
    store = DynamoStore(shared_server().connect("nowhere"))
    with pytest.raises(StoreError, match="no table 'nowhere'"):
        await store.list_conversations(ME)
    await store.aclose()


async def test_a_closed_store_says_so(bed: Bed) -> None:
    store = DynamoStore(shared_server().connect(bed.name))
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        await store.list_conversations(ME)


async def test_ids_that_fit_into_no_key_are_not_found(bed: Bed) -> None:
    store, sent = bed.open()
    for strange in ("\ud800", "x" * 3000, "", "é"):
        with pytest.raises(MessageNotFound):
            await store.get_message(ME, strange)
    assert not sent.actions


# ------------------------------------------------------------ other processes


async def test_of_fifty_same_turns_from_two_processes_one_is_created(bed: Bed) -> None:
    (first, _), (second, _) = bed.open(), bed.open()
    turn = make_turn()
    begun = await asyncio.gather(*((first, second)[n % 2].begin_turn(turn) for n in range(50)))
    assert sum(one.created for one in begun) == 1
    assert {one.reply.id for one in begun} == {turn.reply.id}
    assert len((await first.get_conversation(ME, turn.conversation))[1]) == 2


async def test_different_turns_from_two_processes_are_all_stored(bed: Bed) -> None:
    (first, _), (second, _) = bed.open(), bed.open()
    root = await ask(first, "root")
    turns = [make_turn(str(n), conversation=root.conversation.id, parent=root.reply.id) for n in range(20)]
    begun = await asyncio.gather(*((first, second)[n % 2].begin_turn(turn) for n, turn in enumerate(turns)))
    assert all(one.created for one in begun)
    conversation, messages = await second.get_conversation(ME, root.conversation.id)
    assert len(messages) == 42
    assert conversation.updated == max(turn.reply.created for turn in turns)


async def test_a_turn_is_followed_and_stopped_from_another_process(bed: Bed) -> None:
    (here, _), (there, _) = bed.open(), bed.open()
    never = asyncio.Event()
    provider = ScriptedProvider([[TextDelta("Once ")], [TextDelta("upon a time")], never])
    options = RunningOptions(checkpoint=0.05, stored_heartbeat=0.1, store_poll=0.05)
    making = RunningTurns(here, OneProviderCatalogue(provider), runner="here", options=options)
    following = RunningTurns(there, OneProviderCatalogue(provider), runner="there", options=options)
    request = TurnRequest(
        owner=ME, conversation=new_id(), reply=new_id(), question=Question(new_id(), None, text("Tell me."))
    )
    try:
        await making.start(request)
        seen = ""
        async with asyncio.timeout(60):
            async for batch in following.follow(ME, request.reply):
                seen += "".join(one.event.text for one in batch if isinstance(one.event, TextDelta))
                if seen == "Once upon a time":
                    await following.stop(ME, request.reply)
        assert seen == "Once upon a time"
        stored = await there.get_message(ME, request.reply)
        assert (stored.status, stored.text) == ("stopped", "Once upon a time")
        assert (await following.start(request)).status == "stopped", "the same turn again is not made again"
    finally:
        await making.aclose()
        await following.aclose()


# ------------------------------------------------------------ what it costs


async def test_a_turn_asks_for_no_more_than_it_has_to(bed: Bed) -> None:
    store, sent = bed.open()
    root = await ask(store, "root")
    sent.actions.clear()
    turn = make_turn("more", conversation=root.conversation.id, parent=root.reply.id)
    begun = await store.begin_turn(turn)
    assert sent.actions == {"Query": 1, "PutItem": 2, "TransactWriteItems": 1}
    sent.actions.clear()
    for n in range(4):
        assert await store.save_checkpoints([grown(begun.reply, "word " * (n + 1))]) == frozenset()
    await store.request_stop(ME, begun.reply.id)
    sent.actions.clear()
    assert await store.save_checkpoints([grown(begun.reply, "word " * 9)]) == {begun.reply.id}
    assert sent.actions == {"UpdateItem": 1}, "the flag comes back with the write"


async def test_a_checkpoint_touches_nothing_that_the_index_holds(bed: Bed) -> None:
    store, sent = bed.open()
    reply = (await store.begin_turn(make_turn())).reply
    sent.sent.clear()
    await store.save_checkpoints([grown(reply, "Once")])
    ((_, body),) = sent.sent
    touched = set(body["ExpressionAttributeNames"].values())
    assert touched & {*names.LISTED, names.LIST, names.ORDER} == set()


def test_the_store_brings_no_other_http_client_and_no_sdk() -> None:
    program = (
        "import sys, daehwa.stores.dynamodb; print(*sorted({'aiohttp', 'httpx', 'boto3', 'botocore'} & {*sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert run.stdout.strip() == ""
