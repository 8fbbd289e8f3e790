"""The run: what is to be done (`plan`), where (`execute`), and the stages in their order.

plan      tiles, units and addresses as plain values      execute   serial, local cluster, any cluster
state     the run as one stage hands it to the next       journal   run.json, log lines, bars
tables    given and own tables                            inputs    looked at before any work
worker/   what a worker does with a tile

download  catalogue -> screens -> tile-dates
stages    import, index + classify                        training  labelled places -> a model
minimum   patches too small taken away, areas kept        design    strata -> points -> crew files
measure/  maps and records -> hectares
results/  compare, report, files, publish: what people get

series    a table of labelled time series -> a model, without area and images
finished  the reader of a finished run's folder            notebook  scenes, indices and figures for notebooks
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from cocal.classify import ScoreTable, load_model, score_tables
from cocal.config import RunConfig
from cocal.errors import UsageError
from cocal.run.execute import Executor, SerialExecutor, executor
from cocal.run.finished import configuration_of
from cocal.run.inputs import check_inputs
from cocal.run.journal import Journal
from cocal.run.plan import Plan, ground, plan
from cocal.run.state import Run
from cocal.run.tables import read_own_csv, truth_table
from cocal.store import LocalStore, sha256_file

__all__ = [
    "Plan",
    "RunSummary",
    "SerialExecutor",
    "configuration_of",
    "executor",
    "plan",
    "run",
]

STAGES = {
    "download": "download",
    "import": "stages",
    "train": "training",
    "index": "stages",
    "classify": "stages",
    "design": "design",
    "measure": "measure",
    "compare": "results.stage",
    "report": "results.stage",
    "files": "results.files",
    "publish": "results.publish",
}
"""The modules of the stages: each is loaded when its turn comes, since pictures, tables and training are slow to load."""


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
        One of download, import, train, index, classify, design, measure, compare, report. Features are written to disk only by
        `index`, or where the configuration keeps them.
    config_path
        The YAML file, for the page's section on how to reproduce.

    Raises
    ------
    UsageError
        Something the user must mend. What was committed before is kept.
    """
    store, names = LocalStore(config.root), _wanted(config, last)
    with store.locked():
        store.sweep()
        base = ground(config)
        check_inputs(config, base.scheme, names)
        facts = {
            "run": config.name,
            "config": os.path.relpath(config_path, store.root) if config_path else None,
            "config_sha256": sha256_file(config_path) if config_path else None,
        }
        journal = Journal(store.root / "run.json", facts)
        state = Run(config, executor or SerialExecutor(), journal, base, store, config_path=config_path)
        status = "failed"
        try:
            if "measure" in names:
                from cocal.run.measure import check_places

                check_places(state)
            for name in names:
                getattr(import_module(f"cocal.run.{STAGES[name]}"), f"{name}_stage")(state)
            status = "done with failures" if journal.failures else "done"
        finally:
            journal.facts |= {
                "simulated": state.simulated,
                "maps": {f"{p}/{t.id}": u.name if u else None for (p, t), u in state.maps.items()},
            }
            journal.close(status)
        return _summary(state, last)


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
        from cocal.run.design import EXPECTED, FOLDER

        design = read_own_csv(root / FOLDER / EXPECTED)
    measured = last in ("measure", "compare", "report")
    truth = None
    if last == "report":
        table = truth_table(state)
        truth = None if table is None else table[table["class"] == target].set_index("region_id")["truth_ha"]
    areas = pd.read_parquet(root / "hectares.parquet") if measured else None
    return RunSummary(
        name=state.config.name,
        folder=root,
        summary=state.journal.summary,
        failures=tuple(state.journal.failures),
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
