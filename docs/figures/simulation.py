"""Draw the pictures of docs/simulation.md and fill its tables of truth and of the pipeline.

    cocal simulate work/demo && cocal run configs/demo.yaml
    python docs/figures/simulation.py work/demo runs/demo

Run from the repository's root. Every picture says SIMULATED.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import rasterio
from benchmarks.marks import write_between
from matplotlib.axes import Axes
from matplotlib.colors import LightSource, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from cocal.archive import Scene, list_scenes
from cocal.grid import Window
from cocal.scheme import read_scheme
from cocal.simulate import SimulateSettings
from cocal.simulate.land.history import day_number, state
from cocal.simulate.land.kinds import NUMBER
from cocal.simulate.land.patches import Patches, patches
from cocal.simulate.sensor.canopy import BANDS, reflectance

IMAGES, PAGE = Path("docs/images"), Path("docs/simulation.md")
SCHEME = Path("configs/schemes/border-coca.yaml")
EARTH = ListedColormap(mpl.colormaps["gist_earth"](np.linspace(0.32, 1.0, 256)))
CLEAR, CLOUDY, COLOURS = (4, 5, 6, 7, 2), (8, 9, 10), 96


def save(figure: Figure, name: str) -> None:
    """Write a picture with the word SIMULATED on it, in few colours: below 150 kB."""
    figure.text(
        0.5, 0.985, "SIMULATED - not an observation", ha="center", va="top", color="#b00020", weight="bold"
    )
    buffer = BytesIO()
    figure.savefig(buffer, dpi=100)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(IMAGES / f"simulation-{name}.png", optimize=True)


def read(path: Path, every: int = 1) -> NDArray[np.generic]:
    """Every `every`-th pixel of a raster."""
    with rasterio.open(path) as source:
        return source.read(1)[::every, ::every]


def bare(axes: Axes, title: str) -> None:
    """A picture without ticks."""
    axes.set(xticks=[], yticks=[], title=title)


def draw_land(land: Path, window: Window) -> None:
    """Heights, and true classes with districts and zones."""
    figure = Figure(figsize=(9.2, 5.2))
    left, right = figure.subplots(1, 2)
    west, south, east, north = window.bounds
    extent = (west, east, south, north)
    height = read(land / "dem.tif", 4)
    shade = LightSource(45, 40).shade(height, EARTH, vert_exag=0.6, dx=40, dy=40, blend_mode="soft")
    left.imshow(shade, extent=extent)
    bare(left, f"Heights, {height.min():.0f} to {height.max():.0f} m")
    scheme = read_scheme(SCHEME)
    code = read(land / "truth" / "class.tif", 3)
    colours = ["#ffffff", *(c.colour for c in scheme.classes)]
    right.imshow(
        code,
        extent=extent,
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(colours) - 1,
        interpolation="nearest",
    )
    bare(right, "What is so at the end of 2024")
    for axes in (left, right):
        gpd.read_file(land / "regions.gpkg").to_crs(window.epsg).boundary.plot(
            ax=axes, color="black", linewidth=0.7
        )
    left.set(xlabel="", ylabel="")
    zones = gpd.read_file(land / "zones.gpkg").to_crs(window.epsg)
    for kind, style in (("authorised", "-"), ("protected", "--")):
        zones[zones["kind"] == kind].boundary.plot(ax=right, color="#4a148c", linewidth=1.2, linestyle=style)
    right.set(xlabel="", ylabel="")
    marks = [Patch(color=c.colour, label=c.name_en) for c in scheme.classes]
    figure.legend(handles=marks, loc="lower center", ncol=7, frameon=False, fontsize=8)
    figure.subplots_adjust(0.02, 0.1, 0.98, 0.88, wspace=0.04)
    save(figure, "land")


def ndvi(nir: NDArray[np.float64], red: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index of reflectances or of digital numbers without offset."""
    return (nir - red) / (nir + red)


def plot_of(table: Patches, year: int) -> int:
    """A large field of open coca, bearing all through the year, that is stumped in it if there is one."""
    kinds = [state(table, day_number(date(year, m, 28)))[0] for m in range(1, 13)]
    steady = np.all([k == NUMBER["coca"] for k in kinds], axis=0)
    size = np.where(steady, np.minimum(table.half_width, table.half_height), 0.0)
    return int(np.argmax(size))


