"""Files of other products: split without holding them, and not trusted in what they say of themselves."""

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, cast

import pytest
from stores.asking import ME, OTHER
from transfer.foreign import NOW, as_json, chatgpt, claude, research, simple, zipped

from daehwa.conversation.export_file import NotAnExport
from daehwa.stores.memory import MemoryStore
from daehwa.transfer import elements, exports
from daehwa.transfer.converting import converted
from daehwa.transfer.elements import FaultyElement, read_elements
from daehwa.transfer.exports import Element, Fault, ZippedExport, json_elements
from daehwa.transfer.moving import Moved, bring_conversations


class Slow(io.RawIOBase):
    """A file that gives one byte at a time, whatever is asked for."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._rest.read(1)
        buffer[: len(piece)] = piece
        return len(piece)


def split(content: bytes) -> list[bytes | FaultyElement]:
    return list(read_elements(io.BytesIO(content)))


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_split_wherever_its_pieces_end(indent: int | None) -> None:
    values = [{"a": 'he said "}]," \\'}, {"b": [[{}], "["]}, {"c": "\ud83d나무\\\\"}, [1, [2]], {}]
    content = b"\xef\xbb\xbf \n" + json.dumps(values, indent=indent).encode() + b"\n"
    assert [json.loads(each) for each in split(content) if isinstance(each, bytes)] == values
    assert [
        json.loads(each) for each in read_elements(io.BufferedReader(Slow(content), 1)) if isinstance(each, bytes)
    ] == values


def test_objects_without_an_array_are_elements() -> None:
    assert split(b'{"a": 1}') == [b'{"a": 1}']
    assert split(b'{"a": 1}\n{"b": 2}\n') == [b'{"a": 1}', b'{"b": 2}']
    assert split(b'[{"a": 1}]\n[{"b": 2}]') == [b'{"a": 1}', b'[{"b": 2}]']
    assert split(b"[]") == []
    assert split(b"  ") == []


@pytest.mark.parametrize("content", [b'[{"a": 1}, {"b"', b'[{"a": 1}', b'[{"a": 1}, {"b": "x', b'[{"a": 1}, nonsense'])
def test_what_is_cut_off_is_told_after_what_is_whole(content: bytes) -> None:
    first, last = split(content)
    assert first == b'{"a": 1}'
    assert isinstance(last, FaultyElement)
    assert "cut off" in last.reason


def test_brackets_without_end_are_told_and_not_followed() -> None:
    [found] = split(b"[" * 300_000)
    assert isinstance(found, FaultyElement)
    assert "too deep" in found.reason


def test_an_element_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "ELEMENT_BYTES", 3 * 1024 * 1024)
    long = json.dumps({"a": ["x" * 1000] * 8000}).encode()
    found = split(b'[{"a": 1},' + long + b',{"b": 2}]')
    assert [found[0], found[2]] == [b'{"a": 1}', b'{"b": 2}']
    assert found[1] == FaultyElement("it is longer than 3 MB")
    *_, last = split(b'[{"a": "' + b"x" * 9_000_000 + b'"},{"b": 2}]')
    assert isinstance(last, FaultyElement)


def test_a_large_file_takes_little_memory() -> None:
    text = as_json(simple("x", answer="y" * 5_000))
    tracemalloc.start()
    count = len([True for _ in read_elements(cast(IO[bytes], Repeated(text, 8_000)))])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 8_000
    assert peak < 16 * 1024 * 1024


class Repeated(io.RawIOBase):
    """An array of the same element many times, which is never held as a whole."""

    def __init__(self, text: bytes, times: int) -> None:
        self._pieces = self._all(text, times)

    @staticmethod
    def _all(text: bytes, times: int) -> Iterator[bytes]:
        yield b"["
        for number in range(times):
            yield (b"," if number else b"") + text
        yield b"]"

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


async def brought(store: MemoryStore, content: bytes, owner: str = ME) -> Moved:
    """Bring what is in a file, ZIP or JSON."""
    source = io.BytesIO(content)
    found = ZippedExport(source).elements() if content.startswith(b"PK") else json_elements(source)
    return await bring_conversations(
        store, found, read=partial(converted, owner=owner, now=NOW), progress=lambda _moved: None
    )


async def test_old_and_new_zips_of_chatgpt_come_with_all_shards_and_nothing_else() -> None:
    old = zipped(
        {"conversations.json": as_json([simple("a"), research()]), "chat.html": b"<html>", "file-1.png": b"\x89"}
    )
    new = zipped(
        {
            "export/conversations-000.json": as_json([simple("a"), simple("b")]),
            "export/conversations-001.json": as_json([research()]),
            "export/user.json": b"{}",
            "export/shared_conversations.json": as_json([{"id": "s", "conversation_id": "a"}]),
            "__MACOSX/export/._conversations-000.json": b"\x00\x05",
        }
    )
    store = MemoryStore()
    first = await brought(store, old)
    assert (first.added, first.skipped, first.is_whole) == (2, [], True)
    second = await brought(store, new)
    assert (second.added, second.same, second.skipped) == (1, 2, [])
    assert (await brought(store, new)).same == 3
    assert (await brought(store, new, owner=OTHER)).added == 3


async def test_two_files_of_one_name_in_a_zip_are_both_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("conversations.json", as_json([simple("a")]))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("conversations.json", as_json([simple("b")]))
    assert (await brought(MemoryStore(), out.getvalue())).added == 2


async def test_a_later_export_adds_what_is_new_and_keeps_what_was_written_here() -> None:
    store = MemoryStore()
    await brought(store, as_json([simple("a")]))
    later = simple("a")
    later["mapping"]["more"] = {
        **later["mapping"]["a-q"],
        "id": "more",
        "parent": "a-a",
        "message": {**later["mapping"]["a-q"]["message"], "create_time": 1756000500},
    }
    later.update(current_node="more", update_time=1756000600)
    moved = await brought(store, as_json([later]))
    assert (moved.changed, moved.added) == (1, 0)
    [record] = [record async for record in store.export_conversations()]
    assert len(record.messages) == 4


async def test_what_is_left_out_is_named_and_counted() -> None:
    shell = {"title": "Shell", "conversation_id": "s", "default_model_slug": "gpt-5"}
    many = chatgpt("many", [{"id": "x", "parent": None, "message": {"author": {"role": "user"}, "content": "?"}}])
    values = [simple("a"), shell, many, {"title": "Strange"}, 7, research()]
    moved = await brought(MemoryStore(), as_json(values))
    assert (moved.added, moved.empty) == (2, 2)
    assert [skipped.where for skipped in moved.skipped] == ["conversation 4"]
    assert moved.skipped[0].reason.startswith("“Strange”: it is no conversation as ChatGPT")
    assert moved.lost == {"image": 1, "file": 1, "tool_result": 1, "citation": 1, "instructions": 1}


async def test_claude_and_a_mixture_come_too() -> None:
    moved = await brought(
        MemoryStore(), zipped({"conversations.json": as_json([claude("a"), claude("b", linked=False)])})
    )
    assert (moved.added, moved.messages) == (2, 5)
    wrapped = as_json({"conversations": [claude("a"), simple("b")]})
    assert (await brought(MemoryStore(), wrapped)).added == 2


def test_a_zip_without_conversations_or_damaged_is_refused() -> None:
    for content in (zipped({"photo.png": b"x"}), zipped({"conversations.json": b"[]"})[:-30]):
        with pytest.raises(NotAnExport):
            ZippedExport(io.BytesIO(content))


def lying(content: bytes, *, size: int) -> bytes:
    """Let a ZIP say that its one file is of this size, unpacked, in both places."""
    at_end = content.rindex(b"PK\x01\x02")
    changed = bytearray(content)
    struct.pack_into("<I", changed, 22, size)
    struct.pack_into("<I", changed, at_end + 24, size)
    return bytes(changed)


async def test_a_zip_that_lies_about_its_sizes_is_found_out() -> None:
    honest = zipped({"conversations.json": as_json([simple("a"), simple("b")])})
    less = await brought(MemoryStore(), lying(honest, size=100))
    assert (less.added, len(less.skipped)) == (0, 1)
    more = await brought(MemoryStore(), lying(honest, size=10_000_000))
    assert (more.added, more.skipped) == (2, []), "nothing is missing"
    damaged = bytearray(honest)
    damaged[80:200] = bytes(120)
    moved = await brought(MemoryStore(), bytes(damaged))
    assert "damaged there" in moved.skipped[-1].reason


def test_a_bomb_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MEMBER_BYTES", 10_000_000)
    bomb = zipped({"conversations.json": b"[" + b" " * 50_000_000 + b"]"})
    assert len(bomb) < 100_000
    [found] = ZippedExport(io.BytesIO(bomb)).elements()
    assert isinstance(found, Fault)


def test_a_zip_under_a_password_says_what_to_do() -> None:
    locked = bytearray(zipped({"conversations.json": as_json([simple("a")])}))
    at_end = bytes(locked).rindex(b"PK\x01\x02")
    locked[6] |= 1
    locked[at_end + 8] |= 1
    [found] = ZippedExport(io.BytesIO(bytes(locked))).elements()
    assert isinstance(found, Fault)
    assert "encrypted" in found.reason


def test_stored_and_large_zips_are_read() -> None:
    content = as_json([simple("a")])
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        found = list(ZippedExport(io.BytesIO(zipped({"conversations.json": content}, kind))).elements())
        assert [type(each) for each in found] == [Element]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("conversations.json", "w", force_zip64=True) as member:
        member.write(content)
    assert len(list(ZippedExport(out).elements())) == 1
