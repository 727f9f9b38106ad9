"""A conversation of LibreChat, as its export writes one: a list of messages, or each within its parent."""

import re
from typing import Any, Final

from daehwa.conversation.messages import Part, ReasoningPart, TextPart
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


def draft_of(value: Object, now: int) -> Draft:
    """Return a conversation."""
    lost = Lost()
    options = object_in(value, "options")
    model = text_in(options, "model") or None
    lost["instructions"] += bool(text_in(options, "promptPrefix", "system"))
    pieces = _pieces([*list_in(value, "messagesTree"), *list_in(value, "messages")], model, now, lost)
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


def _pieces(messages: list[Any], model: str | None, now: int, lost: Lost) -> list[Piece]:
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
        found.append(_piece(name, within or parent, message, model, now, lost))
        before = name
        waiting += [(child, name) for child in reversed(list_in(message, "children"))]
    return found


def _piece(name: str, parent: str | None, message: Object, model: str | None, now: int, lost: Lost) -> Piece:
    is_user = message.get("isCreatedByUser") is True or text_in(message, "sender").lower() == "user"
    is_cut = message.get("unfinished") is True or message.get("error") is True
    return Piece(
        id=name,
        parent=None if parent == _ROOT else parent,
        role="user" if is_user else "assistant",
        parts=[*_content(message, lost), *_files(message, lost)],
        model=None if is_user else text_in(message, "model") or model,
        created=time_of(message.get("createdAt"), now),
        status="stopped" if is_cut and not is_user else "complete",
        finish="length" if text_in(message, "finish_reason") in {"length", "max_tokens"} else None,
    )


def _content(message: Object, lost: Lost) -> list[Part]:
    found = [part for item in list_in(message, "content") for part in _item(item, lost)]
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


def _item(item: object, lost: Lost) -> list[Part]:
    kind = text_in(item, "type")
    if kind == "think":
        thought = text_in(item, "think") or text_in(object_in(item, "think"), "value")
        return [ReasoningPart(thought)] if thought else []
    if kind == "tool_call":
        tool = object_in(item, "tool_call")
        lost["tool_result"] += bool(text_in(tool, "output"))
        return [call(text_in(tool, "name"), text_in(tool, "args"), text_in(tool, "id"))]
    if kind.startswith(("image", "audio", "video")):
        return [TextPart(missing(kind[:5], "", lost))]
    text = text_in(item, "text", "error") or text_in(object_in(item, "text"), "value")
    if text:
        return [TextPart(_unmarked(text, lost))]
    lost["unknown"] += kind not in {"text", "agent_update"}
    return []


def _files(message: Object, lost: Lost) -> list[Part]:
    files = list_in(message, "files")
    for attachment in list_in(message, "attachments"):
        if text_in(attachment, "filename"):
            files = [*files, attachment]
        else:
            lost["tool_result"] += 1  # what a search found
    names = dict.fromkeys((text_in(file, "filename"), text_in(file, "type")) for file in files)
    return [TextPart(missing("image" if kind.startswith("image/") else "file", name, lost)) for name, kind in names]
