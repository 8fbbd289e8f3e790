"""Ground of a design as tables: known hectares, and what is not sampled."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cocal.contracts import NO_DATA, UNOBSERVED
from cocal.estimate import format_ha
from cocal.run.stages.design_plan import DesignTask, PlannedDesign, counts_of
from cocal.run.worker.mosaic import regions_of


def known_table(plan: PlannedDesign, task: DesignTask) -> pd.DataFrame:
    """Return hectares by stratum, region and class of the map: stratum, region, map_class, area_ha.

    Counted, not estimated, so `cocal estimate --known` can make the classes of a region add up to its area.
    """
    units, frame = counts_of(task).class_units, plan.frame
    names = {code: key for key, code in task.scheme.codes.items()} | {NO_DATA: UNOBSERVED}
    region, column, code = np.nonzero(units)
    stratum = frame.stratum_of[region, column]
    ids = np.array(frame.cells.regions, dtype=object)[region]
    table = pd.DataFrame(
        {
            "stratum": np.array(frame.names, dtype=object)[stratum],
            "region": ids,
            "map_class": [names[number] for number in code.tolist()],
            "units": units[region, column, code],
        }
    )
    sums = table.groupby(["stratum", "region", "map_class"], sort=False)["units"].sum().reset_index()
    return sums.assign(area_ha=[format_ha(int(u)) for u in sums.pop("units")])


def cut_off_table(task: DesignTask) -> pd.DataFrame:
    """Return the ground that is not sampled: region_id, reason, area_ha."""
    regions, rules = regions_of(task.maps.regions).table["region_id"], task.settings.not_sampled
    units = counts_of(task).cut_units
    rows = [
        (regions.iloc[r], rules[k].reason, format_ha(int(units[r, k])))
        for r, k in zip(*(part.tolist() for part in np.nonzero(units)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["region_id", "reason", "area_ha"])
