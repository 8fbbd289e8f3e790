"""Each estimator against arithmetic on the points, and what all of them keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.estimate_tables import random_design, sample_of, strata_of

from cocal.errors import InputError, UsageError
from cocal.estimate import Estimate, estimate_areas, estimate_change, sensitivity_band
from cocal.estimate.settings import MIN_MAPPED_POINTS, MIN_REGION_POINTS
from cocal.notes import Note

Z = 1.959963984540054


def estimated(sample: pd.DataFrame, strata: pd.DataFrame, **changes: object) -> Estimate:
    settings = {
        "classes": None, "estimator": "stratified", "interval": "wald", "confidence": 0.95, "by_region": False
    }  # fmt: skip
    return estimate_areas(sample, strata, **(settings | changes))


def simple_sample(seed: int = 4, n: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A simple random sample of a frame of 1,000 ha with map classes of 100, 300 and 600 ha."""
    rng = np.random.default_rng(seed)
    classes, areas = np.array(["coca", "crops", "forest"]), np.array([100.0, 300.0, 600.0])
    mapped = rng.choice(classes, n, p=areas / 1_000)
    reference = np.where(rng.random(n) < 0.8, mapped, rng.choice(classes, n))
    sample = pd.DataFrame({"stratum": mapped, "map_class": mapped, "reference_class": reference})
    return sample, strata_of(classes, areas)


def indicators(sample: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    return (
        (sample["reference_class"] == name).to_numpy(float),
        (sample["map_class"] == name).to_numpy(float),
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_strata=st.integers(1, 5))
def test_stratified_domains_equal_stehmans_formulas_on_the_points(seed: int, n_strata: int) -> None:
    sample, strata = random_design(seed, n_strata=n_strata)
    result = estimated(sample, strata, by_region=True).regions.set_index(["region", "class"])
    inside = (sample["region"] == "R1").to_numpy(float)
    y = inside * (sample["reference_class"] == "coca")
    x = inside * (sample["map_class"] == "coca")
    area = variance = xs = ys = 0.0
    for name, size in zip(strata["stratum"], strata["area_ha"], strict=True):
        own = (sample["stratum"] == name).to_numpy()
        area += size * y[own].mean()
        variance += size**2 * y[own].var(ddof=1) / own.sum()
        xs += size * x[own].mean()
        ys += size * (x * y)[own].mean()
    if ("R1", "coca") not in result.index:
        return
    row = result.loc[("R1", "coca")]
    assert row["area_ha"] == pytest.approx(area)
    assert row["standard_error_ha"] == pytest.approx(variance**0.5, abs=1e-6 * strata["area_ha"].sum())
    if xs > 0:
        assert row["users_accuracy"] == pytest.approx(ys / xs)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), estimator=st.sampled_from(["stratified", "simple", "poststratified"]))
def test_regions_add_up_to_the_total_and_classes_to_the_frame(seed: int, estimator: str) -> None:
    sample, strata = random_design(seed, n_strata=1 if estimator != "stratified" else 4, regions=4)
    estimate = estimated(sample, strata, estimator=estimator, by_region=True, interval="gamma")
    frame = strata["area_ha"].sum()
    total = estimate.classes.set_index("class")["area_ha"]
    assert total.sum() == pytest.approx(frame, rel=1e-12)
    sums = estimate.regions.groupby("class")["area_ha"].sum()
    assert sums.to_numpy() == pytest.approx(total.loc[sums.index].to_numpy(), rel=1e-12, abs=1e-12 * frame)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    sample, strata = random_design(seed)
    turned = sample.sample(frac=1, random_state=seed % 1000)
    first = estimated(sample, strata, by_region=True, interval="gamma")
    second = estimated(turned, strata, by_region=True, interval="gamma")
    pd.testing.assert_frame_equal(first.regions, second.regions, check_exact=True)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.01, 1_000))
def test_hectares_scale_with_the_strata_and_accuracies_do_not(seed: int, factor: float) -> None:
    sample, strata = random_design(seed)
    one = estimated(sample, strata, interval="gamma").classes.set_index("class")
    more = estimated(sample, strata.assign(area_ha=strata["area_ha"] * factor), interval="gamma").classes
    more = more.set_index("class")
    for name in ("area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"):
        assert (more[name] / factor).to_numpy() == pytest.approx(
            one[name].to_numpy(), rel=1e-6, abs=1e-8 * strata["area_ha"].sum()
        )
    assert more["users_accuracy"].to_numpy() == pytest.approx(one["users_accuracy"].to_numpy(), nan_ok=True)


