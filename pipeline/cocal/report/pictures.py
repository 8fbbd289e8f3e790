"""Sections of pictures: hectares by region and over time, maps."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure as Drawing

from cocal.report.blocks import Block, Figure, Picture
from cocal.report.content import MapOverview, ReportContent
from cocal.report.drawing import NARROW, WIDE, Shape, png_uri, svg_uri
from cocal.report.figures import hectares_figures
from cocal.report.map import map_figure, pixel_metres
from cocal.report.series import lines, series_figures
from cocal.report.texts import Wording


def pictures(draw: Callable[[Shape], list[Drawing]], alt: str, more: str) -> tuple[Picture, ...]:
    """What `draw` gives for both shapes, as SVG; `more` is the alternative text of all but the first."""
    shapes = zip(draw(WIDE), draw(NARROW), strict=True)
    return tuple(
        Picture(svg_uri(wide), svg_uri(narrow), more if index else alt)
        for index, (wide, narrow) in enumerate(shapes)
    )


def figure(content: ReportContent, t: Wording) -> list[Block]:
    """The figure of hectares by region and, over several moments, of hectares by time."""
    places, over_time = content.places[content.last], lines(content)
    foot, n = t("figure_foot", run=content.run_name), t.number(len(places))
    simulated, more = content.simulated, t("figure_alt_more")
    dots = pictures(
        lambda shape: hectares_figures(places, t, shape, simulated=simulated, foot=foot),
        t("figure_alt", n=n), more,
    )  # fmt: skip
    found: list[Block] = [Figure("figure", t("figure_caption"), dots)]
    if over_time:
        series = pictures(
            lambda shape: series_figures(over_time, t, shape, simulated=simulated, foot=foot),
            t("series_alt", n=n), more,
        )  # fmt: skip
        found.append(Figure("figure", t("series_caption"), series))
    return found


def maps(content: ReportContent, t: Wording) -> list[Block]:
    """The map pictures."""
    found: list[Block] = []
    overview = content.map_overview or MapOverview((), {}, ())
    for picture in overview.pictures:
        places = content.places[picture.period]
        wide, narrow = (
            png_uri(map_figure(picture, overview, places, t, shape, simulated=content.simulated))
            for shape in (WIDE, NARROW)
        )
        words = {
            "period": picture.period, "n": len(places),
            "metres": t.number(picture.square_m or round(pixel_metres(picture))),
        }  # fmt: skip
        shown = Picture(wide, narrow, t(f"{picture.kind}_alt", **words))
        found.append(Figure("map", t(f"{picture.kind}_caption", **words), (shown,), "map"))
    return found
