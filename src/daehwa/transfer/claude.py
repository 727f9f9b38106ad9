"""Conversations of Claude, as the data export of claude.ai holds them: `conversations.json` in a ZIP.

`chat_messages` is a list; newer ones name the message that each follows. Nothing in the export says where a
conversation was open, so it is the newest end.
"""

from typing import Any, Final

from daehwa.conversation.messages import Part, ReasoningPart, TextPart
from daehwa.transfer.brought_images import ConversationImages
from daehwa.transfer.drafts import Draft, Piece, refuse_too_many
from daehwa.transfer.foreign_json import Object, as_json, list_in, object_in, text_in
from daehwa.transfer.texts import Lost, call, cleaned, fenced, links, missing
from daehwa.transfer.times import time_of

PRODUCT: Final = "Claude"
_ROOT: Final = "00000000-0000-4000-8000-000000000000"
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic")
_MAKING: Final = frozenset({"artifacts", "create_file"})
_WITHOUT_TEXT: Final = frozenset({"token_budget", "flag", "redacted_thinking"})


def is_claude(value: Object) -> bool:
    """Whether this is one of its conversations."""
    return "chat_messages" in value


def draft_of(value: Object, now: int, _images: ConversationImages) -> Draft:
    """Return a conversation; there are no images in its exports."""
    lost = Lost()
    given = list_in(value, "chat_messages")
    refuse_too_many(len(given))
    messages = [each for each in given if isinstance(each, dict)]
    lost["message"] += len(given) - len(messages)
    pieces: list[Piece] = []
    before: str | None = None
    for number, message in enumerate(messages):
        name = text_in(message, "uuid") or f"{number}"
        parent = message.get("parent_message_uuid", before)
        pieces.append(_piece(name, parent, message, now, lost))
        before = name
    return Draft(
        product=PRODUCT,
        id=text_in(value, "uuid"),
        title=text_in(value, "name"),
        pieces=pieces,
        lost=lost,
        leaf=text_in(value, "current_leaf_message_uuid") or before,
        created=time_of(value.get("created_at"), now),
        updated=time_of(value.get("updated_at"), now),
        archived=value.get("is_archived") is True,
        pinned=value.get("is_starred") is True,
    )


def _piece(name: str, parent: object, message: Object, now: int, lost: Lost) -> Piece:
    is_human = text_in(message, "sender") in {"human", "user"}
    parts = [part for block in list_in(message, "content") for part in _block(block, lost)]
    if not any(isinstance(part, TextPart) for part in parts) and (text := text_in(message, "text")).strip():
        parts.append(TextPart(text))
    return Piece(
        id=name,
        parent=parent if isinstance(parent, str) and parent != _ROOT else None,
        role="user" if is_human else "assistant",
        parts=[*parts, *_files(message, lost)],
        model=text_in(message, "model") or None,
        created=time_of(message.get("created_at"), now),
        finish="length" if text_in(message, "stop_reason") == "max_tokens" else None,
        status="stopped" if text_in(message, "stop_reason") in {"user_canceled", "user_cancelled"} else "complete",
    )


def _block(block: object, lost: Lost) -> list[Part]:
    kind = text_in(block, "type")
    if kind == "thinking":
        thought = text_in(block, "thinking", "text")
        return [ReasoningPart(thought)] if thought.strip() else []
    if kind == "tool_use":
        return _use(object_in(block, "input"), text_in(block, "name"), text_in(block, "id"))
    if kind == "tool_result":
        lost["tool_result"] += 1
        return []
    if kind in {"image", "document"}:
        return [TextPart(missing("image" if kind == "image" else "file", text_in(block, "file_name", "title"), lost))]
    if text := text_in(block, "text"):
        cited = links(_source(each) for each in list_in(block, "citations"))
        return [TextPart(f"{text} ({cited})" if cited else text)]
    lost["unknown"] += kind not in _WITHOUT_TEXT | {"text"}
    return []


def _source(citation: object) -> tuple[str, str]:
    address = text_in(object_in(citation, "details"), "url") or text_in(citation, "url")
    return text_in(citation, "title"), address


def _use(given: Object, name: str, number: str) -> list[Part]:
    """Return a call, and the text that it made: an artifact, or a file."""
    made = text_in(given, "content", "file_text") if name in _MAKING else ""
    others = {key: value for key, value in given.items() if not made or key not in {"content", "file_text"}}
    found: list[Part] = [call(name, as_json(others), number)]
    if made:
        title = cleaned(text_in(given, "title", "path"))
        language = text_in(given, "language") or ("markdown" if "markdown" in text_in(given, "type") else "")
        found.append(TextPart(f"**{title or name}**\n\n{fenced(made, language)}"))
    return found


def _files(message: Object, lost: Lost) -> list[Part]:
    """Return the text of what was pasted or attached, where it is in the export, else a line that says it is not."""
    found: list[Part] = []
    named: set[str] = set()
    for attachment in list_in(message, "attachments"):
        name, text = text_in(attachment, "file_name"), text_in(attachment, "extracted_content")
        named.add(name)
        if text.strip():
            found.append(TextPart(f"**{cleaned(name) or 'Attachment'}**\n\n{fenced(text)}"))
        else:
            found.append(TextPart(missing("file", name, lost)))
    files: list[Any] = [*list_in(message, "files"), *list_in(message, "files_v2")]
    for name in dict.fromkeys(text_in(file, "file_name", "file_uuid") for file in files):
        if name not in named:
            kind = "image" if name.lower().endswith(_PICTURES) else "file"
            found.append(TextPart(missing(kind, name, lost)))
    return found
