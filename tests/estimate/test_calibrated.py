"""The calibrated estimator: sums that close, explicit weights as an oracle, edges and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cocal.cli import app
from cocal.errors import InputError, UsageError
from cocal.estimate import Estimate, estimate_areas, estimate_files
from cocal.estimate.regional.calibration import ENOUGH, groups_of, raked

CLASSES = ("coca", "forest", "pasture")


def estimated(
    sample: pd.DataFrame, strata: pd.DataFrame, known: pd.DataFrame | None, **changes: object
) -> Estimate:
    asked = {
        "classes": None, "estimator": "calibrated", "interval": "gamma", "confidence": 0.95,
        "by_region": True, "known": known,
    }  # fmt: skip
    return estimate_areas(sample, strata, **(asked | changes))


def invented(
    seed: int, *, n: int = 300, regions: int = 4, dark: bool = True, cut: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A sample, its strata and the known areas of an invented border; with `cut` regions cut units."""
    rng = np.random.default_rng(seed)
    names, mapped = ["a", "b"], [*CLASSES, *(["unobserved"] if dark else [])]
    keys = pd.MultiIndex.from_product(
        [names, [f"U{u}" for u in range(3)] if cut else [""], [f"R{r}" for r in range(regions)], mapped],
        names=["stratum", "unit", "region", "map_class"],
    )
    known = pd.DataFrame({"area_ha": rng.gamma(0.5, 100, len(keys)) + 0.01}, index=keys).reset_index()
    parts = []
    for name in names:
        own = known[known["stratum"] == name]
        rows = own.sample(n, replace=True, weights=own["area_ha"], random_state=rng.integers(1 << 31))
        parts.append(rows.drop(columns="area_ha"))
    sample = pd.concat(parts, ignore_index=True)
    right = rng.random(len(sample)) < 0.8
    sample["reference_class"] = np.where(right, sample["map_class"], rng.choice(CLASSES, len(sample)))
    sample.loc[sample["map_class"] == "unobserved", "reference_class"] = "unobserved"
    strata = known.groupby("stratum")["area_ha"].sum().reset_index()
    return (
        (sample, strata, known)
        if cut
        else tuple(t.drop(columns="unit", errors="ignore") for t in (sample, strata, known))
    )


def test_two_regions_by_hand() -> None:
    """100 ha of one stratum, one map class: 60 ha in R1, 40 in R2; of 20 points each, 8 and 2 are coca.

    p = 10/40; T(R1) = 60 x 0.25 + 100/40 x (8 - 20 x 0.25) = 22.5, T(R2) = 10 + 2.5 x (2 - 5) = 2.5.
    """
    sample = pd.DataFrame(
        {
            "stratum": "s", "map_class": "land", "region": ["R1"] * 20 + ["R2"] * 20,
            "reference_class": ["coca"] * 8 + ["land"] * 12 + ["coca"] * 2 + ["land"] * 18,
        }
    )  # fmt: skip
    strata = pd.DataFrame({"stratum": ["s"], "area_ha": [100.0]})
    known = pd.DataFrame(
        {"stratum": "s", "region": ["R1", "R2"], "map_class": "land", "area_ha": [60.0, 40.0]}
    )
    found = estimated(sample, strata, known)
    assert found.regions is not None
    coca = found.regions[found.regions["class"] == "coca"].set_index("region")["area_ha"]
    assert coca["R1"] == pytest.approx(22.5, abs=1e-9)
    assert coca["R2"] == pytest.approx(2.5, abs=1e-9)
    assert found.classes.set_index("class")["area_ha"]["coca"] == pytest.approx(25.0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.sampled_from([20, 60, 300]), cut=st.booleans())
