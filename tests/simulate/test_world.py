"""The folder as a whole: the same bytes again, sums that add up, labels that hold, everything marked."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import rowcol

from cocal.archive import list_scenes, read_scenes
from cocal.grid import Window, cell_area, cell_area_units, geodesic_hectares, project, transformer, utm_epsg
from cocal.regions import RegionSettings, RegionSource, owned, read_regions
from cocal.simulate import SimulateSettings, simulate, simulate_scenes
from cocal.simulate.cover import BANDS, CODES
from cocal.simulate.land import land
from cocal.simulate.places import outlines
from cocal.simulate.survey import HALO_PX, survey
from cocal.store import sha256_file

SETTINGS = SimulateSettings(
    seed=8,
    size_px=240,
    acquisitions_per_month=1,
    sample_sizes={"coca_last_year": 30, "near_coca": 40, "elsewhere": 50},
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    simulate(out, SETTINGS)
    return out


def contents(folder: Path) -> dict[str, object]:
    """What each file holds: its checksum; of a manifest all but the seconds that it took."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name == "manifest.json":
            found[name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "seconds"}
        else:
            found[name] = sha256_file(path)
    return found


def test_the_same_seed_gives_the_same_bytes(world: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SETTINGS)
    assert contents(tmp_path) == contents(world)
    assert {"regions.gpkg", "training.gpkg", "records.csv", "dem.tif"} <= set(contents(world))


def test_another_seed_gives_another_land(world: Path) -> None:
    other = SETTINGS.model_copy(update={"seed": 9})
    here, there = (land(s.terrain, s.window) for s in (SETTINGS, other))
    assert not np.array_equal(here.elevation, there.elevation)


def test_truth_adds_up_to_the_owned_area_exactly(world: Path) -> None:
    truth = pd.read_csv(world / "truth.csv")
    source = RegionSource(path=world / "regions.gpkg", id=("region_id",), name="name", country="country")
    regions = read_regions(RegionSettings(sources=(source,), sliver_m=0))
    owner, units = owned(regions, SETTINGS.window), cell_area_units(SETTINGS.window)
    for number, region_id in enumerate(regions.table["region_id"]):
        whole = int(units[owner == number].sum())
        rows = truth[truth["region_id"] == region_id]
        assert sum(round(ha * 1e10) for ha in rows["truth_ha"]) == whole
        assert sum(round(ha * 4e10) for ha in rows["cover_ha"]) == 4 * whole


def test_truth_per_region_is_the_truth_map_counted(world: Path) -> None:
    truth = pd.read_csv(world / "truth.csv").set_index(["region_id", "class"])["truth_ha"]
    regions = gpd.read_file(world / "regions.gpkg")
    with rasterio.open(world / "truth" / "class.tif") as source:
        code = source.read(1)
        owner = rasterize(
            [(g, n) for n, g in enumerate(regions.to_crs(source.crs).geometry)],
            source.shape,
            fill=99,
            transform=source.transform,
        )
    for number, region_id in enumerate(regions["region_id"]):
        for key, value in CODES.items():
            counted = cell_area(SETTINGS.window)[(owner == number) & (code == value)].sum() / 1e4
            assert counted == pytest.approx(truth[region_id, key], abs=0.03)


def test_strata_areas_add_up_to_the_regions_area_and_inclusion_is_n_over_N(world: Path) -> None:
    strata = pd.read_csv(world / "strata.csv").set_index("stratum")
    records = pd.read_csv(world / "records.csv")
    truth = pd.read_csv(world / "truth.csv")
    assert strata["area_ha"].sum() == pytest.approx(truth["truth_ha"].sum(), abs=1e-6)
    for name, group in records.groupby("stratum"):
        expected = SETTINGS.sample_sizes[name] / strata.loc[name, "pixels"]
        assert len(group) == SETTINGS.sample_sizes[name]
        assert group["inclusion_probability"].to_numpy() == pytest.approx(expected, rel=1e-12)


def test_records_stand_on_distinct_pixels_of_their_class_and_stratum(world: Path) -> None:
    records = pd.read_csv(world / "records.csv")
    strata = pd.read_csv(world / "strata.csv").set_index("stratum")["code"]
    points = gpd.GeoSeries(gpd.points_from_xy(records["lon"], records["lat"]), crs=4326).to_crs(32719)
    with rasterio.open(world / "truth" / "class.tif") as source, rasterio.open(world / "strata.tif") as other:
        rows, columns = rowcol(source.transform, points.x.to_numpy(), points.y.to_numpy())
        code, stratum = source.read(1)[rows, columns], other.read(1)[rows, columns]
    assert code.tolist() == records["class"].map(CODES).tolist()
    assert stratum.tolist() == records["stratum"].map(strata).tolist()
    assert len(set(zip(rows, columns, strict=True))) == len(records)
    assert records["cover"].between(0.25, 1).all()
    assert records.loc[records["class"] == "coca", "cover"].min() >= 0.5
    assert records["record_id"].is_unique


