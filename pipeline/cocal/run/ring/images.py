"""A place as a picture for a ring test: composites of the parts of a period, in colours that all share.

The picture holds no place: no coordinates, no north (it is turned and mirrored by chance), no day, and fixed
colours, so that pictures differ by their pixels only. Every file has the same number of bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cocal.archive import Scene, read_scenes, scenes_within
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings, bands_needed, composite, halo_px
from cocal.grid import Window
from cocal.run.images import COMBINATIONS, MASK, Shown, common_bands, marked

_GAP_PX = 2


@dataclass(frozen=True)
class View:
    """What pictures show: scenes, parts of the period, combinations of bands, their side in pixels."""

    scenes: tuple[Scene, ...]
    parts: tuple[tuple[date, date], ...]
    combinations: tuple[tuple[str, ...], ...]
    side_px: int

    @property
    def settings(self) -> FeatureSettings:
        bands = sorted({band for bands in self.combinations for band in bands})
        return FeatureSettings.model_validate(
            {
                "mask": MASK, "windows": "season", "composite": "median",
                "features": [f"{band}.median" for band in bands], "fill": {"*": "none"},
            }
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of every picture, pixels."""
        rows, columns = len(self.combinations), len(self.parts)
        side = self.side_px + _GAP_PX
        return rows * side - _GAP_PX, columns * side - _GAP_PX


def view_of(scenes: Sequence[Scene], period: Period, parts: int, side_px: int) -> View:
    """The view of a period, cut into `parts` of equal length.

    Raises
    ------
    InputError
        The archive has no scenes of the period, or not the bands for a picture.
    """
    own = tuple(s for s in scenes if period.start <= s.day <= period.end)
    bands = common_bands(own)
    known = COMBINATIONS.values()
    shown = tuple(c for c in known if {*c, "scl"} <= bands)[:2]
    if not shown:
        raise InputError(
            f"no pictures of {period.name} can be made", "scenes with the bands " + " or ".join(
                ", ".join(c) for c in known) + ", and scl",
            f"{len(own)} scenes; bands of all of them: {', '.join(sorted(bands)) or 'none'}",
            "import these bands, or choose a period with images",
        )  # fmt: skip
    days = (period.end - period.start).days + 1
    edges = [period.start + timedelta(days=days * i // parts) for i in range(parts + 1)]
    spans = tuple((a, b - timedelta(days=1)) for a, b in pairwise(edges))
    return View(own, spans, shown, side_px)


def picture(view: View, epsg: int, x: float, y: float, *, turn: int) -> NDArray[np.uint8] | None:
    """(y, x, 3) the picture around a pixel's centre; None where a pixel of it was never clear.

    `turn`: 0 to 7, one of the turned and mirrored forms; the marked pixel stays in the middle.
    """
    half = view.side_px // 2
    pixel = Window(epsg, round(x - 5), round(y + 5), 1, 1)
    settings, around = view.settings, pixel.expanded(half)
    halo = halo_px(settings)
    outer = around.expanded(halo)
    cut = slice(halo, halo + view.side_px)
    rows: list[list[NDArray[np.uint8]]] = [[] for _ in view.combinations]
    for start, end in view.parts:
        scenes = scenes_within(view.scenes, outer, start, end)
        if not scenes:
            return None
        bands = composite(read_scenes(scenes, outer, bands_needed(settings), around), settings).bands
        for row, names in zip(rows, view.combinations, strict=True):
            shown = {name: bands[name][cut, cut] for name in names}
            if any(np.isnan(band).any() for band in shown.values()):
                return None
            row.append(marked(_turned(Shown("-".join(names), names).colours(shown), turn)))
    return _joined([_joined(row, axis=1) for row in rows], axis=0)


def _turned(panel: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    turned = np.rot90(panel, turn % 4)
    return turned[:, ::-1] if turn >= 4 else turned


def _joined(parts: Sequence[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Panels side by side, or one over the other, with a white gap."""
    shape = list(parts[0].shape)
    shape[axis] = _GAP_PX
    gap = np.full(shape, 255, dtype=np.uint8)
    found = [parts[0]]
    for part in parts[1:]:
        found += [gap, part]
    return np.concatenate(found, axis=axis)
