"""Mapped hectares per square of a grid, from all tiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate import density_table
from cocal.grid import Tile
from cocal.run.execute import Call
from cocal.run.measure.counting import counted, regions_source
from cocal.run.measure.counts import density_cells
from cocal.run.state import Run


def density_stage(run: Run) -> pd.DataFrame | None:
    """The squares of every period, as from `density_table`; None where the configuration asks for none."""
    settings = run.config.density
    if settings is None:
        return None
    target = run.base.scheme.codes[run.base.scheme.target]
    source, squares = regions_source(run), squares_of(run.base.tiles, settings.cell_m)
    tables = []
    for period in run.periods:
        folders = list(run.maps_of(period.name).items())
        calls = {}
        for tile, cells in squares.items():
            near = tuple(
                m
                for m in folders
                if m[0].window.epsg == tile.window.epsg and _near(m[0], tile, settings.cell_m)
            )
            calls[period.name, tile.id] = Call(
                density_cells,
                (tile, cells, near, source, settings.cell_m, target, round(settings.plot_ha * 10**10)),
            )
        found = counted(run, "density", calls)
        rows = pd.concat(found.values(), ignore_index=True)
        tables.append(density_table(rows, run.base.regions.table, cell_m=settings.cell_m, period=period.name))
    return pd.concat(tables, ignore_index=True)


def squares_of(tiles: Sequence[Tile], cell_m: int) -> dict[Tile, NDArray[np.int64]]:
    """Tile -> (k, 2) column and row of the squares it counts: each square goes to the first tile it touches."""
    taken: set[tuple[int, int, int]] = set()
    found = {}
    for tile in tiles:
        w = tile.window
        columns = range(w.left // cell_m, (w.right - 1) // cell_m + 1)
        rows = range(w.bottom // cell_m, (w.top - 1) // cell_m + 1)
        own = [(c, r) for c in columns for r in rows if (w.epsg, c, r) not in taken]
        taken.update((w.epsg, c, r) for c, r in own)
        if own:
            found[tile] = np.array(own, dtype=np.int64)
    return found


def _near(one: Tile, other: Tile, reach_m: int) -> bool:
    a, b = one.window, other.window
    apart_x = max(a.left, b.left) - min(a.right, b.right)
    apart_y = max(a.bottom, b.bottom) - min(a.top, b.top)
    return max(apart_x, apart_y) < reach_m
