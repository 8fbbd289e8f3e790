"""Hectares that the map shows: exact integer sums of true cell area per region and class.

A mapped area is a count, not an estimate: see `stratified` for estimates of the true area.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cocal.contracts import AREA_COLUMNS, AREAS, UNOBSERVED, Period, check_classmap, check_table, window_of
from cocal.errors import ContractError, ModelMismatchError
from cocal.grid import cell_area_units
from cocal.regions import Regions, owned
from cocal.scheme import ClassScheme

N_CODES = 256
_EXACT = 2**53
"""Below this every integer is a float64, so a float64 sum that stays below it is exact."""

_SPLIT_BITS = 26


def count_units(
    crop_class: NDArray[np.uint8], owner: NDArray[np.int32], units: NDArray[np.int64], n_regions: int
) -> NDArray[np.int64]:
    """(n_regions, 256) exact sums of `units` (1e-6 m2) by owning region and class code.

    Parameters
    ----------
    crop_class : (y, x) uint8, class code, 0 = not observed.
    owner : (y, x) int32, index of the region that owns the pixel, -1 = none.
    units : (y, x) int64, cell area in 1e-6 m2, not negative.
    n_regions : number of regions.

    Returns
    -------
    int64 sums; their total is the sum of `units` where `owner >= 0`, whatever the blocks.
    """
    keys = (owner.ravel() + 1) * np.int64(N_CODES) + crop_class.ravel()
    flat = units.ravel()
    size = (n_regions + 1) * N_CODES
    if int(flat.sum()) < _EXACT:
        sums = np.bincount(keys, weights=flat, minlength=size).astype(np.int64)
    else:
        high, low = flat >> _SPLIT_BITS, flat & (2**_SPLIT_BITS - 1)
        sums = np.bincount(keys, weights=high, minlength=size).astype(np.int64) << _SPLIT_BITS
        sums += np.bincount(keys, weights=low, minlength=size).astype(np.int64)
    return np.asarray(sums.reshape(n_regions + 1, N_CODES)[1:])


def exact_ha(units: int) -> Decimal:
    """Hectares of an integer sum of 1e-6 m2, exact, with ten decimals."""
    return Decimal(int(units)).scaleb(-10)


def format_ha(units: int) -> str:
    """`exact_ha` as text: `format_ha(10**10 + 1) == "1.0000000001"`."""
    return f"{exact_ha(units):.10f}"


def mapped_table(
    counts: NDArray[np.int64], regions: pd.DataFrame, scheme: ClassScheme, period: Period | str
) -> pd.DataFrame:
    """areas/1: one row per region and class of the scheme, and one row `unobserved` per region.

    `mapped_ha` holds `Decimal`: per region the rows sum to the owned area exactly. The columns of the
    estimate are empty (NaN, NA, "", no notes) until `with_estimates` fills them.

    Raises
    ------
    ContractError : the map has class codes that the scheme lacks.
    """
    codes = [*scheme.codes.values(), 0]
    unknown = sorted(set(np.flatnonzero(counts.sum(axis=0)).tolist()) - set(codes))
    if unknown:
        raise ContractError(
            "the class map has codes that are not in the class scheme",
            f"codes of scheme {scheme.id}: {sorted(codes)}",
            f"codes {unknown}",
            "use the scheme that the model was trained with",
        )
    owned = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        observed = np.where(owned > 0, 1.0 - counts[:, 0] / owned, np.nan)
    n_rows = len(regions) * len(codes)
    table = {
        **{
            name: np.repeat(regions[name].to_numpy(), len(codes))
            for name in ("region_id", "region_name", "country")
        },
        "period": [period if isinstance(period, str) else period.name] * n_rows,
        "class": [*scheme.keys, UNOBSERVED] * len(regions),
        "mapped_ha": [exact_ha(value) for value in counts[:, codes].ravel().tolist()],
        **{name: np.full(n_rows, np.nan) for name in _ESTIMATED},
        "observed_fraction": np.repeat(observed, len(codes)),
        "n_reference": pd.array([pd.NA] * n_rows, dtype="Int64"),
        "confidence": np.full(n_rows, np.nan),
        **{name: [""] * n_rows for name in ("interval", "estimator", "last_source")},
        "last_ha": np.full(n_rows, np.nan),
        "notes": [()] * n_rows,
    }
    return check_table(pd.DataFrame(table)[list(AREA_COLUMNS)], AREAS)


_ESTIMATED = (
    "estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "small_area_ha", "small_area_low_ha",
    "small_area_high_ha",
)  # fmt: skip


def region_areas(counts: NDArray[np.int64], regions: pd.DataFrame) -> pd.DataFrame:
    """region_id, region_name, country, owned_ha (Decimal), polygon_ha, exclusive_ha, difference_percent.

    `polygon_ha` is the geodesic area of the polygon as given, `exclusive_ha` what remains of it where an
    earlier region holds the same ground. The difference is owned pixels minus `exclusive_ha`, in percent of
    it; gaps that were given to a region are in its pixels and in no polygon.
    """
    owned = counts.sum(axis=1).tolist()
    names = ["region_id", "region_name", "country", "polygon_ha", "exclusive_ha"]
    table = regions[names].reset_index(drop=True)
    exclusive = regions["exclusive_ha"].to_numpy(dtype=np.float64)
    owned_ha = np.array([units / 10**10 for units in owned])
    table.insert(3, "owned_ha", pd.Series([exact_ha(units) for units in owned], dtype=object))
    return table.assign(difference_percent=100.0 * (owned_ha - exclusive) / exclusive)


def country_table(areas: pd.DataFrame) -> pd.DataFrame:
    """country, period, class, mapped_ha (Decimal), observed_fraction: the sums over a country's regions."""
    keys = ["country", "period"]
    sums = areas.groupby([*keys, "class"], sort=False, dropna=False)["mapped_ha"].sum().reset_index()
    owned = sums.groupby(keys, dropna=False)["mapped_ha"].transform("sum").astype(float)
    unseen = sums["mapped_ha"].where(sums["class"] == UNOBSERVED, Decimal(0))
    unseen = unseen.groupby([sums[k] for k in keys], dropna=False).transform("sum").astype(float)
    return sums.assign(observed_fraction=(1.0 - unseen / owned).where(owned > 0))


