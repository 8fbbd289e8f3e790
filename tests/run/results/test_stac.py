"""The STAC catalogue of a run whose model comes from elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pystac
from pystac.validation import validate_dict
from tests.support.small_world import blank_pages
from tests.support.stac_check import extension_errors


def test_a_model_of_another_folder_is_told_by_its_checksum_and_by_no_link(finished, done):
    elsewhere = finished.folder.parent / "models" / "kept"
    shutil.copytree(next((finished.root / "model").iterdir()), elsewhere)

    def without_training(content):
        del content["train"]
        content["classify"]["model"] = str(elsewhere)

    finished.edit(without_training)
    with blank_pages():
        assert done(finished, "report").failures == ()
    item = json.loads((finished.root / "files" / "stac" / "model.json").read_text(encoding="utf-8"))
    validate_dict(item, extensions=[])
    assert extension_errors(item) == []
    assert item["assets"] == {}
    sums = hashlib.sha256((elsewhere / "model.skops").read_bytes()).hexdigest()
    told = item["properties"]
    assert (told["cocal:file"], told["cocal:file_sha256"]) == ("model.skops", sums)
    assert str(finished.folder.parent) not in json.dumps(item)
    catalog = pystac.Catalog.from_file(str(finished.root / "files" / "stac" / "catalog.json"))
    links = [link for found in catalog.get_items(recursive=True) for link in found.links]
    assert [link.href for link in links if not Path(link.get_absolute_href()).exists()] == []


def test_every_link_and_asset_of_the_catalogue_is_a_file_and_items_are_valid(finished, done):
    with blank_pages():
        assert done(finished, "report").failures == ()
    catalog = pystac.Catalog.from_file(str(finished.root / "files" / "stac" / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert {item.id.split("-")[0] for item in items} == {"2024", "model"}
    for item in items:
        assert extension_errors(item.to_dict(transform_hrefs=False)) == []
        assert item.assets
        hrefs = [asset.get_absolute_href() for asset in item.assets.values()]
        hrefs += [link.get_absolute_href() for link in item.links]
        assert [href for href in hrefs if not Path(href).exists()] == []