def test_classes_add_up_to_each_region_and_regions_to_the_total(seed: int, n: int, cut: bool) -> None:
    sample, strata, known = invented(seed, n=n, cut=cut)
    found = estimated(sample, strata, known)
    assert found.regions is not None
    area = known.groupby("region")["area_ha"].sum()
    sums = found.regions.groupby("region")["area_ha"].sum()
    assert np.abs(sums - area[sums.index]).max() < 1e-6
    of_class = found.regions.groupby("class")["area_ha"].sum()
    assert np.abs(of_class - found.classes.set_index("class")["area_ha"]).max() < 1e-6
    assert found.regions["area_ha"].min() >= 0
    dark = found.regions[found.regions["class"] == "unobserved"].set_index("region")["area_ha"]
    hidden = known[known["map_class"] == "unobserved"].groupby("region")["area_ha"].sum()
    assert np.abs(dark - hidden[dark.index]).max() < 1e-9
    inside = found.regions.dropna(subset=["ci_low_ha"])
    assert (inside["ci_low_ha"] >= 0).all()
    limit = (area - hidden)[inside["region"]].to_numpy()
    seen = (inside["class"] != "unobserved").to_numpy()
    assert (inside["ci_high_ha"].to_numpy()[seen] <= limit[seen] + 1e-6).all()
    assert (inside["ci_low_ha"] <= inside["area_ha"]).all()
    assert (inside["area_ha"] <= inside["ci_high_ha"] + 1e-9).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_set_of_domains_adds_up_to_the_same_total(seed: int) -> None:
    """Regions that cut units, units themselves and the whole: one sum, and the units' own figures."""
    sample, strata, known = invented(seed, cut=True)
    cut = estimated(sample, strata, known)
    assert cut.regions is not None
    as_units = [t.assign(region=t["unit"]) for t in (sample, known)]
    units = estimated(as_units[0], strata, as_units[1])
    assert units.regions is not None
    for found in (cut, units):
        sums = found.regions.groupby("class")["area_ha"].sum()
        assert np.abs(sums - cut.classes.set_index("class")["area_ha"]).max() < 1e-6
    pairs = [t.assign(region=t["unit"] + "/" + t["region"]) for t in (sample, known)]
    atoms = estimated(pairs[0], strata, pairs[1]).regions
    assert atoms is not None
    of_unit = atoms.groupby([atoms["region"].str.split("/").str[0], "class"])["area_ha"].sum()
    wanted = units.regions.set_index(["region", "class"])["area_ha"]
    assert np.abs(of_unit - wanted).max() < 1e-6


def explicit(
    sample: pd.DataFrame, strata: pd.DataFrame, known: pd.DataFrame, region: str, name: str
) -> tuple[float, float]:
    """(T, SE) of a class in a region, point by point: calibration weights and weighted residuals."""
    stratum, mapped = sample["stratum"].to_numpy(), sample["map_class"].to_numpy()
    here, y = (sample["region"] == region).to_numpy(), (sample["reference_class"] == name).to_numpy(float)
    total, variance = 0.0, 0.0
    for h in strata["stratum"]:
        own = stratum == h
        ground = known[known["stratum"] == h]
        u = np.zeros(len(sample))
        for g in sorted(set(ground["map_class"])):
            cell = own & (mapped == g)
            area = ground.loc[ground["map_class"] == g, "area_ha"].sum()
            part = ground.loc[(ground["map_class"] == g) & (ground["region"] == region), "area_ha"].sum()
            n = cell.sum()
            w = area / n * (here[cell] + part / area - here[cell].mean())
            assert w.sum() == pytest.approx(part)
            total += w @ y[cell]
            z = here[cell] * (y[cell] - y[cell].mean())
            u[cell] = area / n * (z - z.mean())
        variance += own.sum() * np.var(u[own], ddof=1)
    return total, float(np.sqrt(variance))


@pytest.mark.parametrize("seed", range(6))
def test_totals_and_errors_are_those_of_explicit_calibration_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample, strata, known = invented(seed, n=2_000, dark=False)
    known["area_ha"] = rng.uniform(50, 150, len(known))
    strata = known.groupby("stratum")["area_ha"].sum().reset_index()
    found = estimated(sample, strata, known, interval="wald").regions
    assert found is not None
    assert found["area_ha"].min() > 1, "a case without raking"
    for row in found.to_dict("records"):
        total, error = explicit(sample, strata, known, row["region"], row["class"])
        assert row["area_ha"] == pytest.approx(total, rel=1e-9)
        assert row["standard_error_ha"] == pytest.approx(error, rel=1e-9)


def test_the_whole_is_post_stratified_by_map_class() -> None:
    sample, strata, known = invented(3, n=2_000, dark=False)
    found = estimated(sample, strata, known).classes.set_index("class")["area_ha"]
    area = known.groupby(["stratum", "map_class"])["area_ha"].sum()
    rate = sample.groupby(["stratum", "map_class"])["reference_class"].value_counts(normalize=True)
    for name in CLASSES:
        own = rate.xs(name, level="reference_class").reindex(area.index).fillna(0.0)
        assert found[name] == pytest.approx(float((own * area).sum()), rel=1e-9)


