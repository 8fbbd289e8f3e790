"""Sample size for a number of points or a half-width, and its allocation to strata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.frame import WHOLE, Frame
from cocal.fieldwork.design.settings import Allocation, DesignSettings, Points

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class HalfWidth(Protocol):
    """The half-width to be expected of the target class's area, ha, of a sample of `n` points per stratum.

    `share` (H,) is the expected share of each stratum's area that counts.
    """

    def __call__(self, area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float: ...


def plan_points(frame: Frame, settings: DesignSettings, half_width: HalfWidth, confidence: float) -> Ints:
    """Return (H,) the points of every stratum.

    With a target, the smallest number of points whose expected half-width, under the interval behind
    `half_width`, is at most the target: in every region, or in all together. Where strata are crossed
    with regions each region has its own number.

    Raises
    ------
    InputError
        A number that strata cannot take, or a relative target where nothing is expected.
    """
    everything = np.arange(len(frame.names))
    if isinstance(settings.size, Points):
        return _allocated(frame, settings, everything, settings.size.points)
    if settings.size.per == "whole":
        return _for_target(frame, settings, half_width, confidence, everything, (WHOLE,))
    regions = tuple(np.flatnonzero(frame.cells.pixels.sum(axis=1)).tolist())
    if not settings.by_region:
        return _for_target(frame, settings, half_width, confidence, everything, regions)
    n = np.zeros(len(frame.names), dtype=np.int64)
    for region in regions:
        strata, _ = frame.domain(region)
        n[strata] = _for_target(frame, settings, half_width, confidence, strata, (region,))
    return n


def reserve_points(n: Ints, pixels: Ints, reserve: float) -> Ints:
    """Return (H,) the reserve points: `reserve` per point, rounded up, as far as there are pixels."""
    wanted = np.ceil(np.round(n * reserve, 9)).astype(np.int64)
    return np.asarray(np.minimum(wanted, pixels - n))


def _allocated(frame: Frame, settings: DesignSettings, strata: Ints, n: int) -> Ints:
    """Points of these strata that add up to `n`."""
    accuracy = settings.expected.accuracy
    _, share = frame.domain()
    weight = allocation_weights(
        settings.allocation,
        frame.area_ha[strata],
        share[strata],
        accuracy=np.array([accuracy[frame.names[h]] for h in strata]) if accuracy else None,
        group=frame.region[strata] if settings.by_region else None,
        power=settings.power,
    )
    labels = [frame.labels[h] for h in strata]
    return allocate(n, weight, least=settings.minimum, most=frame.pixels[strata], labels=labels)


def _for_target(
    frame: Frame,
    settings: DesignSettings,
    half_width: HalfWidth,
    confidence: float,
    strata: Ints,
    domains: tuple[int, ...],
) -> Ints:
    """Points of these strata that bring every domain to the target."""
    assert not isinstance(settings.size, Points)
    goal = settings.size.half_width
    area, pixels = frame.area_ha[strata], frame.pixels[strata]
    shares = [frame.domain(domain)[1] for domain in domains]
    empty = [frame.cells.regions[d] for d, p in zip(domains, shares, strict=True) if not (area * p).sum()]
    if empty:
        raise InputError(
            "a relative half-width is undefined where nothing is expected",
            "an expected share above 0 in some stratum",
            f"none in {listed(empty, repr)}" if WHOLE not in domains else "none anywhere",
            "state the share that may have been overlooked there, or a number of points",
        )

    def reaches(n: int) -> bool:
        points = _allocated(frame, settings, strata, n)
        return all(half_width(area, pixels, points, p) <= goal * (area * p).sum() for p in shares)

    least = int(np.minimum(settings.minimum, pixels).sum())
    most = _fillable(frame, settings, strata)
    start = max(_normal_size(area, p, goal, confidence, int(pixels.sum())) for p in shares)
    return _allocated(frame, settings, strata, smallest(reaches, start=start, least=least, most=most))


def _fillable(frame: Frame, settings: DesignSettings, strata: Ints) -> int:
    """The largest number of points that the allocation can place."""
    _, share = frame.domain()
    pixels, p = frame.pixels[strata], share[strata]
    if settings.allocation in ("rare", "power"):
        return int(np.where((p > 0) & (p < 1), pixels, np.minimum(settings.minimum, pixels)).sum())
    return int(pixels.sum())


def _normal_size(area: Floats, share: Floats, goal: float, confidence: float, n_pixels: int) -> int:
    """Points for the target under a normal distribution and the best allocation: where the search begins."""
    from scipy.special import ndtri  # slow to load, and few runs draw points

    weight = area / area.sum()
    error = goal * float((weight * share).sum()) / float(ndtri((1 + confidence) / 2))
    return int(sample_size(weight, np.sqrt(share * (1 - share)), standard_error=error, n_pixels=n_pixels))


def sample_size(
    weight: Floats, deviation: Floats, *, standard_error: float, n_pixels: float = float("inf")
) -> float:
    """Return the points (not rounded) that a stratified sample needs for `standard_error` of a proportion.

    n = (sum W_h S_h)^2 / (SE^2 + (1/N) sum W_h S_h^2) (Cochran 1977, eq. 5.25; Olofsson et al. 2014,
    doi:10.1016/j.rse.2014.02.015, eq. 13). `weight` are the strata's parts W_h of the area, `deviation`
    their S_h = sqrt(p (1 - p)): with p the expected user's accuracies for the overall accuracy, with p the
    expected shares of a rare class for the proportion of that class.
    """
    return float(
        (weight * deviation).sum() ** 2 / (standard_error**2 + (weight * deviation**2).sum() / n_pixels)
    )


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
    if allocation == "rare":
        return rare
    assert group is not None
    assert power is not None
    expected = np.bincount(group, area * share)[group]
    return np.asarray(rare * np.where(expected > 0, expected, 1) ** (power - 1))


def allocate(n: int, weight: Floats, *, least: int, most: Ints, labels: Sequence[str] | None = None) -> Ints:
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
        "the points cannot be allocated to the strata",
        "a number between the sum of the minima and the number of pixels",
        found,
        remedy,
    )


def smallest(reaches: Callable[[int], bool], *, start: int, least: int, most: int) -> int:
    """Return the smallest number from `least` to `most` that `reaches`, which must hold from some number on.

    `most` is returned untested if nothing smaller does. The search doubles or halves from `start`.
    """
    low, high = least - 1, most
    guess = min(max(start, least), most)
    while low < guess < high:
        if reaches(guess):
            high = guess
            guess = max(guess // 2, least)
        else:
            low = guess
            guess = min(2 * guess, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high
