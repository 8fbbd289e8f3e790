"""features/1 -> classmap/1: class and probability of the target, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.classify.applicability import UNKNOWN
from cocal.classify.calibration import at_prior, trained_share
from cocal.classify.estimators import one_thread
from cocal.classify.model import Model
from cocal.classify.settings import Missing
from cocal.contracts import CLASSMAP, NO_DATA, UNOBSERVED, check_classmap, check_features
from cocal.errors import ModelMismatchError
from cocal.scheme import ClassScheme

STRIP_PIXELS = 8_192
"""Pixels handed to the model in one call: bounds the memory, changes no result."""

MISSING: dict[str, np.generic] = {
    "crop_class": np.uint8(NO_DATA), "probability": np.float32(np.nan),
    "dissimilarity": np.uint8(UNKNOWN), "margin": np.uint8(UNKNOWN), "alternative": np.uint8(NO_DATA),
}  # fmt: skip
"""The layers of a class map: the value, and by it the type, of a pixel that is not observed."""


@dataclass(frozen=True)
class MapRules:
    """The rules by which a model's probabilities become a class map.

    Attributes
    ----------
    min_clear : int
        Clear dates that a pixel needs to be observed.
    missing : {"unobserved", "native"}
        "unobserved": a pixel that lacks a feature is not observed; "native": it is classified, which needs a
        model trained with missing features.
    threshold : float, optional
        Probability from which a pixel is the target; below it, it is the likeliest of the other classes.
        None: the likeliest class.
    applicability : bool
        Add the layer `dissimilarity`: how unlike the model's training samples each pixel is (see
        `applicability`).
    margin : bool
        Add the layer `margin`: the probability of the likeliest class less that of the second, in hundredths.
    alternative : bool
        Add the layer `alternative`: the likeliest class besides the target.
    """

    min_clear: int
    missing: Missing
    threshold: float | None = None
    applicability: bool = False
    margin: bool = False
    alternative: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the map's layers, in the order of `MISSING`."""
        extra = {
            "dissimilarity": self.applicability, "margin": self.margin, "alternative": self.alternative,
        }  # fmt: skip
        return tuple(name for name in MISSING if extra.get(name, True))


def classify(
    features: xr.Dataset, model: Model, *, rules: MapRules, prior: NDArray[np.float64] | None = None
) -> xr.Dataset:
    """The class map of `features`.

    A pixel is observed where it has at least `rules.min_clear` clear dates and, unless `rules.missing` is
    "native", all features of the model. Its class has the highest probability; of equal ones the lowest code.
    A pixel's result does not depend on other pixels. Chunked features give a chunked map.

    Parameters
    ----------
    features : Dataset
        features/1, with the model's features by name, in any order.
    model : Model
        As trained or loaded.
    rules : MapRules
        What is observed, how the class is chosen, which layers the map has.
    prior : (y, x) float64, optional
        Prior probability of the target, 0 to 1, NaN = as in training (see `calibration`); None: as in
        training.

    Returns
    -------
    Dataset, classmap/1: crop_class uint8 (0 = not observed); probability float32 of the target class, NaN
    where not observed; dissimilarity, margin and alternative uint8 if `rules` ask for them.

    Raises
    ------
    ModelMismatchError
        The features lack one of the model's, the model was not trained for missing features, or it has no
        area of applicability.
    ContractError
        `features` is not features/1.

    Examples
    --------
    See docs/api.md.
    """
    check_features(features)
    names = list(model.card.features)
    _check_fit([str(name) for name in features["feature"].values], model, rules)
    chosen = features["features"]
    if chosen["feature"].values.tolist() != names:
        chosen = chosen.sel(feature=names)
    if chosen.chunks is not None:
        chosen = chosen.chunk({"feature": -1})
    known = [] if prior is None else [xr.DataArray(prior, dims=("y", "x"))]
    found = xr.apply_ufunc(
        _map_pixels,
        chosen,
        features["n_clear"],
        *known,
        input_core_dims=[["feature"], [], *([] for _ in known)],
        output_core_dims=[[] for _ in rules.layers],
        kwargs={"model": model, "rules": rules},
        dask="parallelized",
        output_dtypes=[MISSING[name].dtype for name in rules.layers],
        keep_attrs=False,
    )
    layers = {name: layer.variable for name, layer in zip(rules.layers, found, strict=True)}
    return check_classmap(_described(layers, features, model, rules))