def test_a_group_needs_exactly_enough_expected_points() -> None:
    n, area = np.array([100]), np.array([[1000.0 - 15 * 10, 15 * 10.0]])
    assert ENOUGH == 15
    assert groups_of(n, area, -1).tolist() == [[0, 1]]
    assert groups_of(n, area + np.array([[0.1, -0.1]]), -1).tolist() == [[0, 0]]
    small = np.array([[700.0, 140.0, 140.0, 20.0]])
    assert groups_of(n, small, -1).tolist() == [[0, 4, 4, 4]]
    assert groups_of(n, small, 3).tolist() == [[0, 4, 4, 3]]
    assert groups_of(np.array([5]), small, -1).tolist() == [[4, 4, 4, 4]]


def test_a_group_that_no_point_met_has_the_rates_of_its_stratum() -> None:
    sample, strata, known = invented(1, n=200, dark=False)
    gone = sample[~((sample["stratum"] == "a") & (sample["map_class"] == "pasture"))]
    found = estimated(gone, strata, known)
    assert found.classes["area_ha"].sum() == pytest.approx(known["area_ha"].sum(), abs=1e-6)


def test_raking_leaves_alone_what_adds_up_and_raises_what_is_negative() -> None:
    total = np.array([[5.0, 15.0], [-1.0, 11.0], [6.0, 4.0]])
    area, margin, block = total.sum(axis=1), total.sum(axis=0)[None, :], np.zeros(3, np.int64)
    by_rates = np.array([[4.0, 16.0], [2.0, 8.0], [4.0, 6.0]])
    found = raked(total, by_rates, area, block, margin)
    assert found.min() > 0
    assert found.sum(axis=0) == pytest.approx(margin[0], abs=1e-9)
    assert found.sum(axis=1) == pytest.approx(area, abs=1e-9)
    fine = np.abs(total)
    same = raked(fine, by_rates, fine.sum(axis=1), block, fine.sum(axis=0)[None, :])
    assert same == pytest.approx(fine, rel=1e-9)


def test_a_region_without_a_point_has_a_figure_and_no_interval() -> None:
    sample, strata, known = invented(2, n=300)
    found = estimated(sample[sample["region"] != "R0"], strata, known).regions
    assert found is not None
    own = found[found["region"] == "R0"]
    assert (own["n"] == 0).all()
    assert own["ci_low_ha"].isna().all()
    assert own["area_ha"].sum() == pytest.approx(known.loc[known["region"] == "R0", "area_ha"].sum())


def test_known_ground_and_estimator_come_together() -> None:
    sample, strata, known = invented(1)
    with pytest.raises(UsageError, match="calibrated"):
        estimated(sample, strata, known, estimator="stratified")
    with pytest.raises(UsageError, match="known"):
        estimated(sample, strata, None)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda k: k.drop(columns="map_class"), "no column 'map_class'"),
        (lambda k: k.assign(area_ha="x"), "without an area"),
        (lambda k: k.assign(area_ha=-k["area_ha"]), "without an area"),
        (lambda k: k.assign(map_class="tea"), "tea"),
        (lambda k: k.assign(stratum="z"), "strata that the strata table does not have"),
        (lambda k: k.assign(area_ha=k["area_ha"] * 1.002), "not its area"),
        (lambda k: k.assign(region=k["region"].replace("R0", "R1")), "do not fit together"),
        (lambda k: k.iloc[:0], "no rows"),
    ],
)
def test_known_areas_that_do_not_fit_are_refused(spoil: object, words: str) -> None:
    sample, strata, known = invented(1)
    with pytest.raises(InputError, match=words):
        estimated(sample, strata, spoil(known), classes=[*CLASSES, "unobserved"])


def test_known_areas_equal_to_the_strata_within_the_tolerance_are_taken() -> None:
    sample, strata, known = invented(1)
    found = estimated(sample, strata, known.assign(area_ha=known["area_ha"] * 1.0009))
    assert found.classes["area_ha"].sum() == pytest.approx(known["area_ha"].sum() * 1.0009)


