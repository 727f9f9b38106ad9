"""A conversation of LibreChat, as its export writes one: a list of messages, or each within its parent."""

import re
from collections.abc import Sequence
from typing import Any, Final

from daehwa.conversation.messages import Part, ReasoningPart, TextPart
from daehwa.transfer.brought_images import (
    BroughtPart,
    ConversationImages,
    QuestionImages,
    address_of,
    inline_image,
    is_inline,
)
from daehwa.transfer.drafts import Draft, Piece, refuse_too_many
from daehwa.transfer.foreign_json import Object, list_in, object_in, text_in
from daehwa.transfer.texts import Lost, call, missing
from daehwa.transfer.times import time_of

PRODUCT: Final = "LibreChat"
_ROOT: Final = "00000000-0000-0000-0000-000000000000"
_THOUGHT_BEGIN: Final = ":::thinking\n"
_THOUGHT_END: Final = "\n:::"
_MARK: Final = re.compile(" ?(?:[\ue200-\ue206](?:turn[0-9]+[a-z]+[0-9]+)?)+")


def is_librechat(value: Object) -> bool:
    """Whether this is one of its conversations."""
    return "messagesTree" in value or ("conversationId" in value and "messages" in value)


def draft_of(value: Object, now: int, images: ConversationImages) -> Draft:
    """Return a conversation."""
    lost = Lost()
    options = object_in(value, "options")
    model = text_in(options, "model") or None
    lost["instructions"] += bool(text_in(options, "promptPrefix", "system"))
    pieces = _pieces([*list_in(value, "messagesTree"), *list_in(value, "messages")], now, lost, images)
    for piece in pieces:
        piece.model = piece.model or (model if piece.role == "assistant" else None)
    return Draft(
        product=PRODUCT,
        id=text_in(value, "conversationId"),
        title=text_in(value, "title") or text_in(options, "title"),
        pieces=pieces,
        lost=lost,
        created=time_of(value.get("createdAt"), now),
        updated=time_of(value.get("updatedAt"), now),
        archived=value.get("isArchived") is True,
        pinned=value.get("pinned") is True,
    )


def _pieces(messages: list[Any], now: int, lost: Lost, images: ConversationImages) -> list[Piece]:
    found: list[Piece] = []
    waiting: list[tuple[Any, str | None]] = [(message, None) for message in reversed(messages)]
    before: str | None = None
    while waiting:
        refuse_too_many(len(found) + len(waiting))
        message, within = waiting.pop()
        if not isinstance(message, dict):
            lost["message"] += 1
            continue
        name = text_in(message, "messageId") or f"{len(found)}"
        # Without branches, what is exported names no parents: each follows the one before.
        parent = text_in(message, "parentMessageId") or within or before
        found.append(_piece(name, within or parent, message, now, lost, images))
        before = name
        waiting += [(child, name) for child in reversed(list_in(message, "children"))]
    return found


def _piece(name: str, parent: str | None, message: Object, now: int, lost: Lost, images: ConversationImages) -> Piece:
    is_user = message.get("isCreatedByUser") is True or text_in(message, "sender").lower() == "user"
    shown = images.of_question() if is_user else None
    is_cut = message.get("unfinished") is True or message.get("error") is True
    return Piece(
        id=name,
        parent=None if parent == _ROOT else parent,
        role="user" if is_user else "assistant",
        parts=[*_content(message, lost, shown), *_files(message, lost, shown)],
        model=None if is_user else text_in(message, "model") or None,
        created=time_of(message.get("createdAt"), now),
        status="stopped" if is_cut and not is_user else "complete",
        finish="length" if text_in(message, "finish_reason") in {"length", "max_tokens"} else None,
    )


def _content(message: Object, lost: Lost, shown: QuestionImages | None) -> list[BroughtPart]:
    found = [part for item in list_in(message, "content") for part in _item(item, lost, shown)]
    text = _unmarked(text_in(message, "text"), lost)
    if any(isinstance(part, TextPart) for part in found) or not text.strip():
        return found
    return [*found, *_with_thought(text)]


def _unmarked(text: str, lost: Lost) -> str:
    """Return a text without its marks of sources, whose addresses stand among what a search found."""
    text, count = _MARK.subn("", text)
    lost["citation"] += count
    return text


def _with_thought(text: str) -> list[Part]:
    end = text.find(_THOUGHT_END, len(_THOUGHT_BEGIN))
    if not text.startswith(_THOUGHT_BEGIN) or end < 0:
        return [TextPart(text)]
    return [ReasoningPart(text[len(_THOUGHT_BEGIN) : end]), TextPart(text[end + len(_THOUGHT_END) :])]


def _item(item: object, lost: Lost, shown: QuestionImages | None) -> Sequence[BroughtPart]:
    kind = text_in(item, "type")
    if kind == "think":
        thought = text_in(item, "think") or text_in(object_in(item, "think"), "value")
        return [ReasoningPart(thought)] if thought else []
    if kind == "tool_call":
        tool = object_in(item, "tool_call")
        lost["tool_result"] += bool(text_in(tool, "output"))
        return [call(text_in(tool, "name"), text_in(tool, "args"), text_in(tool, "id"))]
    if kind.startswith("image"):
        return [inline_image(shown, address_of(item), "", lost)]
    if kind.startswith(("audio", "video")):
        return [TextPart(missing(kind[:5], "", lost))]
    text = text_in(item, "text", "error") or text_in(object_in(item, "text"), "value")
    if text:
        return [TextPart(_unmarked(text, lost))]
    lost["unknown"] += kind not in {"text", "agent_update"}
    return []


def _files(message: Object, lost: Lost, shown: QuestionImages | None) -> list[BroughtPart]:
    files = list_in(message, "files")
    for attachment in list_in(message, "attachments"):
        if text_in(attachment, "filename"):
            files = [*files, attachment]
        else:
            lost["tool_result"] += 1  # what a search found
    names = dict.fromkeys((text_in(file, "filename"), text_in(file, "type"), _inline(file)) for file in files)
    return [
        inline_image(shown, address, name, lost) if kind.startswith("image/") else TextPart(missing("file", name, lost))
        for name, kind, address in names
    ]


def _inline(file: object) -> str:
    """Return where a file lies if it is an image itself: many pasted ones have one name."""
    address = text_in(file, "filepath")
    return address if is_inline(address) else ""
