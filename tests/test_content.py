"""What of a task goes into the address of a unit."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely

from cocal import code
from cocal.content import File, Stated, content, digest
from cocal.features import FeatureSettings
from cocal.run.recipes import Recipe
from cocal.settings import Settings


class Kinds(Settings):
    kinds: dict[str, str]
    path: Path | None = None


def filled(**fill: str) -> FeatureSettings:
    return FeatureSettings(mask=None, windows="monthly", composite="median", features=("NDVI@*",), fill=fill)


def test_the_order_of_patterns_counts_because_the_first_that_fits_wins():
    patterns = {"NDVI*": "linear", "*": "none"}
    settings = [filled(**patterns), filled(**dict(reversed(patterns.items())))]
    assert [s.find_rule("NDVI@01") for s in settings] == ["linear", "none"]
    assert digest(settings[0]) != digest(settings[1])
    file, kinds = File(Path("zones.gpkg"), "ab"), [("AZ-*", "authorised"), ("*", "protected")]
    first, second = (
        Stated(Kinds(kinds=dict(order), path=file.path), (file,)) for order in (kinds, kinds[::-1])
    )
    assert digest(first) != digest(second)
    assert content(first) == {"kinds": [["AZ-*", "authorised"], ["*", "protected"]], "path": "ab"}


def write(folder: Path, _: list[object], task: Kinds) -> None:
    import numpy as np

    (folder / "a").write_text(f"{np.__name__} {task}", encoding="utf-8")


def test_thousands_of_recipes_look_up_a_library_once_and_walk_settings_once(monkeypatch: pytest.MonkeyPatch):
    settings, asked, fields = Kinds(kinds={"a": "b"}), [], []
    before = Recipe("x", settings, write).address
    monkeypatch.setattr("cocal.code.metadata.version", lambda name: asked.append(name) or "1")
    monkeypatch.setattr("cocal.content._setting", lambda *value: fields.append(value))
    assert len({Recipe(f"x/{n}", settings, write).address for n in range(100)}) == 1
    assert (asked, fields) == ([], [])
    code._versions.cache_clear()
    assert Recipe("x", settings, write).address != before
    assert "numpy" in asked
    assert len(asked) == len(set(asked))
    code._versions.cache_clear()


def test_a_shapefile_counts_with_its_table_and_a_virtual_raster_with_its_sources(tmp_path: Path):
    shapes = gpd.GeoDataFrame({"label": ["coca"]}, geometry=[shapely.Point(1, 2)], crs=4326)
    shapes.to_file(tmp_path / "a.shp")
    first = File.of(tmp_path / "a.shp")
    shapes.assign(label="bare").to_file(tmp_path / "a.shp")
    assert File.of(tmp_path / "a.shp").sha256 != first.sha256
    profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    profile["transform"] = rasterio.Affine(0.5, 0, 0, 0, -0.5, 0)
    for value in (1, 2):
        with rasterio.open(tmp_path / "b.tif", "w", **profile) as b:
            b.write(np.full((1, 2, 2), value, np.uint8))
        if value == 1:
            rasterio.shutil.copy(tmp_path / "b.tif", tmp_path / "b.vrt", driver="VRT")
            first = File.of(tmp_path / "b.vrt")
    assert File.of(tmp_path / "b.vrt").sha256 != first.sha256
