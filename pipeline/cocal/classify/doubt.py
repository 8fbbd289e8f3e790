"""Where a map is unsure of the target, as places spread over the ground.

Labels are worth most where the model can tell least (uncertainty sampling: Lewis and Gale 1994, A sequential
algorithm for training text classifiers, SIGIR 94, doi:10.1007/978-1-4471-2099-5_1). Neighbours of an unsure
pixel are as unsure and tell the same, so at most one pixel of each square of ground is taken; what lies near
a label counts less.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from cocal.grid import Window
from cocal.hashing import lattice_hash

SEED = 2112
"""Key of the order among squares of equal doubt."""

_SQUARE = ["epsg", "column", "row"]


def doubt_of(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Doubt of the target, 0 to 1: 1 where it is as likely as not, 0 where it is certain; NaN as given.

    Examples
    --------
    >>> doubt_of(np.array([0.5, 0.4, 0.75, 1.0, 0.0])).round(6).tolist()
    [1.0, 0.8, 0.5, 0.0, 0.0]
    """
    return np.asarray(1 - np.abs(2 * probability.astype(np.float64) - 1))


def worth_of(doubt: NDArray[np.float64], labelled: NDArray[np.bool_], reach_px: float) -> NDArray[np.float64]:
    """What a label is worth, 0 to 1: the doubt, times the distance from the nearest label up to a reach.

    Parameters
    ----------
    doubt : (y, x) float
        See `doubt_of`; NaN as given.
    labelled : (y, x) bool
        Pixels with a label: they are worth nothing.
    reach_px : float
        Distance in pixels, between centres, from which a label no longer counts.

    Examples
    --------
    Beside a label, with a reach of two pixels, half is left:

    >>> worth_of(np.full((1, 4), 0.8), np.array([[True, False, False, False]]), 2).tolist()
    [[0.0, 0.4, 0.8, 0.8]]
    """
    if not labelled.any():
        return doubt
    return np.asarray(doubt * np.minimum(1.0, distance_transform_edt(~labelled) / reach_px))


def most_doubtful_pixels(doubt: NDArray[np.float64], window: Window, side_m: int) -> pd.DataFrame:
    """The pixel of largest doubt of each square of ground; of equal ones the north-westernmost.

    Parameters
    ----------
    doubt : (y, x) float
        NaN: not to be taken.
    window : Window
        Of `doubt`.
    side_m : int
        Side of the squares, m; they lie on the lattice of the UTM zone, whatever the window.

    Returns
    -------
    DataFrame: epsg; column, row (of the square, from the origin of the zone); x, y (m, pixel centre); doubt.
    """
    at_y, at_x = np.nonzero(~np.isnan(doubt))
    x, y = window.x[at_x], window.y[at_y]
    table = pd.DataFrame(
        {
            "epsg": window.epsg,
            "column": np.floor_divide(x, side_m).astype(np.int64),
            "row": np.floor_divide(y, side_m).astype(np.int64),
            "x": x,
            "y": y,
            "doubt": doubt[at_y, at_x],
        }
    )
    return _best_of_squares(table)


def most_doubtful_places(pixels: pd.DataFrame, number: int) -> pd.DataFrame:
    """At most `number` of the pixels of `most_doubtful_pixels` of several windows, one of each square.

    Those of largest doubt come first, equal ones in a fixed order of the squares that follows no direction.
    """
    best = _best_of_squares(pixels)
    keys = np.asarray(best["epsg"], dtype=np.uint64) + np.uint64(SEED)
    order = np.lexsort((lattice_hash(keys, best["column"], best["row"]), -best["doubt"]))
    return best.iloc[order[:number]].reset_index(drop=True)


def _best_of_squares(table: pd.DataFrame) -> pd.DataFrame:
    ordered = table.sort_values(["doubt", "y", "x"], ascending=[False, False, True], kind="stable")
    return ordered.drop_duplicates(_SQUARE).reset_index(drop=True)
