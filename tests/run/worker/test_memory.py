"""`--memory`: blocks that fit, or a refusal."""

import pytest
from tests.support.small_world import DAYS

from cocal.config import read_config
from cocal.errors import UsageError
from cocal.run.worker.memory import (
    SMALLEST_BLOCK,
    dates_at_once,
    fit_memory,
    memory_per_worker,
    parse_size,
    worker_bound,
)

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 * GIB), ("1500 MB", 1_500_000_000), ("0.5GiB", GIB // 2)]
)
def test_sizes_are_numbers_with_a_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["2", "GiB", "-1GiB", "0GiB", "2 TiBs", "inf GiB"])
def test_a_size_that_says_nothing_is_refused(text):
    with pytest.raises(UsageError, match="--memory"):
        parse_size(text)


def test_blocks_shrink_to_fit_and_the_run_is_refused_below_the_smallest(finished):
    config = read_config(finished.config)
    config = config.model_copy(
        update={"grid": config.grid.model_copy(update={"tile_px": 6144, "block_px": 6144})}
    )
    whole = worker_bound(config)
    assert fit_memory(config, whole).grid.block_px == 6144
    fitting = fit_memory(config, GIB)
    assert SMALLEST_BLOCK <= fitting.grid.block_px < 6144
    assert worker_bound(fitting) <= GIB < whole
    with pytest.raises(UsageError, match="at least"):
        fit_memory(config, GIB // 8)


def test_the_bound_counts_what_a_block_holds(finished):
    config = read_config(finished.config)
    period = config.periods[0].period
    more = memory_per_worker(config, 11, period) - memory_per_worker(config, 10, period)
    assert more > 0
    assert dates_at_once(config, None) >= 1
    assert 1 <= dates_at_once(config, []) <= len(DAYS)
