"""The points of every stratum, from a stated number or from the half-width that they must reach."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.frame import WHOLE, Frame
from cocal.fieldwork.design.settings import DesignSettings, Points
from cocal.fieldwork.design.size import allocate, allocation_weights, sample_size, smallest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class HalfWidth(Protocol):
    """The half-width to be expected of the target class's area, ha, of a sample of `n` points per stratum.

    `share` (H,) is the expected share of each stratum's area that counts.
    """

    def __call__(self, area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float: ...


def plan_points(frame: Frame, settings: DesignSettings, half_width: HalfWidth, confidence: float) -> Ints:
    """(H,) points of every stratum.

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
    """(H,) reserve points: `reserve` per point, rounded up, as far as there are pixels."""
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
            "a relative half-width has no meaning where nothing is expected",
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
