"""Patches of land: stands, fields, plots and villages, each a pure function of its lattice cell.

A patch is drawn by chance from its cell's place on an absolute lattice, so that any window can be drawn
alone. Stands tile the land as jittered cells; rectangles of fields, plots and villages lie on top. What a patch
holds on a day is said in `history`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.land.character import character
from cocal.simulate.land.kinds import NUMBER
from cocal.simulate.land.terrain import VILLAGE_SPACING_M, Terrain
from cocal.simulate.noise import fractal, normal, uniform

Array = NDArray[np.float64]
Draw = Callable[[str], Array]

SURFACES = ("river", "gravel_bar", "road")
"""Patches without a lattice cell: the first entries of every table."""

FIXED, ROTATION, COCA = 0, 1, 2
"""What `use` says: one kind for good, sown land that changes every year, a place where coca is or will be."""

COCA_LOW_M, COCA_BEST_LOW_M, COCA_BEST_HIGH_M, COCA_HIGH_M = 330.0, 500.0, 1_500.0, 1_950.0
"""Coca grows from about 300 to 1,950 m, best from 500 to 1,500 (domain notes: plantations at 610 to 1,950 m near
Coroico, 600 to 2,000 m, and 200 to 500 m in the lowland)."""

COCA_STEEP = (0.60, 1.10)
"""Slope (rise over run) up to which coca is grown as on flat land, and beyond which it is not (assumption)."""

TREE_LINE_M, PUNA_M, ROCK_M, SNOW_M = 3_050.0, 3_350.0, 4_150.0, 4_330.0


@dataclass(frozen=True)
class Layer:
    """A lattice of patches: cell side in m, area of a rectangle in ha (log-uniform), None = fills the land."""

    name: str
    spacing: int
    area_ha: tuple[float, float] | None


LAYERS = (
    Layer("stand", 160, None),
    Layer("field", 150, (0.4, 3.0)),
    Layer("plot", 75, (0.10, 0.42)),
    Layer("village", VILLAGE_SPACING_M, (2.0, 6.0)),
)
"""A cato has 0.16 ha in the tropics and 0.25 ha in the Yungas; means of eradicated parcels in Peru are 1.35 to 3.07 ha."""


@dataclass(frozen=True)
class Patches:
    """A table of patches, one value per patch in every array.

    Lengths in m, angles in radians, `opened` in days since 2000-01-01, `cycle` in days. `kind` is what the patch
    holds for good or before coca; `form` the kind of coca it bears; `small` is true of the layer of plots.
    """

    layer: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    x: Array
    y: Array
    half_width: Array
    half_height: Array
    turn: Array
    order: Array
    kind: NDArray[np.int64]
    use: NDArray[np.int64]
    form: NDArray[np.int64]
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

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Patches:
        """The patches of these rows."""
        return Patches(*(getattr(self, f.name)[rows] for f in fields(self)))


def _joined(tables: list[Patches]) -> Patches:
    return Patches(*(np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(Patches)))


def lattice(window: Window, layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(columns, rows) of the cells whose patches can touch `window`: two beyond each side."""
    columns = np.arange(window.left // layer.spacing - 2, window.right // layer.spacing + 3)
    rows = np.arange(window.bottom // layer.spacing - 2, window.top // layer.spacing + 3)
    return columns, rows


def patches(terrain: Terrain, window: Window) -> tuple[Patches, list[int]]:
    """All patches that can touch `window`, and where each layer begins in the table. Every stand is there, of
    the other layers those that exist.
    """
    row = np.arange(len(SURFACES))
    surface = np.array([NUMBER[s] for s in SURFACES])
    tables = [_table(terrain, None, np.zeros_like(row), row, surface, _nothing(row.size))]
    starts = []
    for layer in LAYERS:
        columns, rows = lattice(window, layer)
        column, row = (a.ravel() for a in np.meshgrid(columns, rows))
        starts.append(sum(map(len, tables)))
        tables.append(_layer(terrain, layer, column, row))
    return _joined(tables), starts


def _layer(terrain: Terrain, layer: Layer, column: NDArray[np.int64], row: NDArray[np.int64]) -> Patches:
    def draw(what: str) -> Array:
        return uniform(terrain.seed, f"{layer.name}/{what}", column, row)

    if layer.name == "village":
        _, _, exists = terrain.village(column, row)
        column, row = column[exists], row[exists]
        kind = np.full(column.size, NUMBER["settlement"])
        return _table(terrain, layer, column, row, kind, _nothing(column.size))
    if layer.name == "stand":
        x, y = (column + draw("x")) * layer.spacing, (row + draw("y")) * layer.spacing
        return _table(terrain, layer, column, row, _stand_kind(terrain, x, y, draw), _nothing(column.size))
    column, row = _worked(terrain, layer, column, row, draw)
    return _table(terrain, layer, column, row, *_farmed(terrain, layer, column, row))


def _worked(
    terrain: Terrain, layer: Layer, column: NDArray[np.int64], row: NDArray[np.int64], draw: Draw
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells that are worked: by access, height and slope, in clusters."""
    x, y = (column + draw("x")) * layer.spacing, (row + draw("y")) * layer.spacing
    cluster = 1.0 / (1.0 + np.exp(-2.2 * fractal(terrain.seed, "cluster", x, y, 1300.0, 2)))
    chance = character(terrain, x, y).worked * terrain.access(x, y) * 2.0 * cluster
    maybe = draw("worked") < chance
    column, row, x, y = column[maybe], row[maybe], x[maybe], y[maybe]
    height, steep = terrain.elevation(x, y), terrain.slope(x, y)
    keep = (height < 2_600.0) & (steep < COCA_STEEP[1]) & (np.abs(terrain.river_offset(x, y)) > 60.0)
    return column[keep], row[keep]


@dataclass(frozen=True)
class _Use:
    """What is done on patches: columns of `Patches`."""

    use: NDArray[np.int64]
    form: NDArray[np.int64]
    opened: Array
    cycle: Array
    life: Array
    cleared: NDArray[np.bool_]


def _nothing(n: int) -> _Use:
    zero = np.zeros(n)
    return _Use(np.full(n, FIXED), np.full(n, -1), zero, zero + 1.0, zero, np.zeros(n, dtype=bool))


def _farmed(
    terrain: Terrain, layer: Layer, column: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], _Use]:
    """(kind, use) of worked cells."""

    def draw(what: str) -> Array:
        return uniform(terrain.seed, f"{layer.name}/{what}", column, row)

    x, y = (column + draw("x")) * layer.spacing, (row + draw("y")) * layer.spacing
    here = character(terrain, x, y)
    height = terrain.elevation(x, y)
    share = here.coca_fields if layer.name == "field" else here.coca_plots
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
    opened = np.where(is_new, 5_480.0 + 7_300.0 * draw("opened"), -cycle * draw("opened"))
    kind = np.where(is_coca, before, np.maximum(other, NUMBER["tilled"]))
    use = np.where(is_coca, COCA, np.where(other < 0, ROTATION, FIXED))
    cleared = draw("cleared") < here.cleared
    return kind, _Use(use, form, opened, cycle, 0.60 + 0.25 * draw("life"), cleared)


def coca_suits(terrain: Terrain, x: Array, y: Array, height: Array) -> Array:
    """How well coca suits a place, 0 to 1: height, slope, and what neighbours do."""
    rise = np.clip((height - COCA_LOW_M) / (COCA_BEST_LOW_M - COCA_LOW_M), 0.0, 1.0)
    fall = np.clip((COCA_HIGH_M - height) / (COCA_HIGH_M - COCA_BEST_HIGH_M), 0.0, 1.0)
    steep = np.clip((COCA_STEEP[1] - terrain.slope(x, y)) / (COCA_STEEP[1] - COCA_STEEP[0]), 0.0, 1.0)
    taste = fractal(terrain.seed, "coca", x, y, 2600.0, 2)
    return np.asarray(rise * fall * steep / (1.0 + np.exp(-1.4 - 1.8 * taste)))


def _forest(height: Array) -> NDArray[np.int64]:
    return np.where(height < 950.0, NUMBER["lowland_forest"], NUMBER["montane_forest"])


def _stand_kind(terrain: Terrain, x: Array, y: Array, draw: Draw) -> NDArray[np.int64]:
    height = terrain.elevation(x, y)
    wild = fractal(terrain.seed, "clearing", x, y, 2600.0, 3)
    worked = character(terrain, x, y).worked
    near = 3.2 * terrain.access(x, y) * np.sqrt(worked) / 0.8
    cleared = 1.0 / (1.0 + np.exp(2.9 - near - 0.9 * wild))
    chosen, which = draw("cleared"), draw("which")
    open_land = np.select(
        [which < 0.30, which < 0.42, which < 0.62, which < 0.82, which < 0.97],
        [
            NUMBER[k]
            for k in ("pasture", "shrubby_pasture", "young_regrowth", "middle_regrowth", "old_regrowth")
        ],
        NUMBER["burned"],
    )
    land = np.where(chosen < cleared, open_land, _forest(height))
    slipped = 0.012 * np.clip((height - 900.0) / 900.0, 0.0, 1.0)
    land = np.where(draw("slide") < slipped, NUMBER["landslide"], land)
    line = height + 160.0 * (draw("line") - 0.5)
    high = np.select(
        [line > SNOW_M, line > ROCK_M, line > PUNA_M], [NUMBER[k] for k in ("snow", "rock", "puna")],
        np.where(draw("puna") < 0.5, NUMBER["puna"], land),
    )  # fmt: skip
    return np.where(line > TREE_LINE_M, high, land)


def _table(
    terrain: Terrain,
    layer: Layer | None,
    column: NDArray[np.int64],
    row: NDArray[np.int64],
    kind: NDArray[np.int64],
    use: _Use,
) -> Patches:
    seed, name = terrain.seed, layer.name if layer else "surface"

    def draw(what: str) -> Array:
        return uniform(seed, f"{name}/{what}", column, row)

    if layer is None:
        x = y = np.zeros(column.size)
    elif name == "village":
        x, y, _ = terrain.village(column, row)
    else:
        x, y = (column + draw("x")) * layer.spacing, (row + draw("y")) * layer.spacing
    low, high = (layer.area_ha if layer else None) or (1.0, 1.0)
    side = np.sqrt(low * (high / low) ** draw("area") * 1e4)
    stretch = 0.75 + 0.5 * draw("stretch")
    number = LAYERS.index(layer) if layer else -1
    tint = np.stack([normal(seed, f"{name}/tint{k}", column, row) for k in range(4)], axis=1)
    return Patches(
        np.full(column.size, number), column, row, x, y,
        side * stretch / 2, side / stretch / 2, np.pi * draw("turn"), draw("order"),
        kind.astype(np.int64), use.use, use.form.astype(np.int64), use.opened, use.cycle, use.life, use.cleared,
        draw("vigour"), draw("phase"), draw("pace"), draw("depth"), draw("luck"), tint,
    )  # fmt: skip
