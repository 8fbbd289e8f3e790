"""Patches of land: stands, fields, plots and villages, each a pure function of its lattice cell.

A patch is drawn at random from its cell's position on an absolute lattice, so that any window can be drawn
alone. Stands tile the land as jittered cells; rectangles of fields, plots and villages lie on top. `history`
gives the cover of a patch on a day.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.land.character import character
from cocal.simulate.land.kinds import NUMBER
from cocal.simulate.land.terrain import VILLAGE_SPACING_M, Terrain
from cocal.simulate.noise import fractal, normal, uniform

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SURFACES = ("river", "gravel_bar", "road")
"""Patches without a lattice cell: the first entries of every table."""

FIXED, ROTATION, COCA = 0, 1, 2
"""Values of `use`: one kind for good, sown land that changes every year, a place where coca is or will be."""

COCA_LOW_M, COCA_BEST_LOW_M, COCA_BEST_HIGH_M, COCA_HIGH_M = 330.0, 500.0, 1_500.0, 1_950.0
"""Coca grows from about 300 to 1,950 m, best from 500 to 1,500 (domain notes: plantations at 610 to 1,950 m
near Coroico, 600 to 2,000 m, and 200 to 500 m in the lowland).
"""

COCA_STEEP = (0.60, 1.10)
"""Slope (rise over run) up to which coca is grown as on flat land, and beyond which it is not."""

TREE_LINE_M, PUNA_M, ROCK_M, SNOW_M = 3_050.0, 3_350.0, 4_150.0, 4_330.0


@dataclass(frozen=True)
class Layer:
    """A lattice of patches: side of a cell, m; range of a rectangle's area, ha; None = fills the land."""

    name: str
    spacing: int
    area_ha: tuple[float, float] | None


SURFACE = Layer("surface", 0, None)
LAYERS = (
    Layer("stand", 160, None),
    Layer("field", 150, (0.4, 3.0)),
    Layer("plot", 75, (0.10, 0.42)),
    Layer("village", VILLAGE_SPACING_M, (2.0, 6.0)),
)
"""A cato has 0.16 ha in the tropics, 0.25 in the Yungas; eradicated parcels in Peru 1.35 to 3.07 ha."""


