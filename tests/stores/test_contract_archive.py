"""What every store promises of moving conversations: whole, idempotent, the same record out as in."""

from pathlib import Path
from typing import Protocol, cast

import msgspec
import pytest
from stores.asking import ME, OTHER, ask, ended, found, grown, make_turn, text
from stores.conftest import STORES

from daehwa.conversation.archive_ports import ConversationArchive, ConversationRecord
from daehwa.conversation.errors import IdTaken, InvalidRequest, OwnedByAnother
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Conversation, Failure, Message, ReasoningPart, TextPart, ToolCallPart, Usage
from daehwa.conversation.ports import ConversationChanges, ConversationStore

_USAGE = Usage(input=12, output=345, cached=6, reasoning=78, estimated=True, cost=90)


class ArchivingStore(ConversationStore, ConversationArchive, Protocol):
    """A store whose conversations can be moved."""


@pytest.fixture
def moving(store: ConversationStore) -> ArchivingStore:
    return cast(ArchivingStore, store)


async def exported(store: ArchivingStore, owner: str | None = None) -> list[ConversationRecord]:
    return [record async for record in store.export_conversations(owner)]


def as_bytes(records: list[ConversationRecord]) -> list[bytes]:
    return [msgspec.json.encode(record) for record in records]


async def filled(store: ArchivingStore) -> None:
    """Store one of everything: branches, pinned, archived, deleted, failed, costs, another owner, a long text."""
    first = await ask(store, "나무란 무엇인가?", "A tree, 나무.", title="Trees")
    name = first.conversation.id
    await ask(store, "And roots?", "뿌리 🌳 \u1112\u1161\u11ab", conversation=name, parent=first.reply.id)
    other = await store.begin_turn(make_turn(None, conversation=name, parent=first.reply.parent))
    parts = (ReasoningPart("hm"), TextPart("x" * 150_000), ToolCallPart("call-1", "look", '{"a": 1}'))
    await store.finish_reply(msgspec.structs.replace(ended(other.reply, ""), parts=parts, usage=_USAGE))
    await store.set_title(name, "Of trees", "model", _USAGE)
    await store.set_title(name, "Of trees", "model", _USAGE)
    await store.change_conversation(ME, name, ConversationChanges(pinned=True, leaf=first.reply.id))
    archived = await ask(store, "archived one", title="Kept")
    await store.change_conversation(ME, archived.conversation.id, ConversationChanges(archived=True, title="Named"))
    failed = await store.begin_turn(make_turn("will fail"))
    error = Failure(type="upstream_rate_limit", message="Too many. 천천히", retry_after=1.5)
    await store.finish_reply(ended(failed.reply, "half", status="failed", finish=None, error=error))
    deleted = await ask(store, "deleted one", title="Gone")
    await store.delete_conversation(ME, deleted.conversation.id)
    await ask(store, "somebody else's", owner=OTHER, title="Theirs")


async def test_a_round_through_every_store_gives_the_same_records(tmp_path: Path) -> None:
    opened = {}
    for name, opener in STORES.items():
        (tmp_path / name).mkdir()
        opened[name] = cast(ArchivingStore, await opener(tmp_path / name))
    first = opened["memory"]
    await filled(first)
    records = await exported(first)
    assert len(records) == 5
    assert sum(record.deleted is not None for record in records) == 1
    twice = Usage(input=24, output=690, cached=12, reasoning=156, estimated=True, cost=180)
    assert sum(record.title_usage == twice for record in records) == 1
    for store in [store for name, store in opened.items() if name != "memory"]:
        assert [(await store.import_conversation(record)).outcome for record in records] == ["added"] * 5
        moved = await exported(store)
        assert as_bytes(moved) == as_bytes(records)
        records = moved
    last = cast(ArchivingStore, await STORES["memory"](tmp_path))
    for record in records:
        await last.import_conversation(record)
    assert as_bytes(await exported(last)) == as_bytes(await exported(first))
    for store in (*opened.values(), last):
        await store.aclose()


async def test_what_was_imported_can_be_worked_with(moving: ArchivingStore, tmp_path: Path) -> None:
    origin = cast(ArchivingStore, await STORES["memory"](tmp_path))
    await filled(origin)
    for record in await exported(origin):
        await moving.import_conversation(record)
    assert await found(moving, "뿌리") == ["Of trees"]
    assert await found(moving, "trees") == ["Of trees"]
    assert await found(moving, "roots") == ["Of trees"]
    assert await found(moving, "archived one") == ["Named"]
    assert await found(moving, "deleted one") == []
    assert await found(moving, "somebody", OTHER) == ["Theirs"]
    page = await moving.list_conversations(ME)
    assert page == await origin.list_conversations(ME)
    for conversation in page.conversations:
        assert await moving.get_conversation(ME, conversation.id) == await origin.get_conversation(ME, conversation.id)
    trees = page.conversations[0]
    assert trees.leaf is not None
    begun = await ask(moving, "더 말해줘", "물푸레", conversation=trees.id, parent=trees.leaf)
    assert begun.path[0].text == "나무란 무엇인가?"
    assert await found(moving, "푸레") == ["Of trees"]
    (gone,) = [record.conversation for record in await exported(moving) if record.deleted is not None]
    await moving.restore_conversation(ME, gone.id)
    assert await found(moving, "deleted one") == ["Gone"]


