"""Change from points observed twice, with known areas: gain, loss and what stayed add up in every region.

The estimate is one of transitions, pairs of a class before and a class after. They divide the ground, as
gains and losses do not (what one class gains another loses). Every quantity of the change is a sum of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.design import build_design, refuse_no_answer
from cocal.estimate.intervals import INTERVALS, combined
from cocal.estimate.regional.calibrated import Asked, basis_of
from cocal.estimate.regional.calibration import Crossed, PostStrata, at_places, regression_variances, rows_by
from cocal.estimate.regional.ends import guaranteed_ends
from cocal.estimate.regional.known import known_ground, seen_alike, with_atoms
from cocal.estimate.settings import CALIBRATED
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, sum_by
from cocal.notes import Note

_TO = "\x1f"
_ALL = "all"
PARTS = ("before", "after", "gain", "loss")


@dataclass(frozen=True)
class _Change:
    """What the figures follow from; `sums` (transitions, parts x classes) is 1 where one is in the other."""

    table: Crossed
    post: PostStrata
    strata: Strata
    totals: Floats
    sums: Floats
    classes: tuple[str, ...]
    asked: Asked


def calibrated_change(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    known: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    asked: Asked,
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """The table of `estimate_change`, in no order, and warnings; arguments and errors are described there.

    Intervals of the parts are those that hold by the design alone, within each region's observed area.
    """
    if "map_class" not in sample.columns:
        dark = known.get("map_class", pd.Series(_ALL, index=known.index)) == UNOBSERVED
        sample, known = (
            sample.assign(map_class=_ALL),
            known.assign(map_class=np.where(dark, UNOBSERVED, _ALL)),
        )
    pairs = [sample[name].astype(str) for name in ("reference_before", "reference_after")]
    points = seen_alike(sample.assign(reference_class=pairs[0] + _TO + pairs[1]))
    seen = points["map_class"] != UNOBSERVED
    found = sorted({*pairs[0][seen], *pairs[1][seen]})
    if classes is None:
        refuse_no_answer(set(found))
    own = tuple(classes) if classes is not None else tuple(found)
    if strange := sorted(set(found) - set(own)):
        raise InputError(
            "the paired observations cannot be used", f"classes of one scheme: {', '.join(own)}",
            ", ".join(strange[:6]), "fix the names; leave out points that were not seen twice",
        )  # fmt: skip
    transitions = [a + _TO + b for a in own for b in own]
    design = build_design(
        with_atoms(points, known, by_region=asked.by_region),
        strata,
        estimator=CALIBRATED,
        classes=[*transitions, *sorted({*known["map_class"].astype(str), *points["map_class"].astype(str)})],
        by_region=True,
        collapse=asked.collapse,
    )
    ground, atom, warnings = known_ground(
        known, strata, design, by_region=asked.by_region, collapse=asked.collapse
    )
    basis = basis_of(design.cells, design.strata, ground, atom, classes=design.classes, asked=asked)
    sums = np.zeros((len(design.classes), len(PARTS) * len(own)))
    sums[: len(transitions)] = _parts(len(own))
    change = _Change(basis.table, basis.post, basis.strata, basis.totals, sums, own, asked)
    n = sum_by(atom, design.cells.count, len(ground.region))
    parts = [_figures(change, np.zeros_like(ground.region), [""], n)]
    if asked.by_region:
        parts.append(_figures(change, ground.region, ground.regions, n))
    return pd.concat(parts, ignore_index=True), (*design.warnings, *warnings)


def _parts(k: int) -> Floats:
    """(k^2 transitions, 4 k) 1 where a transition is part of before, after, gain or loss of a class."""
    before = np.repeat(np.eye(k), k, axis=0)
    after = np.tile(np.eye(k), (k, 1))
    return np.hstack([before, after, after * (1 - before), before * (1 - after)])


def _figures(change: _Change, place_of: Ints, names: Sequence[str], n: Floats) -> pd.DataFrame:
    """Rows of region, class, quantity, n, figures; `place_of` is the place of each atom, `n` its points."""
    asked, k, size = change.asked, len(change.classes), len(names)
    at = at_places(change.table, place_of, size)
    table = replace(at, hits=at.hits @ change.sums)
    post = replace(change.post, hits=change.post.hits @ change.sums, share=change.post.share @ change.sums)
    total = rows_by(place_of, change.totals, size) @ change.sums
    variance = regression_variances(table, post, change.strata)
    ends = guaranteed_ends(
        table,
        post,
        change.strata,
        total=total,
        interval=INTERVALS[asked.interval],
        confidence=asked.confidence,
    )
    columns = {
        name: tuple(part[:, i * k : (i + 1) * k] for part in (total, variance, ends.low_ha, ends.high_ha))
        for i, name in enumerate(PARTS)
    }
    columns["net"] = _net(change, at, columns["gain"], columns["loss"])
    points = np.bincount(place_of, weights=n, minlength=size).astype(np.int64)
    rows = [
        pd.DataFrame(
            {
                "region": np.repeat(np.array(names, dtype=object), k),
                "class": list(change.classes) * size,
                "quantity": name,
                "n": np.repeat(points, k),
                "area_ha": area.ravel(),
                "standard_error_ha": np.sqrt(spread).ravel(),
                "ci_low_ha": low.ravel(),
                "ci_high_ha": high.ravel(),
            }
        )
        for name, (area, spread, low, high) in columns.items()
    ]
    return pd.concat(rows, ignore_index=True)


def _net(
    change: _Change, at: Crossed, gain: tuple[Floats, ...], loss: tuple[Floats, ...]
) -> tuple[Floats, ...]:
    """Figures of gain - loss, whose ends are combined with their correlation.

    No point gains and loses a class at once, so V(gain - loss) = 2 V(gain) + 2 V(loss) - V(gain + loss).
    """
    k = len(change.classes)
    either = change.sums[:, 2 * k : 3 * k] + change.sums[:, 3 * k :]
    post = replace(change.post, hits=change.post.hits @ either, share=change.post.share @ either)
    both = regression_variances(replace(at, hits=at.hits @ either), post, change.strata)
    variance = np.maximum(2 * gain[1] + 2 * loss[1] - both, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.nan_to_num((gain[1] + loss[1] - variance) / (2 * np.sqrt(gain[1] * loss[1])))
    low, high = combined(gain[0], gain[2:], loss[0], loss[2:], np.clip(rho, -1, 1))
    return gain[0] - loss[0], variance, low, high
