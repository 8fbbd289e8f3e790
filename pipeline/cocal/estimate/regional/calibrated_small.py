"""`small_area` beside the calibrated figures of regions, for rare classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.estimate.design import Cells, Design
from cocal.estimate.regional.known import Known
from cocal.estimate.regional.small_area import Ends, SmallCells, small_area_intervals
from cocal.estimate.result import SMALL_AREA
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Ints
from cocal.notes import Note

_OF_THE_SAMPLE = ("area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha")


def with_small_area(
    figures: pd.DataFrame,
    design: Design,
    known: Known,
    atom: Ints,
    *,
    rare: NDArray[np.bool_],
    confidence: float,
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """(`figures` of the regions with `SMALL_AREA` of rare classes where it is offered, warnings).

    Parameters
    ----------
    figures : region by region, all classes of each.
    known, atom : known hectares, and the atom of each of the design's cells.
    rare : of each class, whether it is.
    """
    k, found = len(design.classes), figures.copy()
    dark = design.classes.index(UNOBSERVED) if UNOBSERVED in design.classes else -1
    offered, warnings = [], []
    for code in np.flatnonzero(rare & (np.arange(k) != dark)):
        rows, name = np.arange(code, len(figures), k), design.classes[code]
        alone = Ends(*(figures[column].to_numpy()[rows] for column in _OF_THE_SAMPLE))
        cells, labels = small_cells(design.strata, design.cells, known, atom, code=int(code), dark=dark)
        small = small_area_intervals(cells, alone, confidence=confidence)
        values = np.stack([small.area_ha, small.low_ha, small.high_ha], axis=1)
        found.loc[found.index[rows], list(SMALL_AREA)] = values
        offered += [name] if small.offered.any() else []
        if small.missed.any():
            strata = [labels[h] for h in np.flatnonzero(small.missed)]
            warnings.append(Note("map_misses_more", target=name, strata=strata))
    if offered:
        warnings.append(Note("small_area_model", classes=offered))
    return found, tuple(warnings)


def small_cells(
    strata: Strata, cells: Cells, known: Known, atom: Ints, *, code: int, dark: int
) -> tuple[SmallCells, tuple[str, ...]]:
    """(observed ground and its points for the class `code`, names of the strata).

    `dark` is the class of unobserved ground, or -1. Strata that are crossed with regions count as one by
    their name: their regions share rates.
    """
    labels, name_of = np.unique(np.array(strata.names), return_inverse=True)
    ground, points = known.mapped != dark, cells.mapped != dark
    stratum = np.concatenate([known.stratum[ground], cells.stratum[points]])
    count, none = cells.count[points], np.zeros(int(ground.sum()))
    return (
        SmallCells(
            name_of[stratum],
            known.region[np.concatenate([known.atom[ground], atom[points]])],
            np.concatenate([known.mapped[ground], cells.mapped[points]]) == code,
            np.concatenate([known.area_ha[ground], np.zeros(count.size)]),
            np.concatenate([none, count]),
            np.concatenate([none, count * (cells.reference[points] == code)]),
            strata.weight_ha[stratum],
        ),
        tuple(labels.tolist()),
    )
