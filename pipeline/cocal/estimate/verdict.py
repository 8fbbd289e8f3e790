"""Whether an estimate agrees with a figure, differs from it, or the sample cannot tell.

A figure inside a wide interval is no agreement: any figure would be inside. Agreement is shown as equivalence
is (Schuirmann 1987, doi:10.1007/BF01068419): the whole interval lies within a stated margin of the figure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

AGREES, DIFFERS, CANNOT_TELL, NO_FIGURE = "agrees", "differs", "cannot_tell", ""


def verdicts(
    figure: ArrayLike,
    estimate: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    agreement: ArrayLike,
    rounded_to: ArrayLike = 0.0,
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """(n,) verdicts on figures beside estimates, and the width of the interval that would decide, ha.

    - `agrees`: the interval lies within `agreement` x figure of the figure, both ends included
    - `differs`: all that the figure may have been before rounding lies outside the interval, not `agrees`
    - `cannot_tell`: neither; without an interval too
    - "": no figure

    Parameters
    ----------
    figure, estimate, low, high : (n,) ha; NaN = none.
    agreement : share of the figure that counts as no difference.
    rounded_to : (n,) step to which the figure was rounded, ha; NaN or 0 = not rounded.

    Returns
    -------
    The width is NaN except for `cannot_tell`: there that of the widest interval about this estimate, its
    ends in the same proportion, that would agree or differ, at most its own width; NaN where none would.

    Examples
    --------
    100 ha, 80 to 130, and a margin of a fifth: 60 ha differ; 105 ha agree with 84 to 124.

    >>> verdict, width = verdicts([60, 105], [100, 100], [80, 80], [130, 130], agreement=0.2)
    >>> verdict.tolist(), width.round(1).tolist()
    (['differs', 'cannot_tell'], [nan, 40.0])
    """
    figure, estimate, low, high, step = (
        np.asarray(values, dtype=np.float64)
        for values in np.broadcast_arrays(figure, estimate, low, high, rounded_to)
    )
    half, margin = np.nan_to_num(step) / 2, np.asarray(agreement, dtype=np.float64) * figure
    known = ~np.isnan(figure) & ~np.isnan(low) & ~np.isnan(high)
    agrees = known & (figure - margin <= low) & (high <= figure + margin)
    differs = known & ~agrees & ((figure + half < low) | (figure - half > high))
    verdict = np.select(
        [np.isnan(figure), agrees, differs], [NO_FIGURE, AGREES, DIFFERS], CANNOT_TELL
    ).astype(object)
    centre = np.clip(estimate, low, high)
    down, up = centre - low, high - centre
    with np.errstate(divide="ignore", invalid="ignore"):
        agree = np.fmin((centre - (figure - margin)) / down, (figure + margin - centre) / up)
        differ = np.fmax((figure - half - centre) / up, (centre - figure - half) / down)
        scale = np.fmax(agree, differ)
        width = np.where((verdict == CANNOT_TELL) & (scale > 0), scale * (high - low), np.nan)
    return verdict, width
