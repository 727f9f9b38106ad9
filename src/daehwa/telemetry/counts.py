"""Counts calls as they end, and those that are refused, in plain numbers: a call pays for a few additions, a scrape for
all the rest.

No label is a user, a key or a text of a client's: a model is one that was resolved, and there are only so many sets of
labels; what comes beyond them is counted under "other".
"""

import copy
from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

from daehwa.conversation.metering import AskedBy, CallEnded

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Upper bounds of the classes of a time, those that OpenTelemetry advises for calls of models."""
MOST_SETS = 200
"""How many sets of labels are told apart."""
OTHER, OK = "other", "ok"


class Labels(NamedTuple):
    """What calls are told apart by. `outcome` is "ok" or the type of an error."""

    model: str
    kind: str
    outcome: str


class Refused(NamedTuple):
    """What refusals are told apart by: who asked, and the word for why the call was not made."""

    asked_by: AskedBy
    reason: str


class Times:
    """How many times were how long. `classes` counts those up to each bound of `SECONDS`, and last those above."""

    __slots__ = ("classes", "sum")

    def __init__(self) -> None:
        self.classes = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count a time."""
        self.classes[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds

    def copied(self) -> "Times":
        """Return what is counted now."""
        copied = Times()
        copied.classes, copied.sum = self.classes.copy(), self.sum
        return copied


class Tally:
    """What calls of one set of labels come to. `cost` is in micro-dollars; `unpriced` calls have no known price."""

    __slots__ = ("cached", "calls", "cost", "duration", "first", "input", "output", "reasoning", "unpriced")

    def __init__(self) -> None:
        self.calls = self.input = self.cached = self.output = self.reasoning = self.cost = self.unpriced = 0
        self.duration = Times()
        self.first = Times()

    def copied(self) -> "Tally":
        """Return what is counted now."""
        copied = copy.copy(self)
        copied.duration, copied.first = self.duration.copied(), self.first.copied()
        return copied


class CallCounts:
    """Every call since the start of this process, and those that were not made. It is an observer of the meter's."""

    def __init__(self) -> None:
        self._tallies: dict[Labels, Tally] = {}
        self._refusals = Counter[Refused]()

    def __call__(self, ended: CallEnded) -> None:
        """Count a call that has ended."""
        outcome, usage = ended.outcome, ended.usage
        labels = Labels(outcome.model or ended.call.model, ended.call.kind, outcome.error or OK)
        tally = self._tallies.get(labels) or self._new(labels)
        tally.calls += 1
        tally.duration.add(max(0, ended.ended - ended.began) / 1000)
        if outcome.first_ms is not None:
            tally.first.add(max(0.0, outcome.first_ms) / 1000)
        if usage is not None:
            tally.input += usage.input
            tally.cached += usage.cached
            tally.output += usage.output
            tally.reasoning += usage.reasoning
            tally.cost += usage.cost or 0
            tally.unpriced += usage.cost is None

    def _new(self, labels: Labels) -> Tally:
        if len(self._tallies) >= MOST_SETS:
            labels = Labels(OTHER, OTHER, OTHER)
        return self._tallies.setdefault(labels, Tally())

    def refused(self, by: AskedBy, reason: str) -> None:
        """Count a call that was not made."""
        self._refusals[Refused(by, reason)] += 1

    def refusals(self) -> dict[Refused, int]:
        """Return the counts of refusals of this moment, for another thread."""
        return dict(self._refusals)

    def snapshot(self) -> dict[Labels, Tally]:
        """Return the counts of this moment, for another thread."""
        return {labels: tally.copied() for labels, tally in self._tallies.items()}
