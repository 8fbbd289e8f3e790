"""Hectares where the model does not apply, on a small land whose model never saw one of its covers."""

from __future__ import annotations

from decimal import Decimal

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from tests.support.small_world import DAYS, make_world

from cocal.classify.settings import PriorSettings
from cocal.config import read_config
from cocal.grid import Window
from cocal.notes import Note
from cocal.regions import owned, read_regions
from cocal.run.measure.applicability import with_applicability
from cocal.run.worker.prior import prior_of
from cocal.serve.data import RunData
from cocal.serve.runs import open_run

UNSEEN = "bare"


@pytest.fixture(scope="module")
def world(tmp_path_factory, done):
    """The land, mapped by a model whose labels lack the bare fields."""
    world = make_world(tmp_path_factory.mktemp("beyond") / "world", 96, DAYS[:2])
    labels = gpd.read_file(world.folder / "labels.geojson")
    column = next(c for c in labels.columns if set(labels[c].astype(str)) >= {"coca", UNSEEN})
    labels[labels[column] != UNSEEN].to_file(world.folder / "labels.geojson", driver="GeoJSON")
    world.edit(lambda c: c["classify"].update(applicability=True))
    assert done(world, last="measure").failures == ()
    return world


def test_hectares_outside_and_in_doubt_stand_beside_the_mapped_ones(world):
    table = pd.read_parquet(world.root / "hectares.parquet")
    assert (table["outside_ha"] <= table["mapped_ha"]).all()
    assert (table["doubt_ha"] <= table["mapped_ha"]).all()
    unseen = table[table["class"] == "unobserved"]
    assert (unseen["outside_ha"] == 0).all()
    marked = table["notes"].str.contains("where the model does not apply")
    assert (marked == (table["outside_ha"] > 0)).all()
    assert marked.any()
    csv = pd.read_csv(world.root / "hectares.csv", dtype=str)
    assert [Decimal(v) for v in csv["outside_ha"]] == table["outside_ha"].tolist()


def test_the_share_outside_is_that_of_the_rasters(world):
    """Counted again, pixel by pixel, from the files."""
    outside = observed = 0
    regions = read_regions(read_config(world.config).regions)
    for path in sorted(world.root.glob("maps/*/*/*/dissimilarity.tif")):
        with rasterio.open(path) as unlike, rasterio.open(path.with_name("class.tif")) as classes:
            value, code = unlike.read(1), classes.read(1)
            left, top, (height, width) = unlike.bounds.left, unlike.bounds.top, unlike.shape
            window = Window(unlike.crs.to_epsg(), round(left), round(top), width, height)
        assert ((value == 255) == (code == 0)).all()
        mine = owned(regions, window) >= 0
        outside += int(((value > 100) & (code > 0) & mine).sum())
        observed += int(((code > 0) & mine).sum())
    table = pd.read_csv(world.root / "applicability.csv")
    pixel_ha = 100 / 10_000
    assert table["outside_ha"].sum() == pytest.approx(outside * pixel_ha, rel=0.01)
    assert table["observed_ha"].sum() == pytest.approx(observed * pixel_ha, rel=0.01)
    assert ((table["expected_ha"] >= 0) & (table["outside_fraction"] <= 1)).all()


def test_a_quarter_of_the_land_is_a_cover_that_no_label_has_and_is_found(world):
    table = pd.read_csv(world.root / "applicability.csv")
    assert 0.15 < table["outside_ha"].sum() / table["observed_ha"].sum() < 0.4
    assert np.isfinite(table["outside_fraction"]).all()


def test_the_table_without_counts_outside_has_no_note():
    areas = pd.DataFrame(
        {
            "class": ["coca", "unobserved"],
            "mapped_ha": [Decimal(2), Decimal(0)],
            "notes": [(Note("n_too_small"),), ()],
        }
    )

    class Scheme:
        codes = {"coca": 1}  # noqa: RUF012

    counts = np.zeros((2, 1, 256), dtype=np.int64)
    counts[0, 0, 1], counts[1, 0, 1] = 5 * 10**9, 10**9
    found = with_applicability(areas, counts, Scheme())
    assert found["outside_ha"].tolist() == [Decimal("0.5"), Decimal(0)]
    assert found["doubt_ha"].tolist() == [Decimal("0.1"), Decimal(0)]
    assert found["notes"].tolist() == [
        (Note("n_too_small"), Note("model_not_applicable", share=0.25)),
        (),
    ]


def test_an_earlier_map_moves_the_class_where_it_speaks_and_is_part_of_the_address(world, done, tmp_path):
    """The earlier map has coca everywhere in the west, nothing in the east, and ends before the last rows."""
    west = world.copied(tmp_path / "west")
    window, path = west.window, west.folder / "before.tif"
    codes = np.where(np.arange(window.width) < window.width // 2, 1, 3)[None, :] * np.ones(
        (window.height - 9, 1)
    )
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "width": window.width,
        "height": window.height - 9,
               "crs": f"EPSG:{window.epsg}", "transform": window.transform}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(codes.astype(np.uint8), 1)
    found = prior_of(window, PriorSettings(elsewhere=0.01, where_mapped=0.9, unseen=0.2, map=path, code=1))
    assert (np.unique(found[:-9, : window.width // 2]), np.unique(found[-9:])) == (0.9, 0.2)
    assert np.unique(found[:-9, window.width // 2 :]) == 0.01
    before = {p.parent.name for p in west.root.glob("maps/*/*/*/class.tif")}
    prior = {"map": "before.tif", "code": 1, "where_mapped": 0.999, "elsewhere": 0.001, "unseen": 0.001}
    west.edit(lambda c: c["classify"].update(prior=prior, threshold=0.5))
    done(west, last="measure")
    after = {p.parent.name for p in west.root.glob("maps/*/*/*/class.tif")} - before
    assert len(after) == len(before)


def test_the_map_page_paints_where_the_model_does_not_apply(world):
    data = RunData(open_run(world.config, restricted=True))
    layer = data.layers["applicability"]
    (period,) = data.periods
    painted = set()
    for path in sorted(world.root.glob("maps/*/*/*/dissimilarity.tif")):
        with rasterio.open(path) as unlike:
            values = unlike.read(1)
        painted |= {tuple(layer.colours[v]) for v in np.unique(values[values > 100]) if v != 255}
        assert (layer.colours[255] == 0).all()
    assert painted == {(0x8C, 0x2D, 0x04, 255)}
    assert tuple(layer.colours[100]) == (0xFE, 0xC4, 0x4F, 255)  # exactly at the threshold it applies
    assert tuple(layer.colours[80]) == (0xE5, 0xF5, 0xE0, 255)
    assert "margin" not in data.layers
    assert period in data.rasters
