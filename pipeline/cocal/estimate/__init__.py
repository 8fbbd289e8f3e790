"""Hectares: what the map shows, what can be said of the truth, and how both sit beside other figures.

mapped        exact sums of cell area per region and class              -> areas/1
areas         estimates from a probability sample (`estimate_areas`)    -> areas/1
compare       estimates beside field records and official figures       -> comparison/1
command       the same on tables, for analysts with a map from elsewhere
"""

from cocal.estimate.areas import ESTIMATORS, estimate_areas
from cocal.estimate.compare import compare
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.mapped import count_units, country_table, format_ha, mapped_table, region_areas
from cocal.estimate.result import Estimate, with_estimates
from cocal.estimate.tables import write_comparison, write_tables

__all__ = [
    "ESTIMATORS",
    "INTERVALS",
    "Estimate",
    "compare",
    "count_units",
    "country_table",
    "estimate_areas",
    "format_ha",
    "mapped_table",
    "region_areas",
    "with_estimates",
    "write_comparison",
    "write_tables",
]
