"""One class map in memory -> the hectares it shows: the notebook's stage."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from cocal.contracts import Period, check_classmap, window_of
from cocal.errors import ModelMismatchError
from cocal.estimate.mapped import count_units, mapped_table
from cocal.grid import cell_area_units
from cocal.regions import Regions, owned
from cocal.scheme import ClassScheme


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
        What the map speaks of.

    Returns
    -------
    DataFrame, areas/1: per region one row per class and one `unobserved`, which add up to the ground that
    the region owns *on this map*, exactly. `observed_fraction` is NaN for a region that the map does not show.

    Raises
    ------
    ModelMismatchError
        The map was made with another class scheme.
    ContractError
        `classmap` is not classmap/1.
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
