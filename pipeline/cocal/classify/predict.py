"""features/1 -> classmap/1: class and probability of the target, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.classify.applicability import UNKNOWN
from cocal.classify.estimators import one_thread
from cocal.classify.model import Model
from cocal.classify.settings import Missing
from cocal.contracts import CLASSMAP, NO_DATA, UNOBSERVED, check_classmap, check_features
from cocal.errors import ModelMismatchError
from cocal.scheme import ClassScheme

ROWS_AT_ONCE = 65_536
"""Pixels handed to the estimator in one call: bounds the memory, changes no result."""


def classify(
    features: xr.Dataset, model: Model, *, min_clear: int, missing: Missing, applicability: bool = False
) -> xr.Dataset:
    """The class map of `features`.

    A pixel is observed where it has at least `min_clear` clear dates and, unless `missing` is "native", all
    features of the model. Its class has the highest probability; of equal ones the lowest code. The answer
    for a pixel does not depend on the other pixels. Chunked features give a chunked map.

    Parameters
    ----------
    features : Dataset
        features/1, with the model's features by name, in any order.
    model : Model
        As trained or loaded.
    min_clear : int
        Clear dates needed.
    missing : {"unobserved", "native"}
        What a missing feature means; "native" needs a model trained with missing features.
    applicability : bool
        Add how unlike the model's training samples each pixel is (see `applicability`).

    Returns
    -------
    Dataset, classmap/1: crop_class uint8 (0 = not observed); probability float32 of the target class, NaN
    where not observed.

    Raises
    ------
    ModelMismatchError
        A feature of the model is missing, it was not trained for missing features, or it does not tell where
        it applies.
    ContractError
        `features` is not features/1.
    """
    check_features(features)
    names = list(model.card.features)
    _check_fit(features, model, missing, applicability)
    chosen = features["features"].sel(feature=names)
    if chosen.chunks is not None:
        chosen = chosen.chunk({"feature": -1})
    crop_class, probability = xr.apply_ufunc(
        _classify_pixels,
        chosen,
        features["n_clear"],
        input_core_dims=[["feature"], []],
        output_core_dims=[[], []],
        kwargs={"model": model, "min_clear": min_clear, "native": missing == "native"},
        dask="parallelized",
        output_dtypes=[np.uint8, np.float32],
        keep_attrs=False,
    )
    card, scheme = model.card, model.card.class_scheme
    target = next(c for c in scheme.classes if c.key == scheme.target)
    crop_class.attrs = {"long_name": "class", "units": "1", **class_flags(scheme)}
    probability.attrs = {"long_name": f"probability of {target.name_en}", "units": "1"}
    attrs = {
        "contract": CLASSMAP,
        "model_id": card.id,
        "model_sha256": card.sha256,
        "class_scheme": scheme.id,
        "class_scheme_sha256": scheme.sha256,
        "target": scheme.target,
        "min_clear": min_clear,
        "missing": missing,
        "simulated": int(bool(features.attrs.get("simulated", 0)) or card.simulated),
    }
    kept = {k: v for k, v in features.attrs.items() if k not in attrs}
    coords = {str(name): features[name] for name in features.coords if "feature" not in features[name].dims}
    data = {"crop_class": crop_class.variable, "probability": probability.variable}
    found = xr.Dataset(data, coords=coords, attrs=kept | attrs)
    if applicability:
        found = found.assign(dissimilarity=_dissimilarity(chosen, crop_class, model))
    return check_classmap(found)


def _dissimilarity(chosen: xr.DataArray, crop_class: xr.DataArray, model: Model) -> xr.Variable:
    """How unlike the training samples each observed pixel is."""
    area = model.applicability

    def pixels(values: NDArray[np.float32], codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        steps = np.full(codes.shape, UNKNOWN, dtype=np.uint8)
        if area is not None:
            observed = codes != NO_DATA
            steps[observed] = area.steps(values[observed])
        return steps

    found: xr.DataArray = xr.apply_ufunc(
        pixels, chosen, crop_class, input_core_dims=[["feature"], []], dask="parallelized", output_dtypes=[np.uint8]
    )  # fmt: skip
    words = "dissimilarity from the training samples, 100 = threshold of the area of applicability"
    found.attrs = {"long_name": words, "units": "0.01"}
    return found.variable


def class_flags(scheme: ClassScheme) -> dict[str, Any]:
    """flag_values and flag_meanings (CF 1.11, section 3.5) of the scheme; 0 is `unobserved`."""
    codes = {UNOBSERVED: NO_DATA, **scheme.codes}
    return {"flag_values": list(codes.values()), "flag_meanings": " ".join(codes)}


def _check_fit(features: xr.Dataset, model: Model, missing: Missing, applicability: bool) -> None:
    offered = {str(name) for name in features["feature"].values}
    lacking = [name for name in model.card.features if name not in offered]
    problems = [f"features missing here: {', '.join(lacking)}"] if lacking else []
    if missing == "native" and model.card.missing != "native":
        problems.append("`missing: native`, but it was trained on complete samples only (`missing: drop`)")
    if applicability and model.card.applicability is None:
        problems.append("`applicability: true`, but its samples do not tell where it applies")
    if problems:
        raise ModelMismatchError(
            f"model {model.card.id} cannot classify these features", "the features and the rule it was trained with",
            "; ".join(problems), "compute these features, or train a model for those that there are",
        )  # fmt: skip


def _classify_pixels(
    values: NDArray[np.float32], n_clear: NDArray[np.uint16], *, model: Model, min_clear: int, native: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(class, probability) of pixels (..., feature); what is not finite is missing."""
    crop_class = np.full(n_clear.shape, NO_DATA, dtype=np.uint8)
    probability = np.full(n_clear.shape, np.nan, dtype=np.float32)
    finite = np.isfinite(values)
    observed = n_clear >= min_clear
    if not native:
        observed &= finite.all(axis=-1)
    rows = np.where(finite[observed], values[observed], np.float32(np.nan))
    classes = np.asarray(model.classifier.classes_)
    column = int(np.flatnonzero(classes == model.target_code)[0])
    found, certainty = np.empty(len(rows), dtype=np.uint8), np.empty(len(rows), dtype=np.float32)
    with one_thread():
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            answer = model.predictor.predict_proba(rows[part])
            found[part] = classes[answer.argmax(axis=1)]
            certainty[part] = answer[:, column]
    crop_class[observed], probability[observed] = found, certainty
    return crop_class, probability
