"""The pictures of the page: classes, probability, observations, density, and where the sample is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.contracts import (
    CLASS_TIF,
    N_CLEAR_TIF,
    PROBABILITY_NO_DATA,
    PROBABILITY_SCALE,
    PROBABILITY_TIF,
)
from cocal.grid import lattice_cells, transformer, utm_zones
from cocal.report.content import OUTSIDE, MapOverview, MapPicture, Shade, Words
from cocal.run.results.facts import PeriodMaps, RunFacts
from cocal.run.results.overview import picture_cells, picture_values
from cocal.run.tables import read_own_csv

_CHANCES = (0.1, 0.3, 0.5, 0.7, 0.9)
_CHANCE_COLOURS = ("#ffffe5", "#fee391", "#fec44f", "#ec7014", "#b23b02", "#5a1f02")
_DATES = (1, 4, 8, 12, 20, 30)
_DATE_COLOURS = ("#a50f15", "#f7fbff", "#d0e1f2", "#94c4df", "#4a98c9", "#1764ab", "#08306b")

_STEPS = (0.0, 1.0, 5.0, 20.0)
"""Hectares of the target per km2 at which the shade changes."""

_DENSITY_COLOURS = ("#f3efe6", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")
_NOT_SHOWN, _NOT_SEEN = 6, 7
_MAP_PX, _SQUARES_PX = 1100, 900


def restricted_overview(
    run: RunFacts, squares: pd.DataFrame | None, points: pd.DataFrame | None
) -> MapOverview:
    """Classes of every period; of the last one probability, observations, density and the sample's points."""
    classes, last = [class_picture(run, own) for own in run.maps], run.maps[-1]
    pictures = [*classes]
    if run.model is not None:
        pictures += [probability_picture(run, last), observations_picture(run, last)]
    if squares is not None:
        pictures.append(density_picture(run, last.period.name, squares))
    if points is not None:
        pictures.append(replace(classes[-1], kind="sample", points=points))
    return _with_outlines(run, pictures)


def public_overview(run: RunFacts, squares: pd.DataFrame | None) -> MapOverview:
    """Observations and, in squares that pass the disclosure rule, density: never a pixel of a class."""
    squared = [] if squares is None else [density_picture(run, p.name, squares) for p in run.periods]
    looks = [] if run.model is None else [observations_picture(run, run.maps[-1])]
    return _with_outlines(run, [*squared, *looks])


def _with_outlines(run: RunFacts, pictures: Sequence[MapPicture]) -> MapOverview:
    outlines = dict(zip(run.regions.table["region_id"], run.regions.geometries, strict=True))
    return MapOverview(tuple(pictures), outlines, tuple(_sources(run)))


def _sources(run: RunFacts) -> list[dict[str, str]]:
    files = ", ".join(run.region_files)
    regions = {"es": f"regiones: {files}", "en": f"regions: {files}"}
    if run.model is None:
        name = f"{run.own_map['id']}: {run.own_map['source']}"
        return [
            {
                "es": f"mapa{' SIMULADO' if run.simulated else ''} {name}",
                "en": f"{'SIMULATED ' if run.simulated else ''}map {name}",
            },
            regions,
        ]
    first, last = min(run.days), max(run.days)
    scenes, n = f"{', '.join(run.platforms)}, {first} – {last}", len(run.days)
    found = [
        {
            "es": f"{n} escenas{' SIMULADAS' if run.simulated else ''}: {scenes}",
            "en": f"{n} {'SIMULATED ' if run.simulated else ''}scenes: {scenes}",
        },
        regions,
    ]
    if any(name.lower().startswith("sentinel") for name in run.platforms):
        years = "–".join(dict.fromkeys((str(first.year), str(last.year))))
        notice = {"es": "datos modificados de Copernicus Sentinel", "en": "modified Copernicus Sentinel data"}
        found.append({language: f"{text} {years}" for language, text in notice.items()})
    return found


def _values(run: RunFacts, maps: PeriodMaps, name: str, dtype: str, missing: int = 0) -> NDArray[Any]:
    """The raster `name` of the maps on the picture's grid; `missing` where there is no map."""
    return picture_values(maps.rasters(name), run.bounds, dtype=dtype, missing=missing, longest_px=_MAP_PX)


def _picture(run: RunFacts, maps: PeriodMaps, codes: NDArray[Any], **how: Any) -> MapPicture:
    """`codes` with the ground outside all regions masked."""
    area = run.regions.area
    shapely.prepare(area)
    inside = shapely.contains_xy(area, *np.meshgrid(*picture_cells(run.bounds, _MAP_PX)))
    shown = np.where(inside, codes, OUTSIDE).astype(np.uint8)
    return MapPicture(maps.period.name, shown, run.bounds, **how)


