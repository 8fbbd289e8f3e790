"""The form for ODK and Kobo (XLSForm), and the list of points that goes with it.

The form shows the point's number only. Stratum and inclusion probability are looked up in `points.csv`,
which is uploaded with the form, and are hidden fields of each record, so that `cocal` reads an export of the
form as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cocal.fieldwork.design.texts import CHOICES, FIELDS, HINTS, LANGUAGES, Both
from cocal.scheme import ClassScheme
from cocal.store import write_csv

POINTS = "points.csv"
_LOOKED_UP = ("stratum", "inclusion_probability", "region_id")
_REACHED, _LOST = "${visited}='yes'", "${visited}='no'"

if TYPE_CHECKING:
    from openpyxl import Workbook


def write_form(path: Path, scheme: ClassScheme, *, title: Both, form_id: str, version: str) -> None:
    """Write the workbook: sheets survey, choices and settings as XLSForm states them, both languages."""
    from openpyxl import Workbook  # 0.3 s that only this table needs

    book = Workbook()
    book.remove(book.worksheets[0])
    labels = [f"label::{word} ({code})" for code, word in LANGUAGES.items()]
    hints = [f"hint::{word} ({code})" for code, word in LANGUAGES.items()]
    rules = ["required", "relevant", "constraint", "default", "calculation"]
    _sheet(book, "survey", ["type", "name", *labels, *hints, *rules], survey_rows(scheme))
    _sheet(book, "choices", ["list_name", "name", *labels], choice_rows(scheme))
    settings = [" / ".join(title.values()), form_id, version, f"{LANGUAGES['es']} (es)"]
    _sheet(book, "settings", ["form_title", "form_id", "version", "default_language"], [settings])
    book.save(path)


def write_point_list(path: Path, sample: pd.DataFrame) -> None:
    """Write points.csv, the form's media file: name, label and the values looked up. Restricted."""
    table = pd.DataFrame({"name": sample["point_id"], "label": sample["point_id"]})
    columns = ["role", *_LOOKED_UP, "lat", "lon"]
    write_csv(path, pd.concat([table, sample[columns]], axis=1))


def survey_rows(scheme: ClassScheme) -> list[list[str]]:
    """Return the questions, one row each, in the columns of the sheet `survey`."""
    coca = f"{_REACHED} and ${{class}}='{scheme.target}'"
    percent = ".>=0 and .<=100"
    return [
        _meta("start"), _meta("end"),
        _question(f"select_one_from_file {POINTS}", "point_id", required=True),
        *(_calculate(name) for name in _LOOKED_UP),
        _question("select_one yes_no", "visited", required=True),
        _question("select_one why_not", "why_not", required=True, relevant=_LOST),
        _question("date", "observed_on", required=True, default="today()"),
        _question("geopoint", "position", required=True, relevant=_REACHED),
        _question("select_one class", "class", required=True, relevant=_REACHED),
        _question("integer", "cover", required=True, relevant=_REACHED, constraint=percent),
        _question("select_one coca_age", "coca_age", required=True, relevant=coca),
        _question("select_one method", "method", required=True, relevant=_REACHED),
        _question("text", "observer", required=True),
        _question("text", "second_observer", relevant=_REACHED),
        _question("select_one class", "second_class", relevant=f"{_REACHED} and ${{second_observer}}!=''"),
        _question("image", "photo", relevant=_REACHED),
        _question("text", "notes"),
    ]  # fmt: skip


def choice_rows(scheme: ClassScheme) -> list[list[str]]:
    """Return every list of choices, in the columns of the sheet `choices`."""
    classes = {c.key: {"es": c.name_es, "en": c.name_en} for c in scheme.classes}
    lists = {"class": classes, **CHOICES}
    return [
        [name, key, *(words[code] for code in LANGUAGES)]
        for name, choices in lists.items()
        for key, words in choices.items()
    ]


def _meta(name: str) -> list[str]:
    return [name, name, "", "", "", "", "", "", "", "", ""]


def _calculate(name: str) -> list[str]:
    lookup = f"pulldata('{Path(POINTS).stem}', '{name}', 'name', ${{point_id}})"
    return ["calculate", name, "", "", "", "", "", "", "", "", lookup]


def _question(
    kind: str,
    name: str,
    *,
    required: bool = False,
    relevant: str = "",
    constraint: str = "",
    default: str = "",
) -> list[str]:
    labels = [FIELDS[name][code] for code in LANGUAGES]
    hints = [HINTS.get(name, {}).get(code, "") for code in LANGUAGES]
    return [kind, name, *labels, *hints, "yes" if required else "", relevant, constraint, default, ""]


def _sheet(book: Workbook, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    sheet = book.create_sheet(name)
    sheet.append(list(columns))
    for row in rows:
        sheet.append([value or None for value in row])
    for cell in (cell for line in sheet.iter_rows() for cell in line if cell.data_type == "f"):
        cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula
