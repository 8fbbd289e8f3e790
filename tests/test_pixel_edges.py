"""One pixel for one point, on the edge of a pixel or tile or on a zone meridian, for every reader of a map.

The class at a pixel of the small maps is 1 + 5 (row mod 5) + (column mod 5), counted on the zone's lattice:
a reader that took a neighbouring pixel would give another class.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cocal.archive import band_writer
from cocal.classify.settings import PointSamples, PriorSettings
from cocal.classify.training.samples import read_samples, sample_pixels
from cocal.content import Ref
from cocal.contracts import CLASS_TIF, RECORD_COLUMNS
from cocal.fieldwork import MatchSettings, match
from cocal.grid import Tile, Window, owned_by_zone, pixel_zones, transformer
from cocal.regions import Regions, owners, owners_at
from cocal.run.measure.matching import lookup_of
from cocal.run.results.overview import picture_values, values_at
from cocal.run.stages.train import earlier_codes
from cocal.run.worker.mosaic import mosaic
from cocal.run.worker.prior import prior_of
from cocal.run.worker.samples import sample_blocks
from cocal.scheme import ClassScheme
from cocal.serve.pixel import find_pixel
from cocal.store import LocalStore, address

SIDE = 32
CODES = np.arange(1, 26)
SCHEME = ClassScheme(
    id="edges",
    target="c1",
    definition={"unit": "pixel"},
    classes=[
        {"code": c, "key": f"c{c}", "name_es": f"c{c}", "name_en": f"c{c}", "colour": f"#{c:06x}"}
        for c in CODES.tolist()
    ],
)
PIXEL = MatchSettings(support="pixel", positional_error="ignore")


def class_at(x: float, y: float) -> int:
    """The rule, in numbers: a pixel owns its west and its north edge."""
    column, row = int(np.floor(x / 10)), int(np.ceil(y / 10)) - 1
    return 1 + 5 * (row % 5) + column % 5


def tiles_around(epsg: int, x: float, y: float) -> list[Tile]:
    """The nine tiles of 32 pixels around a point."""
    side = SIDE * 10
    column, row = int(x // side), int(y // side)
    return [
        Tile(Window(epsg, c * side, (r + 1) * side, SIDE, SIDE))
        for c in (column - 1, column, column + 1)
        for r in (row - 1, row, row + 1)
    ]


@pytest.fixture
def maps(tmp_path: Path) -> dict[Tile, Path]:
    """Maps around a place inside zone 19S and one on the meridian 72 W, each zone with its own pixels."""
    places = [(32719, -69.5), (32718, -72.0), (32719, -72.0)]
    found = {}
    for epsg, lon in places:
        for tile in tiles_around(epsg, *transformer(4326, epsg).transform(lon, -13.5)):
            xx, yy = np.meshgrid(tile.window.x, tile.window.y)
            codes = np.vectorize(class_at)(xx, yy).astype(np.uint8)
            store = LocalStore(tmp_path)
            with (
                store.commit(tile.id, {}) as folder,
                band_writer(folder / CLASS_TIF, tile.window, "uint8") as target,
            ):
                target.write(np.where(owned_by_zone(tile.window), codes, 0), 1)
            found[tile] = store.home(tile.id)
    return found


def on_edges(maps: dict[Tile, Path], side_x: int, side_y: int) -> list[tuple[float, float, float, float]]:
    """(lon, lat, x, y) of points whose projection lies, to the last bit, on edges of two lattices."""
    to_degrees, to_metres = transformer(32719, 4326), transformer(4326, 32719)
    inner = [t.window for t in maps if t.window.epsg == 32719 and t.window.left > 300_000]
    west, east = min(w.left for w in inner) + 100, max(w.right for w in inner) - 100
    south, north = min(w.bottom for w in inner) + 100, max(w.top for w in inner) - 100
    x, y = (
        a.ravel()
        for a in np.meshgrid(
            np.arange(-(-west // side_x) * side_x, east, side_x, dtype=float),
            np.arange(-(-south // side_y) * side_y, north, side_y, dtype=float),
        )
    )
    found = {}
    for nudge in np.ndindex(9, 5):  # an edge in degrees is rounded: one of its neighbours may be exact
        lon, lat = to_degrees.transform(x, y)
        lon, lat = lon + (nudge[0] - 4) * np.spacing(lon), lat + (nudge[1] - 2) * np.spacing(lat)
        there = to_metres.transform(lon, lat)
        for i in np.flatnonzero((there[0] == x) & (there[1] == y)).tolist():
            found[x[i], y[i]] = (lon[i], lat[i], x[i], y[i])
    return list(found.values())[:20]


def everywhere() -> Regions:
    shapes = np.array([shapely.box(-73, -14, -69, -13)], dtype=object)
    table = pd.DataFrame({"region_id": ["R"], "source": [0]})
    return Regions(table, shapes, shapes, np.arange(1), 0.0, "everywhere", ())


def refs(maps: dict[Tile, Path]) -> dict[Tile, Ref]:
    return {tile: Ref(folder, address({})) for tile, folder in maps.items()}


def by_matching(maps: dict[Tile, Path], lon: list[float], lat: list[float]) -> list[int]:
    n = len(lon)
    columns = {name: pd.array([None] * n, dtype="string") for name in RECORD_COLUMNS if name != "geometry"}
    numbers = ("cover", "positional_accuracy_m", "inclusion_probability")
    columns |= {name: np.full(n, np.nan) for name in numbers} | {"visited": [True] * n}
    columns |= {name: [f"r{i}" for i in range(n)] for name in ("record_id", "sample_id")}
    records = gpd.GeoDataFrame(columns, geometry=shapely.points(lon, lat), crs=4326)
    table = match(
        records,
        everywhere(),
        lookup_of(refs(maps)),
        scheme=SCHEME,
        settings=PIXEL,
        resolution=10,
    )
    assert table["region_id"].tolist() == ["R"] * n
    return [int(key[1:]) for key in table["map_class"].fillna("c0")]


def by_training(maps: dict[Tile, Path], lon: list[float], lat: list[float], folder: Path) -> list[int]:
    """The class at the pixel that training takes for a labelled point."""
    path = folder / "labels.gpkg"
    points = gpd.GeoDataFrame(
        {"label": ["c1"] * len(lon), "id": [f"s{i:04d}" for i in range(len(lon))]},
        geometry=shapely.points(lon, lat), crs=4326,
    )  # fmt: skip
    points.to_file(path)
    settings = PointSamples(
        kind="points", path=path, label_column="label", id_column="id", source="test", licence="test",
        simulated=True,
    )  # fmt: skip
    samples = read_samples(settings, SCHEME)
    each = [replace(samples, table=samples.table.iloc[[i]]) for i in range(len(lon))]
    table = pd.concat([sample_pixels(one, 10) for one in each], ignore_index=True)
    assert (np.abs(table["x"] % 10 - 5) < 1e-9).all()
    assert table["row"].tolist() == ((table["y"] - 5) // 10).astype(int).tolist()
    owned = [
        next(
            (owned_by_zone(t.window)[row, column] for t in maps if t.window.epsg == epsg
             for row, column, inside in [t.window.locate(x, y)] if inside),
            False,
        )
        for epsg, x, y in zip(table["epsg"], table["x"], table["y"], strict=True)
    ]  # fmt: skip
    return [class_at(x, y) if own else 0 for own, x, y in zip(owned, table["x"], table["y"], strict=True)]


def by_map(maps: dict[Tile, Path], lon: list[float], lat: list[float]) -> list[int]:
    """The class at the pixel that the map in the browser shows for a point."""
    found = []
    for point in zip(lon, lat, strict=True):
        pixel = find_pixel(SimpleNamespace(maps={"p": maps}), "p", *point)
        assert pixel is not None
        own = owned_by_zone(pixel.window)[0, 0]
        found.append(class_at(pixel.window.x[0], pixel.window.y[0]) if own else 0)
    return found


def by_page(maps: dict[Tile, Path], lon: list[float], lat: list[float]) -> list[int]:
    paths = {tile: folder / CLASS_TIF for tile, folder in maps.items()}
    return values_at(paths, np.array(lon), np.array(lat), dtype="uint8", missing=255).tolist()


def by_picture(maps: dict[Tile, Path], lon: list[float], lat: list[float]) -> list[int]:
    """The class in the one cell of a picture around each point, whose centre is the point to the last bit."""
    paths = {tile: folder / CLASS_TIF for tile, folder in maps.items()}
    found = []
    for x, y in zip(lon, lat, strict=True):
        step = 2.0**-14
        picture = picture_values(paths, (x - step, y - step, x + step, y + step), longest_px=1)
        assert picture.shape == (1, 1)
        found.append(int(picture[0, 0]))
    return found


@pytest.mark.parametrize("sides", [(10, 10), (SIDE * 10, 1), (1, SIDE * 10)])
def test_a_point_on_the_edge_of_a_pixel_or_tile_is_in_the_same_pixel_for_every_reader(maps, sides, tmp_path):
    points = on_edges(maps, *sides)
    assert len(points) >= 3
    lon, lat, x, y = map(list, zip(*points, strict=True))
    expected = [class_at(*p) for p in zip(x, y, strict=True)]
    assert by_matching(maps, lon, lat) == expected
    assert by_map(maps, lon, lat) == expected
    assert by_page(maps, lon, lat) == expected
    assert by_picture(maps, lon, lat) == expected
    assert by_training(maps, lon, lat, tmp_path) == expected


def test_a_region_owns_a_point_on_an_edge_where_it_owns_the_pixel():
    # the two regions meet in the middle of a row of pixels: 10 m of each pixel's ground decide by its centre
    to_degrees = transformer(32719, 4326)
    shapes = np.array(
        [
            shapely.box(-70, to_degrees.transform(500_000, 8_430_003)[1], -68, -13),
            shapely.box(-70, -15, -68, to_degrees.transform(500_000, 8_430_003)[1]),
        ],
        dtype=object,
    )
    table = pd.DataFrame({"region_id": ["N", "S"], "source": [0, 0]})
    regions = Regions(table, shapes, shapes, np.arange(2), 0.0, "north and south", ())
    window = Window(32719, 500_000, 8_430_030, 3, 6)
    by_pixel = owners(regions, window)
    x, y = np.meshgrid(window.left + np.arange(3) * 10.0, window.top - np.arange(6) * 10.0)
    at = owners_at(regions, 32719, x.ravel(), y.ravel(), resolution=10)
    np.testing.assert_array_equal(at.reshape(6, 3), by_pixel)
    assert set(at.tolist()) == {0, 1}


def test_an_earlier_map_gives_its_pixel_south_east_of_a_corner_on_which_a_centre_lies(tmp_path):
    # the earlier map is shifted by half a pixel: each centre of the window is a corner of four of its pixels
    earlier = Window(32719, 500_005, 8_430_025, 4, 4)
    codes = np.arange(1, 17, dtype=np.uint8).reshape(4, 4)
    with band_writer(tmp_path / "earlier.tif", earlier, "uint8") as target:
        target.write(codes, 1)
    window = Window(32719, 500_000, 8_430_030, 4, 4)
    for code in range(1, 17):
        settings = PriorSettings(
            elsewhere=0.25, where_mapped=0.75, unseen=0.5, map=tmp_path / "earlier.tif", code=code
        )
        np.testing.assert_array_equal(prior_of(window, settings) == 0.75, codes == code)


def test_a_point_on_a_zone_meridian_is_in_the_same_pixel_for_every_reader(maps, tmp_path):
    past = np.array([-8e-5, -3e-5, -1e-5, 0.0, 1e-5, 3e-5, 8e-5])
    lon = (-72.0 + np.tile(past, 40)).tolist()
    lat = np.repeat(np.linspace(-13.5015, -13.4985, 40), past.size).tolist()
    zone = pixel_zones(lon, lat)
    expected = []
    for epsg, *point in zip(zone.tolist(), lon, lat, strict=True):
        x, y = transformer(4326, epsg).transform(*point)
        row, column = int(np.ceil(y / 10)) - 1, int(np.floor(x / 10))
        own = owned_by_zone(Window(epsg, column * 10, (row + 1) * 10, 1, 1))[0, 0]
        expected.append(class_at(x, y) if own else 0)
    assert set(zone.tolist()) == {32718, 32719}
    assert np.mean(np.array(expected) > 0) > 0.4  # the others lie in the pixels of neither zone
    assert by_matching(maps, lon, lat) == expected
    assert by_map(maps, lon, lat) == expected
    assert by_page(maps, lon, lat) == expected
    assert by_picture(maps, lon, lat) == expected
    assert by_training(maps, lon, lat, tmp_path) == expected


def test_across_the_meridian_a_window_shows_the_neighbours_pixel_that_holds_each_centre(maps):
    west = [t.window for t in maps if t.window.epsg == 32718][4]
    own = owned_by_zone(west)
    assert 0 < own.sum() < own.size
    shown = mosaic(tuple(refs(maps).items()), west, CLASS_TIF, "uint8", 0)
    rows, columns = np.nonzero(~own)
    x, y = transformer(32718, 32719).transform(west.x[columns], west.y[rows])
    theirs = np.array([class_at(*p) for p in zip(x, y, strict=True)])
    seen = shown[rows, columns]
    assert (seen > 0).mean() > 0.5
    np.testing.assert_array_equal(seen[seen > 0], theirs[seen > 0])


def test_an_earlier_map_and_the_regions_see_a_sample_on_an_edge_in_the_same_pixel(maps):
    tile, folder = next((t, f) for t, f in maps.items() if t.window.left > 300_000)
    x, y = (
        a.ravel()
        for a in np.meshgrid(
            tile.window.left + np.arange(0.0, 320, 10), tile.window.top - np.arange(0.0, 320, 10)
        )
    )
    table = pd.DataFrame({"epsg": 32719, "x": x, "y": y})
    assert earlier_codes(folder / CLASS_TIF, table).tolist() == [class_at(*p) for p in zip(x, y, strict=True)]
    blocks = list(sample_blocks(table, SIDE, 10))
    assert [block.window for block in blocks] == [tile.window]
