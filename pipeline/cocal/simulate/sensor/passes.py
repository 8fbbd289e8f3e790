"""The acquisitions of a year: whole scenes, scenes cut by the edge of the swath, days of two datastrips."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.noise import uniform

SWATH_TILT = 0.24
"""How far the edge of a swath leans west per metre to the south (the orbit's inclination is 98.6 degrees)."""

STRIP_OVERLAP = 0.12
"""Overlap of two datastrips, as a share of the land's side (assumption)."""

NEW_BASELINE_MONTH = 7
"""From this month on products have an offset of -1000 (baseline 05.11), before it none (03.01)."""


@dataclass(frozen=True)
class Pass:
    """One item of the archive. `edge` (a, b, c): seen where a x + b y >= c; None = all of it is seen."""

    scene_id: str
    acquired: datetime
    platform: str
    baseline: str
    offset: int
    edge: tuple[float, float, float] | None

    @property
    def day(self) -> date:
        return self.acquired.date()

    def seen(self, window: Window) -> NDArray[np.bool_]:
        """(y, x) True where the sensor saw the ground."""
        if self.edge is None:
            return np.ones(window.shape, dtype=bool)
        a, b, c = self.edge
        return np.asarray(a * window.x[None, :] + b * window.y[:, None] >= c)


def acquisition_days(year: int, per_month: int) -> list[date]:
    """`per_month` days in every month of the year, evenly spaced, the first on the 5th or earlier."""
    step = 30 // per_month
    first = min(5, step)
    return [date(year, month, min(first + step * k, 28)) for month in range(1, 13) for k in range(per_month)]


def passes(seed: int, window: Window, year: int, per_month: int) -> list[Pass]:
    """The items of a year, in the order of their acquisition: every third day is cut by the edge of the
    swath, and every fifth comes in two datastrips that overlap.
    """
    out = []
    for number, day in enumerate(acquisition_days(year, per_month)):
        if number % 5 == 4:
            north, south = _strips(window)
            out += [_item(window, day, "a", 0, north), _item(window, day, "b", 12, south)]
        elif number % 3 == 2:
            out.append(_item(window, day, "", 0, _swath_edge(seed, window, day)))
        else:
            out.append(_item(window, day, "", 0, None))
    return out


def _item(
    window: Window, day: date, part: str, seconds: int, edge: tuple[float, float, float] | None
) -> Pass:
    late = day.month >= NEW_BASELINE_MONTH
    return Pass(
        f"sim-{day:%Y%m%d}{part}-{window.epsg}",
        datetime.combine(day, time(14, 46), tzinfo=UTC) + timedelta(seconds=seconds),
        "simulated-a" if day.toordinal() % 2 else "simulated-b",
        "05.11" if late else "03.01",
        -1000 if late else 0,
        edge,
    )


def _swath_edge(seed: int, window: Window, day: date) -> tuple[float, float, float]:
    """The edge of a swath that ends within the land, on its west or its east side at random."""
    x, y = (window.left + window.right) / 2, (window.bottom + window.top) / 2
    side = float(window.right - window.left)
    draw = uniform(seed, "swath", day.toordinal(), np.arange(2))
    sign = 1.0 if draw[0] < 0.5 else -1.0
    return sign, -sign * SWATH_TILT, sign * (x - SWATH_TILT * y) - side * (0.1 + 0.25 * float(draw[1]))


def _strips(window: Window) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The edges of a northern and a southern datastrip."""
    y, half = (window.bottom + window.top) / 2, STRIP_OVERLAP * float(window.right - window.left) / 2
    return (0.0, 1.0, y - half), (0.0, -1.0, -(y + half))
