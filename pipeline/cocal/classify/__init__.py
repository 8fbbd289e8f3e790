"""From labelled samples and features to a class map.

settings     what the configuration states
samples      polygons and points -> labelled pixels
series       a table of labelled time series -> Dataset(time, sample)
estimators   the three kinds of classifier, their parameters
kernel/      the same answers as theirs, several times faster
folds        spatial blocks, regions, years -> folds
scoring      what predictions are worth for a rare class, with intervals over blocks
nulls        the null models
validation   scores under those folds, beside the null models
checks       labels that deserve a second look; check_page: as a page
tune         the estimator and its parameters, chosen under the same blocks
sizes        how small a forest may be
distil       a small forest in place of a large model
train        samples with features -> Model
card         what a model is and is worth: card.json, sealed
page         the card for people: card.html
model        Model and its folder: save, load, check
collection   a folder of models: list, find, verify, keep
artefact     the skops archive: canonical bytes, checksum, allow-list
predict      features/1 -> classmap/1
minimum      patches and holes of a few pixels taken away, the area kept; flood: its kernel
product      classmap/1 -> cloud-optimised GeoTIFFs and a STAC item
"""

from cocal.classify.card import ModelCard
from cocal.classify.check_page import write_checks
from cocal.classify.checks import check_labels
from cocal.classify.model import Model, check_model, load_model, save_model, stored_model
from cocal.classify.predict import classify, classify_strips
from cocal.classify.product import write_class_map
from cocal.classify.samples import Samples, read_samples, sample_pixels
from cocal.classify.series import read_series
from cocal.classify.settings import ClassifySettings, SampleSettings, TrainSettings
from cocal.classify.train import train
from cocal.classify.validation import ScoreTable, score_tables

__all__ = [
    "ClassifySettings",
    "Model",
    "ModelCard",
    "SampleSettings",
    "Samples",
    "ScoreTable",
    "TrainSettings",
    "check_labels",
    "check_model",
    "classify",
    "classify_strips",
    "load_model",
    "read_samples",
    "read_series",
    "sample_pixels",
    "save_model",
    "score_tables",
    "stored_model",
    "train",
    "write_checks",
    "write_class_map",
]
