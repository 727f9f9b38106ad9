"""Room for large requests: how many bytes of them are held at once, so that many in one moment do not fill the machine.

How this works and why. Whoever reads a large body, or makes a large request for a model, takes its bytes first, and
gives them back when they are let go. While there is no room, one waits in line, and reads nothing meanwhile. Nobody
holds more than is left to all others, but for a single request, which has only to fit: so whoever sends much, and
slowly, keeps nobody else out. The next one is of whoever holds the least, of equals by turns; nobody overtakes them
for being smaller, else a large one might never fit. What is small asks for nothing here.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, NamedTuple, Self

LARGE_BYTES: Final = 256 * 1024
"""What has more is large: so much of a body is read at once, before anybody could let it wait."""
MB: Final = 1_000_000
ROOM_BYTES: Final = 64 * MB
ROOM_SECONDS: Final = 20.0


class _Waiting(NamedTuple):
    share: "Share"
    size: int
    place: asyncio.Future[None]


class Room:
    """Room for so many bytes. `seconds`: so long whatever can be sent once more waits for its share."""

    def __init__(self, size: int = ROOM_BYTES, *, seconds: float = ROOM_SECONDS) -> None:
        self.size = size
        self.seconds = seconds
        self.free = size
        self._held: dict[str, int] = {}
        self._lines: dict[str, deque[_Waiting]] = {}
        """Of each person who waits; whose turn it was last is at the end."""

    def share_of(self, person: str) -> "Share":
        """Return a share for a request of somebody, which holds nothing yet."""
        return Share(self, person)

    def line_up(self, share: "Share", size: int) -> _Waiting:
        """Let a share wait for bytes; its place is done where it has them."""
        waiting = _Waiting(share, min(size, self.size), asyncio.get_running_loop().create_future())
        self._lines.setdefault(share.person, deque()).append(waiting)
        self._let_in()
        return waiting

    def withdraw(self, waiting: _Waiting) -> None:
        """Let a share wait no longer, and give back what it has come to."""
        line = self._lines.get(waiting.share.person, ())
        if waiting in line:
            self._leave(waiting)
            self._let_in()
        waiting.share.give_back()

    def take_back(self, person: str, size: int) -> None:
        """Take bytes back, and let others have them."""
        self.free += size
        self._held[person] -= size
        if not self._held[person]:
            del self._held[person]
        self._let_in()

    def _let_in(self) -> None:
        while (waiting := self._next()) is not None:
            self._leave(waiting)
            if waiting.place.cancelled():  # it has given up, and is not come round to say so
                continue
            person = waiting.share.person
            if person in self._lines:
                self._lines[person] = self._lines.pop(person)  # behind others who hold as much
            self.free -= waiting.size
            self._held[person] = self._held.get(person, 0) + waiting.size
            waiting.share.size = waiting.size
            waiting.place.set_result(None)

    def _next(self) -> _Waiting | None:
        for person in sorted(self._lines, key=lambda each: self._held.get(each, 0)):
            waiting = self._lines[person][0]
            held = self._held.get(person, 0)
            if not held or held + waiting.size <= self.free - waiting.size:
                return waiting if waiting.size <= self.free else None
        return None

    def _leave(self, waiting: _Waiting) -> None:
        person = waiting.share.person
        self._lines[person].remove(waiting)
        if not self._lines[person]:
            del self._lines[person]


class Share:
    """What one request of a `person` holds: `size` bytes. As a context it is given back at the end."""

    __slots__ = ("_room", "person", "size")

    def __init__(self, room: Room, person: str) -> None:
        self._room = room
        self.person = person
        self.size = 0

    def take_now(self, size: int) -> bool:
        """Take so many bytes, if there is room for them now; return whether."""
        waiting = self._room.line_up(self, size)
        if not self.size:
            self._room.withdraw(waiting)
        return self.size > 0

    async def take(self, size: int, seconds: float | None = None) -> None:
        """Take so many bytes once there is room for them, or all that there are of a smaller room. Raise `TimeoutError`
        where there is none within `seconds`.
        """
        waiting = self._room.line_up(self, size)
        try:
            async with asyncio.timeout(seconds):
                await waiting.place
        except BaseException:  # cancelled too
            self._room.withdraw(waiting)
            raise

    def give_back(self, *, but: int = 0) -> None:
        """Give back what it holds, `but` for so many bytes. More than once is fine."""
        returned = max(0, self.size - but)
        if returned:
            self.size -= returned
            self._room.take_back(self.person, returned)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
