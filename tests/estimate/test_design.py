"""What a design does not allow is refused by name, and only the design decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import olofsson, random_design, sample_of, strata_of

from cocal.errors import InputError, UsageError
from cocal.estimate import Estimate, estimate_areas
from cocal.notes import Note, render


def estimated(sample: pd.DataFrame, strata: pd.DataFrame, **changes: object) -> Estimate:
    settings = {
        "classes": None, "estimator": "stratified", "interval": "gamma", "confidence": 0.95,
        "by_region": False
    }  # fmt: skip
    return estimate_areas(sample, strata, **(settings | changes))


TWO = sample_of("ab", np.array([[8, 2], [1, 19]])), strata_of("ab", [100, 1_000])


def test_purposive_points_give_no_area_and_the_refusal_says_why() -> None:
    sample, strata = TWO
    chosen = sample.assign(inclusion_probability=0.01)
    chosen.loc[3:5, "inclusion_probability"] = np.nan
    with pytest.raises(UsageError, match=r"3 points without one \(purposive") as refusal:
        estimated(chosen, strata)
    assert "compared with the map point by point" in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_stratum_without_points_is_named_with_its_remedy() -> None:
    sample, strata = TWO
    more = pd.concat([strata, strata_of(["buffer"], [50])], ignore_index=True)
    with pytest.raises(InputError, match="no sample point in stratum 'buffer'") as refusal:
        estimated(sample, more)
    assert "collapse" in refusal.value.remedy


def test_a_class_that_was_mapped_but_never_sampled_is_named() -> None:
    sample, strata = olofsson()
    with pytest.raises(InputError, match="no sample point in stratum 'gain'"):
        estimated(sample[sample["stratum"] != "gain"], strata)


def test_a_stratum_with_a_single_point_is_named_with_its_remedy() -> None:
    sample, strata = TWO
    lone = pd.concat([sample[sample["stratum"] == "a"].head(1), sample[sample["stratum"] == "b"]])
    with pytest.raises(InputError, match="a single sample point in stratum 'a'"):
        estimated(lone, strata)


def test_few_points_of_a_class_never_refuse() -> None:
    """Rule 5: with no coca found at all there is an upper limit, not a refusal."""
    sample = sample_of(("coca", "other"), np.array([[0, 20], [0, 80]]))
    estimate = estimated(sample, strata_of(("coca", "other"), [10, 990]), classes=("coca", "other"))
    row = estimate.classes.set_index("class").loc["coca"]
    assert (row["area_ha"], row["ci_low_ha"]) == (0.0, 0.0)
    assert row["ci_high_ha"] > 3 * 990 / 80


def test_points_of_a_stratum_that_the_table_does_not_have_are_named() -> None:
    sample, strata = TWO
    with pytest.raises(InputError, match="weights do not match the strata") as refusal:
        estimated(sample.assign(stratum=sample["stratum"].replace("b", "c")), strata)
    assert refusal.value.found == "c"


def test_inclusion_probabilities_that_contradict_the_areas_are_refused() -> None:
    """10 points in 100 and 20 in 1,000 ha: probabilities must be as 0.1 to 0.02, and are turned round."""
    sample, strata = TWO
    right = sample.assign(inclusion_probability=sample["stratum"].map({"a": 0.1, "b": 0.02}))
    assert estimated(right, strata).warnings == ()
    wrong = sample.assign(inclusion_probability=sample["stratum"].map({"a": 0.02, "b": 0.1}))
    with pytest.raises(InputError, match="weights do not match the strata") as refusal:
        estimated(wrong, strata)
    assert "stratum 'b'" in refusal.value.found


def test_more_points_than_the_probability_allows_are_refused_with_pixel_counts() -> None:
    sample, _ = TWO
    pixels = pd.DataFrame({"stratum": ["a", "b"], "pixels": [100, 1_000], "pixel_area_m2": 100.0})
    with pytest.raises(InputError, match=r"stratum 'a': 10 points of probability 0\.05"):
        estimated(sample.assign(inclusion_probability=sample["stratum"].map({"a": 0.05, "b": 0.02})), pixels)


def test_points_that_were_not_reached_are_told_as_non_response() -> None:
    """25 planned in 1,000 pixels, 20 answered."""
    sample, _ = TWO
    pixels = pd.DataFrame({"stratum": ["a", "b"], "pixels": [100, 1_000], "pixel_area_m2": 100.0})
    estimate = estimated(
        sample.assign(inclusion_probability=sample["stratum"].map({"a": 0.1, "b": 0.025})), pixels
    )
    assert len(estimate.warnings) == 1
    assert estimate.warnings[0].code == "non_response"
    assert "'b': about 20 % of the planned points" in render(estimate.warnings[0], "en")


def test_one_stratum_with_two_probabilities_is_refused() -> None:
    sample, strata = TWO
    mixed = sample.assign(inclusion_probability=np.where(np.arange(len(sample)) % 2, 0.1, 0.02))
    with pytest.raises(InputError, match="have different probabilities"):
        estimated(mixed, strata)


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        (strata_of("ab", [100, 0]), "'b' has no positive area"),
        (strata_of("aab", [100, 100, 1_000]), "'a' has two rows"),
        (strata_of("ab", [100, 1_000]).assign(weight=[0.5, 0.5]), "weight of 'a' is not its share"),
        (strata_of("ab", [1, 1]).assign(pixels=[8, 1_000]), "more points than pixels in stratum 'a'"),
        (
            strata_of("ab", [100, 1_000]).assign(pixels=[10_000, 50_000], pixel_area_m2=100.0),
            "area_ha and pixels of 'b' contradict each other",
        ),
        (pd.DataFrame({"stratum": ["a", "b"]}), "neither 'area_ha' nor 'pixels'"),
    ],
)
def test_a_strata_table_that_cannot_be_true_is_refused(strata: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        estimated(TWO[0], strata)


def test_two_class_schemes_are_refused_however_they_show() -> None:
    sample, strata = TWO
    with pytest.raises(InputError, match="two class schemes"):
        estimated(sample.assign(reference_class=sample["reference_class"].str.upper()), strata)
    with pytest.raises(InputError, match="mixes class schemes: one, two"):
        estimated(sample.assign(class_scheme=["one"] * 20 + ["two"] * 10), strata)
    with pytest.raises(InputError, match="reference_class holds b, not of this class scheme"):
        estimated(sample.assign(map_class="a"), strata, classes=("a", "c"))


def test_points_without_a_reference_are_not_guessed() -> None:
    sample, strata = TWO
    open_points = sample.assign(reference_class=sample["reference_class"].mask(np.arange(30) < 4))
    with pytest.raises(InputError, match="4 points have no reference_class"):
        estimated(open_points, strata)


def test_all_problems_of_the_columns_are_named_at_once() -> None:
    with pytest.raises(InputError) as refusal:
        estimated(
            TWO[0].drop(columns=["map_class", "stratum"]), TWO[1].drop(columns="area_ha"), by_region=True
        )
    for words in ("no column 'stratum'", "no column 'map_class'", "neither 'area_ha'", "no column 'region'"):
        assert words in refusal.value.found


def test_settings_that_do_not_exist_are_named_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"'guess'; allowed: .*stratified") as refusal:
        estimated(*TWO, estimator="guess", interval="none", confidence=95)
    assert "allowed: gamma, wald" in refusal.value.found
    assert "confidence 95" in refusal.value.found


def test_collapse_merges_what_it_names_and_equals_a_table_merged_by_hand() -> None:
    sample, strata = random_design(3)
    merged = sample.assign(stratum=sample["stratum"].replace({"s0": "m", "s2": "m"}))
    area = strata.set_index("stratum")["area_ha"]
    by_hand = estimated(merged, strata_of(["m", "s1"], [area["s0"] + area["s2"], area["s1"]]))
    collapsed = estimated(sample, strata, collapse=("s0+s2",))
    pd.testing.assert_frame_equal(collapsed.classes, by_hand.classes)
    assert collapsed.strata["stratum"].tolist() == ["s0+s2", "s1"]
    pd.testing.assert_frame_equal(estimated(sample, strata, collapse=[("s0", "s2")]).classes, by_hand.classes)


def test_collapse_of_strata_sampled_at_different_rates_says_what_it_assumes() -> None:
    sample, strata = TWO
    estimate = estimated(sample, strata, collapse=("a+b",))
    assert estimate.warnings == (
        Note("merged_at_different_rates", strata=("a", "b"), points=(10, 20), hectares=(100, 1000)),
    )
    text = "merged strata a, b were sampled at different rates (10, 20 points in 100, 1000 ha)"
    assert render(estimate.warnings[0], "en").startswith(text)


def test_collapse_mends_an_empty_stratum_and_a_wrong_name_is_refused() -> None:
    sample, strata = TWO
    more = pd.concat([strata, strata_of(["buffer"], [50])], ignore_index=True)
    estimate = estimated(sample, more, collapse=("a+buffer",))
    assert estimate.classes["area_ha"].sum() == pytest.approx(1_150)
    with pytest.raises(InputError, match="no stratum bufer"):
        estimated(sample, more, collapse=("a+bufer",))
    with pytest.raises(InputError, match="'a' twice"):
        estimated(sample, more, collapse=("a+buffer", "a+b"))


def crossed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Strata a and b in regions N and S; a in S has a single point."""
    sample = pd.concat([TWO[0].assign(region="N"), TWO[0].assign(region="S")], ignore_index=True)
    extra = (sample["region"] == "S") & (sample["stratum"] == "a")
    sample = sample.drop(index=sample.index[extra][1:])
    strata = pd.DataFrame(
        {"stratum": list("abab"), "region": list("NNSS"), "area_ha": [10.0, 100.0, 20.0, 200.0]}
    )
    return sample, strata


