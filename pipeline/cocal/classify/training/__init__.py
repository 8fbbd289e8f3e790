"""From labelled places or series to a model.

samples      polygons and points -> labelled pixels
series       a table of labelled time series -> Dataset(time, sample)
tune         the estimator and its parameters, chosen under the blocks of the validation
sizes        how small a forest may be
distil       a small model in place of a large one
train        samples with features -> Model
checks       labels that deserve a second look; check_page: as a page
"""
