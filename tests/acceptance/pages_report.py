"""Acceptance of the report, the files that others use, and the notebooks: requirements of issue 8.

The demo's run is `runs/demo`, or the folder that COCAL_DEMO_RUN names; it is made where it is not there.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import openpyxl
import pandas as pd
import pystac
from playwright.sync_api import Page
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.mlm import MLMExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation import validate_dict

from cocal.config import read_config
from cocal.contracts import UNOBSERVED
from cocal.run import run
from cocal.run.tables import read_own_csv
from tests.support.browser import ARTEFACTS, PHONE, WIDE, chromium, keep, violations, visit
from tests.support.small_world import DAYS, make_world
from tests.support.stac_check import extension_errors

ROOT = Path(__file__).parents[2]
HOSTILE, FORMULA = "<img src=x onerror=alert(1)>", '=HYPERLINK("http://127.0.0.1:9/","open")'
FORMULA_ID = "=1+PE"
COCAL = [sys.executable, "-c", "from cocal.cli import main; main()"]


@cache
def demo() -> Path:
    """The folder of the demo's run."""
    given = os.environ.get("COCAL_DEMO_RUN")
    if given:
        return Path(given)
    if not (ROOT / "work" / "demo" / "zones.gpkg").exists():
        subprocess.run([*COCAL, "simulate", "work/demo"], cwd=ROOT, check=True)
    subprocess.run([*COCAL, "run", "configs/demo.yaml"], cwd=ROOT, check=True)
    return ROOT / "runs" / "demo"


def _in_view(page: Page, selector: str) -> bool:
    """Whether all of an element is on the screen without scrolling."""
    box = page.locator(selector).bounding_box()
    size = page.viewport_size
    assert size is not None
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= size["height"]


def the_report_of_the_demo_answers_on_its_first_screen() -> str:
    """How many hectares in each region, how sure, how much was not seen, against what it was checked."""
    table = pd.read_csv(demo() / "hectares.csv")
    target = table[table["class"] == "coca"]
    told = []
    with chromium() as browser:
        for language, point in (("es", ","), ("en", ".")):
            with visit(
                browser, f"{(demo() / 'report' / 'index.html').as_uri()}#{language}", size=WIDE
            ) as page:
                page.evaluate("scrollTo(0, 0)")
                rows = f".page[lang={language}] table.first tbody tr:has(td)"
                cells = [
                    page.locator(rows).nth(i).inner_text().split("\t")
                    for i in range(page.locator(rows).count())
                ]
                assert len(cells) == len(target), (len(cells), len(target))
                heads = page.locator(f".page[lang={language}] table.first thead th").all_inner_texts()
                mapped = next(i for i, text in enumerate(heads) if re.match("Mape?ada|Mapped", text))
                for row in target.to_dict("records"):
                    own = next(c for c in cells if row["region_name"] in c[0])
                    shown = [
                        f"{row[name]:,.1f}"
                        for name in ("estimated_ha", "ci_low_ha", "ci_high_ha", "mapped_ha")
                    ]
                    swap = str.maketrans(",.", ".,") if point == "," else {}
                    wanted = [text.translate(swap) for text in shown]
                    assert own[1] == wanted[0], (own, wanted)
                    assert own[2] == f"{wanted[1]} – {wanted[2]}", (own, wanted)
                    assert own[mapped] == wanted[3], (own, wanted)
                    assert "%" in own[mapped + 1], own
                for part in ("table.first", ".checked", ".lead", ".countries"):
                    assert _in_view(page, f".page[lang={language}] {part}"), (
                        f"{part} is not on the first screen"
                    )
                told.append(page.locator(f".page[lang={language}] .checked").inner_text())
                keep(page, f"report-demo-first-screen-{language}")
    return f"{len(target)} regions at {WIDE[0]} x {WIDE[1]}; {told[1]}"


