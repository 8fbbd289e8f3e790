"""Offsets: what metadata and the user say, and what the data contradict.

The scenes are plain arithmetic: reflectance spectra of well-known surfaces, textured by +-20 %. Each is
written in both encodings, DN = 10000 rho (offset 0) and DN = 10000 rho + 1000 (offset -1000).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.errors import OffsetError
from cocal.scenes.radiometry import (
    Claim,
    check_offset,
    decide_offset,
    decide_scale,
    stored_reflectance,
)

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
WAVELENGTH_NM = dict(zip(BANDS, (492, 560, 665, 833, 1614, 2202), strict=True))
SPECTRA = {
    "forest": (0.020, 0.040, 0.020, 0.350, 0.130, 0.055),
    "forest shadow": (0.008, 0.014, 0.007, 0.100, 0.035, 0.015),
    "clear water": (0.035, 0.030, 0.010, 0.003, 0.002, 0.001),
    "turbid water": (0.080, 0.110, 0.095, 0.030, 0.010, 0.006),
    "burnt ground": (0.030, 0.035, 0.040, 0.060, 0.110, 0.100),
    "snow": (0.900, 0.900, 0.880, 0.800, 0.080, 0.060),
    "snow in shadow": (0.250, 0.220, 0.180, 0.120, 0.015, 0.012),
    "cloud": (0.700, 0.700, 0.710, 0.720, 0.400, 0.300),
    "cloud edge": (0.250, 0.260, 0.260, 0.400, 0.220, 0.150),
    "desert sand": (0.130, 0.200, 0.300, 0.380, 0.480, 0.430),
    "dry soil": (0.100, 0.140, 0.190, 0.260, 0.340, 0.300),
    "grey soil": (0.100, 0.115, 0.130, 0.160, 0.200, 0.190),
    "concrete": (0.180, 0.200, 0.220, 0.250, 0.280, 0.260),
}
CORRECT = {
    "forest with shade": ("forest", "forest", "forest shadow"),
    "forest without shade": ("forest",),
    "dark: shadow and burns": ("forest shadow", "burnt ground", "forest shadow"),
    "lake": ("clear water",),
    "muddy river": ("turbid water", "forest"),
    "snow with shade": ("snow", "snow", "snow in shadow"),
    "snow alone": ("snow",),
    "overcast": ("cloud", "cloud edge"),
    "half clouded": ("cloud", "cloud edge", "forest", "forest shadow"),
    "desert": ("desert sand",),
    "dry soil": ("dry soil",),
    "grey soil": ("grey soil",),
    "town": ("concrete", "forest", "burnt ground"),
}
BAND_SETS = {"six bands": BANDS, "RGB + NIR": BANDS[:4], "RGB": BANDS[:3]}


def scene(surfaces, *, side=200, haze=0.0, exponent=1.0, bands=BANDS):
    """Reflectance by band: stripes of the surfaces, textured, under haze h (492 nm / wavelength)^a."""
    rng = np.random.default_rng(0)
    texture = rng.uniform(0.8, 1.2, (side, side))
    which = np.arange(side) * len(surfaces) // side
    out = {}
    for band in bands:
        index = BANDS.index(band)
        rho = np.array([SPECTRA[s][index] for s in surfaces])[which] * texture
        veil = haze * (492 / WAVELENGTH_NM[band]) ** exponent
        out[band] = rho * (1 - veil) + veil
    return out


def encoded(reflectance, offset):
    """uint16 DN; valid DN are at least 1."""
    return {
        band: np.maximum(np.rint(rho * 10_000) - offset, 1).astype(np.uint16)
        for band, rho in reflectance.items()
    }


@pytest.mark.parametrize("bands", BAND_SETS.values(), ids=BAND_SETS)
@pytest.mark.parametrize("offset", [0, -1000])
@pytest.mark.parametrize("surfaces", CORRECT.values(), ids=CORRECT)
def test_a_correct_scene_passes_in_both_encodings(surfaces, offset, bands):
    check_offset(encoded(scene(surfaces, bands=bands), offset), offset, 1e-4)


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("surfaces", [("forest", "forest shadow"), ("forest",), ("forest", "clear water")])
@pytest.mark.parametrize("bands", BAND_SETS.values(), ids=BAND_SETS)
def test_a_correct_scene_passes_under_haze_of_any_strength(surfaces, exponent, bands):
    for haze in np.arange(0.02, 0.3, 0.02):
        for offset in (0, -1000):
            hazy = scene(surfaces, side=24, haze=haze, exponent=exponent, bands=bands)
            check_offset(encoded(hazy, offset), offset, 1e-4)


@pytest.mark.parametrize("side", [1, 2, 5, 20])
@pytest.mark.parametrize("surfaces", CORRECT.values(), ids=CORRECT)
def test_a_tiny_correct_scene_passes(surfaces, side):
    for offset in (0, -1000):
        check_offset(encoded(scene(surfaces, side=side), offset), offset, 1e-4)


LEFT_IN = [
    "forest with shade",
    "forest without shade",
    "dark: shadow and burns",
    "lake",
    "muddy river",
    "town",
]


@pytest.mark.parametrize("name", LEFT_IN)
def test_an_offset_left_in_a_scene_with_dark_targets_is_refused_with_its_floors(name):
    dn = encoded(scene(CORRECT[name]), -1000)
    floor = np.percentile(dn["blue"], 0.1, method="lower") / 10_000
    with pytest.raises(OffsetError, match=f"blue {floor:.4f}") as caught:
        check_offset(dn, 0, 1e-4)
    assert "offset: -1000" in caught.value.remedy


@pytest.mark.parametrize(
    "name", [n for n in CORRECT if n not in ("overcast", "desert", "dry soil", "grey soil", "snow alone")]
)
def test_an_offset_subtracted_twice_is_refused_with_the_share_below_zero(name):
    with pytest.raises(OffsetError, match=r"\d+% below") as caught:
        check_offset(encoded(scene(CORRECT[name]), 0), -1000, 1e-4)
    assert "an offset of -1000 DN" in caught.value.what


def test_the_share_below_zero_is_counted_over_valid_pixels():
    """12 of 100 valid pixels have DN 700: (700 - 1000) / 10000 = -0.03; no-data pixels do not dilute it."""
    dn = np.zeros(1000, dtype=np.uint16)
    dn[:100] = 1500
    check_offset({"red": dn}, -1000, 1e-4)
    dn[:12] = 700
    with pytest.raises(OffsetError, match="red 12% below"):
        check_offset({"red": dn}, -1000, 1e-4)


def test_nothing_valid_and_quality_bands_contradict_nothing():
    check_offset({"red": np.zeros(9, np.uint16), "scl": np.full(9, 5, np.uint8)}, -1000, 1e-4)


def test_a_scale_given_in_other_units_moves_the_guard_with_it():
    """DN / 20000: the offset of 0.1 is 2000 DN."""
    dn = {band: np.rint((rho + 0.1) * 20_000) for band, rho in scene(("forest", "forest shadow")).items()}
    check_offset(dn, -2000, 5e-5)
    with pytest.raises(OffsetError, match="still in the data: state `offset: -2000`"):
        check_offset(dn, 0, 5e-5)


@pytest.mark.parametrize(
    ("claims", "stated", "expected"),
    [
        ([Claim("baseline", "product", -1000.0)], None, -1000),
        ([Claim("baseline", "product", -1000.0)], -1000, -1000),
        ([], 0, 0),
        ([Claim("raster:offset", "file", 0.0), Claim("baseline", "product", -1000.0)], None, 0),
        ([Claim("a", "file", 0.0), Claim("b", "file", -1000.0)], -1000, -1000),
        ([Claim("a", "file", None, 1e-4)], -1000, -1000),
    ],
)
def test_the_offset_is_what_the_file_says_then_the_product_then_the_user(claims, stated, expected):
    assert decide_offset(claims, stated)[0] == expected


def test_an_offset_that_nothing_says_asks_for_it_and_names_the_usual_values():
    with pytest.raises(OffsetError, match=r"state `offset:`.*-1000.*0 for older"):
        decide_offset([], None)


def test_a_stated_offset_that_metadata_deny_is_refused_and_both_are_named():
    claim = Claim("processing baseline 05.09 (item.json)", "product", -1000.0)
    with pytest.raises(OffsetError) as caught:
        decide_offset([claim], 0)
    assert "`offset: 0`" in str(caught.value)
    assert "processing baseline 05.09 (item.json): -1000" in str(caught.value)


def test_metadata_that_contradict_each_other_are_refused_and_both_are_named():
    with pytest.raises(OffsetError, match="a: 0; b: -1000"):
        decide_offset([Claim("a", "file", 0.0), Claim("b", "file", -1000.0)], None)


def test_the_source_of_the_offset_is_told():
    claim = Claim("BOA_ADD_OFFSET", "product", -1000.0)
    assert decide_offset([claim], None) == (-1000.0, "BOA_ADD_OFFSET")
    assert decide_offset([], 0.0) == (0.0, "stated in the configuration")


def test_an_unknown_scale_is_asked_for():
    with pytest.raises(OffsetError, match="state `scale:`"):
        decide_scale([Claim("a", "file", 0.0)], None)


def test_stored_values_by_hand():
    """DN 1000 with offset -1000 is 0, stored as 1; 1001 is 1; 6000 is 5000; 0 and 65535 are no data."""
    dn = np.array([0, 1, 1000, 1001, 6000, 65535], dtype=np.uint16)
    assert stored_reflectance(dn, 65535, offset=-1000, scale=1e-4).tolist() == [0, 1, 1, 1, 5000, 0]
    assert stored_reflectance(dn, None, offset=0, scale=1e-4).tolist() == [0, 1, 1000, 1001, 6000, 65535]


def test_plain_reflectance_is_stored_times_10000_and_nan_is_no_data():
    rho = np.array([np.nan, 0.25, 7.0, -0.01, 0.00004], dtype=np.float32)
    assert stored_reflectance(rho, None, offset=0, scale=1).tolist() == [0, 2500, 65535, 1, 1]


@given(
    st.lists(st.integers(0, 65535), min_size=1, max_size=50),
    st.sampled_from([0, -1000, -2000]),
    st.sampled_from([1e-4, 5e-5, 2e-4]),
)
def test_integers_of_every_width_are_stored_alike_and_only_no_data_becomes_0(values, offset, scale):
    wide = np.array(values, dtype=np.int64)
    stored = stored_reflectance(wide.astype(np.uint16), 65535, offset=offset, scale=scale)
    assert (stored == stored_reflectance(wide, 65535, offset=offset, scale=scale)).all()
    missing = (wide == 0) | (wide == 65535) | ((wide + offset) * (scale * 1e4) < -2000)
    assert ((stored == 0) == missing).all()


def test_the_margins_of_the_guard_are_those_of_the_documentation():
    """Prints the table of docs/radiometry.md: why each correct scene is not taken for one with +1000 in
    it.
    """
    for name, surfaces in CORRECT.items():
        floors = {b: np.percentile(r, 0.1, method="lower") for b, r in scene(surfaces).items()}
        visible = [floors[b] for b in BANDS[:3]]
        reason = [
            text
            for holds, text in (
                (min(floors.values()) < 0.097, f"a floor of {min(floors.values()):.3f} < 0.097"),
                (max(visible) > 0.135, f"a visible floor of {max(visible):.3f} > 0.135"),
                (abs(visible[0] - visible[-1]) > 0.010, f"blue - red {visible[0] - visible[-1]:+.3f}"),
            )
            if holds
        ]
        print(f"{name:24s} passes by {'; '.join(reason)}")
        assert reason
