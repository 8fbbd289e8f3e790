"""Draw docs/images/slivers.png: who owns the ground where two boundary files do not meet.

Run from the repository's root; needs the boundary files, COCAL_TEST_DATA (default ../shared/data).
With --table, prints how much ground each sliver distance gives away along the border.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from cocal.grid import Window, cell_area_units, hectares, project, tiles
from cocal.regions import Regions, RegionSettings, RegionSource, owned, owners, read_regions, slivers

DATA = Path(os.environ.get("COCAL_TEST_DATA", "../shared/data")) / "boundaries"
IMAGE = Path("docs/images/slivers.png")
SLIVER_M = 1000
ZOOM = Window(32719, 492_460, 8_407_180, 600, 480, 10)
"""6.0 km x 4.8 km where Apolo (Bolivia) meets Yanahuaya (Peru)."""

BOLIVIA = RegionSource(
    path=DATA / "bolivia_municipios_2024.geojson",
    id=("idep", "iprov", "imun"),
    name="nombre_mun",
    country_code="BO",
    id_prefix="BO-",
    where={"nombre_dep": ("La Paz",), "nombre_prov": ("Franz Tamayo", "Abel Iturralde", "Bautista Saavedra")},
)
PERU = RegionSource(
    path=DATA / "peru_distritos_1891.gpkg",
    id=("COD_DISTRITO",),
    name="DISTRITO",
    country_code="PE",
    id_prefix="PE-",
    where={"PROVINCIA": ("Sandia", "Carabaya", "San Antonio de Putina", "Tambopata")},
)
COLOURS = {"BO": "#1b7f5c", "PE": "#c2571a"}
PALE = {"BO": "#d5ebe2", "PE": "#f8e0cf"}
OUTSIDE = "#ffffff"
NOBODY = "#bdbdbd"


def border(sliver_m: float, *sources: RegionSource) -> Regions:
    """The regions of both sides, the first source with priority."""
    return read_regions(RegionSettings(sources=sources, sliver_m=sliver_m))


def countries(regions: Regions, owner: NDArray[np.int32]) -> NDArray[np.str_]:
    """(y, x) country of the owner, "" outside."""
    return np.append(regions.table["country"].to_numpy(dtype=str), "")[owner]


def pictures() -> tuple[NDArray[Any], NDArray[Any], dict[str, float]]:
    """RGB of the ground as given and as owned, and the hectares of each kind in the zoom."""
    regions = border(SLIVER_M, BOLIVIA, PERU)
    owner = countries(regions, owners(regions, ZOOM))
    given = slivers(regions, ZOOM)
    other = border(0, PERU, BOLIVIA)
    if_peru_first = countries(other, owners(other, ZOOM))
    overlap = ~given & (owner != if_peru_first)
    gap = given | (owner == "")
    before, after = np.ones((2, *ZOOM.shape, 3))
    for country in ("BO", "PE"):
        here = owner == country
        before[here] = after[here] = to_rgb(PALE[country])
        after[here & (given | overlap)] = to_rgb(COLOURS[country])
    before[overlap] = to_rgb("#8c6bb1")
    before[gap] = to_rgb("#f2c83c")
    after[owner == ""] = to_rgb(NOBODY)
    area = cell_area_units(ZOOM)
    kinds = {
        "overlap": overlap,
        "gap": gap,
        "BO": given & (owner == "BO"),
        "PE": given & (owner == "PE"),
        "left": owner == "",
    }
    return before, after, {k: hectares(int(area[m].sum())) for k, m in kinds.items()}


def outlines(ax: Any) -> None:
    """Both boundary lines as the files give them."""
    regions = border(0, BOLIVIA, PERU)
    frame = shapely.box(*ZOOM.expanded(5).bounds)
    for country, style in (("BO", "-"), ("PE", (0, (4, 2)))):
        mine = regions.raw_geometries[regions.table["country"] == country]
        outer = project(shapely.union_all(mine), 4326, ZOOM.epsg, densify=0.001).boundary
        for line in shapely.get_parts(shapely.intersection(outer, frame)):
            ax.plot(*line.xy, color=COLOURS[country], lw=1.6, ls=style)


def panel(ax: Any, image: NDArray[Any], title: str) -> None:
    """One picture of the zoom with both boundaries, names and a scale bar."""
    west, south, east, north = ZOOM.bounds
    ax.imshow(image, extent=(west, east, south, north), interpolation="nearest")
    outlines(ax)
    ax.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[])
    ax.set_title(title, fontsize=11, loc="left", fontweight="bold")
    ax.add_patch(Rectangle((east - 1300, south + 200), 1000, 60, color="black", zorder=5))
    ax.text(east - 800, south + 300, "1 km", ha="center", va="bottom", fontsize=9, zorder=5)
    for x, y, name, country in (
        (0.85, 0.5, "Apolo\n(Bolivia)", "BO"),
        (0.2, 0.75, "Yanahuaya\n(Peru)", "PE"),
    ):
        ax.text(x, y, name, transform=ax.transAxes, color=COLOURS[country], ha="center", va="center",
                fontsize=10, fontweight="bold")  # fmt: skip


def place() -> str:
    """The middle of the zoom in degrees."""
    centre = project(shapely.box(*ZOOM.bounds).centroid, ZOOM.epsg, 4326)
    return f"{-centre.y:.2f}° S, {-centre.x:.2f}° W"


def draw() -> None:
    """Write the picture."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    before, after, ha = pictures()
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6.6))
    panel(left, before, "As the two files give it")
    panel(right, after, "As cocal gives it away: each pixel to one region")
    left.legend(
        handles=[
            Patch(color="#8c6bb1", label=f"overlap: in both, {ha['overlap']:.0f} ha"),
            Patch(color="#f2c83c", label=f"gap: in neither, {ha['gap']:.0f} ha"),
            plt.Line2D([], [], color=COLOURS["BO"], label="boundary in the Bolivian file"),
            plt.Line2D([], [], color=COLOURS["PE"], ls=(0, (4, 2)), label="boundary in the Peruvian file"),
        ],
        loc="upper center", bbox_to_anchor=(0.5, -0.02), ncol=2, frameon=False, fontsize=9,
    )  # fmt: skip
    right.legend(
        handles=[
            Patch(color=COLOURS["BO"],
                  label=f"to Bolivia: overlap {ha['overlap']:.0f}, gap {ha['BO']:.0f} ha"),
            Patch(color=COLOURS["PE"], label=f"to Peru: gap {ha['PE']:.0f} ha"),
            Patch(color=NOBODY, label=f"outside: wider than {SLIVER_M:,} m, {ha['left']:.0f} ha"),
        ],
        loc="upper center", bbox_to_anchor=(0.5, -0.02), ncol=2, frameon=False, fontsize=9,
    )  # fmt: skip
    figure.suptitle(
        "Overlap goes to the first file in the stated order, a narrow gap to the nearest region",
        fontsize=13,
        y=0.98,
    )
    figure.text(
        0.5, 0.015,
        f"{place()}; pixels of 10 m, UTM 19S. Boundaries: municipalities of Bolivia 2024, CC BY 4.0; "
        "districts of Peru, mapsPERU, GPL-3. Drawn by docs/figures/slivers.py.",
        ha="center", fontsize=8, color="#444444",
    )  # fmt: skip
    figure.subplots_adjust(left=0.02, right=0.98, top=0.88, bottom=0.17, wspace=0.04)
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGE, dpi=110, metadata={"Software": None})
    sys.stdout.write(f"{IMAGE} { ({k: round(v, 1) for k, v in ha.items()}) }\n")


def table() -> None:
    """Print hectares given to each country for a range of sliver distances."""
    both = [border(0, source).area.buffer(0.035) for source in (BOLIVIA, PERU)]
    along = tiles(shapely.intersection(*both), 1536)
    for sliver_m in (100, 200, 500, 800, 1000, 1500, 2000, 3500):
        regions = border(sliver_m, BOLIVIA, PERU)
        units = dict.fromkeys(COLOURS, 0)
        for tile in along:
            given = slivers(regions, tile.window)
            if given.any():
                owner = countries(regions, np.where(given, owned(regions, tile.window), -1))
                for country in units:
                    units[country] += int(cell_area_units(tile.window)[owner == country].sum())
        sys.stdout.write(f"{sliver_m} { ({k: round(hectares(v), 1) for k, v in units.items()}) }\n")


if __name__ == "__main__":
    table() if "--table" in sys.argv else draw()
