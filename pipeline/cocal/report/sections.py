"""Tables of groups, change, the law and claims, worded. They have one shape, so that one template shows them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH
from cocal.report.tables import ha_of, text_of, value_of
from cocal.report.texts import Voice

Row = Mapping[Hashable, Any]

_SAID = ("presence of coca is not", "a protected area is not", "estimate minus limit is")
"""How the notes of the law's table begin that the section says once for all rows (`legal_text`)."""


@dataclass(frozen=True)
class Column:
    """A column by the key of its heading in the page's dictionary; `text` stands left, `strong` is bold."""

    key: str
    text: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table, worded: the first cell of a row is its heading."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Scribe:
    """Words rows of tables in one language, rounded to `decimals`."""

    t: Voice
    decimals: int

    def ha(self, row: Row | None, column: str) -> str:
        return self.t.ha(ha_of(row, column), self.decimals)

    def signed(self, row: Row | None, column: str) -> str:
        return self.t.signed(ha_of(row, column), self.decimals)

    def interval(self, row: Row | None, low: str = "ci_low_ha", high: str = "ci_high_ha") -> str:
        return self.t.interval(ha_of(row, low), ha_of(row, high), self.decimals)

    def sure(self, row: Row) -> str:
        """The interval, or that the sample is too small for one."""
        return self.too_small(self.interval(row)) if ha_of(row, "estimated_ha") is not None else DASH

    def too_small(self, interval: str) -> str:
        return self.t("n_too_small") if interval == DASH else interval

    def figure(self, row: Row | None, prefix: str = "") -> str:
        """The estimate with its interval or, where there is none, the map's figure marked as such."""
        if ha_of(row, f"{prefix}estimated_ha") is None:
            mapped = self.ha(row, f"{prefix}mapped_ha")
            return mapped if mapped == DASH else self.t("mapped_mark", ha=mapped)
        between = self.interval(row, f"{prefix}ci_low_ha", f"{prefix}ci_high_ha")
        return f"{self.ha(row, f'{prefix}estimated_ha')} [{self.too_small(between)}]"

    def explained(self, why: str, within: bool | None) -> str:
        """What explains the difference from a figure: why the two are not comparable, the sample, or nothing known."""
        if why or within is None:
            return self.t.phrase("why", why) if why else DASH
        return self.t("explained_by_sample" if within else "explained_by_nothing")

    def within(self, row: Row | None, column: str) -> str:
        found = value_of(row, column)
        return DASH if found is None else self.t("yes" if bool(found) else "no")

    def phrase(self, namespace: str, row: Row | None, column: str) -> str:
        text = text_of(row, column)
        return self.t.phrase(namespace, text) if text else DASH


def _own(table: pd.DataFrame, period: str, crop_class: str) -> list[dict[Hashable, Any]]:
    return table[(table["period"].astype(str) == period) & (table["class"] == crop_class)].to_dict("records")


def group_sheets(content: ReportContent, period: str, scribe: Scribe) -> list[Sheet]:
    """Hectares of groups of regions, beside their official figures; empty where the run has no groups."""
    if content.groups is None or content.groups.empty:
        return []
    target = content.scheme.target
    unseen = {row["region_id"]: row for row in _own(content.groups, period, UNOBSERVED)}
    official = {} if content.comparison is None else {
        row["region_id"]: row for row in _own(content.comparison, period, target)
    }  # fmt: skip
    rows = tuple(
        (
            str(row["region_name"]), scribe.ha(row, "estimated_ha"), scribe.sure(row),
            scribe.ha(row, "mapped_ha"), scribe.ha(unseen.get(row["region_id"]), "mapped_ha"),
            scribe.ha(official.get(row["region_id"]), "official_ha"),
            scribe.signed(official.get(row["region_id"]), "difference_ha"),
            scribe.explained(
                text_of(official.get(row["region_id"]), "why_not_comparable"),
                value_of(official.get(row["region_id"]), "within_interval"),
            ),
        )
        for row in _own(content.groups, period, target)
    )  # fmt: skip
    columns = (
        Column("group"), Column("estimated_short", strong=True), Column("interval_any"),
        Column("mapped_short"), Column("unobserved_short"), Column("official_short"),
        Column("difference_short"), Column("why", text=True),
    )  # fmt: skip
    caption = scribe.t("groups_caption", target=scribe.t.target, period=period)
    return [Sheet("groups", caption, columns, rows)]


