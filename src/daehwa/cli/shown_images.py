"""Images that are named in the terminal: read within the limits of a question, with how large they are shown."""

from collections.abc import Sequence
from pathlib import Path
from struct import error as too_short
from struct import unpack_from

from daehwa.cli.terminal import Refusal
from daehwa.conversation.ids import new_id
from daehwa.conversation.image_reading import AskedImage
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES, media_type_of
from daehwa.conversation.messages import ImageType

_UNKNOWN = (1, 1)
"""What is said of an image whose head tells no size. The page then shows it as large as it is."""
_MARKER = 0xFF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG's segments that say how large it is."""


def read_images(paths: Sequence[Path]) -> tuple[AskedImage, ...]:
    """Return the images in these files. Raise `Refusal`."""
    if len(paths) > QUESTION_IMAGES:
        raise Refusal(f"There are {len(paths)} images; a question shows at most {QUESTION_IMAGES}. Leave some out.")
    found = [(path, _read(path)) for path in paths]
    if sum(len(data) for _, data in found) > QUESTION_IMAGE_BYTES:
        raise Refusal(
            f"The images are too large: those of a question may have {QUESTION_IMAGE_BYTES:,} bytes together. Make "
            "them smaller, or leave some out."
        )
    return tuple(_asked(path, data) for path, data in found)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(QUESTION_IMAGE_BYTES + 1)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}. Name a file with an image in it.") from None


def _asked(path: Path, data: bytes) -> AskedImage:
    media_type = media_type_of(data)
    if media_type is None:
        raise Refusal(f"{path} is no image in PNG, JPEG, WebP or GIF. Convert it into one of these.")
    try:
        width, height = _size(data, media_type)
    except too_short:
        width, height = _UNKNOWN
    return AskedImage(new_id(), _within(width), _within(height), data)


def _within(pixels: int) -> int:
    """Return a width or height as the API takes one: a head may say anything."""
    return min(max(1, pixels), 100_000)


def _size(data: bytes, media_type: ImageType) -> tuple[int, int]:
    """Return width and height in pixels as the head of an image says them. Raise `struct.error` where it is cut."""
    match media_type:
        case "image/png":
            return unpack_from(">II", data, 16)
        case "image/gif":
            return unpack_from("<HH", data, 6)
        case "image/webp":
            return _webp_size(data)
        case "image/jpeg":
            return _jpeg_size(data)


def _webp_size(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8 ":
            width, height = unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width, wide, height, high = unpack_from("<HBHB", data, 24)
            return (width | wide << 16) + 1, (height | high << 16) + 1
        case _:
            return _UNKNOWN


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        fill, marker, length = unpack_from(">BBH", data, at)
        if fill != _MARKER:
            return _UNKNOWN
        if marker in _FRAMES:
            height, width = unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
