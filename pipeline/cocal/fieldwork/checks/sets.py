"""Faults that only several records tell: twins, copies, offices, observers who disagree, one-sided sets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cocal.fieldwork.checks.fault import Fault, Mend
from cocal.fieldwork.checks.labels import Names
from cocal.fieldwork.checks.layout import Limits
from cocal.fieldwork.checks.places import Places
from cocal.fieldwork.checks.reading import Reading, most_common

_META = ("_id", "_uuid", "uuid", "fid", "objectid", "globalid", "_index", "_submission_time", "instanceid",
         "meta/instanceid", "meta-instanceid", "key", "end", "submissiondate", "_validation_status")  # fmt: skip
_COPY_DEGREES, _COPY_METRES = 1e-6, 0.1
_RARE = 1e-3


def duplicates(reading: Reading) -> Iterator[Fault]:
    """Records that repeat an earlier one in all but what a server adds; ids of different records."""
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
        mend = Mend(("duplicate",), f"leave it out, keep row {first[row]}", drop=True)
        words = f"repeats row {first[row]} in all but what the server adds"
        yield Fault(
            "duplicate", int(row), table.loc[row, "record_id"], "(row)", words, mend, (int(first[row]),)
        )
    if own_id is None:
        return
    ids = table["record_id"][~twin]
    for name, group in ids[ids.duplicated(keep=False)].groupby(ids):
        rows = tuple(map(int, group.index))
        for row in rows:
            others = tuple(r for r in rows if r != row)
            yield Fault("duplicate_id", row, str(name), own_id, "the id of another record too", None, others)


def copies(reading: Reading, places: Places, limits: Limits, twins: set[int]) -> Iterator[Fault]:
    """Different records with one position to the last digit; many records at one place."""
    table = reading.table
    there = ~shapely.is_missing(places.points) & ~table.index.isin(list(twins))
    index = np.flatnonzero(there)
    if not index.size:
        return
    xy = shapely.get_coordinates(places.points[index])
    crowd = _crowded(xy, limits) & ~(places.own[index] & (places.off_plot[index] <= places.tolerance[index]))
    for i in index[crowd]:
        row, name = int(table.index[i]), str(table["record_id"].iloc[i])
        words = (
            f"{limits.office_records} or more records within {limits.office_radius_m:g} m, off their plots"
        )
        yield Fault("office", row, name, "position", words)
    step = _COPY_DEGREES if reading.layout.crs.is_geographic else _COPY_METRES
    near = table.iloc[index].assign(fine=_written_finely(table.iloc[index], step))[~crowd]
    for _, group in near.groupby([near["x"].div(step).round(), near["y"].div(step).round()]):
        plots = group["plot_id"][group["plot_id"] != ""].nunique()
        if len(group) < 2 or not (group["fine"].all() or plots > 1):
            continue
        rows = tuple(map(int, group.index))
        for row in rows:
            others = tuple(r for r in rows if r != row)
            words = f"the position of row {', '.join(map(str, others[:5]))}, to the last digit"
            yield Fault(
                "copied_position", row, str(table.loc[row, "record_id"]), "position", words, None, others
            )


def _crowded(xy: NDArray[np.float64], limits: Limits) -> NDArray[np.bool_]:
    """Points that lie with too many others within the radius of some point."""
    tree = cKDTree(xy)
    near = tree.query_ball_point(xy, limits.office_radius_m)
    crowd = np.zeros(len(xy), dtype=bool)
    for others in near:
        if len(others) >= limits.office_records:
            crowd[others] = True
    return crowd


def _written_finely(table: pd.DataFrame, step: float) -> pd.Series:
    """True where a position has digits down to `step`: coarse ones can be equal by chance."""
    wanted = 5 if step < 1e-3 else 1
    digits = [
        table[axis].map(lambda t: len(t.replace(",", ".").partition(".")[2].rstrip("0")))
        for axis in ("x_text", "y_text")
    ]
    return pd.concat(digits, axis=1).max(axis=1) >= wanted


def disagreements(reading: Reading, places: Places, limits: Limits, names: Names) -> Iterator[Fault]:
    """Records of one plot, near in time, whose observers give it different classes."""
    table = reading.table.assign(
        key=[_key(names, c) for c in reading.table["class"]], place=_place(reading, places, limits)
    )
    table = table[(table["key"] != "") & (table["place"] != "") & (table["observer"] != "")]
    days = table["day"].to_numpy().astype("datetime64[D]")
    table = table.assign(at=np.where(np.isnat(days), 0, days.astype(np.int64)))
    for _, group in table.groupby("place"):
        if group["key"].nunique() < 2 or group["observer"].nunique() < 2:
            continue
        key, observer, at = (group[c].to_numpy() for c in ("key", "observer", "at"))
        apart = (key[:, None] != key) & (observer[:, None] != observer)
        apart &= np.abs(at[:, None] - at) <= limits.same_time_days
        for k in np.flatnonzero(apart.any(axis=1)).tolist():
            others = tuple(int(r) for r in group.index[apart[k]])
            words = f"{key[k]}, but {', '.join(sorted(set(key[apart[k]])))} by another observer of this plot"
            yield Fault(
                "observers_disagree",
                int(group.index[k]),
                group["record_id"].iloc[k],
                "class",
                words,
                None,
                others,
            )


def _key(names: Names, text: str) -> str:
    label = names.read(text)
    return "" if label is None else label.key


def _place(reading: Reading, places: Places, limits: Limits) -> list[str]:
    """A name for each record's plot: its id; without one, the usual id of the polygon that it lies in, or
    the polygon; where no record has either, near records share a name.
    """
    ids = reading.table["plot_id"]
    if (ids != "").any() or (places.plot >= 0).any():
        usual = ids[ids != ""].groupby(places.plot[ids != ""]).agg(most_common).to_dict()
        usual = {polygon: f"polygon {polygon}" for polygon in places.plot} | usual | {-1: ""}
        return [name or usual[polygon] for name, polygon in zip(ids, places.plot, strict=True)]
    there = np.flatnonzero(~shapely.is_missing(places.points))
    name = np.arange(len(ids))
    if there.size:
        pairs = cKDTree(shapely.get_coordinates(places.points[there])).query_pairs(limits.same_place_m)
        for a, b in sorted(pairs):
            name[there[b]] = name[there[a]]
    return [f"place {n}" for n in name]


def one_sided(reading: Reading, limits: Limits, names: Names) -> Iterator[Fault]:
    """Sets (by source, else observer, and the file) in which every record is of the target class.

    A set is told where the other records make that unlikely: (their share of the target) ** n below 0.001.
    """
    table = reading.table.assign(key=[_key(names, c) for c in reading.table["class"]])
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
