"""Images that are brought tell nothing beside what is seen: the pixels stay as they are, and stay upright."""

import random
import struct
import time

import pytest
from images import GIF, JPEG, PLACE, PNG, WEBP, chunk, exif, riff, segment, told_jpeg, told_png, told_webp

from daehwa.conversation.images import QUESTION_IMAGE_BYTES, media_type_of
from daehwa.conversation.messages import ImageType
from daehwa.transfer.bare_images import BareImage, bare_image

TOLD = (told_jpeg(6), told_jpeg(6, "<"), told_png(6), told_webp(6))
BARE = (JPEG + b"\xff\xd9", PNG, WEBP, GIF)


def kind(data: bytes) -> ImageType:
    found = media_type_of(data)
    assert found is not None
    return found


def bare(data: bytes) -> BareImage:
    found = bare_image(data, kind(data))
    assert found is not None
    return found


@pytest.mark.parametrize("data", BARE)
def test_an_image_that_tells_nothing_stays_byte_by_byte(data: bytes) -> None:
    assert bare(data) == BareImage(data)


@pytest.mark.parametrize("data", TOLD)
def test_nothing_is_told_but_how_it_is_turned(data: bytes) -> None:
    assert PLACE in data
    found = bare(data)
    assert PLACE not in found.data
    assert b"adobe" not in found.data.lower()
    assert found.is_on_its_side == (kind(data) != "image/webp"), "not every browser turns a WebP"
    assert bare(found.data) == found, "what is bare stays as it is"


def test_colours_and_pixels_are_those_that_were_there() -> None:
    jpeg, png, webp = (bare(data).data for data in (told_jpeg(), told_png(), told_webp()))
    assert jpeg == JPEG[:20] + segment(0xE2, b"ICC_PROFILE\0\1\1colours") + JPEG[20:] + b"\xff\xd9"
    assert png == PNG[:33] + chunk(b"gAMA", b"\0\0\xb1\x8f") + PNG[33:]
    extended = riff(b"VP8X", bytes([0x20, *[0] * 9]))
    assert webp == riff(b"RIFF", b"WEBP" + extended + riff(b"ICCP", b"colours") + WEBP[12:])


@pytest.mark.parametrize("turned", range(1, 9))
def test_each_way_to_hold_a_camera_is_kept(turned: int) -> None:
    short = struct.pack(">HHIHH", 0x0112, 3, 1, turned, 0)
    for data in (told_jpeg(turned), told_jpeg(turned, "<"), told_png(turned), told_webp(turned)):
        found = bare(data)
        assert (short in found.data) == (turned > 1)
        assert (b"Exif\0\0" in found.data) == (turned > 1 and kind(data) == "image/jpeg")
        assert found.is_on_its_side == (turned > 4 and kind(data) != "image/webp")


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"MM",
        b"XX\0\x2a\0\0\0\x08",
        b"MM\0\x2a\xff\xff\xff\xff",
        exif(9),
        exif(0),
        exif(6)[:20],
        exif(6).replace(b"\x01\x12\0\x03", b"\x01\x12\0\x02"),
    ],
)
def test_a_turn_that_cannot_be_read_is_none(told: bytes) -> None:
    for data in (
        JPEG[:20] + segment(0xE1, b"Exif\0\0" + told) + JPEG[20:],
        PNG[:33] + chunk(b"eXIf", told) + PNG[33:],
        riff(b"RIFF", b"WEBP" + riff(b"VP8X", bytes([8, *[0] * 9])) + WEBP[12:] + riff(b"EXIF", told)),
    ):
        assert not bare(data).is_on_its_side


def test_each_scan_of_a_jpeg_comes_and_what_is_told_between_them_does_not() -> None:
    begin = JPEG.index(b"\xff\xda")
    scan = JPEG[begin:] + b"\xff\x00\xff\xd0\x01\xff\xff"
    parts = (JPEG[:begin], scan[:-2], segment(0xFE, PLACE), scan, segment(0xC4, b"table"), JPEG[begin:], b"\xff\xd9")
    found = bare(b"".join(parts)).data
    assert PLACE not in found
    assert found.count(b"\xff\xda") == 3
    assert b"table" in found


def test_a_jpeg_that_is_cut_off_within_its_pixels_is_shown_as_far_as_it_goes() -> None:
    assert bare(JPEG).data == JPEG
    assert bare(JPEG[:-2]).data == JPEG[:-2]


@pytest.mark.parametrize(
    "data",
    [
        JPEG[:100],
        JPEG[:20] + b"\0\0" + JPEG[20:],
        JPEG[:20] + b"\xff\xd8" + JPEG[20:],
        b"\xff\xd8\xff",
        PNG[:-4],
        PNG[:8],
        PNG[:33] + b"\xff\xff\xff\xffIDAT",
        WEBP[:-4],
    ],
)
def test_what_is_not_whole_is_no_image(data: bytes) -> None:
    assert bare_image(data, kind(data)) is None


def test_whatever_stands_in_an_image_nothing_is_told_and_nothing_raised() -> None:
    dice = random.Random(11)  # noqa: S311 - the same each time
    found = []
    for _ in range(6_000):
        data = bytearray(dice.choice(TOLD))
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        del data[dice.choice([len(data), dice.randrange(16, len(data))]) :]
        media_type = media_type_of(bytes(data))
        if media_type is not None:
            found.append(bare_image(bytes(data), media_type))
    assert sum(each is not None for each in found) > 1_000


@pytest.mark.parametrize(
    ("head", "block", "end"),
    [
        (b"\xff\xd8", b"\xff\xfe\0\x02", b"\xff\xd9"),
        (b"\xff\xd8", b"\xff\xda\0\x02", b"\xff\xd9"),
        (PNG[:8], chunk(b"IDAT", b""), chunk(b"IEND", b"")),
        (PNG[:8], chunk(b"eXIf", exif()[:26]), chunk(b"IEND", b"")),
    ],
)
def test_the_smallest_blocks_take_no_time_without_end(head: bytes, block: bytes, end: bytes) -> None:
    times = (QUESTION_IMAGE_BYTES - len(head) - len(end)) // len(block)
    data = head + block * times + end
    begun = time.process_time()
    bare(data)
    assert time.process_time() - begun < 5