def test_training_polygons_lie_inside_their_class(world: Path) -> None:
    training = gpd.read_file(world / "training.gpkg").to_crs(32719)
    assert training["sample_id"].is_unique
    assert set(training["class"]) == set(CODES)
    assert training.within(shapely.box(*SETTINGS.window.bounds)).all()
    with rasterio.open(world / "truth" / "class.tif") as source:
        code = source.read(1)
        for shape, key in zip(training.geometry, training["class"], strict=True):
            inside = rasterize([shape], code.shape, transform=source.transform).astype(bool)
            assert (code[inside] == CODES[key]).all()


def test_the_survey_does_not_depend_on_the_block(world: Path) -> None:
    del world
    whole, terrain = SETTINGS.window, SETTINGS.terrain
    owner = np.zeros(whole.shape, dtype=np.int32)

    def surveyed(block: Window) -> object:
        here = land(terrain, block.expanded(HALO_PX))
        return survey(here, block, owner[whole.slices_of(block)], CODES, SETTINGS.sample_sizes)

    once = surveyed(whole)
    halves = [surveyed(Window(whole.epsg, whole.left + dx, whole.top, 120, 240)) for dx in (0, 1200)]
    assert np.array_equal(np.hstack([h.stratum for h in halves]), once.stratum)
    assert np.array_equal(sum(h.truth_units for h in halves), once.truth_units)
    polygons = pd.concat([h.training for h in halves]).sort_values(["draw", "x", "y"])["geometry"].tolist()
    expected = once.training.sort_values(["draw", "x", "y"])["geometry"].tolist()
    assert len(polygons) == len(expected) > 10
    assert all(shapely.equals(a, b) for a, b in zip(polygons, expected, strict=True))


def test_six_regions_in_two_countries_share_edges_without_overlap_or_gap(world: Path) -> None:
    regions = gpd.read_file(world / "regions.gpkg").to_crs(32719)
    assert regions["country"].tolist() == ["PE"] * 3 + ["BO"] * 3
    assert regions["region_id"].is_unique
    union = shapely.union_all(regions.geometry.to_numpy())
    assert union.geom_type == "Polygon"
    assert len(union.interiors) == 0
    assert regions.area.sum() == pytest.approx(union.area, rel=1e-12)


def test_the_default_regions_are_larger_than_21_square_kilometres() -> None:
    default = SimulateSettings()
    shapes = [project(s, 32719, 4326) for s in outlines(default.terrain, default.window)]
    assert len(shapes) == 6
    assert min(geodesic_hectares(s) for s in shapes) > 2100


def test_everything_says_simulated(world: Path) -> None:
    scenes = list_scenes(world / "archive")
    assert len(scenes) == 12
    assert all(scene.simulated for scene in scenes)
    assert {s.properties["s2:processing_baseline"] for s in scenes} == {"03.01", "05.11"}
    for path in sorted(world.rglob("*.tif")):
        with rasterio.open(path) as source:
            assert source.tags()["SIMULATED"] == "yes", path
    for name in ("truth", "strata", "records", "official"):
        table = pd.read_csv(world / f"{name}.csv")
        assert table["source"].str.contains("SIMULATED").all(), name
    assert gpd.read_file(world / "regions.gpkg")["name"].str.endswith("(simulated)").all()
    assert gpd.read_file(world / "training.gpkg")["source"].str.contains("SIMULATED").all()
    assert "SIMULATED" in (world / "SIMULATED.json").read_text()


def test_the_archive_reads_as_scenes_with_all_bands(world: Path) -> None:
    window = Window(32719, SETTINGS.window.left + 600, SETTINGS.window.top - 600, 30, 20)
    dataset = read_scenes(list_scenes(world / "archive")[:3], window, [*BANDS, "scl"])
    assert dataset.attrs["simulated"] == 1
    assert all(int(dataset[name].min()) >= 1 for name in BANDS)


def test_official_figures_are_whole_tens_of_four_years_with_one_series_break(world: Path) -> None:
    official = pd.read_csv(world / "official.csv")
    assert (official["coca_ha"] % 10 == 0).all()
    assert official.groupby("region_id")["year"].nunique().eq(4).all()
    assert official.loc[official["definition"].str.contains("break"), "region_id"].nunique() == 1


def test_a_second_call_keeps_the_scenes_that_are_there(world: Path) -> None:
    files = sorted((world / "archive").rglob("*.tif"))
    before = [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files]
    simulate(world, SETTINGS)
    assert [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files] == before


def test_plain_scenes_cross_a_zone_meridian_and_name_their_bands(tmp_path: Path) -> None:
    window = Window(32718, 823_200, 8_430_000, 180, 180)
    days = [date(2024, 7, 5), date(2024, 8, 5)]
    paths = simulate_scenes(tmp_path / "a", window, days=days, seed=1)
    again = simulate_scenes(tmp_path / "b", window, days=days, seed=1)
    assert [p.name for p in paths] == ["sim-20240705.tif", "sim-20240805.tif"]
    assert [sha256_file(p) for p in paths] == [sha256_file(p) for p in again]
    corners = [transformer(32718, 4326).transform(x, 8_429_000) for x in (window.left, window.right)]
    assert [utm_epsg(*corner) for corner in corners] == [32718, 32719]
    with rasterio.open(paths[0]) as source:
        assert source.descriptions == ("blue", "red", "nir", "swir16", "scl")
        assert source.tags()["SIMULATED"] == "yes"
        assert source.read().min() >= 1
