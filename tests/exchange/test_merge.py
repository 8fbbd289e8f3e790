"""What is estimated from bundles is what is estimated from all points at once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import OLOFSSON, olofsson
from tests.support.exchanging import (
    DIGEST,
    REGIONS,
    bundle_of,
    bundles_of,
    differences,
    divided,
    random_land,
    source_of,
)

from cocal.contracts import ELSEWHERE
from cocal.errors import InputError
from cocal.exchange.content import survey_content, survey_of
from cocal.exchange.merge import merge
from cocal.exchange.pool import pooled
from cocal.exchange.survey import OWN, Survey, Terms, cells_of, estimate_stock

LATE = date(2025, 1, 2)
BOTH_DESIGNS = ("a" * 64, "b" * 64)


@pytest.mark.parametrize(("how", "calibrated"), [("samples", True), ("regions", True), ("designs", False)])
def test_bundles_give_to_the_last_printed_digit_what_all_points_at_once_give(how, calibrated):
    split = divided(11, how, calibrated=calibrated)
    found = differences(split, merge(bundles_of(split)))
    assert found.compared >= 100
    assert found.different == []


def test_the_order_of_the_bundles_changes_nothing():
    bundles = bundles_of(divided(3, "designs", calibrated=False))
    one, other = merge(bundles), merge(bundles[::-1])
    pd.testing.assert_frame_equal(one.hectares, other.hectares)
    pd.testing.assert_frame_equal(one.change, other.change)


def test_halves_of_a_published_error_matrix_give_its_published_area():
    """Olofsson et al. 2014, Table 9: deforestation 21,158 +- 6,158 ha."""
    sample, strata = olofsson()
    sample = sample.assign(place="all").rename(columns={"reference_class": OWN})
    half = np.arange(len(sample)) % 3 == 0
    surveys = [
        Survey(("2014",), DIGEST, "stratified", (), strata, cells_of(sample[rows], [OWN]), None)
        for rows in (half, ~half)
    ]
    found = estimate_stock(pooled(surveys), {}, OWN, Terms(OLOFSSON, "deforestation", "wald", 0.95))
    row = found.classes.set_index("class").loc["deforestation"]
    assert round(row["area_ha"]) == 21158
    assert round(1.96 * row["standard_error_ha"]) == 6158


def test_a_survey_is_read_back_as_it_was_written():
    land = random_land(5, calibrated=True)
    for survey in source_of(land, land.points, set(REGIONS), DIGEST).surveys:
        again = survey_of(survey_content(survey, (OWN, "joint")), (OWN, "joint"))
        pd.testing.assert_frame_equal(again.cells, survey.cells, check_dtype=False)
        pd.testing.assert_frame_equal(again.ground, survey.ground, check_dtype=False)
        pd.testing.assert_frame_equal(again.strata, survey.strata, check_dtype=False)


def two_offices():
    return bundles_of(divided(3, "regions", calibrated=False))


def changed(bundle, **values):
    return type(bundle).model_validate(bundle.model_dump(mode="json") | values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: {"scheme": b.scheme.model_dump() | {"sha256": "9" * 64}}, "class scheme"),
        (lambda b: {"interval": "wald"}, "interval"),
        (lambda b: {"simulated": False}, "data"),
        (
            lambda b: {"periods": [p.model_dump() | {"end": LATE} for p in b.periods]},
            "period 2023",
        ),
        (lambda b: {"office": "PE"}, "two bundles of the office PE"),
    ],
)
def test_bundles_that_do_not_belong_together_are_refused_by_name(change, said):
    first, second = two_offices()
    with pytest.raises(InputError, match="cannot be added up") as caught:
        merge([first, changed(second, **change(second))])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: {"mapped": [*b.mapped, b.mapped[0]]}, "two mapped hectares"),
        (lambda b: {"mapped": [("2024", "XX-1", "coca", "5")]}, "hectares of no place: XX-1"),
        (lambda b: {"mapped": [("1999", b.places[0].id, "coca", "5")]}, "hectares of no period: 1999"),
        (lambda b: {"surveys": [b.surveys[0]] * 2}, "two samples of one period"),
        (lambda b: {"places": b.places[1:], "mapped": []}, "points or ground of no place"),
        (lambda b: {"definitions": b.definitions[::-1]}, "the first definition is not scheme"),
        (lambda b: {"scheme": b.scheme.model_dump() | {"target": "cacao"}}, "no class"),
    ],
)
def test_a_bundle_that_counts_twice_or_speaks_of_what_it_has_not_is_refused(change, said):
    bundle = two_offices()[0]
    content = bundle.model_dump(mode="json") | change(bundle)
    with pytest.raises(ValueError, match=said):
        type(bundle).model_validate_json(json.dumps(content, default=lambda own: own.model_dump(mode="json")))


def test_one_sample_under_the_names_of_two_offices_is_refused():
    bundle = two_offices()[0]
    with pytest.raises(InputError, match="the same cells in the bundles of BO and PE"):
        merge([bundle, changed(bundle, office="BO")])


def test_points_that_an_office_has_had_back_are_not_in_the_bundle_of_another():
    first, second = bundles_of(divided(3, "samples", calibrated=False))
    points = sum(cell[4] for cell in second.surveys[0].cells)
    merge([changed(first, out={"2023": points}), second])
    with pytest.raises(InputError, match="points that count twice") as caught:
        merge([changed(first, out={"2023": points - 1}), second])
    assert f"2023: {points} points of other offices, and {points - 1}" in str(caught.value)


def test_one_region_with_two_boundaries_is_refused():
    first, second = two_offices()
    places = [p.model_dump() for p in second.places]
    name = first.places[0].id
    places[0] = {"id": name, "name": name, "country": "PE", "regions": {name: "7" * 64}}
    with pytest.raises(InputError, match="two boundaries"):
        merge([first, changed(second, places=places, mapped=[], surveys=[])])


def test_what_one_office_has_no_sample_of_is_no_total():
    first, second = two_offices()
    kept = [survey for survey in second.surveys if survey.periods == ("2023",)]
    found = merge([first, changed(second, surveys=kept)])
    assert set(found.hectares["period"]) == {"2023"}
    assert found.change.empty
    assert any(text == f"2024 is left out: no sample of {second.office}" for text in found.left_out)
    assert any("2023 to 2024 is left out" in text for text in found.left_out)


def test_one_boundary_under_two_names_is_refused():
    first, second = two_offices()
    digest = next(iter(first.places[0].regions.values()))
    places = [p.model_dump() for p in second.places]
    places[0]["regions"] = {places[0]["id"]: digest}
    with pytest.raises(InputError, match="cannot be added up") as caught:
        merge([first, changed(second, places=places)])
    assert f"one boundary, regions {', '.join(sorted((first.places[0].id, places[0]['id'])))}" in str(
        caught.value
    )


def test_regions_that_reach_over_the_border_are_refused():
    """One design, and the ground beyond an office's border counted in a region of its own."""
    first, second = bundles_of(divided(3, "regions", calibrated=True))
    surveys = [survey.model_dump(mode="json") for survey in second.surveys]
    for survey in surveys:
        ground = {}
        for stratum, place, kind, ha in survey["ground"]:
            beyond = place == ELSEWHERE
            key = (stratum, second.places[0].id, first.scheme.target) if beyond else (stratum, place, kind)
            ground[key] = ground.get(key, 0.0) + float(ha)
        survey["ground"] = [(*key, str(ha)) for key, ha in ground.items()]
    with pytest.raises(InputError, match="whose regions overlap"):
        merge([first, changed(second, surveys=surveys)])


