"""Draws what a run found, as SVG and PNG: `compared`, bars of daehwa beside the others; `growth`, one curve a measure.

python benchmarks/plots.py FOLDER    draws anew what a run wrote into FOLDER
"""

import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from contestants import DAEHWA, DAEHWA_UVLOOP, DIRECT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results import Curve, Results, Row

COMPARED = {
    "first": "first token, added to the direct call, ms",
    "cpu_few": "CPU a streamed chunk, 10 streams, µs",
    "held": "streams of 50 tokens/s held by one processor (more is better)",
    "ready": "start to the first 200, ms",
    "idle": "memory idle, MB",
    "size": "installed, MB",
    "page_server": "an answer in the page: server's CPU a token, µs",
    "page_script": "an answer in the page: script and style, ms a token",
    "usable_slowed": "first visit to a usable box, processor slowed 4 times, ms",
}
_OURS, _OTHERS, _INK = "#d9480f", "#adb5bd", "#495057"
_COLUMNS = 3
_STYLE: dict[Any, Any] = {  # matplotlib's own type is a list of all its names
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.hashsalt": "daehwa",  # the same picture for the same figures
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what there is; return the files."""
    rows = [results.rows[key] for key in COMPARED if key in results.rows]
    with mpl.rc_context(_STYLE):
        drawn = _saved(_compared(rows, results), folder, "compared") if rows else []
        curves = list(results.curves.values())
        return drawn + (_saved(_growth(curves, results), folder, "growth") if curves else [])


def _saved(figure: Figure, folder: Path, name: str) -> list[Path]:
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=150)
    return paths


def _panels(count: int, height: float, results: Results) -> tuple[Figure, list[Axes]]:
    lines = -(-count // _COLUMNS)
    figure = Figure(figsize=(12, 0.5 + height * lines), layout="constrained")
    axes = figure.subplots(lines, _COLUMNS, squeeze=False).flatten().tolist()
    for unused in axes[count:]:
        unused.set_axis_off()
    about = results.about
    where = ", ".join(about[key] for key in ("processors", "system", "date") if key in about)
    figure.supxlabel(f"medians and ranges of the rounds; bars on logarithmic scales; {where}", fontsize=8, color=_INK)
    return figure, axes[:count]


def _compared(rows: list[Row], results: Results) -> Figure:
    figure, panels = _panels(len(rows), 2.4, results)
    for panel, row in zip(panels, rows, strict=True):
        _bars(panel, row)
    return figure


def _bars(panel: Axes, row: Row) -> None:
    """Draw one bar a contestant on a logarithmic scale, the best at the top, the range as a line on it."""
    known = {name: values for name, values in row.values.items() if name != DIRECT and statistics.median(values) > 0}
    order = sorted(known, key=lambda name: statistics.median(known[name]), reverse=not row.measure.more)
    middles = [statistics.median(known[name]) for name in order]
    colours = [_OURS if name in {DAEHWA, DAEHWA_UVLOOP} else _OTHERS for name in order]
    panel.barh(order, middles, color=colours, height=0.7)
    panel.set_xscale("log")
    for at, (name, middle) in enumerate(zip(order, middles, strict=True)):
        panel.plot([max(min(known[name]), middle / 10), max(known[name])], [at, at], color=_INK, linewidth=1)
        panel.annotate(
            f"{middle:,.{row.measure.digits}f}",
            (max(middle, *known[name]), at),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    panel.set_title(COMPARED[row.measure.key], fontsize=9, loc="left", x=-0.45)
    panel.margins(x=0.25)
    panel.tick_params(axis="x", labelsize=7)


def _growth(curves: list[Curve], results: Results) -> Figure:
    figure, panels = _panels(len(curves), 2.8, results)
    for panel, curve in zip(panels, curves, strict=True):
        for name, points in curve.points.items():
            sizes = sorted(points)
            middles = [statistics.median(points[size]) for size in sizes]
            colour = _OURS if name in {DAEHWA, DAEHWA_UVLOOP} else _OTHERS
            panel.plot(sizes, middles, marker="o", markersize=3, color=colour, label=name)
            lows, highs = [min(points[size]) for size in sizes], [max(points[size]) for size in sizes]
            panel.fill_between(sizes, lows, highs, color=colour, alpha=0.2)
        panel.set_xscale("log")
        panel.set_ylim(bottom=0)
        panel.set_xlabel(curve.size, fontsize=8)
        panel.set_title(curve.measure.title, fontsize=9, loc="left")
        panel.legend(fontsize=7, frameon=False)
    return figure


if __name__ == "__main__":
    given = Path(sys.argv[1])
    found = msgspec.json.decode((given / "benchmark.json").read_bytes(), type=Results)
    print(*draw(found, given), sep="\n")
