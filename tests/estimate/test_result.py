"""How an estimate is written, read from files, and set beside the map."""

from __future__ import annotations

import io
import json
import time

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import olofsson, random_design

from cocal.contracts import Period
from cocal.errors import InputError
from cocal.estimate import count_units, estimate_areas, estimate_files, mapped_table, with_estimates
from cocal.estimate.result import FIGURES
from cocal.notes import Note
from cocal.scheme import ClassScheme

COLOURS = {"coca": "#aa0000", "forest": "#00aa00", "pasture": "#aaaa00"}
SCHEME = ClassScheme(
    id="three",
    target="coca",
    definition={"counts": "coca"},
    classes=tuple(
        {"code": i, "key": key, "name_es": key, "name_en": key, "colour": colour}
        for i, (key, colour) in enumerate(COLOURS.items(), start=1)
    ),
)


def estimated(sample: pd.DataFrame, strata: pd.DataFrame, **changes: object):
    settings = {
        "classes": None, "estimator": "stratified", "interval": "gamma", "confidence": 0.95, "by_region": True
    }  # fmt: skip
    return estimate_areas(sample, strata, **(settings | changes))


def test_the_json_has_the_keys_that_readers_rely_on() -> None:
    sample, strata = olofsson()
    document = estimated(sample.assign(region="R1"), strata, interval="wald").to_json_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document) >= {
        "estimator", "interval", "confidence", "n", "overall_accuracy", "overall_accuracy_se", "classes",
        "regions", "warnings",
    }  # fmt: skip
    assert (document["n"], document["confidence"]) == (640, 0.95)
    assert round(document["overall_accuracy"], 6) == 0.946512
    row = document["classes"]["deforestation"]
    assert list(row) == list(FIGURES)
    assert round(row["area_ha"], 1) == 21157.8
    assert round(row["standard_error_ha"], 1) == 3141.7
    assert document["regions"]["R1"]["classes"]["deforestation"] == row


def test_what_the_sample_cannot_say_is_null_not_nan() -> None:
    sample, strata = olofsson()
    document = estimated(
        sample, strata, by_region=False, classes=[*strata["stratum"], "water"]
    ).to_json_dict()
    assert document["classes"]["water"]["users_accuracy"] is None
    assert document["classes"]["water"]["area_ha"] == 0.0
    assert document["regions"] == {}


def test_text_and_csv_hold_the_same_figures() -> None:
    estimate = estimated(*random_design(5))
    text, table = estimate.to_text(), pd.read_csv(io.StringIO(estimate.to_csv()), keep_default_na=False)
    assert table["class"].tolist() == ["coca", "forest", "pasture"] * 3
    assert table["region"].tolist() == [""] * 3 + ["R0"] * 3 + ["R1"] * 3
    assert f"{estimate.classes['area_ha'][0]:,.1f}" in text
    assert float(table["area_ha"][0]) == pytest.approx(estimate.classes["area_ha"][0])
    assert "95 % interval gamma" in text
    assert "n = " in text


def the_map() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    crop_class = rng.integers(0, 4, (20, 20)).astype(np.uint8)
    owner = np.repeat(np.arange(3, dtype=np.int32), [8, 6, 6])[:, None] * np.ones((1, 20), np.int32)
    units = np.full((20, 20), 100_000_000, dtype=np.int64)
    regions = pd.DataFrame({"region_id": ["R0", "R1", "R2"], "region_name": "x", "country": "BO"})
    counts = count_units(crop_class, owner.astype(np.int32), units, 3)
    return mapped_table(counts, regions, SCHEME, Period("2024", None, None))  # type: ignore[arg-type]


def test_estimates_stand_beside_the_mapped_hectares_and_never_in_their_place() -> None:
    estimate = estimated(*random_design(11, n_strata=4), classes=SCHEME.keys)
    before = the_map()
    table = with_estimates(before, estimate)
    assert table["mapped_ha"].tolist() == before["mapped_ha"].tolist()
    cells = table.set_index(["region_id", "class"])
    source = estimate.regions.set_index(["region", "class"])
    row, figures = cells.loc[("R1", "forest")], source.loc[("R1", "forest")]
    assert (row["estimated_ha"], row["ci_low_ha"]) == (figures["area_ha"], figures["ci_low_ha"])
    assert (row["n_reference"], row["confidence"]) == (figures["n"], 0.95)
    assert (row["interval"], row["estimator"]) == ("gamma", "stratified")
    assert row["notes"] == (Note("observed_area_only"),)


