"""Recordings on their way to an upstream: forms that are handed on as they come, where they can be; see `forms`.

How this works and why. The one thing in a form that must change is the model's name. Where the fields come before the
file, as from OpenAI's client for Python, the file is handed on while it arrives. Its client for Node sends the file
first: then nobody can be asked yet, and the form is kept in a temporary file until the name has come. So it is too
where the request may have to be sent twice, to another upstream or for an idempotency key, and where nobody has said
how long it is: what it may cost is reserved by its size.
"""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple, Self

from daehwa.gateway.asking import Weight
from daehwa.gateway.forms import Fields, Form, FormAsked, Kept
from daehwa.gateway.ports import Endpoint

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


class UploadAsked(FormAsked):
    """A request whose body is a form with a recording."""

    def __init__(
        self, endpoint: Endpoint, form: Form, fields: Fields, kept: Kept | None, densities: list[_Density]
    ) -> None:
        super().__init__(endpoint, form, fields, kept)
        self._densities = densities

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
        densities: list[_Density] = []
        form = Form(content_type, pieces, length, lambda begin: densities.append(_density(begin)))
        fields = await form.fields()
        is_kept = fields.model is None or length is None or await keep(fields.model)
        return cls(endpoint, form, fields, await Kept.of(form, fields) if is_kept else None, densities)

    @property
    def weight(self) -> Weight:
        """How long the recording may be, by its size; the size is known in the end."""
        density = min(self._densities, default=_OTHER)  # the sparsest, where there are several files
        seconds = self._form.size / density.fewest
        share = density.fewest / density.usual
        return Weight(input_tokens=round(seconds * TOKENS_PER_SECOND), seconds=seconds, likely_share=share)


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
