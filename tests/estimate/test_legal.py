"""Legal accounting: zones, kinds and limits beside the map and the sample, in neutral words."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.estimate_tables import strata_of

from cocal.contracts import AREA_COLUMNS
from cocal.errors import InputError
from cocal.estimate import LEGAL_COLUMNS, Estimate, estimate_areas, legal_domains, legal_table
from cocal.estimate.legal import _notes
from cocal.estimate.settings import KIND_NAMES, LegalSettings, Names
from cocal.notes import joined, with_text

ZONES = pd.DataFrame(
    {
        "zone_id": ["Z1", "Z2", "P", "O"],
        "zone_name": ["Uno", "Dos", "Parque", "Resto"],
        "kind": ["authorised", "authorised", "protected", "outside"],
    }
)
LIMITS = pd.DataFrame(
    {
        "limit": ["first", "all", "all", "border"],
        "zone_id": ["Z1", "Z1", "Z2", "O"],
        "limit_ha": [30, 100, 100, 5],
        "source": ["law 1", "law 2", "law 2", "law 3"],
    }
)


def mapped(**hectares: tuple[str, str, str]) -> pd.DataFrame:
    """areas/1 of the zones: hectares of coca, forest and unobserved."""
    known = {
        "Z1": ("20.5", "79.5", "0"),
        "Z2": ("30", "60", "10"),
        "P": ("1", "99", "0"),
        "O": ("4", "196", "0"),
    }
    rows = [
        {"region_id": zone, "period": "2024", "class": name, "mapped_ha": Decimal(ha)}
        for zone, values in (known | hectares).items()
        for name, ha in zip(("coca", "forest", "unobserved"), values, strict=True)
    ]
    return pd.DataFrame(rows).reindex(columns=list(AREA_COLUMNS))


def estimate_of(**domains: tuple[float, float, float, float, int]) -> Estimate:
    """An estimate whose regions are `domains`: hectares of coca, SE, low, high, n."""
    names = ["area_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "n"]
    regions = (
        pd.DataFrame.from_dict(domains, orient="index", columns=names).rename_axis("region").reset_index()
    )
    regions = pd.concat(
        [regions.assign(**{"class": "coca"}), regions.assign(**{"class": "forest", "area_ha": 1e9})]
    )
    return Estimate(
        "stratified",
        "gamma",
        0.95,
        100,
        0.9,
        0.01,
        regions.iloc[:0],
        regions.assign(notes=[()] * len(regions)),
        regions.iloc[:0],
    )


NAN = float("nan")
SAMPLED = (
    estimate_of(Z1=(40, 4, 31, 52, 50), Z2=(20, 9, NAN, NAN, 6), O=(6, 2, 3, 11, 44)),
    estimate_of(authorised=(60, 10, 45, 82, 56), outside=(6, 2, 3, 11, 44)),
    estimate_of(first=(40, 4, 31, 52, 50), other=(26, 9, 12, 40, 50)),
    estimate_of(all=(60, 10, 45, 82, 56)),
    estimate_of(border=(6, 2, 3, 11, 44)),
)


def legal(estimates: tuple[Estimate, ...] = SAMPLED, **tables: pd.DataFrame) -> pd.DataFrame:
    given = {"mapped": mapped(), "limits": LIMITS, "zones": ZONES} | tables
    table = legal_table(
        given["mapped"], {"2024": estimates}, given["limits"], zones=given["zones"], target="coca"
    )
    assert tuple(table.columns) == LEGAL_COLUMNS
    return with_text(table).set_index("id")


def test_zones_kinds_and_limits_stand_in_one_table_with_exact_mapped_sums() -> None:
    table = legal()
    assert table.index.tolist() == [
        "Z1", "Z2", "P", "O", "authorised", "protected", "outside", "first", "all", "border",
    ]  # fmt: skip
    assert table["mapped_ha"].tolist() == [Decimal(v) / 2 for v in (41, 60, 2, 8, 101, 2, 8, 41, 101, 8)]
    assert table.loc["authorised", "observed_fraction"] == 1 - 10 / 200
    assert table.loc["Z1", "name"] == "Uno"


def test_the_interval_is_set_against_the_limit() -> None:
    table = legal()
    assert table.loc["first", ["over_limit_ha", "over_limit_low_ha", "over_limit_high_ha"]].tolist() == [
        10,
        1,
        22,
    ]
    assert table.loc["all", ["over_limit_ha", "over_limit_low_ha", "over_limit_high_ha"]].tolist() == [
        -40,
        -55,
        -18,
    ]
    assert table.loc[["first", "all", "border"], "limit_lies"].tolist() == [
        "below", "above", "within",
    ]  # fmt: skip
    assert table.loc["first", ["n", "interval", "estimator", "source"]].tolist() == [
        50,
        "gamma",
        "stratified",
        "law 1",
    ]
    zones = table[table["level"] != "limit"]
    assert (zones["limit_lies"] == "").all()
    assert zones["over_limit_ha"].isna().all()


def test_without_an_interval_or_an_estimate_the_table_says_so() -> None:
    few = (estimate_of(first=(40, 4, NAN, NAN, 3)),)
    table = legal(few)
    assert table.loc["first", "limit_lies"] == "n_too_small"
    assert table.loc["first", "notes"].startswith("n too small; ")
    assert table.loc["all", "limit_lies"] == "no_estimate"
    assert table.loc["Z1", "notes"] == "n too small: no sample point here"
    assert legal(()).loc["Z1", "notes"] == "no estimate: mapped area only"
    assert legal(()).loc["first", "limit_lies"] == "no_estimate"
    assert legal(())["over_limit_ha"].isna().all()


def test_presence_outside_authorised_zones_is_not_called_illegal() -> None:
    notes = legal()["notes"]
    neutral = "presence of coca is not illegality: the legal status of a plot is not known here"
    assert [key for key in notes.index if neutral in notes[key]] == [
        "P",
        "O",
        "protected",
        "outside",
        "border",
    ]
    assert [key for key in notes.index if "not a verdict" in notes[key]] == ["P", "protected"]
    assert [key for key in notes.index if "points to no ground" in notes[key]] == ["first", "all", "border"]


def test_unobserved_ground_is_said() -> None:
    notes = legal()["notes"]
    assert notes["Z2"].startswith("n too small; 10.0 % was not observed")
    assert notes["all"].startswith("5.0 % was not observed")
    assert "observed" not in notes["Z1"]


@pytest.mark.parametrize(("seen", "told"), [(0.9996, False), (0.9994, True), (1.0, False)])
def test_ground_that_would_be_told_as_0_per_cent_is_not_told(seen: float, told: bool) -> None:
    row = {
        "estimated_ha": 1.0,
        "ci_low_ha": 0.5,
        "observed_fraction": seen,
        "kind": "authorised",
        "level": "zone",
    }
    assert joined(_notes(row, sampled=True), "en").startswith("0.1 % was not observed") is told


def test_a_zone_that_is_under_a_limit_with_others_outside_names_both_kinds() -> None:
    wide = pd.concat([LIMITS, LIMITS.iloc[[3]].assign(limit="all", limit_ha=100, source="law 2")])
    assert legal(limits=wide).loc["all", "kind"] == "authorised+outside"


def test_kinds_of_any_name_have_sums_intervals_and_names_in_both_languages() -> None:
    """Z2 is titled land: its mapped and estimated hectares move from one kind to the other."""
    zones = ZONES.assign(kind=["authorised", "titled", "protected", "outside"])
    limits = LIMITS.assign(limit_ha=[30, 100, 100, 5])
    kinds = estimate_of(authorised=(40, 4, 31, 52, 50), titled=(21, 5, 12, 33, 16))
    names = KIND_NAMES | {"titled": Names(es="tierra titulada", en="titled land")}
    table = legal_table(
        mapped(), {"2024": (kinds,)}, limits, zones=zones, target="coca", names=names
    ).set_index("id")
    own = table.index[table["level"] == "kind"]
    assert own.tolist() == ["authorised", "protected", "titled", "outside"]
    row = table.loc["titled"]
    assert (row["mapped_ha"], row["estimated_ha"], row["ci_low_ha"], row["ci_high_ha"]) == (30, 21, 12, 33)
    assert (row["kind_es"], row["kind_en"]) == ("tierra titulada", "titled land")
    assert table.loc["all", "kind_en"] == "authorised + titled land"
    assert [note.code for note in row["notes"]] == ["zone_unobserved", "presence_not_illegality"]


@pytest.mark.parametrize(
    ("kinds", "names", "words"),
    [
        ({"TL-*": "titled"}, {}, "kind 'titled' has no name"),
        ({"TL-*": "titled"}, {"titld": {"es": "a", "en": "b"}}, "`kind_names` has 'titld'"),
        ({"*": "outside"}, {}, "'outside' is the word for ground in no zone"),
        ({"*": "a+b"}, {}, "should match pattern"),
        (
            {"A": "authorised", "T": "titled"},
            {"titled": {"es": "Autorizada", "en": "b"}},
            "two kinds have the name 'autorizada'",
        ),
    ],
)
def test_kinds_without_a_name_of_their_own_are_refused(
    kinds: dict[str, str], names: dict[str, dict[str, str]], words: str
) -> None:
    source = {"path": "zones.gpkg", "id": "id", "name": "name", "country_code": "PE"}
    zones = {"sources": [source], "sliver_m": 0}
    with pytest.raises(ValidationError, match=re.escape(words)):
        LegalSettings.model_validate({"zones": zones, "kinds": kinds, "kind_names": names})


def test_without_limits_there_are_zones_and_kinds() -> None:
    table = legal(limits=LIMITS.iloc[:0])
    assert set(table["level"]) == {"zone", "kind"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zones": ZONES.assign(kind="legal")}, "the kind 'legal' of a zone has no names"),
        ({"zones": pd.concat([ZONES, ZONES.iloc[[0]]])}, "zone Z1 stands twice"),
        (
            {"zones": ZONES.iloc[:3]},
            "limits name the zone O, which is not there; the map's zone O has no kind",
        ),
        ({"limits": LIMITS.assign(limit_ha=[30, 100, 90, 5])}, "limit all has several hectares"),
        ({"limits": LIMITS.assign(limit_ha=[30, 100, 100, None])}, "limit_ha of border is no area"),
        ({"limits": LIMITS.assign(limit=["Z1", "all", "all", "border"])}, "the name 'Z1' is taken twice"),
        ({"limits": pd.concat([LIMITS, LIMITS.iloc[[0]]])}, "zone Z1 stands twice under first"),
        ({"limits": LIMITS.drop(columns="source")}, "limits have no column 'source'"),
        ({"mapped": mapped()[lambda t: t["region_id"] != "P"]}, "zone P is not on the map"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(changes: dict[str, pd.DataFrame], words: str) -> None:
    with pytest.raises(InputError, match=words):
        legal(**changes)


def test_the_domains_are_the_zones_the_kinds_and_each_limit() -> None:
    assert legal_domains(ZONES, LIMITS) == {
        "zone": {"Z1": "Z1", "Z2": "Z2", "P": "P", "O": "O"},
        "kind": {"Z1": "authorised", "Z2": "authorised", "P": "protected", "O": "outside"},
        "first": {"Z1": "first", "Z2": "other", "P": "other", "O": "other"},
        "all": {"Z1": "all", "Z2": "all", "P": "other", "O": "other"},
        "border": {"Z1": "other", "Z2": "other", "P": "other", "O": "border"},
    }


@given(seed=st.integers(0, 10_000), limit=st.floats(0, 400))
@settings(max_examples=10, deadline=None)
def test_zones_add_up_to_kinds_and_limits_and_the_words_agree_with_the_interval(
    seed: int, limit: float
) -> None:
    """60 points in two strata of 300 and 100 ha, in random zones, coca at random."""
    rng = np.random.default_rng(seed)
    points = pd.DataFrame(
        {
            "stratum": np.repeat(["inside", "rest"], 30),
            "map_class": np.repeat(["coca", "forest"], 30),
            "reference_class": rng.choice(["coca", "forest"], 60),
            "zone": rng.choice(ZONES["zone_id"], 60),
        }
    )
    limits = LIMITS.assign(limit_ha=[limit, 100, 100, 5])
    estimates = tuple(
        estimate_areas(
            points.assign(region=points["zone"].map(domain)), strata_of(["inside", "rest"], [300, 100]),
            classes=("coca", "forest"), estimator="stratified", interval="gamma", confidence=0.95,
            by_region=True,
        )
        for domain in legal_domains(ZONES, limits).values()
    )  # fmt: skip
    table = legal(estimates, limits=limits)
    estimated = table["estimated_ha"].fillna(0)
    for level in ("zone", "kind"):
        own = table["level"] == level
        assert estimated[own].sum() == pytest.approx(estimates[0].classes["area_ha"][0])
        assert table.loc[own, "mapped_ha"].sum() == Decimal("55.5")
    assert estimated["all"] == pytest.approx(estimated["Z1"] + estimated["Z2"])
    first = table.loc["first"]
    side = {"below": 1, "within": 0, "above": -1}
    if first["limit_lies"] in side:
        low, high = first["over_limit_low_ha"], first["over_limit_high_ha"]
        assert side[first["limit_lies"]] == int(low > 0) - int(high < 0)
        assert high - low == pytest.approx(first["ci_high_ha"] - first["ci_low_ha"])
    else:
        assert first["n"] is pd.NA or first["n"] < 10
