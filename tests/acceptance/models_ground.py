"""What a model folder refuses, where a model does not apply, and what the full model is ahead of the plain
one.
"""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks import models
from benchmarks.hardness import Pixels, looked_at
from benchmarks.variants import FULL, PLAIN
from sklearn.ensemble import RandomForestClassifier

from cocal.classify import load_model, save_model, train
from cocal.classify.applicability import STEPS, Applicability, applicability_of
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.folds import Fold
from cocal.errors import CocalError
from cocal.scheme import read_scheme
from cocal.simulate import SimulateSettings
from cocal.simulate.land.kinds import CODES

ROOT = Path(__file__).parents[2]
ELEVATION, PUNA_M = 21, 3_000
RECALL, FALSE_ALARM, QUARTER = 0.75, 0.10, 0.25
AHEAD, WINS, SAME_LAND = 0.03, 9, 0.005
UNIT_PX, SAME_AREA = 5, 0.01


def small_model(folder: Path) -> None:
    """A model of 144 invented samples in `folder`."""
    random = np.random.default_rng(1)
    row, column = np.divmod(np.arange(144), 12)
    label = np.array(["coca", "forest", "pasture"])[np.arange(144) % 3]
    table = pd.DataFrame({
        "epsg": 32719, "x": 500_005.0 + 250 * column, "y": 8_500_005.0 + 250 * row, "label": label,
        "sample_id": [f"s{i}" for i in range(144)],
        **{name: (np.arange(144) % 3 + random.normal(0, 0.3, 144)).astype(np.float32) for name in ("NDVI.p10",
            "NDMI.p10")},
    })  # fmt: skip
    settings = TrainSettings.model_validate({
        "id": "small", "estimator": "random_forest", "parameters": {"n_estimators": 20}, "seed": 7,
        "missing": "drop",
        "null_index": "best", "validation": {"block_m": 1000, "folds": 3, "buffer_m": 0},
    })  # fmt: skip
    origin = {
        "source": "invented",
        "licence": "CC0",
        "period": "2020",
        "sample_sha256": "0" * 64,
        "simulated": True,
    }
    scheme = read_scheme(ROOT / "configs" / "schemes" / "border-coca.yaml")
    names = ("NDVI.p10", "NDMI.p10")
    save_model(
        train(table, settings, scheme=scheme, feature_names=names, feature_settings={}, provenance=origin),
        folder,
    )


def refused(folder: Path, words: str) -> None:
    """Pass if loading is refused with these words."""
    with pytest.raises(CocalError) as caught:
        load_model(folder)
    assert words in str(caught.value), str(caught.value)


def an_altered_model_a_card_without_a_feature_and_a_renamed_pickle_are_refused() -> str:
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept) / "small"
        small_model(folder)
        load_model(folder)
        artefact, card = folder / "model.skops", folder / "card.json"
        whole, text = artefact.read_bytes(), card.read_text(encoding="utf-8")
        places = np.linspace(0, len(whole) - 1, 60).astype(int)
        for place in places:
            broken = bytearray(whole)
            broken[place] ^= 1
            artefact.write_bytes(bytes(broken))
            refused(folder, "model.skops" if place else "")
        artefact.write_bytes(pickle.dumps({"a": 1}))
        refused(folder, "not a skops archive")
        artefact.write_bytes(whole)
        content = json.loads(text)
        card.write_text(json.dumps(content | {"features": content["features"][:-1]}), encoding="utf-8")
        refused(folder, "contradicts its artefact")
        edited = text.replace('"source": "invented"', '"source": "measured"')
        card.write_text(edited, encoding="utf-8")
        assert edited != text
        refused(folder, "altered after training")
    return (
        f"{len(places)} bytes changed one at a time, a pickle, a card without a feature, a card reworded: "
        "each refused"
    )


@cache
def land() -> Pixels:
    return looked_at(SimulateSettings(seed=7, year=2020), 0.02)


def area_without(hidden: np.ndarray) -> tuple[Applicability, RandomForestClassifier, np.ndarray]:
    """The area of a forest that never saw the `hidden` pixels; the classifier; what neither trained nor is
    hidden.
    """
    pixels = land()
    seen = np.random.default_rng(0).permutation(np.flatnonzero(~hidden))
    rows, rest = np.sort(seen[:6_000]), seen[6_000:]
    forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=0).fit(
        pixels.year[rows], pixels.code[rows]
    )
    region = pixels.region[rows]
    folds = [
        Fold(str(k), np.flatnonzero(region != k), np.flatnonzero(region == k), 0) for k in np.unique(region)
    ]
    area = applicability_of(forest, pixels.year[rows], folds)
    assert area is not None
    return area, forest, rest


