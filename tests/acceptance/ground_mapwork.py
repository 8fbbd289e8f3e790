"""What analysts expect of a map: places, measures, counts, pictures; an office's own map in the browser."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
import yaml
from playwright.sync_api import Browser, Page

from cocal.config import read_config
from cocal.run import run
from cocal.serve import open_run
from cocal.serve.counting import count_polygon
from tests.serve.test_page_tools import MIDDLE, check_saved_picture, check_square, chosen_pixel, square_at
from tests.serve.test_tools import pixels_inside
from tests.support.browser import PHONE, WIDE, keep, violations
from tests.support.map_page import at, open_map, webgl_chromium
from tests.support.offering import offered
from tests.support.office_land import write_land
from tests.support.shown_land import finished_land
from tests.support.small_world import SmallWorld

ZOOMS = (14, 15, 16, 17, 18)
POLYGONS, SEED = 20, 21


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cocal-ground-map-")


@cache
def land() -> SmallWorld:
    return finished_land(Path(_kept().name) / "world")


def The_square_of_a_pixel_lies_on_the_pixel_at_every_zoom() -> str:
    """`check_square` computes the pixel below each point of the screen from the camera alone."""
    with offered(land().root, restricted=True) as server, webgl_chromium() as browser:
        place = chosen_pixel(land())
        seen = [check_square(*square_at(browser, server.url, z, place), z, place) for z in ZOOMS]
    return (
        f"zoom {ZOOMS[0]} to {ZOOMS[-1]}: {sum(seen)} points of the screen have the colour of the pixel "
        "below them; the square's line within 2.5 screen pixels of the edge"
    )


def The_hectares_of_a_drawn_polygon_are_those_of_its_pixels_one_by_one() -> str:
    """Stars of 3 to 12 corners across the meridian between two zones."""
    shown, rng, largest = open_run(land().root, restricted=True), np.random.default_rng(SEED), 0.0
    for _ in range(POLYGONS):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 13)))
        reach = rng.uniform(0.0005, 0.004, len(angle))
        corners = np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None] + MIDDLE[::-1]
        polygon = shapely.Polygon(corners)
        if not polygon.is_valid:
            continue
        said, wanted = count_polygon(shown, "all", polygon), pixels_inside(land(), polygon)
        pairs = [(said["classes"][c.key], wanted.get(c.code, 0.0)) for c in shown.scheme.classes]
        pairs.append((said["not_observed_ha"], wanted.get(0, 0.0)))
        largest = max(largest, *(abs(a - b) for a, b in pairs))
    assert largest < 1e-6, largest
    return f"{POLYGONS} polygons of 3 to 12 corners, every class: largest difference {largest:.1e} ha"


def Tools_hold_A_and_AA_wide_and_on_a_phone_in_both_languages() -> str:
    """Search, coordinates, a distance, a polygon with its count, the table to be saved."""
    views = 0
    with webgl_chromium() as browser:
        for restricted in (True, False):
            with offered(land().root, restricted=restricted) as server:
                for size, name in ((WIDE, "wide"), (PHONE, "phone")):
                    for language in ("es", "en"):
                        link = at(server.url, 15, *MIDDLE, lang=language)
                        profile = "restricted" if restricted else "public"
                        views += use_tools(browser, link, size, f"tools-{profile}-{name}-{language}")
    return f"{views} views, Spanish and English, {WIDE[0]} and {PHONE[0]} px, both profiles: no violation"


def use_tools(browser: Browser, link: str, size: tuple[int, int], name: str) -> int:
    with open_map(browser, link, size=size) as page:
        page.fill("#wanted", "simulated")
        page.press("#wanted", "Enter")
        page.wait_for_selector("#found button")
        check(page, size)
        page.click("#tool-place")
        page.wait_for_selector("#place-utm")
        check(page, size)
        for tool, count in (("line", 2), ("area", 3)):
            page.click(f"#tool-{tool}")
            for _ in range(count):
                page.focus("#map-a canvas")
                page.keyboard.press("Enter")
                page.keyboard.press("ArrowRight" if _ else "ArrowDown")
                page.wait_for_timeout(700)
            page.wait_for_selector("#measured p")
            check(page, size)
        if "restricted" in name:
            page.wait_for_selector("#measured table")
            check(page, size)
        keep(page, f"acceptance-{name}", whole=size == PHONE)
    return 4 + ("restricted" in name)


def check(page: Page, size: tuple[int, int]) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def The_view_is_saved_with_legend_scale_north_and_sources() -> str:
    with offered(land().root, restricted=True) as server, webgl_chromium() as browser:
        same = check_saved_picture(browser, server.url)
    return f"{same} points of coca as on the screen; a bar of 200 m to 1.5 points; words, legend, north"


def An_offices_own_map_is_never_called_a_satellites_and_a_sample_is_drawn_on_it() -> str:
    """The restricted and the public page of a census run; `cocal design` on it."""
    folder = Path(_kept().name) / "office"
    folder.mkdir()
    config = write_land(folder)
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    content["publish"] = "regions"
    content["design"] = {
        "period": "2024", "unobserved": "left_out", "by_region": False, "size": {"points": 40},
        "strata": [{"stratum": "coca", "classes": ["coca"]}, {"stratum": "elsewhere"}],
        "allocation": "equal", "floor": 0.001, "minimum": 2, "draw": "random", "reserve": 0.2, "seed": 1,
        "expected": {"source": "stated", "share": {"coca": 0.8, "elsewhere": 0.01}},
        "interval": "gamma", "confidence": 0.9,
    }  # fmt: skip
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = run(read_config(config), config_path=config)
    for profile in ("report", "public"):
        text = (done.folder / profile / "index.html").read_text(encoding="utf-8")
        words = re.sub(r"<[^>]+>", " ", text).lower()
        found = [word for word in ("satel", "sentinel", "nubes", "cloud") if word in words]
        assert not found, (profile, found)
        assert ("polygons of the office" in words) == (profile == "report")
    run(read_config(config), last="design")
    points = pd.read_csv(done.folder / "design" / "sample.csv")
    return f"no word of satellites or clouds on two pages; {len(points)} points drawn on the office's map"


REQUIREMENTS = (
    The_square_of_a_pixel_lies_on_the_pixel_at_every_zoom,
    The_hectares_of_a_drawn_polygon_are_those_of_its_pixels_one_by_one,
    Tools_hold_A_and_AA_wide_and_on_a_phone_in_both_languages,
    The_view_is_saved_with_legend_scale_north_and_sources,
    An_offices_own_map_is_never_called_a_satellites_and_a_sample_is_drawn_on_it,
)
