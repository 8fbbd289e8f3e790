"""Two phases: how many points are read on images, and how many of them are visited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LIMITS = 16
_HALVINGS = 50
GAIN = 0.95
"""Two phases must leave a half-width and a standard error under this share of those of visits alone."""


def plan_phases(
    area_ha: Floats,
    rates: tuple[Floats, Floats],
    *,
    visits: int,
    cost_ratio: float,
    least: int,
    half_width: Callable[[Ints, Ints], float],
    alone_ha: tuple[float, float],
) -> tuple[Ints, Ints]:
    """(H,) points to be read, (H, 2) visits among those read as the target and among the others.

    Both cost as much as `visits` visits. Readings are proportional to A_s sqrt(k B_s), visits to A_s w_sr
    sqrt(p_sr (1 - p_sr)), B_s = sum_r w_sr (p_sr - p_s)^2: the least variance for a cost (Cochran 1977,
    section 12.3). As in `allocation.narrowest` no visit stands for more than W ha, W by the least half-width.

    Parameters
    ----------
    rates : (H,) share of the points read as the target; (H, 2) its share in each reading.
    cost_ratio : k, cost of a visit in readings.
    least : visits in each stratum and reading, at least.
    half_width : (points to be read, visits) -> expected half-width, ha.
    alone_ha : expected half-width and standard error of `visits` visits without readings, ha.

    Raises
    ------
    InputError
        Nothing is gained: half-width or standard error are not under `GAIN` of `alone_ha`. A half-width alone
        could be narrower by what the estimator of two phases assumes.
    """
    part, share = rates
    w = np.stack([part, 1 - part], axis=-1)
    apart = (w * (share - (w * share).sum(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    first, second = area_ha * np.sqrt(cost_ratio * apart), area_ha[:, None] * w * np.sqrt(share * (1 - share))

    def at(factor: float, limit: float) -> tuple[Floats, Floats]:
        n2 = np.maximum(np.maximum(factor * second, area_ha[:, None] * w / limit), least)
        return np.maximum(factor * first, (n2 / np.maximum(w, 1e-9)).max(axis=-1)), n2

    def cost(points: tuple[Floats, Floats]) -> float:
        return float(points[0].sum() / cost_ratio + points[1].sum())

    best, narrow = None, np.inf
    lightest = area_ha.sum() / visits
    for limit in np.geomspace(lightest / 2, 20 * lightest, _LIMITS):
        if cost(at(0.0, limit)) > visits:
            continue
        low, high = 0.0, visits / max(first.sum(), second.sum(), 1e-9) * cost_ratio
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if cost(at(middle, limit)) <= visits else (low, middle)
        n1, n2 = (np.floor(points).astype(np.int64) for points in at(low, limit))
        if (wide := half_width(n1, n2)) < narrow:
            best, narrow = (n1, n2), wide
    if best is None:
        raise _no_gain(visits, alone_ha, "no division of the cost that fits")
    n1, n2 = best
    parts = (w**2 * share * (1 - share) / n2).sum(axis=-1) + apart / n1
    found = narrow, float(np.sqrt((area_ha**2 * parts).sum()))
    if any(own >= GAIN * alone for own, alone in zip(found, alone_ha, strict=True)):
        raise _no_gain(visits, alone_ha, f"{found[0]:,.1f} and {found[1]:,.1f} ha at best")
    return best


def _no_gain(visits: int, alone_ha: tuple[float, float], found: str) -> InputError:
    return InputError(
        "two phases gain nothing here",
        f"under {GAIN:.0%} of the half-width {alone_ha[0]:,.1f} ha and of the standard error "
        f"{alone_ha[1]:,.1f} ha of {visits} visits alone",
        found,
        "visit all points: leave `design.phases` out",
    )