def test_a_region_without_points_and_the_unobserved_row_stay_without_an_estimate() -> None:
    cells = with_estimates(the_map(), estimated(*random_design(11))).set_index(["region_id", "class"])
    assert np.isnan(cells.loc[("R2", "coca"), "estimated_ha"])
    assert cells.loc[("R2", "coca"), "notes"] == (Note("n_too_small_no_point_in_region"),)
    assert np.isnan(cells.loc[("R1", "unobserved"), "estimated_ha"])
    assert cells.loc[("R1", "unobserved"), "notes"] == ()
    assert cells.loc[("R1", "unobserved"), "n_reference"] is pd.NA


def test_two_files_give_what_two_tables_give(tmp_path) -> None:
    sample, strata = random_design(6)
    sample.to_csv(tmp_path / "sample.csv", index=False, encoding="utf-8-sig")
    strata.to_csv(tmp_path / "strata.csv", index=False)
    settings = {"estimator": "stratified", "interval": "gamma", "confidence": 0.9}
    read = estimate_files(tmp_path / "sample.csv", tmp_path / "strata.csv", by="region", **settings)
    direct = estimate_areas(sample, strata, classes=None, by_region=True, **settings)
    pd.testing.assert_frame_equal(read.regions, direct.regions)


def test_a_class_called_na_is_a_class(tmp_path) -> None:
    sample, strata = olofsson()
    named = sample.replace("gain", "NA"), strata.replace("gain", "NA")
    for name, table in zip(("sample", "strata"), named, strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    estimate = estimate_files(
        tmp_path / "sample.csv", tmp_path / "strata.csv", by=None, estimator="stratified", interval="wald",
        confidence=0.95,
    )  # fmt: skip
    assert "NA" in estimate.classes["class"].tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"", "cannot be read"),
        (b"stratum;map_class;reference_class\na;a;a\n", "no column 'stratum'"),
        ("stratum,map_class,reference_class\na,a,Almácigo\n".encode("latin-1"), "cannot be read"),
        (b"stratum,map_class,reference_class\n", "sample has no rows"),
    ],
)
def test_a_file_that_is_no_sample_is_refused_by_name(tmp_path, content: bytes | None, words: str) -> None:
    olofsson()[1].to_csv(tmp_path / "strata.csv", index=False)
    if content is not None:
        (tmp_path / "sample.csv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        estimate_files(
            tmp_path / "sample.csv", tmp_path / "strata.csv", by=None, estimator="stratified",
            interval="wald", confidence=0.95,
        )  # fmt: skip


def test_a_domain_column_that_is_not_there_is_named(tmp_path) -> None:
    sample, strata = olofsson()
    sample.to_csv(tmp_path / "sample.csv", index=False)
    strata.to_csv(tmp_path / "strata.csv", index=False)
    with pytest.raises(InputError, match="no column 'province'"):
        estimate_files(
            tmp_path / "sample.csv", tmp_path / "strata.csv", by="province", estimator="stratified",
            interval="wald", confidence=0.95,
        )  # fmt: skip


@pytest.mark.slow
def test_a_million_points_in_ten_thousand_regions_take_seconds() -> None:
    """Measured 3 CPU seconds with the JSON; the limit is a minute."""
    rng = np.random.default_rng(0)
    n, classes = 1_000_000, np.array(["coca", "forest", "pasture"])
    mapped = rng.integers(0, 3, n)
    sample = pd.DataFrame(
        {
            "stratum": classes[mapped],
            "map_class": classes[mapped],
            "reference_class": classes[np.where(rng.random(n) < 0.9, mapped, rng.integers(0, 3, n))],
            "region": np.char.add("R", rng.integers(0, 10_000, n).astype(str)),
        }
    )
    strata = pd.DataFrame({"stratum": classes, "area_ha": [1e4, 4e6, 3e6]})
    began = time.process_time()
    estimate = estimated(sample, strata)
    assert len(json.dumps(estimate.to_json_dict())) > 10_000
    assert time.process_time() - began < 30
    sums = estimate.regions.groupby("class")["area_ha"].sum().to_numpy()
    assert sums == pytest.approx(estimate.classes["area_ha"].to_numpy(), rel=1e-9)
