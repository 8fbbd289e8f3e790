"""Faults that only several records show: twins, copies, offices, observers who disagree, one-sided sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cocal.fieldwork.checks.faults import Fault, Fix
from cocal.fieldwork.checks.layout import Limits
from cocal.fieldwork.checks.positions import Places
from cocal.fieldwork.checks.reading import Reading
from cocal.fieldwork.checks.values import ClassNames

_META = (
    "_id", "_uuid", "uuid", "fid", "objectid", "globalid", "_index", "_submission_time", "instanceid",
    "meta/instanceid", "meta-instanceid", "key", "end", "submissiondate", "_validation_status",
)  # fmt: skip
_COPY_DEGREES, _COPY_METRES = 1e-6, 0.1
_RARE = 1e-3


def duplicates(reading: Reading) -> Iterator[Fault]:
    """Yield records that repeat an earlier one in all but what a server adds; ids of different records."""
    source, table = reading.source, reading.table
    own_id = reading.layout.column("record_id")
    columns = [c for c in source.rows.columns if c != own_id and str(c).split("/")[-1].lower() not in _META]
    if not columns:
        return
    content = source.rows.loc[table.index, columns].apply(lambda c: c.astype(str).str.strip())
    content = content.assign(x=table["x"], y=table["y"]) if source.shapes is not None else content
    key = pd.util.hash_pandas_object(content, index=False)
    first = pd.Series(table.index, index=table.index).groupby(key.to_numpy()).transform("min")
    twin = (first != table.index) & table["x"].notna()
    for row in table.index[twin]:
        kept = int(first[row])
        fix = Fix(("duplicate",), f"leave it out, keep row {kept}", drop=True)
        words = f"repeats row {kept} in all but what the server adds"
        yield reading.fault("duplicate", row, "(row)", words, fix, (kept,))
    if own_id is None:
        return
    ids = table["record_id"][~twin]
    for _, group in ids[ids.duplicated(keep=False)].groupby(ids):
        for row, others in _each_and_others(group):
            yield reading.fault("duplicate_id", row, own_id, "the id of another record too", None, others)


def _each_and_others(group: pd.DataFrame | pd.Series) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each row of a group and the group's other rows."""
    rows = tuple(map(int, group.index))
    for row in rows:
        yield row, tuple(r for r in rows if r != row)


def copies(reading: Reading, places: Places, limits: Limits, left_out: set[int]) -> Iterator[Fault]:
    """Yield different records with one position to the last digit, and many records at one place."""
    table = reading.table
    index = np.flatnonzero(~shapely.is_missing(places.points) & ~table.index.isin(list(left_out)))
    if not index.size:
        return
    xy = shapely.get_coordinates(places.points[index])
    crowd = _crowded(xy, limits) & ~(places.own[index] & (places.off_plot[index] <= places.tolerance[index]))
    for row in table.index[index[crowd]]:
        near = f"{limits.office_records} or more records within {limits.office_radius_m:g} m"
        yield reading.fault("office", row, "position", f"{near}, off their plots")
    step = _COPY_DEGREES if reading.layout.crs.is_geographic else _COPY_METRES
    apart = table.iloc[index].assign(fine=_written_finely(table.iloc[index], step))[~crowd]
    for _, group in apart.groupby([apart["x"].div(step).round(), apart["y"].div(step).round()]):
        plots = group["plot_id"][group["plot_id"] != ""].nunique()
        if len(group) < 2 or not (group["fine"].all() or plots > 1):
            continue
        for row, others in _each_and_others(group):
            words = f"the position of row {', '.join(map(str, others[:5]))}, to the last digit"
            yield reading.fault("copied_position", row, "position", words, None, others)


def _crowded(xy: NDArray[np.float64], limits: Limits) -> NDArray[np.bool_]:
    """Return True for points that lie with too many others within the radius of some point."""
    crowd = np.zeros(len(xy), dtype=bool)
    for others in cKDTree(xy).query_ball_point(xy, limits.office_radius_m):
        if len(others) >= limits.office_records:
            crowd[others] = True
    return crowd


