"""The editions of a run, RUN/editions.csv, and the state of each figure (`cocal.estimate.editions`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.errors import InputError, UsageError
from cocal.estimate.editions import (
    HISTORY_COLUMNS,
    Statement,
    check_history,
    figures_of,
    stated,
    states_of,
)
from cocal.run.finished import open_run
from cocal.run.tables import read_texts
from cocal.store import LocalStore, proven, write_csv
from cocal.user_tables import clean_text

HISTORY = "editions.csv"
LEVELS = {"region": "hectares.csv", "group": "groups.csv", "country": "countries.csv"}
"""Level of a place -> the table with its hectares."""


def figure_states(folder: Path) -> pd.DataFrame:
    """The state of every figure of a finished run, as `states_of`: what tables, page, map and bundle show.

    Raises
    ------
    InputError
        It is not the folder of a finished run, or its history was altered.
    DamagedError
        A table is not as it was committed.
    """
    return states_of(_history_of(folder), read_figures(_tables_of(folder), open_run(folder).target))


def _history_of(folder: Path) -> pd.DataFrame:
    path = folder / HISTORY
    return read_history(path if path.exists() else None)


def _tables_of(folder: Path) -> dict[str, Path]:
    return {level: path for level, name in LEVELS.items() if (path := folder / name).exists()}


def read_history(path: Path | None) -> pd.DataFrame:
    """The editions in `path` as they were written, every cell as text; none where there is no file.

    Raises
    ------
    InputError
        The file cannot be read, or was altered.
    """
    if path is None:
        return pd.DataFrame(columns=list(HISTORY_COLUMNS), dtype=str)
    try:
        table = read_texts(path)
    except (OSError, ValueError) as err:
        raise InputError(
            f"{path} cannot be read", "the history as `cocal edition` wrote it", str(err), "restore a copy"
        ) from err
    return check_history(table, str(path))


def read_figures(tables: Mapping[str, Path], target: str) -> pd.DataFrame:
    """The figures of committed tables by level, as `figures_of`."""
    return figures_of({level: read_texts(proven(path)) for level, path in tables.items()}, target)


def state_figures(
    folder: Path, statement: Statement, periods: Sequence[str] = (), places: Sequence[str] = ()
) -> pd.DataFrame:
    """Add one edition to the history of a run, of the periods and places named or of all; the new states.

    Raises
    ------
    UsageError
        A period or a place is unknown, or a figure cannot have the state.
    InputError
        It is not the folder of a finished run, or its history was altered.
    BusyError
        A run works in the folder.
    """
    words = {name: str(clean_text(value)) for name, value in vars(statement).items()}
    target = open_run(folder).target
    with LocalStore(folder).locked():
        figures, history = read_figures(_tables_of(folder), target), _history_of(folder)
        chosen = _chosen(_chosen(figures, "period", periods), "place", places)
        history = stated(history, chosen, replace(statement, **words))
        write_csv(folder / HISTORY, history)
    return states_of(history, figures)


def _chosen(figures: pd.DataFrame, column: str, wanted: Sequence[str]) -> pd.DataFrame:
    names = [str(clean_text(name)) for name in wanted]
    if unknown := sorted(set(names) - set(figures[column])):
        known = ", ".join(dict.fromkeys(figures[column]))
        raise UsageError(f"unknown {column}", known[:500], ", ".join(unknown), f"name a {column} of the run")
    return figures[figures[column].isin(names)] if names else figures


def editions_held(history: pd.DataFrame, states: pd.DataFrame) -> list[dict[str, Any]]:
    """Each edition for run.json: state, by, on, why, its figures, and how many of them stand by it now."""
    words = ["edition", "state", "by", "on", "why"]
    now = states["edition"].value_counts()
    return [
        dict(zip(words, key, strict=True)) | {"figures": len(rows), "standing": int(now.get(key[0], 0))}
        for key, rows in history.groupby(words, sort=False)
    ]
