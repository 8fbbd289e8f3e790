"""The page's first screen for one region: estimate, both intervals, what is in none, figures beside them.

On made-up tables, where every figure is there, and on the demo's run, where those stand that it has.
"""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page

from cocal.contracts import UNOBSERVED
from cocal.report.page import report
from cocal.run.tables import read_own_csv
from tests.acceptance.pages_report import demo
from tests.report.conftest import build
from tests.support.browser import ARTEFACTS, PHONE, WIDE, chromium, keep, violations, visit
from tests.support.map_page import open_map, webgl_chromium
from tests.support.offering import offered

REGION = "San Pedro de Putina Punco"
HEADINGS = {
    "es": ("Estimada", "Intervalo garantizado", "Por modelo", "Intervalo del modelo", "No observado", "Antes",
           "Oficial", "¿Coinciden?"),
    "en": ("Estimated", "Guaranteed", "By model", "Model's interval", "Not observed", "Before", "Official",
           "Do they agree?"),
}  # fmt: skip
# map 20 ha, estimate 1.2 times as much, +- 1.96 x 2.2; model 1.1, 0.8, 1.5 times; 380 of 10,000 ha unseen
FIGURES = {
    "es": ("24,0", "19,7 – 28,3", "22,0", "16,0 – 30,0", "380 (3,8 %)", "22,0", "28,0", "difieren"),
    "en": ("24.0", "19.7 – 28.3", "22.0", "16.0 – 30.0", "380 (3.8%)", "22.0", "28.0", "they differ"),
}
ASSUMED = {
    "es": "supone que el mapa omite coca aquí tanto como en otras partes",
    "en": "it assumes that the map misses as much coca here as elsewhere",
}


def the_first_screen_shows_for_one_region_all_that_is_known_of_it() -> str:
    """In both languages at the size of a desk; on a telephone without sideways scrolling."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = report(Path(folder), build(small=True, map_overview=None))
        for language in ("es", "en"):
            with visit(browser, f"{path.as_uri()}#{language}", size=WIDE) as page:
                cells = _row(page, language, REGION)
                for heading, figure in zip(HEADINGS[language], FIGURES[language], strict=True):
                    found = next(text for head, text in cells.items() if head.startswith(heading))
                    assert found == figure, (heading, found, figure)
                assert _lighter(page, language)
                assert ASSUMED[language] in page.inner_text("main:visible").replace("\xa0", " ")
                keep(page, f"report-region-first-screen-{language}")
            _on_a_phone(browser, path, language, FIGURES[language])
    return f"{len(FIGURES['es'])} figures of a region at {WIDE[0]} x {WIDE[1]} and {PHONE[0]} x {PHONE[1]}"


def the_demos_first_screen_has_the_figures_of_its_tables() -> str:
    """Each region's figures of hectares.csv and comparison.csv, in its row, on the screen; phone, axe."""
    areas = read_own_csv(demo() / "hectares.csv")
    target = areas[areas["class"] == "coca"].set_index("region_id")
    unseen = areas[areas["class"] == UNOBSERVED].set_index("region_id")["mapped_ha"]
    verdicts = (
        read_own_csv(demo() / "comparison.csv").drop_duplicates("region_id").set_index("region_id")["verdict"]
    )
    words = {"agrees": "they agree", "differs": "they differ", "cannot_tell": "the sample cannot tell"}
    path, small = demo() / "report" / "index.html", 0
    with chromium() as browser:
        for language in ("es", "en"):
            with visit(browser, f"{path.as_uri()}#{language}", size=WIDE) as page:
                for key, row in target.iterrows():
                    cells = list(_row(page, language, row["region_name"]).values())
                    names = ["estimated_ha", "ci_low_ha", "ci_high_ha", "mapped_ha"]
                    offered = row["small_area_ha"] == row["small_area_ha"]
                    names += ["small_area_ha", "small_area_low_ha", "small_area_high_ha"] if offered else []
                    names += ["last_ha"] if row["last_ha"] == row["last_ha"] else []
                    wanted = [_number(row[name], language) for name in names]
                    missing = [text for text in wanted if not any(text in cell for cell in cells)]
                    assert not missing, (key, missing, cells)
                    share = next(cell for cell in cells if "%" in cell)
                    assert share.startswith(_number(unseen[key], language, 0)), (key, share)
                    if language == "en" and verdicts[key] in words:
                        assert words[verdicts[key]] in cells, (key, cells)
                    small += offered
                keep(page, f"report-demo-regional-{language}")
            _on_a_phone(browser, path, language, ())
    return f"{len(target)} regions, {small // 2} with a model's interval; screenshots in {ARTEFACTS.name}/"