def change_sheets(content: ReportContent, scribe: Scribe) -> list[Sheet]:
    """What was cleared, new and left over between successive periods, the latest pair first."""
    if content.change is None or content.change.empty:
        return []
    pairs = content.change[["from_period", "to_period"]].astype(str).drop_duplicates()
    return [_change_sheet(content, first, last, scribe) for first, last in pairs.to_numpy().tolist()[::-1]]


def _change_sheet(content: ReportContent, first: str, last: str, scribe: Scribe) -> Sheet:
    assert content.change is not None
    table = content.change
    table = table[(table["from_period"].astype(str) == first) & (table["to_period"].astype(str) == last)]
    places: dict[str, dict[str, Row]] = {}
    for row in table.to_dict("records"):
        places.setdefault(text_of(row, "region_id"), {})[str(row["quantity"])] = row
    rows = []
    for found in places.values():
        net = found["net"]
        name = text_of(net, "region_name") or scribe.t("country.total")
        reasons = text_of(net, "notes")
        rows.append(
            (
                name, scribe.figure(found["cleared"]), scribe.figure(found["new"]), scribe.figure(net),
                scribe.figure(found["replanted"]), scribe.ha(net, "seen_twice_ha"),
                scribe.t.phrase("change_note", reasons) if reasons else DASH,
            )
        )  # fmt: skip
    columns = (
        Column("region"), Column("cleared"), Column("new"), Column("net", strong=True), Column("replanted"),
        Column("seen_twice"), Column("remarks", text=True),
    )  # fmt: skip
    caption = scribe.t("change_caption", target=scribe.t.target, first=first, last=last)
    return Sheet("change", caption, columns, tuple(rows))


def latest_change(content: ReportContent) -> Row | None:
    """Row of change.csv: the net change of the whole area between the last two periods."""
    if content.change is None or content.change.empty:
        return None
    table = content.change[content.change["region_id"].isna() | (content.change["region_id"] == "")]
    rows = table[table["quantity"] == "net"].to_dict("records")
    return rows[-1] if rows else None


def legal_sheets(content: ReportContent, period: str, scribe: Scribe) -> list[Sheet]:
    """Hectares by zone, by kind of zone, and beside the limits of the law."""
    if content.legal is None or content.legal.empty:
        return []
    table = content.legal[content.legal["period"].astype(str) == period]
    found = []
    for level in ("zone", "kind", "limit"):
        rows = table[table["level"] == level].to_dict("records")
        if rows:
            caption = scribe.t(f"legal_{level}_caption", target=scribe.t.target, period=period)
            worded = tuple(_legal_row(row, level, scribe) for row in rows)
            found.append(Sheet(f"legal-{level}", caption, _legal_columns(level), worded))
    return found


def _legal_columns(level: str) -> tuple[Column, ...]:
    common = (
        Column("estimated_short", strong=True), Column("interval_any"), Column("mapped_short"),
    )  # fmt: skip
    limit = (Column("limit"), Column("over_limit"), Column("limit_lies"), Column("source", text=True))
    more = () if level == "kind" else (Column("kind", text=True),)
    last = limit if level == "limit" else (Column("observed_share"), Column("remarks", text=True))
    return (Column(f"legal_{level}"), *more, *common, *last)


