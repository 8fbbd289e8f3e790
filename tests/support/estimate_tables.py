"""Sample and strata tables that several tests use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

OLOFSSON = ("deforestation", "gain", "forest", "nonforest")
OLOFSSON_COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
OLOFSSON_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
PIXEL_HA = 0.09


def sample_of(classes: Sequence[str], counts: np.ndarray) -> pd.DataFrame:
    """One row per point of an error matrix (rows map, columns reference) with map classes as strata."""
    rows = [
        (classes[i], classes[i], classes[j])
        for i in range(len(classes))
        for j in range(len(classes))
        for _ in range(int(counts[i, j]))
    ]
    return pd.DataFrame(rows, columns=["stratum", "map_class", "reference_class"])


def strata_of(names: Sequence[str], area_ha: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"stratum": list(names), "area_ha": np.asarray(area_ha, dtype=float)})


def olofsson() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Olofsson et al. 2014, Tables 8 and 9."""
    return sample_of(OLOFSSON, OLOFSSON_COUNTS), strata_of(OLOFSSON, OLOFSSON_PIXELS * PIXEL_HA)


def stehman() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stehman 2014, Table 2: units written stratum-map-reference, in units of one pixel = 1 ha."""
    units = [
        "AAA",
        "AAA",
        "AAA",
        "AAA",
        "AAA",
        "AAC",
        "AAB",
        "ABA",
        "ABB",
        "ABC",
        "BAA",
        "BBB",
        "BBB",
        "BBB",
        "BBB",
        "BBB",
        "BBA",
        "BBA",
        "BBB",
        "BBB",
        "CBC",
        "CBC",
        "CCC",
        "CCC",
        "CCC",
        "CCD",
        "CCD",
        "CCB",
        "CBB",
        "CBA",
        "DDD",
        "DDD",
        "DDD",
        "DDD",
        "DDD",
        "DDD",
        "DDD",
        "DDC",
        "DDC",
        "DDB",
    ]
    sample = pd.DataFrame([tuple(u) for u in units], columns=["stratum", "map_class", "reference_class"])
    return sample, strata_of("ABCD", [40_000, 30_000, 20_000, 10_000])


def random_design(seed: int, *, n_strata: int = 3, regions: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified sample with classes and regions at random; every stratum has two points or more.

    Map and reference agree at the first point: without a class in common they are two schemes, and refused.
    """
    rng = np.random.default_rng(seed)
    names = [f"s{h}" for h in range(n_strata)]
    sizes = rng.integers(2, 40, n_strata)
    n = int(sizes.sum())
    classes = np.array(["coca", "forest", "pasture"])
    mapped = rng.choice(classes, n)
    right = rng.random(n) < 0.6
    right[0] = True
    sample = pd.DataFrame(
        {
            "stratum": np.repeat(names, sizes),
            "map_class": mapped,
            "reference_class": np.where(right, mapped, rng.choice(classes, n)),
            "region": rng.choice([f"R{r}" for r in range(regions)], n),
        }
    )
    return sample, strata_of(names, rng.uniform(10, 10_000, n_strata))
