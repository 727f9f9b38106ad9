"""Watches an answer's bytes on their way and takes from them what the call is paid by.

How this works and why. This runs once for each piece of every stream, so a piece is searched for a few marks, and
nothing is decoded but an event that says its usage or an error. Only whole events are looked at, and only whole ones go
on: what is found and shown is the same wherever the pieces were cut, and an error that has to be said after a stream
broke off never stands in the middle of an event. The last piece is held: its last event tells, once nothing more
comes, whether the stream came to its end. `"usage":null` with its quotes cannot stand inside of a JSON text.
Where nobody counts, an event is a token. A stream whose events are too large for that has as many as its text: what
its events have beyond what stands around the first text. For that, lengths are added up, and no further event is read.
"""

import re
from typing import Final, TypeAlias

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import as_counted
from daehwa.gateway.wire_usage import said_in

LONGEST_EVENT = 8 * 1024 * 1024
"""Bytes that are held back at most while an event's end has not come. Of a longer one the end is searched for usage."""
_HELD_END = 64 * 1024
"""So many of them are held on to where the others have to go: usage stands near the end, behind images."""

_USAGE: Final = b'"usage"'
_ERROR: Final = b'"error"'
_IMAGE: Final = frozenset({"image_generation.completed", "image_edit.completed"})
_NO_USAGE: Final = b',"usage":null'  # as nearly everybody writes it
_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null\b|"usage"\s*:\s*null\s*,\s*')
_TEXT = re.compile(rb'"(?:audio|content|reasoning(?:_content)?|text|delta|arguments|refusal)"\s*:\s*"([^"]*)"')
_BYTES_PER_TOKEN = 4
_LONG_TOKEN = 16
"""Bytes of a text that may be a single token."""
_WHOLE_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')
_UNKNOWN: Final = b"?"
_ENDINGS: Final = (b"\n\n", b"\n\r\n", b"\r\r")
_DATA = re.compile(rb"(?:\A|[\r\n])data")
_EVENT = re.compile(rb".+?(?:\n\r?\n|\r\r|\Z)", re.DOTALL)


def whole_events(came: bytearray, start: int = 0) -> int:
    """Return where the last event ends that is whole; `start`: no event ends before."""
    return max(_after(came, ending, start) for ending in _ENDINGS)


def has_event(came: bytearray) -> bool:
    """Whether an event is there, whole: comments are none."""
    if came.startswith(b"data:") and came.endswith(b"\n\n"):  # nearly always
        return True
    return has_data(came, whole_events(came))


def has_data(came: bytearray, end: int) -> bool:
    """Whether there is data in so many bytes."""
    return _DATA.search(came, 0, end) is not None


class PassingTap:
    """Lets bytes pass that are no events, as a speech: nothing stands in them that a call is paid by."""

    __slots__ = ("_size",)
    usage: Usage | None = None
    model: str | None = None
    seconds, shown, images, tokens, has_failed = 0.0, 0, 0, 0, False
    last = unfinished = b""

    def __init__(self) -> None:
        self._size = 0

    def feed(self, piece: bytes) -> bytes:
        """Let it pass."""
        self._size += len(piece)
        return piece

    @property
    def has_begun(self) -> bool:
        """Whether anything came."""
        return self._size > 0

    @property
    def has_given(self) -> bool:
        """The same."""
        return self._size > 0

    def begins(self, came: bytearray) -> bool:
        """Whether anything is there."""
        return len(came) > 0

    def is_error(self, first: bytes) -> bool:  # noqa: ARG002 - nothing of it is
        """Say no: an error is no sound."""
        return False


