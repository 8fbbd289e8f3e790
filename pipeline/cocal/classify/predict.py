"""features/1 -> classmap/1: class and probability of the target, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.classify.applicability import UNKNOWN
from cocal.classify.calibration import at_prior, trained_share
from cocal.classify.card import ModelCard
from cocal.classify.estimators import one_thread
from cocal.classify.model import Model
from cocal.classify.settings import Missing
from cocal.contracts import CLASSMAP, NO_DATA, UNOBSERVED, check_classmap, check_features
from cocal.errors import ModelMismatchError
from cocal.scheme import ClassScheme

Decide = Callable[
    [NDArray[np.float64], int, NDArray[np.float64]], tuple[NDArray[np.intp], NDArray[np.float64]]
]

STRIP_PIXELS = 8_192
"""Pixels handed to the model in one call: bounds the memory, changes no result."""


def classify(
    features: xr.Dataset,
    model: Model,
    *,
    min_clear: int,
    missing: Missing,
    prior: NDArray[np.float64] | None = None,
    threshold: float | None = None,
    applicability: bool = False,
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
    prior : (y, x) float64, optional
        How probable the target is before the features are looked at (see `calibration`); left out: its share
        among the training samples.
    threshold : float, optional
        From this probability on a pixel is the target, below it the likeliest of the other classes; left out:
        the likeliest class.
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
    _check_fit([str(name) for name in features["feature"].values], model, missing, applicability)
    chosen = features["features"]
    if chosen["feature"].values.tolist() != names:
        chosen = chosen.sel(feature=names)
    if chosen.chunks is not None:
        chosen = chosen.chunk({"feature": -1})
    crop_class, probability = xr.apply_ufunc(
        _classify_pixels,
        chosen,
        features["n_clear"],
        xr.full_like(features["n_clear"], np.nan, dtype=np.float64)
        if prior is None
        else xr.DataArray(prior, dims=("y", "x")),
        input_core_dims=[["feature"], [], []],
        output_core_dims=[[], []],
        kwargs={
            "model": model, "min_clear": min_clear, "native": missing == "native",
            "decide": _decider(model.card, prior is not None, threshold),
        },
        dask="parallelized",
        output_dtypes=[np.uint8, np.float32],
        keep_attrs=False,
    )  # fmt: skip
    found = _described(crop_class, probability, features, model, min_clear, missing)
    if applicability:
        found = found.assign(dissimilarity=_dissimilarity(chosen, crop_class, model))
    return check_classmap(found)


def classify_strips(
    strips: Iterable[tuple[slice, NDArray[np.float32]]],
    names: Sequence[str],
    seen: xr.Dataset,
    model: Model,
    *,
    min_clear: int,
    missing: Missing,
    prior: NDArray[np.float64] | None = None,
    threshold: float | None = None,
    applicability: bool = False,
    alternative: bool = False,
) -> xr.Dataset:
    """`classify` of features that come as (rows, (feature, y, x)), so that no array holds them all.

    `names` are those of the features, `seen` is what features/1 holds besides them; the rest is as for `classify`, and so is
    the result. With `alternative` it has that too: uint8, the likeliest class besides the target, 0 where not observed.
    """
    _check_fit(names, model, missing, applicability)
    order = [list(names).index(name) for name in model.card.features]
    shape = seen["n_clear"].shape
    known = np.full(shape, np.nan) if prior is None else prior
    crop_class, probability = np.empty(shape, dtype=np.uint8), np.empty(shape, dtype=np.float32)
    steps, other = np.full(shape, UNKNOWN, dtype=np.uint8), np.full(shape, NO_DATA, dtype=np.uint8)
    for rows, values in strips:
        chosen = values if order == list(range(len(names))) else values[order]
        crop_class[rows], probability[rows] = _classify_pixels(
            np.moveaxis(chosen, 0, -1), seen["n_clear"].values[rows], known[rows], model=model, min_clear=min_clear,
            native=missing == "native", decide=_decider(model.card, prior is not None, threshold),
            alternative=other[rows] if alternative else None,
        )  # fmt: skip
        if applicability:
            steps[rows] = _steps(np.moveaxis(chosen, 0, -1), crop_class[rows], model)
    layers = [xr.DataArray(layer, dims=("y", "x")) for layer in (crop_class, probability)]
    found = _described(layers[0], layers[1], seen, model, min_clear, missing)
    if applicability:
        found = found.assign(dissimilarity=(("y", "x"), steps, _UNLIKE))
    if alternative:
        found = found.assign(
            alternative=(("y", "x"), other, {"long_name": "class besides the target", "units": "1"})
        )
    return check_classmap(found)


def _described(
    crop_class: xr.DataArray,
    probability: xr.DataArray,
    seen: xr.Dataset,
    model: Model,
    min_clear: int,
    missing: Missing,
) -> xr.Dataset:
    """The layers of a class map with what they are, on the grid of `seen`."""
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
        "simulated": int(bool(seen.attrs.get("simulated", 0)) or card.simulated),
    }
    kept = {k: v for k, v in seen.attrs.items() if k not in attrs}
    coords = {str(name): seen[name] for name in seen.coords if "feature" not in seen[name].dims}
    data = {"crop_class": crop_class.variable, "probability": probability.variable}
    return xr.Dataset(data, coords=coords, attrs=kept | attrs)


_UNLIKE = {
    "long_name": "dissimilarity from the training samples, 100 = threshold of the area of applicability",
    "units": "0.01",
}


def _dissimilarity(chosen: xr.DataArray, crop_class: xr.DataArray, model: Model) -> xr.Variable:
    """How unlike the training samples each observed pixel is."""
    found: xr.DataArray = xr.apply_ufunc(
        _steps, chosen, crop_class, input_core_dims=[["feature"], []], kwargs={"model": model}, dask="parallelized",
        output_dtypes=[np.uint8],
    )  # fmt: skip
    found.attrs = dict(_UNLIKE)
    return found.variable


def _steps(values: NDArray[np.float32], codes: NDArray[np.uint8], model: Model) -> NDArray[np.uint8]:
    """`_dissimilarity` of pixels (..., feature) with their class."""
    steps = np.full(codes.shape, UNKNOWN, dtype=np.uint8)
    if model.applicability is not None:
        observed = codes != NO_DATA
        steps[observed] = model.applicability.steps(values[observed])
    return steps


def class_flags(scheme: ClassScheme) -> dict[str, Any]:
    """flag_values and flag_meanings (CF 1.11, section 3.5) of the scheme; 0 is `unobserved`."""
    codes = {UNOBSERVED: NO_DATA, **scheme.codes}
    return {"flag_values": list(codes.values()), "flag_meanings": " ".join(codes)}


def _check_fit(offered: Sequence[str], model: Model, missing: Missing, applicability: bool) -> None:
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


def _likeliest(
    answer: NDArray[np.float64], column: int, _: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """(number of the class, probability of the target) of each row of (row, class) probabilities."""
    return answer.argmax(axis=1), answer[:, column]


def _besides(answer: NDArray[np.float64], column: int) -> NDArray[np.intp]:
    """Number of the likeliest class besides that of `column`, of each row of (row, class) probabilities."""
    rest = answer.copy()
    rest[:, column] = -1.0
    return np.asarray(rest.argmax(axis=1))


def _decider(card: ModelCard, prior: bool, threshold: float | None) -> Decide:
    """`_likeliest`, or that with the probability of the target at a prior (NaN: as trained) and from a threshold on."""
    if not prior and threshold is None:
        return _likeliest
    scheme = card.class_scheme
    trained = trained_share(card.training.pixels, card.class_weight, scheme.target)

    def decide(
        answer: NDArray[np.float64], column: int, prior: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        before = answer[:, column]
        target = np.where(np.isnan(prior), before, at_prior(before, trained, prior))
        other = _besides(answer, column)
        if threshold is None:
            share = answer[np.arange(len(answer)), other] / np.maximum(1 - before, np.finfo(float).tiny)
            is_target = target >= (1 - target) * share
        else:
            is_target = target >= threshold
        return np.where(is_target, column, other), target

    return decide


def _classify_pixels(
    values: NDArray[np.float32],
    n_clear: NDArray[np.uint16],
    prior: NDArray[np.float64],
    *,
    model: Model,
    min_clear: int,
    native: bool,
    decide: Decide,
    alternative: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(class, probability) of pixels (..., feature), strip by strip; what is not finite is missing.

    The likeliest class besides the target goes into `alternative`, contiguous and 0 at first, if it is there.
    """
    crop_class = np.full(n_clear.size, NO_DATA, dtype=np.uint8)
    probability = np.full(n_clear.size, np.nan, dtype=np.float32)
    predictor = model.predictor
    classes = np.asarray(predictor.classes_)
    column = int(np.flatnonzero(classes == model.target_code)[0])
    columns, seen = np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1), n_clear.ravel() >= min_clear
    known = prior.ravel()
    with one_thread():
        for start in range(0, n_clear.size, STRIP_PIXELS):
            strip = slice(start, start + STRIP_PIXELS)
            observed, chosen = _answerable(columns[:, strip], seen[strip], native=native)
            if observed.any():
                answer = predictor.predict_proba(chosen.T)
                best, certainty = decide(answer, column, known[strip][observed])
                crop_class[strip][observed] = classes[best]
                probability[strip][observed] = certainty
                if alternative is not None:
                    alternative.reshape(-1)[strip][observed] = classes[_besides(answer, column)]
    return crop_class.reshape(n_clear.shape), probability.reshape(n_clear.shape)


def _answerable(
    columns: NDArray[np.float32], seen: NDArray[np.bool_], *, native: bool
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which pixels of (feature, pixel) the model is asked about, and their features, NaN where not finite."""
    if np.isfinite(columns.min()) and np.isfinite(columns.max()):
        return seen, columns if seen.all() else np.compress(seen, columns, axis=1)
    finite = np.isfinite(columns)
    observed = seen if native else seen & finite.all(axis=0)
    chosen, there = (np.compress(observed, a, axis=1) for a in (columns, finite))
    return observed, chosen if there.all() else np.where(there, chosen, np.float32(np.nan))
