"""Images without what is told beside their pixels: place, time, device, author, texts, further pictures. Pure.

How this works and why. Nothing is decoded: the blocks of a file are walked, those that are seen are kept as they are,
and all others are left out, known or not. How the camera was held is told in Exif too, and an image without it lies on
its side; so that one number is written anew. A file whose blocks do not fit into one another is none that this can be
said of, so there is no image then. A GIF stays as it is: cameras write none.
"""

import re
import zlib
from collections.abc import Iterator
from struct import error as too_short
from struct import pack, unpack_from
from typing import Final, TypeAlias

import msgspec

from daehwa.conversation.messages import ImageType

_Block: TypeAlias = tuple[bytes, bytes]
"""The name of a block, and all of it as it stands in the file."""

_UPRIGHT: Final = 1
_ON_ITS_SIDE: Final = range(5, 9)
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_EXIF_HEAD: Final = b"Exif\0\0"

_PNG_HEAD: Final = 8
_PNG_SEEN: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split()
)

_WEBP_HEAD: Final = 12
_WEBP_SEEN: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_TOLD: Final = 0x08 | 0x04
"""The flags by which a WebP says that there is Exif in it, and XMP."""
_WEBP_EXIF: Final = 0x08
_WEBP_EXTENDED: Final = 10

_JPEG_HEAD: Final = 2
_JPEG_SCAN: Final = 0xDA
_JPEG_END: Final = 0xD9
_JPEG_EXIF: Final = 0xE1
_JPEG_COMMENT: Final = 0xFE
_JPEG_ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""What cannot stand where a segment begins: it has no length."""
_JPEG_OF_PROGRAMS: Final = range(0xE0, 0xF0)
_JPEG_SEEN: Final = ((0xE0, b"JFIF\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
"""Of what programs write into a JPEG, what its colours depend on."""
_AFTER_PIXELS: Final = re.compile(rb"\xff++[^\x00\xd0-\xd7\xff]")


class BareImage(msgspec.Struct, frozen=True):
    """An image with nothing told beside it; `is_on_its_side`: every browser turns it by a quarter, which not all of
    them do with a WebP.
    """

    data: bytes
    is_on_its_side: bool = False


class _NotWhole(Exception):  # noqa: N818 - it never leaves this module
    """The blocks of a file do not fit into one another."""


def bare_image(data: bytes, media_type: ImageType) -> BareImage | None:
    """Return an image with what is seen of it alone; None where it is not whole."""
    if media_type == "image/gif":
        return BareImage(data)
    bare = {"image/png": _bare_png, "image/webp": _bare_webp, "image/jpeg": _bare_jpeg}[media_type]
    try:
        return bare(data)
    except (_NotWhole, too_short):
        return None


def _orientation(exif: bytes) -> int:
    """Return how an image is to be turned, 1 to 8, as its Exif says; 1 where that says nothing that can be read."""
    tiff = exif.removeprefix(_EXIF_HEAD)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return _UPRIGHT
    try:
        (at,) = unpack_from(f"{order}I", tiff, 4)
        (count,) = unpack_from(f"{order}H", tiff, at)
        for number in range(count):
            tag, kind, _, value = unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * number)
            if tag == _ORIENTATION and kind == _SHORT:
                return value if value in range(1, 9) else _UPRIGHT
    except too_short:
        pass
    return _UPRIGHT


def _exif(orientation: int) -> bytes:
    """Return Exif that says how an image is to be turned, and nothing else."""
    return pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)


def _of(pieces: list[bytes], orientation: int) -> BareImage:
    return BareImage(b"".join(pieces), orientation in _ON_ITS_SIDE)


def _bare_png(data: bytes) -> BareImage:
    kept, orientation = [data[:_PNG_HEAD]], _UPRIGHT
    for name, chunk in _png_chunks(data):
        if name == b"eXIf" and orientation == _UPRIGHT:
            orientation = _orientation(chunk[8:-4])
            if orientation != _UPRIGHT:
                kept.append(_png_chunk(name, _exif(orientation)))
        elif name in _PNG_SEEN:
            kept.append(chunk)
    return _of(kept, orientation)


def _png_chunks(data: bytes) -> Iterator[_Block]:
    """Yield the chunks of a PNG up to its end; what comes after that belongs to something else."""
    at, name = _PNG_HEAD, b""
    while name != b"IEND":
        length, name = unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise _NotWhole
        yield name, data[at:end]
        at = end


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + name + content + pack(">I", zlib.crc32(name + content))


def _bare_webp(data: bytes) -> BareImage:
    kept: list[bytes] = []
    orientation, extended = _UPRIGHT, None
    for name, chunk in _webp_chunks(data):
        if name == b"EXIF":
            orientation = _orientation(chunk[8:])
        if name == b"VP8X" and extended is None and len(chunk) >= 8 + _WEBP_EXTENDED:
            extended = len(kept)
        if name in _WEBP_SEEN:
            kept.append(chunk)
    if extended is None:
        orientation = _UPRIGHT  # without that head a WebP has no Exif, whatever stands in it
    else:
        head = bytearray(kept[extended])
        head[8] &= ~_WEBP_TOLD
        if orientation != _UPRIGHT:
            head[8] |= _WEBP_EXIF
            kept.append(_riff(b"EXIF", _exif(orientation)))
        kept[extended] = bytes(head)
    return BareImage(_riff(b"RIFF", b"".join([b"WEBP", *kept])))


def _webp_chunks(data: bytes) -> Iterator[_Block]:
    (length,) = unpack_from("<I", data, 4)
    at, end = _WEBP_HEAD, min(8 + length, len(data))
    while at < end:
        name, length = unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise _NotWhole
        yield name, _riff(name, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2


def _riff(name: bytes, content: bytes) -> bytes:
    return b"".join([name, pack("<I", len(content)), content, bytes(len(content) % 2)])


def _bare_jpeg(data: bytes) -> BareImage:
    kept, orientation, turn_at = [data[:_JPEG_HEAD]], _UPRIGHT, 1
    for name, segment in _jpeg_segments(data):
        marker = name[0]
        if marker == _JPEG_EXIF and segment.startswith(_EXIF_HEAD, 4) and orientation == _UPRIGHT:
            orientation = _orientation(segment[4:])
        elif _is_seen(marker, segment):
            kept.append(segment)
            turn_at += marker == 0xE0  # noqa: PLR2004 - JFIF has to come first
    if orientation != _UPRIGHT:
        told = _EXIF_HEAD + _exif(orientation)
        kept.insert(turn_at, pack(">BBH", 0xFF, _JPEG_EXIF, len(told) + 2) + told)
    return _of(kept, orientation)


def _is_seen(marker: int, segment: bytes) -> bool:
    if marker in _JPEG_OF_PROGRAMS:
        return any(marker == seen and segment.startswith(begins, 4) for seen, begins in _JPEG_SEEN)
    return marker != _JPEG_COMMENT


def _jpeg_segments(data: bytes) -> Iterator[_Block]:
    """Yield the segments of a JPEG up to its end, pixels with the segment that they follow. A file that ends within its
    pixels is shown as far as it goes, so it is one; phones put films and further pictures behind the end.
    """
    at, marker = _JPEG_HEAD, 0
    while marker != _JPEG_END:
        fill, marker = unpack_from(">BB", data, at)
        if fill != 0xFF or marker in _JPEG_ALONE:  # noqa: PLR2004 - each marker begins so
            raise _NotWhole
        if marker == 0xFF:  # noqa: PLR2004 - a marker may begin with several of these
            at += 1
            continue
        end = at + 2 if marker == _JPEG_END else at + 2 + int(unpack_from(">H", data, at + 2)[0])
        if marker == _JPEG_SCAN:
            after = _AFTER_PIXELS.search(data, end)
            if after is None:
                yield bytes([marker]), data[at:]
                return
            end = after.start()
        if end > len(data):
            raise _NotWhole
        yield bytes([marker]), data[at:end]
        at = end
