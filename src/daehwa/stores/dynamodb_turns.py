"""Turns in the table: each begins in one transaction, grows by one write a checkpoint, and ends in one write.

How this works and why. A turn is checked against the conversation as one consistent query finds it, and stored by a
transaction whose conditions say that nothing which matters has changed since; where they do not hold, it is read and
checked again. Who may use a message's id is settled before, by an item of its own under that id: it also says where
the message is, for those who know nothing but its id. A checkpoint's write brings back whether the reply is to stop,
so it costs what the reply's item costs and no read; no message is in the index. Nor are replies that are being made:
one that nobody makes any more is noticed by whoever reads its conversation.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F
from aiodynamo.models import ReturnValues
from aiodynamo.operations import Put, Update

from daehwa.conversation.errors import StoreError
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message, Part
from daehwa.conversation.ports import BegunTurn, Checkpoint, NewTurn
from daehwa.conversation.transcript import end_within
from daehwa.conversation.tree import Stored, check_turn, new_images
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Operation, changes, gathered
from daehwa.stores.dynamodb_conversation import (
    ConversationLocks,
    StoredConversation,
    is_streaming,
    message_in,
    owned_message,
    read_conversation,
    streaming_replies,
    take_id,
)
from daehwa.stores.dynamodb_images import end_arrival, head_operation, note_arrival, put_pieces
from daehwa.stores.dynamodb_items import (
    conversation_id,
    conversation_item,
    end_attributes,
    listing,
    message_id,
    message_item,
    message_sort,
    piece_items,
    text_attributes,
)
from daehwa.stores.dynamodb_text import GrowingText, Text, in_pieces
from daehwa.stores.records import storable, storable_beside_images

Item: TypeAlias = dict[str, Any]

_ATTEMPTS: Final = 50

_Alive: TypeAlias = tuple[int, int | None]


class DynamoTurns:
    """What a store does for turns. Remembers of replies that grow here how far their text is stored."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._growing: dict[str, GrowingText] = {}
        self._locks = ConversationLocks()

    # ------------------------------------------------------------ begin

    async def begin(self, turn: NewTurn) -> BegunTurn:
        """Store a turn, or return it as it is stored."""
        turn = storable_beside_images(turn)
        written: set[str] = set()
        async with self._locks.of(turn.conversation):
            for _ in range(_ATTEMPTS):
                stored = await read_conversation(self._table, turn.conversation)
                if not check_turn(turn, _what_is_stored(turn, stored)):
                    return _there_already(turn, stored)
                images = new_images(turn, stored.image_heads())
                await self._take_ids(turn)
                arrives = bool(images) and stored.conversation is None
                if arrives:
                    await note_arrival(self._table, turn.owner, turn.conversation)
                left = (image for image in images if image.id not in written)
                await gathered(put_pieces(self._table, turn.conversation, image) for image in left)
                written.update(image.id for image in images)
                begun = await self._attempt(turn, stored, images)
                if begun is None:
                    continue
                if arrives:
                    await end_arrival(self._table, turn.owner, turn.conversation)
                return begun
        raise StoreError("Too many are changing this conversation at once. Try again in a moment.")

    async def _attempt(self, turn: NewTurn, stored: StoredConversation, images: Sequence[Image]) -> BegunTurn | None:
        """Store the turn, and these images, on top of what was read; None where that is no longer so."""
        new_question = turn.question if turn.question and stored.message(turn.question.id) is None else None
        conversation, operation = self._conversation_operation(turn, stored)
        operations = [operation, await self._message_operation(turn.reply, turn.runner)]
        if new_question is not None:
            operations.append(await self._message_operation(new_question, None))
        operations += (head_operation(self._table, turn.conversation, image) for image in images)
        if await self._table.transact(operations):
            return None
        newest_first = stored.path_up_from(turn.reply.parent if new_question is None else new_question.parent)
        path = end_within(
            newest_first if new_question is None else chain((new_question,), newest_first),
            None if stored.has_system_messages() else turn.context_window,
        )
        return BegunTurn(created=True, conversation=conversation, reply=turn.reply, path=path)

    async def _take_ids(self, turn: NewTurn) -> None:
        """Make sure that no other conversation has messages with these ids, now and later. Raise `IdTaken`."""
        taken = [take_id(self._table, turn.reply, "reply")]
        if turn.question is not None:
            taken.append(take_id(self._table, turn.question, "message.id"))
        await gathered(taken)

    def _conversation_operation(self, turn: NewTurn, stored: StoredConversation) -> tuple[Conversation, Operation]:
        reply, there = turn.reply, stored.conversation
        if there is None:
            new = Conversation(
                id=turn.conversation,
                owner=turn.owner,
                title=turn.title,
                model=reply.model,
                leaf=reply.id,
                created=reply.created,
                updated=reply.created,
            )
            is_new = F(names.PARTITION_KEY).does_not_exist()
            return new, Put(self._table.name, {**conversation_item(new), names.TURNS: 1}, is_new)
        updated = max(there.updated, reply.created)
        changed = msgspec.structs.replace(there, updated=updated, leaf=reply.id, model=reply.model)
        listed = listing(changed)
        given = {
            names.UPDATED: updated,
            names.LEAF: reply.id,
            names.MODEL: reply.model,
            names.ORDER: listed[names.ORDER],
        }
        # Not deleted, archived or pinned meanwhile, and not used at a later time.
        is_same = F(names.LIST).equals(listed[names.LIST]) & F(names.ORDER).between(
            f"{there.pinned:d}", listed[names.ORDER]
        )
        key = {
            names.PARTITION_KEY: names.conversation_partition(turn.conversation),
            names.SORT_KEY: names.CONVERSATION_SORT,
        }
        return changed, Update(self._table.name, key, changes(given) & F(names.TURNS).add(1), is_same)

    async def _message_operation(self, message: Message, runner: str | None) -> Operation:
        text = in_pieces(message.parts)
        await self._table.write_many(puts=piece_items(message.conversation, message.id, text.new))
        is_new = F(names.PARTITION_KEY).does_not_exist()
        return Put(self._table.name, message_item(message, text, runner), is_new)

    # ------------------------------------------------------------ grow

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        """Store growing replies, each by itself, and return which were asked to stop, or are there no more."""
        asked = await gathered(map(self._save_checkpoint, checkpoints))
        return frozenset(at.reply for at, is_asked in zip(checkpoints, asked, strict=True) if is_asked)

    async def _save_checkpoint(self, checkpoint: Checkpoint) -> bool:
        given: Item = {names.HEARTBEAT: checkpoint.heartbeat}
        if checkpoint.parts is not None:
            growing = self._growing.setdefault(checkpoint.reply, GrowingText())
            text = await self._with_pieces_stored(checkpoint.conversation, checkpoint.reply, growing, checkpoint.parts)
            given |= {names.POSITION: checkpoint.position, **text_attributes(text)}
        key = names.conversation_partition(checkpoint.conversation), message_sort(checkpoint.reply)
        is_next = is_streaming() & F(names.POSITION).lte(checkpoint.position)
        try:
            # The whole item comes back: reading the flag so costs nothing.
            there = await self._table.update(*key, changes(given), condition=is_next, returns=ReturnValues.all_new)
        except ConditionalCheckFailed:
            self._growing.pop(checkpoint.reply, None)
            found = await self._table.get(*key, fields=(names.STATUS, names.STOP))
            if found is None:
                return True
            there = found
        return bool(there.get(names.STOP))

    async def _with_pieces_stored(
        self, conversation: str, message: str, growing: GrowingText, parts: Sequence[Part]
    ) -> Text:
        """Return a text all of whose pieces but the last are stored."""
        text = growing.grown_to(parts)
        await self._table.write_many(puts=piece_items(conversation, message, text.new))
        growing.is_stored(text.new)
        return text

    # ------------------------------------------------------------ end

    async def finish(self, reply: Message) -> Message | None:
        """Store a reply's end, unless it has one already that counts; return it as stored if this is its end."""
        reply = storable(reply)
        growing = self._growing.get(reply.id) or GrowingText()
        text = await self._with_pieces_stored(reply.conversation, reply.id, growing, reply.parts)
        key = names.conversation_partition(reply.conversation), message_sort(reply.id)
        given = {
            names.STATUS: reply.status,
            names.POSITION: reply.position,
            **end_attributes(reply),
            **text_attributes(text),
            **_NOT_RUNNING,
        }
        is_open = is_streaming() | (F(names.STATUS).equals("interrupted") & F(names.ERROR).does_not_exist())
        try:
            await self._table.update(*key, changes(given), condition=is_open)
        except ConditionalCheckFailed:
            reply_is_stored = None
        else:
            reply_is_stored = reply
        self._growing.pop(reply.id, None)
        return reply_is_stored

    async def request_stop(self, owner: str, reply: str) -> Message:
        """Note that a reply shall stop, and return it."""
        message = await owned_message(self._table, owner, reply, "reply")
        if message.status != "streaming" or await self.ask_to_stop(message.conversation, reply):
            return message
        return await message_in(self._table, message.conversation, reply, "reply")

    async def ask_to_stop(self, conversation: str, reply: str) -> bool:
        """Note that a reply shall stop; return whether it is still being made."""
        key = names.conversation_partition(conversation), message_sort(reply)
        try:
            await self._table.update(*key, changes({names.STOP: True}), condition=is_streaming())
        except ConditionalCheckFailed:
            return False
        return True

    async def interrupt(self, alive: _Alive, runner: str | None, conversation: str | None) -> list[Message]:
        """Mark replies whose runner is gone, in one conversation or in all, and return them. Who is `alive` gave a sign
        between two moments, the second of which may be any.
        """
        heads = await streaming_replies(self._table, conversation)
        dead = [head for head in heads if _is_dead(head, alive, runner)]
        marked = await gathered(self._interrupt(head, alive, runner) for head in dead)
        return [message for message in marked if message is not None]

    async def _interrupt(self, head: Item, alive: _Alive, runner: str | None) -> Message | None:
        sign = F(names.HEARTBEAT) if names.HEARTBEAT in head else F(names.CREATED)
        is_dead = sign.lt(alive[0])
        if alive[1] is not None:
            is_dead |= sign.gt(alive[1])
        if runner is not None:
            is_dead |= F(names.RUNNER).equals(runner)
        given = {names.STATUS: "interrupted", **_NOT_RUNNING}
        try:
            await self._table.update(
                head[names.PARTITION_KEY], head[names.SORT_KEY], changes(given), condition=is_streaming() & is_dead
            )
        except ConditionalCheckFailed:
            return None
        return await message_in(self._table, conversation_id(head), message_id(head), "reply")


_NOT_RUNNING: Final[Item] = {names.RUNNER: None, names.STOP: None}


def _is_dead(head: Item, alive: _Alive, runner: str | None) -> bool:
    sign: int = head[names.HEARTBEAT] if names.HEARTBEAT in head else head[names.CREATED]
    is_alive = alive[0] <= sign and (alive[1] is None or sign <= alive[1])
    return not is_alive or (runner is not None and bool(head.get(names.RUNNER) == runner))


def _what_is_stored(turn: NewTurn, stored: StoredConversation) -> Stored:
    question = turn.question
    return Stored(
        conversation=stored.conversation,
        deleted=stored.is_deleted,
        question=None if question is None else stored.message(question.id),
        reply=stored.message(turn.reply.id),
        parent=stored.message(turn.reply.parent if question is None else question.parent),
    )


def _there_already(turn: NewTurn, stored: StoredConversation) -> BegunTurn:
    conversation, reply = stored.conversation, stored.message(turn.reply.id)
    if conversation is None or reply is None:
        raise StoreError("This conversation is being removed. Begin a new one.")
    return BegunTurn(created=False, conversation=conversation, reply=reply)
