"""The command: parse, call, print, exit code. Heavy imports are inside the commands.

Exit codes: 0 done; 1 some work failed and is listed; 2 bad usage or configuration.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import typer

from cocal.cli.estimate import estimate
from cocal.cli.models import models
from cocal.cli.records import records
from cocal.cli.serve import serve
from cocal.cli.simulate import simulate
from cocal.cli.work import download, plan, stage_command, train, warm
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
    "compare": "Set hectares beside official figures and field records.",
}
WHOLE = "Do everything: download, import, train, classify, measure, compare, report."

app.command("train")(train)
for _stage, _summary in STAGES.items():
    app.command(_stage)(stage_command(_stage, _summary))
for _name in ("run", "report"):
    app.command(_name)(stage_command("report", WHOLE))
for _command in (download, warm, plan, simulate, serve, estimate):
    app.command()(_command)
app.add_typer(records, name="records")
app.add_typer(models, name="models")


def main() -> None:
    """Run the command; an error of cocal is one message and its exit code, never a traceback."""
    gc.set_threshold(50_000)  # half a second of every start would go into looking through what is imported
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
