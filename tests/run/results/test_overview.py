import numpy as np

from cocal.archive import band_writer
from cocal.grid import Tile, Window, transformer
from cocal.run.results.overview import picture_values

SIDE = 384
WEST = Tile(Window(32718, 213 * 3840, 2228 * 3840, SIDE, SIDE))
EAST = Tile(Window(32719, 45 * 3840, 2228 * 3840, SIDE, SIDE))


def written(folder, tile, values):
    path = folder / f"{tile.id}.tif"
    with band_writer(path, tile.window, "uint8") as target:
        target.write(values, 1)
    return path


def test_each_cell_of_the_picture_shows_the_pixel_that_owns_its_centre(tmp_path):
    generator = np.random.default_rng(5)
    values = {tile: generator.integers(1, 8, (SIDE, SIDE), dtype=np.uint8) for tile in (WEST, EAST)}
    maps = {tile: written(tmp_path, tile, array) for tile, array in values.items()}
    extent = (-72.06, -13.05, -71.94, -13.01)
    picture = picture_values(maps, extent, longest_px=200)
    height, width = picture.shape
    assert max(height, width) == 200
    for row, column in generator.integers(0, (height, width), (300, 2)):
        lon = extent[0] + (column + 0.5) * (extent[2] - extent[0]) / width
        lat = extent[3] - (row + 0.5) * (extent[3] - extent[1]) / height
        tile = WEST if lon < -72 else EAST
        x, y = transformer(4326, tile.window.epsg).transform(lon, lat)
        i, j = int((tile.window.top - y) // 10), int((x - tile.window.left) // 10)
        inside = 0 <= i < SIDE and 0 <= j < SIDE
        assert picture[row, column] == (values[tile][i, j] if inside else 0)


def test_ground_without_a_map_is_not_observed(tmp_path):
    maps = {EAST: written(tmp_path, EAST, np.full((SIDE, SIDE), 3, np.uint8))}
    assert (picture_values(maps, (-70.0, -14.0, -69.9, -13.9), longest_px=50) == 0).all()
