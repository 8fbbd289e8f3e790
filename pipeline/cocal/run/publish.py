"""public/: what of a run may leave the office. Hectares of regions, no record, no plot.

The folder of the run is restricted as a whole: class maps show plots, records.csv says where crews went. Of
all that, public/ holds the tables by region, squares that pass the disclosure rule, and the page with those
squares in the place of the class map.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from cocal.estimate import public_density
from cocal.grid import project, transformer, utm_epsg
from cocal.report import OUTSIDE, MapOverview, MapPicture, Shade, report
from cocal.run.content import report_content
from cocal.run.tables import read_own_csv, write_own_csv
from cocal.store import sha256_file, source_digest

if TYPE_CHECKING:
    from cocal.run.stages import Run

FOLDER, LAYER = "public", "density"
TABLES = (
    "hectares.csv", "regions.csv", "countries.csv", "groups.csv", "comparison.csv", "unmatched.csv", "caveats.csv",
    "change.csv", "legal.csv", "eradication.csv",
)  # fmt: skip
"""Tables that speak of regions, countries, groups and zones only."""

_STEPS = (0.0, 1.0, 5.0, 20.0)
"""Hectares of the target per km2 at which the shade changes."""

_COLOURS = ("#f3efe6", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704")
_WITHHELD, _NOT_SEEN = 6, 7
_LONGEST_PX = 900


def publish_stage(run: Run) -> None:
    """Write public/, if the configuration says `publish: true`."""
    root, density = run.store.root, run.config.density
    page = root / "report" / "index.html"
    tables = [name for name in TABLES if (root / name).exists()]
    squares = root / "density.csv"
    inputs = {
        "page": sha256_file(page),
        "tables": {name: sha256_file(root / name) for name in tables},
        "density": density and [density.model_dump(mode="json"), sha256_file(squares)],
        "code": source_digest("estimate", "report", "run/publish", "run/content"),
    }

    def write(folder: Path) -> None:
        out = folder / FOLDER
        out.mkdir()
        for name in tables:
            shutil.copyfile(root / name, out / name)
        shown = None
        if density is not None:
            shown = public_density(_squares(squares), density.min_plots)
            write_own_csv(out / "density.csv", shown.assign(simulated=run.simulated))
            _write_geopackage(out / "density.gpkg", shown, simulated=run.simulated)
        report(out, replace(report_content(run), map_overview=_overview(run, shown)))
        (out / "README.txt").write_text(_read_me(run), encoding="utf-8")

    run.one_unit("publish", inputs, write)


def _squares(path: Path) -> pd.DataFrame:
    table = read_own_csv(path)
    exact = [Decimal(repr(v)) for v in table["mapped_ha"].tolist()]
    return table.assign(mapped_ha=pd.Series(exact, dtype=object))


def _write_geopackage(path: Path, table: pd.DataFrame, *, simulated: bool) -> None:
    """The squares as polygons in degrees; bytes depend on the content only."""
    shapes = [
        project(shapely.box(x, y, x + side, y + side), epsg, 4326, densify=side / 4)
        for epsg, x, y, side in zip(table["epsg"], table["x"], table["y"], table["side_m"], strict=True)
    ]
    hectares = pd.to_numeric(table["mapped_ha"])
    frame = gpd.GeoDataFrame(table.assign(mapped_ha=hectares, simulated=simulated), geometry=shapes, crs=4326)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        pyogrio.write_dataframe(frame, path, driver="GPKG", layer=LAYER)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _overview(run: Run, squares: pd.DataFrame | None) -> MapOverview | None:
    """The page's map: squares, never pixels; None without squares."""
    if squares is None:
        return None
    regions = run.base.regions
    west, south, east, north = (float(v) for v in regions.area.bounds)
    bounds = west, south, east, north
    side = int(squares["side_m"].iloc[0])
    pictures = tuple(
        MapPicture(
            period.name, _picture(squares[squares["period"] == period.name], bounds, side),
            4326, bounds, square_shades(), side,
        )
        for period in run.periods
    )  # fmt: skip
    outlines = dict(zip(regions.table["region_id"], regions.geometries, strict=True))
    kind = (
        {"es": "Escenas SIMULADAS", "en": "SIMULATED scenes"}
        if run.simulated
        else {"es": "Escenas", "en": "Scenes"}
    )
    days = [s.day for s in run.scenes]
    span = f"{min(days)} - {max(days)}, {len(days)}"
    return MapOverview(pictures, outlines, ({code: f"{words}: {span}" for code, words in kind.items()},))


