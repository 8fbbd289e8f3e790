"""The design stage: strata on tiles of two zones, the draw, the promise, the files of a run."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import fields, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import gpxpy
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from tests.oracles import collect_earth
from tests.support.command import in_process
from tests.support.exports import EXPORTS, campaign
from tests.support.small_world import make_world, window_of, write_regions

from cocal.checksums import read_back
from cocal.config import read_config
from cocal.content import Ref, stated
from cocal.errors import ConfigError, InputError, UsageError
from cocal.estimate import Strata, estimate_areas, estimate_files, expected_interval
from cocal.fieldwork import RecordSettings, read_records
from cocal.fieldwork.design import (
    Cells,
    DesignSettings,
    Sizes,
    build_frame,
    candidates,
    candidates_needed,
    draw_points,
    halo_px,
    plan_points,
    strata_table,
    target_by_bin,
    thresholds,
)
from cocal.grid import Tile, Window, owned_by_zone, tiles, transformer
from cocal.notes.account import first
from cocal.regions import RegionSettings, RegionSource, read_regions
from cocal.run import run
from cocal.run.images import BRIGHTEST
from cocal.run.stages.design import write_strata_raster
from cocal.run.worker.design_tiles import (
    CountedTile,
    DesignMaps,
    DesignTile,
    DrawnPart,
    tile_candidates,
    tile_cells,
)
from cocal.run.worker.mosaic import Source, maps_in_reach
from cocal.scheme import read_scheme
from cocal.store import LocalStore, address

CODES = {"coca": 1, "forest": 2, "unobserved": 0}
RULES = [{"stratum": "coca", "classes": ["coca"]},
         {"stratum": "near", "near": {"metres": 60, "classes": ["coca"]}}, {"stratum": "rest"}]  # fmt: skip


def settings(**change) -> DesignSettings:
    content = {
        "unobserved": "left_out", "by_region": True, "allocation": "rare", "minimum": 5, "draw": "random",
        "strata": RULES, "reserve": 0.2, "seed": 5, "size": {"points": 200}, "interval": "gamma",
        "confidence": 0.95,
        "expected": {"source": "stated", "share": {"coca": 0.8, "near": 0.05, "rest": 0.01}},
    }  # fmt: skip
    return DesignSettings.model_validate(content | change)


def cover(window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class and probability as functions of the place on the Earth, so that zones agree."""
    lon, lat = transformer(window.epsg, 4326).transform(*np.meshgrid(window.x, window.y))
    waves = np.sin(lon * 1500) * np.sin(lat * 1700)
    code = np.where(waves > 0.9, 1, np.where(np.cos(lon * 900) > 0.9, 0, 2))
    own = owned_by_zone(window)
    probability = np.where(code > 0, 5000 + 5000 * waves, 65535)
    return np.where(own, code, 0).astype(np.uint8), np.where(own, probability, 65535).astype(np.uint16)


def write_maps(folder: Path, area, tile_px: int) -> tuple[tuple[Tile, Ref], ...]:
    maps, store = [], LocalStore(folder)
    for tile in tiles(area, tile_px):
        inputs = {"tile": tile.id}
        with store.commit(tile.id, inputs) as home:
            for name, values in zip(("class", "probability"), cover(tile.window), strict=True):
                profile = {"driver": "GTiff", "dtype": values.dtype, "count": 1, "width": tile_px,
                    "height": tile_px,
                           "crs": f"EPSG:{tile.window.epsg}", "transform": tile.window.transform}  # fmt: skip
                with rasterio.open(home / f"{name}.tif", "w", **profile) as target:
                    target.write(values, 1)
        maps.append((tile, Ref(store.home(tile.id), address(inputs))))
    return tuple(maps)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """(settings of the regions, the regions) on both sides of the meridian 72 W."""
    path = tmp_path_factory.mktemp("ground") / "regions.geojson"
    write_regions(path, window_of(180))
    source = RegionSource(path=path, id="id", name="name", country="country")
    stated = RegionSettings(sources=[source], sliver_m=0)
    return stated, read_regions(stated)


def tasks_of(
    folder: Path, ground, tile_px: int, config: DesignSettings
) -> list[tuple[DesignTile, DesignMaps]]:
    """Arguments of `tile_cells`, tile by tile."""
    own, regions = ground
    maps = write_maps(folder, regions.area, tile_px)
    whole = DesignMaps(maps, stated(config, "design"), CODES, Source.of(own, regions))
    return [(DesignTile(*item), whole) for item in maps_in_reach(maps, halo_px(config.strata, 10)).items()]


def counted(tasks: list[tuple[DesignTile, DesignMaps]]) -> CountedTile:
    """The sums of all tiles."""
    parts = [tile_cells(*t) for t in tasks]
    return CountedTile(*(sum(getattr(p, f.name) for p in parts) for f in fields(CountedTile)))


