"""Positions against the ground: which fault explains a record that lies where it cannot or should not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocal.fieldwork.checks.fault import Fault, Mend
from cocal.fieldwork.checks.ground import Ground
from cocal.fieldwork.checks.layout import Limits
from cocal.fieldwork.checks.reading import Reading
from cocal.fieldwork.checks.text import parse_number, with_point
from cocal.fieldwork.checks.transforms import Transform, candidates, datums
from cocal.grid import transformer

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_UNKNOWN_ERROR_M, _LARGEST_ERROR_M, _LEAST_M = 10.0, 15.0, 5.0
_RECEIVER_RECORDS, _RECEIVER_SHARE = 3, 0.5


@dataclass(frozen=True)
class Places:
    """Each record where it was most likely taken: as it stands, or by the mend that is proposed.

    `points`: metres, missing where no position can be believed; `plot`: index of the plot, -1 not known;
    `off_plot`, `off_road` in m, NaN without plots or roads; `own`: the plot is known by its id.
    """

    points: NDArray[np.object_]
    plot: NDArray[np.int64]
    own: Flags
    off_plot: Array
    off_road: Array
    explained: Flags
    tolerance: Array


@dataclass(frozen=True)
class _Positions:
    """The records' positions as they stand, and what it takes to try others."""

    reading: Reading
    ground: Ground
    x: Array
    y: Array
    own: NDArray[np.int64]
    error: Array

    def degrees(self, x: Array, y: Array) -> tuple[Array, Array]:
        lon, lat = transformer(self.reading.layout.crs.to_wkt(), 4326).transform(x, y, errcheck=False)
        return lon, lat

    def inside(self, x: Array, y: Array) -> Flags:
        return self.ground.inside(*self.degrees(x, y))

    def off_plot(self, x: Array, y: Array, which: Flags) -> Array:
        """Metres from the plot, of the records `which` alone; infinite where there is no position."""
        points = self.ground.points(*self.degrees(x[which], y[which]))
        distance = self.ground.plot_distance(points, self.own[which])
        return np.where(np.isnan(distance), np.inf, distance)


def find_places(reading: Reading, ground: Ground) -> tuple[Places, list[Fault]]:
    """Where the records lie, and the faults of their positions that one record and the ground can tell."""
    table = reading.table
    x, y = table["x"].to_numpy(np.float64), table["y"].to_numpy(np.float64)
    error = np.clip(
        table["accuracy"].fillna(_UNKNOWN_ERROR_M).to_numpy(np.float64), _LEAST_M, _LARGEST_ERROR_M
    )
    own = ground.own_plots(table["plot_id"].tolist())
    stand = _Positions(reading, ground, x, y, own, error)
    there = np.isfinite(x) & np.isfinite(y)
    inside = stand.inside(x, y)
    chosen: list[Transform | None] = [None] * len(x)
    faults = list(_outside(stand, there & ~inside, chosen))
    if ground.plots is not None:
        _off_plot(stand, inside, chosen)
    faults += [
        f for i, t in enumerate(chosen) if t is not None for f in _told(reading, i, t, bool(inside[i]))
    ]
    return _settled(stand, inside, chosen), faults


def _outside(stand: _Positions, outside: Flags, chosen: list[Transform | None]) -> Iterator[Fault]:
    """Choose what brings each record that lies outside into the area; tell those that nothing does."""
    crs, home = stand.reading.layout.crs, stand.ground.home_zone
    open_rows = outside.copy()
    several: set[int] = set()
    for transforms in candidates(crs, home):
        for i, hits in _hits(stand, transforms, open_rows).items():
            best = _nearest_plot(stand, i, hits)
            chosen[i] = best
            if best is None:
                several.add(i)
            open_rows[i] = False
    for i in np.flatnonzero(outside).tolist():
        if chosen[i] is None:
            words = "several mends would bring it in" if i in several else "no known mend brings it in"
            yield Fault(
                "outside_area",
                int(stand.reading.table.index[i]),
                str(stand.reading.table["record_id"].iloc[i]),
                "position",
                f"outside the area; {words}",
            )


def _hits(stand: _Positions, transforms: Sequence[Transform], rows: Flags) -> dict[int, list[Transform]]:
    """The transforms that put each of `rows` into the area."""
    found: dict[int, list[Transform]] = {}
    index = np.flatnonzero(rows)
    for transform in transforms:
        for i in index[stand.inside(*transform.apply(stand.x[rows], stand.y[rows]))]:
            found.setdefault(int(i), []).append(transform)
    return found


def _nearest_plot(stand: _Positions, i: int, hits: list[Transform]) -> Transform | None:
    """The one transform of `hits`; of several the one that puts the record into a plot, if it is one."""
    if len(hits) == 1 or stand.ground.plots is None:
        return hits[0] if len(hits) == 1 else None
    one = np.arange(len(stand.x)) == i
    near = []
    for transform in hits:
        x, y = stand.x.copy(), stand.y.copy()
        x[one], y[one] = transform.apply(x[one], y[one])
        if stand.off_plot(x, y, one)[0] <= stand.error[i]:
            near.append(transform)
    return near[0] if len(near) == 1 else None


def _off_plot(stand: _Positions, inside: Flags, chosen: list[Transform | None]) -> None:
    """Choose what brings records that lie in the area, but off their plot, into it."""
    crs, home = stand.reading.layout.crs, stand.ground.home_zone
    off = inside.copy()
    off[inside] = stand.off_plot(stand.x, stand.y, inside) > 1.5 * stand.error[inside]
    single, _ = candidates(crs, home)
    hits: dict[int, list[Transform]] = {}
    for transform in single:
        for i in _into_plot(stand, transform, off):
            hits.setdefault(int(i), []).append(transform)
    for i, shift in _datums(stand, datums(crs, home), off).items():
        hits.setdefault(i, []).append(shift)
    for i, found in hits.items():
        chosen[i] = found[0] if len(found) == 1 else None


