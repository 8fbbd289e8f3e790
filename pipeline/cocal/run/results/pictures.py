"""The pictures of the page: classes, probability, observations, density, and where the sample is."""

from __future__ import annotations

from collections.abc import Sequence
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
    Period,
)
from cocal.grid import Tile, lattice_cells, transformer, utm_zones
from cocal.report import OUTSIDE, MapOverview, MapPicture, Shade
from cocal.run.results.overview import Extent, overview, picture_cells
from cocal.run.state import Run
from cocal.run.tables import read_own_csv

_CHANCES = (0.1, 0.3, 0.5, 0.7, 0.9)
_CHANCE_COLOURS = ("#ffffe5", "#fee391", "#fec44f", "#ec7014", "#b23b02", "#5a1f02")
_DATES = (1, 4, 8, 12, 20, 30)
_DATE_COLOURS = ("#a50f15", "#f7fbff", "#d0e1f2", "#94c4df", "#4a98c9", "#1764ab", "#08306b")

_STEPS = (0.0, 1.0, 5.0, 20.0)
"""Hectares of the target per km2 at which the shade changes."""

_DENSITY_COLOURS = ("#f3efe6", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")
_WITHHELD, _NOT_SEEN = 6, 7
_LONGEST_PX = 900


def restricted_overview(run: Run, points: pd.DataFrame | None) -> MapOverview:
    """Classes of every period; of the last one probability, observations, density and the sample's points."""
    last = run.periods[-1]
    pictures = [class_picture(run, period) for period in run.periods]
    pictures += [probability_picture(run, last), observations_picture(run, last)]
    if run.config.density is not None:
        squares = read_squares(run.store.root / "density.csv")
        pictures.append(density_picture(run, last, squares))
    if points is not None:
        codes = pictures[len(run.periods) - 1].codes
        pictures.append(MapPicture(last.name, codes, 4326, _extent(run), kind="sample", points=points))
    return _with_outlines(run, pictures)


def public_overview(run: Run, squares: pd.DataFrame | None) -> MapOverview:
    """Observations and, where the squares pass the disclosure rule, their density: never a pixel of a class."""
    pictures = [] if squares is None else [density_picture(run, p, squares) for p in run.periods]
    return _with_outlines(run, [*pictures, observations_picture(run, run.periods[-1])])


def _with_outlines(run: Run, pictures: Sequence[MapPicture]) -> MapOverview:
    regions = run.base.regions
    outlines = dict(zip(regions.table["region_id"], regions.geometries, strict=True))
    return MapOverview(tuple(pictures), outlines, tuple(_sources(run)))


def _sources(run: Run) -> list[dict[str, str]]:
    platforms = sorted({str(s.properties.get("platform", "?")) for s in run.scenes})
    days = [s.day for s in run.scenes]
    scenes = f"{', '.join(platforms)}, {min(days)} – {max(days)}"
    mark = {"es": " SIMULADAS", "en": "SIMULATED "} if run.simulated else {"es": "", "en": ""}
    files = ", ".join(source.path.name for source in run.config.regions.sources)
    found = [
        {
            "es": f"{len(days)} escenas{mark['es']}: {scenes}",
            "en": f"{len(days)} {mark['en']}scenes: {scenes}",
        },
        {"es": f"regiones: {files}", "en": f"regions: {files}"},
    ]
    if any(name.lower().startswith("sentinel") for name in platforms):
        years = "–".join(dict.fromkeys((str(min(days).year), str(max(days).year))))
        notice = {"es": "datos modificados de Copernicus Sentinel", "en": "modified Copernicus Sentinel data"}
        found.append({language: f"{text} {years}" for language, text in notice.items()})
    return found


def _extent(run: Run) -> Extent:
    west, south, east, north = (float(v) for v in run.base.regions.area.bounds)
    return west, south, east, north


def _values(run: Run, period: Period, name: str, dtype: str, missing: int) -> NDArray[Any]:
    """The raster `name` of the period's maps on the picture's grid; `missing` where there is no map."""
    maps: dict[Tile, Path] = {
        tile: ref.folder / name for tile, ref in run.maps_of(period.name).items() if ref.folder is not None
    }
    return overview(maps, _extent(run), dtype=dtype, missing=missing).values


def _picture(run: Run, period: Period, codes: NDArray[Any], **how: Any) -> MapPicture:
    """`codes` with the ground outside all regions masked."""
    area, (west, south, east, north) = run.base.regions.area, _extent(run)
    height, width = codes.shape
    lon = west + (np.arange(width) + 0.5) * (east - west) / width
    lat = north - (np.arange(height) + 0.5) * (north - south) / height
    shapely.prepare(area)
    inside = shapely.contains_xy(area, *np.meshgrid(lon, lat))
    shown = np.where(inside, codes, OUTSIDE).astype(np.uint8)
    return MapPicture(period.name, shown, 4326, (west, south, east, north), **how)


def class_picture(run: Run, period: Period) -> MapPicture:
    """The classes of the map."""
    return _picture(run, period, _values(run, period, CLASS_TIF, "uint8", 0))


def probability_picture(run: Run, period: Period) -> MapPicture:
    """The target's probability in six shades; 0 where nothing was observed."""
    values = _values(run, period, PROBABILITY_TIF, "uint16", PROBABILITY_NO_DATA)
    codes = 1 + np.searchsorted(_CHANCES, values * PROBABILITY_SCALE, side="right")
    codes[values == PROBABILITY_NO_DATA] = 0
    ends = [0.0, *_CHANCES, 1.0]
    shades = tuple(
        Shade(1 + i, colour, _span(f"{a:g} – {b:g}"))
        for i, (colour, (a, b)) in enumerate(zip(_CHANCE_COLOURS, pairwise(ends), strict=True))
    )
    return _picture(run, period, codes, shades=shades, kind="probability")


def observations_picture(run: Run, period: Period) -> MapPicture:
    """The number of clear dates in shades, none apart from few."""
    values = _values(run, period, N_CLEAR_TIF, "uint16", 0)
    codes = 1 + np.searchsorted(_DATES, values, side="right")
    ends = [*_DATES, 0]
    words = ["0", *(f"{a} – {b - 1}" if b else f"≥ {a}" for a, b in pairwise(ends))]
    shades = tuple(
        Shade(1 + i, colour, text) for i, (colour, text) in enumerate(zip(_DATE_COLOURS, words, strict=True))
    )
    return _picture(run, period, codes, shades=shades, kind="observations")


def _span(text: str) -> dict[str, str]:
    return {"es": text.replace(".", ","), "en": text}


def read_squares(path: Path) -> pd.DataFrame:
    """density.csv with exact hectares."""
    table = read_own_csv(path)
    exact = [Decimal(repr(v)) for v in table["mapped_ha"].tolist()]
    return table.assign(mapped_ha=pd.Series(exact, dtype=object))


def density_picture(run: Run, period: Period, squares: pd.DataFrame) -> MapPicture:
    """Hectares of the target per km2 in squares; NaN is withheld."""
    own, side = squares[squares["period"] == period.name], int(squares["side_m"].iloc[0])
    bounds = _extent(run)
    codes = _drawn_squares(own, bounds, side)
    return MapPicture(period.name, codes, 4326, bounds, shades=square_shades(), kind="density", square_m=side)


def square_shades() -> tuple[Shade, ...]:
    """What the codes of `square_codes` mean, with a colour for each."""
    texts = [{"es": "nada en el mapa", "en": "none on the map"}]
    for low, high in pairwise([*_STEPS, np.inf]):
        texts.append(_span(f"{low:g} – {high:g} ha/km²" if np.isfinite(high) else f"> {low:g} ha/km²"))
    shades = [
        Shade(1 + i, colour, words)
        for i, (colour, words) in enumerate(zip(_DENSITY_COLOURS, texts, strict=True))
    ]
    withheld = {"es": "no se publica: pocas parcelas", "en": "not published: few plots"}
    unseen = {"es": "no observado", "en": "not observed"}
    return (*shades, Shade(_WITHHELD, "#9aa5b1", withheld), Shade(_NOT_SEEN, "#dfe3e8", unseen))


def _drawn_squares(squares: pd.DataFrame, bounds: Extent, side: int) -> NDArray[np.uint8]:
    """(y, x) code of the square that holds the middle of each picture cell; `OUTSIDE` where there is none."""
    lon, lat = picture_cells(bounds, _LONGEST_PX)
    codes = np.full((lat.size, lon.size), OUTSIDE, dtype=np.uint8)
    known = pd.Series(
        square_codes(squares, side), index=pd.MultiIndex.from_frame(squares[["epsg", "x", "y"]].astype(int))
    )
    zone = utm_zones(lon, lat.mean())
    for epsg in np.unique(zone).tolist():
        columns = np.flatnonzero(zone == epsg)
        xx, yy = transformer(4326, epsg).transform(*np.meshgrid(lon[columns], lat))
        column, row = lattice_cells(xx.ravel(), yy.ravel(), side)
        keys = pd.MultiIndex.from_arrays([np.full(xx.size, epsg), column * side, row * side])
        codes[:, columns] = known.reindex(keys, fill_value=OUTSIDE).to_numpy().reshape(xx.shape)
    return codes


def square_codes(squares: pd.DataFrame, side: int) -> NDArray[np.uint8]:
    """The code of each square of `side` metres: none, a step of hectares per km2, withheld, or not observed."""
    density = pd.to_numeric(squares["mapped_ha"]).to_numpy(dtype=float) / (side / 1000) ** 2
    code = 1 + np.searchsorted(_STEPS, np.nan_to_num(density), side="left")
    code[np.isnan(density)] = _WITHHELD
    code[(squares["observed_fraction"] == 0).to_numpy()] = _NOT_SEEN
    return code.astype(np.uint8)
