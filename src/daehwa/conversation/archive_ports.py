"""What is needed to move conversations between stores, as protocols that the core owns. The docstrings are the
contract, as in `ports.py`.
"""

from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message, Usage
from daehwa.conversation.ports import ConversationStore


class ConversationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is stored of one conversation. `messages` are in the order of `get_conversation`; `deleted` (ms) where
    it was deleted and can still be restored; `title_usage` are the tokens that its titles took; `images` are those that
    its messages name. One that is missing is shown as missing, one that no message names as it is stored is not stored.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    images: tuple[Image, ...] = ()
    deleted: int | None = None
    title_usage: Usage | None = None


Outcome: TypeAlias = Literal["added", "restored", "changed", "same"]


class Imported(NamedTuple):
    """What became of a record, and how many images were stored that were not there."""

    outcome: Outcome
    images: int


class ConversationArchive(Protocol):
    """A store whose conversations can be moved to another store and back, whole."""

    def export_conversations(
        self, owner: str | None = None, *, left_out: Callable[[str], None] | None = None
    ) -> AsyncIterator[ConversationRecord]:
        """Yield every conversation, of one owner or of all, archived and deleted ones too, one at a time, the one
        that was used last at the end. A reply that is growing is given as far as it is stored. A conversation that
        cannot be read is told to `left_out` in a sentence; without that, `Unreadable` is raised.
        """
        ...

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        """Store a record and make it found by search. Messages and images that are there stay as they are, except that
        a final message takes the place of one that is not final; a conversation that is there keeps the later `updated`
        with all that belongs to it. One that was deleted here and not where the record is from is brought back
        ("restored"). The same record again changes nothing ("same"). A streaming reply is stored as "interrupted".
        Raise `OwnedByAnother` where the conversation is another owner's, `IdTaken` where a message is in another
        conversation, `InvalidRequest` where the messages are no tree, or a number is out of range; nothing of the
        record is then stored.
        """
        ...


class KeptConversations(ConversationStore, ConversationArchive, Protocol):
    """A store of conversations from which they can be taken along: both homes have one."""
