"""To practise, and to test: an invented landscape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cocal.cli.options import log_to_stderr, say
from cocal.errors import UsageError


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

    from cocal.cli.progress import Progresses
    from cocal.simulate import SimulateSettings
    from cocal.simulate import simulate as make

    log_to_stderr(False)
    wanted = {"scenario": scenario, "seed": seed, "year": year, "years": years, "size_px": size}
    try:
        settings = SimulateSettings.model_validate(wanted)
    except ValidationError as err:
        raise UsageError(
            "this landscape cannot be made", "", str(err), "choose other options, see `cocal simulate --help`"
        ) from err
    with Progresses() as progress:
        make(out, settings, workers=workers or os.cpu_count() or 1, tell=progress.tell)
    say(f"SIMULATED landscape in {out}")