def test_with_a_region_column_the_stratum_is_stratum_by_region() -> None:
    with pytest.raises(InputError, match="a single sample point in stratum 'a@S'"):
        estimated(*crossed(), by_region=True)
    estimate = estimated(*crossed(), by_region=True, collapse=("a@S+b@S",))
    assert estimate.strata["stratum"].tolist() == ["a@N", "b@N", "a+b@S"]
    sizes = estimate.regions.groupby("region")["area_ha"].sum()
    assert sizes.to_dict() == pytest.approx({"N": 110.0, "S": 220.0})


def test_a_plain_collapse_merges_within_each_region() -> None:
    estimate = estimated(*crossed(), by_region=True, collapse=("a+b",))
    assert estimate.strata["stratum"].tolist() == ["a+b@N", "a+b@S"]


def test_a_stratum_merged_across_regions_keeps_its_points_in_their_regions() -> None:
    """a@N with 10 points and a@S with 1 make one stratum of 30 ha; the S point is worth 30/11 ha."""
    sample, strata = crossed()
    estimate = estimated(sample, strata, by_region=True, collapse=("a@N+a@S",))
    assert estimate.strata["stratum"].tolist() == ["a", "b@N", "b@S"]
    sizes = estimate.regions.groupby("region")["area_ha"].sum()
    assert sizes["S"] == pytest.approx(200 + 30 / 11)
    assert sizes.sum() == pytest.approx(330)


@pytest.mark.parametrize("estimator", ["simple", "poststratified", "difference", "regression"])
def test_a_stratified_sample_is_not_taken_for_a_simple_random_one(estimator: str) -> None:
    sample, strata = olofsson()
    with pytest.raises(InputError, match="the sample was stratified"):
        estimated(sample, strata, estimator=estimator)
