"""To estimate from two tables, without a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cocal.cli.options import Format
from cocal.errors import UsageError


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
