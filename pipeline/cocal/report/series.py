"""Figures over time and of calibration: hectares by year, official figures; probability against records."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cocal.report import drawing
from cocal.report.content import ReportContent
from cocal.report.drawing import Shape
from cocal.report.place import Place
from cocal.report.texts import Wording

_PANELS = 24
_PANEL_IN, _GAP_IN, _LEGEND_IN = 1.25, 0.62, 0.3
_OWN: dict[str, Any] = {"color": drawing.ESTIMATE, "marker": "o", "markersize": 5, "markeredgewidth": 1.2}
_MAPPED: dict[str, Any] = {
    "color": drawing.MAPPED, "marker": "D", "markersize": 5, "markerfacecolor": "none", "linestyle": "none",
    "clip_on": False,
}  # fmt: skip
_OFFICIAL: dict[str, Any] = {
    "color": drawing.OFFICIAL, "marker": "s", "markersize": 3.5, "linewidth": 1.0, "linestyle": ":",
}  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """A region's figures by time in years."""

    place: Place
    own: tuple[tuple[float, Place], ...]
    official: tuple[tuple[float, float], ...]


def _years(day: date) -> float:
    return day.year + day.timetuple().tm_yday / 366


def lines(content: ReportContent) -> list[_Line]:
    """The figures of every region over time; empty where there is one moment only."""
    by_period = [(_years(p.end), content.places[p.name]) for p in content.periods]
    found = []
    for index, place in enumerate(by_period[-1][1]):
        official: list[tuple[float, float]] = []
        if content.official is not None:
            rows = content.official[content.official["region_id"].astype(str) == place.key]
            official = sorted(zip(rows["when"].tolist(), rows["official_ha"].tolist(), strict=True))
        own = tuple((when, places[index]) for when, places in by_period)
        found.append(_Line(place, own, tuple(official)))
    moments = {
        round(w, 1) for line in found for w in [*(o[0] for o in line.official), *(o[0] for o in line.own)]
    }
    return found if len(moments) > 1 else []


def series_figures(
    found: Sequence[_Line], voice: Wording, shape: Shape, *, simulated: bool, foot: str
) -> list[Figure]:
    """Small panels, one per region with its own axis from zero; 24 to a picture."""
    parts = [found[i : i + _PANELS] for i in range(0, len(found), _PANELS)]
    return [_draw(part, voice, shape, simulated, foot) for part in parts]


def _draw(part: Sequence[_Line], voice: Wording, shape: Shape, simulated: bool, foot: str) -> Figure:
    columns = 3 if shape.columns > 2 else 2
    rows = -(-len(part) // columns)
    head = (drawing.BAND_IN if simulated else 0.0) + _LEGEND_IN
    height = head + rows * (_PANEL_IN + _GAP_IN) + 0.2
    times = [t for line in part for t, _ in (*line.own, *line.official)]
    with drawing.style():
        figure = drawing.new_figure(shape.width, height, voice("simulated_picture") if simulated else "")
        _legend(figure, part, voice, top=height - head + _LEGEND_IN)
        for index, line in enumerate(part):
            row, column = divmod(index, columns)
            width = shape.width / columns
            bottom = height - head - (row + 1) * (_PANEL_IN + _GAP_IN) + 0.3
            axes = drawing.add_axes(figure, column * width + 0.42, bottom, width - 0.55, _PANEL_IN)
            _draw_line(axes, line)
            _label(axes, line, voice, (min(times), max(times)), width=int(12 * width))
        drawing.add_foot(figure, foot)
    return figure


def _draw_line(axes: Axes, line: _Line) -> None:
    if line.official:
        axes.plot(*zip(*line.official, strict=True), **_OFFICIAL)
    for when, place in line.own:
        if place.ci_low_ha is not None and place.ci_high_ha is not None:
            axes.plot(
                [when, when], [place.ci_low_ha, place.ci_high_ha], color=drawing.ESTIMATE, linewidth=2.2
            )
        if place.estimated_ha is not None:
            axes.plot([when], [place.estimated_ha], **_OWN)
        if place.mapped_ha is not None:
            axes.plot([when], [place.mapped_ha], **_MAPPED)


def _label(axes: Axes, line: _Line, voice: Wording, span: tuple[float, float], *, width: int) -> None:
    words = textwrap.wrap(
        drawing.plain(f"{line.place.number}. {line.place.name}"), width, max_lines=2, placeholder="…"
    )
    axes.set_title("\n".join(words), fontsize=7.5, loc="left", parse_math=False, pad=3)
    axes.set_ylim(bottom=0)
    axes.set_xlim(span[0] - 0.4, span[1] + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x - 1:.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: voice.number(y)))
    axes.tick_params(length=0, labelsize=6.5)
    axes.grid(axis="y", color=drawing.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(figure: Figure, part: Sequence[_Line], voice: Wording, *, top: float) -> None:
    handles = [Line2D([], [], label=voice("mark_mapped"), **_MAPPED)]
    if any(place.estimated_ha is not None for line in part for _, place in line.own):
        handles.insert(0, Line2D([], [], linewidth=2.2, label=voice("mark_estimated"), **_OWN))
    if any(line.official for line in part):
        handles.append(Line2D([], [], label=voice("mark_official"), **_OFFICIAL))
    drawing.add_legend(
        figure,
        handles,
        top=top,
        ncols=3,
        borderaxespad=0.2,
        columnspacing=1.2,
        handletextpad=0.5,
        fontsize=7.5,
    )


def calibration_figure(content: ReportContent, voice: Wording, shape: Shape) -> Figure:
    """The share of the ground that is the target against the probability that the model gave it."""
    assert content.calibration is not None
    table, side = content.calibration, min(shape.width, 4.6)
    head = drawing.BAND_IN if content.simulated else 0.0
    with drawing.style():
        mark = voice("simulated_picture") if content.simulated else ""
        figure = drawing.new_figure(side, side + head, mark)
        axes = drawing.add_axes(figure, 0.62, 0.5, side - 0.85, side - 0.7)
        axes.plot([0, 1], [0, 1], color=drawing.MUTED, linewidth=1.0, linestyle="--")
        axes.plot(table["predicted"], table["observed"], color=drawing.ESTIMATE, marker="o", markersize=6)
        for x, y, n in zip(table["predicted"], table["observed"], table["n"], strict=True):
            axes.annotate(
                f"n = {voice.number(n)}", (x, y), xytext=(6, -9), textcoords="offset points", fontsize=7,
                path_effects=[withStroke(linewidth=2.4, foreground="white")],
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.1), ylim=(-0.02, 1.06))
        axes.set_xlabel(voice("calibration_predicted"), fontsize=8)
        axes.set_ylabel(voice("calibration_observed"), fontsize=8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(FuncFormatter(lambda v, _: voice.percent(v, 0)))
        axes.tick_params(length=0, labelsize=7)
        axes.grid(color=drawing.RULE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure
