from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from cocal.fieldwork.checks.text import (
    decode_line,
    encode_line,
    fix_mojibake,
    parse_number,
    with_point,
)
from cocal.fieldwork.checks.transforms import (
    MINUTES,
    SIGNS,
    SWAP,
    candidates,
    datums,
    metres_for_degrees,
    toggled,
    zones,
)
from cocal.fieldwork.checks.values import default_names

DEGREES, METRES = CRS.from_epsg(4326), CRS.from_epsg(32719)
LON = st.floats(-71.9, -66.1)
LAT = st.floats(-16.0, -12.0)
PSAD_DEGREES, PSAD_METRES = (Transformer.from_crs(4326, code, always_xy=True) for code in (4248, 24879))
FROM_METRES = Transformer.from_crs(32719, 4326, always_xy=True)
LETTERS = st.text("aeiouñÑáéíóúÁÉÍÓÚüÜ¿¡ xyz", max_size=20)


def metres_apart(x: float, y: float, lon: float, lat: float) -> float:
    return Geod(ellps="WGS84").inv(x, y, lon, lat)[2]


@pytest.mark.parametrize(
    ("text", "value", "form"),
    [
        ("-14.25", -14.25, "plain"),
        (" 8430123 ", 8430123.0, "plain"),
        ("-14,25", -14.25, "decimal comma"),
        ("8.430.123,5", 8430123.5, "decimal comma"),
        ("14°15'S", -14.25, "angle"),
        ("14° 15' 36\" S", -14.26, "angle"),  # 15 / 60 + 36 / 3600 = 0.26
        ("-69 30", -69.5, "angle"),
        ("69°30'O", -69.5, "angle"),
        ("14,5,6", math.nan, "unread"),
        ("14°75'S", math.nan, "unread"),
        ("cerca del río", math.nan, "unread"),
        ("", math.nan, "empty"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float, form: str) -> None:
    found, how = parse_number(text)
    assert how == form
    assert found == pytest.approx(value, abs=1e-12, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(st.decimals(-180, 180, places=7))
def test_a_decimal_comma_is_undone_to_the_digit(value) -> None:
    text = f"{value:.7f}"
    assert with_point(text.replace(".", ",")) == text
    assert parse_number(text.replace(".", ",")) == (float(text), "decimal comma")


def test_mojibake_is_undone_and_sound_spanish_is_left_alone() -> None:
    assert fix_mojibake("RegiÃ³n de PiÃ±as") == "Región de Piñas"
    for sound in ("Región", "SÃO PAULO", "São Paulo", "Ñuñoa", "¿qué?", "â", "50 €"):
        assert fix_mojibake(sound) == sound


@settings(max_examples=50, deadline=None)
@given(LETTERS)
def test_fixing_what_latin_1_made_of_utf_8_gives_the_text_back(text: str) -> None:
    assert fix_mojibake(decode_line(b"\xff" + text.encode())[0][1:]) == text
    assert fix_mojibake(text.encode().decode("latin-1")) == text
    assert fix_mojibake(text) == text


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_any_line_is_written_back_byte_for_byte(line: bytes) -> None:
    assert encode_line(*decode_line(line)) == line


@settings(max_examples=50, deadline=None)
@given(LON, LAT)
def test_exchanging_and_signs_undo_themselves(lon: float, lat: float) -> None:
    x, y = np.array([lon]), np.array([lat])
    for transform, faulty in (
        (SWAP, (y, x)),
        (SIGNS[0], (-x, y)),
        (SIGNS[1], (x, -y)),
        (SIGNS[2], (-x, -y)),
        (SWAP.then(SIGNS[2]), (-y, -x)),
    ):
        assert transform.apply(*faulty) == (x, y)
        assert transform.text is not None
        texts = transform.text(repr(float(faulty[0][0])), repr(float(faulty[1][0])))
        assert texts == (repr(lon), repr(lat))


def test_a_sign_as_text() -> None:
    assert [toggled(t) for t in ("14.20", "-14.20", "+69.0")] == ["-14.20", "14.20", "-69.0"]


@settings(max_examples=50, deadline=None)
@given(LON, LAT)
def test_degrees_and_minutes_typed_as_decimals_come_back(lon: float, lat: float) -> None:
    packed = [math.trunc(v) + (v - math.trunc(v)) * 0.6 for v in (lon, lat)]
    nmea = [math.trunc(v) * 100 + (v - math.trunc(v)) * 60 for v in (lon, lat)]
    for transform, faulty in zip(MINUTES, (packed, nmea), strict=True):
        x, y = transform.apply(np.array([faulty[0]]), np.array([faulty[1]]))
        assert metres_apart(x[0], y[0], lon, lat) < 0.01


def test_fourteen_degrees_fifteen_minutes_by_hand() -> None:
    x, y = MINUTES[0].apply(np.array([-69.30]), np.array([-14.15]))
    assert (x[0], y[0]) == (pytest.approx(-69.5), pytest.approx(-14.25))
    x, y = MINUTES[0].apply(np.array([-69.75]), np.array([-14.15]))
    assert np.isnan(x[0])


@settings(max_examples=50, deadline=None)
@given(LON, LAT, st.sampled_from([32718, 32720, 32619]))
def test_metres_of_the_wrong_zone_come_back(lon: float, lat: float, assumed: int) -> None:
    x, y = Transformer.from_crs(4326, 32719, always_xy=True).transform(lon, lat)
    faulty = Transformer.from_crs(assumed, 4326, always_xy=True).transform(x, y)
    back = [t.apply(*(np.array([v]) for v in faulty)) for t in zones(DEGREES, 19)]
    assert min(metres_apart(float(a[0]), float(b[0]), lon, lat) for a, b in back) < 0.001


@settings(max_examples=50, deadline=None)
@given(LON, LAT)
def test_metres_in_the_columns_of_degrees_come_back(lon: float, lat: float) -> None:
    faulty = Transformer.from_crs(4326, 32719, always_xy=True).transform(lon, lat)
    back = [t.apply(*(np.array([v]) for v in faulty)) for t in metres_for_degrees(DEGREES)]
    assert min(metres_apart(float(a[0]), float(b[0]), lon, lat) for a, b in back) < 0.001


@settings(max_examples=20, deadline=None)
@given(LON, LAT)
def test_psad56_comes_back_within_the_accuracy_of_the_published_shifts(lon: float, lat: float) -> None:
    """The faults by PROJ's own operation for the place, which need not be one of those that are tried."""
    degrees = PSAD_DEGREES.transform(lon, lat)
    metres = FROM_METRES.transform(*PSAD_METRES.transform(lon, lat))
    for faulty in (degrees, metres):
        assert 300 < metres_apart(*faulty, lon, lat) < 600
        back = [t.apply(*(np.array([v]) for v in faulty)) for t in datums(DEGREES, 19)]
        assert min(metres_apart(float(a[0]), float(b[0]), lon, lat) for a, b in back) < 25


def test_psad56_metres_in_a_utm_file_come_back() -> None:
    faulty = Transformer.from_crs(32719, 24879, always_xy=True).transform(500_000.0, 8_430_000.0)
    back = [t.apply(*(np.array([v]) for v in faulty)) for t in datums(METRES, 19)]
    assert min(np.hypot(x[0] - 500_000, y[0] - 8_430_000) for x, y in back) < 25


def test_in_a_utm_file_other_zones_are_tried_and_the_file_s_own_is_not() -> None:
    single, _ = candidates(METRES, 19)
    words = [t.name for t in single]
    assert "read the metres in zone 18S" in words
    assert "read the metres in zone 19S" not in words
    true = Transformer.from_crs(32718, 32719, always_xy=True).transform(700_000.0, 8_430_000.0)
    of_18 = single[words.index("read the metres in zone 18S")]
    x, y = of_18.apply(np.array([700_000.0]), np.array([8_430_000.0]))
    assert (x[0], y[0]) == (pytest.approx(true[0], abs=1e-3), pytest.approx(true[1], abs=1e-3))


@pytest.mark.parametrize(
    ("text", "key", "state"),
    [
        ("cocal", "coca", None),
        ("COCA_", "coca", None),
        ("Hoja de Coca", "coca", None),
        ("cultivo_de_coca", "coca", None),
        ("Almácigo", "coca", "nursery"),
        ("almÃ¡cigo", "coca", "nursery"),
        ("coca abandonada", "coca", "abandoned"),
        ("Monte alto", "forest", None),
        ("Café", "other_crops", None),
    ],
)
def test_names_of_crews_lead_to_class_keys_and_states(text: str, key: str, state: str | None) -> None:
    label = default_names().read(text)
    assert label is not None
    assert (label.key, label.state) == (key, state)


def test_unknown_names_are_not_guessed_and_a_mapping_wins() -> None:
    assert default_names().read("papaya") is None
    assert default_names().read("cacao con coca") is None
    own = default_names().with_classes({"papaya": "other_crops", "chaco": "pasture"}, None)
    assert own.read("Papaya").key == "other_crops"
    assert own.read("chaco").key == "pasture"
