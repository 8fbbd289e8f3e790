"""Collect Earth Online: plots and samples as CSV for a new project; the sample data that it returns.

Plots are `PLOTID,LAT,LON` and samples `PLOTID,SAMPLEID,LAT,LON`, separated by commas, ids whole numbers;
further columns come back with `pl_` and `smpl_` before their names. Sample data has a row for each sample and
user, its own columns first, then those of the files, then one for each question of the survey. As the program
writes and reads them: github.com/openforis/collect-earth-online, `generators/external_file.clj`,
`db/projects.clj` (July 2026), and the examples that it offers, `plot-csv-example.csv` and
`sample-csv-example.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cocal.errors import InputError, UsageError
from cocal.fieldwork.checks.source import Source, read_source
from cocal.fieldwork.checks.text import fold
from cocal.fieldwork.columns import Columns, listed
from cocal.fieldwork.labelling.answers import as_answers
from cocal.fieldwork.labelling.matching import UNSURE, Labels, points_of
from cocal.scheme import ClassScheme
from cocal.store import write_csv

PLOTS, SAMPLES, ANSWERS, SURVEY = "plots.csv", "samples.csv", "sample-data.csv", "survey.csv"
QUESTION = {"class": "Clase", "observed_on": "Fecha de la imagen", "cover": "Cobertura %", "notes": "Notas"}
"""Questions of the survey that `survey.csv` proposes."""

_KNOWN = {
    "class": ("Clase", "class", "cobertura", "land cover", "cubierta", "uso", "label", "etiqueta"),
    "observed_on": ("Fecha de la imagen", "image date", "observed on", "fecha"),
    "cover": ("Cobertura %", "cover %", "cover"),
    "notes": ("Notas", "notes", "comment", "comentario"),
}
"""Names of these questions that are found."""

_OWN = (
    "plotid", "sampleid", "sample_internal_id", "lon", "lat", "email", "flagged", "collection_time",
    "analysis_duration", "used_geodash", "used_kml", "imagery_title", "imagery_attributions", "sample_geom",
    "confidence", "confidence_comment",
)  # fmt: skip
"""The columns of sample data that come before those of the files and the questions."""

_GUESTS = "Guest Interpreters"
"""The last column, a list that is not quoted: rows may have more cells than the header."""


@dataclass(frozen=True)
class Questions:
    """The questions that hold the class and the day of the image; or that day, the same for all answers."""

    class_: str | None = None
    observed_on: str | None = None
    day: str | None = None


def write_project(folder: Path, points: pd.DataFrame, scheme: ClassScheme) -> None:
    """Write of `points`, as `numbered`, plots.csv and samples.csv, one sample in the middle of each plot, and
    survey.csv: the questions and answers to set up. Positions are in degrees, WGS 84, with seven decimals.
    """
    place = {"LAT": [f"{v:.7f}" for v in points["lat"]], "LON": [f"{v:.7f}" for v in points["lon"]]}
    plot = {"PLOTID": points["number"]}
    write_csv(folder / PLOTS, pd.DataFrame({**plot, **place, "POINT_ID": points["point_id"]}))
    write_csv(folder / SAMPLES, pd.DataFrame({**plot, "SAMPLEID": 1, **place}))
    answers = [(QUESTION["class"], c.name_es, c.colour) for c in scheme.classes]
    answers += [
        (QUESTION["class"], UNSURE["es"], "#888888"),
        *((QUESTION[k], "", "") for k in [*QUESTION][1:]),
    ]
    write_csv(folder / SURVEY, pd.DataFrame(answers, columns=["question", "answer", "colour"]))


def write_answers(path: Path, answers: pd.DataFrame, points: pd.DataFrame, scheme: ClassScheme) -> None:
    """Write answers in the columns of sample data; users are the codes of the readers."""
    names = {c.key: c.name_es for c in scheme.classes}
    rows = answers.merge(points, on="point_id").sort_values(["number", "observer"], kind="stable")
    table = pd.DataFrame(dict.fromkeys(_OWN, ""), index=rows.index)
    table = table.assign(plotid=rows["number"], sampleid=1, lon=rows["lon"], lat=rows["lat"])
    table = table.assign(email=rows["observer"], flagged="false", confidence=rows["certainty"])
    table["pl_point_id"] = rows["point_id"]
    table[QUESTION["class"]] = [names.get(key, UNSURE["es"]) for key in rows["class"]]
    for name in ("observed_on", "cover", "notes"):
        table[QUESTION[name]] = rows[name]
    write_csv(path, table)


def read_sample_data(path: Path, points: pd.DataFrame, labels: Labels, asked: Questions) -> pd.DataFrame:
    """The answers of a project's sample data, `ANSWER_COLUMNS`; plots without an answer are left out.

    Users become R1, R2 ... in the order of their addresses, which are not kept. Of a flagged plot the reader
    cannot tell. The day is that of the image that decided, never that of the answer.

    Raises
    ------
    InputError
        Another file than sample data, of another sample, several samples in a plot, broken rows, labels
        without class, days that cannot be read.
    UsageError
        It does not show which question holds the class, or the day.
    """
    source = read_source(path)
    rows = _sample_data(source)
    questions = [str(c) for c in rows.columns if str(c) not in _OWN and not _from_files(str(c))]
    choice = _question(questions, asked.class_, "class", path)
    rows = rows.assign(number=rows["plotid"])
    if "pl_point_id" in rows:
        rows["point_id"] = rows["pl_point_id"]
    flagged = rows["flagged"].str.lower().isin(["true", "t"])
    rows = rows.assign(point_id=points_of(rows, points, path), flagged=flagged)[
        flagged | (rows[choice].str.strip() != "")
    ]
    several = rows.duplicated(["point_id", "email"], keep=False)
    if several.any():
        raise InputError(
            f"sample data {path}", "one sample in a plot",
            "several in plot " + listed(sorted(set(rows.loc[several, "plotid"]))),
            "set the project up with the exported samples.csv",
        )  # fmt: skip
    texts = rows[choice].where(~rows["flagged"], UNSURE["en"])
    reader = {name: f"R{n}" for n, name in enumerate(sorted(set(rows["email"])), start=1)}
    found = pd.DataFrame(
        {
            "point_id": rows["point_id"],
            "observer": rows["email"].map(reader),
            "class": labels.read(texts, path),
            "certainty": rows["confidence"],
            "observed_on": _days(rows, questions, asked, path),
        }
    )
    for name in ("cover", "notes"):
        column = _first(questions, name)
        found[name] = "" if column in (None, choice) else rows[column]
    return as_answers(found)


def _sample_data(source: Source) -> pd.DataFrame:
    names = [str(c) for c in source.rows.columns]
    if missing := [name for name in ("plotid", "sampleid", "email", "flagged") if name not in names]:
        raise InputError(
            f"{source.path} is no sample data of Collect Earth Online",
            "plotid, sampleid, email, flagged ...", "no " + ", ".join(missing),
            "download the sample data of the project, not its plot data",
        )  # fmt: skip
    width = len(names)
    broken = [
        n for n, line in enumerate(source.lines or (), start=1)
        if line.cells and (len(line.cells) < width or (len(line.cells) > width and names[-1] != _GUESTS))
    ]  # fmt: skip
    if broken:
        raise InputError(
            f"sample data {source.path}", f"{width} cells in each row", f"others in row {listed(broken)}",
            "commas or line ends in the texts of answers: correct these rows",
        )  # fmt: skip
    rows = source.rows[source.rows["plotid"] != ""]
    return rows.drop(columns=[_GUESTS], errors="ignore").reindex(
        columns=[*dict.fromkeys([*_OWN, *(n for n in names if n != _GUESTS)])], fill_value=""
    )


def _from_files(name: str) -> bool:
    return name.startswith(("pl_", "smpl_"))


def _first(questions: list[str], what: str) -> str | None:
    folded = {fold(name): name for name in reversed(questions)}
    return next((folded[fold(name)] for name in _KNOWN[what] if fold(name) in folded), None)


def _question(questions: list[str], asked: str | None, what: str, path: Path) -> str:
    found = asked if asked in questions else None if asked else _first(questions, what)
    if found is None and asked is None and what == "class" and len(questions) == 1:
        found = questions[0]
    if found is None:
        option = {"class": "--question", "observed_on": "--date-question, or --observed-on DAY"}[what]
        raise UsageError(
            f"which question of {path} holds the {'class' if what == 'class' else 'day of the image'}",
            f"one of {', '.join(map(repr, questions)) or 'the questions: there are none'}",
            repr(asked) if asked else "no name that is known", f"state it with {option}",
        )  # fmt: skip
    return found


def _days(rows: pd.DataFrame, questions: list[str], asked: Questions, path: Path) -> pd.Series[str]:
    if asked.day is not None:
        return pd.Series(asked.day, index=rows.index)
    name = _question(questions, asked.observed_on, "observed_on", path)
    read = Columns(rows)
    days = read.dates(name)
    if read.problems:
        raise InputError(
            f"sample data {path}", "days of the images", "; ".join(read.problems), "correct them"
        )
    texts: pd.Series[str] = days.dt.strftime("%Y-%m-%d").fillna("")
    return texts
