"""Collect Earth Online by its own rules: how it reads a file of plots or samples, how it writes sample data.

After `generators/external_file.clj` and `db/projects.clj` of github.com/openforis/collect-earth-online:
header in small letters, names of coordinates unified, ids whole, quotes dropped in the middle of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

BASE = (
    "plotid", "sampleid", "sample_internal_id", "lon", "lat", "email", "flagged", "collection_time",
    "analysis_duration", "used_geodash", "used_kml", "imagery_title", "imagery_attributions", "sample_geom",
    "confidence", "confidence_comment",
)  # fmt: skip
Answers = Mapping[tuple[int, str], Mapping[str, Any]]


def uploaded(text: str, design: str) -> list[dict[str, Any]]:
    """The rows of a file of `design` plot or sample; ValueError where the program refuses it."""
    header, *lines = re.split(r"\r\n|\n|\r", text.rstrip("\n"))
    if "," not in header:
        raise ValueError("commas")
    keys = []
    for name in header.lower().replace("\ufeff", "").split(","):
        key = re.sub(r'-| |"', "_", re.sub(r'^"|"$', "", name))
        key = re.sub(r"^(x|longitude|long|center_x)$", "lon", key)
        key = re.sub(r"^(y|latitude|center_y)$", "lat", key)
        keys.append(re.sub(f"^{design}id$", "visible_id", key))
    needed = {"visible_id", "lon", "lat"} | ({"plotid"} if design == "sample" else set())
    bad = [k for k in keys if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", k)]
    if not needed <= set(keys) or bad or len(set(keys)) < len(keys):
        raise ValueError(f"headers: {keys}")
    rows = [dict(zip(keys, line.split(","), strict=True)) for line in lines]
    for row in rows:
        row["visible_id"], row["lon"], row["lat"] = (
            int(row["visible_id"]),
            float(row["lon"]),
            float(row["lat"]),
        )
    primary = [(row.get("plotid"), row["visible_id"]) for row in rows]
    if len(set(primary)) < len(primary):
        raise ValueError("duplicate primary keys")
    return rows


def _cell(value: Any) -> str:
    text = str(value).replace('"', "")
    return f'"{text}"' if "," in text else text


def sample_data(
    plots: Iterable[Mapping[str, Any]],
    answers: Mapping[tuple[int, str], Mapping[str, Any]],
    questions: list[str],
) -> str:
    """What users download. `answers`: (plot, address) -> question -> answer, and `confidence`, `flagged`."""
    rows = [",".join([*BASE, "pl_point_id", *map(_cell, questions)])]
    rows[0] = "\ufeff" + rows[0] + ", Guest Interpreters"
    for plot in plots:
        readers = [key for key in answers if key[0] == plot["visible_id"]] or [None]
        for key in readers:
            said = answers[key] if key else {}
            own = {
                "plotid": plot["visible_id"], "sampleid": 1, "sample_internal_id": 90_001,
                "lon": plot["lon"], "lat": plot["lat"], "email": key[1] if key else "",
                "flagged": str(said.get("flagged", False)).lower(),
                "collection_time": "2026-11-30 10:15" if key else "",
                "analysis_duration": "12.5 secs" if key else "", "imagery_title": "Planet NICFI, 2024",
                "sample_geom": f"POINT({plot['lon']} {plot['lat']})",
                "confidence": said.get("confidence", ""),
            }  # fmt: skip
            cells = [own.get(name, "") for name in BASE] + [plot["point_id"]]
            rows.append(",".join(_cell(v) for v in [*cells, *(said.get(q, "") for q in questions)]) + ",")
    return "\n".join(rows)
