"""Where the map is unsure: its layers, the doubtful places, and the places to label next."""

from __future__ import annotations

import io

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from PIL import Image
from tests.serve.test_requests import tile_path
from tests.support.browser import violations
from tests.support.map_page import open_map, view, webgl_chromium

from cocal.classify import read_samples, sample_pixels
from cocal.classify.settings import PointSamples
from cocal.config import read_config
from cocal.errors import UsageError
from cocal.run.doubtful import label_next
from cocal.scheme import read_scheme


def test_the_margin_is_a_layer_and_only_of_the_restricted_profile(restricted, public):
    (run,) = restricted.ask("/data/house").json()["runs"]
    layers = {layer["id"]: layer["legend"] for layer in run["layers"]}
    assert list(layers) == ["class", "probability", "looks", "margin", "density"]
    assert layers["margin"][0] == {"colour": "#7f2704", "es": "0\N{NO-BREAK SPACE}%", "en": "0%"}
    answer = restricted.ask(tile_path("margin", 14))
    colours = np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA"))
    assert len({tuple(c) for c in colours[colours[..., 3] > 0]}) > 5
    assert public.ask(tile_path("margin", 14)).status == 404
    assert public.ask("/data/small/all/doubtful").status == 404


def test_the_doubtful_places_are_those_of_the_raster_and_the_least_sure_comes_first(restricted, shown):
    found = restricted.ask("/data/small/all/doubtful").json()
    assert 1 <= len(found) <= 100
    unsure = [abs(place["probability"] - 0.5) for place in found]
    assert unsure == sorted(unsure)
    steps = []
    for path in shown.root.glob("maps/all/*/*/probability.tif"):
        with rasterio.open(path) as source:
            values = source.read(1)
        steps += values[values != 65535].tolist()
    assert unsure[0] >= min(abs(step / 10_000 - 0.5) for step in steps) - 1e-9
    for place in found[:3]:
        pixel = restricted.ask(f"/data/small/all/pixel?lng={place['lng']}&lat={place['lat']}").json()
        assert pixel["probability"] == pytest.approx(place["probability"], abs=1e-4)


def test_the_next_places_are_points_for_training_and_state_no_probability(shown, tmp_path):
    out = tmp_path / "next.gpkg"
    number = label_next(shown.root, out, points=12, apart_m=100, period=None)
    table = gpd.read_file(out)
    assert len(table) == number == 12
    assert set(table.columns) == {"place_id", "label", "period", "design", "simulated", "geometry"}
    assert set(table["design"]) == {"purposive"}
    assert table["label"].isna().all()
    labelled = tmp_path / "labelled.gpkg"
    table.assign(label="coca").to_file(labelled)
    scheme = read_scheme(read_config(shown.config).scheme)
    given = PointSamples(
        kind="points", path=labelled, label_column="label", id_column="place_id", source="me", licence="CC0"
    )
    pixels = sample_pixels(read_samples(given, scheme), 10)
    assert len(pixels) == 12
    assert not (pixels[["x", "y"]] // 100).assign(zone=pixels["epsg"]).duplicated().any()
    with pytest.raises(UsageError, match="exists"):
        label_next(shown.root, out, points=12, apart_m=100, period=None)
    with pytest.raises(UsageError, match="--period"):
        label_next(shown.root, tmp_path / "other.gpkg", points=12, apart_m=100, period="1999")


@pytest.mark.slow
def test_the_next_doubtful_place_is_reached_by_keyboard_and_said_in_both_languages(restricted):
    places = restricted.ask("/data/small/all/doubtful").json()
    with webgl_chromium() as browser, open_map(browser, f"{restricted.url}#layer=margin&lang=en") as page:
        assert "Margin between the two likeliest classes" in page.locator("#legend").inner_text()
        page.focus("#tool-doubt")
        for number, place in enumerate((places * 2)[:2]):
            page.keyboard.press("Enter")
            at = f"Doubtful place {number % len(places) + 1} of {len(places)}"
            page.wait_for_function(
                "at => document.querySelector('#doubt-at').innerText.startsWith(at)", arg=at
            )
            shown = [float(v) for v in view(page)["pixel"].split(",")]
            assert shown == pytest.approx([place["lng"], place["lat"]], abs=1e-6)
        page.wait_for_selector("#pixel h2")
        assert violations(page) == []
        page.click("#lang-es")
        page.wait_for_function("document.querySelector('#doubt-at').innerText.startsWith('Lugar dudoso')")
