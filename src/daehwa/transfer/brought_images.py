"""Images of questions out of another product's export, within the limits that a question has here. Pure.

How this works and why. An export names an image, and its bytes lie elsewhere: in a ZIP, or beside the conversation as
base64 where our page put them; or it holds the image as an address `data:…` in its place. Each is looked at when a
question shows it, and what does not fit is not read: neither many names for one image nor one name many times takes
time or memory without end. What is no image here, or one too many, is counted, and a line stands in its place.
"""

import base64
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from daehwa.conversation.image_sizes import size_of
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES, base64_bytes, media_type_of
from daehwa.conversation.messages import ImageType, Part, TextPart
from daehwa.transfer.bare_images import bare_image
from daehwa.transfer.foreign_json import Object, object_in, text_in
from daehwa.transfer.texts import Lost, missing

CONVERSATION_IMAGE_BYTES: Final = 128_000_000
"""So large may be all images together that one conversation brings: they are in memory when it is stored."""
_GIVEN: Final = "daehwa_images"
"""The member of a conversation in which our page puts what it read out of a ZIP: base64 by the names of the export."""
_ADDRESS: Final = "data:"
_BASE64: Final = ";base64"
_HEAD_CHARACTERS: Final = 200
"""So long may be what stands before the base64 of such an address."""
_NAME_CHARACTERS: Final = 200

ReadImage: TypeAlias = Callable[[str], bytes | None]
"""Returns the bytes of an image by the name that an export has for it, None where there are none that fit."""


class BroughtImage(msgspec.Struct, frozen=True):
    """An image that a question shows, in the place where it stood among the question's texts.

    `name` is what the export calls it: the same image of two questions is one. Where it is empty, the image has no
    name, and its place is what it is known by. `note` is the line that would stand there if it had not come.
    """

    name: str
    note: str
    media_type: ImageType
    data: bytes
    width: int
    height: int


BroughtPart: TypeAlias = Part | BroughtImage


def no_image(_name: str) -> bytes | None:
    """Return nothing: there are no images beside what is read."""
    return None


def is_inline(address: str) -> bool:
    """Whether an address is an image itself."""
    return address.startswith(f"{_ADDRESS}image/")


class ConversationImages:
    """The images of one conversation: each is read once, and kept once however many questions show it."""

    def __init__(self, conversation: Object, read: ReadImage) -> None:
        self._given = object_in(conversation, _GIVEN)
        self._read = read
        self._sizes: dict[str, int] = {}
        self._kept: dict[str, BroughtImage] = {}
        self._left = CONVERSATION_IMAGE_BYTES

    def of_question(self) -> "QuestionImages":
        """Return what a further question may show."""
        return QuestionImages(self)

    def named(self, name: str, note: str, most: int) -> BroughtImage | None:
        """Return an image of at most so many bytes by its name."""
        if name in self._kept or not 0 < len(name) <= _NAME_CHARACTERS:
            kept = self._kept.get(name)
            return kept if kept is not None and len(kept.data) <= most else None
        most = min(most, self._left)
        if self._sizes.get(name, 0) > most:
            return None
        data = _decoded(self._given[name]) if name in self._given else self._read(name)
        image = _looked_at(name, data, note)
        self._sizes[name] = QUESTION_IMAGE_BYTES + 1 if image is None else len(image.data)
        if image is None or len(image.data) > most:
            return None
        self._kept[name] = image
        self._left -= len(image.data)
        return image

    def inline(self, address: str, note: str, most: int) -> BroughtImage | None:
        """Return an image of at most so many bytes that stands in the conversation itself."""
        most = min(most, self._left)
        image = _looked_at("", _inline(address, most), note)
        if image is None or len(image.data) > most:
            return None
        self._left -= len(image.data)
        return image


class QuestionImages:
    """The images of one question, up to the number and size that a question may have."""

    def __init__(self, conversation: ConversationImages) -> None:
        self._conversation = conversation
        self._names: set[str] = set()
        self._number = 0
        self._left = QUESTION_IMAGE_BYTES

    def named(self, name: str, shown: str, lost: Lost) -> BroughtPart:
        """Return an image by the name that the export has for it, else the line that stands in its place, counted.
        `shown` is how people call it.
        """
        if name in self._names:
            most = QUESTION_IMAGE_BYTES  # it is shown already
        elif self._number < QUESTION_IMAGES:
            most = self._left
        else:
            return _left_behind(shown, lost)
        image = self._conversation.named(name, _note(shown), most)
        if image is None:
            return _left_behind(shown, lost)
        if name not in self._names:
            self._names.add(name)
            self._take(image)
        return image

    def inline(self, address: str, shown: str, lost: Lost) -> BroughtPart:
        """Return an image that stands in its address, else the line that stands in its place, counted."""
        image = None
        if self._number < QUESTION_IMAGES and is_inline(address):
            image = self._conversation.inline(address, _note(shown), self._left)
        if image is None:
            return _left_behind(shown, lost)
        self._take(image)
        return image

    def _take(self, image: BroughtImage) -> None:
        self._number += 1
        self._left -= len(image.data)


def inline_image(shown: QuestionImages | None, address: str, called: str, lost: Lost) -> BroughtPart:
    """Return an image that stands in its address; without a question that shows it the line in its place, counted."""
    return _left_behind(called, lost) if shown is None else shown.inline(address, called, lost)


def address_of(item: object) -> str:
    """Return where an item of a question's content says that its image is, as OpenAI's dialect has it."""
    return text_in(object_in(item, "image_url"), "url") or text_in(item, "image_url", "url")


def _left_behind(shown: str, lost: Lost) -> TextPart:
    return TextPart(missing("image", shown, lost))


def _note(shown: str) -> str:
    return missing("image", shown, Lost())


def _looked_at(name: str, data: bytes | None, note: str) -> BroughtImage | None:
    media_type = None if data is None else media_type_of(data)
    if data is None or media_type is None:
        return None
    bare = bare_image(data, media_type)
    if bare is None:
        return None
    width, height = size_of(bare.data, media_type)
    if bare.is_on_its_side:
        width, height = height, width
    return BroughtImage(name, note, media_type, bare.data, width, height)


def _inline(address: str, most: int) -> bytes | None:
    head = address[:_HEAD_CHARACTERS].partition(",")[0]
    if not head.lower().endswith(_BASE64):
        return None
    return _decoded(address[len(head) + 1 :], most) if len(address) - len(head) < _longest(most) else None


def _decoded(text: object, most: int = QUESTION_IMAGE_BYTES) -> bytes | None:
    """Return what stands in base64; None where it is none, or of more bytes than that."""
    if not isinstance(text, str) or len(text) > _longest(most):
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if len(data) <= most else None


def _longest(most: int) -> int:
    """Return how many characters so many bytes take as base64, and a few more."""
    return base64_bytes(most) + 4
