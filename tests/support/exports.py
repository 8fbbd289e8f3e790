"""What ODK Central, Kobo, QField and Epicollect export of answers, as these programs write it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from cocal.fieldwork.design.texts import CHOICES, FIELDS

Answer = dict[str, str]
"""The answers of a record by the form's names; `lat`, `lon` and `accuracy` of the measured position."""

QUESTIONS = ["point_id", "visited", "why_not", "observed_on", "position", "class", "cover", "state", "shade",
             "mixture", "age", "method", "observer", "second_observer", "second_class", "photo",
             "notes"]  # fmt: skip
_LISTS = {"visited": "yes_no", "why_not": "why_not", "state": "state", "shade": "shade", "mixture": "mixture",
          "method": "method"}  # fmt: skip
_CLASSES = {"coca": "Coca", "forest": "Bosque", "regrowth": "Bosque secundario", "pasture": "Pasto",
            "other_crops": "Otros cultivos", "bare": "Suelo desnudo", "water": "Agua"}  # fmt: skip


def _label(name: str, key: str) -> str:
    """The Spanish label of a choice."""
    if name in ("class", "second_class"):
        return _CLASSES.get(key, key)
    return CHOICES[_LISTS[name]][key]["es"] if key and name in _LISTS else key


def _write(path: Path, rows: list[dict[str, str]], separator: str = ",", *, quoted: bool = False) -> Path:
    with path.open("w", encoding="utf-8-sig" if quoted else "utf-8", newline="") as file:
        rules = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator, quoting=rules)
        writer.writeheader()
        writer.writerows(rows)
    return path


def odk_central(folder: Path, answers: Sequence[Answer], _: Path) -> Path:
    """A geopoint as four columns, what Central knows of a submission behind; newest first."""
    rows = []
    for n, answer in enumerate(answers):
        row = {"SubmissionDate": f"2024-06-09T12:00:{n % 60:02d}.000Z",
               "start": "2024-06-03T08:00:00.000-05:00", "end": "2024-06-03T08:09:00.000-05:00"}  # fmt: skip
        for name in QUESTIONS:
            if name == "position":
                row |= {
                    f"position-{part}": answer.get(key, "")
                    for part, key in (
                        ("Latitude", "lat"),
                        ("Longitude", "lon"),
                        ("Altitude", ""),
                        ("Accuracy", "accuracy"),
                    )
                }
            else:
                row[name] = answer.get(name, "")
        row |= {"meta-instanceID": f"uuid:{n:04d}", "KEY": f"uuid:{n:04d}", "SubmitterID": "7",
                "SubmitterName": "c1", "AttachmentsPresent": "0", "AttachmentsExpected": "0", "Status": "",
                "ReviewState": answer.get("review", ""), "DeviceID": "d1", "Edits": "0",
                "FormVersion": "1"}  # fmt: skip
        rows.append(row)
    return _write(folder / "odk.csv", rows[::-1])


def _kobo(answers: Sequence[Answer], heading: Callable[[str], str], cell: Callable[[str, str], str]) -> list:
    rows = []
    for n, answer in enumerate(answers):
        row = {"start": "2024-06-03T08:00:00.000-05:00", "end": "2024-06-03T08:09:00.000-05:00"}
        for name in QUESTIONS:
            if name == "position":
                there = [answer.get(key, "") for key in ("lat", "lon", "", "accuracy")]
                row[heading(name)] = " ".join(t or "0" for t in there) if there[0] else ""
                for part, value in zip(
                    ("latitude", "longitude", "altitude", "precision"), there, strict=True
                ):
                    row[f"_{heading(name)}_{part}"] = value
            else:
                row[heading(name)] = cell(name, answer.get(name, ""))
            if name == "photo":
                row[f"{heading(name)}_URL"] = ""
        row |= {"_id": str(100 + n), "_uuid": f"{n:04d}", "_submission_time": "2024-06-09T12:00:00",
                "_validation_status": answer.get("review", ""), "_notes": "", "_status": "submitted_via_web",
                "_submitted_by": "c1", "__version__": "v1", "_tags": "", "_index": str(n + 1)}  # fmt: skip
        rows.append(row)
    return rows


def kobo_values(folder: Path, answers: Sequence[Answer], _: Path) -> Path:
    """XML values and headers, `;`, every cell in quotes, with a byte order mark."""
    return _write(folder / "kobo.csv", _kobo(answers, str, lambda _, key: key), ";", quoted=True)


def kobo_labels(folder: Path, answers: Sequence[Answer], _: Path) -> Path:
    """Labels in Spanish, as headers and as values."""
    rows = _kobo(answers, lambda name: FIELDS[name]["es"], _label)
    return _write(folder / "kobo_es.csv", rows, ";", quoted=True)


