"""The form for ODK and Kobo (XLSForm), and the list of points that goes with it.

A point is chosen on a map or by its number, from `points.csv`, which is uploaded with the form. Neither form
nor list has the stratum: `records: sample:` joins it to what comes back.
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
_DRAWN = f"instance('{Path(POINTS).stem}')/root/item[name = ${{point_id}}]/geometry"
_DISTANCE = f"round(distance(concat({_DRAWN}, ';', ${{position}})), 0)"
_REACHED, _LOST = "${visited}='yes'", "${visited}='no'"

Row = dict[str, str]
"""The cells of one row by their column; a column that is left out is empty."""

if TYPE_CHECKING:
    from openpyxl import Workbook


def write_form(path: Path, scheme: ClassScheme, *, title: Both, form_id: str, version: str) -> None:
    """Write the workbook: sheets survey, choices and settings as XLSForm states them, both languages."""
    from openpyxl import Workbook  # 0.3 s that only this table needs

    book = Workbook()
    book.remove(book.worksheets[0])
    labels, hints = list(_in_languages("label", {})), list(_in_languages("hint", {}))
    rules = ["appearance", "parameters", "required", "relevant", "constraint", "default", "calculation"]
    _sheet(book, "survey", ["type", "name", *labels, *hints, *rules], survey_rows(scheme))
    _sheet(book, "choices", ["list_name", "name", *labels], choice_rows(scheme))
    settings = {"form_title": " / ".join(title.values()), "form_id": form_id, "version": version}
    settings["default_language"] = f"{LANGUAGES['es']} (es)"
    _sheet(book, "settings", list(settings), [settings])
    book.save(path)


def write_point_list(path: Path, sample: pd.DataFrame) -> None:
    """Write points.csv, the form's media file: name, label, role, region, and geometry as ODK writes it (lat
    lon altitude accuracy). Restricted.
    """
    places = [f"{lat:.7f} {lon:.7f} 0 0" for lat, lon in zip(sample["lat"], sample["lon"], strict=True)]
    table = pd.DataFrame({"name": sample["point_id"], "label": sample["point_id"], "geometry": places})
    write_csv(path, pd.concat([table, sample[["role", "region_id"]]], axis=1))


def survey_rows(scheme: ClassScheme) -> list[Row]:
    """Return the questions, one row each, in the columns of the sheet `survey`."""
    is_target, planted = f"${{class}}='{scheme.target}'", f"{_REACHED} and ${{state}}!=''"
    percent = ".>=0 and .<=100"
    if scheme.minimum_cover is not None:
        percent += f" and (${{class}}!='{scheme.target}' or .>={scheme.minimum_cover:g})"
    return [
        {"type": "start", "name": "start"}, {"type": "end", "name": "end"},
        _question(f"select_one_from_file {POINTS}", "point_id", required=True, appearance="map"),
        _question("select_one yes_no", "visited", required=True),
        _question("select_one why_not", "why_not", required=True, relevant=_LOST),
        _question("date", "observed_on", required=True, default="today()"),
        _question("geopoint", "position", required=True, relevant=_REACHED),
        {"type": "calculate", "name": "distance_m",
         "calculation": f"if(${{position}} = '' or ${{point_id}} = '', '', {_DISTANCE})"},
        _question("note", "distance_note", relevant="${distance_m} != ''"),
        _question("select_one class", "class", required=True, relevant=_REACHED),
        _question("integer", "cover", required=True, relevant=_REACHED, constraint=percent),
        _question("select_one state", "state", required=is_target, relevant=_REACHED),
        _question("select_one shade", "shade", required=True, relevant=planted),
        _question("select_one mixture", "mixture", required=True, relevant=planted),
        _question("decimal", "age", relevant=planted, constraint=".>=0 and .<=100"),
        _question("select_one method", "method", required=True, relevant=_REACHED),
        _question("text", "observer", required=True),
        _question("text", "second_observer", relevant=_REACHED),
        _question("select_one class", "second_class", relevant=f"{_REACHED} and ${{second_observer}}!=''"),
        _question("image", "photo", relevant=_REACHED, parameters="max-pixels=1600"),
        _question("text", "notes"),
    ]  # fmt: skip


def choice_rows(scheme: ClassScheme) -> list[Row]:
    """Return every list of choices, in the columns of the sheet `choices`."""
    classes = {c.key: {"es": c.name_es, "en": c.name_en} for c in scheme.classes}
    lists = {"class": classes, **CHOICES}
    return [
        {"list_name": name, "name": key, **_in_languages("label", words)}
        for name, choices in lists.items()
        for key, words in choices.items()
    ]


def _in_languages(part: str, words: Both) -> Row:
    """Return the columns of a label or hint, one for each language."""
    return {f"{part}::{language} ({code})": words.get(code, "") for code, language in LANGUAGES.items()}


def _question(kind: str, name: str, *, required: bool | str = False, **rules: str) -> Row:
    """A question; `required` may be the condition on which it is."""
    texts = _in_languages("label", FIELDS[name]) | _in_languages("hint", HINTS.get(name, {}))
    needed = required if isinstance(required, str) else "yes" if required else ""
    return {"type": kind, "name": name, **texts, "required": needed, **rules}


def _sheet(book: Workbook, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    sheet = book.create_sheet(name)
    sheet.append(list(columns))
    for row in rows:
        sheet.append([row.get(column) or None for column in columns])
    for cell in (cell for line in sheet.iter_rows() for cell in line if cell.data_type == "f"):
        cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula
