"""Recordings on their way to an upstream: forms that are read as they come, and never stand whole in memory.

How this works and why. The one thing in a form that must change is the model's name. Where the fields come before the
file, as from OpenAI's client for Python, the file is handed on while it arrives. Its client for Node sends the file
first: then nobody can be asked yet, and the form is kept in a temporary file until the name has come. So it is too
where the request may have to be sent twice, to another upstream or for an idempotency key, and where nobody has said
how long it is: what it may cost is reserved by its size. The order of fields means nothing in a form, so the model's is
always sent first.

What is sent on is written anew, under a boundary of our own and with the headers as they were understood here. Were the
caller's passed on, an upstream that reads forms a little otherwise could find another model in them than was allowed,
and is paid for.
"""

import asyncio
import hashlib
import secrets
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias

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


class _Density(NamedTuple):
    """Bytes of a recording that are a second: as few as they are in earnest, and as they mostly are.

    By the first is reserved, so that a recording is rather taken for longer than it is. By the second is counted where
    nobody says how long it was: at the same rate an ordinary file would be paid for ten times.
    """

    fewest: int
    usual: int


_MP3: Final = _Density(1_000, 8_000)
"""The format knows nothing below 8 kbit/s; speech is often kept at 64."""
_DENSITY: Final = {
    b"fLaC": _Density(4_000, 16_000),  # speech with pauses, 8 kHz, one channel: half of its samples and less
    **dict.fromkeys((b"ID3", b"\xff\xfb", b"\xff\xf3"), _MP3),
}
"""By what a file begins with: its name is anybody's word. A WAVE file says it itself. How long they are is said in the
heads of others too, but nothing holds what follows to that, or it stands at the end.
"""
_OTHER: Final = _Density(590, 4_000)
"""AMR at 4.75 kbit/s is the sparsest that phones record, in a file of its own or in MP4 (3GP); Opus has 6 kbit/s and
more, in Ogg, WebM or MP4. Mostly it is 32 kbit/s.
"""
_WAVE_CHUNKS_AT: Final = 12
_WAVE_CHUNK: Final = struct.Struct("<4sI")
_WAVE_FORMAT: Final = struct.Struct("<HHIIH")
"""The format, channels, samples a second, bytes a second, and bytes of a sample of all channels."""
_PLAIN_SAMPLES: Final = frozenset({1, 3, 6, 7})
"""PCM as whole numbers and as fractions, and a byte a sample as telephones have it (A-law, µ-law)."""
_SAID_BEHIND, _FORM_BEHIND = 0xFFFE, 24
"""The format that says which one it is further on, and where."""
_MOST_WAVE_BYTES_PER_SECOND = 1_152_000
"""192 kHz, two channels, 24 bits."""
_QUOTED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\\": "%5C", "\0": "%00"})
"""What cannot stand between the quotes of a name, as browsers write it."""
_ONE_LINE: Final = str.maketrans(dict.fromkeys("\r\n\0"))

_Event: TypeAlias = "MultipartSegment | bytearray | None"


class UploadAsked:
    """A request whose body is a form with a file. It is sent once, unless it was kept."""

    def __init__(self, endpoint: Endpoint, form: "_Form", fields: "_Fields", kept: "_Kept | None") -> None:
        self.endpoint = endpoint
        self.model = fields.model
        self.others: tuple[str, ...] = ()
        self.is_repeatable = kept is not None
        self._form = form
        self._fields = fields
        self._kept = kept

    @classmethod
    async def read(
        cls,
        endpoint: Endpoint,
        content_type: str,
        pieces: AsyncIterator[bytes],
        *,
        keep: Callable[[str], Awaitable[bool]],
        length: int | None,
    ) -> Self:
        """Read a form as far as it must be: whole where it is to `keep` for its model, where its model comes after the
        file, and where its `length` is not known. Raise `InvalidRequest`.
        """
        form = _Form(content_type, pieces, length)
        fields = await form.fields()
        kept = None
        if fields.model is None or length is None or await keep(fields.model):
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
        density = self._form.density
        seconds = self._form.size / density.fewest
        share = density.fewest / density.usual
        return Weight(input_tokens=round(seconds * TOKENS_PER_SECOND), seconds=seconds, likely_share=share)

    def parts(self) -> tuple[bytes, ...]:
        """Return the model and a digest of the rest: the boundary is another one each time."""
        return ((self.model or "").encode(), b"" if self._kept is None else self._kept.digest)

    def added(self, habits: Habits, output_limit: int | None) -> Added:  # noqa: ARG002 - the protocol's
        """Add nothing."""
        return Added()

    def request(self, name: str, added: Added) -> WireRequest:  # noqa: ARG002 - the protocol's
        """See the protocol."""
        model = self._form.field("model") + name.encode() + b"\r\n"
        if self._kept is not None:
            body, length = self._kept.body(model), len(model) + self._kept.size
        else:
            body, length = self._rest(model + self._fields.head), None
        return WireRequest(endpoint=self.endpoint, body=body, length=length, content_type=self._form.content_type)

    def instructed(self, instructions: str) -> "UploadAsked":  # noqa: ARG002 - the protocol's
        """Return it as it is: what is said in a recording is written down, and not answered."""
        return self

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
    """A form being read: `size` is the body's, as announced or as far as it came; `density` the file's."""

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes], length: int | None) -> None:
        from multipart import PushMultipartParser, parse_options_header  # noqa: PLC0415 - only who uploads needs it

        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not boundary or not boundary.isascii():
            raise InvalidRequest("Send the recording as a form: 'Content-Type: multipart/form-data' with a boundary.")
        own = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={own}"
        self.size = length or 0
        self.boundary = b"--" + own.encode()
        self._densities: list[_Density] = []
        self._is_announced = length is not None
        self._parser: PushMultipartParser = PushMultipartParser(boundary, max_segment_count=MOST_SEGMENTS)
        self._events = self._read(pieces)
        self._file: MultipartSegment | None = None
        self._begin: _Event = None

    @property
    def density(self) -> _Density:
        """How many bytes of a file are a second, the fewest where there are several files."""
        return min(self._densities, default=_OTHER)

    def field(self, name: str, filename: str | None = None, kind: str | None = None) -> bytes:
        """Return a segment's beginning."""
        file = "" if filename is None else f'; filename="{filename.translate(_QUOTED)}"'
        head = f'Content-Disposition: form-data; name="{name.translate(_QUOTED)}"{file}\r\n'
        head += "" if kind is None else f"Content-Type: {kind.translate(_ONE_LINE)}\r\n"
        return b"%b\r\n%b\r\n" % (self.boundary, head.encode())

    def _segment(self, segment: "MultipartSegment") -> bytes:
        return self.field(segment.name, segment.filename, segment.header("Content-Type"))

    async def fields(self) -> _Fields:
        """Read what comes before the file, or before the end where there is none."""
        fields = _Fields()
        async for event in self._events:
            if event is None or isinstance(event, bytearray):
                continue
            if event.filename is not None:
                _refuse_model_file(event)
                self._file, self._begin = event, await anext(self._events, None)
                break
            await self._take_field(event, fields)
        return fields

    async def written(self, fields: _Fields) -> AsyncGenerator[bytes, None]:
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
                fields.model = await self._text()
            else:
                _refuse_model_file(event)
                yield self._segment(event)
        yield self.boundary + b"--\r\n"

    async def _take_field(self, segment: "MultipartSegment", fields: _Fields) -> None:
        value = await self._value(FIELDS_BYTES - len(fields.head))
        if segment.name == "model":
            fields.model = _decoded(value)
        else:
            fields.head += self._segment(segment) + value + b"\r\n"

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

    async def _read(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[_Event, None]:
        begins = False
        async for piece in pieces:
            if not self._is_announced:
                self.size += len(piece)
            for event in self._parsed(piece):
                if begins and isinstance(event, bytearray):
                    self._densities.append(_density(event))
                begins = not isinstance(event, bytearray | None) and event.filename is not None
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


def _refuse_model_file(segment: "MultipartSegment") -> None:
    if segment.name == "model":
        raise InvalidRequest("'model' must be a text, not a file.", param="model")


def _density(begin: bytearray) -> _Density:
    if begin.startswith(b"RIFF"):
        return _density_of_wave(begin)
    return next((density for mark, density in _DENSITY.items() if begin.startswith(mark)), _OTHER)


def _density_of_wave(begin: bytearray) -> _Density:
    """Return what the head of a WAVE file says. Of plain samples it follows from how they are; of others it is a word
    that nobody checks, so no more is believed than of any other recording.
    """
    place = _WAVE_CHUNKS_AT if begin[8:_WAVE_CHUNKS_AT] == b"WAVE" else len(begin)
    while place + _WAVE_CHUNK.size + _WAVE_FORMAT.size <= len(begin):
        name, size = _WAVE_CHUNK.unpack_from(begin, place)
        place += _WAVE_CHUNK.size
        if name == b"fmt ":
            fields: tuple[int, int, int, int, int] = _WAVE_FORMAT.unpack_from(begin, place)
            form, _, samples, said, sample = fields
            if form == _SAID_BEHIND:
                form = int.from_bytes(begin[place + _FORM_BEHIND : place + _FORM_BEHIND + 2], "little")
            if form in _PLAIN_SAMPLES:
                rate = min(max(1, samples * sample), _MOST_WAVE_BYTES_PER_SECOND)
                return _Density(rate, rate)
            rate = max(1, said)
            return _Density(min(rate, _OTHER.fewest), min(rate, _OTHER.usual))
        place += size + size % 2
    return _OTHER


def _decoded(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        raise InvalidRequest("'model' must be a text in UTF-8.", param="model") from None
