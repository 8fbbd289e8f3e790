"""Agreed and settled answers as a file of records, all answers beside it, and how far the readers are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.errors import InputError
from cocal.run.readings.answers import CANNOT_TELL, Answer
from cocal.run.readings.campaign import Campaign
from cocal.store import write_csv

AGREED, SETTLED, ALONE, DISPUTED, WAITING = "agreed", "settled", "one reader", "in dispute", "waiting"
UNCLEAR = "unclear"
"""`why_not` of a point at which the images do not show what is there."""

ANSWERED = "answers.csv"
_COLUMNS = [
    "point_id",
    "visited",
    "why_not",
    "observed_on",
    "class",
    "certainty",
    "method",
    "observer",
    "notes",
]


def outcomes(campaign: Campaign) -> dict[str, tuple[str, Answer | None]]:
    """Item -> how it stands, and the answer that counts: agreed by both readers, or settled by the third.

    Of an agreed answer it is the first reader's. Where one reader alone has begun, it is that one's.
    """
    given = [campaign.standing(reader) for reader in campaign.readers]
    last = campaign.standing(campaign.third) if campaign.third else {}
    found: dict[str, tuple[str, Answer | None]] = {}
    for item in campaign.points:
        own = [answers.get(item) for answers in given]
        if len(own) == 1 and own[0]:
            found[item] = ALONE, own[0]
        elif len(own) < 2 or not (own[0] and own[1]):
            found[item] = WAITING, None
        elif own[0].says == own[1].says:
            found[item] = AGREED, own[0]
        else:
            found[item] = (SETTLED, last[item]) if item in last else (DISPUTED, None)
    return found


def write_results(campaign: Campaign, out: Path) -> dict[str, int]:
    """Write the records to `out`, a row per point that is agreed or settled, and all answers beside it.

    `out` goes as it is into `records: {path: ..., sample: design/sample.csv}`. Points that are not in it are
    awaited: the estimate is preliminary. The file of all answers is `answers.csv`.

    Returns
    -------
    How many points stand how: `agreed`, `settled`, `in dispute`, `waiting`, `one reader`.

    Raises
    ------
    InputError
        No point has an answer that counts.
    """
    found = outcomes(campaign)
    rows = [_record(campaign, item, how, answer) for item, (how, answer) in found.items() if answer]
    if not rows:
        raise InputError(
            f"no point of {campaign.run.folder} is agreed", "answers of two readers, or of one",
            f"readers: {', '.join(campaign.readers) or 'none'}", "read points with `cocal interpret`",
        )  # fmt: skip
    write_csv(out, pd.DataFrame(rows, columns=_COLUMNS).sort_values("point_id"))
    write_csv(out.with_name(f"{out.stem}.{ANSWERED}"), all_answers(campaign, found))
    return dict(Counter(how for how, _ in found.values()))


def _record(campaign: Campaign, item: str, how: str, answer: Answer) -> dict[str, Any]:
    who = [campaign.third] if how == SETTLED else campaign.readers
    seen = answer.kind == "class"
    return {
        "point_id": campaign.points[item].point_id, "visited": "yes" if seen else "no",
        "why_not": "" if seen else UNCLEAR, "observed_on": answer.day and str(answer.day),
        "class": answer.label, "certainty": answer.certainty, "method": "image",
        "observer": "+".join(map(str, who)), "notes": answer.note,
    }  # fmt: skip


def all_answers(campaign: Campaign, found: dict[str, tuple[str, Answer | None]]) -> pd.DataFrame:
    """A row per point and reader: how the point stands, the reader, its role, and what it answered."""
    roles = {reader: f"reader {n}" for n, reader in enumerate(campaign.readers, 1)}
    if campaign.third:
        roles[campaign.third] = "third"
    rows = [
        {
            "point_id": campaign.points[item].point_id, "outcome": found[item][0], "reader": reader,
            "role": role, "class": answer.says, "certainty": answer.certainty, "observed_on": answer.day,
            "notes": answer.note, "at": answer.at.isoformat(),
        }
        for reader, role in roles.items()
        for item, answer in campaign.standing(reader).items()
    ]  # fmt: skip
    columns = ["point_id", "outcome", "reader", "role", "class", "certainty", "observed_on", "notes", "at"]
    return pd.DataFrame(rows, columns=columns).sort_values(["point_id", "role"])


def progress(campaign: Campaign) -> dict[str, Any]:
    """How many points each reader has answered of how many, how many stand how, and the readers' agreement.

    `agreement`: the share of the points that both answered on which they agree; None without such points.
    """
    found = outcomes(campaign)
    counts = Counter(how for how, _ in found.values())
    everyone = [*campaign.readers, *([campaign.third] if campaign.third else [])]
    done = {r: (len(campaign.standing(r)), len(campaign.items(r))) for r in everyone}
    both = sum(counts.get(how, 0) for how in (AGREED, SETTLED, DISPUTED))
    return {
        "readers": done, "points": dict(counts), "agreement": counts.get(AGREED, 0) / both if both else None,
        "unclear": sum(1 for _, a in found.values() if a and a.says == CANNOT_TELL),
    }  # fmt: skip