def designed(
    tasks: list[tuple[DesignTile, DesignMaps]], config: DesignSettings, regions
) -> tuple[CountedTile, pd.DataFrame]:
    counts = counted(tasks)
    cells = Cells(tuple(regions.table["region_id"]), config.names, counts.pixels, counts.units)
    frame = build_frame(cells, by_region=True, small=None, share=np.full(counts.pixels.shape, 0.1))
    n = np.full(len(frame.names), 12)
    needed = candidates_needed(Sizes(n, n, frame.pixels), config.draw)
    below = thresholds(needed, frame.pixels, slack=6)
    table = pd.concat([tile_candidates(*t, frame.stratum_of, below).candidates for t in tasks[::-1]])
    drawn = draw_points(table, Sizes(n, n, frame.pixels), draw=config.draw, resolution=10, seed=config.seed)
    return counts, drawn


@pytest.mark.parametrize("draw", ["random", "balanced"])
def test_counts_and_sample_do_not_depend_on_the_tiles(tmp_path, ground, draw):
    config = settings(draw=draw)
    found = [
        designed(tasks_of(tmp_path / str(px), ground, px, config), config, ground[1]) for px in (96, 192)
    ]
    for field in fields(CountedTile):
        assert (getattr(found[0][0], field.name) == getattr(found[1][0], field.name)).all()
    pd.testing.assert_frame_equal(found[0][1], found[1][1])
    assert set(found[0][1]["epsg"]) == {32718, 32719}


def test_a_buffer_reaches_over_the_meridian(tmp_path, ground):
    """Without the maps of the other zone fewer pixels are near coca, and no pixel is near in their stead."""
    config = settings()
    tasks = tasks_of(tmp_path, ground, 192, config)
    alone = [
        (DesignTile(t.tile, tuple(m for m in t.near if m[0].window.epsg == t.tile.window.epsg)), whole)
        for t, whole in tasks
    ]
    whole, cut = (counted(some).pixels.sum(axis=0) for some in (tasks, alone))
    assert whole[0] == cut[0]
    assert whole[1] > cut[1]
    assert whole.sum() == cut.sum()


def test_unobserved_ground_is_left_out_or_kept_as_stated(tmp_path, ground):
    kept = tasks_of(tmp_path / "kept", ground, 192, settings(unobserved="kept"))
    out = [(t, replace(whole, rules=stated(settings(), "design"))) for t, whole in kept]
    everything, seen = (counted(some) for some in (kept, out))
    assert (seen.pixels == seen.bins.sum(axis=2)).all()
    assert (everything.pixels >= seen.pixels).all()
    assert everything.pixels.sum() > everything.bins.sum() == seen.bins.sum()
    for part in (everything, seen):
        assert (part.class_units.sum(axis=2) == part.units).all()
    assert everything.class_units[..., 0].sum() > seen.class_units[..., 0].sum() == 0


SIDE = Window(32719, 500_040, 8_450_040, 240, 240)


def promised_land() -> tuple[NDArray, NDArray]:
    """(stratum, coca) of 240 x 240 pixels: 4 % mapped, half of them coca, 1 % of the rest missed."""
    rng = np.random.default_rng(2)
    stratum = np.where(rng.random(SIDE.shape) < 0.04, 0, 1)
    coca = rng.random(SIDE.shape) < np.where(stratum == 0, 0.5, 0.01)
    return stratum, coca


