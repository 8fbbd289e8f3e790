"""Change with known areas: gain, loss and what stayed add up, class by class and region by region."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import InputError
from cocal.estimate import estimate_change

CLASSES = ("coca", "forest", "pasture")


def changed(sample: pd.DataFrame, strata: pd.DataFrame, known: pd.DataFrame | None, **more: object):
    asked = {"classes": None, "interval": "gamma", "confidence": 0.95, "by_region": True, "known": known}
    return estimate_change(sample, strata, **(asked | more)).table


def invented(seed: int, n: int = 200) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Pairs of observations in two strata and three regions, on a map with three transitions and clouds."""
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product(
        [["a", "b"], ["R0", "R1", "R2"], ["forest to coca", "forest to forest", "other", "unobserved"]],
        names=["stratum", "region", "map_class"],
    )
    known = pd.DataFrame({"area_ha": rng.gamma(1, 200, len(keys)) + 1}, index=keys).reset_index()
    parts = [
        own.sample(n, replace=True, weights=own["area_ha"], random_state=int(rng.integers(1 << 31)))
        for _, own in known.groupby("stratum")
    ]
    sample = pd.concat(parts, ignore_index=True).drop(columns="area_ha")
    sample["reference_before"] = rng.choice(CLASSES, len(sample), p=[0.1, 0.6, 0.3])
    stays = rng.random(len(sample)) < 0.9
    sample["reference_after"] = np.where(stays, sample["reference_before"], rng.choice(CLASSES, len(sample)))
    return sample, known.groupby("stratum")["area_ha"].sum().reset_index(), known


def test_one_stratum_by_hand() -> None:
    """100 ha, two regions of 60 and 40 ha, 20 pairs each; coca: 4 and 2 gained, 1 and 3 lost.

    Gain 100 x 6/40 = 15 ha; of R1 60 x 0.15 + 2.5 x (4 - 20 x 0.15) = 11.5, of R2 3.5.
    """

    def pairs(region: str, gained: int, lost: int) -> pd.DataFrame:
        before = ["land"] * gained + ["coca"] * lost + ["land"] * (20 - gained - lost)
        after = ["coca"] * gained + ["land"] * (20 - gained)
        return pd.DataFrame({"region": region, "reference_before": before, "reference_after": after})

    sample = pd.concat([pairs("R1", 4, 1), pairs("R2", 2, 3)], ignore_index=True).assign(stratum="s")
    strata = pd.DataFrame({"stratum": ["s"], "area_ha": [100.0]})
    known = pd.DataFrame({"stratum": "s", "region": ["R1", "R2"], "map_class": "x", "area_ha": [60.0, 40.0]})
    found = changed(sample, strata, known)
    area = found[found["class"] == "coca"].set_index(["region", "quantity"])["area_ha"]
    assert area["", "gain"] == pytest.approx(15.0, abs=1e-9)
    assert area["R1", "gain"] == pytest.approx(11.5, abs=1e-9)
    assert area["R2", "gain"] == pytest.approx(3.5, abs=1e-9)
    assert area["", "net"] == pytest.approx(15 - 10, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.sampled_from([12, 60, 300]))
def test_all_sums_close_and_nothing_is_negative(seed: int, n: int) -> None:
    sample, strata, known = invented(seed, n)
    found = changed(sample, strata, known)
    area = found.pivot_table("area_ha", ["region", "class"], "quantity")
    seen = known[known["map_class"] != "unobserved"].groupby("region")["area_ha"].sum()
    seen[""] = seen.sum()
    assert area.drop(columns="net").to_numpy().min() >= 0
    for date in ("before", "after"):
        sums = area[date].groupby("region").sum()
        assert np.abs(sums - seen[sums.index]).max() < 1e-6
    assert np.abs(area["after"] - area["before"] - area["net"]).max() < 1e-6
    assert np.abs(area["gain"] - area["loss"] - area["net"]).max() < 1e-6
    of_regions = area.drop(index="").groupby("class").sum()
    assert np.abs(of_regions - area.loc[""]).to_numpy().max() < 1e-6
    assert np.abs(area["gain"].groupby("region").sum() - area["loss"].groupby("region").sum()).max() < 1e-6
    shown = found.dropna(subset=["ci_low_ha"])
    assert (shown["ci_low_ha"] <= shown["area_ha"] + 1e-9).all()
    assert (shown["area_ha"] <= shown["ci_high_ha"] + 1e-9).all()
    parts = shown[shown["quantity"] != "net"]
    assert (parts["ci_high_ha"].to_numpy() <= seen[parts["region"]].to_numpy() + 1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_errors_are_those_of_explicit_calibration_weights(seed: int) -> None:
    """Point by point: y of each quantity is 0, 1 or -1; no transition is so rare that it is raked."""
    sample, strata, known = invented(seed, 6_000)
    known["area_ha"] = np.random.default_rng(seed).uniform(50, 150, len(known))
    strata = known.groupby("stratum")["area_ha"].sum().reset_index()
    found = changed(sample, strata, known).set_index(["region", "class", "quantity"])
    before, after = (sample[f"reference_{date}"] == "coca" for date in ("before", "after"))
    seen = sample["map_class"] != "unobserved"
    values = {"before": before, "gain": after & ~before, "net": after.astype(int) - before.astype(int)}
    for (region, quantity), y in {(r, q): v for r in ("R0", "R2") for q, v in values.items()}.items():
        y, here = (y * seen).to_numpy(float), (sample["region"] == region).to_numpy()
        total = variance = 0.0
        for h in strata["stratum"]:
            own = (sample["stratum"] == h).to_numpy()
            u = np.zeros(len(sample))
            for g, ground in known[known["stratum"] == h].groupby("map_class"):
                cell = own & (sample["map_class"] == g).to_numpy()
                part = ground.loc[ground["region"] == region, "area_ha"].sum() / ground["area_ha"].sum()
                w = ground["area_ha"].sum() / cell.sum() * (here[cell] + part - here[cell].mean())
                total += w @ y[cell]
                z = here[cell] * (y[cell] - y[cell].mean())
                u[cell] = ground["area_ha"].sum() / cell.sum() * (z - z.mean())
            variance += own.sum() * np.var(u[own], ddof=1)
        row = found.loc[(region, "coca", quantity)]
        assert row["area_ha"] == pytest.approx(total, rel=1e-6, abs=1e-6)
        assert row["standard_error_ha"] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_without_map_classes_in_the_sample_the_strata_alone_are_used() -> None:
    sample, strata, known = invented(1)
    found = changed(sample.drop(columns="map_class"), strata, known)
    before = found[found["quantity"] == "before"].groupby("region")["area_ha"].sum()
    seen = known[known["map_class"] != "unobserved"]
    area = seen.groupby("region")["area_ha"].sum()
    area[""] = area.sum()
    assert np.abs(before - area[before.index]).max() < 1e-6


def test_a_class_of_another_scheme_is_refused_by_name() -> None:
    sample, strata, known = invented(1)
    with pytest.raises(InputError, match="tea"):
        changed(sample.assign(reference_after="tea"), strata, known, classes=CLASSES)
