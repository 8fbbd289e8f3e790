"""A run whose map is an office's own polygons: no model, no images."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import yaml
from rasterio.transform import from_origin
from tests.support.office_land import DRAWN, EPSG, PERIODS, X, Y, box, write_land

from cocal.config import read_config
from cocal.errors import DamagedError, InputError, UsageError
from cocal.run import RunSummary, run


def measured(config: Path, tile_px: int = 150) -> RunSummary:
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    content["grid"]["tile_px"] = tile_px
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return run(read_config(config), last="measure")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> RunSummary:
    return measured(write_land(tmp_path_factory.mktemp("own")))


def hectares(summary: RunSummary, region: str, period: str, name: str = "coca") -> float:
    areas = summary.areas
    rows = areas[(areas["region_id"] == region) & (areas["period"] == period) & (areas["class"] == name)]
    return float(rows["mapped_ha"].iloc[0])


def test_mapped_hectares_are_those_of_the_polygons(own: RunSummary) -> None:
    # true metres are longer than those of the grid by 1 / 0.9996, nearly, so near the meridian
    wanted = {
        ("PE-1", "2022", "coca"): 35 * 42, ("PE-1", "2023", "coca"): 60 * 60,
        ("PE-1", "2024", "coca"): 35 * 42 + 10 * 25, ("PE-1", "2024", "forest"): 28 * 42,
        ("BO-1", "2024", "coca"): 15 * 25 + 20 * 20, ("BO-1", "2023", "coca"): 0,
    }  # fmt: skip
    for key, grid_m2 in wanted.items():
        assert hectares(own, *key) == pytest.approx(grid_m2 / 1e4, rel=1e-3, abs=1e-9), key
    sums = own.areas.groupby(["region_id", "period"])["mapped_ha"].sum()
    assert sums.groupby("region_id").nunique().tolist() == [1, 1], "classes add up to the region's ground"


def test_change_is_the_overlay_of_the_polygons(own: RunSummary) -> None:
    change = pd.read_csv(own.folder / "change.csv").set_index(["region_id", "to_period", "quantity"])
    m2 = (change["mapped_ha"] * 1e4).to_dict()
    assert m2["PE-1", 2023, "cleared"] == pytest.approx(35 * 42, rel=1e-3)
    assert m2["PE-1", 2024, "cleared"] == pytest.approx(60 * 60, rel=1e-3)
    assert m2["PE-1", 2024, "new"] == pytest.approx(35 * 42 + 250, rel=1e-3)
    # 28 m of the 35 lie where the plot of two years before was
    assert m2["PE-1", 2024, "replanted"] == pytest.approx(28 * 42, rel=1e-3)
    assert m2["BO-1", 2024, "net"] == pytest.approx(15 * 25 + 400, rel=1e-3)


def test_squares_add_up_to_the_regions(own: RunSummary) -> None:
    squares = pd.read_csv(own.folder / "density.csv", dtype={"mapped_ha": str, "period": str})
    squares["mapped_ha"] = squares["mapped_ha"].map(Decimal)
    coca = own.areas[own.areas["class"] == "coca"]
    assert squares.groupby("period")["mapped_ha"].sum().tolist() == (
        coca.groupby("period")["mapped_ha"].sum().tolist()
    )


def test_what_lies_outside_the_regions_or_twice_is_told(own: RunSummary) -> None:
    left_out = {note["code"]: note["values"] for note in left_out_of(own)}
    assert left_out["census_outside_regions"]["period"] == "2024"
    lost = left_out["census_outside_regions"]["before_ha"] - left_out["census_outside_regions"]["after_ha"]
    assert lost == pytest.approx(20 * 20 / 1e4, rel=1e-2)
    twice = left_out["census_overlap"]["before_ha"] - left_out["census_overlap"]["after_ha"]
    assert twice == pytest.approx(7 * 42 / 1e4, rel=1e-3)


def left_out_of(summary: RunSummary) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((summary.folder / "run.json").read_text())["left_out"]
    return found


def test_no_hectare_depends_on_the_size_of_tiles(own: RunSummary, tmp_path: Path) -> None:
    other = measured(write_land(tmp_path), tile_px=60)
    for name in ("hectares", "change", "density", "countries"):
        assert (other.folder / f"{name}.csv").read_bytes() == (own.folder / f"{name}.csv").read_bytes(), name


def test_ground_that_the_census_did_not_see_is_unobserved(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[box(0, 0, 600, 40)], crs=EPSG).to_file(tmp_path / "seen.gpkg")
    drawn = [(box(10, 10, 50, 60), "C", f"{year}-05-01") for year in (2022, 2023, 2024)]
    summary = measured(write_land(tmp_path, drawn, observed=[{"path": "seen.gpkg"}]))
    assert hectares(summary, "PE-1", "2024") == pytest.approx(50 * 30 / 1e4, rel=1e-3)
    assert hectares(summary, "BO-1", "2024", "unobserved") == pytest.approx(36.0, rel=1e-3)
    codes = [note["code"] for note in left_out_of(summary)]
    assert codes.count("census_not_seen") == 3


def test_layers_of_a_country_count_on_its_ground_alone(tmp_path: Path) -> None:
    drawn = [(box(590, 300, 25, 25), "C", f"{year}-05-01") for year in (2022, 2023, 2024)]
    config = write_land(tmp_path, drawn)
    content = yaml.safe_load(config.read_text())
    (layer,) = content["classify"]["map"]["layers"]
    content["classify"]["map"]["layers"] = [layer | {"country": country} for country in ("PE", "BO")]
    config.write_text(yaml.safe_dump(content))
    both = measured(config)
    assert hectares(both, "PE-1", "2024") == pytest.approx(250 / 1e4, rel=1e-3)
    assert hectares(both, "BO-1", "2024") == pytest.approx(375 / 1e4, rel=1e-3)


def test_a_raster_is_read_at_the_pixels_centres(tmp_path: Path) -> None:
    values = np.full((120, 240), 20, dtype=np.uint8)  # pixels of 5 m over both regions
    values[:20, :20], values[20:30, :20] = 7, 99
    raster = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 120, "width": 240}
    place = {"crs": f"EPSG:{EPSG}", "transform": from_origin(X, Y + 600, 5, 5)}
    with rasterio.open(tmp_path / "own.tif", "w", **raster, **place) as file:
        file.write(values, 1)
    codes = {7: "coca", 20: "pasture"}
    rasters = [{"path": "own.tif", "period": year["name"], "codes": codes} for year in PERIODS]
    own_map = {"layers": [], "rasters": rasters, "elsewhere": None, "observed": None}
    summary = measured(write_land(tmp_path, **own_map))
    assert hectares(summary, "PE-1", "2024") == pytest.approx(1.0, rel=1e-3)
    assert hectares(summary, "PE-1", "2024", "unobserved") == pytest.approx(0.5, rel=1e-3)


def test_a_map_that_does_not_fit_the_run_is_refused(tmp_path: Path) -> None:
    config = write_land(tmp_path, [row for row in DRAWN if row[2] < "2024"])
    with pytest.raises(InputError, match="no polygon of the period '2024'"):
        measured(config)


def with_design(config: Path, **more: Any) -> Any:
    """The configuration with a design of points on the map of 2024."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    content["design"] = {
        "period": "2024", "unobserved": "left_out", "by_region": False, "size": {"points": 40},
        "strata": [{"stratum": "coca", "classes": ["coca"]}, {"stratum": "elsewhere"}],
        "allocation": "equal", "floor": 0.001, "minimum": 2, "draw": "random", "reserve": 0.2, "seed": 1,
        "expected": {"source": "stated", "share": {"coca": 0.8, "elsewhere": 0.01}},
        "interval": "gamma", "confidence": 0.9,
    } | more  # fmt: skip
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_config(config)


