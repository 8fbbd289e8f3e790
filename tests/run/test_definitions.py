"""Hectares under several definitions from one sample: figures, differences, what cannot be told, refusals."""

from __future__ import annotations

import json
import shutil
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tests.support.small_world import write_csv

from cocal.errors import InputError
from cocal.exchange.content import SurveyContent, survey_of
from cocal.exchange.survey import Terms, estimate_stock

SHIPPED = Path(__file__).parents[2] / "configs" / "schemes" / "coca-definitions.yaml"
USE = ("pe_in_production", "bo_cultivated", "joint")
COUNTED = {
    "pe_in_production": {"productive", "pruned"},
    "joint": {"young", "productive", "pruned"},
    "bo_cultivated": {"nursery", "young", "productive", "pruned"},
}
STATES = ("productive", "young", "pruned", "productive", "nursery", "abandoned")


def with_states(world, **more):
    """The land with states in its records, and the definitions in its configuration."""
    records = pd.read_csv(world.folder / "records.csv")
    coca = records["class"] == "coca"
    records.loc[coca, "state"] = [STATES[k % len(STATES)] for k in range(int(coca.sum()))]
    records.loc[records.index[~coca][:5], "state"] = "young"  # young coca on ground of another class
    write_csv(world.folder / "records.csv", records)
    shutil.copyfile(SHIPPED, world.folder / "definitions.yaml")

    def change(content):
        content["records"]["columns"]["state"] = "state"
        content["definitions"] = {"crosswalk": "definitions.yaml", "use": list(USE)} | more
        content["groups"] = {"all": ["*"], "PE": ["PE-*"]}

    world.edit(change)
    return world


@pytest.fixture(scope="module")
def counted(_finished, tmp_path_factory, done):
    world = with_states(_finished.copied(tmp_path_factory.mktemp("definitions") / "world"))
    shutil.copyfile(world.root / "hectares.csv", world.folder / "as_recorded.csv")
    assert done(world).failures == ()
    return world


def table_of(world):
    table = pd.read_csv(world.root / "definitions.csv", keep_default_na=False, na_values={"minus": []})
    figures = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "low_ha", "high_ha"]
    table[figures] = table[figures].apply(pd.to_numeric)
    return table.set_index(["level", "id", "definition", "minus"]).sort_index()


def test_each_definition_is_the_expansion_of_the_points_that_count(counted):
    """A_h / n_h for each point of the regions' observed ground whose state the definition counts."""
    records = pd.read_csv(counted.root / "records.csv")
    strata = pd.read_csv(counted.folder / "strata.csv").set_index("stratum")["area_ha"]
    weight = records["stratum"].map(strata / records.groupby("stratum").size())
    given_states = pd.read_csv(counted.folder / "records.csv").set_index("record_id")["state"]
    state = records["record_id"].map(given_states)
    seen = records["status"] == "matched"
    table = table_of(counted)
    for name, states in COUNTED.items():
        counts = state.isin(states)
        assert (records[f"counts_{name}"].astype(str) == counts.astype(str)).all()
        total = weight[seen & counts].sum()
        assert table.loc[("total", "total", name, ""), "estimated_ha"] == pytest.approx(total, rel=1e-9)
        for region, own in records[seen & counts].groupby("region_id"):
            expected = weight[own.index].sum()
            found = table.loc[("region", region, name, ""), "estimated_ha"]
            assert found == pytest.approx(expected, rel=1e-9)


