"""The section of the page on what made the map: the model's card and scores, or an office's own map."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from cocal.report.blocks import Block, Column, Items, Text, sheet
from cocal.report.content import ReportContent
from cocal.report.texts import Wording, texts

_CARD = "card."
"""Before the dotted path of a fact in the model's card: such keys of texts.yaml are its label."""


def model(content: ReportContent, t: Wording) -> list[Block]:
    """The model's card, and its scores beside those of null models; or what the office's own map is."""
    if "census" in content.model_card:
        pairs = Items("pairs", tuple(_facts(content.model_card, t)))
        return [Text(t("census_text")), pairs, *_drawn(content.model_card["census"], t)]
    scores = _scores(content.model_card, t)
    columns = [
        Column(t("model"), itemgetter(0), "text"),
        Column(t("users"), itemgetter(1)),
        Column(t("producers"), itemgetter(2)),
        Column("F1", itemgetter(3)),
        Column(t("macro_f1"), itemgetter(4)),
    ]
    table = sheet("model", t("model_caption"), columns, scores, look="scrolls short")
    found: list[Block] = [Text(t("model_text")), Items("pairs", tuple(_facts(content.model_card, t)))]
    return [*found, table, Text(t("model_note"), "note")] if scores else found


def _drawn(census: Mapping[str, Any], t: Wording) -> list[Block]:
    """The polygons of an office's own map by period and class; nothing of a raster, and on a public page."""
    rows = [
        (period, t.class_name(key), own["polygons"], own["hectares"])
        for period, classes in census.get("drawn", {}).items()
        for key, own in classes.items()
    ]
    columns = [
        Column(t("period"), itemgetter(0), "text"),
        Column(t("class"), itemgetter(1), "text"),
        Column(t("polygons"), lambda row: t.number(row[2])),
        Column(t("drawn_ha"), lambda row: t.ha(row[3], 1)),
    ]
    table = sheet("census", t("drawn_caption"), columns, rows, look="scrolls short")
    return [table, Text(t("drawn_note", n=t.number(census["overlaps"])), "note")] if rows else []


def _facts(card: Mapping[str, Any], t: Wording) -> list[tuple[str, str]]:
    """(label, text) of the facts of the card that texts.yaml has a label for, in its order."""
    paths = [key.removeprefix(_CARD) for key in texts() if key.startswith(_CARD)]
    known = [(path, _at(card, path)) for path in paths]
    return [(t(_CARD + path), _worded(value, t)) for path, value in known if value not in (None, "", (), [])]


def _at(card: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where the card has none."""
    found: Any = card
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _worded(value: Any, t: Wording) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{t.class_name(str(k))} {t.number(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_worded(v, t) for v in value)
    if isinstance(value, float):
        return t.number(value, 0 if value.is_integer() else 3)
    start, to, end = str(value).partition(" to ")
    return t("span", start=start, end=end) if to else t.term("value", str(value))


def _scores(card: Mapping[str, Any], t: Wording) -> list[tuple[str, ...]]:
    """Per model its name and, for the target, user's and producer's accuracy and F1, then the mean F1.

    The card's own model first, then the null models that were scored on the same samples.
    """
    models = {t("this_model"): _at(card, "validation.model")}
    models |= {t.term("null", str(k)): v for k, v in (_at(card, "validation.null_models") or {}).items()}
    found = []
    for name, result in models.items():
        pooled = _at(result, "pooled") if isinstance(result, Mapping) else None
        if pooled is not None:
            target = _at(pooled, f"classes.{t.scheme.target}") or {}
            shares = [t.percent(target.get(key)) for key in ("users_accuracy", "producers_accuracy")]
            found.append((name, *shares, t.ha(target.get("f1"), 3), t.ha(pooled.get("macro_f1"), 3)))
    return found
