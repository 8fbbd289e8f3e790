"""An estimate as a value, and how it is written: JSON, CSV, a table for a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

import numpy as np
import pandas as pd

from cocal.contracts import AREAS, UNOBSERVED, check_table
from cocal.estimate.settings import MIN_REGION_POINTS
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Ints
from cocal.notes import Note, joined, note_column, note_json, render, with_text
from cocal.store import inert

FIGURES = (
    "area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha",
    "users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se",
    "small_area_ha", "small_area_low_ha", "small_area_high_ha",
)  # fmt: skip
SMALL_AREA = FIGURES[-3:]
"""The model-based figure of a small region beside the design-based one; NaN where it is not offered."""

_SAME_NAME = (
    "standard_error_ha", "ci_low_ha", "ci_high_ha", "small_area_ha", "small_area_low_ha",
    "small_area_high_ha",
)  # fmt: skip
"""Figures that areas/1 has under the same name."""


@dataclass(frozen=True)
class Estimate:
    """Hectares and accuracies of one design.

    `strata`: stratum, area_ha, n, one row each. `classes`: one row per class with `FIGURES`, NaN where
    the sample has no point of them. `regions`: region, class, n, notes (tuples of `Note`) and `FIGURES`; None
    without regions.
    """

    estimator: str
    interval: str
    confidence: float
    n: int
    overall_accuracy: float
    overall_accuracy_se: float
    classes: pd.DataFrame
    regions: pd.DataFrame | None
    strata: pd.DataFrame
    warnings: tuple[Note, ...] = ()

    def to_json_dict(self) -> dict[str, Any]:
        """The estimate as JSON values; null where a figure does not exist."""
        regions: dict[str, Any] = {}
        if self.regions is not None:
            figures = _class_dicts(self.regions)
            facts = zip(*(self.regions[name].tolist() for name in ("region", "n", "notes")), strict=True)
            for (region, n, notes), (name, values) in zip(facts, figures, strict=True):
                own = regions.setdefault(
                    str(region), {"n": int(n), "notes": joined(notes, "en"), "classes": {}}
                )
                own["classes"][name] = values
        return {
            "estimator": self.estimator,
            "interval": self.interval,
            "confidence": self.confidence,
            "n": self.n,
            "overall_accuracy": _number(self.overall_accuracy),
            "overall_accuracy_se": _number(self.overall_accuracy_se),
            "classes": dict(_class_dicts(self.classes)),
            "regions": regions,
            "n_per_stratum": dict(zip(self.strata["stratum"], self.strata["n"].tolist(), strict=True)),
            "warnings": [note_json(warning, "en") for warning in self.warnings],
        }

    def to_table(self) -> pd.DataFrame:
        """Region (`""` = all), class, n, the figures, notes in English: one row per region and class."""
        total = self.classes.assign(region="", n=self.n, notes="")
        parts = [total] if self.regions is None else [total, with_text(self.regions)]
        return pd.concat(parts, ignore_index=True)[["region", "class", "n", *FIGURES, "notes"]]

    def to_csv(self) -> str:
        """`to_table` as CSV, with the estimator, interval and confidence on each row."""
        table = self.to_table().assign(
            estimator=self.estimator, interval=self.interval, confidence=self.confidence
        )
        return str(inert(table).to_csv(index=False, lineterminator="\n"))

    def to_text(self) -> str:
        """A table that can go into a report: hectares to 0.1, accuracies to 0.001, then the warnings."""
        percent = f"{100 * self.confidence:g} %"
        overall = f"{self.overall_accuracy:.3f} (SE {self.overall_accuracy_se:.3f})"
        lines = [
            f"Estimator {self.estimator}, {percent} interval {self.interval}, n = {self.n}",
            "Points per stratum: " + _strata_text(self.strata),
            "",
            *_text_rows(self.to_table(), percent),
            "",
            f"Overall accuracy {overall}; for a rare class read its own user's and producer's accuracy",
        ]
        return "\n".join([*lines, *(f"Warning: {render(warning, 'en')}" for warning in self.warnings)]) + "\n"


def regional_rows(figures: pd.DataFrame, regions: Sequence[str], n: Ints, *, interval: str) -> pd.DataFrame:
    """The figures with region, n and notes, and no interval where n is below `MIN_REGION_POINTS`.

    A standard error of 0 is noted: it is what the formula gives where no point speaks against the figure.

    Parameters
    ----------
    figures : region by region, all classes of each; `regions` and `n` are their names and points.
    """
    k = len(figures) // max(len(regions), 1)
    few = np.repeat(n < MIN_REGION_POINTS, k)
    found = figures.copy()
    found.insert(0, "region", np.repeat(np.array(regions, dtype=object), k))
    found.insert(2, "n", np.repeat(n, k))
    found.loc[few, ["ci_low_ha", "ci_high_ha"]] = np.nan
    flat = (found["standard_error_ha"] == 0) & (found["class"] != UNOBSERVED)
    notes = (
        (Note("n_too_small"),) if small else (_without_spread(name, interval),) if zero else ()
        for small, zero, name in zip(few, flat, found["class"], strict=True)
    )
    return found.assign(notes=note_column(notes, found.index))


def _without_spread(name: str, interval: str) -> Note:
    if interval == "wald":
        return Note("wald_zero_width", classes=(name,))
    return Note("zero_standard_error", classes=(name,))


def limits_of(total: pd.DataFrame, estimator: str, interval: str) -> list[Note]:
    """Limits of the result that its figures do not show."""
    warnings = []
    if estimator == "systematic":
        warnings.append(Note("systematic_standard_error"))
    total = total[total["class"] != UNOBSERVED]  # it is known
    flat = total.loc[total["standard_error_ha"] == 0, "class"].tolist()
    if flat and interval == "wald":
        warnings.append(Note("wald_zero_width", classes=flat))
    unmapped = total.loc[total["users_accuracy"].isna(), "class"].tolist()
    if unmapped:
        warnings.append(Note("no_users_accuracy", classes=unmapped))
    return warnings


def strata_table(strata: Strata) -> pd.DataFrame:
    """stratum, area_ha, n: a row per stratum of the design."""
    return pd.DataFrame({"stratum": strata.labels, "area_ha": strata.area_ha, "n": strata.n})


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 9)


def _class_dicts(rows: pd.DataFrame) -> list[tuple[str, dict[str, float | None]]]:
    """Class and figures of each row, in order."""
    columns = [[_number(v) for v in rows[name].tolist()] for name in FIGURES]
    names = rows["class"].tolist()
    return [
        (str(key), dict(zip(FIGURES, values, strict=True)))
        for key, values in zip(names, zip(*columns, strict=True), strict=True)
    ]


def _strata_text(strata: pd.DataFrame) -> str:
    pairs = [f"{name} {n}" for name, n in zip(strata["stratum"], strata["n"], strict=True)]
    return ", ".join(pairs) if len(pairs) <= 20 else f"{len(pairs)} strata, {min(strata['n'])} or more each"


def _text_rows(table: pd.DataFrame, percent: str) -> list[str]:
    """Fixed-width rows: region, class, hectares with SE and interval, user's and producer's accuracy."""

    def cell(value: float, places: int) -> str:
        return "-" if pd.isna(value) else f"{value:,.{places}f}"

    small = bool(table[list(SMALL_AREA)].notna().any(axis=None))
    head = ["region", "class", "n", "area ha", "SE ha", f"{percent} low", "high"]
    head += ["small area ha", "low", "high"] if small else []
    rows = [[*head, "user's", "SE", "prod.", "SE", ""]]
    for row in table.to_dict("records"):
        hectares = [cell(row[name], 1) for name in (*FIGURES[:4], *(SMALL_AREA if small else ()))]
        accuracy = [cell(row[name], 3) for name in FIGURES[4:8]]
        rows.append([row["region"] or "all", row["class"], str(row["n"]), *hectares, *accuracy, row["notes"]])
    head = rows[0]
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(head))]
    return [
        "  ".join(
            str(text).ljust(width) if i < 2 or i == len(head) - 1 else str(text).rjust(width)
            for i, (text, width) in enumerate(zip(r, widths, strict=True))
        ).rstrip()
        for r in rows
    ]


def with_estimates(areas: pd.DataFrame, estimate: Estimate) -> pd.DataFrame:
    """areas/1 with the columns of the estimate filled, matched by region_id and class.

    Row `unobserved` stays empty: the estimate covers the observed frame only. A region without a sample
    point has no estimate, with a note that states it.
    """
    check_table(areas, AREAS)
    regions = estimate.regions
    if regions is None:
        regions = estimate.classes.iloc[:0].assign(region="", n=0, notes=[])
    found = regions.set_index(["region", "class"])
    keys = pd.MultiIndex.from_frame(areas[["region_id", "class"]].astype(str))
    figures = found.reindex(keys)
    known = figures["area_ha"].notna().to_numpy()
    target = (areas["class"] != UNOBSERVED).to_numpy()
    partly = known & (areas["observed_fraction"] < 1).to_numpy()
    lost = target & figures["notes"].isna().to_numpy()
    notes = [own if isinstance(own, tuple) else () for own in figures["notes"]]
    notes = [
        (*own, Note("observed_area_only")) if part else own for own, part in zip(notes, partly, strict=True)
    ]
    notes = [
        (Note("n_too_small_no_point_in_region"),) if no else own for own, no in zip(notes, lost, strict=True)
    ]
    filled = areas.assign(
        estimated_ha=figures["area_ha"].to_numpy(),
        **{name: figures[name].to_numpy() for name in _SAME_NAME if name in figures},
        n_reference=pd.array(figures["n"].to_numpy(dtype=np.float64), dtype="Int64"),
        confidence=np.where(known, estimate.confidence, np.nan),
        interval=np.where(known, estimate.interval, ""),
        estimator=np.where(known, estimate.estimator, ""),
        notes=note_column(map(add, areas["notes"], notes), areas.index),
    )
    return check_table(filled, AREAS)
