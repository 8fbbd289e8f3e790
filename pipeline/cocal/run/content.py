"""What the page says, gathered from the committed tables and maps of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from cocal import accuracy
from cocal.contracts import UNOBSERVED, Period
from cocal.report import (
    OUTSIDE,
    Accuracy,
    MapOverview,
    MapPicture,
    RecordsSummary,
    ReportContent,
    Reproduce,
)
from cocal.run.overview import overview
from cocal.run.tables import read_own_csv, truth_table
from cocal.store import library_versions

if TYPE_CHECKING:
    from cocal.run.stages import Run

_CARD = (
    "id", "estimator", "features", "classes", "training", "missing", "seed", "simulated", "sha256", "validation",
    "cocal_version", "libraries",
)  # fmt: skip


def report_content(run: Run) -> ReportContent:
    """Everything on the page; no coordinate of a field record is among it."""
    root, config = run.store.root, run.config
    records = root / "records.csv"
    matched = read_own_csv(records) if config.records and records.exists() else None
    estimates = json.loads((root / "estimates.json").read_text(encoding="utf-8"))
    last = run.periods[-1]
    card = json.loads((run.require_model() / "card.json").read_text(encoding="utf-8"))
    return ReportContent(
        run_name=config.name,
        periods=tuple(run.periods),
        scheme=run.base.scheme,
        areas=pd.read_parquet(root / "hectares.parquet"),
        region_areas=read_own_csv(root / "regions.csv"),
        countries=read_own_csv(root / "countries.csv").fillna({"interval": "", "estimator": "", "notes": ""}),
        comparison=pd.read_parquet(root / "comparison.parquet"),
        truth=truth_table(run),
        model_card={key: card[key] for key in _CARD},
        map_overview=map_overview(run),
        records_summary=None if matched is None else records_summary(run, matched),
        accuracy=None if matched is None else map_accuracy(run, matched, estimates.get(last.name), last),
        failures=tuple(run.journal.failures),
        reproduce=reproduce(run),
        simulated=run.simulated,
        notes=run.base.regions.notes,
        caveats=read_own_csv(root / "caveats.csv") if (root / "caveats.csv").exists() else None,
        observers=estimates.get(last.name, {}).get("observers") or None,
    )


def map_overview(run: Run) -> MapOverview:
    """The decimated map of each period, with the ground outside all regions masked."""
    regions = run.base.regions
    extent = tuple(float(v) for v in regions.area.bounds)
    pictures = []
    for period in run.periods:
        maps = {
            tile: run.store.home(unit.name) / "class.tif"
            for (name, tile), unit in run.maps.items()
            if name == period.name and unit is not None
        }
        picture = overview(maps, extent)  # type: ignore[arg-type]
        height, width = picture.codes.shape
        west, south, east, north = extent
        lon = west + (np.arange(width) + 0.5) * (east - west) / width
        lat = north - (np.arange(height) + 0.5) * (north - south) / height
        shapely.prepare(regions.area)
        inside = shapely.contains_xy(regions.area, *np.meshgrid(lon, lat))
        codes = np.where(inside, picture.codes, OUTSIDE).astype(np.uint8)
        pictures.append(MapPicture(period.name, codes, 4326, (west, south, east, north)))
    outlines = dict(zip(regions.table["region_id"], regions.geometries, strict=True))
    return MapOverview(tuple(pictures), outlines, tuple(_sources(run)))


def _sources(run: Run) -> list[str]:
    platforms = sorted({str(s.properties.get("platform", "unknown platform")) for s in run.scenes})
    days = [s.day for s in run.scenes]
    kind = "SIMULATED scenes" if run.simulated else "Scenes"
    found = [f"{kind}: {', '.join(platforms)}, {min(days)} to {max(days)}, {len(run.scenes)} items"]
    return found + [f"Regions: {source.path.name}" for source in run.config.regions.sources]


def records_summary(run: Run, matched: pd.DataFrame) -> RecordsSummary:
    """Counts of records by status and stratum, and the stated design."""
    assert run.config.records is not None
    strata = matched["stratum"].fillna("").astype(str).value_counts().sort_index()
    design = {
        "probability": {"es": "muestra probabilística estratificada", "en": "stratified probability sample"},
        "purposive": {"es": "puntos elegidos a propósito (sin área)", "en": "purposive points (no area)"},
    }
    return RecordsSummary(
        {str(k): int(v) for k, v in matched["status"].value_counts().sort_index().items()},
        {str(k): int(v) for k, v in strata.items()},
        design[run.config.records.design],
    )


def map_accuracy(
    run: Run, matched: pd.DataFrame, estimate: dict[str, Any] | None, period: Period
) -> Accuracy | None:
    """Map against matched records of the headline period."""
    rows = matched[(matched["status"] == "matched") & (matched["period"].astype(str) == period.name)]
    if rows.empty:
        return None
    keys = list(run.base.scheme.keys)
    counts = accuracy.confusion(rows["reference_class"], rows["map_class"], keys)
    by_class = pd.DataFrame(
        index=keys, columns=["users", "users_se", "producers", "producers_se"], dtype=float
    )
    for key, figures in (estimate or {}).get("classes", {}).items():
        if key != UNOBSERVED:
            names = ("users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se")
            by_class.loc[key] = [figures[name] for name in names]
    unseen = UNOBSERVED in (estimate or {}).get("classes", {})
    overall = None if estimate is None or unseen else estimate["overall_accuracy"]
    return Accuracy(
        counts=pd.DataFrame(counts, index=keys, columns=keys),
        proportions=None,
        by_class=by_class,
        overall=overall,
        overall_se=None if overall is None or estimate is None else estimate["overall_accuracy_se"],
        reference={"es": "registros de campo del periodo", "en": "field records of the period"},
    )


def reproduce(run: Run) -> Reproduce:
    """The command, the configuration, and what identifies its inputs."""
    hashes = {
        "regions": run.base.regions.sha256,
        "class scheme": run.base.scheme.sha256,
        "scenes": run.scenes_address,
    }
    inputs = tuple((s.path.name, "regions") for s in run.config.regions.sources)
    return Reproduce(
        command=f"cocal run {run.config_path.name}" if run.config_path else "cocal run CONFIG",
        config_text=run.config_path.read_text(encoding="utf-8")
        if run.config_path
        else run.config.model_dump_json(indent=2),
        hashes=hashes,
        versions=library_versions(),
        inputs=inputs,
    )
