"""The design of a field sample: strata, sample size, allocation, draw, and the files for crews.

    settings   as the user states them              strata     rules -> the stratum of every pixel
    frame      counts -> the design's strata        shares     how much of the target to expect in each
    size       points of every stratum              allocation points to strata
    draw       pixels in random order, spread       points     table, GeoPackage, GPX
    form       XLSForm for ODK and Kobo             sheet      to print; texts in Spanish and English

Positions are restricted: no message and no log holds one.
"""

from __future__ import annotations

from cocal.fieldwork.design.allocation import allocate, allocation_weights
from cocal.fieldwork.design.draw import (
    Sizes,
    candidates,
    candidates_needed,
    draw_points,
    enough,
    pixel_numbers,
    thresholds,
)
from cocal.fieldwork.design.form import POINTS, write_form, write_point_list
from cocal.fieldwork.design.frame import (
    WHOLE,
    Cells,
    Frame,
    build_frame,
    strata_table,
)
from cocal.fieldwork.design.phases import plan_phases
from cocal.fieldwork.design.points import number_points, write_geopackage, write_gpx
from cocal.fieldwork.design.settings import (
    DesignSettings,
    PhaseSettings,
    Points,
    ProbabilityShares,
    StatedShares,
)
from cocal.fieldwork.design.shares import probability_shares, stated_shares, target_by_bin, validated_shares
from cocal.fieldwork.design.sheet import write_sheet
from cocal.fieldwork.design.size import plan_points, reserve_points, sample_size
from cocal.fieldwork.design.strata import (
    STRATA_RASTER,
    Layers,
    check_zones,
    class_codes,
    codes_needed,
    cut_off,
    halo_px,
    needs_elevation,
    rasters_needed,
    read_class_raster,
    stratify,
    zone_mask,
    zones_needed,
)

__all__ = [
    "POINTS", "STRATA_RASTER", "WHOLE", "Cells", "DesignSettings", "Frame", "Layers", "PhaseSettings",
    "Points", "ProbabilityShares", "Sizes", "StatedShares", "allocate", "allocation_weights",
    "build_frame", "candidates", "candidates_needed", "check_zones", "class_codes", "codes_needed",
    "cut_off", "draw_points", "enough", "halo_px", "needs_elevation", "number_points", "pixel_numbers",
    "plan_phases", "plan_points", "probability_shares", "rasters_needed", "read_class_raster",
    "reserve_points", "sample_size", "stated_shares", "strata_table", "stratify", "target_by_bin",
    "thresholds", "validated_shares", "write_form", "write_geopackage", "write_gpx", "write_point_list",
    "write_sheet", "zone_mask", "zones_needed",
]  # fmt: skip
