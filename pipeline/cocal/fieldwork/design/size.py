"""Points of every stratum for a number of points or for a half-width of the interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.allocation import allocate, allocation_weights, narrowest
from cocal.fieldwork.design.frame import WHOLE, Frame
from cocal.fieldwork.design.settings import DesignSettings, Points

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class HalfWidth(Protocol):
    """The half-width to be expected of the target class's area, ha, of a sample of `n` points per stratum.

    `share` (H,) is the expected share of each stratum's area that counts.
    """

    def __call__(self, area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float: ...


@dataclass(frozen=True)
class _Plan:
    """What points are planned for: `frame` holds the shares believed, `goals` the hectares of each domain
    that its half-width is held against (1 where only the widest interval counts).
    """

    frame: Frame
    settings: DesignSettings
    half_width: HalfWidth
    goals: dict[int, float]

    def widest(self, n: Ints) -> float:
        """The largest half-width over the domains, each relative to its goal."""
        return max(self._half(domain, n) / goal for domain, goal in self.goals.items())

    def _half(self, domain: int, n: Ints) -> float:
        strata, share = self.frame.domain(domain)
        frame = self.frame
        return self.half_width(frame.area_ha[strata], frame.pixels[strata], n[strata], share)

    def points(self, strata: Ints, n: int) -> Ints:
        """Return (H,) points of these strata that add up to `n`, 0 elsewhere."""
        frame, settings, least = self.frame, self.settings, self.settings.minimum
        accuracy = settings.expected.accuracy
        weight = allocation_weights(
            settings.allocation,
            frame.area_ha[strata],
            frame.domain()[1][strata],
            accuracy=np.array([accuracy[frame.names[h]] for h in strata]) if accuracy else None,
            group=frame.region[strata] if settings.by_region else None,
            power=settings.power,
        )
        labels = [frame.labels[h] for h in strata]

        def placed(low: int | Ints) -> Ints:
            out = np.zeros(len(frame.names), dtype=np.int64)
            out[strata] = allocate(n, weight, least=low, most=frame.pixels[strata], labels=labels)
            return out

        if settings.allocation != "interval":
            return placed(least)
        return narrowest(n, frame.area_ha[strata], least=least, placed=placed, width=self.widest)


def plan_points(frame: Frame, settings: DesignSettings, half_width: HalfWidth, confidence: float) -> Ints:
    """Return (H,) the points of every stratum.

    With a target, the smallest number of points whose expected half-width, under the interval behind
    `half_width`, is at most the target: in every region, or in all together. Where strata are crossed
    with regions each region has its own number. `settings.floor` is believed at least in every stratum.

    Raises
    ------
    InputError
        A number that strata cannot take, or a relative target where nothing is expected.
    """
    everything = np.arange(len(frame.names))
    size, believed = settings.size, replace(frame, share=np.maximum(frame.share, settings.floor or 0.0))
    domains = _domains(frame, settings)
    if isinstance(size, Points):
        plan = _Plan(believed, settings, half_width, dict.fromkeys(domains, 1.0))
        return plan.points(everything, size.points)
    goals = {domain: size.half_width * _expected_ha(frame, domain) for domain in domains}
    _check_goals(frame, goals)
    plan = _Plan(believed, settings, half_width, goals)
    if size.per == "whole" or not settings.by_region:
        return _for_target(plan, everything, confidence)
    n = np.zeros(len(frame.names), dtype=np.int64)
    for region, goal in goals.items():
        strata, _ = frame.domain(region)
        n += _for_target(replace(plan, goals={region: goal}), strata, confidence)
    return n


def reserve_points(n: Ints, pixels: Ints, reserve: float) -> Ints:
    """Return (H,) the reserve points: `reserve` per point, rounded up, as far as there are pixels."""
    wanted = np.ceil(np.round(n * reserve, 9)).astype(np.int64)
    return np.asarray(np.minimum(wanted, pixels - n))


def _domains(frame: Frame, settings: DesignSettings) -> tuple[int, ...]:
    """The regions, or the whole, whose interval is planned for."""
    if settings.size.per != "region":
        return (WHOLE,)
    return tuple(np.flatnonzero(frame.cells.pixels.sum(axis=1)).tolist())


def _expected_ha(frame: Frame, domain: int) -> float:
    strata, share = frame.domain(domain)
    return float((frame.area_ha[strata] * share).sum())


def _check_goals(frame: Frame, goals: dict[int, float]) -> None:
    empty = [frame.cells.regions[domain] for domain, goal in goals.items() if not goal]
    if empty:
        raise InputError(
            "`design.size.half_width`: a relative half-width is undefined where nothing is expected",
            "an expected share above 0 in some stratum",
            f"none in {listed(empty, repr)}" if WHOLE not in goals else "none anywhere",
            "state the share that may have been overlooked there, or a number of points",
        )


def _for_target(plan: _Plan, strata: Ints, confidence: float) -> Ints:
    """Return (H,) points of these strata that bring every domain to its goal."""
    frame, settings = plan.frame, plan.settings
    area, pixels = frame.area_ha[strata], frame.pixels[strata]
    share = frame.domain()[1][strata]
    least = int(np.minimum(settings.minimum, pixels).sum())
    most = _fillable(settings, pixels, share)
    z_goal = min(plan.goals.values())
    start = _normal_size(area, share, z_goal, confidence, int(pixels.sum()))
    n = smallest(lambda n: plan.widest(plan.points(strata, n)) <= 1, start=start, least=least, most=most)
    return plan.points(strata, n)


def _fillable(settings: DesignSettings, pixels: Ints, share: Floats) -> int:
    """The largest number of points that the allocation can place."""
    if settings.allocation in ("rare", "power", "interval"):
        return int(np.where((share > 0) & (share < 1), pixels, np.minimum(settings.minimum, pixels)).sum())
    return int(pixels.sum())


def _normal_size(area: Floats, share: Floats, half_ha: float, confidence: float, n_pixels: int) -> int:
    """Points for the target under a normal distribution and the best allocation: where the search begins."""
    from scipy.special import ndtri  # slow to load, and few runs draw points

    weight = area / area.sum()
    error = half_ha / float(area.sum()) / float(ndtri((1 + confidence) / 2))
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
