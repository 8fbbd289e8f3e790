"""Strata: names, sizes, number of points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError

SIZE_TOLERANCE = 1e-3
"""Relative difference allowed between two statements of one size (`area_ha` and pixels, `weight`)."""

EARTH_HA = 5.11e10
"""More than the surface of the Earth, ha (510,065,622 km2): no stratum and no official figure is larger."""


@dataclass(frozen=True)
class Strata:
    """The strata of a design, in the order of their table; all arrays have length H.

    `region_names` is "" for a stratum that is not bound to one region; `region` is the code of that
    region among the domains, -1 where there is none. `pixels` is NaN where no pixel count was given:
    then there is no finite-population correction. `post` marks groups of known size within one simple
    random sample, whose numbers of points are random.
    """

    names: tuple[str, ...]
    region_names: tuple[str, ...]
    area_ha: NDArray[np.float64]
    pixels: NDArray[np.float64]
    n: NDArray[np.int64]
    region: NDArray[np.int64]
    post: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each stratum for people: `forest`, or `forest@R1` where crossed with regions."""
        pairs = zip(self.names, self.region_names, strict=True)
        return tuple(f"{name}@{region}" if region else name for name, region in pairs)

    @property
    def weight_ha(self) -> NDArray[np.float64]:
        """Hectares that one point of each stratum stands for: A_h / n_h."""
        return np.asarray(self.area_ha / self.n)

    @property
    def unsampled(self) -> NDArray[np.float64]:
        """The finite-population correction 1 - n_h/N_h, 1 where the pixel count is not given."""
        n, pixels = (self.n.sum(), self.pixels.sum()) if self.post else (self.n, self.pixels)
        return np.where(np.isnan(self.pixels), 1.0, 1.0 - n / pixels)

    @property
    def variance_factor(self) -> NDArray[np.float64]:
        """c_h of V = sum c_h s2_h.

        Strata: A_h^2 (1 - n_h/N_h) / n_h (Cochran 1977, ch. 5; Stehman 2014). Post-strata, with
        W_h = A_h/A: A^2 [(1 - n/N) W_h/n + (1 - W_h)/n^2] (Cochran 1977, eq. 5A.42).
        """
        if not self.post:
            return np.asarray(self.area_ha**2 * self.unsampled / self.n)
        n, area = self.n.sum(), self.total_ha
        return np.asarray(self.unsampled * area * self.area_ha / n + area * (area - self.area_ha) / n**2)

    @property
    def total_ha(self) -> float:
        """Area of the whole frame."""
        return float(self.area_ha.sum())

    def with_points(self, stratum: NDArray[np.int64]) -> Strata:
        """These strata with the number of points counted from each point's stratum index."""
        return replace(self, n=np.bincount(stratum, minlength=len(self.names)).astype(np.int64))

    def with_regions(self, regions: Sequence[str]) -> Strata:
        """These strata with their regions coded by the order of `regions`."""
        codes = {name: index for index, name in enumerate(regions)}
        return replace(self, region=np.array([codes.get(r, -1) for r in self.region_names], dtype=np.int64))

    def pooled(self) -> Strata:
        """One stratum that holds them all: the frame of a simple random sample."""
        return Strata(
            ("all",),
            ("",),
            np.array([self.area_ha.sum()]),
            np.array([self.pixels.sum()]),
            np.array([self.n.sum()]),
            np.array([-1]),
        )

    def check_points(self) -> None:
        """Raise InputError naming each stratum with no point, one point, or more points than pixels."""
        problems = []
        for few, words in ((0, "no sample point"), (1, "a single sample point")):
            found = [self.labels[i] for i in np.flatnonzero(self.n == few)]
            if found:
                problems.append(f"{words} in {_listed(found)}")
        crowded = [self.labels[i] for i in np.flatnonzero(self.n > self.pixels)]
        if crowded:
            problems.append(f"weights do not match: more points than pixels in {_listed(crowded)}")
        if problems:
            raise InputError(
                "strata that no estimate can be made from",
                "two points or more in every stratum",
                "; ".join(problems),
                "sample these strata, or name what to merge: `collapse: [A+B]` (--collapse A+B); "
                "nothing is merged or set to zero silently",
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"stratum {name!r}" for name in names[:10]) + more


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)


def strata_from_table(table: pd.DataFrame) -> Strata:
    """`Strata` of a strata table, without points yet; InputError lists every unusable row."""
    pixels, pixel_m2 = _numbers(table, "pixels"), _numbers(table, "pixel_area_m2")
    counted = pixels * pixel_m2 / 10_000
    area = _numbers(table, "area_ha") if "area_ha" in table.columns else counted
    names = tuple(table["stratum"].astype(str))
    crossed = "region" in table.columns
    regions = tuple(table["region"].astype(str)) if crossed else ("",) * len(names)
    strata = Strata(names, regions, area, pixels, np.zeros(len(names), np.int64), np.full(len(names), -1))
    labels = strata.labels
    problems = [f"stratum {labels[i]!r} has no positive area" for i in np.flatnonzero(~(area > 0))]
    vast = np.flatnonzero(area > EARTH_HA)
    problems += [f"stratum {labels[i]!r} is larger than the Earth, {area[i]:g} ha" for i in vast]
    problems += [f"stratum {label!r} has two rows" for label, k in Counter(labels).items() if k > 1]
    if table["stratum"].isna().any() or (crossed and table["region"].isna().any()):
        problems.append("rows without a stratum or region")
    apart = np.abs(counted - area) > SIZE_TOLERANCE * area
    problems += [f"area_ha and pixels of {labels[i]!r} contradict each other" for i in np.flatnonzero(apart)]
    weight = _numbers(table, "weight")
    with np.errstate(invalid="ignore", over="ignore"):  # areas of inf are a problem by now
        off = np.abs(weight / weight.sum() - area / area.sum()) > SIZE_TOLERANCE * area / area.sum()
    problems += [
        f"weights do not match: weight of {labels[i]!r} is not its share" for i in np.flatnonzero(off)
    ]
    if problems:
        raise InputError(
            "the strata table cannot be used",
            "one row per stratum with its true area, above zero",
            "; ".join(problems[:10]),
            "fix these rows; areas are those of the frame that was sampled",
        )
    return strata
