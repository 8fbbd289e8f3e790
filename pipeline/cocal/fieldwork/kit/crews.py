"""Points -> crew, day and order of visits, by distance.

The rule: each country gets crews in proportion to its points, one at least. Its points are cut in two at
their longer extent, again and again, until there is a part per crew; a crew's points likewise into days.
Parts of one cut differ by one point at most. Within a day the path is the shortest found from any first
point by going to the nearest point left, then turning around stretches as long as that makes it shorter.
No chance is in it, and the order of the rows does not matter.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Geod

from cocal.errors import UsageError

PLAN_COLUMNS = ("point_id", "crew", "crew_day", "stop", "leg_m")
_GEOD = Geod(ellps="WGS84")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def plan_days(points: pd.DataFrame, *, crews: int | None, per_day: int) -> pd.DataFrame:
    """`PLAN_COLUMNS` of each point: crew, its day, the day's stop (all from 1), m from the stop before.

    Parameters
    ----------
    points : with point_id, lon, lat (degrees), country; no crew works in two countries.
    crews : number of crews in all; None = one per country.
    per_day : points that a crew visits on a day, at most.

    Raises
    ------
    UsageError
        There are fewer crews than countries, more crews than points, or less than a point per day.

    Examples
    --------
    >>> lon = [-70.0, -70.001, -69.0, -69.001]
    >>> points = pd.DataFrame({"point_id": list("abcd"), "lon": lon, "lat": -14.0, "country": "PE"})
    >>> plan_days(points, crews=2, per_day=2)[["point_id", "crew", "crew_day", "stop"]].to_numpy().tolist()
    [['b', 1, 1, 1], ['a', 1, 1, 2], ['d', 2, 1, 1], ['c', 2, 1, 2]]
    """
    ordered = points.sort_values("point_id", kind="stable").reset_index(drop=True)
    sizes = ordered["country"].value_counts().sort_index()
    wanted = len(sizes) if crews is None else crews
    if per_day < 1 or not len(sizes) <= wanted <= len(ordered):
        raise UsageError(
            "the points cannot be shared among the crews",
            f"{len(sizes)} crews or more, one per country, {len(ordered)} at most; a point per day or more",
            f"{wanted} crews, {per_day} points per day", "change --crews or --per-day",
        )  # fmt: skip
    lon, lat = (ordered[name].to_numpy(np.float64) for name in ("lon", "lat"))
    crew, rows = 0, []
    for country, n in zip(sizes.index, _shared(np.asarray(sizes, dtype=np.int64), wanted), strict=True):
        for own in halved(lon, lat, np.flatnonzero(ordered["country"] == country), int(n)):
            crew += 1
            for day, part in enumerate(halved(lon, lat, own, ceil(len(own) / per_day)), start=1):
                path, legs = shortest_path(lon[part], lat[part])
                rows += [
                    (ordered["point_id"][i], crew, day, stop, leg)
                    for stop, (i, leg) in enumerate(zip(part[path], legs, strict=True), start=1)
                ]
    return pd.DataFrame(rows, columns=list(PLAN_COLUMNS))


def _shared(points: Ints, crews: int) -> Ints:
    """Crews of each country: one, and each further one where a crew has most points left."""
    found = np.ones(len(points), dtype=np.int64)
    for _ in range(crews - len(points)):
        found[np.argmax(points / found)] += 1
    return found


def halved(lon: Floats, lat: Floats, own: Ints, parts: int) -> list[Ints]:
    """The indices `own` in `parts` groups of neighbours; sizes differ by one at most.

    Examples
    --------
    >>> halved(np.array([0.0, 1.0, 2.0]), np.zeros(3), np.arange(3), 2)
    [array([0, 1]), array([2])]
    """
    if parts == 1:
        return [own]
    east = lon[own] * np.cos(np.radians(lat[own].mean()))
    along = east if np.ptp(east) >= np.ptp(lat[own]) else -lat[own]
    order = own[np.argsort(along, kind="stable")]
    first = parts // 2
    size, larger = divmod(len(own), parts)
    cut = first * size + min(larger, first)
    return [*halved(lon, lat, order[:cut], first), *halved(lon, lat, order[cut:], parts - first)]


def shortest_path(lon: Floats, lat: Floats) -> tuple[Ints, Floats]:
    """A short way past all points, open at both ends: their order, and the m from the point before.

    The first has 0 m. It is the shortest way for few points as a rule, not by proof.
    """
    n = len(lon)
    away = _GEOD.inv(np.repeat(lon, n), np.repeat(lat, n), np.tile(lon, n), np.tile(lat, n))[2]
    metres = np.asarray(away).reshape(n, n)
    ways = [_untangled(_nearest_next(metres, start), metres) for start in range(n)]
    lengths = [round(float(metres[way[:-1], way[1:]].sum()), 3) for way in ways]
    best = ways[int(np.argmin(lengths))]
    return best, np.concatenate([[0.0], metres[best[:-1], best[1:]]])


def _nearest_next(metres: Floats, start: int) -> Ints:
    way, left = [start], np.ones(len(metres), dtype=bool)
    left[start] = False
    while left.any():
        way.append(int(np.argmin(np.where(left, metres[way[-1]], np.inf))))
        left[way[-1]] = False
    return np.array(way)


def _untangled(way: Ints, metres: Floats) -> Ints:
    """Turn around stretches (2-opt, Croes 1958) as long as one of them makes the open path shorter."""
    n, shorter = len(way), True
    while shorter:
        shorter = False
        for i in range(n - 1):
            for j in range(i + 1, n):
                before = 0.0 if i == 0 else metres[way[i - 1], way[i]] - metres[way[i - 1], way[j]]
                after = 0.0 if j == n - 1 else metres[way[j], way[j + 1]] - metres[way[i], way[j + 1]]
                if before + after > 1e-6:
                    way = np.concatenate([way[:i], way[i : j + 1][::-1], way[j + 1 :]])
                    shorter = True
    return way
