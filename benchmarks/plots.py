"""Draws what a run found, as SVG and PNG: a picture of bars a subject, daehwa beside the others, and one of curves.

    python benchmarks/plots.py FOLDER    draws anew what a run wrote into FOLDER

The pictures stand in pages that are light or dark, so each has its own light ground.
"""

import statistics
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from contestants import DAEHWA, DAEHWA_UVLOOP, DIRECT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from results import Curve, Results, Row

PICTURES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "gateway": (
        "A streamed call through /v1",
        {
            "first": "First token, added to the direct call, ms",
            "cpu_few": "CPU a streamed chunk, µs",
            "held": "Streams of 50 tokens/s held by one processor, at least",
            "whole": "Whole answers a second",
        },
    ),
    "footprint": (
        "Start, memory, size",
        {
            "ready": "Start to the first answer, ms",
            "idle": "Memory when idle, MB",
            "per_stream": "Memory for each open stream, KB",
            "size": "Installed, MB",
        },
    ),
    "page": (
        "The page in the browser",
        {
            "usable_slowed": "First visit to a usable box, processor slowed 4 times, ms",
            "weight": "First visit, compressed, KB",
            "page_script": "An answer: script and style a token, ms",
            "page_server": "An answer: the server's CPU a token, µs",
        },
    ),
}
_GROWTH = "growth"
_OURS, _OTHERS, _INK, _FAINT, _GROUND = "#d9480f", "#adb5bd", "#343a40", "#868e96", "#fcfcfd"
_CURVES = {DAEHWA: "#d9480f", DAEHWA_UVLOOP: "#f59f00"}
_COLUMNS, _WIDTH = 2, 8.8
_WIDE = 30.0
_FOOT_CHARACTERS = 165
_STYLE: dict[Any, Any] = {  # matplotlib's own type is a list of all its names
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _OTHERS,
    "axes.labelcolor": _INK,
    "axes.facecolor": _GROUND,
    "figure.facecolor": _GROUND,
    "savefig.facecolor": _GROUND,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.hashsalt": "daehwa",  # the same picture for the same figures
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what there is, and remove what was drawn there of an earlier run that had more; return the files."""
    drawn = list[Path]()
    with mpl.rc_context(_STYLE):
        for name, (title, titles) in PICTURES.items():
            rows = [results.rows[key] for key in titles if key in results.rows]
            if rows:
                drawn += _saved(_compared(title, titles, rows, results), folder, name)
        if results.curves:
            drawn += _saved(_growth(list(results.curves.values()), results), folder, _GROWTH)
    for path in (path for name in (*PICTURES, _GROWTH) for path in _paths(folder, name)):
        if path not in drawn:
            path.unlink(missing_ok=True)
    return drawn


def _saved(figure: Figure, folder: Path, name: str) -> list[Path]:
    paths = _paths(folder, name)
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=130)
    return paths


def _paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.svg", folder / f"{name}.png"]


def _panels(title: str, note: str, heights: Sequence[float], results: Results) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each of the heights, two beside each other, and the panels."""
    lines = [max(heights[at : at + _COLUMNS]) for at in range(0, len(heights), _COLUMNS)]
    figure = Figure(
        figsize=(_WIDTH, sum(lines) + 1.0), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, hspace=0.04)
    )
    axes = figure.subplots(len(lines), _COLUMNS, squeeze=False, height_ratios=lines).flatten().tolist()
    for unused in axes[len(heights) :]:
        unused.set_axis_off()
    figure.suptitle(title, x=0.015, ha="left", fontsize=12, fontweight="bold")
    about = results.about
    where = "; ".join(about[key] for key in ("date", "processors", "system") if key in about)
    versions = textwrap.fill(about.get("versions", ""), _FOOT_CHARACTERS)
    figure.supxlabel(f"{note}\n{where}\n{versions}", x=0.015, ha="left", fontsize=7, color=_FAINT)
    return figure, axes[: len(heights)]


