"""The page in a real Chromium: what can be pressed, what it shows then, and what it never does."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.support.browser import PHONE, keep, violations
from tests.support.map_page import at, click_middle, open_map, view, wait_for_colour, webgl_chromium
from tests.support.shown_land import HOSTILE

COCA = "#d95f02"
MIDDLE = (-12.5005, -72.0015)
"""Latitude, longitude of ground that the first region owns."""

PAINTED = """async () => {
  const { paintRegions } = await import('./assets/js/paint.js');
  const figure = (estimated_ha, ci_low_ha, ci_high_ha) => ({ estimated_ha, ci_low_ha, ci_high_ha });
  const figures = { unsure: figure(0, 0, 82), none: figure(0, 0, 0), narrow: figure(10, 9, 11),
    wide: figure(10, 0, 20), few: figure(null, null, null) };
  return paintRegions('width', figures, 'coca').colours;
}"""


@pytest.fixture(scope="module")
def browser():
    with webgl_chromium() as found:
        yield found


def region_of(shown, region_id, period="all"):
    table = pd.read_csv(shown.root / "hectares.csv")
    rows = table[(table["region_id"] == region_id) & (table["period"] == period)]
    return rows.set_index("class")


def test_the_class_map_is_drawn_and_marked_as_simulated(browser, restricted):
    with open_map(browser, restricted.url) as page:
        wait_for_colour(page, COCA)
        assert page.locator("#simulated").inner_text().startswith("SIMULADO")
        assert page.locator("#profile").inner_text() == "Perfil restringido: no difundir"
        assert "No observado" in page.locator("#legend").inner_text()
        assert "muy pocos puntos" in page.locator("#list").inner_text()  # an estimate from too few points
        assert violations(page) == []
        keep(page, "map-classes")


def test_the_language_switch_changes_words_numbers_and_the_language_told_to_readers(browser, restricted):
    with open_map(browser, restricted.url) as page:
        spanish = page.locator("#list").inner_text()
        assert page.get_attribute("html", "lang") == "es"
        page.click("#lang-en")
        page.wait_for_function("document.querySelector('#list h2').textContent === 'Regions'")
        english = page.locator("#list").inner_text()
        assert page.get_attribute("html", "lang") == "en"
        assert view(page)["lang"] == "en"
        assert page.locator(".maplibregl-ctrl-zoom-in").get_attribute("aria-label") == "Zoom in"
    assert "Estimada (ha)" in spanish
    assert "Estimated (ha)" in english


def test_a_click_shows_the_regions_table_and_the_pixels_year(browser, restricted, shown):
    with open_map(browser, at(restricted.url, 15, *MIDDLE, lang="en")) as page:
        wait_for_colour(page, COCA)
        click_middle(page)
        page.wait_for_selector("#pixel svg circle")
        chosen = view(page)
        coca = region_of(shown, chosen["region"]).loc["coca"]
        row = page.locator("#region tr.target").inner_text()
        assert f"{coca['mapped_ha']:.1f}" in row
        assert "Clear dates in the period" in page.locator("#pixel").inner_text()
        assert "It is a comparison with the map, not with the ground" in page.locator("#pixel").inner_text()
        page.select_option("#pixel-beside", "forest")
        page.wait_for_selector("#pixel svg[aria-label*='Forest']")
        assert violations(page) == []
        keep(page, "map-pixel")


def test_a_link_restores_the_view(browser, restricted):
    with open_map(
        browser, at(restricted.url, 15, *MIDDLE, lang="en", period="january", layer="probability")
    ) as page:
        click_middle(page)
        page.wait_for_selector("#region tr.target")
        link, said = page.url, view(page)
    with open_map(browser, link) as page:
        page.wait_for_selector("#region tr.target")
        assert view(page) == said
        assert page.locator("#period-name").inner_text() == "january"
        assert page.is_checked("input[value=probability]")
        assert page.get_attribute("html", "lang") == "en"


def test_a_link_that_asks_for_what_is_not_there_shows_the_usual_view(browser, restricted):
    nonsense = "#run=../../etc&period=%00&layer=<img>&map=x,y,z&swipe=900&pixel=1&lang=zz"
    with open_map(browser, restricted.url + nonsense) as page:
        assert view(page)["layer"] == "class"
        assert page.locator("#period-name").inner_text() == "all"


def test_the_period_slider_changes_map_and_figures(browser, restricted):
    with open_map(browser, restricted.url) as page:
        page.wait_for_selector("#list tbody tr")
        before = page.locator("#list").inner_text()
        with page.expect_response(lambda r: "/tiles/small/january/class/" in r.url):
            page.focus("#period")
            page.keyboard.press("ArrowLeft")
        page.wait_for_function("text => document.querySelector('#list').innerText !== text", arg=before)
        assert view(page)["period"] == "january"
        assert "Mapeada" in page.locator("#list").inner_text()  # no record lies in january


@pytest.mark.slow
def test_the_divider_shows_two_periods_side_by_side_and_moves(browser, restricted):
    with open_map(browser, restricted.url) as page:
        with page.expect_response(lambda r: "/tiles/small/january/class/" in r.url):
            page.check("#compare")
        page.wait_for_function("document.querySelectorAll('.maplibregl-canvas').length === 2")
        assert page.locator("#sides").inner_text().split() == ["all", "january"]
        box = page.locator("#swipe").bounding_box()
        y, middle = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2
        page.mouse.move(middle, y)
        page.mouse.down()
        page.mouse.move(middle + 150, y, steps=4)
        page.mouse.up()
        moved = float(view(page)["swipe"])
        assert 60 < moved < 90
        assert page.locator("#map-b").evaluate("e => e.style.clipPath") == f"inset(0px 0px 0px {moved:g}%)"
        page.keyboard.press("ArrowLeft")
        page.wait_for_function(f"location.hash.includes('swipe={moved - 1:g}')")
        assert violations(page) == []
        keep(page, "map-swipe")


def test_regions_are_coloured_by_hectares_and_by_the_width_of_the_interval(browser, restricted):
    with open_map(browser, f"{restricted.url}#layer=hectares") as page:
        wait_for_colour(page, "#d9d9d9", least=0.0)
        assert "Estimada (ha) de coca" in page.locator("#legend").inner_text()
        page.check("input[value=width]")
        page.wait_for_function("document.querySelector('#legend').innerText.includes('Ancho del intervalo')")
        assert "≥ 200" in page.locator("#legend").inner_text()
        keep(page, "map-width")
        painted = page.evaluate(PAINTED)
        assert painted["unsure"] == painted["wide"] == "#54278f"  # 0 ha [0 to 82] is the least certain of all
        assert painted["none"] == painted["narrow"] == "#f2f0f7"  # 0 ha [0 to 0], 10 ha [9 to 11]
        assert painted["few"] == "#d9d9d9"


def test_a_hostile_name_is_only_ever_text(browser, restricted):
    with open_map(browser, restricted.url) as page:
        page.wait_for_selector("#list tbody tr")
        page.click(f"#list button >> text={HOSTILE}")
        page.wait_for_selector("#region tr.target")
        assert page.locator("#region h2 bdi").inner_text() == HOSTILE
        assert page.locator("img").count() == 0
        keep(page, "map-hostile-name")


def test_field_points_are_shown_with_what_was_seen(browser, restricted):
    with open_map(browser, f"{restricted.url}#points=1&lang=en") as page:
        wait_for_colour(page, "#0072b2", least=0.0005)
        assert "Field and map agree" in page.locator("#legend").inner_text()


def test_the_public_page_has_squares_and_no_pixels(browser, public):
    with open_map(browser, at(public.url, 14, *MIDDLE)) as page:
        wait_for_colour(page, "#dfe3e8", least=0.001)
        assert page.locator("#layers input").evaluate_all("all => all.map(e => e.value)") == [
            "density", "hectares", "none",
        ]  # fmt: skip
        assert page.locator("#points-row").is_hidden()
        click_middle(page)
        page.wait_for_selector("#region tr.target")
        assert page.locator("#pixel").is_hidden()
        shown = page.locator("#region").inner_text()
        assert "Mapeada, lo que se muestra (ha)" in shown
        assert "Estimada" not in shown
        assert violations(page) == []
        keep(page, "map-public")


def test_a_telephone_shows_the_map_without_sideways_scrolling(browser, restricted):
    with open_map(browser, at(restricted.url, 14, *MIDDLE), size=PHONE) as page:
        wait_for_colour(page, COCA)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        page.locator("#map-a").tap()
        page.wait_for_selector("#region tr.target")
        page.click("#controls summary")
        page.check("input[value=hectares]")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert violations(page) == []
        keep(page, "map-phone")
