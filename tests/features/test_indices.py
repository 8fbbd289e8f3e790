from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocal.contracts import BANDS
from cocal.features.indices import INDICES, compute_index

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    spyndex = pytest.importorskip("spyndex")

SYMBOLS = {
    "blue": "B", "green": "G", "red": "R", "rededge071": "RE1", "rededge075": "RE2", "rededge078": "RE3",
    "nir": "N", "nir08": "N2", "swir16": "S1", "swir22": "S2",
}  # fmt: skip
CONSTANTS = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0}
OWN_CONSTANTS = {"SAVI": {"L": 0.5}, "WDRVI": {"alpha": 0.1}, "NDPI": {"alpha": 0.74}}
CATALOGUE_NAME = {"BSI": "BI"}

reflectances = st.floats(0.0001, 1.2).map(lambda v: round(v, 4))


@settings(max_examples=15, deadline=None)
@given(arrays(np.float64, (len(SYMBOLS), 6), elements=reflectances))
def test_every_index_equals_the_catalogue_on_random_reflectances(values: np.ndarray) -> None:
    bands = dict(zip(SYMBOLS, values, strict=True))
    for name in INDICES:
        own = CONSTANTS | OWN_CONSTANTS.get(name, {}) | {SYMBOLS[b]: bands[b] for b in INDICES[name].bands}
        with np.errstate(all="ignore"):
            expected = np.asarray(spyndex.computeIndex(CATALOGUE_NAME.get(name, name), params=own))
        found = compute_index(name, bands)
        # A denominator that is zero in one order of additions and 1e-17 in another decides nothing.
        decided = np.isfinite(expected) & (np.abs(expected) < 1e9)
        np.testing.assert_allclose(found[decided], expected[decided], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", INDICES)
def test_the_formula_as_written_gives_what_the_function_gives(name: str) -> None:
    values = np.random.default_rng(3).uniform(0.02, 0.6, (len(BANDS), 50))
    bands = dict(zip(BANDS, values, strict=True))
    formula, _, where = INDICES[name].formula.partition(" with eta = ")
    names = dict(bands)
    if where:
        names["eta"] = eval(where, {}, bands)
    np.testing.assert_allclose(compute_index(name, bands), eval(formula, {}, names), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", INDICES)
def test_every_index_names_its_bands_its_source_and_its_catalogue_entry(name: str) -> None:
    index = INDICES[name]
    assert set(index.bands) <= set(BANDS)
    assert all(band in index.formula for band in index.bands)
    assert "doi:10." in index.source or "http" in index.source
    assert CATALOGUE_NAME.get(name, name) in spyndex.indices


def test_there_are_at_least_thirty_indices_and_those_that_the_project_asks_for() -> None:
    asked = (
        "NDVI EVI EVI2 SAVI MSAVI GNDVI NDREI RENDVI CIRE MCARI IRECI S2REP NDMI NDWI MNDWI NBR NBR2 NDTI BSI"
    )
    assert len(INDICES) >= 30
    assert set(asked.split()) <= set(INDICES)


def test_ndvi_of_a_green_leaf_by_hand() -> None:
    # (0.45 - 0.05) / (0.45 + 0.05) = 0.40 / 0.50
    found = compute_index("NDVI", {"nir": np.array([0.45]), "red": np.array([0.05])})
    assert found == pytest.approx(0.8)


def test_s2rep_of_a_symmetric_red_edge_lies_at_722_5_nm() -> None:
    # midpoint of 0.04 and 0.44 is 0.24, halfway from 0.14 to 0.34: 705 + 35 x 0.5
    bands = {"red": 0.04, "rededge071": 0.14, "rededge075": 0.34, "rededge078": 0.44}
    found = compute_index("S2REP", {name: np.array([value]) for name, value in bands.items()})
    assert found == pytest.approx(722.5)


@pytest.mark.parametrize("name", INDICES)
def test_a_zero_denominator_is_missing_and_never_infinite(name: str) -> None:
    for level in (0.0, 0.125, 1.0):
        bands = {band: np.full(3, level, dtype=np.float32) for band in BANDS}
        found = compute_index(name, bands)
        assert not np.isinf(found).any()
        assert found.dtype == np.float32
    assert np.isnan(compute_index("NDVI", {"nir": np.zeros(1), "red": np.zeros(1)})).all()


@pytest.mark.parametrize("name", INDICES)
def test_a_missing_band_makes_the_index_missing(name: str) -> None:
    for absent in INDICES[name].bands:
        bands = {band: np.array([np.nan if band == absent else 0.3]) for band in INDICES[name].bands}
        assert np.isnan(compute_index(name, bands)).all()


def test_random_reflectances_reach_every_index() -> None:
    values = np.random.default_rng(8).uniform(0.02, 0.6, (len(SYMBOLS), 500))
    bands = dict(zip(SYMBOLS, values, strict=True))
    found = {name: compute_index(name, bands) for name in INDICES}
    assert all(np.isfinite(v).all() and v.std() > 0 for v in found.values())


def test_single_precision_is_near_double_precision() -> None:
    values = np.random.default_rng(9).uniform(0.02, 0.6, (len(SYMBOLS), 500))
    double = dict(zip(SYMBOLS, values, strict=True))
    single = {name: v.astype(np.float32) for name, v in double.items()}
    for name in ("NDVI", "EVI2", "SAVI", "MSAVI", "NDMI", "NBR", "MNDWI", "IRECI"):
        found = compute_index(name, single)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, compute_index(name, double), rtol=1e-5, atol=2e-6)
