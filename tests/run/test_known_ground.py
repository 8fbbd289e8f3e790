"""A run whose estimate knows the ground of every stratum: what adds up, what is refused, what is stated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.adding_up import GONE, NEW, adding_up_world, counted_areas, rewrite
from tests.support.small_world import write_csv

from cocal.errors import InputError

WITHIN_HA = 0.01
CROSSWALK = Path(__file__).parents[2] / "configs" / "schemes" / "coca-definitions.yaml"


@pytest.fixture(scope="module")
def adding_up(tmp_path_factory, done):
    world = adding_up_world(tmp_path_factory.mktemp("adding_up") / "world")
    assert done(world, last="measure").failures == ()
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
    ("table", "place"),
    [
        ("hectares", "region_id"),
        ("countries", "country"),
        ("groups", "region_id"),
        ("shown_regions", "region_id"),
    ],
)
def test_the_classes_of_a_place_add_up_to_its_observed_hectares(adding_up, table, place):
    rows = pd.read_csv(adding_up.root / f"{table}.csv")
    rows = rows[rows["class"] != "unobserved"]
    assert set(rows["estimator"]) == {"calibrated"}
    place = [place, "period", *(["level"] if "level" in rows else [])]
    sums = rows.groupby(place)[["mapped_ha", "estimated_ha"]].sum()
    assert len(sums) >= 4
    assert (sums["mapped_ha"] - sums["estimated_ha"]).abs().max() <= WITHIN_HA
    assert (rows["estimated_ha"] >= 0).all()
    observed = rows.groupby(place)["mapped_ha"].transform("sum")
    assert (rows["ci_high_ha"].dropna() <= (observed + 1e-6)[rows["ci_high_ha"].notna()]).all()


def test_omission_and_commission_are_what_the_accuracies_leave(adding_up):
    table = pd.read_csv(adding_up.root / "map_errors.csv").set_index(["period", "level", "id"])
    assert set(table.index.get_level_values("id")) == {"total", "PE", "BO", "PE-1", "PE-2", "BO-1", "BO-2"}
    estimates = json.loads((adding_up.root / "estimates.json").read_text(encoding="utf-8"))
    for period, found in estimates.items():
        coca, row = found["classes"]["coca"], table.loc[period, "total", "total"]
        assert row["omission"] == pytest.approx(1 - coca["producers_accuracy"], abs=1e-9)
        assert row["commission"] == pytest.approx(1 - coca["users_accuracy"], abs=1e-9)
        assert row["omission_low"] <= row["omission"] <= row["omission_high"]


@pytest.mark.parametrize("period", ["a", "b"])
def test_regions_countries_groups_and_zones_add_up_to_one_total(adding_up, period):
    tables = {
        name: pd.read_csv(adding_up.root / f"{name}.csv").query(f"period == {period!r}")
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


def test_change_adds_up_over_regions_and_stays_within_what_both_maps_show(adding_up):
    change = pd.read_csv(adding_up.root / "change.csv").fillna({"region_id": ""})
    rows = change.set_index(["quantity", "region_id"])["estimated_ha"]
    for quantity in ("cleared", "new", "net"):
        assert rows[quantity].drop("").sum() == pytest.approx(rows[quantity, ""], abs=WITHIN_HA)
    net = rows["new"] - rows["cleared"]
    pd.testing.assert_series_equal(rows["net"], net, check_names=False, atol=1e-3)
    both = change.set_index(["quantity", "region_id"])["seen_twice_ha"]
    assert (rows["cleared"] + rows["new"] <= both["net"] + WITHIN_HA).all()
    # beside the expansion of those changed points of 5 and 3 among 60 that both maps show
    records = pd.read_csv(adding_up.root / "records.csv").set_index(["period", "sample_id"])
    before, after = records.loc["a"], records.loc["b"]
    seen = before["map_class"].notna() & after["map_class"].notna()
    strata = pd.read_csv(adding_up.folder / "strata.csv").set_index("stratum")["area_ha"]
    for quantity, stratum, most in (("cleared", "coca", GONE), ("new", "rest", NEW)):
        changed = before["reference_class"] != after["reference_class"]
        n = int((changed & seen & (before["stratum"] == stratum)).sum())
        assert 1 <= n <= most
        assert rows[quantity, ""] == pytest.approx(strata[stratum] * n / 60, rel=0.25)


def test_the_estimate_of_the_period_before_stands_beside_each_figure(adding_up):
    table = (
        pd.read_csv(adding_up.root / "hectares.csv").set_index(["period", "region_id", "class"]).sort_index()
    )
    later = table.loc["b"]
    seen = later["estimated_ha"].notna()
    assert (later.loc[seen, "last_source"] == "a").all()
    pd.testing.assert_series_equal(
        later.loc[seen, "last_ha"], table.loc["a", "estimated_ha"][seen], check_names=False
    )
    assert table.loc["a", "last_ha"].isna().all()


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
    notes = notes[notes["keys"].str.contains('"period": "a"')]
    stated = {
        json.loads(row["keys"])["region_id"]: json.loads(row["values"])["ha"]
        for row in notes.to_dict("records")
    }
    table = pd.read_csv(calibrated.root / "hectares.csv")
    table = table[(table["class"] != "unobserved") & (table["period"] == "a")]
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
    table = table[table["class"] != "unobserved"]
    sums = table.groupby(["region_id", "period"])[["mapped_ha", "estimated_ha"]].sum()
    assert (sums["mapped_ha"] - sums["estimated_ha"]).abs().max() <= WITHIN_HA
    calibrated.edit(lambda content: content["estimate"].update(estimator="stratified"))
    with pytest.raises(InputError, match=r"no point of the sample does"):
        done(calibrated, last="measure")


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
    again = records[records["observed_on"] == "2024-02-15"].assign(visited="yes", why_not="")
    records = records.drop(index=again.index)
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
    write_csv(path, pd.concat([back, again], ignore_index=True))
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
    marked = table["notes"].fillna("").str.contains("preliminary: 43 of 120 points")
    assert (marked == (table["estimated_ha"].notna() & (table["period"] == "a"))).all()


def test_a_sample_that_has_come_back_is_not_preliminary(adding_up):
    assert "preliminary_missing" not in warnings_of(adding_up)


def test_definitions_and_their_differences_add_up_over_regions_too(calibrated, done):
    records = pd.read_csv(calibrated.folder / "records.csv")
    coca = records["class"] == "coca"
    records.loc[coca, "state"] = np.resize(["productive", "young", "nursery", "pruned"], int(coca.sum()))
    write_csv(calibrated.folder / "records.csv", records)
    shutil.copyfile(CROSSWALK, calibrated.folder / "definitions.yaml")
    use = ["pe_in_production", "bo_cultivated"]

    def change(content):
        content["records"]["columns"]["state"] = "state"
        content["definitions"] = {"crosswalk": "definitions.yaml", "use": use}

    calibrated.edit(change)
    done(calibrated, last="measure")
    table = pd.read_csv(calibrated.root / "definitions.csv").fillna({"minus": ""})
    assert set(table["estimator"]) == {"calibrated"}
    keys = ["period", "definition", "minus"]
    sums = {level: own.groupby(keys)["estimated_ha"].sum() for level, own in table.groupby("level")}
    for level in ("region", "country"):
        pd.testing.assert_series_equal(sums[level], sums["total"], atol=WITHIN_HA)
    every_coca = pd.read_csv(calibrated.root / "countries.csv").query(
        "country == 'total' and `class` == 'coca'"
    )
    cultivated = sums["total"][:, "bo_cultivated", ""]
    assert cultivated.to_numpy() == pytest.approx(every_coca["estimated_ha"].to_numpy(), abs=1e-6)
    gap = table[table["minus"] != ""]
    known = gap["ci_low_ha"].notna()
    assert (gap["ci_low_ha"] <= gap["estimated_ha"])[known].all()
    assert (gap["estimated_ha"] <= gap["ci_high_ha"])[known].all()
    assert (gap.loc[gap["level"] == "total", "ci_high_ha"] < 0).all()
