"""Regional hectares from the sample and the known areas of the map, so that classes and regions add up.

known              hectares of every stratum, region and map class, and the points on the same ground
calibration        known areas times pooled rates, corrected by each region's points; raking
ends               ends of intervals: common classes, and the guarantee of rare ones
calibrated         the estimate of areas from tables
calibrated_change  the same of change, as transitions
shared_rates       rates that regions share (hierarchical beta-binomial)
small_area         the model's interval for regions with few hits
calibrated_small   its columns beside the calibrated figures
"""
