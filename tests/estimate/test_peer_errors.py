"""Errors that published area code ships, each put in here: the check that must catch it does.

Every check is a function of the program as it stands. It passes on the program, and with the error put in
by monkeypatch it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import OLOFSSON, OLOFSSON_COUNTS, olofsson, sample_of, strata_of

from cocal.errors import InputError
from cocal.estimate import areas, estimate_areas, intervals, stratified, tally
from cocal.estimate.result import Estimate
from cocal.estimate.strata import Strata


def estimated(
    tables: tuple[pd.DataFrame, pd.DataFrame], estimator: str = "stratified", interval: str = "wald"
) -> Estimate:
    return estimate_areas(
        *tables, classes=None, estimator=estimator, interval=interval, confidence=0.95, by_region=False
    )


def check_producers_variance() -> None:
    """Deforestation: 0.10883 by equation 7 of Olofsson et al. 2014 (half-width .21 as printed)."""
    row = estimated(olofsson()).classes.set_index("class").loc["deforestation"]
    assert round(1.96 * row["producers_accuracy_se"], 2) == 0.21
    row = estimated(olofsson()).classes.set_index("class").loc["nonforest"]
    assert round(1.96 * row["producers_accuracy_se"], 4) == 0.0184


def check_poststratified_variance() -> None:
    """Two post-strata of half the frame, 50 points each, 10 and 20 of the class, n = 100, A = 1,000 ha.

    s2 = p q 50/49: .163265, .244898. V = 1000^2 [ (1/100)(.5 s2_1 + .5 s2_2)
    + (1/100^2)(.5 s2_1 + .5 s2_2) ] = 1e6 (.01 + .0001) x .2040816 = 2061.22.
    """
    counts = np.array([[10, 40], [20, 30]])
    row = estimated((sample_of("ab", counts), strata_of("ab", [500, 500])), "poststratified").classes
    assert row["standard_error_ha"][0] ** 2 == pytest.approx(2061.2245, abs=1e-3)
    assert row["area_ha"][0] == pytest.approx(300.0)


def check_strata_meet_their_sizes() -> None:
    """Strata listed in another order than the points: areas 9,000 and 100 ha, n 50 and 10.

    p = 10/50 and 5/10: V = 9000^2 (.2)(.8)/49 + 100^2 (.25)/9 = 264,489.80 + 277.78.
    """
    sample = sample_of("ab", np.array([[5, 5], [10, 40]]))
    strata = strata_of("ba", [9_000, 100])
    row = estimated((sample, strata)).classes.set_index("class").loc["a"]
    assert row["standard_error_ha"] ** 2 == pytest.approx(264_767.57, abs=0.01)


def check_proportions_sum_to_one() -> None:
    """Two of Olofsson's strata without points hold 70 % of the area: refused; else the sum is the frame."""
    sample, strata = olofsson()
    some = sample[~sample["stratum"].isin(["forest", "nonforest"])]
    with pytest.raises(InputError, match="forest"):
        estimated((some, strata))
    whole = estimated((sample, strata)).classes
    assert whole["area_ha"].sum() == pytest.approx(strata["area_ha"].sum(), rel=1e-12)


def check_no_interval_of_zero_width() -> None:
    """No error among the points of the large stratum: 3 of 300 would still be no surprise."""
    tables = (sample_of("ab", np.array([[20, 0], [0, 300]])), strata_of("ab", [100, 100_000]))
    row = estimated(tables, interval=intervals.DEFAULT_INTERVAL).classes.set_index("class").loc["a"]
    assert row["area_ha"] == pytest.approx(100.0)
    assert row["ci_high_ha"] - row["area_ha"] > 3 * 100_000 / 300


def all_strata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variance of producer's accuracy summed over all strata instead of i != j."""
    true = stratified.ratios

    def wrong(group, stratum, both, count, *, strata, n_groups):
        ratio, error = true(group, stratum, both, count, strata=strata, n_groups=n_groups)
        x = tally.totals(tally.tally(group, stratum, np.ones_like(count), count, n_groups=n_groups), strata)
        own = both > 0
        extra = tally.tally(group[own], stratum[own], ratio[group[own]], count[own], n_groups=n_groups)
        return ratio, np.sqrt(error**2 + tally.variances(extra, strata) / x**2)

    monkeypatch.setattr(stratified, "ratios", wrong)


def cells_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error too small by sqrt(1 - p) in each cell."""
    true = tally.variances

    def wrong(sums, strata):
        share = sums.first / strata.n[sums.stratum]
        return true(
            replace(sums, second=sums.second * (1 - share), first=sums.first * np.sqrt(1 - share)), strata
        )

    monkeypatch.setattr(stratified, "variances", wrong)


def sizes_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample sizes sorted, strata not."""
    true = Strata.with_points

    def wrong(self, stratum):
        strata = true(self, stratum)
        return replace(strata, n=np.sort(strata.n))

    monkeypatch.setattr(Strata, "with_points", wrong)


def empty_strata_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stratum without points counts as a stratum without the class."""

    def wrong(self) -> None:
        self.n[self.n == 0] = 2

    monkeypatch.setattr(Strata, "check_points", wrong)


def unseen_is_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stratum in which no error was found adds nothing to the interval."""
    monkeypatch.setattr(
        intervals, "_heaviest_absent", lambda sums, strata, weight, scope: np.zeros(sums.n_groups)
    )


def wald_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The literature's interval under the default's name."""
    monkeypatch.setitem(intervals.INTERVALS, intervals.DEFAULT_INTERVAL, intervals.wald)


ERRORS = [
    (check_producers_variance, all_strata),
    (check_poststratified_variance, cells_too_small),
    (check_strata_meet_their_sizes, sizes_in_another_order),
    (check_proportions_sum_to_one, empty_strata_are_zero),
    (check_no_interval_of_zero_width, unseen_is_impossible),
    (check_no_interval_of_zero_width, wald_by_default),
]


@pytest.mark.parametrize(("check", "error"), ERRORS, ids=[error.__name__ for _, error in ERRORS])
def test_the_check_passes_on_the_program_and_fails_with_the_error_put_in(
    check: Callable[[], None], error: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check()
    error(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check()


def test_the_wrong_pairing_of_sizes_is_a_gross_error_in_the_standard_error() -> None:
    """What the peer's pairing does to Olofsson's table: not a matter of digits."""
    sample, strata = olofsson()
    right = estimated((sample, strata)).classes.set_index("class")["standard_error_ha"]
    swapped = strata.assign(area_ha=strata["area_ha"].to_numpy()[[3, 1, 2, 0]])
    wrong = estimated((sample, swapped)).classes.set_index("class")["standard_error_ha"]
    assert wrong["deforestation"] / right["deforestation"] > 3
    assert OLOFSSON_COUNTS.sum() == 640
    assert len(OLOFSSON) == 4


def test_the_intervals_are_looked_up_where_the_errors_are_put_in() -> None:
    assert areas.INTERVALS is intervals.INTERVALS
