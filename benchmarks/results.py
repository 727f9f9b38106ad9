"""What a run found: values by measure and contestant, one a round; who was absent, and why; curves of growth."""

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import interpreter
import msgspec


class Measure(msgspec.Struct, frozen=True):
    """One thing that is measured. `section` is the heading it stands under; less is better, unless `more` is."""

    key: str
    section: str
    title: str
    digits: int = 1
    more: bool = False


class Row(msgspec.Struct):
    """The values of one measure, by contestant, one a round."""

    measure: Measure
    values: dict[str, list[float]] = msgspec.field(default_factory=dict)


class Curve(msgspec.Struct):
    """How a measure grows: by contestant, the values at each size."""

    measure: Measure
    size: str
    points: dict[str, dict[int, list[float]]] = msgspec.field(default_factory=dict)


class Results(msgspec.Struct):
    """Everything that a run found. `seconds` is what each part took, `remarks` what a reader must know of them."""

    about: dict[str, str]
    rows: dict[str, Row] = msgspec.field(default_factory=dict)
    curves: dict[str, Curve] = msgspec.field(default_factory=dict)
    absent: dict[str, str] = msgspec.field(default_factory=dict)
    remarks: list[str] = msgspec.field(default_factory=list)
    seconds: dict[str, float] = msgspec.field(default_factory=dict)

    def add(self, measure: Measure, name: str, value: float) -> None:
        """Add the value of one round."""
        row = self.rows.setdefault(measure.key, Row(measure))
        row.values.setdefault(name, []).append(value)

    def add_point(self, measure: Measure, size: str, name: str, at: int, value: float) -> None:
        """Add one value of a curve; `size` says what grows."""
        curve = self.curves.setdefault(measure.key, Curve(measure, size))
        curve.points.setdefault(name, {}).setdefault(at, []).append(value)

    def remark(self, text: str) -> None:
        """Add a remark, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def values(self, key: str, name: str) -> list[float]:
        """Return what was measured of one contestant; empty where nothing was."""
        row = self.rows.get(key)
        return row.values.get(name, []) if row else []

    def median(self, key: str, name: str) -> float | None:
        """Return the median; None where nothing was measured."""
        values = self.values(key, name)
        return statistics.median(values) if values else None

    def ratio(self, key: str, one: str, other: str) -> float | None:
        """Return how many times the other's value one's is: of each round, then the median of these.

        Who was not measured in every round is compared by medians.
        """
        mine, others = self.values(key, one), self.values(key, other)
        if not mine or not others:
            return None
        if len(mine) == len(others) and all(others):
            return statistics.median(a / b for a, b in zip(mine, others, strict=True))
        below = statistics.median(others)
        return statistics.median(mine) / below if below else None


@dataclass
class Bench:
    """A run: what it found so far, how much is asked of it, and until when its present part may go on.

    `keep` is called with the results after every part.
    """

    results: Results
    is_quick: bool
    rounds: int
    deadline: float = field(default=float("inf"))
    keep: Callable[[Results], None] = field(default=lambda _results: None)

    def in_rounds(self, title: str, most: int | None = None) -> Iterator[int]:
        """Yield the numbers of the rounds, from 0, `most` of them where each is long.

        Where the part's time is over there are fewer, which is remarked.
        """
        rounds = min(self.rounds, most or self.rounds)
        for number in range(rounds):
            if number and time.monotonic() > self.deadline:
                self.results.remark(f"{title}: {number} of {rounds} rounds in its time")
                return
            print(f"  {title}, round {number + 1} of {rounds}", flush=True)
            yield number


def reason(problem: BaseException) -> str:
    """Say what happened without what is the machine's alone: no command with its keys, no path."""
    match problem:
        case subprocess.CalledProcessError(cmd=command, returncode=code):
            return f"{_program(command)} ended with code {code}"
        case subprocess.TimeoutExpired(cmd=command, timeout=seconds):
            return f"{_program(command)} took longer than {seconds:.0f} s"
    return nameless(str(problem).partition("\n")[0]) or type(problem).__name__


def nameless(text: str) -> str:
    """Return it without addresses and paths."""
    return re.sub(r"(/[\w.@+-]+){2,}", "a path", re.sub(r"\w+://\S+", "an address", text))


def _program(command: str | Sequence[object]) -> str:
    return Path(command if isinstance(command, str) else str(command[0])).name


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median, and the range where there is one."""
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def about_this_machine() -> dict[str, str]:
    """Return when and on what this runs."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    kernel = ".".join(platform.release().split(".")[:2])  # what follows may name the machine's maker
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processors": f"{os.cpu_count()} × {models[0].partition(':')[2].strip() if models else platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', 'Linux')}, Linux {kernel}",
        "Python": f"{platform.python_version()}, built with the compiler's profile: {interpreter.built_with_profile()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
