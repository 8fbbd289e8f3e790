"""The compare stage: hectares beside field records, official figures, claims and the edition before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cocal.content import File
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.estimate import compare, eradication_table, unmatched_official, write_comparison
from cocal.estimate.editions import states_of
from cocal.estimate.eradication import QUANTITIES
from cocal.fieldwork.columns import listed
from cocal.notes import note_rows, with_text
from cocal.notes.account import first, part, record
from cocal.run.history import HISTORY, LEVELS, read_figures, read_history
from cocal.run.measure.change import CHANGE_COLUMNS
from cocal.run.measure.definitions import stated_definitions
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.state import Run, of_each_map
from cocal.run.tables import read_given_csv, read_own_csv, read_own_parquet, write_own_csv
from cocal.store import write_csv

_COMPARISON_KEYS = ("region_id", "period", "class", "official_source")
_CLAIM_KEYS = ("region_id", "from_period", "to_period", "source")
_STATED = {"same_definition", "max_unobserved", "agreement"}


@dataclass(frozen=True)
class ComparisonTask:
    """Tables of the run, and given ones, by name; records that are plots are summed where `plots`.

    `official_definitions`: the text of an official definition, and the id of the run's definition that it is;
    `main` is that of all tables.
    """

    measured: Mapping[str, File]
    given: Mapping[str, File]
    target: str
    periods: tuple[Period, ...]
    plots: bool
    same_definition: tuple[str, ...] = ()
    max_unobserved: float = 1.0
    agreement: float = np.nan
    official_definitions: tuple[tuple[str, str], ...] = ()
    main: str | None = None

    def table(self, name: str) -> pd.DataFrame | None:
        """A given table; None if it is not given."""
        file = self.given.get(name)
        return None if file is None else read_given_csv(file.path, f"comparison.{name}")


def compare_stage(run: Run) -> Stage:
    """The comparison of each map of the run."""
    yield from of_each_map(run, _compare)


def _compare(run: Run) -> Stage:
    """comparison.csv, unmatched.csv and, where claims are given, eradication.csv."""
    settings, records, root = run.config.comparison, run.config.records, run.store.root
    names = ("hectares.parquet", "groups.csv", "change.csv", "records.csv", "definitions.csv")
    measured = [root / name for name in names]
    defined = stated_definitions(run.config.definitions, run.base.scheme)
    given = {name: getattr(settings, name, None) for name in ("official", "field", "eradication")}
    task = ComparisonTask(
        {path.stem: File.of(path) for path in measured if path.exists()},
        {name: File.of(path, f"comparison.{name}") for name, path in given.items() if path is not None},
        run.base.scheme.target,
        tuple(run.periods),
        records is not None and records.matching.support == "plot",
        **({} if settings is None else settings.model_dump(include=_STATED)),
        official_definitions=() if defined is None else tuple(defined.official().items()),
        main=None if defined is None else defined.main,
    )
    history = root / HISTORY
    states = StatesTask(
        {level: File.of(root / name) for level, name in LEVELS.items() if (root / name).exists()},
        File.of(history, "the history of editions") if history.exists() else None,
        task.target,
    )
    recipes = (
        Recipe(":compare", task, write_tables, where="client"),
        Recipe(":states", states, write_states, where="client"),
    )
    yield Batch("compare", recipes, on_failure="stop")


@dataclass(frozen=True)
class StatesTask:
    """The tables of hectares by level, the editions so far, and the class whose hectares are shown."""

    tables: Mapping[str, File]
    history: File | None
    target: str


def write_states(folder: Path, _: list[Any], task: StatesTask) -> None:
    """Write states.csv into `folder`: the state of each figure, beside the edition before."""
    history = read_history(None if task.history is None else task.history.path)
    figures = read_figures({level: file.path for level, file in task.tables.items()}, task.target)
    write_csv(folder / "states.csv", states_of(history, figures))


def write_tables(folder: Path, _: list[Any], task: ComparisonTask) -> None:
    """Write the tables of the comparison and their notes into `folder`."""
    official, field, claims = (task.table(name) for name in ("official", "field", "eradication"))
    areas = _areas(task)
    if field is None and task.plots:
        field = recorded_plots(read_own_csv(task.measured["records"].path))
    table = compare(
        areas,
        field,
        official,
        target=task.target,
        same_definitions=(
            *task.same_definition,
            *(t for t, i in task.official_definitions if i == task.main),
        ),
        periods=task.periods,
        max_unobserved=task.max_unobserved,
        agreement=task.agreement,
        claims=claims,
        by_definition=_by_definition(task),
    )
    write_comparison(folder, table)
    with_text(table).to_parquet(folder / "comparison.parquet", index=False)
    notes = [note_rows(table, "comparison", _COMPARISON_KEYS)]
    if official is not None:
        unmatched = unmatched_official(areas, official)
        _check_unmatched(set(areas["region_id"].astype(str)), unmatched, len(official))
        write_own_csv(folder / "unmatched.csv", unmatched)
        _record_years(table, official)
    if field is not None and "field" in task.given:
        _record_field(areas, field)
    if claims is not None:
        judged = _eradication(task, claims, areas)
        _record_claims(areas, judged)
        write_own_csv(folder / "eradication.csv", judged)
        notes.append(note_rows(judged, "eradication", _CLAIM_KEYS))
    write_own_csv(folder / "comparison_notes.csv", pd.concat(notes, ignore_index=True))


def _by_definition(task: ComparisonTask) -> pd.DataFrame | None:
    """Estimates under the definitions of official figures, as `compare` takes them; None without any."""
    if "definitions" not in task.measured:
        return None
    table = read_own_csv(task.measured["definitions"].path).rename(columns={"id": "region_id"})
    table = table[table["level"].isin(["region", "group"]) & table["minus"].fillna("").eq("")]
    texts = pd.DataFrame(
        [pair for pair in task.official_definitions if pair[1] != task.main],
        columns=["official_definition", "definition"],
    )
    names = ["region_id", "period", "official_definition", "definition", "estimated_ha", "ci_low_ha"]
    return table.merge(texts, on="definition")[[*names, "ci_high_ha"]].astype(
        {"region_id": str, "period": str}
    )


def _record_field(areas: pd.DataFrame, field: pd.DataFrame) -> None:
    """Record figures of field records that are of no region, period and class of the run."""
    known, own = (
        list(zip(*(table[name].astype(str) for name in ("region_id", "period", "class")), strict=True))
        for table in (areas, field)
    )
    if lost := [" ".join(pair) for pair in own if pair not in set(known)]:
        record("field_unmatched", **part(lost, len(own)))


def _record_claims(areas: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Record claims of eradication of other places, and that no claim has maps before and after."""
    claims = judged[judged["source"] != ""]
    known = claims["region_id"].astype(str).isin(set(areas["region_id"].astype(str)))
    names = claims["region_id"].astype(str) + " " + claims["to_period"].astype(str)
    if not known.all():
        record("claims_unmatched", **part(names[~known], len(claims)))
    if known.any() and (claims.loc[known, "from_period"] == "").all():
        record("claims_without_maps", n=int(known.sum()), which=first(names[known]))


