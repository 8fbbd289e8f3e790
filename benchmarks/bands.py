"""What is computed from what, in all benchmarks of a whole pipeline. Imports nothing: the yardsticks start
without cocal.
"""

FINE = ("blue", "green", "red", "nir")
COARSE = ("rededge071", "rededge075", "rededge078", "nir08", "swir16", "swir22")
INDICES = ("NDVI", "EVI2", "SAVI", "NDMI", "NBR2", "BSI", "CIRE", "NDREI", "GNDVI", "MCARI", "NDWI", "MTCI")
