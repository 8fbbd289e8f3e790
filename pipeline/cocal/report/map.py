"""Map picture: classes, outlines with names or numbers, scale bar, north arrow, legend, sources."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import shapely
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from pyproj import Geod

from cocal.report import drawing
from cocal.report.content import OUTSIDE, MapOverview, MapPicture, Words
from cocal.report.drawing import Shape
from cocal.report.place import Place
from cocal.report.texts import Wording

NOT_OBSERVED_COLOUR, OUTSIDE_COLOUR = "#bfc5ca", "#f4f6f7"
_MARGIN, _LINE_IN, _KEY_LIMIT = 0.1, 0.2, 24
_GEOD = Geod(ellps="WGS84")


def pixel_metres(picture: MapPicture) -> float:
    """Side, in metres on the ground, that one pixel of the picture stands for (along x, mid-height)."""
    return _width_metres(picture) / int(picture.codes.shape[1])


def _width_metres(picture: MapPicture) -> float:
    west, south, east, north = picture.bounds
    middle = (south + north) / 2
    return float(_GEOD.inv(west, middle, east, middle)[2])


def map_figure(
    picture: MapPicture,
    overview: MapOverview,
    places: Sequence[Place],
    voice: Wording,
    shape: Shape,
    *,
    simulated: bool,
) -> Figure:
    """The class map of one period. Regions bear their names if these fit, else the tables' numbers."""
    west, south, east, north = picture.bounds
    width = shape.width - 2 * _MARGIN
    stretch = 1.0 / math.cos(math.radians((south + north) / 2))
    ground = width * min(max(stretch * (north - south) / (east - west), 0.4), 1.35)
    with drawing.style():
        labels, named = _choose_labels(picture, overview, places, (width, ground))
        legend = _legend_handles(picture, voice)
        key = (
            []
            if named or len(places) > _KEY_LIMIT
            else [f"{p.number}. {drawing.plain(p.name)}" for p in places]
        )
        sources = _source_lines(overview.sources, voice, shape)
        legend_in = _LINE_IN * (bool(picture.shades) - (-len(legend) // shape.columns)) + 0.12
        key_in = _LINE_IN * -(-len(key) // max(shape.columns - 1, 1))
        head = (drawing.BAND_IN if simulated else 0.0) + _MARGIN
        height = head + ground + legend_in + key_in + 0.12 * len(sources) + 2 * _MARGIN
        bottom = height - head - ground
        figure = drawing.new_figure(shape.width, height, voice("simulated_picture") if simulated else "")
        axes = _add_ground(figure, picture, voice, (_MARGIN, bottom, width, ground))
        _draw_regions(axes, overview, labels)
        _draw_points(axes, picture)
        _draw_scale_bar(axes, picture, voice)
        _draw_north(axes)
        title = voice(f"legend.{picture.kind}") if picture.shades else None
        _add_legend(figure, legend, shape.columns, title=title, top=bottom - 0.04)
        _add_key(figure, key, max(shape.columns - 1, 1), top=bottom - legend_in)
        figure.text(
            0.1 / shape.width, 0.06 / height, "\n".join(sources),
            fontsize=6.5, color=drawing.MUTED, va="bottom", linespacing=1.25, parse_math=False,
        )  # fmt: skip
    return figure


def _source_lines(sources: Sequence[Words], voice: Wording, shape: Shape) -> list[str]:
    text = "; ".join(drawing.plain(voice.words(s)) for s in sources)
    return textwrap.wrap(f"{voice('sources')}: {text}", int(shape.width * 17)) if sources else []


def _add_ground(
    figure: Figure, picture: MapPicture, voice: Wording, box: tuple[float, float, float, float]
) -> Axes:
    """Axes in inches (left, bottom, width, height) with the classes in the scheme's colours."""
    axes = drawing.add_axes(figure, *box)
    colours = np.full((256, 3), 1.0)
    colours[0] = to_rgb(NOT_OBSERVED_COLOUR)
    for code, colour, _ in _meanings(picture, voice):
        colours[code] = to_rgb(colour)
    colours[OUTSIDE] = to_rgb(OUTSIDE_COLOUR)
    west, south, east, north = picture.bounds
    axes.imshow(
        colours[picture.codes], extent=(west, east, south, north), origin="upper",
        interpolation="nearest", aspect="auto",
    )  # fmt: skip
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[])
    return axes


def _anchors(picture: MapPicture, overview: MapOverview) -> dict[str, tuple[float, float]]:
    """Where a region's label stands: the point of inaccessibility of its part inside the picture."""
    frame = shapely.box(*picture.bounds)
    found = {}
    for key, outline in overview.outlines.items():
        inside = shapely.intersection(shapely.make_valid(outline), frame)
        if inside.area > 0:
            largest = max(shapely.get_parts(inside), key=lambda part: part.area)
            point = shapely.get_coordinates(shapely.maximum_inscribed_circle(largest))[0]
            found[key] = (float(point[0]), float(point[1]))
    return found


def _choose_labels(
    picture: MapPicture,
    overview: MapOverview,
    places: Sequence[Place],
    size: tuple[float, float],
) -> tuple[dict[str, tuple[float, float, str]], bool]:
    """(x, y, text) per region, and whether the texts are the names: True if none is in another's way."""
    anchors = _anchors(picture, overview)
    shown = [p for p in places if p.key in anchors]
    names = {p.key: (*anchors[p.key], "\n".join(textwrap.wrap(drawing.plain(p.name), 16))) for p in shown}
    trial = drawing.new_figure(*size)
    axes = trial.add_axes((0, 0, 1, 1))
    west, south, east, north = picture.bounds
    axes.set(xlim=(west, east), ylim=(south, north))
    boxes = [_write(axes, *label).get_window_extent().padded(2) for label in names.values()]
    frame = trial.bbox
    inside = all(b.x0 > frame.x0 and b.x1 < frame.x1 and b.y0 > frame.y0 and b.y1 < frame.y1 for b in boxes)
    if inside and len(shown) <= _KEY_LIMIT and not any(a.overlaps(b) for a, b in combinations(boxes, 2)):
        return names, True
    return {p.key: (*anchors[p.key], str(p.number)) for p in shown}, False


def _write(axes: Axes, x: float, y: float, text: str) -> Text:
    return axes.text(
        x, y, text, ha="center", va="center", fontsize=7.5, fontweight="bold", color=drawing.INK,
        linespacing=1.0, parse_math=False, path_effects=[withStroke(linewidth=2.6, foreground="white")],
    )  # fmt: skip


def _draw_regions(axes: Axes, overview: MapOverview, labels: Mapping[str, tuple[float, float, str]]) -> None:
    for outline in overview.outlines.values():
        for part in shapely.get_parts(shapely.boundary(shapely.make_valid(outline))):
            x, y = shapely.get_coordinates(part).T
            axes.plot(x, y, color="white", linewidth=2.0, alpha=0.8, zorder=3)
            axes.plot(x, y, color=drawing.INK, linewidth=0.9, zorder=4)
    for label in labels.values():
        _write(axes, *label).set_zorder(6)


_POINTS: tuple[tuple[bool, str, str, str], ...] = (
    (True, "point_visited", "o", "#ffffff"),
    (False, "point_missed", "X", "#ffd54f"),
)
"""Visited or not, key of the text, marker, face: they differ by shape, not by colour alone."""


def _draw_points(axes: Axes, picture: MapPicture) -> None:
    if picture.points is None:
        return
    for visited, _, marker, face in _POINTS:
        own = picture.points[picture.points["visited"] == visited]
        axes.scatter(
            own["x"], own["y"], s=9 if visited else 20, marker=marker, facecolor=face, edgecolor=drawing.INK,
            linewidth=0.5, zorder=5,
        )  # fmt: skip


def scale_bar_metres(width_m: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is at most a quarter of the picture's width."""
    longest = width_m / 4
    power = 10.0 ** math.floor(math.log10(longest))
    return next(power * step for step in (5, 2, 1) if power * step <= longest)


def _draw_scale_bar(axes: Axes, picture: MapPicture, voice: Wording) -> None:
    width = _width_metres(picture)
    bar = scale_bar_metres(width)
    share = bar / width
    text = f"{voice.number(bar / 1000)} km" if bar >= 1000 else f"{voice.number(bar)} m"
    inches = axes.get_position().height * axes.figure.get_figheight()  # type: ignore[union-attr]
    up = 0.1 / inches
    for patch in (
        Rectangle((0.015, 0.5 * up), share + 0.03, 3.1 * up, facecolor="white", alpha=0.85, linewidth=0),
        Rectangle((0.03, 1.0 * up), share / 2, 0.6 * up, facecolor=drawing.INK, linewidth=0),
        Rectangle((0.03 + share / 2, 1.0 * up), share / 2, 0.6 * up, facecolor="white", linewidth=0),
        Rectangle((0.03, 1.0 * up), share, 0.6 * up, fill=False, edgecolor=drawing.INK, linewidth=0.8),
    ):
        patch.set(transform=axes.transAxes, zorder=7)
        axes.add_artist(patch)
    axes.text(
        0.03 + share / 2,
        1.9 * up,
        text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7,
        zorder=8,
    )


def _draw_north(axes: Axes) -> None:
    axes.annotate(
        "N", xy=(0.965, 0.975), xytext=(0.965, 0.9), xycoords="axes fraction", ha="center", va="center",
        fontsize=8.5, fontweight="bold", zorder=8,
        arrowprops={
            "arrowstyle": "-|>,head_width=0.32,head_length=0.6", "color": drawing.INK, "linewidth": 1.4,
        },
        path_effects=[withStroke(linewidth=2.6, foreground="white")],
    )  # fmt: skip


def _meanings(picture: MapPicture, voice: Wording) -> list[tuple[int, str, str]]:
    """Code, colour and words: the picture's own shades, or the classes of the scheme."""
    if picture.shades:
        return [(shade.code, shade.colour, voice.words(shade.words)) for shade in picture.shades]
    return [(c.code, c.colour, voice.class_name(c.key)) for c in voice.scheme.classes]


def _legend_handles(picture: MapPicture, voice: Wording) -> list[Artist]:
    """The classes that the picture shows, in the scheme's order, and ground without a class."""
    present = set(np.unique(picture.codes).tolist())
    edge: dict[str, Any] = {"edgecolor": drawing.MUTED, "linewidth": 0.4}
    handles: list[Artist] = [
        Patch(facecolor=colour, label=drawing.plain(words), **edge)
        for code, colour, words in _meanings(picture, voice)
        if code in present
    ]
    if 0 in present:
        handles.append(Patch(facecolor=NOT_OBSERVED_COLOUR, label=voice("unobserved"), **edge))
    if picture.points is not None:
        look: dict[str, Any] = {"linestyle": "none", "markeredgecolor": drawing.INK, "markersize": 5}
        for _, key, marker, face in _POINTS:
            handles.append(Line2D([], [], marker=marker, markerfacecolor=face, label=voice(key), **look))
    return handles


def _add_legend(
    figure: Figure, handles: list[Artist], columns: int, *, title: str | None, top: float
) -> None:
    legend = drawing.add_legend(
        figure, handles, top=top, ncols=columns, fontsize=8, handlelength=1.1, handleheight=0.9,
        columnspacing=1.4, title=title, title_fontproperties={"size": 8, "weight": "bold"}, alignment="left",
    )  # fmt: skip
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)


def _add_key(figure: Figure, key: list[str], columns: int, *, top: float) -> None:
    """Numbers with their names, down the columns."""
    rows = -(-len(key) // columns)
    width = int(figure.get_figwidth() / columns * 14)
    for index, text in enumerate(key):
        column, row = divmod(index, rows)
        x = 0.1 / figure.get_figwidth() + column / columns
        y = (top - 0.06 - _LINE_IN * row) / figure.get_figheight()
        figure.text(
            x, y, textwrap.shorten(text, width, placeholder="…"), fontsize=7.5, va="top", parse_math=False
        )
