"""Runs whose squares are drawn, published by the stages of a run: what they hold is known square by square.

One land is imported, trained and classified; each run takes its maps, and counts of its own. Whether a square
with too few plots holds some or none is drawn by a rate of its region that nothing else depends on. In runs
that publish regions, half of them have too few plots, and whether they hold some or none is drawn too.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.config import read_config
from cocal.contracts import AREA_COLUMNS
from cocal.estimate.density import CELL_COLUMNS, density_table
from cocal.grid import project
from cocal.notes import note_column
from cocal.run import SerialExecutor, _do
from cocal.run.measure.hectares import hectares_tables, write_measured
from cocal.run.measure.legal import legal_accounts
from cocal.run.measure.task import HectaresTask
from cocal.run.observers import Summary, observed_by
from cocal.run.recipes import make
from cocal.run.results.comparison import compare_stage
from cocal.run.results.publish import publish_stage
from cocal.run.state import Run, ground
from cocal.store import LocalStore
from tests.support.small_world import DAYS, EPSG, blank_pages, make_world, write_csv, write_geojson

MIN_PLOTS, HA, SIDE_M = 3, 10**10, 1000
REGIONS = {"A": (5, 4), "B": (5, 4), "C": (4, 4), "D": (4, 3), "E": (3, 3), "ONE": (1, 1), "TWO": (2, 1)}
"""Region -> columns and rows of its squares; the regions lie side by side."""

_COUNTRY = {region: "PE" if region in "ABC" else "BO" for region in REGIONS}
_PERIODS = ("a", "b")


@dataclass(frozen=True)
class PublishedRun:
    """The folder public/ of a run and what it must not tell: cell_id, period, region_id, mapped_ha, plots."""

    public: Path
    truth: pd.DataFrame


def prepared(folder: Path) -> Run:
    """A run that has its maps; regions, groups and zones are those of the drawn squares."""
    world = make_world(folder / "world", 96, DAYS[1:3])
    corner = np.array([world.window.left, world.window.bottom]) // SIDE_M * SIDE_M
    boxes, west = {}, 0
    for region, (columns, rows) in REGIONS.items():
        x, y = corner[0] + west, corner[1]
        boxes[region] = shapely.box(x, y, x + columns * SIDE_M, y + rows * SIDE_M)
        west += columns * SIDE_M
    zones = {"Z": shapely.union(boxes["B"], boxes["C"]), "Y": boxes["ONE"]}
    for name, shapes in (("drawn", boxes), ("zones", zones)):
        rows_of = [
            (
                {"id": key, "name": key, "country": _COUNTRY.get(key, "PE")},
                project(s, EPSG, 4326, densify=250),
            )
            for key, s in shapes.items()
        ]
        write_geojson(world.folder / f"{name}.geojson", rows_of)
    official = [{"region_id": r, "year": 2024, "coca_ha": 20, "source": "SIMULATED"} for r in REGIONS]
    write_csv(world.folder / "official.csv", pd.DataFrame(official))
    world.edit(_settings)
    config = read_config(world.config)
    summary = Summary()
    store = LocalStore(config.root)
    state = Run(
        config, ground(config), store, SerialExecutor(), observed_by(summary), world.config, summary=summary
    )
    for name in ("import", "train", "classify"):
        _do(name, state)
    sources = (config.regions.sources[0].model_copy(update={"path": world.folder / "drawn.geojson"}),)
    drawn = config.model_copy(update={"regions": config.regions.model_copy(update={"sources": sources})})
    return replace(state, config=drawn, base=replace(ground(drawn), tiles=state.base.tiles))


def _settings(content: dict[str, Any]) -> None:
    for name in ("records", "estimate"):
        del content[name]
    del content["comparison"]["truth"]
    content["periods"] = [
        {"name": "a", "start": "2024-01-01", "end": "2024-01-31"},
        {"name": "b", "start": "2024-02-01", "end": "2024-12-31"},
    ]
    content["train"]["period"] = "b"
    content["groups"] = {"north": ["A", "B", "ONE"], "south": ["D", "E", "TWO"], "few": ["ONE", "TWO"]}
    content["density"] = {"cell_m": SIDE_M, "min_plots": MIN_PLOTS, "plot_ha": 0.1}
    content["publish"] = "squares"
    content["legal"] = {
        "zones": {"sliver_m": 0, "sources": [
            {"path": "zones.geojson", "id": "id", "name": "name", "country": "country"}]},
        "kinds": {"*": "authorised"},
        "limits": [{"id": "limit", "zones": ["*"], "limit_ha": 50.0, "source": "SIMULATED law"}],
    }  # fmt: skip


def published(
    state: Run, number: int, folder: Path, *, error: float | None, emptied: bool = False, page: bool = False,
    geography: str = "squares",
) -> PublishedRun:  # fmt: skip
    """Draw and publish a run.

    Parameters
    ----------
    number
        Seed of all that is drawn.
    error
        Standard error of estimates of regions, as a share; None publishes no estimate.
    emptied
        Squares, or regions, with too few plots are made empty, after all else was drawn.
    page
        Draw the page too, which costs most.
    """
    root = folder / geography / f"run{number}{'-emptied' * emptied}"
    config = state.config.model_copy(update={"name": f"run{number}", "publish": geography})
    run = replace(state, config=config, store=LocalStore(root), summary=Summary())
    drawn = _drawn if geography == "squares" else _drawn_by_region
    cells = [drawn(state, np.random.default_rng([number, k]), emptied) for k in range(len(_PERIODS))]
    with run.store.commit(":measure", {"number": number}) as staging:
        truth = _measured(staging, run, cells, error, np.random.default_rng([number, 9]))
    with nullcontext() if page else blank_pages():
        for stage in (compare_stage, publish_stage):
            for batch in stage(run):
                make(batch, run.store, run.executor, run.observe)
                break
    return PublishedRun(root / "public", truth)


def _drawn(state: Run, rng: np.random.Generator, emptied: bool) -> pd.DataFrame:
    """Squares of one period: epsg, column, row and `CELL_COLUMNS`."""
    corner = np.array(shapely.bounds(project(state.base.regions.area, 4326, EPSG)))[:2]
    first = np.rint(corner / SIDE_M).astype(int)
    rows, west = [], 0
    for region, (columns, height) in enumerate(REGIONS.values()):
        rate = rng.uniform(0.05, 0.95)
        for column in range(columns):
            for row in range(height):
                plots, ha = _square(rng, rate)
                if emptied and plots < MIN_PLOTS:
                    plots, ha = 0, 0.0
                place = (EPSG, int(first[0]) + west + column, int(first[1]) + row)
                rows.append((*place, region, 100 * HA, 0, round(ha * HA), plots))
        west += columns
    return pd.DataFrame(rows, columns=["epsg", "column", "row", *CELL_COLUMNS])


def _drawn_by_region(state: Run, rng: np.random.Generator, emptied: bool) -> pd.DataFrame:
    """As `_drawn`, but half of the regions hold one square with few plots, or nothing."""
    cells = _drawn(state, rng, emptied=False)
    for _, own in cells.groupby("region"):
        enough, few = rng.random(2) < 0.5
        plots, ha = _square(rng, 1.0)
        where, keeps = rng.choice(own.index), own["plots"].sum() >= MIN_PLOTS
        if not (enough and keeps):
            cells.loc[own.index, ["target_units", "plots"]] = 0
            if few and not emptied:
                cells.loc[where, ["target_units", "plots"]] = round(ha * HA), min(plots, MIN_PLOTS - 1)
    return cells


def _square(rng: np.random.Generator, rate: float) -> tuple[int, float]:
    """Plots and hectares: half of the squares hold enough, `rate` of the others too few, the rest none."""
    enough, few = rng.random() < 0.5, rng.random() < rate
    many, some = int(rng.integers(MIN_PLOTS, 12)), int(rng.integers(1, MIN_PLOTS))
    sizes = rng.uniform(0.2, 1.5, 12)
    plots = many if enough else some if few else 0
    return plots, float(sizes[:plots].sum())


def _measured(
    folder: Path, run: Run, cells: list[pd.DataFrame], error: float | None, rng: np.random.Generator
) -> pd.DataFrame:
    """Write the tables of the measure stage; the squares of both periods."""
    base, config = run.base, run.config
    assert config.legal is not None
    task = HectaresTask(
        counts=next(iter(run.maps.values())), periods=tuple(run.periods), maps={}, tiles=None,  # type: ignore[arg-type]
        regions=base.regions, scheme=base.scheme, scheme_sha256=base.scheme.sha256,
        groups=tuple(config.groups.items()), given=None, estimate=None,
        legal=config.legal.model_copy(update={"zones": None}), zones=run.zones, density=config.density,
        minimum_unit=None, publishes_regions=config.publish == "regions",
    )  # fmt: skip
    areas, zones = _counts(run, cells)
    plots = np.stack([own.groupby("region")["plots"].sum().to_numpy() for own in cells])
    tables, _ = hectares_tables(task, {"areas": areas, "plots": plots}, {}, {})
    tables["legal"] = legal_accounts(task, zones, {})
    if error is not None:
        tables |= _estimated(tables, base.scheme.target, error, rng)
    squares = [
        density_table(own, base.regions.table, cell_m=SIDE_M, period=period)
        for own, period in zip(cells, _PERIODS, strict=True)
    ]
    tables["density"] = pd.concat(squares, ignore_index=True)
    write_measured(folder, tables, {})
    (folder / "estimates.json").write_text("{}\n", encoding="utf-8")
    return tables["density"].astype({"mapped_ha": float})


def _counts(run: Run, cells: list[pd.DataFrame]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Areas by period, region and class; by period, country, zone and class: as `count_tile` sums them."""
    target, other = run.base.scheme.codes[run.base.scheme.target], run.base.scheme.codes["forest"]
    areas = np.zeros((len(cells), len(REGIONS), 256), dtype=np.int64)
    zones = np.zeros((len(cells), 2, 3, 256), dtype=np.int64)
    zone = {"B": 1, "C": 1, "ONE": 2}
    for k, own in enumerate(cells):
        sums = own.groupby("region")[["owned_units", "target_units"]].sum()
        for (region, country), (owned, coca) in zip(_COUNTRY.items(), sums.to_numpy(), strict=True):
            place = areas[k, list(REGIONS).index(region)]
            place[target], place[other] = coca, owned - coca
            zones[k, int(country == "PE"), zone.get(region, 0)] += place
    return areas, zones


