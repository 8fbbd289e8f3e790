"""Notes: what a table, a page or the command states about a figure in words, as a code with values.

A `Note` is a code and its values. `texts.yaml` declares each code once: its level, the names and types of its
values, its text in Spanish and in English. Nothing compares texts; a text is written by `render`, last, in
one language.

A table in memory has a column `notes` or `why_not_comparable` (`NOTE_COLUMNS`) whose cells are tuples of
notes, () where there are none. On disk the column holds the English text (`with_text`), and the same notes
stand in a second table (`note_rows`; `notes.csv` of the measure stage, `comparison_notes.csv` of the compare
stage, both also in files/):

| column | content |
|---|---|
| table | hectares, countries, groups, change, legal, comparison, eradication or estimates |
| row | row of that table, the first is 0; also its index as the table is read by pandas |
| keys | JSON object that names the row: {"region_id": ..., "period": ..., "class": ...} |
| code | code of the note, see docs/notes.md |
| level | note, warning (of an estimate), reason (why two figures are not comparable) or left_out |
| values | JSON object of the values: numbers as numbers, a share from 0 to 1, lists of texts as arrays |

What was left out or repaired (level `left_out`) stands in run.json and on the page: see `account`, `limits`.

Warnings of an estimate have the table `estimates`, row = number of the period, keys {"period": ...}. Read the
notes of one table with `notes_by_row`.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal, get_args

import pandas as pd

from cocal.assets import asset, parsed

Language = Literal["es", "en"]
Level = Literal["note", "warning", "reason", "left_out"]
Value = str | int | float | tuple[str, ...] | tuple[float, ...]
"""Of a note: text, a number, or several of one kind. A share is from 0 to 1, a day is text as 2024-12-31."""

NOTE_COLUMNS = ("notes", "why_not_comparable")
"""Columns of tables whose cells are tuples of notes in memory and English text on disk."""

NOTE_TABLE_COLUMNS = ("table", "row", "keys", "code", "level", "values")
_SWAPPED = str.maketrans({",": ".", ".": ","})


@dataclass(frozen=True, order=True, init=False)
class Note:
    """A statement as its code and values; compares, sorts, hashes and pickles as a value.

    Examples
    --------
    >>> note = Note("region_unobserved", share=0.125)
    >>> render(note, "en"), render(note, "es")
    ('12.5 % of the region was not observed', 'no se observó el 12,5 % de la región')
    """

    code: str
    items: tuple[tuple[str, Value], ...]

    def __init__(self, code: str, /, **values: Any) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "items", tuple(sorted((k, _plain(v)) for k, v in values.items())))

    @property
    def values(self) -> dict[str, Value]:
        return dict(self.items)

    def __repr__(self) -> str:
        return f"Note({', '.join([repr(self.code), *(f'{k}={v!r}' for k, v in self.items)])})"


@dataclass(frozen=True)
class NoteType:
    """Declaration of a code: level, types of its values (text, number, texts, numbers), text by language.

    `limit`: key of `left_out:` in a configuration that the value `share` may not exceed.
    """

    level: Level
    values: dict[str, str]
    text: dict[str, str]
    limit: str | None = None


@cache
def note_types() -> dict[str, NoteType]:
    """Code -> its declaration, in the order of texts.yaml."""
    source = asset("notes/texts.yaml").read_text(encoding="utf-8")
    declared = parsed(source)
    return {
        code: NoteType(
            entry["level"],
            entry.get("values", {}),
            {k: entry[k] for k in get_args(Language)},
            entry.get("limit"),
        )
        for code, entry in declared.items()
    }


def level_of(note: Note) -> Level:
    """The declared level; "note" for a code that is not declared."""
    declared = note_types().get(note.code)
    return "note" if declared is None else declared.level


def render(note: Note, language: Language) -> str:
    """The text of a note in a language; never raises: without a text that fits, `[code value=...]`."""
    try:
        return _Formatter(language).vformat(note_types()[note.code].text[language], (), note.values)
    except (LookupError, ValueError, TypeError):
        return f"[{' '.join([note.code, *(f'{k}={v}' for k, v in note.items)])}]"


def joined(notes: Iterable[Note], language: Language) -> str:
    """The texts of several notes, "; " between two."""
    return "; ".join(render(note, language) for note in notes)


def note_json(note: Note, language: Language) -> dict[str, Any]:
    """A note as JSON values: code, values, text in the language."""
    return {"code": note.code, "values": note.values, "text": render(note, language)}


def note_from_json(code: str, values: str) -> Note:
    """The note of a row of a table of notes."""
    return Note(code, **json.loads(values))


def note_column(cells: Iterable[tuple[Note, ...]], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column of notes for a table with this index."""
    return pd.Series(list(cells), index=index, dtype=object)


def with_text(table: pd.DataFrame) -> pd.DataFrame:
    """`table` as it is written: the columns of notes as English text."""
    columns = [name for name in NOTE_COLUMNS if name in table.columns]
    return table.assign(**{name: [joined(notes, "en") for notes in table[name]] for name in columns})


def note_rows(table: pd.DataFrame, name: str, keys: Sequence[str]) -> pd.DataFrame:
    """`NOTE_TABLE_COLUMNS`: one row per note of `table`, written as `name`.csv; `keys` name its rows."""
    rows = []
    columns = [column for column in NOTE_COLUMNS if column in table.columns]
    for number, row in enumerate(table[[*keys, *columns]].to_dict("records")):
        key = json.dumps({k: "" if pd.isna(row[k]) else str(row[k]) for k in keys}, ensure_ascii=False)
        for note in (note for column in columns for note in row[column]):
            rows.append(
                (name, number, key, note.code, level_of(note), json.dumps(note.values, ensure_ascii=False))
            )
    return pd.DataFrame(rows, columns=list(NOTE_TABLE_COLUMNS)).astype({"row": "int64"})


def notes_by_row(notes: pd.DataFrame, name: str, n_rows: int) -> list[tuple[Note, ...]]:
    """Per row of the table `name`, which has `n_rows`, its notes: a column of notes as it was in memory.

    `notes` has `NOTE_TABLE_COLUMNS`, as read from notes.csv or comparison_notes.csv.
    """
    found: list[tuple[Note, ...]] = [()] * n_rows
    own = notes[notes["table"] == name]
    for row, code, values in zip(own["row"].tolist(), own["code"], own["values"], strict=True):
        found[row] = (*found[row], note_from_json(code, values))
    return found


def _plain(value: Any) -> Value:
    """A value of numpy, a day or a list as a plain value that hashes and is JSON."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(v) for v in value)  # type: ignore[return-value]
    if isinstance(value, date):
        return value.isoformat()
    plain: Value = value.item() if hasattr(value, "item") else value
    return plain


class _Formatter(string.Formatter):
    """Format fields by language: `{share:.1f%}` is a share in percent, several values are joined by ", "."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, spec: str) -> str:
        if isinstance(value, tuple):
            return ", ".join(self.format_field(v, spec) for v in value)
        if isinstance(value, str):
            return format(value, spec)
        text = f"{100 * value:{spec[:-1]}} %" if spec.endswith("%") else format(value, spec)
        return text.translate(_SWAPPED) if self.language == "es" else text
