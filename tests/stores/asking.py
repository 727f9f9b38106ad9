"""Turns and answers made up for the tests of stores; every id is new unless it is given."""

import os
from itertools import count
from typing import Any

import msgspec

from daehwa.conversation.ids import new_id
from daehwa.conversation.images import Image
from daehwa.conversation.messages import ImagePart, Message, Part, TextPart
from daehwa.conversation.ports import BegunTurn, Checkpoint, ConversationStore, NewTurn, SearchHit

ME, OTHER = "me", "somebody-else"
RUNNER = "runner-1"
_clock = count(1_795_000_000_000, 1000)


def next_moment() -> int:
    return next(_clock)


def text(words: str) -> tuple[Part, ...]:
    return (TextPart(words),)


def an_image(size: int = 100, **given: Any) -> Image:
    """Return an image that begins as a PNG and is like no other."""
    beginning = b"\x89PNG\r\n\x1a\n"
    return Image(given.get("id") or new_id(), "image/png", beginning + os.urandom(size - len(beginning)))


def shown(image: Image) -> ImagePart:
    return ImagePart(image.id, image.media_type, len(image.data), width=640, height=480)


def _position(words: str) -> int:
    return 1 + len(words)  # the part's start has one of its own


def make_turn(words: str | None = "What is a tree?", **given: Any) -> NewTurn:
    """Return a turn; `words` None is one without a question. `parent`, `owner`, `conversation`, ids and `at` are given
    as needed; `shows` are images of the question, `images` those of them that come with it (all, unless given).
    """
    conversation, parent = given.get("conversation") or new_id(), given.get("parent")
    at = given.get("at") or next_moment()
    question = None
    if words is not None:
        question = Message(
            id=given.get("question") or new_id(),
            conversation=conversation,
            parent=parent,
            role="user",
            parts=(*map(shown, given.get("shows", ())), *(text(words) if words else ())),
            created=at,
        )
    reply = Message(
        id=given.get("reply") or new_id(),
        conversation=conversation,
        parent=parent if question is None else question.id,
        role="assistant",
        parts=(),
        status="streaming",
        model=given.get("model", "test/parrot"),
        created=at,
        heartbeat=at,
    )
    return NewTurn(
        owner=given.get("owner", ME),
        conversation=conversation,
        question=question,
        reply=reply,
        title=given.get("title", words or ""),
        runner=given.get("runner", RUNNER),
        images=tuple(given.get("images", given.get("shows", ()))),
        continue_reply=given.get("continue_reply", False),
        context_window=given.get("context_window"),
    )


def grown(reply: Message, words: str, at: int | None = None) -> Checkpoint:
    """Return a checkpoint of a reply that has grown to these words."""
    return Checkpoint(
        reply=reply.id,
        conversation=reply.conversation,
        parts=text(words),
        position=_position(words),
        heartbeat=at or next_moment(),
    )


def beat(reply: Message, at: int) -> Checkpoint:
    return Checkpoint(
        reply=reply.id, conversation=reply.conversation, parts=None, position=reply.position, heartbeat=at
    )


def ended(reply: Message, words: str, **fields: Any) -> Message:
    """Return a reply as it is when it ends."""
    fields = {"status": "complete", "finish": "stop", **fields}
    return msgspec.structs.replace(reply, parts=text(words), position=_position(words), **fields)


async def ask(store: ConversationStore, words: str | None, answer: str = "An answer.", **given: Any) -> BegunTurn:
    """Store a whole turn with its answer."""
    begun = await store.begin_turn(make_turn(words, **given))
    await store.finish_reply(ended(begun.reply, answer))
    return begun


async def titles(store: ConversationStore, owner: str = ME, **asked: Any) -> list[str]:
    page = await store.list_conversations(owner, **asked)
    return [conversation.title for conversation in page.conversations]


async def found(store: ConversationStore, query: str, owner: str = ME) -> list[str]:
    """Return the titles of what is found."""
    return [hit.conversation.title for hit in await store.search_conversations(owner, query)]


def marked(hit: SearchHit) -> tuple[str, str]:
    """Return title and snippet of a hit with brackets round what matches."""
    title, snippet = (
        "".join(f"[{piece.text}]" if piece.match else piece.text for piece in segments)
        for segments in (hit.title, hit.snippet)
    )
    return title, snippet