def covers_that_were_not_in_training_are_flagged_and_others_are_not() -> str:
    pixels, said = land(), []
    for name, hidden in (
        ("puna", pixels.year[:, ELEVATION] > PUNA_M),
        ("water", pixels.code == CODES["water"]),
    ):
        area, _, rest = area_without(hidden)
        recall = float((area.steps(pixels.year[hidden]) > STEPS).mean())
        alarm = float((area.steps(pixels.year[rest]) > STEPS).mean())
        assert recall >= RECALL, (name, recall)
        assert alarm <= FALSE_ALARM, (name, alarm)
        said.append(f"{name}: recall {recall:.2f}, false alarm {alarm:.3f}")
    return "; ".join(said)


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three."""
    found = []
    for _ in range(3):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def applicability_costs_less_than_a_quarter_of_predict_proba() -> str:
    values = land().year
    area, forest, _ = area_without(values[:, ELEVATION] > PUNA_M)
    area.steps(values[:100])
    mine, theirs = cpu_seconds(lambda: area.steps(values)), cpu_seconds(lambda: forest.predict_proba(values))
    assert mine < QUARTER * theirs, (mine, theirs)
    per = 1e6 / len(values)
    return (
        f"{mine * per:.1f} us a pixel, predict_proba {theirs * per:.1f}: {mine / theirs:.2f} of it, "
        f"{len(area.samples)} samples"
    )


def the_full_model_is_ahead_of_the_plain_forest_on_ten_lands_and_the_first_measured_again_agrees() -> str:
    """The lands as `benchmarks/models.py` measured them; the first is measured again, from its images on
    where they are
    not kept: 1 minute of CPU, 3 where it is simulated. The documented table is made again from the rows.
    """
    kept = models.read_found()
    assert models.table(kept) in (ROOT / "docs" / "models.md").read_text(encoding="utf-8"), "another table"
    again = pd.concat(models.measured([PLAIN, FULL], models.SEEDS[:1]))
    told = []
    for kind, (plain, full) in f1_of_both(kept).items():
        more = full - plain
        assert set(more.index) == set(models.SEEDS), (kind, more)
        assert more.mean() >= AHEAD, (kind, more)
        assert (more > 0).sum() >= WINS, (kind, more)
        told.append(
            f"{kind}: {plain.mean():.3f} to {full.mean():.3f}, ahead in {(more > 0).sum()} of {len(more)}"
        )
        for before, now in zip((plain, full), f1_of_both(again)[kind], strict=True):
            apart = (before - now).dropna().abs()
            assert len(apart) == 1, apart
            assert apart.max() <= SAME_LAND, f"{kind}: kept {before}, now {now}"
    return f"{'; '.join(told)}; land {models.SEEDS[0]} again within {SAME_LAND}"


def f1_of_both(found: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Per kind of split: F1 of the plain forest and of the full model by land."""
    lands = models.per_land(found).set_index("seed")
    of = {kind: lands[lands["kind"] == kind] for kind in models.KINDS}
    return {
        kind: tuple(part.loc[part["variant"] == v.name, "f1"] for v in (PLAIN, FULL))
        for kind, part in of.items()
    }


def the_minimum_unit_is_ahead_of_the_plain_forest_and_keeps_the_area_of_coca() -> str:
    """By the run's own code: the ten lands as they are kept, the first with a region left out measured
    again.
    """
    unit, key = models.NAMED["plain forest + minimum unit"], models.KEY[1:]
    kept = models.read_found()
    said = {v: kept[kept["variant"] == v.name].set_index(key)["said"] for v in (PLAIN, unit)}
    apart = (said[unit] - said[PLAIN]).abs()
    assert len(apart) == len(models.SEEDS) * 9, len(apart)
    assert (apart <= np.maximum(UNIT_PX, SAME_AREA * said[PLAIN])).all(), apart
    lands = models.per_land(kept).set_index(["kind", "seed"])
    more = lands.loc[lands["variant"] == unit.name, "f1"] - lands.loc[lands["variant"] == PLAIN.name, "f1"]
    assert (more > 0).all(), more
    assert more.mean() >= AHEAD, more
    again = models.per_land(pd.concat(models.measured([unit], models.SEEDS[:1], ["region"])))["f1"].item()
    before = lands.loc[lands["variant"] == unit.name, "f1"]["region", models.SEEDS[0]]
    assert abs(again - before) <= SAME_LAND, (again, before)
    return (
        f"F1 {more.mean():+.3f}, ahead in {(more > 0).sum()} of {len(more)}; area apart by {apart.max()} "
        "pixels at most"
    )


REQUIREMENTS = [
    the_minimum_unit_is_ahead_of_the_plain_forest_and_keeps_the_area_of_coca,
    an_altered_model_a_card_without_a_feature_and_a_renamed_pickle_are_refused,
    covers_that_were_not_in_training_are_flagged_and_others_are_not,
    applicability_costs_less_than_a_quarter_of_predict_proba,
    the_full_model_is_ahead_of_the_plain_forest_on_ten_lands_and_the_first_measured_again_agrees,
]
