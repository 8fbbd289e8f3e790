"""Images in the map's page, in a real Chromium: by keyboard, by date, beside the classes."""

from __future__ import annotations

import pytest
from tests.support.browser import PHONE, keep, violations
from tests.support.map_page import at, open_map, picture, view, wait_for_colour, webgl_chromium

MIDDLE = (-12.5005, -72.0015)
COCA = "#d95f02"


@pytest.fixture(scope="module")
def browser():
    with webgl_chromium() as found:
        yield found


def strip_of(page):
    page.wait_for_selector("#dates .date:nth-child(3) .chip[style*='data:image']")
    return page.locator("#dates .date").all_inner_texts()


@pytest.mark.slow
def test_images_are_chosen_by_keyboard_by_date_and_beside_the_classes(browser, restricted):
    with open_map(browser, at(restricted.url, 14, *MIDDLE, lang="en", at="all")) as page:
        page.focus("input[name=layer]:checked")
        while view(page)["layer"] != "image":
            page.keyboard.press("ArrowDown")
            page.wait_for_timeout(50)
        median, one, other = strip_of(page)
        assert median.strip() == "Median of the period"
        assert [t.split()[0] for t in (one, other)] == ["2024-01-20", "2024-02-10"]
        assert all("% cloud" in t for t in (one, other))
        assert view(page)["when"] == "median"
        with page.expect_response(lambda r: "/images/small/all/2024-01-20/false/" in r.url and r.ok):
            page.focus("#when-median")
            page.keyboard.press("ArrowRight")
        assert view(page)["when"] == "2024-01-20"
        assert page.evaluate("document.activeElement.id") == "when-2024-01-20"
        with page.expect_response(lambda r: "/images/small/all/2024-01-20/NDVI/" in r.url and r.ok):
            page.select_option("#shown", "NDVI")
        assert page.locator("#legend").inner_text().split()[:3] == ["NDVI", "-0.2", "0.1"]
        with page.expect_response(lambda r: "/2024-01-20/red-nir-swir16/" in r.url and r.ok):
            page.select_option("#shown", "own")
            page.select_option("#band-2", "swir16")
            page.select_option("#band-1", "nir")
        page.check("#compare")
        page.select_option("#layer-b", "class")
        wait_for_colour(page, COCA)
        assert page.locator("#side-a").inner_text() == "all · 2024-01-20"
        page.select_option("#layer-b", "image")
        with page.expect_response(lambda r: "/2024-02-10/red-nir-swir16/" in r.url and r.ok):
            page.select_option("#when-b", "2024-02-10")
        assert violations(page) == []
        keep(page, "map-images")


def test_far_away_the_page_says_to_zoom_in_and_the_strip_fits_a_phone(browser, restricted):
    link = at(restricted.url, 9, *MIDDLE, layer="image", when="2031-01-01", shown="true")
    with open_map(browser, link, size=PHONE) as page:
        assert (view(page)["when"], view(page)["shown"]) == ("median", "false")
        assert page.is_visible("#images-far")
        strip_of(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert violations(page) == []
        before = picture(page)
        page.goto(at(restricted.url, 14, *MIDDLE, layer="image", when="2024-02-10"))
        page.wait_for_function("document.querySelector('#images-far').hidden")
        assert page.is_checked("#when-2024-02-10")
        assert picture(page).shape == before.shape


def test_the_public_page_offers_no_images(browser, public):
    with open_map(browser, at(public.url, 14, *MIDDLE, layer="image")) as page:
        assert view(page)["layer"] == "density"
        assert not page.is_visible("#strip")
        assert page.locator("input[value=image]").count() == 0
