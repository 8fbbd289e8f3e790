"""All that the page shows in one language: figures worded and rounded, pictures drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

from cocal.contracts import Period
from cocal.report import drawing, tables
from cocal.report.card import card_facts, card_scores
from cocal.report.content import TOTAL, ReportContent
from cocal.report.drawing import NARROW, WIDE
from cocal.report.figures import hectares_figures
from cocal.report.map import map_figure, pixel_metres
from cocal.report.numbers import DASH, decimals_for
from cocal.report.sections import (
    Scribe,
    Sheet,
    applicability_sheets,
    change_sheets,
    eradication_sheets,
    group_sheets,
    latest_change,
    legal_sheets,
    minimum_unit_sheets,
)
from cocal.report.series import calibration_figure, lines, series_figures
from cocal.report.tables import Place
from cocal.report.texts import Voice

_SECTIONS = (
    "headline", "figure", "map", "comparison", "change", "groups", "legal", "eradication", "classes", "unseen",
    "accuracy", "model", "method", "reproduce",
)  # fmt: skip


@dataclass(frozen=True)
class _ClassRows:
    """A table of all classes, worded."""

    caption: str
    period: str
    mapped: bool
    classes: tuple[str, ...]
    rows: list[tuple[Place, list[str]]]


def page_view(content: ReportContent, t: Voice) -> dict[str, Any]:
    """All that the template shows in one language."""
    period = content.periods[-1]
    places = tables.by_region(content, period.name)
    countries = tables.by_country(content, period.name)
    decimals = tables.rounding([*places, *countries])
    estimated = any(p.estimated_ha is not None for p in places)
    has = {
        "official": any(p.official_ha is not None for p in places),
        "field": any(p.field_ha is not None for p in places),
        "truth": any(p.truth_ha is not None for p in places),
    }
    compared, doubted = tables.compared(content), tables.doubted(content, period.name)
    further = _further(content, Scribe(t, decimals))
    groups = {c: [p for p in places if p.country == c] for c in dict.fromkeys(p.country for p in places)}
    return {
        "t": t,
        "title": t("document", target=t.target, run=content.run_name),
        "period": period.name,
        "dates": _dates(period, t),
        "decimals": decimals,
        "unseen_decimals": decimals_for(p.owned_ha for p in places),
        "table_number": count(1).__next__,
        "figure_number": count(1).__next__,
        "map_number": count(1).__next__,
        "sections": _sections(content, further),
        "further": further,
        "checked": _checked(content, places, t),
        "places": places,
        "groups": list(groups.items()),
        "n_regions": t.number(len(places)),
        "countries": countries,
        "lead": _lead(content, countries, places, t, decimals),
        "estimated": estimated,
        "estimators": _estimators(places),
        "interval_header": _interval_header(places, t),
        "has": has,
        "headline_columns": 3 + 2 * estimated + sum(has.values()),
        "many_periods": len(content.periods) > 1,
        "series": _series(content),
        "compared": compared,
        "field_compared": any(p.field_ha is not None for _, p in compared),
        "doubted": doubted,
        "doubted_observers": any(p.reference_low_ha is not None for p in doubted),
        "class_tables": _class_tables(content, t),
        "unseen": lambda place: _unseen(place, t),
        "explained": lambda place: Scribe(t, decimals).explained(
            place.why_not_comparable, place.within_interval
        ),
        "colours": {c.key: c.colour for c in content.scheme.classes},
        "charts": _charts(content, places, t),
        "series_charts": _series_charts(content, t),
        "calibration": _calibration(content, t),
        "maps": _maps(content, t),
        "card": card_facts(content.model_card, t),
        "scores": card_scores(content.model_card, t),
        "definition": [(t.phrase("definition", k), v) for k, v in t.definition.items()],
        "origins": _origins(content, t),
        **_formats(t),
    }


def _origins(content: ReportContent, t: Voice) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the figures were made from: files and what they are, their checksums, versions."""
    given = content.reproduce
    return [
        ("inputs", [(name, t.phrase("input", role)) for name, role in given.inputs]),
        ("hashes", [(t.phrase("input", role), digest) for role, digest in given.hashes.items()]),
        ("versions", list(given.versions.items())),
    ]


def _formats(t: Voice) -> dict[str, Callable[..., str]]:
    """How cells of the accuracy tables are worded."""

    def with_error(value: float, error: float) -> str:
        text, spread = t.percent(value), t.percent(error)
        return text if spread == DASH else f"{text} ± {spread}"

    return {
        "count": lambda value: t.number(int(value)),
        "proportion": lambda value: t.percent(value, 2),
        "with_error": with_error,
        "score": lambda value: t.ha(value, 3),
    }


