"""Recordings on their way to an upstream: forms that are read as they come, and never stand whole in memory.

How this works and why. The one thing in a form that must change is the model's name. Where the fields come before the
file, as from OpenAI's client for Python, the file is handed on while it arrives. Its client for Node sends the file
first: then nobody can be asked yet, and the form is kept in a temporary file until the name has come. So it is too
where the request may have to be sent twice, to another upstream or for an idempotency key. The order of fields means
nothing in a form, so the model's is always sent first.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import IO, TYPE_CHECKING, Final, Self, TypeAlias

from daehwa.conversation.errors import InvalidRequest, TooMuch
from daehwa.gateway.asking import Added, Habits, Weight
from daehwa.gateway.ports import Endpoint, WireRequest

if TYPE_CHECKING:
    from multipart import MultipartSegment

FIELDS_BYTES = 1_000_000
"""Bytes of what comes before the file, which is held in memory: a prompt may be long."""
IN_MEMORY = 256 * 1024
"""A form that must be kept is kept in memory up to this size, then in a temporary file."""
READ_BYTES = 64 * 1024
MOST_SEGMENTS = 64
TOKENS_PER_SECOND = 17
"""What the models that are paid by the token count for a second of audio, about a thousand a minute."""

_BYTES_PER_SECOND: Final = {"wav": 32_000, "flac": 16_000, "mp3": 8_000, "mpga": 8_000, "mpeg": 8_000}
_OTHER_BYTES_PER_SECOND = 4_000
"""Few, so that a recording is rather taken for longer than it is: 32 kbit/s, as phones record speech."""

_Event: TypeAlias = "MultipartSegment | bytearray | None"


class UploadAsked:
    """A request whose body is a form with a file. It is sent once, unless it was kept."""

    def __init__(self, endpoint: Endpoint, form: "_Form", fields: "_Fields", kept: "_Kept | None") -> None:
        self.endpoint = endpoint
        self.model = fields.model
        self.is_repeatable = kept is not None
        self._form = form
        self._fields = fields
        self._kept = kept

    @classmethod
    async def read(
        cls, endpoint: Endpoint, content_type: str, pieces: AsyncIterator[bytes], *, keep: bool, length: int | None
    ) -> Self:
        """Read a form as far as it must be. `length` is the whole body's, where it is known. Raise `InvalidRequest`."""
        form = _Form(content_type, pieces, length)
        fields = await form.fields()
        kept = None
        if keep or fields.model is None:
            kept = _Kept(form.boundary)
            try:
                await kept.take(form, fields)
            except BaseException:  # cancelled too
                kept.close()
                raise
        return cls(endpoint, form, fields, kept)

    @property
    def weight(self) -> Weight:
        """How long the recording may be, by its size; the size is known in the end."""
        seconds = self._form.size / _BYTES_PER_SECOND.get(self._form.format, _OTHER_BYTES_PER_SECOND)
        return Weight(input_tokens=round(seconds * TOKENS_PER_SECOND), seconds=seconds)

    def parts(self) -> tuple[bytes, ...]:
        """Return the model and a digest of the rest: the boundary is another one each time."""
        return ((self.model or "").encode(), b"" if self._kept is None else self._kept.digest)

    def added(self, habits: Habits, output_limit: int | None) -> Added:  # noqa: ARG002 - the protocol's
        """Add nothing."""
        return Added()

    def request(self, name: str, added: Added) -> WireRequest:  # noqa: ARG002 - the protocol's
        """See the protocol."""
        model = self._form.segment([("Content-Disposition", 'form-data; name="model"')]) + name.encode() + b"\r\n"
        if self._kept is not None:
            body, length = self._kept.body(model), len(model) + self._kept.size
        else:
            body, length = self._rest(model + self._fields.head), None
        return WireRequest(endpoint=self.endpoint, body=body, length=length, content_type=self._form.content_type)

    def close(self) -> None:
        """Remove what was kept. More than once is fine."""
        if self._kept is not None:
            self._kept.close()

    async def _rest(self, head: bytes) -> AsyncGenerator[bytes, None]:
        yield head
        async for piece in self._form.written(self._fields):
            yield piece


class _Fields:
    """What came before the file: the model's name, and the rest as it is sent on."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.head = b""


class _Form:
    """A form being read: `size` is the body's, as announced or as far as it came, `format` the file's."""

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes], length: int | None) -> None:
        from multipart import PushMultipartParser, parse_options_header  # noqa: PLC0415 - only who uploads needs it

        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not boundary or not boundary.isascii() or '"' in boundary:
            raise InvalidRequest("Send the recording as a form: 'Content-Type: multipart/form-data' with a boundary.")
        self.content_type = f'multipart/form-data; boundary="{boundary}"'
        self.size = length or 0
        self.format = ""
        self.boundary = b"--" + boundary.encode()
        self._is_announced = length is not None
        self._parser: PushMultipartParser = PushMultipartParser(boundary, max_segment_count=MOST_SEGMENTS)
        self._events = self._read(pieces)
        self._file: MultipartSegment | None = None

    def segment(self, headers: list[tuple[str, str]]) -> bytes:
        """Return a segment's beginning."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
        return b"%b\r\n%b\r\n" % (self.boundary, lines)

    async def fields(self) -> _Fields:
        """Read what comes before the file, or before the end where there is none."""
        fields = _Fields()
        async for event in self._events:
            if event is None or isinstance(event, bytearray):
                continue
            if event.filename is not None:
                self._file = event
                self._note_format(event)
                break
            await self._take_field(event, fields)
        return fields

    async def written(self, fields: _Fields) -> AsyncGenerator[bytes, None]:
        """Yield the file and what follows it, as it is sent on; a model's name among it is taken out."""
        if self._file is not None:
            yield self.segment(self._file.headerlist)
        async for event in self._events:
            if isinstance(event, bytearray):
                yield bytes(event)
            elif event is None:
                yield b"\r\n"
            elif event.filename is None and event.name == "model":
                fields.model = await self._text()
            else:
                self._note_format(event)
                yield self.segment(event.headerlist)
        yield self.boundary + b"--\r\n"

    async def _take_field(self, segment: "MultipartSegment", fields: _Fields) -> None:
        value = await self._value(FIELDS_BYTES - len(fields.head))
        if segment.name == "model":
            fields.model = _decoded(value)
        else:
            fields.head += self.segment(segment.headerlist) + value + b"\r\n"

    async def _text(self) -> str:
        return _decoded(await self._value(FIELDS_BYTES))

    async def _value(self, most: int) -> bytes:
        value = bytearray()
        async for event in self._events:
            if not isinstance(event, bytearray):
                break
            value += event
            if len(value) > most:
                raise TooMuch(f"The form's fields are too long: at most {FIELDS_BYTES:,} bytes beside the file.")
        return bytes(value)

    def _note_format(self, segment: "MultipartSegment") -> None:
        if segment.filename is not None:
            self.format = segment.filename.rpartition(".")[2].lower()

    async def _read(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[_Event, None]:
        async for piece in pieces:
            if not self._is_announced:
                self.size += len(piece)
            for event in self._parsed(piece):
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


class _Kept:
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

    async def take(self, form: _Form, fields: _Fields) -> None:
        """Keep a form to its end."""
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


def _decoded(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        raise InvalidRequest("'model' must be a text in UTF-8.", param="model") from None
