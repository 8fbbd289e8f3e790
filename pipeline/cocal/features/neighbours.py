"""Features of a pixel's surroundings: mean and spread of another feature over the square around it.

Coca grows in plots, and a plot's mean has less noise than its pixels. Sums run over the columns and then over the rows
of the square, one after the other in float64, so that no block changes a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cocal.features.composite import Composite
from cocal.features.names import Feature
from cocal.features.settings import FeatureSettings

Array = NDArray[np.float32]


def own_features(settings: FeatureSettings) -> FeatureSettings:
    """The settings with the features that the surroundings are made of in place of those of the surroundings."""
    return settings.model_copy(update={"features": tuple(dict.fromkeys(f.own for f in settings.parsed))})


def with_neighbours(wide: Array, names: Sequence[str], chosen: Sequence[Feature], reach: int) -> Array:
    """(feature, y, x) float32 values of `chosen`.

    Parameters
    ----------
    wide
        (name, y, x) values of `names`, with `reach` pixels more on each side.
    names
        What `wide` holds, among it the own feature of each of `chosen`.
    chosen
        The features wanted, in order.
    reach
        Half of the largest square, in whole pixels.
    """
    height, width = (n - 2 * reach for n in wide.shape[1:])
    out = np.empty((len(chosen), height, width), dtype=np.float32)
    place = {name: i for i, name in enumerate(names)}
    for i, feature in enumerate(chosen):
        cut = reach - feature.reach_px
        own = wide[place[feature.own], cut : wide.shape[1] - cut, cut : wide.shape[2] - cut]
        out[i] = own if feature.summary is None else summarise(own, feature.summary, feature.side)
    return out


def summarise(values: Array, summary: str, side: int) -> Array:
    """(y, x) float32 mean, or population standard deviation, of the values there are in each `side` x `side` square.

    `values` has side // 2 pixels more on each side. NaN where the middle pixel is missing.
    """
    there = ~np.isnan(values)
    known = np.where(there, values, 0.0).astype(np.float64)
    count = _sums(there.astype(np.float64), side)
    with np.errstate(invalid="ignore"):
        mean = _sums(known, side) / count
        if summary == "std":
            square = _sums(known * known, side) / count
            mean = np.sqrt(np.maximum(square - mean * mean, 0.0))
    edge = side // 2
    middle = there[edge : there.shape[0] - edge, edge : there.shape[1] - edge]
    return np.where(middle, mean, np.nan).astype(np.float32)


def _sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(y, x) sum over each whole square of side x side."""
    height, width = (n - side + 1 for n in values.shape)
    across = np.zeros((values.shape[0], width))
    for shift in range(side):
        across += values[:, shift : shift + width]
    total = np.zeros((height, width))
    for shift in range(side):
        total += across[shift : shift + height]
    return total


def surrounded(composite: Composite, reach: int) -> Composite:
    """The composite with `reach` pixels more on each side, of which nothing is known."""
    bands = {n: np.pad(v, reach, constant_values=np.nan) for n, v in composite.bands.items()}
    return replace(composite, bands=bands, n_clear=np.pad(composite.n_clear, reach))
