"""How large an image is shown, as its head says. Pure: nothing here draws an image."""

from struct import error as too_short
from struct import unpack_from
from typing import Final

from daehwa.conversation.messages import ImageType

_UNKNOWN: Final = (1, 1)
"""What is said of an image whose head tells no size. The page then shows it as large as it is."""
_MOST: Final = 100_000
_MARKER: Final = 0xFF
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG's segments that say how large it is."""


def size_of(data: bytes, media_type: ImageType) -> tuple[int, int]:
    """Return width and height in pixels, as the API takes them: a head may say anything."""
    try:
        width, height = _size(data, media_type)
    except too_short:
        width, height = _UNKNOWN
    return _within(width), _within(height)


def _within(pixels: int) -> int:
    return min(max(1, pixels), _MOST)


def _size(data: bytes, media_type: ImageType) -> tuple[int, int]:
    """Return what the head says. Raise `struct.error` where it is cut."""
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
