"""Whether a model fits a run: the same features, scheme and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cocal.classify.card import as_json
from cocal.classify.contract import differences
from cocal.classify.model import Model
from cocal.contracts import FEATURES
from cocal.errors import ModelMismatchError
from cocal.scheme import ClassScheme


def check_model(
    model: Model, *, features: Sequence[str], scheme: ClassScheme, feature_settings: Mapping[str, Any]
) -> None:
    """Pass if the model was made for exactly these features, this scheme and these feature settings.

    Parameters
    ----------
    model : Model
        As trained or loaded.
    features : sequence of str
        Names of the features in order, as `feature_names` gives them.
    scheme : ClassScheme
        The scheme of the map.
    feature_settings : mapping
        `FeatureSettings.model_dump(mode="json")`.

    Raises
    ------
    ModelMismatchError
        Names each feature that is missing, extra or out of order, and each setting that differs.

    Examples
    --------
    See "Model, map, hectares" in docs/api.md.
    """
    card, offered, problems = model.card, list(features), []
    wanted = list(card.features)
    if lacking := [name for name in wanted if name not in offered]:
        problems.append(f"features missing here: {', '.join(lacking)}")
    if extra := [name for name in offered if name not in wanted]:
        problems.append(f"features that the model lacks: {', '.join(extra)}")
    if not problems and wanted != offered:
        problems.append(f"features in another order: the model has {', '.join(wanted)}")
    if card.contracts.get("features") != FEATURES:
        problems.append(f"contract {card.contracts.get('features')} in the model, {FEATURES} here")
    if card.class_scheme_sha256 != scheme.sha256:
        problems.append(f"class scheme {card.class_scheme.id} ({card.class_scheme_sha256[:12]}) in the model")
        problems.append(f"class scheme {scheme.id} ({scheme.sha256[:12]}) here")
        problems += differences(
            as_json(card.class_scheme.model_dump()), as_json(scheme.model_dump()), "scheme"
        )
    problems += differences(as_json(card.feature_settings), as_json(feature_settings), "feature settings")
    if problems:
        raise ModelMismatchError(
            f"model {card.id} was not made for this run",
            "the features, class scheme and feature settings that it was trained with",
            "; ".join(problems),
            "train a model with this config, or use the config that the model was trained with",
        )
