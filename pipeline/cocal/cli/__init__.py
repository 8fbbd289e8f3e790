"""The command `cocal`: parses options, calls the library, prints, sets the exit code. Heavy imports are
inside the commands.

Exit codes: 0 done; 1 some work failed and is listed; 2 wrong usage or configuration; 75 another process holds
the lock, try again later.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cocal.cli.bundle import bundle_app
from cocal.cli.commands import edition, estimate, model_app, record_app, serve, simulate, verify_files
from cocal.cli.console import print_problem
from cocal.cli.field_kit import kit
from cocal.cli.readings import interpret, readings_app
from cocal.cli.ring import ring_app
from cocal.cli.runs import download, label_next, plan, stage_command, train, warm
from cocal.errors import CocalError

__all__ = ["app", "main"]

app = typer.Typer(
    name="cocal",
    help="From satellite images and field records to hectares per region, with intervals.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

STAGES = {
    "import": "Bring scenes into the archive, radiometry decided and verified.",
    "index": "Write masked, composited features of every tile to disk.",
    "classify": "Map every tile: class and probability.",
    "design": "Draw a sample for field work: strata, points, forms, and the interval to expect.",
    "measure": "Hectares per region, mapped and, from a probability sample, estimated.",
    "compare": "Compare hectares with official figures and field records.",
}
WHOLE = "Do everything: download, import, train, classify, measure, compare, report."

app.command("train")(train)
for _stage, _summary in STAGES.items():
    app.command(_stage)(stage_command(_stage, _summary))
for _name in ("run", "report"):
    app.command(_name)(stage_command("report", WHOLE))
for _command in (download, warm, plan, simulate, serve, interpret, kit, estimate, edition):
    app.command()(_command)
app.command("verify")(verify_files)
app.command("label-next")(label_next)
app.add_typer(record_app, name="records")
app.add_typer(readings_app, name="readings")
app.add_typer(model_app, name="models")
app.add_typer(ring_app, name="ring")
app.add_typer(bundle_app, name="bundle")


def _print_version(wanted: bool) -> None:
    if wanted:
        from cocal import __version__

        typer.echo(f"cocal {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def _stop(number: int, _: object) -> None:
    """End the command from where it is, so that workers and locks are released."""
    print_problem("cocal: stopped; committed outputs are kept, run again to continue")
    sys.exit(128 + number)


def main() -> None:
    """Run the command; a CocalError is printed as one message with its exit code, without a traceback."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
    gc.set_threshold(50_000)  # the default costs half a second of every start in scans of imported modules
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        sys.exit(command(standalone_mode=True))
    except CocalError as err:
        print_problem(f"cocal: {err}")
        sys.exit(err.exit_code)
    except OSError as err:
        print_problem(f"cocal: operating system error: {err}")
        sys.exit(1)