def class_picture(run: RunFacts, maps: PeriodMaps) -> MapPicture:
    """The classes of the map."""
    return _picture(run, maps, _values(run, maps, CLASS_TIF, "uint8"))


def probability_picture(run: RunFacts, maps: PeriodMaps) -> MapPicture:
    """The target's probability in six shades; 0 where nothing was observed."""
    values = _values(run, maps, PROBABILITY_TIF, "uint16", PROBABILITY_NO_DATA)
    codes = 1 + np.searchsorted(_CHANCES, values * PROBABILITY_SCALE, side="right")
    codes[values == PROBABILITY_NO_DATA] = 0
    words = [_span(f"{a:g} – {b:g}") for a, b in pairwise([0.0, *_CHANCES, 1.0])]
    return _picture(run, maps, codes, shades=_shades(_CHANCE_COLOURS, words), kind="probability")


def observations_picture(run: RunFacts, maps: PeriodMaps) -> MapPicture:
    """The number of clear dates in shades, none apart from few."""
    codes = 1 + np.searchsorted(_DATES, _values(run, maps, N_CLEAR_TIF, "uint16"), side="right")
    words = ["0", *(f"{a} – {b - 1}" if b else f"≥ {a}" for a, b in pairwise([*_DATES, 0]))]
    return _picture(run, maps, codes, shades=_shades(_DATE_COLOURS, words), kind="observations")


def _shades(colours: Sequence[str], words: Sequence[Words]) -> tuple[Shade, ...]:
    """Codes from 1 with a colour and a text each."""
    return tuple(Shade(1 + i, *shade) for i, shade in enumerate(zip(colours, words, strict=True)))


def _span(text: str) -> dict[str, str]:
    return {"es": text.replace(".", ","), "en": text}


def read_squares(path: Path) -> pd.DataFrame:
    """density.csv with exact hectares."""
    table = read_own_csv(path)
    exact = [Decimal(repr(v)) for v in table["mapped_ha"].tolist()]
    return table.assign(mapped_ha=pd.Series(exact, dtype=object))


def density_picture(run: RunFacts, period: str, squares: pd.DataFrame) -> MapPicture:
    """Hectares of the target per km2 in squares; NaN is not shown."""
    own, side = squares[squares["period"] == period], int(squares["side_m"].iloc[0])
    lon, lat = picture_cells(run.bounds, _SQUARES_PX)
    codes = np.full((lat.size, lon.size), OUTSIDE, dtype=np.uint8)
    corners = pd.MultiIndex.from_frame(own[["epsg", "x", "y"]].astype(int))
    known = pd.Series(square_codes(own, side), index=corners)
    zone = utm_zones(lon, lat.mean())
    for epsg in np.unique(zone).tolist():
        columns = np.flatnonzero(zone == epsg)
        x, y = transformer(4326, epsg).transform(*np.meshgrid(lon[columns], lat))
        column, row = lattice_cells(x.ravel(), y.ravel(), side)
        keys = pd.MultiIndex.from_arrays([np.full(x.size, epsg), column * side, row * side])
        codes[:, columns] = known.reindex(keys, fill_value=OUTSIDE).to_numpy().reshape(x.shape)
    shades = square_shades(restricted="plots" in squares)
    return MapPicture(period, codes, run.bounds, shades=shades, kind="density", square_m=side)


def square_shades(*, restricted: bool) -> tuple[Shade, ...]:
    """Colour and text of each code of `square_codes`: those of all squares, or of published ones."""
    words = [{"es": "nada en el mapa", "en": "none on the map"}]
    for low, high in pairwise([*_STEPS, np.inf]):
        words.append(_span(f"{low:g} – {high:g} ha/km²" if np.isfinite(high) else f"> {low:g} ha/km²"))
    shades = _shades(_DENSITY_COLOURS, words)
    if restricted:
        return *shades, Shade(_NOT_SEEN, "#dfe3e8", {"es": "no observado", "en": "not observed"})
    few = {"es": "no se muestra: pocas parcelas o ninguna", "en": "not shown: few plots or none"}
    return *shades[1:], Shade(_NOT_SHOWN, "#dfe3e8", few)


def square_codes(squares: pd.DataFrame, side: int) -> NDArray[np.uint8]:
    """(n,) code of each square of `side` m: none, a step of hectares per km2, not shown, not observed."""
    density = pd.to_numeric(squares["mapped_ha"]).to_numpy(dtype=float) / (side / 1000) ** 2
    code = 1 + np.searchsorted(_STEPS, np.nan_to_num(density), side="left")
    code[np.isnan(density)] = _NOT_SHOWN
    if "observed_fraction" in squares:
        code[(squares["observed_fraction"] == 0).to_numpy()] = _NOT_SEEN
    return code.astype(np.uint8)
