from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from rasterio.transform import from_origin

from cocal.contracts import PROBABILITY_NO_DATA
from cocal.errors import InputError
from cocal.fieldwork.design import (
    Cells,
    DesignSettings,
    Layers,
    build_frame,
    class_codes,
    cut_off,
    halo_px,
    probability_shares,
    read_class_raster,
    stated_shares,
    strata_table,
    stratify,
    zone_mask,
)
from cocal.fieldwork.design.settings import NotSampled, SmallStrata, StratumRule, Zones
from cocal.fieldwork.design.strata import NO_VALUE
from cocal.grid import Window, transformer

CODES = {"coca": 1, "forest": 2, "unobserved": 0}
LAST_YEAR = Path("/last-year.tif")


def rules(*lines: dict) -> list[StratumRule]:
    return [StratumRule.model_validate(line) for line in lines]


def layers(crop_class, probability=None, raster=None, zone=None, halo: int = 0) -> Layers:
    shape = np.shape(crop_class)
    return Layers(
        10,
        halo,
        np.asarray(crop_class, dtype=np.uint8),
        np.full(shape, 0, np.uint16) if probability is None else np.asarray(probability, np.uint16),
        {LAST_YEAR: np.full(shape, NO_VALUE) if raster is None else np.asarray(raster, dtype=np.int64)},
        {Zones(path="/zones.gpkg"): np.zeros(shape, bool) if zone is None else np.asarray(zone, bool)},
    )


REST = {"stratum": "elsewhere"}


def test_a_pixel_belongs_to_the_first_rule_that_holds():
    lines = rules(
        {"stratum": "coca", "classes": ["coca"]},
        {"stratum": "likely", "probability": {"at_least": 0.3}},
        {"stratum": "coca", "raster": {"path": LAST_YEAR, "values": [7]}},
        REST,
    )
    found = stratify(
        layers([[1, 2, 2, 2]], probability=[[9000, 3000, 2999, 0]], raster=[[7, 7, 7, 5]]), lines, CODES
    )
    assert found.tolist() == [[1, 2, 1, 3]]


def test_all_conditions_of_one_rule_must_hold():
    lines = rules(
        {"stratum": "lookalike", "zones": {"path": "/zones.gpkg"}, "probability": {"below": 0.5}}, REST
    )
    found = stratify(layers([[2, 2, 2]], probability=[[100, 6000, 100]], zone=[[1, 1, 0]]), lines, CODES)
    assert found.tolist() == [[1, 2, 2]]


def test_ground_that_the_map_does_not_show_has_no_probability():
    lines = rules({"stratum": "low", "probability": {"below": 0.9}}, REST)
    dark = layers([[0, 2]], probability=[[PROBABILITY_NO_DATA, 10]])
    assert stratify(dark, lines, CODES).tolist() == [[2, 1]]


def test_a_buffer_goes_from_centre_to_centre_and_holds_its_edge():
    lines = rules({"stratum": "near", "near": {"metres": 20, "classes": ["coca"]}}, REST)
    crop_class = np.full((5, 7), 2)
    crop_class[2, 1] = 1
    found = stratify(layers(crop_class), lines, CODES)
    assert found[2].tolist() == [1, 1, 1, 1, 2, 2, 2]
    assert found[:, 1].tolist() == [1] * 5
    assert (found[0, 0], found[0, 3]) == (2, 2)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (24, 24), elements=st.sampled_from([0, 2, 2, 2, 2, 2, 2, 1])), st.integers(1, 5))
def test_blocks_with_their_halo_give_what_the_whole_gives(crop_class, radius_px):
    lines = rules(
        {"stratum": "coca", "classes": ["coca"]},
        {"stratum": "near", "near": {"metres": radius_px * 10, "classes": ["coca"]}},
        REST,
    )
    halo = halo_px(lines, 10)
    padded = np.pad(crop_class, halo)
    whole = stratify(layers(padded, halo=halo), lines, CODES)
    for top in (0, 12):
        for left in (0, 8, 16):
            cut = padded[top : top + 12 + 2 * halo, left : left + 8 + 2 * halo]
            block = stratify(layers(cut, halo=halo), lines, CODES)
            assert (block == whole[top : top + 12, left : left + 8]).all()


def test_classes_that_the_scheme_does_not_have_are_named(scheme):
    with pytest.raises(InputError, match="'koka'"):
        class_codes(rules({"stratum": "a", "classes": ["koka"]}, REST), scheme)


