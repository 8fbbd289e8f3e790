"""A folder for reading points without a server, and the answers that come back from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cocal.assets import asset
from cocal.errors import InputError
from cocal.run.images import webp
from cocal.run.readings.answers import Answer
from cocal.run.readings.campaign import Campaign
from cocal.run.readings.sheets import SheetMaker

PAGE, SCRIPTS = "index.html", ("words.js", "draw.js", "keep.js", "page.js")
_QUALITY = 95
"""Of a picture in a kit, lossy WebP: a quarter of the bytes of a lossless one, the judged pixel within
12 of 255.
"""

_HEAD = "cocal-readings"


def page_facts(campaign: Campaign, reader: str) -> dict[str, Any]:
    """What the page is told of the campaign: classes and names of items, nothing of places or maps."""
    return {
        "campaign": campaign.id, "reader": reader, "simulated": campaign.run.simulated,
        "third": reader == campaign.third, "period": campaign.period.name,
        "classes": [
            {"key": c.key, "es": c.name_es, "en": c.name_en, "colour": c.colour}
            for c in campaign.scheme.classes
        ],
        "items": campaign.items(reader),
    }  # fmt: skip


def write_kit(campaign: Campaign, reader: str, out: Path) -> int:
    """Write the kit of one reader: `index.html`, and `chips/` with the pictures of each point.

    Returns
    -------
    The number of points.

    Raises
    ------
    InputError
        The folder holds something already; a scene is missing or damaged.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}", "a folder that is empty, or none", "other files", "name another folder")
    facts, maker = page_facts(campaign, reader), SheetMaker(campaign)
    (out / "chips").mkdir(parents=True)
    sheets = {}
    for item in facts["items"]:
        sheet = maker.sheet(item)
        for name, pixels in sheet.pictures.items():
            (out / "chips" / f"{item}-{name}.webp").write_bytes(webp(pixels, quality=_QUALITY))
        sheets[item] = {**sheet.facts, "pictures": {n: f"chips/{item}-{n}.webp" for n in sheet.pictures}}
    (out / PAGE).write_text(_page({**facts, "sheets": sheets}), encoding="utf-8")
    return len(sheets)


def _page(data: dict[str, Any]) -> str:
    """The page as one file, its data, style and scripts within it: browsers load none from a folder."""
    assets = asset("run/readings/assets")
    inline = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    links = [f'<script type="application/json" id="kit">{inline}</script>']
    page = (assets / "page.html").read_text(encoding="utf-8")
    style = (assets / "page.css").read_text(encoding="utf-8")
    page = page.replace('<link rel="stylesheet" href="assets/page.css">', f"<style>{style}</style>")
    for name in SCRIPTS:
        page = page.replace(f'<script src="assets/{name}" defer></script>\n', "")
        links.append(f"<script>{(assets / name).read_text(encoding='utf-8')}</script>")
    return page.replace("</body>", "\n".join([*links, "</body>"]))


def add_answers(campaign: Campaign, path: Path) -> tuple[str, int]:
    """Add the answers of a kit to those of its reader.

    Returns
    -------
    The reader, and how many answers were new.

    Raises
    ------
    InputError
        The file is none of a kit of this campaign, or a line of it cannot be read; nothing is added.
    UsageError
        The reader has no part in the campaign.
    """
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        facts = json.loads(head)
        kind, of, reader = facts[_HEAD], facts["campaign"], str(facts["reader"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise _strange(path, "not the answers of a kit") from err
    if kind != 1 or of != campaign.id:
        raise _strange(path, "answers of another campaign")
    if reader not in (*campaign.readers, campaign.third):
        raise _strange(path, f"reader {reader!r}, who has no part in it")
    try:
        answers = [Answer.model_validate_json(line) for line in lines if line]
    except ValidationError as err:
        raise _strange(path, str(err.errors()[0]["msg"])) from err
    check_answers(campaign, answers)
    with campaign.reading(reader):
        file = campaign.answers(reader)
        known = {answer.uid for answer in file.read()}
        new = [answer for answer in answers if answer.uid not in known]
        file.add(new)
    return reader, len(new)


def check_answers(campaign: Campaign, answers: list[Answer]) -> None:
    """Raise InputError if an item or class is none of the campaign, or a day is not of its period."""
    keys, period = set(campaign.scheme.keys), campaign.period
    for answer in answers:
        wrong = (
            (answer.item not in campaign.points and f"item {answer.item}")
            or (answer.label is not None and answer.label not in keys and f"class {answer.label!r}")
            or (
                answer.day is not None
                and not period.start <= answer.day <= period.end
                and f"day {answer.day}"
            )
        )
        if wrong:
            raise InputError("an answer is none of this campaign", "its items, classes and period", wrong, "")


def _strange(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} cannot be added", "the file that the page of a kit of this run saved", found,
        "give that file as it was saved",
    )  # fmt: skip
