from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cocal.contracts import Period
from cocal.errors import ConfigError
from cocal.features import FeatureSettings, bands_needed, composite_windows, feature_names, halo_px, needs_dem
from cocal.features.windows import centre_days

Build = Callable[..., FeatureSettings]

MASK = {"clear": ["vegetation"], "dilate": ["cloud_high"], "dilate_px": 4}


def names(settings: FeatureSettings, start: date, end: date) -> list[str]:
    return [w.name for w in composite_windows(settings, Period("p", start, end))]


def test_a_calendar_year_has_twelve_months_and_four_quarters(settings: Build, year: Period) -> None:
    assert [w.name for w in composite_windows(settings(), year)] == [f"{m:02d}" for m in range(1, 13)]
    february = composite_windows(settings(), year)[1]
    assert (february.start, february.end) == (date(2023, 2, 1), date(2023, 2, 28))
    quarters = composite_windows(settings(windows="quarterly", features=["NDVI@*"]), year)
    assert quarters[1] == ("q2", date(2023, 4, 1), date(2023, 6, 30))
    assert len(quarters) == 4


def test_a_year_that_begins_in_november_still_names_months_by_the_calendar(settings: Build) -> None:
    found = names(settings(), date(2020, 11, 1), date(2021, 10, 31))
    assert found == ["11", "12", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]


def test_months_that_come_twice_carry_their_year(settings: Build) -> None:
    found = names(settings(), date(2023, 9, 15), date(2024, 9, 14))
    assert (found[0], found[-1], len(found)) == ("2023-09", "2024-09", 13)
    quarters = names(settings(windows="quarterly"), date(2023, 2, 1), date(2024, 3, 1))
    assert quarters == ["2023-q1", "2023-q2", "2023-q3", "2023-q4", "2024-q1"]


def test_windows_of_ten_days_are_named_by_their_first_day(settings: Build) -> None:
    found = composite_windows(settings(windows=10), Period("p", date(2024, 1, 1), date(2024, 1, 25)))
    assert found == [
        ("d001", date(2024, 1, 1), date(2024, 1, 10)),
        ("d011", date(2024, 1, 11), date(2024, 1, 20)),
        ("d021", date(2024, 1, 21), date(2024, 1, 25)),
    ]


@hypothesis_settings(deadline=None)
@given(
    st.sampled_from(["monthly", "quarterly", "season", 1, 7, 10, 400]),
    st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    st.integers(0, 900),
)
def test_windows_are_the_period_cut_without_gap_or_overlap(cut: str | int, start: date, length: int) -> None:
    settings = FeatureSettings(
        mask=None, windows=cut, composite="median", features=("NDVI.mean",), fill={"*": "none"}
    )
    period = Period("p", start, start + timedelta(days=length))
    found = composite_windows(settings, period)
    days = [w.start + timedelta(days=d) for w in found for d in range((w.end - w.start).days + 1)]
    assert days == [start + timedelta(days=d) for d in range(length + 1)]
    assert len({w.name for w in found}) == len(found)
    centres = centre_days(found, period)
    assert sorted(centres) == centres
    assert centres[0] > 0
    assert centres[-1] < length + 1


def test_the_centre_of_january_is_15_and_a_half_days_into_the_year(settings: Build, year: Period) -> None:
    assert centre_days(composite_windows(settings(), year), year)[:2] == [15.5, 45.0]  # 31 / 2, 31 + 28 / 2


def test_a_star_expands_to_every_window_in_place(settings: Build, year: Period) -> None:
    chosen = settings(windows="quarterly", features=["swir16.median", "NDVI@*", "NDVI.p10"])
    assert feature_names(chosen, year) == [
        "swir16.median", "NDVI@q1", "NDVI@q2", "NDVI@q3", "NDVI@q4", "NDVI.p10",
    ]  # fmt: skip


