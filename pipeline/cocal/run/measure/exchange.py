"""exchange.json: the samples of a run as counts, from which `cocal bundle make` makes a bundle.

It has no position and no id of a record, and every cell, however small: as restricted as the run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.checksums import sha256_bytes
from cocal.contracts import ELSEWHERE, UNOBSERVED, Period
from cocal.estimate.settings import CALIBRATED
from cocal.exchange.content import hectares_text, survey_content
from cocal.exchange.survey import BOTH, KEYS, OWN, Survey, answer, cells_of, summed
from cocal.fieldwork import OUTSIDE_REGIONS
from cocal.notes import Note
from cocal.run.measure.change import Pairs, paired_points, pairs_of
from cocal.run.measure.counts import in_time
from cocal.run.measure.known import KnownGround, each_region
from cocal.run.measure.sampling import EXPANSION, Sample, frame_of
from cocal.run.measure.task import HectaresTask
from cocal.store import address

EXCHANGE = "exchange.json"
BUNDLE, EARLIER = Path("files", "bundle.json"), Path("files", "bundle.earlier.json")
"""The run's bundle; and the one before it, of results that are no longer there, kept for what it joined."""
MADE_FROM = Path("files", "bundle.sha256")
"""Checksum of the counts that `BUNDLE` was made from; it stays in the office, as it would confirm a guess."""
log = logging.getLogger(__name__)

Ints = NDArray[np.int64]


def write_exchange(
    folder: Path,
    task: HectaresTask,
    counts: Mapping[str, Ints],
    matched: Mapping[str, pd.DataFrame],
    samples: Mapping[str, Sample],
) -> None:
    """Write `EXCHANGE` into `folder`; nothing where the run estimates nothing."""
    if task.estimate is None or not samples:
        return
    used = _definitions(task, samples)
    labels = {name: _labels(task, used, rows) for name, rows in matched.items() if name}
    surveys = [stock_survey(sample, name, labels[name]) for name, sample in samples.items()]
    surveys += pair_surveys(task, counts, labels, surveys[0].design)
    names = (OWN, *used)
    regions = task.regions.table[["region_id", "region_name", "country"]].astype(str)
    digests = [
        hashlib.sha256(shapely.to_wkb(shape, byte_order=1)).hexdigest()
        for shape in task.regions.raw_geometries
    ]
    facts = {
        "definitions": list(names),
        "crosswalk": None if task.definitions is None else task.definitions.crosswalk.sha256,
        "scheme": {
            "id": task.scheme.id,
            "sha256": task.scheme_sha256,
            "target": task.scheme.target,
            "classes": list(task.scheme.keys),
        },
        "interval": task.estimate.interval,
        "confidence": task.estimate.confidence,
        "regions": regions.assign(sha256=digests).to_dict("records"),
        "regions_sha256": task.regions.sha256,
        "periods": [{"name": p.name, "start": p.start, "end": p.end} for p in task.periods],
        "plots": _plots(counts, task.periods),
        "min_plots": None if task.density is None else task.density.min_plots,
        "out": {name: _out(sample) for name, sample in samples.items()},
        "surveys": [survey_content(survey, names).model_dump(mode="json") for survey in surveys],
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=str)
    (folder / EXCHANGE).write_text(text + "\n", encoding="utf-8")


def _definitions(task: HectaresTask, samples: Mapping[str, Sample]) -> list[str]:
    """The definitions under which every record counts or does not; bounds of others cannot be added up."""
    own = task.definitions
    if own is None:
        return []
    rows = [sample.matched for sample in samples.values()]
    return [name for name in own.use if not any(own.unknown(table, name).any() for table in rows)]