def draw_year(settings: SimulateSettings, scenes: list[Scene]) -> None:
    """NDVI of one plot every day, of three neighbours, and what the sensor saw of the plot."""
    table, _ = patches(settings.terrain, settings.window)
    which = plot_of(table, settings.year)
    others = [
        k for k in np.argsort(np.hypot(table.x - table.x[which], table.y - table.y[which])) if k != which
    ]
    coca = state(table, day_number(date(settings.year, 7, 1)))[0] == NUMBER["coca"]
    near = [k for k in others if coca[k]][:3]
    days = [date(settings.year, 1, 1) + timedelta(days=k) for k in range(365)]
    red, nir = (list(BANDS).index(name) for name in ("red", "nir"))
    course = np.stack(
        [reflectance(table.take(np.array([which, *near])), day_number(d)) for d in days]
    ).astype(float)
    figure = Figure(figsize=(9.2, 3.9))
    axes = figure.subplots()
    for k, line in enumerate(ndvi(course[..., nir], course[..., red]).T):
        axes.plot(days, line, color="#d95f02" if k == 0 else "#bbbbbb", linewidth=2 if k == 0 else 0.9,
                  label=("one coca plot, every day", "three neighbours")[min(k,
                      1)] if k < 2 else None)  # fmt: skip
    column, row = (
        int((table.x[which] - settings.window.left) // 10),
        int((settings.window.top - table.y[which]) // 10),
    )
    seen = [(s.day, *(int(_pixel(s, n, row, column)) for n in ("nir", "red", "scl"))) for s in scenes]
    for name, codes, colour, mark in (
        ("seen, called clear", CLEAR, "#1b7837", "o"),
        ("seen, called cloud or shadow", (*CLOUDY, 3), "#555555", "x"),
    ):
        part = [(d, ndvi(np.float64(n), np.float64(r))) for d, n, r, code in seen if code in codes and n]
        axes.plot([d for d, _ in part], [v for _, v in part], mark, color=colour, label=name, markersize=5)
    axes.set(ylabel="NDVI", ylim=(-0.05, 1.0), xlim=(days[0], days[-1]))
    axes.legend(loc="lower center", ncol=4, frameon=False, fontsize=8)
    figure.subplots_adjust(0.07, 0.1, 0.99, 0.91)
    save(figure, "year")


def _pixel(scene: Scene, name: str, row: int, column: int) -> int:
    band = scene.bands[name]
    step = band.resolution // 10
    with rasterio.open(band.path) as source:
        return source.read(1, window=((row // step, row // step + 1), (column // step, column // step + 1)))[
            0, 0
        ]


def draw_clouds(scenes: list[Scene]) -> None:
    """A wet and a dry day with their scene classification, and cloud cover through the year."""
    wet = min(
        (s for s in scenes if s.day.month in (11, 12, 3)),
        key=lambda s: abs(s.properties["eo:cloud_cover"] - 55),
    )
    dry = min(
        (s for s in scenes if s.day.month in (6, 7, 8, 9)),
        key=lambda s: abs(s.properties["eo:cloud_cover"] - 22),
    )
    figure = Figure(figsize=(9.2, 3.6))
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    for axes, scene in zip(panels, (wet, dry), strict=False):
        stack = np.stack([read(scene.bands[n].path, 5) for n in ("red", "green", "blue")], axis=-1)
        axes.imshow(np.clip(stack / 2200.0, 0, 1) ** 0.7)
        bare(axes, f"{scene.day.isoformat()}")
    code = read(dry.bands["scl"].path, 2)
    groups = np.select([np.isin(code, CLOUDY), code == 3, code == 0], [1, 2, 3], 0)
    panels[2].imshow(
        groups,
        cmap=ListedColormap(["#a6dba0", "#f5f5f5", "#444444", "#cc99ff"]),
        vmin=0,
        vmax=3,
        interpolation="nearest",
    )
    bare(panels[2], "classified: cloud, shadow")
    cover = pd.DataFrame(
        {"month": [s.day.month for s in scenes], "cover": [s.properties["eo:cloud_cover"] for s in scenes]}
    )
    mean = cover.groupby("month")["cover"].mean()
    panels[3].bar(mean.index, mean.to_numpy(), color="#9ecae1")
    panels[3].plot(cover["month"], cover["cover"], "k.", markersize=3)
    panels[3].set(title="called cloud, % by month", ylim=(0, 100), xticks=[1, 4, 7, 10])
    figure.subplots_adjust(0.01, 0.09, 0.99, 0.84, wspace=0.12)
    save(figure, "clouds")


def truth_text(land: Path) -> str:
    """Truth per region as a table for people."""
    truth, history = pd.read_csv(land / "truth.csv"), pd.read_csv(land / "truth" / "history.csv")
    wide = truth.pivot(index="region_id", columns="class", values="truth_ha")
    cover = truth[truth["class"] == "coca"].set_index("region_id")["cover_ha"]
    years = history.pivot(index="region_id", columns="year", values="coca_ha")
    classes = [c for c in wide.columns if c != "coca"]
    head = [
        "region",
        "coca, ha",
        "share, %",
        "coca ground, ha",
        f"coca {years.columns[0]} to {years.columns[-2]}, ha",
        *classes,
        "owned, ha",
    ]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for region, row in wide.iterrows():
        cells = [str(region), f"{row['coca']:.1f}", f"{100 * row['coca'] / row.sum():.2f}",
            f"{cover[region]:.1f}",
                 ", ".join(f"{v:.0f}" for v in years.loc[region].iloc[:-1]),
                 *(f"{row[c]:.0f}" for c in classes), f"{row.sum():.1f}"]  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def pipeline_text(land: Path, run: Path) -> str:
    """Mapped and estimated hectares of the demo's run beside the truth."""
    found = pd.read_csv(run / "hectares.csv")
    found = found[found["class"] == "coca"].set_index("region_id")
    truth = pd.read_csv(land / "truth.csv")
    coca = truth[truth["class"] == "coca"].set_index("region_id")["truth_ha"]
    rows = [
        "| region | mapped, ha | mapped / true | estimated, ha | 95 % interval, ha | truth, ha | held |",
        "|---|---|---|---|---|---|---|",
    ]
    for region, row in found.iterrows():
        held = row["ci_low_ha"] <= coca[region] <= row["ci_high_ha"]
        rows.append(
            f"| {region} | {row['mapped_ha']:.1f} | {row['mapped_ha'] / coca[region]:.2f} | "
            f"{row['estimated_ha']:.1f} "
            f"| {row['ci_low_ha']:.1f} to {row['ci_high_ha']:.1f} | {coca[region]:.1f} | "
            f"{'yes' if held else 'no'} |"
        )
    return "\n".join(rows)


def main(land: Path, run: Path) -> None:
    """Draw and write everything."""
    settings, scenes = SimulateSettings(), list_scenes(land / "archive")
    draw_land(land, settings.window)
    draw_year(settings, scenes)
    draw_clouds(scenes)
    write_between(PAGE, "truth", truth_text(land))
    write_between(PAGE, "pipeline", pipeline_text(land, run))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
