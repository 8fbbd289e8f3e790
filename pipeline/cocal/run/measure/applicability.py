"""Hectares where the model does not apply, and hectares in doubt, beside the mapped ones."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import NO_DATA, UNOBSERVED
from cocal.estimate.mapped import exact_ha
from cocal.notes import Note, note_column
from cocal.scheme import ClassScheme


def with_applicability(areas: pd.DataFrame, counts: NDArray[np.int64], scheme: ClassScheme) -> pd.DataFrame:
    """areas/1 of one period with `outside_ha` and `doubt_ha` (Decimal), rows where the model does not apply
    marked.

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
    """Per region and period: observed hectares, those where the model does not apply, and what it expects of
    the target.

    `expected_ha`: the mapped hectares of the target, less those in doubt, plus those that are in doubt
    elsewhere.
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
