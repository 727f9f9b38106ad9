"""What every store promises of lists, changes, titles, deletion and purging."""

import asyncio
from typing import cast

import pytest
from stores.asking import ME, OTHER, ask, ended, grown, make_turn, titles

from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.errors import ConversationNotFound, InvalidRequest, MessageNotFound
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import ConversationChanges, ConversationStore
from daehwa.stores.memory import MemoryStore


async def walk(store: ConversationStore, limit: int) -> list[str]:
    seen: list[str] = []
    after = None
    while True:
        page = await store.list_conversations(ME, after=after, limit=limit)
        assert len(page.conversations) <= limit
        seen += [conversation.title for conversation in page.conversations]
        after = page.after
        if after is None:
            return seen


async def test_lists_are_pinned_first_then_newest_then_by_id(store: ConversationStore) -> None:
    ids = sorted([new_id() for _ in range(3)])
    for name, conversation in zip("abc", ids, strict=True):
        await ask(store, name, conversation=conversation, at=5000)
    await ask(store, "older", at=4000)
    pinned = await ask(store, "pinned", at=1000)
    await ask(store, "foreign", owner=OTHER, at=9000)
    await store.change_conversation(ME, pinned.conversation.id, ConversationChanges(pinned=True))
    assert await titles(store) == ["pinned", "c", "b", "a", "older"]
    assert await titles(store, OTHER) == ["foreign"]
    assert await titles(store, "nobody") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_are_the_whole_list_in_pieces(store: ConversationStore, limit: int) -> None:
    for n in range(6):
        await ask(store, str(n), at=5000 + n // 2)
    assert await walk(store, limit) == await titles(store)


async def test_pages_stay_stable_while_others_change(store: ConversationStore) -> None:
    begun = [await ask(store, str(n), at=5000 + n) for n in range(8)]
    first = await store.list_conversations(ME, limit=3)
    assert [one.title for one in first.conversations] == ["7", "6", "5"]
    await ask(store, "new", at=9000)
    await ask(store, None, conversation=begun[0].conversation.id, parent=begun[0].path[0].id, at=9001)
    await store.delete_conversation(ME, begun[5].conversation.id)
    await store.delete_conversation(ME, begun[3].conversation.id)
    rest = await store.list_conversations(ME, after=first.after, limit=10)
    assert [one.title for one in rest.conversations] == ["4", "2", "1"]
    assert rest.after is None


async def test_archived_ones_are_listed_apart(store: ConversationStore) -> None:
    one = (await ask(store, "one")).conversation
    await ask(store, "two")
    changed = await store.change_conversation(ME, one.id, ConversationChanges(archived=True))
    assert changed.archived
    assert await titles(store) == ["two"]
    assert await titles(store, archived=True) == ["one"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!", "AAAA", "W10", "bnVsbA", "WzEsMiwzXQ", "\ud800", "é", "W3RydWUsMSwiYSJd=", "a" * 5000]
)
async def test_a_cursor_that_the_store_did_not_make_is_refused(store: ConversationStore, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await store.list_conversations(ME, after=cursor)
    assert refused.value.param == "after"


async def test_changes_change_only_what_they_name(store: ConversationStore) -> None:
    begun = await ask(store, "title")
    name = begun.conversation.id
    renamed = await store.change_conversation(ME, name, ConversationChanges(title="Mine"))
    assert (renamed.title, renamed.title_source, renamed.pinned) == ("Mine", "user", False)
    pinned = await store.change_conversation(ME, name, ConversationChanges(pinned=True, leaf=begun.path[0].id))
    assert (pinned.title, pinned.pinned, pinned.leaf) == ("Mine", True, begun.path[0].id)
    assert pinned.updated == begun.conversation.updated
    assert await store.change_conversation(ME, name, ConversationChanges()) == pinned
    unpinned = await store.change_conversation(ME, name, ConversationChanges(pinned=False))
    assert not unpinned.pinned
    assert (await store.get_conversation(ME, name))[0] == unpinned


async def test_changes_of_what_is_not_there_are_refused(store: ConversationStore) -> None:
    begun, other = await ask(store, "one"), await ask(store, "two")
    for owner, name in ((OTHER, begun.conversation.id), (ME, new_id())):
        with pytest.raises(ConversationNotFound):
            await store.change_conversation(owner, name, ConversationChanges(title="x"))
    for leaf in (other.reply.id, new_id()):
        with pytest.raises(MessageNotFound):
            await store.change_conversation(ME, begun.conversation.id, ConversationChanges(title="x", leaf=leaf))
    assert (await store.get_conversation(ME, begun.conversation.id))[0].title == "one"


async def test_a_models_title_gives_way_to_the_persons(store: ConversationStore) -> None:
    name = (await ask(store, "question")).conversation.id
    assert await store.title_usage(ME, name) is None
    assert await store.set_title(name, "By a model", "model", Usage(input=9, output=3))
    assert await store.title_usage(ME, name) == Usage(input=9, output=3)
    with pytest.raises(ConversationNotFound):
        await store.title_usage(OTHER, name)
    with pytest.raises(ConversationNotFound):
        await store.title_usage(ME, "nonsense")
    made = (await store.get_conversation(ME, name))[0]
    assert (made.title, made.title_source) == ("By a model", "model")
    await store.change_conversation(ME, name, ConversationChanges(title="By me"))
    assert not await store.set_title(name, "By a model again", "model", Usage(input=9))
    assert (await store.get_conversation(ME, name))[0].title == "By me"
    assert not await store.set_title(new_id(), "Nowhere", "model", None)


async def test_a_deleted_conversation_is_gone_until_it_is_restored(store: ConversationStore) -> None:
    begun = await ask(store, "nightingale", "sings")
    name, before = begun.conversation.id, await store.get_conversation(ME, begun.conversation.id)
    await store.delete_conversation(ME, name)
    assert await titles(store) == []
    assert await store.search_conversations(ME, "nightingale") == ()
    refused = [
        store.get_conversation(ME, name),
        store.change_conversation(ME, name, ConversationChanges(title="x")),
        store.delete_conversation(ME, name),
        store.begin_turn(make_turn("more", conversation=name, parent=begun.reply.id)),
        store.begin_turn(make_turn("nightingale", conversation=name)),
        store.restore_conversation(OTHER, name),
    ]
    for call in refused:
        with pytest.raises(ConversationNotFound):
            await call
    for lost in (store.get_message(ME, begun.reply.id), store.request_stop(ME, begun.reply.id)):
        with pytest.raises(MessageNotFound):
            await lost
    assert not await store.set_title(name, "x", "model", None)
    assert await store.restore_conversation(ME, name) == before[0]
    assert await store.restore_conversation(ME, name) == before[0]
    assert await store.get_conversation(ME, name) == before
    assert len(await store.search_conversations(ME, "nightingale")) == 1


async def test_a_reply_that_grows_while_deleted_is_whole_when_restored(store: ConversationStore) -> None:
    begun = await store.begin_turn(make_turn("one"))
    await store.delete_conversation(ME, begun.conversation.id)
    assert await store.save_checkpoints([grown(begun.reply, "Half")]) == {begun.reply.id}, "nobody wants it: stop"
    await store.finish_reply(ended(begun.reply, "Half and whole."))
    await store.restore_conversation(ME, begun.conversation.id)
    stored = await store.get_message(ME, begun.reply.id)
    assert (stored.text, stored.status) == ("Half and whole.", "complete")


async def test_others_cannot_delete(store: ConversationStore) -> None:
    name = (await ask(store, "mine")).conversation.id
    with pytest.raises(ConversationNotFound):
        await store.delete_conversation(OTHER, name)
    with pytest.raises(ConversationNotFound):
        await store.delete_conversation(ME, new_id())
    assert await titles(store) == ["mine"]


async def test_purging_removes_what_was_deleted_before(store: ConversationStore) -> None:
    kept, gone = await ask(store, "kept nightingale"), await ask(store, "gone nightingale")
    start = now_ms()
    await store.delete_conversation(ME, gone.conversation.id)
    assert await store.purge_deleted(before=start) == 0
    assert await store.purge_deleted(before=now_ms() + 1000) == 1
    assert await store.purge_deleted(before=now_ms() + 1000) == 0
    with pytest.raises(ConversationNotFound):
        await store.restore_conversation(ME, gone.conversation.id)
    assert await titles(store) == ["kept nightingale"]
    assert len(await store.search_conversations(ME, "nightingale")) == 1
    assert (await store.get_conversation(ME, kept.conversation.id))[1]
    # Late words of its runner find nobody, and it is told to stop; its ids are free again.
    await store.finish_reply(ended(gone.reply, "late"))
    assert await store.save_checkpoints([grown(gone.reply, "late")]) == {gone.reply.id}
    again = make_turn("again", conversation=gone.conversation.id, reply=gone.reply.id)
    assert (await store.begin_turn(again)).created


async def test_a_few_are_purged_at_a_time_the_oldest_first(store: ConversationStore) -> None:
    names = [(await ask(store, f"gone {n}")).conversation.id for n in range(3)]
    for name in (names[1], names[2], names[0]):
        await store.delete_conversation(ME, name)
        await asyncio.sleep(0.002)
    assert await store.purge_deleted(before=now_ms() + 1000, limit=2) == 2
    assert (await store.restore_conversation(ME, names[0])).title == "gone 0"
    await store.delete_conversation(ME, names[0])
    assert await store.purge_deleted(before=now_ms() + 1000, limit=2) == 1
    assert await store.purge_deleted(before=now_ms() + 1000, limit=2) == 0


async def test_a_large_conversation_is_purged_whole_while_others_write(store: ConversationStore) -> None:
    origin = MemoryStore()
    begun = await ask(origin, "root")
    name, root = begun.conversation.id, begun.path[0].id
    for n in range(250):
        await ask(origin, None, f"answer {n}", conversation=name, parent=root)
    records = [record async for record in origin.export_conversations()]
    assert [(await cast(ConversationArchive, store).import_conversation(record)).outcome for record in records] == [
        "added"
    ]
    await store.delete_conversation(ME, name)
    purged, *_ = await asyncio.gather(
        store.purge_deleted(before=now_ms() + 1000), *(ask(store, f"meanwhile {n}") for n in range(20))
    )
    assert purged == 1
    assert len(await titles(store)) == 20
    assert await store.search_conversations(ME, "answer 249") == ()
    with pytest.raises(MessageNotFound):
        await store.get_message(ME, root)
