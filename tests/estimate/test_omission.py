"""Omission and commission of a map, with intervals, from a sample whose strata are not the map's classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cocal.estimate import map_errors
from cocal.estimate.omission import Total, ratio

COLUMNS = ["stratum", "map_class", "reference_class"]
WALD = {"estimator": "stratified", "interval": "wald", "confidence": 0.95, "by_region": False}
GAMMA = WALD | {"interval": "gamma"}


def stehman() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The example of Stehman 2014 (doi:10.1080/01431161.2014.930207), units as stratum-map-reference."""
    units = (
        "AAA " * 5 + "AAC AAB ABA ABB ABC BAA " + "BBB " * 5 + "BBA BBA BBB BBB "
        "CBC CBC CCC CCC CCC CCD CCD CCB CBB CBA " + "DDD " * 7 + "DDC DDC DDB"
    ).split()  # fmt: skip
    sample = pd.DataFrame([list(u) for u in units], columns=COLUMNS)
    strata = pd.DataFrame({"stratum": list("ABCD"), "area_ha": [40_000.0, 30_000.0, 20_000.0, 10_000.0]})
    return sample, strata


def test_published_omission_and_commission_with_the_published_error() -> None:
    """User's accuracy .574 (SE .125), producer's .794; its SE is .1165 by the paper's own equation.

    The paper's interval is symmetric; Fieller's, of the same variances, is not, and they agree in width to
    second order.
    """
    (row,) = map_errors(*stehman(), "B", **WALD).to_dict("records")
    assert 1 - row["commission"] == pytest.approx(0.574, abs=5e-4)
    assert 1 - row["omission"] == pytest.approx(0.794, abs=5e-4)
    half = 1.96 * 0.125
    assert (row["commission_high"] - row["commission_low"]) / 2 == pytest.approx(half, rel=0.15)
    assert (row["n_reference"], row["n_mapped"]) == (12, 16)


@given(
    st.tuples(*[st.floats(0.5, 50)] * 2),
    st.tuples(*[st.floats(0.05, 0.3)] * 2),
    st.floats(-0.9, 0.9),
)
def test_with_symmetric_ends_the_ratio_has_fieller_s_interval(values, errors, rho) -> None:
    """Fieller 1954: the roots of (a - R b)^2 = z^2 (Va - 2 R Vab + R^2 Vb), for b more than z SEs from 0."""
    (a, b), z = values, float(norm.ppf(0.975))
    sa, sb = errors[0] * a, errors[1] * b
    ends = ratio(*(Total(*(np.array([v]) for v in (m, m - z * s, m + z * s))) for m, s in ((a, sa), (b, sb))),
                 np.array([rho]))  # fmt: skip
    square = [b * b - z * z * sb * sb, -2 * (a * b - z * z * rho * sa * sb), a * a - z * z * sa * sa]
    low, high = sorted(np.roots(square).real)
    assert ends.high[0] == pytest.approx(high, rel=1e-6)
    assert ends.low[0] == pytest.approx(max(low, 0.0), rel=1e-6, abs=1e-9)


counts = st.lists(st.integers(0, 40), min_size=8, max_size=8).filter(lambda c: sum(c[:4]) > 1 < sum(c[4:]))


def drawn(numbers: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points of two strata, by map and reference class."""
    rows = [(s, m, r) for s in "ab" for m in ("coca", "other") for r in ("coca", "other")]
    sample = pd.DataFrame(
        np.repeat(rows, numbers, axis=0), columns=["stratum", "map_class", "reference_class"]
    )
    return sample, pd.DataFrame({"stratum": ["a", "b"], "area_ha": [100.0, 5_000.0]})


@settings(max_examples=25, deadline=None)
@given(counts, st.sampled_from(["gamma", "wald"]))
def test_ends_hold_the_share_and_turning_map_and_reference_turns_both_errors(numbers, interval) -> None:
    sample, strata = drawn(numbers)
    how = WALD | {"interval": interval}
    (row,) = map_errors(sample, strata, "coca", **how).to_dict("records")
    turned = sample.rename(columns={"map_class": "reference_class", "reference_class": "map_class"})
    (other,) = map_errors(turned, strata, "coca", **how).to_dict("records")
    for name, back in (("omission", "commission"), ("commission", "omission")):
        ends = [row[f"{name}{end}"] for end in ("_low", "", "_high")]
        assert np.isnan(ends).all() or (
            0 <= ends[0] <= ends[1] + 1e-12 and ends[1] <= ends[2] + 1e-12 <= 1 + 2e-12
        )
        assert np.allclose(ends, [other[f"{back}{end}"] for end in ("_low", "", "_high")], equal_nan=True)


def test_a_map_without_an_error_among_the_points_may_still_have_some() -> None:
    """As a stratum of much ground without a point of the class may hide some."""
    (row,) = map_errors(*drawn([30, 0, 0, 30, 0, 0, 0, 60]), "coca", **GAMMA).to_dict("records")
    assert (row["omission"], row["omission_low"], row["commission_low"]) == (0, 0, 0)
    assert row["omission_high"] > 0.5
    assert row["commission_high"] > 0.02


def test_what_no_point_shows_has_no_figure() -> None:
    (row,) = map_errors(*drawn([0, 0, 5, 30, 0, 0, 0, 60]), "coca", **GAMMA).to_dict("records")
    assert (row["omission"], row["n_mapped"]) == (1, 0)
    assert np.isnan([row["commission"], row["commission_low"], row["commission_high"]]).all()
    (row,) = map_errors(*drawn([0, 0, 0, 30, 0, 0, 0, 60]), "coca", **GAMMA).to_dict("records")
    assert np.isnan(row["omission"])
    assert row["n_reference"] == 0


def test_regions_are_domains_and_one_with_few_points_has_no_interval() -> None:
    sample, strata = drawn([40, 10, 10, 60, 1, 1, 1, 60])
    sample["region"] = np.where(np.arange(len(sample)) % 25 == 0, "small", "large")
    table = map_errors(sample, strata, "coca", **(GAMMA | {"by_region": True})).set_index("region")
    assert table.loc[["small", "large"], "n_reference"].sum() == table.loc["", "n_reference"] == 52
    assert np.isnan(table.loc["small", "omission_low"])
    assert 0 < table.loc["large", "omission_low"] < table.loc["large", "omission"]


def test_the_interval_holds_where_the_strata_are_an_older_map() -> None:
    """Four strata of the invented land (seed 7), 300 points each; the full size is in acceptance."""
    truth = np.array([[4031, 2155, 1866, 31442], [275213, 2620, 3275, 2095], [401759, 695, 251, 997],
                      [712774, 0, 33, 0]])  # fmt: skip
    rng, held = np.random.default_rng(5), 0
    total = truth.sum(axis=0)
    omission = total[1] / (total[1] + total[3])
    strata = pd.DataFrame({"stratum": list("abcd"), "area_ha": truth.sum(axis=1) / 100})
    rows = [(s, m, r) for s in "abcd" for m in ("other", "coca") for r in ("other", "coca")]
    for _ in range(40):
        numbers = np.concatenate([rng.multivariate_hypergeometric(row, 300) for row in truth])
        sample = pd.DataFrame(
            np.repeat(rows, numbers, axis=0), columns=["stratum", "map_class", "reference_class"]
        )
        (row,) = map_errors(sample, strata, "coca", **GAMMA).to_dict("records")
        held += row["omission_low"] <= omission <= row["omission_high"]
    assert held >= 36
