"""The stages that set hectares beside other figures and put them on a page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cocal.estimate import compare, write_comparison
from cocal.run.measure import measure_inputs
from cocal.run.tables import given_sha256, read_given_csv
from cocal.store import address, sha256_file, source_digest

if TYPE_CHECKING:
    from cocal.run.stages import Run


def compare_stage(run: Run) -> None:
    """comparison.csv: estimates beside field records and official figures."""
    settings = run.config.comparison
    inputs = {
        "measure": address(measure_inputs(run)),
        "official": given_sha256(settings.official, "comparison.official") if settings else None,
        "field": given_sha256(settings.field, "comparison.field") if settings else None,
        "max_unobserved": settings.max_unobserved if settings else None,
        "code": source_digest("estimate", "run/results", "run/tables"),
    }

    def write(folder: Path) -> None:
        table = compare(
            pd.read_parquet(run.store.root / "hectares.parquet"),
            read_given_csv(settings.field, "comparison.field") if settings and settings.field else None,
            read_given_csv(settings.official, "comparison.official")
            if settings and settings.official
            else None,
            target=run.base.scheme.target,
            same_definitions=(),
            periods=run.periods,
            max_unobserved=settings.max_unobserved if settings else 1.0,
        )
        write_comparison(folder, table)
        table.to_parquet(folder / "comparison.parquet", index=False)

    run.one_unit("compare", inputs, write)


def report_stage(run: Run) -> None:
    """report/index.html: the page, in Spanish and English."""
    from cocal.report import report
    from cocal.run.content import report_content

    content = report_content(run)
    inputs = {
        "measure": address(measure_inputs(run)),
        "comparison": sha256_file(run.store.root / "comparison.csv"),
        "truth": content.truth is not None
        and run.config.comparison
        and given_sha256(run.config.comparison.truth, "truth"),
        "reproduce": asdict(content.reproduce),
        "sources": content.map_overview and content.map_overview.sources,
        "model": content.model_card,
        "failures": content.failures,
        "code": source_digest("report", "accuracy", "run/content", "run/overview", "run/tables"),
    }
    run.one_unit("report", inputs, lambda folder: report(folder / "report", content))
