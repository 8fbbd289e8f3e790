"""Hectares that add up: known areas times pooled rates, corrected by each region's own points.

Symbols: h stratum, g group of map classes within it (post-stratum), d a place (a region, or part of one),
k class on the ground; A known hectares, n points, y points of class k.

    p_hgk = y_hgk / n_hg
    T_dk  = sum_hg [ A_hgd p_hgk + (A_hg / n_hg) (y_hgdk - n_hgd p_hgk) ]

the generalised regression estimator with post-strata (Saerndal, Swensson and Wretman 1992,
doi:10.1007/978-1-4612-4378-6, ch. 6 and 10; rates pooled over domains: Lehtonen and Veijanen 1998, Survey
Methodology 24:51). Classes of a place add up to its area, places to the post-stratified total. Where a
figure is negative or nearly so, raking closes both sums again (Deming and Stephan 1940,
doi:10.1214/aoms/1177731829).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocal.errors import InputError
from cocal.estimate.design import Cells
from cocal.estimate.regional.known import Known
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, sum_by

ENOUGH = 15
"""Points that a map class must expect in a stratum to be a group of its own."""

LEAST_SHARE = 0.01
"""No figure falls below this share of what the rates alone give."""

_DENSE = 1e-9
_CLOSED = 1e-12
_ROUNDS = 5_000
OPEN_HA = 0.005
"""Hectares by which the sums may miss after all rounds; 0.01 ha is what a table may show."""


@dataclass(frozen=True)
class Crossed:
    """Known hectares and points by post-stratum and place: arrays of one length, `hits` (cells, classes)."""

    post: Ints
    place: Ints
    area_ha: Floats
    n: Floats
    hits: Floats
    n_places: int


@dataclass(frozen=True)
class PostStrata:
    """Groups of map classes within strata: arrays over all (stratum, group) pairs, pooled over places.

    `share` (pairs, classes) holds the rates p_hgk; `group` is the map class, or the number of classes for
    what is left. `dark` is the class of unobserved ground, which is known and has no rate, or -1.
    """

    stratum: Ints
    group: Ints
    area_ha: Floats
    n: Floats
    hits: Floats
    share: Floats
    dark: int


def groups_of(n: Ints, area_ha: Floats, dark: int) -> Ints:
    """(H, M) group of each map class within each stratum, fixed by the design and the map alone.

    A class that expects `ENOUGH` points is a group; the others are one together (number M), or join the
    largest class where they expect fewer. A grouping that followed the points drawn would bias the totals.

    Examples
    --------
    Of 100 points in 1,000 ha, mapped classes of 700, 200 and 100 ha expect 70, 20 and 10.

    >>> groups_of(np.array([100]), np.array([[700.0, 200.0, 100.0]]), -1).tolist()
    [[0, 1, 0]]
    """
    m = area_ha.shape[1]
    expected = n[:, None] * area_ha / area_ha.sum(axis=1, keepdims=True)
    if dark >= 0:
        expected[:, dark] = 0
    own = expected >= ENOUGH
    left = np.where(own, 0, expected).sum(axis=1)
    joined = (left < ENOUGH) & own.any(axis=1)
    rest = np.where(joined, expected.argmax(axis=1), m)
    group = np.where(own, np.arange(m), rest[:, None])
    if dark >= 0:
        group[:, dark] = dark
    return np.asarray(group, dtype=np.int64)


def rows_by(place: Ints, values: Floats, size: int) -> Floats:
    """(size, columns) sums of the rows of `values` by `place`."""
    return np.stack([sum_by(place, column, size) for column in values.T], axis=1)


def crossed(known: Known, cells: Cells, atom: Ints, *, strata: Strata, n_classes: int, dark: int) -> Crossed:
    """Known hectares and points by post-stratum and atom; a cell for each pair that has either."""
    size = len(strata.names) * n_classes
    by_class = sum_by(known.stratum * n_classes + known.mapped, known.area_ha, size)
    group = groups_of(strata.n, by_class.reshape(-1, n_classes), dark)
    width, n_atoms = n_classes + 1, len(known.unit)
    post = [c.stratum * width + group[c.stratum, c.mapped] for c in (known, cells)]
    keys = np.concatenate([post[0] * n_atoms + known.atom, post[1] * n_atoms + atom])
    key, inverse = np.unique(keys, return_inverse=True)
    split = known.area_ha.size
    hit = sum_by(inverse[split:] * n_classes + cells.reference, cells.count, key.size * n_classes)
    hits = hit.reshape(-1, n_classes)
    area = sum_by(inverse[:split], known.area_ha, key.size)
    return Crossed(key // n_atoms, key % n_atoms, area, hits.sum(axis=1), hits, n_atoms)


def at_places(table: Crossed, place_of: Ints, n_places: int) -> Crossed:
    """`table` with its places joined to larger ones; `place_of` is the new place of each old one."""
    key, inverse = np.unique(table.post * n_places + place_of[table.place], return_inverse=True)
    return Crossed(
        key // n_places,
        key % n_places,
        sum_by(inverse, table.area_ha, key.size),
        sum_by(inverse, table.n, key.size),
        rows_by(inverse, table.hits, key.size),
        n_places,
    )


def pooled(table: Crossed, strata: Strata, dark: int) -> PostStrata:
    """The post-strata with their rates, pooled over all places.

    A group without a point (which the groups' size all but excludes) has the rates of its stratum.

    Raises
    ------
    InputError : a stratum with observed ground and no point on it.
    """
    k = table.hits.shape[1]
    size = len(strata.names) * (k + 1)
    stratum, group = np.divmod(np.arange(size), k + 1)
    area, n = sum_by(table.post, table.area_ha, size), sum_by(table.post, table.n, size)
    hits = rows_by(table.post, table.hits, size)
    seen = group != dark if dark >= 0 else np.ones(size, dtype=bool)
    whole = rows_by(stratum[seen], hits[seen], len(strata.names))
    blind = np.flatnonzero((whole.sum(axis=1) == 0) & (sum_by(stratum[seen], area[seen], len(whole)) > 0))
    if blind.size:
        raise InputError(
            "strata with observed ground and no sample point on it",
            "two points or more on the observed ground of every stratum",
            ", ".join(strata.labels[i] for i in blind[:6]),
            "sample them, or name what to merge: `collapse: [A+B]` (--collapse A+B)",
        )
    base = whole / np.maximum(whole.sum(axis=1, keepdims=True), 1)
    share = np.where(n[:, None] > 0, hits / np.maximum(n, 1)[:, None], base[stratum])
    if dark >= 0:
        share[~seen] = np.arange(k) == dark
    return PostStrata(stratum, group, area, n, hits, share, dark)


def regression_totals(table: Crossed, post: PostStrata) -> tuple[Floats, Floats]:
    """(places, classes) twice: T, and the part of it that follows from the rates alone."""
    share = post.share[table.post]
    by_rates = table.area_ha[:, None] * share
    weight = (post.area_ha / np.maximum(post.n, 1))[table.post]
    correction = weight[:, None] * (table.hits - table.n[:, None] * share)
    size = table.n_places
    return rows_by(table.place, by_rates + correction, size), rows_by(table.place, by_rates, size)


def regression_variances(table: Crossed, post: PostStrata, strata: Strata) -> Floats:
    """(places, classes) linearised variances of T, ha^2.

    T is a constant plus the post-stratified total of z_i = 1[i in d] (y_ik - p_hgk). Its residuals, with the
    post-stratified weights, are u_i = A_hg/n_hg (z_i - mean of z over hg), and the variance (Saerndal,
    Swensson and Wretman 1989, doi:10.1093/biomet/76.3.527; `svytotal` after `postStratify` in R's package
    survey) is sum_h (1 - n_h/N_h) n_h / (n_h - 1) sum_i u_i^2.
    """
    h, size = post.stratum[table.post], table.n_places
    share, n_all = post.share[table.post], np.maximum(post.n, 1)[table.post][:, None]
    sums = table.hits - table.n[:, None] * share
    squares = table.hits * (1 - 2 * share) + table.n[:, None] * share**2
    n = strata.n[h]
    factor = strata.unsampled[h] * n / (n - 1) * (post.area_ha[table.post] / n_all[:, 0]) ** 2
    spread = np.maximum(squares - sums**2 / n_all, 0.0)
    return rows_by(table.place, factor[:, None] * spread, size)


def calibrated_totals(table: Crossed, post: PostStrata, unit: Ints, n_units: int) -> Floats:
    """(atoms, classes) hectares: nothing negative; sums over classes, and over atoms, as those of T.

    T of the units is raked to their areas and to the class totals, then T of the atoms to their areas and to
    the raked figures of their unit. Unobserved ground is known, and keeps its area.
    """
    total, by_rates = regression_totals(table, post)
    area = sum_by(table.place, table.area_ha, table.n_places)
    seen = np.arange(total.shape[1]) != post.dark
    if post.dark >= 0:
        area = area - total[:, post.dark]
    parts = total[:, seen], by_rates[:, seen]
    of_unit = rows_by(unit, parts[0], n_units), rows_by(unit, parts[1], n_units)
    classes = parts[1].sum(axis=0)[None, :]
    one = np.zeros(n_units, dtype=np.int64)
    closed = raked(*of_unit, sum_by(unit, area, n_units), one, classes)
    total[:, seen] = raked(*parts, area, unit, closed)
    return total


def raked(total: Floats, by_rates: Floats, area: Floats, block: Ints, margin: Floats) -> Floats:
    """(rows, classes) `total` kept above `LEAST_SHARE` of `by_rates`, its rows summing to `area` and, in each
    block of rows, its columns to `margin` (blocks, classes).

    Iterative proportional fitting (Deming and Stephan 1940). What the floor leaves alone is unchanged: T has
    these sums already. A trace of every class that its block holds keeps the sums within reach.
    """
    whole = margin.sum(axis=1, keepdims=True)
    even = area[:, None] * (margin / np.where(whole > 0, whole, 1))[block]
    found = np.maximum(np.maximum(total, LEAST_SHARE * by_rates), _DENSE * even)
    missed, enough = 0.0, _CLOSED * max(float(area.sum()), 1.0)
    for _ in range(_ROUNDS):
        columns = rows_by(block, found, len(margin))
        found = found * _ratio(margin, columns)[block]
        rows = found.sum(axis=1)
        found = found * _ratio(area, rows)[:, None]
        missed = float(np.abs(rows - area).sum())
        if missed <= enough:
            break
    if missed > max(enough, OPEN_HA):
        raise InputError(
            "the classes of the regions cannot be closed to their areas", f"sums to {OPEN_HA} ha",
            f"{missed:.3g} ha left after {_ROUNDS:,} rounds", "give larger units (column unit)",
        )  # fmt: skip
    return found


def _ratio(wanted: Floats, found: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(found > 0, wanted / found, 0.0))
