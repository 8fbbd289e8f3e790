"""Shares that the map's own validation leads one to expect, and the strata made for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.fieldwork.design.test_strata import CODES, LAST_YEAR, layers

from cocal.errors import InputError
from cocal.fieldwork.design import Cells, DesignSettings, stratify, target_by_bin, validated_shares

MANY = 10**7
TARGET, OTHER = np.array([4, 6]) * MANY, np.array([9, 1]) * MANY
"""60 % of the target and 10 % of the rest have a high probability."""


def em(found, target, other, steps: int = 20_000):
    """The EM of Saerens, Latinne and Decaestecker (2002), equations 2.4: an oracle."""
    one, two = ((rows + 0.5) / (rows + 0.5).sum() for rows in (target, other))
    share = 0.5
    for _ in range(steps):
        chance = share * one / (share * one + (1 - share) * two)
        share = (found * chance).sum() / found.sum()
    return chance


def test_the_share_of_a_mixture_is_that_of_its_two_parts():
    """200 pixels of the target and 800 others: 120 + 80 high, 80 + 720 low."""
    low, high = target_by_bin(np.array([800, 200]), TARGET, OTHER)
    assert (low, high) == (pytest.approx(80 / 800, rel=1e-4), pytest.approx(120 / 200, rel=1e-4))


@pytest.mark.parametrize(("found", "limit"), [([1000, 50], 0.0), ([300, 700], 1.0)])
def test_a_map_beyond_both_parts_is_all_of_one(found, limit):
    """5 % high is less than the rest alone has, 70 % more than the target alone."""
    assert target_by_bin(np.array(found), TARGET, OTHER) == pytest.approx([limit, limit], abs=1e-6)


@given(st.lists(st.tuples(*[st.integers(1, 1000)] * 3), min_size=2, max_size=8))
def test_the_likelihood_is_greatest_where_em_ends(rows):
    found, target, other = (np.array(column) for column in zip(*rows, strict=True))

    def likelihood(chance):
        one, two = ((r + 0.5) / (r + 0.5).sum() for r in (target, other))
        share = (found * chance).sum() / found.sum()
        return (found * np.log(share * one + (1 - share) * two)).sum()

    ours, theirs = target_by_bin(found, target, other), em(found, target, other, 2_000)
    assert likelihood(ours) >= likelihood(theirs) - 1e-6 * found.sum()


def test_strata_of_an_earlier_map_have_their_own_prevalence():
    """Half the pixels of the target's earlier ground are high, 15 % elsewhere: shares 0.8 and 0.1."""
    pixels = np.array([[1000, 8000], [0, 2000]])
    bins = np.array([[[500, 500], [6800, 1200]], [[0, 0], [1700, 300]]])
    cells = Cells(("R1", "R2"), ("earlier", "new"), pixels, pixels)
    found = validated_shares(cells, bins, target=TARGET, other=OTHER, group=[1, 0])
    assert found == pytest.approx(np.array([[0.8, 0.1], [0.0, 0.1]]), rel=1e-4)
    one = validated_shares(cells, bins, target=TARGET, other=OTHER, group=[0, 0])
    assert 0.1 < one[0, 0] < 0.8
    with pytest.raises(InputError, match="earlier in R2"):
        validated_shares(Cells(("R1", "R2"), ("earlier", "new"), pixels + 1, pixels), bins,
                         target=TARGET, other=OTHER, group=[1, 0])  # fmt: skip


def design(**change) -> DesignSettings:
    content = {
        "unobserved": "left_out", "by_region": False, "allocation": "interval", "floor": 0.001, "minimum": 5,
        "auto": {"probability": [0.05, 0.5], "earlier": {"path": str(LAST_YEAR), "values": [1]}},
        "draw": "random", "reserve": 0, "seed": 1, "size": {"points": 200, "per": "whole"},
        "interval": "gamma", "confidence": 0.95, "expected": {"source": "validation"},
    }  # fmt: skip
    return DesignSettings.model_validate(content | change)


def test_auto_strata_are_bins_of_the_probability_on_and_off_the_earlier_map():
    config = design()
    assert config.names == (
        "earlier-p0_5", "earlier-p0_05", "earlier-p0", "new-p0_5", "new-p0_05", "new-p0"
    )  # fmt: skip
    ground = layers([[2] * 7], [[0, 499, 500, 4999, 5000, 10_000, 65_535]], [[1, 1, 1, 1, 1, 1, 1]])
    assert stratify(ground, config.rules, CODES).tolist() == [[3, 3, 2, 2, 1, 1, 3]]
    ground = layers([[2] * 6], [[0, 499, 500, 4999, 5000, 10_000]], [[0, 0, 2, 0, 2, 0]])
    assert stratify(ground, config.rules, CODES).tolist() == [[6, 6, 5, 5, 4, 4]]
    alone = design(auto={"probability": [0.05]})
    assert alone.names == ("new-p0_05", "new-p0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strata": [{"stratum": "rest"}]}, "exactly one of `strata` and `auto`"),
        ({"auto": None}, "exactly one of `strata` and `auto`"),
        ({"auto": {"probability": [0.5, 0.05]}}, "ascending order"),
    ],
)
def test_strata_that_are_stated_twice_or_out_of_order_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        design(**change)
