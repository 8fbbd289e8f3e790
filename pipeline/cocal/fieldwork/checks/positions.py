"""Positions compared with the ground: which fault explains a record outside the area or its plot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cocal.fieldwork.checks.faults import Fault, Fix
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
    """The place where each record was most likely taken: as it stands, or after the proposed fix.

    `points`: metres, missing where no position is plausible; `plot`: index of the plot, -1 not known;
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
class _Trial:
    """The records' positions as they stand, and what is needed to try others."""

    reading: Reading
    ground: Ground
    x: Array
    y: Array
    own: NDArray[np.int64]
    error: Array

    @cached_property
    def candidates(self) -> tuple[tuple[Transform, ...], ...]:
        return candidates(self.reading.layout.crs, self.ground.home_zone)

    def degrees(self, x: Array, y: Array) -> tuple[Array, Array]:
        lon, lat = transformer(self.reading.layout.crs.to_wkt(), 4326).transform(x, y, errcheck=False)
        return lon, lat

    def moved(self, transform: Transform | None, rows: Flags) -> tuple[Array, Array]:
        """Positions of `rows` in degrees, after a transform."""
        x, y = self.x[rows], self.y[rows]
        return self.degrees(*(transform.apply(x, y) if transform else (x, y)))

    def off_plot(self, transform: Transform | None, rows: Flags) -> Array:
        """Metres from the plots of `rows`, after a transform; infinite where there is no position."""
        points = self.ground.points(*self.moved(transform, rows))
        distance = self.ground.plot_distance(points, self.own[rows])
        return np.where(np.isnan(distance), np.inf, distance)

    def into_plot(self, transform: Transform, off: Flags) -> list[int]:
        """Which of the records `off` their plot the transform puts into it."""
        near = self.off_plot(transform, off) <= self.error[off] + transform.slack_m
        found: list[int] = np.flatnonzero(off)[near].tolist()
        return found


def find_places(reading: Reading, ground: Ground) -> tuple[Places, list[Fault]]:
    """Return the places of the records, and the faults of position that one record and the ground show."""
    table = reading.table
    x, y = table["x"].to_numpy(np.float64), table["y"].to_numpy(np.float64)
    accuracy = table["accuracy"].fillna(_UNKNOWN_ERROR_M).to_numpy(np.float64)
    own = ground.own_plots(table["plot_id"].tolist())
    trial = _Trial(reading, ground, x, y, own, np.clip(accuracy, _LEAST_M, _LARGEST_ERROR_M))
    inside = ground.inside(*trial.degrees(x, y))
    outside = np.isfinite(x) & np.isfinite(y) & ~inside
    chosen, several = _into_area(trial, outside)
    faults = []
    for i in np.flatnonzero(outside).tolist():
        if i not in chosen:
            words = "several fixes would bring it in" if i in several else "no known fix brings it in"
            row = table.index[i]
            faults.append(reading.fault("outside_area", row, "position", f"outside the area; {words}"))
    if ground.plots is not None:
        chosen |= _into_plots(trial, inside)
    for i, transform in chosen.items():
        faults += _explained(
            reading, int(table.index[i]), transform, "off its plot" if inside[i] else "outside the area"
        )
    return _settled(trial, inside, chosen), faults


def _into_area(trial: _Trial, outside: Flags) -> tuple[dict[int, Transform], set[int]]:
    """Return (the transform that brings each record into the area, records that several bring in)."""
    open_rows = outside.copy()
    chosen: dict[int, Transform] = {}
    several: set[int] = set()
    for transforms in trial.candidates:
        index = np.flatnonzero(open_rows)
        hits: dict[int, list[Transform]] = {}
        for transform in transforms:
            for i in index[trial.ground.inside(*trial.moved(transform, open_rows))].tolist():
                hits.setdefault(i, []).append(transform)
        for i, found in hits.items():
            open_rows[i] = False
            if len(found) > 1 and trial.ground.plots is not None:
                one = np.arange(len(trial.x)) == i
                found = [t for t in found if trial.off_plot(t, one)[0] <= trial.error[i]]
            if len(found) == 1:
                chosen[i] = found[0]
            else:
                several.add(i)
    return chosen, several


def _into_plots(trial: _Trial, inside: Flags) -> dict[int, Transform]:
    """Return the one transform that brings each record that lies in the area, but off its plot, into it."""
    off = inside.copy()
    off[inside] = trial.off_plot(None, inside) > 1.5 * trial.error[inside]
    hits: dict[int, list[Transform]] = {}
    for transform in trial.candidates[0]:
        for i in trial.into_plot(transform, off):
            hits.setdefault(i, []).append(transform)
    shifts = datums(trial.reading.layout.crs, trial.ground.home_zone)
    for i, shift in _datum_shifts(trial, shifts, off).items():
        hits.setdefault(i, []).append(shift)
    return {i: found[0] for i, found in hits.items() if len(found) == 1}


