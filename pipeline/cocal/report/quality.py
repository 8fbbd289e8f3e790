"""Sections of the page: what was left out or not observed, accuracy, the method, the repeat."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import pandas as pd

from cocal.notes import Note
from cocal.report.blocks import (
    Block,
    Column,
    Figure,
    Items,
    Picture,
    Sheet,
    Text,
    sheet,
)
from cocal.report.columns import ha, has, interval, region
from cocal.report.content import Accuracy, ReportContent
from cocal.report.drawing import NARROW, WIDE, svg_uri
from cocal.report.numbers import DASH, decimals_for
from cocal.report.place import Place, rows_of
from cocal.report.series import calibration_figure
from cocal.report.texts import Wording

_NAMES_SAMPLES = (
    "labels_unused", "records_elsewhere", "records_in_no_period", "records_outside",
)  # fmt: skip
"""Notes whose `which` are ids of labels and field records."""


def unseen(content: ReportContent, t: Wording) -> list[Block]:
    """Ground that was not observed, where the model does not apply, effect of the minimum unit, failures."""
    places = content.places[content.last]
    decimals, outside = decimals_for(p.owned_ha for p in places), has(places, "not_sampled_ha")
    columns = [
        region(t),
        Column(f"{t('owned')} (ha)", lambda p: t.ha(p.owned_ha, decimals)),
        Column(t("unobserved_short"), lambda p: t.ha(p.unobserved_ha, decimals)),
        Column(t("unobserved_share"), lambda p: t.percent(p.unobserved_share)),
        *([Column(t("not_sampled_short"), lambda p: t.ha(p.not_sampled_ha, decimals))] if outside else []),
        Column(t("observed_share"), lambda p: t.percent(_observed(p))),
    ]
    caption = t("unseen_caption")
    return [
        Text(t("unseen_text")),
        sheet("unseen", caption, columns, places, numbered=True),
        *_by_region(content.applicability, "applicability", content, t),
        *_by_region(content.minimum_unit, "minimum_unit", content, t),
        *_failures(content, t),
    ]


def _observed(place: Place) -> float | None:
    return None if place.unobserved_share is None else 1 - place.unobserved_share


def _by_region(table: pd.DataFrame | None, key: str, content: ReportContent, t: Wording) -> list[Block]:
    """The table `key` of the run in the headline period; nothing where the run has none."""
    rows = rows_of(table, {"period": content.last})
    if table is None or table.empty:
        return []
    columns = {
        "applicability": [
            ha(t, "observed_ground", "observed_ha"), ha(t, "outside_ground", "outside_ha"),
            Column(t("outside_share"), lambda row: t.percent(row["outside_fraction"]), "strong"),
            ha(t, "mapped_short", "mapped_ha"), ha(t, "mapped_outside", "mapped_outside_ha"),
            ha(t, "expected_by_model", "expected_ha"),
        ],
        "minimum_unit": [
            ha(t, "before_unit", "draft_ha"), ha(t, "unit_removed", "removed_ha"),
            ha(t, "unit_added", "added_ha"), ha(t, "mapped_short", "mapped_ha", "strong"),
        ],
    }  # fmt: skip
    name = Column(t("region"), lambda row: str(row["region_name"]), "text")
    caption = t(f"{key}_caption")
    return [
        Text(t(f"{key}_title"), block="title"),
        Text(t(f"{key}_text")),
        sheet(key.replace("_", "-"), caption, [name, *columns[key]], rows),
    ]


def _failures(content: ReportContent, t: Wording) -> list[Block]:
    if not content.failures:
        return [Text(t("failures_none"))]
    caption = t("failures_text", n=t.number(len(content.failures)))
    columns = [Column(t("unit"), itemgetter(0), "code"), Column(t("reason"), itemgetter(1), "words")]
    return [
        Text(caption),
        sheet("failures", caption, columns, content.failures, look="narrow short", label=""),
    ]


def accuracy(content: ReportContent, t: Wording) -> list[Block]:
    """The field records, what they leave open, and the map against them."""
    found: list[Block] = []
    records = content.records_summary
    if records is not None:
        found.append(Text(t("records_text", design=t.words(records.design))))
        found += _counts("status", records.by_status, t) + _counts("stratum", records.by_stratum, t)
    found += [*_warnings(content, t), *_caveats(content, t)]
    if content.observers:
        of = content.observers
        shares = {"agree": t.percent(of["agree"]), "positive": t.percent(of["target_positive"])}
        found.append(Text(t("observers_text", n=t.number(of["pairs"]), **shares)))
    if content.accuracy is None:
        return [*found, Text(t("accuracy_none"))]
    return [*found, *_matrices(content.accuracy, t), *_calibration(content, t), *_nulls(content.accuracy, t)]


def _counts(key: str, counts: Mapping[str, int], t: Wording) -> list[Block]:
    """Numbers of records by status or stratum."""
    columns = [
        Column(t(key), lambda row: t.class_name(t.term(key, row[0])), "text"),
        Column(t("records_count"), lambda row: t.number(row[1])),
    ]
    caption = t(f"records_{key}_caption")
    return [sheet(key, caption, columns, counts.items(), look="narrow short")] if counts else []


def _warnings(content: ReportContent, t: Wording) -> list[Block]:
    """The warnings of the estimates, with their period if there are several."""
    several = len(content.periods) > 1
    found = tuple(f"{period}: {t.notes([n])}" if several else t.notes([n]) for period, n in content.warnings)
    return [Text(t("warnings_title"), block="title"), Items("bullets", found)] if found else []


def _caveats(content: ReportContent, t: Wording) -> list[Block]:
    """Places whose estimate missing points could change, or with a band for errors of the observers."""
    places = [
        p
        for p in content.places[content.last]
        if p.reference_low_ha is not None or p.missing_low_ha != p.missing_high_ha
    ]
    odds = t.ratio(content.tilt[0]) if content.tilt else ""
    columns = [
        region(t), ha(t, "estimated_short", "estimated_ha", "strong"),
        interval(content.places[content.last], t),
        Column(t("caveats_missing"), lambda p: t.interval(p.missing_low_ha, p.missing_high_ha)),
        *(
            [Column(t("caveats_tilt", odds=odds), lambda p: t.interval(p.tilt_low_ha, p.tilt_high_ha))]
            if odds
            else []
        ),
        Column(t("caveats_reference"), lambda p: t.interval(p.reference_low_ha, p.reference_high_ha)),
    ]  # fmt: skip
    shown = columns if has(places, "reference_low_ha") else columns[:-1]
    caption = t("caveats_caption")
    table = sheet("caveats", caption, shown, places, numbered=True)
    return [table, Text(t("caveats_note"), "note")] if places else []


def _matrices(of: Accuracy, t: Wording) -> list[Block]:
    found: list[Block] = [
        Text(f"{t('reference')}: {t.words(of.reference)}"),
        _matrix("counts", of.counts, 0, t),
    ]
    if of.proportions is not None:
        found.append(_matrix("proportions", of.proportions, 2, t))
    known = [name for name in ("users", "producers") if of.by_class[name].notna().any()]
    if not known:
        return found
    scores = {str(key): row for key, row in of.by_class.to_dict("index").items()}
    columns = [
        Column(t("class"), t.class_name, "text"),
        *(Column(t(name), partial(_with_error, scores, name, t)) for name in known),
    ]
    note = " ".join(t(f"{name}_note") for name in known)
    if of.overall is not None:
        note += " " + t("overall_note", overall=t.percent(of.overall), se=t.percent(of.overall_se))
    table = sheet("scores", t("scores_caption"), columns, scores, look="scrolls short")
    return [*found, table, Text(note, "note")]


def _matrix(key: str, table: pd.DataFrame, decimals: int, t: Wording) -> Sheet:
    """A confusion matrix of counts or, with decimals, of shares."""
    cells = table.to_dict("index")

    def column(name: str) -> Column:
        def worded(row: str) -> str:
            value = cells[row][name]
            return t.percent(value, decimals) if decimals else t.number(int(value))

        return Column(t.class_name(name), worded)

    columns = [Column(t("map_reference"), t.class_name, "text"), *map(column, table.columns)]
    return sheet(key, t(f"{key}_caption"), columns, table.index, look="scrolls short", diagonal=True)


def _with_error(scores: Mapping[str, Mapping[Any, float]], name: str, t: Wording, key: str) -> str:
    text, spread = t.percent(scores[key][name]), t.percent(scores[key][f"{name}_se"])
    return text if spread == DASH else f"{text} ± {spread}"


def _calibration(content: ReportContent, t: Wording) -> list[Block]:
    if content.calibration is None or content.calibration.empty:
        return []
    wide, narrow = (svg_uri(calibration_figure(content, t, shape)) for shape in (WIDE, NARROW))
    shown = Picture(wide, narrow, t("calibration_alt"))
    return [Figure("figure", t("calibration_caption"), (shown,), "chart small")]


def _nulls(of: Accuracy, t: Wording) -> list[Block]:
    columns = [
        Column(t("model"), lambda row: t.term("null", row["name"]), "text"),
        Column(t("score"), lambda row: row["score"], "words"),
        Column(t("value"), lambda row: t.ha(row["value"], 3)),
    ]
    table = sheet("nulls", t("nulls_caption"), columns, rows_of(of.nulls), look="narrow short")
    return [] if of.nulls is None else [table]


def left_out(content: ReportContent, t: Wording) -> list[Block]:
    """What the run left out or repaired; empty where there is none. The public page names no sample."""
    hidden = _NAMES_SAMPLES if content.profile == "public" else ()
    notes = [
        Note(note.code, **note.values | {"which": (DASH,)}) if note.code in hidden else note
        for note in content.left_out
    ]
    bullets = Items("bullets", tuple(t.notes([note]) for note in notes))
    return [Text(t("left_out_text")), bullets] if notes else []


def method(content: ReportContent, t: Wording) -> list[Block]:
    """The method, and what counts as the target."""
    return [
        Items("steps", tuple(t(f"method_{n}") for n in (1, 2, 3, *((4,) if content.estimated else ())))),
        Text(t("definition_title"), block="title"),
        Items("pairs", tuple((t.term("definition", k), v) for k, v in t.definition.items())),
        Text(f"{t('class_scheme')}: {content.scheme.id}", "note"),
    ]


def reproduce(content: ReportContent, t: Wording) -> list[Block]:
    """The command, the configuration, and the files, checksums and versions of the run."""
    given, overview = content.reproduce, content.map_overview
    found: list[Block] = [
        Text(t("reproduce_text")),
        Text(given.command, block="code"),
        Text(t("config"), block="title"),
    ]
    if content.profile == "public":
        found.append(Text(t("config_public"), "note"))
    pairs = {
        "inputs": [(name, t.term("input", role)) for name, role in given.inputs],
        "hashes": [(t.term("input", role), digest) for role, digest in given.hashes.items()],
        "versions": [*given.versions.items()],
    }
    lists = [
        b for key, own in pairs.items() for b in (Text(t(key), block="title"), Items("pairs", tuple(own)))
    ]
    sources = tuple(t.words(source) for source in overview.sources) if overview else ()
    last: list[Block] = [Text(t("sources"), block="title"), Items("bullets", sources)] if sources else []
    return [*found, Text(given.config_text, block="code"), *lists, *last]
