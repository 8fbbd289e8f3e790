"""The map of a run whose map is an office's own polygons, seen in the browser."""

from __future__ import annotations

import pytest
import shapely
from pyproj import Transformer
from tests.support.offering import offered
from tests.support.office_land import EPSG, box, write_land
from tests.support.small_world import blank_pages

from cocal.config import read_config
from cocal.grid import project
from cocal.run import run
from cocal.serve import open_run
from cocal.serve.counting import count_polygon


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """The folder of the run."""
    config = write_land(tmp_path_factory.mktemp("office"))
    with blank_pages():
        assert run(read_config(config), config_path=config).failures == ()
    return config.parent / "runs" / "own"


def place(x: float, y: float) -> tuple[float, float]:
    """Longitude, latitude of a point in metres from the corner of the land."""
    corner = shapely.get_coordinates(box(x, y, 1, 1).centroid)[0]
    return Transformer.from_crs(EPSG, 4326, always_xy=True).transform(*corner)


def test_a_polygon_counts_the_parts_of_mixed_pixels(office):
    """Plots of 35 x 42 m and of 10 x 25 m more, at 13 m and 17 m from the edges of pixels."""
    around = project(box(0, 0, 90, 90), EPSG, 4326, densify=10)
    found = count_polygon(open_run(office, restricted=True), "2022", around)
    assert found["classes"]["coca"] == pytest.approx(35 * 42 / 1e4, rel=1e-3)
    assert sum(found["classes"].values()) == pytest.approx(0.81, rel=1e-3)
    assert found["not_observed_ha"] == found["no_map_ha"] == 0


def test_a_mixed_pixel_shows_its_parts_and_nothing_of_a_model(office):
    """The pixel at 10 m, 10 m has 7 x 3 m of the plot that begins at 13 m, 17 m; that at 20 m is whole."""
    with offered(office, restricted=True) as server:
        facts = server.ask("/data/house").json()["runs"][0]
        assert [layer["id"] for layer in facts["layers"]] == ["class", "density"]
        assert facts["own_map"] == {"id": "office", "source": "drawn by eye in a test", "licence": "none"}
        lng, lat = place(15, 15)
        mixed = server.ask(f"/data/own/2022/pixel?lng={lng}&lat={lat}").json()
        assert mixed["class"] == "pasture"
        assert mixed["shares"] == {
            "coca": pytest.approx(0.21, abs=1e-4),
            "pasture": pytest.approx(0.79, abs=1e-4),
        }
        lng, lat = place(25, 25)
        whole = server.ask(f"/data/own/2022/pixel?lng={lng}&lat={lat}").json()
        assert (whole["class"], whole["shares"]) == ("coca", None)
        assert not {"probability", "indices", "dates"} & set(whole)
