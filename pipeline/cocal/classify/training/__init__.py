"""From labelled polygons, points or series to a model.

samples      polygons and points -> labelled pixels
series       a table of labelled time series -> Dataset(time, sample)
tune         choice of the estimator and its parameters under the folds of the validation
sizes        accuracy of smaller forests against their cost
distil       a small model in place of a large one
train        samples with features -> Model
checks       labels to review, as a table and a page
"""
