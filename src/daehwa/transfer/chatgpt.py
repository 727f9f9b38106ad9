"""Conversations of ChatGPT, as its data export holds them: `conversations.json`, or shards of it since early 2026.

Each is a `mapping` of nodes. Old ones name parent and children, new ones the parent alone. Most nodes are nothing that
anybody was shown: system messages, what a tool was told and said, what is known of the person.
"""

from collections.abc import Sequence
from typing import Final

from daehwa.conversation.messages import FinishReason, Part, ReasoningPart, Status, TextPart
from daehwa.transfer.brought_images import BroughtPart, ConversationImages
from daehwa.transfer.chatgpt_texts import Sources, parts_of, written_in
from daehwa.transfer.drafts import Draft, Piece, links_upwards, refuse_too_many
from daehwa.transfer.foreign_json import NotJson, Object, decoded, list_in, object_in, text_in
from daehwa.transfer.texts import Lost, call, fenced, link, quoted
from daehwa.transfer.times import time_of

PRODUCT: Final = "ChatGPT"
_INSTRUCTIONS: Final = frozenset({"user_editable_context", "model_editable_context"})
_UNSHOWN_RESULTS: Final = frozenset(
    {"tether_browsing_display", "sonic_webpage", "browser_window", "tether_browsing_code"}
)
_CODE_RUNNERS: Final = frozenset({"python", "code_interpreter", "container.exec"})
_FINISH: Final[dict[str, FinishReason]] = {"stop": "stop", "max_tokens": "length"}


def is_chatgpt(value: Object) -> bool:
    """Whether this is one of its conversations, or what is left of one."""
    return "mapping" in value or ("current_node" in value and "create_time" in value) or "default_model_slug" in value


def draft_of(value: Object, now: int, images: ConversationImages) -> Draft:
    """Return a conversation."""
    lost = Lost()
    mapping = object_in(value, "mapping")
    refuse_too_many(len(mapping))
    above = links_upwards(mapping, "children")
    created = time_of(value.get("create_time"), now)
    return Draft(
        product=PRODUCT,
        id=text_in(value, "conversation_id", "id"),
        title=text_in(value, "title"),
        pieces=[_piece(name, node, above.get(name), now, lost, images) for name, node in mapping.items()],
        lost=lost,
        leaf=text_in(value, "current_node") or None,
        created=created,
        updated=time_of(value.get("update_time"), now),
        archived=value.get("is_archived") is True,
        pinned=value.get("is_starred") is True,
    )


def _piece(name: str, node: object, above: str | None, now: int, lost: Lost, images: ConversationImages) -> Piece:
    message = object_in(node, "message")
    if not isinstance(node, dict) or (node.get("message") is not None and not message):
        lost["message"] += 1
    metadata = object_in(message, "metadata")
    parent = text_in(node, "parent") or text_in(metadata, "parent_id") or above
    piece = Piece(id=name, parent=parent, role=None, created=time_of(message.get("create_time"), now))
    role, content = text_in(object_in(message, "author"), "role"), object_in(message, "content")
    if (
        metadata.get("is_visually_hidden_from_conversation") is True
        or text_in(content, "content_type") in _INSTRUCTIONS
    ):
        lost["instructions"] += text_in(content, "content_type") in _INSTRUCTIONS
        return piece
    if role == "user":
        piece.role = "user"
        piece.parts = parts_of(content, metadata, lost, images.of_question())
    elif role == "assistant":
        piece.role = "assistant"
        piece.parts = _said(message, content, metadata, lost)
        piece.model = text_in(metadata, "model_slug", "resolved_model_slug", "default_model_slug") or None
        piece.status, piece.finish = _end(message, metadata)
    elif role == "tool":
        piece.role = "assistant"
        piece.parts = _result(content, metadata, lost)
    elif role != "system" and written_in(content).strip():
        lost["unknown"] += 1
    return piece


def _end(message: Object, metadata: Object) -> tuple[Status, FinishReason | None]:
    how = text_in(object_in(metadata, "finish_details"), "type")
    is_cut = how == "interrupted" or text_in(message, "status") == "in_progress"
    return ("stopped" if is_cut else "complete"), _FINISH.get(how)


def _said(message: Object, content: Object, metadata: Object, lost: Lost) -> Sequence[BroughtPart]:
    kind, recipient = text_in(content, "content_type"), text_in(message, "recipient")
    if kind == "thoughts":
        return [ReasoningPart(text) for each in list_in(content, "thoughts") if (text := _thought(each))]
    if kind == "reasoning_recap":
        recap = text_in(content, "content", "text")
        return [ReasoningPart(recap)] if recap else []
    if recipient in {"", "all", "final"}:
        return parts_of(content, metadata, lost)
    told = written_in(content)
    if recipient in _CODE_RUNNERS:
        return [TextPart(fenced(told, text_in(content, "language") or "python"))] if told.strip() else []
    return [call(recipient, told, text_in(message, "id")), *_document(recipient, told)]


def _thought(thought: object) -> str:
    summary, content = text_in(thought, "summary"), text_in(thought, "content")
    return f"**{summary}**\n\n{content}".strip() if summary else content


def _document(recipient: str, told: str) -> list[Part]:
    """Return the text that a canvas was begun with."""
    if recipient != "canmore.create_textdoc":
        return []
    try:
        document = decoded(told.encode("utf-8", "surrogatepass"))
    except NotJson:
        return []
    text = text_in(document, "content")
    return [TextPart(f"**{text_in(document, 'name')}**\n\n{fenced(text, 'markdown')}")] if text else []


def _result(content: Object, metadata: Object, lost: Lost) -> Sequence[BroughtPart]:
    """Return what is shown of what a tool said."""
    kind = text_in(content, "content_type")
    if kind == "execution_output":
        output = text_in(content, "text")
        return [TextPart(fenced(output, "text"))] if output.strip() else []
    if kind == "tether_quote":
        source = link(text_in(content, "title", "domain"), text_in(content, "url"))
        quote = "\n\n".join(text for text in (source, text_in(content, "text")) if text)
        return [TextPart(quoted(Sources(metadata, lost).within(quote)))] if quote else []
    if kind == "multimodal_text":
        objects = [part for part in list_in(content, "parts") if isinstance(part, dict)]
        return parts_of({**content, "parts": objects}, metadata, lost)
    if kind == "system_error":
        return [TextPart(fenced(text_in(content, "text", "name"), "text"))]
    if kind in _UNSHOWN_RESULTS or any(list_in(content, "parts")) or text_in(content, "text", "result"):
        lost["tool_result"] += 1
    return []
