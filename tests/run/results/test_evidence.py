"""What the sample says of the map: shares of area and calibration, by arithmetic that can be redone."""

import pandas as pd
import pytest

from cocal.run.results.evidence import calibration, confusion_shares

# Two strata: 100 ha with 4 points (25 ha each), 900 ha with 3 points (300 ha each).
POINTS = pd.DataFrame(
    {
        "record_id": list("abcdefg"),
        "map_class": ["coca", "coca", "coca", "coca", "forest", "forest", "forest"],
        "reference_class": ["coca", "coca", "coca", "forest", "forest", "forest", "coca"],
        "weight_ha": [25.0] * 4 + [300.0] * 3,
    }
)


def test_shares_of_area_are_weights_over_all_weights_and_sum_to_one():
    table = confusion_shares(POINTS, ("coca", "forest", "water"))
    assert table.loc["coca", "coca"] == pytest.approx(75 / 1000)
    assert table.loc["coca", "forest"] == pytest.approx(25 / 1000)
    assert table.loc["forest", "coca"] == pytest.approx(300 / 1000)
    assert table.loc["forest", "forest"] == pytest.approx(600 / 1000)
    assert table.loc["water"].sum() == 0
    assert table.to_numpy().sum() == pytest.approx(1)


def test_calibration_is_the_weighted_mean_of_what_is_said_beside_what_is_there():
    chance = pd.Series([0.9, 0.9, 0.7, 0.7, 0.1, 0.1, 0.01], index=list("abcdefg"))
    table = calibration(POINTS, chance, "coca")
    assert table["n"].tolist() == [1, 2, 2, 2]
    assert table["predicted"].tolist() == pytest.approx([0.01, 0.1, 0.7, 0.9])
    assert table["observed"].tolist() == pytest.approx([1.0, 0.0, 0.5, 1.0])


def test_a_point_without_a_probability_is_left_out_of_the_calibration():
    table = calibration(POINTS, pd.Series({"a": 0.9, "b": float("nan")}), "coca")
    assert table["n"].tolist() == [1]
