"""The measure stage: maps and records -> hectares.

stage      the tables of a run: regions, countries, groups; records; what the others below make
sampling   records beside the map -> a sample of the frame -> estimates by domain
domains    countries and groups as domains; what could change an estimate
change     between two periods        legal     by zone of the law        density   by square
counting   exact areas of all tiles   counts    of one tile, in a worker
"""

from cocal.run.measure.stage import check_places, measure_inputs, measure_stage

__all__ = ["check_places", "measure_inputs", "measure_stage"]
