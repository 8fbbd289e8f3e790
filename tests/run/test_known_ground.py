"""A run whose estimate knows the ground of every stratum: what adds up, what is refused, what is stated."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from tests.support.small_world import EPSG, write_csv, write_geojson

from cocal.errors import InputError
from cocal.grid import project
from cocal.run.measure.counts import COUNTS

WITHIN_HA = 0.01


def rewrite(path, change):
    with rasterio.open(path, "r+") as raster:
        raster.write(change(raster.read(1)), 1)


def counted_areas(world):
    """strata.csv with the hectares that the run has counted last."""
    folders = sorted((world.root / "counts").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    cells = np.load(folders[-1] / COUNTS)["strata"]
    path = world.folder / "strata.csv"
    table = pd.read_csv(path)
    ha = [cells[cells[:, 3] == code, 5].sum() / 1e10 for code in table["code"]]
    write_csv(path, table.assign(area_ha=ha))


@pytest.fixture(scope="module")
def adding_up(_finished, tmp_path_factory, done):
    """Every pixel of the regions is in a stratum; groups that share regions; zones that cut them."""
    world = _finished.copied(tmp_path_factory.mktemp("calibrated") / "world")
    rewrite(world.folder / "strata.tif", lambda codes: np.where(codes == 1, 1, 2).astype(np.uint8))
    west, south, east, north = world.window.bounds
    boxes = {"Z-1": (west, south + 150, east - 300, south + 600), "Z-2": (west, south, west + 420, north)}
    rows = [
        ({"id": key, "name": key, "country": "PE"}, project(shapely.box(*box), EPSG, 4326, densify=200))
        for key, box in boxes.items()
    ]
    write_geojson(world.folder / "zones.geojson", rows)
    source = {"path": "zones.geojson", "id": "id", "name": "name", "country": "country"}
    legal = {
        "zones": {"sliver_m": 0, "sources": [source]},
        "kinds": {"Z-1": "authorised", "Z-2": "protected"},
        "limits": [{"id": "L", "zones": ["Z-1"], "limit_ha": 3, "source": "SIMULATED law"}],
    }
    world.edit(
        lambda content: (
            content.update(groups={"all": ["*"], "PE": ["PE-*"], "mixed": ["PE-1", "BO-*"]}, legal=legal),
            content["records"].update(strata_raster="strata.tif"),
        )
    )
    done(world, last="measure")
    counted_areas(world)
    world.edit(lambda content: content["estimate"].update(estimator="calibrated"))
    assert done(world, last="compare").failures == ()
    return world


@pytest.fixture
def calibrated(adding_up, tmp_path):
    return adding_up.copied(tmp_path / "world")


def warnings_of(world):
    notes = pd.read_csv(world.root / "notes.csv", keep_default_na=False)
    return notes[notes["table"] == "estimates"]["code"].tolist()


def left_out(world):
    return json.loads((world.root / "run.json").read_text(encoding="utf-8"))["left_out"]


@pytest.mark.parametrize(
    ("table", "place"), [("hectares", "region_id"), ("countries", "country"), ("groups", "region_id")]
)
def test_the_classes_of_a_place_add_up_to_its_observed_hectares(adding_up, table, place):
    rows = pd.read_csv(adding_up.root / f"{table}.csv")
    rows = rows[rows["class"] != "unobserved"]
    assert set(rows["estimator"]) == {"calibrated"}
    sums = rows.groupby(place)[["mapped_ha", "estimated_ha"]].sum()
    assert (sums["mapped_ha"] - sums["estimated_ha"]).abs().max() <= WITHIN_HA
    assert (rows["estimated_ha"] >= 0).all()
    observed = rows.groupby(place)["mapped_ha"].transform("sum")
    assert (rows["ci_high_ha"].dropna() <= (observed + 1e-6)[rows["ci_high_ha"].notna()]).all()


def test_regions_countries_groups_and_zones_add_up_to_one_total(adding_up):
    tables = {
        name: pd.read_csv(adding_up.root / f"{name}.csv")
        for name in ("hectares", "countries", "groups", "legal")
    }
    for key in ("coca", "forest", "bare"):
        own = {n: t[t["class"] == key] for n, t in tables.items() if n != "legal"}
        nations = own["countries"].set_index("country")["estimated_ha"]
        total = nations["total"]
        assert own["hectares"]["estimated_ha"].sum() == pytest.approx(total, abs=WITHIN_HA)
        assert nations[["PE", "BO"]].sum() == pytest.approx(total, abs=WITHIN_HA)
        groups = own["groups"].set_index("region_id")["estimated_ha"]
        assert groups["all"] == pytest.approx(total, abs=WITHIN_HA)
        assert groups["PE"] == pytest.approx(nations["PE"], abs=WITHIN_HA)
    legal = tables["legal"]
    coca = tables["countries"].set_index(["country", "class"]).loc[("total", "coca"), "estimated_ha"]
    for level in ("zone", "kind"):
        assert legal.loc[legal["level"] == level, "estimated_ha"].sum() == pytest.approx(coca, abs=WITHIN_HA)


def test_without_the_raster_the_expansion_estimator_stays_and_says_why(calibrated, done):
    calibrated.edit(lambda content: content["records"].pop("strata_raster"))
    done(calibrated, last="measure")
    table = pd.read_csv(calibrated.root / "hectares.csv")
    assert set(table["estimator"].dropna()) == {"stratified"}
    assert "expansion_without_raster" in warnings_of(calibrated)


def test_records_of_plots_of_pixels_are_estimated_by_expansion(calibrated, done):
    matching = {"support": "cluster", "cluster_px": 3, "positional_error": "ignore", "majority": 0.5}
    calibrated.edit(lambda content: content["records"].update(matching=matching))
    done(calibrated, last="measure")
    assert set(pd.read_csv(calibrated.root / "hectares.csv")["estimator"].dropna()) == {"stratified"}
    assert "expansion_of_ground" in warnings_of(calibrated)


def test_ground_in_no_stratum_is_stated_where_it_is(calibrated, done):
    def without_a_corner(codes):
        codes = codes.copy()
        codes[:30, :30] = 0
        return codes

    rewrite(calibrated.folder / "strata.tif", without_a_corner)
    with pytest.raises(InputError, match=r"(?s)do not fit together.*'(coca|rest)': [\d.]+ ha in the regions"):
        done(calibrated, last="measure")
    counted_areas(calibrated)
    # points that were drawn there are now in no stratum of the raster: more than a fifth may not be
    done(calibrated, last="measure")
    lost = {note["code"]: note["values"] for note in left_out(calibrated)}["records_other_stratum"]
    assert 0 < lost["share"] < 0.2
    notes = pd.read_csv(calibrated.root / "notes.csv")
    notes = notes[(notes["table"] == "hectares") & (notes["code"] == "ground_not_sampled")]
    stated = {
        json.loads(row["keys"])["region_id"]: json.loads(row["values"])["ha"]
        for row in notes.to_dict("records")
    }
    table = pd.read_csv(calibrated.root / "hectares.csv")
    table = table[table["class"] != "unobserved"]
    sums = table.groupby("region_id")[["mapped_ha", "estimated_ha"]].sum()
    missing = sums["mapped_ha"] - sums["estimated_ha"]
    assert set(stated) == {"PE-1"}
    assert missing["PE-1"] == pytest.approx(stated["PE-1"], abs=WITHIN_HA)


def test_a_raster_of_other_strata_stops_the_run(calibrated, done):
    path = calibrated.folder / "strata.tif"
    rewrite(path, lambda codes: np.where(codes == 1, 7, codes).astype(np.uint8))
    with pytest.raises(InputError, match=r"(?s)values that the table.*does not name.*found: 7"):
        done(calibrated, last="measure")
    rewrite(path, lambda codes: np.roll(np.where(codes == 7, 1, codes), 15, axis=1).astype(np.uint8))
    with pytest.raises(InputError, match=r"do not fit together"):
        done(calibrated, last="measure")
    counted_areas(calibrated)
    with pytest.raises(InputError, match=r"the sample and the known areas do not fit together"):
        done(calibrated, last="measure")
    calibrated.edit(lambda content: content["estimate"].update(estimator="stratified"))
    with pytest.raises(InputError, match=r"lie in another stratum on its raster"):
        done(calibrated, last="measure")


def test_strata_that_reach_beyond_the_regions_keep_their_ground_outside(calibrated, done):
    path = calibrated.folder / "strata.csv"
    given = pd.read_csv(path)
    write_csv(path, given.assign(area_ha=given["area_ha"] * 1.5))
    with pytest.raises(InputError, match=r"outside: allowed"):
        done(calibrated, last="measure")
    calibrated.edit(lambda content: content["records"].update(outside="allowed"))
    done(calibrated, last="measure")
    table = pd.read_csv(calibrated.root / "hectares.csv")
    sums = table[table["class"] != "unobserved"].groupby("region_id")[["mapped_ha", "estimated_ha"]].sum()
    assert (sums["mapped_ha"] - sums["estimated_ha"]).abs().max() <= WITHIN_HA


def test_areas_in_the_plane_of_a_projection_give_way_to_counted_ones(calibrated, done):
    path = calibrated.folder / "strata.csv"
    given = pd.read_csv(path)
    before = pd.read_csv(calibrated.root / "hectares.csv")["estimated_ha"]
    write_csv(path, given.assign(area_ha=given["area_ha"] * 1.004))
    done(calibrated, last="measure")
    noted = [note["values"] for note in left_out(calibrated) if note["code"] == "stratum_counted"]
    assert {note["stratum"] for note in noted} == {"coca", "rest"}
    assert all(note["stated_ha"] == pytest.approx(1.004 * note["counted_ha"]) for note in noted)
    pd.testing.assert_series_equal(pd.read_csv(calibrated.root / "hectares.csv")["estimated_ha"], before)


def test_points_that_have_not_come_back_make_the_estimate_preliminary(calibrated, done):
    path, design = calibrated.folder / "records.csv", calibrated.folder / "strata.csv"
    records = pd.read_csv(path)
    pixels = (60 / records.groupby("stratum")["inclusion_probability"].first()).round().astype(int)
    strata = pd.read_csv(design)
    write_csv(design, strata.assign(pixels=strata["stratum"].map(pixels), points=60))
    # 40 of 60 of the stratum coca are not there, 3 of the others are listed without a visit or a reason
    coca = records[records["stratum"] == "coca"].index[20:]
    back = records.drop(index=coca).assign(visited="yes", why_not="")
    waiting = back[back["stratum"] == "rest"].index[:3]
    back.loc[waiting, ["visited", "class"]] = ["no", ""]
    refused = back[back["stratum"] == "rest"].index[3]
    back.loc[refused, ["visited", "class", "why_not"]] = ["no", "", "no permission"]
    write_csv(path, back)
    columns = {"visited": "visited", "why_not": "why_not"}
    calibrated.edit(lambda content: content["records"]["columns"].update(columns))
    done(calibrated, last="measure")
    notes = pd.read_csv(calibrated.root / "notes.csv", keep_default_na=False)
    (note,) = notes.loc[notes["code"] == "preliminary_missing", "values"]
    stated = json.loads(note)
    assert (stated["n"], stated["of"]) == (43, 120)
    assert stated["strata"] == ["coca: 40 / 60", "rest: 3 / 60"]
    assert sum(int(name.split(": ")[1]) for name in stated["regions"]) == 3
    table = pd.read_csv(calibrated.root / "hectares.csv")
    estimated = table[table["estimated_ha"].notna()]
    assert estimated["notes"].str.contains("preliminary: 43 of 120 points").all()
    assert table.loc[table["estimated_ha"].isna(), "notes"].isna().all()


def test_a_sample_that_has_come_back_is_not_preliminary(adding_up):
    assert "preliminary_missing" not in warnings_of(adding_up)
