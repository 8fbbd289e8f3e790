from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from cocal.contracts import UNOBSERVED
from cocal.errors import ContractError
from cocal.report.content import check_content
from cocal.report.place import TOTAL
from cocal.report.places import compared_places, country_places


def test_regions_of_one_country_stand_together_and_are_numbered_from_one(made_up):
    names = [("PE", "a"), ("BO", "b"), ("PE", "c")]
    places = made_up(names=names).places["2023"]
    assert [(p.number, p.country, p.name) for p in places] == [(1, "PE", "a"), (2, "PE", "c"), (3, "BO", "b")]


def test_mapped_estimated_and_unobserved_hectares_are_the_rows_of_the_table(made_up):
    apolo = made_up().places["2023"][3]
    assert apolo.name == "Apolo"
    assert apolo.mapped_ha == 20 + 37.5 * 3
    assert apolo.estimated_ha == pytest.approx(1.2 * 132.5)
    assert apolo.ci_low_ha == pytest.approx(1.2 * 132.5 - 1.96 * 0.11 * 132.5)
    assert apolo.unobserved_ha == 380
    assert apolo.unobserved_share == pytest.approx(0.038)
    assert apolo.truth_within is True


def test_without_an_estimate_the_best_figure_is_the_map_count(made_up):
    place = made_up(estimated=False).places["2023"][0]
    assert (place.estimated_ha, place.has_interval, place.best_ha) == (None, False, 20.0)


def test_exact_decimal_hectares_become_numbers(made_up):
    content = made_up()
    areas = content.areas.assign(mapped_ha=[Decimal(str(v)) for v in content.areas["mapped_ha"]])
    assert replace(content, areas=areas).places["2023"][0].mapped_ha == 20.0


def test_a_country_has_its_own_interval_and_the_true_sum_of_its_regions(made_up):
    peru, bolivia, whole = country_places(made_up())
    assert (peru.key, bolivia.key, whole.key) == ("PE", "BO", TOTAL)
    assert peru.mapped_ha == 20 + 57.5 + 95
    assert peru.truth_ha == pytest.approx(1.15 * (20 + 57.5 + 95))
    assert whole.owned_ha == 60_000
    assert whole.unobserved_share == pytest.approx(0.038)


def test_every_official_figure_of_a_region_is_a_row_and_the_first_is_the_headline(made_up):
    content = made_up()
    first = content.comparison.head(1)
    second = first.assign(official_ha=77.0, official_source="otra serie")
    both = replace(content, comparison=pd.concat([content.comparison, second], ignore_index=True))
    shown = [(p.number, p.official_ha) for p in compared_places(both)]
    assert shown[:2] == [(1, 28.0), (1, 77.0)]
    assert both.places["2023"][0].official_ha == 28.0


def test_a_comparison_without_any_figure_is_no_table(made_up):
    content = made_up()
    empty = content.comparison.assign(official_ha=np.nan, field_ha=np.nan)
    assert compared_places(replace(content, comparison=empty)) == []


def test_all_classes_and_the_unobserved_ground_sum_to_the_owned_area(made_up):
    content = made_up()
    keys = (*content.scheme.keys, UNOBSERVED)
    classes = [content.region_places("2023", key) for key in keys]
    for places in zip(*classes, strict=True):
        assert sum(place.mapped_ha for place in places) == pytest.approx(places[0].owned_ha)
    estimated = [key for key, own in zip(keys, classes, strict=True) if own[0].estimated_ha is not None]
    assert estimated == ["coca"]


def test_all_problems_of_a_content_are_named_at_once(made_up):
    content = made_up()
    stranger = content.areas.assign(region_id=content.areas["region_id"].replace("r0", "zz"))
    picture = replace(content.map_overview.pictures[0], codes=np.zeros((2, 2), dtype=np.int64), period="1999")
    overview = replace(content.map_overview, pictures=(picture,))
    with pytest.raises(ContractError) as caught:
        check_content(replace(content, areas=stranger, map_overview=overview))
    for part in ("'zz'", "'1999'", "int64"):
        assert part in str(caught.value)


def test_a_truth_table_of_a_run_that_is_not_simulated_is_refused(made_up):
    with pytest.raises(ContractError, match="not marked simulated"):
        check_content(replace(made_up(), simulated=False))