def _sections(content: ReportContent, tables: Mapping[str, list[Sheet]]) -> list[str]:
    """The sections that this page has, in their order."""
    drawn = content.map_overview is not None and len(content.map_overview.pictures) > 0
    left_out = {key for key, sheets in tables.items() if not sheets and key != "change"}
    left_out |= set() if drawn else {"map"}
    return [key for key in _SECTIONS if key not in left_out]


def _further(content: ReportContent, scribe: Scribe) -> dict[str, list[Sheet]]:
    """The tables of each section that has them by the shape of `sections`."""
    period = content.periods[-1].name
    return {
        "change": change_sheets(content, scribe),
        "groups": group_sheets(content, period, scribe),
        "legal": legal_sheets(content, period, scribe),
        "eradication": eradication_sheets(content, scribe),
        "applicability": applicability_sheets(content, period, scribe),
        "minimum_unit": minimum_unit_sheets(content, period, scribe),
    }


def _checked(content: ReportContent, places: list[Place], t: Voice) -> list[str]:
    """Against what the figures of the period were checked."""
    found = []
    records = content.records_summary
    if records is not None:
        matched, n = records.by_status.get("matched", 0), sum(records.by_status.values())
        facts = {"matched": t.number(matched), "n": t.number(n), "design": t.words(records.design)}
        found.append(t("checked_records", **facts))
    official = [p for p in places if p.official_ha is not None]
    if official:
        sources = ", ".join(dict.fromkeys(p.official_source for p in official))
        facts = {"k": t.number(len(official)), "n": t.number(len(places)), "sources": sources}
        found.append(t("checked_official", **facts))
    true = [p for p in places if p.truth_ha is not None]
    if true:
        found.append(t("checked_truth", k=t.number(len(true))))
    return found or [t("checked_nothing")]


def _dates(period: Period, t: Voice) -> str:
    def words(day: date) -> str:
        return t("date", day=day.day, month=t(f"month.{day.month}"), year=day.year)

    return t("dates", name=period.name, start=words(period.start), end=words(period.end))


def _lead(
    content: ReportContent, countries: list[Place], places: list[Place], t: Voice, decimals: int
) -> str:
    """The result in a few sentences: the whole area's row or the map's counts, the unseen, the change."""
    period = content.periods[-1].name
    total = next((c for c in countries if c.key == TOTAL), None)
    counted = [p.mapped_ha for p in places if p.mapped_ha is not None]
    if not counted:
        return t("lead_no_period_data", target=t.target, period=period)
    facts = {
        "period": period,
        "target": t.target,
        "n": t.number(len(places)),
        "mapped": t.ha(sum(counted), decimals),
    }
    if total is None or total.estimated_ha is None:
        text = t("lead_mapped", **facts)
    elif not total.has_interval:
        text = t("lead_estimated_only", ha=t.ha(total.estimated_ha, decimals), **facts)
    else:
        text = t(
            "lead_estimated",
            ha=t.ha(total.estimated_ha, decimals),
            low=t.ha(total.low_ha, decimals),
            high=t.ha(total.high_ha, decimals),
            level=t.level(total.confidence),
            **facts,
        )
    owned = sum(p.owned_ha or 0.0 for p in places)
    unseen = sum(p.unobserved_ha or 0.0 for p in places)
    share = t.percent(unseen / owned) if owned else DASH
    found = [text, t("lead_unobserved", share=share, ha=t.ha(unseen, decimals_for([owned])))]
    changed = latest_change(content)
    if changed is not None:
        figure = Scribe(t, decimals).figure(changed)
        found.append(t("lead_change", first=changed["from_period"], figure=figure))
    return " ".join(found)


def _unseen(place: Place, t: Voice) -> str:
    if place.unobserved_ha is None:
        return DASH
    return (
        f"{t.ha(place.unobserved_ha, decimals_for([place.owned_ha]))} ({t.percent(place.unobserved_share)})"
    )


def _estimators(places: list[Place]) -> list[tuple[str, str]]:
    """The estimators and interval types that the figures name, each once."""
    return sorted({(p.estimator, p.interval) for p in places if p.estimated_ha is not None and p.estimator})


def _interval_header(places: list[Place], t: Voice) -> str:
    levels = {p.confidence for p in places if p.confidence is not None}
    return t("interval_short", level=t.level(levels.pop())) if len(levels) == 1 else t("interval_any")