def test_a_design_for_20_percent_reaches_it_in_200_campaigns():
    """Drawn as the command draws, estimated as `cocal estimate` does; mean half-width within 10 %."""
    (stratum, coca), interval = promised_land(), "gamma"
    pixels = np.bincount(stratum.ravel())
    share = np.bincount(stratum.ravel(), coca.ravel()) / pixels
    config = settings(
        strata=[RULES[0], RULES[2]], size={"half_width": 0.2, "per": "region"},
        expected={"source": "stated", "share": {"coca": 0.5, "rest": 0.01}},
    )  # fmt: skip
    cells = Cells(("R",), ("coca", "rest"), pixels[None], pixels[None] * 10**8)
    frame = build_frame(cells, by_region=True, small=None, share=share[None])

    def half_width(area_ha, pixels, n, share):
        strata = Strata(("a", "b"), ("", ""), area_ha, pixels.astype(float), n, np.full(2, -1))
        return expected_interval(strata, share, interval=interval, confidence=0.95, seed=1).half_width_ha

    n = plan_points(frame, config, half_width, 0.95)
    table = strata_table(frame, n, [str(a) for a in frame.area_ha]).drop(columns=["region_id", "region"])
    below, none = thresholds(n, frame.pixels, slack=6), np.zeros(2, dtype=int)
    widths, held = [], 0
    truth = coca.sum() / 100
    for seed in range(200):
        found = candidates(stratum, SIDE, below=below, seed=seed, coca=coca)
        drawn = draw_points(found, Sizes(n, none, frame.pixels), draw="random", resolution=10, seed=seed)
        points = pd.DataFrame(
            {
                "stratum": np.array(frame.names)[drawn["stratum"]],
                "map_class": np.where(drawn["stratum"] == 0, "coca", "other"),
                "reference_class": np.where(drawn["coca"], "coca", "other"),
                "inclusion_probability": drawn["inclusion_probability"],
            }
        )
        result = estimate_areas(
            points, table, classes=["coca", "other"], estimator="stratified", interval=interval,
            confidence=0.95, by_region=False,
        ).classes.iloc[0]  # fmt: skip
        widths.append((result["ci_high_ha"] - result["ci_low_ha"]) / 2)
        held += result["ci_low_ha"] <= truth <= result["ci_high_ha"]
    assert np.mean(widths) / truth == pytest.approx(0.2, rel=0.1)
    assert held >= 0.85 * 200


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small land with a `design:` section, run up to its design."""
    made = make_world(tmp_path_factory.mktemp("world") / "w", size_px=120, days=("20240105",))

    def change(content):
        content["index"]["features"] = ["NDVI.median", "red.median"]
        del content["dem"]
        content["design"] = settings(
            strata=RULES, small={"below_pixels": 30, "into": "rest"}, draw="balanced",
            size={"half_width": 0.3, "per": "region"},
        ).model_dump(mode="json", exclude_none=True)  # fmt: skip

    made.edit(change)
    return made


def test_a_run_leaves_a_design_that_its_own_estimate_reads(world):
    result = run(read_config(world.config), last="design")
    folder = world.root / "design"
    strata, sample = pd.read_csv(folder / "strata.csv"), pd.read_csv(folder / "sample.csv")
    main = sample[sample["role"] == "main"]
    sizes = main.groupby(["stratum", "region_id"]).size()
    listed = strata.set_index(["stratum", "region_id"])
    assert sizes.sort_index().to_dict() == listed["points"].sort_index().to_dict()
    assert listed["inclusion_probability"].to_numpy() == pytest.approx(listed["points"] / listed["pixels"])
    assert result.design is not None
    assert (result.design["half_width_percent"].iloc[:-1] <= 30).all()
    assert result.design["points"].iloc[-1] == len(main) == strata["points"].sum()
    known = pd.read_csv(folder / "known.csv")
    there = known.groupby(["stratum", "region"])["area_ha"].sum()
    assert there.to_dict() == pytest.approx(listed["area_ha"].to_dict(), abs=1e-9)
    assert set(known["map_class"]) <= set(sample["map_class"])
    points = main.rename(columns={"region_id": "region"}).assign(reference_class=main["map_class"])
    points.to_csv(world.folder / "labelled.csv", index=False)
    estimate = estimate_files(world.folder / "labelled.csv", folder / "strata.csv", by="region",
                              estimator="stratified", interval="gamma", confidence=0.95)  # fmt: skip
    assert "non_response" not in {w.code for w in estimate.warnings}
    assert estimate.classes["area_ha"].sum() == pytest.approx(strata["area_ha"].sum())


def test_a_second_run_reuses_the_design_and_a_new_seed_makes_another(world):
    run(read_config(world.config), last="design")
    sample = (world.root / "design" / "sample.csv").read_bytes()
    again = run(read_config(world.config), last="design")
    assert again.failures == ()
    assert json.loads((world.root / "run.json").read_text())["stages"]["design"]["reused"] == 1
    assert (world.root / "design" / "sample.csv").read_bytes() == sample
    world.edit(lambda content: content["design"].update(seed=6))
    run(read_config(world.config), last="design")
    assert (world.root / "design" / "sample.csv").read_bytes() != sample


def test_a_region_with_few_points_and_a_width_that_one_stratum_decides_are_said(world, tmp_path):
    """25 points for two regions, 5 in each stratum at least: R2 holds fewer than ten of them."""
    other = world.copied(tmp_path / "w")
    other.edit(lambda content: content["design"].update(
        by_region=False, size={"points": 25}, allocation="equal", small=None,
        expected={"source": "stated", "share": {"coca": 0.8, "near": 0.05, "rest": 0.01}},
    ))  # fmt: skip
    other.edit(lambda content: content["design"].pop("small"))
    design = run(read_config(other.config), last="design").design
    assert design is not None
    few = design["points"].iloc[:-1] < 10
    assert (design["notes"].iloc[:-1].fillna("") == np.where(few, "n too small", "")).all()
    assert few.any()
    assert "decides the width" in design["notes"].iloc[-1]
    assert "`allocation: interval` instead of `equal`" in design["notes"].iloc[-1]
    assert (design["no_hit_ha"] > 0).all()


def test_the_files_of_the_crews_open_and_agree(world):
    run(read_config(world.config), last="design")
    folder = world.root / "design"
    ids = pd.read_csv(folder / "sample.csv")["point_id"].tolist()
    assert pyogrio.read_dataframe(folder / "sample.gpkg", layer="points")["point_id"].tolist() == ids
    assert pyogrio.read_dataframe(folder / "sample.gpx", layer="waypoints")["name"].tolist() == ids
    assert pd.read_csv(folder / "points.csv")["name"].tolist() == ids
    settings_sheet = list(openpyxl.load_workbook(folder / "form.xlsx")["settings"].values)
    assert settings_sheet[1][0].startswith("SIMULATED")
    for language in ("es", "en"):
        page = (folder / f"sheet.{language}.html").read_text(encoding="utf-8")
        assert sum(page.count(f">{point}<") for point in ids) == len(ids)


def test_measure_gives_the_intervals_that_the_design_was_made_for(world, tmp_path):
    """The visits of a design as `records:`; every region's interval is that of its own strata alone.

    The design's strata have their pixels, so both have the finite-population correction.
    """
    run(read_config(world.config), last="design")
    other = world.copied(tmp_path / "w")
    folder = other.root / "design"
    sample = pd.read_csv(folder / "sample.csv").query("role == 'main'").assign(observed_on="2024-03-01")
    sample["class"] = np.where(sample.index % 7 == 0, "forest", sample["map_class"])
    sample.to_csv(other.folder / "visits.csv", index=False)
    names = ("class", "lon", "lat", "observed_on", "stratum", "inclusion_probability")
    other.edit(
        lambda content: content.update(
            records={
                "path": "visits.csv", "design": "probability",
                "matching": {"support": "pixel", "positional_error": "ignore"},
                "strata": "runs/small/design/strata.csv",
                "columns": {"record_id": "point_id", **{name: name for name in names}},
            }
        )
    )  # fmt: skip
    result = run(read_config(other.config), last="measure")
    sample.rename(columns={"region_id": "region", "class": "reference_class"}).to_csv(
        other.folder / "labelled.csv", index=False
    )
    alone = estimate_files(other.folder / "labelled.csv", folder / "strata.csv", by="region",
                           estimator="stratified", interval="gamma", confidence=0.95)  # fmt: skip
    found = result.areas.query("`class` == 'coca'").set_index("region_id")
    wanted = alone.regions.query("`class` == 'coca'").set_index("region").loc[found.index]
    for here, there in (
        ("estimated_ha", "area_ha"),
        ("ci_low_ha", "ci_low_ha"),
        ("ci_high_ha", "ci_high_ha"),
    ):
        assert found[here].to_numpy(float) == pytest.approx(wanted[there].to_numpy(float), rel=1e-6)
    _check_calibrated(other, folder)


def _check_calibrated(world, folder):
    """With the rasters of the strata the run knows what known.csv states, and its classes add up."""
    rasters = sorted(f"runs/small/design/{path.name}" for path in folder.glob("strata-*.tif"))
    assert len(rasters) == 2
    world.edit(lambda content: content["records"].update(strata_raster=rasters))
    world.edit(lambda content: content["estimate"].update(estimator="calibrated"))
    areas = run(read_config(world.config), last="measure").areas
    notes = json.loads((world.root / "run.json").read_text())["left_out"]
    assert not {"stratum_counted", "records_other_stratum"} & {note["code"] for note in notes}
    own = estimate_files(
        world.folder / "labelled.csv", folder / "strata.csv", by="region", known=folder / "known.csv",
        estimator="calibrated", interval="gamma", confidence=0.95,
    ).regions.set_index(["region", "class"])  # fmt: skip
    found = areas[areas["class"] != "unobserved"].set_index(["region_id", "class"])
    there = own.index.intersection(found.index)
    assert {("PE-1", "coca"), ("BO-2", "forest")} <= set(there)
    assert found.loc[there, "estimated_ha"].to_numpy(float) == pytest.approx(
        own.loc[there, "area_ha"], abs=1e-6
    )
    sums = found.groupby("region_id")[["mapped_ha", "estimated_ha"]].sum().astype(float)
    assert (sums["mapped_ha"] - sums["estimated_ha"]).abs().max() < 0.01


def test_an_export_of_a_campaign_as_it_goes_gives_preliminary_hectares_that_name_what_is_wrong(
    world, tmp_path
):
    """A tenth not reached, a twentieth far, one point twice, a reserve out of order, a quarter still out.

    The same answers, typed into the sample's own table by hand, give the same hectares.
    """
    run(read_config(world.config), last="design")
    other = world.copied(tmp_path / "w")
    folder = other.root / "design"
    sample = pd.read_csv(folder / "sample.csv")
    answers, wrong = campaign(sample, out=4)
    export = EXPORTS["odk"](other.folder, answers, folder)
    content = {"path": export.name, "sample": "runs/small/design/sample.csv", "far_m": 30.0,
               "strata": "runs/small/design/strata.csv"}  # fmt: skip
    other.edit(lambda c: c.update(records=content))
    result = run(read_config(other.config), last="measure")
    notes = {n["code"]: n["values"] for n in json.loads((other.root / "run.json").read_text())["left_out"]}
    for code, points in wrong.items():
        assert notes[code]["which"] == list(first(points)), code
        assert notes[code]["n"] == len(points)
    found = result.areas.query("`class` == 'coca'")
    assert found["notes"].str.contains("preliminary: ").all()
    drawn = sample.set_index("point_id")
    told = {a["point_id"]: a for a in answers if a["point_id"] not in wrong["records_asked_far"]}
    rows = [
        drawn.loc[point].to_dict()
        | {"point_id": point}
        | {k: a.get(k) for k in ("class", "visited", "why_not")}
        for point, a in told.items()
    ]
    table = pd.DataFrame(rows).assign(observed_on="2024-06-25")
    table.to_csv(other.folder / "typed.csv", index=False)
    names = [*("class", "lon", "lat", "observed_on", "stratum", "inclusion_probability", "visited", "role"),
             "why_not", "region_id"]  # fmt: skip
    typed = {"path": "typed.csv", "strata": content["strata"], "design": "probability",
             "matching": {"support": "pixel", "positional_error": "ignore"},
             "columns": {"record_id": "point_id", **{name: name for name in names}}}  # fmt: skip
    other.edit(lambda c: c.update(records=typed))
    again = run(read_config(other.config), last="measure").areas.query("`class` == 'coca'")
    for name in ("estimated_ha", "ci_low_ha", "ci_high_ha"):
        assert (found[name] == again[name]).all()
        assert found[name].notna().all()
    far_away = drawn.loc[[a["point_id"] for a in answers], "region_id"].eq("PE-2")
    EXPORTS["odk"](other.folder, [a for a, gone in zip(answers, far_away, strict=True) if not gone], folder)
    other.edit(lambda c: c.update(records=content))
    early = run(read_config(other.config), last="measure")
    notes = {n["code"]: n["values"] for n in json.loads((other.root / "run.json").read_text())["left_out"]}
    assert notes["estimate_awaits_points"]["strata"] == [
        "coca in PE-2", "near in PE-2", "rest in PE-2"
    ], "a crew that has not set out yet leaves no estimate, and no refusal"  # fmt: skip
    assert early.areas["estimated_ha"].isna().all()
    assert early.areas["mapped_ha"].notna().all()


def test_shares_come_from_the_validation_of_the_runs_own_model(world, tmp_path):
    """The fitted shares, by the card and the map's own pixels, over strata made of bins of probability."""
    other = world.copied(tmp_path / "w")
    shutil.rmtree(other.root / "strata", ignore_errors=True)
    other.edit(lambda content: content["design"].update(
        by_region=False, allocation="interval", floor=0.001, auto={"probability": [0.05, 0.5]},
        size={"points": 100, "per": "whole"}, expected={"source": "validation"},
    ))  # fmt: skip
    other.edit(lambda content: [content["design"].pop(key) for key in ("small", "strata")])
    design = run(read_config(other.config), last="design").design
    assert design is not None
    assert set(design["expected_from"]) == {"validation"}
    card = json.loads(next((other.root / "model").glob("*/card.json")).read_text())
    bins = card["validation"]["model"]["probability_bins"]
    assert sum(bins["target"]) + sum(bins["other"]) == sum(card["training"]["pixels"].values())
    strata = pd.read_csv(other.root / "design" / "strata.csv")
    assert strata["stratum"].is_unique
    assert set(strata["stratum"]) <= {"new-p0_5", "new-p0_05", "new-p0"}
    counted = np.load(next((other.root / "strata").glob("*/cells.npz")))
    share = target_by_bin(counted["bins"].sum(axis=(0, 1)), np.array(bins["target"]), np.array(bins["other"]))
    mean = (counted["bins"].sum(axis=0) * share).sum(axis=1) / counted["bins"].sum(axis=(0, 2)).clip(1)
    expected = dict(zip(("new-p0_5", "new-p0_05", "new-p0"), mean, strict=True))
    found = strata.set_index("stratum")["expected_share"]
    assert found.to_dict() == pytest.approx({name: expected[name] for name in found.index}, rel=1e-5)