def _number(value: float, language: str, decimals: int = 1) -> str:
    text = f"{value:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "es" else text


def _row(page: Page, language: str, region: str) -> dict[str, str]:
    """Heading -> text of the cells of a region's row in the first table; all of it on the screen."""
    page.evaluate("scrollTo(0, 0)")
    table = page.locator(f".page[lang={language}] table.first")
    row = table.locator("tbody tr:has(td)", has_text=region)
    assert _within(row, *WIDE), region
    heads = [re.sub(r"\s+", " ", text) for text in table.locator("thead th").all_inner_texts()]
    cells = [text.replace("\xa0", " ").strip() for text in row.locator("th, td").all_inner_texts()]
    return dict(zip(heads, cells, strict=True))


def _within(element: Locator, width: float, height: float = math.inf) -> bool:
    """Whether an element lies on a screen of this size."""
    box = element.bounding_box()
    assert box is not None
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    return min(box["x"], box["y"]) >= 0 and right <= width and bottom <= height


def _lighter(page: Page, language: str) -> bool:
    """Whether the model's figures are lighter than the estimate, in colour and weight, and can be read."""
    look = "e => { const s = getComputedStyle(e); return [s.color, Number(s.fontWeight)]; }"
    table = f".page[lang={language}] table.first"
    (strong, heavy), (model, light) = (
        page.locator(f"{table} td.{name}").first.evaluate(look) for name in ("strong", "model")
    )
    assert violations(page) == []
    return light < heavy and _brightness(model) > _brightness(strong)


def _brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def _on_a_phone(browser: Browser, path: Path, language: str, figures: tuple[str, ...]) -> None:
    """No sideways scrolling, and all figures of the first region lie within the width of the screen."""
    with visit(browser, f"{path.as_uri()}#{language}", size=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        row = page.locator(f".page[lang={language}] table.first tbody tr:has(td)").first
        row.scroll_into_view_if_needed()
        for cell in row.locator("td:visible").all():
            assert _within(cell, PHONE[0]), cell.inner_text()
        shown = row.inner_text().replace("\xa0", " ")
        assert all(figure in shown for figure in figures), shown
        assert violations(page) == []
        keep(page, f"report-region-phone-{language}-{path.parent.parent.name[:4]}")


def the_map_viewer_has_the_same_figures_of_a_region() -> str:
    """The panel of a region of the demo: both intervals, the assumption, the figure before, the verdict."""
    areas = read_own_csv(demo() / "hectares.csv").query("`class` == 'coca'")
    row = areas.sort_values("small_area_ha").iloc[0]
    offered_there = not math.isnan(row["small_area_ha"])
    words = {
        "es": ("Por modelo", "Supone que el mapa omite aquí tanto como", "Antes", "Cifra oficial"),
        "en": ("By model", "It assumes that the map misses as much here as", "Before", "Official figure"),
    }
    with offered(demo(), restricted=True) as server, webgl_chromium() as browser:
        for language, wanted in words.items():
            for size, name in ((WIDE, "wide"), (PHONE, "phone")):
                url = f"{server.url}#lang={language}&region={row['region_id']}"
                with open_map(browser, url, size=size) as page:
                    page.wait_for_selector("#region tr.target")
                    shown = page.locator("#region").inner_text().replace("\xa0", " ")
                    assert f"{_number(row['ci_low_ha'], language)} – " in shown, shown
                    missing = [text for text in wanted[0 if offered_there else 2 :] if text not in shown]
                    assert not missing, (missing, shown)
                    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
                    keep(page, f"map-region-{name}-{language}")
    return f"region {row['region_id']}, small_area {'offered' if offered_there else 'not offered'}"


REQUIREMENTS = (
    the_first_screen_shows_for_one_region_all_that_is_known_of_it,
    the_demos_first_screen_has_the_figures_of_its_tables,
    the_map_viewer_has_the_same_figures_of_a_region,
)