def _labels(task: HectaresTask, used: Sequence[str], rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Definition -> matched records with their classes under it, `OWN` those of the run."""
    own, found = task.definitions, {OWN: rows}
    if own is not None:
        found |= {name: rows.assign(reference_class=own.labels(rows, name)) for name in used}
    return found


def stock_survey(sample: Sample, period: str, labels: Mapping[str, pd.DataFrame]) -> Survey:
    """The sample of a period as counts, of the regions that its points lie in; `labels`: see `_labels`."""
    rows = frame_of(sample.matched)
    answers = {answer(name): frame_of(table)["reference_class"] for name, table in labels.items()}
    own = rows["region_id"].fillna(ELSEWHERE).astype(str)
    place = own.where(rows["status"] != OUTSIDE_REGIONS, ELSEWHERE)
    points = rows.assign(place=place, **answers)
    strata = sample.strata if sample.ground is None else sample.ground.strata
    if sample.crossed:
        points["stratum"] = points["stratum"] + " in " + own
        if sample.ground is None:
            strata = strata.assign(stratum=strata["stratum"] + " in " + strata["region_id"])
    return Survey(
        (period,),
        design_of(sample.strata),
        sample.estimator,
        sample.settings.collapse,
        _strata(strata),
        cells_of(points, list(answers)),
        _ground(sample.ground, sample.each_region),
    )


def pair_surveys(
    task: HectaresTask,
    counts: Mapping[str, Ints],
    labels: Mapping[str, Mapping[str, pd.DataFrame]],
    design: str,
) -> list[Survey]:
    """The points seen in both of successive periods, as counts; `design`: identity of the strata."""
    found, periods = [], [task.periods[i] for i in in_time(task.periods)]
    for k, (first, second) in enumerate(pairwise(periods)):
        cells = counts.get("strata_change")
        own = None if cells is None else cells[cells[:, 0] == k]
        rows = [labels.get(period.name, {}) for period in (first, second)]
        pairs = pairs_of(task, rows[0].get(OWN), rows[1].get(OWN), own)
        if isinstance(pairs, Note) or pairs.points.empty:
            continue
        answers: dict[str, pd.Series[str]] = {}
        for name in rows[0]:
            outside = pairs.known is not None
            read = paired_points(rows[0][name], rows[1][name], task.scheme.target, outside=outside)
            answers |= {answer(name, date): read[f"reference_{date}"] for date in BOTH}
        points = pairs.points.assign(place=pairs.points["region"], **answers)
        periods_of = (first.name, second.name)
        found.append(_pair_survey(task, replace(pairs, points=points), periods_of, design, list(answers)))
    return found


def _pair_survey(
    task: HectaresTask, pairs: Pairs, periods: tuple[str, str], design: str, answers: list[str]
) -> Survey:
    assert task.estimate is not None
    points = pairs.points.copy()
    if pairs.known is not None:  # as the estimate has it: of ground that a map does not show nothing is seen
        points.loc[points["map_class"] == UNOBSERVED, answers] = UNOBSERVED
    estimator = EXPANSION if pairs.known is None else CALIBRATED
    return Survey(
        periods,
        design,
        estimator,
        task.estimate.collapse,
        _strata(pairs.strata),
        cells_of(points, answers),
        _ground(pairs.known, each_region(task)),
    )


def design_of(strata: pd.DataFrame) -> str:
    """The identity of a design: its strata as they were drawn, with their areas."""
    region = strata["region_id"].astype(object).where(strata["region_id"].notna(), "")
    rows = zip(strata["stratum"], region, strata["area_ha"], strict=True)
    return address([[str(name), str(own), hectares_text(ha)] for name, own, ha in rows])


def _strata(strata: pd.DataFrame) -> pd.DataFrame:
    names = ["stratum", "area_ha", *(n for n in ("pixels", "pixel_area_m2") if n in strata)]
    bound = strata["region_id"]
    return strata[names].assign(**({"region": bound} if bound.notna().any() else {})).reset_index(drop=True)


def _ground(ground: KnownGround | None, regions: pd.Series[str]) -> pd.DataFrame | None:
    if ground is None:
        return None
    table = ground.table(regions, "region_id").drop(columns="region").rename(columns={"unit": "place"})
    return summed(table[[*KEYS, "area_ha"]], "area_ha")


def _plots(counts: Mapping[str, Ints], periods: Sequence[Period]) -> dict[str, Any] | None:
    """Plots of each region by period, in their order; None where none were counted."""
    if "plots" not in counts:
        return None
    return {period.name: own.tolist() for period, own in zip(periods, counts["plots"], strict=True)}


def _out(sample: Sample) -> int:
    """Points of the design that have not come back."""
    return 0 if sample.preliminary is None else int(str(sample.preliminary.values["n"]))


def retire_bundle(root: Path) -> None:
    """Move `BUNDLE` to `EARLIER` where it was not made from the counts that the run's folder holds now."""
    made_from, counts = root / MADE_FROM, root / EXCHANGE
    if not (root / BUNDLE).exists():
        return
    stated = made_from.read_text(encoding="utf-8") if made_from.exists() else ""
    if not counts.exists() or stated != sha256_bytes(counts.read_bytes()):
        (root / BUNDLE).replace(root / EARLIER)
        log.warning("%s was made from other results, and is now %s: make it again", BUNDLE, EARLIER.name)
