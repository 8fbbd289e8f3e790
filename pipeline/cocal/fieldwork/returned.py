"""What came back of a drawn sample -> rows as `read_records` reads them, one per point.

An export of ODK, Kobo, QField or Epicollect, or answers from images, needs no stratum, probability or
position: they are those of the point that was drawn. What is in doubt must be confirmed before it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Geod

from cocal.errors import InputError
from cocal.fieldwork.checks.layout import Layout, RecordMapping, find_layout
from cocal.fieldwork.checks.reading import read_cells
from cocal.fieldwork.checks.source import Source, read_source
from cocal.fieldwork.checks.text import fold, parse_number
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.texts import CHOICES
from cocal.fieldwork.response import CONTRADICTORY, FAR, NOT_RETURNED
from cocal.fieldwork.settings import FROM_SAMPLE, READ, RecordSettings
from cocal.fieldwork.tables import read_rows
from cocal.grid import transformer
from cocal.notes import Note
from cocal.notes.account import part
from cocal.scheme import ClassScheme

NOT_STATED = "not_stated"
"""`why_not` where a file states that a point was not reached and has no column for the reason."""

_SAMPLE = ("point_id", "role", "order", "stratum", "region_id", "inclusion_probability", "lon", "lat")
_TEXTS = ("record_id", "point_id", "class", "second_class", "observed_on", "source", "visited", "why_not",
          "state", "shade", "mixture", "review")  # fmt: skip
_DECIDING = ("class", "second_class", "state", "shade", "mixture", "age")
"""What decides under which class a point counts, under any definition."""

_LABELLED = {"why_not": "why_not", "state": "state", "shade": "shade", "mixture": "mixture",
             "source": "method", "visited": "yes_no"}  # fmt: skip
"""Columns -> the list of choices whose labels an export may hold in the place of their keys."""

_REJECTED = {fold(word) for word in ("rejected", "not approved", "validation_status_not_approved",
                                     "no aprobado", "rechazado")}  # fmt: skip
_GPS = ("gps_lon", "gps_lat")
_FROM_AFAR = ("across", "air", "image")
"""Ways of observing in which the position is that of the observer."""

_GEOD = Geod(ellps="WGS84")
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass
class Returned:
    """`rows`: one per point, in the columns of `READ`; `asked`: notes on answers that must be confirmed."""

    rows: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    asked: list[Note] = field(default_factory=list)


def read_returned(settings: RecordSettings, scheme: ClassScheme) -> Returned:
    """Return what came back, joined with the sample by point.

    A point counts once. Main points without an answer are rows that were not visited, `why_not` one of
    `WAITING`; so are points whose answers contradict each other, and those measured farther than `far_m`
    from the drawn point on the ground, unless they are `confirmed`. No position is moved: that of a row is
    the drawn point's.

    Raises
    ------
    InputError
        The file or the sample cannot be read, or positions were measured and `far_m` is not stated.
    """
    assert settings.sample is not None
    sample, source = _read_sample(settings), read_source(settings.path, settings.layer)
    layout = find_layout(source, _mapping(settings), placed=False)
    answers = _answers(source, layout, settings, scheme)
    found = Returned(answers)
    if source.ragged:
        rows = listed(sorted(source.ragged))
        found.problems.append(f"rows with more or fewer cells than the header: row {rows}")
    answers = _of_sample(_accepted(answers, found), sample, found)
    answers = _once(answers, found)
    answers = _near(answers, sample, settings, found)
    _check_order(answers, sample, found)
    found.rows = _joined(answers, sample, found)
    return found


def _read_sample(settings: RecordSettings) -> pd.DataFrame:
    assert settings.sample is not None
    rows = read_rows(settings.sample)
    missing = sorted(set(_SAMPLE) - set(rows.columns))
    problem = f"no column {listed(missing, repr)}" if missing else ""
    if not missing:
        doubled = rows["point_id"][rows["point_id"].duplicated(keep=False) | rows["point_id"].isna()]
        problem = f"point_id empty or used twice: {listed(sorted(set(doubled.astype(str))))}"
        problem = problem if len(doubled) else ""
    unknown = [] if missing else sorted(set(settings.confirmed) - set(rows["point_id"]))
    if problem or unknown:
        raise InputError(
            f"the sample {settings.sample} cannot be used",
            f"a CSV with {', '.join(_SAMPLE)}, and every point of `confirmed`",
            problem or f"`records.confirmed` names {listed(unknown, repr)}",
            "give the sample.csv that `cocal design` wrote, and correct `confirmed`",
        )
    return rows.assign(order=pd.to_numeric(rows["order"], errors="coerce")).set_index("point_id", drop=False)


def _mapping(settings: RecordSettings) -> RecordMapping:
    """The columns that the user names, as the check of records names them."""
    other = {"class_": "class", "lon": "x", "lat": "y", "positional_accuracy_m": "accuracy",
             "sample_id": "point_id"}  # fmt: skip
    named = {k: v for k, v in settings.columns.model_dump(by_alias=False).items() if v is not None}
    return RecordMapping(columns={other.get(k, k): v for k, v in named.items()}, crs=settings.crs)


def _answers(source: Source, layout: Layout, settings: RecordSettings, scheme: ClassScheme) -> pd.DataFrame:
    """The answered rows of the file as text, by row: labels as keys, x and y in degrees as numbers."""
    if layout.column("point_id") is None or layout.column("class") is None:
        raise InputError(
            f"records {source.path}", "columns that name the point and its class",
            f"the columns {listed(list(map(str, source.rows.columns)), repr)}",
            "name them in `records.columns`: {sample_id: ..., class: ...}",
        )  # fmt: skip
    cells = read_cells(source, layout).table
    raw = source.rows.loc[cells.index]

    def text(what: str) -> pd.Series[str]:
        name = layout.column(what)
        return pd.Series("", index=raw.index) if name is None else raw[name].astype(str).str.strip()

    table = pd.DataFrame({what: text(what) for what in _TEXTS}, index=raw.index)
    for what in ("cover", "age", "accuracy"):
        numbers = [parse_number(cell)[0] for cell in text(what)]
        table[what] = [cell if np.isnan(n) else repr(n) for cell, n in zip(text(what), numbers, strict=True)]
    for what, choices in _LABELLED.items():
        table[what] = table[what].map(_keys_of({key: {key, *words.values()} for key, words in
                                                CHOICES[choices].items()}))  # fmt: skip
    labels = {c.key: {c.key, c.name_es, c.name_en} for c in scheme.classes}
    for label, key in (settings.class_names or {}).items():
        labels.setdefault(key, set()).add(label)
    for what in ("class", "second_class"):
        table[what] = table[what].map(_keys_of(labels))
    table["x"], table["y"] = _measured(cells, raw, layout)
    if layout.column("visited") is None:
        table["visited"] = np.select([table["class"] != "", table["why_not"] != ""], ["yes", "no"], "")
    if layout.column("why_not") is None:
        table["why_not"] = table["why_not"].mask(table["visited"] == "no", NOT_STATED)
    return table[(table["visited"] != "") | (table["class"] != "")]


def _measured(cells: pd.DataFrame, raw: pd.DataFrame, layout: Layout) -> tuple[Floats, Floats]:
    """Longitude and latitude as measured; of a layer of points its GPS fields before its geometry."""
    x, y = (cells[axis].to_numpy(float) for axis in ("x", "y"))
    x, y = transformer(layout.crs.to_wkt(), 4326).transform(x, y)
    if set(_GPS) <= set(raw.columns):
        own = [np.array([parse_number(cell)[0] for cell in raw[name]]) for name in _GPS]
        there = np.isfinite(own[0]) & np.isfinite(own[1])
        x, y = np.where(there, own[0], x), np.where(there, own[1], y)
    return x, y


def _keys_of(labels: dict[str, set[str]]) -> Callable[[str], str]:
    """A label -> its key, compared folded; any other text as it is."""
    known = {fold(label): key for key, words in labels.items() for label in words}
    return lambda text: known.get(fold(text), text)


def _accepted(answers: pd.DataFrame, found: Returned) -> pd.DataFrame:
    """Without the records that a supervisor rejected."""
    rejected = answers["review"].map(fold).isin(_REJECTED)
    if rejected.any():
        lost = part(answers.loc[rejected, "point_id"], len(answers))
        found.asked.append(Note("records_rejected", **lost))
    return answers[~rejected]


def _of_sample(answers: pd.DataFrame, sample: pd.DataFrame, found: Returned) -> pd.DataFrame:
    """With the point's id as the sample writes it; ids that it has not are problems."""
    known = {str(point).casefold(): str(point) for point in sample["point_id"]}
    points = answers["point_id"].str.casefold().map(known)
    strange = points.isna()
    if strange.any():
        rows = ", ".join(f"row {n} {answers.loc[n, 'point_id']!r}" for n in answers.index[strange][:10])
        more = int(strange.sum()) - 10
        found.problems.append(f"points that are not in the sample: {rows}" + (f" + {more}" * (more > 0)))
    return answers.assign(point_id=points)[~strange]


