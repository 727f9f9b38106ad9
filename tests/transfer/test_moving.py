"""Export and import by a file: whole, again without a change, and with a word for every line that was left out."""

import io
import re
from pathlib import Path

import msgspec
import pytest
from stores.asking import ME, OTHER, ask

from daehwa.conversation.archive_ports import ConversationArchive, ConversationRecord, Imported
from daehwa.conversation.errors import StoreError
from daehwa.conversation.export_file import Head, NotAnExport, read_head
from daehwa.stores.memory import MemoryStore
from daehwa.stores.sqlite import SqliteStore
from daehwa.transfer.moving import Moved, export_conversations, import_conversations


async def exported(store: ConversationArchive, owner: str | None = None) -> bytes:
    out = io.BytesIO()
    head = Head.of("1.2.3", {})
    moved = await export_conversations(store, out, head=head, owner=owner, progress=lambda _moved: None)
    assert moved.is_whole
    return out.getvalue()


async def imported(store: ConversationArchive, content: bytes, owner: str | None = None) -> Moved:
    source = io.BytesIO(content)
    read_head(source)
    return await import_conversations(store, source, owner=lambda was: owner or was, progress=lambda _moved: None)


async def records(store: ConversationArchive) -> list[ConversationRecord]:
    return [record async for record in store.export_conversations()]


async def talkative() -> MemoryStore:
    store = MemoryStore()
    for number in range(20):
        await ask(store, f"question {number} 질문", f"answer {number} 대답\u2028\n")
    await ask(store, "somebody else's", owner=OTHER)
    return store


async def test_a_file_carries_every_record_whole_and_a_second_import_changes_nothing(tmp_path: Path) -> None:
    origin = await talkative()
    content = await exported(origin)
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    first = await imported(store, content)
    assert (first.conversations, first.messages, first.added, first.same) == (21, 42, 21, 0)
    assert first.is_whole
    assert not first.skipped
    assert [msgspec.json.encode(r) for r in await records(store)] == [
        msgspec.json.encode(r) for r in await records(origin)
    ]
    again = await imported(store, content)
    assert (again.added, again.changed, again.same) == (0, 0, 21)
    back = (await exported(store)).splitlines()[1:]
    assert back == content.splitlines()[1:], "all but the first line, which holds the time"
    await store.aclose()


async def test_one_owner_alone_is_exported_and_given_to_another() -> None:
    content = await exported(await talkative(), owner=OTHER)
    store = MemoryStore()
    moved = await imported(store, content, owner=ME)
    assert (moved.conversations, moved.added) == (1, 1)
    assert {record.conversation.owner for record in await records(store)} == {ME}


async def test_conversations_of_somebody_else_are_left_alone_and_named() -> None:
    origin = await talkative()
    content = await exported(origin)
    moved = await imported(origin, content, owner="a third")
    assert (moved.added, moved.same, len(moved.skipped)) == (0, 0, 21)
    assert "“question 0 질문”: " in moved.skipped[0].reason
    assert moved.skipped[0].where == "line 2"


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"PK\x03\x04\xff", b'{"type":"conversation"}\n'])
async def test_what_is_no_export_is_refused_before_anything_is_stored(content: bytes) -> None:
    with pytest.raises(NotAnExport, match="daehwa export"):
        await imported(MemoryStore(), content)


async def test_an_export_of_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(NotAnExport, match=r"newer daehwa \(9\.0\)"):
        await imported(MemoryStore(), b'{"type":"daehwa-export","version":2,"daehwa":"9.0","created":1}\n')


async def test_a_file_that_was_cut_off_brings_what_it_has_and_says_so() -> None:
    content = await exported(await talkative())
    lines = content.splitlines(keepends=True)
    store = MemoryStore()
    moved = await imported(store, b"".join(lines[:5]) + lines[5][:-20])
    assert (moved.added, moved.is_whole) == (4, False)
    assert [(skipped.where, skipped.reason) for skipped in moved.skipped] == [("line 6", "it is cut off")]
    assert not (await imported(store, b"".join(lines[:-1]))).is_whole, "the last line is missing"
    assert not (await imported(store, b"".join([lines[0], *lines[2:]]))).is_whole, "a line in between is missing"
    fewer = lines[-1].replace(b'"messages":42', b'"messages":43')
    assert not (await imported(store, b"".join([*lines[:-1], fewer]))).is_whole, "a message in between is missing"


async def test_a_last_line_without_its_end_is_whole() -> None:
    content = await exported(await talkative())
    moved = await imported(MemoryStore(), content.rstrip(b"\n"))
    assert (moved.added, moved.is_whole, moved.skipped) == (21, True, [])


async def test_faulty_lines_are_passed_over_and_named() -> None:
    lines = (await exported(await talkative())).splitlines(keepends=True)
    lines[3] = b'{"type":"conversation","record":{"conversation":7}}\n'
    lines[4] = b"\xff\xfe\n"
    lines[6] = lines[6].replace(b'"parent":null', b'"parent":"0"', 1)
    moved = await imported(MemoryStore(), b"".join(lines))
    assert moved.added == 18
    assert [skipped.where for skipped in moved.skipped] == ["line 4", "line 5", "line 7"]
    assert "does not fit" in moved.skipped[2].reason


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"conversation","record":' + b"[" * 200_000,
        b'{"type":"x","y":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
async def test_a_line_nested_without_end_is_left_out(line: bytes) -> None:
    head, *others = (await exported(await talkative())).splitlines(keepends=True)
    moved = await imported(MemoryStore(), b"".join((head, line + b"\n", *others)))
    assert (moved.added, moved.is_whole) == (21, True)
    assert [skipped.where for skipped in moved.skipped] == ["line 2"]
    with pytest.raises(NotAnExport):
        read_head(io.BytesIO(line))


async def test_a_number_that_no_store_holds_leaves_its_line_out(tmp_path: Path) -> None:
    lines = (await exported(await talkative())).splitlines(keepends=True)
    lines[3] = re.sub(rb'"created":\d+', b'"created":9223372036854775808', lines[3], count=1)
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    moved = await imported(store, b"".join(lines))
    await store.aclose()
    assert (moved.added, [skipped.where for skipped in moved.skipped]) == (20, ["line 4"])


class FullStore(MemoryStore):
    """A store that takes ten conversations."""

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        if len(await records(self)) == 10:
            raise StoreError("The disk is full.")
        return await super().import_conversation(record)


async def test_a_store_that_cannot_go_on_ends_the_import_with_its_own_word() -> None:
    content, store = await exported(await talkative()), FullStore()
    with pytest.raises(StoreError, match="full"):
        await imported(store, content)
    assert len(await records(store)) == 10