def classify_strips(
    strips: Iterable[tuple[slice, NDArray[np.float32]]],
    names: Sequence[str],
    *,
    seen: xr.Dataset,
    model: Model,
    rules: MapRules,
    prior: NDArray[np.float64] | None = None,
) -> xr.Dataset:
    """`classify` of features that come as (rows, (feature, y, x)), so that no array holds them all.

    `names` are those of the features, `seen` is what features/1 holds besides them; the rest is as for
    `classify`, and so is the result.
    """
    _check_fit(names, model, rules)
    order = [list(names).index(name) for name in model.card.features]
    n_clear = seen["n_clear"].values
    layers = {name: np.empty(n_clear.shape, MISSING[name].dtype) for name in rules.layers}
    for rows, values in strips:
        chosen = values if order == list(range(len(names))) else values[order]
        known = None if prior is None else prior[rows]
        made = _map_pixels(np.moveaxis(chosen, 0, -1), n_clear[rows], known, model=model, rules=rules)
        for layer, part in zip(layers.values(), made, strict=True):
            layer[rows] = part
    variables = {name: xr.Variable(("y", "x"), layer) for name, layer in layers.items()}
    return check_classmap(_described(variables, seen, model, rules))


def _described(
    layers: Mapping[str, xr.Variable], seen: xr.Dataset, model: Model, rules: MapRules
) -> xr.Dataset:
    """The layers of a class map with their attributes, on the grid of `seen`."""
    card, scheme = model.card, model.card.class_scheme
    target = next(c for c in scheme.classes if c.key == scheme.target)
    described = {
        "crop_class": {"long_name": "class", "units": "1", **class_flags(scheme)},
        "probability": {"long_name": f"probability of {target.name_en}", "units": "1"},
        "dissimilarity": {
            "long_name": "dissimilarity from the training samples, "
            "100 = threshold of the area of applicability",
            "units": "0.01",
        },
        "margin": {
            "long_name": "probability of the likeliest class less that of the second",
            "units": "0.01",
        },
        "alternative": {"long_name": "class besides the target", "units": "1"},
    }
    for name, layer in layers.items():
        layer.attrs = described[name]
    attrs = {
        "contract": CLASSMAP,
        "model_id": card.id,
        "model_sha256": card.sha256,
        "class_scheme": scheme.id,
        "class_scheme_sha256": scheme.sha256,
        "target": scheme.target,
        "min_clear": rules.min_clear,
        "missing": rules.missing,
        "simulated": int(bool(seen.attrs.get("simulated", 0)) or card.simulated),
    }
    kept = {k: v for k, v in seen.attrs.items() if k not in attrs}
    coords = {str(name): seen[name] for name in seen.coords if "feature" not in seen[name].dims}
    return xr.Dataset(layers, coords=coords, attrs=kept | attrs)


def class_flags(scheme: ClassScheme) -> dict[str, Any]:
    """flag_values and flag_meanings (CF 1.11, section 3.5) of the scheme; 0 is `unobserved`."""
    codes = {UNOBSERVED: NO_DATA, **scheme.codes}
    return {"flag_values": list(codes.values()), "flag_meanings": " ".join(codes)}


def _check_fit(offered: Sequence[str], model: Model, rules: MapRules) -> None:
    lacking = [name for name in model.card.features if name not in offered]
    problems = [f"missing features: {', '.join(lacking)}"] if lacking else []
    if rules.missing == "native" and model.card.missing != "native":
        problems.append("`missing: native`, but it was trained on complete samples only (`missing: drop`)")
    if rules.applicability and model.card.applicability is None:
        problems.append("`applicability: true`, but the model has no area of applicability")
    if problems:
        raise ModelMismatchError(
            f"model {model.card.id} cannot classify these features",
            "the features and rules that it was trained with",
            "; ".join(problems),
            "compute the missing features, change the rules, or train a model that fits them",
        )