@dataclass(frozen=True)
class Patches:
    """A table of patches, one value per patch in every array.

    Lengths in m, angles in radians, `opened` in days since 2000-01-01, `cycle` in days. `kind` is what the
    patch holds for good or before coca; `form` the kind of coca that it bears.
    """

    layer: Ints
    column: Ints
    row: Ints
    x: Array
    y: Array
    half_width: Array
    half_height: Array
    turn: Array
    order: Array
    kind: Ints
    use: Ints
    form: Ints
    opened: Array
    cycle: Array
    life: Array
    cleared: NDArray[np.bool_]
    vigour: Array
    phase: Array
    pace: Array
    depth: Array
    luck: Array
    tint: Array

    def __len__(self) -> int:
        return self.kind.size

    def take(self, rows: Ints | NDArray[np.bool_]) -> Patches:
        """The patches of these rows."""
        return Patches(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class Cells:
    """Cells of one layer's lattice, their random numbers in [0, 1) and the point (x, y) drawn in each."""

    terrain: Terrain
    layer: Layer
    column: Ints
    row: Ints

    def draw(self, stream: str) -> Array:
        """(cell) random numbers."""
        return uniform(self.terrain.seed, f"{self.layer.name}/{stream}", self.column, self.row)

    def take(self, rows: NDArray[np.bool_]) -> Cells:
        """The cells of these rows."""
        return Cells(self.terrain, self.layer, self.column[rows], self.row[rows])

    @property
    def points(self) -> tuple[Array, Array]:
        """(x, y), m."""
        spacing = self.layer.spacing
        return (self.column + self.draw("x")) * spacing, (self.row + self.draw("y")) * spacing


def lattice(window: Window, layer: Layer) -> tuple[Ints, Ints]:
    """(columns, rows) of the cells whose patches can touch `window`: two beyond each side."""
    columns = np.arange(window.left // layer.spacing - 2, window.right // layer.spacing + 3)
    rows = np.arange(window.bottom // layer.spacing - 2, window.top // layer.spacing + 3)
    return columns, rows


def patches(terrain: Terrain, window: Window) -> tuple[Patches, list[int]]:
    """All patches that can touch `window`, and the first row of each layer in the table.

    The layer of stands is complete; of the other layers only the patches that exist are in the table.
    """
    number = np.arange(len(SURFACES))
    surfaces = Cells(terrain, SURFACE, np.zeros_like(number), number)
    tables, starts = [_table(surfaces, np.array([NUMBER[s] for s in SURFACES]))], []
    for layer in LAYERS:
        column, row = (a.ravel() for a in np.meshgrid(*lattice(window, layer)))
        starts.append(sum(map(len, tables)))
        tables.append(_layer(Cells(terrain, layer, column, row)))
    columns = (np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(Patches))
    return Patches(*columns), starts


def _layer(cells: Cells) -> Patches:
    if cells.layer.name == "village":
        cells = cells.take(cells.terrain.village(cells.column, cells.row)[2])
        return _table(cells, np.full(cells.column.size, NUMBER["settlement"]))
    if cells.layer.name == "stand":
        return _table(cells, _stand_kind(cells))
    return _farmed(_worked(cells))


def _worked(cells: Cells) -> Cells:
    """The cells that are worked: by access, height and slope, in clusters."""
    terrain, (x, y) = cells.terrain, cells.points
    cluster = 1.0 / (1.0 + np.exp(-2.2 * fractal(terrain.seed, "cluster", x, y, 1300.0, 2)))
    chance = character(terrain, x, y).worked * terrain.access(x, y) * 2.0 * cluster
    cells = cells.take(cells.draw("worked") < chance)
    x, y = cells.points
    height, steep = terrain.elevation(x, y), terrain.slope(x, y)
    return cells.take(
        (height < 2_600.0) & (steep < COCA_STEEP[1]) & (np.abs(terrain.river_offset(x, y)) > 60.0)
    )


def _farmed(cells: Cells) -> Patches:
    """The patches of worked cells: coca, other crops, sown land."""
    terrain, draw, (x, y) = cells.terrain, cells.draw, cells.points
    here, height = character(terrain, x, y), terrain.elevation(x, y)
    share = here.coca_fields if cells.layer.name == "field" else here.coca_plots
    is_coca = draw("crop") < share * coca_suits(terrain, x, y, height)
    which = draw("which")
    alike, trees = here.alike, here.alike + here.trees
    other = np.select(
        [which < 0.75 * alike, which < alike, which < alike + 0.45 * here.trees,
         which < alike + 0.75 * here.trees, which < trees, which < trees + here.pineapple],
        [NUMBER[k] for k in ("stevia", "tea", "coffee", "citrus", "banana", "pineapple")],
        -1,
    )  # fmt: skip
    other = np.where((height > 1_900.0) & (other >= 0), NUMBER["shrubby_pasture"], other)
    before = np.where(draw("before") < 0.5, NUMBER["middle_regrowth"], _forest(height))
    form = np.select(
        [which < here.shade, which < here.shade + here.mixed],
        [NUMBER["shaded_coca"], NUMBER["mixed_coca"]],
        NUMBER["coca"],
    )
    cycle = 365.25 * (9.0 + 14.0 * draw("cycle"))
    is_new = draw("new") < here.new
    return _table(
        cells,
        np.where(is_coca, before, np.maximum(other, NUMBER["tilled"])),
        use=np.where(is_coca, COCA, np.where(other < 0, ROTATION, FIXED)),
        form=form.astype(np.int64),
        opened=np.where(is_new, 5_480.0 + 7_300.0 * draw("opened"), -cycle * draw("opened")),
        cycle=cycle,
        life=0.60 + 0.25 * draw("life"),
        cleared=draw("cleared") < here.cleared,
    )


def coca_suits(terrain: Terrain, x: Array, y: Array, height: Array) -> Array:
    """Suitability of a place for coca, 0 to 1: height, slope, and what neighbours grow."""
    rise = np.clip((height - COCA_LOW_M) / (COCA_BEST_LOW_M - COCA_LOW_M), 0.0, 1.0)
    fall = np.clip((COCA_HIGH_M - height) / (COCA_HIGH_M - COCA_BEST_HIGH_M), 0.0, 1.0)
    steep = np.clip((COCA_STEEP[1] - terrain.slope(x, y)) / (COCA_STEEP[1] - COCA_STEEP[0]), 0.0, 1.0)
    taste = fractal(terrain.seed, "coca", x, y, 2600.0, 2)
    return np.asarray(rise * fall * steep / (1.0 + np.exp(-1.4 - 1.8 * taste)))


def _forest(height: Array) -> Ints:
    return np.where(height < 950.0, NUMBER["lowland_forest"], NUMBER["montane_forest"])


def _stand_kind(cells: Cells) -> Ints:
    terrain, draw, (x, y) = cells.terrain, cells.draw, cells.points
    height, worked = terrain.elevation(x, y), character(terrain, x, y).worked
    wild = fractal(terrain.seed, "clearing", x, y, 2600.0, 3)
    near = 3.2 * terrain.access(x, y) * np.sqrt(worked) / 0.8
    cleared = 1.0 / (1.0 + np.exp(2.9 - near - 0.9 * wild))
    chosen, which = draw("cleared"), draw("which")
    open_kinds = ("pasture", "shrubby_pasture", "young_regrowth", "middle_regrowth", "old_regrowth")
    open_land = np.select(
        [which < share for share in (0.30, 0.42, 0.62, 0.82, 0.97)],
        [NUMBER[kind] for kind in open_kinds],
        NUMBER["burned"],
    )
    land = np.where(chosen < cleared, open_land, _forest(height))
    slipped = 0.012 * np.clip((height - 900.0) / 900.0, 0.0, 1.0)
    land = np.where(draw("slide") < slipped, NUMBER["landslide"], land)
    line = height + 160.0 * (draw("line") - 0.5)
    high = np.select(
        [line > SNOW_M, line > ROCK_M, line > PUNA_M],
        [NUMBER[k] for k in ("snow", "rock", "puna")],
        np.where(draw("puna") < 0.5, NUMBER["puna"], land),
    )
    return np.where(line > TREE_LINE_M, high, land)


def _table(cells: Cells, kind: Ints, **use: NDArray[Any]) -> Patches:
    """The patches of `cells`; `use` holds the columns from `use` to `cleared` of land that is farmed."""
    layer, draw, n = cells.layer, cells.draw, cells.column.size
    (x, y), (low, high) = cells.points, layer.area_ha or (1.0, 1.0)
    side = np.sqrt(low * (high / low) ** draw("area") * 1e4)
    stretch = 0.75 + 0.5 * draw("stretch")
    tints = [normal(cells.terrain.seed, f"{layer.name}/tint{k}", cells.column, cells.row) for k in range(4)]
    columns: dict[str, NDArray[Any]] = {
        "use": np.full(n, FIXED), "form": np.full(n, -1), "opened": np.zeros(n), "cycle": np.ones(n),
        "life": np.zeros(n), "cleared": np.zeros(n, dtype=bool),
    }  # fmt: skip
    columns |= {name: draw(name) for name in ("order", "vigour", "phase", "pace", "depth", "luck")} | use
    return Patches(
        layer=np.full(n, LAYERS.index(layer) if layer in LAYERS else -1),
        column=cells.column, row=cells.row, x=x, y=y,
        half_width=side * stretch / 2, half_height=side / stretch / 2, turn=np.pi * draw("turn"),
        kind=kind.astype(np.int64), tint=np.stack(tints, axis=1), **columns,
    )  # fmt: skip
