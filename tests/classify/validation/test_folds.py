from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cocal.classify.settings import ValidationSettings
from cocal.classify.validation.folds import spatial_blocks, spatial_folds
from cocal.errors import InputError
from cocal.grid import transformer

Samples = Callable[..., pd.DataFrame]


def rule(block_m: float = 1000, folds: int = 3, buffer_m: float = 0) -> ValidationSettings:
    return ValidationSettings(block_m=block_m, folds=folds, buffer_m=buffer_m)


def test_blocks_are_cells_of_one_equal_area_lattice(make_samples: Samples) -> None:
    table = make_samples(0)
    group = spatial_blocks(table, 1000)
    longitude, latitude = transformer(32719, 4326).transform(table["x"].to_numpy(), table["y"].to_numpy())
    x, y = transformer(4326, 6933).transform(longitude, latitude)
    cell = pd.Series(list(zip(x // 1000, y // 1000, strict=True)))
    assert pd.Series(group).groupby(cell).nunique().max() == 1
    assert cell.groupby(group).nunique().max() == 1


def test_blocks_that_share_a_polygon_are_one_group(make_samples: Samples) -> None:
    table = make_samples(0)
    apart = spatial_blocks(table, 1000)
    table.loc[[0, 143], "sample_id"] = "long"
    together = spatial_blocks(table, 1000)
    assert apart[0] != apart[143]
    assert together[0] == together[143]
    assert together.max() == apart.max() - 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4), st.sampled_from([700.0, 1000.0]), st.integers(0, 5))
def test_no_block_and_no_sample_is_in_two_folds_and_each_row_is_tested_once(
    seed: int, folds: int, block_m: float, parts: int
) -> None:
    from_conftest = np.random.default_rng(seed)
    size = 150
    table = pd.DataFrame(
        {
            "epsg": 32719,
            "x": 500_000 + from_conftest.uniform(0, 8000, size),
            "y": 8_500_000 + from_conftest.uniform(0, 8000, size),
            "label": from_conftest.choice(["coca", "forest"], size),
            "sample_id": [str(i // (parts + 1)) if i < 20 else f"p{i}" for i in range(size)],
        }
    )
    design = spatial_folds(table, rule(block_m, folds), target="coca", seed=seed)
    made, group = design.folds, design.group
    assert sorted(np.concatenate([fold.test for fold in made]).tolist()) == list(range(size))
    for fold in made:
        assert not set(group[fold.train]) & set(group[fold.test])
        assert not set(table["sample_id"][fold.train]) & set(table["sample_id"][fold.test])
        assert len(fold.train) + len(fold.test) == size
        for rows in (fold.train, fold.test):
            assert set(table["label"][rows]) == {"coca", "forest"}


def test_each_fold_gets_about_its_part_of_a_rare_class(make_samples: Samples) -> None:
    table = make_samples(0, side=40)
    rare = np.random.default_rng(1).choice(len(table), 80, replace=False)
    table["label"] = "forest"
    table.loc[rare, "label"] = "coca"
    made = spatial_folds(table, rule(1000, 5), target="coca", seed=0).folds
    per_fold = [int((table["label"][fold.test] == "coca").sum()) for fold in made]
    assert sum(per_fold) == 80
    assert min(per_fold) >= 12
    assert max(per_fold) <= 20


def test_the_buffer_leaves_out_exactly_the_training_rows_near_a_tested_row(make_samples: Samples) -> None:
    table = make_samples(0)
    longitude, latitude = transformer(32719, 4326).transform(table["x"].to_numpy(), table["y"].to_numpy())
    free = spatial_folds(table, rule(), target="coca", seed=0).folds
    held = spatial_folds(table, rule(buffer_m=400), target="coca", seed=0).folds
    geod = Geod(ellps="WGS84")
    for before, after in zip(free, held, strict=True):
        near = [
            row
            for row in before.train
            if geod.inv(
                np.full(before.test.size, longitude[row]), np.full(before.test.size, latitude[row]),
                longitude[before.test], latitude[before.test],
            )[2].min() < 400
        ]  # fmt: skip
        assert near
        assert sorted(set(before.train) - set(after.train)) == near
        assert after.buffered == len(near)


def test_the_buffer_reaches_across_a_zone_meridian() -> None:
    # two points 200 m apart on either side of 72 W, blocks of 100 m
    places = [(-72.001, 32718), (-71.999, 32719), (-71.9, 32719), (-72.1, 32718)]
    xy = [transformer(4326, epsg).transform(lon, -15.0) for lon, epsg in places]
    table = pd.DataFrame(
        {
            "epsg": [epsg for _, epsg in places] * 2,
            "x": [x for x, _ in xy] * 2,
            "y": [y for _, y in xy] * 2,
            "label": ["coca"] * 4 + ["forest"] * 4,
            "sample_id": [str(i) for i in range(8)],
        }
    )
    made = spatial_folds(table, rule(block_m=100, folds=4), target="coca", seed=0).folds
    assert [fold.buffered for fold in made] == [0, 0, 0, 0]
    held = spatial_folds(table, rule(block_m=100, folds=4, buffer_m=300), target="coca", seed=0).folds
    assert sorted(fold.buffered for fold in held) == [0, 0, 2, 2]


def test_a_fold_without_the_target_is_an_error_that_names_it_and_the_remedy(make_samples: Samples) -> None:
    table = make_samples(0)
    table["label"] = np.where(table.index == 5, "coca", "forest")
    with pytest.raises(InputError) as caught:
        spatial_folds(table, rule(), target="coca", seed=0)
    assert "fold 1 trains without 'coca'" in str(caught.value)
    assert "fold 2 tests without 'coca'" in str(caught.value)
    assert "1 with 'coca'" in str(caught.value)
    assert "fewer folds, smaller blocks" in str(caught.value)


def test_a_fold_with_the_target_alone_is_an_error(make_samples: Samples) -> None:
    table = make_samples(0)
    table["label"] = np.where(table.index == 5, "forest", "coca")
    with pytest.raises(InputError, match="fold 2 tests with 'coca' alone"):
        spatial_folds(table, rule(), target="coca", seed=0)
