"""The commands that read a configuration: the run up to a stage, train, download, plan, warm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cocal.cli.console import (
    Config,
    Memory,
    Scheduler,
    Serial,
    Verbose,
    Workers,
    log_to_stderr,
    print_content,
    print_problem,
)

if TYPE_CHECKING:
    from cocal.run import RunSummary


def stage_command(last: str, summary: str) -> Callable[..., None]:
    """The function of `cocal NAME CONFIG`: the run up to the stage `last`, reusing committed outputs."""

    def command(
        config: Config,
        serial: Serial = False,
        scheduler: Scheduler = None,
        workers: Workers = None,
        verbose: Verbose = False,
        memory: Memory = None,
    ) -> None:
        _run(config, last, serial, scheduler, workers, verbose, memory)

    command.__doc__ = summary
    return command


def train(
    config: Config,
    serial: Serial = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Train the model of the configuration, from places on images or from a table of time series."""
    from cocal.config import SeriesConfig, read_training
    from cocal.extras import require

    require("report", "`cocal train`")
    settings = read_training(config)
    if not isinstance(settings, SeriesConfig):
        _run(config, "train", serial, scheduler, workers, verbose)
        return
    from cocal.classify import score_tables as tables
    from cocal.cli.display import score_tables
    from cocal.run.series import train_series

    log_to_stderr(verbose)
    folder, card = train_series(settings)
    for table in score_tables(tables(card.validation), simulated=card.simulated):
        print_content(table)
    print_content(f"model {card.id} ({card.estimator}, {len(card.features)} features): {folder}")


def download(
    config: Config,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the expected cost; fetch nothing")
    ] = False,
    serial: Serial = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Fetch the scenes of the configuration, within its budget."""
    if not dry_run:
        _run(config, "download", serial, scheduler, workers, verbose)
        return
    from cocal.cli.display import download_table
    from cocal.config import read_config
    from cocal.extras import require

    require("download", "`cocal download`")
    from cocal.run.stages.download import dry_run as estimate_download
    from cocal.run.stages.download import spent_this_month

    log_to_stderr(verbose)
    settings = read_config(config)
    months = estimate_download(settings)
    print_content(download_table(months, settings, spent_this_month(settings)))


def warm() -> None:
    """Compile the kernels, once per installation; otherwise the first run does it."""
    from cocal.run.worker.warm import warm as compile_kernels

    print_content(f"kernels ready after {compile_kernels():.1f} s")


def plan(config: Config) -> None:
    """Print what a run would do. Makes no network call and reads no pixel."""
    from cocal.cli.display import plan_table
    from cocal.config import read_config
    from cocal.run import plan as plan_run

    print_content(plan_table(plan_run(read_config(config))))


def label_next(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="finished run: its folder, or configuration")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="new GeoPackage; restricted")],
    points: Annotated[int, typer.Option(min=1, max=100_000, help="places to label")] = 100,
    apart: Annotated[
        int, typer.Option(min=10, max=100_000, help="m; one place per square of this side")
    ] = 60,
    period: Annotated[str | None, typer.Option(help="default: the last one")] = None,
) -> None:
    """Choose the places whose labels help the run's model most. They are no sample and give no area."""
    from cocal.run.doubtful import label_next as write

    log_to_stderr(False)
    found = write(run, out, points=points, apart_m=apart, period=period)
    print_content(f"restricted, with positions: {out}: {found} places to label, for training only")


def _run(
    config: Path, last: str, serial: bool, scheduler: str | None, workers: int | None, verbose: bool,
    memory: str | None = None,
) -> None:  # fmt: skip
    """Do the stages up to `last` and print the result; exit code 1 if something failed."""
    from cocal.config import read_config
    from cocal.run import configuration_of, executor, run
    from cocal.run.worker.memory import fit_memory, parse_size

    log_to_stderr(verbose)
    config = configuration_of(config)
    settings = read_config(config)
    if memory is not None:
        settings = fit_memory(settings, parse_size(memory))
    local = settings.local
    with executor(
        serial=serial,
        scheduler=scheduler,
        workers=workers or local.workers,
        memory_gib=local.memory_gib,
        wait_s=local.wait_s,
        folders=tuple(path for path in (settings.root, settings.archive) if path is not None),
    ) as chosen:
        result = run(settings, chosen, last=last, config_path=config)
    _print_summary(result)
    if result.failures:
        raise typer.Exit(1)


def _print_summary(result: RunSummary) -> None:
    from cocal.cli.display import design_table, hectares_table, score_tables
    from cocal.notes import render
    from cocal.run.tables import estimate_warnings

    for table in score_tables(result.scores, simulated=result.simulated):
        print_content(table)
    if result.design is not None:
        print_content(design_table(result))
    if result.areas is not None:
        print_content(hectares_table(result))
        for period, warning in estimate_warnings(result.folder):
            print_content(f"warning, {period}: {render(warning, 'en')} / {render(warning, 'es')}")
    for unit, reason in result.failures:
        print_problem(f"failed {unit}: {reason}")
    print_content(f"{result.name}: {result.summary}")
    if result.page:
        print_content(f"page: {result.page}")
