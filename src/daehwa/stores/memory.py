"""A store in memory, for tests and trials: what the process forgets with its end. It knows no disk."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import msgspec

from daehwa.conversation.archive import (
    arriving,
    images_shown,
    imported,
    in_order_of_use,
    is_brought_back,
    is_later,
    takes_place,
)
from daehwa.conversation.archive_ports import ConversationRecord, Imported
from daehwa.conversation.errors import ConversationNotFound, IdTaken, MessageNotFound, OwnedByAnother
from daehwa.conversation.ids import now_ms
from daehwa.conversation.images import Image, ImageNotFound
from daehwa.conversation.messages import Conversation, Message, TitleSource, Usage
from daehwa.conversation.ports import BegunTurn, Checkpoint, ConversationChanges, ConversationPage, NewTurn, SearchHit
from daehwa.conversation.stretch import KnownTree, Node, Stretch, StretchWish, path_of, total_of
from daehwa.conversation.transcript import end_within
from daehwa.conversation.tree import Stored, check_turn, new_images
from daehwa.stores.ordering import decode_cursor, encode_cursor, in_tree_order, position_in_list
from daehwa.stores.records import added, storable, storable_beside_images
from daehwa.stores.search_text import Query, folded


class _KeptConversation:
    __slots__ = ("deleted", "images", "title_usage", "value")

    def __init__(self, value: Conversation) -> None:
        self.value = value
        self.images: dict[str, Image] = {}
        self.deleted: int | None = None
        self.title_usage: Usage | None = None


class _KeptMessage:
    __slots__ = ("runner", "stop_requested", "value")

    def __init__(self, value: Message, runner: str | None = None) -> None:
        self.value = value
        self.runner = runner
        self.stop_requested = False


class MemoryStore:
    """A `ConversationStore` and `ConversationArchive` in dictionaries. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._conversations: dict[str, _KeptConversation] = {}
        self._messages: dict[str, _KeptMessage] = {}

    async def begin_turn(self, turn: NewTurn) -> BegunTurn:
        turn = storable_beside_images(turn)
        kept = self._conversations.get(turn.conversation)
        if not check_turn(turn, self._stored(turn)):
            return BegunTurn(
                created=False,
                conversation=self._conversations[turn.conversation].value,
                reply=self._messages[turn.reply.id].value,
            )
        images = new_images(turn, () if kept is None else kept.images)
        reply = turn.reply
        if turn.question is not None:
            self._messages.setdefault(turn.question.id, _KeptMessage(turn.question))
        self._messages[reply.id] = _KeptMessage(reply, turn.runner)
        if kept is None:
            kept = _KeptConversation(
                Conversation(
                    id=turn.conversation,
                    owner=turn.owner,
                    title=turn.title,
                    created=reply.created,
                    updated=reply.created,
                )
            )
            self._conversations[turn.conversation] = kept
        kept.images.update((image.id, image) for image in images)
        updated = max(kept.value.updated, reply.created)
        kept.value = msgspec.structs.replace(kept.value, updated=updated, leaf=reply.id, model=reply.model)
        has_system = any(message.role == "system" for message in self._messages_of(turn.conversation))
        path = end_within(self._path_up_from(reply.parent), None if has_system else turn.context_window)
        return BegunTurn(created=True, conversation=kept.value, reply=reply, path=path)

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        stopping = set()
        for checkpoint in checkpoints:
            kept = self._messages.get(checkpoint.reply)
            if kept is None:
                stopping.add(checkpoint.reply)
                continue
            if kept.stop_requested:
                stopping.add(checkpoint.reply)
            message = kept.value
            if message.status != "streaming" or checkpoint.position < message.position:
                continue
            kept.value = msgspec.structs.replace(message, heartbeat=checkpoint.heartbeat)
            if checkpoint.parts is not None:
                parts = tuple(storable(part) for part in checkpoint.parts)
                kept.value = msgspec.structs.replace(kept.value, parts=parts, position=checkpoint.position)
        return frozenset(stopping)

    async def finish_reply(self, reply: Message) -> None:
        kept = self._messages.get(reply.id)
        if kept is None:
            return
        status = kept.value.status
        if status == "streaming" or (status == "interrupted" and kept.value.error is None):
            reply = storable(reply)
            kept.value = msgspec.structs.replace(
                kept.value,
                parts=reply.parts,
                status=reply.status,
                finish=reply.finish,
                usage=reply.usage,
                error=reply.error,
                position=reply.position,
            )

    async def request_stop(self, owner: str, reply: str) -> Message:
        kept = self._owned_message(owner, reply, "reply")
        if kept.value.status == "streaming":
            kept.stop_requested = True
        return kept.value

    async def interrupt_replies(
        self,
        *,
        heartbeat_before: int,
        heartbeat_after: int | None = None,
        runner: str | None = None,
        conversation: str | None = None,
    ) -> int:
        count = 0
        for kept in self._messages.values():
            message = kept.value
            alive = message.created if message.heartbeat is None else message.heartbeat
            is_dead = alive < heartbeat_before or (heartbeat_after is not None and alive > heartbeat_after)
            is_dead |= runner is not None and kept.runner == runner
            is_meant = conversation in {None, message.conversation}
            if message.status == "streaming" and is_meant and is_dead:
                kept.value = msgspec.structs.replace(message, status="interrupted")
                count += 1
        return count

    async def get_message(self, owner: str, message: str) -> Message:
        return self._owned_message(owner, message, "message").value

    async def get_image(self, owner: str, conversation: str, image: str) -> Image:
        kept = self._owned_conversation(owner, conversation).images.get(image)
        if kept is None:
            raise ImageNotFound
        return kept

    async def get_conversation(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        kept = self._owned_conversation(owner, conversation)
        return kept.value, in_tree_order(self._messages_of(conversation))

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        value, messages = await self.get_conversation(owner, conversation)
        tree = KnownTree(Node(message.id, message.parent, message.role, message.created) for message in messages)
        total = total_of(message.usage for message in messages) if wish.total else None
        if len(tree) <= wish.limit:
            return Stretch(value, messages, whole=True, total=total)
        ids = tree.with_siblings(path_of(tree, value.leaf, wish))
        chosen = tuple(message for message in messages if message.id in ids)
        return Stretch(value, chosen, whole=False, total=total)

    async def title_usage(self, owner: str, conversation: str) -> Usage | None:
        return self._owned_conversation(owner, conversation).title_usage

    async def list_conversations(
        self, owner: str, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> ConversationPage:
        start = None if after is None else decode_cursor(after)
        listed = sorted(
            (value for value in self._visible(owner) if value.archived == archived),
            key=position_in_list,
            reverse=True,
        )
        rest = [value for value in listed if start is None or position_in_list(value) < start]
        page = rest[: max(1, limit)]
        return ConversationPage(
            tuple(page), encode_cursor(position_in_list(page[-1])) if len(page) < len(rest) else None
        )

    async def search_conversations(self, owner: str, query: str, *, limit: int = 30) -> tuple[SearchHit, ...]:
        search = Query(query)
        if search.is_empty:
            return ()
        whole, any_ = (self._search_texts(owner, search, whole=whole) for whole in (True, False))
        titles = self._search_titles(owner, search, whole=True) | self._search_titles(owner, search, whole=False)
        found = titles | any_ | whole
        order = dict.fromkeys((*titles, *whole, *any_))
        return tuple(found[conversation] for conversation in order)[: max(1, limit)]

    def _search_titles(self, owner: str, search: Query, *, whole: bool) -> dict[str, SearchHit]:
        return {
            value.id: SearchHit(conversation=value, title=search.highlighted(value.title))
            for value in self._newest(owner)
            if search.matches(folded(value.title), whole=whole)
        }

    def _search_texts(self, owner: str, search: Query, *, whole: bool) -> dict[str, SearchHit]:
        visible = {value.id: value for value in self._visible(owner)}
        found: dict[str, SearchHit] = {}
        for kept in reversed(self._messages.values()):
            message = kept.value
            conversation = visible.get(message.conversation)
            if conversation is None or conversation.id in found:
                continue
            if not search.matches(folded(message.text), whole=whole):
                continue
            found[conversation.id] = SearchHit(
                conversation=conversation,
                title=search.highlighted(conversation.title),
                message=message.id,
                snippet=search.snippet(message.text),
            )
        return found

    async def change_conversation(self, owner: str, conversation: str, changes: ConversationChanges) -> Conversation:
        kept = self._owned_conversation(owner, conversation)
        if changes.leaf is not None:
            leaf = self._messages.get(changes.leaf)
            if leaf is None or leaf.value.conversation != conversation:
                raise MessageNotFound("leaf")
        given = {name: value for name, value in msgspec.structs.asdict(storable(changes)).items() if value is not None}
        if "title" in given:
            given["title_source"] = "user"
        kept.value = msgspec.structs.replace(kept.value, **given)
        return kept.value

    async def set_title(self, conversation: str, title: str, source: TitleSource, usage: Usage | None) -> bool:
        kept = self._conversations.get(conversation)
        if kept is None:
            return False
        kept.title_usage = added(kept.title_usage, usage)
        if kept.deleted is not None or kept.value.title_source == "user":
            return False
        kept.value = msgspec.structs.replace(kept.value, title=storable(title), title_source=source)
        return True

    async def delete_conversation(self, owner: str, conversation: str) -> None:
        self._owned_conversation(owner, conversation).deleted = now_ms()
        for kept in self._messages.values():
            if kept.value.conversation == conversation and kept.value.status == "streaming":
                kept.stop_requested = True

    async def restore_conversation(self, owner: str, conversation: str) -> Conversation:
        kept = self._conversations.get(conversation)
        if kept is None or kept.value.owner != owner:
            raise ConversationNotFound
        kept.deleted = None
        return kept.value

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        deleted = [(kept.deleted, name) for name, kept in self._conversations.items() if kept.deleted is not None]
        return self._remove({name for at, name in sorted(deleted)[:limit] if at < before})

    async def purge_untouched(self, *, before: int, limit: int | None = None) -> int:
        touched = sorted((kept.value.updated, name) for name, kept in self._conversations.items())
        return self._remove({name for at, name in touched[:limit] if at < before})

    async def forget(self, user: str) -> None:
        self._remove({name for name, kept in self._conversations.items() if kept.value.owner == user})

    def _remove(self, gone: set[str]) -> int:
        self._conversations = {name: kept for name, kept in self._conversations.items() if name not in gone}
        self._messages = {name: kept for name, kept in self._messages.items() if kept.value.conversation not in gone}
        return len(gone)

    async def export_conversations(
        self,
        owner: str | None = None,
        *,
        left_out: Callable[[str], None] | None = None,  # noqa: ARG002 - what is in memory can be read
    ) -> AsyncIterator[ConversationRecord]:
        owned = (kept.value for kept in self._conversations.values() if owner in {None, kept.value.owner})
        for name in [conversation.id for conversation in in_order_of_use(owned)]:
            if (kept := self._conversations.get(name)) is not None:
                yield ConversationRecord(
                    conversation=kept.value,
                    messages=in_tree_order(self._messages_of(name)),
                    images=tuple(kept.images.values()),
                    deleted=kept.deleted,
                    title_usage=kept.title_usage,
                )

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        record = arriving(storable_beside_images(record))
        given = record.conversation
        kept = self._conversations.get(given.id)
        self._check_ids(record, kept)
        changed = False
        is_back = kept is not None and is_brought_back(record, kept.deleted)
        if kept is not None and is_back:
            kept.deleted = None
        if kept is None or is_later(given, kept.value):
            changed = True
            arrived = self._conversations[given.id] = _KeptConversation(given)
            arrived.deleted, arrived.title_usage = record.deleted, record.title_usage
            arrived.images = {} if kept is None else kept.images
        for message in record.messages:
            there = self._messages.get(message.id)
            if there is None or takes_place(message, there.value):
                changed = True
                self._messages[message.id] = _KeptMessage(message)
        images = self._conversations[given.id].images
        new = {image.id: image for image in images_shown(record, self._message) if image.id not in images}
        images.update(new)
        return imported(is_new=kept is None, is_back=is_back, has_changed=changed, images=len(new))

    async def aclose(self) -> None:
        """Nothing is open."""

    def _check_ids(self, record: ConversationRecord, kept: _KeptConversation | None) -> None:
        if kept is not None and kept.value.owner != record.conversation.owner:
            raise OwnedByAnother(kept.value.owner)
        for message in record.messages:
            there = self._message(message.id)
            if there is not None and there.conversation != record.conversation.id:
                raise IdTaken("messages")

    def _stored(self, turn: NewTurn) -> Stored:
        kept = self._conversations.get(turn.conversation)
        parent = turn.reply.parent if turn.question is None else turn.question.parent
        return Stored(
            conversation=None if kept is None else kept.value,
            deleted=kept is not None and kept.deleted is not None,
            question=None if turn.question is None else self._message(turn.question.id),
            reply=self._message(turn.reply.id),
            parent=self._message(parent),
        )

    def _message(self, message: str | None) -> Message | None:
        kept = None if message is None else self._messages.get(message)
        return None if kept is None else kept.value

    def _path_up_from(self, message: str | None) -> Iterator[Message]:
        while (value := self._message(message)) is not None:
            yield value
            message = value.parent

    def _messages_of(self, conversation: str) -> Iterator[Message]:
        return (kept.value for kept in self._messages.values() if kept.value.conversation == conversation)

    def _visible(self, owner: str) -> Iterator[Conversation]:
        return (
            kept.value for kept in self._conversations.values() if kept.deleted is None and kept.value.owner == owner
        )

    def _newest(self, owner: str) -> list[Conversation]:
        return sorted(self._visible(owner), key=lambda value: (value.updated, value.id), reverse=True)

    def _owned_conversation(self, owner: str, conversation: str) -> _KeptConversation:
        kept = self._conversations.get(conversation)
        if kept is None or kept.deleted is not None or kept.value.owner != owner:
            raise ConversationNotFound
        return kept

    def _owned_message(self, owner: str, message: str, param: str) -> _KeptMessage:
        kept = self._messages.get(message)
        if kept is None:
            raise MessageNotFound(param)
        conversation = self._conversations[kept.value.conversation]
        if conversation.deleted is not None or conversation.value.owner != owner:
            raise MessageNotFound(param)
        return kept