def test_what_a_region_without_a_hit_will_read_is_said_for_both_intervals(world, tmp_path):
    """Where the estimator uses the known areas; the model's interval never exceeds the guarantee."""
    other = world.copied(tmp_path / "w")
    other.edit(lambda content: content.pop("estimate", None))
    other.edit(lambda content: content["design"].update(
        by_region=False, size={"points": 60}, allocation="rare", interval="gamma", confidence=0.95,
        expected={"source": "stated", "share": {"coca": 0.8, "near": 0.0005, "rest": 0.0005}},
    ))  # fmt: skip
    other.edit(lambda content: content["design"].pop("small"))
    design = run(read_config(other.config), last="design").design
    assert design is not None
    regions = design.iloc[:-1]
    assert (regions["small_area_no_hit_ha"] > 0).all()
    assert (regions["small_area_no_hit_ha"] <= regions["no_hit_ha"] + 1e-9).all()
    assert (regions["small_area_low_ha"] <= regions["small_area_high_ha"]).all()
    assert np.isnan(design["small_area_no_hit_ha"].iloc[-1])


def test_ground_that_is_cut_off_is_not_drawn_and_reported_with_its_hectares(world, tmp_path):
    """Forest cannot hold coca, it says: no point and no stratum there, its hectares stated."""
    whole = run(read_config(world.config), last="design")
    area = pd.read_csv(world.root / "design" / "strata.csv")["area_ha"].sum()
    forest = pd.read_csv(world.root / "design" / "known.csv").query("map_class == 'forest'")["area_ha"].sum()
    assert whole.design is not None
    other = world.copied(tmp_path / "w")
    cut = [{"reason": "above the limit of the crop", "classes": ["forest"]}]
    other.edit(lambda content: content["design"].update(not_sampled=cut, size={"points": 60}))
    design = run(read_config(other.config), last="design").design
    assert design is not None
    folder = other.root / "design"
    strata, sample = pd.read_csv(folder / "strata.csv"), pd.read_csv(folder / "sample.csv")
    lost = pd.read_csv(folder / "not_sampled.csv")
    assert lost["area_ha"].sum() == pytest.approx(forest, abs=1e-6)
    assert strata["area_ha"].sum() == pytest.approx(area - forest, abs=1e-6)
    assert "forest" not in set(sample["map_class"])
    assert design["not_sampled_ha"].iloc[-1] == pytest.approx(forest)
    assert design["not_sampled_ha"].iloc[:-1].sum() == pytest.approx(forest)
    assert f"not sampled, {forest:,.1f} ha: above the limit of the crop" in design["notes"].iloc[-1]


