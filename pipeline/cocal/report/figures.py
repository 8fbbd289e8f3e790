"""The figure of hectares: per region a dot with its interval, beside the map's count and other figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cocal.report import drawing
from cocal.report.drawing import Shape
from cocal.report.tables import Place
from cocal.report.texts import Voice

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
    _Mark("mapped_ha", "mark_mapped", "D", drawing.MAPPED, 6.0, False),
    _Mark("official_ha", "mark_official", "|", drawing.OFFICIAL, 13.0, False),
    _Mark("field_ha", "mark_field", "^", drawing.FIELD, 6.5, False),
    _Mark("truth_ha", "mark_truth", "x", drawing.TRUTH, 6.5, False),
)


def hectares_figure(
    places: Sequence[Place], voice: Voice, shape: Shape, *, simulated: bool, foot: str
) -> Figure:
    """One panel per country, one row per region; a panel has its own axis, from zero.

    `places` holds the regions of one country together; `foot` is one line under the picture, so that it
    is known when it stands alone.
    """
    panels = [[p for p in places if p.country == c] for c in dict.fromkeys(p.country for p in places)]
    marks = [m for m in _MARKS if any(getattr(p, m.field) is not None for p in places)]
    head = (drawing.BAND_IN if simulated else 0.0) + _legend_height(len(marks), shape) + 0.1
    body = sum(_TITLE_IN + _AXIS_IN + _ROW_IN * len(p) for p in panels)
    height = head + body + _FOOT_IN
    with drawing.style():
        figure = drawing.new_figure(shape.width, height)
        if simulated:
            drawing.mark_simulated(figure, voice("simulated_picture"))
        _draw_legend(figure, marks, voice, shape, top=height - head + _legend_height(len(marks), shape))
        bottom = height - head
        for panel in panels:
            size = _ROW_IN * len(panel)
            bottom -= _TITLE_IN + size
            box = (shape.label_width, bottom, shape.width - shape.label_width - 0.18, size)
            _draw_panel(figure, panel, marks, voice, shape, box)
            bottom -= _AXIS_IN
        figure.text(
            0.012, 0.06 / height, drawing.plain(foot), fontsize=6.5, color=drawing.MUTED, parse_math=False
        )
    return figure


def _legend_height(marks: int, shape: Shape) -> float:
    return _LEGEND_ROW_IN * -(-marks // min(shape.columns, 3))


def _draw_legend(figure: Figure, marks: Sequence[_Mark], voice: Voice, shape: Shape, *, top: float) -> None:
    handles = [_handle(mark, voice) for mark in marks]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, top / figure.get_figheight()),
        ncols=min(shape.columns, 3),
        frameon=False,
        borderaxespad=0.2,
        columnspacing=1.4,
        handletextpad=0.5,
        fontsize=8,
    )


def _handle(mark: _Mark, voice: Voice) -> Line2D:
    width = 2.0 if mark.field == "estimated_ha" else 0.0
    return Line2D([], [], linewidth=width, label=voice(mark.text), **_look(mark))


def _look(mark: _Mark) -> dict[str, Any]:
    return {
        "marker": mark.marker,
        "color": mark.colour,
        "markersize": mark.size,
        "markerfacecolor": mark.colour if mark.filled else "none",
        "markeredgewidth": 1.6,
    }


def _draw_panel(
    figure: Figure,
    panel: Sequence[Place],
    marks: Sequence[_Mark],
    voice: Voice,
    shape: Shape,
    box: tuple[float, float, float, float],
) -> None:
    height = figure.get_figheight()
    left, bottom, width, size = box
    axes = figure.add_axes((left / shape.width, bottom / height, width / shape.width, size / height))
    country = drawing.plain(voice.phrase("country", panel[0].country))
    figure.text(
        0.012, (bottom + size + 0.07) / height, country, fontsize=9.5, fontweight="bold", parse_math=False
    )
    for row, place in enumerate(panel):
        axes.axhline(row, color=drawing.RULE, linewidth=0.6, zorder=1)
        if place.has_interval:
            ends = np.array([place.low_ha, place.high_ha], dtype=np.float64)
            axes.plot(
                ends, [row, row], color=drawing.ESTIMATE, linewidth=2.4, solid_capstyle="butt", zorder=2
            )
            axes.plot(
                ends, [row, row], "|", color=drawing.ESTIMATE, markersize=8, markeredgewidth=1.6, zorder=2
            )
        for mark in marks:
            value = getattr(place, mark.field)
            if value is not None:
                axes.plot([value], [row], linestyle="none", zorder=3, clip_on=False, **_look(mark))
    _draw_axis(axes, panel, voice, shape)


def _draw_axis(axes: Axes, panel: Sequence[Place], voice: Voice, shape: Shape) -> None:
    largest = max((v for p in panel for v in p.hectares if v is not None), default=0.0) or 1.0
    axes.set_xlim(0, 1.04 * largest)
    axes.set_ylim(len(panel) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5 if shape.columns > 2 else 4, steps=[1, 2, 2.5, 5, 10]))
    decimals = 0 if largest >= 10 else 2
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: voice.number(x, decimals)))
    axes.tick_params(axis="x", length=0, labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=drawing.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(voice("hectares").lower(), fontsize=7.5, loc="right", labelpad=1)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_yticks(range(len(panel)), labels=[_label(p, shape) for p in panel])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
        tick.set_fontsize(8 if shape.columns > 2 else 7)


def _label(place: Place, shape: Shape) -> str:
    room = int(shape.label_width * 13)
    lines = textwrap.wrap(drawing.plain(f"{place.number}. {place.name}"), room) or [str(place.number)]
    return "\n".join(
        lines if len(lines) <= 2 else [lines[0], lines[1][: room - 1] + "\N{HORIZONTAL ELLIPSIS}"]
    )
