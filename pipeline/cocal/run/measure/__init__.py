"""The measure stage: maps and records -> hectares.

counts     exact areas of all maps, one pass per tile: a unit that is kept      strata_cells  by stratum
stage      its batches               task     what the tables are made from
hectares   the tables of a run, from counts and records
frame_area whether the strata of a sample are the ground of the regions
matching   the records of each period beside its maps
sampling   records beside the map -> a sample of the frame -> estimates by domain
domains    countries and groups as domains; what could change an estimate
change     between two periods        legal     by zone of any kind    applicability  where the model applies
operations what maps and images show of them          claims    their verdicts, and sums beside the claims
"""

from cocal.run.measure.stage import check_places, measure_stage

__all__ = ["check_places", "measure_stage"]
