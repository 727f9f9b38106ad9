"""Images in the database: rows of their own, which nothing reads that is not asked for an image."""

# ruff: noqa: S608 - what is put together are marks of ours
import sqlite3
from collections.abc import Iterable, Sequence
from typing import get_args

from daehwa.conversation.images import Image, ImageNotFound
from daehwa.conversation.messages import ImageType
from daehwa.stores.sqlite_connection import is_damage
from daehwa.stores.sqlite_rows import owned_conversation

_INSERT = "INSERT OR IGNORE INTO images (conversation, id, media_type, data) VALUES (?, ?, ?, ?)"
_MEDIA_TYPES = frozenset(get_args(ImageType))
_PURGED_AT_ONCE = 4
"""Each is written over with zeros, while others wait."""


def images_there(database: sqlite3.Connection, conversation: str, images: Sequence[str]) -> frozenset[str]:
    """Return which of these ids are those of images that are there, without reading them."""
    marks = ", ".join("?" * len(images))
    rows = database.execute(
        f"SELECT i.id FROM conversations c CROSS JOIN images i ON i.conversation = c.seq AND i.id IN ({marks}) "
        "WHERE c.id = ?",
        (*images, conversation),
    )
    return frozenset(row[0] for row in rows)


def insert_images(database: sqlite3.Connection, conversation: int, images: Iterable[Image]) -> int:
    """Store those images of a conversation that are not there yet; return how many these are."""
    rows = ((conversation, image.id, image.media_type, image.data) for image in images)
    return database.executemany(_INSERT, rows).rowcount


def get_image(database: sqlite3.Connection, owner: str, conversation: str, image: str) -> Image:
    """Return an image of an owner's conversation. Raise `ConversationNotFound`; `ImageNotFound`, of a damaged one too:
    the conversation goes on without it.
    """
    number = owned_conversation(database, owner, conversation)[-1]
    try:
        row = database.execute(
            "SELECT id, media_type, data FROM images WHERE conversation = ? AND id = ?", (number, image)
        ).fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise ImageNotFound from error
        raise
    if row is None or row[1] not in _MEDIA_TYPES:
        raise ImageNotFound
    return Image(*row)


def images_of(database: sqlite3.Connection, conversation: int) -> list[Image]:
    """Return all images of a conversation, in the order in which they came."""
    rows = database.execute(
        "SELECT id, media_type, data FROM images WHERE conversation = ? ORDER BY seq", (conversation,)
    )
    return [Image(*row) for row in rows]


def purge_images(database: sqlite3.Connection, conversation: int) -> bool:
    """Remove some images of a conversation; return whether none is left."""
    removed = database.execute(
        "DELETE FROM images WHERE seq IN (SELECT seq FROM images WHERE conversation = ? LIMIT ?)",
        (conversation, _PURGED_AT_ONCE),
    ).rowcount
    return removed < _PURGED_AT_ONCE
