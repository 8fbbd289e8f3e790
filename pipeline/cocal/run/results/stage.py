"""The stages that set hectares beside other figures and put them on a page."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import pandas as pd

from cocal.classify.card import CARD
from cocal.estimate import compare, eradication_table, unmatched_official, write_comparison
from cocal.estimate.eradication import QUANTITIES
from cocal.notes import note_rows, with_text
from cocal.report import Reproduce
from cocal.run.measure import measure_inputs
from cocal.run.measure.change import CHANGE_COLUMNS
from cocal.run.results.content import PageInputs, page_content
from cocal.run.results.facts import run_facts
from cocal.run.state import Run
from cocal.run.tables import given_sha256, read_given_csv, read_own_csv, write_own_csv
from cocal.store import address, library_versions, sha256_file, source_digest

_COMPARISON_KEYS = ("region_id", "period", "class", "official_source")
_CLAIM_KEYS = ("region_id", "from_period", "to_period", "source")


def compare_stage(run: Run) -> None:
    """comparison.csv: estimates beside field records and official figures; eradication.csv, where claims are given."""
    settings = run.config.comparison
    given = {
        name: getattr(settings, name) if settings else None for name in ("official", "field", "eradication")
    }
    inputs = {
        "measure": address(measure_inputs(run)),
        **{name: given_sha256(path, f"comparison.{name}") for name, path in given.items()},
        "same_definition": settings.same_definition if settings else (),
        "max_unobserved": settings.max_unobserved if settings else None,
        "code": source_digest("estimate", "run/results/stage", "run/tables"),
    }

    def write(folder: Path) -> None:
        tables = {
            name: None if path is None else read_given_csv(path, f"comparison.{name}")
            for name, path in given.items()
        }
        areas = _areas(run)
        table = compare(
            areas,
            recorded_plots(run) if tables["field"] is None else tables["field"],
            tables["official"],
            target=run.base.scheme.target,
            same_definitions=settings.same_definition if settings else (),
            periods=run.periods,
            max_unobserved=settings.max_unobserved if settings else 1.0,
        )
        write_comparison(folder, table)
        with_text(table).to_parquet(folder / "comparison.parquet", index=False)
        notes = [note_rows(table, "comparison", _COMPARISON_KEYS)]
        if tables["official"] is not None:
            write_own_csv(folder / "unmatched.csv", unmatched_official(areas, tables["official"]))
        if tables["eradication"] is not None and settings is not None:
            claims = _eradication(run, tables["eradication"], areas, settings.max_unobserved)
            write_own_csv(folder / "eradication.csv", claims)
            notes.append(note_rows(claims, "eradication", _CLAIM_KEYS))
        write_own_csv(folder / "comparison_notes.csv", pd.concat(notes, ignore_index=True))

    run.one_unit("compare", inputs, write)


def _areas(run: Run) -> pd.DataFrame:
    """areas/1 of the regions, then of the groups."""
    areas = pd.read_parquet(run.store.root / "hectares.parquet")
    if not run.config.groups:
        return areas
    groups = read_own_csv(run.store.root / "groups.csv")
    exact = [Decimal(f"{v:.10f}") for v in groups["mapped_ha"].tolist()]
    return pd.concat([areas, groups.assign(mapped_ha=pd.Series(exact, dtype=object))], ignore_index=True)


def recorded_plots(run: Run) -> pd.DataFrame | None:
    """region_id, period, class, field_ha: the plots that crews drew, added up; None where records are points.

    A sum of what was visited, not an estimate of what there is.
    """
    records = run.config.records
    if records is None or records.matching.support != "plot":
        return None
    rows = read_own_csv(run.store.root / "records.csv")
    rows = rows[rows["reference_class"].notna() & rows["region_id"].notna() & rows["period"].notna()]
    sums = rows.groupby(["region_id", "period", "reference_class"], sort=True)["recorded_ha"].sum()
    return sums.rename("field_ha").rename_axis(["region_id", "period", "class"]).reset_index()


def _eradication(run: Run, claims: pd.DataFrame, areas: pd.DataFrame, max_unobserved: float) -> pd.DataFrame:
    path = run.store.root / "change.csv"
    change = read_own_csv(path) if len(run.periods) > 1 else pd.DataFrame(columns=CHANGE_COLUMNS)
    own = change[change["quantity"].isin(QUANTITIES) & change["region_id"].notna()]
    return eradication_table(
        claims, own, areas, run.periods, target=run.base.scheme.target, max_unobserved=max_unobserved
    )


def page_inputs(run: Run) -> PageInputs:
    """All that the page of a run is made of."""
    config, comparison = run.config, run.config.comparison
    return PageInputs(
        run_facts(run),
        config.records,
        comparison.official if comparison else None,
        comparison.truth if comparison and run.simulated else None,
        tuple(run.summary.failures),
        reproduce(run),
    )


def reproduce(run: Run) -> Reproduce:
    """The command, the configuration, and what identifies its inputs."""
    config = run.config
    given = {
        "samples": None if config.train is None else config.train.samples.path,
        "records": None if config.records is None else config.records.path,
        "strata": None if config.records is None else config.records.strata,
        "official figures": None if config.comparison is None else config.comparison.official,
    }
    files = {role: path for role, path in given.items() if path is not None}
    hashes = {
        "regions": run.base.regions.sha256,
        "class scheme": run.base.scheme.sha256,
        "scenes": run.scenes_address,
        **{role: sha256_file(path) for role, path in files.items()},
    }
    inputs = [(source.path.name, "regions") for source in config.regions.sources]
    inputs += [(path.name, role) for role, path in files.items()]
    path = run.config_path
    return Reproduce(
        command=f"cocal run {path.name if path else 'CONFIG'}",
        config_text=path.read_text(encoding="utf-8") if path else config.model_dump_json(indent=2),
        hashes=hashes,
        versions={"cocal": metadata.version("cocal")} | library_versions(),
        inputs=tuple(inputs),
    )


def report_stage(run: Run) -> None:
    """report/index.html: the page, in Spanish and English."""
    from cocal.report import report  # pictures are slow to load

    given = page_inputs(run)
    inputs = {
        "measure": address(measure_inputs(run)),
        "comparison": sha256_file(run.store.root / "comparison.csv"),
        "truth": given_sha256(given.truth, "comparison.truth"),
        "official": given_sha256(given.official, "comparison.official"),
        "reproduce": asdict(given.reproduce),
        "days": sorted(str(day) for day in given.run.days),
        "model": sha256_file(given.run.model / CARD),
        "failures": given.failures,
        "code": source_digest("report", "accuracy", "run/results", "run/tables"),
    }
    run.one_unit("report", inputs, lambda folder: report(folder / "report", page_content(given)))
