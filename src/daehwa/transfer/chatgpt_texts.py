"""The text of a message of ChatGPT: its parts, its files, and its marks of sources. Pure.

A mark of a source is a name between private-use characters, `U+E200 cite U+E202 turn0search1 U+E201`, whose address
stands in the message's `content_references`; in older ones it is `【12†source】`, named by its place in `citations`.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from daehwa.conversation.messages import Part, TextPart
from daehwa.transfer.foreign_json import NotJson, Object, decoded, list_in, text_in
from daehwa.transfer.texts import Lost, fenced, link, missing

_MARK: Final = re.compile("\ue200([^\ue200\ue201]*+)\ue201")
_LEFT_OVER: Final = re.compile("[\ue200-\ue20f]")
_POINTERS: Final = {
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "video_container_asset_pointer": "video",
    "real_time_user_audio_video_asset_pointer": "audio",
}
_MOST_LINKS: Final = 5


def parts_of(content: Object, metadata: Object, lost: Lost) -> list[Part]:
    """Return what somebody wrote, with a line for each file that came with it."""
    kind = text_in(content, "content_type")
    attachments = {text_in(each, "id"): text_in(each, "name") for each in list_in(metadata, "attachments")}
    texts: list[str] = []
    if kind == "code":
        code = text_in(content, "text") or "\n".join(_strings(content))
        texts.append(fenced(code, text_in(content, "language")) if code.strip() else "")
    elif isinstance(content.get("parts"), list):
        texts += [_part(part, attachments, metadata, lost) for part in content["parts"]]
    elif text := text_in(content, "text", "result", "content"):
        texts.append(with_sources(text, metadata, lost))
    elif content and kind not in {"text", "multimodal_text"}:
        lost["unknown"] += 1
        texts.append(missing("unknown", kind, Lost()))
    texts += [missing("file", name, lost) for name in attachments.values()]
    return [TextPart(text) for text in texts if text.strip()]


def _strings(content: Object) -> list[str]:
    return [part for part in list_in(content, "parts") if isinstance(part, str)]


def _part(part: object, attachments: dict[str, str], metadata: Object, lost: Lost) -> str:
    if isinstance(part, str):
        return with_sources(part, metadata, lost)
    kind = text_in(part, "content_type")
    if kind == "audio_transcription":
        return text_in(part, "text")
    if kind in _POINTERS:
        pointer = text_in(part, "asset_pointer").rpartition("/")[2]
        named = attachments.pop(pointer, "") or attachments.pop(pointer.partition("#")[0], "")
        return missing(_POINTERS[kind], named, lost)
    if text := text_in(part, "text", "result"):
        return with_sources(text, metadata, lost)
    if part is None:
        return ""
    lost["unknown"] += 1
    return missing("unknown", kind, Lost())


def with_sources(text: str, metadata: Object, lost: Lost) -> str:
    """Return a text with links in place of its marks of sources; a mark without an address is left out and counted."""
    text = _with_citations(text, list_in(metadata, "citations"))
    if "\ue200" not in text:
        return _LEFT_OVER.sub("", text)
    known = {
        text_in(each, "matched_text"): each
        for each in list_in(metadata, "content_references")
        if text_in(each, "matched_text")
    }
    return _LEFT_OVER.sub("", _MARK.sub(_replaced(known, lost), text))


def _replaced(known: dict[str, Any], lost: Lost) -> Callable[[re.Match[str]], str]:
    def replaced(mark: re.Match[str]) -> str:
        reference = known.get(mark[0])
        kind, *rest = mark[1].split("\ue202")
        found = _links(reference) or _own_words(kind, rest, reference)
        if found.startswith("(") and mark.start() > 0 and not mark.string[mark.start() - 1].isspace():
            found = f" {found}"
        lost["citation"] += not found and kind not in {"navlist", "image_group"}
        return found

    return replaced


def _links(reference: object) -> str:
    items = [item for item in list_in(reference, "items") if isinstance(item, dict)]
    links = [link(text_in(item, "attribution", "title"), text_in(item, "url")) for item in items[:_MOST_LINKS]]
    found = ", ".join(each for each in links if each)
    return f"({found})" if found else ""


def _own_words(kind: str, rest: list[str], reference: object) -> str:
    """Return what a mark says by itself: a name, or a link."""
    if kind == "url" and rest:
        return link(rest[0], rest[-1]) or link(rest[0], text_in(reference, "url")) or rest[0]
    if kind == "entity" and rest:
        try:
            named = decoded(rest[0].encode("utf-8", "surrogatepass"))
        except NotJson:
            return ""
        return named[1] if isinstance(named, list) and len(named) > 1 and isinstance(named[1], str) else ""
    if kind == "genui" and rest:
        return fenced(rest[0], "json")
    alternative = text_in(reference, "alt")
    return alternative if "\ue200" not in alternative else ""


def _with_citations(text: str, citations: list[Any]) -> str:
    """Return a text with links at the places that old citations name; a place counts characters."""
    found = []
    for each in citations:
        begin, end, source = _fields(each)
        address = link(text_in(source, "title"), text_in(source, "url"))
        if type(begin) is int and type(end) is int and 0 <= begin < end <= len(text) and address:
            found.append((begin, end, address))
    pieces: list[str] = []
    at = 0
    for begin, end, address in sorted(found):
        if begin >= at:
            pieces += [text[at:begin], f" ({address})"]
            at = end
    return "".join([*pieces, text[at:]])


def _fields(citation: object) -> tuple[Any, Any, Any]:
    given = citation if isinstance(citation, dict) else {}
    return given.get("start_ix"), given.get("end_ix"), given.get("metadata")
