"""`measure`: one class map in memory -> mapped hectares."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely import box

from cocal.contracts import CLASSMAP, Period, grid_coords
from cocal.errors import ContractError, ModelMismatchError
from cocal.estimate import measure
from cocal.grid import Window
from cocal.regions import Regions, RegionSettings, RegionSource, read_regions
from cocal.scheme import ClassScheme

CENTRAL_MERIDIAN_CELL_HA = 100 / 0.9996**2 / 10_000
"""A 10 m cell on the central meridian of a UTM zone, scale 0.9996 (Snyder 1987, eq. 8-11), ha."""

PERIOD = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
WINDOW = Window(32719, 499_980, 8_400_000, 4, 3)
CODES = np.array([[1, 1, 4, 4], [1, 0, 4, 1], [4, 4, 4, 4]], dtype=np.uint8)


def scheme_named(name: str) -> ClassScheme:
    return ClassScheme(
        id=name,
        target="coca",
        definition={"counts": "coca"},
        classes=(
            {"code": 1, "key": "coca", "name_es": "Coca", "name_en": "Coca", "colour": "#aa0000"},
            {"code": 4, "key": "other", "name_es": "Otro", "name_en": "Other", "colour": "#00aa00"},
        ),
    )


SCHEME = scheme_named("two")


def class_map(codes: np.ndarray = CODES, window: Window = WINDOW) -> xr.Dataset:
    flags = {"flag_values": [0, 1, 4], "flag_meanings": "unobserved coca other"}
    said = {"long_name": "class", "units": "1"}
    return xr.Dataset(
        {
            "crop_class": (("y", "x"), codes, said | flags),
            "probability": (("y", "x"), np.zeros(codes.shape, np.float32), said),
        },
        coords=grid_coords(window),
        attrs={
            "contract": CLASSMAP,
            "model_id": "m",
            "model_sha256": "0",
            "class_scheme_sha256": SCHEME.sha256,
        },
    )


@pytest.fixture
def regions(tmp_path: Path) -> Regions:
    """West: the two columns on the left; east: the next one; the last column belongs to nobody."""
    left, bottom, top = WINDOW.left, WINDOW.bottom - 500, WINDOW.top + 500
    shapes = [box(left, bottom, left + 20, top), box(left + 20, bottom, left + 30, top)]
    table = gpd.GeoDataFrame({"id": ["W", "E"], "name": ["West", "East"]}, geometry=shapes, crs=32719)
    table.to_file(tmp_path / "regions.gpkg", driver="GPKG")
    source = RegionSource(path=tmp_path / "regions.gpkg", id=("id",), name="name", country_code="BO")
    return read_regions(RegionSettings(sources=(source,), sliver_m=0))


def hectares_of(areas: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {
        (r, c): float(v) for r, c, v in areas[["region_id", "class", "mapped_ha"]].itertuples(index=False)
    }


def test_hectares_are_the_true_area_of_the_cells_that_a_region_owns(regions: Regions) -> None:
    found = hectares_of(measure(class_map(), regions, scheme=SCHEME, period=PERIOD))
    cells = {("W", "coca"): 3, ("W", "other"): 2, ("W", "unobserved"): 1}
    cells |= {("E", "coca"): 0, ("E", "other"): 3, ("E", "unobserved"): 0}
    assert found == pytest.approx({k: n * CENTRAL_MERIDIAN_CELL_HA for k, n in cells.items()}, rel=1e-8)


def test_the_observed_part_is_told_for_each_region(regions: Regions) -> None:
    areas = measure(class_map(), regions, scheme=SCHEME, period=PERIOD)
    assert areas.groupby("region_id")["observed_fraction"].first().to_dict() == pytest.approx(
        {"W": 5 / 6, "E": 1.0}, rel=1e-8
    )


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_two_halves_of_a_map_add_up_to_the_whole(regions: Regions, cut: int) -> None:
    whole = measure(class_map(), regions, scheme=SCHEME, period=PERIOD)["mapped_ha"]
    west = Window(WINDOW.epsg, WINDOW.left, WINDOW.top, cut, 3)
    east = Window(WINDOW.epsg, WINDOW.left + 10 * cut, WINDOW.top, 4 - cut, 3)
    halves = [class_map(CODES[:, :cut], west), class_map(CODES[:, cut:], east)]
    parts = [measure(half, regions, scheme=SCHEME, period=PERIOD)["mapped_ha"] for half in halves]
    assert (parts[0] + parts[1]).tolist() == whole.tolist()


def test_a_chunked_map_measures_like_one_in_memory(regions: Regions) -> None:
    whole = measure(class_map(), regions, scheme=SCHEME, period=PERIOD)
    chunked = measure(class_map().chunk({"x": 2}), regions, scheme=SCHEME, period=PERIOD)
    pd.testing.assert_frame_equal(chunked, whole)


def test_a_map_of_another_scheme_is_refused(regions: Regions) -> None:
    with pytest.raises(ModelMismatchError, match="another class scheme"):
        measure(class_map(), regions, scheme=scheme_named("other"), period=PERIOD)


def test_what_is_no_class_map_is_refused(regions: Regions) -> None:
    with pytest.raises(ContractError, match="classmap/1"):
        measure(class_map().drop_vars("probability"), regions, scheme=SCHEME, period=PERIOD)
