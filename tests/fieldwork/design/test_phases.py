"""How many points are read, how many visited, and when that gains nothing."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from tests.fieldwork.design.test_size import design, gamma_half_width

from cocal.errors import InputError
from cocal.estimate import expected_two_phase, reading_rates
from cocal.fieldwork.design import plan_phases

AREA, SHARE = np.array([400.0, 9_600.0]), np.array([0.8, 0.01])


def planned(area=AREA, share=SHARE, right=0.95, alone_ha=(1e9, 1e9), cost_ratio=10.0):
    rates = reading_rates(share, right, right)

    def half_width(n1, n2):
        return expected_two_phase(area, n1, n2, rates, confidence=0.95, seed=1).half_width_ha

    return plan_phases(area, rates, visits=1_000, cost_ratio=cost_ratio, least=20, half_width=half_width,
                       alone_ha=alone_ha)  # fmt: skip


@pytest.mark.parametrize("cost_ratio", [2.0, 10.0, 50.0])
def test_readings_and_visits_cost_what_the_visits_alone_would(cost_ratio):
    n1, n2 = planned(cost_ratio=cost_ratio)
    cost = n1.sum() / cost_ratio + n2.sum()
    assert 1_000 - 4 - 2 / cost_ratio <= cost <= 1_000
    assert (n2 >= 20).all()


def test_as_many_points_are_read_as_the_visits_of_each_reading_need():
    n1, n2 = planned()
    part, _ = reading_rates(SHARE, 0.95, 0.95)
    assert (n1 * part + 1 >= n2[:, 0]).all()
    assert (n1 * (1 - part) + 1 >= n2[:, 1]).all()


def test_good_readings_leave_an_interval_a_quarter_narrower_than_visits_alone():
    n = np.array([90, 910])
    alone = gamma_half_width(AREA, (AREA * 100).astype(np.int64), n, SHARE)
    n1, n2 = planned(alone_ha=(alone, 1e9))
    rates = reading_rates(SHARE, 0.95, 0.95)
    assert expected_two_phase(AREA, n1, n2, rates, confidence=0.95, seed=1).half_width_ha < 0.8 * alone


def test_readings_that_are_no_better_than_chance_are_refused():
    """Their standard error is that of fewer visits; a narrower interval would be the assumption's alone."""
    n = np.array([90, 910])
    error = float(np.sqrt((AREA**2 * SHARE * (1 - SHARE) / n).sum()))
    with pytest.raises(InputError, match="two phases gain nothing here"):
        planned(right=0.5, alone_ha=(1e9, error))
    alone = gamma_half_width(AREA, (AREA * 100).astype(np.int64), n, SHARE)
    with pytest.raises(InputError, match="two phases gain nothing here"):
        planned(right=0.5, alone_ha=(0.8 * alone, 1e9))


def test_the_error_of_the_plan_is_that_of_its_formula():
    """Just above it the plan agrees, just below it refuses: within sum A^2 [w^2 p (1-p) / n2 + B / n1]."""
    n1, n2 = planned()
    part, share = reading_rates(SHARE, 0.95, 0.95)
    w = np.stack([part, 1 - part], axis=-1)
    between = (w * (share - SHARE[:, None]) ** 2).sum(axis=-1) / n1
    error = np.sqrt((AREA**2 * ((w**2 * share * (1 - share) / n2).sum(axis=-1) + between)).sum())
    planned(alone_ha=(1e9, error / 0.949))
    with pytest.raises(InputError, match="gain nothing"):
        planned(alone_ha=(1e9, error / 0.951))


@pytest.mark.parametrize(
    "change",
    [{"size": {"half_width": 0.2, "per": "whole"}}, {"by_region": True}, {"draw": "balanced"},
     {"allocation": "rare", "size": {"points": 900}}],
)  # fmt: skip
def test_settings_of_two_phases_that_do_not_fit_are_refused(change):
    fits = {
        "by_region": False, "size": {"points": 900, "per": "whole"}, "allocation": "interval", "floor": 0.001,
        "phases": {"cost_ratio": 10, "sensitivity": 0.95, "specificity": 0.95},
    }  # fmt: skip
    design(**fits)
    with pytest.raises(ValidationError, match="phases: need"):
        design(**(fits | change))
