"""Answers of readers, one row each, and what they agree on, one row per point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cocal.errors import InputError
from cocal.fieldwork.tables import read_rows

ANSWER_COLUMNS = ("point_id", "observer", "class", "certainty", "observed_on", "cover", "notes")
"""One answer of one reader; without class: cannot tell."""

READING_COLUMNS = (
    "point_id", "visited", "why_not", "class", "second_class", "certainty", "observed_on", "method",
    "observer", "cover", "notes",
)  # fmt: skip
"""The result, as `records:` reads it."""

CANNOT_TELL, DISAGREE = "cannot_tell", "readers_disagree"
"""Why a point has no class."""


def settle(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per answered point, `READING_COLUMNS`, in the order of the ids.

    The class is what more than half of a point's readers say; of one reader, what that one says. Without such
    a majority, or where the majority cannot tell, the point is not visited, with `why_not`. `second_class` is
    the other view where the first two readers, by their codes, differ, and the class where they agree; empty
    with one reader. Certainty, date, cover and notes are those of the first reader who gave the class.

    Parameters
    ----------
    answers
        `ANSWER_COLUMNS`, texts; "" or null in `class`: cannot tell.

    Raises
    ------
    InputError
        A reader has two answers for a point.

    Examples
    --------
    >>> rows = [("P1", "A", "coca"), ("P1", "B", "forest"), ("P1", "C", "coca"), ("P2", "A", "coca"),
    ...         ("P2", "B", "forest")]
    >>> table = pd.DataFrame(rows, columns=["point_id", "observer", "class"])
    >>> found = settle(table.reindex(columns=list(ANSWER_COLUMNS)))
    >>> found[["visited", "why_not", "class", "second_class"]].values.tolist()
    [['yes', '', 'coca', 'forest'], ['no', 'readers_disagree', '', '']]
    """
    texts = as_answers(answers)
    twice = texts[texts.duplicated(["point_id", "observer"], keep=False)]
    if len(twice):
        raise InputError(
            "answers of readers", "one answer of a reader for each point",
            "several for " + ", ".join(sorted(set(twice["point_id"]))[:10]),
            "keep the answer that counts",
        )  # fmt: skip
    ordered = texts.sort_values(["point_id", "observer"], kind="stable")
    rows = [_settled(str(point), rows) for point, rows in ordered.groupby("point_id", sort=True)]
    return pd.DataFrame(rows, columns=list(READING_COLUMNS))


def _settled(point: str, rows: pd.DataFrame) -> dict[str, Any]:
    votes = rows["class"].value_counts()
    common = str(votes.index[0]) if 2 * votes.iloc[0] > len(rows) else None
    row = {"point_id": point, "method": "image", "observer": " ".join(rows["observer"])}
    if not common:
        said = rows.loc[rows["class"] == "", "notes"] if common == "" else rows["notes"]
        notes = "; ".join(text for text in said if text)
        row |= {"visited": "no", "why_not": DISAGREE if common is None else CANNOT_TELL, "notes": notes}
        return {name: row.get(name, "") for name in READING_COLUMNS}
    first = rows[rows["class"] == common].iloc[0]
    others = [c for c in rows["class"].iloc[:2] if c != common]
    second = "" if len(rows) == 1 else (others or [common])[0]
    kept = {name: first[name] for name in ("certainty", "observed_on", "cover", "notes")}
    row |= {"visited": "yes", "why_not": "", "class": common, "second_class": second, **kept}
    return {name: row[name] for name in READING_COLUMNS}


def read_answers(path: Path) -> pd.DataFrame:
    """The answers of a file: all answers of readers, or the result of an interpretation, a row per point.

    Raises
    ------
    InputError
        The file cannot be read, or has no `point_id`, `observer`, `class`.
    """
    rows = read_rows(path)
    if missing := sorted({"point_id", "observer", "class"} - {*rows.columns}):
        raise InputError(
            f"answers {path}", "point_id, observer, class", "no " + ", ".join(missing),
            "give the file that the interpretation wrote",
        )  # fmt: skip
    return as_answers(pd.DataFrame(rows))


def as_answers(rows: pd.DataFrame) -> pd.DataFrame:
    """`ANSWER_COLUMNS` of the rows as texts, "" where there is none, numbered from 0."""
    table = rows.reindex(columns=list(ANSWER_COLUMNS)).astype("object")
    return table.where(table.notna(), "").reset_index(drop=True)
