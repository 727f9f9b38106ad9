"""Conversations in one DynamoDB table: the store of the AWS home."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Self

from aiodynamo.credentials import Credentials
from aiodynamo.http.types import HttpImplementation

from daehwa.conversation.archive_ports import ConversationRecord, Imported
from daehwa.conversation.errors import StoreError
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message, TitleSource, Usage
from daehwa.conversation.ports import BegunTurn, Checkpoint, ConversationChanges, ConversationPage, NewTurn, SearchHit
from daehwa.conversation.stretch import Stretch, StretchWish
from daehwa.stores.dynamodb_archive import DynamoArchive
from daehwa.stores.dynamodb_client import DynamoTable, Item, gathered
from daehwa.stores.dynamodb_conversation import ConversationLocks, owned_message, streaming_replies
from daehwa.stores.dynamodb_conversations import DynamoConversations
from daehwa.stores.dynamodb_images import get_image
from daehwa.stores.dynamodb_items import conversation_id, message_id
from daehwa.stores.dynamodb_search import DynamoSearch
from daehwa.stores.dynamodb_signatures import DynamoSignatures
from daehwa.stores.dynamodb_table import OWNER
from daehwa.stores.dynamodb_turns import DynamoTurns
from daehwa.stores.ordering import decode_cursor

_ROUNDS: Final = 5
"""How often it is looked whether somebody has conversations still: the index follows the table by a moment."""
_PURGES_AT_ONCE: Final = 8
"""Each is some seven requests one after the other. More would leave others of the same process no room."""
_LAST_WORDS_SECONDS: Final = 3.0
"""How long whoever makes a reply may take to see that they are to stop."""

_log = logging.getLogger("daehwa.store")


class DynamoStore:
    """A `ConversationStore` in a table that is there already. Made by `DynamoStore.open`, or on a table that others
    use too.
    """

    def __init__(self, table: DynamoTable) -> None:
        self.table = table
        self._turns = DynamoTurns(table)
        self._conversations = DynamoConversations(table)
        self._signatures = DynamoSignatures(table)
        self._search = DynamoSearch(table, self._signatures)
        self._locks = ConversationLocks()
        self._archive = DynamoArchive(table, self._signatures, self._conversations)

    @classmethod
    def open(
        cls,
        *,
        table: str,
        region: str,
        endpoint: str | None = None,
        http: HttpImplementation | None = None,
        credentials: Credentials | None = None,
    ) -> Self:
        """Return the store in a table; see `DynamoTable.connect`. Nothing is asked of it yet."""
        return cls(
            DynamoTable.connect(table=table, region=region, endpoint=endpoint, http=http, credentials=credentials)
        )

    async def begin_turn(self, turn: NewTurn) -> BegunTurn:
        return await self._turns.begin(turn)

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        """Each is one write of its own, so when one of them fails the others may be stored."""
        return await self._turns.save_checkpoints(checkpoints)

    async def finish_reply(self, reply: Message) -> None:
        stored = await self._turns.finish(reply)
        if stored is not None:
            await self._index(stored)

    async def request_stop(self, owner: str, reply: str) -> Message:
        return await self._turns.request_stop(owner, reply)

    async def interrupt_replies(
        self,
        *,
        heartbeat_before: int,
        heartbeat_after: int | None = None,
        runner: str | None = None,
        conversation: str | None = None,
    ) -> int:
        """Without `conversation` the whole table is read: no list of running replies is kept, which every turn would
        pay for. Who finds one that nobody makes has found it in its conversation.
        """
        interrupted = await self._turns.interrupt((heartbeat_before, heartbeat_after), runner, conversation)
        await gathered(map(self._index, interrupted))
        return len(interrupted)

    async def get_image(self, owner: str, conversation: str, image: str) -> Image:
        return await get_image(self.table, owner, conversation, image)

    async def get_message(self, owner: str, message: str) -> Message:
        return await owned_message(self.table, owner, message, "message")

    async def get_conversation(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        return await self._conversations.get(owner, conversation)

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        """Read the whole conversation, in one query; what is decoded of it, and returned, is the stretch."""
        return await self._conversations.read_stretch(owner, conversation, wish)

    async def title_usage(self, owner: str, conversation: str) -> Usage | None:
        return await self._conversations.title_usage(owner, conversation)

    async def list_conversations(
        self, owner: str, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> ConversationPage:
        """Read the index, which follows the table by a moment: another process's change may still be missing."""
        start = None if after is None else decode_cursor(after)
        return await self._conversations.list_page(owner, archived=archived, start=start, limit=max(1, limit))

    async def search_conversations(self, owner: str, query: str, *, limit: int = 30) -> tuple[SearchHit, ...]:
        return await self._search.search(owner, query, limit=max(1, limit))

    async def change_conversation(self, owner: str, conversation: str, changes: ConversationChanges) -> Conversation:
        return await self._conversations.change(owner, conversation, changes)

    async def set_title(self, conversation: str, title: str, source: TitleSource, usage: Usage | None) -> bool:
        return await self._conversations.set_title(conversation, title, source, usage)

    async def delete_conversation(self, owner: str, conversation: str) -> None:
        await self._conversations.delete(owner, conversation)
        replies = await streaming_replies(self.table, conversation)
        await gathered(self._turns.ask_to_stop(conversation, message_id(reply)) for reply in replies)

    async def restore_conversation(self, owner: str, conversation: str) -> Conversation:
        return await self._conversations.restore(owner, conversation)

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        """Remove a few at once; what this does not come to the end of, the next purge goes on with."""
        return await self._purge(await self._conversations.deleted_before(before, limit))

    async def purge_untouched(self, *, before: int, limit: int | None = None) -> int:
        """Look at what people who are known here have, some of them after the others, and remove a few at once. What is
        broken off begins anew with the first people, who have nothing left by then.
        """
        count = 0
        async for chosen in self._conversations.untouched_since(before, limit):
            count += await self._purge(chosen if limit is None else chosen[: limit - count])
            if count == limit:
                break
        return count

    async def forget(self, user: str) -> None:
        """Remove a few at once. Who makes a reply is asked to stop, and what they wrote meanwhile is removed too."""
        await self._conversations.purge_unfinished(user)
        for _ in range(_ROUNDS):
            listed = await self._conversations.all_of(user)
            if not listed:
                return
            growing = await gathered(streaming_replies(self.table, conversation_id(item)) for item in listed)
            replies = [reply for replies in growing for reply in replies]
            await gathered(self._turns.ask_to_stop(conversation_id(reply), message_id(reply)) for reply in replies)
            await self._purge(listed)
            if replies:
                await asyncio.sleep(_LAST_WORDS_SECONDS)
                await gathered(map(self._conversations.purge, {conversation_id(reply) for reply in replies}))

    async def _purge(self, chosen: Sequence[Item]) -> int:
        count = 0
        for at in range(0, len(chosen), _PURGES_AT_ONCE):
            count += sum(await gathered(map(self._purge_one, chosen[at : at + _PURGES_AT_ONCE])))
        return count

    async def _purge_one(self, listed: Item) -> bool:
        """Remove a conversation; return whether it was still to be removed."""
        if not await self._conversations.begin_purge(listed):
            return False
        conversation = conversation_id(listed)
        await self._signatures.forget(listed[OWNER], conversation)
        await self._conversations.purge(conversation)
        return True

    def export_conversations(
        self, owner: str | None = None, *, left_out: Callable[[str], None] | None = None
    ) -> AsyncIterator[ConversationRecord]:
        return self._archive.export_conversations(owner, left_out)

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        return await self._archive.import_conversation(record)

    async def aclose(self) -> None:
        await self.table.aclose()

    async def _index(self, reply: Message) -> None:
        try:
            async with self._locks.of(reply.conversation):
                await self._signatures.index_reply(reply)
        except StoreError as error:
            # The reply is stored, which is what counts: search reads what no signature covers.
            _log.warning("reply %s is stored, and search will find it more slowly: %s", reply.id, error.message)