def test_one_point_off_the_known_ground_is_a_warning_and_many_are_an_error() -> None:
    sample, strata, known = invented(1, n=300)
    sample.loc[:5, "region"] = "R9"
    found = estimated(sample, strata, known)
    assert [w.code for w in found.warnings] == ["points_off_known_ground"]
    sample.loc[:6, "region"] = "R9"
    with pytest.raises(InputError, match="7 of 600 points"):
        estimated(sample, strata, known)


def test_a_reference_that_is_missing_where_the_map_shows_ground_is_refused() -> None:
    sample, strata, known = invented(1)
    sample.loc[sample["map_class"] == "coca", "reference_class"] = "unobserved"
    with pytest.raises(InputError, match="without a reference"):
        estimated(sample, strata, known)


def test_a_rare_class_that_no_scheme_has_is_refused() -> None:
    with pytest.raises(UsageError, match="Coca"):
        estimated(*invented(1), rare=("Coca",))


def test_accuracies_are_those_of_the_ground_that_the_map_shows() -> None:
    sample, strata, known = invented(1)
    found = estimated(sample, strata, known)
    seen = sample[sample["map_class"] != "unobserved"]
    weight = strata.set_index("stratum")["area_ha"] / sample["stratum"].value_counts()
    right = seen["map_class"] == seen["reference_class"]
    own = seen["stratum"].map(weight)
    assert found.overall_accuracy == pytest.approx(own[right].sum() / own.sum(), rel=1e-12)
    dark = found.classes.set_index("class").loc["unobserved"]
    assert dark[["users_accuracy", "producers_accuracy"]].isna().all()
    assert not [w for w in found.warnings if w.code in ("no_users_accuracy", "wald_zero_width")]


def test_sums_that_raking_cannot_close_are_an_error() -> None:
    """Two rows of one block whose classes would need more than all of it: 8 + 4 ha in 10."""
    with pytest.raises(InputError, match="cannot be closed"):
        raked(
            np.ones((2, 2)), np.ones((2, 2)), np.full(2, 5.0), np.zeros(2, np.int64), np.array([[8.0, 4.0]])
        )


def test_regions_that_units_share_need_the_unit_of_each_point() -> None:
    sample, strata, known = invented(1, cut=True)
    with pytest.raises(InputError, match="column unit"):
        estimated(sample.drop(columns="unit"), strata, known)


def test_classes_add_up_with_merged_and_with_crossed_strata() -> None:
    sample, strata, known = invented(4)
    merged = estimated(sample, strata, known, collapse=("a+b",))
    assert merged.strata["stratum"].tolist() == ["a+b"]
    crossed = known.groupby(["stratum", "region"])["area_ha"].sum().reset_index()
    found = estimated(sample, crossed, known)
    for estimate in (merged, found):
        assert estimate.regions is not None
        sums = estimate.regions.groupby("region")["area_ha"].sum()
        assert np.abs(sums - known.groupby("region")["area_ha"].sum()).max() < 1e-6


def test_the_command_reads_known_areas_and_its_figures_are_those_of_the_function(tmp_path: Path) -> None:
    names, tables = ("sample", "strata", "known"), invented(1)
    for name, table in zip(names, tables, strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    files = [part for name in names for part in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    printed = CliRunner().invoke(
        app, ["estimate", *files, "--by", "region", "--rare", "coca", "--format", "json"]
    )
    assert printed.exit_code == 0, printed.output
    wanted = estimated(*tables, rare=("coca",)).to_json_dict()
    assert json.loads(printed.output) == json.loads(json.dumps(wanted))


def test_without_known_areas_the_command_warns_that_classes_do_not_add_up(tmp_path: Path) -> None:
    sample, strata, _ = invented(1, dark=False)
    sample.to_csv(tmp_path / "sample.csv", index=False)
    asked = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95}
    for table, warned in ((strata, True), (sample.groupby(["stratum", "region"]).size(), False)):
        rows = table.rename("area_ha").reset_index() if isinstance(table, pd.Series) else table
        rows.to_csv(tmp_path / "strata.csv", index=False)
        found = estimate_files(tmp_path / "sample.csv", tmp_path / "strata.csv", by="region", **asked)
        assert ("expansion_chosen" in [w.code for w in found.warnings]) == warned
