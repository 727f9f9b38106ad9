"""What is in a file that conversations are brought from: an export of ours, or of another product, as JSON or in a ZIP.

A file may be larger than the memory. Of a ZIP only its conversations are read, one shard after the other; sizes are
counted as they come, whatever the ZIP says of them.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from daehwa.conversation.export_file import NotAnExport
from daehwa.transfer.elements import FaultyElement, read_elements

MEMBERS: Final = 500_000
"""The most files that a ZIP may hold."""
MEMBER_BYTES: Final = 16 * 1024**3
"""The most that is read of one shard, unpacked."""
_OURS_BEGINS: Final = re.compile(rb'\s*{\s*"type"\s*:\s*"daehwa-export"')
_OURS: Final = re.compile(r"(^|/)conversations\.jsonl$")
_SHARD: Final = re.compile(r"(^|/)conversations?[-_ ]?\d*\.json$|(^|/)conversations/[^/]+\.json$", re.IGNORECASE)
_JSON: Final = re.compile(r"\.json$", re.IGNORECASE)
_NOT_MEANT: Final = re.compile(r"(^|/)(__MACOSX/|\._)")
try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it, where such a ZIP cannot be read anyway
    LZMAError = zlib.error  # type: ignore[misc,assignment] # an error that stands for it
_UNREADABLE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, OSError)
_IN_PIECES: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_HOW: Final = (
    "Give a file that `daehwa export` wrote, or an export of ChatGPT, Claude, Open WebUI or LibreChat: the ZIP as it "
    "came, or its JSON."
)


class Element(msgspec.Struct, frozen=True):
    """What stands at one place of a file, as bytes; `where` says which place, for people."""

    where: str
    text: bytes


class Fault(msgspec.Struct, frozen=True):
    """A place of a file that cannot be read; `reason` is a sentence."""

    where: str
    reason: str


def begins_zip(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))


def begins_json(head: bytes) -> bool:
    """Whether a file that begins so may be JSON in UTF-8."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"[", b"{"}


def begins_ours(head: bytes) -> bool:
    """Whether a file that begins so is an export of ours, as lines."""
    return _OURS_BEGINS.match(head) is not None


def not_an_export(head: bytes) -> NotAnExport:
    """Return the error of a file that is nothing of this."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:2] == b"\0":
        return NotAnExport("This file is text in UTF-16. Save it as UTF-8, or take the ZIP as it came.")
    if head.startswith(b"\x1f\x8b"):
        return NotAnExport("This file is packed by gzip. Unpack it first, for instance with gunzip.")
    return NotAnExport(f"Nothing in this file can be brought. {_HOW}")


def json_elements(source: IO[bytes], name: str = "") -> Iterator[Element | Fault]:
    """Yield what a JSON file holds, numbered from 1."""
    for number, found in enumerate(read_elements(source), 1):
        where = f"{name}, conversation {number}" if name else f"conversation {number}"
        yield Fault(where, found.reason) if isinstance(found, FaultyElement) else Element(where, found)


class ZippedExport:
    """A ZIP; `ours` is our own export in it, where one is, `shards` are those of other products, `files` all of it."""

    def __init__(self, source: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(source)
        except _UNREADABLE:
            raise NotAnExport("This ZIP is damaged, or was not loaded down whole. Get it again.") from None
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(files) > MEMBERS:
            raise NotAnExport(f"This ZIP holds more than {MEMBERS:,} files. {_HOW}")
        self.files = [info for info in files if not _NOT_MEANT.search(info.filename)]
        self.ours = next((info for info in self.files if _OURS.search(info.filename)), None)
        self.shards = _named(_SHARD, self.files) or _named(_JSON, self.files)
        if self.ours is None and not self.shards:
            raise NotAnExport(f"There are no conversations in this ZIP. {_HOW}")

    def open_ours(self) -> IO[bytes]:
        """Return our own export. Raise `NotAnExport`, as reading it does, where it cannot be read."""
        try:
            return io.BufferedReader(_OurMember(self._zip.open(self.ours or "")))
        except _UNREADABLE as error:
            raise NotAnExport(f"The export in this ZIP cannot be read: {_said(error)}.") from None

    def small_file(self, info: zipfile.ZipInfo, most: int) -> bytes | None:
        """Return a file of at most so many bytes, whatever the ZIP says of its size; None where it is larger, or cannot
        be unpacked. Only what is unpacked piece by piece is: a few bytes packed otherwise may become gigabytes at once.
        """
        if info.compress_type not in _IN_PIECES or info.file_size > most:
            return None
        try:
            with self._zip.open(info) as member:
                data = member.read(most + 1)
        except (*_UNREADABLE, ValueError):
            return None
        return data if len(data) <= most else None

    def elements(self) -> Iterator[Element | Fault]:
        """Yield what its shards hold. One that cannot be read on does not end it."""
        for shard in self.shards:
            name = shard.filename
            try:
                with self._zip.open(shard) as member:
                    yield from json_elements(_Member(member), name)  # type: ignore[arg-type] # it reads, and no more
            except _UNREADABLE as error:
                yield Fault(name, f"it cannot be read on: {_said(error)}")


def _named(pattern: re.Pattern[str], files: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    return sorted((info for info in files if pattern.search(info.filename)), key=lambda info: info.filename)


def _said(error: BaseException) -> str:
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return "it is encrypted. Unpack the ZIP with its password, and give what was in it"
    return "the ZIP is damaged there, or was not loaded down whole"


class _Reader(io.RawIOBase):
    """A file of which only `read` is written."""

    def readable(self) -> bool:
        """Whether it can be read: it can."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override] # as io calls it
        """Read into a buffer."""
        piece = self.read(len(buffer)) or b""
        buffer[: len(piece)] = piece
        return len(piece)


class _Member(_Reader):
    """A file in a ZIP that is read up to a limit."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self._left = MEMBER_BYTES

    def read(self, size: int = -1) -> bytes:
        """Read some of it. Raise `BadZipFile` at the limit, and where it cannot be unpacked."""
        try:
            piece = self._member.read(size)
        except (*_UNREADABLE, ValueError):  # each library that unpacks has errors of its own
            raise zipfile.BadZipFile from None
        self._left -= len(piece)
        if self._left < 0:
            raise zipfile.BadZipFile
        return piece


class _OurMember(_Member):
    """Our own export in a ZIP."""

    def read(self, size: int = -1) -> bytes:
        """Read some of it. Raise `NotAnExport` where it cannot be read on."""
        try:
            return super().read(size)
        except zipfile.BadZipFile as error:
            raise NotAnExport(
                f"The export in this ZIP cannot be read on: {_said(error)}. Conversations that came before are stored. "
                "Get it again, and import that."
            ) from None


class Rewound(_Reader):
    """What was read of a file, and the rest of it: a pipe cannot be rewound."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Read some of it."""
        if not self._head:
            return self._rest.read(size)
        size = len(self._head) if size < 0 else size
        piece, self._head = self._head[:size], self._head[size:]
        return piece
