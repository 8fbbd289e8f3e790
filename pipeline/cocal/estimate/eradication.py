"""Claims of eradication beside the clearings on the maps, and why the two may differ.

The stock is what stands on one day; clearings add up over many. In 2019, 5,620 ha were cleared in Peru on the
axis of San Gaban; the survey zone of that name held 1,640 ha at the end of 2018 and 1,195 ha at the end of
2019 (configs/official). Both can be true: ground is planted, cleared and planted again between two surveys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from cocal.contracts import AREAS, Period, check_table
from cocal.errors import InputError
from cocal.estimate.verdict import verdicts
from cocal.notes import Note, note_column

QUANTITIES = ("cleared", "new", "replanted")
ERADICATION_COLUMNS = (
    "region_id", "from_period", "to_period", "claimed_ha", "validated_ha", "cleared_from", "cleared_to",
    "source", "cleared_mapped_ha", "cleared_estimated_ha", "cleared_se_ha", "cleared_ci_low_ha",
    "cleared_ci_high_ha", "cleared_n", "replanted_mapped_ha", "replanted_estimated_ha", "new_mapped_ha",
    "new_estimated_ha", "stock_before_mapped_ha", "stock_before_estimated_ha", "stock_after_mapped_ha",
    "stock_after_estimated_ha", "claimed_minus_seen_ha", "agreement", "verdict", "width_needed_ha",
    "why_not_comparable",
)  # fmt: skip

_CLAIMS = ("region_id", "claimed_ha", "source")
_PAIR = ["region_id", "from_period", "to_period"]
_CHANGE = {
    "mapped_ha": "mapped_ha", "estimated_ha": "estimated_ha", "standard_error_ha": "se_ha",
    "ci_low_ha": "ci_low_ha", "ci_high_ha": "ci_high_ha", "n": "n",
}  # fmt: skip
_CHANGE_NEEDED = (*_PAIR, "quantity", *_CHANGE)


def eradication_table(
    claims: pd.DataFrame,
    change: pd.DataFrame,
    stock: pd.DataFrame,
    periods: Sequence[Period],
    *,
    target: str,
    max_unobserved: float,
    agreement: float,
) -> pd.DataFrame:
    """`ERADICATION_COLUMNS`: a row per region, pair of maps and source of claims; nothing is left out.

    Parameters
    ----------
    claims : region_id, year or period, claimed_ha, source [, validated_ha or validated_share] [, from, to:
        days of the clearings] [, coverage]. Claims of one region, period and source are added up. A claim
        stands beside the change that ends with the map of its period.
    change : region_id, from_period, to_period, quantity (one of `QUANTITIES`), mapped_ha, estimated_ha,
        standard_error_ha, ci_low_ha, ci_high_ha, n; the estimates are of points that were seen twice, NaN
        without any.
    stock : areas/1 of the maps' periods.
    periods : the periods of the maps.
    target : the class of `stock` that is cleared.
    max_unobserved : a region with a larger unobserved share in either map is marked.
    agreement : share of the claim that counts as no difference (`verdict.verdicts`).

    Returns
    -------
    `claimed_minus_seen_ha` is the claim minus the estimated clearings (without an estimate: the mapped ones,
    with a reason that states it); `verdict` and `width_needed_ha` are of the claim beside the estimated
    clearings, as from `verdict.verdicts`.

    Raises
    ------
    InputError : columns, numbers, days, quantities or periods that are wrong, all at once.
    """
    check_table(stock, AREAS)
    known = {period.name: period for period in periods}
    _check(claims, change, known)
    claimed_rows, seen = _claims(claims), _seen(change)
    seen["period"] = seen["to_period"]
    rows = seen.merge(claimed_rows, on=["region_id", "period"], how="outer", sort=True)
    rows["to_period"] = rows["to_period"].fillna(rows["period"])
    own = stock[stock["class"] == target]
    for when, period in (("before", "from_period"), ("after", "to_period")):
        rows = rows.merge(_stock(own, when, period), on=["region_id", period], how="left", sort=False)
    claimed = rows["claimed_ha"]
    seen_ha = (rows[f"cleared_{name}"].astype(float) for name in ("estimated_ha", "ci_low_ha", "ci_high_ha"))
    verdict, width = verdicts(claimed, *seen_ha, agreement=agreement)
    cleared = rows["cleared_estimated_ha"].fillna(rows["cleared_mapped_ha"])
    reasons = [_reasons(row, known, max_unobserved) for row in rows.to_dict("records")]
    table = rows.assign(
        cleared_n=rows["cleared_n"].astype("Int64"),
        claimed_minus_seen_ha=claimed - cleared,
        agreement=agreement,
        verdict=verdict,
        width_needed_ha=width,
        why_not_comparable=note_column(reasons, rows.index),
        **{name: rows[name].fillna("") for name in ("from_period", "source", "cleared_from", "cleared_to")},
    )
    return table[list(ERADICATION_COLUMNS)]


def _when(claims: pd.DataFrame) -> pd.Series:
    return (claims["period"] if "period" in claims.columns else claims["year"]).astype(str)


def cleared_within(claims: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(region_id, period) -> hectares claimed as cleared, the most that one source states."""
    _refuse(_missing_columns(claims) or _wrong_claims(claims))
    most = _claims(claims).groupby(["region_id", "period"])["claimed_ha"].max().reset_index()
    return {(region, period): float(ha) for region, period, ha in most.itertuples(index=False)}


