"""The sampling design behind a table of points: strata, their sizes, and the points as counts.

Everything that can make an estimate wrong before a single formula is applied is refused here, by name:
points without an inclusion probability, strata without points, sizes that do not match. What is refused
depends on the design only, never on the classes that were found: refusing when few coca points turned up
would keep the lucky draws and destroy the coverage of every interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.collapse import merge_strata
from cocal.estimate.strata import Strata, strata_from_table
from cocal.estimate.weights import check_purposive, check_simple_random, check_weights
from cocal.notes import Note

SIMPLE_RANDOM = ("simple", "systematic", "poststratified", "difference", "regression")
"""Estimators whose sample is one simple random (or systematic) sample of the whole frame."""

_NAMES = ("stratum", "map_class", "reference_class", "region")

ATOM = "unit and region"
"""A column of the sample that takes the place of `region` where domains are parts of other areas."""

UNGROUPED = ("simple", "systematic")
"""Those that use nothing but the frame's total area."""


@dataclass(frozen=True)
class Cells:
    """The points as counts: one entry per stratum, region, map class and reference class that occurs.

    All arrays have one length; the first four hold codes. `count` sums to the number of points.
    """

    stratum: NDArray[np.int64]
    region: NDArray[np.int64]
    mapped: NDArray[np.int64]
    reference: NDArray[np.int64]
    count: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Strata and points under one class scheme. `regions` is empty when no domains were asked for."""

    estimator: str
    strata: Strata
    cells: Cells
    classes: tuple[str, ...]
    regions: tuple[str, ...]
    warnings: tuple[Note, ...]

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.strata.n.sum())


def build_design(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    *,
    estimator: str,
    classes: Sequence[str] | None,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
) -> Design:
    """The checked design of `sample` (a row per point) in `strata` (a row per stratum).

    Parameters
    ----------
    sample : columns stratum, map_class, reference_class [, region] [, inclusion_probability].
    strata : columns stratum, area_ha (or pixels and pixel_area_m2) [, region]. With `region` the design
        stratum is stratum x region.
    estimator : for those in `SIMPLE_RANDOM` the rows of `strata` are groups of known size (post-strata)
        within one simple random sample; else they are the design's strata.
    classes : the class scheme's keys; None = those that occur in the table.
    by_region : regions are wanted as domains.
    collapse : `"A+B"` merges the strata A and B. Nothing else merges strata.

    Raises
    ------
    InputError : all that is wrong with the tables, each thing by its name.
    UsageError : points without an inclusion probability (purposive).
    """
    check_columns(sample, strata, _NAMES[:3], by_region=by_region)
    check_purposive(sample)
    sample = sample.assign(**{name: sample[name].astype("str") for name in _NAMES if name in sample.columns})
    known = list(classes) if classes is not None else classes_found(sample)
    _check_values(sample, known)
    table = strata_from_table(strata)
    stratum = stratum_of_points(sample, table)
    warnings = check_weights(sample, stratum, table)
    stratum, table, merged = merge_strata(stratum, table, collapse)
    table = table.with_points(stratum)
    if estimator in SIMPLE_RANDOM:
        check_simple_random(table, estimator)
    if estimator in UNGROUPED:
        stratum, table = np.zeros_like(stratum), table.pooled()
    table.check_points()
    table = replace(table, post=estimator == "poststratified")
    place = ATOM if ATOM in sample.columns else "region"
    regions = sorted(set(sample[place].unique())) if by_region else []
    region = _codes(sample[place], regions) if by_region else np.zeros(len(sample), dtype=np.int64)
    cells = _count(
        stratum,
        region,
        _codes(sample["map_class"], known),
        _codes(sample["reference_class"], known),
    )
    table = table.with_regions(regions)
    return Design(estimator, table, cells, tuple(known), tuple(regions), (*warnings, *merged))


NO_ANSWER = {
    "", "-", "--", "unobserved", "uncertain", "unknown", "na", "n/a", "n.a.", "nan", "null", "none", "nd",
    "n/d", "s/d", "no data", "no_data", "nodata", "not visited", "not observed", "sin dato", "sin datos",
    "no visitado", "no observado",
}  # fmt: skip
"""What people write where a point has no class, in small letters."""


def check_columns(
    sample: pd.DataFrame, strata: pd.DataFrame, columns: Sequence[str], *, by_region: bool
) -> None:
    """Raise InputError where the tables lack columns or rows, or hold several class schemes."""
    problems = [f"sample has no column {name!r}" for name in columns if name not in sample.columns]
    if "stratum" not in strata.columns:
        problems.append("strata has no column 'stratum'")
    if "area_ha" not in strata.columns and not {"pixels", "pixel_area_m2"} <= set(strata.columns):
        problems.append("strata has neither 'area_ha' nor 'pixels' with 'pixel_area_m2'")
    if (by_region or "region" in strata.columns) and "region" not in sample.columns:
        problems.append("sample has no column 'region', which the regions asked for need")
    for name, table in (("sample", sample), ("strata", strata)):
        if table.empty:
            problems.append(f"{name} has no rows")
        if len(table.columns) == 1 and ";" in str(table.columns[0]):
            problems.append(f"{name} is separated by semicolons: save it with commas and decimal points")
        if "class_scheme" in table.columns and table["class_scheme"].nunique(dropna=False) > 1:
            schemes = ", ".join(sorted(map(str, table["class_scheme"].unique())))
            problems.append(f"{name} mixes class schemes: {schemes}; estimate each scheme by itself")
    if problems:
        raise InputError(
            "the tables cannot be read as a sample and its strata",
            f"sample: {', '.join(columns)} [, region]; strata: stratum, area_ha [, region]",
            "; ".join(problems),
            "add or rename the columns",
        )


def refuse_no_answer(reference: set[str]) -> None:
    """Pass if every name is that of a class; InputError where one says that there was no answer."""
    if silent := sorted(name for name in reference if name.casefold() in NO_ANSWER):
        raise InputError(
            "reference classes that name no class: their points would count as ground without the target",
            "the class of every point; points that were not visited or not seen are listed apart",
            ", ".join(map(repr, silent)),
            "leave these rows out of the sample, or state the classes where this is one of them",
        )


def classes_found(sample: pd.DataFrame, known: pd.DataFrame | None = None) -> list[str]:
    """Classes of the map (in the sample and the known areas) and of the reference, by name.

    A word for no answer is a class only where the map has it too. With known areas `unobserved` is what the
    map does not show, at a point as in the areas.
    """
    tables = [table for table in (sample, known) if table is not None and "map_class" in table.columns]
    mapped = {str(name) for table in tables for name in table["map_class"].dropna().unique()}
    reference = set(sample.get("reference_class", pd.Series(dtype=str)).dropna().astype(str))
    refuse_no_answer(reference - (mapped if known is None else mapped | {UNOBSERVED}))
    if mapped and reference and not mapped & reference:
        raise InputError(
            "map classes and reference classes come from two class schemes",
            "the same class names in both columns",
            f"map: {', '.join(sorted(mapped))}; reference: {', '.join(sorted(reference))}",
            "rename one of them to the other's scheme",
        )
    return sorted(mapped | reference)


def _check_values(sample: pd.DataFrame, classes: Sequence[str]) -> None:
    problems = []
    for name in _NAMES:
        if name in sample.columns and (missing := int(sample[name].isna().sum())):
            problems.append(f"{missing} points have no {name}: list points that could not be observed apart")
    for name in ("map_class", "reference_class"):
        unknown = sorted(set(sample[name].dropna().unique()) - set(classes))
        if unknown:
            problems.append(f"{name} holds {', '.join(unknown[:6])}, not of this class scheme")
    if problems:
        raise InputError(
            "the sample table cannot be used",
            f"complete rows with classes of one scheme: {', '.join(classes)}",
            "; ".join(problems),
            "complete the rows, or map the classes of the other scheme to this one",
        )


def _codes(column: pd.Series, names: Sequence[str]) -> NDArray[np.int64]:
    """Place of each value in `names`, -1 where it is not one of them."""
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(column)), dtype=np.int64)


def stratum_of_points(sample: pd.DataFrame, strata: Strata) -> NDArray[np.int64]:
    """(n,) index into `strata` of each point; InputError names the strata that have no row."""
    names = sorted(set(strata.names))
    code, codes = _codes(sample["stratum"], names), {name: i for i, name in enumerate(names)}
    region_names = sorted(set(strata.region_names) - {""})
    own = np.array([codes[name] for name in strata.names])
    if region_names:
        region = _codes(sample["region"], region_names)
        missing = (code < 0) | (region < 0)
        code = code * len(region_names) + region
        places = {name: i for i, name in enumerate(region_names)}
        own = own * len(region_names) + np.array([places[name] for name in strata.region_names])
    else:
        missing = code < 0
    order = np.argsort(own)
    place = np.minimum(np.searchsorted(own[order], code), len(own) - 1)
    index = np.where(missing | (own[order][place] != code), -1, order[place])
    if (index < 0).any():
        wanted = ["stratum", "region"] if region_names else ["stratum"]
        lost = sample.loc[index < 0, wanted].drop_duplicates().head(6)
        raise InputError(
            "weights do not match the strata: the sample names strata that the strata table does not have",
            f"one of {', '.join(strata.labels[:12])}{' ...' if len(strata.labels) > 12 else ''}",
            "; ".join("@".join(map(str, row)) for row in lost.itertuples(index=False)),
            "add the missing rows with their areas to the strata table, or fix the names",
        )
    return index


def _count(*codes: NDArray[np.int64]) -> Cells:
    """The distinct combinations of the four codes and how often each occurs."""
    sizes = [int(c.max()) + 1 for c in codes]
    key = np.ravel_multi_index(codes, sizes)
    distinct, count = np.unique(key, return_counts=True)
    parts = [np.asarray(part, dtype=np.int64) for part in np.unravel_index(distinct, sizes)]
    return Cells(parts[0], parts[1], parts[2], parts[3], count.astype(np.float64))
