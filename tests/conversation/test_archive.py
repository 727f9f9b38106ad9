"""What may come into a store as a conversation: the rules alone."""

import msgspec
import pytest

from daehwa.conversation.archive import arriving
from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import InvalidId, InvalidRequest
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Conversation, Message, TextPart


@pytest.fixture
def record() -> ConversationRecord:
    name, question, reply = new_id(), new_id(), new_id()
    return ConversationRecord(
        conversation=Conversation(id=name, owner="me", title="Hi", leaf=reply, created=1, updated=2),
        messages=(
            Message(id=question, conversation=name, parent=None, role="user", parts=(TextPart("Hi"),), created=1),
            Message(
                id=reply, conversation=name, parent=question, role="assistant", parts=(), status="streaming", created=2
            ),
        ),
    )


def opened_at(record: ConversationRecord, leaf: str | None) -> ConversationRecord:
    conversation = msgspec.structs.replace(record.conversation, leaf=leaf)
    return msgspec.structs.replace(record, conversation=conversation)


def test_nobody_goes_on_with_what_arrives(record: ConversationRecord) -> None:
    assert [message.status for message in arriving(record).messages] == ["complete", "interrupted"]


def test_a_conversation_is_open_at_one_of_its_messages_or_at_none(record: ConversationRecord) -> None:
    assert arriving(opened_at(record, None)).conversation.leaf is None
    with pytest.raises(InvalidRequest, match="open at a message that it does not have"):
        arriving(opened_at(record, new_id()))


def test_parents_stand_before_their_children(record: ConversationRecord) -> None:
    with pytest.raises(InvalidRequest, match="does not fit"):
        arriving(msgspec.structs.replace(record, messages=tuple(reversed(record.messages))))


def test_an_id_is_one_that_a_client_could_have_made(record: ConversationRecord) -> None:
    conversation = msgspec.structs.replace(record.conversation, id="../x")
    with pytest.raises(InvalidId):
        arriving(msgspec.structs.replace(record, conversation=conversation, messages=()))