def _estimated(
    tables: dict[str, pd.DataFrame], target: str, error: float, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The tables with estimates: of each region the map's hectares with a normal error, else their sums."""
    own = tables["hectares"][tables["hectares"]["class"] == target]
    mapped = own["mapped_ha"].to_numpy(dtype=float)
    errors = error * (mapped + 1.0)
    drawn = pd.DataFrame(
        {"period": own["period"], "region": own["region_id"], "variance": errors**2,
         "ha": np.maximum(mapped + errors * rng.standard_normal(len(own)), 0.0)}
    )  # fmt: skip
    inside = {region: (region,) for region in REGIONS} | {
        "PE": "ABC", "BO": ("D", "E", "ONE", "TWO"), "total": REGIONS,
        "north": ("A", "B", "ONE"), "south": ("D", "E", "TWO"), "few": ("ONE", "TWO"),
        "Z": "BC", "Y": ("ONE",), "outside-PE": "A", "outside-BO": ("D", "E", "TWO"),
        "authorised": ("B", "C", "ONE"), "limit": ("B", "C", "ONE"), "outside": ("A", "D", "E", "TWO"),
    }  # fmt: skip
    found = {
        name: _with_sums(tables[name], column, target, drawn, inside)
        for name, column in (("hectares", "region_id"), ("countries", "country"), ("groups", "region_id"),
                             ("legal", "id"))
    }  # fmt: skip
    if "shown_regions" in tables:
        shown = tables["shown_regions"]
        kept = shown.loc[(shown["level"] == "region") & (shown["class"] == target), ["period", "region_id"]]
        own = drawn.merge(kept.rename(columns={"region_id": "region"}))
        inside |= {region: (region,) for region in REGIONS}
        found["shown_regions"] = _with_sums(shown, "region_id", target, own, inside)
    return found


def _with_sums(
    table: pd.DataFrame, column: str, target: str, drawn: pd.DataFrame, inside: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for row in table.to_dict("records"):
        names = list(inside[row[column]])
        own = drawn[(drawn["period"] == row["period"]) & drawn["region"].isin(names)]
        ha, spread = own["ha"].sum(), float(np.sqrt(own["variance"].sum()))
        known = row.get("class", target) == target
        rows.append((ha, spread, max(ha - 2 * spread, 0.0), ha + 2 * spread) if known else (np.nan,) * 4)
    names = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
    found = table.assign(**dict(zip(names, np.array(rows).T, strict=True)), confidence=0.95)
    found = found.assign(
        interval="gamma", estimator="stratified", notes=note_column([()] * len(table), table.index)
    )
    kept = [*AREA_COLUMNS, *(["level"] if "level" in table else [])]
    return found[kept] if "region_id" in table else found
