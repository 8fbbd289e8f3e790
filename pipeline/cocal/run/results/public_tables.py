"""The tables of public/: sums of published squares, and rounded estimates of countries and the whole.

Only the columns named here leave the office; what the map counts outside published squares is in none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.estimate.disclosure import Figure, not_shown, rounded_estimates, withheld_estimates
from cocal.estimate.legal import OUTSIDE
from cocal.estimate.settings import LegalSettings
from cocal.grid import transformer
from cocal.notes import Note, note_column
from cocal.regions import Regions
from cocal.run.measure.domains import TOTAL, members_of
from cocal.run.measure.legal import kinds_of
from cocal.run.results.facts import RunFacts
from cocal.run.tables import read_own_csv, with_notes

_SEEN = ("observed_fraction", "unobserved_ha", "notes")
_ESTIMATE = (
    "estimated_ha",
    "ci_low_ha",
    "ci_high_ha",
    "step_ha",
    "n_reference",
    "confidence",
    "interval",
    "estimator",
)
_PLACE = ("region_id", "region_name", "country", "period", "class", "shown_ha")
KEYS = {
    "hectares": ("region_id", "period", "class"),
    "countries": ("country", "period", "class"),
    "groups": ("region_id", "period", "class"),
    "legal": ("level", "id", "period"),
}
"""Tables under the rule -> the columns that name their rows."""

COLUMNS = {
    "hectares": (*_PLACE, *_SEEN),
    "countries": (*_PLACE[2:], *_ESTIMATE, *_SEEN),
    "groups": (*_PLACE, *_SEEN),
    "legal": ("level", "id", "name", "kind", "period", "shown_ha", "observed_fraction", "notes"),
    "regions": ("region_id", "region_name", "country", "owned_ha", "polygon_ha", "exclusive_ha",
                "difference_percent"),
}  # fmt: skip
"""All columns of the tables of public/ beside its squares."""

_SAID = {"observed_area_only", "n_too_small", "presence_not_illegality", "protected_not_verdict"}
"""Notes that may leave the office: others state figures of the map, or depend on exact ones."""


@dataclass(frozen=True)
class Places:
    """What the rows of the tables are made of, and the published squares.

    `squares`: as from `public_squares`, with the `zone` of each square's centre. `countries`: of each
    region. `groups`, `zones`: region ids of each group; zone ids of each zone and kind of zone.
    """

    squares: pd.DataFrame
    countries: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    zones: Mapping[tuple[str, str], frozenset[str]]
    min_plots: int

    @classmethod
    def of(
        cls, run: RunFacts, squares: pd.DataFrame, groups: Mapping[str, tuple[str, ...]],
        legal: tuple[LegalSettings, Regions] | None, min_plots: int,
    ) -> Places:  # fmt: skip
        """The places of a run."""
        table = run.regions.table[["region_id", "country"]].astype(str)
        countries = dict(table.itertuples(index=False, name=None))
        members = {name: frozenset(own) for name, own in members_of(run.regions, dict(groups)).items()}
        zone, zones = np.full(len(squares), "", dtype=object), {}
        if legal is not None:
            outside = [f"{OUTSIDE}-{countries[r]}" for r in squares["region_id"].astype(str)]
            zone = np.where(own := zones_of(squares, legal[1]), own, outside)
            zones = _zone_members(*legal, set(countries.values()))
        return cls(squares.assign(zone=zone), countries, members, zones, min_plots)

    def regions_of(self, name: str, row: Mapping[Any, Any]) -> frozenset[str]:
        """The regions of a row of the table `name`, which is not the legal one."""
        if name == "countries":
            return frozenset(r for r, own in self.countries.items() if row["country"] in (TOTAL, own))
        return self.groups.get(str(row["region_id"]), frozenset({str(row["region_id"])}))

    def hectares(self, name: str, row: Mapping[Any, Any]) -> pd.Series[float]:
        """The published hectares of the squares of a row, NaN for those that are not shown."""
        own = self.squares[self.squares["period"] == row["period"]]
        if name == "legal":
            inside = own["zone"].isin(self.zones[row["level"], str(row["id"])])
        else:
            inside = own["region_id"].astype(str).isin(self.regions_of(name, row))
        found: pd.Series[float] = own.loc[inside, "mapped_ha"]
        return found


def shown_ha(squares: pd.Series[float]) -> float:
    """The sum of the squares that are shown; NaN where none is."""
    return float(squares.sum(min_count=1))


def zones_of(squares: pd.DataFrame, zones: Regions) -> NDArray[np.object_]:
    """The first zone that holds the centre of each square; "" for none."""
    found = np.full(len(squares), "", dtype=object)
    half = squares["side_m"].to_numpy() / 2
    ids = zones.table["region_id"].astype(str).tolist()
    for epsg in squares["epsg"].unique().tolist():
        here = np.flatnonzero(squares["epsg"] == epsg)
        east, north = (squares[name].to_numpy()[here] + half[here] for name in ("x", "y"))
        lon, lat = transformer(epsg, 4326).transform(east, north)
        for key, shape in reversed(list(zip(ids, zones.geometries, strict=True))):
            found[here[shapely.contains_xy(shape, lon, lat)]] = key
    return found


def _zone_members(
    legal: LegalSettings, zones: Regions, countries: set[str]
) -> dict[tuple[str, str], frozenset[str]]:
    """(level, id) of a row of the legal table -> ids of its zones."""
    kinds = kinds_of(zones, legal)
    names = {*kinds, *(f"{OUTSIDE}-{country}" for country in countries)}
    found = {("zone", name): frozenset({name}) for name in names}
    for kind in {*kinds.values(), OUTSIDE}:
        found["kind", kind] = frozenset(name for name in names if kinds.get(name, OUTSIDE) == kind)
    return found


def public_tables(run: RunFacts, places: Places) -> dict[str, pd.DataFrame]:
    """The tables of public/ by name, notes as tuples of Note.

    The map's figure of a place is the sum of its published squares. Estimates are rounded; those of places
    without a published square, and those from which one of them would follow, are left out.
    """
    found = {"regions": read_own_csv(run.tables["regions"])}
    for name, path in run.tables.items():
        if name in KEYS:
            table = with_notes(read_own_csv(path), name, run.root.value)
            found[name] = _under_the_rule(name, _of_target(table, name, run.scheme.target), places)
    found["countries"] = _without(found["countries"], withheld(found["countries"], places), places.min_plots)
    return {name: table.reindex(columns=list(COLUMNS[name])) for name, table in found.items()}


def _of_target(table: pd.DataFrame, name: str, target: str) -> pd.DataFrame:
    """The rows of the target, with the hectares that were not observed; of the law those of zones."""
    if name == "legal":
        return table[table["level"] != "limit"].reset_index(drop=True)
    keys = [key for key in KEYS[name] if key != "class"]
    unseen = table[table["class"] == UNOBSERVED][[*keys, "mapped_ha"]].round({"mapped_ha": 0})
    unseen = unseen.rename(columns={"mapped_ha": "unobserved_ha"})
    return table[table["class"] == target].merge(unseen, on=keys, how="left").reset_index(drop=True)


def _under_the_rule(name: str, table: pd.DataFrame, places: Places) -> pd.DataFrame:
    """`table` with its sums of published squares, rounded estimates, and the notes that may be public."""
    shown = np.array([shown_ha(places.hectares(name, row)) for row in table.to_dict("records")], dtype=float)
    said = [tuple(n for n in own if n.code in _SAID) for own in table["notes"]]
    notes = [
        not_shown(places.min_plots) if np.isnan(ha) else (Note("sum_of_squares"), *own)
        for ha, own in zip(shown, said, strict=True)
    ]
    return rounded_estimates(table).assign(
        shown_ha=shown,
        notes=note_column(notes, table.index),
        observed_fraction=table["observed_fraction"].round(2),
    )


def withheld(table: pd.DataFrame, places: Places) -> set[int]:
    """Positions of the rows of `countries` whose estimate must not be published.

    Places without a published square; places with all squares published but one, which an estimate less the
    others would tell where the map is right; and those from which one of the first would follow.
    """
    out, rows = set(), list(enumerate(table.to_dict("records")))
    for period in {row["period"] for _, row in rows}:
        figures, hidden = {}, []
        for position, row in rows:
            if row["period"] != period:
                continue
            regions, squares = places.regions_of("countries", row), places.hectares("countries", row)
            if squares.isna().all():
                hidden.append(regions)
            if squares.isna().all() or squares.isna().sum() == 1:
                out.add(position)
            elif not pd.isna(row["estimated_ha"]):
                figures[position] = Figure(regions, row["estimated_ha"], row["step_ha"])
        positions = list(figures)
        out |= {positions[k] for k in withheld_estimates(list(figures.values()), hidden)}
    return out


def _without(table: pd.DataFrame, rows: set[int], min_plots: int) -> pd.DataFrame:
    """`table` without the estimates of the rows at these positions."""
    out = pd.Series([position in rows for position in range(len(table))], table.index)
    summed, hidden = Note("sum_of_squares"), not_shown(min_plots)
    notes = [
        ((summed, *hidden) if summed in own else hidden) if gone else own
        for gone, own in zip(out, table["notes"], strict=True)
    ]
    numbers = [name for name in _ESTIMATE if name not in ("interval", "estimator")]
    return table.assign(
        **{column: table[column].mask(out) for column in numbers},
        **{column: table[column].mask(out, "") for column in ("interval", "estimator")},
        notes=note_column(notes, table.index),
    )
