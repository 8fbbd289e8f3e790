"""`cocal kit`: what crews take along of a design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cocal.cli.console import log_to_stderr, print_content, print_problem

_NAMED = 10


def kit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run with a design")],
    out: Annotated[Path, typer.Argument(help="new folder to write; restricted: it holds positions")],
    crews: Annotated[int | None, typer.Option(help="crews in all; default: one per country")] = None,
    per_day: Annotated[int, typer.Option(help="points that a crew visits on a day, at most")] = 10,
    roads: Annotated[Path | None, typer.Option(help="vector file of roads: how far each point is")] = None,
    roads_layer: Annotated[str | None, typer.Option(help="layer of that file, where it has several")] = None,
    show: Annotated[str, typer.Option(help="true, false, infrared, three bands or an index")] = "true",
    side: Annotated[int, typer.Option(help="side of the image around a point, m")] = 1000,
    period: Annotated[str | None, typer.Option(help="period of the images; default: the last one")] = None,
    images: Annotated[bool, typer.Option("--images/--no-images", help="images around the points")] = True,
) -> None:
    """Write the field kit of a run's design: QGIS and QField project, images, waypoints, days of crews."""
    from cocal.run.finished import FinishedRun
    from cocal.run.kit import KitOptions, make_kit

    log_to_stderr(False)
    options = KitOptions(crews, per_day, roads, roads_layer, show if images else None, side, period)
    made = make_kit(FinishedRun(run), out, options)
    print_content(
        f"field kit in {out}: {made.points} points and {made.reserves} in reserve, {made.crews} crews, "
        f"{made.days} days of a crew; restricted: it holds positions"
    )
    for ids, words in (
        (made.roadless, "no road within 100 km"),
        (made.dark, "their own pixel is never clear in the image"),
    ):
        if ids:
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            print_problem(f"warning: {words}: {', '.join(ids[:_NAMED])}{more}")
