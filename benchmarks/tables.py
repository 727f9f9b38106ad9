"""Writes what a run found as Markdown: a table a section, the goals, the curves."""

import statistics
from collections.abc import Sequence

from contestants import DAEHWA, DAEHWA_UVLOOP
from goals import GOALS, Goal
from peers import NOT_TO_BE_HAD
from results import Curve, Results, Row, spread

ROUNDS = (
    "Medians of {} rounds, or of fewer where a round is long (benchmarks/README.md says which), and the range in "
    "brackets; what has none was measured once. Behind them how many times daehwa's value it is: in each round, and of "
    "these the median; where two were not measured in the same rounds, of the medians."
)


def markdown(results: Results) -> str:
    """Return the whole report."""
    lines = ["# Benchmark", "", *(f"- {name}: {value}" for name, value in results.about.items()), ""]
    most = max((len(values) for row in results.rows.values() for values in row.values.values()), default=0)
    lines += [ROUNDS.format(most), ""]
    for section in dict.fromkeys(row.measure.section for row in results.rows.values()):
        lines += _section(section, [row for row in results.rows.values() if row.measure.section == section], results)
    for curve in results.curves.values():
        lines += _curve(curve)
    lines += _goals(results)
    if results.absent:
        lines += ["## Not measured", "", *(f"- {name} {why}" for name, why in results.absent.items()), ""]
    if results.remarks:
        lines += ["## Remarks", "", *(f"- {remark}" for remark in results.remarks), ""]
    lines += [f"Seconds: {', '.join(f'{part} {seconds:.0f}' for part, seconds in results.seconds.items())}.", ""]
    return "\n".join(lines)


def _section(title: str, rows: Sequence[Row], results: Results) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    names += [name for name in results.absent if name not in names and name not in NOT_TO_BE_HAD]
    lines = [f"## {title}", "", f"| | {' | '.join(row.measure.title for row in rows)} |"]
    lines.append(f"|---|{'--:|' * len(rows)}")
    for name in names:
        shown = f"**{name}**" if name in {DAEHWA, DAEHWA_UVLOOP} else name
        if name in results.absent and not any(name in row.values for row in rows):
            shown += f" ({results.absent[name]})"
        lines.append(f"| {shown} | {' | '.join(_cell(row, name, results) for row in rows)} |")
    return [*lines, ""]


def _cell(row: Row, name: str, results: Results) -> str:
    shown = spread(row.values.get(name, []), row.measure.digits)
    ratio = results.ratio(row.measure.key, name, DAEHWA)
    if name == DAEHWA or ratio is None or ratio < 0:
        return shown
    return f"{shown}; {ratio:,.2f} ×" if ratio < 10 else f"{shown}; {ratio:,.0f} ×"


def _curve(curve: Curve) -> list[str]:
    sizes = sorted({size for points in curve.points.values() for size in points})
    lines = [f"## {curve.measure.section}: {curve.measure.title}", ""]
    lines += [f"| {curve.size} | {' | '.join(f'{size:,}' for size in sizes)} | last to first |"]
    lines.append(f"|---|{'--:|' * len(sizes)}--:|")
    for name, points in curve.points.items():
        shown = [spread(points.get(size, []), curve.measure.digits) for size in sizes]
        known = [statistics.median(points[size]) for size in sizes if size in points]
        growth = f"{known[-1] / known[0]:.2f} ×" if len(known) > 1 and known[0] else "–"
        lines.append(f"| {name} | {' | '.join(shown)} | {growth} |")
    return [*lines, ""]


def _goals(results: Results) -> list[str]:
    names = [name for name in (DAEHWA, DAEHWA_UVLOOP) if any(name in row.values for row in results.rows.values())]
    lines = ["## Goals", "", f"| | target | moonshot | {' | '.join(names)} |", f"|---|--:|--:|{'--:|' * len(names)}"]
    for goal in GOALS:
        bounds = f"{goal.bound(goal.target)} | {goal.bound(goal.moonshot)}"
        shown = [_verdict(goal, goal.read(results, name)) for name in names]
        lines.append(f"| {goal.title} | {bounds} | {' | '.join(shown)} |")
    return [*lines, ""]


def _verdict(goal: Goal, measured: float | None) -> str:
    return "–" if measured is None else f"{measured:,.{goal.digits}f}: {goal.verdict(measured)}"