def test_a_raster_of_another_zone_is_read_at_each_centre(tmp_path):
    """A raster of degrees holds floor(lon / step) in each pixel, so the right answer is arithmetic."""
    step, west, north = 0.001, -69.02, -13.98
    values = np.tile(np.arange(40), (50, 1)).astype(np.int16)
    profile = {"driver": "GTiff", "dtype": "int16", "count": 1, "crs": "EPSG:4326", "width": 40, "height": 50,
               "nodata": 3, "transform": from_origin(west, north, step, step)}  # fmt: skip
    with rasterio.open(tmp_path / "old.tif", "w", **profile) as target:
        target.write(values, 1)
    window = Window(32719, 499_980 - 1_800, 8_452_020, 360, 60)
    found = read_class_raster(tmp_path / "old.tif", window)
    lon, _ = transformer(32719, 4326).transform(*np.meshgrid(window.x, window.y))
    column = np.floor((lon - west) / step)
    expected = np.where((column >= 0) & (column < 40) & (column != 3), column, NO_VALUE)
    assert (found == expected).all()
    assert set(np.unique(found)) > {NO_VALUE, 4, 20}
    part = Window(32719, window.left + 700, window.top - 100, 50, 20)
    assert (read_class_raster(tmp_path / "old.tif", part) == found[window.slices_of(part)]).all()


def test_a_raster_of_decimals_is_refused(tmp_path):
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": 2, "height": 2, "crs": "EPSG:4326",
               "transform": from_origin(-69, -14, 0.1, 0.1)}  # fmt: skip
    with rasterio.open(tmp_path / "p.tif", "w", **profile) as target:
        target.write(np.zeros((1, 2, 2), np.float32))
    with pytest.raises(InputError, match="float32"):
        read_class_raster(tmp_path / "p.tif", Window(32719, 0, 60, 6, 6))
    with pytest.raises(InputError, match=r"cannot read raster of design.strata .*none.tif"):
        read_class_raster(tmp_path / "none.tif", Window(32719, 0, 60, 6, 6))


def test_zones_hold_the_pixels_whose_centre_they_hold_in_every_window(tmp_path):
    window = Window(32719, 500_000, 8_452_020, 400, 300)
    box = shapely.box(500_104, 8_450_011, 500_126, 8_451_986)
    gpd.GeoDataFrame(geometry=[box], crs=32719).to_file(tmp_path / "z.gpkg")
    found = zone_mask(Zones(path=tmp_path / "z.gpkg"), window)
    assert np.flatnonzero(found.any(axis=0)).tolist() == [10, 11, 12]  # centres 500105, 500115, 500125
    part = Window(32719, 500_100, 8_451_000, 30, 40)
    assert (zone_mask(Zones(path=tmp_path / "z.gpkg"), part) == found[window.slices_of(part)]).all()


CELLS = Cells(
    ("R1", "R2"), ("coca", "rest"), np.array([[40, 960], [3, 997]]), np.array([[40, 960], [3, 997]]) * 10**8
)
SHARE = np.array([[0.8, 0.01], [0.5, 0.02]])


def test_strata_that_are_not_crossed_add_up_over_regions():
    frame = build_frame(CELLS, by_region=False, small=None, share=SHARE)
    assert frame.names == ("coca", "rest")
    assert frame.pixels.tolist() == [43, 1957]
    strata, share = frame.domain(1)
    assert strata.tolist() == [0, 1]
    assert share == pytest.approx([0.5 * 3 / 43, 0.02 * 997 / 1957])
    assert frame.part(1) == pytest.approx([3 / 43, 997 / 1957])


def test_small_parts_join_the_stratum_that_is_named_in_their_region():
    frame = build_frame(CELLS, by_region=True, small=SmallStrata(below_pixels=10, into="rest"), share=SHARE)
    assert frame.labels == ("coca in R1", "rest in R1", "rest in R2")
    assert frame.pixels.tolist() == [40, 960, 1000]
    strata, share = frame.domain(1)
    assert (strata.tolist(), share.tolist()) == ([2], pytest.approx([(3 * 0.5 + 997 * 0.02) / 1000]))


def test_an_empty_stratum_and_a_stratum_of_one_pixel_are_refused_by_name():
    none = Cells(("R1",), ("coca", "gone"), np.array([[50, 0]]), np.array([[50, 0]]))
    with pytest.raises(InputError, match="no pixel in stratum 'gone'"):
        build_frame(none, by_region=True, small=None, share=np.zeros((1, 2)))
    one = Cells(("R1",), ("coca", "rest"), np.array([[1, 9]]), np.array([[1, 9]]))
    with pytest.raises(InputError, match="one pixel only in stratum 'coca in R1'"):
        build_frame(one, by_region=True, small=None, share=np.zeros((1, 2)))


def test_a_region_without_one_of_the_strata_is_no_error():
    cells = Cells(("R1", "R2"), ("coca", "rest"), np.array([[40, 960], [0, 997]]), np.ones((2, 2), np.int64))
    frame = build_frame(cells, by_region=True, small=None, share=SHARE)
    assert frame.labels == ("coca in R1", "rest in R1", "rest in R2")


