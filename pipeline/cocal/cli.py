"""The command: parse, call, print, exit code. Heavy imports are inside the commands.

Exit codes: 0 done; 1 some work failed and is listed; 2 bad usage or configuration.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cocal.errors import CocalError, UsageError

if TYPE_CHECKING:
    from cocal.config import RunConfig
    from cocal.run import RunSummary

app = typer.Typer(
    name="cocal",
    help="From satellite images and field records to hectares per region, with intervals.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path, typer.Argument(help="YAML file that describes the run, or the folder of one that was made")
]
Serial = Annotated[bool, typer.Option("--serial", help="work in this process, without Dask")]
Scheduler = Annotated[str | None, typer.Option(help="address of a running Dask scheduler")]
Workers = Annotated[int | None, typer.Option(min=1, help="local workers (default: one per core)")]
Models = Annotated[Path, typer.Option("--in", help="folder of models")]
HERE = Path("models")
Memory = Annotated[
    str | None, typer.Option(help="at most this per worker, such as 2GiB: smaller blocks, or refused")
]
Reference = Annotated[bool, typer.Option("--reference", help="without kernels: slower, the same result")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="more log lines")]


def _log_to_stderr(verbose: bool) -> None:
    """One line per task where no one watches; on a terminal only warnings, beside the bars."""
    level = logging.DEBUG if verbose else logging.WARNING if sys.stderr.isatty() else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("cocal").setLevel(level)


def _run(
    config: Path, last: str, serial: bool, scheduler: str | None, workers: int | None, verbose: bool,
    memory: str | None = None, reference: bool = False,
) -> None:  # fmt: skip
    """Do the stages up to `last` and print how they ended; exit code 1 if something failed."""
    from cocal.config import read_config
    from cocal.run import configuration_of, executor, run

    _log_to_stderr(verbose)
    config = configuration_of(config)
    settings = _with_options(read_config(config), memory, reference)
    local = settings.local
    with executor(
        serial=serial,
        scheduler=scheduler,
        workers=workers or local.workers,
        memory_gib=local.memory_gib,
    ) as chosen:
        result = run(settings, chosen, last=last, config_path=config)
    _print_summary(result)
    if result.failures:
        raise typer.Exit(1)


def _with_options(settings: RunConfig, memory: str | None, reference: bool) -> RunConfig:
    from cocal.run.memory import fit_memory, parse_size

    if memory is not None:
        settings = fit_memory(settings, parse_size(memory))
    if reference:
        local = settings.local.model_copy(update={"reference": True})
        settings = settings.model_copy(update={"local": local})
    return settings


def _stage_command(last: str, summary: str) -> None:
    """Register `cocal NAME CONFIG`: the run up to this stage, reusing what is committed."""

    def command(
        config: Config,
        serial: Serial = False,
        scheduler: Scheduler = None,
        workers: Workers = None,
        verbose: Verbose = False,
        memory: Memory = None,
        reference: Reference = False,
    ) -> None:
        _run(config, last, serial, scheduler, workers, verbose, memory, reference)

    command.__doc__ = summary
    app.command("run" if last == "report" else last)(command)
    if last == "report":
        app.command("report")(command)


@app.command()
def train(
    config: Config,
    serial: Serial = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Train the model that the configuration describes, from places on images or from a table of time series."""
    from cocal.config import SeriesConfig, read_training

    settings = read_training(config)
    if not isinstance(settings, SeriesConfig):
        _run(config, "train", serial, scheduler, workers, verbose)
        return
    from cocal.classify import score_tables as tables
    from cocal.run.display import score_tables
    from cocal.run.series import train_series

    _log_to_stderr(verbose)
    folder, card = train_series(settings)
    for table in score_tables(tables(card.validation), simulated=card.simulated):
        _print(table)
    _print(f"model {card.id} ({card.estimator}, {len(card.features)} features): {folder}")


for _stage, _summary in (
    ("import", "Bring scenes into the archive, radiometry decided and verified."),
    ("index", "Write masked, composited features of every tile to disk."),
    ("classify", "Map every tile: class and probability."),
    ("design", "Draw a sample for field work: strata, points, forms, and the interval to expect."),
    ("measure", "Hectares per region, mapped and, from a probability sample, estimated."),
    ("compare", "Set hectares beside official figures and field records."),
    ("report", "Do everything: download, import, train, classify, measure, compare, report."),
):
    _stage_command(_stage, _summary)


