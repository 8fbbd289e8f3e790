"""The squares of the density grid as codes: those of the page in public/."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cocal.grid import transformer, utm_epsg
from cocal.run.results.pictures import square_codes
from cocal.serve.rasters import NOTHING, TILE_PX, Codes, Square


class SquareRaster:
    """The squares of one period on a grid per UTM zone."""

    def __init__(self, squares: pd.DataFrame) -> None:
        self.side = int(squares["side_m"].iloc[0])
        self._grids = {
            int(str(epsg)): _grid(rows, self.side) for epsg, rows in squares.groupby("epsg", sort=True)
        }

    def codes(self, square: Square) -> Codes:
        """(y, x) code of the square that holds each pixel's centre."""
        out = np.full((TILE_PX, TILE_PX), NOTHING, dtype=np.uint8)
        lon, lat = square.degrees()
        zone = np.array([utm_epsg(v, float(lat.mean())) for v in lon])
        for epsg in np.unique(zone).tolist():
            if epsg in self._grids:
                columns = np.flatnonzero(zone == epsg)
                x, y = transformer(4326, epsg).transform(*np.meshgrid(lon[columns], lat))
                out[:, columns] = self._look_up(epsg, np.floor(x / self.side), np.floor(y / self.side))
        return out

    def _look_up(self, epsg: int, column: Codes, row: Codes) -> Codes:
        first_column, first_row, grid = self._grids[epsg]
        c, r = (column - first_column).astype(np.int64), (row - first_row).astype(np.int64)
        inside = (c >= 0) & (r >= 0) & (c < grid.shape[1]) & (r < grid.shape[0])
        return np.where(inside, grid[np.where(inside, r, 0), np.where(inside, c, 0)], NOTHING)


def _grid(rows: pd.DataFrame, side: int) -> tuple[int, int, Codes]:
    """First column, first row, and codes (row, column) with rows ascending to the north."""
    column, row = (rows["x"] // side).to_numpy(int), (rows["y"] // side).to_numpy(int)
    grid = np.full((np.ptp(row) + 1, np.ptp(column) + 1), NOTHING, dtype=np.uint8)
    grid[row - row.min(), column - column.min()] = square_codes(rows, side)
    return int(column.min()), int(row.min()), grid
