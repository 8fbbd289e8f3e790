"""Change between two dates from points that were observed at both: gain, loss and net, with intervals.

Two areas estimated from two maps and subtracted carry both maps' errors; the same points seen twice carry
their own covariance, which makes the net change far more precise (Olofsson et al.
2014). Gain and loss are areas of changed points, not differences of totals: a stock on two days
does not show what was cleared and planted again between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.design import Cells, Design, build_design
from cocal.estimate.intervals import INTERVALS, net
from cocal.estimate.regional.calibrated import Asked
from cocal.estimate.regional.calibrated_change import calibrated_change
from cocal.estimate.settings import MIN_REGION_POINTS, check_settings
from cocal.estimate.stratified import Domains, region_domains, whole
from cocal.estimate.tally import Ints, Tally, subtract, tally, totals, variances
from cocal.notes import Note, note_json, render
from cocal.store import inert

QUANTITIES = ("before", "after", "gain", "loss", "net")
_FIGURES = ("area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha")


@dataclass(frozen=True)
class Change:
    """An estimate of change; `n` counts pairs.

    `table`: region ("" = all), class, quantity (one of `QUANTITIES`), n, area_ha, standard_error_ha,
    ci_low_ha, ci_high_ha, by region and class. For each class after - before = gain - loss = net, in each
    region and in all. A region with fewer than `MIN_REGION_POINTS` pairs has no interval.
    """

    interval: str
    confidence: float
    n: int
    table: pd.DataFrame
    warnings: tuple[Note, ...] = ()

    def to_json_dict(self) -> dict[str, Any]:
        """Figures by class and quantity, and the same per region."""
        places: dict[str, dict[str, Any]] = {}
        for row in self.table.to_dict("records"):
            own = places.setdefault(str(row["region"]), {"classes": {}})["classes"]
            figures = {name: None if pd.isna(row[name]) else round(float(row[name]), 9) for name in _FIGURES}
            own.setdefault(str(row["class"]), {})[str(row["quantity"])] = figures
        whole = places.pop("", {"classes": {}})
        return {
            "estimator": "change",
            "interval": self.interval,
            "confidence": self.confidence,
            "n": self.n,
            **whole,
            "regions": places,
            "warnings": [note_json(warning, "en") for warning in self.warnings],
        }

    def to_csv(self) -> str:
        """The table, with interval and confidence on each row."""
        table = self.table.assign(interval=self.interval, confidence=self.confidence)
        return str(inert(table).to_csv(index=False, lineterminator="\n"))

    def to_text(self) -> str:
        """A table that can go into a report, hectares to 0.1."""
        percent = f"{100 * self.confidence:g} %"
        shown = self.table.assign(region=self.table["region"].replace("", "all"))
        shown[list(_FIGURES)] = shown[list(_FIGURES)].map(
            lambda value: "-" if pd.isna(value) else f"{value:,.1f}"
        )
        names = ["region", "class", "quantity", "n", "area ha", "SE ha", f"{percent} low", "high"]
        rows = shown.set_axis(names, axis=1).to_string(index=False)
        head = f"Change, {percent} interval {self.interval}, n = {self.n} points seen twice"
        return "\n".join([head, "", rows, *(f"Warning: {render(w, 'en')}" for w in self.warnings)]) + "\n"


def estimate_change(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    interval: str,
    confidence: float,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
    known: pd.DataFrame | None = None,
) -> Change:
    """Hectares before, after, gained, lost and net of each class, stratified; calibrated with `known`.

    Parameters
    ----------
    sample : a row per point: stratum, reference_before, reference_after [, region] [, map_class, unit: as in
        `known`].
    strata, classes, interval, confidence, by_region, collapse : as in `estimate_areas`.
    known : as in `estimate_areas`; `map_class` is any division of the ground by the maps of the two dates,
        such as "forest to coca", and `unobserved` what they do not both show. Its map classes are left aside
        where the sample has none.
    """
    check_settings("stratified", interval, confidence)
    missing = [name for name in ("reference_before", "reference_after") if name not in sample.columns]
    if missing:
        raise InputError(
            "the sample table has no paired observations",
            "columns reference_before and reference_after of the same points",
            f"no column {', '.join(missing)}",
            "give both observations of each point; points seen once only are listed apart",
        )
    if known is not None:
        asked = Asked(interval, confidence, by_region, tuple(collapse), None)
        found, warnings = calibrated_change(sample, strata, known, classes=classes, asked=asked)
        return _as_asked(found, warnings, len(sample), interval, confidence)
    paired = sample.assign(map_class=sample["reference_before"], reference_class=sample["reference_after"])
    design = build_design(
        paired, strata, estimator="stratified", classes=classes, by_region=by_region, collapse=collapse
    )
    parts = [_changes(design, whole(design.cells), [""], interval, confidence)]
    if by_region:
        domains = region_domains(design.cells, len(design.regions))
        parts.append(_changes(design, domains, design.regions, interval, confidence))
    return _as_asked(pd.concat(parts, ignore_index=True), design.warnings, design.n, interval, confidence)


def paired_difference(change: pd.DataFrame, *, wider: Literal["first", "second"] | None) -> pd.DataFrame:
    """Hectares that a first reading of the points has more than a second one, with its interval.

    Two definitions of a class are two readings of the same points: `before` the second, `after` the first.

    Parameters
    ----------
    change : the table of `estimate_change` of these readings.
    wider : the reading that has, by its definition, whatever the other one has; None: neither. Of gain and
        loss one is then nothing, and the interval is that of the other one: an upper end for ground of which
        there is none would only widen it.

    Returns
    -------
    region, class, n, area_ha, standard_error_ha, ci_low_ha, ci_high_ha.
    """
    quantity = {"first": "gain", "second": "loss", None: "net"}[wider]
    found = change[change["quantity"] == quantity].drop(columns="quantity").reset_index(drop=True)
    if quantity == "loss":
        low, high = -found["ci_high_ha"], -found["ci_low_ha"]
        found = found.assign(area_ha=0.0 - found["area_ha"], ci_low_ha=low, ci_high_ha=high)
    return found


def _as_asked(
    table: pd.DataFrame, warnings: tuple[Note, ...], n: int, interval: str, confidence: float
) -> Change:
    """The table by region, class and quantity, without intervals where pairs are few."""
    few = (table["region"] != "") & (table["n"] < MIN_REGION_POINTS)
    table.loc[few, ["ci_low_ha", "ci_high_ha"]] = np.nan
    order = {name: place for place, name in enumerate(QUANTITIES)}
    table = table.sort_values(
        ["region", "class", "quantity"],
        key=lambda column: column.map(order) if column.name == "quantity" else column,
        kind="stable",
        ignore_index=True,
    )
    flat = (table["standard_error_ha"] == 0) & (table["region"] == "") & (table["class"] != UNOBSERVED)
    if interval == "wald" and flat.any():
        classes = sorted(set(table.loc[flat, "class"]))
        warnings = (*warnings, Note("wald_zero_width", classes=classes))
    return Change(interval, confidence, n, table, warnings)


def _changes(
    design: Design, domains: Domains, names: Sequence[str], interval: str, confidence: float
) -> pd.DataFrame:
    k, strata = len(design.classes), design.strata
    before, after, gain, loss = _tallies(design.cells, domains, k)
    scope = np.repeat(domains.region, k)
    bounds = {
        name: INTERVALS[interval](sums, strata, scope, confidence)
        for name, sums in zip(QUANTITIES, (before, after, gain, loss), strict=False)
    }
    bounds["net"] = net(INTERVALS[interval], gain, loss, strata=strata, scope=scope, confidence=confidence)
    n = np.bincount(domains.of_cell, weights=design.cells.count, minlength=domains.n).astype(np.int64)
    rows = []
    for name, sums in zip(QUANTITIES, (before, after, gain, loss, subtract(gain, loss)), strict=True):
        rows.append(
            pd.DataFrame(
                {
                    "region": np.repeat(np.array(names, dtype=object), k),
                    "class": list(design.classes) * domains.n,
                    "quantity": name,
                    "n": np.repeat(n, k),
                    "area_ha": totals(sums, strata),
                    "standard_error_ha": np.sqrt(variances(sums, strata)),
                    "ci_low_ha": bounds[name][0],
                    "ci_high_ha": bounds[name][1],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _tallies(cells: Cells, domains: Domains, n_classes: int) -> tuple[Tally, Tally, Tally, Tally]:
    """Points of each class before, after, and those that changed to it and from it."""
    changed = cells.mapped != cells.reference
    everywhere = np.ones_like(changed)

    def of(classes: Ints, keep: np.ndarray) -> Tally:
        group = (domains.of_cell * n_classes + classes)[keep]
        count = cells.count[keep]
        return tally(group, cells.stratum[keep], np.ones_like(count), count, n_groups=domains.n * n_classes)

    return (
        of(cells.mapped, everywhere),
        of(cells.reference, everywhere),
        of(cells.reference, changed),
        of(cells.mapped, changed),
    )
