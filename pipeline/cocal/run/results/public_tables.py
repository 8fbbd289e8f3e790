"""The tables of public/: figures of published squares, or of published regions, and sums of those alone.

Only the columns named here leave the office; what the map counts outside published places is in none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.estimate.disclosure import not_shown, rounded_estimates
from cocal.estimate.settings import OUTSIDE, LegalSettings
from cocal.estimate.verdict import verdicts
from cocal.grid import transformer
from cocal.notes import Note, note_column
from cocal.regions import Regions
from cocal.run.measure.domains import TOTAL, members_of
from cocal.run.measure.legal import kinds_of
from cocal.run.results.facts import RunFacts
from cocal.run.tables import read_own_csv, with_notes

_SEEN = ("observed_fraction", "unobserved_ha", "notes")
_ENDS = ("estimated_ha", "ci_low_ha", "ci_high_ha")
_SMALL = ("small_area_ha", "small_area_low_ha", "small_area_high_ha")
_HOW = ("n_reference", "confidence", "interval", "estimator", "last_ha", "last_source")
_ESTIMATE = (*_ENDS, *_SMALL, *_HOW)
_PLACE = ("region_id", "region_name", "country", "period", "class", "shown_ha")
KEYS = {
    "hectares": ("region_id", "period", "class"),
    "countries": ("country", "period", "class"),
    "groups": ("region_id", "period", "class"),
    "legal": ("level", "id", "period"),
    "comparison": ("region_id", "period", "class", "official_source"),
}
"""Tables under the rule -> the columns that name their rows."""

COLUMNS = {
    "hectares": (*_PLACE, *_SEEN),
    "countries": (*_PLACE[2:], *_SEEN),
    "groups": (*_PLACE, *_SEEN),
    "legal": ("level", "id", "name", "kind", "kind_es", "kind_en", "period", "shown_ha",
              "observed_fraction", "notes"),
    "regions": ("region_id", "region_name", "country", "owned_ha", "polygon_ha", "exclusive_ha",
                "difference_percent"),
}  # fmt: skip
"""All columns of the tables of public/ beside its squares."""

COLUMNS_OF_REGIONS = {
    "hectares": (*_PLACE, *_ESTIMATE, *_SEEN),
    "countries": (*_PLACE[2:], *_ESTIMATE, *_SEEN),
    "groups": (*_PLACE, *_ESTIMATE, *_SEEN),
    "comparison": (*_PLACE[:-1], *_ENDS, "official_ha", "official_source", "official_rounded_to_ha",
                   "difference_ha", "agreement", "verdict", "width_needed_ha", "why_not_comparable"),
    "regions": COLUMNS["regions"],
}  # fmt: skip
"""All columns of the tables of public/ that has regions in the place of squares."""

_LEVELS = {"hectares": "region", "groups": "group", "countries": "country"}
"""Tables of regions -> `level` of their rows in shown_regions.csv."""

_SAID = {
    "observed_area_only", "n_too_small", "preliminary", "ground_not_sampled",
    "presence_not_illegality", "protected_not_verdict",
    "no_official_figure", "period_differs", "date_differs", "period_beside_day", "period_beside_day_cleared",
    "reference_date_invalid", "definition_not_stated", "definition_differs", "estimate_by_definition",
    "series_break", "zone_split", "official_coverage_share", "official_coverage", "region_unobserved",
}  # fmt: skip
"""Notes that may leave the office: others state figures of the map, or depend on exact ones."""

_OF_ESTIMATES = {"observed_area_only", "n_too_small", "preliminary", "ground_not_sampled"}
"""Those of them that speak of estimates, which do not stand beside squares."""


@dataclass(frozen=True)
class Places:
    """What the rows of the tables are made of, and the published squares.

    `squares`: as from `public_squares`, with the `zone` of each square's centre; or the regions in their
    place: `period`, `region_id`, `mapped_ha`. `shown`: shown_regions.csv if so. `countries`: of each region.
    `groups`, `zones`: region ids of each group; zone ids of each zone and kind of zone.
    """

    squares: pd.DataFrame
    countries: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    zones: Mapping[tuple[str, str], frozenset[str]]
    min_plots: int
    shown: pd.DataFrame | None = None

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

    @classmethod
    def of_regions(
        cls, run: RunFacts, groups: Mapping[str, tuple[str, ...]], shown: pd.DataFrame, min_plots: int
    ) -> Places:
        """The places of a run that publishes regions; `shown`: shown_regions.csv."""
        own = shown[shown["class"] == run.scheme.target]
        known = own[own["level"] == "region"].set_index(["region_id", "period"])["mapped_ha"].round()
        areas = read_own_csv(run.tables["hectares"])
        units = areas.loc[areas["class"] == run.scheme.target, ["region_id", "period"]].reset_index(drop=True)
        units["mapped_ha"] = known.reindex(pd.MultiIndex.from_frame(units)).to_numpy(dtype=float)
        places = cls.of(run, units, groups, None, min_plots)
        return replace(places, shown=own)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """All columns of the tables of public/ by table."""
        return COLUMNS if self.shown is None else COLUMNS_OF_REGIONS

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

    The map's figure of a place is the sum of its published squares or regions. Beside squares there is no
    estimate; beside regions, estimates are of the published regions alone, and rounded.
    """
    found = {"regions": read_own_csv(run.tables["regions"])}
    own = {
        name: with_notes(read_own_csv(path), name, run.root.value)
        for name, path in run.tables.items()
        if name in KEYS and name in places.columns
    }
    compared = own.pop("comparison", None)
    for name, table in own.items():
        of_target = _of_target(table, name, run.scheme.target)
        found[name] = _under_the_rule(name, with_shown(name, of_target, places), places)
    if compared is not None:
        found["comparison"] = _compared(compared, found, places.min_plots)
    return {name: table.reindex(columns=list(places.columns[name])) for name, table in found.items()}


