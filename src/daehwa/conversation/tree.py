"""The rules of a conversation's tree, pure: may this turn begin, given what is stored?"""

from collections.abc import Collection

import msgspec

from daehwa.conversation.errors import (
    ConversationNotFound,
    IdTaken,
    InvalidParent,
    MessageNotFound,
    ReplyStillGrowing,
)
from daehwa.conversation.images import Image, ImageNotFound
from daehwa.conversation.messages import Conversation, Message
from daehwa.conversation.ports import NewTurn


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under the ids that a turn names, whoever owns it; None where nothing is.

    `parent` is the message that the question (or, without one, the reply) names as its parent.
    `deleted` says whether the conversation is deleted.
    """

    conversation: Conversation | None = None
    deleted: bool = False
    question: Message | None = None
    reply: Message | None = None
    parent: Message | None = None


def check_turn(turn: NewTurn, stored: Stored) -> bool:
    """Return True if the turn is to be stored, False if this very turn is there already; else raise.

    Raises `ConversationNotFound`, `IdTaken`, `MessageNotFound`, `InvalidParent`, `ReplyStillGrowing`.
    """
    conversation = stored.conversation
    if stored.deleted or (conversation is not None and conversation.owner != turn.owner):
        raise ConversationNotFound
    if stored.reply is not None:
        if _is_same_reply(turn, stored.reply):
            return False
        raise IdTaken("reply")
    if conversation is None and (turn.question is None or turn.question.parent is not None):
        raise ConversationNotFound
    if turn.question is None:
        _check_further_reply(turn, stored.parent)
    else:
        _check_question(turn, turn.question, stored)
    return True


def images_named(turn: NewTurn) -> tuple[str, ...]:
    """Return the ids of the images that the question of a turn names, each once."""
    return () if turn.question is None else tuple(dict.fromkeys(part.image for part in turn.question.images))


def new_images(turn: NewTurn, there: Collection[str]) -> tuple[Image, ...]:
    """Return the images that are to be stored with a turn: those that its question names and that are not `there`, by
    their ids in its conversation. Raise `ImageNotFound` where it names one that is neither given nor there.
    """
    given = {image.id: image for image in turn.images}
    new = [image for image in images_named(turn) if image not in there]
    if not given.keys() >= set(new):
        raise ImageNotFound("message.parts")
    return tuple(given[image] for image in new)


def _is_same_reply(turn: NewTurn, reply: Message) -> bool:
    return reply.conversation == turn.conversation and reply.role == "assistant" and reply.parent == turn.reply.parent


def _check_question(turn: NewTurn, question: Message, stored: Stored) -> None:
    if question.id == turn.reply.id:
        raise IdTaken("reply")
    there = stored.question
    if there is not None:
        same = (there.conversation, there.parent, there.role, there.parts) == (
            turn.conversation,
            question.parent,
            question.role,
            question.parts,
        )
        if not same:
            raise IdTaken("message.id")
    if question.parent is None:
        return
    parent = _check_parent(turn, question.parent, stored.parent)
    if parent.role != "assistant":
        raise InvalidParent("A question follows an answer, or stands at the beginning.", param="message.parent")


def _check_further_reply(turn: NewTurn, parent: Message | None) -> None:
    parent = _check_parent(turn, turn.reply.parent, parent)
    if not turn.continue_reply and parent.role != "user":
        raise InvalidParent("Without a new question, an answer belongs to a question.", param="parent")
    if turn.continue_reply and parent.role != "assistant":
        raise InvalidParent("Only an answer can be continued.", param="parent")
    if turn.continue_reply and parent.status == "complete" and parent.finish != "length":
        raise InvalidParent("This answer is complete; there is nothing to continue.", param="parent")


def _check_parent(turn: NewTurn, name: str | None, parent: Message | None) -> Message:
    if name is None or parent is None or parent.conversation != turn.conversation:
        raise MessageNotFound("parent")
    if parent.status == "streaming":
        raise ReplyStillGrowing
    return parent
