from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.shutil
import xarray as xr

from cocal.classify.model import Model
from cocal.classify.predict import MapRules, classify
from cocal.classify.product import probability_on_disk, write_class_map
from cocal.contracts import Period
from cocal.errors import ContractError, InputError, ModelMismatchError
from cocal.scheme import ClassScheme

YEAR = Period("2020", date(2020, 1, 1), date(2020, 12, 31))


@pytest.fixture
def classmap(features: xr.Dataset, model: Model) -> xr.Dataset:
    return classify(features, model, rules=MapRules(min_clear=2, missing="unobserved"))


@pytest.fixture
def written(tmp_path: Path, classmap: xr.Dataset, features: xr.Dataset, scheme: ClassScheme) -> Path:
    return write_class_map(
        tmp_path / "map", classmap, n_clear=features["n_clear"], scheme=scheme, item_id="t-1", period=YEAR
    )


def test_the_rasters_give_back_the_map(written: Path, classmap: xr.Dataset, features: xr.Dataset) -> None:
    with rasterio.open(written.parent / "class.tif") as raster:
        assert (raster.read(1) == classmap["crop_class"].values).all()
        assert raster.dtypes == ("uint8",)
        assert raster.nodata is None
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.crs.to_epsg() == 32719
        assert tuple(raster.bounds) == (500_040, 8_499_820, 500_340, 8_500_020)
    with rasterio.open(written.parent / "probability.tif") as raster:
        stored = raster.read(1)
        assert raster.nodata == 65535
        assert raster.scales == (1e-4,)
        unobserved = np.isnan(classmap["probability"].values)
        assert ((stored == 65535) == unobserved).all()
        error = stored[~unobserved] * 1e-4 - classmap["probability"].values[~unobserved]
        assert np.abs(error).max() <= 0.5e-4 + 1e-7
    with rasterio.open(written.parent / "n_clear.tif") as raster:
        assert (raster.read(1) == features["n_clear"].values).all()


def test_probability_on_disk_is_in_ten_thousandths_with_65535_for_not_observed() -> None:
    values = np.array([0, 1, 0.25004, 0.25006, np.nan], dtype=np.float32)
    assert probability_on_disk(values).tolist() == [0, 10000, 2500, 2501, 65535]


def test_the_class_raster_carries_colours_flags_and_names(
    written: Path, scheme: ClassScheme, tmp_path: Path
) -> None:
    with rasterio.open(written.parent / "class.tif") as raster:
        colours = raster.colormap(1)
        assert colours[1] == (0xD9, 0x5F, 0x02, 255)
        assert colours[7] == (0x45, 0x75, 0xB4, 255)
        assert raster.tags()["flag_values"] == "0,1,2,3,4,5,6,7"
        assert raster.tags()["flag_meanings"].split()[:3] == ["unobserved", "coca", "forest"]
        assert "SIMULATED" not in raster.tags()
    # GDAL itself says which names it reads: its VRT driver writes them out
    rasterio.shutil.copy(written.parent / "class.tif", tmp_path / "names.vrt", driver="VRT")
    names = [node.text for node in ET.parse(tmp_path / "names.vrt").iter("Category")]
    assert names == ["unobserved", *(f"{c.name_es} / {c.name_en}" for c in scheme.classes)]


def test_writing_twice_gives_identical_bytes(
    written: Path, tmp_path: Path, classmap: xr.Dataset, features: xr.Dataset, scheme: ClassScheme
) -> None:
    again = write_class_map(
        tmp_path / "again", classmap, n_clear=features["n_clear"], scheme=scheme, item_id="t-1", period=YEAR
    )
    first, second = (
        {p.name: p.read_bytes() for p in folder.iterdir()} for folder in (written.parent, again.parent)
    )
    assert sorted(first) == ["class.tif", "class.tif.aux.xml", "n_clear.tif", "probability.tif", "t-1.json"]
    assert first == second