def _once(answers: pd.DataFrame, found: Returned) -> pd.DataFrame:
    """One answer per point: a visit before none, equal answers once; visits that differ become questions."""
    visited = answers["visited"] == "yes"
    last = answers.assign(rank=visited.astype(int), day=answers["observed_on"], row=answers.index)
    last = last.sort_values(["rank", "day", "row"], ascending=[False, False, True], kind="stable")
    kept = last.drop_duplicates("point_id").sort_values("point_id").drop(columns=["rank", "day", "row"])
    twice = answers["point_id"].duplicated(keep=False)
    if not twice.any():
        return kept
    seen = answers[twice & visited].groupby("point_id")[list(_DECIDING)].nunique().max(axis=1)
    differ = set(seen.index[seen > 1])
    again = kept["point_id"].isin(set(answers.loc[twice, "point_id"]) - differ)
    if again.any():
        found.asked.append(Note("records_twice", **part(kept.loc[again, "point_id"], len(kept))))
    rows = kept["point_id"].isin(differ)
    if rows.any():
        named = part(kept.loc[rows, "point_id"], len(kept))
        found.asked.append(Note("records_asked_contradictory", **named))
    return _questioned(kept, rows.to_numpy(), CONTRADICTORY)


def _questioned(answers: pd.DataFrame, rows: Flags, why: str) -> pd.DataFrame:
    """With these rows as points whose answer is waited for."""
    waiting = answers.copy()
    waiting.loc[rows, ["visited", "why_not"]] = ["no", why]
    waiting.loc[rows, [*_DECIDING, "cover"]] = ""
    return waiting


