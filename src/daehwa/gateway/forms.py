"""Forms with files, read as they come and written anew, so that they never stand whole in memory.

What is sent on is written under a boundary of our own and with the headers as they were understood here. Were the
caller's passed on, an upstream that reads forms a little otherwise could find another model in them than was allowed,
and is paid for.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import IO, TYPE_CHECKING, Final, Self, TypeAlias

from daehwa.conversation.errors import InvalidRequest, TooMuch
from daehwa.gateway.asking import Added, Habits
from daehwa.gateway.ports import Endpoint, WireRequest

if TYPE_CHECKING:
    from multipart import MultipartSegment

FIELDS_BYTES = 1_000_000
"""Bytes of what comes before the file, which is held in memory: a prompt may be long."""
IN_MEMORY = 256 * 1024
"""A form that must be kept is kept in memory up to this size, then in a temporary file."""
READ_BYTES = 64 * 1024
MOST_SEGMENTS = 64
_QUOTED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\\": "%5C", "\0": "%00"})
"""What cannot stand between the quotes of a name, as browsers write it."""
_ONE_LINE: Final = str.maketrans(dict.fromkeys("\r\n\0"))


_Event: TypeAlias = "MultipartSegment | bytearray | None"


class Fields:
    """What came before the file: the model's name, and the rest as it is sent on; `texts` that are read are from
    anywhere.
    """

    def __init__(self) -> None:
        self.model: str | None = None
        self.head = b""
        self.texts: list[tuple[str, str]] = []


class Form:
    """A form being read: `size` is the body's, as announced or as far as it came, `text_size` that of its texts,
    `text_names` are their names, and it has so many `files` beside. `begun` is called with how each file begins.
    `texts` are the fields whose values are kept, wherever they stand.
    """

    def __init__(
        self,
        content_type: str,
        pieces: AsyncIterator[bytes],
        length: int | None,
        begun: Callable[[bytearray], None],
        texts: frozenset[str] = frozenset(),
    ) -> None:
        from multipart import PushMultipartParser, parse_options_header  # noqa: PLC0415 - only who uploads needs it

        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not boundary or not boundary.isascii():
            raise InvalidRequest("Send the file as a form: 'Content-Type: multipart/form-data' with a boundary.")
        own = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={own}"
        self.size = length or 0
        self.boundary = b"--" + own.encode()
        self.text_size = 0
        self.files = 0
        self.text_names: list[str] = []
        self._begun = begun
        self._texts = texts
        self._is_announced = length is not None
        self._parser: PushMultipartParser = PushMultipartParser(boundary, max_segment_count=MOST_SEGMENTS)
        self._events = self._read(pieces)
        self._file: MultipartSegment | None = None
        self._begin: _Event = None

    def field(self, name: str, filename: str | None = None, kind: str | None = None) -> bytes:
        """Return a segment's beginning."""
        file = "" if filename is None else f'; filename="{filename.translate(_QUOTED)}"'
        head = f'Content-Disposition: form-data; name="{name.translate(_QUOTED)}"{file}\r\n'
        head += "" if kind is None else f"Content-Type: {kind.translate(_ONE_LINE)}\r\n"
        return b"%b\r\n%b\r\n" % (self.boundary, head.encode())

    def _segment(self, segment: "MultipartSegment") -> bytes:
        return self.field(segment.name, segment.filename, segment.header("Content-Type"))

    async def fields(self) -> Fields:
        """Read what comes before the file, or before the end where there is none."""
        fields = Fields()
        async for event in self._events:
            if event is None or isinstance(event, bytearray):
                continue
            if event.filename is not None:
                self._refuse_file(event)
                self._file, self._begin = event, await anext(self._events, None)
                break
            await self._take_field(event, fields)
        return fields

    async def written(self, fields: Fields) -> AsyncGenerator[bytes, None]:
        """Yield the file and what follows it, as it is sent on; a model's name among it is taken out."""
        if self._file is not None:
            yield self._segment(self._file)
            yield b"\r\n" if self._begin is None else bytes(self._begin)
        async for event in self._events:
            if isinstance(event, bytearray):
                yield bytes(event)
            elif event is None:
                yield b"\r\n"
            elif event.filename is None and event.name == "model":
                fields.model = _decoded(await self._value(FIELDS_BYTES), "model").strip()
            elif event.filename is None and event.name in self._texts:
                value = await self._value(FIELDS_BYTES)
                fields.texts.append((event.name, _decoded(value, event.name)))
                yield self._segment(event) + value + b"\r\n"
            else:
                self._refuse_file(event)
                yield self._segment(event)
        yield self.boundary + b"--\r\n"

    async def _take_field(self, segment: "MultipartSegment", fields: Fields) -> None:
        value = await self._value(FIELDS_BYTES - len(fields.head))
        if segment.name == "model":
            fields.model = _decoded(value, "model").strip()
        else:
            if segment.name in self._texts:
                fields.texts.append((segment.name, _decoded(value, segment.name)))
            fields.head += self._segment(segment) + value + b"\r\n"

    async def _value(self, most: int) -> bytes:
        value = bytearray()
        async for event in self._events:
            if not isinstance(event, bytearray):
                break
            value += event
            if len(value) > most:
                raise TooMuch(f"The form's fields are too long: at most {FIELDS_BYTES:,} bytes beside the file.")
        return bytes(value)

    async def _read(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[_Event, None]:
        begins = is_text = False
        async for piece in pieces:
            if not self._is_announced:
                self.size += len(piece)
            for event in self._parsed(piece):
                if begins and isinstance(event, bytearray):
                    self._begun(event)
                begins = not isinstance(event, bytearray | None) and event.filename is not None
                self.files += begins
                if isinstance(event, bytearray):
                    self.text_size += len(event) if is_text else 0
                elif event is not None:
                    self._check_spelling(event.name)
                    if is_text := not begins:
                        self.text_names.append(event.name)
                yield event
        for event in self._parsed(b""):
            yield event

    def _parsed(self, piece: bytes) -> Iterator[_Event]:
        from multipart import MultipartError  # noqa: PLC0415 - as above

        if self._parser.closed:
            return
        try:
            yield from self._parser.parse(piece)
        except MultipartError:
            raise InvalidRequest("The form is cut off or not well made.") from None

    def _check_spelling(self, name: str) -> None:
        """Raise where a field is one that is read here but for its letters' case, spaces or brackets, by which some
        upstreams would take it for that one.
        """
        meant = name.strip().removesuffix("[]").strip().casefold()
        if meant != name and (meant == "model" or meant in self._texts):
            raise InvalidRequest(f"Write '{meant}' as it is: some upstreams take '{name}' for it.", param=meant)

    def _refuse_file(self, segment: "MultipartSegment") -> None:
        """Raise where a field is a file that has to be a text: what it says would not be read here."""
        if segment.filename is not None and (segment.name == "model" or segment.name in self._texts):
            raise InvalidRequest(f"'{segment.name}' must be a text, not a file.", param=segment.name)


class Kept:
    """A form without its model, in memory while it is small, else in a temporary file."""

    def __init__(self, boundary: bytes) -> None:
        from tempfile import SpooledTemporaryFile  # noqa: PLC0415 - it brings much that a start does not need

        self.size = 0
        self._boundary = boundary
        self._file: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """The digest of what was kept."""
        return self._digest.digest()

    @classmethod
    async def of(cls, form: Form, fields: Fields) -> Self:
        """Keep a form to its end."""
        kept = cls(form.boundary)
        try:
            await kept._take(form, fields)
        except BaseException:  # cancelled too
            kept.close()
            raise
        return kept

    async def _take(self, form: Form, fields: Fields) -> None:
        pending = bytearray(fields.head)
        # A boundary never lies across two writes: the digest leaves it out.
        async for piece in form.written(fields):
            pending += piece
            if len(pending) >= IN_MEMORY:
                await self._write(bytes(pending))
                pending.clear()
        await self._write(bytes(pending))

    async def body(self, model: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the form, with its model."""
        yield model
        place = 0
        while piece := await asyncio.to_thread(self._read, place):
            place += len(piece)
            yield piece

    def close(self) -> None:
        """Remove it."""
        self._file.close()

    async def _write(self, piece: bytes) -> None:
        self.size += len(piece)
        self._digest.update(piece.replace(self._boundary, b"--"))
        await asyncio.to_thread(self._file.write, piece)

    def _read(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.read(READ_BYTES)


class FormAsked:
    """A request whose body is a form. It is sent once, unless it was kept. Fulfils `Asked`, but for its weight."""

    def __init__(self, endpoint: Endpoint, form: Form, fields: Fields, kept: Kept | None) -> None:
        self.endpoint = endpoint
        self.model = fields.model
        self.others: tuple[str, ...] = ()
        self.is_repeatable = kept is not None
        self._form = form
        self._fields = fields
        self._kept = kept

    def parts(self) -> tuple[bytes, ...]:
        """Return the model and a digest of the rest: the boundary is another one each time."""
        return ((self.model or "").encode(), b"" if self._kept is None else self._kept.digest)

    def added(self, habits: Habits, output_limit: int | None) -> Added:  # noqa: ARG002 - the protocol's
        """Add nothing."""
        return Added()

    def request(self, name: str, added: Added) -> WireRequest:  # noqa: ARG002 - the protocol's
        """See the protocol. The model comes first: the order of fields means nothing in a form."""
        model = self._form.field("model") + name.encode() + b"\r\n"
        if self._kept is not None:
            body, length = self._kept.body(model), len(model) + self._kept.size
        else:
            body, length = self._rest(model + self._fields.head), None
        return WireRequest(endpoint=self.endpoint, body=body, length=length, content_type=self._form.content_type)

    def instructed(self, instructions: str) -> Self:  # noqa: ARG002 - the protocol's
        """Return it as it is: who writes down what is said, or draws, is not told anything."""
        return self

    def close(self) -> None:
        """Remove what was kept. More than once is fine."""
        if self._kept is not None:
            self._kept.close()

    async def _rest(self, head: bytes) -> AsyncGenerator[bytes, None]:
        yield head
        async for piece in self._form.written(self._fields):
            yield piece


def _decoded(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"'{name}' must be a text in UTF-8.", param=name) from None