def test_ground_mapped_by_two_designs_is_refused_and_counts_once_where_an_office_is_named():
    first, second = random_land(1, calibrated=True), random_land(2, calibrated=True)
    own, others = set(REGIONS[:4]), set(REGIONS[3:])
    bundles = [
        bundle_of(cut(first, own), cut(first, own).points, own, "PE", BOTH_DESIGNS[0]),
        bundle_of(cut(second, others), cut(second, others).points, others, "BO", BOTH_DESIGNS[1]),
    ]
    with pytest.raises(InputError, match="same ground") as caught:
        merge(bundles)
    assert f"{REGIONS[3]}: BO, PE\n" in str(caught.value)
    with pytest.raises(InputError, match="made none of these bundles"):
        merge(bundles[:1], counted="BO")
    found = merge(bundles, counted="BO")
    assert set(found.seam["region_id"]) == {REGIONS[3]}
    assert set(found.seam.loc[found.seam["counted"], "office"]) == {"BO"}
    target = found.hectares[(found.hectares["class"] == "coca") & (found.hectares["period"] == "2024")]
    target = target[target["definition"] == OWN].set_index(["level", "id"])
    places = target.loc["place"]
    total = target.loc[("total", "total")]
    assert places["mapped_ha"].sum() == total["mapped_ha"]
    assert places["estimated_ha"].sum() == pytest.approx(total["estimated_ha"], abs=1e-4)
    alone = merge([bundles[1]]).hectares
    row = alone[(alone["id"] == REGIONS[3]) & (alone["class"] == "coca") & (alone["period"] == "2024")]
    here = row[row["definition"] == OWN].iloc[0]
    assert places.loc[REGIONS[3], "mapped_ha"] == here["mapped_ha"]
    seam = found.seam[(found.seam["office"] == "BO") & (found.seam["period"] == "2024")].iloc[0]
    assert seam["estimated_ha"] == here["estimated_ha"]


def cut(land, places):
    return replace(
        land,
        points=land.points[land.points["place"].isin(places)],
        ground=land.ground[land.ground["place"].isin(places)],
    )


def test_a_definition_of_another_crosswalk_is_left_out_and_told():
    first, second = two_offices()
    found = merge([first, changed(second, crosswalk="5" * 64)])
    assert set(found.hectares["definition"]) == {OWN}
    assert any("joint" in text and "different crosswalks" in text for text in found.left_out)
