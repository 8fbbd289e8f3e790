"""Vegetation, moisture, water and soil indices under their Awesome Spectral Indices names.

Each row of the table is name, long name, bands, formula, source, function. Bands are surface reflectances
(0 to 1) by their STAC common names. Where the catalogue leaves a constant free, the formula has that of the
source: EVI 2.5, 6, 7.5, 1 (Huete 1997), SAVI L = 0.5 (Huete 1988), WDRVI alpha = 0.1 (Gitelson 2004), NDPI
alpha = 0.74 (Wang 2017). `BSI` is the name most authors give to the index that the catalogue calls `BI`; both
names are offered. ARVI is left out: the catalogue subtracts gamma (red - blue) where Kaufman and Tanre 1992
(doi:10.1109/36.134076) subtract gamma (blue - red), so the name would be ambiguous.

Catalogue: Montero et al. 2023, A standardized catalogue of spectral indices, doi:10.1038/s41597-023-02096-0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Index:
    """One spectral index: `function` takes its `bands` in that order and is elementwise."""

    name: str
    long_name: str
    bands: tuple[str, ...]
    formula: str
    source: str
    function: Callable[..., Array]


def compute_index(name: str, bands: Mapping[str, Array]) -> Array:
    """The index `name`, dimensionless (S2REP: nm), in the dtype and shape of its bands.

    Parameters
    ----------
    name
        A key of `INDICES`.
    bands
        Reflectance (0 to 1) by STAC common name; NaN = missing.

    Returns
    -------
    NaN where a band is missing or the formula has no finite value (a denominator of zero); never infinite.
    """
    index = INDICES[name]
    with np.errstate(all="ignore"):
        values = index.function(*(bands[band] for band in index.bands))
        values += values * 0.0  # infinity times zero is NaN; finite values stay
        values += 0.0  # -0.0 becomes 0.0, so that equal values have equal bytes
    return values


def _ratio(a: Array, b: Array) -> Array:
    """The normalised difference (a - b) / (a + b)."""
    return np.asarray((a - b) / (a + b))


def _difference(name: str, long_name: str, a: str, b: str, source: str) -> Index:
    """The index that is the normalised difference of two bands."""
    return Index(name, long_name, (a, b), f"({a} - {b}) / ({a} + {b})", source, _ratio)


# fmt: off
_BARE_SOIL = (
    ("swir16", "red", "nir", "blue"), "((swir16 + red) - (nir + blue)) / ((swir16 + red) + (nir + blue))",
    "http://citeseerx.ist.psu.edu/viewdoc/download?doi=10.1.1.465.8749&rep=rep1&type=pdf",
    lambda swir16, red, nir, blue: _ratio(swir16 + red, nir + blue),
)
_TABLE = (
    # Greenness: near infrared against the visible bands
    _difference("NDVI", "Normalized Difference Vegetation Index", "nir", "red",
                "Rouse et al. 1974, https://ntrs.nasa.gov/citations/19740022614"),
    _difference("GNDVI", "Green Normalized Difference Vegetation Index", "nir", "green",
                "Gitelson et al. 1996, doi:10.1016/S0034-4257(96)00072-7"),
    _difference("BNDVI", "Blue Normalized Difference Vegetation Index", "nir", "blue",
                "Wang et al. 2007, doi:10.1016/S1672-6308(07)60027-4"),
    Index("GBNDVI", "Green-Blue Normalized Difference Vegetation Index", ("nir", "green", "blue"),
          "(nir - (green + blue)) / (nir + (green + blue))",
          "Wang et al. 2007, doi:10.1016/S1672-6308(07)60027-4",
          lambda nir, green, blue: _ratio(nir, green + blue)),
    Index("EVI", "Enhanced Vegetation Index", ("nir", "red", "blue"),
          "2.5 * (nir - red) / (nir + 6.0 * red - 7.5 * blue + 1.0)",
          "Huete et al. 1997, doi:10.1016/S0034-4257(96)00112-5",
          lambda nir, red, blue: 2.5 * (nir - red) / (nir + 6.0 * red - 7.5 * blue + 1.0)),
    Index("EVI2", "Two-Band Enhanced Vegetation Index", ("nir", "red"),
          "2.5 * (nir - red) / (nir + 2.4 * red + 1.0)", "Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006",
          lambda nir, red: 2.5 * (nir - red) / (nir + 2.4 * red + 1.0)),
    Index("SAVI", "Soil-Adjusted Vegetation Index", ("nir", "red"),
          "1.5 * (nir - red) / (nir + red + 0.5)", "Huete 1988, doi:10.1016/0034-4257(88)90106-X",
          lambda nir, red: 1.5 * (nir - red) / (nir + red + 0.5)),
    Index("OSAVI", "Optimized Soil-Adjusted Vegetation Index", ("nir", "red"),
          "(nir - red) / (nir + red + 0.16)", "Rondeaux et al. 1996, doi:10.1016/0034-4257(95)00186-7",
          lambda nir, red: (nir - red) / (nir + red + 0.16)),
    Index("MSAVI", "Modified Soil-Adjusted Vegetation Index", ("nir", "red"),
          "0.5 * (2.0 * nir + 1.0 - ((2.0 * nir + 1.0) ** 2 - 8.0 * (nir - red)) ** 0.5)",
          "Qi et al. 1994, doi:10.1016/0034-4257(94)90134-1",
          lambda nir, red: 0.5 * (2.0 * nir + 1.0 - np.sqrt((2.0 * nir + 1.0) ** 2 - 8.0 * (nir - red)))),
    Index("GARI", "Green Atmospherically Resistant Vegetation Index", ("nir", "green", "blue", "red"),
          "(nir - (green - (blue - red))) / (nir + (green - (blue - red)))",
          "Gitelson et al. 1996, doi:10.1016/S0034-4257(96)00072-7",
          lambda nir, green, blue, red: _ratio(nir, green - (blue - red))),
    Index("WDRVI", "Wide Dynamic Range Vegetation Index", ("nir", "red"),
          "(0.1 * nir - red) / (0.1 * nir + red)", "Gitelson 2004, doi:10.1078/0176-1617-01176",
          lambda nir, red: _ratio(0.1 * nir, red)),
    Index("NIRv", "Near-Infrared Reflectance of Vegetation", ("nir", "red"),
          "((nir - red) / (nir + red)) * nir", "Badgley et al. 2017, doi:10.1126/sciadv.1602244",
          lambda nir, red: _ratio(nir, red) * nir),
    Index("DVI", "Difference Vegetation Index", ("nir", "red"),
          "nir - red", "Roujean and Breon 1995, doi:10.1016/0034-4257(94)00114-3",
          lambda nir, red: nir - red),
    Index("RDVI", "Renormalized Difference Vegetation Index", ("nir", "red"),
          "(nir - red) / (nir + red) ** 0.5", "Roujean and Breon 1995, doi:10.1016/0034-4257(94)00114-3",
          lambda nir, red: (nir - red) / np.sqrt(nir + red)),
    Index("IPVI", "Infrared Percentage Vegetation Index", ("nir", "red"),
          "nir / (nir + red)", "Crippen 1990, doi:10.1016/0034-4257(90)90085-Z",
          lambda nir, red: nir / (nir + red)),
    Index("SR", "Simple Ratio", ("nir", "red"),
          "nir / red", "Jordan 1969, doi:10.2307/1936256",
          lambda nir, red: nir / red),
    Index("MSR", "Modified Simple Ratio", ("nir", "red"),
          "(nir / red - 1.0) / (nir / red + 1.0) ** 0.5", "Chen 1996, doi:10.1080/07038992.1996.10855178",
          lambda nir, red: (nir / red - 1.0) / np.sqrt(nir / red + 1.0)),
    Index("GEMI", "Global Environment Monitoring Index", ("nir", "red"),
          "eta * (1.0 - 0.25 * eta) - (red - 0.125) / (1.0 - red) with "
          "eta = (2.0 * (nir ** 2 - red ** 2) + 1.5 * nir + 0.5 * red) / (nir + red + 0.5)",
          "Pinty and Verstraete 1992, doi:10.1007/bf00031911",
          lambda nir, red: _gemi(nir, red)),
    Index("CIG", "Chlorophyll Index Green", ("nir", "green"),
          "nir / green - 1.0", "Gitelson et al. 2003, doi:10.1078/0176-1617-00887",
          lambda nir, green: nir / green - 1.0),
    Index("CVI", "Chlorophyll Vegetation Index", ("nir", "red", "green"),
          "(nir * red) / green ** 2", "Vincini and Frazzi 2011, doi:10.1007/s11119-010-9204-3",
          lambda nir, red, green: nir * red / green ** 2),

    # Visible bands alone
    Index("VARI", "Visible Atmospherically Resistant Index", ("green", "red", "blue"),
          "(green - red) / (green + red - blue)", "Gitelson et al. 2002, doi:10.1016/S0034-4257(01)00289-9",
          lambda green, red, blue: (green - red) / (green + red - blue)),
    _difference("NGRDI", "Normalized Green Red Difference Index", "green", "red",
                "Tucker 1979, doi:10.1016/0034-4257(79)90013-0"),
    Index("GLI", "Green Leaf Index", ("green", "red", "blue"),
          "(2.0 * green - red - blue) / (2.0 * green + red + blue)",
          "Louhaichi et al. 2001, doi:10.1080/10106040108542184",
          lambda green, red, blue: (2.0 * green - red - blue) / (2.0 * green + red + blue)),

    # Red edge
    _difference("NDREI", "Normalized Difference Red Edge Index", "nir", "rededge071",
                "Gitelson and Merzlyak 1994, doi:10.1016/1011-1344(93)06963-4"),
    _difference("RENDVI", "Red Edge Normalized Difference Vegetation Index", "rededge075", "rededge071",
                "Gitelson and Merzlyak 1994, doi:10.1016/S0176-1617(11)81633-0"),
    _difference("NDCI", "Normalized Difference Chlorophyll Index", "rededge071", "red",
                "Mishra and Mishra 2012, doi:10.1016/j.rse.2011.10.016"),
    _difference("SeLI", "Sentinel-2 LAI Green Index", "nir08", "rededge071",
                "Pasqualotto et al. 2019, doi:10.3390/s19040904"),
    Index("CIRE", "Chlorophyll Index Red Edge", ("nir", "rededge071"),
          "nir / rededge071 - 1.0", "Gitelson et al. 2003, doi:10.1078/0176-1617-00887",
          lambda nir, rededge071: nir / rededge071 - 1.0),
    Index("MCARI", "Modified Chlorophyll Absorption in Reflectance Index", ("rededge071", "red", "green"),
          "((rededge071 - red) - 0.2 * (rededge071 - green)) * (rededge071 / red)",
          "Daughtry et al. 2000, doi:10.1016/S0034-4257(00)00113-9",
          lambda rededge071, red, green:
          ((rededge071 - red) - 0.2 * (rededge071 - green)) * (rededge071 / red)),
    Index("MCARI705", "Modified Chlorophyll Absorption in Reflectance Index (705 and 750 nm)",
          ("rededge075", "rededge071", "green"),
          "((rededge075 - rededge071) - 0.2 * (rededge075 - green)) * (rededge075 / rededge071)",
          "Wu et al. 2008, doi:10.1016/j.agrformet.2008.03.005",
          lambda rededge075, rededge071, green:
          ((rededge075 - rededge071) - 0.2 * (rededge075 - green)) * (rededge075 / rededge071)),
    Index("TCARI", "Transformed Chlorophyll Absorption in Reflectance Index", ("rededge071", "red", "green"),
          "3.0 * ((rededge071 - red) - 0.2 * (rededge071 - green) * (rededge071 / red))",
          "Haboudane et al. 2002, doi:10.1016/S0034-4257(02)00018-4",
          lambda rededge071, red, green:
          3.0 * ((rededge071 - red) - 0.2 * (rededge071 - green) * (rededge071 / red))),
    Index("MTCI", "MERIS Terrestrial Chlorophyll Index", ("rededge075", "rededge071", "red"),
          "(rededge075 - rededge071) / (rededge071 - red)",
          "Dash and Curran 2004, doi:10.1080/0143116042000274015",
          lambda rededge075, rededge071, red: (rededge075 - rededge071) / (rededge071 - red)),
    Index("IRECI", "Inverted Red-Edge Chlorophyll Index", ("rededge078", "red", "rededge071", "rededge075"),
          "(rededge078 - red) / (rededge071 / rededge075)",
          "Frampton et al. 2013, doi:10.1016/j.isprsjprs.2013.04.007",
          lambda rededge078, red, rededge071, rededge075: (rededge078 - red) / (rededge071 / rededge075)),
    Index("S2REP", "Sentinel-2 Red-Edge Position", ("rededge078", "red", "rededge071", "rededge075"),
          "705.0 + 35.0 * ((rededge078 + red) / 2.0 - rededge071) / (rededge075 - rededge071)",
          "Frampton et al. 2013, doi:10.1016/j.isprsjprs.2013.04.007",
          lambda rededge078, red, rededge071, rededge075:
          705.0 + 35.0 * ((rededge078 + red) / 2.0 - rededge071) / (rededge075 - rededge071)),
    Index("PSRI", "Plant Senescing Reflectance Index", ("red", "blue", "rededge075"),
          "(red - blue) / rededge075", "Merzlyak et al. 1999, doi:10.1034/j.1399-3054.1999.106119.x",
          lambda red, blue, rededge075: (red - blue) / rededge075),

    # Moisture and burning: shortwave infrared
    _difference("NDMI", "Normalized Difference Moisture Index", "nir", "swir16",
                "Wilson and Sader 2002, doi:10.1016/S0034-4257(01)00318-2"),
    Index("MSI", "Moisture Stress Index", ("swir16", "nir"),
          "swir16 / nir", "Hunt and Rock 1989, doi:10.1016/0034-4257(89)90046-1",
          lambda swir16, nir: swir16 / nir),
    Index("GVMI", "Global Vegetation Moisture Index", ("nir", "swir22"),
          "((nir + 0.1) - (swir22 + 0.02)) / ((nir + 0.1) + (swir22 + 0.02))",
          "Ceccato et al. 2002, doi:10.1016/S0034-4257(02)00037-8",
          lambda nir, swir22: _ratio(nir + 0.1, swir22 + 0.02)),
    Index("NMDI", "Normalized Multi-band Drought Index", ("nir", "swir16", "swir22"),
          "(nir - (swir16 - swir22)) / (nir + (swir16 - swir22))",
          "Wang and Qu 2007, doi:10.1029/2007GL031021",
          lambda nir, swir16, swir22: _ratio(nir, swir16 - swir22)),
    Index("NDPI", "Normalized Difference Phenology Index", ("nir", "red", "swir16"),
          "(nir - (0.74 * red + 0.26 * swir16)) / (nir + (0.74 * red + 0.26 * swir16))",
          "Wang et al. 2017, doi:10.1016/j.rse.2017.04.031",
          lambda nir, red, swir16: _ratio(nir, 0.74 * red + 0.26 * swir16)),
    Index("AFRI1600", "Aerosol Free Vegetation Index (1600 nm)", ("nir", "swir16"),
          "(nir - 0.66 * swir16) / (nir + 0.66 * swir16)",
          "Karnieli et al. 2001, doi:10.1016/S0034-4257(01)00190-0",
          lambda nir, swir16: _ratio(nir, 0.66 * swir16)),
    Index("AFRI2100", "Aerosol Free Vegetation Index (2100 nm)", ("nir", "swir22"),
          "(nir - 0.5 * swir22) / (nir + 0.5 * swir22)",
          "Karnieli et al. 2001, doi:10.1016/S0034-4257(01)00190-0",
          lambda nir, swir22: _ratio(nir, 0.5 * swir22)),
    _difference("NBR", "Normalized Burn Ratio", "nir", "swir22",
                "USGS Open-File Report 02-11, doi:10.3133/ofr0211"),
    _difference("NBR2", "Normalized Burn Ratio 2", "swir16", "swir22",
                "USGS, "
                "https://www.usgs.gov/core-science-systems/nli/landsat/landsat-normalized-burn-ratio-2"),
    Index("MIRBI", "Mid-Infrared Burn Index", ("swir22", "swir16"),
          "10.0 * swir22 - 9.8 * swir16 + 2.0", "Trigg and Flasse 2001, doi:10.1080/01431160110053185",
          lambda swir22, swir16: 10.0 * swir22 - 9.8 * swir16 + 2.0),

    # Water
    _difference("NDWI", "Normalized Difference Water Index", "green", "nir",
                "McFeeters 1996, doi:10.1080/01431169608948714"),
    _difference("MNDWI", "Modified Normalized Difference Water Index", "green", "swir16",
                "Xu 2006, doi:10.1080/01431160600589179"),
    Index("AWEIsh", "Automated Water Extraction Index with Shadows Elimination",
          ("blue", "green", "nir", "swir16", "swir22"),
          "blue + 2.5 * green - 1.5 * (nir + swir16) - 0.25 * swir22",
          "Feyisa et al. 2014, doi:10.1016/j.rse.2013.08.029",
          lambda blue, green, nir, swir16, swir22: blue + 2.5 * green - 1.5 * (nir + swir16) - 0.25 * swir22),
    _difference("NDTI", "Normalized Difference Turbidity Index", "red", "green",
                "Lacaux et al. 2007, doi:10.1016/j.rse.2006.07.012"),

    # Soil, tillage, built-up
    _difference("NDTillI", "Normalized Difference Tillage Index", "swir16", "swir22",
                "van Deventer et al. 1997, "
                "https://www.asprs.org/wp-content/uploads/pers/1997journal/jan/1997_jan_87-93.pdf"),
    Index("BI", "Bare Soil Index", *_BARE_SOIL),
    Index("BSI", "Bare Soil Index (the catalogue's BI)", *_BARE_SOIL),
    Index("DBSI", "Dry Bareness Index", ("swir16", "green", "nir", "red"),
          "(swir16 - green) / (swir16 + green) - (nir - red) / (nir + red)",
          "Rasul et al. 2018, doi:10.3390/land7030081",
          lambda swir16, green, nir, red: _ratio(swir16, green) - _ratio(nir, red)),
    _difference("NDBI", "Normalized Difference Built-Up Index", "swir16", "nir",
                "Zha et al. 2003, doi:10.1080/01431160304987"),
    Index("MBI", "Modified Bare Soil Index", ("swir16", "swir22", "nir"),
          "(swir16 - swir22 - nir) / (swir16 + swir22 + nir) + 0.5",
          "Nguyen et al. 2021, doi:10.3390/land10030231",
          lambda swir16, swir22, nir: (swir16 - swir22 - nir) / (swir16 + swir22 + nir) + 0.5),
)
# fmt: on


def _gemi(nir: Array, red: Array) -> Array:
    eta = (2.0 * (nir**2 - red**2) + 1.5 * nir + 0.5 * red) / (nir + red + 0.5)
    return np.asarray(eta * (1.0 - 0.25 * eta) - (red - 0.125) / (1.0 - red))


INDICES: dict[str, Index] = {index.name: index for index in _TABLE}
"""All indices by name, in the order of the table."""
