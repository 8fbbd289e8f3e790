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
from pydantic import ValidationError
from rasterio.features import rasterize
from rasterio.transform import rowcol

from cocal.archive import list_scenes, read_scenes
from cocal.checksums import sha256_file
from cocal.errors import InputError
from cocal.grid import Window, cell_area, cell_area_units, geodesic_hectares, project, transformer, utm_epsg
from cocal.regions import RegionSettings, RegionSource, owned, read_regions
from cocal.simulate import SimulateSettings, simulate, simulate_scenes
from cocal.simulate.field.official import DEFINITION
from cocal.simulate.field.records import OBSERVER_ERROR
from cocal.simulate.field.sites import lowest
from cocal.simulate.field.survey import HALO_PX, survey
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.mosaic import land
from cocal.simulate.land.places import PLACES, outlines
from cocal.simulate.land.plots import STATES
from cocal.simulate.sensor.canopy import BANDS
from cocal.simulate.settings import STRATA
from cocal.simulate.world import RASTERS

SETTINGS = SimulateSettings(
    seed=8,
    size_px=240,
    acquisitions_per_month=1,
    years=3,
    sample_sizes={"coca_last_year": 30, "near_coca": 40, "open_land": 50, "wild": 40},
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    simulate(out, SETTINGS)
    return out


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ("records.csv", "found: records.csv"),
        ("notes.txt", "found: notes.txt"),
        ("SIMULATED.json", "other"),
    ],
)
def test_a_folder_that_holds_what_is_not_its_own_is_refused_and_stays(
    tmp_path: Path, theirs: str, words: str
) -> None:
    (tmp_path / theirs).write_text('{"settings": {"seed": 1}}')
    if theirs == "notes.txt":
        (tmp_path / "SIMULATED.json").write_text("{}")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match=words):
        simulate(tmp_path, SETTINGS)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_same_landscape_is_written_again_and_no_larger_one_than_a_granule(world: Path) -> None:
    before = contents(world)
    simulate(world, SETTINGS)
    assert contents(world) == before
    with pytest.raises(ValidationError, match="10980"):
        SimulateSettings(size_px=10_992)


def test_a_block_without_a_labelled_polygon_is_no_error() -> None:
    """Of no rows, the lowest of each group are no rows (the default size with seed 11 has such a block)."""
    table = pd.DataFrame({"class": pd.Series([], dtype="str"), "draw": [], "x": [], "y": []})
    assert lowest([table], "class", {"coca": 3}).empty
    full = pd.DataFrame({"class": ["coca"] * 3, "draw": [0.3, 0.1, 0.2], "x": 0.0, "y": 0.0})
    assert lowest([full], "class", {"coca": 2})["draw"].tolist() == [0.1, 0.2]


