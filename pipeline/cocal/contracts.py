"""The contracts of Datasets and tables that pass between two stages.

Each check returns its argument, or raises ContractError with all departures:
`classify(check_features(features))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr

from cocal.errors import ContractError
from cocal.grid import RESOLUTION_M, Window, cell_area

SCENES, FEATURES, CLASSMAP = "scenes/1", "features/1", "classmap/1"
RECORDS, AREAS, COMPARISON = "records/1", "areas/1", "comparison/1"

BANDS = (
    "coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078",
    "nir", "nir08", "nir09", "swir16", "swir22",
)  # fmt: skip
"""Sentinel-2 L2A reflectance bands by their STAC common names (STAC EO extension 1.1)."""

BAND_NAMES = {name: name for name in (*BANDS, "scl", "cloud_probability")} | {
    "b02": "blue", "b03": "green", "b04": "red", "b08": "nir", "b8a": "nir08", "b11": "swir16",
    "b12": "swir22",
}  # fmt: skip
"""Names of bands in files, in small letters, that mean the same in every product: common name."""

SAR_BANDS = ("vv", "vh")
QUALITY = ("scl", "cloud_probability")
SCL_CLASSES = (
    "nodata", "saturated", "dark", "cloud_shadow", "vegetation", "bare",
    "water", "unclassified", "cloud_medium", "cloud_high", "cirrus", "snow",
)  # fmt: skip
"""Sen2Cor scene classes by code, 0 to 11 (ESA, Sentinel-2 L2A Product Definition Document, table of SCL)."""

REFLECTANCE = -0.2, 2.0
"""Surface reflectance lies between; corrections and bright cloud exceed 0 and 1, not these bounds."""
IMPLAUSIBLE_SHARE = 0.01
"""Largest share of values outside REFLECTANCE."""

NO_DATA = 0
UNOBSERVED = "unobserved"
ELSEWHERE = "(no region)"
"""The domain of ground outside all regions: part of the design, of no region's hectares."""

OTHER = "other"
"""Any class but the target."""
CLASS_TIF, PROBABILITY_TIF, N_CLEAR_TIF = "class.tif", "probability.tif", "n_clear.tif"
DISSIMILARITY_TIF, MARGIN_TIF = "dissimilarity.tif", "margin.tif"
ALTERNATIVE_TIF, FEATURES_TIF = "alternative.tif", "features.tif"
SHARES_NPZ = "shares.npz"
"""Names of the files in a map's folder (see `classify.product`), and of a tile's features."""
PROBABILITY_SCALE, PROBABILITY_NO_DATA = 1e-4, 65535
"""`probability` on disk: uint16, 10000 = 1, 65535 = not observed."""
PROBABILITY_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Edges of the bins in which a model's probability is counted, in its validation and on its map."""

