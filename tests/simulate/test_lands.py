"""Populations of the benchmarks: maps err as stated, redraws are what simple random samples would find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchmarks.invented_maps import (
    BINS,
    COCA,
    MAPS,
    WILD,
    Pixels,
    count_pixels,
    front_places,
    invent_map,
)
from benchmarks.lands import UNOBSERVED, Population, as_sample, redraws

N = 40_000


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Four municipalities of 10,000 pixels, 5 % coca outside of `wild`; errors are independent."""
    rng = np.random.default_rng(1)
    place = np.repeat(np.arange(4, dtype=np.uint8), N // 4)
    stratum = rng.integers(1, 5, N, dtype=np.uint8)
    reference = rng.integers(2, 8, N, dtype=np.uint8)
    reference[(rng.random(N) < 0.07) & (stratum != WILD)] = COCA
    return Pixels(
        stratum,
        reference,
        place,
        np.full(N, 10**8),
        rng.standard_normal((2, N), dtype=np.float32),
        np.zeros((3, N), dtype=np.float32),
        rng.random((2, N), dtype=np.float32),
        rng.random(N) < 0.1,
    )


@pytest.mark.parametrize("name", ["good", "f1_065_uneven", "f1_054"])
def test_a_map_has_the_f1_and_the_mapped_hectares_asked_for(pixels: Pixels, name: str) -> None:
    drawn, quality = invent_map(pixels, name), MAPS[name][0]
    true, mapped = drawn.reference == COCA, drawn.map_class == COCA
    hits = (true & mapped).sum()
    assert 2 * hits / (true.sum() + mapped.sum()) == pytest.approx(quality.f1, abs=0.005)
    assert mapped.sum() == pytest.approx(quality.mapped * true.sum(), abs=2)
    assert np.array_equal(mapped, drawn.probability_bin == len(BINS))
    assert np.array_equal(drawn.reference, pixels.reference)


def test_the_other_classes_are_confused_with_the_stated_rates(pixels: Pixels) -> None:
    """The demo's map shows 23.2 % of other crops (5) as regrowth (3) where it does not show coca; half of
    it in the good map."""
    for name, rate in (("f1_054", 0.232), ("good", 0.116)):
        drawn = invent_map(pixels, name)
        here = (drawn.reference == 5) & (drawn.map_class != COCA)
        assert (drawn.map_class[here] == 3).mean() == pytest.approx(rate, abs=0.02), name


@pytest.mark.parametrize(("name", "share", "seen"), [("blind_3", 0.03, 0.0), ("front", 0.03, 0.5)])
def test_a_front_is_on_the_stated_share_of_the_ground_believed_empty(
    pixels: Pixels, name: str, share: float, seen: float
) -> None:
    drawn, before = invent_map(pixels, name), invent_map(pixels, "good")
    new = drawn.reference != pixels.reference
    empty = pixels.stratum == WILD
    assert not (new & ~empty).any()
    for place in range(4):
        ground = empty & (pixels.place == place)
        expected = share if place in front_places(pixels) else 0.0
        assert new[ground].mean() == pytest.approx(expected, abs=0.001)
    shown = new & (drawn.map_class != before.map_class)
    assert shown.sum() / new.sum() == pytest.approx(seen, abs=0.1)
    assert np.array_equal(drawn.map_class[~new], before.map_class[~new])


def test_counted_pixels_are_all_pixels_and_all_ground(pixels: Pixels) -> None:
    cells = count_pixels(pixels, "good")
    assert cells["pixels"].sum() == N
    assert (cells["units"] == cells["pixels"] * 10**8).all()
    assert cells.loc[cells["hidden"], "pixels"].sum() == pixels.hidden.sum()
    coca = cells[cells["reference_class"] == "coca"]["pixels"].sum()
    assert coca == (pixels.reference == COCA).sum()


@pytest.fixture
def small() -> Population:
    """Two strata of 10 and 100 pixels of 0.01 ha."""
    cells = pd.DataFrame(
        [
            ("a", "north", "coca", "coca", 4, 6),
            ("a", "south", "coca", "forest", 4, 3),
            ("a", "south", UNOBSERVED, "coca", 0, 1),
            ("b", "north", "forest", "forest", 0, 90),
            ("b", "south", "forest", "coca", 1, 10),
        ],
        columns=["stratum", "region", "map_class", "reference_class", "probability_bin", "pixels"],
    )
    return Population(0, "good", "districts", cells.assign(area_ha=cells["pixels"] / 100), {"a": 5, "b": 20})


def test_tables_of_a_population_add_up(small: Population) -> None:
    assert small.strata["area_ha"].tolist() == pytest.approx([0.10, 1.00])
    known = small.known.set_index(["stratum", "region", "map_class"])["area_ha"]
    assert known["a", "south", "coca"] == pytest.approx(0.03)
    assert known.groupby("stratum").sum().tolist() == pytest.approx([0.10, 1.00])
    assert small.truth.loc["south"].to_dict() == pytest.approx(
        {**dict.fromkeys(small.truth, 0.0), "coca": 0.10, "forest": 0.03}
    )
    users, producers, f1 = small.accuracy()
    assert (users, producers) == pytest.approx((6 / 9, 6 / 17))
    assert f1 == pytest.approx(2 * 6 / (9 + 17))


def test_redraws_are_samples_without_replacement_of_each_stratum(small: Population) -> None:
    """n pixels of each stratum, none twice; the mean of each cell is n x its share of the stratum, within
    5 standard errors of the hypergeometric distribution."""
    counts = redraws(small, 4_000, np.random.default_rng(1))
    pixels = small.cells["pixels"].to_numpy()
    assert (counts >= 0).all()
    assert (counts <= pixels).all()
    assert (counts[:, :3].sum(axis=1) == 5).all()
    assert (counts[:, 3:].sum(axis=1) == 20).all()
    n, whole = np.array([5] * 3 + [20] * 2), np.array([10] * 3 + [100] * 2)
    share = pixels / whole
    variance = n * share * (1 - share) * (whole - n) / (whole - 1)
    assert (abs(counts.mean(axis=0) - n * share) <= 5 * np.sqrt(variance / 4_000)).all()
    assert counts.var(axis=0) == pytest.approx(variance, rel=0.1)


def test_a_draw_becomes_the_table_of_its_points(small: Population) -> None:
    sample = as_sample(small, np.array([2, 0, 1, 3, 0]))
    assert sample["region"].tolist() == ["north", "north", "south", "north", "north", "north"]
    assert sample["map_class"].tolist() == ["coca", "coca", UNOBSERVED, "forest", "forest", "forest"]
    assert sample["reference_class"].tolist() == ["coca"] * 3 + ["forest"] * 3