@app.command()
def download(
    config: Config,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what it would take; fetch nothing")
    ] = False,
    serial: Serial = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Fetch the scenes that the configuration asks for, within its budget."""
    if not dry_run:
        _run(config, "download", serial, scheduler, workers, verbose)
        return
    from cocal.config import read_config
    from cocal.run.display import download_table
    from cocal.run.download import dry_run as ask
    from cocal.run.download import spent_this_month

    _log_to_stderr(verbose)
    settings = read_config(config)
    months = ask(settings)
    _print(download_table(months, settings, spent_this_month(settings)))


@app.command()
def warm() -> None:
    """Compile the kernels, once per installation; else the first run does it."""
    from cocal.run.warm import warm as compile_kernels

    _print(f"kernels ready after {compile_kernels():.1f} s")


@app.command()
def plan(config: Config) -> None:
    """Print what a run would do. Makes no network call and reads no pixel."""
    from cocal.config import read_config
    from cocal.run import plan as make_plan
    from cocal.run.display import plan_table

    _print(plan_table(make_plan(read_config(config))))


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="folder to write; it must not hold other things")],
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bytes")] = 7,
    scenario: Annotated[str, typer.Option(help="a frozen scenario; there is one")] = "border-1",
    year: Annotated[int, typer.Option(min=2016, max=2100, help="year of the images")] = 2024,
    years: Annotated[
        int, typer.Option(help="years of truth, official figures and claims, up to the year of the images")
    ] = 5,
    size: Annotated[int, typer.Option(help="side of the square, pixels of 10 m; a multiple of 12")] = 1248,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; left out: one per core")] = None,
) -> None:
    """Write an invented landscape with known truth. Everything in it is labelled SIMULATED."""
    import os

    from pydantic import ValidationError

    from cocal.run.progress import Progresses
    from cocal.simulate import SimulateSettings
    from cocal.simulate import simulate as make

    _log_to_stderr(False)
    wanted = {"scenario": scenario, "seed": seed, "year": year, "years": years, "size_px": size}
    try:
        settings = SimulateSettings.model_validate(wanted)
    except ValidationError as err:
        raise UsageError(
            "this landscape cannot be made", "", str(err), "choose other options, see `cocal simulate --help`"
        ) from err
    with Progresses() as progress:
        make(out, settings, workers=workers or os.cpu_count() or 1, tell=progress.tell)
    _print(f"SIMULATED landscape in {out}")


@app.command()
def serve(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="folders of finished runs, such as runs/demo")
    ],
    restricted: Annotated[
        bool,
        typer.Option("--restricted", help="show class maps, pixels and field points: not for the public"),
    ] = False,
    host: Annotated[str, typer.Option(help="elsewhere than loopback a token is needed")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8765,
) -> None:
    """Show finished runs on a map in the browser. With COCAL_SERVE_TOKEN set, everyone is asked for it."""
    import os

    from cocal.serve import serve as offer

    token = os.environ.get("COCAL_SERVE_TOKEN") or None
    offer(runs, restricted=restricted, host=host, port=port, token=token, tell=_tell_address)


def _tell_address(address: str) -> None:
    """On its own line and at once: other programs wait for it."""
    print(f"map: {address} (stop it with Ctrl+C)", flush=True)  # noqa: T201 - the command's own output


class Format(StrEnum):
    """How an estimate is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@app.command()
def estimate(
    sample: Annotated[Path, typer.Option(help="CSV: stratum, map_class, reference_class [, region]")],
    strata: Annotated[Path, typer.Option(help="CSV: stratum, area_ha (or pixels, pixel_area_m2) [, region]")],
    by: Annotated[str | None, typer.Option(help="column of the sample that holds the regions")] = None,
    estimator: Annotated[str, typer.Option(help="stratified, simple, poststratified, ...")] = "stratified",
    interval: Annotated[
        str, typer.Option(help="gamma holds for rare classes; wald is printed in papers")
    ] = "gamma",
    confidence: Annotated[float, typer.Option(help="from 0.5 to below 1")] = 0.95,
    collapse: Annotated[list[str] | None, typer.Option(help="strata to merge, A+B; may be repeated")] = None,
    change: Annotated[
        bool, typer.Option("--change", help="gain, loss, net: sample with reference_before, reference_after")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="how to print it")] = Format.TEXT,
) -> None:
    """Estimate hectares and accuracies from a sample and its strata, without a run."""
    import json

    from cocal.estimate import change_files, estimate_files

    common: dict[str, Any] = {
        "by": by,
        "interval": interval,
        "confidence": confidence,
        "collapse": collapse or (),
    }
    if change and estimator != "stratified":
        raise UsageError("--change", "--estimator stratified", estimator, "leave --estimator out")
    if change:
        result: Any = change_files(sample, strata, **common)
    else:
        result = estimate_files(sample, strata, estimator=estimator, **common)
    if output is Format.JSON:
        text = json.dumps(result.to_json_dict(), ensure_ascii=False, indent=2) + "\n"
    else:
        text = result.to_text() if output is Format.TEXT else result.to_csv()
    sys.stdout.write(text)


