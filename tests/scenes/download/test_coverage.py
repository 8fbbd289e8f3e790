"""What comes back without data is compared with the ground that the catalogue states."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from tests.support.services.granules import darken
from tests.support.services.hub import HubStandIn
from tests.support.services.loopback import Trouble
from tests.support.services.small import hub_source, write_config
from tests.support.services.stac import stac_api

from cocal.archive import list_scenes
from cocal.errors import InputError
from cocal.grid import Window, project
from cocal.scenes.download.catalogue import Granule
from cocal.scenes.download.coverage import missing_share

WINDOW = Window(32719, 498000, 8430000, 1000, 1000)
"""10 km x 10 km."""


def granule(polygon, **more):
    """A granule whose footprint is a polygon in metres of the zone."""
    degrees = project(polygon, WINDOW.epsg, 4326, densify=1000)
    return Granule("g", datetime(2024, 1, 1, tzinfo=UTC), degrees, **more)


def box(west, south, east, north):
    """In km from the south-west corner of the window."""
    left, low = WINDOW.left, WINDOW.bottom
    return shapely.box(left + 1000 * west, low + 1000 * south, left + 1000 * east, low + 1000 * north)


def data(columns):
    """Data in the first `columns` columns."""
    return np.broadcast_to(np.arange(1000) < columns, (1000, 1000))


GRANULE = box(-50, -50, 60, 60)
"""110 km on a side: an outline may be wrong by 2.2 km."""


@pytest.mark.parametrize(
    ("columns", "share"), [(1000, 0), (0, 1), (500, 0.5), (750, 0.25), (995, 0)], ids=str
)
def test_the_share_is_that_of_the_ground_that_footprints_cover(columns, share):
    """Less than 1 % of the window is not judged."""
    assert missing_share(WINDOW, [granule(GRANULE)], data(columns)) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("columns", [500, 400, 290])
def test_the_edge_of_a_swath_gives_no_alarm_where_the_outline_is_coarse(columns):
    """The outline ends at 5 km; data end there, 1 km before, 2.1 km before."""
    edge = granule(box(-105, -50, 5, 60))
    assert missing_share(WINDOW, [edge], data(columns)) == 0


def test_data_that_end_far_inside_the_outline_are_an_alarm():
    """The outline shrinks to 2.8 km (2.2 km of 110); data end at 1.4 km."""
    assert missing_share(WINDOW, [granule(box(-105, -50, 5, 60))], data(140)) == pytest.approx(0.5, abs=0.02)


def test_a_slanted_edge_is_followed():
    corners = [(-100, -50), (25, -50), (-15, 60), (-100, 60)]  # of the east edge at 5 km the line has x = 5
    slanted = shapely.Polygon([(WINDOW.left + 1000 * x, WINDOW.bottom + 1000 * y) for x, y in corners])
    y, x = np.mgrid[0:1000, 0:1000]
    inside = shapely.contains_xy(slanted, WINDOW.x[x], WINDOW.y[y])
    assert 0.1 < inside.mean() < 0.9
    assert missing_share(WINDOW, [granule(slanted)], inside) == 0
    assert missing_share(WINDOW, [granule(slanted)], np.zeros_like(inside)) == 1


def test_two_granules_cover_their_union_and_a_box_alone_covers_nothing():
    halves = [granule(box(-105, -50, 5, 60)), granule(box(4, -50, 114, 60))]
    assert missing_share(WINDOW, halves, data(0)) == 1
    assert missing_share(WINDOW, [replace(g, outlined=False) for g in halves], data(0)) == 0
    assert missing_share(WINDOW, halves[:1], data(500)) == 0


def test_a_footprint_that_crosses_itself_or_is_a_point_is_no_traceback():
    bow = shapely.Polygon([(-71, -15), (-69, -13), (-69, -15), (-71, -13)])
    made = [replace(granule(GRANULE), footprint=shape) for shape in (bow, shapely.Point(-69, -14))]
    assert 0 <= missing_share(WINDOW, made, data(0)) <= 1


@pytest.fixture
def one_day(hub, hub_config):
    path = hub_config(tile_px=288)
    path.write_text(path.read_text().replace("2024-05-31", "2024-01-31"))
    return path


@pytest.mark.parametrize("kind", ["no_data", "half_no_data"])
def test_a_body_without_the_data_that_the_catalogue_lists_is_requested_once_more(
    kind, hub, one_day, tmp_path, download
):
    hub.troubles["process"].append(Trouble(kind))
    assert download(one_day).failures == ()
    assert hub.count("process") == 2
    assert len(list_scenes(tmp_path / "hub" / "archive")) == 1


@pytest.mark.parametrize("kind", ["no_data", "half_no_data"])
def test_a_lasting_lack_of_data_is_listed_after_two_requests_and_fetched_by_the_next_run(
    kind, hub, one_day, tmp_path, download
):
    hub.always["process"] = Trouble(kind)
    [(unit, reason)] = download(one_day).failures
    assert unit == "sim-20240105-32719-288-0173-2925"
    assert "no data on" in reason
    assert hub.count("process") == 2
    assert list_scenes(tmp_path / "hub" / "archive") == []
    hub.forget()
    assert download(one_day).failures == ()
    assert hub.count("process") == 1


def test_what_is_allowed_to_be_missing_is_stated(hub, hub_config, tmp_path, download):
    """Two of five: below the limit of half of the granules; all five are above it."""
    config = hub_config(tile_px=288, max_missing=1.0)
    hub.troubles["process"].extend([Trouble("no_data")] * 2)
    assert download(config).failures == ()
    assert hub.count("process") == 5
    left_out = json.loads((tmp_path / "hub" / "runs" / "small" / "run.json").read_text())["left_out"]
    assert [(n["code"], n["values"]["n"], n["values"]["of"]) for n in left_out] == [("granules_empty", 2, 5)]
    hub.always["process"] = Trouble("no_data")
    with pytest.raises(InputError, match=r"left_out\.granules at most 0\.5"):
        download(hub_config("other", tile_px=288, max_missing=1.0))


def test_a_screen_without_data_does_not_pass_for_clouds(hub, hub_config, download):
    """Five screens; one comes back empty twice and is listed, its day is not fetched."""
    config = hub_config(tile_px=288, screen={"clear": ["vegetation"], "min_share": 0.0})
    hub.troubles["process"].extend([Trouble("no_data")] * 2)
    result = download(config)
    assert len(result.failures) == 1
    assert hub.count("process") == 6 + 4
    hub.forget()
    assert download(config).failures == ()
    assert hub.count("process") == 2


def test_a_swath_edge_in_the_land_is_fetched_from_both_sources(
    credentials, tmp_path, download, new_process, land
):
    """The western third of two products lies outside the swath, as their footprints state."""
    from tests.support.services.stac import FilesStandIn

    land = land.copied(tmp_path / "land")
    for made in land.granules[:2]:
        darken(made, slice(0, 72), slice(0, 24), 0)
    with (
        HubStandIn(land.granules) as hub,
        FilesStandIn(land.folder / "granules") as files,
        stac_api(land.granules, tmp_path, files.url) as url,
    ):
        new_process()
        for name, source in (("hub", hub_source(hub.url)), ("stac", {"type": "stac", "catalogue": url})):
            assert download(write_config(tmp_path / name, land, source, tile_px=144)).failures == ()
        assert hub.count("process") == 10


def test_a_raster_without_the_data_that_its_item_states_is_listed(credentials, tmp_path, download, land):
    from tests.support.services.stac import FilesStandIn

    own = land.copied(tmp_path / "land")
    items = [g.item("{}") for g in own.granules]
    assert items[0]["geometry"] == land.granules[0].item("{}")["geometry"]
    with FilesStandIn(own.folder / "granules") as files, stac_api(own.granules, tmp_path, files.url) as url:
        darken(own.granules[0], slice(0, 72), slice(0, 72), 0)
        config = write_config(tmp_path / "stac", own, {"type": "stac", "catalogue": url}, tile_px=288)
        [(unit, reason)] = download(config).failures
    assert unit.startswith("sim-20240105")
    assert "no data on 100%" in reason


def test_ground_without_a_class_counts_as_ground_without_data(hub, one_day, download):
    hub.troubles["process"].append(Trouble("no_classes"))
    assert download(one_day).failures == ()
    assert hub.count("process") == 2