def _series(content: ReportContent) -> list[tuple[Place, ...]]:
    """Per region its figures of every period, in order of time."""
    return list(zip(*(tables.by_region(content, p.name) for p in content.periods), strict=True))


def _class_tables(content: ReportContent, t: Voice) -> list[_ClassRows]:
    """Per period the mapped hectares of all classes, then the estimates if they go beyond the target."""
    found: list[_ClassRows] = []
    for period in content.periods:
        table = tables.by_class(content, period.name)
        mapped = _mapped_rows(content, table, t)
        found.append(_ClassRows("classes_caption", period.name, True, table.classes, mapped))
        if _estimates_more(content, table):
            rows = _estimated_rows(table, t)
            found.append(_ClassRows("classes_estimated_caption", period.name, False, table.estimated, rows))
    return found


def _estimates_more(content: ReportContent, table: tables.ClassTable) -> bool:
    return bool(set(table.estimated) - {content.scheme.target})


def _mapped_rows(content: ReportContent, table: tables.ClassTable, t: Voice) -> list[tuple[Place, list[str]]]:
    decimals = decimals_for(place.owned_ha for place, _ in table.rows)
    extent = {str(r["region_id"]): r for r in content.region_areas.to_dict("records")}
    rows = []
    for place, cells in table.rows:
        words = [t.ha(cell["mapped_ha"] if cell else None, decimals) for cell in cells]
        region = extent[place.key]
        words += [t.ha(float(region[name]), decimals) for name in ("owned_ha", "polygon_ha")]
        words.append(t.signed(region["difference_percent"], 3))
        rows.append((place, words))
    return rows


def _estimated_rows(table: tables.ClassTable, t: Voice) -> list[tuple[Place, list[str]]]:
    decimals = decimals_for(place.owned_ha for place, _ in table.rows)
    shown = [table.classes.index(key) for key in table.estimated]
    return [(place, [_estimated(cells[i], t, decimals) for i in shown]) for place, cells in table.rows]


def _estimated(cell: Mapping[str, Any] | None, t: Voice, decimals: int) -> str:
    if cell is None or cell["estimated_ha"] is None:
        return DASH
    between = t.interval(cell["low_ha"], cell["high_ha"], decimals)
    text = t.ha(cell["estimated_ha"], decimals)
    return text if between == DASH else f"{text} [{between}]"


def _charts(content: ReportContent, places: list[Place], t: Voice) -> list[dict[str, str]]:
    """The figure of hectares, in one picture or several, each in the shapes of desk and telephone."""
    foot = t("figure_foot", run=content.run_name, period=content.periods[-1].name)
    drawn = {
        shape.name: hectares_figures(places, t, shape, simulated=content.simulated, foot=foot)
        for shape in (WIDE, NARROW)
    }
    pictures = zip(*drawn.values(), strict=True)
    return [dict(zip(drawn, map(drawing.svg_uri, shapes), strict=True)) for shapes in pictures]


def _series_charts(content: ReportContent, t: Voice) -> list[dict[str, str]]:
    foot = t("figure_foot", run=content.run_name, period=content.periods[-1].name)
    found = lines(content)
    drawn = {
        shape.name: series_figures(found, t, shape, simulated=content.simulated, foot=foot)
        for shape in (WIDE, NARROW)
    }
    pictures = zip(*drawn.values(), strict=True)
    return [dict(zip(drawn, map(drawing.svg_uri, shapes), strict=True)) for shapes in pictures]


def _calibration(content: ReportContent, t: Voice) -> dict[str, str] | None:
    if content.calibration is None or content.calibration.empty:
        return None
    shapes = (WIDE, NARROW)
    return {shape.name: drawing.svg_uri(calibration_figure(content, t, shape)) for shape in shapes}


def _maps(content: ReportContent, t: Voice) -> list[dict[str, Any]]:
    overview = content.map_overview
    if overview is None:
        return []
    found = []
    for picture in overview.pictures:
        places = tables.by_region(content, picture.period)
        drawn = {
            shape.name: map_figure(picture, overview, places, t, shape, simulated=content.simulated)
            for shape in (WIDE, NARROW)
        }
        words = {
            "period": picture.period,
            "metres": t.number(picture.square_m or round(pixel_metres(picture))),
            "target": t.target,
            "n": len(places),
        }
        found.append(
            {
                "caption": t(f"{picture.kind}_caption", **words),
                "alt": t(f"{picture.kind}_alt", **words),
                "shapes": {name: drawing.png_uri(figure) for name, figure in drawn.items()},
            }
        )
    return found