def test_a_design_of_two_phases_states_the_readings_and_the_visits(world, tmp_path):
    """As many points are drawn as are to be read; the visits of each reading stand in strata.csv."""
    other = world.copied(tmp_path / "w")
    other.edit(lambda content: content["design"].update(
        by_region=False, allocation="interval", floor=0.001, draw="random", minimum=10,
        size={"points": 300, "per": "whole"},
        phases={"cost_ratio": 10, "sensitivity": 0.98, "specificity": 0.98},
    ))  # fmt: skip
    other.edit(lambda content: content["design"].pop("small"))
    design = run(read_config(other.config), last="design").design
    assert design is not None
    strata = pd.read_csv(other.root / "design" / "strata.csv")
    visits = strata[["visits_read_target", "visits_read_other"]]
    assert strata["points"].sum() / 10 + visits.to_numpy().sum() <= 300
    assert (visits >= 10).all(axis=None)
    sample = pd.read_csv(other.root / "design" / "sample.csv")
    assert (sample["role"] == "main").sum() == strata["points"].sum()
    assert design["half_width_ha"].notna().tolist() == [False] * (len(design) - 1) + [True]


def test_the_raster_of_the_strata_holds_the_code_of_every_point(world):
    """Code in strata.csv, raster of the zone at the point: the same stratum; as many pixels of each."""
    run(read_config(world.config), last="design")
    folder = world.root / "design"
    strata, sample = pd.read_csv(folder / "strata.csv"), pd.read_csv(folder / "sample.csv")
    code = strata.drop_duplicates("stratum").set_index("stratum")["code"]
    assert code.is_unique
    pixels = pd.Series(0, index=code)
    for epsg, points in sample.groupby("epsg"):
        with rasterio.open(folder / f"strata-{epsg}.tif") as source:
            values = source.read(1)
            there = [values[source.index(x, y)] for x, y in zip(points["x"], points["y"], strict=True)]
            assert there == points["stratum"].map(code).tolist()
            pixels += pd.Series(np.bincount(values.ravel(), minlength=256)).reindex(pixels.index)
    assert pixels.to_dict() == strata.groupby("code")["pixels"].sum().to_dict()


