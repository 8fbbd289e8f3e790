"""The minimum mapping unit: by hand, beside plain labels of every threshold, whole beside cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from cocal.classify.minimum import (
    NEVER,
    NOT_THERE,
    STEPS,
    areas_by_level,
    kept_levels,
    preserving_levels,
    reach_px,
)


def levels_of(text: str) -> np.ndarray:
    """Rows of digits: tenths of probability; `x`: no pixel."""
    rows = [[NOT_THERE if c == "x" else int(c) for c in row] for row in text.split()]
    return np.array(rows, dtype=np.int16)


def sieved(said: np.ndarray, pixels: int) -> np.ndarray:
    """`said` without small patches, then without small holes, by labels."""
    said = said.copy()
    for value in (True, False):
        patches, _ = label(said == value)
        small = np.bincount(patches.ravel()) < pixels
        said ^= small[patches] & (said == value)
    return said


def noise(seed: int, shape: tuple[int, int], steps: int = 8) -> np.ndarray:
    random = np.random.default_rng(seed)
    level = random.integers(0, steps, shape).astype(np.int16)
    level[random.random(shape) < 0.05] = NOT_THERE
    return level


def test_a_patch_of_two_pixels_goes_and_a_hole_of_two_is_filled_where_three_are_the_least() -> None:
    level = levels_of("""
        00000000
        09900555
        00000515
        00000515
        00000555""")
    assert (kept_levels(level, 3) == levels_of("""
        00000000
        00000555
        00000555
        00000555
        00000555""")).all()  # fmt: skip


def test_two_pixels_that_have_a_less_likely_third_are_kept_from_its_level_on() -> None:
    assert kept_levels(levels_of("000000 099400 000000"), 3).tolist()[1] == [0, 4, 4, 4, 0, 0]


def test_pixels_that_touch_by_a_corner_do_not_hang_together() -> None:
    level = levels_of("9000 0900 0090 0009")
    assert (kept_levels(level, 2) == 0).all()


def test_ground_that_is_not_there_is_never_filled() -> None:
    kept = kept_levels(levels_of("7777 7x77 7777"), 3)
    assert kept[1, 1] == NOT_THERE
    assert (np.delete(kept.ravel(), 5) == 7).all()


@given(st.integers(0, 999), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_at_every_level_the_map_is_that_of_plain_labels(seed: int, pixels: int) -> None:
    level = noise(seed, (13, 17))
    kept = kept_levels(level, pixels)
    for at in range(1, 9):
        expected = sieved(level >= at, pixels) & (level != NOT_THERE)
        assert ((kept >= at) == expected).all()


@given(st.integers(0, 999), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_a_window_with_its_reach_has_the_levels_of_the_whole(seed: int, pixels: int) -> None:
    level, reach = noise(seed, (40, 40), steps=4), reach_px(pixels)
    whole = kept_levels(level, pixels)
    cut = kept_levels(level[11 - reach : 17 + reach, 14 - reach : 23 + reach], pixels)
    assert (cut[reach:-reach, reach:-reach] == whole[11:17, 14:23]).all()


def test_less_than_the_reach_is_not_enough() -> None:
    """A path of three pixels, cut after the second, is no patch of three."""
    whole = levels_of("000000000 000999000 000000000")
    reach = reach_px(3)
    assert kept_levels(whole, 3)[1, 3] == 9
    assert kept_levels(whole[:, 2:5], 3)[1, 1] == 0
    assert reach == 4


def test_the_level_is_the_one_that_gives_the_area_wanted_by_hand() -> None:
    """A region of ten pixels: 3 from level 9 on, 5 from 6 on, 9 from 2 on."""
    kept = np.array([[9, 9, 9, 6, 6, 2, 2, 2, 2, 0]], dtype=np.int16)
    owner, units = np.zeros(kept.shape, dtype=np.int32), np.full(kept.shape, 7, dtype=np.int64)
    areas = areas_by_level(kept, owner, units, 1)
    assert areas[0, [0, 2, 6, 9]].tolist() == [7, 28, 14, 21]
    assert areas.sum() == 70
    for pixels, level, counted in ((0, NEVER, 0), (3, 9, 3), (4, 9, 3), (5, 6, 5), (8, 2, 9), (10, 2, 9)):
        found = preserving_levels(areas, np.array([7 * pixels]))
        assert (kept >= found[0]).sum() == counted
        assert counted == 0 or level == found[0]
    assert preserving_levels(areas, np.array([0])).tolist() == [NEVER]


@pytest.mark.parametrize("pixels", [3, 5, 9])
def test_a_region_keeps_its_area_and_regions_do_not_touch_each_others(pixels: int) -> None:
    random = np.random.default_rng(pixels)
    smooth = random.random((90, 90))
    level = np.rint(STEPS * (0.2 * smooth + 0.8 * np.roll(smooth, 1, axis=0))).astype(np.int16)
    owner = np.repeat(np.arange(2, dtype=np.int32), 45)[None, :] * np.ones((90, 1), dtype=np.int32)
    units = np.full(level.shape, 10**8, dtype=np.int64)
    before = level >= 6_000
    kept = kept_levels(level, pixels)
    wanted = np.array([units[before & (owner == k)].sum() for k in range(2)])
    level_of = preserving_levels(areas_by_level(kept, owner, units, 2), wanted)
    said = kept >= level_of[owner]
    assert (said != before).sum() > 300
    for k in range(2):
        assert abs(int(said[owner == k].sum()) - int(before[owner == k].sum())) <= pixels
    half = areas_by_level(kept, np.where(owner == 0, owner, -1), units, 1)
    assert preserving_levels(half, wanted[:1])[0] == level_of[0]