def test_bands_halo_and_dem_follow_from_the_settings(settings: Build) -> None:
    plain = settings(features=["NDVI.p10", "nir.median", "NBR2@01"])
    assert bands_needed(plain) == ("red", "nir", "swir16", "swir22")
    assert (halo_px(plain), needs_dem(plain)) == (0, False)
    masked = settings(features=["NDVI.p10", "slope"], mask=MASK)
    assert bands_needed(masked) == ("red", "nir", "scl")
    assert (halo_px(masked), needs_dem(masked)) == (4, True)
    assert halo_px(settings(features=["NDVI.p10", "slope"])) == 1
    judged = settings(mask=MASK | {"max_cloud_probability": 40})
    assert bands_needed(judged) == ("red", "nir", "scl", "cloud_probability")


def test_unknown_names_are_listed_at_once_with_what_is_near(settings: Build) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(features=["NDVl.p10", "swir61.median", "NDVI.p101", "ndvi", "NDVI.p10", "NDVI.p10"])
    text = str(caught.value)
    assert "did you mean NDVI" in text
    assert "did you mean swir16" in text
    assert "unknown statistic 'p101'" in text
    assert "'ndvi' is not a feature name" in text
    assert "'NDVI.p10' is listed twice" in text


def test_every_field_must_be_stated_and_none_is_a_word(settings: Build) -> None:
    with pytest.raises(ValidationError, match="5 validation errors"):
        FeatureSettings.model_validate({})
    assert settings(mask="none").mask is None
    with pytest.raises(ValidationError):
        settings(mask="no")
    with pytest.raises(ValidationError, match="did you mean median"):
        settings(composite="medain")
    with pytest.raises(ValidationError, match="terrain alone"):
        settings(features=["slope"])
    with pytest.raises(ValidationError):
        settings(windows=0)


def test_a_feature_without_a_fill_rule_is_refused_by_name(settings: Build) -> None:
    with pytest.raises(ValidationError, match=r"`fill` has no pattern for EVI\.p10"):
        settings(features=["NDVI.p10", "EVI.p10", "elevation"], fill={"NDVI*": "linear"})


def test_the_first_matching_fill_pattern_counts(settings: Build) -> None:
    chosen = settings(fill={"NDVI@*": "linear", "*": "none"}, features=["NDVI@*", "NDVI.p10"])
    assert chosen.find_rule("NDVI@03") == "linear"
    assert chosen.find_rule("NDVI.p10") == "none"


def test_features_that_do_not_fit_the_period_are_refused_all_at_once(settings: Build, year: Period) -> None:
    chosen = settings(features=["NDVI@13", "NDVI@01", "NDVI@*"])
    with pytest.raises(ConfigError) as caught:
        feature_names(chosen, year)
    assert "unknown window '13'" in str(caught.value)
    assert "'NDVI@01' comes twice" in str(caught.value)
    with pytest.raises(ConfigError, match=r"NDVI\.h2_cos needs 5 windows, the period has 4"):
        feature_names(settings(windows="quarterly", features=["NDVI.h2_cos"]), year)


def test_the_digest_changes_with_every_setting_and_with_order(settings: Build) -> None:
    variants = [
        settings(features=["NDVI.p10", "EVI.p10"]),
        settings(features=["EVI.p10", "NDVI.p10"]),
        settings(features=["NDVI.p10", "EVI.p10"], composite="mean"),
        settings(features=["NDVI.p10", "EVI.p10"], windows=30),
        settings(features=["NDVI.p10", "EVI.p10"], mask=MASK),
        settings(features=["NDVI.p10", "EVI.p10"], fill={"*": "median", "NDVI*": "none"}),
        settings(features=["NDVI.p10", "EVI.p10"], fill={"NDVI*": "none", "*": "median"}),
    ]
    assert len({v.digest for v in variants}) == len(variants)
    again = FeatureSettings.model_validate(variants[4].model_dump(mode="json"))
    assert again.digest == variants[4].digest
