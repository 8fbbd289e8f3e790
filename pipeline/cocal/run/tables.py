"""Tables on disk: what the user gave, and what the run wrote."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pandas as pd

from cocal.checksums import sha256_file
from cocal.errors import InputError
from cocal.notes import NOTE_COLUMNS, Note, note_from_json, notes_by_row, with_text
from cocal.run.state import Run
from cocal.store import given_back, proven, write_csv
from cocal.user_tables import read_csv_table

NOTE_TABLES = ("notes", "comparison_notes")
"""Tables with the notes of the other tables, for programs."""

_KEYS = ("region_id", "region", "stratum", "period", "year")
"""Columns of given tables that are text whatever they hold."""

_WHOLE = r"^(\d+)\.0+$"
"""A whole number as spreadsheets write it in a column with empty cells: 2024.0."""


def given_sha256(path: Path | None, key: str) -> str | None:
    """Checksum of a file that the user gave under the key `key`; None where none is given."""
    if path is None:
        return None
    try:
        return sha256_file(path)
    except OSError as err:
        raise InputError(f"{key}: {path}", "a readable file", str(err), f"fix `{key}:`") from err


def read_given_csv(path: Path, key: str) -> pd.DataFrame:
    """A table that the user gave under the key `key`; only an empty cell is missing."""
    try:
        table = read_csv_table(path, _KEYS).reset_index(drop=True)
    except (OSError, ValueError) as err:
        raise InputError(f"{key}: {path}", "a CSV table in UTF-8", str(err), f"fix `{key}:`") from err
    keys = {name: table[name].str.replace(_WHOLE, r"\1", regex=True) for name in _KEYS if name in table}
    table = table.assign(**keys)
    table.attrs["path"] = str(path)  # for messages
    return table


def read_own_csv(path: Path) -> pd.DataFrame:
    """A table that the run committed, CSV, as `read_staged_csv`.

    Raises
    ------
    DamagedError
        It is not as it was committed.
    """
    return read_staged_csv(proven(path))


def read_staged_csv(path: Path) -> pd.DataFrame:
    """A table of the run that is not committed yet; only an empty cell is missing (`NA` may be a country)."""
    names = (
        "region_id",
        "id",
        "region_name",
        "country",
        "period",
        "record_id",
        "sample_id",
        "from_period",
        "to_period",
        "place",
        "edition",
    )
    text = dict.fromkeys(names, str)
    return given_back(pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""]))


def read_texts(path: Path) -> pd.DataFrame:
    """A table that cocal wrote, every cell as its text."""
    return given_back(pd.read_csv(path, dtype=str, keep_default_na=False))


def read_own_parquet(path: Path) -> pd.DataFrame:
    """A table that the run committed, Parquet: decimals as they are; `DamagedError` as `read_own_csv`."""
    return pd.read_parquet(proven(path))


def with_notes(table: pd.DataFrame, name: str, folder: Path) -> pd.DataFrame:
    """`table`, which stands in the run's `folder` as `name`.csv, with its notes as tuples of Note."""
    notes = pd.concat([read_own_csv(path) for n in NOTE_TABLES if (path := folder / f"{n}.csv").exists()])
    found = table.copy()
    for column in set(NOTE_COLUMNS) & set(table.columns):
        found[column] = pd.Series(notes_by_row(notes, name, len(table)), index=table.index, dtype=object)
    return found


def estimate_warnings(folder: Path) -> tuple[tuple[str, Note], ...]:
    """(period, warning) of the estimates of the run in `folder`."""
    notes = read_own_csv(folder / "notes.csv")
    rows = notes[notes["table"] == "estimates"].to_dict("records")
    return tuple(
        (json.loads(row["keys"])["period"], note_from_json(row["code"], row["values"])) for row in rows
    )


def truth_table(run: Run) -> pd.DataFrame | None:
    """region_id, class, truth_ha of a simulated landscape; None for real imagery, whatever is configured."""
    settings = run.config.comparison
    if settings is None or settings.truth is None or not run.simulated:
        return None
    return read_truth(settings.truth)


def read_truth(path: Path) -> pd.DataFrame:
    """region_id, class, truth_ha of a simulated landscape; InputError if they are not there."""
    table = read_given_csv(path, "comparison.truth")
    wanted = {"region_id", "class", "truth_ha"}
    if not wanted <= set(table.columns) or not pd.api.types.is_numeric_dtype(table["truth_ha"]):
        raise InputError(
            f"comparison.truth: {path}", f"columns {', '.join(sorted(wanted))}, hectares as numbers",
            ", ".join(map(repr, table.columns)), "fix the table, or leave `comparison.truth:` out",
        )  # fmt: skip
    return table


def write_own_csv(path: Path, table: pd.DataFrame) -> None:
    """A table of the run: UTF-8, comma, line feeds; exact hectares with ten decimals; notes in English."""
    exact = {
        str(name): [f"{v:.10f}" if isinstance(v, Decimal) else v for v in table[name]]
        for name in table.columns
        if any(isinstance(v, Decimal) for v in table[name])
    }
    write_csv(path, with_text(table.assign(**exact)))