def test_a_sample_is_drawn_on_an_offices_own_map(tmp_path: Path) -> None:
    done = run(with_design(write_land(tmp_path)), last="design")
    sample = pd.read_csv(done.folder / "design" / "sample.csv")
    assert sample.groupby(["stratum", "role"]).size().to_dict() == {
        ("coca", "main"): 20, ("coca", "reserve"): 4, ("elsewhere", "main"): 20, ("elsewhere", "reserve"): 4,
    }  # fmt: skip
    assert set(sample["map_class"][sample["stratum"] == "coca"]) == {"coca"}
    drawn = shapely.union_all([shape for shape, kind, seen in DRAWN if kind == "C" and seen[:4] == "2024"])
    pixels = shapely.buffer(shapely.points(sample["x"], sample["y"]), 5, cap_style="square")
    covered = shapely.area(shapely.intersection(pixels, drawn))
    assert (covered[sample["stratum"] == "coca"] >= 100 / 3).all()  # the largest of three classes
    assert (covered[sample["stratum"] == "elsewhere"] <= 50).all()


def test_strata_of_a_probability_are_refused_where_the_map_has_none(tmp_path: Path) -> None:
    rules = [{"stratum": "high", "probability": {"at_least": 0.5}}, {"stratum": "low"}]
    config = with_design(write_land(tmp_path), strata=rules, expected={"source": "probability"})
    with pytest.raises(UsageError, match="an office's own map has no probability") as refused:
        run(config, last="design")
    assert "(high), `expected: source: probability`" in refused.value.found


def test_what_is_damaged_again_once_it_was_made_anew_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that no map has no run can make another: it began again without end."""
    monkeypatch.setattr("cocal.run.stages.design.has_probability", lambda *_: True)
    with pytest.raises(DamagedError, match=r"probability\.tif is not as it was"):
        run(with_design(write_land(tmp_path)), last="design")
