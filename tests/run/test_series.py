"""`cocal train` on a table of time series alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from tests.support.command import in_process

from cocal.config import RunConfig, SeriesConfig, read_training
from cocal.errors import ConfigError, InputError
from cocal.run.series import in_one_year, train_series

DAYS = pd.date_range("2020-01-05", "2020-12-20", periods=12).strftime("%Y-%m-%d")
MODEL = {
    "id": "m", "estimator": "extra_trees", "parameters": {"n_estimators": 15}, "seed": 1, "missing": "native",
    "null_index": "best", "validation": {"block_m": 22_000, "folds": 3, "buffer_m": 0},
}  # fmt: skip


def invented(seed: int = 1, samples: int = 90) -> pd.DataFrame:
    """Bare ground and forest, apart in the near infrared, on irregular dates of which a tenth are missing."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(samples):
        forest = number % 2 == 0
        place = random.uniform([-64, -11], [-63, -10])
        for day in DAYS[random.random(len(DAYS)) > 0.1]:
            red, nir = random.normal(400, 60), random.normal(3400 if forest else 2400, 300)
            label = "Dry Forest" if forest else "Bare soil"
            rows.append((f"p{number}", day, round(red), round(nir), label, *place))
    return pd.DataFrame(rows, columns=["id", "day", "B04", "B08", "class", "lon", "lat"])


def written(folder: Path, table: pd.DataFrame, samples: dict[str, Any] | None = None, **changes: Any) -> Path:
    table.to_csv(folder / "series.csv", index=False)
    section = {
        "kind": "series", "path": "series.csv", "label_column": "class", "id_column": "id",
        "date_column": "day",
        "longitude_column": "lon", "latitude_column": "lat", "bands": {"red": "B04", "nir": "B08"},
        "scale": 0.0001, "source": "invented", "licence": "CC0-1.0", **(samples or {}),
    }  # fmt: skip
    content = {
        "name": "t",
        "runs": "runs",
        "target": "Dry Forest",
        "train": {"samples": section, "model": MODEL},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(content | changes), encoding="utf-8")
    return folder / "c.yaml"


def series_config(path: Path) -> SeriesConfig:
    config = read_training(path)
    assert isinstance(config, SeriesConfig)
    return config


def test_a_table_alone_makes_a_model_with_classes_from_its_labels_and_features_from_its_dates(
    tmp_path: Path,
) -> None:
    config = series_config(written(tmp_path, invented()))
    folder, card = train_series(config)
    assert card.classes == {"bare_soil": 1, "dry_forest": 2}
    assert card.class_scheme.target == "dry_forest"
    # 12 dates, 32 days apart in the middle: twelve windows, each with its date; only the indices of red and
    # near infrared
    dated = [name for name in card.features if "@" in name]
    assert [name for name in dated if name.startswith("NDVI@")][:2] == ["NDVI@d001", "NDVI@d033"]
    assert {name.partition("@")[0] for name in dated} == {"red", "nir", "NDVI", "EVI2"}
    assert card.training.dropped_for_missing_features == {}
    assert card.validation["model"]["pooled"]["overall_accuracy"] > 0.95
    again, same = train_series(config)
    assert (again, same.sha256) == (folder, card.sha256)


def test_the_command_prints_the_nulls_and_where_the_model_is(tmp_path: Path) -> None:
    path = written(tmp_path, invented())
    done = in_process("train", path)
    assert done.returncode == 0, done.stderr
    for words in ("plain_forest", "persistence", "no earlier map", "runs/t/model/"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("samples", "table", "words"),
    [
        ({"label_column": "klass"}, invented(samples=4), r"no column 'klass'.*columns id, day, B04"),
        ({"bands": {"red": "b4"}}, invented(samples=4), r"no column 'b4' \(did you mean 'B04'\?"),
        ({}, invented(samples=4).assign(day="5 May"), "rows have no readable date"),
        ({}, invented(samples=4).assign(B04="-"), "cells of column 'B04' are not numbers"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_says_what_is_wrong(
    tmp_path: Path, samples: dict[str, Any], table: pd.DataFrame, words: str
) -> None:
    with pytest.raises(InputError, match=f"(?s){words}"):
        train_series(series_config(written(tmp_path, table, samples)))


def test_a_target_that_no_sample_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="target 'Wet Forest'; labels Bare soil, Dry Forest"):
        train_series(series_config(written(tmp_path, invented(samples=4), target="Wet Forest")))
    with pytest.raises(ConfigError, match="give either `scheme:`"):
        read_training(written(tmp_path, invented(samples=4), target=None))


def test_labels_that_become_one_class_are_refused(tmp_path: Path) -> None:
    table = invented(samples=6)
    table.loc[table["id"] == "p0", "class"] = "dry forest"
    with pytest.raises(InputError, match="differ in more than case"):
        train_series(series_config(written(tmp_path, table)))


def test_a_run_with_regions_is_read_as_a_run() -> None:
    demo = Path(__file__).parents[2] / "configs" / "demo.yaml"
    assert isinstance(read_training(demo), RunConfig)


def test_samples_of_several_years_are_moved_to_one() -> None:
    # a: 2018-03-01 and 2018-09-01; b the same days of 2020, after 29 February; c on other days of 2021
    days = np.array(["2018-03-01", "2018-09-01", "2020-03-01", "2020-09-01", "2021-04-01", "2021-05-01"])
    values = np.full((6, 3), np.nan, dtype=np.float32)
    for sample in range(3):
        values[2 * sample : 2 * sample + 2, sample] = [sample, sample + 0.5]
    cube = xr.Dataset(
        {"red": (("time", "sample"), values)},
        coords={"time": days.astype("datetime64[ns]"), "sample": ["a", "b", "c"]},
    )
    moved = in_one_year(cube)
    assert moved["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2018-03-01", "2018-04-01", "2018-05-01", "2018-09-01",
    ]  # fmt: skip
    assert moved["red"].sel(sample="b").values.tolist() == pytest.approx(
        [1, np.nan, np.nan, 1.5], nan_ok=True
    )
    one = cube.isel(time=slice(2), sample=slice(1))
    assert in_one_year(one) is one


def test_the_file_that_the_document_shows_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    config = SeriesConfig.model_validate(shown)
    assert config.train.model.estimator == "auto"
    assert len(config.train.samples.bands) == 11


def test_what_a_training_leaves_out_or_moves_is_warned_of_also_on_reuse(tmp_path: Path, caplog: Any) -> None:
    table = invented()
    table.loc[table["id"].isin(["p7", "p8"]), ["B04", "B08"]] = np.nan
    later = table["id"].str[1:].astype(int) >= 45
    table.loc[later, "day"] = table["day"].str.replace("2020", "2021")
    path = written(tmp_path, table)
    for done in ("1 made, 0 reused", "0 made, 1 reused"):
        caplog.clear()
        assert in_process("train", path).returncode == 0
        assert done in caplog.text
        moved, unused = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
        assert moved == "series of the years 2020, 2021: each is moved by whole years to 2020"
        assert unused.startswith("labels: 2 of 90 samples (2.2 %) do not train")
        assert "2 are not seen clearly" in unused
        assert unused.endswith(": p7, p8")
    answer = in_process("train", written(tmp_path, table, left_out={"labels": 0.01}))
    assert answer.returncode == 2
    assert "`left_out.labels:`" in answer.stderr