RECORD_COLUMNS = (
    "record_id", "sample_id", "geometry", "observed_on", "class", "second_class", "cover",
    "positional_accuracy_m", "source", "stratum", "region_id", "inclusion_probability", "role", "visited",
    "why_not", "split", "state", "shade", "mixture", "age",
)  # fmt: skip
AREA_COLUMNS = (
    "region_id", "region_name", "country", "period", "class", "mapped_ha", "estimated_ha",
    "standard_error_ha", "ci_low_ha", "ci_high_ha", "small_area_ha", "small_area_low_ha",
    "small_area_high_ha", "observed_fraction", "n_reference", "confidence", "interval", "estimator",
    "last_ha", "last_source", "notes",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "region_id", "region_name", "country", "period", "class", "mapped_ha", "estimated_ha", "ci_low_ha",
    "ci_high_ha", "field_ha", "official_ha", "official_source", "official_rounded_to_ha", "difference_ha",
    "agreement", "verdict", "width_needed_ha", "why_not_comparable",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Period:
    """The period of one map: a name, the first and the last day, both included.

    Examples
    --------
    >>> from datetime import date
    >>> year = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
    >>> (year.end - year.start).days + 1
    366
    """

    name: str
    start: date
    end: date


def grid_coords(window: Window) -> dict[str, xr.DataArray]:
    """The coords of every raster contract: x, y, `cell_area` (m2) and `spatial_ref`."""
    from pyproj import CRS

    crs = CRS.from_epsg(window.epsg)
    metres = {"units": "metre"}
    return {
        "y": xr.DataArray(window.y, dims="y", attrs=metres | {"standard_name": "projection_y_coordinate"}),
        "x": xr.DataArray(window.x, dims="x", attrs=metres | {"standard_name": "projection_x_coordinate"}),
        "cell_area": xr.DataArray(
            cell_area(window),
            dims=("y", "x"),
            attrs={"units": "m2", "long_name": "true area of the cell on the WGS 84 ellipsoid"},
        ),
        "spatial_ref": xr.DataArray(0, attrs={"crs_wkt": crs.to_wkt(), "epsg": window.epsg}),
    }


def window_of(dataset: xr.Dataset) -> Window:
    """The pixel window of a Dataset that fulfils a raster contract."""
    x, y = dataset["x"].values, dataset["y"].values
    resolution = (
        round(float(x[1] - x[0])) if x.size > 1 else round(float(y[0] - y[1])) if y.size > 1 else RESOLUTION_M
    )
    left, top = round(float(x[0]) - resolution / 2), round(float(y[0]) + resolution / 2)
    return Window(int(dataset["spatial_ref"].attrs["epsg"]), left, top, x.size, y.size, resolution)


def _raise(contract: str, problems: Sequence[str]) -> None:
    if problems:
        raise ContractError(
            f"the contract {contract} is broken", "see the table of contracts in docs/architecture.md",
            "; ".join(problems), "make it with the preceding stage, or fix these points",
        )  # fmt: skip


def _check_raster(
    dataset: xr.Dataset,
    contract: str,
    variables: Mapping[str, tuple[str, tuple[str, ...]]],
    more: Sequence[str] = (),
) -> xr.Dataset:
    """`dataset`, checked for the attributes and coords of all rasters and for `variables`: name -> (dtype,
    dims).

    `more` are further problems. ContractError lists all.
    """
    problems = [f"no coord {n!r}" for n in ("x", "y", "cell_area", "spatial_ref") if n not in dataset.coords]
    if dataset.attrs.get("contract") != contract:
        problems.append(f"attrs['contract'] is {dataset.attrs.get('contract')!r}, not {contract!r}")
    if "y" in dataset.coords and dataset["y"].size > 1 and not (np.diff(dataset["y"].values) < 0).all():
        problems.append("y does not descend")
    for name, expected in variables.items():
        if name not in dataset:
            problems.append(f"no variable {name!r}")
        elif (found := (str(dataset[name].dtype), dataset[name].dims)) != expected:
            problems.append(f"{name!r} is {found}, not {expected}")
    for variable in dataset.data_vars.values():
        problems += [
            f"{variable.name!r} has no {a}" for a in ("long_name", "units") if a not in variable.attrs
        ]
    _raise(contract, [*problems, *more])
    return dataset


def check_scenes(dataset: xr.Dataset, bands: Iterable[str] = ()) -> xr.Dataset:
    """`dataset`, checked to fulfil scenes/1 and to hold `bands`; otherwise ContractError."""
    names = [*bands, *map(str, dataset.data_vars)]
    dims = ("time", "y", "x")
    return _check_raster(
        dataset, SCENES, {name: ("uint8" if name in QUALITY else "uint16", dims) for name in names}
    )


def check_features(dataset: xr.Dataset, features: Sequence[str] | None = None) -> xr.Dataset:
    """`dataset`, checked to fulfil features/1, with exactly `features` in that order if given."""
    variables = {"features": ("float32", ("feature", "y", "x")), "n_clear": ("uint16", ("y", "x"))}
    more = []
    if features is not None and "feature" in dataset.coords:
        found = [str(name) for name in dataset["feature"].values]
        if found != list(features):
            more = [f"features are {found}, not {list(features)}"]
    return _check_raster(dataset, FEATURES, variables, more)


def check_classmap(dataset: xr.Dataset) -> xr.Dataset:
    """`dataset`, checked to fulfil classmap/1."""
    variables = {"crop_class": ("uint8", ("y", "x")), "probability": ("float32", ("y", "x"))}
    more = [f"attrs has no {n!r}" for n in ("model_id", "model_sha256") if n not in dataset.attrs]
    if "crop_class" in dataset:
        attrs = dataset["crop_class"].attrs
        more += [f"'crop_class' has no {n}" for n in ("flag_values", "flag_meanings") if n not in attrs]
        if "_FillValue" in attrs or "_FillValue" in dataset["crop_class"].encoding:
            more.append("'crop_class' has a _FillValue; 0 is a class, 'not observed'")
    return _check_raster(dataset, CLASSMAP, variables, more)


def check_table(table: pd.DataFrame, contract: str) -> pd.DataFrame:
    """`table`, checked to have the columns of records/1, areas/1 or comparison/1, in any order."""
    columns = {RECORDS: RECORD_COLUMNS, AREAS: AREA_COLUMNS, COMPARISON: COMPARISON_COLUMNS}[contract]
    _raise(contract, [f"no column {name!r}" for name in columns if name not in table.columns])
    return table
