"""The printable sheet: one page or more per region, with space to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cocal.assets import asset
from cocal.fieldwork.design.draw import MAIN
from cocal.fieldwork.design.texts import CHOICES, COLUMNS, SHEET
from cocal.scheme import ClassScheme

_LISTS = ("why_not", "state", "shade", "mixture", "method")
"""Questions whose choices stand above the table."""


def write_sheet(
    path: Path,
    sample: pd.DataFrame,
    scheme: ClassScheme,
    *,
    language: str,
    regions: dict[str, str],
    simulated: bool,
) -> None:
    """Write one self-contained HTML page in `language`, ready to print on A4 (the browser makes the PDF).

    `regions` gives the name of each region id. Strata and map classes are not on it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(asset("fieldwork/design/assets")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {key: both[language] for key, both in SHEET.items()}
    heads = {key: both[language] for key, both in COLUMNS.items() if key != "point_id"}
    lists = {heads[key]: [both[language] for both in CHOICES[key].values()] for key in _LISTS}
    text = environment.get_template("sheet.html.j2").render(
        language=language,
        words=words,
        simulated=simulated,
        heads=list(heads.values()),
        lists=lists,
        classes=[c.name_es if language == "es" else c.name_en for c in scheme.classes],
        parts=[_part(sample, region, name) for region, name in regions.items()],
    )
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _part(sample: pd.DataFrame, region: str, name: str) -> dict[str, Any]:
    """One region's points and reserves."""
    own = sample[sample["region_id"] == region]
    main = own["role"] == MAIN
    return {"name": name, "points": _rows(own[main]), "reserves": _rows(own[~main])}


def _rows(points: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "id": row["point_id"],
            "position": f"{row['lat']:.6f}, {row['lon']:.6f}",
            "utm": f"{_zone(row['epsg'])}  {row['x']:.0f}  {row['y']:.0f}",
        }
        for row in points.to_dict("records")
    ]


def _zone(epsg: int) -> str:
    return f"{epsg % 100}{'S' if epsg >= 32700 else 'N'}"
