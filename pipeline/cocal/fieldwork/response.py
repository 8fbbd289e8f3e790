"""Response of a sample by stratum, and the agreement of two observers.

The ground of a point that was not reached is unknown, and seldom like the rest: the places hardest to reach
are where coca is grown. So non-response is counted per stratum, and `cocal.estimate` computes what the
missing points could change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cocal import accuracy
from cocal.fieldwork.matching import NOT_VISITED, STATUSES

RESERVE = "reserve"

NOT_RETURNED, FAR, CONTRADICTORY = "not_returned", "asked_far", "asked_contradictory"
WAITING = (NOT_RETURNED, FAR, CONTRADICTORY)
"""`why_not` of points of a drawn sample whose answer is waited for."""


def response_table(matched: pd.DataFrame) -> pd.DataFrame:
    """Return per stratum the points tried, reserve points among them, not visited and its share, each status.

    `matched` is as from `match`. A reserve point is in the records only if it was tried. The last row,
    stratum "", is the whole sample.
    """
    rows = [
        _counts(str(stratum), group)
        for stratum, group in matched.groupby(matched["stratum"].fillna("no stratum"), sort=True)
    ]
    return pd.DataFrame([*rows, _counts("", matched)])


def _counts(stratum: str, rows: pd.DataFrame) -> dict[str, object]:
    missed = int((rows["status"] == NOT_VISITED).sum())
    counts = {status.replace(" ", "_"): int((rows["status"] == status).sum()) for status in STATUSES}
    return {
        "stratum": stratum,
        "tried": len(rows),
        "reserve_used": int((rows["role"] == RESERVE).sum()),
        **counts,
        "not_visited_share": missed / len(rows) if len(rows) else np.nan,
    }


def agreement(matched: pd.DataFrame, target: str) -> dict[str, float | int]:
    """Return the agreement of two observers on the points that both labelled; {} where there is none.

    - `pairs`: points with two labels; `agree`: share with the same one
    - `kappa`: agreement beyond chance (Cohen 1960, doi:10.1177/001316446002000104); NaN if both always
      give the same one class
    - `target_positive`, `target_negative`: of the labels `target` (of another class), the share
      that the other observer confirms (Cicchetti and Feinstein 1990,
      doi:10.1016/0895-4356(90)90159-M); for a rare class agreement alone shows little
    """
    pairs = matched[matched["reference_class"].notna() & matched["second_class"].notna()]
    if pairs.empty:
        return {}
    first, second = pairs["reference_class"].astype(str), pairs["second_class"].astype(str)
    counts = accuracy.confusion(first, second, sorted({*first, *second}))
    negative, positive = accuracy.f1(accuracy.confusion(first == target, second == target, [False, True]))
    return {
        "pairs": len(pairs),
        "agree": accuracy.overall_accuracy(counts),
        "kappa": accuracy.kappa(counts),
        "target_positive": float(positive),
        "target_negative": float(negative),
    }
