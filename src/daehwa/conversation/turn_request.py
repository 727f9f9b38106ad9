"""A turn as a client asks for it, and what becomes of it in a store."""

import msgspec

from daehwa.conversation.errors import InvalidParent
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Message, Part, title_from
from daehwa.conversation.ports import Model, NewTurn
from daehwa.conversation.terms import OPEN_TERMS, Terms


class Question(msgspec.Struct, frozen=True):
    """A question as the client sends it."""

    id: str
    parent: str | None
    parts: tuple[Part, ...]


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


def new_turn(request: TurnRequest, model: Model, runner: str) -> NewTurn:
    """Return a turn as it is to be stored. Raise `InvalidParent` where it is about nothing."""
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
            parts=asked.parts,
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
        title=title_from(question.text) if question is not None else "",
        runner=runner,
        continue_reply=request.continue_reply,
        context_window=model.context_window,
    )