@pytest.mark.parametrize("estimator", ["simple", "systematic"])
def test_a_simple_random_sample_is_the_mean_times_the_frame(estimator: str) -> None:
    sample, strata = simple_sample()
    y, x = indicators(sample, "coca")
    estimate = estimated(sample, strata, estimator=estimator)
    row = estimate.classes.set_index("class").loc["coca"]
    assert row["area_ha"] == pytest.approx(1_000 * y.mean())
    assert row["standard_error_ha"] == pytest.approx(1_000 * y.std(ddof=1) / 400**0.5)
    assert row["users_accuracy"] == pytest.approx((x * y).sum() / x.sum())
    said = [w for w in estimate.warnings if w.code == "systematic_standard_error"]
    assert len(said) == (estimator == "systematic")


def test_the_poststratified_estimator_weighs_groups_by_their_known_areas() -> None:
    """Cochran 5A.42 by hand over the three map classes."""
    sample, strata = simple_sample()
    y, _ = indicators(sample, "coca")
    area = variance = 0.0
    for name, size in zip(strata["stratum"], strata["area_ha"], strict=True):
        own = y[(sample["stratum"] == name).to_numpy()]
        weight = size / 1_000
        area += size * own.mean()
        variance += 1_000**2 * own.var(ddof=1) * (weight / 400 + (1 - weight) / 400**2)
    row = estimated(sample, strata, estimator="poststratified").classes.set_index("class").loc["coca"]
    assert row["area_ha"] == pytest.approx(area)
    assert row["standard_error_ha"] == pytest.approx(variance**0.5)


def test_the_difference_estimator_corrects_the_mapped_area_by_the_mean_error() -> None:
    sample, strata = simple_sample()
    y, x = indicators(sample, "coca")
    row = estimated(sample, strata, estimator="difference").classes.set_index("class").loc["coca"]
    error = 1_000 * (y - x).std(ddof=1) / 400**0.5
    assert row["area_ha"] == pytest.approx(100 + 1_000 * (y - x).mean())
    assert row["standard_error_ha"] == pytest.approx(error)
    assert row["ci_high_ha"] - row["ci_low_ha"] == pytest.approx(2 * Z * error)


def test_the_regression_estimator_is_the_fitted_line_at_the_known_mean() -> None:
    """Slope and residuals from numpy's least squares; residual variance with n - 2."""
    sample, strata = simple_sample()
    y, x = indicators(sample, "crops")
    slope, level = np.polyfit(x, y, 1)
    residual = y - level - slope * x
    row = estimated(sample, strata, estimator="regression").classes.set_index("class").loc["crops"]
    error = 1_000 * ((residual**2).sum() / 398 / 400) ** 0.5
    assert row["area_ha"] == pytest.approx(1_000 * (level + slope * 0.3))
    assert row["standard_error_ha"] == pytest.approx(error)
    assert row["ci_high_ha"] - row["area_ha"] == pytest.approx(Z * error)


@pytest.mark.parametrize("estimator", ["difference", "regression"])
def test_assisted_estimators_need_map_classes_as_strata_and_totals_by_region(estimator: str) -> None:
    sample, strata = simple_sample()
    renamed = sample.assign(stratum=sample["stratum"] + "_x"), strata.assign(stratum=strata["stratum"] + "_x")
    with pytest.raises(InputError, match="coca_x"):
        estimated(*renamed, estimator=estimator)
    with pytest.raises(InputError, match="mapped areas of each region"):
        estimated(sample.assign(region="R"), strata, estimator=estimator, by_region=True)


def test_the_difference_estimator_by_region_uses_each_regions_own_totals_and_adds_up() -> None:
    sample, strata = simple_sample(n=1_200)
    rng = np.random.default_rng(1)
    sample = sample.assign(region=rng.choice(["N", "S"], len(sample)))
    halves = pd.concat([strata.assign(region=r, area_ha=strata["area_ha"] / 2) for r in "NS"])
    estimate = estimated(sample, halves, estimator="difference", by_region=True)
    y, x = indicators(sample, "coca")
    north = (sample["region"] == "N").to_numpy(float)
    rows = estimate.regions.set_index(["region", "class"])["area_ha"]
    assert rows["N", "coca"] == pytest.approx(50 + 1_000 * (north * (y - x)).mean())
    total = estimate.classes.set_index("class")["area_ha"]["coca"]
    assert rows["N", "coca"] + rows["S", "coca"] == pytest.approx(total)