def test_a_design_that_cannot_be_made_is_refused_before_any_work(world, tmp_path):
    other = world.copied(tmp_path / "w")
    other.edit(lambda content: content["design"]["strata"][0].update(classes=["koka"]))
    with pytest.raises(InputError, match="'koka'"):
        run(read_config(other.config), last="design")
    other.edit(lambda content: content["design"].update(interval="wald"))
    with pytest.raises(ConfigError, match="wald is not that of `estimate:`"):
        read_config(other.config)
    other.edit(lambda content: content.pop("design"))
    with pytest.raises(UsageError, match="there is no design to draw"):
        run(read_config(other.config), last="design")


def test_the_raster_of_the_strata_has_every_block_also_between_tiles_far_apart(tmp_path) -> None:
    windows = [Window(32719, 500_000 + 9600 * k, 8_400_000, 96, 96, 10) for k in (0, 1)]
    code = zlib.compress(np.ones((96, 96), np.uint8).tobytes())
    write_strata_raster(tmp_path / "s.tif", [DrawnPart(pd.DataFrame(), window, code) for window in windows])
    read_back(tmp_path / "s.tif", "s.tif")
    with rasterio.open(tmp_path / "s.tif") as source:
        found = source.read(1)
    assert found.shape == (96, 1056)
    assert found.sum() == 2 * 96 * 96


