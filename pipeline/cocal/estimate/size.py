"""How many points: sample size for a target standard error and its allocation to strata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sample_size(
    share: Floats, deviation: Floats, *, standard_error: float, n_pixels: float = float("inf")
) -> float:
    """Points (not rounded) that a stratified sample needs for `standard_error` of a proportion.

    n = (sum W_h S_h)^2 / (SE^2 + (1/N) sum W_h S_h^2) (Cochran 1977, eq. 5.25; Olofsson et al. 2014,
    eq. 13). `share` are the strata's weights W_h, `deviation` their S_h = sqrt(p (1 - p)): with p the
    expected user's accuracies for the overall accuracy, with p the expected shares of a rare class for
    the proportion of that class.
    """
    return float(
        (share * deviation).sum() ** 2 / (standard_error**2 + (share * deviation**2).sum() / n_pixels)
    )


def neyman(share: Floats, deviation: Floats, *, n: int) -> Floats:
    """Points per stratum (not rounded), proportional to W_h S_h (Neyman)."""
    part = share * deviation
    return np.asarray(n * part / part.sum())
