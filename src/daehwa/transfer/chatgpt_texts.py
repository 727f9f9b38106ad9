"""The text of a message of ChatGPT: its parts, its files, and its marks of sources. Pure.

A mark of a source is a name between private-use characters, `U+E200 cite U+E202 turn0search1 U+E201`, whose address
stands in the message's `content_references`; in older ones it is `【12†source】`, named by its place in `citations`.
"""

import re
from typing import Any, Final

from daehwa.conversation.messages import TextPart
from daehwa.transfer.brought_images import BroughtPart, QuestionImages
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
_LINK_CHARACTERS: Final = 4_000
_LINKS_PER_CHARACTER: Final = 8
"""So long may the links of a message be in any case, and so much longer for each character that is written there."""


class Sources:
    """What the marks in the texts of one message stand for. It is worked out once, however many texts and marks there
    are, and the links are in all not much longer than what they stand in: few bytes cannot become many.
    """

    def __init__(self, metadata: Object, lost: Lost) -> None:
        self._lost = lost
        self._citations = _citations(list_in(metadata, "citations"))
        references = list_in(metadata, "content_references")
        self._known = {matched: each for each in references if (matched := text_in(each, "matched_text"))}
        self._found: dict[str, str] = {}
        self._left = _LINK_CHARACTERS

    def within(self, text: str) -> str:
        """Return a text with links in place of its marks; a mark without an address is left out and counted."""
        self._left += _LINKS_PER_CHARACTER * len(text)
        return _LEFT_OVER.sub("", _MARK.sub(self._replaced, self._cited(text)))

    def _cited(self, text: str) -> str:
        """Return a text with links at the places that old citations name; a place counts characters."""
        pieces: list[str] = []
        at = 0
        for begin, end, address in self._citations:
            if begin >= len(text):
                break
            if end <= len(text) and (found := self._afforded(f" ({address})")):
                pieces += [text[at:begin], found]
                at = end
        return "".join([*pieces, text[at:]])

    def _replaced(self, mark: re.Match[str]) -> str:
        kind, *rest = mark[1].split("\ue202")
        if mark[0] not in self._found:
            reference = self._known.get(mark[0])
            self._found[mark[0]] = _links(reference) or _own_words(kind, rest, reference)
        found = self._afforded(self._found[mark[0]])
        if found.startswith("(") and mark.start() > 0 and not mark.string[mark.start() - 1].isspace():
            found = f" {found}"
        self._lost["citation"] += not found and kind not in {"navlist", "image_group"}
        return found

    def _afforded(self, found: str) -> str:
        if len(found) > self._left:
            return ""
        self._left -= len(found)
        return found


def written_in(content: Object) -> str:
    """Return what a content holds as plain text: code, or what a tool was told."""
    return text_in(content, "text") or "\n".join(part for part in list_in(content, "parts") if isinstance(part, str))


def parts_of(content: Object, metadata: Object, lost: Lost, images: QuestionImages | None = None) -> list[BroughtPart]:
    """Return what somebody wrote, with a line for each file that came with it; `images` are those of a question."""
    kind = text_in(content, "content_type")
    attachments = {text_in(each, "id"): text_in(each, "name") for each in list_in(metadata, "attachments")}
    sources = Sources(metadata, lost)
    found: list[BroughtPart] = []
    if kind == "code":
        code = written_in(content)
        found.append(TextPart(fenced(code, text_in(content, "language")) if code.strip() else ""))
    elif isinstance(content.get("parts"), list):
        found += [_part(part, attachments, sources, lost, images) for part in content["parts"]]
    elif text := text_in(content, "text", "result", "content"):
        found.append(TextPart(sources.within(text)))
    elif content and kind not in {"text", "multimodal_text"}:
        lost["unknown"] += 1
        found.append(TextPart(missing("unknown", kind, Lost())))
    found += [TextPart(missing("file", name, lost)) for name in attachments.values()]
    return [part for part in found if not isinstance(part, TextPart) or part.text.strip()]


def _part(
    part: object, attachments: dict[str, str], sources: Sources, lost: Lost, images: QuestionImages | None
) -> BroughtPart:
    kind = text_in(part, "content_type")
    if kind not in _POINTERS:
        return TextPart(_text(part, kind, sources, lost))
    pointer = text_in(part, "asset_pointer").rpartition("/")[2]
    name = pointer.partition("#")[0]
    called = attachments.pop(pointer, "") or attachments.pop(name, "")
    if _POINTERS[kind] == "image" and images is not None:
        return images.named(name, called, lost)
    return TextPart(missing(_POINTERS[kind], called, lost))


def _text(part: object, kind: str, sources: Sources, lost: Lost) -> str:
    if isinstance(part, str):
        return sources.within(part)
    if kind == "audio_transcription":
        return text_in(part, "text")
    if text := text_in(part, "text", "result"):
        return sources.within(text)
    if part is None:
        return ""
    lost["unknown"] += 1
    return missing("unknown", kind, Lost())


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


def _citations(citations: list[Any]) -> list[tuple[int, int, str]]:
    """Return the places that citations name, with a link for each: in order, and none within another."""
    found: list[tuple[int, int, str]] = []
    for each in citations:
        begin, end, source = _fields(each)
        address = link(text_in(source, "title"), text_in(source, "url"))
        if type(begin) is int and type(end) is int and 0 <= begin < end and address:
            found.append((begin, end, address))
    apart: list[tuple[int, int, str]] = []
    for place in sorted(found):
        if not apart or place[0] >= apart[-1][1]:
            apart.append(place)
    return apart


def _fields(citation: object) -> tuple[Any, Any, Any]:
    given = citation if isinstance(citation, dict) else {}
    return given.get("start_ix"), given.get("end_ix"), given.get("metadata")
