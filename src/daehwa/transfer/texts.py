"""Texts that come from other products: cleaned, fenced, and with a line in place of what could not come along. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

from daehwa.conversation.messages import TITLE_CHARACTERS, Part, ToolCallPart

TEXT_CHARACTERS: Final = 1_000_000
"""The longest text of one message that is brought, and the longest arguments of a call; what is longer is cut."""
_NAME_CHARACTERS: Final = 200
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")
_TICKS: Final = re.compile(r"`{3,}")
_OTHER_BRACKETS: Final = str.maketrans("[]", "()", "\\")
_ESCAPED: Final = r"\\\1"
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9+#._-]{1,30}")

Lost = Counter[str]
"""How much was not brought, by kind: see `KINDS`."""

KINDS: Final = {
    "image": "images",
    "file": "files",
    "audio": "recordings",
    "video": "videos",
    "tool_result": "results of tools, such as the pages that a search found",
    "instructions": "instructions that stood before conversations",
    "citation": "marks of sources without an address",
    "unknown": "pieces of a kind that is not known here",
    "message": "messages that could not be read",
    "text": "texts that were cut, being too long",
}


def cleaned(text: str) -> str:
    """Return a text with one kind of line end, without control characters and halves of characters."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(text: str, most: int = TITLE_CHARACTERS) -> str:
    """Return a text on one line, shortened."""
    line = " ".join(cleaned(text[: most * 20]).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def fenced(text: str, language: str = "") -> str:
    """Return a text as a block of code, whatever backticks it holds."""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    known = language if _LANGUAGE.fullmatch(language) and language != "unknown" else ""
    return f"{fence}{known}\n{text.strip(chr(10))}\n{fence}"


def quoted(text: str) -> str:
    """Return a text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))


def missing(kind: str, name: str, lost: Lost) -> str:
    """Return the line that stands in place of what could not come along, and count it."""
    lost[kind] += 1
    what = {"image": "Image", "audio": "Recording", "video": "Video"}.get(kind, "File")
    # What a name may hold that Markdown would make something of is of no use in it.
    shown = re.sub(r"[*_`\[\]<>\\|]", " ", one_line(name, _NAME_CHARACTERS)).strip()
    return f"[{what} not brought along{': ' + shown if shown else ''}]"


def link(title: str, address: str) -> str:
    """Return a Markdown link, or nothing where the address is none of the web."""
    if not re.fullmatch(r"https?://[^\s<>()\[\]\x00-\x20]{1,2000}", address):
        return ""
    # A backslash before a bracket begins a formula, so brackets become others.
    plain = one_line(title, _NAME_CHARACTERS).translate(_OTHER_BRACKETS)
    return f"[{re.sub(r'([*_`<>$])', _ESCAPED, plain) or address}]({address})"


def links(sources: Iterable[tuple[str, str]]) -> str:
    """Return titles and addresses as links, each once and in one line; nothing where none is of the web."""
    return ", ".join(dict.fromkeys(found for title, address in sources if (found := link(title, address))))


def call(name: str, arguments: str, number: str) -> ToolCallPart:
    """Return a call of a tool as the reply's part."""
    return ToolCallPart(one_line(number, 100) or "call", one_line(name, 100) or "tool", arguments)


def joined(parts: list[Part], lost: Lost) -> tuple[Part, ...]:
    """Return parts of one message, texts that follow one another as one, cleaned and cut where they are too long."""
    found: list[Part] = []
    runs: Iterable[tuple[Any, Iterable[Any]]] = groupby(parts, type)
    for kind, run in runs:
        if kind is ToolCallPart:
            found += [_bounded(part, lost) for part in run]
        elif text := cleaned("\n\n".join(part.text.strip("\n") for part in run if part.text.strip())):
            found.append(kind(_cut(text, lost)))
    return tuple(found)


def _bounded(part: ToolCallPart, lost: Lost) -> ToolCallPart:
    arguments = cleaned(part.arguments)
    if len(arguments) <= TEXT_CHARACTERS:
        return ToolCallPart(part.id, part.name, arguments)
    lost["text"] += 1
    return ToolCallPart(part.id, part.name, arguments[:TEXT_CHARACTERS])


def _cut(text: str, lost: Lost) -> str:
    if len(text) <= TEXT_CHARACTERS:
        return text
    lost["text"] += 1
    return f"{text[:TEXT_CHARACTERS]}\n\n[{len(text) - TEXT_CHARACTERS:,} more characters not brought along]"