def _near(
    answers: pd.DataFrame, sample: pd.DataFrame, settings: RecordSettings, found: Returned
) -> pd.DataFrame:
    """With visits on the ground that were measured far from their point as questions."""
    x, y = answers["x"].to_numpy(float), answers["y"].to_numpy(float)
    measured = np.isfinite(x) & np.isfinite(y) & (answers["visited"] == "yes").to_numpy()
    measured &= ~answers["source"].isin(_FROM_AFAR).to_numpy()
    if not measured.any():
        return answers
    if settings.far_m is None:
        raise InputError(
            f"records {settings.path}: positions were measured", "`records.far_m`, metres",
            "none", "state beyond which distance to the drawn point a position must be confirmed, say 30",
        )  # fmt: skip
    drawn = sample.loc[answers["point_id"], ["lon", "lat"]].astype(float).to_numpy()
    metres = np.zeros(len(answers))
    metres[measured] = distances_m(drawn[measured, 0], drawn[measured, 1], x[measured], y[measured])
    far = (metres > settings.far_m) & ~answers["point_id"].isin(settings.confirmed).to_numpy()
    if far.any():
        named = part(answers.loc[far, "point_id"], len(answers)) | {"metres": settings.far_m}
        found.asked.append(Note("records_asked_far", **named))
    return _questioned(answers, far, FAR)


def distances_m(lon: Floats, lat: Floats, x: Floats, y: Floats) -> Floats:
    """Geodesic distances, m; infinite where (x, y) is not on the Earth in degrees."""
    there = (np.abs(x) <= 180) & (np.abs(y) <= 90)
    found = np.full(len(x), np.inf)
    found[there] = _GEOD.inv(lon[there], lat[there], x[there], y[there])[2]
    return found


def _check_order(answers: pd.DataFrame, sample: pd.DataFrame, found: Returned) -> None:
    """Ask about reserve points that were used before one that comes earlier in their stratum."""
    reserves = sample[sample["role"] == "reserve"]
    by = ["stratum"] if not reserves.duplicated(["stratum", "order"]).any() else ["stratum", "region_id"]
    used = reserves["point_id"].isin(answers["point_id"])
    first_free = reserves[~used].groupby(by)["order"].min().rename("free")
    late = reserves[used].join(first_free, on=by)
    early = late.loc[late["order"] > late["free"], "point_id"]
    if len(early):
        found.asked.append(Note("reserves_out_of_order", **part(early, int(used.sum()))))


def _joined(answers: pd.DataFrame, sample: pd.DataFrame, found: Returned) -> pd.DataFrame:
    """The answers with what the sample has, and the main points that have none."""
    main = sample[sample["role"] == "main"]
    missing = main[~main["point_id"].isin(answers["point_id"])]
    if len(missing):
        found.asked.append(Note("points_not_returned", **part(missing["point_id"], len(main))))
    waiting = pd.DataFrame(
        {"point_id": missing["point_id"].to_numpy(), "visited": "no", "why_not": NOT_RETURNED}
    )
    waiting.index = pd.RangeIndex(len(waiting)) + int(answers.index.max() if len(answers) else 0) + 1
    rows = pd.concat([answers, waiting])
    drawn = sample.loc[rows["point_id"]].set_axis(rows.index)
    rows = rows.assign(sample_id=rows["point_id"], positional_accuracy_m=rows["accuracy"])
    rows["record_id"] = rows["record_id"].where(rows["record_id"].fillna("") != "", rows["point_id"])
    for name in (*FROM_SAMPLE[:4], "lon", "lat"):
        rows[name] = drawn[name]
    rows = rows[list(READ.model_dump(by_alias=True, exclude_none=True))]
    return rows.mask(rows == "", None)
