"""The labels of the teams, checked against the key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.errors import InputError
from cocal.estimate.ring import RingResult, ring_result
from cocal.user_tables import read_csv_table

UNCLEAR = "unclear"
_LISTED = 8


def read_ring(key: Path, labels: Sequence[Path], *, confidence: float) -> RingResult:
    """What the tables of labels say, one of each team; a table belongs to the team that has its pictures.

    Raises
    ------
    InputError
        A file cannot be read; a table is of another ring test, of two teams, or of one that has a table
        already; a team has none; a picture is missing, unknown or there twice; a label is no class.
    """
    facts = _read_key(key)
    places = pd.DataFrame(facts["chips"])
    teams = {team: places[f"chip_{team}"].tolist() for team in facts["teams"]}
    found: dict[str, pd.Series] = {}
    for path in labels:
        table = _read_labels(path, facts)
        team = _team_of(path, table, teams)
        if team in found:
            raise InputError(f"{path}: team {team!r}", "one table", "two", "name one table of each team")
        found[team] = _checked(path, table, teams[team], facts["classes"])
    if missing := sorted(set(teams) - set(found)):
        raise InputError(
            f"ring test {facts['ring']}", f"labels of {', '.join(teams)}", f"none of {', '.join(missing)}",
            "name one table of each team",
        )  # fmt: skip
    own = pd.DataFrame({team: found[team] for team in teams})
    return ring_result(own, places, facts["classes"], facts["target"], confidence=confidence)


def _read_key(path: Path) -> Mapping[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lacking = {"ring", "teams", "classes", "target", "chips"} - set(facts)
    except (OSError, ValueError, TypeError, RecursionError) as err:
        raise InputError(f"{path} is no key", "key.json of `cocal ring make`", str(err), "name it") from err
    if lacking:
        raise InputError(f"{path} is no key", "key.json of `cocal ring make`", f"no {', '.join(lacking)}", "")
    return facts


def _read_labels(path: Path, facts: Mapping[str, Any]) -> pd.DataFrame:
    try:
        table = read_csv_table(path, words=False)
    except (OSError, ValueError) as err:
        raise InputError(f"{path}", "a CSV table in UTF-8", str(err), "save it as CSV") from err
    if lacking := {"chip", "ring", "label"} - set(table.columns):
        raise InputError(
            f"{path}", "columns chip, ring, label", f"no {', '.join(sorted(lacking))}", "fill in labels.csv"
        )
    others = sorted(set(table["ring"].fillna("").astype(str)) - {facts["ring"]})
    if others:
        raise InputError(
            f"{path} is of another ring test", facts["ring"], ", ".join(others[:_LISTED]),
            "name the key and the labels of one ring test",
        )  # fmt: skip
    return table


def _team_of(path: Path, table: pd.DataFrame, teams: Mapping[str, Sequence[str]]) -> str:
    chips = set(table["chip"].dropna())
    own = [team for team, names in teams.items() if chips & set(names)]
    if len(own) != 1:
        raise InputError(
            f"{path}", "the pictures of one team", f"those of {', '.join(own) or 'none'}",
            "name the labels.csv of each team",
        )  # fmt: skip
    return own[0]


def _checked(path: Path, table: pd.DataFrame, names: Sequence[str], classes: Sequence[str]) -> pd.Series:
    """The labels in the order of the key; "" where the team could not tell."""
    label = table["label"].fillna(UNCLEAR).str.lower()
    chips = table["chip"].fillna("")
    problems = [
        f"row {row}: label {text!r}" for row, text in label.items() if text not in (*classes, UNCLEAR)
    ]
    problems += [
        f"row {row}: picture {name!r} is unknown" for row, name in chips.items() if name not in names
    ]
    problems += [f"picture {name} twice" for name in chips[chips.duplicated()].unique()]
    problems += [f"picture {name} is missing" for name in names if name not in set(chips)]
    if problems:
        more = f"; and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise InputError(
            f"{path}: labels cannot be used",
            f"each picture once, labelled {', '.join((*classes, UNCLEAR))}",
            "; ".join(problems[:_LISTED]) + more, "fix these rows",
        )  # fmt: skip
    return label.where(label != UNCLEAR, "").set_axis(chips).reindex(list(names)).reset_index(drop=True)
