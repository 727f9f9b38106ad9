"""Images to show: the smallest of each kind that is one, and of any size."""

import base64
import struct
import zlib
from typing import Any

from daehwa.conversation.ids import new_id
from daehwa.conversation.image_reading import AskedImage

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
WEBP = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def large(size: int) -> bytes:
    """A PNG of so many bytes, as far as its beginning says."""
    return PNG + bytes(size - len(PNG))


def shown(data: bytes | None = PNG, *, image: str | None = None) -> AskedImage:
    """An image of a question; without data one that is there already."""
    return AskedImage(image or new_id(), 640, 480, data)


def sent(data: bytes | None = PNG, *, image: str | None = None, **more: Any) -> dict[str, Any]:
    """The same as a client sends it."""
    part = {"type": "image", "image": image or new_id(), "width": 640, "height": 480, **more}
    return part if data is None else {**part, "data": base64.b64encode(data).decode()}


PLACE = b"37.5665N 126.9780E"
"""What a camera tells beside the pixels, and nobody else is to know."""


def exif(orientation: int = 1, order: str = ">") -> bytes:
    """Exif as a camera writes it: how it was held, and where."""
    entries = [
        struct.pack(f"{order}HHII", 0x010E, 2, len(PLACE), 38),
        struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0),
    ]
    head = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8)
    return head + struct.pack(f"{order}H", 2) + b"".join(entries) + struct.pack(f"{order}I", 0) + PLACE


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def riff(name: bytes, content: bytes) -> bytes:
    """A chunk of a WebP."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def told_jpeg(orientation: int = 1, order: str = ">") -> bytes:
    """The smallest JPEG with everything that a telephone and a newspaper put into one, and a film behind it."""
    told = (
        segment(0xE1, b"Exif\0\0" + exif(orientation, order)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PLACE),
        segment(0xE2, b"ICC_PROFILE\0\1\1colours"),
        segment(0xE2, b"MPF\0" + PLACE),
        segment(0xED, b"Photoshop 3.0\0" + PLACE),
        segment(0xFE, PLACE),
    )
    return b"".join([JPEG[:20], *told, b"\xff", JPEG[20:], b"\xff\xd9", JPEG, PLACE])


def told_png(orientation: int = 1) -> bytes:
    """The smallest PNG with texts, a time, Exif and an unknown chunk, and something behind it."""
    told = (
        chunk(b"eXIf", exif(orientation)),
        chunk(b"gAMA", b"\0\0\xb1\x8f"),
        *(chunk(name, b"Comment\0" + PLACE) for name in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"prVt")),
    )
    return b"".join([PNG[:33], *told, PNG[33:], PLACE])


def told_webp(orientation: int = 1) -> bytes:
    """The smallest WebP with Exif, XMP and an unknown chunk, and something behind it."""
    extended = riff(b"VP8X", bytes([0x08 | 0x04 | 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
    told = (riff(b"EXIF", exif(orientation)), riff(b"XMP ", PLACE), riff(b"PrVt", PLACE))
    return riff(b"RIFF", b"".join([b"WEBP", extended, riff(b"ICCP", b"colours"), WEBP[12:], *told])) + PLACE
