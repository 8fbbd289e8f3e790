"""Claims of eradication beside what was seen as cleared."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.contracts import AREA_COLUMNS, Period
from cocal.errors import InputError
from cocal.estimate import ERADICATION_COLUMNS, eradication_table
from cocal.notes import with_text

OFFICIAL = Path(__file__).parents[2] / "configs" / "official"
PERIODS = [
    Period("2023", date(2023, 10, 1), date(2023, 12, 31)),
    Period("2024", date(2024, 10, 1), date(2024, 12, 31)),
]
NAN = float("nan")
OUTSIDE = (
    "days differ: clearings of 2023-12-31 to 2024-09-30 reach outside the days between the two maps, "
    "2024-01-01 to 2024-12-31"
)


def claims(**columns: object) -> pd.DataFrame:
    """90 ha of R1, cleared from February to September 2024."""
    own = {
        "region_id": "R1", "year": 2024, "claimed_ha": 90, "source": "office", "from": "2024-02-01",
        "to": "2024-09-30",
    }  # fmt: skip
    return pd.DataFrame([own | columns])


def change(cleared: tuple[float, ...] = (80, 85, 10, 66, 110, 40), **columns: object) -> pd.DataFrame:
    """R1 from 2023 to 2024: mapped, estimated, SE, low, high, n."""
    figures = [cleared, (12, 14, 4, 8, 25, 40), (5, 6, 3, 2, 15, 40)]
    names = ["mapped_ha", "estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "n"]
    table = pd.DataFrame(figures, columns=names).assign(quantity=["cleared", "new", "replanted"])
    return table.assign(region_id="R1", from_period="2023", to_period="2024").assign(**columns)


def stock(before: float = 200, after: float = 110, **columns: object) -> pd.DataFrame:
    own = {"region_id": "R1", "class": "coca", "mapped_ha": [before, after], "observed_fraction": [1.0, 0.99]}
    table = pd.DataFrame(own | {"period": ["2023", "2024"]})
    other = table.assign(**{"class": "forest", "mapped_ha": 1e6})
    return pd.concat([table, other]).reindex(columns=list(AREA_COLUMNS)).assign(**columns)


def made(
    said: pd.DataFrame | None = None, seen: pd.DataFrame | None = None, stands: pd.DataFrame | None = None,
    periods: list[Period] = PERIODS,
) -> pd.DataFrame:  # fmt: skip
    table = eradication_table(
        claims() if said is None else said, change() if seen is None else seen,
        stock() if stands is None else stands, periods, target="coca", max_unobserved=0.05, agreement=0.2,
    )  # fmt: skip
    assert tuple(table.columns) == ERADICATION_COLUMNS
    return with_text(table)


def why(*tables: pd.DataFrame | None) -> list[str]:
    (text,) = made(*tables)["why_not_comparable"]
    return text.split("; ") if text else []


def test_a_claim_stands_beside_what_was_cleared_replanted_and_stands() -> None:
    (row,) = made().to_dict("records")
    assert row["claimed_minus_seen_ha"] == 90 - 85
    # 85 ha, 66 to 110, beside 90: margin 18, so from 72; (85 - 72) / 19 of the width 44 would agree.
    assert (row["verdict"], row["width_needed_ha"]) == ("cannot_tell", pytest.approx(44 * 13 / 19))
    assert [row[name] for name in ("cleared_mapped_ha", "replanted_mapped_ha", "new_estimated_ha")] == [
        80,
        5,
        14,
    ]
    assert [row["stock_before_mapped_ha"], row["stock_after_mapped_ha"]] == [200, 110]
    assert (row["cleared_from"], row["cleared_to"], row["cleared_n"]) == ("2024-02-01", "2024-09-30", 40)
    assert row["why_not_comparable"] == ""
    (far,) = made(claims(claimed_ha=111)).to_dict("records")
    assert far["verdict"] == "differs"


def test_more_validated_than_claimed_is_told() -> None:
    assert why(claims(validated_ha=95)) == ["more was validated, 95.0 ha, than was claimed"]
    assert why(claims(validated_ha=90)) == why(claims(validated_share=1)) == []


def test_a_claim_of_a_year_that_is_not_in_its_period_is_refused() -> None:
    """Maps of 2023 and 2024: clearings of 2023 may stand beside the change to 2024, those of 2022 not."""
    for year in (2023, 2024):
        assert why(claims(year=year, period="2024")) == []
    for year in (2022, 2025):
        with pytest.raises(InputError, match=f"R1 is of the year {year} and of the period 2024"):
            made(claims(year=year, period="2024"))


def test_the_axis_of_san_gaban_in_2019_is_no_contradiction() -> None:
    """5,620 ha were cleared where 1,640 ha stood before and 1,195 ha after: the stock fell by 445 ha."""
    figures = pd.read_csv(OFFICIAL / "coca.csv").query("region_id == 'PE-zone-san-gaban'").set_index("year")
    said = pd.read_csv(OFFICIAL / "eradication.csv").query("region_id == 'PE-axis-san-gaban'")
    years = [Period(name, date(int(name), 12, 1), date(int(name), 12, 31)) for name in ("2018", "2019")]
    before, after = figures.loc[[2018, 2019], "coca_ha"]
    stands = stock(before, after).assign(period=["2018", "2019"] * 2)
    seen = change((500, NAN, NAN, NAN, NAN, 0), from_period="2018", to_period="2019")
    table = made(said.assign(region_id="R1"), seen, stands, years)
    assert (table["verdict"] == "cannot_tell").all()
    (row,) = table.to_dict("records")
    assert (row["claimed_ha"], row["claimed_minus_seen_ha"]) == (5620, 5620 - 500)
    assert row["why_not_comparable"].split("; ") == [
        "no paired points: the difference is of the mapped clearings",
        "coverage of the claim: part of the year: by 2 November",
        "a difference of stocks is not the sum of clearings: the mapped stock fell by 445.0 ha",
        "more was cleared than stood: 1,640.0 ha mapped at the first map",
    ]


@pytest.mark.parametrize(
    ("first", "last", "reasons"),
    [
        ("2024-01-01", "2024-09-30", []),
        (
            "2023-12-31", "2024-09-30",
            [OUTSIDE],
        ),
        (
            "2024-02-01", "2024-10-01",
            ["days of the second map: it may still show as coca what was cleared from 2024-10-01 on"],
        ),
        ("2024-02-01", "", ["the days of the clearings are not stated"]),
        (None, None, ["the days of the clearings are not stated"]),
    ],
)  # fmt: skip
def test_clearings_that_the_maps_do_not_bracket_are_marked(first: str, last: str, reasons: list[str]) -> None:
    assert why(claims(**{"from": first, "to": last})) == reasons


def test_what_keeps_a_claim_from_being_compared_is_said() -> None:
    assert why(None, change((80, 85, 10, NAN, NAN, 6))) == ["no interval: n too small"]
    assert why(None, None, stock(observed_fraction=0.9)) == ["unobserved ground: 10.0 % before, 10.0 % after"]
    assert why(None, None, stock().iloc[[1]]) == ["unobserved ground: not known before, 1.0 % after"]
    rose = why(claims(claimed_ha=70), None, stock(100, 110))
    assert rose == ["a difference of stocks is not the sum of clearings: the mapped stock rose by 10.0 ha"]


def test_estimated_stocks_are_preferred_where_both_maps_have_one() -> None:
    reasons = why(claims(claimed_ha=89), None, stock(estimated_ha=[100.0, 20.0, 1e6, 1e6]))
    assert reasons[0].startswith(
        "a difference of stocks is not the sum of clearings: the estimated stock fell by 80.0"
    )


def test_claims_without_maps_and_maps_without_claims_keep_their_rows() -> None:
    table = made(pd.concat([claims(region_id="R9"), claims(year=2020)])).set_index(["region_id", "to_period"])
    assert len(table) == 3
    reasons = table["why_not_comparable"]
    assert reasons["R9", "2024"] == "no maps of this region before and after the clearings"
    assert reasons["R1", "2020"] == "no maps of this region before and after the clearings"
    assert reasons["R1", "2024"] == "no claim for this region and period"
    assert table.loc[("R1", "2024"), "cleared_estimated_ha"] == 85


def test_either_table_may_be_empty() -> None:
    assert made(claims().iloc[:0])["why_not_comparable"].tolist() == ["no claim for this region and period"]
    assert made(None, change().iloc[:0])["claimed_ha"].tolist() == [90]


def test_operations_of_one_source_add_up_and_sources_stay_apart() -> None:
    table = made(
        pd.concat(
            [
                claims(claimed_ha=60, validated_ha=50, to="2024-05-31"),
                claims(claimed_ha=30, validated_ha=25, **{"from": "2024-07-01"}),
                claims(claimed_ha=75, source="other"),
            ]
        )
    ).set_index("source")
    assert table.loc["office", ["claimed_ha", "validated_ha"]].tolist() == [90, 75]
    assert table.loc["office", ["cleared_from", "cleared_to"]].tolist() == ["2024-02-01", "2024-09-30"]
    assert table.loc["other", "claimed_minus_seen_ha"] == -10


def test_what_was_validated_of_a_claim_is_not_guessed() -> None:
    assert made(claims(validated_share=0.4))["validated_ha"].tolist() == [36]
    partly = pd.concat([claims(validated_ha=50), claims(validated_ha=None)])
    assert made(partly)["validated_ha"].isna().all()
    assert made()["validated_ha"].isna().all()


def test_the_table_of_official_claims_can_be_used_as_it_is() -> None:
    said = pd.read_csv(OFFICIAL / "eradication.csv")
    table = made(said)
    assert len(table) == len(said) + 1
    validated = table.set_index(["region_id", "to_period"]).loc[("BO", "2023"), "validated_ha"]
    assert validated == pytest.approx(0.447 * 10302)


@pytest.mark.parametrize(
    ("said", "seen", "words"),
    [
        (claims().drop(columns="source"), change(), "claims have no column 'source'"),
        (claims().drop(columns="year"), change(), "claims have no column 'year' or 'period'"),
        (claims(claimed_ha="many"), change(), "claimed_ha of region R1 is no such number"),
        (claims(claimed_ha=None), change(), "claimed_ha of region R1 is no such number"),
        (claims(validated_share=44.7), change(), "validated_share of region R1 is no such number"),
        (claims(to="October"), change(), "to of region R1 is not a date"),
        (claims(to="2024-01-31"), change(), "clearings of region R1 end before they begin"),
        (claims(), change(quantity="lost"), "change has the quantity 'lost'"),
        (claims(), change(from_period="2019"), "change names the period '2019'"),
        (claims(), pd.concat([change(), change()]), "change has region R1 twice"),
        (claims(), change().drop(columns="n"), "change has no column 'n'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(said: pd.DataFrame, seen: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        made(said, seen)


ROWS = st.lists(
    st.tuples(st.sampled_from(["R1", "R2"]), st.sampled_from([2020, 2024]), st.integers(0, 500),
        st.sampled_from("ab")),
    max_size=8,
)  # fmt: skip


@given(ROWS)
@settings(max_examples=15, deadline=None)
def test_no_claimed_hectare_is_lost_or_counted_twice(rows: list[tuple[str, int, int, str]]) -> None:
    said = pd.DataFrame(rows, columns=["region_id", "year", "claimed_ha", "source"])
    table = made(said)
    assert table["claimed_ha"].sum() == said["claimed_ha"].sum()
    both = table.dropna(subset=["claimed_ha", "cleared_estimated_ha"])
    assert (both["claimed_minus_seen_ha"] == both["claimed_ha"] - both["cleared_estimated_ha"]).all()
    assert (both["verdict"] != "differs").tolist() == both["claimed_ha"].between(66, 110).tolist()
    assert (table.loc[table["claimed_ha"].notna(), "why_not_comparable"] != "").all()