def _written_finely(table: pd.DataFrame, step: float) -> pd.Series:
    """Return True where a position has digits down to `step`: coarse ones can be equal by chance."""
    wanted = 5 if step < 1e-3 else 1
    digits = [
        table[axis].map(lambda t: len(t.replace(",", ".").partition(".")[2].rstrip("0")))
        for axis in ("x_text", "y_text")
    ]
    return pd.concat(digits, axis=1).max(axis=1) >= wanted


def disagreements(reading: Reading, places: Places, limits: Limits, names: ClassNames) -> Iterator[Fault]:
    """Yield records of one plot, near in time, whose observers give it different classes."""
    table = reading.table.assign(
        key=reading.table["class"].map(names.key), plot=_plot_names(reading, places, limits)
    )
    table = table[(table["key"] != "") & (table["plot"] != "") & (table["observer"] != "")]
    days = table["day"].to_numpy().astype("datetime64[D]")
    table = table.assign(at=np.where(np.isnat(days), 0, days.astype(np.int64)))
    for _, group in table.groupby("plot"):
        if group["key"].nunique() < 2 or group["observer"].nunique() < 2:
            continue
        key, observer, at = (group[c].to_numpy() for c in ("key", "observer", "at"))
        apart = (key[:, None] != key) & (observer[:, None] != observer)
        apart &= np.abs(at[:, None] - at) <= limits.same_time_days
        for k in np.flatnonzero(apart.any(axis=1)).tolist():
            others = tuple(int(r) for r in group.index[apart[k]])
            words = f"{key[k]}, but {', '.join(sorted(set(key[apart[k]])))} by another observer of this plot"
            yield reading.fault("observers_disagree", group.index[k], "class", words, None, others)


def _plot_names(reading: Reading, places: Places, limits: Limits) -> list[str]:
    """Return a name for each record's plot.

    It is the plot's id; without one, the usual id of the polygon that the record lies in, or the polygon;
    where no record has either, records near each other share a name.
    """
    ids = reading.table["plot_id"]
    if (ids != "").any() or (places.plot >= 0).any():
        usual = ids[ids != ""].groupby(places.plot[ids != ""]).agg(_most_common).to_dict()
        usual = {polygon: f"polygon {polygon}" for polygon in places.plot} | usual | {-1: ""}
        return [name or usual[polygon] for name, polygon in zip(ids, places.plot, strict=True)]
    there = np.flatnonzero(~shapely.is_missing(places.points))
    name = np.arange(len(ids))
    if there.size:
        pairs = cKDTree(shapely.get_coordinates(places.points[there])).query_pairs(limits.same_place_m)
        for a, b in sorted(pairs):
            name[there[b]] = name[there[a]]
    return [f"place {n}" for n in name]


def _most_common(values: pd.Series) -> str:
    """Return the value that occurs most; the first of several in order of text."""
    counts: Counter[str] = Counter(values)
    return min(counts, key=lambda v: (-counts[v], str(v)))


def one_sided(reading: Reading, limits: Limits, names: ClassNames) -> Iterator[Fault]:
    """Yield sets (by source, else observer, and the file) in which every record is of the target class.

    A set is listed where the other records make that unlikely: (their share of the target) ** n below 0.001.
    """
    table = reading.table.assign(key=reading.table["class"].map(names.key))
    table = table[table["key"] != ""]
    target = table["key"] == names.target
    if len(table) >= limits.set_records and target.all():
        words = f"all {len(table)} records are {names.target}: they cannot show where it is not"
        yield Fault("presence_only", None, "", "(file)", words, None, tuple(map(int, table.index)))
        return
    what = "source" if table["source"].nunique() > 1 else "observer"
    for name, group in table[table[what] != ""].groupby(what):
        rest = target[~target.index.isin(group.index)]
        alone = len(group) >= limits.set_records and target[group.index].all()
        if alone and rest.size and rest.mean() ** len(group) < _RARE:
            words = f"all {len(group)} records of {what} {str(name)[:40]!r} are {names.target}"
            rows = tuple(map(int, group.index))
            yield Fault("presence_only", None, "", str(reading.layout.column(what)), words, None, rows)