def test_a_difference_is_that_of_its_rows_with_the_interval_of_the_same_points(counted):
    table = table_of(counted)
    figures = table["estimated_ha"].unstack(["definition", "minus"])
    ends = table.loc[("total", "total")]
    for first, second in combinations(USE, 2):
        gap = figures[first, ""] - figures[second, ""]
        assert figures[first, second].to_numpy() == pytest.approx(gap.to_numpy(), abs=1e-9, nan_ok=True)
        pair, apart = ends.loc[(first, second)], [ends.loc[(name, "")] for name in (first, second)]
        assert pair["ci_low_ha"] <= pair["estimated_ha"] <= pair["ci_high_ha"]
        assert pair["standard_error_ha"] < sum(own["standard_error_ha"] ** 2 for own in apart) ** 0.5
    assert ends.loc[("pe_in_production", "bo_cultivated"), "ci_high_ha"] <= 0  # nested: never above
    sums = table.loc["region"].groupby(["definition", "minus"])["estimated_ha"].sum()
    total = table.loc[("total", "total"), "estimated_ha"]
    assert sums.to_numpy() == pytest.approx(total.loc[sums.index].to_numpy(), abs=1e-6)
    assert table.loc[("group", "all"), "estimated_ha"].to_numpy() == pytest.approx(total.to_numpy())


def test_without_a_main_definition_all_other_tables_are_those_of_the_recorded_class(counted):
    own, before = (
        pd.read_csv(path) for path in (counted.root / "hectares.csv", counted.folder / "as_recorded.csv")
    )
    pd.testing.assert_frame_equal(own, before)


@pytest.fixture
def again(counted, tmp_path):
    return counted.copied(tmp_path / "world")


def test_the_main_definition_is_that_of_every_table(again, done):
    again.edit(lambda content: content["definitions"].update(main="bo_cultivated"))
    done(again)
    table = table_of(again)
    for name, level, place in (("hectares", "region", "region_id"), ("countries", "country", "country")):
        rows = pd.read_csv(again.root / f"{name}.csv").query("`class` == 'coca'").set_index(place)
        own = table.xs(("bo_cultivated", ""), level=["definition", "minus"]).loc[level]
        for figure in ("estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"):
            assert own[figure].to_numpy() == pytest.approx(rows.loc[own.index, figure], nan_ok=True, abs=6e-5)
    records = pd.read_csv(again.root / "records.csv")
    moved = records[records["recorded_class"] != records["reference_class"]]
    assert set(moved.loc[moved["recorded_class"] == "coca", "reference_class"]) == {"other_crops"}
    assert (moved.loc[moved["recorded_class"] != "coca", "reference_class"] == "coca").all()
    assert len(moved) == 15  # a sixth of 60 is abandoned, and 5 points of other classes hold young coca