class UsageTap:
    """Reads a stream of events. `strip`: usage was asked for by us, so the client is not shown it.

    `usage` is what the upstream said, None until it did, and so are the tokens of pictures that were `shown` to it,
    `seconds` of audio, `images` and the `model` that it named beside. `has_failed`: an error stood in the stream.
    """

    __slots__ = (
        *("_around", "_before", "_events", "_had_long", "_is_in_long", "_last", "_length", "_rest", "_strips"),
        *("has_failed", "images", "model", "seconds", "shown", "usage"),
    )

    def __init__(self, *, strip: bool) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.seconds = 0.0
        self.shown = 0
        self.images = 0
        self.has_failed = False
        self._strips = strip
        self._rest = bytearray()
        self._last = b""
        self._is_in_long = self._had_long = False
        self._around = self._before = self._events = self._length = 0

    def feed(self, piece: bytes) -> bytes:
        """Take what came and return what goes on; an empty piece is the end, and returns what was held back."""
        if self._rest or not piece.endswith(b"\n\n"):  # nearly every piece is of whole events, as they were sent
            piece = self._whole_events(piece)
        events = piece.count(b"data:")
        self._events += events
        self._length += len(piece)
        if not self._around:
            self._look_for_text(piece)
        shown = piece.replace(_NO_USAGE, b"")
        if shown.find(_USAGE) >= 0 or shown.find(_ERROR) >= 0:  # `in` would first try its bytes as a number
            shown = self._without_usage(shown)
        elif events:
            self._last = piece
        return shown if self._strips else piece

    def _whole_events(self, piece: bytes) -> bytes:
        """Return the events that are whole with this piece, and hold back the rest; at the end, all that there is."""
        came = self._rest
        new = max(0, len(came) - 2)  # what was searched before is not searched again: an event may be megabytes long
        came += piece
        end = whole_events(came, new) if piece else len(came)
        if len(came) - end > LONGEST_EVENT:
            end = len(came) - _HELD_END
            self._is_in_long = self._had_long = True
        elif end:
            self._is_in_long = False
        events = bytes(came[:end])
        del came[:end]
        return events

    def _without_usage(self, events: bytes) -> bytes:
        """Note usage and errors, and return what is left without what holds nothing but usage."""
        shown = b"".join([event for event in _events_of(events) if not self._is_bare_usage(event)])
        self._last = shown if _last_data(shown) else self._last
        return shown if shown.find(_USAGE) < 0 else _NULL_USAGE.sub(b"", shown)

    def begins(self, came: bytearray) -> bool:
        """Whether an event is there; see `has_event`."""
        return has_event(came)

    def is_error(self, first: bytes) -> bool:
        """Whether what came first is but an error. It is read by another tap: this one is fed with it later."""
        if first.find(_ERROR) < 0:
            return False
        tap = UsageTap(strip=False)
        tap.feed(first)
        return tap.has_failed and not tap.has_given

    @property
    def last(self) -> bytes:
        """The data of the last whole event that says more than its usage; empty where none does. Of one that was too
        long to be held no more is known than that it ended, which is no JSON.
        """
        return _last_data(self._last) or (_UNKNOWN if self._had_long else b"")

    @property
    def unfinished(self) -> bytes:
        """The data of an event whose end has not come, as far as it came, or the beginning of some JSON."""
        return b"{" if self._is_in_long else _last_data(bytes(self._rest))

    @property
    def has_begun(self) -> bool:
        """Whether an event came: comments are none."""
        return bool(self._events or self._had_long)

    @property
    def has_given(self) -> bool:
        """Whether anything came that is paid for: a text, a count, an image."""
        return bool(self._around or as_counted(self.usage) or self.seconds or self.images)

    @property
    def tokens(self) -> int:
        """How many tokens have passed, guessed; as many wherever the pieces were cut."""
        events = self._events - self._before
        text = self._length - events * self._around
        if text <= events * _LONG_TOKEN:
            return self._events
        return max(self._events, self._before + text // _BYTES_PER_TOKEN)

    def _look_for_text(self, events: bytes) -> None:
        """Measure what stands around the first text; what comes before it has none, and its length is no matter."""
        for event in _events_of(events):
            if text := sum(map(len, _TEXT.findall(event))):
                self._around = len(event) - text
                return
            self._before += event.count(b"data:")
            self._length -= len(event)

    def _is_bare_usage(self, event: bytes) -> bool:
        """Note the usage or the error of an event, and return whether it holds nothing but usage."""
        if event.find(_USAGE) < 0 and event.find(_ERROR) < 0:
            return False
        data = _data_of(event)
        if not data.startswith(b"{"):
            self._note_usage_at_the_end(event)
            return False
        said = said_in(data)
        if said.counted is not None:
            self.usage = said.counted.tokens or self.usage
            self.shown = said.counted.shown
            self.model = said.answered_by
        self.seconds = said.seconds or self.seconds
        self.images += isinstance(said.type, str) and said.type in _IMAGE
        self.has_failed = self.has_failed or said.is_error
        return said.is_bare_usage

    def _note_usage_at_the_end(self, rest: bytes) -> None:
        """Note the last usage in what is no event by itself: the rest of one that was too long to be held. What is an
        image is as long, and has its usage with it.
        """
        found = _WHOLE_USAGE.match(rest, max(0, rest.rfind(_USAGE)))
        if found is not None and (counted := said_in(b'{"usage":%b}' % found[1]).counted) is not None:
            self.usage = counted.tokens or self.usage
            self.shown = counted.shown
            self.images += 1


Tap: TypeAlias = UsageTap | PassingTap


def _events_of(events: bytes) -> list[bytes]:
    """Return each event with what ends it."""
    if events.find(b"\r") >= 0:
        return _EVENT.findall(events)
    *whole, last = events.split(b"\n\n")
    return [*(event + b"\n\n" for event in whole), last]


def _data_of(event: bytes) -> bytes:
    return b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))


def _last_data(events: bytes) -> bytes:
    return next((data for event in reversed(_events_of(events)) if (data := _data_of(event))), b"")


def _after(came: bytearray, ending: bytes, start: int) -> int:
    place = came.rfind(ending, start)
    return 0 if place < 0 else place + len(ending)