def a_real_chromium_drives_the_report() -> str:
    """Language, no console error, no other host, WCAG A and AA, phone, print; restricted and public page."""
    pages = {"restricted": demo() / "report" / "index.html", "public": demo() / "public" / "index.html"}
    found = []
    with chromium() as browser:
        for name, path in pages.items():
            with visit(browser, path.as_uri()) as page:
                assert page.evaluate("document.documentElement.lang") == "es"
                page.click("label[for=show-en]")
                assert page.locator(".page[lang=en]").is_visible()
                assert not page.locator(".page[lang=es]").is_visible()
                assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
                wrong = violations(page)
                assert wrong == [], wrong
                keep(page, f"report-demo-{name}-whole-en", whole=True)
                paper = page.pdf(prefer_css_page_size=True)
                sheets = len(re.findall(rb"/Type\s*/Page\b(?!s)", paper))
                (ARTEFACTS / f"report-demo-{name}-en.pdf").write_bytes(paper)
            for language in ("es", "en"):
                with visit(browser, f"{path.as_uri()}#{language}", size=PHONE) as page:
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= PHONE[0], f"{name}, {language}: {wide} px wide on a phone"
                    wrong = violations(page)
                    assert wrong == [], wrong
                    keep(page, f"report-demo-{name}-phone-{language}")
            found.append(f"{name}: {path.stat().st_size / 1e6:.1f} MB, {sheets} sheets of paper")
    return "; ".join(found) + f"; 0 violations; screenshots in {ARTEFACTS.name}/"


def hostile_names_and_formulas_do_nothing_on_the_page_and_in_the_files() -> str:
    """A region called like a script and a record with a formula, through a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder) / "world", 96, DAYS[:2])
        regions = world.folder / "regions.geojson"
        content = json.loads(regions.read_text(encoding="utf-8"))
        for feature, name in zip(content["features"], (HOSTILE, FORMULA), strict=False):
            feature["properties"]["name"] = name
        content["features"][0]["properties"]["id"] = FORMULA_ID
        regions.write_text(json.dumps(content), encoding="utf-8")
        records = world.folder / "records.csv"
        table = pd.read_csv(records, dtype=str, keep_default_na=False)
        first = table["record_id"].iloc[0]
        table["region_id"] = ["'" + FORMULA_ID] + [""] * (len(table) - 1)  # as points.csv of the crews has it
        records.write_text(
            table.replace({"record_id": {first: FORMULA}}).to_csv(index=False), encoding="utf-8"
        )
        world.edit(lambda config: config["records"]["columns"].update(region_id="region_id"))
        summary = run(read_config(world.config), last="report", config_path=world.config)
        names = set(pd.read_parquet(world.root / "hectares.parquet")["region_name"])
        assert {HOSTILE, FORMULA} <= names, names
        matched = read_own_csv(world.root / "records.csv").set_index("record_id")
        assert matched.loc[FORMULA, "region_id"] == FORMULA_ID
        cells = sheets = 0
        for path in sorted(world.root.rglob("*.csv")):
            with path.open(encoding="utf-8", newline="") as text:
                for row in csv.reader(text):
                    bad = [
                        c for c in row if c[:1] in tuple("=+@\t\r") and not re.fullmatch(r"\+?[\d.eE+-]+", c)
                    ]
                    assert not bad, (path.name, bad)
                    cells += len(row)
        for path in sorted(world.root.rglob("*.xlsx")):
            for sheet in openpyxl.load_workbook(path):
                sheets += 1
                kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
                assert "f" not in kinds, (path.name, sheet.title)
        with chromium() as browser:
            assert summary.page is not None
            with visit(browser, summary.page.as_uri()) as page:
                page.click("label[for=show-en]")
                assert HOSTILE in page.inner_text("main:visible")
    return f"no dialog, no request, {cells} cells of CSV and {sheets} sheets without a formula"


def the_files_open_and_their_sums_agree() -> str:
    """ogrinfo, gdalinfo, rio cogeo validate, the STAC validator, and the workbook's sums."""
    root, found = demo(), []
    for name in (root / "files" / "hectares.gpkg", root / "public" / "hectares.gpkg"):
        listed = _tool("ogrinfo", "-so", "-al", str(name))
        assert "Layer name: regions" in listed, listed[:400]
        assert "Layer name: layer_styles" in listed, listed[:400]
    cogs = [
        p
        for unit in json.loads((root / "run.json").read_text())["maps"].values()
        for p in (root / unit).glob("*.tif")
    ]
    for path in cogs:
        described = _tool("gdalinfo", str(path))
        assert "LAYOUT=COG" in described, path
        assert ("Color Table" in described) == (path.name == "class.tif"), path
        assert "is a valid cloud optimized GeoTIFF" in _tool(
            "rio", "cogeo", "validate", "--strict", str(path)
        ), path
    found.append(f"GeoPackage and {len(cogs)} COGs open")
    found.append(_valid_stac(root / "files" / "stac"))
    found.append(_sums(root))
    return "; ".join(found)


