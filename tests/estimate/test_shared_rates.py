"""Rates that regions share, against direct integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import simpson
from scipy.special import expit
from scipy.stats import beta as beta_law
from scipy.stats import betabinom

from cocal.estimate.regional.shared_rates import VARIATION, Seen, posterior_moments


def parameters(logit: np.ndarray, lift: float) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of the Beta distribution: its mean's logit plus `lift`, size 1 / (V^2 m (1 - m))."""
    mean, rest = expit(logit + lift), expit(-logit - lift)
    size = 1 / (VARIATION**2 * mean * rest)
    return mean * size, rest * size


def integrated(cells: list[tuple[float, int, int]], prior: tuple[float, float]) -> np.ndarray:
    """(cells, 3) means of p, p^2, p^3 by Simpson's rule over the logit, with scipy's distributions."""
    logit = np.linspace(-80, 60, 60_001)
    density = expit(logit) ** prior[0] * expit(-logit) ** prior[1]
    for lift, n, y in cells:
        density = density * betabinom.pmf(y, n, *parameters(logit, lift))
    density = density / simpson(density, logit)
    moments = []
    for lift, n, y in cells:
        a, b = parameters(logit, lift)
        rise, whole, product = a + y, a + b + n, density
        for k in range(3):
            product = product * (rise + k) / (whole + k)
            moments.append(simpson(product, logit))
        law = beta_law(a[30_000] + y, b[30_000] + n - y)
        assert law.moment(2) == pytest.approx((rise * (rise + 1) / whole / (whole + 1))[30_000])
    return np.array(moments).reshape(-1, 3)


def computed(cells: list[tuple[float, int, int]], prior: tuple[float, float]) -> np.ndarray:
    lift, points, hits = (np.array(column, dtype=float) for column in zip(*cells, strict=True))
    seen = Seen(np.zeros(len(cells), dtype=np.int64), lift, points, hits)
    return np.stack(posterior_moments(seen, np.array([prior[0]]), np.array([prior[1]])), axis=1)


@pytest.mark.parametrize(
    "cells",
    [
        [(0.0, 20, 0), (0.0, 5, 0), (0.0, 9, 0)],
        [(0.0, 20, 1), (0.7, 5, 0), (-0.7, 9, 0)],
        [(0.0, 20, 2), (0.0, 5, 1), (0.3, 9, 9)],
        [(0.0, 30, 30), (0.0, 12, 12)],
        [(0.0, 0, 0), (0.0, 300, 4)],
        [(0.0, 200, 20)] * 60,
    ],
)
@pytest.mark.parametrize("prior", [(1.25, 0.25), (0.25, 1.25), (0.5, 0.5)])
def test_moments_equal_those_of_simpson_s_rule(
    cells: list[tuple[float, int, int]], prior: tuple[float, float]
) -> None:
    np.testing.assert_allclose(computed(cells, prior), integrated(cells, prior), rtol=1e-5)


@pytest.mark.parametrize("prior", [(0.01, 0.5), (0.5, 0.01), (0.001, 0.001), (1.25, 0.25)])
def test_without_points_the_mean_is_that_of_the_prior(prior: tuple[float, float]) -> None:
    """m ~ Beta(w, v), so E p = w / (w + v); most of its mass lies beyond the grid where w is 0.01."""
    found = computed([(0.0, 0, 0)], prior)
    assert found[0, 0] == pytest.approx(prior[0] / sum(prior), rel=1e-5)


def test_many_regions_give_their_common_rate() -> None:
    """3,000 regions of 100 points at a rate of 1 %: the mean of all is their share of hits, to 1 %."""
    hits = np.random.default_rng(1).binomial(100, 0.01, 3_000)
    found = computed([(0.0, 100, int(y)) for y in hits], (1.25, 0.25))
    assert found[:, 0].mean() == pytest.approx(hits.mean() / 100, rel=0.01)


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.integers(0, 500), st.floats(0, 1)), min_size=1, max_size=12).map(
        lambda rows: [(lift, n, round(n * share)) for lift, n, share in rows]
    ),
    st.floats(0.01, 3),
    st.floats(0.01, 3),
)
@settings(max_examples=80, deadline=None)
def test_moments_are_those_of_a_share_and_mirror_when_hits_and_misses_change_places(
    cells, hits, misses
) -> None:
    """1 > E p >= E p^2 >= E p^3 >= (E p)^3, and E (1 - p) of the mirrored cells is 1 - E p."""
    first, second, third = computed(cells, (hits, misses)).T
    assert (first < 1).all()
    assert (first >= second).all()
    assert (second >= third).all()
    assert (third >= first**3 * (1 - 1e-9)).all()
    mirrored = computed([(-lift, n, n - y) for lift, n, y in cells], (misses, hits))
    np.testing.assert_allclose(1 - mirrored[:, 0], first, atol=1e-9)
