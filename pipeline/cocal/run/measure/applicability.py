"""Hectares where the model does not apply, and hectares in doubt, beside the mapped ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.classify.applicability import STEPS, UNKNOWN
from cocal.contracts import DISSIMILARITY_TIF, NO_DATA, PROBABILITY_NO_DATA, PROBABILITY_TIF, UNOBSERVED
from cocal.estimate import count_units
from cocal.estimate.mapped import exact_ha
from cocal.grid import Tile, cell_area_units
from cocal.notes import Note, note_column
from cocal.regions import owned
from cocal.run.execute import Call
from cocal.run.measure.counting import class_maps, counted, regions_source
from cocal.run.measure.counts import class_codes
from cocal.run.state import Run
from cocal.run.worker.mosaic import Source, regions_of
from cocal.scheme import ClassScheme

_UNIT = 10_000
"""Probability of 1 on disk."""


def applicability_counts(
    tile: Tile, class_map: Path | None, regions: Source, target: int
) -> NDArray[np.int64]:
    """(2, regions, 256) area in 1e-6 m2 by region and class: where the model does not apply; in doubt.

    In doubt is the area times the probability that the pixel is on the other side of the line between target and
    everything else, as the model has it.
    """
    own, window = regions_of(regions), tile.window
    owner, units, codes = owned(own, window), cell_area_units(window), class_codes(tile, class_map)
    found = np.zeros((2, len(own), 256), dtype=np.int64)
    if class_map is None:
        return found
    unlike = read_raster(class_map.with_name(DISSIMILARITY_TIF), window, window.resolution, "uint8", UNKNOWN)
    probability = read_raster(
        class_map.with_name(PROBABILITY_TIF), window, window.resolution, "uint16", PROBABILITY_NO_DATA
    ).astype(np.int64)
    outside = np.where(unlike > STEPS, codes, NO_DATA).astype(np.uint8)
    other = np.where(codes == target, _UNIT - probability, probability)
    in_doubt = np.where(codes != NO_DATA, (units * other + _UNIT // 2) // _UNIT, 0)
    found[0] = count_units(outside, owner, units, len(own))
    found[1] = count_units(codes, owner, in_doubt, len(own))
    found[:, :, NO_DATA] = 0
    return found


def applicability_stage(run: Run) -> dict[str, NDArray[np.int64]]:
    """Period -> sums of `applicability_counts`; none where the configuration does not ask."""
    if not run.config.classify.applicability:
        return {}
    target = run.base.scheme.codes[run.base.scheme.target]
    calls = {
        (period.name, tile.id): Call(applicability_counts, (tile, path, regions_source(run), target))
        for period in run.periods
        for tile, path in class_maps(run, period)
    }
    totals = {p.name: np.zeros((2, len(run.base.regions), 256), dtype=np.int64) for p in run.periods}
    for (period, _), found in counted(run, "applicability", calls).items():
        totals[period] += found
    return totals


def with_applicability(areas: pd.DataFrame, counts: NDArray[np.int64], scheme: ClassScheme) -> pd.DataFrame:
    """areas/1 of one period with `outside_ha` and `doubt_ha` (Decimal), rows where the model does not apply marked.

    `areas` has the rows of `mapped_table`, in their order.
    """
    codes = [*scheme.codes.values(), NO_DATA]
    outside, doubt = ([exact_ha(v) for v in part[:, codes].ravel().tolist()] for part in counts)
    notes = [
        (*own, Note("model_not_applicable", share=float(out / mapped))) if out else own
        for own, out, mapped in zip(areas["notes"], outside, areas["mapped_ha"], strict=True)
    ]
    return areas.assign(
        outside_ha=pd.Series(outside, dtype=object, index=areas.index),
        doubt_ha=pd.Series(doubt, dtype=object, index=areas.index),
        notes=note_column(notes, areas.index),
    )


def applicability_table(areas: pd.DataFrame, target: str) -> pd.DataFrame:
    """Per region and period: observed hectares, those where the model does not apply, and what it expects of the target.

    `expected_ha`: the mapped hectares of the target, less those in doubt, plus those that are in doubt elsewhere.
    """
    rows = []
    keys = ["region_id", "region_name", "country", "period"]
    for key, part in areas.groupby(keys, sort=False, dropna=False):
        by_class = part.set_index("class")
        observed = sum((v for c, v in by_class["mapped_ha"].items() if c != UNOBSERVED), Decimal(0))
        mine = by_class.loc[target]
        expected = mine["mapped_ha"] - 2 * mine["doubt_ha"] + sum(by_class["doubt_ha"], Decimal(0))
        outside = sum(by_class["outside_ha"], Decimal(0))
        rows.append(
            dict(zip(keys, key, strict=True))
            | {
                "observed_ha": observed,
                "outside_ha": outside,
                "outside_fraction": float(outside / observed) if observed else np.nan,
                "mapped_ha": mine["mapped_ha"],
                "mapped_outside_ha": mine["outside_ha"],
                "expected_ha": expected,
            }
        )
    return pd.DataFrame(rows)
