"""What is known of the ground that a sample was drawn from: hectares of strata x regions x zones x classes.

The maps and the raster of the strata are counted (`strata_cells`); the strata table of the design says what
the raster's codes mean, and how large each stratum is in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import ELSEWHERE, OTHER, UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.settings import OUTSIDE
from cocal.estimate.strata import SIZE_TOLERANCE
from cocal.fieldwork import RecordSettings
from cocal.notes import Note
from cocal.notes.account import record
from cocal.run.measure.strata_cells import CELL_COLUMNS, CHANGE_COLUMNS, NO_STRATUM
from cocal.run.measure.task import HectaresTask

COUNTED_WITHIN = 0.01
"""A stratum's stated area may differ from the counted one by this share: pixels of another grid, areas in the
plane of a projection. The counted area is used. More is another raster, or another table."""

_UNITS_PER_HA = 10**10
_KEYS = ["stratum", "region_id"]


@dataclass(frozen=True)
class KnownGround:
    """Known hectares of one period, or of a pair of periods.

    `atoms`: stratum, region_id (`ELSEWHERE` where there is none), zone ("" where not counted), the columns of
    the map's class, area_ha. `strata`: the strata table, stratum (x region) by stratum, with the areas that
    the atoms add up to. `outside_ha`: by region_id, observed ground that the sample was not drawn from.
    """

    atoms: pd.DataFrame
    strata: pd.DataFrame
    outside_ha: pd.Series[float]

    def table(self, domain: pd.Series[str], by: str) -> pd.DataFrame:
        """The known areas as `estimate_areas` takes them; `domain`: value of the column `by` -> its name."""
        atoms = self.atoms
        found = atoms.assign(region=atoms[by].map(domain).fillna(ELSEWHERE), unit=atoms["region_id"])
        keys = [name for name in found.columns if name not in ("region_id", "zone", "area_ha")]
        return found.groupby(keys)["area_ha"].sum().reset_index()


def expansion_because(records: RecordSettings, estimator: str) -> Note | None:
    """Why a run uses the expansion estimator, `stratified`; None where it uses another one."""
    if estimator not in ("calibrated", "stratified"):
        return None
    if not records.strata_rasters:
        return Note("expansion_without_raster")
    if estimator == "stratified":
        return Note("expansion_chosen")
    if records.matching.support != "pixel" or records.matching.positional_error != "ignore":
        return Note("expansion_of_ground")
    return None


def known_ground(task: HectaresTask, cells: NDArray[np.int64], strata: pd.DataFrame) -> KnownGround:
    """The known hectares of one period.

    Parameters
    ----------
    cells : (k, 6) `CELL_COLUMNS` of the period.
    strata : as from `read_strata` with codes.

    Raises
    ------
    InputError
        The raster and the table of the strata do not fit together.
    """
    rows = pd.DataFrame(cells, columns=list(CELL_COLUMNS))
    names = {code: key for key, code in task.scheme.codes.items()} | {0: UNOBSERVED}
    regions = task.regions.table[["region_id", "country"]].astype(str)
    zones = [] if task.zones is None else task.zones.table["region_id"].astype(str).tolist()
    own = regions.iloc[rows["region"]].reset_index(drop=True)
    zone = np.array(["", *zones], dtype=object)[rows["zone"]]
    outside = outside_zones(own["country"]) if zones else ""
    rows = rows.assign(
        region_id=own["region_id"].to_numpy(),
        zone=np.where(zone == "", outside, zone),
        map_class=rows["map_class"].map(names),
    )
    return _ground(task, rows, strata)


def known_change(task: HectaresTask, cells: NDArray[np.int64], strata: pd.DataFrame) -> KnownGround:
    """As `known_ground`, for `CHANGE_COLUMNS` of one pair: `map_class` is what became of the target there.

    Classes are those of `change_class`, or `UNOBSERVED` where one of the two maps shows nothing.
    """
    rows = pd.DataFrame(cells, columns=list(CHANGE_COLUMNS))
    names = {code: key for key, code in task.scheme.codes.items()}
    rows = rows.assign(
        region_id=task.regions.table["region_id"].astype(str).to_numpy()[rows["region"]],
        zone="",
        map_class=change_class(rows["before"].map(names), rows["after"].map(names), task.scheme.target),
    )
    return _ground(task, rows, strata)


def change_class(before: pd.Series[str], after: pd.Series[str], target: str) -> NDArray[np.object_]:
    """Whether ground is the target before and after; `UNOBSERVED` where a map shows nothing (null).

    Examples
    --------
    >>> before, after = pd.Series(["coca", "forest", "coca"]), pd.Series(["bare", "coca", None])
    >>> change_class(before, after, "coca").tolist()
    ['coca to other', 'other to coca', 'unobserved']
    """
    first, second = (column.astype(object).fillna(UNOBSERVED) for column in (before, after))
    words = [column.where(column == target, OTHER) for column in (first, second)]
    seen = (first != UNOBSERVED) & (second != UNOBSERVED)
    return (words[0] + " to " + words[1]).where(seen, UNOBSERVED).to_numpy()


def each_region(task: HectaresTask) -> pd.Series[str]:
    """Every region as a domain of its own."""
    ids = task.regions.table["region_id"].astype(str).to_numpy()
    return pd.Series(ids, index=ids)


def outside_zones(country: pd.Series[str]) -> pd.Series[str]:
    """The place of ground in no zone of the law: `outside-` and its country."""
    return f"{OUTSIDE}-" + country.astype(str)


def _ground(task: HectaresTask, rows: pd.DataFrame, strata: pd.DataFrame) -> KnownGround:
    regions = task.regions.table["region_id"].astype(str).tolist()
    code = dict(zip(strata["code"].astype(np.int64), strata["stratum"].astype(str), strict=True))
    rows = rows.assign(stratum=rows["code"].map(code), area_ha=rows["units"] / _UNITS_PER_HA)
    free = (rows["code"] == NO_STRATUM) | ((rows["code"] == 0) & (0 not in code))
    _check_codes(rows["code"][~free & rows["stratum"].isna()].unique(), code)
    unseen = rows["map_class"] == UNOBSERVED
    outside = rows[free & ~unseen].groupby("region_id")["area_ha"].sum().reindex(regions, fill_value=0.0)
    rows, table = rows[~free], strata.reset_index(drop=True)
    crossed = bool(table["region_id"].notna().any())
    if crossed:
        rows = rows.assign(stratum=rows["stratum"] + " in " + rows["region_id"])
        table = table.assign(stratum=table["stratum"] + " in " + table["region_id"])
    assert task.records is not None
    rest = _rest(rows, table, allowed=task.records.outside == "allowed" and not crossed)
    beyond = pd.DataFrame({"stratum": table["stratum"], "area_ha": rest}).assign(
        region_id=ELSEWHERE, zone="", map_class=UNOBSERVED
    )
    columns = ["stratum", "region_id", "zone", "map_class", "area_ha"]
    atoms = pd.concat([rows[columns], beyond.loc[rest > 0, columns]], ignore_index=True)
    area = table["stratum"].map(atoms.groupby("stratum")["area_ha"].sum())
    # `pixels` times `pixel_area_m2` would be the stated area once more
    table = table.assign(area_ha=area).drop(columns="pixel_area_m2", errors="ignore")
    return KnownGround(atoms, table, outside)


def _check_codes(unknown: Iterable[int], code: dict[int, str]) -> None:
    found = sorted(map(int, unknown))
    if found:
        raise InputError(
            "records.strata_raster has values that the table of the strata does not name",
            ", ".join(f"{number} {name}" for number, name in code.items()),
            ", ".join(map(str, found[:10])),
            "complete the column `code` of `records.strata`, or give the raster that the sample was drawn "
            "from; 0 and no data are ground outside all strata",
        )


def _rest(rows: pd.DataFrame, table: pd.DataFrame, *, allowed: bool) -> NDArray[np.float64]:
    """(strata,) hectares of each stratum outside all regions; 0 where the counted area is taken for all.

    Raises
    ------
    InputError
        Strata whose counted area is not the stated one.
    """
    stated = table["area_ha"].to_numpy(dtype=np.float64)
    sums = rows.groupby("stratum")["area_ha"].sum()
    counted = table["stratum"].map(sums).fillna(0.0).to_numpy(dtype=np.float64)
    short = stated - counted
    off = np.abs(short) / stated
    rest = np.where(allowed, np.maximum(short, 0.0), 0.0)
    wrong = (off > COUNTED_WITHIN) & (rest == 0)
    unnamed = sorted(set(sums.index) - set(table["stratum"]))
    if wrong.any() or unnamed:
        lines = [
            f"{name!r}: {here:,.2f} ha in the regions, area_ha {there:,.2f}"
            for name, here, there in zip(table["stratum"][wrong], counted[wrong], stated[wrong], strict=True)
        ] + [f"{name!r}: on the raster, not in the table" for name in unnamed]
        raise InputError(
            "records.strata_raster and the areas of `records.strata` do not fit together",
            f"the ground of each stratum within {COUNTED_WITHIN:.0%} of its area_ha",
            "\n    ".join(["", *lines[:10]]),
            "give the raster and the table that the sample was drawn from; where the strata reach beyond the "
            "regions, state `records: {outside: allowed}`",
        )
    for i in np.flatnonzero((off > SIZE_TOLERANCE) & (rest == 0)):
        record(
            "stratum_counted", stratum=table["stratum"].iloc[i], stated_ha=stated[i], counted_ha=counted[i]
        )
    return rest