def _map_pixels(
    values: NDArray[np.float32],
    n_clear: NDArray[np.uint16],
    prior: NDArray[np.float64] | None = None,
    *,
    model: Model,
    rules: MapRules,
) -> tuple[NDArray[Any], ...]:
    """The layers of `rules` for pixels (..., feature), strip by strip; non-finite values are missing."""
    layers = {name: np.full(n_clear.size, MISSING[name]) for name in rules.layers}
    classes = np.asarray(model.predictor.classes_)
    target = int(np.flatnonzero(classes == model.target_code)[0])
    columns = np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1)
    seen = n_clear.ravel() >= rules.min_clear
    with one_thread():
        for start in range(0, n_clear.size, STRIP_PIXELS):
            strip = slice(start, start + STRIP_PIXELS)
            observed, chosen = _classifiable(columns[:, strip], seen[strip], native=rules.missing == "native")
            if not observed.any():
                continue
            answer = model.predictor.predict_proba(chosen.T)
            known = None if prior is None else prior.ravel()[strip][observed]
            best, probability = _decide(answer, target, known, model, rules.threshold)
            layers["crop_class"][strip][observed] = classes[best]
            layers["probability"][strip][observed] = probability
            if rules.applicability and model.applicability is not None:
                layers["dissimilarity"][strip][observed] = model.applicability.steps(chosen.T)
            if rules.margin:
                layers["margin"][strip][observed] = _margin(answer, target, probability)
            if rules.alternative:
                layers["alternative"][strip][observed] = classes[_likeliest_other(answer, target)]
    return tuple(layer.reshape(n_clear.shape) for layer in layers.values())


def _decide(
    answer: NDArray[np.float64],
    target: int,
    prior: NDArray[np.float64] | None,
    model: Model,
    threshold: float | None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """(column of the class, probability of the target) of each row of (row, class) probabilities."""
    before = answer[:, target]
    if prior is None and threshold is None:
        return answer.argmax(axis=1), before
    probability, other = before, _likeliest_other(answer, target)
    if prior is not None:
        card = model.card
        trained = trained_share(card.training.pixels, card.class_weight, card.class_scheme.target)
        probability = np.where(np.isnan(prior), before, at_prior(before, trained, prior))
    if threshold is None:
        share = answer[np.arange(len(answer)), other] / np.maximum(1 - before, np.finfo(float).tiny)
        is_target = probability >= (1 - probability) * share
    else:
        is_target = probability >= threshold
    return np.where(is_target, target, other), probability


def _likeliest_other(answer: NDArray[np.float64], target: int) -> NDArray[np.intp]:
    """Column of the likeliest class besides the target, of each row of (row, class) probabilities."""
    rest = answer.copy()
    rest[:, target] = -1.0
    return np.asarray(rest.argmax(axis=1))


def _margin(answer: NDArray[np.float64], target: int, probability: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(row) hundredths between the two likeliest classes of (row, class) probabilities.

    `probability` is that of the target on the map; the others keep their shares of the rest.
    """
    rest = np.maximum(1 - answer[:, target], np.finfo(float).tiny)
    now = answer * ((1 - probability) / rest)[:, None]
    now[:, target] = probability
    second, first = np.partition(now, -2, axis=1)[:, -2:].T
    return np.asarray(np.rint(100 * (first - second)).astype(np.uint8))


def _classifiable(
    columns: NDArray[np.float32], seen: NDArray[np.bool_], *, native: bool
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which pixels of (feature, pixel) are classified, and their features, NaN where not finite."""
    if np.isfinite(columns.min()) and np.isfinite(columns.max()):
        return seen, columns if seen.all() else np.compress(seen, columns, axis=1)
    finite = np.isfinite(columns)
    observed = seen if native else seen & finite.all(axis=0)
    chosen, present = (np.compress(observed, a, axis=1) for a in (columns, finite))
    return observed, chosen if present.all() else np.where(present, chosen, np.float32(np.nan))