def contents(folder: Path) -> dict[str, object]:
    """What each file holds: its checksum; of a manifest all but the seconds that it took, and its seal."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name == "manifest.json":
            found[name] = {
                k: v for k, v in json.loads(path.read_text()).items() if k not in ("seconds", "seal")
            }
        else:
            found[name] = sha256_file(path)
    return found


def test_the_same_seed_gives_the_same_bytes_without_images_and_when_two_workers_add_them(
    world: Path, tmp_path: Path
) -> None:
    simulate(tmp_path, SETTINGS, images=False)
    without, full = contents(tmp_path), contents(world)
    assert not (tmp_path / "archive").exists()
    notice = json.loads((tmp_path / "SIMULATED.json").read_text())
    assert (notice["images_of"], notice["truth_and_figures_of"]) == ([], [2022, 2023, 2024])
    other = {name for name in full if not name.startswith("archive/")} - {"SIMULATED.json"}
    assert {name: without[name] for name in other} == {name: full[name] for name in other}
    told: list[tuple[str, int, int]] = []
    simulate(tmp_path, SETTINGS, workers=2, report=lambda *step: told.append(step))
    assert contents(tmp_path) == full
    simulate(tmp_path, SETTINGS, images=False)
    assert contents(tmp_path) == full
    assert {"regions.gpkg", "training.gpkg", "records.csv", "dem.tif", "zones.gpkg"} <= set(contents(world))
    assert told[-1] == ("scenes", 14, 14)


def test_nothing_depends_on_the_parts_that_the_land_is_made_in(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """240 pixels are one part; here they are 2 x 2, the last of them of another size. Tiles of maps that are
    written in pieces are packed again, so that of those the pixels are compared."""
    for module in ("cocal.simulate.world", "cocal.simulate.sensor.scenes"):
        monkeypatch.setattr(f"{module}.PART_PX", 144)
    simulate(tmp_path, SETTINGS)
    once, parts = contents(world), contents(tmp_path)
    maps = {f"{name}.tif" for name in RASTERS}
    assert {n for n in once.keys() | parts.keys() if once.get(n) != parts.get(n)} <= maps
    for name in maps:
        with rasterio.open(world / name) as a, rasterio.open(tmp_path / name) as b:
            assert np.array_equal(a.read(1), b.read(1)), name


def test_another_seed_gives_another_land() -> None:
    other = SETTINGS.model_copy(update={"seed": 9})
    here, there = (land(s.terrain, Window(32719, 497_760, 8_426_400, 12, 12)) for s in (SETTINGS, other))
    assert not np.array_equal(here.elevation, there.elevation)


def test_truth_adds_up_to_the_owned_area_exactly(world: Path) -> None:
    truth, kinds = pd.read_csv(world / "truth.csv"), pd.read_csv(world / "truth" / "kinds.csv")
    source = RegionSource(path=world / "regions.gpkg", id=("region_id",), name="name", country="country")
    regions = read_regions(RegionSettings(sources=(source,), sliver_m=0))
    owner, units = owned(regions, SETTINGS.window), cell_area_units(SETTINGS.window)
    for number, region_id in enumerate(regions.table["region_id"]):
        whole = int(units[owner == number].sum())
        rows = truth[truth["region_id"] == region_id]
        assert sum(round(ha * 1e10) for ha in rows["truth_ha"]) == whole
        assert sum(round(ha * 16e10) for ha in rows["cover_ha"]) == 16 * whole
        of_kinds = kinds.loc[kinds["region_id"] == region_id, "cover_ha"]
        assert sum(round(ha * 16e10) for ha in of_kinds) == 16 * whole


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
    with rasterio.open(world / "truth" / "coca_percent.tif") as source:
        percent = source.read(1)
    assert ((percent >= 50) == (code == CODES["coca"])).all()
    for number, region_id in enumerate(regions["region_id"]):
        for key, value in CODES.items():
            counted = cell_area(SETTINGS.window)[(owner == number) & (code == value)].sum() / 1e4
            assert counted == pytest.approx(truth[region_id, key], abs=0.03)


def test_the_history_ends_with_the_truth_of_the_images(world: Path) -> None:
    history = pd.read_csv(world / "truth" / "history.csv")
    truth = pd.read_csv(world / "truth.csv")
    coca = truth[truth["class"] == "coca"].set_index("region_id")
    assert sorted(history["year"].unique()) == [2022, 2023, 2024]
    last = history[history["year"] == 2024].set_index("region_id")
    assert last["coca_ha"].to_numpy() == pytest.approx(coca.loc[last.index, "truth_ha"].to_numpy(), abs=1e-9)
    assert last["cover_ha"].to_numpy() == pytest.approx(coca.loc[last.index, "cover_ha"].to_numpy(), abs=1e-9)
    cleared = pd.read_csv(world / "truth" / "cleared_plots.csv")
    days = pd.to_datetime(cleared["cleared_on"])
    assert (days.dt.year == cleared["year"]).all()
    assert cleared["cleared_ha"].sum() == pytest.approx(history["cleared_ha"].sum(), abs=1e-9)


def test_strata_areas_add_up_to_the_regions_area_and_inclusion_is_n_over_N(world: Path) -> None:
    strata = pd.read_csv(world / "strata.csv").set_index("stratum")
    records = pd.read_csv(world / "records.csv")
    truth = pd.read_csv(world / "truth.csv")
    assert list(strata.index) == list(STRATA)
    assert strata["area_ha"].sum() == pytest.approx(truth["truth_ha"].sum(), abs=1e-6)
    for name, group in records.groupby("stratum"):
        size = min(SETTINGS.sample_sizes[name], strata.loc[name, "pixels"])
        assert len(group) == size
        assert group["inclusion_probability"].to_numpy() == pytest.approx(
            size / strata.loc[name, "pixels"], rel=1e-12
        )


def test_records_stand_on_distinct_pixels_of_their_class_and_stratum(world: Path) -> None:
    records = pd.read_csv(world / "records.csv", keep_default_na=False)
    hidden = pd.read_csv(world / "truth" / "records.csv").set_index("record_id")["class"]
    strata = pd.read_csv(world / "strata.csv").set_index("stratum")["code"]
    points = gpd.GeoSeries(gpd.points_from_xy(records["lon"], records["lat"]), crs=4326).to_crs(32719)
    with rasterio.open(world / "truth" / "class.tif") as source, rasterio.open(world / "strata.tif") as other:
        rows, columns = rowcol(source.transform, points.x.to_numpy(), points.y.to_numpy())
        code, stratum = source.read(1)[rows, columns], other.read(1)[rows, columns]
    assert code.tolist() == hidden[records["record_id"]].map(CODES).tolist()
    assert stratum.tolist() == records["stratum"].map(strata).tolist()
    assert len(set(zip(rows, columns, strict=True))) == len(records)
    visited = records["visited"].astype(str) == "True"
    assert (records.loc[visited, "class"] == hidden[records.loc[visited, "record_id"]].to_numpy()).all()
    assert (records.loc[~visited, "class"] == "").all()
    assert 0 < (~visited).sum() < 0.3 * len(records)
    assert pd.to_numeric(records.loc[visited, "cover"]).between(14, 100).all()
    assert records["record_id"].is_unique


def test_records_state_the_coca_of_their_pixel_and_states_add_up_to_the_truth(world: Path) -> None:
    records = pd.read_csv(world / "records.csv", keep_default_na=False).query("visited == 'True'")
    points = gpd.GeoSeries(gpd.points_from_xy(records["lon"], records["lat"]), crs=4326).to_crs(32719)
    with rasterio.open(world / "truth" / "state.tif") as source:
        code = source.read(1)[rowcol(source.transform, points.x.to_numpy(), points.y.to_numpy())]
    assert records["state"].tolist() == [STATES[k] for k in code]
    bears = records["state"].isin(["productive", "pruned"])
    assert (bears == (records["class"] == "coca")).all()
    assert records.loc[records["class"] == "coca", "shade"].isin(["open", "shaded"]).all()
    assert (records.loc[records["state"] == "", ["shade", "mixture", "age"]] == "").all(axis=None)
    assert pd.to_numeric(records.loc[bears, "age"]).between(1, 20).all()
    states = pd.read_csv(world / "truth" / "states.csv").groupby(["region_id", "state"])["truth_ha"].sum()
    truth = pd.read_csv(world / "truth.csv").query("`class` == 'coca'").set_index("region_id")["truth_ha"]
    both = states.unstack()[["productive", "pruned"]].sum(axis=1)
    assert both.to_numpy() == pytest.approx(truth.reindex(both.index).to_numpy(), abs=1e-9)


def test_two_observers_disagree_about_as_often_as_stated(world: Path) -> None:
    """Each errs on his own: they differ where exactly one does, 2 e (1 - e) of the points (both wrong write
    the same).
    """
    records = pd.read_csv(world / "records.csv")
    seen = records[records["visited"]]
    rate, expected = (
        (seen["first_class"] != seen["second_class"]).mean(),
        2 * OBSERVER_ERROR * (1 - OBSERVER_ERROR),
    )
    assert abs(rate - expected) < 4 * (expected * (1 - expected) / len(seen)) ** 0.5


def test_missions_keep_to_roads_and_know_no_probability(world: Path) -> None:
    missions = pd.read_csv(world / "missions.csv")
    assert "inclusion_probability" not in missions
    points = gpd.GeoSeries(gpd.points_from_xy(missions["lon"], missions["lat"]), crs=4326).to_crs(32719)
    away = SETTINGS.terrain.road_distance(points.x.to_numpy(), points.y.to_numpy())
    assert np.quantile(away, 0.9) < 150
    truth = pd.read_csv(world / "truth" / "missions.csv")
    assert (truth["record_id"] == missions["record_id"]).all()


def test_training_polygons_lie_inside_their_class(world: Path) -> None:
    training = gpd.read_file(world / "training.gpkg").to_crs(32719)
    assert training["sample_id"].is_unique
    assert len(set(training["class"])) >= 5
    assert training.within(shapely.box(*SETTINGS.window.bounds)).all()
    with rasterio.open(world / "truth" / "class.tif") as source:
        code = source.read(1)
        for shape, key in zip(training.geometry, training["class"], strict=True):
            inside = rasterize([shape], code.shape, transform=source.transform).astype(bool)
            assert (code[inside] == CODES[key]).all()


def test_the_survey_does_not_depend_on_the_block() -> None:
    whole, terrain = SETTINGS.window, SETTINGS.terrain
    owner = np.zeros(whole.shape, dtype=np.int32)

    def surveyed(block: Window) -> object:
        here = land(terrain, block.expanded(HALO_PX))
        part = owner[whole.slices_of(block)]
        return survey(here, SETTINGS, block, part)

    once = surveyed(whole)
    halves = [surveyed(Window(whole.epsg, whole.left + dx, whole.top, 120, 240)) for dx in (0, 1200)]
    for name in ("strata", "truth/class", "truth/state", "truth/coca_percent", "dem"):
        assert np.array_equal(np.hstack([h.rasters[name] for h in halves]), once.rasters[name]), name
    for name in ("truth", "coca", "cover", "found", "states", "stratum_units"):
        assert np.array_equal(sum(getattr(h, name) for h in halves), getattr(once, name)), name
    assert sum(h.cleared["units"].sum() for h in halves) == once.cleared["units"].sum()
    polygons = pd.concat([h.training for h in halves]).sort_values(["draw", "x", "y"])["geometry"].tolist()
    expected = once.training.sort_values(["draw", "x", "y"])["geometry"].tolist()
    assert len(polygons) == len(expected) > 10
    assert all(shapely.equals(a, b) for a, b in zip(polygons, expected, strict=True))


def test_districts_provinces_and_departments_share_edges_without_overlap_or_gap(world: Path) -> None:
    regions = gpd.read_file(world / "regions.gpkg").to_crs(32719)
    assert regions["country"].tolist() == ["PE"] * 3 + ["BO"] * 3
    assert regions["region_id"].is_unique
    union = shapely.union_all(regions.geometry.to_numpy())
    assert union.geom_type == "Polygon"
    assert len(union.interiors) == 0
    assert regions.area.sum() == pytest.approx(union.area, rel=1e-12)
    for level, count in (("provinces", 4), ("departments", 2)):
        parents = gpd.read_file(world / f"{level}.gpkg").to_crs(32719)
        assert len(parents) == count
        assert parents.area.sum() == pytest.approx(union.area, rel=1e-9)


def test_zones_lie_in_one_country_and_only_authorised_ones_have_a_limit(world: Path) -> None:
    zones = gpd.read_file(world / "zones.gpkg", layer="zones")
    assert list(zones.columns) == ["zone_id", "name", "kind", "country", "limit_ha", "geometry"]
    assert set(zones["kind"]) == {"authorised", "protected"}
    assert (zones["limit_ha"].notna() == (zones["kind"] == "authorised")).all()
    assert set(zones.loc[zones["kind"] == "authorised", "country"]) == {"BO"}
    countries = gpd.read_file(world / "regions.gpkg").dissolve("country").geometry
    for zone in zones.itertuples():
        assert zone.geometry.difference(countries[zone.country].buffer(1e-7)).is_empty


def test_the_default_regions_are_larger_than_21_square_kilometres() -> None:
    default = SimulateSettings()
    shapes = [project(s, 32719, 4326) for s in outlines(default.terrain, default.window)]
    assert len(shapes) == 6
    assert min(geodesic_hectares(s) for s in shapes) > 2100


def test_everything_says_simulated(world: Path) -> None:
    scenes = list_scenes(world / "archive")
    assert len(scenes) == 14
    assert all(scene.simulated for scene in scenes)
    assert {s.properties["s2:processing_baseline"] for s in scenes} == {"03.01", "05.11"}
    for path in sorted(world.rglob("*.tif")):
        with rasterio.open(path) as source:
            assert source.tags()["SIMULATED"] == "yes", path
    tables = [p for p in sorted(world.rglob("*.csv")) if p.parent.name != "crews"]
    assert len(tables) == 14
    for path in tables:
        assert pd.read_csv(path)["source"].str.contains("SIMULATED").all(), path
    for name in ("regions", "provinces", "departments", "zones"):
        assert gpd.read_file(world / f"{name}.gpkg")["name"].str.endswith("(simulated)").all()
    assert gpd.read_file(world / "training.gpkg")["source"].str.contains("SIMULATED").all()
    assert "SIMULATED" in (world / "SIMULATED.json").read_text()
    assert b"SIMULATED" in (world / "crews" / "records.csv").read_bytes()


def test_the_archive_reads_as_scenes_with_all_bands(world: Path) -> None:
    window = Window(32719, SETTINGS.window.left + 600, SETTINGS.window.top - 600, 30, 20)
    dataset = read_scenes(list_scenes(world / "archive")[:2], window, [*BANDS, "scl"])
    assert dataset.attrs["simulated"] == 1
    assert all(int(dataset[name].min()) >= 1 for name in BANDS)


def test_outside_the_swath_there_is_no_value_in_any_band(world: Path) -> None:
    cut = next(s for s in list_scenes(world / "archive") if s.day == date(2024, 3, 5))
    with rasterio.open(cut.bands["swir16"].path) as source:
        empty = source.read(1) == 0
    assert 0.02 < empty.mean() < 0.7
    for name, size in {**BANDS, "scl": 20}.items():
        with rasterio.open(cut.bands[name].path) as source:
            values = source.read(1) == 0
        own = values[::2, ::2] if size == 10 else values
        assert np.array_equal(own, empty), name


def test_two_strips_of_a_day_agree_where_they_overlap(world: Path) -> None:
    first, second = (s for s in list_scenes(world / "archive") if s.day == date(2024, 5, 5))
    with rasterio.open(first.bands["nir"].path) as a, rasterio.open(second.bands["nir"].path) as b:
        north, south = a.read(1), b.read(1)
    both = (north > 0) & (south > 0)
    assert both.any()
    assert np.array_equal(north[both], south[both])
    assert ((north > 0) | (south > 0)).all()


def test_official_figures_are_rounded_revised_and_break_once(world: Path) -> None:
    official = pd.read_csv(world / "official.csv")
    bolivia = official["region_id"].str.contains("BO")
    assert (official.loc[bolivia, "coca_ha"] % 10 == 0).all()
    assert official.groupby("region_id")["year"].nunique().eq(3).all()
    old = official[official["definition"] != DEFINITION]
    assert old["region_id"].nunique() == 1
    assert sorted(old["year"]) == [2022, 2023]
    assert set(old["series"]) & set(official.loc[official["definition"] == DEFINITION, "series"]) == set()
    assert (official["coca_ha"] != official["first_published_ha"]).any()


def test_claims_are_part_untrue_and_the_truth_stands_beside_them(world: Path) -> None:
    claims = pd.read_csv(world / "eradication.csv")
    truth = pd.read_csv(world / "truth" / "eradication.csv")
    assert (claims["claimed_ha"] == truth["claimed_ha"]).all()
    assert len(claims) == len(PLACES) * 3
    assert (truth["claimed_ha"] > truth["cleared_ha"]).any()


def test_a_second_call_keeps_the_scenes_that_are_there(world: Path) -> None:
    files = sorted((world / "archive").rglob("*.tif"))
    before = [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files]
    simulate(world, SETTINGS)
    assert [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files] == before


def test_plain_scenes_cross_a_zone_meridian_and_name_their_bands(tmp_path: Path) -> None:
    window = Window(32718, 823_200, 8_430_000, 120, 120)
    days = [date(2024, 7, 5), date(2024, 8, 5)]
    paths = simulate_scenes(tmp_path / "a", window, days=days, seed=1)
    again = simulate_scenes(tmp_path / "b", window, days=days, seed=1, offset=-1000)
    assert [p.name for p in paths] == ["sim-20240705.tif", "sim-20240805.tif"]
    corners = [transformer(32718, 4326).transform(x, 8_429_000) for x in (window.left, window.right)]
    assert [utm_epsg(*corner) for corner in corners] == [32718, 32719]
    with rasterio.open(paths[0]) as source, rasterio.open(again[0]) as delivered:
        assert source.descriptions == ("blue", "red", "nir", "swir16", "scl")
        assert source.tags()["SIMULATED"] == "yes"
        assert np.array_equal(delivered.read(3), source.read(3) + 1000)
        assert np.array_equal(delivered.read(5), source.read(5))
