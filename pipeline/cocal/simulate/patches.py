"""Patches of land: stands, fields, plots and villages, each a pure function of its lattice cell.

A patch is drawn by chance from its cell's place on an absolute lattice, so that any window can be drawn
alone. Stands tile the land as jittered cells; rectangles of fields, plots and villages lie on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.cover import NUMBER
from cocal.simulate.noise import fractal, normal, uniform
from cocal.simulate.terrain import VILLAGE_SPACING_M, Terrain

Array = NDArray[np.float64]
Draw = Callable[[str], Array]

CHANCES = ("vigour", "phase", "pace", "depth")
SURFACES = ("river", "gravel_bar", "road")
"""Patches without a lattice cell: the first entries of every table."""

COCA_LOW_M, COCA_BEST_LOW_M, COCA_BEST_HIGH_M, COCA_HIGH_M = 480.0, 650.0, 1650.0, 1920.0
"""Coca grows from about 500 to 1,900 m (docs/domain.md section 5)."""


@dataclass(frozen=True)
class Layer:
    """A lattice of patches: cell side in m, area of a rectangle in ha (log-uniform), None = fills the land."""

    name: str
    spacing: int
    area_ha: tuple[float, float] | None


LAYERS = (
    Layer("stand", 160, None),
    Layer("field", 140, (0.45, 3.0)),
    Layer("plot", 72, (0.14, 0.45)),
    Layer("village", VILLAGE_SPACING_M, (2.0, 6.0)),
)

DENSEST = {"field": 0.42, "plot": 0.55}
"""Share of the lattice cells that are worked where access is best (assumption)."""


@dataclass(frozen=True)
class Patches:
    """A table of patches, one value per patch in every array; `kind` -1 is none."""

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
    census: NDArray[np.bool_]
    vigour: Array
    phase: Array
    pace: Array
    depth: Array
    tint: Array

    def __len__(self) -> int:
        return self.kind.size

    @property
    def chance(self) -> dict[str, Array]:
        """The uniform values that the year's course depends on."""
        return {name: getattr(self, name) for name in CHANCES}

    def joined(self, other: Patches) -> Patches:
        """This table with `other` below it."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Patches(*(np.concatenate(pair) for pair in pairs))


def lattice(window: Window, layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(columns, rows) of the cells whose patches can touch `window`: two beyond each side."""
    columns = np.arange(window.left // layer.spacing - 2, window.right // layer.spacing + 3)
    rows = np.arange(window.bottom // layer.spacing - 2, window.top // layer.spacing + 3)
    return columns, rows


def _table(terrain: Terrain, number: int, column: NDArray[np.int64], row: NDArray[np.int64]) -> Patches:
    """The patches of these cells of one layer; `number` -1 are the surfaces."""
    seed = terrain.seed
    name = LAYERS[number].name if number >= 0 else "surface"

    def draw(what: str) -> Array:
        return uniform(seed, f"{name}/{what}", column, row)

    none = np.zeros(column.size)
    if number < 0:
        x, y, kind = none, none, np.array([NUMBER[s] for s in SURFACES])
    elif name == "village":
        x, y, exists = terrain.village(column, row)
        kind = np.where(exists, NUMBER["settlement"], -1)
    else:
        spacing = LAYERS[number].spacing
        x, y = (column + draw("x")) * spacing, (row + draw("y")) * spacing
        if name == "stand":
            kind = _stand_kind(terrain, x, y, draw)
        else:
            kind = _plot_kind(terrain, x, y, draw, DENSEST[name])
    low, high = (LAYERS[number].area_ha if number >= 0 else None) or (1.0, 1.0)
    side = np.sqrt(low * (high / low) ** draw("area") * 1e4)
    stretch = 0.75 + 0.5 * draw("stretch")
    tint = np.stack([normal(seed, f"{name}/tint{k}", column, row) for k in range(4)], axis=1)
    return Patches(
        np.full(column.size, number), column, row, x, y,
        side * stretch / 2, side / stretch / 2, np.pi * draw("turn"), draw("order"),
        kind.astype(np.int64), _in_census(kind, draw("census")),
        draw("vigour"), draw("phase"), draw("pace"), draw("depth"), tint,
    )  # fmt: skip


def _stand_kind(terrain: Terrain, x: Array, y: Array, draw: Draw) -> NDArray[np.int64]:
    wild = fractal(terrain.seed, "clearing", x, y, 2600.0, 3)
    cleared = 1.0 / (1.0 + np.exp(2.6 - 5.0 * terrain.access(x, y) - 0.9 * wild))
    slipped = 0.012 * np.clip((terrain.elevation(x, y) - 900.0) / 900.0, 0.0, 1.0)
    chosen, which = draw("cleared"), draw("which")
    open_land = np.select(
        [which < 0.33, which < 0.42, which < 0.70, which < 0.96],
        [NUMBER["pasture"], NUMBER["grazed_regrowth"], NUMBER["young_regrowth"], NUMBER["old_regrowth"]],
        NUMBER["tilled"],
    )
    land = np.where(chosen < cleared, open_land, NUMBER["forest"])
    return np.where(draw("slide") < slipped, NUMBER["landslide"], land)


def coca_share(terrain: Terrain, x: Array, y: Array) -> Array:
    """Share of worked plots that are coca: by height, by a smooth regional preference, by access."""
    height = terrain.elevation(x, y)
    rise = np.clip((height - COCA_LOW_M) / (COCA_BEST_LOW_M - COCA_LOW_M), 0.0, 1.0)
    fall = np.clip((COCA_HIGH_M - height) / (COCA_HIGH_M - COCA_BEST_HIGH_M), 0.0, 1.0)
    taste = fractal(terrain.seed, "coca", x, y, 5200.0, 2)
    return np.asarray(rise * fall / (1.0 + np.exp(1.2 - 1.9 * taste)))


def _plot_kind(terrain: Terrain, x: Array, y: Array, draw: Draw, densest: float) -> NDArray[np.int64]:
    worked = draw("worked") < densest * terrain.access(x, y)
    worked &= np.abs(terrain.river_offset(x, y)) > 60.0
    which, crop = draw("which"), draw("crop")
    coca = np.select(
        [which < 0.68, which < 0.86], [NUMBER["coca"], NUMBER["shaded_coca"]], NUMBER["abandoned_coca"]
    )
    other = np.select(
        [which < 0.36, which < 0.60, which < 0.80, which < 0.88],
        [NUMBER["annual"], NUMBER["orchard"], NUMBER["cut_shrub"], NUMBER["tilled"]],
        NUMBER["young_regrowth"],
    )
    kind = np.where(crop < coca_share(terrain, x, y), coca, other)
    return np.where(worked, kind, -1)


def _in_census(kind: NDArray[np.int64], draw: Array) -> NDArray[np.bool_]:
    """Was the patch coca in the invented census of the year before? New plots and lost plots make it err."""
    now = (kind == NUMBER["coca"]) | (kind == NUMBER["shaded_coca"])
    lost = kind == NUMBER["abandoned_coca"]
    wrong = (kind == NUMBER["cut_shrub"]) | (kind == NUMBER["tilled"])
    return np.asarray((now & (draw < 0.84)) | (lost & (draw < 0.75)) | (wrong & (draw < 0.06)))


def patches(terrain: Terrain, window: Window) -> tuple[Patches, list[int]]:
    """All patches that can touch `window`, and where each layer begins in the table."""
    row = np.arange(len(SURFACES))
    table, starts = _table(terrain, -1, np.zeros_like(row), row), []
    for number, layer in enumerate(LAYERS):
        starts.append(len(table))
        columns, rows = lattice(window, layer)
        column, row = (a.ravel() for a in np.meshgrid(columns, rows))
        table = table.joined(_table(terrain, number, column, row))
    return table, starts
