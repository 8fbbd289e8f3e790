"""Made-up content: a landscape on the border, both countries, as many regions as asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from cocal.contracts import AREA_COLUMNS, COMPARISON_COLUMNS, UNOBSERVED, Period
from cocal.notes import Note
from cocal.report.content import (
    OUTSIDE,
    Accuracy,
    MapOverview,
    MapPicture,
    RecordsSummary,
    ReportContent,
    Reproduce,
)
from cocal.report.place import TOTAL
from cocal.scheme import read_scheme

SCHEME = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
NAMES = (
    ("PE", "San Pedro de Putina Punco"),
    ("PE", "Alto Inambari"),
    ("PE", "San Gabán"),
    ("BO", "Apolo"),
    ("BO", "Pelechuco"),
    ("BO", "San Buenaventura"),
)
WEST, SOUTH, SIDE, OWNED = -69.3, -14.6, 0.12, 10_000.0
SHARES = {
    "coca": 0.012,
    "forest": 0.55,
    "regrowth": 0.2,
    "pasture": 0.1,
    "other_crops": 0.06,
    "bare": 0.02,
    "water": 0.02,
}
UNSEEN = 0.038


def _names(n: int) -> list[tuple[str, str]]:
    more = [("PE" if i % 2 else "BO", f"Distrito número {i + 1}") for i in range(len(NAMES), n)]
    return [*NAMES, *more][:n]


def _coca(index: int) -> float:
    return 20.0 + 37.5 * (index % 7)


def _small_area(value: float) -> dict[str, float]:
    ends = {"small_area_low_ha": 0.8 * value, "small_area_high_ha": 1.5 * value}
    return {"small_area_ha": 1.1 * value} | ends


def _area_rows(
    names: list[tuple[str, str]], period: str, estimated: bool, small: bool
) -> list[dict[str, object]]:
    rows = []
    for index, (country, name) in enumerate(names):
        mapped = {k: OWNED * share for k, share in SHARES.items()} | {"coca": _coca(index)}
        mapped[UNOBSERVED] = OWNED * UNSEEN
        mapped["forest"] += OWNED - sum(mapped.values())
        for key, value in mapped.items():
            row = dict.fromkeys(AREA_COLUMNS, np.nan) | {
                "region_id": f"r{index}",
                "region_name": name,
                "country": country,
                "period": period,
                "class": key,
                "mapped_ha": value,
                "observed_fraction": 1 - UNSEEN,
                "interval": "",
                "estimator": "",
                "last_source": "",
                "notes": (),
            }
            if estimated and key == "coca":
                row |= _estimate(1.2 * value, 0.11 * value) | {"n_reference": 40 + index}
            if small and key == "coca":
                row |= {
                    "interval": "gamma",
                    "notes": (Note("ground_not_sampled", ha=310.0),) if index == 3 else (),
                }
                row |= {"last_ha": 1.1 * value, "last_source": "2022"}
                row |= _small_area(value) if value < 100 else {}
            rows.append(row)
    return rows


def _estimate(value: float, error: float) -> dict[str, object]:
    return {
        "estimated_ha": value,
        "standard_error_ha": error,
        "ci_low_ha": value - 1.96 * error,
        "ci_high_ha": value + 1.96 * error,
        "confidence": 0.95,
        "interval": "wald",
        "estimator": "stratified",
    }


def _country_rows(areas: pd.DataFrame, estimated: bool) -> pd.DataFrame:
    whole = areas.assign(country=TOTAL)
    summed = (
        pd.concat([areas, whole]).groupby(["country", "period", "class"], as_index=False)["mapped_ha"].sum()
    )
    rows = []
    for row in summed.to_dict("records"):
        full = dict.fromkeys((c for c in AREA_COLUMNS if not c.startswith("region")), np.nan) | row
        if estimated and row["class"] == "coca":
            full |= _estimate(1.2 * row["mapped_ha"], 0.06 * row["mapped_ha"])
        rows.append(full)
    return pd.DataFrame(rows)


def _comparison(areas: pd.DataFrame) -> pd.DataFrame:
    coca = areas[areas["class"] == "coca"]
    rows = []
    for index, row in enumerate(coca.to_dict("records")):
        best = row["estimated_ha"] if not math.isnan(row["estimated_ha"]) else row["mapped_ha"]
        official = None if index % 3 == 2 else round(1.15 * best)
        rows.append(
            {name: row.get(name) for name in COMPARISON_COLUMNS}
            | {
                "field_ha": 0.9 * best if index % 2 else None,
                "official_ha": official,
                "official_source": "Serie oficial inventada, 2023",
                "difference_ha": None if official is None else best - official,
                "agreement": 0.2,
                "verdict": "" if official is None else ("differs", "agrees", "cannot_tell")[index % 3],
                "width_needed_ha": None if official is None or index % 3 < 2 else 0.4 * best,
                "why_not_comparable": () if index % 2 else (Note("period_differs", periods=["2019"]),),
            }
        )
    return pd.DataFrame(rows)


def _outlines(n: int) -> dict[str, shapely.Polygon]:
    columns = max(2, math.ceil(math.sqrt(n)))
    found = {}
    for index in range(n):
        column, row = index % columns, index // columns
        steps = np.linspace(0, 1, 9)
        west = [WEST + SIDE * (column + 0.08 * math.sin(5 * (row + s) + column)) for s in steps]
        east = [WEST + SIDE * (column + 1 + 0.08 * math.sin(5 * (row + s) + column + 1)) for s in steps]
        up = [SOUTH + SIDE * (row + s) for s in steps]
        ring = [*zip(west, up, strict=True), *reversed([*zip(east, up, strict=True)])]
        found[f"r{index}"] = shapely.Polygon(ring)
    return found


def _overview(n: int, periods: tuple[Period, ...]) -> MapOverview:
    outlines = _outlines(n)
    bounds = shapely.union_all([*outlines.values()]).buffer(0.01).bounds
    generator = np.random.default_rng(7)
    height = max(40, round(420 * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])))
    coarse = generator.choice([1, 2, 2, 2, 3, 3, 4, 5, 6, 7], size=(height // 6 + 1, 71)).astype(np.uint8)
    codes = np.repeat(np.repeat(coarse, 6, axis=0), 6, axis=1)[:height, :420].copy()
    codes[height // 3 : height // 3 + 40, 60:150] = 0
    x = bounds[0] + (np.arange(420) + 0.5) * (bounds[2] - bounds[0]) / 420
    y = bounds[3] - (np.arange(height) + 0.5) * (bounds[3] - bounds[1]) / height
    inside = shapely.contains_xy(shapely.union_all([*outlines.values()]), *np.meshgrid(x, y))
    codes[~inside] = OUTSIDE
    pictures = tuple(MapPicture(p.name, codes, bounds) for p in periods)
    sources = (
        {"es": "imágenes inventadas por cocal simulate", "en": "images invented by cocal simulate"},
        {"es": "límites inventados", "en": "invented boundaries"},
    )
    return MapOverview(pictures, outlines, sources)


def _accuracy(keys: tuple[str, ...]) -> Accuracy:
    counts = pd.DataFrame(2, index=keys, columns=keys)
    for key in keys:
        counts.loc[key, key] = 48
    users = pd.DataFrame(
        {"users": 0.8, "users_se": 0.052, "producers": 0.66, "producers_se": 0.094}, index=[*keys]
    )
    users.loc["water", ["producers", "producers_se"]] = np.nan
    nulls = pd.DataFrame(
        [("this map", "F1", 0.723), ("NDVI threshold", "F1", 0.41), ("last census", "F1", 0.655)],
        columns=["name", "score", "value"],
    )
    reference = {"es": "420 registros de campo inventados", "en": "420 invented field records"}
    return Accuracy(counts, counts / counts.to_numpy().sum(), users, 0.912, 0.011, reference, nulls)


def _scored(f1: float) -> dict[str, object]:
    coca = {"users_accuracy": f1 + 0.05, "producers_accuracy": f1 - 0.05, "f1": f1, "n_reference": 240}
    return {
        "pooled": {"overall_accuracy": 0.9, "macro_f1": f1 + 0.02, "classes": {"coca": coca}},
        "folds": [],
    }


def _card() -> dict[str, object]:
    origin = {"source": "invented polygons", "licence": "CC0", "period": "2023", "simulated": True}
    return {
        "id": "demo-forest",
        "estimator": "random_forest",
        "features": ["NDVI@01", "NDVI.p10", "NBR.amplitude", "swir16.median"],
        "missing": "drop",
        "training": {"provenance": origin, "samples": {"coca": 40, "forest": 55}},
        "validation": {
            "design": {"kind": "spatial blocks", "block_m": 600, "buffer_m": 60, "folds": 5},
            "model": _scored(0.81),
            "null_models": {"majority": _scored(0.1), "one_index": _scored(0.46) | {"rules": []}},
        },
        "seed": 7,
        "self_test": {"inputs": [[0.1]], "probabilities": [[1.0]]},
        "sha256": "3f" * 32,
    }


def build(
    n_regions: int = 6,
    *,
    estimated: bool = True,
    simulated: bool = True,
    n_periods: int = 1,
    names: list[tuple[str, str]] | None = None,
    further: bool = False,
    small: bool = False,
    **changes: object,
) -> ReportContent:
    scheme = read_scheme(SCHEME)
    names = names or _names(n_regions)
    periods = tuple(Period(str(y), date(y, 1, 1), date(y, 12, 31)) for y in range(2024 - n_periods, 2024))
    areas = pd.DataFrame([r for p in periods for r in _area_rows(names, p.name, estimated, small)])
    regions = pd.DataFrame(
        {
            "region_id": [f"r{i}" for i in range(len(names))],
            "region_name": [name for _, name in names],
            "country": [country for country, _ in names],
            "owned_ha": OWNED,
            "polygon_ha": OWNED * 1.00042,
            "difference_percent": -0.042,
        }
    )
    truth = pd.DataFrame(
        {
            "region_id": regions["region_id"],
            "class": "coca",
            "truth_ha": [1.15 * _coca(i) for i in range(len(names))],
        }
    )
    content = ReportContent(
        run_name="demo",
        periods=periods,
        scheme=scheme,
        areas=areas,
        region_areas=regions,
        countries=_country_rows(areas, estimated),
        comparison=_comparison(areas),
        truth=truth if simulated else None,
        model_card=_card(),
        map_overview=_overview(len(names), periods),
        records_summary=RecordsSummary(
            {"matched": 400, "outside_map": 6, "unobserved": 14},
            {"coca": 120, "forest": 180, "pasture": 100},
            {"es": "aleatorio estratificado por clase del mapa", "en": "random, stratified by map class"},
        ),
        accuracy=_accuracy(scheme.keys),
        failures=(("2023/32719-384-0123-2345", "cannot read B04.tif: truncated"),),
        reproduce=Reproduce(
            "cocal run configs/demo.yaml",
            "name: demo\nperiods:\n  - 2023\n",
            {"config": "ab" * 32, "model": "3f" * 32},
            {"cocal": "0.1.0", "numpy": "2.4.6", "gdal": "3.12.1"},
            (("archive", "24 scenes"), ("regions.gpkg", "cd" * 32)),
        ),
        simulated=simulated,
        left_out=(Note("scenes_unused", n=2, of=8, share=0.25, which=["a", "b"]),),
        warnings=((periods[-1].name, Note("non_response", stratum="forest", share=0.12)),)
        if estimated
        else (),
    )
    changes = (_further(areas, periods) if further else {}) | changes
    return replace(content, **changes)  # type: ignore[arg-type]


def _kind(es: str, en: str) -> dict[str, str]:
    return {"kind_es": es, "kind_en": en}


def _further(areas: pd.DataFrame, periods: tuple[Period, ...]) -> dict[str, object]:
    """Groups, change, legal zones, claims, an official series and a calibration, invented."""
    last = periods[-1].name
    figures = {"estimated_ha": 12.5, "ci_low_ha": 4.0, "ci_high_ha": 30.0}
    change = [
        {"region_id": region, "region_name": name, "country": "PE", "from_period": "2022", "to_period": last}
        | {"quantity": quantity, "mapped_ha": 10.0, "seen_twice_ha": 9_000.0, "notes": notes} | given
        for region, name in (("r0", "San Pedro"), (np.nan, np.nan))
        for quantity, given, notes in (
            ("cleared", figures, ()), ("new", figures, ()), ("net", figures, ()),
            ("replanted", {}, (Note("maps_only"),)),
        )
    ]  # fmt: skip
    over = {"limit_ha": 55.0, "over_limit_ha": -42.5, "over_limit_low_ha": -51.0, "over_limit_high_ha": -25.0}
    place = {
        "period": last,
        "mapped_ha": 10.0,
        "observed_fraction": 0.9,
        "source": "",
        "notes": (Note("presence_not_illegality"),),
    }
    legal = [
        {"level": "zone", "id": "z1", "name": "Parque <b>", "kind": "protected"}
        | _kind("protegida", "protected") | place | figures,
        {"level": "kind", "id": "outside", "name": "outside", "kind": "outside"}
        | _kind("fuera de las zonas", "outside of the zones") | place,
        {"level": "limit", "id": "l1", "name": "l1", "kind": "authorised+protected"}
        | _kind("autorizada + protegida", "authorised + protected") | place | figures | over
        | {"limit_lies": "above", "source": "Ley inventada"},
    ]  # fmt: skip
    claim = {
        "region_id": "r0", "from_period": "2022", "to_period": last, "source": "autoridad inventada",
        "claimed_ha": 20.0, "validated_ha": 9.0, "cleared_mapped_ha": 10.0, "claimed_minus_seen_ha": 10.0,
        "verdict": "cannot_tell", "width_needed_ha": None,
        "why_not_comparable": (Note("clearing_days_not_stated"),),
    }  # fmt: skip
    operations = {
        "level": "total", "id": "total", "name": "total", "period": last, "n": 12, "claimed_ha": 30.0,
        "claimed_ha_cleared": 11.0, "claimed_ha_partly": 4.0, "claimed_ha_not": 6.0,
        "claimed_ha_replanted": 2.0, "claimed_ha_not_observed": 7.0, **figures,
        "notes": (Note("operations_not_observed", n=3, ha=7.0),),
    }  # fmt: skip
    own = areas[areas["region_id"] == "r0"]
    return {
        "groups": own.assign(region_id="PE", region_name="PE"),
        "change": pd.DataFrame(change),
        "legal": pd.DataFrame(legal),
        "eradication": pd.DataFrame([claim]),
        "operation_sums": pd.DataFrame([operations]),
        "applicability": pd.DataFrame(
            {
                "region_name": ["San Pedro"],
                "period": last,
                "observed_ha": 9_000.0,
                "outside_ha": 90.0,
                "outside_fraction": 0.01,
                "mapped_ha": 10.0,
                "mapped_outside_ha": 1.0,
                "expected_ha": 12.0,
            }
        ),
        "minimum_unit": pd.DataFrame(
            {
                "region_name": ["San Pedro"],
                "period": last,
                "draft_ha": 10.2,
                "removed_ha": 1.5,
                "added_ha": 1.3,
                "mapped_ha": 10.0,
            }
        ),
        "official": pd.DataFrame({"region_id": "r0", "when": [2021.0, 2022.0], "official_ha": [10.0, 15.0]}),
        "calibration": pd.DataFrame({"predicted": [0.1, 0.6], "observed": [0.05, 0.7], "n": [90, 30]}),
    }


@pytest.fixture(scope="session")
def made_up() -> Callable[..., ReportContent]:
    return build
