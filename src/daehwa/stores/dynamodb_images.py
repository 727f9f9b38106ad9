"""Images in the table: beside the messages of their conversation, where reading those does not come.

How this works and why. An item holds 400 KB, so an image lies in pieces. They are named by their content, and written
before the turn whose question shows them; its transaction then puts a head that lists them. So whoever finds a head
finds a whole image, and of two who bring other bytes under one id the first has it. The heads stand where a
conversation is read: a turn learns there which images it has. The pieces come after all that is read of it. Where the
conversation is to be new, its owner has a note of it until it is there: were the turn cut off for ever in between,
nothing else would say whose the pieces are.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey
from aiodynamo.operations import Put

from daehwa.conversation.errors import ConversationNotFound
from daehwa.conversation.images import Image, ImageNotFound
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, gathered
from daehwa.stores.dynamodb_conversation import could_be_id

Item: TypeAlias = dict[str, Any]

PIECE_BYTES: Final = 384 * 1024
"""Of 400 KB, which an item may have; its keys are 120 bytes."""
_PIECES_AT_ONCE: Final = 4
"""Each takes up to 385 of the thousand units that a partition writes in a second, and a request of them all 2 MB."""


async def get_image(table: DynamoTable, owner: str, conversation: str, image: str) -> Image:
    """Return an image of an owner's conversation. Raise `ConversationNotFound`, `ImageNotFound`."""
    if not could_be_id(conversation):
        raise ConversationNotFound
    partition = names.conversation_partition(conversation)
    sort = names.image_sort(image)
    keys = [(partition, names.CONVERSATION_SORT), (partition, sort)]
    found = {item[names.SORT_KEY]: item for item in await table.get_many(keys if could_be_id(image) else keys[:1])}
    there = found.get(names.CONVERSATION_SORT)
    if there is None or there[names.OWNER] != owner or names.DELETED in there:
        raise ConversationNotFound
    read = await read_image(table, found[sort]) if sort in found else None
    if read is None:
        raise ImageNotFound
    return read


async def read_image(table: DynamoTable, head: Item) -> Image | None:
    """Return the image whose head this is; None where it is being removed."""
    image: str = head[names.SORT_KEY].removeprefix(names.image_sort(""))
    sorts = [names.image_piece_sort(image, name) for name in head[names.PIECES]]
    pieces = await gathered(table.get(head[names.PARTITION_KEY], sort) for sort in sorts)
    there = [piece[names.DATA] for piece in pieces if piece is not None]
    return Image(image, head[names.MEDIA_TYPE], b"".join(there)) if len(there) == len(sorts) else None


def head_operation(table: DynamoTable, conversation: str, image: Image) -> Put:
    """Return what makes an image be there whose pieces are stored, unless one with its id is."""
    return Put(table.name, _head(conversation, image), _is_new())


async def put_images(table: DynamoTable, conversation: str, images: Iterable[Image]) -> None:
    """Store images, each by itself, unless one with its id is there."""
    for image in images:
        await put_pieces(table, conversation, image)
        with suppress(ConditionalCheckFailed):
            await table.put(_head(conversation, image), condition=_is_new())


async def note_arrival(table: DynamoTable, owner: str, conversation: str) -> None:
    """Note that images of a conversation are stored before it is."""
    partition, sort = names.owner_partition(owner), names.arrival_sort(conversation)
    await table.put({names.PARTITION_KEY: partition, names.SORT_KEY: sort})


async def end_arrival(table: DynamoTable, owner: str, conversation: str) -> None:
    """Remove the note: the conversation is there, or nothing of it any more."""
    await table.delete(names.owner_partition(owner), names.arrival_sort(conversation))


async def arrivals_of(table: DynamoTable, owner: str) -> list[str]:
    """Return the conversations of which somebody has such a note."""
    partition, prefix = names.owner_partition(owner), names.arrival_sort("")
    notes = await table.query(HashKey(names.PARTITION_KEY, partition) & RangeKey(names.SORT_KEY).begins_with(prefix))
    return [note[names.SORT_KEY].removeprefix(prefix) for note in notes]


async def put_pieces(table: DynamoTable, conversation: str, image: Image) -> None:
    """Store the bytes of an image. Again is fine."""
    items = [
        {
            names.PARTITION_KEY: names.conversation_partition(conversation),
            names.SORT_KEY: names.image_piece_sort(image.id, name),
            names.DATA: piece,
        }
        for name, piece in _pieces(image.data).items()
    ]
    for at in range(0, len(items), _PIECES_AT_ONCE):
        await table.write_many(puts=items[at : at + _PIECES_AT_ONCE])


async def remove_pieces(table: DynamoTable, partition: str, sorts: Sequence[str]) -> None:
    """Remove pieces of images by their sort keys: to remove one costs as much as to write it."""
    for at in range(0, len(sorts), _PIECES_AT_ONCE):
        await table.write_many(deletes=[(partition, sort) for sort in sorts[at : at + _PIECES_AT_ONCE]])


def _head(conversation: str, image: Image) -> Item:
    return {
        names.PARTITION_KEY: names.conversation_partition(conversation),
        names.SORT_KEY: names.image_sort(image.id),
        names.MEDIA_TYPE: image.media_type,
        names.PIECES: list(_pieces(image.data)),
    }


def _is_new() -> Condition:
    return F(names.PARTITION_KEY).does_not_exist()


def _pieces(data: bytes) -> Mapping[str, bytes]:
    """Return the pieces of an image by their names, in order."""
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    return {
        f"{number:03d}-{hashlib.blake2b(piece, digest_size=5).hexdigest()}": piece
        for number, piece in enumerate(pieces)
    }
