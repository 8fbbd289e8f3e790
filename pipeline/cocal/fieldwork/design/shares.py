"""Expected share of the target class in the strata: stated, of the map's probability, of its validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.frame import Cells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEPS = 60
_UNSEEN = 0.5
"""Rows added to each bin of the validation (Jeffreys' prior): one without a row of the target can hold it."""


def stated_shares(cells: Cells, share: dict[str, float], regions: dict[str, dict[str, float]]) -> Floats:
    """Return (regions, strata) shares as stated by stratum, and by region and stratum where that differs."""
    unknown = sorted(set(regions) - set(cells.regions))
    if unknown:
        raise InputError(
            "design.expected.regions names regions that do not exist",
            listed(cells.regions),
            listed(unknown, repr),
            "use the ids of the region files",
        )
    rows = [[{**share, **regions.get(region, {})}[s] for s in cells.strata] for region in cells.regions]
    return np.array(rows, dtype=np.float64)


def probability_shares(cells: Cells, total: Ints, observed: Ints) -> Floats:
    """Return (regions, strata) the mean of the map's probability; `total` in 1/10000 over `observed` pixels.

    Raises
    ------
    InputError
        A stratum has pixels but the map shows none of them.
    """
    _check_seen(cells, observed)
    return np.asarray(total / np.maximum(observed, 1) / 10_000)


def validated_shares(
    cells: Cells, bins: Ints, *, target: Sequence[int], other: Sequence[int], group: Sequence[int]
) -> Floats:
    """Return (regions, strata) the share of the target that the map's own validation leads one to expect.

    How often a pixel with a probability in a bin is the target, at the target's share in the ground of its
    group (`target_by_bin`), averaged over the pixels of each cell.

    Parameters
    ----------
    bins : (regions, strata, bins) observed pixels by bin of the map's probability.
    target, other : (bins) rows of the validation that are the target, and that are not; none was tested by
        a model that it trained.
    group : (strata) strata of one number share one prevalence, as those on the target of an earlier map.

    Raises
    ------
    InputError
        A stratum has pixels but the map shows none of them.
    """
    _check_seen(cells, bins.sum(axis=2))
    number, share = np.asarray(group), np.zeros(bins.shape[:2])
    for one in np.unique(number):
        mine = bins[:, number == one]
        chance = target_by_bin(mine.sum(axis=(0, 1)), np.asarray(target), np.asarray(other))
        share[:, number == one] = mine @ chance / np.maximum(mine.sum(axis=2), 1)
    return share


def target_by_bin(found: Ints, target: Ints, other: Ints) -> Floats:
    """Return (bins) the probability that a pixel is the target, given the bin of the model's probability.

    The map's histogram `found` is a mixture of those of the target and of the rest, which the validation
    shows. The target's share is the one of greatest likelihood (Saerens, Latinne and Decaestecker 2002,
    doi:10.1162/089976602753284446, find the same maximum by EM); Bayes' rule gives the rest. It holds where
    both look on the map as in the samples.

    Parameters
    ----------
    found : (bins) pixels of the map.
    target, other : (bins) rows of the validation.

    Examples
    --------
    60 % of the target, 10 % of the rest have a high probability. Of 1,000 pixels 150 have one: 100 of the
    target, 60 + 0.1 x 900 = 150. So 60 of 150 are the target, and 40 of 850.

    >>> many = 10**7
    >>> rest, high = target_by_bin(
    ...     np.array([850, 150]), np.array([4 * many, 6 * many]), np.array([9 * many, many])
    ... )
    >>> round(float(high), 3), round(float(rest), 3)
    (0.4, 0.047)
    """
    one, two = ((rows + _UNSEEN) / (rows + _UNSEEN).sum() for rows in (target, other))
    low, high = 0.0, 1.0
    for _ in range(_STEPS):  # the likelihood is concave in the share: its slope falls
        share = (low + high) / 2
        slope = (found * (one - two) / (share * one + (1 - share) * two)).sum()
        low, high = (share, high) if slope > 0 else (low, share)
    return np.asarray(share * one / (share * one + (1 - share) * two))


def _check_seen(cells: Cells, observed: Ints) -> None:
    dark = (observed == 0) & (cells.pixels > 0)
    if dark.any():
        names = [f"{cells.strata[s]} in {cells.regions[r]}" for r, s in zip(*np.nonzero(dark), strict=True)]
        raise InputError(
            "design.expected: the map has no probability",
            "an observed pixel in every stratum",
            f"none in {listed(names)}",
            "state the shares (`source: stated`), or leave unobserved ground out",
        )