def _compared(title: str, titles: Mapping[str, str], rows: list[Row], results: Results) -> Figure:
    note = "Medians of the rounds, their range as a line; in brackets how many times daehwa's value it is."
    heights = [0.55 + 0.25 * max(3, len(_drawable(row))) for row in rows]
    figure, panels = _panels(title, note, heights, results)
    for panel, row in zip(panels, rows, strict=True):
        _bars(panel, titles[row.measure.key], row, results)
    return figure


def _drawable(row: Row) -> dict[str, list[float]]:
    """Return who has a bar: what noise made less than nothing has none."""
    return {name: values for name, values in row.values.items() if statistics.median(values) > 0}


def _bars(panel: Axes, title: str, row: Row, results: Results) -> None:
    """Draw one bar a contestant, the best at the top, with its value and how many times daehwa's that is."""
    known = _drawable(row)
    middles = {name: statistics.median(values) for name, values in known.items()}
    order = sorted(known, key=lambda name: middles[name], reverse=not row.measure.more)
    colours = [_OURS if name in _CURVES else _OTHERS for name in order]
    panel.barh(order, [middles[name] for name in order], color=colours, height=0.68)
    is_wide = bool(middles) and max(middles.values()) > _WIDE * min(middles.values())
    for at, name in enumerate(order):
        panel.plot([min(known[name]), max(known[name])], [at, at], color=_INK, linewidth=1, alpha=0.6)
        panel.annotate(
            _label(row, name, results),
            (max(known[name]), at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold" if name in _CURVES else "normal",
        )
    more = "more is better" if row.measure.more else "less is better"
    panel.set_title(title, fontsize=9, loc="left")
    panel.set_xlabel(f"{more}{'; logarithmic scale' if is_wide else ''}", fontsize=7, color=_FAINT, loc="left")
    if is_wide:
        panel.set_xscale("log")
        least, most = min(middles.values()), max(max(known[name]) for name in order)
        panel.set_xlim(least / 2, most * (most / least) ** 0.35)
    else:
        panel.set_xlim(0, 1.35 * max((max(values) for values in known.values()), default=1))
    panel.tick_params(axis="both", length=0)
    panel.set_xticks([], minor=False)
    panel.set_xticks([], minor=True)
    panel.spines["bottom"].set_visible(False)


def _label(row: Row, name: str, results: Results) -> str:
    value, ratio = statistics.median(row.values[name]), results.ratio(row.measure.key, name, DAEHWA)
    shown = f"{value:,.{0 if value >= 100 else row.measure.digits}f}"
    return shown if ratio is None or name in {DAEHWA, DIRECT} else f"{shown}  ({_times(ratio)})"


def _times(ratio: float) -> str:
    if ratio < 0.1:
        return f"1/{1 / ratio:.0f}"
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.2g}×"


def _growth(curves: list[Curve], results: Results) -> Figure:
    figure, panels = _panels("How cost grows", "Medians, and the middle half as a shade.", [2.3] * len(curves), results)
    for panel, curve in zip(panels, curves, strict=True):
        for name, points in curve.points.items():
            known = sorted(points)
            colour = _CURVES.get(name, _FAINT)
            middles = [statistics.median(points[size]) for size in known]
            panel.plot(known, middles, marker="o", markersize=3.5, color=colour, label=name)
            lows, highs = zip(*(_middle_half(points[size]) for size in known), strict=True)
            panel.fill_between(known, lows, highs, color=colour, alpha=0.15, linewidth=0)
        panel.set_xscale("log")
        sizes = sorted({size for points in curve.points.values() for size in points})
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.set_xticks([], minor=True)
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", color="#e9ecef", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.tick_params(axis="both", length=0, labelsize=8)
        panel.set_xlabel(curve.size, fontsize=8)
        panel.set_title(curve.measure.title, fontsize=9, loc="left")
        if len(curve.points) > 1:
            panel.legend(fontsize=8, frameon=False)
    return figure


def _middle_half(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


if __name__ == "__main__":
    given = Path(sys.argv[1])
    found = msgspec.json.decode((given / "results.json").read_bytes(), type=Results)
    print(*draw(found, given), sep="\n")
