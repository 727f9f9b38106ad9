"""What a search reads of the table, very many at once: answers decoded straight into what is asked for.

How this works and why. A search reads megabytes, and looks at little of them. aiodynamo makes a dictionary for each
value; here msgspec makes one value for each attribute that is wanted, and bytes of what came as text, in a tenth of the
time. The attributes' names are those of `dynamodb_table`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from daehwa.conversation.errors import StoreError
from daehwa.conversation.messages import Conversation, TitleSource
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable
from daehwa.stores.dynamodb_items import conversation_id, message_id
from daehwa.stores.dynamodb_text import joined
from daehwa.stores.records import legible_text_of

P = TypeVar("P", bound="_Page")


class _Text(msgspec.Struct):
    value: str = msgspec.field(name="S")


class _Number(msgspec.Struct):
    value: str = msgspec.field(name="N")


class _Bytes(msgspec.Struct):
    value: bytes = msgspec.field(name="B")


class _Flag(msgspec.Struct):
    value: bool = msgspec.field(name="BOOL")


class _Texts(msgspec.Struct):
    value: list[_Text] = msgspec.field(name="L")


class ListedItem(msgspec.Struct):
    """A conversation as the index lists it."""

    partition: _Text = msgspec.field(name=names.PARTITION_KEY)
    owner: _Text = msgspec.field(name=names.OWNER)
    heading: _Text = msgspec.field(name=names.TITLE)
    title_source: _Text = msgspec.field(name=names.TITLE_SOURCE)
    pinned: _Flag = msgspec.field(name=names.PINNED)
    archived: _Flag = msgspec.field(name=names.ARCHIVED)
    created: _Number = msgspec.field(name=names.CREATED)
    used: _Number = msgspec.field(name=names.UPDATED)
    model: _Text | None = msgspec.field(name=names.MODEL, default=None)
    leaf: _Text | None = msgspec.field(name=names.LEAF, default=None)
    begun: _Number | None = msgspec.field(name=names.TURNS, default=None)

    @property
    def id(self) -> str:
        """The conversation's id."""
        return conversation_id({names.PARTITION_KEY: self.partition.value})

    @property
    def title(self) -> str:
        """Its title."""
        return self.heading.value

    @property
    def updated(self) -> int:
        """When it was used."""
        return int(self.used.value)

    @property
    def turns(self) -> int:
        """How many replies were begun in it."""
        return 0 if self.begun is None else int(self.begun.value)

    @property
    def conversation(self) -> Conversation:
        """All of it."""
        return Conversation(
            id=self.id,
            owner=self.owner.value,
            title=self.title,
            title_source=msgspec.convert(self.title_source.value, TitleSource),
            model=None if self.model is None else self.model.value,
            leaf=None if self.leaf is None else self.leaf.value,
            pinned=self.pinned.value,
            archived=self.archived.value,
            created=int(self.created.value),
            updated=self.updated,
        )


class SignatureItem(msgspec.Struct):
    """An item of a conversation's signature."""

    sort: _Text = msgspec.field(name=names.SORT_KEY)
    signature: _Bytes = msgspec.field(name=names.SIGNATURE)
    digests: _Bytes | None = msgspec.field(name=names.COVERED, default=None)

    @property
    def conversation(self) -> str:
        """The id of the conversation."""
        return names.signed_conversation(self.sort.value)

    @property
    def covered(self) -> bytes:
        """What names the replies that it covers."""
        return b"" if self.digests is None else self.digests.value


