"""Where to go and look: strata, sample size, allocation, draw, and what crews take along.

    settings   what the user states                 strata     rules -> the stratum of every pixel
    layers     rasters and zones of the user        frame      counts -> the design's strata
    size       how many points, and where           plan       the above: points of every stratum
    draw       pixels in random order               balance    samples spread over the ground
    points     table, GeoPackage, GPX               form       XLSForm for ODK and Kobo
    sheet      to print                             texts      Spanish and English

Positions are restricted: no message and no log names one.
"""

from __future__ import annotations

from cocal.fieldwork.design.draw import (
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
    probability_shares,
    stated_shares,
    strata_table,
)
from cocal.fieldwork.design.layers import read_class_raster, zone_mask
from cocal.fieldwork.design.plan import plan_points, reserve_points
from cocal.fieldwork.design.points import number_points, write_csv, write_geopackage, write_gpx
from cocal.fieldwork.design.settings import DesignSettings, StatedShares
from cocal.fieldwork.design.sheet import write_sheet
from cocal.fieldwork.design.size import allocate, allocation_weights, sample_size
from cocal.fieldwork.design.strata import (
    Layers,
    class_codes,
    halo_px,
    rasters_needed,
    stratify,
    zones_needed,
)

__all__ = [
    "POINTS",
    "WHOLE",
    "Cells",
    "DesignSettings",
    "Frame",
    "Layers",
    "StatedShares",
    "allocate",
    "allocation_weights",
    "build_frame",
    "candidates",
    "candidates_needed",
    "class_codes",
    "draw_points",
    "enough",
    "halo_px",
    "number_points",
    "pixel_numbers",
    "plan_points",
    "probability_shares",
    "rasters_needed",
    "read_class_raster",
    "reserve_points",
    "sample_size",
    "stated_shares",
    "strata_table",
    "stratify",
    "thresholds",
    "write_csv",
    "write_form",
    "write_geopackage",
    "write_gpx",
    "write_point_list",
    "write_sheet",
    "zone_mask",
    "zones_needed",
]
