from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt

from cocal.features.mask import SCL_CLASSES, MaskSettings, clear_mask, dilate

CLOUD, SHADOW, GREEN, NOTHING = (
    SCL_CLASSES.index(n) for n in ("cloud_high", "cloud_shadow", "vegetation", "nodata")
)


def mask(**changed: object) -> MaskSettings:
    plain = {
        "clear": ["vegetation", "bare", "water"],
        "dilate": ["cloud_shadow", "cloud_high"],
        "dilate_px": 1,
    }
    return MaskSettings.model_validate(plain | changed)


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.integers(0, 17))
def test_dilation_reaches_exactly_the_euclidean_distance(flags: np.ndarray, radius: int) -> None:
    near = np.zeros_like(flags)
    if flags.any():
        rows, columns = np.nonzero(flags)
        yy, xx = np.indices(flags.shape)
        squares = (yy[..., None] - rows) ** 2 + (xx[..., None] - columns) ** 2
        near = squares.min(axis=-1) <= radius * radius
    np.testing.assert_array_equal(dilate(flags, radius), near)


def test_dilation_agrees_with_scipys_distance_transform() -> None:
    flags = np.random.default_rng(5).random((60, 70)) < 0.01
    np.testing.assert_array_equal(dilate(flags, 7), distance_transform_edt(~flags) <= 7)


def test_one_cloud_hides_itself_and_its_four_neighbours_at_a_radius_of_one() -> None:
    scl = np.full((1, 5, 5), GREEN, dtype=np.uint8)
    scl[0, 2, 2] = CLOUD
    hidden = ~clear_mask(scl, mask())[0]
    assert np.argwhere(hidden).tolist() == [[1, 2], [2, 1], [2, 2], [2, 3], [3, 2]]


def test_no_data_is_not_clear_and_hides_no_neighbour() -> None:
    scl = np.full((1, 5, 5), GREEN, dtype=np.uint8)
    scl[0, :, 0] = NOTHING
    clear = clear_mask(scl, mask(dilate_px=3))[0]
    assert not clear[:, 0].any()
    assert clear[:, 1:].all()


def test_a_class_that_is_neither_clear_nor_dilated_is_hidden_alone() -> None:
    scl = np.full((1, 3, 3), GREEN, dtype=np.uint8)
    scl[0, 1, 1] = SCL_CLASSES.index("snow")
    assert (~clear_mask(scl, mask())).sum() == 1


def test_dates_do_not_shade_each_other() -> None:
    scl = np.full((2, 5, 5), GREEN, dtype=np.uint8)
    scl[0] = CLOUD
    assert not clear_mask(scl, mask(dilate_px=5))[0].any()
    assert clear_mask(scl, mask(dilate_px=5))[1].all()


def test_a_probability_above_the_limit_is_a_cloud_and_255_means_not_offered() -> None:
    scl = np.full((1, 1, 9), GREEN, dtype=np.uint8)
    probability = np.array([[[0, 0, 41, 0, 40, 0, 255, 0, 0]]], dtype=np.uint8)
    clear = clear_mask(scl, mask(max_cloud_probability=40), probability)
    assert clear[0, 0].tolist() == [True, False, False, False, True, True, True, True, True]


def test_a_limit_without_probabilities_is_an_error() -> None:
    with pytest.raises(ValueError, match="no cloud_probability"):
        clear_mask(np.zeros((1, 2, 2), dtype=np.uint8), mask(max_cloud_probability=40))


def test_all_problems_of_a_mask_are_told_at_once_with_what_is_allowed() -> None:
    with pytest.raises(ValidationError) as caught:
        mask(clear=["vegitation", "water", "nodata"], dilate=["water"])
    text = str(caught.value)
    assert "did you mean vegetation?" in text
    assert "cloud_shadow" in text
    assert "'nodata' is neither" in text
    assert "in `clear` and in `dilate`: water" in text


@settings(deadline=None, max_examples=25)
@given(
    arrays(
        np.uint8, (2, 20, 20), elements=st.sampled_from([NOTHING, GREEN, GREEN, GREEN, GREEN, CLOUD, SHADOW])
    ),
    st.integers(0, 4),
)
def test_a_block_with_a_halo_has_the_mask_of_the_whole(scl: np.ndarray, radius: int) -> None:
    chosen = mask(dilate_px=radius)
    whole = clear_mask(scl, chosen)
    part = clear_mask(scl[:, 6 - radius : 14 + radius, 6 - radius : 14 + radius], chosen)
    np.testing.assert_array_equal(part[:, radius : radius + 8, radius : radius + 8], whole[:, 6:14, 6:14])