def _datum_shifts(trial: _Trial, shifts: Sequence[Transform], off: Flags) -> dict[int, Transform]:
    """Return the shift of each record that one explains.

    A datum is a setting of a receiver (device, else observer), so a receiver has one shift: the one that
    leaves its records, in the mean, nearest to the middles of their plots. A record whose own plot is known
    stands for itself; any other only where three or more of its receiver's records fit, half of those off
    their plots.
    """
    fits = [set(trial.into_plot(shift, off)) for shift in shifts]
    table = trial.reading.table
    found: dict[int, Transform] = {}
    receiver = table["device"].where(table["device"] != "", table["observer"]).to_numpy()
    for name in dict.fromkeys(receiver[off]):
        rows = np.flatnonzero(off & (receiver == name)).tolist()
        some = np.isin(np.arange(len(off)), [i for i in rows if any(i in fit for fit in fits)])
        if not some.any():
            continue
        best = min(range(len(shifts)), key=lambda k: _mean_offset(trial, shifts[k], some))
        mine = [i for i in rows if i in fits[best]]
        good = len(mine) >= max(_RECEIVER_RECORDS, _RECEIVER_SHARE * len(rows))
        found |= {i: shifts[best] for i in mine if good or trial.own[i] >= 0}
    return found


def _mean_offset(trial: _Trial, shift: Transform, rows: Flags) -> float:
    """Return metres from the middle of the plot, of the mean of `rows` after the shift."""
    points = trial.ground.points(*trial.moved(shift, rows))
    east, north = trial.ground.plot_offset(points, trial.own[rows]).T.tolist()
    return math.hypot(math.fsum(east), math.fsum(north)) / len(east)


def _explained(reading: Reading, row: int, transform: Transform, where: str) -> Iterator[Fault]:
    """Yield one fault for each rule of a transform; they share the fix, which needs all of them accepted."""
    fix = _fix(reading, row, transform)
    for rule in transform.rules:
        words = f"{where} as it stands, in it after the fix"
        yield reading.fault(rule, row, "position", words, fix)


def _fix(reading: Reading, row: int, transform: Transform) -> Fix | None:
    """Return the fix of one record; None for a polygon or line, which is not moved."""
    cells = reading.table.loc[row]
    x_text, y_text, rules = str(cells["x_text"]), str(cells["y_text"]), transform.rules
    if "decimal comma" in (parse_number(x_text)[1], parse_number(y_text)[1]):
        x_text, y_text = (
            with_point(t) if parse_number(t)[1] == "decimal comma" else t for t in (x_text, y_text)
        )
        rules = (*rules, "decimal_comma")
    if transform.text is not None and all(parse_number(t)[1] == "plain" for t in (x_text, y_text)):
        x_text, y_text = transform.text(x_text, y_text)
    else:
        digits = 8 if reading.layout.crs.is_geographic else 3
        moved = transform.apply(*(np.array([cells[axis]], dtype=np.float64) for axis in ("x", "y")))
        x_text, y_text = (f"{value[0]:.{digits}f}" for value in moved)
    changes = reading.moved(row, x_text, y_text)
    return Fix(tuple(dict.fromkeys(rules)), transform.name, changes) if changes else None


def _settled(trial: _Trial, inside: Flags, chosen: dict[int, Transform]) -> Places:
    x, y, ground = trial.x.copy(), trial.y.copy(), trial.ground
    explained = np.isin(np.arange(len(x)), list(chosen))
    for transform in {id(t): t for t in chosen.values()}.values():
        rows = [i for i, t in chosen.items() if t is transform]
        x[rows], y[rows] = transform.apply(x[rows], y[rows])
    points = ground.points(*trial.degrees(x, y))
    points[~(inside | explained)] = None
    return Places(
        points,
        ground.plot_of(points, trial.own),
        trial.own >= 0,
        ground.plot_distance(points, trial.own),
        ground.road_distance(points),
        explained,
        1.5 * trial.error,
    )


def beside_plots(reading: Reading, places: Places, limits: Limits, accounted: set[int]) -> Iterator[Fault]:
    """Yield records on a road, or off their own plot; `accounted` rows have a fault that explains it."""
    known = np.isfinite(places.off_plot)
    off = known & (places.off_plot > places.tolerance)
    on_road = (places.off_road <= limits.road_m) & (off | ~known) & ~places.explained
    astray = off & places.own & ~on_road & ~places.explained & (places.off_plot > places.tolerance + 10)
    for i in np.flatnonzero(on_road | astray).tolist():
        row, distance = int(reading.table.index[i]), places.off_plot[i]
        if row in accounted:
            continue
        if on_road[i]:
            beside = f", {distance:.0f} m from the plot" if known[i] else "; it may be a plot at the roadside"
            yield reading.fault("on_road", row, "position", f"on a road{beside}")
        else:
            yield reading.fault("outside_plot", row, "position", f"{distance:.0f} m from its own plot")
