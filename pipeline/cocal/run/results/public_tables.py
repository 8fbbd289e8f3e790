"""The tables of public/: sums of published squares, and rounded estimates.

Only the columns named here leave the office; what the map counts outside published squares is in none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.estimate.disclosure import Atom, Figure, not_shown, rounded_estimates, withheld_estimates
from cocal.estimate.legal import OUTSIDE
from cocal.estimate.settings import LegalSettings
from cocal.grid import transformer
from cocal.notes import Note, note_column
from cocal.regions import Regions
from cocal.run.measure.domains import TOTAL, members_of
from cocal.run.measure.legal import kinds_of, limited_zones
from cocal.run.results.facts import RunFacts
from cocal.run.tables import read_own_csv, with_notes

_FIGURES = ("shown_ha", "estimated_ha", "ci_low_ha", "ci_high_ha", "step_ha")
_HOW = ("n_reference", "confidence", "interval", "estimator", "observed_fraction", "notes")
_PLACE = ("region_id", "region_name", "country", "period", "class")
KEYS = {
    "hectares": ("region_id", "period", "class"),
    "countries": ("country", "period", "class"),
    "groups": ("region_id", "period", "class"),
    "legal": ("level", "id", "period"),
    "comparison": ("region_id", "period", "class", "official_source"),
}
"""Tables with notes -> the columns that name their rows."""

_AREAS = (*_PLACE, *_FIGURES, *_HOW, "unobserved_ha")
COLUMNS = {
    "hectares": _AREAS,
    "countries": tuple(name for name in _AREAS if name not in ("region_id", "region_name")),
    "groups": _AREAS,
    "legal": ("level", "id", "name", "kind", "period", *_FIGURES, *_HOW, "limit_ha", "over_limit_ha",
              "over_limit_low_ha", "over_limit_high_ha", "limit_lies", "source"),
    "comparison": (*_PLACE, "estimated_ha", "ci_low_ha", "ci_high_ha", "step_ha", "official_ha",
                   "official_source", "difference_ha", "within_interval", "why_not_comparable"),
    "regions": ("region_id", "region_name", "country", "owned_ha", "polygon_ha", "exclusive_ha",
                "difference_percent"),
}  # fmt: skip
"""All columns of the tables of public/ that are derived from the run."""

_SAID = {
    "n_too_small", "n_too_small_no_point_in_region", "n_too_small_no_point_here", "observed_area_only",
    "no_estimate", "zone_unobserved", "presence_not_illegality", "protected_not_verdict", "limit_difference",
    "no_interval", "no_official_figure", "period_differs", "date_differs", "reference_date_invalid",
    "definition_not_stated", "definition_differs", "series_break", "zone_split", "official_coverage_share",
    "official_coverage", "region_unobserved",
}  # fmt: skip
"""Notes that may leave the office: others state figures of the map, or depend on exact ones."""


@dataclass(frozen=True)
class Places:
    """What the rows of the tables are made of, and the published squares.

    `squares`: as from `public_squares`, with the `zone` of each square's centre. `atoms`: regions and zones
    that share ground. `groups`, `zones`: region ids, zone ids of each group; of each zone, kind and limit.
    """

    squares: pd.DataFrame
    atoms: frozenset[Atom]
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
        regions = run.regions
        table = regions.table[["region_id", "country"]].astype(str)
        countries = dict(table.itertuples(index=False, name=None))
        zone, members = np.full(len(squares), "", dtype=object), {}
        atoms = {(region, "") for region in countries}
        if legal is not None:
            settings, zones = legal
            outside = [f"{OUTSIDE}-{countries[r]}" for r in squares["region_id"].astype(str)]
            zone = np.where(own := zones_of(squares, zones), own, outside)
            atoms = shared_ground(regions, zones, countries)
            members = _zone_members(settings, zones, set(countries.values()))
        return cls(
            squares.assign(zone=zone), frozenset(atoms), countries,
            {name: frozenset(own) for name, own in members_of(regions, dict(groups)).items()},
            members, min_plots,
        )  # fmt: skip

    def holds(self, name: str, row: Mapping[Any, Any]) -> frozenset[Atom]:
        """The atoms of a row of the table `name`."""
        if name == "legal":
            inside = self.zones[row["level"], str(row["id"])]
            return frozenset(a for a in self.atoms if a[1] in inside)
        if name == "countries":
            return frozenset(a for a in self.atoms if row["country"] in (TOTAL, self.countries[a[0]]))
        regions = self.groups.get(str(row["region_id"]), {str(row["region_id"])})
        return frozenset(a for a in self.atoms if a[0] in regions)

    def hectares(self, name: str, row: Mapping[Any, Any]) -> pd.Series[float]:
        """The published hectares of the squares of a row, NaN for those that are not shown."""
        own = self.squares[self.squares["period"] == row["period"]]
        if name == "legal":
            inside = own["zone"].isin(self.zones[row["level"], str(row["id"])])
        else:
            inside = own["region_id"].astype(str).isin({region for region, _ in self.holds(name, row)})
        found: pd.Series[float] = own.loc[inside, "mapped_ha"]
        return found


def shown_ha(squares: pd.Series[float]) -> float:
    """The sum of the squares that are shown; NaN where none is."""
    return float(squares.sum(min_count=1))


def zones_of(squares: pd.DataFrame, zones: Regions) -> NDArray[np.object_]:
    """The first zone that holds the centre of each square; "" for none."""
    found = np.full(len(squares), "", dtype=object)
    half = squares["side_m"].to_numpy() / 2
    for epsg in squares["epsg"].unique().tolist():
        here = np.flatnonzero(squares["epsg"] == epsg)
        east, north = (squares[name].to_numpy()[here] + half[here] for name in ("x", "y"))
        lon, lat = transformer(epsg, 4326).transform(east, north)
        ids = zones.table["region_id"].astype(str).tolist()
        for key, shape in reversed(list(zip(ids, zones.geometries, strict=True))):
            found[here[shapely.contains_xy(shape, lon, lat)]] = key
    return found


def shared_ground(regions: Regions, zones: Regions, countries: Mapping[str, str]) -> set[Atom]:
    """Regions and zones that share ground; ground of a region outside all zones is `outside-` its country."""
    found, whole = set(), zones.area
    for region, shape in zip(countries, regions.geometries, strict=True):
        ids = zones.table["region_id"].astype(str)
        found |= {(region, z) for z, own in zip(ids, zones.geometries, strict=True) if own.intersects(shape)}
        if not whole.covers(shape):
            found.add((region, f"{OUTSIDE}-{countries[region]}"))
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
    limits = limited_zones(legal, list(kinds))
    for limit, own in limits.groupby("limit"):
        found["limit", str(limit)] = frozenset(own["zone_id"])
    return found


def public_tables(run: RunFacts, places: Places) -> dict[str, pd.DataFrame]:
    """The tables of public/ by name, notes as tuples of Note.

    A place is published if a square of it is; its map's figure is the sum of its published squares, and its
    estimate is rounded. Estimates from which one of another place would follow are left out.
    """
    target, root = run.scheme.target, run.root.value
    own = {
        name: with_notes(read_own_csv(path), name, root)
        for name, path in run.tables.items()
        if name in ("hectares", "countries", "groups", "legal", "comparison")
    }
    found: dict[str, pd.DataFrame] = {
        name: _under_the_rule(name, _of_target(own[name], name, target), places)
        for name in ("hectares", "countries", "groups", "legal")
        if name in own
    }
    hidden = withheld(found, places)
    found = {name: _emptied(table, name, hidden, places.min_plots) for name, table in found.items()}
    if "legal" in found:
        found["legal"] = _beside_limits(found["legal"])
    if "comparison" in own:
        found["comparison"] = _compared(own["comparison"], found, places)
    found["regions"] = read_own_csv(run.tables["regions"])
    return {name: table.reindex(columns=list(COLUMNS[name])) for name, table in found.items()}


def _of_target(table: pd.DataFrame, name: str, target: str) -> pd.DataFrame:
    """The rows of the target, with the hectares that were not observed."""
    if name == "legal":
        return table.rename(columns={"n": "n_reference"}).reset_index(drop=True)
    keys = [key for key in KEYS[name] if key != "class"]
    unseen = table[table["class"] == UNOBSERVED][[*keys, "mapped_ha"]]
    unseen = unseen.assign(mapped_ha=unseen["mapped_ha"].round()).rename(
        columns={"mapped_ha": "unobserved_ha"}
    )
    return table[table["class"] == target].merge(unseen, on=keys, how="left").reset_index(drop=True)


def _under_the_rule(name: str, table: pd.DataFrame, places: Places) -> pd.DataFrame:
    rows = table.to_dict("records")
    shown = [shown_ha(places.hectares(name, row)) for row in rows]
    notes = [
        not_shown(places.min_plots) if math.isnan(ha) else (Note("sum_of_squares"), *_said(row["notes"]))
        for ha, row in zip(shown, rows, strict=True)
    ]
    return rounded_estimates(table).assign(
        shown_ha=pd.Series(shown, table.index, dtype=float),
        notes=note_column(notes, table.index),
        observed_fraction=table["observed_fraction"].round(2),
    )


def _said(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(note for note in notes if note.code in _SAID)


@dataclass(frozen=True)
class _Row:
    """A row of a public table by its position: whether a square of it is shown, and all but one.

    `figure` is its estimate; None where it has none that may be shown.
    """

    table: str
    position: int
    atoms: frozenset[Atom]
    shown: bool
    but_one: bool
    figure: Figure | None


def _rows(tables: Mapping[str, pd.DataFrame], places: Places, period: str) -> list[_Row]:
    """The rows of one period that hold figures under the rule."""
    found = []
    for name, table in tables.items():
        for position, row in enumerate(table.to_dict("records")):
            if row["period"] == period:
                atoms, squares = places.holds(name, row), places.hectares(name, row)
                shown, but_one = bool(squares.notna().any()), squares.isna().sum() == 1
                known = shown and not but_one and not pd.isna(row["estimated_ha"])
                figure = Figure(atoms, row["estimated_ha"], row["step_ha"]) if known else None
                found.append(_Row(name, position, atoms, shown, but_one, figure))
    return found


def withheld(tables: Mapping[str, pd.DataFrame], places: Places) -> set[tuple[str, int]]:
    """Rows whose estimate must not be published.

    Places without a published square; places with all squares published but one, which an estimate less the
    others would tell where the map is right; and those from which one of the first would follow.
    """
    found = set()
    for period in {period for table in tables.values() for period in table["period"]}:
        rows = _rows(tables, places, period)
        known = [(row, row.figure) for row in rows if row.figure is not None]
        hidden = [row for row in rows if not row.shown]
        out = withheld_estimates([figure for _, figure in known], [row.atoms for row in hidden])
        lone = [row for row in rows if row.but_one]
        found |= {(row.table, row.position) for row in [*hidden, *lone, *(known[k][0] for k in out)]}
    return found


def _emptied(table: pd.DataFrame, name: str, hidden: set[tuple[str, int]], min_plots: int) -> pd.DataFrame:
    """`table` without the estimates of the rows `hidden`."""
    out = pd.Series([(name, position) in hidden for position in range(len(table))], table.index)
    numbers = ["estimated_ha", "ci_low_ha", "ci_high_ha", "step_ha", "n_reference", "confidence"]
    summed = Note("sum_of_squares")
    notes = [
        (*((summed,) if summed in own else ()), *not_shown(min_plots)) if gone else own
        for gone, own in zip(out, table["notes"], strict=True)
    ]
    return table.assign(
        **{column: table[column].mask(out) for column in numbers},
        **{column: table[column].mask(out, "") for column in ("interval", "estimator")},
        notes=note_column(notes, table.index),
    )


def _beside_limits(table: pd.DataFrame) -> pd.DataFrame:
    """The limits less the rounded figures; where the limit lies by the rounded interval."""
    limit, low, high = (table[name] for name in ("limit_ha", "ci_low_ha", "ci_high_ha"))
    lies = np.select([limit < low, limit > high, low.notna()], ["below", "above", "within"], "n_too_small")
    lies = np.where(table["estimated_ha"].isna(), "no_estimate", lies)
    return table.assign(
        over_limit_ha=table["estimated_ha"] - limit, over_limit_low_ha=low - limit,
        over_limit_high_ha=high - limit, limit_lies=np.where(limit.notna(), lies, ""),
    )  # fmt: skip


def _compared(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame], places: Places) -> pd.DataFrame:
    """Official figures beside the published estimates."""
    names = ["estimated_ha", "ci_low_ha", "ci_high_ha", "step_ha"]
    both = [tables[name] for name in ("hectares", "groups") if name in tables]
    public = pd.concat([own[["region_id", "period", "notes", *names]] for own in both])
    rest = table.drop(columns=[name for name in names if name in table])
    found = rest.merge(public, on=["region_id", "period"], how="left").reset_index(drop=True)
    official, estimate = found["official_ha"], found["estimated_ha"]
    inside = (found["ci_low_ha"] <= official) & (official <= found["ci_high_ha"])
    known = official.notna() & found["ci_low_ha"].notna()
    hidden = not_shown(places.min_plots)
    why = [
        hidden if hidden[0] in notes else (*((Note("no_estimate"),) if pd.isna(ha) else ()), *_said(own))
        for ha, notes, own in zip(estimate, found["notes"], found["why_not_comparable"], strict=True)
    ]
    return found.assign(
        difference_ha=estimate - official, within_interval=inside.astype("boolean").where(known),
        why_not_comparable=note_column(why, found.index),
    )  # fmt: skip