async def test_what_was_deleted_since_is_brought_back_and_what_was_deleted_before_is_not(
    moving: ArchivingStore,
) -> None:
    turn = await ask(moving, "나무란 무엇인가?", "A tree", title="Trees")
    (record,) = await exported(moving)
    await moving.delete_conversation(ME, turn.conversation.id)
    (deleted,) = await exported(moving)
    assert (await moving.import_conversation(deleted)).outcome == "same"
    assert (await moving.list_conversations(ME)).conversations == ()
    assert (await moving.import_conversation(record)).outcome == "restored"
    assert [each.id for each in (await moving.list_conversations(ME)).conversations] == [turn.conversation.id]
    assert await found(moving, "나무란") == ["Trees"]
    assert (await moving.import_conversation(record)).outcome == "same"
    assert (await moving.import_conversation(deleted)).outcome == "same", "it was used no later"
    assert as_bytes(await exported(moving)) == as_bytes([record])
    await moving.delete_conversation(ME, turn.conversation.id)
    later = msgspec.structs.replace(record.conversation, updated=record.conversation.updated + 1)
    assert (await moving.import_conversation(msgspec.structs.replace(record, conversation=later))).outcome == "restored"


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**70, -1])
async def test_a_number_out_of_range_is_refused_and_nothing_is_stored(moving: ArchivingStore, number: int) -> None:
    await ask(moving, "A question", "An answer")
    (record,) = await exported(moving)
    await moving.forget(ME)
    question, answer = record.messages
    usage = Usage(input=number)
    for wrong in (
        msgspec.structs.replace(record, conversation=msgspec.structs.replace(record.conversation, created=number)),
        msgspec.structs.replace(record, messages=(question, msgspec.structs.replace(answer, position=number))),
        msgspec.structs.replace(record, messages=(question, msgspec.structs.replace(answer, usage=usage))),
        msgspec.structs.replace(record, deleted=number),
        msgspec.structs.replace(record, title_usage=usage),
    ):
        with pytest.raises(InvalidRequest, match="is a number that nothing here can have"):
            await moving.import_conversation(wrong)
    assert await exported(moving) == []


async def test_the_same_again_changes_nothing(moving: ArchivingStore) -> None:
    await filled(moving)
    records = await exported(moving)
    for _ in range(2):
        assert [(await moving.import_conversation(record)).outcome for record in records] == ["same"] * 5
    assert as_bytes(await exported(moving)) == as_bytes(records)
    assert await found(moving, "뿌리") == ["Of trees"]


async def test_one_owner_alone_can_be_exported(moving: ArchivingStore) -> None:
    await filled(moving)
    assert [record.conversation.title for record in await exported(moving, OTHER)] == ["Theirs"]
    assert {record.conversation.owner for record in await exported(moving, ME)} == {ME}
    assert await exported(moving, "nobody") == []


async def test_a_growing_reply_is_exported_as_stored_and_arrives_interrupted(
    moving: ArchivingStore, tmp_path: Path
) -> None:
    origin = cast(ArchivingStore, await STORES["memory"](tmp_path))
    begun = await origin.begin_turn(make_turn("growing"))
    await origin.save_checkpoints([grown(begun.reply, "half a 나무")])
    (record,) = await exported(origin)
    assert record.messages[1].status == "streaming"
    assert (await moving.import_conversation(record)).outcome == "added"
    there = await moving.get_message(ME, begun.reply.id)
    assert (there.status, there.text) == ("interrupted", "half a 나무")
    assert (await moving.import_conversation(record)).outcome == "same"
    assert await found(moving, "나무") == ["growing"]
    await origin.finish_reply(ended(begun.reply, "the whole 숲"))
    (record,) = await exported(origin)
    assert (await moving.import_conversation(record)).outcome == "changed"
    assert as_bytes(await exported(moving)) == as_bytes([record])
    assert await found(moving, "숲") == ["growing"]
    assert await found(moving, "나무") == []


async def test_final_messages_stay_as_they_are(moving: ArchivingStore) -> None:
    begun = await ask(moving, "question", "as it was")
    (record,) = await exported(moving)
    other = msgspec.structs.replace(record.messages[1], parts=text("as it never was"))
    changed = msgspec.structs.replace(record, messages=(record.messages[0], other))
    assert (await moving.import_conversation(changed)).outcome == "same"
    assert (await moving.get_message(ME, begun.reply.id)).text == "as it was"


