"""Agreed and settled answers as a file of records, all answers beside it, and how far the readers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.errors import InputError
from cocal.fieldwork.labelling import ANSWER_COLUMNS, settle
from cocal.run.readings.campaign import Campaign
from cocal.store import write_csv

AGREED, SETTLED, ALONE, DISPUTED, WAITING = "agreed", "settled", "one reader", "in dispute", "waiting"
ANSWERED = "answers.csv"


def all_answers(campaign: Campaign) -> pd.DataFrame:
    """A row per point and reader, texts: `ANSWER_COLUMNS`, the role of the reader, when it was answered."""
    roles = {reader: f"reader {n}" for n, reader in enumerate(campaign.readers, 1)}
    if campaign.third:
        roles[campaign.third] = "third"
    rows = [
        {
            "point_id": str(campaign.points[item].point_id), "observer": reader, "role": role,
            "class": answer.label or "", "certainty": answer.certainty or "", "notes": answer.note,
            "observed_on": str(answer.day or ""), "cover": "", "at": answer.at.isoformat(),
        }
        for reader, role in roles.items()
        for item, answer in campaign.standing(reader).items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[*ANSWER_COLUMNS, "role", "at"]).sort_values(["point_id", "role"])


def outcomes(campaign: Campaign, answers: pd.DataFrame) -> dict[str, str]:
    """Point -> how it stands: agreed, settled by the third, of one reader alone, in dispute, or waiting."""
    said = {
        str(point): dict(zip(rows["role"], rows["class"], strict=True))
        for point, rows in answers.groupby("point_id")
    }
    alone = len(campaign.readers) == 1
    return {
        str(row.point_id): _outcome(said.get(str(row.point_id), {}), alone=alone)
        for row in campaign.points.values()
    }


def _outcome(said: dict[str, str], *, alone: bool) -> str:
    one, other = said.get("reader 1"), said.get("reader 2")
    if alone and one is not None:
        return ALONE
    if one is None or other is None:
        return WAITING
    if one == other:
        return AGREED
    return SETTLED if "third" in said else DISPUTED


def write_results(campaign: Campaign, out: Path) -> dict[str, int]:
    """Write the records to `out`, a row per point that is agreed or settled, and all answers beside it.

    `out` goes as it is into `records: {path: ..., sample: design/sample.csv}`; what more than half of a
    point's readers say counts (`cocal.fieldwork.labelling.settle`). Points that wait for an answer are not in
    it: they are awaited, and the estimate is preliminary. `answers.csv`, after the name of `out`, has all.

    Returns
    -------
    How many points stand how: `agreed`, `settled`, `in dispute`, `waiting`, `one reader`.

    Raises
    ------
    InputError
        No point has an answer that counts.
    """
    answers = all_answers(campaign)
    found = outcomes(campaign, answers)
    counted = answers[answers["point_id"].map(found).isin([AGREED, SETTLED, ALONE])]
    if counted.empty:
        raise InputError(
            f"no point of {campaign.run.folder} is agreed", "answers of two readers, or of one",
            f"readers: {', '.join(campaign.readers) or 'none'}", "read points with `cocal interpret`",
        )  # fmt: skip
    write_csv(out, settle(counted))
    write_csv(out.with_name(f"{out.stem}.{ANSWERED}"), answers.assign(outcome=answers["point_id"].map(found)))
    return dict(Counter(found.values()))


def progress(campaign: Campaign) -> dict[str, Any]:
    """How many points each reader has answered of how many, how many stand how, and the readers' agreement.

    `agreement`: the share of the points that both answered on which they agree; None without such points.
    """
    counts = Counter(outcomes(campaign, all_answers(campaign)).values())
    everyone: Sequence[str] = [*campaign.readers, *([campaign.third] if campaign.third else [])]
    done = {r: (len(campaign.standing(r)), len(campaign.items(r))) for r in everyone}
    both = sum(counts[how] for how in (AGREED, SETTLED, DISPUTED))
    return {
        "readers": done, "points": dict(counts), "agreement": counts[AGREED] / both if both else None,
    }  # fmt: skip
