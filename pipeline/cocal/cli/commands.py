"""The commands that make no run: estimate, serve, simulate, `models ...` and `records check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cocal.cli.console import Format, announce, log_to_stderr, print_content
from cocal.errors import UsageError

record_app = typer.Typer(
    help="Field records: check a file, and write a copy with the accepted corrections.", no_args_is_help=True
)
model_app = typer.Typer(help="Trained models: list them, show their cards and scores, verify their files.")

Models = Annotated[Path, typer.Option("--in", help="folder of models")]
HERE = Path("models")


def estimate(
    sample: Annotated[Path, typer.Option(help="CSV: stratum, map_class, reference_class [, region]")],
    strata: Annotated[Path, typer.Option(help="CSV: stratum, area_ha (or pixels, pixel_area_m2) [, region]")],
    by: Annotated[str | None, typer.Option(help="column of the sample that holds the regions")] = None,
    estimator: Annotated[
        str | None, typer.Option(help="stratified, simple, ...; calibrated with --known")
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            help="CSV: stratum, region, map_class, area_ha; then a region's classes add up to its area"
        ),
    ] = None,
    rare: Annotated[
        list[str] | None,
        typer.Option(help="with --known: class whose interval holds by the design alone; may be repeated"),
    ] = None,
    interval: Annotated[str, typer.Option(help="gamma is valid for rare classes, wald is not")] = "gamma",
    confidence: Annotated[float, typer.Option(help="from 0.5 to below 1")] = 0.95,
    collapse: Annotated[list[str] | None, typer.Option(help="strata to merge, A+B; may be repeated")] = None,
    change: Annotated[
        bool, typer.Option("--change", help="gain, loss, net: sample with reference_before, reference_after")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="output format")] = Format.TEXT,
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
    if change and estimator not in (None, "stratified"):
        raise UsageError("--change", "--estimator stratified", str(estimator), "leave --estimator out")
    if rare and known is None:
        raise UsageError(
            "--rare", "--known: other estimators treat all classes alike", "none", "leave it out"
        )
    if change:
        result: Any = change_files(sample, strata, known=known, **common)
    else:
        chosen = estimator or ("stratified" if known is None else "calibrated")
        result = estimate_files(sample, strata, estimator=chosen, known=known, rare=rare or (), **common)
    if output is Format.JSON:
        text = json.dumps(result.to_json_dict(), ensure_ascii=False, indent=2) + "\n"
    else:
        text = result.to_text() if output is Format.TEXT else result.to_csv()
    sys.stdout.write(text)


def serve(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="folders of finished runs, such as runs/demo")
    ],
    restricted: Annotated[
        bool,
        typer.Option("--restricted", help="show class maps, pixels and field points: not for the public"),
    ] = False,
    host: Annotated[str, typer.Option(help="any host but loopback needs a token")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8765,
    name: Annotated[
        list[str] | None, typer.Option(help="host name of the map behind a proxy; may be repeated")
    ] = None,
    proxy: Annotated[
        list[str] | None, typer.Option(help="address of a proxy with TLS; may be repeated")
    ] = None,
    imagery: Annotated[
        str | None,
        typer.Option(help="own image for cards: GeoTIFF, or address of tiles, https://.../{z}/{x}/{y}.png"),
    ] = None,
) -> None:
    """Show finished runs on a map in the browser. If COCAL_SERVE_TOKEN is set, requests need that token."""
    import os

    from cocal.extras import require

    require("serve", "`cocal serve`")
    from cocal.serve import Access, serve_runs

    token = os.environ.get("COCAL_SERVE_TOKEN") or None
    access = Access(host, token, tuple(name or ()), tuple(proxy or ()))
    serve_runs(
        runs, restricted=restricted, port=port, access=access, imagery=imagery,
        announce=lambda address: announce(f"map: {address} (stop it with Ctrl+C)"),
    )  # fmt: skip


def verify_files(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="archives and runs, such as archive, runs/demo")
    ],
) -> None:
    """Read every file of archives and runs and compare it with its checksum. Nothing is changed.

    Exit code 0 all is as it was committed, 1 something is damaged.
    """
    from cocal.run.damage import check_units

    units = files = size = 0
    damaged = []
    for folder in folders:
        for unit in check_units(folder):
            units, files, size = units + 1, files + unit.files, size + unit.bytes
            if unit.faults:
                damaged.append(unit)
                lines = [f"  {name}: {text}" for name, text in unit.faults.items()]
                print_content("\n".join([f"DAMAGED {unit.name}", *lines, f"  fix: {unit.remedy}"]))
    print_content(f"{units} units, {files} files, {size / 1e9:.3f} GB read: {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


def simulate(
    out: Annotated[Path, typer.Argument(help="folder to write; it must not hold other things")],
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bytes")] = 7,
    scenario: Annotated[str, typer.Option(help="a frozen scenario; there is one")] = "border-1",
    year: Annotated[int, typer.Option(min=2016, max=2100, help="year of the images")] = 2024,
    years: Annotated[
        int, typer.Option(help="years of truth, official figures and claims, up to the year of the images")
    ] = 5,
    size: Annotated[int, typer.Option(help="side of the square, pixels of 10 m; a multiple of 12")] = 1248,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; default: one per core")] = None,
    images: Annotated[bool, typer.Option(help="the archive of images, most of the time it takes")] = True,
) -> None:
    """Write an invented landscape with known truth. Everything in it is labelled SIMULATED."""
    import os

    from pydantic import ValidationError

    from cocal.progress import ProgressBars
    from cocal.simulate import SimulateSettings
    from cocal.simulate import simulate as write_landscape

    log_to_stderr(False)
    options = {"scenario": scenario, "seed": seed, "year": year, "years": years, "size_px": size}
    try:
        settings = SimulateSettings.model_validate(options)
    except ValidationError as err:
        raise UsageError(
            "this landscape cannot be made", "", str(err), "choose other options, see `cocal simulate --help`"
        ) from err
    with ProgressBars() as bars:
        write_landscape(
            out, settings, images=images, workers=workers or os.cpu_count() or 1, report=bars.update
        )
    print_content(f"SIMULATED landscape in {out}" + ("" if images else ", without images"))


def edition(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run, such as runs/demo")],
    state: Annotated[str | None, typer.Option(help="draft, checked, approved or revised")] = None,
    by: Annotated[str, typer.Option(help="the office that states it")] = "",
    why: Annotated[str, typer.Option(help="the reason; of a revision it must be given")] = "",
    on: Annotated[str | None, typer.Option(help="the day, such as 2024-12-31; default: today")] = None,
    period: Annotated[list[str] | None, typer.Option(help="default: all; may be repeated")] = None,
    place: Annotated[
        list[str] | None, typer.Option(help="region, group, country or `total`; default: all; repeatable")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="output format")] = Format.TEXT,
) -> None:
    """State that figures of a run are checked, approved or revised; without --state, show their states.

    An edition holds for the figures as they are: where they change, they are drafts again.
    """
    from datetime import UTC, date, datetime

    from cocal.cli.display import states_table
    from cocal.estimate.editions import Statement
    from cocal.run.history import figure_states, state_figures
    from cocal.store import inert

    if state is None:
        found = figure_states(run)
    else:
        try:
            day = date.fromisoformat(on) if on else datetime.now(tz=UTC).date()
        except ValueError as err:
            raise UsageError("--on", "a day like 2024-12-31", str(on), "write year-month-day") from err
        found = state_figures(
            run, Statement(state, by, day.isoformat(), why), periods=period or (), places=place or ()
        )
    if output is not Format.TEXT:
        text = inert(found).to_csv(index=False) if output is Format.CSV else found.to_json(orient="records")
        sys.stdout.write(str(text).rstrip("\n") + "\n")
        return
    print_content(states_table(found))
    if state is not None:
        print_content("tables, page and files show it after the next `cocal run`, which reuses all else")


@record_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="CSV, GeoPackage, Shapefile ...")],
    area: Annotated[str | None, typer.Option(help="polygons, or west,south,east,north")] = None,
    period: Annotated[str | None, typer.Option(help="days of the images, START..END")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML: columns, crs, classes, limits")] = None,
    roads: Annotated[Path | None, typer.Option(help="lines")] = None,
    plots: Annotated[Path | None, typer.Option(help="polygons that the records are about")] = None,
    scheme: Annotated[Path | None, typer.Option(help="class scheme: its target and least cover")] = None,
    accept: Annotated[list[str] | None, typer.Option(help="rule to correct by; may be repeated")] = None,
    out: Annotated[Path | None, typer.Option(help="new file, with the accepted corrections")] = None,
    output: Annotated[Format, typer.Option("--format", help="output format")] = Format.TEXT,
    restricted: Annotated[bool, typer.Option(help="print positions: not for the public")] = False,
) -> None:
    """List the faults of field records. Nothing is dropped or corrected unless it is accepted.

    Exit code 0 no fault, 1 faults found, 2 the file cannot be used.
    """
    from cocal.fieldwork import checks

    if bool(accept) != (out is not None):
        raise UsageError("records check", "--accept and --out together", "one of them", "give both")
    if restricted and sys.stdout.isatty():
        raise UsageError("--restricted", "a file as output", "a screen", "end the command with > FILE")
    log_to_stderr(False)
    found = checks.check_file(file, checks.Evidence(area, period, mapping, roads, plots, scheme))
    text = {Format.TEXT: checks.to_text, Format.JSON: checks.to_json, Format.CSV: checks.to_csv}[output]
    sys.stdout.write(text(found, restricted=restricted))
    if accept and out is not None:
        sys.stderr.write(str(checks.write_fixed(found, accept, out, restricted=restricted)) + "\n")
    if found.has_fault:
        raise typer.Exit(1)


@model_app.command("list")
def list_(folder: Models = HERE) -> None:
    """List the models by their cards, unverified."""
    from cocal.classify.collection import list_models
    from cocal.cli.model_tables import models_table

    print_content(models_table(list_models(folder)))


@model_app.command()
def show(model: Annotated[str, typer.Argument(help="id, or folder")], folder: Models = HERE) -> None:
    """Print a card: samples, scores beside null models, features, settings, checksums."""
    from cocal.classify.collection import find_model
    from cocal.classify.model import load_model
    from cocal.cli.model_tables import card_tables

    for table in card_tables(load_model(find_model(model, folder)).card):
        print_content(table)


@model_app.command()
def verify(
    model: Annotated[list[str] | None, typer.Argument(help="ids or folders; default: all")] = None,
    folder: Models = HERE,
) -> None:
    """Load each model and verify checksums, types, card, and the probabilities stated on the card.

    Exit code 0 all are valid, 1 one is refused.
    """
    from cocal.classify.collection import find_model, list_models, verify_models
    from cocal.cli.model_tables import verdict_lines

    folders = [find_model(m, folder) for m in model] if model else [f.folder for f in list_models(folder)]
    verdicts = verify_models(folders)
    print_content("\n".join(verdict_lines(verdicts)) or f"no model in {folder}")
    if any(v.refusal for v in verdicts):
        raise typer.Exit(1)


@model_app.command()
def keep(
    model: Annotated[Path, typer.Argument(help="folder: runs/NAME/model/...")], folder: Models = HERE
) -> None:
    """Verify a trained model of a run and copy it to models/<id>/."""
    from cocal.classify.collection import keep_model

    print_content(str(keep_model(model, folder)))