def _record_years(table: pd.DataFrame, official: pd.DataFrame) -> None:
    """Record that no official figure of the run's regions is of a period of the run."""
    own = official[official["region_id"].astype(str).isin(set(table["region_id"].astype(str)))]
    if len(own) and table["official_ha"].isna().all():
        years = own["period" if "period" in own.columns else "year"].astype(str)
        which = first(sorted(set(years)))
        record("official_no_period", n=len(own), periods=sorted(set(table["period"])), which=which)


def _check_unmatched(known: set[str], unmatched: pd.DataFrame, of: int) -> None:
    """Record official figures of other places; refuse ids that differ from a region's in leading zeros."""
    ids = sorted(set(unmatched["region_id"].astype(str)))
    bare = {name.lstrip("0"): name for name in known}
    pairs = [f"{name!r} for {bare[name.lstrip('0')]!r}" for name in ids if name.lstrip("0") in bare]
    if pairs:
        raise InputError(
            "official figures have ids that differ from the regions' in leading zeros",
            "the region_id of the run's regions",
            listed(pairs),
            "write the ids of `comparison.official` as the regions have them, or keep the column of "
            "`regions.sources.id` as text",
        )
    if ids:
        record("official_unmatched", **part(unmatched["region_id"], of))


def _areas(task: ComparisonTask) -> pd.DataFrame:
    """areas/1 of the regions, then of the groups."""
    areas = read_own_parquet(task.measured["hectares"].path)
    if "groups" not in task.measured:
        return areas
    groups = read_own_csv(task.measured["groups"].path)
    exact = [Decimal(f"{v:.10f}") for v in groups["mapped_ha"].tolist()]
    return pd.concat([areas, groups.assign(mapped_ha=pd.Series(exact, dtype=object))], ignore_index=True)


def recorded_plots(records: pd.DataFrame) -> pd.DataFrame:
    """region_id, period, class, field_ha: the plots that crews drew, added up.

    It is a sum over the visited plots, not an estimate of the region's area.
    """
    names = {"region_id": "region_id", "period": "period", "reference_class": "class"}
    rows = records.dropna(subset=list(names))
    sums = rows.groupby(list(names), sort=True)["recorded_ha"].sum()
    return sums.rename("field_ha").rename_axis(list(names.values())).reset_index()


def _eradication(task: ComparisonTask, claims: pd.DataFrame, areas: pd.DataFrame) -> pd.DataFrame:
    file = task.measured.get("change")
    change = pd.DataFrame(columns=CHANGE_COLUMNS) if file is None else read_own_csv(file.path)
    own = change[change["quantity"].isin(QUANTITIES) & change["region_id"].notna()]
    return eradication_table(
        claims, own, areas, task.periods, target=task.target,
        max_unobserved=task.max_unobserved, agreement=task.agreement,
    )  # fmt: skip
