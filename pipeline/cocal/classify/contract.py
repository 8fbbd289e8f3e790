"""What a model was trained with, as plain values: a part of the checksum of its artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.checksums import sha256_bytes
from cocal.classify.applicability import Applicability
from cocal.classify.card import AreaOfApplicability, SelfTest, as_json
from cocal.classify.estimators import Classifier, one_thread
from cocal.contracts import FEATURES


def stated_area(area: Applicability) -> AreaOfApplicability:
    """What the card and the contract state of an area of applicability."""
    return AreaOfApplicability(
        mean_distance=area.scale, threshold=area.threshold, samples=len(area.samples),
        sha256=sha256_bytes(area.array.tobytes()),
    )  # fmt: skip


def contract_of(
    features: Sequence[str],
    feature_settings: Mapping[str, Any],
    scheme_sha256: str,
    classes: Mapping[str, int],
    area: AreaOfApplicability | None = None,
) -> dict[str, Any]:
    """A model's contract, part of the artefact's checksum: features and their settings, scheme, classes."""
    return {
        "contract": FEATURES,
        "features": list(features),
        "feature_settings": as_json(feature_settings),
        "class_scheme_sha256": scheme_sha256,
        "classes": dict(classes),
        "applicability": area and area.model_dump(exclude_none=True),
    }


def self_test_of(classifier: Classifier, features: NDArray[np.float32]) -> SelfTest:
    """The rows of `features` with the classifier's probabilities."""
    with one_thread():
        probabilities = classifier.predict_proba(features)
    return SelfTest(
        inputs=tuple(tuple(None if np.isnan(v) else float(v) for v in row) for row in features),
        probabilities=tuple(tuple(map(float, row)) for row in probabilities),
    )


def differences(model: Any, run: Any, path: str = "") -> list[str]:
    """The differences of two plain values, each with its path: `mask.dilate_px: 2 in the model, 3 here`."""
    if isinstance(model, dict) and isinstance(run, dict):
        keys = [*model, *(k for k in run if k not in model)]
        missing = "(missing)"
        return [
            line
            for key in keys
            for line in differences(
                model.get(key, missing), run.get(key, missing), f"{path}.{key}".lstrip(".")
            )
        ]
    return [] if model == run else [f"{path}: {model} in the model, {run} here"]
