"""What leaves the office names files, not the folders of the machine that made it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from cocal.notes import Note
from cocal.report.content import ReportContent, Reproduce
from cocal.run.results.redaction import HIDDEN, public_configuration, public_text, without_folders

HOME = Path("/srv/ana maría/survey")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/srv/ana maría/survey/data/dem.tif", "data/dem.tif"),
        ("/home/ana maría/mis datos/dem.tif", "dem.tif"),
        ("~/mis datos/dem.tif", "dem.tif"),
        ("file:///home/ana/dem.tif", "dem.tif"),
        ("C:\\Users\\Ana María\\dem.tif", "dem.tif"),
        ("\\\\office\\share\\dem.tif", "dem.tif"),
        ("../other survey/dem.tif", "dem.tif"),
        ("../survey/dem.tif", "dem.tif"),
        ("data/../dem.tif", "dem.tif"),
        ("../runs", "runs"),
        ("..", HIDDEN),
        ("/", HIDDEN),
        ("data/dem.tif", "data/dem.tif"),
        ("https://earth.example/v1/items", "https://earth.example/v1/items"),
        (r"(?P<tile>T\w+)/IMG_DATA/.*_(?P<date>\d+)\.jp2", r"(?P<tile>T\w+)/IMG_DATA/.*_(?P<date>\d+)\.jp2"),
        ("0 – 1 ha/km² of 12/2024, and/or none", "0 – 1 ha/km² of 12/2024, and/or none"),
        ("IOError(\"'/home/ana/b04.tif' not recognized\")", "IOError(\"'b04.tif' not recognized\")"),
        ("scene a (/mnt/disk/b04.tif): gone", "scene a (b04.tif): gone"),
        ("read:/mnt/disk/b04.tif: gone", "read:b04.tif: gone"),
    ],
)  # fmt: skip
def test_a_path_is_told_from_the_configurations_folder_or_by_its_name(given: str, told: str) -> None:
    assert public_text(given, HOME) == told


def test_without_a_configuration_file_every_path_is_told_by_its_name() -> None:
    assert public_text("/srv/ana maría/survey/data/dem.tif", None) == "dem.tif"


def test_the_configuration_keeps_its_values_and_loses_folders_and_comments() -> None:
    text = """
    # ask Ana in /home/ana
    name: demo
    dem: /srv/ana maría/survey/dem.tif   # the old one is in /mnt/disk
    periods: [{name: "2024", start: 2024-01-01, end: 2024-12-31}]
    regions: {sources: [{path: ../../given/regions.gpkg, id: id}]}
    """
    told = public_configuration(text, HOME)
    wanted = yaml.safe_load(text)
    wanted["dem"], wanted["regions"]["sources"][0]["path"] = "dem.tif", "regions.gpkg"
    assert yaml.safe_load(told) == wanted
    assert "ana" not in told
    assert "disk" not in told


def test_reasons_notes_and_the_models_card_lose_folders_too() -> None:
    nothing = {field.name: None for field in fields(ReportContent)}
    archive = Path("/srv/ana maría/archive")
    content = ReportContent(**nothing | {
        "reproduce": Reproduce("cocal run c.yaml", "name: demo", {}, {}, ()),
        "failures": (("maps/2024/t1", f"scene a: {archive}/a/red.tif is not a raster"),),
        "left_out": (Note("scene_without_pixel", scene="/mnt/disk/s.tif"),),
        "model_card": {"training": {"provenance": {"source": "drawn by hand (~/labels/labels.gpkg)"}}},
    })  # fmt: skip
    told = without_folders(content, HOME, [archive, archive.parent])
    assert told.failures == (("maps/2024/t1", "scene a: a/red.tif is not a raster"),)
    assert told.left_out == (Note("scene_without_pixel", scene="s.tif"),)
    assert told.model_card["training"]["provenance"]["source"] == "drawn by hand (labels.gpkg)"
