"""The run: its stages, each a generator of recipes, and what makes them.

recipes   recipes -> units: found, made, committed   execute    serial, local cluster, any cluster
state     the run as one stage hands it to the next  observers  run.json, log lines, bars, summary
planning  the stages driven without working          inputs     checked before any work
stages/   scenes, models, maps, samples              worker/    what a worker does with a tile
measure/  maps and records -> hectares               results/   compare, report, files, publish

series    a table of labelled time series -> a model, without area and images
damage    what of an archive or a run is damaged
finished  the reader of a finished run's folder     notebook    scenes, indices and figures for notebooks
tables    given and own tables                      history     the states of figures
ring/     images for teams to label, and what their labels say
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.checksums import sha256_file
from cocal.classify import ScoreTable, load_model, score_tables
from cocal.config import RunConfig
from cocal.content import Ref
from cocal.errors import DamagedError, UsageError
from cocal.grid import Tile
from cocal.notes.account import recorded
from cocal.run.execute import Executor, SerialExecutor, executor
from cocal.run.finished import configuration_of
from cocal.run.history import HISTORY, editions_held, read_history
from cocal.run.inputs import check_inputs
from cocal.run.observers import Bar, Log, Noted, RunFile, Summary, observed_by
from cocal.run.planning import Plan, plan
from cocal.run.recipes import make, set_aside
from cocal.run.stages import STAGES, begun
from cocal.run.state import Run, ground
from cocal.run.tables import read_own_csv, read_own_parquet, truth_table
from cocal.store import LocalStore

log = logging.getLogger(__name__)

__all__ = [
    "Plan",
    "RunSummary",
    "SerialExecutor",
    "configuration_of",
    "executor",
    "plan",
    "run",
]


@dataclass(frozen=True)
class RunSummary:
    """How a run ended.

    `areas` is areas/1; `truth` the hectares of the target per region, if simulated; `scores` those of the
    model that `train` made, beside its null models.
    """

    name: str
    folder: Path
    summary: str
    failures: tuple[tuple[str, str], ...]
    simulated: bool
    target: str
    areas: pd.DataFrame | None
    regions: pd.DataFrame | None
    truth: pd.Series[float] | None
    scores: tuple[ScoreTable, ...]
    page: Path | None
    design: pd.DataFrame | None


def run(
    config: RunConfig,
    executor: Executor | None = None,
    *,
    last: str = "report",
    config_path: Path | None = None,
) -> RunSummary:
    """Do the stages up to `last`, reusing every committed output that still fits.

    Parameters
    ----------
    config
        As from `cocal.config.read_config`.
    executor
        Where to work; this process if None.
    last
        One of download, import, train, index, classify, design, measure, compare, report. Features are
        written to disk only by
        `index`, or where the configuration keeps them.
    config_path
        The YAML file, for the page's section on how to reproduce.

    Raises
    ------
    UsageError
        Something the user must fix. What was committed before is kept.
    """
    store, names = LocalStore(config.root), _wanted(config, last)
    with store.locked():
        store.sweep()
        with recorded() as notes:
            base = ground(config)
            check_inputs(config, base.scheme, base.regions.area, names)
        facts = {
            "run": config.name,
            "config": os.path.relpath(config_path, store.root) if config_path else None,
            "config_sha256": sha256_file(config_path) if config_path else None,
        }
        summary, chosen = Summary(), executor or SerialExecutor()
        file = RunFile(store.root / "run.json", summary, facts)
        observe = observed_by(summary, file, Log(chosen.workers), Bar())
        state = Run(config, base, store, chosen, observe, config_path, summary=summary, last=last)
        status = "failed"
        try:
            with state.noting():
                observe(Noted(tuple(notes)))
            if "measure" in names:
                from cocal.run.measure import check_places

                with state.noting():
                    check_places(state)
            _stages(names, state)
            status = "done with failures" if summary.failures else "done"
        finally:
            maps = _folders(state.maps, store)
            other = {"other_maps": _folders(state.other_maps, store)} if state.other_maps else {}
            held = _editions(store.root) if status != "failed" else {}
            file.write(
                status=status, summary=str(summary), simulated=state.simulated, maps=maps, **other, **held
            )
        return _summary(state, last)


def _editions(root: Path) -> dict[str, Any]:
    """`editions` of run.json: what offices stated of the run's figures; nothing where none did."""
    if not (root / HISTORY).exists() or not (root / "states.csv").exists():
        return {}
    return {"editions": editions_held(read_history(root / HISTORY), read_own_csv(root / "states.csv"))}


def _folders(maps: Mapping[tuple[str, Tile], Ref], store: LocalStore) -> dict[str, str | None]:
    """Period and tile -> folder of the map below the run's; None where it failed."""
    return {
        f"{period}/{tile.id}": None if ref.folder is None else ref.folder.relative_to(store.root).as_posix()
        for (period, tile), ref in maps.items()
    }


def _stages(names: Sequence[str], state: Run) -> None:
    """Do the stages in turn; from the first again whenever a unit is damaged that they read.

    It is set aside, so that it is imported, fetched or made anew, or listed where it cannot be. What is
    damaged in the same way again, once it was made anew, ends the run.
    """
    known: set[tuple[str, str, str]] = set()
    while True:
        try:
            for name in names:
                _do(name, state)
        except DamagedError as err:
            damage = (str(err.mark), err.what, err.found)
            if damage in known:
                raise
            known.add(damage)
            set_aside(err, state.store, state.observe)
            log.warning("the run begins again, with what is whole")
        else:
            return


def _do(name: str, state: Run) -> None:
    """Do the stage of that name: make its batches in turn."""
    with state.noting():
        stage = begun(name, state)
    refs: Any = None  # sent first, it begins the stage
    while stage is not None:
        with state.noting():
            try:
                batch = stage.send(refs)
            except StopIteration:
                return
        with state.noting():
            refs = make(batch, state.store, state.executor, state.observe)


def _wanted(config: RunConfig, last: str) -> list[str]:
    if last not in STAGES:
        raise UsageError(f"no stage {last!r}", ", ".join(STAGES), last)
    if last == "download" and config.source is None:
        raise UsageError("there is nothing to download", "`source:` and `download:`", "neither", "add them")
    if last == "index":
        return ["download", "import", "index"]
    names = list(STAGES)[: list(STAGES).index(last) + 1]
    if last == "report":
        names += ["files", "publish"] if config.publish else ["files"]
    if last == "design":
        return [n for n in names if n != "index"]
    return [n for n in names if n != "design" and (n != "index" or "features" in config.keep)]


def _summary(state: Run, last: str) -> RunSummary:
    root, target, design = state.store.root, state.base.scheme.target, None
    if last == "design":
        from cocal.run.stages.design import EXPECTED, FOLDER

        design = read_own_csv(root / FOLDER / EXPECTED)
    measured = last in ("measure", "compare", "report")
    truth = None
    if last == "report":
        table = truth_table(state)
        truth = None if table is None else table[table["class"] == target].set_index("region_id")["truth_ha"]
    areas = read_own_parquet(root / "hectares.parquet") if measured else None
    return RunSummary(
        name=state.config.name,
        folder=root,
        summary=str(state.summary),
        failures=tuple(state.summary.failures),
        simulated=state.simulated,
        target=target,
        areas=areas,
        regions=read_own_csv(root / "regions.csv") if measured else None,
        truth=truth,
        scores=_scores(state) if last == "train" else (),
        page=root / "report" / "index.html" if last == "report" else None,
        design=design,
    )


def _scores(state: Run) -> tuple[ScoreTable, ...]:
    return tuple(score_tables(load_model(state.require_model()).card.validation))
