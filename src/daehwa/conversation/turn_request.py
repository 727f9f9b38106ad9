"""A turn as a client asks for it, and what becomes of it in a store."""

import msgspec

from daehwa.conversation.errors import InvalidParent
from daehwa.conversation.ids import now_ms
from daehwa.conversation.image_reading import AskedImage, QuestionImages
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Message, Part, title_from
from daehwa.conversation.ports import Model, NewTurn
from daehwa.conversation.terms import OPEN_TERMS, Terms

IMAGE_TITLE = "Image"
"""The first title of a conversation whose question says nothing and shows something."""
NO_IMAGES = QuestionImages()


class Question(msgspec.Struct, frozen=True):
    """A question as the client sends it: the images that it shows, and its text after them."""

    id: str
    parent: str | None
    parts: tuple[Part, ...]
    images: tuple[AskedImage, ...] = ()


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as a client asks for it: a `question`, or the `parent` of a further reply. `deadline` (ms since 1970) is
    when this process will be stopped, where that is known: the turn ends before it. `terms` are those of who asks.
    """

    owner: str
    conversation: str
    reply: str
    model: str | None = None
    question: Question | None = None
    parent: str | None = None
    continue_reply: bool = False
    deadline: int | None = None
    terms: Terms = OPEN_TERMS


class TurnWish(msgspec.Struct, frozen=True, kw_only=True):
    """How a turn is to be made: going on with a reply or not, under which terms, and, where there is such a time, when
    it must have ended (`until`, ms). `images` are those of its question, which need not be read again.
    """

    continue_reply: bool = False
    terms: Terms = OPEN_TERMS
    until: int | None = None
    images: tuple[Image, ...] = ()


def new_turn(request: TurnRequest, model: Model, runner: str, images: QuestionImages = NO_IMAGES) -> NewTurn:
    """Return a turn as it is to be stored; `images` are those of its question. Raise `InvalidParent` where it is about
    nothing.
    """
    now = now_ms()
    asked = request.question
    if asked is None and request.parent is None:
        raise InvalidParent("Give a 'message' to ask, or the 'parent' of a further answer.", param="parent")
    question = None
    if asked is not None:
        question = Message(
            id=asked.id,
            conversation=request.conversation,
            parent=asked.parent,
            role="user",
            parts=(*images.parts, *asked.parts),
            created=now,
        )
    reply = Message(
        id=request.reply,
        conversation=request.conversation,
        parent=asked.id if asked is not None else request.parent,
        role="assistant",
        parts=(),
        status="streaming",
        model=model.id,
        created=now,
        heartbeat=now,
    )
    return NewTurn(
        owner=request.owner,
        conversation=request.conversation,
        question=question,
        reply=reply,
        title=_title(question) if question is not None else "",
        runner=runner,
        images=images.new,
        continue_reply=request.continue_reply,
        context_window=model.context_window,
    )


def _title(question: Message) -> str:
    return title_from(question.text) or (IMAGE_TITLE if question.images else "")