def square_shades() -> tuple[Shade, ...]:
    """Colour and words of each code of `square_codes`."""
    texts = [{"es": "sin coca en el mapa", "en": "none on the map"}]
    for low, high in pairwise([*_STEPS, np.inf]):
        span = f"{low:g} - {high:g} ha/km²" if np.isfinite(high) else f"> {low:g} ha/km²"
        texts.append({"es": span, "en": span})
    shades = [
        Shade(1 + i, colour, words) for i, (colour, words) in enumerate(zip(_COLOURS, texts, strict=True))
    ]
    withheld = {"es": "no se publica: pocas parcelas", "en": "not published: few plots"}
    unseen = {"es": "no observado", "en": "not observed"}
    return (*shades, Shade(_WITHHELD, "#9aa5b1", withheld), Shade(_NOT_SEEN, "#dfe3e8", unseen))


def _picture(squares: pd.DataFrame, bounds: tuple[float, ...], side: int) -> NDArray[np.uint8]:
    """(y, x) code of the square that holds the middle of each picture cell; `OUTSIDE` where there is none."""
    west, south, east, north = bounds
    stretch = float(np.cos(np.radians((south + north) / 2)))
    cell = max((east - west) * stretch, north - south) / _LONGEST_PX
    width, height = max(1, round((east - west) * stretch / cell)), max(1, round((north - south) / cell))
    lon = west + (np.arange(width) + 0.5) * (east - west) / width
    lat = north - (np.arange(height) + 0.5) * (north - south) / height
    codes = np.full((height, width), OUTSIDE, dtype=np.uint8)
    known = pd.Series(
        square_codes(squares, side), index=pd.MultiIndex.from_frame(squares[["epsg", "x", "y"]].astype(int))
    )
    zone = np.array([utm_epsg(v, (south + north) / 2) for v in lon])
    for epsg in np.unique(zone).tolist():
        columns = np.flatnonzero(zone == epsg)
        xx, yy = transformer(4326, epsg).transform(*np.meshgrid(lon[columns], lat))
        corner = (np.floor(np.stack([xx, yy]) / side) * side).astype(int).reshape(2, -1)
        keys = pd.MultiIndex.from_arrays([np.full(corner.shape[1], epsg), *corner])
        codes[:, columns] = known.reindex(keys, fill_value=OUTSIDE).to_numpy().reshape(xx.shape)
    return codes


def square_codes(squares: pd.DataFrame, side: int) -> NDArray[np.uint8]:
    """A code per square of `side` metres: hectares per km2 in steps, withheld, not seen."""
    density = pd.to_numeric(squares["mapped_ha"]).to_numpy(dtype=float) / (side / 1000) ** 2
    code = 1 + np.searchsorted(_STEPS, np.nan_to_num(density), side="left")
    code[np.isnan(density)] = _WITHHELD
    code[(squares["observed_fraction"] == 0).to_numpy()] = _NOT_SEEN
    return code.astype(np.uint8)


def _read_me(run: Run) -> str:
    rule = run.config.density
    squares = "" if rule is None else (
        f"density.csv, density.gpkg: squares of {rule.cell_m} m. A square with coca and fewer than {rule.min_plots} plots of {rule.plot_ha:g} ha is withheld, and "
        "where only one square of a region is, a second one.\n"
    )  # fmt: skip
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts: dict[str, Any] = {"run": run.config.name, "scheme": run.base.scheme.id}
    return (
        f"{mark}Public outputs of the run {json.dumps(facts, ensure_ascii=False)}\n\n"
        "Hectares by region, country, group and zone; the page with a map of squares.\n"
        f"{squares}"
        "Not here: class maps (they show plots), field records and their strata, the grid with its counts of plots.\n"
    )