def measure(classmap: xr.Dataset, regions: Regions, *, scheme: ClassScheme, period: Period) -> pd.DataFrame:
    """Mapped hectares per region and class of one class map; the estimate is left empty.

    Parameters
    ----------
    classmap : Dataset
        classmap/1, whole or a part of the regions. A ground pixel counts only in the zone that owns it.
    regions : Regions
        As from `read_regions`.
    scheme : ClassScheme
        The scheme that the model was trained with.
    period : Period
        The period of the map.

    Returns
    -------
    DataFrame, areas/1: per region one row per class and one `unobserved`, which add up to the ground that
    the region owns *on this map*, exactly. `observed_fraction` is NaN for a region that the map does not
    show.

    Raises
    ------
    ModelMismatchError
        The map was made with another class scheme.
    ContractError
        `classmap` is not classmap/1.

    Examples
    --------
    See docs/api.md: `areas = cocal.measure(classmap, regions, scheme=scheme, period=period)`.
    """
    check_classmap(classmap)
    made_with = classmap.attrs.get("class_scheme_sha256")
    if made_with != scheme.sha256:
        raise ModelMismatchError(
            "the class map was made with another class scheme",
            f"{scheme.id} ({scheme.sha256[:12]})",
            f"{classmap.attrs.get('class_scheme')} ({str(made_with)[:12]})",
            "measure it with the scheme of its model, `model.card.class_scheme`",
        )
    window = window_of(classmap)
    units = cell_area_units(window)
    counts = count_units(classmap["crop_class"].values, owned(regions, window), units, len(regions))
    return mapped_table(counts, regions.table, scheme, period)
