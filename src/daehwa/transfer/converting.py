"""What of another product's export becomes a conversation of ours, whichever product it is. Pure."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import DaehwaError, InvalidRequest
from daehwa.transfer import chatgpt, claude, librechat, open_webui
from daehwa.transfer.brought_images import ConversationImages, ReadImage, no_image
from daehwa.transfer.drafts import Draft, Empty, record_of
from daehwa.transfer.foreign_json import decoded, text_in
from daehwa.transfer.texts import Lost, one_line

_KINDS: Final = (
    (chatgpt.is_chatgpt, chatgpt.draft_of),
    (claude.is_claude, claude.draft_of),
    (open_webui.is_open_webui, open_webui.draft_of),
    (librechat.is_librechat, librechat.draft_of),
)
_PRODUCTS: Final = f"{chatgpt.PRODUCT}, {claude.PRODUCT}, {open_webui.PRODUCT}, {librechat.PRODUCT}"


class Converted(msgspec.Struct, frozen=True):
    """A conversation as it is to be stored, and how much of it was not brought, by kind."""

    record: ConversationRecord
    lost: Lost


class Unconverted(msgspec.Struct, frozen=True):
    """A conversation that is left out, and why, as a sentence; `is_empty`: there was nothing in it to bring."""

    title: str
    reason: str
    is_empty: bool = False


def converted(text: bytes, *, owner: str, now: int, images: ReadImage = no_image) -> Iterator[Converted | Unconverted]:
    """Yield what an element of an export becomes: one conversation, or those that stand in it as `conversations`.
    `images` are those that lie beside it.
    """
    try:
        value = decoded(text)
    except InvalidRequest as error:
        yield Unconverted("", error.message)
        return
    inner = value.get("conversations") if isinstance(value, dict) else value
    values = inner if isinstance(inner, list) else [value]
    for each in values:
        yield _converted(each, owner, now, images)


def _converted(value: Any, owner: str, now: int, images: ReadImage) -> Converted | Unconverted:
    if not isinstance(value, dict):
        return Unconverted("", "it is no conversation")
    title = one_line(text_in(value, "title", "name"))
    draft_of = next((draft_of for is_meant, draft_of in _KINDS if is_meant(value)), None)
    if draft_of is None:
        return Unconverted(title, f"it is no conversation as {_PRODUCTS} or daehwa export one")
    return _recorded(title, lambda: draft_of(value, now, ConversationImages(value, images)), owner)


def _recorded(title: str, drafted: Callable[[], Draft], owner: str) -> Converted | Unconverted:
    draft: Draft | None = None
    try:
        draft = drafted()
        return Converted(record_of(draft, owner), +draft.lost)
    except Empty as error:
        return Unconverted(title, error.message, is_empty=draft is not None and draft.lost["message"] == 0)
    except DaehwaError as error:
        return Unconverted(title, error.message)