def _tool(name: str, *arguments: str) -> str:
    path = shutil.which(name) or str(Path(sys.executable).with_name(name))
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout


def _valid_stac(folder: Path) -> str:
    """Every object and its extensions against their schemas, read by pystac's classes, every asset there; no
    network.
    """
    refuse, socket.socket.connect = socket.socket.connect, _no_network  # type: ignore[method-assign]
    try:
        paths = sorted(folder.rglob("*.json"))
        for path in paths:
            content = json.loads(path.read_text(encoding="utf-8"))
            validate_dict(content, extensions=[])
            wrong = extension_errors(content)
            assert wrong == [], wrong
        catalog = pystac.Catalog.from_file(str(folder / "catalog.json"))
        items = list(catalog.get_items(recursive=True))
    finally:
        socket.socket.connect = refuse  # type: ignore[method-assign]
    for item in items:
        for asset in item.assets.values():
            href = asset.get_absolute_href()
            assert href is not None
            assert Path(href).exists(), href
        if item.id.startswith("model-"):
            model = MLMExtension.ext(item)
            assert model.mlm_name
            assert model.input
            assert model.output
        else:
            assert ProjectionExtension.ext(item).epsg or ProjectionExtension.ext(item).code
            classes = ClassificationExtension.ext(item.assets["class"]).classes
            assert classes, item.id
            assert "processing:lineage" in item.properties, item.id
    return f"{len(paths)} STAC objects valid with their extensions, {len(items)} items with all assets"


def _no_network(*_: object) -> None:
    raise AssertionError("the validator asked the network")


def _sums(root: Path) -> str:
    """Sheets against each other: classes + unobserved = owned; regions = countries; estimates as in the
    CSV.
    """
    book = pd.read_excel(
        root / "files" / "hectares.xlsx", sheet_name=None, keep_default_na=False, na_values=[""]
    )
    areas, owned = book["hectares"], book["regions"].set_index("region_id")["owned_ha"]
    sums = areas.groupby(["region_id", "period"])["mapped_ha"].sum()
    worst = max(abs(total - owned[region]) for (region, _), total in sums.items())
    assert worst < 1e-6, worst
    nations = book["countries"].set_index(["country", "class"])["mapped_ha"]
    for (country, key), total in areas.groupby(["country", "class"])["mapped_ha"].sum().items():
        assert abs(nations[country, key] - total) < 1e-6, (country, key)
    csv_table = pd.read_csv(root / "hectares.csv", keep_default_na=False, na_values=[""])
    assert (csv_table["estimated_ha"].fillna(-1) == areas["estimated_ha"].fillna(-1)).all()
    assert UNOBSERVED in set(areas["class"])
    return f"{len(book)} sheets, sums differ by at most {worst:.1e} ha"


def the_notebooks_run_from_a_fresh_clone() -> str:
    """`git clone`, then each notebook with this environment, as `make notebooks` does."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "cocal"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = os.environ | {"PYTHONPATH": str(clone / "pipeline")}
        command = [sys.executable, "-m", "pytest", "--nbmake", "notebooks", "-q"]
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        return (
            f"{len(list(clone.glob('notebooks/*.ipynb')))} notebooks: {done.stdout.strip().splitlines()[-1]}"
        )


REQUIREMENTS = [
    the_report_of_the_demo_answers_on_its_first_screen,
    a_real_chromium_drives_the_report,
    hostile_names_and_formulas_do_nothing_on_the_page_and_in_the_files,
    the_files_open_and_their_sums_agree,
    the_notebooks_run_from_a_fresh_clone,
]
