"""`cocal estimate`: the estimators on two tables, for analysts who have a map from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cocal.errors import InputError, UsageError
from cocal.estimate.areas import estimate_areas
from cocal.estimate.change import Change, estimate_change
from cocal.estimate.result import Estimate
from cocal.notes import Note
from cocal.user_tables import read_csv_table

_SAMPLE = (
    "stratum",
    "map_class",
    "reference_class",
    "reading_class",
    "region",
    "unit",
    "inclusion_probability",
    "class_scheme",
)
_SAME_NAMES = ("reference_before", "reference_after", "region")


def estimate_files(
    sample: Path,
    strata: Path,
    *,
    by: str | None,
    estimator: str,
    interval: str,
    confidence: float,
    collapse: Sequence[str] = (),
    known: Path | None = None,
    rare: Sequence[str] = (),
) -> Estimate:
    """The estimate from two CSV files.

    Parameters
    ----------
    sample : stratum, map_class, reference_class [, region] [, inclusion_probability]; a row per point.
    strata : stratum, area_ha (or pixels and pixel_area_m2) [, region]; a row per stratum.
    by : the column of `sample` whose values are the domains (mostly `region`); None = no domains.
    known : stratum, region, map_class, area_ha [, unit]; `region` are the values of the column `by`.
    estimator, interval, confidence, collapse, rare : as in `estimate_areas`.

    Raises
    ------
    InputError, UsageError : a file that cannot be read, or a design that allows no estimate.
    """
    table, points = read_table(strata), _points(sample, by)
    _refuse_other_domains(table, by)
    found = estimate_areas(
        points,
        table,
        classes=None,
        estimator=estimator,
        interval=interval,
        confidence=confidence,
        by_region=bool(by),
        collapse=collapse,
        known=None if known is None else _known(known, points),
        rare=tuple(rare) or None,
    )
    if estimator != "stratified" or not by or "region" in table.columns:
        return found
    return replace(found, warnings=(*found.warnings, Note("expansion_chosen")))


def change_files(
    sample: Path,
    strata: Path,
    *,
    by: str | None,
    interval: str,
    confidence: float,
    collapse: Sequence[str] = (),
    known: Path | None = None,
) -> Change:
    """The change of each class from two CSV files.

    `sample` has a row per point that was seen at both dates: stratum, reference_before, reference_after
    [, region] [, inclusion_probability] [, map_class, unit: see `estimate_change`]; the rest as in
    `estimate_files`.
    """
    table, points = read_table(strata), _points(sample, by, ("reference_before", "reference_after"))
    _refuse_other_domains(table, by)
    return estimate_change(
        points,
        table,
        classes=None,
        interval=interval,
        confidence=confidence,
        by_region=bool(by),
        collapse=collapse,
        known=None if known is None else _known(known, points),
    )


def _points(sample: Path, by: str | None, more: Sequence[str] = ()) -> pd.DataFrame:
    """The sample, with the domains that `by` names as `region`."""
    points = read_table(sample, (*_SAMPLE, *more, *([by] if by else [])))
    if by and by not in points.columns:
        raise InputError(
            f"no column {by!r} in {sample}",
            "the column that --by names",
            ", ".join(points.columns),
            "fix --by",
        )
    points = points.assign(region=points[by]) if by and by != "region" else points
    _refuse_other_case(points, sample)
    return points


def _refuse_other_domains(strata: pd.DataFrame, by: str | None) -> None:
    """Refuse domains other than the regions that the strata are crossed with: points would change stratum."""
    if by and by != "region" and "region" in strata.columns:
        raise UsageError(
            f"--by {by!r} beside strata that are crossed with regions",
            "--by region, or strata without a column region",
            f"the strata table's column region, and the sample's column {by!r} as domains",
            "name each stratum with its region (`forest R1`) in both tables, without a column region",
        )


def _known(path: Path, points: pd.DataFrame) -> pd.DataFrame:
    """The known areas, without a row that stands twice; classes written as in the sample."""
    table = read_table(path)
    if len(twice := table[table.duplicated()]):
        raise InputError(
            f"known areas {path}: rows that stand twice",
            "a row per stratum, region [, unit] and map class",
            f"{len(twice)} rows equal to another, such as {', '.join(map(str, twice.iloc[0]))}",
            "remove them, or add their hectares up",
        )
    names = [c for c in points.columns if c.endswith("_class")]
    both = pd.concat([points[c] for c in names] + [table.get("map_class", pd.Series(dtype=str))])
    _refuse_other_case(pd.DataFrame({"map_class": both}), path)
    return table


def _refuse_other_case(points: pd.DataFrame, path: Path) -> None:
    """Refuse names of classes or regions that differ in nothing but capital letters: they are one name."""
    columns = [name for name in points.columns if name.endswith("_class") or name in _SAME_NAMES]
    for names in ([c for c in columns if c != "region"], [c for c in columns if c == "region"]):
        texts = sorted(set(pd.concat([points[c] for c in names]).dropna().astype(str))) if names else []
        same: dict[str, list[str]] = {}
        for text in texts:
            same.setdefault(text.casefold(), []).append(text)
        if doubled := [" and ".join(map(repr, own)) for own in same.values() if len(own) > 1]:
            raise InputError(
                f"table {path}: names in {', '.join(names)} differ in nothing but capital letters",
                "one way to write each name",
                "; ".join(doubled[:10]),
                "write each name in one way",
            )


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A CSV file as text, only an empty field being missing; `columns` limits what is kept."""
    try:
        table = read_csv_table(path)
        return table[[name for name in table.columns if columns is None or name in columns]]
    except (OSError, ValueError) as err:
        raise InputError(
            f"table {path} cannot be read",
            "a CSV file in UTF-8 with commas and a header",
            str(err),
            "fix it",
        ) from err