def qfield(folder: Path, answers: Sequence[Answer], design: Path) -> Path:
    """The layer `points` as QField leaves it: every drawn point, filled in where one was visited."""
    path = folder / "qfield.gpkg"
    shutil.copy(design / "sample.gpkg", path)
    layer = pyogrio.read_dataframe(path, layer="points")
    layer = layer.astype({name: object for name in layer.columns if name != "geometry"})
    own = {answer["point_id"]: answer for answer in answers}
    added = []
    for i, row in layer.iterrows():
        answer = own.pop(row["point_id"], None)
        for name in () if answer is None else set(layer.columns) & set(answer) - {"point_id"}:
            layer.loc[i, name] = answer[name] or None
        for name, key in (("gps_lon", "lon"), ("gps_lat", "lat"), ("positional_accuracy_m", "accuracy")):
            layer.loc[i, name] = (answer or {}).get(key) or None
    added = [answer for answer in answers if answers.index(answer) != _last(answers, answer["point_id"])]
    for answer in added:  # a copy of the feature, as a crew makes one in the app
        twin = layer[layer["point_id"] == answer["point_id"]].copy()
        for name in set(layer.columns) & set(answer):
            twin[name] = answer[name] or None
        layer = gpd.GeoDataFrame(pd.concat([layer, twin]), crs=layer.crs)
    path.unlink()
    numbers = ("cover", "age", "positional_accuracy_m", "gps_lon", "gps_lat")
    layer = layer.assign(**{name: layer[name].astype(float) for name in numbers})
    pyogrio.write_dataframe(layer, path, layer="points", driver="GPKG")
    return path


def _last(answers: Sequence[Answer], point: str) -> int:
    return max(i for i, answer in enumerate(answers) if answer["point_id"] == point)


def epicollect(folder: Path, answers: Sequence[Answer], _: Path) -> Path:
    """The questions in Spanish: a number, 20 letters without what is no plain letter; days as 31/12/2024."""
    rows = []
    for n, answer in enumerate(answers):
        row = {"ec5_uuid": f"{n:08d}", "created_at": "2024-06-09T12:00:00.000Z",
               "uploaded_at": "2024-06-09T12:00:00.000Z", "title": answer["point_id"]}  # fmt: skip
        for number, name in enumerate(QUESTIONS, 1):
            words = FIELDS[name]["es"][:20].replace(" ", "_")
            column = f"{number}_" + "".join(c for c in words if c == "_" or (c.isascii() and c.isalnum()))
            if name == "position":
                row |= {f"lat_{column}": answer.get("lat", ""), f"long_{column}": answer.get("lon", ""),
                        f"accuracy_{column}": answer.get("accuracy", ""), f"UTM_Northing_{column}": "",
                        f"UTM_Easting_{column}": "", f"UTM_Zone_{column}": ""}  # fmt: skip
            elif name == "observed_on":
                row[column] = "/".join(answer.get(name, "").split("-")[::-1])
            else:
                row[column] = _label(name, answer.get(name, ""))
        rows.append(row)
    return _write(folder / "epicollect.csv", rows)


EXPORTS = {
    "odk": odk_central, "kobo": kobo_values, "kobo_labels": kobo_labels, "qfield": qfield,
    "epicollect": epicollect,
}  # fmt: skip


def campaign(
    sample: pd.DataFrame, *, out: int | None = None, label: Callable[[pd.Series], str] | None = None
) -> tuple[list[Answer], dict[str, list[str]]]:
    """Answers of a campaign as it goes, and note -> the points that it must name.

    Of the main points every `out`-th has not come back yet, every tenth was not reached, every twentieth was
    measured 120 m off; one came back twice, the second reserve of a stratum was used and the first was not.
    `label`: the class seen at a point; left out: the map's, other than forest read as coca.
    """
    main = sample[sample["role"] == "main"].reset_index(drop=True)
    answers, far, gone = [], [], []
    for i, point in main.iterrows():
        if out is not None and i % out == out - 2:
            gone.append(point["point_id"])
        elif i % 10 == 3:
            answers.append({"point_id": point["point_id"], "visited": "no", "why_not": "terrain",
                            "observed_on": "2024-06-25"})  # fmt: skip
        else:
            off = i % 20 == 7
            far += [point["point_id"]] if off else []
            answers.append(_visit(point, label, 120.0 if off else 4.0))
    twice = answers[0]["point_id"]
    answers.append(dict(answers[0]))
    reserves = sample[(sample["role"] == "reserve") & (sample["order"] == 2)]
    late = reserves.iloc[0]
    answers.append(_visit(late, label, 4.0))
    wrong = {"records_asked_far": far, "records_twice": [twice],
             "reserves_out_of_order": [late["point_id"]]}  # fmt: skip
    return answers, wrong | ({"points_not_returned": gone} if gone else {})


def _visit(point: pd.Series, label: Callable[[pd.Series], str] | None, metres: float) -> Answer:
    seen = ("coca" if point["map_class"] == "coca" else "forest") if label is None else label(point)
    lat = point["lat"] + metres / 110_650
    return {
        "point_id": point["point_id"], "visited": "yes", "class": seen, "cover": "80", "observer": "c1",
        "observed_on": "2024-06-25", "method": "ground", "accuracy": "4.5", "lat": f"{lat:.7f}",
        "lon": f"{point['lon']:.7f}", "state": "productive" if seen == "coca" else "",
        "shade": "open" if seen == "coca" else "", "mixture": "alone" if seen == "coca" else "",
    }  # fmt: skip