async def test_the_later_conversation_stays_with_all_that_belongs_to_it(moving: ArchivingStore) -> None:
    begun = await ask(moving, "question", title="Mine")
    (record,) = await exported(moving)
    there = record.conversation
    later = msgspec.structs.replace(
        there, title="Later", title_source="user", pinned=True, archived=True, updated=there.updated + 5
    )
    earlier = msgspec.structs.replace(later, title="Earlier", updated=there.updated - 5)
    of_then = msgspec.structs.replace(record, conversation=earlier)
    assert (await moving.import_conversation(of_then)).outcome == "same"
    assert (await moving.get_conversation(ME, there.id))[0] == there
    of_later = msgspec.structs.replace(record, conversation=later, title_usage=_USAGE)
    assert (await moving.import_conversation(of_later)).outcome == "changed"
    assert await exported(moving) == [of_later]
    assert await found(moving, "later") == ["Later"]
    assert await found(moving, "mine") == []
    assert (await moving.list_conversations(ME)).conversations == ()
    assert (await moving.list_conversations(ME, archived=True)).conversations == (later,)
    gone = msgspec.structs.replace(later, updated=later.updated + 1)
    await moving.import_conversation(msgspec.structs.replace(of_later, conversation=gone, deleted=now_ms()))
    assert (await moving.list_conversations(ME, archived=True)).conversations == ()
    assert await found(moving, "later") == []
    assert (await moving.restore_conversation(ME, begun.conversation.id)).title == "Later"


async def test_messages_are_joined_whichever_conversation_is_later(moving: ArchivingStore) -> None:
    begun = await ask(moving, "question", "answer", title="Both")
    (before,) = await exported(moving)
    await ask(moving, "here 여기", conversation=begun.conversation.id, parent=begun.reply.id)
    question = Message(
        id=new_id(),
        conversation=begun.conversation.id,
        parent=begun.reply.id,
        role="user",
        parts=text("there 저기"),
        created=before.conversation.updated + 1,
    )
    joined = msgspec.structs.replace(before, messages=(*before.messages, question))
    assert (await moving.import_conversation(joined)).outcome == "changed"
    assert len((await moving.get_conversation(ME, begun.conversation.id))[1]) == 5
    assert await found(moving, "여기") == await found(moving, "저기") == ["Both"]


async def test_ids_of_somebody_else_are_refused_and_nothing_is_stored(moving: ArchivingStore) -> None:
    mine = await ask(moving, "mine")
    (record,) = await exported(moving)
    theirs = msgspec.structs.replace(record.conversation, owner=OTHER)
    with pytest.raises(OwnedByAnother) as refused:
        await moving.import_conversation(msgspec.structs.replace(record, conversation=theirs))
    assert refused.value.owner == ME
    conversation = Conversation(id=new_id(), owner=OTHER, title="Borrowed", created=1, updated=2)
    moved = [msgspec.structs.replace(message, conversation=conversation.id) for message in record.messages]
    fresh = msgspec.structs.replace(moved[0], id=new_id())
    borrowed = ConversationRecord(conversation=conversation, messages=(fresh, *moved))
    with pytest.raises(IdTaken):
        await moving.import_conversation(borrowed)
    assert await exported(moving) == [record]
    assert await found(moving, "mine", OTHER) == []
    again = ConversationRecord(conversation=conversation, messages=(fresh,))
    assert (await moving.import_conversation(again)).outcome == "added", "no id of a refused record is taken"
    assert (await moving.get_conversation(ME, mine.conversation.id))[0] == mine.conversation


async def test_messages_that_are_no_tree_are_refused(moving: ArchivingStore, tmp_path: Path) -> None:
    origin = cast(ArchivingStore, await STORES["memory"](tmp_path))
    await ask(origin, "question")
    (record,) = await exported(origin)
    question, reply = record.messages
    strange = msgspec.structs.replace(reply, conversation=new_id())
    for messages in ((reply, question), (reply,), (question, question), (question, strange)):
        with pytest.raises(InvalidRequest, match="does not fit"):
            await moving.import_conversation(msgspec.structs.replace(record, messages=messages))
    assert await exported(moving) == []


async def test_half_a_surrogate_pair_arrives_as_far_as_it_can(moving: ArchivingStore, tmp_path: Path) -> None:
    origin = cast(ArchivingStore, await STORES["memory"](tmp_path))
    await ask(origin, "question")
    (record,) = await exported(origin)
    reply = msgspec.structs.replace(record.messages[1], parts=text("a\ud800b"))
    broken = msgspec.structs.replace(record, messages=(record.messages[0], reply))
    assert (await moving.import_conversation(broken)).outcome == "added"
    assert (await moving.get_message(ME, reply.id)).text == "a\N{REPLACEMENT CHARACTER}b"
    assert (await moving.import_conversation(broken)).outcome == "same"