def _claims(claims: pd.DataFrame) -> pd.DataFrame:
    """region_id, period, source, claimed_ha, validated_ha, cleared_from, cleared_to ("": unknown) ..."""
    empty = pd.Series("", index=claims.index)
    claimed = claims["claimed_ha"].astype(float)
    share = pd.to_numeric(claims.get("validated_share", empty))
    known = pd.DataFrame(
        {
            "region_id": claims["region_id"].astype(str),
            "period": _when(claims),
            "source": claims["source"].astype(str),
            "claimed_ha": claimed,
            "validated_ha": pd.to_numeric(claims.get("validated_ha", empty)).fillna(claimed * share),
            "cleared_from": claims.get("from", empty).fillna("").astype(str),
            "cleared_to": claims.get("to", empty).fillna("").astype(str),
            "coverage": claims.get("coverage", empty).fillna("").astype(str),
        }
    )

    def total(values: pd.Series) -> float:
        return float(values.sum(skipna=False))

    return (
        known.groupby(["region_id", "period", "source"], sort=False)
        .agg(
            claimed_ha=("claimed_ha", total),
            validated_ha=("validated_ha", total),
            cleared_from=("cleared_from", "min"),
            cleared_to=("cleared_to", lambda days: max(days) if all(days) else ""),
            coverage=("coverage", lambda texts: ", ".join(sorted({t for t in texts if t}))),
        )
        .reset_index()
    )


def _seen(change: pd.DataFrame) -> pd.DataFrame:
    """One row per region and pair of maps, with the figures of each quantity side by side."""
    change = change.assign(**{name: change[name].astype(str) for name in _PAIR})
    table = change[_PAIR].drop_duplicates()
    for quantity in QUANTITIES:
        names = {old: f"{quantity}_{new}" for old, new in _CHANGE.items()}
        own = change.loc[change["quantity"] == quantity, [*_PAIR, *_CHANGE]]
        own = own.astype(dict.fromkeys(_CHANGE, float)).rename(columns=names)
        table = table.merge(own, on=_PAIR, how="left", sort=False)
    return table


def _stock(own: pd.DataFrame, when: str, period: str) -> pd.DataFrame:
    """The stock of one side of a pair: mapped, estimated, and what was observed."""
    return pd.DataFrame(
        {
            "region_id": own["region_id"].astype(str),
            period: own["period"].astype(str),
            f"stock_{when}_mapped_ha": own["mapped_ha"].astype(float),
            f"stock_{when}_estimated_ha": own["estimated_ha"].astype(float),
            f"observed_{when}": own["observed_fraction"].astype(float),
        }
    )


def _reasons(row: Mapping[Any, Any], known: Mapping[str, Period], max_unobserved: float) -> tuple[Note, ...]:
    """Why the claim and the clearings on the maps are not the same quantity."""
    reasons = []
    if pd.isna(row["claimed_ha"]):
        reasons.append(Note("no_claim"))
    if pd.isna(row["from_period"]):
        return (*reasons, Note("no_maps_around_clearings"))
    if pd.isna(row["cleared_estimated_ha"]):
        reasons.append(Note("no_paired_points"))
    elif pd.isna(row["cleared_ci_low_ha"]):
        reasons.append(Note("no_interval"))
    if not pd.isna(row["claimed_ha"]):
        if row["validated_ha"] > row["claimed_ha"]:
            reasons.append(Note("validated_above_claimed", ha=row["validated_ha"]))
        if row["coverage"]:
            reasons.append(Note("claim_coverage", coverage=row["coverage"]))
        reasons += _day_reasons(row, known[row["from_period"]], known[row["to_period"]])
        reasons += _stock_reasons(row)
    return (*reasons, *_unobserved_reasons(row, max_unobserved))


def _unobserved_reasons(row: Mapping[Any, Any], max_unobserved: float) -> list[Note]:
    before, after = (1 - row[f"observed_{when}"] for when in ("before", "after"))
    if before <= max_unobserved and after <= max_unobserved:
        return []
    if pd.isna(before) and pd.isna(after):
        return [Note("unobserved_unknown")]
    if pd.isna(after):
        return [Note("unobserved_before", before=before)]
    if pd.isna(before):
        return [Note("unobserved_after", after=after)]
    return [Note("unobserved_both", before=before, after=after)]


