"""The model's card in plain words: what it is, what it was trained on, how it did beside null models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cocal.report.texts import Voice, texts

_PREFIX = "card."
_NAMESPACES = {"training.provenance.period": "span"}


def _at(card: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where the card does not go there."""
    found: Any = card
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def card_facts(card: Mapping[str, Any], t: Voice) -> list[tuple[str, str]]:
    """(label, text) of the facts that the page's dictionary has a word for, in the dictionary's order."""
    paths = [key.removeprefix(_PREFIX) for key in texts() if key.startswith(_PREFIX)]
    known = [(path, _at(card, path)) for path in paths]
    return [
        (t(_PREFIX + path), _text(value, t, _NAMESPACES.get(path, "value")))
        for path, value in known
        if value not in (None, "", (), [])
    ]


def _text(value: Any, t: Voice, namespace: str) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{t.class_name(str(k))} {t.number(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(v, t, namespace) for v in value)
    if isinstance(value, float):
        return t.number(value, 0 if value.is_integer() else 3)
    return t.phrase(namespace, str(value))


def card_scores(card: Mapping[str, Any], t: Voice) -> list[tuple[str, list[str]]]:
    """Per model its name and, for the target, user's and producer's accuracy and F1, then the mean F1.

    The card's own model first, then the null models that were scored on the same samples.
    """
    models = {t("this_model"): _at(card, "validation.model")}
    models |= {t.phrase("null", str(k)): v for k, v in (_at(card, "validation.null_models") or {}).items()}
    found = []
    for name, result in models.items():
        pooled = _at(result, "pooled") if isinstance(result, Mapping) else None
        if pooled is not None:
            target = _at(pooled, f"classes.{t.scheme.target}") or {}
            shares = [t.percent(target.get(key)) for key in ("users_accuracy", "producers_accuracy")]
            found.append((name, [*shares, t.ha(target.get("f1"), 3), t.ha(pooled.get("macro_f1"), 3)]))
    return found
