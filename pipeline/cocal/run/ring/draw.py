"""Places for a ring test: pixels of the maps by stratum and country, or places of field records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.contracts import CLASS_TIF
from cocal.errors import InputError
from cocal.features.mask import dilate
from cocal.fieldwork import MATCHED, read_records
from cocal.grid import RESOLUTION_M, Tile, Window, lattice_cells, pixel_zones, transformer
from cocal.hashing import GOLDEN, lattice_hash, splitmix64
from cocal.regions import Regions, read_regions
from cocal.regions.ownership import owned
from cocal.run.finished import FinishedRun
from cocal.run.tables import given_sha256, read_own_csv
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import proven

STRATA = ("mapped", "near", "elsewhere")
"""Ground that the map shows as the target, ground within NEAR_PX of it, the rest of what is observed."""
NEAR_PX = 10
COLUMNS = ["stratum", "country", "region_id", "epsg", "x", "y", "truth", "rank"]
CELL = ["stratum", "country"]


def drawn_places(run: FinishedRun, period: str, seed: int, most: int) -> pd.DataFrame:
    """Up to `most` pixels of each stratum in each country, in a random order that the seed fixes.

    Returns
    -------
    DataFrame, COLUMNS: `x`, `y` the centre of the pixel (m, zone `epsg`), `truth` empty, `rank` ascending
    within each stratum and country.
    """
    config = run.config
    regions, scheme = read_regions(config.regions), read_scheme(config.scheme)
    found = [
        part
        for tile, folder in run.checked_maps()[period].items()
        for part in _of_tile(tile, folder, regions, scheme, seed, most)
    ]
    if not found:
        raise InputError(
            f"no ground for a ring test in {run.folder}", "maps of the period with observed ground", "none",
            "choose another period, or run it again",
        )  # fmt: skip
    table = pd.concat(found, ignore_index=True).sort_values("rank", kind="stable")
    return table.groupby(CELL, sort=False).head(most).reset_index(drop=True)


def _of_tile(
    tile: Tile, folder: Path, regions: Regions, scheme: ClassScheme, seed: int, most: int
) -> Iterator[pd.DataFrame]:
    window, resolution = tile.window, tile.window.resolution
    codes = read_raster(proven(folder / CLASS_TIF), window, resolution, "uint8")
    owner = owned(regions, window)
    mapped = codes == scheme.codes[scheme.target]
    stratum = np.where(mapped, 0, np.where(dilate(mapped, NEAR_PX), 1, 2))
    inside = (owner >= 0) & (codes != 0)
    rank = place_ranks(seed, window)
    countries = regions.table["country"].astype(str).to_numpy()
    country, kinds = np.unique(countries, return_inverse=True)
    kind = np.where(inside, kinds[owner] + stratum * len(country), -1)
    for cell in np.unique(kind[inside]):
        rows, columns = np.nonzero(kind == cell)
        first = np.argsort(rank[rows, columns])[:most]
        rows, columns = rows[first], columns[first]
        own = regions.table["region_id"].to_numpy()[owner[rows, columns]]
        facts = {"stratum": STRATA[cell // len(country)], "country": country[cell % len(country)]}
        yield pd.DataFrame(
            {
                **facts, "region_id": own, "epsg": window.epsg, "x": window.x[columns],
                "y": window.y[rows], "truth": "", "rank": rank[rows, columns],
            }
        )[COLUMNS]  # fmt: skip


def place_ranks(seed: int, window: Window) -> NDArray[np.uint64]:
    """(y, x) uint64 random number of each pixel, which does not depend on the window."""
    with np.errstate(over="ignore"):
        key = splitmix64(np.array([np.uint64(seed) * np.uint64(GOLDEN) + np.uint64(window.epsg)]))[0]
    columns = (window.x // window.resolution).astype(np.int64)
    rows = (window.y // window.resolution).astype(np.int64)
    return lattice_hash(key, columns[None, :], rows[:, None])


def visited_places(run: FinishedRun, period: str, seed: int, most: int) -> pd.DataFrame:
    """As `drawn_places`, of the pixels of matched field records, with the class that was found there.

    Raises
    ------
    InputError
        The run has no matched records in the period, or their file changed since.
    """
    settings, path = run.config.records, run.folder / "records.csv"
    matched = read_own_csv(path) if settings is not None and path.exists() else pd.DataFrame()
    if settings is None or not len(matched):
        raise InputError(f"field records of {run.folder}", "matched records", "none", "leave --visited out")
    if given_sha256(settings.path, "records.path") != run.measured.records_sha256:
        raise InputError(
            "the field records changed since the run", "the file that the run read", settings.path.name,
            "run it again",
        )  # fmt: skip
    scheme = read_scheme(run.config.scheme)
    own = matched[(matched["period"] == period) & (matched["status"] == MATCHED)]
    places = read_records(settings, scheme).set_index("record_id").loc[own["record_id"], "geometry"]
    points = places.representative_point()
    found = _pixels(points.x.to_numpy(), points.y.to_numpy(), seed)
    table = read_own_csv(run.folder / "regions.csv").set_index("region_id")["country"]
    target = own["map_class"].to_numpy() == scheme.target
    found = found.assign(
        stratum=np.where(target, STRATA[0], STRATA[2]),
        region_id=own["region_id"].to_numpy(),
        country=table.reindex(own["region_id"]).to_numpy(),
        truth=own["reference_class"].to_numpy(),
    )
    ranked = found.dropna(subset=["country"]).sort_values("rank", kind="stable")
    return ranked.groupby(CELL, sort=False).head(most).reset_index(drop=True)[COLUMNS]


def _pixels(longitude: NDArray[np.float64], latitude: NDArray[np.float64], seed: int) -> pd.DataFrame:
    """epsg, x, y of the pixels that hold the points, and their ranks."""
    zones = pixel_zones(longitude, latitude)
    rows = []
    for epsg, lon, lat in zip(zones.tolist(), longitude, latitude, strict=True):
        column, row = lattice_cells(*transformer(4326, epsg).transform(lon, lat), RESOLUTION_M)
        window = Window(epsg, int(column) * RESOLUTION_M, (int(row) + 1) * RESOLUTION_M, 1, 1)
        rows.append((epsg, float(window.x[0]), float(window.y[0]), place_ranks(seed, window)[0, 0]))
    return pd.DataFrame(rows, columns=["epsg", "x", "y", "rank"])


def wanted(places: pd.DataFrame, chips: int) -> Mapping[tuple[str, str], int]:
    """How many chips of each stratum and country: equal shares, the first ones one more where they do not
    divide.
    """
    cells = sorted({(str(s), str(c)) for s, c in zip(places["stratum"], places["country"], strict=True)})
    each, more = divmod(chips, len(cells))
    return {cell: each + (number < more) for number, cell in enumerate(cells)}
