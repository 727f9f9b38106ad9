"""Whether an upstream reads more than a request holds: what it keeps and the request only names, and what it finds by
its own tools and searches. How much that is nobody knows beforehand.
"""

from typing import Any, Final

import msgspec

from daehwa.conversation.searching import SEARCH_FIELDS, asks_to_search
from daehwa.gateway.estimates import spelled
from daehwa.gateway.ports import LIMIT_NAMES, Endpoint

TOOLS: Final = "tools"
KEPT_ELSEWHERE: Final = ("previous_response_id", "conversation", "prompt")
"""Fields of the Responses API that name what its upstream keeps."""
_TAKE_TOOLS: Final = frozenset({"chat/completions", "responses"})
_REFERENCE: Final = spelled(b"item_reference")
_LAID_OVER: Final = frozenset({"extra_body", "google"})
"""Where Gemini's own fields stand."""
_KEEPS: Final = spelled(b"cached_content", b"cachedContent", b"tools")
"""What names a prompt that was kept, or tools."""
_TOOLS_BYTES: Final = 256 * 1024
_CALLERS_TOOLS: Final = frozenset(
    {"function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
"""Tools that the caller runs: their output comes with the next request, and is counted with it."""
_GROUP: Final = "namespace"
"""What OpenAI calls a tool that is but several others under one name."""


def reads_more(endpoint: Endpoint, fields: dict[str, msgspec.Raw]) -> bool:
    """Return whether a request only names what its upstream keeps and reads as well, or lets it find something."""
    if endpoint in LIMIT_NAMES and not SEARCH_FIELDS.isdisjoint(fields) and asks_to_search(_searched(fields)):
        return True
    if not _LAID_OVER.isdisjoint(fields) and any(
        _KEEPS.search(bytes(fields[name])) for name in _LAID_OVER & fields.keys()
    ):
        return True
    if endpoint == "responses" and _names_what_is_kept(fields):
        return True
    return TOOLS in fields and endpoint in _TAKE_TOOLS and _reads_by_tools(fields[TOOLS])


def _searched(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    found = SEARCH_FIELDS.intersection(fields)
    if sum(len(bytes(fields[name])) for name in found) > _TOOLS_BYTES:
        return dict.fromkeys(found, True)
    try:
        return {name: msgspec.json.decode(fields[name]) for name in found}
    except (msgspec.DecodeError, RecursionError):
        return dict.fromkeys(found, True)  # nobody knows what it will take it for


def _names_what_is_kept(fields: dict[str, msgspec.Raw]) -> bool:
    named = any(name in fields and bytes(fields[name]) != b"null" for name in KEPT_ELSEWHERE)
    return named or ("input" in fields and _REFERENCE.search(bytes(fields["input"])) is not None)


class _Tool(msgspec.Struct, frozen=True):
    """A tool. Most servers take one without a type for a function, where it has one."""

    type: str = ""
    function: dict[str, msgspec.Raw] | None = None
    tools: list["_Tool"] | None = None

    @property
    def is_callers(self) -> bool:
        """Whether the caller runs it, as far as that is known."""
        if self.type == _GROUP:
            return all(tool.is_callers for tool in self.tools or ())
        return self.type in _CALLERS_TOOLS or (not self.type and bool(self.function))


_decode_tools = msgspec.json.Decoder(list[_Tool] | None).decode


def _reads_by_tools(raw: msgspec.Raw) -> bool:
    """Whether there is a tool that the upstream runs itself: what a search, a file or a server finds is read too."""
    if len(bytes(raw)) > _TOOLS_BYTES:
        return True  # to look at millions of them would hold everybody up
    try:
        return not all(tool.is_callers for tool in _decode_tools(raw) or ())
    except (msgspec.DecodeError, RecursionError):
        return True  # nobody knows what it will take it for