@pytest.mark.slow
def test_points_labelled_in_collect_earth_online_give_hectares_without_a_hand_edit(world, tmp_path):
    """Two users who never differ but at one point; a third reader settles it. The upload and the download are
    those of the other program's own rules."""
    run(read_config(world.config), last="design")
    other = world.copied(tmp_path / "w")
    made = in_process("readings", "export", other.config, tmp_path / "ceo", "--for", "collect-earth-online")
    assert made.returncode == 0, made.stderr
    plots = collect_earth.uploaded((tmp_path / "ceo" / "plots.csv").read_text(encoding="utf-8"), "plot")
    sample = pd.read_csv(other.root / "design" / "sample.csv").set_index("point_id")
    assert {p["point_id"] for p in plots} == {*sample.index[sample["role"] == "main"]}
    day = {"Fecha de la imagen": "2024-02-10"}
    said = {
        (p["visible_id"], f"{name}@x.org"): {"Clase": sample.at[p["point_id"], "map_class"], **day}
        for p in plots for name in ("ana", "eva")
    }  # fmt: skip
    first = plots[0]["visible_id"]
    differ = {(first, "ana@x.org"): {"Clase": "coca", **day}, (first, "eva@x.org"): {"Clase": "water", **day}}
    third = {(first, "luz@x.org"): {"Clase": "coca", **day}}
    questions, back = ["Clase", "Fecha de la imagen"], tmp_path / "ceo.csv"
    for more, code, out in ((differ, 1, "open.csv"), (differ | third, 0, "settled.csv")):
        back.write_text(collect_earth.sample_data(plots, said | more, questions), encoding="utf-8")
        ended = in_process("readings", "import", other.config, back, "--out", other.folder / out)
        assert ended.returncode == code, ended.stderr
        assert (plots[0]["point_id"] in ended.stdout) == (code == 1)
    content = {"path": "settled.csv", "sample": "runs/small/design/sample.csv",
               "strata": "runs/small/design/strata.csv"}  # fmt: skip
    other.edit(lambda c: c.update(records=content))
    found = run(read_config(other.config), last="measure").areas.query("`class` == 'coca'")
    assert found["estimated_ha"].notna().all()
    assert not found["notes"].str.contains("preliminary").any()
    records = pd.read_csv(other.root / "records.csv")
    assert len(records) == len(plots)
    assert records["reference_class"].notna().all()


@pytest.fixture(scope="module")
def kit(world, tmp_path_factory):
    """What `cocal kit` writes of the small land: three crews, seven points a day, a road along its south."""
    run(read_config(world.config), last="design", config_path=world.config)
    folder = tmp_path_factory.mktemp("kit")
    _, south, _, _ = read_regions(read_config(world.config).regions).area.bounds
    road = shapely.LineString([(-72.01, south), (-71.99, south)])
    gpd.GeoDataFrame(geometry=[road], crs=4326).to_file(folder / "roads.geojson")
    options = ["--crews", "3", "--per-day", "7", "--show", "false", "--side", "210"]
    done = in_process("kit", world.root, folder / "kit", *options, "--roads", folder / "roads.geojson")
    assert done.returncode == 0, done.stderr
    again = in_process("kit", world.root, folder / "kit")
    assert again.returncode == 2
    assert "a new folder" in again.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["kit", "roads.geojson"]
    return folder / "kit", done


def test_a_kit_holds_the_days_of_crews_their_waypoints_roads_and_squares_and_tells_no_stratum(kit, world):
    folder, done = kit
    sample = pd.read_csv(world.root / "design" / "sample.csv").set_index("point_id")
    days = pd.read_csv(folder / "days.csv")
    main = sample.index[sample["role"] == "main"]
    assert sorted(days["point_id"]) == sorted(main)
    assert f"{len(main)} points and {len(sample) - len(main)} in reserve, 3 crews" in done.stdout
    for crew, own in days.groupby("crew"):
        with (folder / f"crew-{crew}.gpx").open(encoding="utf-8") as file:
            points = gpxpy.parse(file).waypoints
        assert [p.name for p in points] == own["point_id"].tolist()
        assert np.allclose([(p.longitude, p.latitude) for p in points], own[["lon", "lat"]], atol=1e-6)
        assert all(f"day {d}, stop {s}" in p.description and "SIMULATED" in p.description
                   for p, d, s in zip(points, own["crew_day"], own["stop"], strict=True))  # fmt: skip
    _, south, _, _ = read_regions(read_config(world.config).regions).area.bounds
    north_of = days["lat"].to_numpy() - south
    assert np.abs(days["road_m"] - north_of * 110_600).max() < 10
    squares = pyogrio.read_dataframe(folder / "squares.gpkg").set_index("point_id")
    for epsg, own in squares.groupby(sample["epsg"]):
        corners = own.to_crs(epsg).bounds.to_numpy()
        assert np.abs(corners - np.round(corners / 10) * 10).max() < 1e-3
        assert np.allclose(corners[:, 2:] - corners[:, :2], 10, atol=1e-3)
        assert np.allclose(corners[:, :2] + 5, sample.loc[own.index, ["x", "y"]], atol=1e-3)
    told = pyogrio.read_dataframe(folder / "sample.gpkg", layer="points")
    assert set(told) >= {"crew", "crew_day", "stop", "road_m", "visited", "class"}
    secret = [b"stratum", b"inclusion", b"map_class"]
    assert not [(p.name, w) for p in folder.iterdir() for w in secret if w in p.read_bytes()]