def _into_plot(stand: _Positions, transform: Transform, off: Flags) -> NDArray[np.int64]:
    """Which of the records `off` their plot the transform puts into it."""
    x, y = stand.x.copy(), stand.y.copy()
    x[off], y[off] = transform.apply(x[off], y[off])
    index = np.flatnonzero(off)
    return index[stand.off_plot(x, y, off) <= stand.error[off] + transform.slack_m]


def _datums(stand: _Positions, shifts: Sequence[Transform], off: Flags) -> dict[int, Transform]:
    """The shift of each record that one explains.

    A datum is a setting of a receiver (device, else observer), so a receiver has one shift: the one that
    leaves its records, in the mean, nearest to the middles of their plots. A record whose own plot is known
    stands for itself; any other only where three or more of its receiver's records fit, half of those off
    their plots.
    """
    fits = [set(_into_plot(stand, shift, off).tolist()) for shift in shifts]
    table = stand.reading.table
    found: dict[int, Transform] = {}
    receiver = table["device"].where(table["device"] != "", table["observer"]).to_numpy()
    for name in dict.fromkeys(receiver[off]):
        rows = np.flatnonzero(off & (receiver == name)).tolist()
        some = np.isin(np.arange(len(off)), [i for i in rows if any(i in fit for fit in fits)])
        if not some.any():
            continue
        best = min(range(len(shifts)), key=lambda k: _mean_offset(stand, shifts[k], some))
        mine = [i for i in rows if i in fits[best]]
        good = len(mine) >= max(_RECEIVER_RECORDS, _RECEIVER_SHARE * len(rows))
        found |= {i: shifts[best] for i in mine if good or stand.own[i] >= 0}
    return found


def _mean_offset(stand: _Positions, shift: Transform, rows: Flags) -> float:
    """Metres from the middle of the plot, of the mean of `rows` after the shift; each has a position."""
    x, y = shift.apply(stand.x[rows], stand.y[rows])
    points = stand.ground.points(*stand.degrees(x, y))
    east, north = stand.ground.plot_offset(points, stand.own[rows]).T.tolist()
    return math.hypot(math.fsum(east), math.fsum(north)) / len(east)


def _told(reading: Reading, i: int, transform: Transform, inside: bool) -> Iterator[Fault]:
    """One fault for each rule of a transform; they share the mend, which needs all of them accepted."""
    row = int(reading.table.index[i])
    where = "off its plot" if inside else "outside the area"
    mend = _mend(reading, row, transform)
    for rule in transform.rules:
        words = f"{where} as it stands, in it after the mend"
        yield Fault(rule, row, str(reading.table.loc[row, "record_id"]), "position", words, mend)


def _mend(reading: Reading, row: int, transform: Transform) -> Mend | None:
    """The mend of one record; None for a polygon or line, which is not moved."""
    cells = reading.table.loc[row]
    texts, rules = (str(cells["x_text"]), str(cells["y_text"])), list(transform.rules)
    if row in reading.comma:
        texts = tuple(with_point(t) if parse_number(t)[1] == "decimal comma" else t for t in texts)  # type: ignore[assignment]
        rules.append("decimal_comma")
    if transform.text is not None and all(parse_number(t)[1] == "plain" for t in texts):
        texts = transform.text(*texts)
    else:
        values = transform.apply(*(np.array([cells[axis]], dtype=np.float64) for axis in ("x", "y")))
        digits = 8 if reading.layout.crs.is_geographic else 3
        texts = f"{values[0][0]:.{digits}f}", f"{values[1][0]:.{digits}f}"
    changes = reading.moved(row, *texts)
    return Mend(tuple(dict.fromkeys(rules)), transform.name, changes) if changes else None


def _settled(stand: _Positions, inside: Flags, chosen: list[Transform | None]) -> Places:
    x, y = stand.x.copy(), stand.y.copy()
    explained = np.array([t is not None for t in chosen], dtype=bool)
    for transform in {id(t): t for t in chosen if t is not None}.values():
        rows = np.array([t is transform for t in chosen], dtype=bool)
        x[rows], y[rows] = transform.apply(x[rows], y[rows])
    points = stand.ground.points(*stand.degrees(x, y))
    points[~(inside | explained)] = None
    ground = stand.ground
    return Places(
        points,
        ground.plot_of(points, stand.own),
        stand.own >= 0,
        ground.plot_distance(points, stand.own),
        ground.road_distance(points),
        explained,
        1.5 * stand.error,
    )


def beside_plots(reading: Reading, places: Places, limits: Limits, accounted: set[int]) -> Iterator[Fault]:
    """Records on a road, or off their own plot; `accounted` rows have a fault that explains it."""
    table = reading.table
    known = np.isfinite(places.off_plot)
    off = known & (places.off_plot > places.tolerance)
    on_road = (places.off_road <= limits.road_m) & (off | ~known) & ~places.explained
    astray = off & places.own & ~on_road & ~places.explained & (places.off_plot > places.tolerance + 10)
    for i in np.flatnonzero(on_road | astray).tolist():
        row = int(table.index[i])
        if row in accounted:
            continue
        name, distance = str(table["record_id"].iloc[i]), places.off_plot[i]
        beside = f", {distance:.0f} m from the plot" if known[i] else "; it may be a plot at the roadside"
        if on_road[i]:
            yield Fault("on_road", row, name, "position", f"on a road{beside}")
        else:
            yield Fault("outside_plot", row, name, "position", f"{distance:.0f} m from its own plot")
