"""For notebooks: scenes of an archive, their spectral indices, figures of maps and hectares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cocal.archive import list_scenes, read_scenes
from cocal.contracts import NO_DATA, UNOBSERVED
from cocal.errors import InputError
from cocal.extras import require
from cocal.features.indices import INDICES, compute_index
from cocal.grid import Window
from cocal.run.finished import FinishedRun
from cocal.scheme import ClassScheme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REFLECTANCE = 10_000


def open_scenes(
    archive: str | Path, bands: Sequence[str], *, start: date, end: date, window: Window | None = None
) -> xr.Dataset:
    """Scenes of an archive from `start` to `end`, both included, as scenes/1: (time, y, x) per band,
    reflectance x 10000.

    `window`: the pixels to read; by default those of the first scene.

    Raises
    ------
    InputError
        No scene in those days, or a band is missing in the archive.

    Examples
    --------
    See docs/api.md: `cocal.open_scenes(archive, ["red", "nir", "scl"], start=year.start, end=year.end)`.
    """
    found = [s for s in list_scenes(archive) if start <= s.day <= end]
    if not found:
        raise InputError(f"scenes of {archive}", f"some from {start} to {end}", "none", "choose other days")
    at = window or found[0].window
    return read_scenes([s for s in found if s.window.epsg == at.epsg], at, bands)


def indices(scenes: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Spectral indices of each date, (time, y, x) float32; NaN where a band has no data. Clouds are not
    masked.

    Parameters
    ----------
    scenes : Dataset
        scenes/1 with the bands that the indices need.
    names : sequence of str
        Keys of `cocal.features.INDICES`.

    Raises
    ------
    InputError
        An index is unknown, or a band is missing.

    Examples
    --------
    NDVI of one pixel, (0.36 - 0.04) / (0.36 + 0.04):

    >>> reflectance = {"red": 400, "nir": 3600}
    >>> scenes = xr.Dataset({b: (("time", "y", "x"), [[[v]]]) for b, v in reflectance.items()})
    >>> round(indices(scenes, ["NDVI"])["NDVI"].item(), 3)
    0.8
    """
    unknown = [name for name in names if name not in INDICES]
    needed = {band for name in names if name in INDICES for band in INDICES[name].bands}
    missing = sorted(needed - set(map(str, scenes.data_vars)))
    if unknown or missing:
        raise InputError(
            "indices", "known names, and their bands among the scenes",
            f"unknown {unknown}, bands missing {missing}", "see docs/indices.md",
        )  # fmt: skip
    bands = {
        band: np.where(scenes[band] == NO_DATA, np.nan, scenes[band] / _REFLECTANCE).astype(np.float32)
        for band in needed
    }
    dims = ("time", "y", "x")
    found = {
        n: (dims, compute_index(n, bands), {"long_name": INDICES[n].long_name, "units": "1"}) for n in names
    }
    return xr.Dataset(found, coords=scenes.coords, attrs=dict(scenes.attrs))


def plot_map(classmap: xr.Dataset, scheme: ClassScheme, *, language: str = "en") -> Figure:
    """A figure of classmap/1 in the colours of the scheme, with a legend; simulated maps are marked.

    Raises
    ------
    InputError
        The packages of the extra `report` are not installed.

    Examples
    --------
    See docs/api.md: `cocal.plot_map(classmap, scheme)`.
    """
    require("report", "plot_map")
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from cocal.report.drawing import style
    from cocal.report.map import NOT_OBSERVED_COLOUR

    colours = {0: NOT_OBSERVED_COLOUR} | {c.code: c.colour for c in scheme.classes}
    palette = ListedColormap([colours.get(code, "#ffffff") for code in range(256)])
    names = {c.code: c.name_es if language == "es" else c.name_en for c in scheme.classes}
    present = sorted(set(np.unique(classmap["crop_class"].values).tolist()))
    with style():
        figure = Figure(figsize=(6, 5), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(classmap["crop_class"].values, cmap=palette, vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        if classmap.attrs.get("simulated"):
            axes.set_title("SIMULATED, not an observation", fontsize=9)
        handles = [
            Patch(facecolor=colours[c], label=names.get(c, UNOBSERVED)) for c in present if c in colours
        ]
        figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def plot_hectares(run: FinishedRun) -> Figure:
    """A figure of the target's hectares in the last period: estimates with intervals, and mapped hectares.

    Raises
    ------
    InputError
        The packages of the extra `report` are not installed.

    Examples
    --------
    See docs/api.md: `cocal.plot_hectares(run)`.
    """
    require("report", "plot_hectares")
    from matplotlib.figure import Figure

    from cocal.report.drawing import ESTIMATE, MAPPED, plain, style

    table = run.hectares()
    own = table[table["period"] == table["period"].iloc[-1]].reset_index(drop=True)
    with style():
        figure = Figure(figsize=(7, 1 + 0.35 * len(own)), layout="constrained")
        axes = figure.add_subplot()
        axes.hlines(own.index, own["ci_low_ha"], own["ci_high_ha"], color=ESTIMATE, linewidth=2.4)
        axes.plot(own["estimated_ha"], own.index, "o", color=ESTIMATE, label="estimated, with interval")
        axes.plot(own["mapped_ha"], own.index, "D", color=MAPPED, markerfacecolor="none", label="mapped")
        labels = axes.set_yticks(own.index, [plain(name) for name in own["region_name"]])
        for tick in labels:
            tick.label1.set_parse_math(False)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        mark = " - SIMULATED, not an observation" if run.simulated else ""
        axes.set_title(f"hectares of {run.target}, {own['period'].iloc[0]}{mark}", fontsize=9)
        axes.legend(fontsize=8, frameon=False)
    return figure
