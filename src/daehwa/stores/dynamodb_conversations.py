"""Conversations in the table: listing, changing, deleting, and removing for good.

How this works and why. A conversation's own item carries the index's keys: in which list it stands and where. Whoever
moves it on the strength of what was read says so in the write's condition, and reads again where that has changed.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey, UpdateExpression
from aiodynamo.models import ReturnValues

from daehwa.conversation.errors import ConversationNotFound, StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Conversation, Message, TitleSource, Usage
from daehwa.conversation.ports import ConversationChanges, ConversationPage
from daehwa.conversation.stretch import Stretch, StretchWish, path_of, total_of
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, changes, gathered
from daehwa.stores.dynamodb_conversation import (
    BEING_PURGED,
    StoredConversation,
    conversation_item_of,
    could_be_id,
    message_in,
    owned_item,
    read_conversation,
)
from daehwa.stores.dynamodb_images import arrivals_of, end_arrival, remove_pieces
from daehwa.stores.dynamodb_items import conversation_id, conversation_of, is_head, listing, message_id
from daehwa.stores.ordering import ListPosition, encode_cursor, in_tree_order, position_in_list
from daehwa.stores.records import TOKENS, storable

Item: TypeAlias = dict[str, Any]

_ATTEMPTS: Final = 50
_PEOPLE_AT_ONCE: Final = 16


class DynamoConversations:
    """What a store does for conversations."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def get(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        """Return a conversation with its messages."""
        there, stored = await self._owned(owner, conversation)
        return there, in_tree_order(stored.messages())

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        """Return a stretch of a conversation, and what all replies took, wished or not: all are at hand."""
        there, stored = await self._owned(owner, conversation)
        tree = stored.tree()
        total = total_of(stored.usages())
        if len(tree) <= wish.limit:
            return Stretch(there, in_tree_order(stored.messages()), whole=True, total=total)
        chosen = map(stored.message, tree.with_siblings(path_of(tree, there.leaf, wish)))
        messages = in_tree_order(message for message in chosen if message is not None)
        return Stretch(there, messages, whole=False, total=total)

    async def _owned(self, owner: str, conversation: str) -> tuple[Conversation, StoredConversation]:
        if not could_be_id(conversation):
            raise ConversationNotFound
        stored = await read_conversation(self._table, conversation)
        there = stored.conversation
        if there is None or stored.is_deleted or there.owner != owner:
            raise ConversationNotFound
        return there, stored

    async def title_usage(self, owner: str, conversation: str) -> Usage | None:
        """Return what a conversation's titles took."""
        if not could_be_id(conversation):
            raise ConversationNotFound
        return title_usage_of(await owned_item(self._table, owner, conversation))

    async def list_page(
        self, owner: str, *, archived: bool, start: ListPosition | None, limit: int
    ) -> ConversationPage:
        """Return the page that begins after a position, out of the index alone."""
        condition: Any = HashKey(names.LIST, names.conversation_list(owner, archived=archived))
        if start is not None:
            order = names.conversation_order(pinned=start.pinned, updated=start.updated, conversation=start.id)
            condition = condition & RangeKey(names.ORDER).lt(order)
        items = await self._table.query_list(condition, newest_first=True, limit=limit + 1)
        page = tuple(map(conversation_of, items[:limit]))
        return ConversationPage(page, encode_cursor(position_in_list(page[-1])) if len(items) > limit else None)

    async def change(self, owner: str, conversation: str, wanted: ConversationChanges) -> Conversation:
        """Apply changes and return the result."""
        wanted = storable(wanted)
        item = await owned_item(self._table, owner, conversation)
        if wanted.leaf is not None:
            await message_in(self._table, conversation, wanted.leaf, "leaf")
        given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        if not given:
            return conversation_of(item)
        if "title" in given:
            given["title_source"] = "user"
        for _ in range(_ATTEMPTS):
            there = conversation_of(item)
            changed = msgspec.structs.replace(there, **given)
            attributes = {_ATTRIBUTES[name]: value for name, value in given.items()} | listing(changed)
            if (after := await self._move(item, changes(attributes))) is not None:
                return conversation_of(after)
            item = await owned_item(self._table, owner, conversation)
        raise _too_many()

    async def set_title(self, conversation: str, title: str, source: TitleSource, usage: Usage | None) -> bool:
        """Give a title that a model made, unless it comes too late; keep its cost. The cost alone could be counted
        twice, should the network lose an answer.
        """
        if not could_be_id(conversation):
            return False
        key = names.conversation_partition(conversation), names.CONVERSATION_SORT
        given = changes({names.TITLE: storable(title), names.TITLE_SOURCE: source})
        spent = _spent(usage)
        is_there = F(names.OWNER).exists()
        is_welcome = is_there & F(names.DELETED).does_not_exist() & F(names.TITLE_SOURCE).not_equals("user")
        try:
            await self._table.update(*key, given if spent is None else given & spent, condition=is_welcome)
        except ConditionalCheckFailed:
            pass
        else:
            return True
        if spent is not None:
            try:
                await self._table.update(*key, spent, condition=is_there)
            except ConditionalCheckFailed:
                return False
        return False

    async def delete(self, owner: str, conversation: str) -> None:
        """Hide a conversation until it is restored or purged."""
        for _ in range(_ATTEMPTS):
            item = await owned_item(self._table, owner, conversation)
            deleted = now_ms()
            given = {names.DELETED: deleted, **listing(conversation_of(item), deleted)}
            if await self._move(item, changes(given)) is not None:
                return
        raise _too_many()

    async def restore(self, owner: str, conversation: str) -> Conversation:
        """Show a deleted conversation again."""
        for _ in range(_ATTEMPTS):
            item = await conversation_item_of(self._table, conversation)
            if item is None or item[names.OWNER] != owner or item.get(names.DELETED) == BEING_PURGED:
                raise ConversationNotFound
            there = conversation_of(item)
            if names.DELETED not in item:
                return there
            if await self._move(item, changes({names.DELETED: None, **listing(there)})) is not None:
                return there
        raise _too_many()

    async def _move(self, item: Item, expression: UpdateExpression) -> Item | None:
        """Change a conversation that still stands where it was read; None where it does not."""
        stands = F(names.LIST).equals(item[names.LIST]) & F(names.ORDER).equals(item[names.ORDER])
        return await self._changed(item, expression, stands)

    async def _changed(self, item: Item, expression: UpdateExpression, condition: Condition) -> Item | None:
        key = item[names.PARTITION_KEY], item[names.SORT_KEY]
        try:
            return await self._table.update(*key, expression, condition=condition, returns=ReturnValues.all_new)
        except ConditionalCheckFailed:
            return None

    # ------------------------------------------------------------ removing for good

    async def deleted_before(self, before: int, limit: int | None) -> list[Item]:
        """Return what an earlier purge did not come to the end of, and then what was deleted before a time."""
        condition = HashKey(names.LIST, names.DELETED_LIST) & RangeKey(names.ORDER).lt(names.moment_order(before))
        return await self._table.query_list(condition, limit=limit)

    async def untouched_since(self, before: int, limit: int | None) -> AsyncIterator[list[Item]]:
        """Yield the conversations in which nothing was asked since a time: the deleted ones, then those of a few people
        after the other, so that something is removed however many people there are. It takes four questions a person:
        the lists are sorted by it, and a function may not read whole tables.
        """
        deleted = await self._table.query_list(HashKey(names.LIST, names.DELETED_LIST))
        yield [item for item in deleted if item[names.UPDATED] < before]
        people = await self._table.query_list(HashKey(names.LIST, names.USER_LIST))
        owners = [item[names.PARTITION_KEY].removeprefix(names.owner_partition("")) for item in people]
        for at in range(0, len(owners), _PEOPLE_AT_ONCE):
            yield await self._untouched_of(owners[at : at + _PEOPLE_AT_ONCE], before, limit)

    async def _untouched_of(self, owners: Sequence[str], before: int, limit: int | None) -> list[Item]:
        lists = [names.conversation_list(owner, archived=archived) for owner in owners for archived in (False, True)]
        until = names.moment_order(before)
        found = await gathered(
            self._table.query_list(
                HashKey(names.LIST, name) & RangeKey(names.ORDER).between(pinned, f"{pinned}{until}"), limit=limit
            )
            for name in lists
            for pinned in ("0", "1")
        )
        items = [item for items in found for item in items if item[names.UPDATED] < before]
        return sorted(items, key=lambda item: (item[names.UPDATED], item[names.PARTITION_KEY]))

    async def all_of(self, owner: str) -> list[Item]:
        """Return all conversations of an owner, deleted ones too."""
        lists = [names.conversation_list(owner, archived=archived) for archived in (False, True)]
        found = await gathered(
            self._table.query_list(HashKey(names.LIST, name)) for name in (*lists, names.DELETED_LIST)
        )
        return [item for items in found for item in items if item[names.OWNER] == owner]

    async def purge_unfinished(self, owner: str) -> None:
        """Remove the images of conversations that were cut off before they were there."""
        for conversation in await arrivals_of(self._table, owner):
            if await conversation_item_of(self._table, conversation) is None:
                await self.purge(conversation)
            await end_arrival(self._table, owner, conversation)

    async def begin_purge(self, listed: Item) -> bool:
        """Make sure that a conversation cannot be restored any more; return whether it is still to be purged."""
        conversation = conversation_id(listed)
        given = {
            names.DELETED: BEING_PURGED,
            names.LIST: names.DELETED_LIST,
            names.ORDER: f"{names.moment_order(BEING_PURGED)}#{conversation}",
        }
        stands = F(names.LIST).equals(listed[names.LIST]) & F(names.ORDER).equals(listed[names.ORDER])
        return (
            await self._changed({**listed, names.SORT_KEY: names.CONVERSATION_SORT}, changes(given), stands) is not None
        )

    async def purge(self, conversation: str) -> None:
        """Remove everything that is stored of a conversation, itself at the end: until then a next purge finds it. The
        places go before the messages, since only those say where places are.
        """
        partition = names.conversation_partition(conversation)
        fields = (names.SORT_KEY, names.ROLE)
        items = await self._table.query(HashKey(names.PARTITION_KEY, partition), fields=fields)
        sorts = [item[names.SORT_KEY] for item in items if item[names.SORT_KEY] != names.CONVERSATION_SORT]
        places = [names.place_partition(message_id(item)) for item in items if is_head(item)]
        await self._table.write_many(deletes=[(place, names.PLACE_SORT) for place in places])
        pieces = [sort for sort in sorts if sort.startswith(names.IMAGE_PIECE_SORT)]
        others = [sort for sort in sorts if not sort.startswith(names.IMAGE_PIECE_SORT)]
        await remove_pieces(self._table, partition, pieces)
        await self._table.write_many(deletes=[(partition, sort) for sort in others])
        await self._table.delete(partition, names.CONVERSATION_SORT)


