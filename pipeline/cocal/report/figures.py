"""Figure of hectares: per region a dot with its interval, the map's count and other figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cocal.report import drawing
from cocal.report.drawing import Shape
from cocal.report.place import Place
from cocal.report.texts import Wording

_ROWS = 24
_BELOW = 0.3
"""The model's interval is drawn below the row's line, as a share of the row."""
_ROW_IN, _AXIS_IN, _TITLE_IN, _LEGEND_ROW_IN, _FOOT_IN = 0.34, 0.46, 0.30, 0.22, 0.22


@dataclass(frozen=True)
class _Mark:
    """One kind of figure: which value, its words, how it looks (shapes differ, so colour is not needed)."""

    field: str
    text: str
    marker: str
    colour: str
    size: float
    filled: bool


_MARKS = (
    _Mark("estimated_ha", "mark_estimated", "o", drawing.ESTIMATE, 6.5, True),
    _Mark("small_area_ha", "mark_small_area", "o", drawing.MODEL, 4.5, False),
    _Mark("mapped_ha", "mark_mapped", "D", drawing.MAPPED, 6.0, False),
    _Mark("official_ha", "mark_official", "|", drawing.OFFICIAL, 13.0, False),
    _Mark("field_ha", "mark_field", "^", drawing.FIELD, 6.5, False),
    _Mark("truth_ha", "mark_truth", "x", drawing.TRUTH, 6.5, False),
)


@dataclass(frozen=True)
class _Panel:
    """Regions of one country in one picture; `end` is where the country's axis ends, ha."""

    country: str
    places: tuple[Place, ...]
    end: float


def hectares_figures(
    places: Sequence[Place], voice: Wording, shape: Shape, *, simulated: bool, foot: str
) -> list[Figure]:
    """One row per region, a panel per country with its own axis from zero; 24 rows to a picture.

    `places` holds the regions of one country together; `foot` identifies each picture. A country that fills
    several pictures keeps its axis.
    """
    marks = [m for m in _MARKS if any(getattr(p, m.field) is not None for p in places)]
    return [_draw(panels, marks, voice, shape, simulated, foot) for panels in _pictures(places)]


def _pictures(places: Sequence[Place]) -> list[list[_Panel]]:
    """The panels of each picture: at most _ROWS regions, in their order."""
    ends: dict[str, float] = {}
    for place in places:
        known = (v for v in place.hectares if v is not None)
        ends[place.country] = max(ends.get(place.country, 0.0), *known, 0.0)
    found = []
    for start in range(0, len(places), _ROWS):
        part = places[start : start + _ROWS]
        countries = dict.fromkeys(p.country for p in part)
        found.append([_Panel(c, tuple(p for p in part if p.country == c), ends[c] or 1.0) for c in countries])
    return found


def _draw(
    panels: Sequence[_Panel], marks: Sequence[_Mark], voice: Wording, shape: Shape, simulated: bool, foot: str
) -> Figure:
    head = (drawing.BAND_IN if simulated else 0.0) + _legend_height(len(marks), shape) + 0.1
    body = sum(_TITLE_IN + _AXIS_IN + _ROW_IN * len(panel.places) for panel in panels)
    height = head + body + _FOOT_IN
    with drawing.style():
        figure = drawing.new_figure(shape.width, height, voice("simulated_picture") if simulated else "")
        drawing.add_legend(
            figure, [_handle(mark, voice) for mark in marks], ncols=min(shape.columns, 3), borderaxespad=0.2,
            columnspacing=1.4, handletextpad=0.5, fontsize=8,
            top=height - head + _legend_height(len(marks), shape),
        )  # fmt: skip
        bottom = height - head
        for panel in panels:
            size = _ROW_IN * len(panel.places)
            bottom -= _TITLE_IN + size
            country, top = drawing.plain(voice.country(panel.country)), (bottom + size + 0.07) / height
            figure.text(0.012, top, country, fontsize=9.5, fontweight="bold", parse_math=False)
            width = shape.width - shape.label_width - 0.18
            axes = drawing.add_axes(figure, shape.label_width, bottom, width, size)
            _draw_marks(axes, panel, marks)
            _draw_axis(axes, panel, voice, shape)
            bottom -= _AXIS_IN
        drawing.add_foot(figure, foot)
    return figure


def _legend_height(marks: int, shape: Shape) -> float:
    return _LEGEND_ROW_IN * -(-marks // min(shape.columns, 3))


def _handle(mark: _Mark, voice: Wording) -> Line2D:
    width = {"estimated_ha": 2.0, "small_area_ha": 1.4}.get(mark.field, 0.0)
    return Line2D([], [], linewidth=width, label=voice(mark.text), **_style_of(mark))


def _style_of(mark: _Mark) -> dict[str, Any]:
    return {
        "marker": mark.marker,
        "color": mark.colour,
        "markersize": mark.size,
        "markerfacecolor": mark.colour if mark.filled else "none",
        "markeredgewidth": 1.6,
    }


def _draw_marks(axes: Axes, panel: _Panel, marks: Sequence[_Mark]) -> None:
    bar: dict[str, Any] = {"color": drawing.ESTIMATE, "zorder": 2}
    for row, place in enumerate(panel.places):
        axes.axhline(row, color=drawing.RULE, linewidth=0.6, zorder=1)
        if place.ci_low_ha is not None and place.ci_high_ha is not None:
            ends = [place.ci_low_ha, place.ci_high_ha]
            axes.plot(ends, [row, row], linewidth=2.4, solid_capstyle="butt", **bar)
            axes.plot(ends, [row, row], "|", markersize=8, markeredgewidth=1.6, **bar)
        if place.small_area_low_ha is not None and place.small_area_high_ha is not None:
            ends, below = [place.small_area_low_ha, place.small_area_high_ha], [row + _BELOW] * 2
            axes.plot(ends, below, linewidth=1.4, color=drawing.MODEL, solid_capstyle="butt", zorder=2)
        for mark in marks:
            value = getattr(place, mark.field)
            if value is not None:
                at = [row + (_BELOW if mark.field == "small_area_ha" else 0.0)]
                axes.plot([value], at, linestyle="none", zorder=3, clip_on=False, **_style_of(mark))


def _draw_axis(axes: Axes, panel: _Panel, voice: Wording, shape: Shape) -> None:
    axes.set_xlim(0, 1.04 * panel.end)
    axes.set_ylim(len(panel.places) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5 if shape.columns > 2 else 4, steps=[1, 2, 2.5, 5, 10]))
    decimals = 0 if panel.end >= 10 else 2
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: voice.number(x, decimals)))
    axes.tick_params(axis="x", length=0, labelsize=7.5)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.grid(axis="x", color=drawing.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(voice("hectares").lower(), fontsize=7.5, loc="right", labelpad=1)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_yticks(range(len(panel.places)), labels=[_label(p, shape) for p in panel.places])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
        tick.set_fontsize(8 if shape.columns > 2 else 7)


def _label(place: Place, shape: Shape) -> str:
    width = int(shape.label_width * 13)
    lines = textwrap.wrap(drawing.plain(f"{place.number}. {place.name}"), width) or [str(place.number)]
    return "\n".join(
        lines if len(lines) <= 2 else [lines[0], lines[1][: width - 1] + "\N{HORIZONTAL ELLIPSIS}"]
    )
