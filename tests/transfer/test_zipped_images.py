"""Images out of the ZIP of an export: found by what a conversation calls them, and read no further than they may be."""

import io
import struct
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from images import GIF, JPEG, PNG, WEBP, chunk
from stores.asking import ME
from stores.houses import HOUSES
from transfer.foreign import NOW, as_json, simple, with_images, zipped

from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.images import QUESTION_IMAGE_BYTES
from daehwa.transfer.converting import converted
from daehwa.transfer.exports import ZippedExport
from daehwa.transfer.moving import Moved, bring_conversations
from daehwa.transfer.zipped_images import ZippedImages

SHARD = {"conversations.json": as_json([simple("a")])}


def images_in(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> ZippedImages:
    return opened(zipped({**SHARD, **members}, kind))


def opened(content: bytes) -> ZippedImages:
    return ZippedImages(ZippedExport(io.BytesIO(content)))


def test_an_image_is_found_in_whatever_folder_and_under_whatever_ending() -> None:
    images = images_in(
        {
            "file-AbC123-photo of me.png": PNG,
            "user-xyz/file_0000abc-sanitized.jpg": JPEG,
            "dalle-generations/file-DeF-1.webp": WEBP,
            "deep/er/file-GhI.dat": GIF,
            "file-JkL_photo.gif": GIF,
            "__MACOSX/._file-MnO-photo.png": b"\0\5\x16\7",
        }
    )
    named = {
        "file-AbC123": PNG,
        "file_0000abc": JPEG,
        "file-DeF": WEBP,
        "file-GhI": GIF,
        "file-JkL": GIF,
    }
    assert {name: images.read(name) for name in named} == named
    assert images.read("file-MnO") is None


@pytest.mark.parametrize(
    "name",
    [
        "file-AbC",
        "file-AbC12",
        "file-AbC1234",
        "file-abc123",
        "file",
        "file-",
        "",
        "AbC123",
        "x",
        "../file-AbC123",
        "conversations",
    ],
)
def test_nothing_is_found_by_a_part_of_a_name(name: str) -> None:
    assert images_in({"file-AbC123-photo.png": PNG, "x-file-AbC-1.png": PNG, "x.png": PNG}).read(name) is None


def test_the_first_of_two_entries_is_taken_each_time() -> None:
    members = {"b/file-1-photo.png": GIF, "a/file-1-photo.png": PNG, "file-1.dat": WEBP}
    assert images_in(members).read("file-1") == PNG
    assert images_in(dict(reversed(members.items()))).read("file-1") == PNG


def test_what_is_too_large_is_not_read_whatever_the_zip_says_of_its_size() -> None:
    large = images_in({"file-1.png": PNG + bytes(QUESTION_IMAGE_BYTES), "file-2.png": bytes(QUESTION_IMAGE_BYTES)})
    assert large.read("file-1") is None
    assert large.read("file-2") == bytes(QUESTION_IMAGE_BYTES)
    content = bytearray(zipped({**SHARD, "file-1.png": bytes(500_000_000)}))
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, 1_000)
    images = opened(bytes(content))
    tracemalloc.start()
    assert images.read("file-1") is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_be_unpacked_at_once_is_not_unpacked(kind: int) -> None:
    assert images_in({"file-1.png": PNG}, kind).read("file-1") is None
    assert images_in({"file-1.png": PNG}, zipfile.ZIP_STORED).read("file-1") == PNG


def test_an_entry_that_is_damaged_locked_or_not_there_is_none_and_the_others_come() -> None:
    members = {"file-1.png": PNG * 50, "file-2.png": PNG}
    content = bytearray(zipped({**SHARD, **members}))
    at = bytes(content).index(b"file-1.png")
    content[at + 12 : at + 40] = b"\xff" * 28
    assert (opened(bytes(content)).read("file-1"), opened(bytes(content)).read("file-2")) == (None, PNG)
    locked = bytearray(zipped({**SHARD, **members}))
    at = bytes(locked).index(b"file-1.png")
    locked[at - 24] |= 1
    at = bytes(locked).rindex(b"file-1.png")
    locked[at - 38] |= 1
    assert (opened(bytes(locked)).read("file-1"), opened(bytes(locked)).read("file-2")) == (None, PNG)
    away = bytearray(zipped({**SHARD, **members}))
    at = bytes(away).rindex(b"file-1.png")
    struct.pack_into("<I", away, at - 4, 7)
    assert (opened(bytes(away)).read("file-1"), opened(bytes(away)).read("file-2")) == (None, PNG)


def test_a_hundred_thousand_entries_are_looked_through_once() -> None:
    images = images_in({f"file-{number}-a.png": b"%d" % number for number in range(100_000)}, zipfile.ZIP_STORED)
    assert [images.read(f"file-{number}") for number in (0, 7, 99_999, 100_000)] == [b"0", b"7", b"99999", None]


@pytest.mark.parametrize("home", HOUSES)
async def test_a_zip_comes_with_its_images_once_into_every_store(home: str, tmp_path: Path) -> None:
    names = [f"file-{number}" for number in range(12)]
    data = {name: PNG[:33] + chunk(b"IDAT", name.encode() * 80_000) + PNG[33:] for name in names}
    shard = as_json([with_images(name, f"file-service://{name}", "sediment://file_gone") for name in names])
    entries = {f"user-x/{name}-photo.png": content for name, content in data.items()}
    content = zipped({"conversations-000.json": shard, **entries})
    async with HOUSES[home](tmp_path) as house:
        archive = cast("ConversationArchive", house.store)

        async def bring() -> Moved:
            export = ZippedExport(io.BytesIO(content))
            read = partial(converted, owner=ME, now=NOW, images=ZippedImages(export).read)
            return await bring_conversations(archive, export.elements(), read=read, progress=lambda _moved: None)

        first = await bring()
        assert (first.added, first.images, first.lost, first.skipped) == (12, 12, {"image": 12}, [])
        again = await bring()
        assert (again.added, again.changed, again.same) == (0, 0, 12)
        kept = [image.data async for record in archive.export_conversations(ME) for image in record.images]
        assert sorted(kept) == sorted(data.values())