def _records_app() -> typer.Typer:
    """`cocal records check`: exit code 0 no fault, 1 faults found, 2 the file cannot be used."""
    records = typer.Typer(
        help="Field records: what is wrong with a file, and the mended copy.", no_args_is_help=True
    )

    @records.command()
    def check(
        file: Annotated[Path, typer.Argument(help="CSV, GeoPackage, Shapefile ...")],
        area: Annotated[str | None, typer.Option(help="polygons, or west,south,east,north")] = None,
        period: Annotated[str | None, typer.Option(help="days of the images, START..END")] = None,
        mapping: Annotated[Path | None, typer.Option(help="YAML: columns, crs, classes, limits")] = None,
        roads: Annotated[Path | None, typer.Option(help="lines")] = None,
        plots: Annotated[Path | None, typer.Option(help="polygons that the records are about")] = None,
        accept: Annotated[list[str] | None, typer.Option(help="rule to mend by; may be repeated")] = None,
        out: Annotated[Path | None, typer.Option(help="new file, with the accepted mends")] = None,
        output: Annotated[Format, typer.Option("--format", help="how to print it")] = Format.TEXT,
        restricted: Annotated[bool, typer.Option(help="tell positions: not for the public")] = False,
    ) -> None:
        """List the faults of field records. Nothing is dropped or mended unless it is accepted."""
        from cocal.fieldwork import checks

        if bool(accept) != (out is not None):
            raise UsageError("records check", "--accept and --out together", "one of them", "give both")
        if restricted and sys.stdout.isatty():
            raise UsageError("--restricted", "a file as output", "a screen", "end the command with > FILE")
        _log_to_stderr(False)
        found = checks.check_file(file, area=area, period=period, mapping=mapping, roads=roads, plots=plots)
        text = {Format.TEXT: checks.to_text, Format.JSON: checks.to_json, Format.CSV: checks.to_csv}[output]
        sys.stdout.write(text(found, restricted=restricted))
        if accept and out is not None:
            sys.stderr.write(str(checks.write_mended(found, accept, out, restricted=restricted)) + "\n")
        if found.has_fault:
            raise typer.Exit(1)

    return records


app.add_typer(_records_app(), name="records")


def _models_app() -> typer.Typer:
    """`cocal models`: exit code of `verify`: 0 all hold, 1 one is refused."""
    models = typer.Typer(help="Trained models: what there is, what each is worth, whether it is whole.")

    @models.command("list")
    def list_(folder: Models = HERE) -> None:
        """What the cards say, unverified."""
        from cocal.classify.collection import list_models
        from cocal.run.model_tables import models_table

        _print(models_table(list_models(folder)))

    @models.command()
    def show(model: Annotated[str, typer.Argument(help="id, or folder")], folder: Models = HERE) -> None:
        """All of a card: samples, scores beside null models, features, settings, checksums."""
        from cocal.classify.collection import find_model
        from cocal.classify.model import load_model
        from cocal.run.model_tables import card_tables

        for table in card_tables(load_model(find_model(model, folder)).card):
            _print(table)

    @models.command()
    def verify(
        model: Annotated[list[str] | None, typer.Argument(help="ids or folders; left out: all")] = None,
        folder: Models = HERE,
    ) -> None:
        """Load each model: checksums, types, card, and the probabilities on the card computed anew."""
        from cocal.classify.collection import find_model, list_models, verify_models
        from cocal.run.model_tables import verdict_lines

        folders = [find_model(m, folder) for m in model] if model else [f.folder for f in list_models(folder)]
        verdicts = verify_models(folders)
        _print("\n".join(verdict_lines(verdicts)) or f"no model in {folder}")
        if any(v.refusal for v in verdicts):
            raise typer.Exit(1)

    @models.command()
    def keep(
        model: Annotated[Path, typer.Argument(help="folder: runs/NAME/model/...")], folder: Models = HERE
    ) -> None:
        """Verify a model that a run has trained and copy it to models/<id>/."""
        from cocal.classify.collection import keep_model

        _print(str(keep_model(model, folder)))

    return models


app.add_typer(_models_app(), name="models")


def _print(content: Any) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True).print(content, markup=False)


def _print_summary(result: RunSummary) -> None:
    from cocal.run.display import design_table, hectares_table, score_tables

    for table in score_tables(result.scores, simulated=result.simulated):
        _print(table)
    if result.design is not None:
        _print(design_table(result))
    if result.areas is not None:
        _print(hectares_table(result))
    for unit, reason in result.failures:
        print(f"failed {unit}: {reason}", file=sys.stderr)  # noqa: T201 - the command's own output
    _print(f"{result.name}: {result.summary}")
    if result.page:
        _print(f"page: {result.page}")


def main() -> None:
    """Run the command; an error of cocal is one message and its exit code, never a traceback."""
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        sys.exit(command(standalone_mode=True))
    except CocalError as err:
        print(f"cocal: {err}", file=sys.stderr)  # noqa: T201 - the command's own output
        sys.exit(err.exit_code)
    except OSError as err:
        print(f"cocal: the system refused: {err}", file=sys.stderr)  # noqa: T201 - the command's own output
        sys.exit(1)
    except KeyboardInterrupt:
        print("cocal: stopped; what is committed is kept, run again to go on", file=sys.stderr)  # noqa: T201
        sys.exit(130)
