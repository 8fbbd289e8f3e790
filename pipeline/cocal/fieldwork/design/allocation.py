"""Allocation of a number of points to strata."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.settings import Allocation

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_HEAVIEST_STEPS = 25
"""Heaviest weights of a point that `narrowest` compares: steps of a few per cent between its bounds."""


def allocation_weights(
    allocation: Allocation,
    area: Floats,
    share: Floats,
    *,
    accuracy: Floats | None = None,
    group: Ints | None = None,
    power: float | None = None,
) -> Floats:
    """Return (H,) the weights that the points of the strata are proportional to.

    proportional  W_h
    equal         1
    neyman        W_h sqrt(U_h (1 - U_h)): least variance of the overall accuracy; U_h expected accuracy
    rare          W_h sqrt(p_h (1 - p_h)): least variance of the target class's area; p_h expected share
    interval      as `rare`; `narrowest` raises the minima
    power         Y_g^q / Y_g x W_h sqrt(p_h (1 - p_h)): between groups g (regions) of expected area Y_g the
                  power allocation of Bankier (1988, The American Statistician 42:174), q = 1 is `rare`,
                  q = 0 aims at equal relative precision; within them as `rare`

    Parameters
    ----------
    area : (H,) area or pixels of the strata.
    share : (H,) expected share of the target class.
    accuracy : (H,) for `neyman`.
    group : (H,) region of each stratum, for `power`.
    power : q, 0 to 1.
    """
    if allocation == "proportional":
        return area
    if allocation == "equal":
        return np.ones_like(area)
    if allocation == "neyman":
        assert accuracy is not None
        return np.asarray(area * np.sqrt(accuracy * (1 - accuracy)))
    rare = np.asarray(area * np.sqrt(share * (1 - share)))
    if allocation in ("rare", "interval"):
        return rare
    assert group is not None
    assert power is not None
    expected = np.bincount(group, area * share)[group]
    return np.asarray(rare * np.where(expected > 0, expected, 1) ** (power - 1))


def allocate(
    n: int, weight: Floats, *, least: int | Ints, most: Ints, labels: Sequence[str] | None = None
) -> Ints:
    """Return (H,) whole numbers of points that add up to `n`, as near to `weight` as the bounds allow.

    Every stratum gets `least` (all its pixels where it has fewer) to `most` points; between the bounds points
    are proportional to `weight`, rounded by largest remainders, the first of equals first.

    Raises
    ------
    InputError
        `n` is under the sum of the minima or over the number of pixels, or strata without weight would
        have to take points beyond their minimum.
    """
    low = np.minimum(least, most)
    limit = np.where(weight > 0, most, low)
    if not low.sum() <= n <= limit.sum():
        _refuse_number(n, low, limit, most, labels)
    if n == limit.sum():
        return limit
    wanted = np.clip(_multiplier(n, weight, low, limit) * weight, low, limit)
    points = np.floor(wanted + 1e-9).astype(np.int64)
    order = np.argsort(points - wanted, kind="stable")
    order = order[points[order] < limit[order]]
    missing = n - int(points.sum())
    points[order[:missing]] += 1
    return points


def _multiplier(n: int, weight: Floats, low: Ints, high: Ints) -> float:
    """The largest factor, to float64, with which weights cut to the bounds add up to at most `n`."""
    below, above = 0.0, 1.0 / weight[weight > 0].min()
    while np.clip(above * weight, low, high).sum() < n:
        above *= 2
    for _ in range(200):
        middle = (below + above) / 2
        if np.clip(middle * weight, low, high).sum() <= n:
            below = middle
        else:
            above = middle
    return below


def _refuse_number(n: int, low: Ints, limit: Ints, most: Ints, labels: Sequence[str] | None) -> None:
    names = labels if labels is not None else [str(i) for i in range(len(low))]
    if n < low.sum():
        found = f"{n} points for {len(low)} strata, {low.sum()} are the least"
        remedy = "state more points, lower `design.minimum`, or make fewer strata"
    elif n > most.sum():
        found = f"{n} points, but only {most.sum()} pixels"
        remedy = "state fewer points"
    else:
        flat = [names[i] for i in np.flatnonzero(limit < most).tolist()]
        found = f"no expected variance in stratum {listed(flat, repr)}, all others are full"
        remedy = "state an expected share between 0 and 1 there, or another allocation"
    raise InputError(
        "the points of `design.size.points` cannot be allocated to the strata",
        "a number between the sum of the minima and the number of pixels",
        found,
        remedy,
    )


def narrowest(
    n: int,
    area: Floats,
    *,
    least: int,
    placed: Callable[[int | Ints], Ints],
    width: Callable[[Ints], float],
) -> Ints:
    """Return the points of `n` with the least `width` over a family of allocations.

    n_h = max(lambda A_h sqrt(p_h (1 - p_h)), A_h / W): as `rare`, but no point stands for more than W ha. An
    interval that allows for an unseen event is as wide as its heaviest point, whatever is expected there
    (Fay and Feuer 1997, doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#; Fay and Kim
    2017), so `rare` alone leaves it wide. W runs from A / n (proportional) to the heaviest point of `rare`.

    Parameters
    ----------
    area : (strata) ha.
    placed : allocation as `rare` of `n` points with these minima.
    width : expected width under an allocation.
    """
    best = placed(least)
    narrow, sampled = width(best), best[best > 0]
    lightest, heaviest = area.sum() / n, float((area / sampled).max())
    for limit in np.geomspace(lightest, max(heaviest, lightest), _HEAVIEST_STEPS)[:-1]:
        low = np.maximum(least, np.ceil(area / limit)).astype(np.int64)
        if low.sum() > n:
            continue
        points = placed(low)
        if (wide := width(points)) < narrow:
            best, narrow = points, wide
    return best
