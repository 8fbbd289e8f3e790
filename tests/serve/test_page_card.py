"""The card of a place and the record of a field point in the map's page, in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from tests.support.browser import PHONE, keep, violations
from tests.support.map_page import at, click_middle, open_map, view, webgl_chromium
from tests.support.offering import offered
from tests.support.small_world import EPSG

from cocal.grid import transformer

MIDDLE = (-12.5005, -72.0015)


@pytest.fixture(scope="module")
def browser():
    with webgl_chromium() as found:
        yield found


def write_own_image(path):
    x, y = transformer(4326, EPSG).transform(MIDDLE[1], MIDDLE[0])
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": 500, "height": 500,
               "crs": f"EPSG:{EPSG}", "transform": from_origin(x - 250, y + 250, 1, 1)}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.full((3, 500, 500), 120, dtype=np.uint8))


def test_a_card_has_height_maps_chips_with_date_and_cloud_and_the_users_own_image(browser, shown, tmp_path):
    write_own_image(tmp_path / "own.tif")
    with offered(shown.root, restricted=True, imagery=str(tmp_path / "own.tif")) as server:
        link = at(server.url, 14, *MIDDLE, lang="en", at="all")
        with open_map(browser, link) as page:
            click_middle(page)
            page.wait_for_selector("#card .chips figure:nth-child(2)")
            card = page.locator("#card")
            assert "Height: " in card.inner_text()
            assert "Slope: " in card.inner_text()
            rows = page.locator("#card tbody tr").all_inner_texts()
            assert [row.split("\t")[0] for row in rows] == ["small · january", "small · all"]
            captions = page.locator("#card figcaption").all_inner_texts()
            assert [c.split()[0] for c in captions[:2]] == ["2024-01-20", "2024-02-10"]
            assert all("% cloud" in c for c in captions[:2])
            sizes = page.eval_on_selector_all(
                ".chips .chip", "v => v.map(n => [n.offsetWidth, n.offsetHeight])"
            )
            assert sizes == [[65, 65]] * 2
            page.wait_for_function("document.querySelector('#card .own img').naturalWidth === 256")
            with page.expect_response(lambda r: "/strip/NDVI?" in r.url and r.ok):
                page.focus("#card-shown")
                page.select_option("#card-shown", "NDVI")
            page.wait_for_function("document.activeElement.id === 'card-shown'")
            assert violations(page) == []
            page.locator("#card").scroll_into_view_if_needed()
            keep(page, "map-card")


def test_on_a_phone_in_spanish_a_click_on_a_field_point_opens_its_record_and_its_places_card(
    browser, restricted
):
    points = restricted.ask("/data/small/all/points").json()["features"]
    longitude, latitude = points[0]["geometry"]["coordinates"]
    link = at(restricted.url, 15, latitude, longitude, points="1", at="all")
    with open_map(browser, link, size=PHONE) as page:
        page.locator("#map-a").scroll_into_view_if_needed()
        click_middle(page)
        page.wait_for_selector("#point table")
        named = page.locator("#point tbody tr").first.inner_text()
        assert named.split() == ["Registro", points[0]["properties"]["id"]]
        assert "Estrato" in page.locator("#point").inner_text()
        page.wait_for_selector("#card .chips figure")
        assert "Altitud: " in page.locator("#card").inner_text()
        found = [float(v) for v in view(page)["pixel"].split(",")]
        assert sorted(found) == pytest.approx(sorted([longitude, latitude]), abs=2e-6)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert violations(page) == []
        page.locator("#point").scroll_into_view_if_needed()
        keep(page, "map-record-phone")
        page.click("#lang-en")
        page.wait_for_function("document.querySelector('#card h2').textContent === 'Card of the place'")