_ATTRIBUTES: Final = {
    "title": names.TITLE,
    "title_source": names.TITLE_SOURCE,
    "pinned": names.PINNED,
    "archived": names.ARCHIVED,
    "leaf": names.LEAF,
}


def _spent(usage: Usage | None) -> UpdateExpression | None:
    """Return what adds the tokens and the cost of a title to those of the titles before."""
    if usage is None:
        return None
    added = UpdateExpression()
    for attribute, tokens in zip(names.TITLE_USAGE, TOKENS, strict=True):
        added &= F(attribute).add(getattr(usage, tokens))
    for attribute, amount in _money(usage).items():
        if amount is not None:
            added &= F(attribute).add(amount)
    return added


def title_usage_of(item: Item) -> Usage | None:
    """Return the tokens that a conversation's titles took, None where no model made one."""
    if names.TITLE_USAGE[0] not in item:
        return None
    return Usage(
        **{tokens: item[name] for name, tokens in zip(names.TITLE_USAGE, TOKENS, strict=True)},
        cost=item.get(names.TITLE_COST),
        estimated=names.TITLE_ESTIMATED in item,
    )


def title_usage_attributes(usage: Usage | None) -> Item:
    """Return the attributes that hold the tokens and the cost of titles."""
    tokens = {
        name: None if usage is None else getattr(usage, tokens)
        for name, tokens in zip(names.TITLE_USAGE, TOKENS, strict=True)
    }
    return tokens | _money(usage)


def _money(usage: Usage | None) -> Item:
    is_estimated = usage is not None and usage.estimated
    return {
        names.TITLE_COST: None if usage is None else usage.cost,
        names.TITLE_ESTIMATED: 1 if is_estimated else None,
    }


def _too_many() -> StoreError:
    return StoreError("Too many are changing this conversation at once. Try again in a moment.")
