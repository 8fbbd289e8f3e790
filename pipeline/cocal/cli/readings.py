"""`cocal readings ...`: points of a sample that are labelled with other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cocal.cli.console import log_to_stderr, print_content
from cocal.errors import UsageError

readings_app = typer.Typer(
    help="Points labelled on images with other tools: files for them, their answers back.",
    no_args_is_help=True,
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="run with a design: its folder, or configuration")]


Tool = StrEnum("Tool", {"COLLECT_EARTH": "collect-earth-online", "ACATAMA": "acatama"})


@readings_app.command("export")
def export(
    run: Run,
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="new folder; restricted: it holds positions")],
    tool: Annotated[Tool, typer.Option("--for", help="the tool that labels")],
    answers: Annotated[
        Path | None, typer.Option(help="answers of an interpretation, to be written in the tool's form too")
    ] = None,
    reserves: Annotated[bool, typer.Option("--reserves", help="the reserve points too")] = False,
) -> None:
    """Write the sample's points for Collect Earth Online or AcATaMa, without stratum, role and map class."""
    from cocal.run.labelling import export_points

    log_to_stderr(False)
    written = export_points(run, out, tool.value, answers=answers, reserves=reserves)
    print_content("\n".join([f"restricted, with positions: {out}", *(f"  {path.name}" for path in written)]))


@readings_app.command("import")
def import_(
    run: Run,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="as the tool wrote them, unedited")],
    out: Annotated[Path, typer.Option(help="new CSV for `records:`, one row per point")],
    question: Annotated[str | None, typer.Option(help="question of the survey that holds the class")] = None,
    date_question: Annotated[str | None, typer.Option(help="question with the day of the image")] = None,
    observed_on: Annotated[str | None, typer.Option(help="day of the images, the same for all")] = None,
    class_: Annotated[
        list[str] | None, typer.Option("--class", help="what a label counts as, LABEL=KEY; may be repeated")
    ] = None,
) -> None:
    """Read labels of Collect Earth Online (sample data) or AcATaMa (labelled layers, sessions).

    Exit code 0 every point has an answer, 1 points have none, or readers disagree: they are listed.
    """
    from cocal.run.labelling import Asked, import_labels

    log_to_stderr(False)
    own = dict(_pair(text) for text in class_ or ())
    found = import_labels(run, files, out, Asked(question, date_question, observed_on, own))
    print_content(str(found))
    if found.open:
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    label, sign, key = text.rpartition("=")
    if not (sign and label and key):
        raise UsageError("--class", "LABEL=KEY, such as 'Almácigo=coca'", repr(text), "write it so")
    return label, key
