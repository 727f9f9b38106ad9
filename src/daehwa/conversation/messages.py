"""Conversations and messages: frozen values. Times are milliseconds since the Unix epoch, ids are UUIDv7."""

from typing import Literal

import msgspec

from daehwa.conversation.budget import NamedBudget

Role = Literal["system", "user", "assistant"]
Status = Literal["complete", "streaming", "stopped", "interrupted", "failed"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
TitleSource = Literal["question", "model", "user"]
ImageType = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]

MESSAGE_CHARACTERS = 200_000
TITLE_CHARACTERS = 200
FIRST_TITLE_CHARACTERS = 60


class TextPart(msgspec.Struct, frozen=True, gc=False, tag="text", tag_field="type"):
    """Text that the reader sees; Markdown in a reply."""

    text: str


class ReasoningPart(msgspec.Struct, frozen=True, gc=False, tag="reasoning", tag_field="type"):
    """What a reasoning model shows of its thinking."""

    text: str


class ToolCallPart(msgspec.Struct, frozen=True, gc=False, tag="tool_call", tag_field="type"):
    """A call that the model asks for; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class ImagePart(msgspec.Struct, frozen=True, gc=False, tag="image", tag_field="type"):
    """An image that a question shows: `image` is the id of an `Image` of the same conversation, `size` its bytes,
    `width` and `height` its pixels as the client says them, so that a page keeps room for it.
    """

    image: str
    media_type: ImageType
    size: int
    width: int
    height: int


Part = TextPart | ReasoningPart | ToolCallPart | ImagePart


def body_of(part: Part) -> str:
    """Return what a part says: its text, or a call's arguments; of an image nothing."""
    if isinstance(part, ImagePart):
        return ""
    return part.arguments if isinstance(part, ToolCallPart) else part.text


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Tokens as the upstream counted them; `cached` is part of `input`, `reasoning` part of `output`.

    `estimated`: the upstream counted nothing, so these are our own guess. `cost` is in micro-dollars, None where no
    price is known.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False
    cost: int | None = None


class Failure(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Why a reply failed or was interrupted: a stable `type`, a sentence, seconds to wait where known, and the budget
    that had no room.
    """

    type: str
    message: str
    retry_after: float | None = None
    budget: NamedBudget | None = None


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One node of a conversation's tree; never rewritten by a later turn.

    `position` numbers the last event folded into `parts` (see `reply.py`). `heartbeat` is the last sign of life
    of the turn that makes a streaming reply.
    """

    id: str
    conversation: str
    parent: str | None
    role: Role
    parts: tuple[Part, ...]
    status: Status = "complete"
    model: str | None = None
    finish: FinishReason | None = None
    usage: Usage | None = None
    error: Failure | None = None
    created: int
    position: int = 0
    heartbeat: int | None = None

    @property
    def text(self) -> str:
        """The text that the reader sees, without reasoning and tool calls."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The images that it shows."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))


class Conversation(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A tree of messages with one owner. `leaf` is the message at whose end the reader last was."""

    id: str
    owner: str
    title: str
    title_source: TitleSource = "question"
    model: str | None = None
    leaf: str | None = None
    pinned: bool = False
    archived: bool = False
    created: int
    updated: int


def title_from(question: str) -> str:
    """Return a question, on one line and shortened, as a conversation's first title."""
    line = " ".join(question.split())
    return line if len(line) <= FIRST_TITLE_CHARACTERS else line[: FIRST_TITLE_CHARACTERS - 1].rstrip() + "…"
