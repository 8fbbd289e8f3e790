"""Tables of a run as JSON values: outlines, hectares, comparisons, field points."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import shapely

from cocal.errors import UsageError
from cocal.fieldwork import read_records
from cocal.notes import Note
from cocal.report.texts import Wording
from cocal.run.history import figure_states
from cocal.run.tables import given_sha256, read_own_csv, read_texts, with_notes
from cocal.serve.card import record_facts
from cocal.serve.runs import ShownRun
from cocal.store import inert, proven

FIGURES = (
    "mapped_ha", "estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "observed_fraction",
    "n_reference", "confidence", "small_area_ha", "small_area_low_ha", "small_area_high_ha", "last_ha",
)  # fmt: skip
_SIMPLER = 5e-5
"""Tolerance of simplified outlines, degrees: about 5 m."""


def plain(value: Any) -> Any:
    """A cell as a JSON value; None if it is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value


class RunTables:
    """The tables of one run, read once."""

    def __init__(self, run: ShownRun) -> None:
        self.run = run
        areas = with_notes(read_own_csv(run.tables / "hectares.csv"), "hectares", run.tables)
        columns = dict.fromkeys([*areas.columns, *FIGURES, "estimator", "interval", "last_source"])
        self._areas = areas.rename(columns={"shown_ha": "mapped_ha"}).reindex(columns=list(columns))
        path = run.tables / "comparison.csv"
        self._compared = with_notes(read_own_csv(path), "comparison", run.tables) if path.exists() else None
        states = figure_states(run.root).to_dict("records")
        self._states = {(row["period"], row["level"], row["place"]): row for row in states}
        self._read: pd.DataFrame | None = None
        self._voices = {"es": Wording("es", run.scheme), "en": Wording("en", run.scheme)}

    def both(self, namespace: str, text: Any) -> dict[str, str]:
        """A term of the report's dictionary in both languages."""
        words = "" if plain(text) is None else str(text)
        return {language: t.term(namespace, words) for language, t in self._voices.items()}

    def notes(self, notes: Sequence[Note]) -> dict[str, str]:
        """Notes in both languages; "" where there are none."""
        return {language: t.notes(notes) if notes else "" for language, t in self._voices.items()}

    def verdict(self, verdict: str | None, width_ha: float | None) -> dict[str, str]:
        """Whether an official figure and the estimate agree, in both languages."""
        return {language: t.verdict(verdict or "", width_ha) for language, t in self._voices.items()}

    @property
    def has_estimates(self) -> bool:
        """True if any figure shown is an estimate."""
        return bool(self._areas["estimated_ha"].notna().any())

    def outlines(self) -> dict[str, Any]:
        """The regions as GeoJSON: id, name, country."""
        regions = self.run.regions
        shapes = shapely.set_precision(shapely.simplify(regions.geometries, _SIMPLER), 1e-6)
        rows = regions.table[["region_id", "region_name", "country"]].to_dict("records")
        features = [
            {
                "type": "Feature",
                "id": number,
                "properties": {
                    "id": row["region_id"],
                    "name": row["region_name"],
                    "country": {k: t.country(str(row["country"])) for k, t in self._voices.items()},
                },
                "geometry": json.loads(shapely.to_geojson(shape)),
            }
            for number, (row, shape) in enumerate(zip(rows, shapes, strict=True))
        ]
        return {"type": "FeatureCollection", "features": features}

    def figures(self, period: str) -> dict[str, dict[str, Any]]:
        """Region id -> hectares of the target with their interval."""
        rows = self._of(self._areas, period)
        rows = rows[rows["class"] == self.run.scheme.target]
        return {str(row["region_id"]): self._figures(row) for row in rows.to_dict("records")}

    def region(self, period: str, region_id: str) -> dict[str, Any] | None:
        """Classes and comparisons with official figures of one region; None if there is no such region."""
        rows = self._of(self._areas, period)
        rows = rows[rows["region_id"] == region_id]
        if rows.empty:
            return None
        return {
            "id": region_id,
            "classes": [{"class": r["class"], **self._figures(r)} for r in rows.to_dict("records")],
            "compared": self._comparisons(period, region_id),
            "state": self._state(period, region_id),
        }

    def csv(self, period: str, region_id: str) -> str | None:
        """The rows of one region and period of hectares.csv, every cell as it stands there; None without."""
        rows = read_texts(proven(self.run.tables / "hectares.csv"))
        rows = rows[(rows["period"] == period) & (rows["region_id"] == region_id)]
        return None if rows.empty else str(inert(rows).to_csv(index=False, lineterminator="\n"))

    def _state(self, period: str, region_id: str) -> dict[str, Any]:
        """The state of a region's figure, in both languages, by which office and on which day."""
        row = self._states[period, "region", region_id]
        return {"state": self.both("state", row["state"]), "by": row["by"], "on": row["on"]}

    def _comparisons(self, period: str, region_id: str) -> list[dict[str, Any]]:
        if self._compared is None:
            return []
        rows = self._of(self._compared, period)
        rows = rows[(rows["region_id"] == region_id) & rows["official_ha"].notna()]
        return [
            {
                "official_ha": plain(row["official_ha"]),
                "source": "" if plain(row["official_source"]) is None else str(row["official_source"]),
                "verdict": self.verdict(plain(row["verdict"]), plain(row["width_needed_ha"])),
                "why": self.notes(row["why_not_comparable"]),
            }
            for row in rows.to_dict("records")
        ]

    def _figures(self, row: Any) -> dict[str, Any]:
        words = {key: self.both(key, row[key]) for key in ("estimator", "interval")}
        source = plain(row["last_source"])
        figures = {key: plain(row[key]) for key in FIGURES}
        return figures | words | {"notes": self.notes(row["notes"]), "last_source": str(source or "")}

    def _of(self, table: pd.DataFrame, period: str) -> pd.DataFrame:
        return table[table["period"].astype(str) == period]

    def points(self, period: str) -> dict[str, Any]:
        """The field records matched in a period as GeoJSON. For the restricted profile only.

        Raises
        ------
        UsageError
            The file of records is not the one that the run read.
        """
        features = []
        for row in self._matched(period).to_dict("records"):
            place = self._records.loc[row["record_id"]]
            point = place.geometry.representative_point()
            features.append(
                {
                    "type": "Feature",
                    "properties": {
                        "id": row["record_id"],
                        "observed_on": str(place["observed_on"])[:10],
                        "field": plain(row["reference_class"]),
                        "map": plain(row["map_class"]),
                        "status": self.both("status", row["status"]),
                    },
                    "geometry": {"type": "Point", "coordinates": [point.x, point.y]},
                }
            )
        return {"type": "FeatureCollection", "features": features}

    def record(self, period: str, record_id: str) -> dict[str, Any] | None:
        """What the record of a point states, and its `place`, for the restricted profile; None where the
        period has none.

        Raises
        ------
        UsageError
            As `points`.
        """
        matched = self._matched(period)
        if record_id not in set(matched["record_id"]):
            return None
        row = self._records.loc[record_id].to_dict() | {"record_id": record_id}
        point = row["geometry"].representative_point()
        return {"record": record_facts(row), "place": [round(v, 6) for v in (point.x, point.y)]}

    def _matched(self, period: str) -> pd.DataFrame:
        rows = self._of(read_own_csv(self.run.root / "records.csv"), period)
        return rows.assign(record_id=rows["record_id"].astype(str))

    @property
    def _records(self) -> pd.DataFrame:
        """The file of records, by id, unchanged since the run."""
        records = self.run.config.records
        if records is None or not self.run.restricted:
            raise UsageError("field points are not shown here", "the restricted profile", "another")
        if given_sha256(records.path, "records.path") != self.run.measured.records_sha256:
            raise UsageError(
                "the field records changed since the run", "the file that the run read",
                str(records.path.name),
                "run it again",
            )  # fmt: skip
        if self._read is None:
            self._read = pd.DataFrame(read_records(records, self.run.scheme).set_index("record_id"))
        return self._read
