"""Hectares known from the map, per stratum, region and map class, and the points on the same ground.

The ground is cut into atoms: what a unit (where classes are closed to the area) and a region (what a result
speaks of) have in common. Every region is a sum of atoms, whatever it cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.collapse import merge_strata
from cocal.estimate.design import ATOM, Design
from cocal.estimate.strata import SIZE_TOLERANCE, Strata, strata_from_table
from cocal.estimate.tally import Floats, Ints, sum_by
from cocal.notes import Note

MISPLACED = 0.01
"""Share of points on ground that the known areas do not have, above which the two tables contradict."""

UNLIKELY, APART, EXPECTED = 1e-6, 0.1, 5
"""Chance of points that lie so unlike the known areas, the share of them that lies elsewhere, and the least
number of points that a cell expects, for the warning `points_unlike_known`."""

_COLUMNS = ("stratum", "region", "map_class", "area_ha")
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Known:
    """Known hectares: a row per stratum, atom and map class. `unit` and `region` are those of each atom.

    `area_ha`, `stratum`, `atom` and `mapped` (codes) have one length; `units` and `regions` are names.
    """

    stratum: Ints
    atom: Ints
    mapped: Ints
    area_ha: Floats
    unit: Ints
    region: Ints
    units: tuple[str, ...]
    regions: tuple[str, ...]


def seen_alike(sample: pd.DataFrame) -> pd.DataFrame:
    """`sample` with the reference `unobserved` at each point where the map shows nothing.

    Raises
    ------
    InputError : points whose reference is `unobserved` on ground that the map shows.
    """
    if not {"map_class", "reference_class"} <= set(sample.columns):
        return sample
    dark = sample["map_class"] == UNOBSERVED
    lost = int((~dark & (sample["reference_class"] == UNOBSERVED)).sum())
    if lost:
        raise InputError(
            f"{lost} points without a reference on ground that the map shows",
            f"reference_class {UNOBSERVED!r} where map_class is, and nowhere else",
            f"{lost} of {len(sample)} points",
            "leave out points that could not be observed, and list them apart",
        )
    return sample.assign(reference_class=sample["reference_class"].where(~dark, UNOBSERVED))


def with_atoms(sample: pd.DataFrame, known: pd.DataFrame, *, by_region: bool) -> pd.DataFrame:
    """`sample` with the column `ATOM`: the names of each point's unit and region.

    Raises
    ------
    InputError : regions that several units reach into, and no column `unit` in the sample.
    """
    if by_region and not {"region"} <= set(sample.columns) & set(known.columns):
        raise InputError(
            "the sample or the known areas have no regions",
            "a column region in both",
            f"sample: {', '.join(sample.columns)}; known areas: {', '.join(known.columns)}",
            "add the column, or leave regions out",
        )
    if not by_region:
        return sample.assign(**{ATOM: _BETWEEN})
    region = sample["region"].astype(str)
    if "unit" not in known.columns:
        return sample.assign(**{ATOM: region + _BETWEEN + region})
    if "unit" in sample.columns:
        return sample.assign(**{ATOM: sample["unit"].astype(str) + _BETWEEN + region})
    pairs = known[["region", "unit"]].astype(str).drop_duplicates()
    if pairs["region"].duplicated().any():
        raise InputError(
            "the known areas divide regions among several units",
            "a column unit in the sample, as in the known areas",
            f"region {pairs['region'][pairs['region'].duplicated()].iloc[0]!r} in several units",
            "add the column unit to the sample",
        )
    unit = region.map(pairs.set_index("region")["unit"]).fillna(region)
    return sample.assign(**{ATOM: unit + _BETWEEN + region})


def known_ground(
    known: pd.DataFrame,
    strata: pd.DataFrame,
    design: Design,
    *,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]],
) -> tuple[Known, Ints, tuple[Note, ...]]:
    """(known hectares, atom of each of the design's cells, warnings).

    Parameters
    ----------
    known : stratum, region, map_class, area_ha [, unit]; a row per stratum, region (and unit), map class.
        `map_class` is `unobserved` where the map shows nothing.
    strata : the strata table of the design, as in `build_design`.
    by_region : False: the whole frame is the one region.

    Raises
    ------
    InputError : rows that cannot be used, sums that are not the strata's areas, points on no such ground.
    """
    table, area = _read(known, design.classes)
    own = strata_from_table(strata)
    stratum, _, _ = merge_strata(np.arange(len(own.names)), own, collapse)
    place = _strata_of(table, area, own)
    _check_sums(place, area, own)
    if not by_region:
        labels = pd.Series(_BETWEEN, index=table.index)
    else:
        labels = table["unit" if "unit" in table.columns else "region"] + _BETWEEN + table["region"]
    atoms = sorted({*labels, *design.regions})
    names = [tuple(label.split(_BETWEEN)) for label in atoms]
    units, regions = (tuple(sorted({name[i] for name in names})) for i in (0, 1))
    found = Known(
        stratum[place],
        _codes(labels, atoms),
        _codes(table["map_class"], design.classes),
        area,
        _codes([unit for unit, _ in names], units),
        _codes([region for _, region in names], regions),
        units,
        regions,
    )
    of_cell = _codes(design.regions, atoms)[design.cells.region]
    return found, of_cell, _misplaced(found, design, of_cell)


def _read(known: pd.DataFrame, classes: Sequence[str]) -> tuple[pd.DataFrame, Floats]:
    """(the names as text, area_ha), checked."""
    missing = [name for name in _COLUMNS if name not in known.columns]
    problems = [f"no column {name!r}" for name in missing]
    area = np.zeros(len(known))
    if not missing:
        area = pd.to_numeric(known["area_ha"], errors="coerce").to_numpy(dtype=np.float64)
        if wrong := int((~np.isfinite(area) | (area < 0)).sum()):
            problems.append(f"{wrong} rows without an area of 0 ha or more")
        names = known[[name for name in known.columns if name in (*_COLUMNS[:3], "unit")]]
        if empty := int(names.isna().any(axis=1).sum()):
            problems.append(f"{empty} rows without a stratum, region, unit or map_class")
        if strange := sorted(set(known["map_class"].dropna().astype(str)) - set(classes) - {UNOBSERVED}):
            problems.append(f"map_class {', '.join(strange[:6])} is not of this class scheme")
    if problems or known.empty:
        raise InputError(
            "the known areas cannot be used",
            "rows of stratum, region, map_class, area_ha [, unit] with the classes of the sample's scheme",
            "; ".join(problems) or "no rows",
            "use the areas that `cocal design` writes, or count the map by stratum and region",
        )
    return names.astype(str), area


def _strata_of(table: pd.DataFrame, area: Floats, strata: Strata) -> Ints:
    """(rows,) index into `strata`; a stratum that is crossed with regions by its name and region."""
    crossed = len(set(strata.names)) < len(strata.names)
    labels = table["stratum"] + "@" + table["region"] if crossed else table["stratum"]
    place = _codes(labels, strata.labels if crossed else strata.names)
    if (place < 0).any():
        raise InputError(
            "the known areas name strata that the strata table does not have",
            f"one of {', '.join(strata.labels[:12])}",
            ", ".join(sorted(set(labels[place < 0]))[:6]),
            "use the areas and the strata of one design",
        )
    bound = np.array(strata.region_names, dtype=object)[place]
    if (off := (area > 0) & (bound != "") & (table["region"] != bound).to_numpy()).any():
        first = int(np.flatnonzero(off)[0])
        raise InputError(
            "the known areas have a stratum in another region than the strata table",
            f"stratum {strata.names[place[first]]!r} in region {bound[first]!r} alone",
            f"{int(off.sum())} rows elsewhere, such as region {table['region'].iloc[first]!r}",
            "use the areas and the strata of one design; a stratum in several regions has none in its table",
        )
    return place


def _check_sums(place: Ints, area: Floats, strata: Strata) -> None:
    sums = sum_by(place, area, len(strata.names))
    off = np.flatnonzero(np.abs(sums - strata.area_ha) > SIZE_TOLERANCE * strata.area_ha)
    if off.size:
        raise InputError(
            "the known areas of a stratum are not its area",
            "sums over regions and map classes equal to area_ha of the strata table, to 0.1 %",
            "; ".join(
                f"{strata.labels[i]!r}: {sums[i]:,.6g} ha, the strata table {strata.area_ha[i]:,.6g} ha"
                for i in off[:6]
            ),
            "count all ground of the strata: what lies in no region as region (no region), what the map "
            "does not show as map_class unobserved",
        )


def _misplaced(known: Known, design: Design, atom: Ints) -> tuple[Note, ...]:
    """A warning of points where the known areas have no ground of their stratum and map class."""
    cells, n_atoms = design.cells, len(known.unit)
    there = known.area_ha > 0
    pairs = np.isin(cells.stratum * n_atoms + atom, known.stratum[there] * n_atoms + known.atom[there])
    k = len(design.classes)
    mapped = np.isin(cells.stratum * k + cells.mapped, known.stratum[there] * k + known.mapped[there])
    lost = int(cells.count[~(pairs & mapped)].sum())
    if lost > MISPLACED * design.n:
        first = int(np.flatnonzero(~(pairs & mapped))[0])
        region, label = known.regions[known.region[atom[first]]], design.strata.labels
        raise InputError(
            "the sample and the known areas do not fit together",
            f"at most {MISPLACED:.0%} of the points where their stratum has no known ground",
            f"{lost} of {design.n} points, such as stratum {label[cells.stratum[first]]!r}, region "
            f"{region!r}, map class {design.classes[cells.mapped[first]]!r}",
            "use the map, regions and strata that the sample was drawn from and matched to",
        )
    stray = (Note("points_off_known_ground", n=lost, of=design.n),) if lost else ()
    return (*stray, *_unlike(known, design, atom))


def _unlike(known: Known, design: Design, atom: Ints) -> tuple[Note, ...]:
    """A warning where points do not lie as the known areas do: chi-squared over strata x atoms x map classes.

    Cells that expect fewer than `EXPECTED` points are one per stratum. Non-response moves points a little, so
    a share of them must be elsewhere too.
    """
    from scipy.special import chdtrc  # slow to load, and not every run has a sample

    cells, strata, n_atoms, k = design.cells, design.strata, len(known.unit), len(design.classes)
    keys = [(t.stratum * n_atoms + a) * k + t.mapped for t, a in ((known, known.atom), (cells, atom))]
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    area = sum_by(place[: known.area_ha.size], known.area_ha, key.size)
    count = sum_by(place[known.area_ha.size :], cells.count, key.size)
    h = key // (n_atoms * k)
    expected = strata.n[h] * area / sum_by(h, area, len(strata.n))[h]
    rest = expected < EXPECTED
    group = np.where(rest, h, np.arange(key.size) + len(strata.n))
    seen, wanted = (sum_by(group, v, key.size + len(strata.n)) for v in (count, expected))
    there = wanted > 0
    gap = (seen - wanted)[there]
    free = int(there.sum()) - len(strata.n)
    chance = chdtrc(free, (gap**2 / wanted[there]).sum()) if free > 0 else 1.0
    apart = np.abs(gap).sum() / 2 / design.n
    return (Note("points_unlike_known", share=apart),) if chance < UNLIKELY and apart > APART else ()


def _codes(values: Sequence[str] | pd.Series, names: Sequence[str]) -> Ints:
    """Place of each value in `names`, -1 where it is not one of them."""
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(values)), dtype=np.int64)
