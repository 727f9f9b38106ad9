"""How long each part takes, with all peers on a quiet machine of two processors, and how far a run has come."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FULL: Mapping[str, int] = {
    "start": 70,
    "size": 15,
    "visit": 55,
    "page": 165,
    "acks": 35,
    "conversations": 10,
    "messages": 5,
    "embedded": 25,
    "lambda": 15,
    "first": 55,
    "few": 50,
    "many": 80,
    "full": 15,
    "whole": 50,
    "held": 140,
    "turns": 105,
    "turns_held": 65,
    "streams": 75,
    "judge": 60,
}
QUICK: Mapping[str, int] = {"start": 30, "acks": 12, "messages": 5, "first": 15, "few": 20, "many": 35, "turns": 55}
_PEERS_TO_START = 40
_PATIENCE = 1.5
_HARD_PATIENCE = 3.0
_LEAST = 30


@dataclass
class Schedule:
    """The parts of a run. A part may take half as much again before it begins no further round, and then thrice."""

    parts: Sequence[str]
    is_quick: bool
    has_peers: bool
    began: float = field(default_factory=time.monotonic)

    def seconds(self, name: str) -> int:
        """Return how long a part takes."""
        return QUICK.get(name, FULL[name]) if self.is_quick else FULL[name]

    def patience(self, name: str) -> float:
        """Return after how many seconds a part begins no further round."""
        return max(_LEAST, _PATIENCE * self.seconds(name))

    def last_moment(self, name: str) -> float:
        """Return after how many seconds a part is ended."""
        return max(_LEAST, _HARD_PATIENCE * self.seconds(name))

    def total(self) -> int:
        """Return how long all of them take."""
        return sum(map(self.seconds, self.parts)) + self.has_peers * _PEERS_TO_START

    def announced(self) -> str:
        """Say what will be done, in order, and how long it takes."""
        parts = ", ".join(f"{name} {_clock(self.seconds(name))}" for name in self.parts)
        return f"{len(self.parts)} parts, about {_clock(self.total())} on a quiet machine: {parts}"

    def begun(self, name: str) -> str:
        """Say that a part begins, and how far the run is."""
        gone = _clock(time.monotonic() - self.began)
        place = self.parts.index(name) + 1
        return f"[{gone} of about {_clock(self.total())}] {place}/{len(self.parts)} {name}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
