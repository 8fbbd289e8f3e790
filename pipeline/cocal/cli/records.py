"""To check field records: exit code 0 no fault, 1 faults found, 2 the file cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cocal.cli.options import Format, log_to_stderr
from cocal.errors import UsageError

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
    log_to_stderr(False)
    found = checks.check_file(file, area=area, period=period, mapping=mapping, roads=roads, plots=plots)
    text = {Format.TEXT: checks.to_text, Format.JSON: checks.to_json, Format.CSV: checks.to_csv}[output]
    sys.stdout.write(text(found, restricted=restricted))
    if accept and out is not None:
        sys.stderr.write(str(checks.write_mended(found, accept, out, restricted=restricted)) + "\n")
    if found.has_fault:
        raise typer.Exit(1)