def with_shown(name: str, table: pd.DataFrame, places: Places) -> pd.DataFrame:
    """`table` with the estimates of the published regions of each place; as it is beside squares."""
    if places.shown is None:
        return table
    key, names = KEYS[name][0], ["standard_error_ha", *_ESTIMATE]
    own = places.shown[places.shown["level"] == _LEVELS[name]].drop(columns=["country"])
    own = own.rename(columns={"region_id": "country"}) if key == "country" else own
    own = own.reindex(columns=[*own.columns, *(c for c in names if c not in own)])
    found = table.drop(columns=names, errors="ignore").merge(
        own[[key, "period", *names]], on=[key, "period"], how="left", validate="one_to_one"
    )
    texts = ("interval", "estimator", "last_source")
    return found.assign(**{text: found[text].astype(object).fillna("") for text in texts})


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
    parts = [places.hectares(name, row) for row in table.to_dict("records")]
    shown = np.array([shown_ha(own) for own in parts], dtype=float)
    codes = _SAID - _OF_ESTIMATES if places.shown is None else _SAID
    said = [tuple(n for n in own if n.code in codes) for own in table["notes"]]
    notes = [
        not_shown(places.min_plots) if np.isnan(ha) else (*_summed(part, places), *own)
        for ha, part, own in zip(shown, parts, said, strict=True)
    ]
    return rounded_estimates(table).assign(
        shown_ha=shown,
        notes=note_column(notes, table.index),
        observed_fraction=table["observed_fraction"].round(2),
    )


def _summed(parts: pd.Series[float], places: Places) -> tuple[Note, ...]:
    """What the figure of a place with these squares or regions is a sum of."""
    if places.shown is None:
        return (Note("sum_of_squares"),)
    return (Note("sum_of_regions"),) if parts.isna().any() else ()


def _without_definitions(note: Note) -> Note:
    """A note as it stands beside a published estimate, which is that of the main definition alone."""
    if note.code != "estimate_by_definition":
        return note
    return Note("definition_differs", definition=note.values["official"])


def _compared(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame], min_plots: int) -> pd.DataFrame:
    """Official figures beside the published estimates of regions and groups."""
    names = [*_ENDS]
    both = [tables[name] for name in ("hectares", "groups") if name in tables]
    public = pd.concat([own[["region_id", "period", "class", "notes", *names]] for own in both])
    rest = table.drop(columns=[name for name in names if name in table])
    found = rest.merge(public, on=["region_id", "period", "class"], how="left").reset_index(drop=True)
    official, estimate = found["official_ha"], found["estimated_ha"]
    verdict, width = verdicts(
        official, *(found[name] for name in names),
        agreement=found["agreement"], rounded_to=found["official_rounded_to_ha"],
    )  # fmt: skip
    hidden, summed, absent = not_shown(min_plots)[0], Note("sum_of_regions"), Note("no_estimate")
    why = [
        (hidden,) if hidden in notes else (
            *((summed,) if summed in notes else ()), *((absent,) if pd.isna(ha) else ()),
            *(_without_definitions(note) for note in own if note.code in _SAID),
        )
        for ha, notes, own in zip(estimate, found["notes"], found["why_not_comparable"], strict=True)
    ]  # fmt: skip
    return found.assign(
        difference_ha=estimate - official, verdict=verdict, width_needed_ha=width,
        why_not_comparable=note_column(why, found.index),
    )  # fmt: skip
