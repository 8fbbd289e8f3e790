"""The state of each figure: draft, checked, approved, revised; by which office, when and why.

A figure is the hectares of a place (region, group, country, the whole) in a period. An edition is one
statement of an office on figures. It holds for the figures as they were then: where they have changed since,
the figure is a draft again. Editions are only added; each has the checksum of itself and of what precedes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cocal.checksums import sha256_bytes
from cocal.errors import InputError, UsageError
from cocal.store import canonical_json

DRAFT, CHECKED, APPROVED, REVISED = STATES = ("draft", "checked", "approved", "revised")
IN_FORCE = (APPROVED, REVISED)
KEYS = ["period", "level", "place"]
HECTARES = ("mapped_ha", "estimated_ha", "ci_low_ha", "ci_high_ha")
_WORDED = ("class", "estimator", "interval")
_IDENTITY = (
    *_WORDED, *HECTARES, "standard_error_ha", "observed_fraction", "confidence",
    "small_area_ha", "small_area_low_ha", "small_area_high_ha",
)  # fmt: skip
"""What makes a figure another one: of every class, not of the target alone; numbers to four decimals."""
_STATED = (*KEYS, *HECTARES, "figures_sha256")
HISTORY_COLUMNS = ("edition", "state", "by", "on", "why", *_STATED, "sha256")
_WORDS = ("edition", "by", "on", "why")
_BEFORE = ("state", "by", "on", *HECTARES)
STATE_COLUMNS = (
    *KEYS, "state", *_WORDS, *HECTARES, *(f"before_{name}" for name in _BEFORE),
    "mapped_difference_ha", "estimated_difference_ha",
)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """What an office says of figures: their `state`, `by` which office, `on` which day (ISO), `why`."""

    state: str
    by: str
    on: str
    why: str = ""


def figures_of(tables: Mapping[str, pd.DataFrame], target: str) -> pd.DataFrame:
    """The figures of a run: period, level, place, hectares of the target, checksum of all classes.

    Parameters
    ----------
    tables : level ("region", "group", "country") -> its table of areas, every cell as text, with the place in
        `region_id` or, of countries, `country`.
    target : the class whose hectares are shown.
    """
    found = []
    for level, table in tables.items():
        place = "region_id" if "region_id" in table else "country"
        identity = [name for name in _IDENTITY if name in table]
        for (period, name), rows in table.groupby(["period", place], sort=False):
            own = rows[rows["class"] == target]
            values = [[_printed(name, row[name]) for name in identity] for row in rows.to_dict("records")]
            values.sort()
            hectares = {h: own[h].iloc[0] if len(own) and h in own else "" for h in HECTARES}
            digest = sha256_bytes(canonical_json([identity, values]).encode())
            found.append(
                {"period": period, "level": level, "place": name} | hectares | {"figures_sha256": digest}
            )
    return pd.DataFrame(found, columns=list(_STATED), dtype=str)


def _printed(name: str, text: str) -> str:
    return text if name in _WORDED or not text else f"{float(text):.4f}"


def check_history(history: pd.DataFrame, name: str) -> pd.DataFrame:
    """`history`, every cell as text, if no row of it was changed, added or left out by another program.

    Raises
    ------
    InputError : the columns are others, or a row does not have its checksum; `name` is that of the file.
    """
    if list(history.columns) != list(HISTORY_COLUMNS):
        raise InputError(
            f"{name} is no history of editions", ", ".join(HISTORY_COLUMNS), ", ".join(history.columns),
            "restore the file from a copy",
        )  # fmt: skip
    before = ""
    for number, row in enumerate(history.to_dict("records"), start=1):
        if row["sha256"] != _seal(row, before):
            raise InputError(
                f"{name}: row {number} (edition {row['edition']}, {row['level']} {row['place']}) was altered",
                "the row as `cocal edition` wrote it, after the rows before it", "another checksum",
                "restore the file from a copy; state a correction as a further edition",
            )  # fmt: skip
        before = row["sha256"]
    return history


def _seal(row: Mapping[Any, Any], before: str) -> str:
    """SHA-256 of the row and of the row before it."""
    content = [str(row[name]) for name in HISTORY_COLUMNS if name != "sha256"]
    return sha256_bytes(json.dumps([before, *content], ensure_ascii=False).encode())


def stated(history: pd.DataFrame, figures: pd.DataFrame, statement: Statement) -> pd.DataFrame:
    """`history` with one more edition: `statement` on each of `figures`.

    A figure is checked before it is approved; it is revised, with the reason, where an edition in force has
    another figure; it is a draft again only with the reason.

    Raises
    ------
    UsageError : a figure cannot have the state, all of them at once; or office, day or reason is missing.
    """
    _check_statement(statement)
    known = states_of(history, figures)
    rows = [row for row in known.to_dict("records") if _refusal(row, statement.state)]
    if rows or known.empty:
        listed = [f"{r['level']} {r['place']} of {r['period']}: {_refusal(r, statement.state)}" for r in rows]
        shown = "; ".join(listed[:6]) + (f"; and {len(listed) - 6} more" if len(listed) > 6 else "")
        raise UsageError(
            f"these figures cannot be {statement.state}", "draft, checked, then approved or, where an "
            "approved edition has other figures, revised", shown or "no figure",
            "state the missing step first, or choose periods and places; `cocal edition RUN` lists them",
        )  # fmt: skip
    number = str(1 + max((int(n) for n in history["edition"]), default=0))
    before, added = history["sha256"].iloc[-1] if len(history) else "", []
    for figure in figures.to_dict("records"):
        row = {"edition": number, **vars(statement), **{name: figure[name] for name in _STATED}}
        before = row["sha256"] = _seal(row, before)
        added.append(row)
    new = pd.DataFrame(added, columns=list(HISTORY_COLUMNS), dtype=str)
    return pd.concat([history, new], ignore_index=True)


def _check_statement(statement: Statement) -> None:
    missing = [name for name in ("by", "on") if not getattr(statement, name)]
    if statement.state in (DRAFT, REVISED) and not statement.why:
        missing.append("why")
    if statement.state not in STATES or missing:
        raise UsageError(
            "the statement is not complete", f"one of {', '.join(STATES)}; the office; the day; and the "
            "reason where a figure is revised or a draft again",
            f"state {statement.state!r}; missing: {', '.join(missing) or 'nothing'}",
            "name the office with --by, the reason with --why",
        )  # fmt: skip


def _refusal(row: Mapping[Any, Any], wanted: str) -> str:
    """Why a figure of this row of `states_of` cannot have the state; "" where it can."""
    now, replaces = row["state"], row["before_state"] != ""
    if wanted == DRAFT:
        return "is a draft" if now == DRAFT else ""
    if now in IN_FORCE:
        return f"is {now}"
    if wanted == CHECKED:
        return ""
    if now != CHECKED:
        return "was not checked"
    if wanted == APPROVED and replaces:
        return "would replace an approved figure: it is revised"
    return "has no approved figure before it" if wanted == REVISED and not replaces else ""


def states_of(history: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """State of each of `figures`, in their order, beside the last other figure that was in force.

    Returns
    -------
    DataFrame of text, STATE_COLUMNS. A figure without an edition, or changed since its last one, is a draft.
    `before_*` is the last edition in force whose figures were others, "" without one; differences are this
    figure less that.
    """
    rows: dict[tuple[Any, ...], list[Mapping[Any, Any]]] = {}
    for row in history.to_dict("records"):
        rows.setdefault(tuple(row[name] for name in KEYS), []).append(row)
    found = []
    for figure in figures.to_dict("records"):
        own = rows.get(tuple(figure[name] for name in KEYS), [])
        found.append(_state(figure, own))
    return pd.DataFrame(found, columns=list(STATE_COLUMNS), dtype=str)


def _state(figure: Mapping[Any, Any], editions: Sequence[Mapping[Any, Any]]) -> dict[str, str]:
    same = [e for e in editions[-1:] if e["figures_sha256"] == figure["figures_sha256"]]
    others = [e for e in _in_force(editions) if e["figures_sha256"] != figure["figures_sha256"]]
    now, last = (same or [{}])[-1], (others or [{}])[-1]
    state = {"state": now.get("state", DRAFT)} | {name: now.get(name, "") for name in _WORDS}
    before = {f"before_{name}": last.get(name, "") for name in _BEFORE}
    differences = {
        f"{name}_difference_ha": _difference(figure[f"{name}_ha"], before[f"before_{name}_ha"])
        for name in ("mapped", "estimated")
    }
    return {name: figure[name] for name in (*KEYS, *HECTARES)} | state | before | differences


def _in_force(editions: Sequence[Mapping[Any, Any]]) -> list[Mapping[Any, Any]]:
    """The editions that were in force: approved or revised, and not made drafts again with these figures."""
    found: list[Mapping[Any, Any]] = []
    for edition in editions:
        if edition["state"] == DRAFT:
            found = [e for e in found if e["figures_sha256"] != edition["figures_sha256"]]
        elif edition["state"] in IN_FORCE:
            found.append(edition)
    return found


def _difference(now: str, before: str) -> str:
    return "" if "" in (now, before) else f"{float(now) - float(before):.4f}"