def test_the_pictures_of_a_kit_have_the_reflectance_of_the_ground_around_each_point_and_nothing_else(
    kit, world
):
    """One date, so that its median is the date itself, but for clouds."""
    folder, _ = kit
    sample = pd.read_csv(world.root / "design" / "sample.csv")
    own = sample[sample["epsg"] == 32718]
    with rasterio.open(world.source("20240105")) as file, rasterio.open(folder / "image-32718.tif") as image:
        assert image.tags()["SIMULATED"] == "yes"
        bands = dict(zip(file.descriptions, file.read().astype(float), strict=True))
        shape = image.shape
        here = Window(32718, round(image.bounds.left), round(image.bounds.top), *shape[::-1])
        pixels = image.read()
        rows, columns = world.window.locate(*np.meshgrid(here.x, here.y))[:2]
    cloudy = np.isin(bands["scl"][rows, columns], 9)
    for channel, name in enumerate(("nir", "swir16", "red")):
        expected = np.clip(255 * bands[name][rows, columns] / 10_000 / BRIGHTEST[name], 0, 255)
        shown = (pixels[3] == 255) & (rows >= 0)
        assert np.abs(pixels[channel] - expected)[shown].max() <= 0.51
        assert not cloudy[shown].any()
    near = np.zeros(shape, dtype=bool)
    for x, y in zip(own["x"], own["y"], strict=True):
        near |= (np.abs(here.x - x) < 106)[None, :] & (np.abs(here.y - y) < 106)[:, None]
    assert not pixels[3][~near].any()
    assert (pixels[3][near & ~cloudy & (rows >= 0)] == 255).mean() > 0.7


def test_a_project_names_the_kits_files_by_relative_path_and_has_the_form(kit):
    folder, _ = kit
    project = ET.parse(folder / "kit.qgs").getroot()
    assert "SIMULATED" in project.findtext("title")
    layers = {layer.findtext("id").removeprefix("cocal_kit_"): layer for layer in project.iter("maplayer")}
    assert list(layers) == ["points", "squares", "roads", "image-32718", "image-32719"]
    for name, layer in layers.items():
        path, _, what = layer.findtext("datasource").partition("|layername=")
        assert path.startswith("./"), name
        if what:
            told = pyogrio.read_info(folder / path, layer=what)
            assert told["features"] > 0
    fields = pyogrio.read_info(folder / "sample.gpkg", layer="points")["fields"]
    points = layers["points"]
    asked = {f.get("name") for f in points.iterfind("fieldConfiguration/field")}
    asked |= {f.get("field") for f in points.iterfind("defaults/default")}
    asked |= {f.get("name") for f in points.iterfind("editable/field")} - {"leg_m"}
    assert asked <= {*fields}
    assert project.find(".//Absolute").text == "false"


def test_a_kit_that_was_filled_in_comes_back_as_records_of_the_sample(kit, world, tmp_path):
    sample = pd.read_csv(world.root / "design" / "sample.csv")
    answers, _ = campaign(sample)
    path = EXPORTS["qfield"](tmp_path, answers, kit[0])
    settings = RecordSettings(path=path, sample=world.root / "design" / "sample.csv", far_m=30.0)
    records = read_records(settings, read_scheme(world.folder / "scheme.yaml"))
    main = sample.loc[sample["role"] == "main", "point_id"]
    assert {*main} <= {*records["sample_id"]}
    assert records["visited"].sum() > 0.7 * len(main)


def test_a_kit_of_a_run_without_a_design_or_of_bands_it_lacks_is_refused(world, tmp_path):
    run(read_config(world.config), last="design", config_path=world.config)
    done = in_process("kit", world.root, tmp_path / "kit")
    assert done.returncode == 2
    assert "blue" in done.stderr
    assert in_process("kit", tmp_path, tmp_path / "kit").returncode == 2
    done = in_process("kit", world.root, world.root / "public" / "kit", "--show", "false")
    assert "outside that of the run" in done.stderr
    assert not (world.root / "public").exists()
    assert list(tmp_path.iterdir()) == []
