"""A run with an office's own map alone: page, files, public folder and interactive map without a model."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.support.office_land import EPSG, X, Y, write_land

from cocal.config import read_config
from cocal.grid import transformer
from cocal.run import RunSummary, run
from cocal.serve.app import RunData
from cocal.serve.pixel import find_pixel, pixel_facts
from cocal.serve.runs import open_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunSummary:
    path = write_land(tmp_path_factory.mktemp("office"))
    content = yaml.safe_load(path.read_text(encoding="utf-8")) | {"publish": "squares"}
    content["grid"] = {"tile_px": 600, "block_px": 300}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return run(read_config(path), config_path=path)


def test_one_command_makes_page_files_and_public_folder(whole: RunSummary) -> None:
    assert whole.failures == ()
    assert whole.simulated
    names = {p.relative_to(whole.folder).as_posix() for p in whole.folder.rglob("*") if p.is_file()}
    assert {"hectares.csv", "change.csv", "report/index.html", "files/hectares.xlsx", "files/hectares.gpkg",
            "files/stac/catalog.json", "public/index.html", "public/density.csv"} <= names  # fmt: skip
    assert not any("model" in name for name in names)


def test_the_page_says_whose_map_it_is_and_speaks_of_no_scene(whole: RunSummary) -> None:
    page = (whole.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "SIMULATED map office: drawn by eye in a test" in page
    assert "The map is an office&#39;s own" in page
    assert "Sentinel" not in page
    assert "drawn by eye in a test" in (whole.folder / "public" / "index.html").read_text(encoding="utf-8")


def test_the_catalogue_links_its_items_to_no_model(whole: RunSummary) -> None:
    folder = whole.folder / "files" / "stac"
    items = [json.loads(p.read_text(encoding="utf-8")) for p in (folder / "items").glob("*.json")]
    assert len(items) == 3
    assert {link["rel"] for item in items for link in item["links"]}.isdisjoint({"derived_from"})
    assert all((folder / "items" / i["assets"]["class"]["href"]).resolve().is_file() for i in items)


def test_the_interactive_map_shows_classes_and_squares_and_a_pixel_s_class(whole: RunSummary) -> None:
    shown = open_run(whole.folder, restricted=True)
    assert list(RunData(shown).layers) == ["class", "density"]
    longitude, latitude = transformer(EPSG, 4326).transform(X + 40, Y + 35)
    pixel = find_pixel(shown, "2024", longitude, latitude)
    facts = pixel_facts(shown, shown.periods[-1], pixel)
    assert facts["class"] == "coca"
    assert set(facts) == {"class", "outline", "shares"}