def test_pystac_reads_the_item_and_finds_the_assets(written: Path, model: Model) -> None:
    item = pystac.Item.from_file(str(written))
    assert item.common_metadata.start_datetime is not None
    assert item.properties["cocal:model_sha256"] == model.card.sha256
    assert model.card.id in item.properties["processing:lineage"]
    assert "at least 2 clear dates" in item.properties["processing:lineage"]
    assert all(Path(asset.get_absolute_href() or "").is_file() for asset in item.assets.values())
    classes = pystac.extensions.classification.ClassificationExtension.ext(item.assets["class"]).classes
    assert [(c.value, c.name, c.color_hint) for c in classes[:2]] == [
        (0, "unobserved", "d9d9d9"), (1, "coca", "d95f02"),
    ]  # fmt: skip
    west, south, east, north = item.bbox or []
    assert -69.0 < west < east < -68.99
    assert -13.575 < south < north < -13.565
    text = written.read_text()
    assert all(asset["href"].startswith("./") for asset in json.loads(text)["assets"].values())
    assert str(written.parent) not in text


def test_a_simulated_map_is_marked_in_each_raster_and_in_the_item(
    tmp_path: Path, classmap: xr.Dataset, features: xr.Dataset, scheme: ClassScheme
) -> None:
    marked = classmap.assign_attrs(simulated=1)
    path = write_class_map(
        tmp_path, marked, n_clear=features["n_clear"], scheme=scheme, item_id="t", period=YEAR
    )
    for name in ("class.tif", "probability.tif", "n_clear.tif"):
        with rasterio.open(tmp_path / name) as raster:
            assert raster.tags()["SIMULATED"].startswith("YES")
    properties = json.loads(path.read_text())["properties"]
    assert properties["cocal:simulated"] is True
    assert "SIMULATED" in properties["title"]


def test_a_large_map_has_overviews_that_hold_codes_of_the_map(
    tmp_path: Path, model: Model, features: xr.Dataset, scheme: ClassScheme
) -> None:
    from cocal.contracts import grid_coords
    from cocal.grid import Window

    window = Window(32719, 500_040, 8_500_020, 900, 800)
    values = np.random.default_rng(0).choice([1, 4], size=window.shape).astype(np.uint8)
    small = classify(features, model, rules=MapRules(min_clear=1, missing="unobserved"))
    words = {"long_name": "x", "units": "1"}
    big = xr.Dataset(
        {
            "crop_class": (("y", "x"), values, small["crop_class"].attrs),
            "probability": (("y", "x"), np.ones(window.shape, np.float32), words),
        },
        coords=grid_coords(window),
        attrs=small.attrs,
    )
    n_clear = xr.DataArray(np.ones(window.shape, np.uint16), dims=("y", "x"))
    write_class_map(tmp_path, big, n_clear=n_clear, scheme=scheme, item_id="t", period=YEAR)
    with rasterio.open(tmp_path / "class.tif") as raster:
        assert raster.overviews(1)
        assert raster.block_shapes == [(384, 384)]
    with rasterio.open(tmp_path / "class.tif", overview_level=0) as raster:
        assert set(np.unique(raster.read(1))) == {1, 4}


def test_a_hostile_item_id_never_becomes_a_path(
    tmp_path: Path, classmap: xr.Dataset, features: xr.Dataset, scheme: ClassScheme
) -> None:
    for item_id in ("../x", "/etc/x", "", ".hidden", "a/b"):
        with pytest.raises(InputError, match="item id"):
            write_class_map(
                tmp_path, classmap, n_clear=features["n_clear"], scheme=scheme, item_id=item_id, period=YEAR
            )
    assert not list(tmp_path.iterdir())


def test_a_map_of_another_scheme_or_contract_is_refused(
    tmp_path: Path, classmap: xr.Dataset, features: xr.Dataset, scheme: ClassScheme
) -> None:
    other = scheme.model_copy(update={"id": "other-1"})
    with pytest.raises(ModelMismatchError, match="another class scheme"):
        write_class_map(
            tmp_path, classmap, n_clear=features["n_clear"], scheme=other, item_id="t", period=YEAR
        )
    with pytest.raises(ContractError):
        write_class_map(
            tmp_path, features, n_clear=features["n_clear"], scheme=scheme, item_id="t", period=YEAR
        )
