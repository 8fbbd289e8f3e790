"""The stages of a run that make scenes, models, maps and samples: each a generator of batches of recipes.

imports    sources -> scenes of the archive          train      labels -> a model
classify   scenes, a model -> maps; or features      minimum    maps without patches that are too small
design     maps -> a sample for field work           download   catalogue -> screens -> tile-dates, a loop of its own
"""
