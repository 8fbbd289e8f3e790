"""From labelled samples and features to a class map.

settings     what the configuration states
samples      polygons and points -> labelled pixels
series       a table of labelled time series -> Dataset(time, sample)
estimators   the three kinds of classifier, their parameters
folds        spatial blocks -> folds
validation   scores under those folds, beside null models
train        samples with features -> Model
model        Model, its card and its folder: save, load, check
artefact     the skops archive: canonical bytes, checksum, allow-list
predict      features/1 -> classmap/1
product      classmap/1 -> cloud-optimised GeoTIFFs and a STAC item
"""
