"""Make the table of canopy reflectances that `cocal.simulate` reads: PROSAIL over a grid of leaf area.

    pip install "prosail>=2.0.5"        # not needed by cocal itself
    python docs/figures/canopies.py     # writes pipeline/cocal/simulate/sensor/canopies.csv

PROSPECT-D (Feret et al. 2017, doi:10.1016/j.rse.2017.03.004) for the leaf, 4SAIL (Verhoef et al. 2007,
doi:10.1109/TGRS.2006.888100) for the canopy, averaged over the ten land bands of Sentinel-2A with Gaussian
responses of the centres and widths that ESA publishes. Leaf parameters are assumptions within the ranges of
the LOPEX93 and ANGERS leaf collections (chlorophyll 0 to 107 ug/cm2, water 0.0044 to 0.0439 cm, dry matter
0.0017 to 0.0157 g/cm2). Bare soil is the mean of the model's dry and wet soil; litter is interpolated from
the reference polygons of the sample scene of RStoolbox (Para, Brazil).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import prosail
from numpy.typing import NDArray

OUT = Path(__file__).parents[2] / "pipeline" / "cocal" / "simulate" / "sensor" / "canopies.csv"

CENTRE_NM = (492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4)
WIDTH_NM = (66, 36, 31, 15, 15, 20, 106, 21, 91, 175)
BANDS = ["blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "swir16", "swir22"]
LEAF_AREA = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SUN_ZENITH, HOT_SPOT = 32.0, 0.1
LITTER = (0.0357, 0.0614, 0.0993, 0.1459, 0.1739, 0.1975, 0.2011, 0.2154, 0.2412, 0.1258)

# structure, chlorophyll ug/cm2, carotenoids, brown, water cm, dry matter g/cm2, mean leaf angle deg,
# background
LEAVES = {
    "lowland_forest": (1.85, 52, 11, 0.02, 0.0150, 0.0105, 48, "litter"),
    "montane_forest": (2.00, 56, 12, 0.05, 0.0165, 0.0125, 52, "litter"),
    "secondary": (1.65, 46, 10, 0.02, 0.0125, 0.0070, 42, "litter"),
    "fern": (1.50, 40, 9, 0.08, 0.0105, 0.0055, 45, "litter"),
    "pasture": (1.50, 33, 8, 0.15, 0.0095, 0.0055, 60, "litter"),
    "puna": (1.60, 18, 7, 0.70, 0.0055, 0.0075, 65, "soil"),
    "coca": (1.56, 39, 9, 0.02, 0.0096, 0.0066, 45, "soil"),
    "stevia": (1.52, 38, 9, 0.03, 0.0105, 0.0058, 47, "soil"),
    "tea": (1.70, 53, 11, 0.02, 0.0118, 0.0085, 47, "soil"),
    "coffee": (1.68, 56, 11, 0.02, 0.0122, 0.0078, 40, "litter"),
    "citrus": (1.80, 58, 11, 0.02, 0.0140, 0.0100, 46, "litter"),
    "banana": (1.55, 47, 10, 0.03, 0.0190, 0.0062, 40, "litter"),
    "cassava": (1.50, 45, 10, 0.03, 0.0112, 0.0050, 38, "soil"),
    "maize": (1.48, 44, 10, 0.05, 0.0118, 0.0048, 58, "soil"),
    "pineapple": (2.10, 38, 9, 0.10, 0.0380, 0.0150, 62, "soil"),
}  # fmt: skip


def band_means(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of a spectrum of 400 to 2500 nm over the ten bands."""
    nm = np.arange(400, 2501)
    means = []
    for centre, width in zip(CENTRE_NM, WIDTH_NM, strict=True):
        weight = np.exp(-4 * np.log(2) * ((nm - centre) / width) ** 2)
        means.append(float((weight * spectrum).sum() / weight.sum()))
    return np.array(means)


def background(name: str) -> NDArray[np.float64]:
    """Reflectance of the ground, 400 to 2500 nm."""
    if name == "litter":
        return np.interp(np.arange(400, 2501), CENTRE_NM, LITTER)
    soil = prosail.spectral_lib.soil
    return 0.5 * (soil.rsoil1 + soil.rsoil2)


def main() -> None:
    """Write the table."""
    rows = []
    for leaf, (n, cab, car, brown, water, dry, angle, ground) in LEAVES.items():
        for area in LEAF_AREA:
            spectrum = background(ground) if area == 0 else prosail.run_prosail(
                n, cab, car, brown, water, dry, area, angle, HOT_SPOT, SUN_ZENITH, 0.0, 0.0,
                ant=1.0, prospect_version="D", typelidf=2, rsoil0=background(ground),
            )  # fmt: skip
            rows.append([leaf, area, *np.round(band_means(spectrum), 4)])
    pd.DataFrame(rows, columns=["leaf", "leaf_area", *BANDS]).to_csv(OUT, index=False)


if __name__ == "__main__":
    main()