def test_stated_shares_may_differ_in_a_region():
    found = stated_shares(CELLS, {"coca": 0.8, "rest": 0.01}, {"R2": {"rest": 0.05}})
    assert found.tolist() == [[0.8, 0.01], [0.8, 0.05]]
    with pytest.raises(InputError, match="'R9'"):
        stated_shares(CELLS, {"coca": 0.8, "rest": 0.01}, {"R9": {}})


def test_shares_from_the_map_are_means_over_what_it_shows():
    found = probability_shares(
        CELLS, np.array([[320_000, 0], [15_000, 99_700]]), np.array([[40, 960], [3, 997]])
    )
    assert found == pytest.approx(np.array([[0.8, 0], [0.5, 0.01]]))
    with pytest.raises(InputError, match="coca in R2"):
        probability_shares(CELLS, np.ones((2, 2), np.int64), np.array([[40, 960], [0, 997]]))


def test_the_table_of_strata_states_sizes_and_probabilities():
    frame = build_frame(CELLS, by_region=True, small=None, share=SHARE)
    table = strata_table(frame, np.array([10, 48, 3, 20]), ["1", "2", "3", "4"])
    assert table["inclusion_probability"].tolist() == pytest.approx([0.25, 0.05, 1, 20 / 997])
    assert table["region_id"].tolist() == ["R1", "R1", "R2", "R2"]
    assert table["expected_share"].tolist() == pytest.approx([0.8, 0.01, 0.5, 0.02])


BASE = {
    "unobserved": "left_out", "by_region": True, "size": {"points": 100}, "allocation": "rare", "minimum": 5,
    "strata": [{"stratum": "coca", "classes": ["coca"]}, REST], "draw": "random", "reserve": 0, "seed": 1,
    "expected": {"source": "stated", "share": {"coca": 0.8, "elsewhere": 0.01}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strata": [REST, {"stratum": "coca", "classes": ["coca"]}]}, "nothing reaches the rules after it"),
        ({"strata": [{"stratum": "coca", "classes": ["coca"]}]}, "the last rule takes the rest"),
        ({"expected": {"source": "stated", "share": {"coca": 0.8}}}, "nothing for stratum 'elsewhere'"),
        ({"allocation": "power"}, "power: goes with"),
        ({"allocation": "power", "power": 0.5, "by_region": False}, "needs `by_region: true`"),
        ({"allocation": "neyman"}, "state `expected.accuracy`"),
        ({"small": {"below_pixels": 5, "into": "nowhere"}}, "no stratum 'nowhere'"),
        (
            {"allocation": "power", "power": 0.5, "size": {"half_width": 0.2, "per": "region"}},
            "the target shares",
        ),
    ],
)  # fmt: skip
def test_settings_that_contradict_themselves_are_refused(change, words):
    assert DesignSettings.model_validate(BASE).names == ("coca", "elsewhere")
    with pytest.raises(ValidationError, match=words):
        DesignSettings.model_validate(BASE | change)


def test_an_elevation_from_its_lower_limit_on_and_below_its_upper():
    ground = replace(layers([[2] * 5]), elevation=np.array([[np.nan, 799, 800, 2999, 3000]], np.float32))
    high = [NotSampled(reason="too high", elevation={"at_least": 3000})]
    assert cut_off(ground, high, CODES).tolist() == [[0, 0, 0, 0, 1]]
    both = [*high, NotSampled(reason="too low", elevation={"below": 800})]
    assert cut_off(ground, both, CODES).tolist() == [[0, 2, 0, 0, 1]]
    lines = rules({"stratum": "belt", "elevation": {"at_least": 800, "below": 3000}}, REST)
    assert stratify(ground, lines, CODES).tolist() == [[2, 2, 1, 1, 2]]


def test_ground_is_cut_off_by_the_first_rule_that_holds_without_the_halo():
    ground = layers([[1, 1, 2], [1, 2, 2], [2, 2, 2]], raster=[[5, 5, 5], [5, 5, 5], [5, 5, 5]], halo=1)
    both = [
        NotSampled(reason="forest", classes=["forest"]),
        NotSampled(reason="city", raster={"path": str(LAST_YEAR), "values": [5]}),
    ]
    assert cut_off(ground, both, CODES).tolist() == [[1]]
    assert cut_off(ground, both[1:], CODES).tolist() == [[1]]
    assert cut_off(ground, [], CODES).tolist() == [[0]]


@pytest.mark.parametrize("content", [{}, {"elevation": {}}, {"elevation": {"at_least": 5, "below": 5}}])
def test_a_rule_that_would_cut_off_everything_or_nothing_is_refused(content):
    with pytest.raises(ValidationError):
        NotSampled(reason="too high", **content)
