"""Conversations of Open WebUI, as "Export chats" writes them: a list, each with its tree in `chat.history`.

What a model thought, and what it did with tools, stands as HTML within the text: `<details type="reasoning">`.
"""

import html
import re
from collections.abc import Sequence
from typing import Final

from daehwa.conversation.messages import Part, ReasoningPart, TextPart
from daehwa.transfer.brought_images import (
    BroughtPart,
    ConversationImages,
    QuestionImages,
    address_of,
    inline_image,
    is_inline,
)
from daehwa.transfer.drafts import Draft, Piece, links_upwards, refuse_too_many
from daehwa.transfer.foreign_json import Object, list_in, object_in, text_in
from daehwa.transfer.texts import Lost, call, link, links, missing, quoted
from daehwa.transfer.times import time_of

PRODUCT: Final = "Open WebUI"
_BEGIN: Final = '<details type="'
_END: Final = "</details>"
# Both look at each character once, whatever stands there: see that they do, where they are changed.
_ATTRIBUTE: Final = re.compile(r'(?<![a-z_])([a-z_]++)="([^"]*+)"')
_SUMMARY: Final = re.compile(r"\s*+<summary>[^<]*+</summary>")
_QUOTE: Final = re.compile(r"^> ?", re.MULTILINE)


def is_open_webui(value: Object) -> bool:
    """Whether this is one of its conversations, with or without what stands around it."""
    inner = object_in(value, "chat")
    return bool(object_in(inner or value, "history")) or "messages" in inner


def draft_of(value: Object, now: int, images: ConversationImages) -> Draft:
    """Return a conversation."""
    lost = Lost()
    chat = object_in(value, "chat") or value
    history = object_in(chat, "history")
    nodes = object_in(history, "messages")
    refuse_too_many(max(len(nodes), len(list_in(chat, "messages"))))
    above = links_upwards(nodes, "childrenIds")
    pieces = [_piece(name, node, above.get(name), now, lost, images) for name, node in nodes.items()]
    if not pieces:
        pieces = _in_a_row(list_in(chat, "messages"), now, lost, images)
    if text_in(object_in(chat, "params"), "system") or text_in(chat, "system"):
        lost["instructions"] += 1
    return Draft(
        product=PRODUCT,
        id=text_in(value, "id") or text_in(chat, "id"),
        title=text_in(value, "title") or text_in(chat, "title"),
        pieces=pieces,
        lost=lost,
        leaf=text_in(history, "currentId") or None,
        created=time_of(value.get("created_at"), now) or time_of(chat.get("timestamp"), now),
        updated=time_of(value.get("updated_at"), now),
        archived=value.get("archived") is True,
        pinned=value.get("pinned") is True,
    )


def _in_a_row(messages: list[object], now: int, lost: Lost, images: ConversationImages) -> list[Piece]:
    pieces: list[Piece] = []
    for number, message in enumerate(messages):
        piece = _piece(text_in(message, "id") or f"{number}", message, None, now, lost, images)
        if piece.parent is None and pieces:
            piece.parent = pieces[-1].id
        pieces.append(piece)
    return pieces


def _piece(name: str, node: object, above: str | None, now: int, lost: Lost, images: ConversationImages) -> Piece:
    if not isinstance(node, dict):
        lost["message"] += 1
        return Piece(id=name, parent=None, role=None)
    role = text_in(node, "role")
    lost["instructions"] += role == "system"
    shown = images.of_question() if role == "user" else None
    return Piece(
        id=name,
        parent=text_in(node, "parentId") or above,
        role="user" if role == "user" else "assistant" if role == "assistant" else None,
        parts=[*_content(node, lost, shown), *_failure(node), *_sources(node, lost), *_files(node, lost, shown)]
        if role in {"user", "assistant"}
        else [],
        model=text_in(node, "model", "modelName") or None,
        created=time_of(node.get("timestamp"), now),
        status="stopped" if node.get("done") is False else "complete",
    )


def _content(node: Object, lost: Lost, shown: QuestionImages | None) -> Sequence[BroughtPart]:
    content = node.get("content")
    if isinstance(content, str) and content.strip():
        return _split_details(content)
    found: list[BroughtPart] = []
    for item in content if isinstance(content, list) else list_in(node, "output"):
        kind = text_in(item, "type")
        inner = text_in(item, "text") or "".join(text_in(each, "text") for each in list_in(item, "content"))
        if kind == "reasoning":
            found.append(ReasoningPart(inner))
        elif kind == "function_call":
            found.append(call(text_in(item, "name"), text_in(item, "arguments"), text_in(item, "call_id", "id")))
        elif kind == "function_call_output":
            lost["tool_result"] += 1
        elif inner:
            found.append(TextPart(inner))
        elif "image" in kind:
            found.append(inline_image(shown, address_of(item), "", lost))
    return found


def _failure(node: Object) -> list[Part]:
    """Return the sentence by which an answer failed: it stands beside the text, or is all that there is."""
    error = node.get("error")
    said = error if isinstance(error, str) else text_in(object_in(node, "error"), "content", "message")
    return [TextPart(f"\n\n{quoted(said)}")] if said.strip() else []


def _split_details(content: str) -> list[Part]:
    """Return a text as parts: what a model thought and called apart from what it said."""
    found: list[Part] = []
    at = 0
    while (begin := content.find(_BEGIN, at)) >= 0:
        head, end = content.find(">", begin), content.find(_END, begin)
        if head < 0 or end < head:
            break
        found.append(TextPart(content[at:begin]))
        found += _detail(content[begin : head + 1], content[head + 1 : end])
        at = end + len(_END)
    return [*found, TextPart(content[at:])]


def _detail(head: str, inner: str) -> list[Part]:
    attributes = dict(_ATTRIBUTE.findall(head))
    kind = attributes.get("type", "")
    summary = _SUMMARY.match(inner)
    text = html.unescape(inner if summary is None else inner[summary.end() :]).strip()
    if kind == "reasoning":
        return [ReasoningPart(_QUOTE.sub("", text))]
    if kind == "tool_calls":
        arguments = html.unescape(attributes.get("arguments", ""))
        return [call(html.unescape(attributes.get("name", "tool")), arguments, attributes.get("id", ""))]
    return [TextPart(text)]


def _sources(node: Object, lost: Lost) -> list[Part]:
    """Return a line of links: the text names its sources by numbers, if at all."""
    sources = [object_in(each, "source") for each in list_in(node, "sources")]
    found = links((text_in(source, "name"), text_in(source, "url")) for source in sources)
    lost["citation"] += sum(not link("", text_in(source, "url")) for source in sources)
    return [TextPart(f"({found})")] if found else []


def _files(node: Object, lost: Lost, shown: QuestionImages | None) -> list[BroughtPart]:
    found: list[BroughtPart] = []
    for file in list_in(node, "files"):
        name = text_in(file, "name") or text_in(object_in(file, "file"), "filename")
        address = text_in(file, "url")
        if text_in(file, "type") == "image" or is_inline(address):
            found.append(inline_image(shown, address, name, lost))
        else:
            found.append(TextPart(missing("file", name, lost)))
    return found
