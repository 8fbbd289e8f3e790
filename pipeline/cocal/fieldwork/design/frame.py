"""Counts of pixels -> the strata of the design: their pixels, and the shares expected there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.design.settings import SmallStrata
from cocal.grid import hectares

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WHOLE = -1


@dataclass(frozen=True)
class Cells:
    """Ground by region and stratum of the rules, both (regions, strata): pixels, area in 1e-6 m2 (exact)."""

    regions: tuple[str, ...]
    strata: tuple[str, ...]
    pixels: Ints
    units: Ints


@dataclass(frozen=True)
class Frame:
    """The design's strata, H of them.

    `stratum_of` (regions, strata) is the stratum of each cell, -1 where the cell has no pixel. `region`
    (H,) is the stratum's region, -1 = all. `share` (regions, strata) is the expected share of the target
    class in the area of each cell. `known`: the estimator will use the hectares of every stratum in each
    region, so that a stratum without ground in a region does not widen its interval.
    """

    cells: Cells
    stratum_of: Ints
    names: tuple[str, ...]
    region: Ints
    share: Floats
    known: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the strata in messages: `coca`, or `coca in R1` where crossed with regions."""
        ids = self.cells.regions
        return tuple(
            f"{name} in {ids[r]}" if r >= 0 else name for name, r in zip(self.names, self.region, strict=True)
        )

    @property
    def codes(self) -> Ints:
        """(H,) code of the stratum's name on the raster of the strata: 1 for the first, ..."""
        return np.array([self.cells.strata.index(name) + 1 for name in self.names])

    @property
    def pixels(self) -> Ints:
        """(H,) pixels, N_h."""
        return self._sum(self.cells.pixels)

    @property
    def units(self) -> Ints:
        """(H,) area in 1e-6 m2, exact."""
        return self._sum(self.cells.units)

    @property
    def area_ha(self) -> Floats:
        """(H,) area, ha."""
        return np.array([hectares(int(u)) for u in self.units])

    def domain(self, region: int = WHOLE) -> tuple[Ints, Floats]:
        """Return the strata that may hold ground of the region, and the share of its target class in each.

        Where the areas are not `known`, strata that are not crossed with regions all count: an interval
        allows for ground of each of them there.
        """
        inside = np.isin(self.region, (WHOLE, region)) if region != WHOLE else np.ones(len(self.names), bool)
        if self.known and region != WHOLE:
            inside &= self.part(region) > 0
        mine = np.zeros_like(self.share)
        rows = slice(None) if region == WHOLE else region
        mine[rows] = (self.share * self.cells.units)[rows]
        there = self.stratum_of >= 0
        target = np.bincount(self.stratum_of[there], mine[there], minlength=len(self.names))
        strata = np.flatnonzero(inside)
        return strata, np.clip(target[strata] / self.units[strata], 0, 1)

    def area_of(self, region: int) -> float:
        """Return the frame's area in the region, ha."""
        rows = slice(None) if region == WHOLE else region
        return hectares(int(self.cells.units[rows][self.stratum_of[rows] >= 0].sum()))

    def part(self, region: int) -> Floats:
        """Return (H,) the share of each stratum's pixels that lie in the region."""
        there = self.stratum_of[region] >= 0
        pixels = self.cells.pixels[region][there]
        return np.bincount(self.stratum_of[region][there], pixels, minlength=len(self.names)) / self.pixels

    def _sum(self, values: Ints) -> Ints:
        out = np.zeros(len(self.names), dtype=np.int64)
        there = self.stratum_of >= 0
        np.add.at(out, self.stratum_of[there], values[there])
        return out


def build_frame(
    cells: Cells,
    *,
    by_region: bool,
    small: SmallStrata | None,
    share: Floats,
    known: bool = False,
    empty: bool = False,
) -> Frame:
    """Return the frame of `cells`; a stratum without a pixel in a region is no stratum there.

    Where `empty`, a rule without a pixel makes no stratum.

    Raises
    ------
    InputError
        A rule without a pixel, or a stratum of one pixel: both by name, all at once.
    """
    n_regions, n_strata = cells.pixels.shape
    column = np.tile(np.arange(n_strata), (n_regions, 1))
    if small is not None:
        column[cells.pixels < small.below_pixels] = cells.strata.index(small.into)
    key = column + np.arange(n_regions)[:, None] * n_strata if by_region else column
    key = np.where(cells.pixels > 0, key, -1)
    kept = np.unique(key[key >= 0])
    stratum_of = np.where(key >= 0, np.searchsorted(kept, key), -1)
    frame = Frame(
        cells,
        stratum_of,
        tuple(cells.strata[k] for k in kept % n_strata),
        kept // n_strata if by_region else np.full(len(kept), WHOLE),
        share,
        known,
    )
    _check(frame, may_be_empty=empty)
    return frame


def _check(frame: Frame, *, may_be_empty: bool) -> None:
    pixels = frame.cells.pixels.sum(axis=0)
    empty = [n for n, k in zip(frame.cells.strata, pixels, strict=True) if k == 0 and not may_be_empty]
    single = [label for label, k in zip(frame.labels, frame.pixels, strict=True) if k < 2]
    problems = [f"no pixel in stratum {listed(empty, repr)}"] if empty else []
    if single:
        problems.append(f"one pixel only in stratum {listed(single, repr)}: it has no variance")
    if problems:
        raise InputError(
            "these strata cannot be sampled",
            "two pixels or more in each, in the regions and in the frame",
            "; ".join(problems),
            "correct the rules of `design.strata`, or join small parts to another stratum by `design.small`",
        )


def strata_table(frame: Frame, n: Ints, exact_ha: Sequence[str], visits: Ints | None = None) -> pd.DataFrame:
    """Return a row per stratum as `cocal estimate` and `records: strata:` read them, with the design.

    stratum [, region_id, region], code, pixels, area_ha, points, inclusion_probability, expected_share; of
    two phases also the visits (H, 2): visits_read_target, visits_read_other.
    """
    table = pd.DataFrame({"stratum": frame.names})
    if (frame.region >= 0).any():
        ids = [frame.cells.regions[r] for r in frame.region]
        table = table.assign(region_id=ids, region=ids)
    share = np.empty(len(frame.names))
    strata, values = frame.domain()
    share[strata] = values
    table = table.assign(
        code=frame.codes,
        pixels=frame.pixels,
        area_ha=list(exact_ha),
        points=n,
        inclusion_probability=n / frame.pixels,
        expected_share=share,
    )
    if visits is None:
        return table
    return table.assign(visits_read_target=visits[:, 0], visits_read_other=visits[:, 1])