class TextItem(msgspec.Struct):
    """An item of a conversation, as far as it says what was said in it and when."""

    sort: _Text = msgspec.field(name=names.SORT_KEY)
    role: _Text | None = msgspec.field(name=names.ROLE, default=None)
    created: _Number | None = msgspec.field(name=names.CREATED, default=None)
    piece: _Bytes | None = msgspec.field(name=names.TEXT, default=None)
    earlier: _Texts | None = msgspec.field(name=names.PIECES, default=None)

    @property
    def is_head(self) -> bool:
        """Whether it is a message's head."""
        return self.role is not None

    @property
    def moment(self) -> tuple[int, bool, str]:
        """Where a message stands among others, a reply after its question of the same moment."""
        created = 0 if self.created is None else int(self.created.value)
        is_reply = self.role is not None and self.role.value == "assistant"
        return created, is_reply, message_id({names.SORT_KEY: self.sort.value})

    @property
    def size(self) -> int:
        """How much memory it takes, about, before it is decoded."""
        return 200 + (0 if self.piece is None else len(self.piece.value))

    def text(self, pieces: Mapping[str, "TextItem"]) -> str:
        """Return the text of the message whose head this is; other items are given by their sort keys."""
        earlier = [] if self.earlier is None else [f"{self.sort.value}#{name.value}" for name in self.earlier.value]
        try:
            found = [pieces[sort].piece for sort in earlier]
        except KeyError as error:
            raise StoreError("A part of this conversation is being removed. Open it again in a moment.") from error
        return legible_text_of(joined(piece.value for piece in (*found, self.piece) if piece is not None))


# Three classes, for one that is generic would be worked out anew for each page.
class _Page(msgspec.Struct, kw_only=True):
    last: dict[str, Any] | None = msgspec.field(name="LastEvaluatedKey", default=None)


class _ListedPage(_Page):
    items: list[ListedItem] = msgspec.field(name="Items")


class _SignaturePage(_Page):
    items: list[SignatureItem] = msgspec.field(name="Items")


class _TextPage(_Page):
    items: list[TextItem] = msgspec.field(name="Items")


_LISTED: Final = msgspec.json.Decoder(_ListedPage)
_SIGNATURES: Final = msgspec.json.Decoder(_SignaturePage)
_TEXTS: Final = msgspec.json.Decoder(_TextPage)


async def read_list(table: DynamoTable, owner: str, *, archived: bool) -> list[ListedItem]:
    """Return an owner's conversations, those archived or the others."""
    asked = {
        "IndexName": names.LISTS,
        "KeyConditionExpression": f"{names.LIST} = :list",
        "ExpressionAttributeValues": {":list": {"S": names.conversation_list(owner, archived=archived)}},
    }
    return [item async for page in _pages(table, _LISTED, asked) for item in page.items]


async def read_signatures(table: DynamoTable, owner: str, first: str, last: str) -> list[SignatureItem]:
    """Return the items of an owner's signatures whose sort keys stand between two."""
    asked = {
        "KeyConditionExpression": f"{names.PARTITION_KEY} = :owner AND {names.SORT_KEY} BETWEEN :first AND :last",
        "ProjectionExpression": f"{names.SORT_KEY}, {names.SIGNATURE}, {names.COVERED}",
        "ExpressionAttributeValues": {
            ":owner": {"S": names.owner_partition(owner)},
            ":first": {"S": first},
            ":last": {"S": last},
        },
    }
    return [item async for page in _pages(table, _SIGNATURES, asked) for item in page.items]


async def read_texts(table: DynamoTable, conversation: str) -> list[TextItem]:
    """Return the messages of a conversation and the pieces of their texts."""
    fields = (names.SORT_KEY, names.ROLE, names.CREATED, names.TEXT, names.PIECES)
    asked = {
        "KeyConditionExpression": f"{names.PARTITION_KEY} = :partition AND begins_with({names.SORT_KEY}, :messages)",
        "ProjectionExpression": ", ".join(fields),
        "ExpressionAttributeValues": {
            ":partition": {"S": names.conversation_partition(conversation)},
            ":messages": {"S": names.MESSAGE_SORT},
        },
    }
    return [item async for page in _pages(table, _TEXTS, asked) for item in page.items]


async def _pages(table: DynamoTable, decoder: "msgspec.json.Decoder[P]", asked: Mapping[str, Any]) -> AsyncIterator[P]:
    begin: dict[str, Any] = {}
    while True:
        page = decoder.decode(await table.query_undecoded({**asked, **begin}))
        yield page
        if page.last is None:
            return
        begin = {"ExclusiveStartKey": page.last}


def by_sort(items: Iterable[TextItem]) -> dict[str, TextItem]:
    """Return items by their sort keys."""
    return {item.sort.value: item for item in items}
