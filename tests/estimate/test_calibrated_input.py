"""Tables that contradict themselves: refused by name, or without effect on the figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cocal.errors import InputError, UsageError
from cocal.estimate import change_files, estimate_areas, estimate_files

HOW = {"interval": "gamma", "confidence": 0.95}


def points(*rows: tuple[object, ...], columns: str) -> pd.DataFrame:
    """A table of points; the last of each row is how many there are."""
    table = pd.DataFrame([row[:-1] for row in rows for _ in range(int(str(row[-1])))])
    return table.set_axis(columns.split(), axis=1)


def written(folder, **tables: pd.DataFrame):
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder / "sample.csv", folder / "strata.csv"


def known(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["stratum", "region", "map_class", "area_ha"])


STRATA = pd.DataFrame({"stratum": ["a"], "area_ha": [1000.0]})


@pytest.mark.parametrize("word", ["no visitado", "NA", "-", "unobserved"])
def test_a_visit_without_an_answer_is_no_class_of_two_phases(tmp_path, word) -> None:
    sample = points(
        ("a", "coca", "coca", 16), ("a", "coca", "other", 4), ("a", "coca", word, 20),
        ("a", "other", "other", 30),
        columns="stratum reading_class reference_class",
    )  # fmt: skip
    files = written(tmp_path, sample=sample, strata=STRATA)
    with pytest.raises(InputError, match="name no class"):
        estimate_files(*files, by=None, estimator="two_phase", **HOW)


def test_a_second_visit_without_an_answer_is_no_change(tmp_path) -> None:
    sample = points(
        ("a", "A", "x", "coca", "no visitado", 20), ("a", "A", "x", "coca", "coca", 20),
        ("a", "A", "x", "other", "other", 60),
        columns="stratum region map_class reference_before reference_after",
    )  # fmt: skip
    areas = known(("a", "A", "x", 1000.0))
    files = written(tmp_path, sample=sample, strata=STRATA, known=areas)
    with pytest.raises(InputError, match="name no class"):
        change_files(*files, by="region", known=tmp_path / "known.csv", **HOW)


def test_change_warns_as_an_estimate_does(tmp_path) -> None:
    """A point in a region where the stratum has no ground; strata of two rates merged; 40 of 200 not visited.

    The planned probability is 100 points of 10,000 pixels in each stratum.
    """
    sample = points(
        ("a", "A", "x", "coca", "other", 0.01, 60), ("b", "A", "x", "other", "other", 0.01, 99),
        ("a", "B", "x", "other", "other", 0.01, 1),
        columns="stratum region map_class reference_before reference_after inclusion_probability",
    )  # fmt: skip
    strata = pd.DataFrame({"stratum": ["a", "b"], "pixels": [10_000] * 2, "pixel_area_m2": [100.0] * 2})
    files = written(tmp_path, sample=sample, strata=strata, known=known(*((s, "A", "x", 100) for s in "ab")))
    found = change_files(*files, by="region", known=tmp_path / "known.csv", collapse=("a+b",), **HOW)
    codes = ["non_response", "non_response", "merged_at_different_rates", "points_off_known_ground"]
    assert [note.code for note in found.warnings] == codes
    assert found.to_text().count("Warning: ") == len(found.to_json_dict()["warnings"]) == 4
    assert [note.code for note in change_files(*files, by=None, **HOW).warnings] == codes[:2]


def test_known_areas_of_a_stratum_in_another_region_are_refused() -> None:
    sample = points(
        ("a", "A", "coca", "coca", 50), ("b", "B", "other", "other", 50),
        columns="stratum region map_class reference_class",
    )  # fmt: skip
    bound = pd.DataFrame({"stratum": ["a", "b"], "region": ["A", "B"], "area_ha": [100.0, 200.0]})
    assert calibrated(sample, bound, known(("a", "A", "coca", 100), ("b", "B", "other", 200))).loc[
        "A", "area_ha"
    ] == pytest.approx(100)
    with pytest.raises(InputError, match="'a' in region 'A' alone"):
        calibrated(sample, bound, known(("a", "B", "coca", 100), ("b", "B", "other", 200)))


def test_other_domains_do_not_move_points_between_crossed_strata(tmp_path) -> None:
    sample = points(
        ("a", "1", "2", "coca", "coca", 50), ("a", "1", "2", "other", "other", 50),
        ("a", "2", "1", "coca", "coca", 2), ("a", "2", "1", "other", "other", 98),
        columns="stratum region district map_class reference_class",
    )  # fmt: skip
    strata = pd.DataFrame({"stratum": ["a", "a"], "region": ["1", "2"], "area_ha": [100.0, 10_000.0]})
    files = written(tmp_path, sample=sample, strata=strata)
    with pytest.raises(UsageError, match="crossed with regions"):
        estimate_files(*files, by="district", estimator="stratified", **HOW)
    found = estimate_files(*files, by=None, estimator="stratified", **HOW).classes.set_index("class")
    assert found.loc["coca", "area_ha"] == pytest.approx(100 * 50 / 100 + 10_000 * 2 / 100)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda t: pd.concat([t, t.iloc[:1]]), "rows that stand twice"),
        (lambda t: t.replace({"map_class": {"coca": "Coca"}}), "capital letters"),
    ],
)
def test_known_rows_that_stand_twice_or_in_other_letters_are_refused(tmp_path, spoil, match) -> None:
    sample = points(
        ("a", "A", "coca", "coca", 20), ("a", "A", "other", "other", 80),
        columns="stratum region map_class reference_class",
    )  # fmt: skip
    areas = known(("a", "A", "coca", 200.0), ("a", "A", "other", 800.0))
    files = written(tmp_path, sample=sample, strata=STRATA, known=spoil(areas))
    with pytest.raises(InputError, match=match):
        estimate_files(
            *files, by="region", estimator="calibrated", known=tmp_path / "known.csv", rare=("coca",), **HOW
        )


def calibrated(sample: pd.DataFrame, strata: pd.DataFrame, areas: pd.DataFrame) -> pd.DataFrame:
    found = estimate_areas(
        sample, strata, known=areas, rare=("coca",), classes=("coca", "other", "unobserved"),
        estimator="calibrated", by_region=True, **HOW,
    )  # fmt: skip
    assert found.regions is not None
    return found.regions[found.regions["class"] == "coca"].set_index("region")


def test_the_guarantee_is_the_same_whether_points_on_unobserved_ground_are_in_the_sample() -> None:
    regions = [f"R{k}" for k in range(10)]
    areas = known(*((("a", r, c, 50.0)) for r in regions for c in ("other", "unobserved")))
    seen = [("a", r, "other", c, n) for r in regions for c, n in (("coca", 16), ("other", 4))]
    dark = [("a", r, "unobserved", "unobserved", 20) for r in regions]
    columns = "stratum region map_class reference_class"
    without = calibrated(points(*seen, columns=columns), STRATA, areas)
    within = calibrated(points(*seen, *dark, columns=columns), STRATA, areas)
    ends = ["area_ha", "ci_low_ha", "ci_high_ha"]
    assert np.allclose(without[ends], within[ends])
    assert (without["ci_low_ha"] < 35).all()


def test_more_points_than_a_region_has_pixels_leave_an_interval() -> None:
    strata = pd.DataFrame({"stratum": ["a"], "pixels": [100], "pixel_area_m2": [10_000.0]})
    areas = known(("a", "A", "other", 40.0), ("a", "B", "other", 60.0))
    rows = [("a", r, "other", c, n) for r in "AB" for c, n in (("other", 40), ("coca", 5))]
    found = calibrated(points(*rows, columns="stratum region map_class reference_class"), strata, areas)
    assert found["ci_low_ha"].between(0, found["area_ha"]).all()
    assert found["ci_high_ha"].ge(found["area_ha"]).all()


def test_a_stray_point_off_known_ground_takes_nothing_from_small_areas() -> None:
    strata = pd.DataFrame({"stratum": ["high", "low"], "area_ha": [100.0, 10_000.0]})
    areas = known(
        ("high", "A", "coca", 15.0), ("high", "A", "other", 35.0), ("high", "B", "coca", 20.0),
        ("high", "B", "other", 30.0), ("low", "A", "other", 5000.0), ("low", "B", "other", 5000.0),
    )  # fmt: skip
    rows = [
        ("high", "A", "coca", "coca", 15), ("high", "A", "other", "other", 35),
        ("high", "B", "coca", "coca", 20),
        ("high", "B", "other", "other", 30), ("low", "A", "other", "other", 100),
        ("low", "B", "other", "other", 99), ("low", "B", "coca", "coca", 1),
    ]  # fmt: skip
    found = calibrated(points(*rows, columns="stratum region map_class reference_class"), strata, areas)
    assert found.loc["A", "small_area_ha"] > 10
    assert found.loc["A", "small_area_low_ha"] > 0


def test_small_area_never_lies_above_the_guarantee() -> None:
    areas = known(
        ("a", "A", "coca", 140.0),
        ("a", "A", "other", 560.0),
        ("a", "B", "coca", 6.0),
        ("a", "B", "other", 294.0),
    )
    rows = [
        ("a", "A", "coca", "coca", 10),
        ("a", "A", "other", "other", 90),
        ("a", "B", "other", "other", 10),
    ]
    found = calibrated(points(*rows, columns="stratum region map_class reference_class"), STRATA, areas)
    there = found["small_area_ha"].notna()
    assert (found["small_area_ha"] <= found["ci_high_ha"] + 1e-9)[there].all()
    assert (found["small_area_high_ha"] <= found["ci_high_ha"] + 1e-9)[there].all()


def test_points_that_do_not_lie_as_the_known_areas_do_are_warned_of() -> None:
    """Two regions of 800 and 200 ha, 100 points as drawn; then their areas exchanged."""
    many = {("A", "coca"): 4, ("A", "other"): 76, ("B", "coca"): 4, ("B", "other"): 16}
    rows = [("a", region, "other", name, n) for (region, name), n in many.items()]
    sample = points(*rows, columns="stratum region map_class reference_class")

    def warned(a: float, b: float) -> list[str]:
        found = estimate_areas(
            sample, STRATA, known=known(("a", "A", "other", a), ("a", "B", "other", b)), rare=("coca",),
            classes=("coca", "other"), estimator="calibrated", by_region=True, **HOW,
        )  # fmt: skip
        return [note.code for note in found.warnings if note.code == "points_unlike_known"]

    assert warned(800.0, 200.0) == []
    assert warned(200.0, 800.0) == ["points_unlike_known"]
