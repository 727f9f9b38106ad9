import pytest

from daehwa.conversation.errors import (
    ConversationNotFound,
    DaehwaError,
    IdTaken,
    InvalidParent,
    MessageNotFound,
    ReplyStillGrowing,
)
from daehwa.conversation.messages import Conversation, FinishReason, Message, Role, Status, TextPart
from daehwa.conversation.ports import NewTurn
from daehwa.conversation.tree import Stored, check_turn


def stored_message(
    name: str, role: Role, *, conversation: str = "c", status: Status = "complete", finish: FinishReason | None = None
) -> Message:
    return Message(
        id=name, conversation=conversation, parent=None, role=role, parts=(), status=status, finish=finish, created=1
    )


def asked(parent: str | None = None, *, text: str = "Hi") -> Message:
    return Message(id="q", conversation="c", parent=parent, role="user", parts=(TextPart(text),), created=2)


def turn(question: Message | None, *, parent: str | None = None, continue_reply: bool = False) -> NewTurn:
    reply = Message(
        id="r",
        conversation="c",
        parent=question.id if question else parent,
        role="assistant",
        parts=(),
        status="streaming",
        created=2,
    )
    return NewTurn(
        owner="me",
        conversation="c",
        question=question,
        reply=reply,
        title="Hi",
        runner="x",
        continue_reply=continue_reply,
    )


mine = Conversation(id="c", owner="me", title="Hi", created=1, updated=1)
theirs = Conversation(id="c", owner="you", title="Hi", created=1, updated=1)
answer = stored_message("a", "assistant", finish="stop")
cut = stored_message("a", "assistant", finish="length")
broken = stored_message("a", "assistant", status="interrupted")
growing = stored_message("a", "assistant", status="streaming")
question = stored_message("p", "user")


@pytest.mark.parametrize(
    ("new", "stored"),
    [
        (turn(asked()), Stored()),
        (turn(asked()), Stored(conversation=mine)),
        (turn(asked("a")), Stored(conversation=mine, parent=answer)),
        (turn(asked("a")), Stored(conversation=mine, parent=broken)),
        (turn(None, parent="p"), Stored(conversation=mine, parent=question)),
        (turn(None, parent="a", continue_reply=True), Stored(conversation=mine, parent=cut)),
        (turn(None, parent="a", continue_reply=True), Stored(conversation=mine, parent=broken)),
        (turn(asked("a")), Stored(conversation=mine, parent=answer, question=asked("a"))),
    ],
)
def test_these_turns_begin(new: NewTurn, stored: Stored) -> None:
    assert check_turn(new, stored)


def test_the_same_turn_again_is_there_already() -> None:
    new = turn(asked())
    assert not check_turn(new, Stored(conversation=mine, question=new.question, reply=new.reply))


@pytest.mark.parametrize(
    ("new", "stored", "error"),
    [
        (turn(asked()), Stored(conversation=theirs), ConversationNotFound),
        (turn(asked()), Stored(conversation=mine, deleted=True), ConversationNotFound),
        (turn(asked("a")), Stored(), ConversationNotFound),
        (turn(None, parent="p"), Stored(), ConversationNotFound),
        (turn(asked("a")), Stored(conversation=mine), MessageNotFound),
        (
            turn(asked("a")),
            Stored(conversation=mine, parent=stored_message("a", "assistant", conversation="other")),
            MessageNotFound,
        ),
        (turn(None, parent=None), Stored(conversation=mine), MessageNotFound),
        (turn(asked("a")), Stored(conversation=mine, parent=growing), ReplyStillGrowing),
        (turn(asked("p")), Stored(conversation=mine, parent=question), InvalidParent),
        (turn(None, parent="a"), Stored(conversation=mine, parent=answer), InvalidParent),
        (turn(None, parent="a", continue_reply=True), Stored(conversation=mine, parent=answer), InvalidParent),
        (turn(None, parent="p", continue_reply=True), Stored(conversation=mine, parent=question), InvalidParent),
        (turn(asked()), Stored(conversation=mine, question=asked(text="Other")), IdTaken),
        (turn(asked()), Stored(conversation=mine, reply=stored_message("r", "user")), IdTaken),
        (turn(asked()), Stored(conversation=mine, reply=stored_message("r", "assistant")), IdTaken),
    ],
)
def test_these_do_not(new: NewTurn, stored: Stored, error: type[DaehwaError]) -> None:
    with pytest.raises(error):
        check_turn(new, stored)


def test_question_and_reply_need_two_ids() -> None:
    one = Message(id="r", conversation="c", parent=None, role="user", parts=(), created=1)
    with pytest.raises(IdTaken):
        check_turn(turn(one), Stored())