def _legal_row(row: Row, level: str, scribe: Scribe) -> tuple[str, ...]:
    t = scribe.t
    kinds = [] if level == "kind" else [" + ".join(t.phrase("kind", k) for k in str(row["kind"]).split("+"))]
    name = t.phrase("kind", str(row["name"]))
    figures = (scribe.ha(row, "estimated_ha"), scribe.sure(row), scribe.ha(row, "mapped_ha"))
    if level == "limit":
        over = scribe.signed(row, "over_limit_ha")
        between = scribe.interval(row, "over_limit_low_ha", "over_limit_high_ha")
        return (
            name, *kinds, *figures, scribe.ha(row, "limit_ha"), over if between == DASH else f"{over} [{between}]",
            scribe.phrase("lies", row, "limit_lies"), text_of(row, "source") or DASH,
        )  # fmt: skip
    own = "; ".join(note for note in text_of(row, "notes").split("; ") if not note.startswith(_SAID))
    remarks = t.phrase("legal_note", own) if own else DASH
    return name, *kinds, *figures, t.percent(ha_of(row, "observed_fraction")), remarks


def eradication_sheets(content: ReportContent, scribe: Scribe) -> list[Sheet]:
    """Claims of eradication beside what the maps saw; empty where no claims are given."""
    if content.eradication is None or content.eradication.empty:
        return []
    names = dict(
        zip(content.region_areas["region_id"].astype(str), content.region_areas["region_name"], strict=True)
    )
    rows = []
    for row in content.eradication.to_dict("records"):
        first, last = text_of(row, "from_period"), text_of(row, "to_period")
        rows.append(
            (
                str(names.get(str(row["region_id"]), row["region_id"])), f"{first} → {last}" if first else last,
                text_of(row, "source") or DASH, scribe.ha(row, "claimed_ha"), scribe.ha(row, "validated_ha"),
                scribe.figure(row, "cleared_"), scribe.signed(row, "claimed_minus_seen_ha"),
                scribe.within(row, "within_interval"), scribe.phrase("eradication", row, "why_not_comparable"),
            )
        )  # fmt: skip
    columns = (
        Column("region"), Column("between_maps"), Column("source", text=True), Column("claimed"),
        Column("validated"), Column("cleared", strong=True), Column("claimed_minus_seen"), Column("within"),
        Column("why", text=True),
    )  # fmt: skip
    return [Sheet("eradication", scribe.t("eradication_caption"), columns, tuple(rows))]


def applicability_sheets(content: ReportContent, period: str, scribe: Scribe) -> list[Sheet]:
    """Where the model knows the ground's kind and where not; empty where the run did not ask."""
    table = content.applicability
    if table is None or table.empty:
        return []
    rows = tuple(
        (
            str(row["region_name"]), scribe.ha(row, "observed_ha"), scribe.ha(row, "outside_ha"),
            scribe.t.percent(ha_of(row, "outside_fraction")), scribe.ha(row, "mapped_ha"),
            scribe.ha(row, "mapped_outside_ha"), scribe.ha(row, "expected_ha"),
        )
        for row in table[table["period"].astype(str) == period].to_dict("records")
    )  # fmt: skip
    columns = (
        Column("region"), Column("observed_ground"), Column("outside_ground"), Column("outside_share", strong=True),
        Column("mapped_short"), Column("mapped_outside"), Column("expected_by_model"),
    )  # fmt: skip
    caption = scribe.t("applicability_caption", target=scribe.t.target, period=period)
    return [Sheet("applicability", caption, columns, rows)]


def minimum_unit_sheets(content: ReportContent, period: str, scribe: Scribe) -> list[Sheet]:
    """What the minimum mapping unit moved in each region; empty where the run has none."""
    table = content.minimum_unit
    if table is None or table.empty:
        return []
    figures = ("draft_ha", "removed_ha", "added_ha", "mapped_ha")
    rows = tuple(
        (str(row["region_name"]), *(scribe.ha(row, name) for name in figures))
        for row in table[table["period"].astype(str) == period].to_dict("records")
    )
    columns = (
        Column("region"), Column("before_unit"), Column("unit_removed"), Column("unit_added"), Column("mapped_short", strong=True),
    )  # fmt: skip
    caption = scribe.t("minimum_unit_caption", target=scribe.t.target, period=period)
    return [Sheet("minimum_unit", caption, columns, rows)]
