"""Operations of eradication: what was claimed as cleared, polygon by polygon, beside what could be seen.

A verdict is of a polygon: `cleared`, `partly`, `not`, `replanted` (cleared, and the target is there again) or
`not_observed`. What was not observed is never called cleared; sums keep it apart. The hectares of the
verdicts are a count of what maps and images show; the interval is of points that were visited twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate.settings import OperationSettings

VERDICTS = CLEARED, PARTLY, NOT, REPLANTED, NOT_OBSERVED = (
    "cleared", "partly", "not", "replanted", "not_observed",
)  # fmt: skip

EVIDENCE = (
    "whole",
    "judged",
    "standing",
    "cleared",
    "images",
    "seen_before",
    "stood",
    "seen_later",
    "returned",
)
"""Ground of a polygon, m2: all; where it could be judged what happened; where something stood by what judged
it; cleared; judged by images; seen on the map before; target there; cleared and seen later; target again."""

OPERATION_COLUMNS = (
    "operation", "region_id", "country", "period", "first_day", "last_day", "claimed_ha", "polygon_ha",
    "observed_fraction", "cleared_fraction", "cleared_ha", "stood_fraction", "images_fraction", "verdict",
    "why",
)  # fmt: skip

_FIGURES = ("estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "n_points")
SUM_COLUMNS = (
    "level", "id", "name", "period", "n", "claimed_ha", "polygon_ha",
    *(f"{name}_{verdict}" for verdict in VERDICTS for name in ("n", "claimed_ha")), "seen_cleared_ha",
    *_FIGURES, "claimed_minus_estimated_ha", "notes",
)  # fmt: skip


def cleared_share(
    before: NDArray[np.float64], after: NDArray[np.float64], weight: NDArray[np.float64], fall: float
) -> tuple[float, float]:
    """(judged, cleared) parts of the weight of pixels whose index fell by `fall` or more.

    Parameters
    ----------
    before, after : (n,) the index before and after, NaN = not seen.

    Examples
    --------
    >>> seen = np.array([0.8, 0.8, np.nan]), np.array([0.3, 0.7, 0.2])
    >>> cleared_share(*seen, weight=np.array([60.0, 30.0, 10.0]), fall=0.3)
    (90.0, 60.0)
    """
    drop = before - after
    return float(weight[~np.isnan(drop)].sum()), float(weight[drop >= fall].sum())


def judged(evidence: pd.DataFrame, rules: OperationSettings) -> pd.DataFrame:
    """`evidence` with observed_fraction, cleared_fraction, stood_fraction, images_fraction, verdict and why.

    Parameters
    ----------
    evidence : m2, the columns `EVIDENCE`.
    rules : the shares from which verdicts follow.

    Returns
    -------
    `cleared_fraction` is of the ground where something stood, `cleared_share` of the whole polygon. `why`:
    `little_seen` (too small a share was judged), `none_stood` (the map before shows hardly any target there),
    else empty. Where maps alone judge and none stood, nothing was cleared: `not`.

    Examples
    --------
    >>> rules = OperationSettings(
    ...     sources=[{"path": "a.gpkg", "id": "id", "first_day": "day"}],
    ...     close_within_m=0, maps_show="period",
    ...     cleared_from=0.8, not_up_to=0.2, min_observed=0.5, stood_from=0.1, replanted_from=0.5)
    >>> rows = [[100, 90, 80, 72, 0, 100, 85, 0, 0], [100, 40, 40, 40, 0, 100, 90, 0, 0]]
    >>> found = judged(pd.DataFrame(rows, columns=list(EVIDENCE)), rules)
    >>> found[["cleared_fraction", "verdict"]].to_numpy().tolist()
    [[0.9, 'cleared'], [1.0, 'not_observed']]
    """
    ground = evidence[list(EVIDENCE)].astype(float)

    def share(part: str, of: str) -> pd.Series[float]:
        return (ground[part] / ground[of]).where(ground[of] > 0)

    observed, cleared, stood = (
        share("judged", "whole").fillna(0.0),
        share("cleared", "standing"),
        share("stood", "seen_before"),
    )
    steps = [
        (observed < rules.min_observed, NOT_OBSERVED),
        (~(share("standing", "judged") >= rules.stood_from) | cleared.isna(), NOT),
        (cleared <= rules.not_up_to, NOT),
        (share("returned", "seen_later") >= rules.replanted_from, REPLANTED),
        (cleared >= rules.cleared_from, CLEARED),
    ]
    verdict = np.select([step for step, _ in steps], [name for _, name in steps], PARTLY)
    why = np.select([verdict == NOT_OBSERVED, stood < rules.stood_from], ["little_seen", "none_stood"], "")
    return evidence.assign(
        observed_fraction=observed,
        cleared_fraction=cleared,
        cleared_share=ground["cleared"] / ground["whole"],
        stood_fraction=stood,
        images_fraction=share("images", "whole").fillna(0.0),
        verdict=verdict,
        why=why,
    )


def operation_sums(
    operations: pd.DataFrame,
    places: pd.DataFrame,
    estimates: Mapping[tuple[str, str, str], Mapping[str, float]],
) -> pd.DataFrame:
    """`SUM_COLUMNS` without notes: claims and verdicts of each place and period; nothing is left out.

    Parameters
    ----------
    operations : `OPERATION_COLUMNS`, one row each.
    places : level, id, name, and the `region_id` of each region that the place is made of.
    estimates : (level, id, period) -> estimated_ha, standard_error_ha, ci_low_ha, ci_high_ha, n_points.

    Returns
    -------
    `claimed_ha_cleared` and so on add up to `claimed_ha`; `seen_cleared_ha` is the ground that was seen as
    cleared. Operations are counted as they are claimed: where two share ground, both count.
    """
    rows = places.merge(operations, on="region_id")
    keys = ["level", "id", "name", "period"]
    found = rows[keys].drop_duplicates().reset_index(drop=True)

    def add(name: str, values: pd.Series[Any]) -> None:
        nonlocal found
        sums = rows[keys].assign(**{name: values}).groupby(keys, sort=False)[name].sum().reset_index()
        found = found.merge(sums, on=keys)

    add("n", pd.Series(1, index=rows.index))
    for name in ("claimed_ha", "polygon_ha"):
        add(name, rows[name].astype(float))
    for verdict in VERDICTS:
        own = rows["verdict"] == verdict
        add(f"n_{verdict}", own.astype(int))
        add(f"claimed_ha_{verdict}", rows["claimed_ha"].astype(float).where(own, 0.0))
    add("seen_cleared_ha", rows["cleared_ha"].astype(float))
    figures = [
        estimates.get(key, {}) for key in zip(found["level"], found["id"], found["period"], strict=True)
    ]
    for name in _FIGURES:
        found[name] = [own.get(name, np.nan) for own in figures]
    found["claimed_minus_estimated_ha"] = found["claimed_ha"] - found["estimated_ha"]
    return found.reindex(columns=[name for name in SUM_COLUMNS if name != "notes"])
