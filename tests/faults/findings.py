"""What a part of the fault suite found: figures beside what they should be, as a table, as JSON, as Markdown."""

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Note: TypeAlias = Callable[[str], None]
"""Says how far a part is."""


@dataclass(frozen=True)
class Finding:
    """One figure, what it should be, and whether it is so."""

    what: str
    figure: str
    target: str
    holds: bool

    @property
    def aim(self) -> str:
        """What it should be, behind the figure."""
        return f"  ({self.target})" if self.target else ""


@dataclass(frozen=True)
class Size:
    """How much of a part is done: the short form is for every change, the long one for once in a while."""

    is_long: bool = False

    def of(self, short: int, long: int) -> int:
        """Return the number for this form."""
        return long if self.is_long else short


SHORT = Size()
LONG = Size(is_long=True)


@dataclass
class Findings:
    """What one part found. `wrong` says in words what did not hold, as far as there is room."""

    part: str
    rows: list[Finding] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, figure: object, target: str = "", *, holds: bool = True) -> None:
        """Note a figure."""
        self.rows.append(Finding(what, f"{figure:,}" if isinstance(figure, int) else str(figure), target, holds))

    def count(self, what: str, number: int, most: int = 0) -> None:
        """Note a number of things that should not be."""
        self.add(what, number, str(most), holds=number <= most)

    def blame(self, sentence: str) -> None:
        """Note in words what did not hold."""
        if len(self.wrong) < 20:
            self.wrong.append(sentence)

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return all(row.holds for row in self.rows)

    def check(self) -> None:
        """Fail where something is not as it should be."""
        assert self.holds, "\n".join([table([self]), *self.wrong])


def table(parts: Iterable[Findings]) -> str:
    """Return the figures for a terminal."""
    lines = []
    for part in parts:
        lines.append(f"\n{part.part}")
        wide = max((len(row.what) for row in part.rows), default=0)
        lines += [f"  {'ok ' if row.holds else 'NO '} {row.what:<{wide}}  {row.figure}{row.aim}" for row in part.rows]
        lines += [f"      {sentence}" for sentence in part.wrong]
    return "\n".join(lines)


def write(folder: Path, parts: Sequence[Findings], *, seconds: dict[str, float]) -> None:
    """Keep the figures of these parts beside those of others, in `faults.json` and `faults.md`."""
    kept = folder / "faults.json"
    results: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for part in parts:
        results[part.part] = {
            "day": time.strftime("%Y-%m-%d", time.gmtime()),
            "seconds": round(seconds[part.part]),
            "rows": [asdict(row) for row in part.rows],
        }
    kept.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
    page = folder / "faults.md"
    marks = re.compile(r"(<!-- results -->\n).*?(<!-- end -->)", re.DOTALL)
    page.write_text(marks.sub(lambda mark: mark[1] + _markdown(results) + mark[2], page.read_text("utf-8")), "utf-8")


def _markdown(results: dict[str, Any]) -> str:
    lines = []
    for part, found in sorted(results.items()):
        lines += [
            f"\n**{part}** ({found['day']})\n",
            "| | found | should be |",
            "| --- | ---: | --- |",
        ]
        lines += [
            f"| {row['what']} | {'' if row['holds'] else '**✗** '}{row['figure']} | {row['target']} |"
            for row in found["rows"]
        ]
    return "\n".join([*lines, "\n"])