def _day_reasons(row: Mapping[Any, Any], before: Period, after: Period) -> list[Note]:
    """Clearings whose days the two maps do not bracket."""
    if not row["cleared_from"] or not row["cleared_to"]:
        return [Note("clearing_days_not_stated")]
    first, last = date.fromisoformat(row["cleared_from"]), date.fromisoformat(row["cleared_to"])
    opens = before.end + timedelta(days=1)
    reasons = []
    if first < opens or last > after.end:
        reasons.append(Note("clearing_days_outside_maps", first=first, last=last, opens=opens, end=after.end))
    if first <= after.end and last >= after.start:
        reasons.append(Note("clearing_days_in_second_map", day=max(first, after.start)))
    return reasons


def _stock_reasons(row: Mapping[Any, Any]) -> list[Note]:
    """Claims that the stocks of the two maps cannot confirm: estimated where both are, else mapped."""
    before, after = row["stock_before_estimated_ha"], row["stock_after_estimated_ha"]
    mapped = pd.isna(before) or pd.isna(after)
    if mapped:
        before, after = row["stock_before_mapped_ha"], row["stock_after_mapped_ha"]
    lost, reasons = before - after, []
    if row["claimed_ha"] > lost and lost >= 0:
        reasons.append(
            Note("mapped_stock_fell", ha=lost) if mapped else Note("estimated_stock_fell", ha=lost)
        )
    elif row["claimed_ha"] > lost:
        rise = after - before
        reasons.append(
            Note("mapped_stock_rose", ha=rise) if mapped else Note("estimated_stock_rose", ha=rise)
        )
    if row["claimed_ha"] > before:
        more = Note("cleared_more_than_mapped", ha=before)
        reasons.append(more if mapped else Note("cleared_more_than_estimated", ha=before))
    return reasons


def _check(claims: pd.DataFrame, change: pd.DataFrame, known: Mapping[str, Period]) -> None:
    problems = _missing_columns(claims)
    problems += [f"change has no column {name!r}" for name in _CHANGE_NEEDED if name not in change.columns]
    _refuse(problems or [*_wrong_claims(claims), *_other_years(claims, known), *_wrong_change(change, known)])


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InputError(
            "claims of eradication cannot be set beside what was seen",
            f"claims: {', '.join(_CLAIMS)} and year or period; change: {', '.join(_CHANGE_NEEDED)}",
            "; ".join(problems[:10]),
            "fix these rows or columns",
        )


def _missing_columns(claims: pd.DataFrame) -> list[str]:
    problems = [f"claims have no column {name!r}" for name in _CLAIMS if name not in claims.columns]
    if not {"year", "period"} & set(claims.columns):
        problems.append("claims have no column 'year' or 'period'")
    return problems


def _wrong_claims(claims: pd.DataFrame) -> list[str]:
    problems = []
    regions = claims["region_id"].astype(str)
    for name in ("claimed_ha", "validated_ha", "validated_share"):
        if name in claims.columns:
            number = pd.to_numeric(claims[name], errors="coerce")
            stated = claims[name].notna() & (claims[name].astype(str) != "")
            wrong = (stated & number.isna()) | (number < 0) | (name == "claimed_ha") & ~stated
            if name == "validated_share":
                wrong |= number > 1
            problems += [f"{name} of region {region} is no such number" for region in regions[wrong]]
    days = {name: [_day(text) for text in claims[name]] for name in ("from", "to") if name in claims.columns}
    for name, values in days.items():
        pairs = zip(regions, values, strict=True)
        problems += [f"{name} of region {region} is not a date" for region, day in pairs if day is None]
    if len(days) == 2 and not problems:
        both = zip(regions, days["from"], days["to"], strict=True)
        problems += [
            f"clearings of region {r} end before they begin" for r, a, b in both if a and b and a > b
        ]
    return problems


def _other_years(claims: pd.DataFrame, known: Mapping[str, Period]) -> list[str]:
    """Claims of a year and a period that have no day in common, those since the period before counted."""
    if not {"year", "period"} <= set(claims.columns):
        return []
    ends = sorted(period.end.year for period in known.values())
    problems = []
    for region, year, name in claims[["region_id", "year", "period"]].astype(str).itertuples(index=False):
        if (period := known.get(name)) is None or not year.isdigit():
            continue
        first = max((end for end in ends if end < period.end.year), default=period.start.year)
        if not min(first, period.start.year) <= int(year) <= period.end.year:
            problems.append(f"a claim of region {region} is of the year {year} and of the period {name}")
    return problems


def _day(text: Any) -> str | None:
    """An ISO date, "" where none is stated, None for anything else."""
    if pd.isna(text) or text == "":
        return ""
    try:
        return date.fromisoformat(str(text)).isoformat()
    except ValueError:
        return None


def _wrong_change(change: pd.DataFrame, known: Mapping[str, Period]) -> list[str]:
    other = sorted(set(change["quantity"].astype(str)) - set(QUANTITIES))
    named = {*change["from_period"].astype(str), *change["to_period"].astype(str)}
    problems = [f"change has the quantity {name!r}" for name in other]
    problems += [
        f"change names the period {name!r}, of which there is no map" for name in sorted(named - set(known))
    ]
    twice = change.loc[change.duplicated([*_PAIR, "quantity"]), "region_id"]
    return problems + [f"change has region {region} twice" for region in sorted(set(twice.astype(str)))]
