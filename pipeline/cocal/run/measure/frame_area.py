"""Whether the strata of a sample are the ground of the regions: hectares scale with their area."""

from __future__ import annotations

from cocal.errors import InputError
from cocal.notes.account import record
from cocal.run.measure.sampling import Sample, frame_of
from cocal.run.measure.task import HectaresTask

_SURELY_SEEN = 14
"""Weights of a point in ground that some point meets but for one chance in a million, exp(-14)."""

_LEAST_OF_REGIONS, _MOST_OF_REGIONS, _FAR_OF_REGIONS = 0.5, 1.1, 50
"""Strata of less or more of the regions' area are recorded: another frame, or a wrong unit or digit."""


def check_strata(task: HectaresTask, sample: Sample) -> None:
    """Record strata whose area is not that of the regions that they were drawn in.

    Raises
    ------
    InputError
        They are not of this ground, or points that lie beyond the regions are missing.
    """
    ha, regions_ha = float(sample.strata["area_ha"].sum()), float(task.regions.table["exclusive_ha"].sum())
    allowed = task.records is not None and task.records.outside == "allowed"
    if ha > _FAR_OF_REGIONS * regions_ha and not allowed:
        raise InputError(
            f"the strata add up to {ha:.1f} ha, the regions to {regions_ha:.1f} ha",
            "strata of the regions' ground, in hectares: every point of the sample lies in a region",
            f"{ha / regions_ha:.0f} times as much",
            "correct the unit of `area_ha`; where the sample was drawn from far more ground, state "
            "`records: {outside: allowed}`",
        )
    if ha < _LEAST_OF_REGIONS * regions_ha or (ha > _MOST_OF_REGIONS * regions_ha and not allowed):
        record("strata_unlike_regions", strata_ha=ha, regions_ha=regions_ha)
    if allowed and sample.ground is None:
        _check_outside(sample, ha - regions_ha)


def _check_outside(sample: Sample, beyond_ha: float) -> None:
    """Pass if points lie outside the regions where the strata reach far beyond them.

    If `beyond_ha` of the strata lie outside, the chance that none of the n_h points of each stratum of A_h
    does is at most exp(-beyond_ha / max(A_h / n_h)).

    Raises
    ------
    InputError
        None does, which has a chance below one in a million: their hectares would all count in the regions.
    """
    frame = frame_of(sample.matched)
    area = sample.strata.groupby("stratum")["area_ha"].sum()
    weight_ha = float((area / frame["stratum"].value_counts()).max())
    if frame["region_id"].notna().all() and beyond_ha > _SURELY_SEEN * weight_ha:
        raise InputError(
            "the strata reach beyond the regions, and no point of the sample does",
            "the points of all strata, those outside the regions too",
            f"{beyond_ha:.1f} ha outside, and every one of {len(frame)} points in a region",
            "give all points of the design, also those outside; or `strata_raster` and the estimator "
            "`calibrated`, which needs none there; or the area of the strata within the regions",
        )
