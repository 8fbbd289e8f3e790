"""Ground by stratum, region, zone and class: exact, whatever the tiles, and what the maps show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.support.small_world import EPSG

from cocal.config import read_config
from cocal.errors import InputError
from cocal.grid import Window, cell_area_units, transformer
from cocal.run.measure.counts import COUNTS
from cocal.run.measure.strata_cells import (
    CELL_COLUMNS,
    NO_STRATUM,
    change_cells,
    strata_of,
    stratum_cells,
    summed,
)

NONE = np.zeros((2, 2), dtype=np.int64)


def counts_of(world):
    """The counts that have strata, of each unit in the run's folder."""
    found = [dict(np.load(folder / COUNTS)) for folder in sorted((world.root / "counts").iterdir())]
    return [counts for counts in found if "strata" in counts]


def with_raster(world):
    world.edit(lambda content: content["records"].update(strata_raster="strata.tif"))
    return world


def test_rows_are_sums_by_hand():
    codes = [np.array([[1, 1], [2, 0]], np.uint8), np.array([[2, 1], [2, 1]], np.uint8)]
    strata, owner = np.array([[7, 7], [7, NO_STRATUM]]), np.array([[0, 0], [0, -1]], np.int32)
    units = np.array([[10, 20], [30, 40]])
    found = stratum_cells(codes, strata, owner, NONE, units)
    assert found.tolist() == [
        [0, 0, 0, 7, 1, 30], [0, 0, 0, 7, 2, 30], [1, 0, 0, 7, 1, 20], [1, 0, 0, 7, 2, 40],
    ]  # fmt: skip
    assert change_cells(codes, strata, owner, units).tolist() == [
        [0, 0, 7, 1, 1, 20], [0, 0, 7, 1, 2, 10], [0, 0, 7, 2, 2, 30],
    ]  # fmt: skip


@given(
    arrays(np.int64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.integers(-3, 3)),
    st.data(),
)
def test_sums_are_exact_for_ground_of_any_size(keys, data):
    n = len(keys)
    values = data.draw(arrays(np.int64, n, elements=st.integers(0, 2**56)))
    found = summed(*keys.T, values)
    expected: dict[tuple[int, ...], int] = {}
    for key, value in zip(keys.tolist(), values.tolist(), strict=True):
        expected[tuple(key)] = expected.get(tuple(key), 0) + value
    assert {tuple(row[:-1]): row[-1] for row in found.tolist()} == expected
    assert [tuple(row[:-1]) for row in found.tolist()] == sorted(expected)


@given(arrays(np.uint8, (6, 9), elements=st.integers(0, 3)), st.integers(1, 8))
def test_two_tiles_give_the_rows_of_one(codes, cut):
    window = Window(EPSG, 500_000, 8_600_000, 9, 6)
    units, owner = cell_area_units(window), (codes % 3).astype(np.int32) - 1
    strata, zone = codes.astype(np.int64) // 2, codes.astype(np.int64) % 2

    def of(columns):
        parts = (array[:, columns] for array in (strata, owner, zone, units))
        return stratum_cells([codes[:, columns]], *parts)

    halves = np.concatenate([of(slice(None, cut)), of(slice(cut, None))])
    assert summed(*halves.T).tolist() == of(slice(None)).tolist()


def test_a_run_counts_the_strata_of_every_region_once(finished, done):
    assert counts_of(finished) == []
    done(with_raster(finished), last="measure")
    (counts,) = counts_of(finished)
    cells = pd.DataFrame(counts["strata"], columns=list(CELL_COLUMNS))
    by_region = cells.groupby(["region", "map_class"])["units"].sum()
    for (region, code), units in by_region.items():
        assert counts["areas"][0, region, code] == units
    assert counts["areas"].sum() == cells["units"].sum()
    assert set(cells["code"]) == {1, 2, NO_STRATUM}
    again = done(finished, last="measure")
    assert again.summary.startswith("0 unit(s) made")
    strata = pd.read_csv(finished.folder / "strata.csv").assign(source="SIMULATED")
    strata.to_csv(finished.folder / "strata.csv", index=False)
    assert done(finished, last="measure").summary.startswith("1 unit(s) made")
    assert len(counts_of(finished)) == 1


def test_counts_do_not_depend_on_the_tiles(finished, done):
    done(with_raster(finished), last="measure")
    finished.edit(lambda content: content["grid"].update(tile_px=48))
    done(finished, last="measure")
    first, *others = [counts["strata"].tolist() for counts in counts_of(finished)]
    assert len(others) == 1
    assert others == [first]


def test_a_raster_without_codes_in_the_table_is_refused_before_any_work(finished, done):
    path = finished.folder / "strata.csv"
    table = pd.read_csv(path)
    table.drop(columns="code").to_csv(path, index=False)
    with pytest.raises(InputError, match=r"no column 'code'"):
        done(with_raster(finished), last="measure")
    table.assign(code=[1, 1]).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"not one code per stratum: code 1"):
        done(finished, last="measure")
    table.assign(code=["x", "2"]).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"'code' is not a number: row 2"):
        done(finished, last="measure")
    assert read_config(finished.config).records.strata_rasters == (finished.folder / "strata.tif",)


def test_of_rasters_in_two_zones_that_of_the_places_zone_counts(tmp_path):
    """Across the meridian both have a pixel at the place: 7 by its own zone, 5 by the other one's."""
    own = Window(32719, 179_500, 8_617_000, 30, 30)
    lon, lat = transformer(32719, 4326).transform(own.x[15], own.y[15])
    x, y = transformer(4326, 32718).transform(lon, lat)
    other = Window(32718, round(x / 10) * 10 - 600, round(y / 10) * 10 + 600, 120, 120)
    for window, code in ((other, 5), (own, 7)):
        profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "crs": f"EPSG:{window.epsg}", "nodata": 0,
                   "width": window.width, "height": window.height, "transform": window.transform}  # fmt: skip
        with rasterio.open(tmp_path / f"strata-{window.epsg}.tif", "w", **profile) as target:
            target.write(np.full(window.shape, code, np.uint8), 1)
    both = [tmp_path / f"strata-{window.epsg}.tif" for window in (other, own)]
    assert (strata_of(both, own) == 7).all()
    assert (strata_of(both[::-1], other) == 5).all()
    # without a raster in the zone, whatever there is
    assert (strata_of(both[:1], own) == 5).all()
