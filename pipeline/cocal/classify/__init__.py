"""From labelled samples and features to a class map.

settings       what the configuration states
estimators     the kinds of classifier, their parameters
validation/    scores of a model: folds, null models
training/      labelled places or series -> Model
card           description and scores of a model: card.json, sealed
page           the card as a page: card.html
model          Model and its folder: save, load, check
collection     a folder of models: list, find, verify, keep
artefact       the skops archive: canonical bytes, checksum, allow-list
kernel/        the same answers as the estimators', several times faster
applicability  where a model applies; nearest: how far a pixel is from the samples
predict        features/1 -> classmap/1
calibration    probabilities at the prevalence of the map, and a threshold for them
minimum        patches and holes of a few pixels taken away, the area kept; flood: its kernel
product        classmap/1 -> cloud-optimised GeoTIFFs and a STAC item
"""

from cocal.classify.card import ModelCard
from cocal.classify.fit import check_model
from cocal.classify.model import Model, load_model, save_model, stored_model
from cocal.classify.predict import MapRules, classify, classify_strips
from cocal.classify.product import write_class_map
from cocal.classify.settings import ClassifySettings, SampleSettings, TrainSettings
from cocal.classify.training.checks import write_trained
from cocal.classify.training.samples import Samples, read_samples, sample_pixels
from cocal.classify.training.series import read_series
from cocal.classify.training.train import train, train_and_validate
from cocal.classify.validation.validate import ScoreTable, score_tables

__all__ = [
    "ClassifySettings",
    "MapRules",
    "Model",
    "ModelCard",
    "SampleSettings",
    "Samples",
    "ScoreTable",
    "TrainSettings",
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
    "train_and_validate",
    "write_class_map",
    "write_trained",
]