def test_records_without_what_decides_are_refused_by_name_or_bounded(again, done):
    records = pd.read_csv(again.folder / "records.csv")
    lost = records.index[records["class"] == "coca"][:4]
    records.loc[lost, "state"] = ""
    write_csv(again.folder / "records.csv", records)
    with pytest.raises(InputError, match=r"joint: 4 of 120 records lack state in 4") as refused:
        done(again)
    assert "R00" not in str(refused.value)

    crosswalk = yaml.safe_load((again.folder / "definitions.yaml").read_text(encoding="utf-8"))
    for definition in crosswalk["definitions"]:
        definition["missing"] = "bounded"
    (again.folder / "definitions.yaml").write_text(yaml.safe_dump(crosswalk), encoding="utf-8")
    done(again)
    own = table_of(again).loc[("total", "total")]
    strata = pd.read_csv(again.folder / "strata.csv").set_index("stratum")["area_ha"]
    matched = pd.read_csv(again.root / "records.csv").set_index("record_id")
    seen = int((matched.loc[records.loc[lost, "record_id"], "status"] == "matched").sum())
    row = own.loc[("joint", "")]
    assert pd.isna(row["estimated_ha"])
    assert row["high_ha"] - row["low_ha"] == pytest.approx(seen * strata["coca"] / 60)
    assert row["ci_low_ha"] <= row["low_ha"]
    assert row["ci_high_ha"] >= row["high_ha"]
    pair = own.loc[("bo_cultivated", "joint")]
    wide = own.loc[("bo_cultivated", "")]
    assert pair["high_ha"] == pytest.approx(wide["high_ha"] - row["low_ha"])
    # cultivated coca holds the other: the difference is never below 0, whatever the records lack
    assert pair["low_ha"] == pytest.approx(max(wide["low_ha"] - row["high_ha"], 0))
    assert 0 <= pair["ci_low_ha"] <= pair["low_ha"]
    assert pair["n_unknown"] == row["n_unknown"] == seen, "the same records, each once"
    left_out = json.loads((again.root / "run.json").read_text(encoding="utf-8"))["left_out"]
    assert [note["code"] for note in left_out].count("attributes_missing") == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use": ["pe_in_production", "ours"]}, "use: 'ours' is not in the crosswalk"),
        ({"main": "joint", "not_counted": None}, "main: joint needs `not_counted`"),
        ({"main": "joint", "missing": "bounded"}, "main: joint has `missing: bounded`"),
        ({"not_counted": "tea"}, "joint: class 'tea' is not in the scheme"),
    ],
)
def test_definitions_that_do_not_fit_are_refused_before_any_work(again, done, change, words):
    keys = {key: change[key] for key in ("use", "main") if key in change}
    again.edit(lambda content: content["definitions"].update(keys))
    crosswalk = yaml.safe_load((again.folder / "definitions.yaml").read_text(encoding="utf-8"))
    crosswalk["definitions"][2].update({k: v for k, v in change.items() if k not in ("use", "main")})
    (again.folder / "definitions.yaml").write_text(yaml.safe_dump(crosswalk), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        done(again)


def test_an_official_figure_stands_beside_the_estimate_under_its_own_definition(again, done):
    official = pd.read_csv(again.folder / "official.csv")
    production, cultivated = (
        "area under coca bush in production",
        "area under coca (UNODC Bolivia; definition not read)",
    )
    both = [official.assign(definition=text) for text in (production, cultivated, "coca of the moon")]
    write_csv(again.folder / "official.csv", pd.concat(both, ignore_index=True))
    again.edit(lambda content: content["definitions"].update(main="pe_in_production"))
    done(again)
    compared = pd.read_csv(again.root / "comparison.csv", keep_default_na=False)
    main = pd.read_csv(again.root / "hectares.csv").query("`class` == 'coca'").set_index("region_id")
    own = table_of(again).xs(("bo_cultivated", ""), level=["definition", "minus"]).loc["region"]
    for number, expected in enumerate((main, own, main)):
        rows = compared[compared["region_id"].isin(main.index)].groupby("region_id").nth(number)
        rows = rows.set_index("region_id")
        for name in ("estimated_ha", "ci_low_ha", "ci_high_ha"):
            wanted = pd.to_numeric(expected.loc[rows.index, name])
            assert pd.to_numeric(rows[name]).to_numpy() == pytest.approx(wanted, nan_ok=True, abs=6e-5)
        why = rows["why_not_comparable"]
        assert why.str.contains("estimate is that under the definition bo_cultivated").all() == (number == 1)
        assert why.str.contains("definition differs").all() == (number == 2)


def test_the_counts_for_a_bundle_estimate_the_same_under_each_definition(counted):
    facts = json.loads((counted.root / "exchange.json").read_text(encoding="utf-8"))
    definitions, table = tuple(facts["definitions"]), table_of(counted)
    assert definitions == ("scheme", *USE)
    survey = survey_of(SurveyContent.model_validate(facts["surveys"][0]), definitions)
    terms = Terms(tuple(facts["scheme"]["classes"]), "coca", facts["interval"], facts["confidence"])
    for name in USE:
        whole = table.loc[("total", "total", name, "")]
        found = estimate_stock(survey, {}, name, terms).classes.set_index("class").loc["coca"]
        assert found["area_ha"] == pytest.approx(whole["estimated_ha"], abs=1e-4)
        assert found["standard_error_ha"] == pytest.approx(whole["standard_error_ha"], abs=1e-4)
