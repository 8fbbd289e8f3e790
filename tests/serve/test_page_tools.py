"""Tools of the page in a real Chromium: search, coordinates, measuring, the picture, the pixel's square."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
from PIL import Image
from playwright.sync_api import Page
from pyproj import Transformer
from tests.support.browser import keep, violations
from tests.support.map_page import at, click_middle, open_map, picture, view, wait_for_colour, webgl_chromium
from tests.support.shown_land import HOSTILE

from cocal.serve import open_run

COCA = "#d95f02"
BLUE, DRAWN = (11, 95, 255), (177, 0, 127)
MIDDLE = (-12.5005, -72.0015)
EQUATOR_M = 40075016.686


@pytest.fixture(scope="module")
def browser():
    with webgl_chromium() as found:
        yield found


def step(page: Page, key: str) -> None:
    """Move the map by a key, and wait until it is still."""
    before = view(page).get("map")
    page.keyboard.press(key)
    page.wait_for_function("before => !location.hash.includes(encodeURIComponent(before))", arg=before)
    page.wait_for_timeout(500)


@pytest.mark.slow
def test_a_polygon_is_drawn_by_keyboard_and_its_hectares_are_called_a_count(browser, restricted):
    with open_map(browser, at(restricted.url, 15, *MIDDLE)) as page:
        page.click("#tool-area")
        page.focus("#map-a canvas")
        page.keyboard.press("Enter")
        for key in ("ArrowRight", "ArrowDown"):
            step(page, key)
            page.keyboard.press("Enter")
        page.wait_for_selector("#measured table")
        first = page.locator("#measured").inner_text()
        assert "no una estimación" in first
        page.keyboard.press("Backspace")
        page.wait_for_function("() => document.querySelector('#measured').innerText.includes('tres o más')")
        page.keyboard.press("Enter")
        page.wait_for_selector("#measured table")
        assert page.locator("#measured").inner_text() == first
        page.click("#lang-en")
        page.wait_for_function(
            "() => document.querySelector('#measured').innerText.includes('not an estimate')"
        )
        assert violations(page) == []
        keep(page, "map-polygon")
        assert (picture(page) == DRAWN).all(axis=-1).sum() > 100
        page.focus("#map-a canvas")
        page.keyboard.press("Escape")
        page.wait_for_selector("#measured", state="hidden")


@pytest.mark.slow
def test_a_region_and_coordinates_are_found_and_coordinates_are_copied(browser, public):
    with open_map(browser, f"{public.url}#lang=en") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.fill("#wanted", "IMG SRC")
        page.press("#wanted", "Enter")
        page.wait_for_selector("#region tr.target")
        assert page.locator("#region h2 bdi").inner_text() == HOSTILE
        page.fill("#wanted", "19S 174047.1 8616266.8")
        page.press("#wanted", "Enter")
        page.wait_for_selector("#place-degrees")
        found = page.input_value("#place-degrees")
        assert np.allclose([float(v) for v in found.split(", ")], [-12.5, -72.0], atol=0.01)
        page.click("#place .copying:has(#place-degrees) button")
        page.wait_for_function("() => document.querySelector('#message').textContent.startsWith('Copied')")
        assert page.evaluate("navigator.clipboard.readText()") == found
        page.fill("#wanted", "nowhere at all")
        page.press("#wanted", "Enter")
        page.wait_for_function("() => document.querySelector('#found').innerText.startsWith('Nothing found')")
        page.click("#tool-line")
        for x in (-100, 100):
            box = page.locator("#map-a").bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2)
            page.wait_for_timeout(200)
        page.wait_for_function("() => document.querySelector('#measured').innerText.includes('Length')")
        assert page.locator("#measured table").count() == 0
        assert violations(page) == []


def check_saved_picture(browser, url) -> int:
    """The view, its legend, scale, north and words in the PNG; returns how many points of coca are the same.

    Called by the acceptance of the ground.
    """
    with open_map(browser, at(url, 15, *MIDDLE, lang="en")) as page:
        wait_for_colour(page, COCA)
        shown = (picture(page) == bytes_of(COCA)).all(axis=-1)
        with page.expect_download() as offered:
            page.click("#tool-picture")
        assert offered.value.suggested_filename == "cocal-small-all.png"
        rgb = np.asarray(Image.open(io.BytesIO(offered.value.path().read_bytes())).convert("RGB"))
    orange = (rgb == bytes_of(COCA)).all(axis=-1)
    top = int(np.flatnonzero(orange.any(axis=1))[0] - np.flatnonzero(shown.any(axis=1))[0])
    foot = top + shown.shape[0]
    assert (orange[top:foot] == shown).mean() > 0.999
    assert 100 < orange[foot:].sum() < 200  # the swatch of 14 px without its frame
    assert (rgb[:top] < 100).all(axis=-1).sum() > 500  # title, run, SIMULATED, profile, place
    assert (rgb[foot + 30 :] < 100).all(axis=-1).sum() > 1000  # legend, sources
    scale, north = rgb[foot - 14 : foot - 11, 16:120], rgb[top + 12 : top + 30, -33:-19]
    bar = (scale == 27).all(axis=-1).sum(axis=1)
    metres = EQUATOR_M * np.cos(np.radians(MIDDLE[0])) / (512 * 2**15)
    assert abs(bar.max() * metres - 200) < 1.5 * metres
    assert (north == 27).all(axis=-1).sum() > 80  # half of 14 x 17 px
    return int((orange[top:foot] & shown).sum())


def bytes_of(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def test_the_square_of_a_pixel_lies_on_the_pixel(browser, restricted, shown):
    """At the largest zoom; at all others: the acceptance of the ground."""
    place = chosen_pixel(shown)
    check_square(*square_at(browser, restricted.url, 18, place), 18, place)


def square_at(browser, url, zoom, place):
    """The stage around a pixel of the map before and after it is chosen."""
    with open_map(browser, at(url, zoom, *place["middle"], relief="0")) as page:
        wait_for_colour(page, COCA, least=0.0)
        page.wait_for_timeout(500)
        plain = picture(page)
        click_middle(page)
        page.wait_for_selector("#pixel svg circle")
        page.wait_for_timeout(700)
        keep(page, f"map-pixel-square-{zoom}")
        return plain, picture(page)


def chosen_pixel(shown) -> dict:
    """A pixel whose four neighbours on the map are of other classes, far from outlines; its raster."""
    run = open_run(shown.root, restricted=True)
    for tile, folder in run.maps["all"].items():
        with rasterio.open(folder / "class.tif") as source:
            codes, transform = source.read(1), source.transform
        to = Transformer.from_crs(tile.window.epsg, 4326, always_xy=True)
        for row, column in np.argwhere(codes == 1).tolist():
            around = codes[row - 1 : row + 2, column - 1 : column + 2]
            longitude, latitude = to.transform(*(transform @ (column + 0.5, row + 0.5)))
            near = abs(longitude + 72.0) > 0.001 and abs(latitude - MIDDLE[0]) < 0.0015
            if near and around.shape == (3, 3) and (around == 1).sum() == 1 and (around > 0).all():
                return {
                    "codes": codes, "transform": transform, "row": row, "column": column,
                    "epsg": tile.window.epsg, "middle": (latitude, longitude), "scheme": run.scheme,
                }  # fmt: skip
    raise AssertionError("no such pixel")


def check_square(plain, marked, zoom, place) -> int:
    """Colours and edges within one pixel of the screen of where they belong, in 3 x 3 pixels of the map.

    Returns how many points of the screen were compared.
    """
    height, width = plain.shape[:2]
    latitude, longitude = place["middle"]
    side = 512 * 2**zoom
    x0 = (round(longitude, 6) / 360 + 0.5) * side
    y0 = (0.5 - np.arcsinh(np.tan(np.radians(round(latitude, 6)))) / (2 * np.pi)) * side
    y, x = np.mgrid[:height, :width] + 0.5
    lon = ((x - width / 2 + x0) / side - 0.5) * 360
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * (y - height / 2 + y0) / side))))
    east, north = Transformer.from_crs(4326, place["epsg"], always_xy=True).transform(lon, lat)
    column, row = ~place["transform"] @ (east, north)
    column, row = column - place["column"], row - place["row"]
    metres = EQUATOR_M * np.cos(np.radians(latitude)) / side
    from_edge = np.minimum(np.abs(column - np.round(column)), np.abs(row - np.round(row))) * 10 / metres
    near = (np.abs(column - 0.5) < 1.4) & (np.abs(row - 0.5) < 1.4)
    sure = near & (from_edge > 1.0)
    at_row, at_column = (np.floor(v).astype(int) + place[k] for v, k in ((row, "row"), (column, "column")))
    colour = {c.code: bytes_of(c.colour) for c in place["scheme"].classes}
    expected = np.array([colour.get(n, [0, 0, 0]) for n in range(256)])[
        place["codes"][at_row.clip(0, 95), at_column.clip(0, 95)]
    ]
    assert (plain[sure] == expected[sure]).all(), (zoom, (plain[sure] == expected[sure]).all(-1).mean())
    outside = np.maximum(np.abs(column - 0.5), np.abs(row - 0.5)) - 0.5
    distance = np.abs(outside) * 10 / metres
    blue = (marked == BLUE).all(axis=-1) & near
    assert distance[blue].max() < 2.5  # half of the line's 3 px, and one
    line = near & (distance < 0.5)
    assert (np.abs(marked[line].astype(int) - BLUE).sum(axis=-1) < 60).all(), zoom
    return int(sure.sum())
