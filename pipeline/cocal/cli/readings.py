"""`cocal interpret`, and `cocal readings ...`: points of a sample read on images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cocal.cli.console import announce, log_to_stderr, print_content, print_problem
from cocal.errors import UsageError

if TYPE_CHECKING:
    from cocal.run.readings import Campaign

readings_app = typer.Typer(
    help="Points read on images: kits, answers, results, other tools.", no_args_is_help=True
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run with a sample")]
Reader = Annotated[str, typer.Option(help="the code of who reads, no name")]
Third = Annotated[bool, typer.Option("--third", help="settles the points on which the two readers differ")]
PeriodName = Annotated[str | None, typer.Option(help="default: that of the design")]


Tool = StrEnum("Tool", {"COLLECT_EARTH": "collect-earth-online", "ACATAMA": "acatama"})


def interpret(
    run: Run,
    reader: Reader,
    third: Third = False,
    period: PeriodName = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8766,
) -> None:
    """Answer the points of a run's sample on images, in the browser, blind for place, stratum and map."""
    from cocal.serve.readings import serve_readings

    campaign = _joined(run, reader, third, period)

    serve_readings(
        campaign, reader, port=port,
        announce=lambda address: announce(f"points: {address} (stop it with Ctrl+C)"),
    )  # fmt: skip


@readings_app.command()
def kit(
    run: Run,
    out: Annotated[Path, typer.Argument(help="folder to write")],
    reader: Reader,
    third: Third = False,
    period: PeriodName = None,
) -> None:
    """Write a folder in which a reader answers the points without a server, on any machine."""
    from cocal.run.readings import write_kit

    log_to_stderr(False)
    count = write_kit(_joined(run, reader, third, period), reader, out)
    print_content(
        f"{count} points in {out}: open index.html, answer, save the file, then `cocal readings add`"
    )


@readings_app.command()
def add(
    run: Run, files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="what kits saved")]
) -> None:
    """Add the answers of kits to those of their readers."""
    from cocal.run.readings import add_answers

    for path in files:
        reader, new = add_answers(_campaign(run), path)
        print_content(f"{path}: {new} new answers of {reader}")


@readings_app.command()
def status(run: Run) -> None:
    """How far the readers are, and how often they agree."""
    from cocal.run.readings import progress

    found = progress(_campaign(run))
    for reader, (done, of) in found["readers"].items():
        print_content(f"{reader}: {done} of {of} points answered")
    print_content("points: " + ", ".join(f"{how} {n}" for how, n in found["points"].items()))
    if found["agreement"] is not None:
        print_content(f"the readers agree on {found['agreement']:.1%} of the points that both answered")


@readings_app.command()
def write(
    run: Run, out: Annotated[Path, typer.Argument(help="file of records to write, such as readings.csv")]
) -> None:
    """Write agreed and settled answers for `records: {path, sample}`, and all answers beside them."""
    from cocal.run.readings import write_results

    campaign = _campaign(run)
    counts = write_results(campaign, out)
    print_content(f"{out}: " + ", ".join(f"{how} {n}" for how, n in counts.items()))
    if len(campaign.readers) == 1:
        print_problem("warning: only one reader: how often the answers are wrong is not known")
    if open_ := counts.get("in dispute", 0) + counts.get("waiting", 0):
        print_problem(f"warning: {open_} points have no answer yet: the estimate will be preliminary")


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


def _campaign(run: Path, period: str | None = None) -> Campaign:
    from cocal.extras import require
    from cocal.run.finished import open_run
    from cocal.run.readings import open_campaign

    require("serve", "reading points on images")
    return open_campaign(open_run(run), period)


def _joined(run: Path, reader: str, third: bool, period: str | None) -> Campaign:
    from cocal.run.readings.campaign import checked_reader, join_campaign

    return join_campaign(_campaign(run, period), checked_reader(reader), third=third)