@pytest.mark.parametrize("estimator", ["difference", "regression"])
@pytest.mark.parametrize(("mapped", "refused"), [(MIN_MAPPED_POINTS, False), (MIN_MAPPED_POINTS - 1, True)])
def test_assisted_estimators_refuse_a_class_of_a_region_with_few_mapped_points(
    estimator: str, mapped: int, refused: bool
) -> None:
    """Region N has exactly `mapped` points that the map calls coca, and hundreds of the others."""
    sample, _ = simple_sample(n=1_200)
    coca = (sample["map_class"] == "coca").to_numpy()
    north = np.where(coca, np.cumsum(coca) <= mapped, np.arange(len(sample)) % 2 == 0)
    sample = sample.assign(region=np.where(north, "N", "S"))
    ground = sample.groupby(["stratum", "region"]).size().rename("area_ha").reset_index()
    found = estimated(sample, ground, estimator=estimator, by_region=True)
    rows = found.regions.set_index(["region", "class"])
    figures = rows[["area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]]
    assert figures.loc[("N", "coca")].isna().all() == refused
    assert figures.drop(("N", "coca")).notna().all(axis=None)
    note = Note("few_mapped_points", estimator=estimator, least=MIN_MAPPED_POINTS)
    assert rows.loc[("N", "coca"), "notes"] == ((note,) if refused else ())
    assert [w.code for w in found.warnings].count("no_figure_where_few_mapped") == refused
    assert found.classes["area_ha"].notna().all()


@pytest.mark.parametrize("interval", ["gamma", "wald"])
@pytest.mark.parametrize("estimator", ["simple", "poststratified", "difference", "regression"])
def test_over_many_samples_every_estimator_is_near_the_truth_and_covers_it(
    estimator: str, interval: str
) -> None:
    """30 samples of a frame whose coca is 0.1 x .8 + 1 x .2 / 3 of 1,000 ha; the mean within 4 SE."""
    truth = 1_000 * (0.1 * 0.8 + 0.2 / 3)
    rows = [
        estimated(*simple_sample(seed, 300), estimator=estimator, interval=interval).classes.set_index(
            "class"
        )
        for seed in range(30)
    ]
    coca = pd.DataFrame([r.loc["coca"] for r in rows])
    mean_error = abs(coca["area_ha"].mean() - truth)
    assert mean_error < 4 * coca["standard_error_ha"].mean() / 30**0.5
    covered = ((coca["ci_low_ha"] <= truth) & (truth <= coca["ci_high_ha"])).sum()
    assert covered >= 25
    spread = coca["area_ha"].std(ddof=1) / coca["standard_error_ha"].mean()
    assert 0.6 < spread < 1.5


def test_a_region_with_few_points_has_its_estimate_and_the_words() -> None:
    sample, strata = random_design(8, n_strata=2)
    region = np.where(np.arange(len(sample)) < MIN_REGION_POINTS - 1, "small", "large")
    regions = estimated(sample.assign(region=region), strata, by_region=True).regions.set_index("region")
    assert set(regions.loc["small", "notes"]) == {(Note("n_too_small"),)}
    assert regions.loc["small", ["ci_low_ha", "ci_high_ha"]].isna().all(axis=None)
    assert regions.loc["small", "area_ha"].notna().all()
    assert (regions.loc["small", "n"] == MIN_REGION_POINTS - 1).all()
    assert regions.loc["large", "ci_high_ha"].notna().all()
    assert set(regions.loc["large", "notes"]) == {()}


def test_wald_says_that_zero_width_is_not_certainty() -> None:
    tables = sample_of("ab", np.array([[20, 0], [0, 300]])), strata_of("ab", [100, 100_000])
    assert estimated(*tables).warnings[0] == Note("wald_zero_width", classes=("a", "b"))
    assert estimated(*tables, interval="gamma").warnings == ()


@pytest.mark.parametrize(
    ("interval", "code"), [("wald", "wald_zero_width"), ("gamma", "zero_standard_error")]
)
def test_a_region_without_a_hit_says_that_its_error_of_zero_is_no_certainty(interval, code) -> None:
    rows = [("s", "A", "coca", 10), ("s", "A", "other", 10), ("s", "B", "other", 20)]
    sample = pd.DataFrame(
        [
            {"stratum": s, "region": r, "map_class": c, "reference_class": c}
            for s, r, c, n in rows
            for _ in range(n)
        ]
    )
    found = estimate_areas(
        sample, strata_of("s", [100]), classes=None, estimator="stratified", interval=interval,
        confidence=0.95, by_region=True,
    ).regions.set_index(["region", "class"])  # fmt: skip
    assert found.loc[("B", "coca"), "standard_error_ha"] == 0
    assert found.loc[("B", "coca"), "notes"] == (Note(code, classes=("coca",)),)
    assert found.loc[("A", "coca"), "notes"] == found.loc[("B", "other"), "notes"] == ()


def paired() -> tuple[pd.DataFrame, pd.DataFrame]:
    """100 ha with 50 points: 30 forest kept, 6 forest to coca, 2 coca to forest, 12 coca kept."""
    pairs = (
        [("forest", "forest")] * 30
        + [("forest", "coca")] * 6
        + [("coca", "forest")] * 2
        + [("coca", "coca")] * 12
    )
    sample = pd.DataFrame(pairs, columns=["reference_before", "reference_after"]).assign(
        stratum="s", region="R"
    )
    return sample, strata_of("s", [100])


def test_change_from_paired_points_by_hand() -> None:
    """Gain 12 ha, loss 4, net 8; V(net) = 100^2 (8/50 - (4/50)^2)/49, not V(before) + V(after)."""
    table = estimate_change(*paired(), classes=None, interval="wald", confidence=0.95, by_region=True).table
    coca = table[(table["class"] == "coca") & (table["region"] == "")].set_index("quantity")
    assert coca["area_ha"].to_dict() == pytest.approx(
        {"before": 28, "after": 36, "gain": 12, "loss": 4, "net": 8}
    )
    assert coca.loc["net", "standard_error_ha"] ** 2 == pytest.approx(100**2 * (0.16 - 0.08**2) / 49)
    assert coca.loc["net", "ci_high_ha"] - 8 == pytest.approx(Z * coca.loc["net", "standard_error_ha"])
    assert coca.loc["gain", "standard_error_ha"] ** 2 == pytest.approx(100**2 * 0.12 * 0.88 / 49)
    independent = (coca.loc[["before", "after"], "standard_error_ha"] ** 2).sum()
    assert coca.loc["net", "standard_error_ha"] ** 2 < 0.5 * independent
    pd.testing.assert_frame_equal(
        table[table["region"] == "R"].drop(columns="region").reset_index(drop=True),
        table[table["region"] == ""].drop(columns="region").reset_index(drop=True),
    )


def test_the_net_change_of_few_points_is_wider_under_the_default_interval() -> None:
    wide = estimate_change(*paired(), classes=None, interval="gamma", confidence=0.95, by_region=False).table
    row = wide[(wide["class"] == "coca") & (wide["quantity"] == "net")].iloc[0]
    assert row["ci_low_ha"] < 8 < row["ci_high_ha"]
    assert (row["ci_high_ha"] - row["ci_low_ha"]) / 2 > Z * row["standard_error_ha"]


def test_points_seen_once_give_no_change() -> None:
    sample, strata = paired()
    with pytest.raises(InputError, match="no column reference_before"):
        estimate_change(
            sample.drop(columns="reference_before"),
            strata, classes=None, interval="wald", confidence=0.95, by_region=False,
        )  # fmt: skip


def test_one_percent_of_false_labels_at_half_a_percent_triples_the_hectares() -> None:
    """Seen 1.495 % of 100,000 ha with specificity .99: true (.01495 - .01)/.99 = .5 %."""
    low, high = sensitivity_band(1_495, 1_495, 100_000, sensitivity=(1, 1), specificity=(0.99, 1))
    assert low == pytest.approx(500)
    assert high == 1_495
    assert sensitivity_band(10, 20, 100, sensitivity=(1, 1), specificity=(1, 1)) == (10, 20)
    assert sensitivity_band(5, 20, 100, sensitivity=(0.5, 1), specificity=(0.9, 1))[0] == 0
    with pytest.raises(UsageError, match="sensitivity"):
        sensitivity_band(10, 20, 100, sensitivity=(0.5, 1), specificity=(0.4, 1))
