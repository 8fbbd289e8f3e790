"""Hectares: mapped, estimated from a sample, and compared with other figures.

mapped        exact sums of cell area per region and class              -> areas/1
omission      what a map omits of a class, and wrongly shows as it
areas         estimates from a probability sample (`estimate_areas`)    -> areas/1
regional      estimates whose classes add up to each region's area, and the model's for small regions
change        gain, loss and net from points observed twice
comparison    estimates beside field records and official figures       -> comparison/1
density       mapped hectares per square of a grid
disclosure    which figures may be published, and the audit of those that are
legal         hectares by legal zone beside legal limits
eradication   claimed eradication beside observed loss
expected      the interval to expect from a design
two_phase     readings of all points, visits to a part of them
command       the same from files, for maps made elsewhere
"""

from cocal.estimate.areas import estimate_areas
from cocal.estimate.change import Change, estimate_change, paired_difference
from cocal.estimate.command import change_files, estimate_files
from cocal.estimate.comparison import compare, unmatched_official
from cocal.estimate.density import density_table
from cocal.estimate.disclosure import public_squares
from cocal.estimate.eradication import ERADICATION_COLUMNS, eradication_table
from cocal.estimate.expected import ExpectedInterval, expected_interval
from cocal.estimate.intervals import DEFAULT_INTERVAL, INTERVALS
from cocal.estimate.legal import LEGAL_COLUMNS, legal_domains, legal_table
from cocal.estimate.mapped import (
    count_units,
    country_table,
    exact_ha,
    format_ha,
    mapped_table,
    measure,
    region_areas,
)
from cocal.estimate.omission import map_errors
from cocal.estimate.reference_error import sensitivity_band
from cocal.estimate.result import Estimate, with_estimates
from cocal.estimate.settings import ASSISTED, ESTIMATORS, MIN_REGION_POINTS
from cocal.estimate.strata import Strata
from cocal.estimate.tables import write_comparison, write_tables
from cocal.estimate.tilt import missing_tilt
from cocal.estimate.two_phase import expected_two_phase, reading_rates

__all__ = [
    "ASSISTED",
    "DEFAULT_INTERVAL",
    "ERADICATION_COLUMNS",
    "ESTIMATORS",
    "INTERVALS",
    "LEGAL_COLUMNS",
    "MIN_REGION_POINTS",
    "Change",
    "Estimate",
    "ExpectedInterval",
    "Strata",
    "change_files",
    "compare",
    "count_units",
    "country_table",
    "density_table",
    "eradication_table",
    "estimate_areas",
    "estimate_change",
    "estimate_files",
    "exact_ha",
    "expected_interval",
    "expected_two_phase",
    "format_ha",
    "legal_domains",
    "legal_table",
    "map_errors",
    "mapped_table",
    "measure",
    "missing_tilt",
    "paired_difference",
    "public_squares",
    "reading_rates",
    "region_areas",
    "sensitivity_band",
    "unmatched_official",
    "with_estimates",
    "write_comparison",
    "write_tables",
]
