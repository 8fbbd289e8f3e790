"""Verdicts of operations from what was seen of them, and the sums of claims."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cocal.errors import InputError
from cocal.estimate.operations import (
    CLEARED,
    EVIDENCE,
    NOT,
    NOT_OBSERVED,
    PARTLY,
    REPLANTED,
    VERDICTS,
    cleared_share,
    judged,
    operation_sums,
)  # fmt: skip
from cocal.estimate.settings import OperationSettings
from cocal.estimate.tracks import read_operations
from cocal.notes.account import recorded

SHARES = {
    "cleared_from": 0.8, "not_up_to": 0.2, "min_observed": 0.5, "stood_from": 0.25, "replanted_from": 0.5,
}  # fmt: skip


def rules(path: object = "a.gpkg", close_within_m: float = 0, **changes: object) -> OperationSettings:
    source = {"path": path, "id": "id", "first_day": "day", "claimed_ha": "ha"} | changes.pop("source", {})  # type: ignore[operator]
    return OperationSettings.model_validate(
        {"sources": [source], "close_within_m": close_within_m, "maps_show": "period", **SHARES} | changes
    )


def seen(**ground: float) -> pd.DataFrame:
    """The evidence of one polygon of 100 m2, seen whole by images, none of it cleared, but for `ground`."""
    usual = {"whole": 100.0, "judged": 100.0, "standing": 100.0, "images": 100.0}
    return pd.DataFrame([dict.fromkeys(EVIDENCE, 0.0) | usual | ground])


@pytest.mark.parametrize(
    ("ground", "verdict", "why"),
    [
        ({"cleared": 80}, CLEARED, ""),
        ({"cleared": 79.9}, PARTLY, ""),
        ({"cleared": 20.1}, PARTLY, ""),
        ({"cleared": 20}, NOT, ""),
        ({"judged": 50, "standing": 50, "cleared": 50}, CLEARED, ""),
        ({"judged": 49.9, "standing": 49.9, "cleared": 49.9}, NOT_OBSERVED, "little_seen"),
        ({"judged": 0, "standing": 0}, NOT_OBSERVED, "little_seen"),
        ({"cleared": 90, "seen_later": 90, "returned": 45}, REPLANTED, ""),
        ({"cleared": 90, "seen_later": 90, "returned": 44}, CLEARED, ""),
        ({"cleared": 15, "seen_later": 15, "returned": 15}, NOT, ""),
        # maps alone: of 100 m2 seen twice the target stood on 24, and all of it went
        ({"images": 0, "standing": 24, "cleared": 24, "seen_before": 100, "stood": 24}, NOT, "none_stood"),
        ({"images": 0, "standing": 25, "cleared": 25, "seen_before": 100, "stood": 25}, CLEARED, ""),
        # images show a clearing, the map before no target: told, and no reason against the images
        ({"cleared": 90, "seen_before": 100, "stood": 0}, CLEARED, "none_stood"),
    ],
)
def test_a_verdict_follows_from_the_stated_shares_each_at_its_edge(
    ground: dict[str, float], verdict: str, why: str
) -> None:
    row = judged(seen(**ground), rules()).iloc[0]
    assert (row["verdict"], row["why"]) == (verdict, why)


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_what_was_not_observed_is_never_called_cleared(parts: list[float]) -> None:
    judge, stand, clear, images, before, stood, later, back = parts
    ground = seen(
        judged=100 * judge, standing=100 * judge * stand, cleared=100 * judge * stand * clear,
        images=100 * judge * images, seen_before=100 * before, stood=100 * before * stood,
        seen_later=100 * later, returned=100 * later * back,
    )  # fmt: skip
    row = judged(ground, rules()).iloc[0]
    assert (row["verdict"] == NOT_OBSERVED) == (row["observed_fraction"] < 0.5)
    assert row["cleared_share"] <= row["observed_fraction"] + 1e-12


def test_a_fall_counts_from_its_threshold_on_and_unseen_pixels_do_not() -> None:
    before, after = np.array([0.75, 0.75, 0.75, np.nan]), np.array([0.5, 0.51, np.nan, 0.1])
    assert cleared_share(before, after, np.array([1.0, 2.0, 4.0, 8.0]), 0.25) == (3.0, 1.0)


def test_claims_add_up_by_verdict_and_place() -> None:
    """Three operations in two regions of one country: 1 and 2 ha in A, 4 ha in B."""
    operations = pd.DataFrame(
        {
            "region_id": ["A", "A", "B"], "period": "2024", "claimed_ha": [1.0, 2.0, 4.0],
            "polygon_ha": [1.1, 2.0, 4.0], "verdict": [CLEARED, NOT_OBSERVED, CLEARED],
            "cleared_ha": [1.0, 0.0, 3.5],
        }
    )  # fmt: skip
    places = pd.DataFrame(
        [
            ("total", "t", "t", "A"),
            ("total", "t", "t", "B"),
            ("region", "A", "A", "A"),
            ("region", "B", "B", "B"),
        ],
        columns=["level", "id", "name", "region_id"],
    )
    figures = {
        "estimated_ha": 3.0,
        "standard_error_ha": 1.0,
        "ci_low_ha": 1.0,
        "ci_high_ha": 6.0,
        "n_points": 12.0,
    }
    sums = operation_sums(operations, places, {("total", "t", "2024"): figures}).set_index("id")
    assert sums["claimed_ha"].to_dict() == {"t": 7.0, "A": 3.0, "B": 4.0}
    assert (sums[[f"claimed_ha_{v}" for v in VERDICTS]].sum(axis=1) == sums["claimed_ha"]).all()
    assert (sums[[f"n_{v}" for v in VERDICTS]].sum(axis=1) == sums["n"]).all()
    assert sums.loc["t", ["claimed_ha_cleared", "claimed_ha_not_observed"]].tolist() == [5.0, 2.0]
    assert sums.loc["t", ["seen_cleared_ha", "claimed_minus_estimated_ha"]].tolist() == [4.5, 4.0]
    assert sums.loc[["A", "B"], "estimated_ha"].isna().all()


SQUARE = [(500_000, 8_400_000), (500_100, 8_400_000), (500_100, 8_400_050), (500_000, 8_400_050)]
"""Half a hectare in UTM 19S."""


def write(path: object, shapes: list[shapely.Geometry], **columns: object) -> None:
    table = {"id": [f"op{k}" for k in range(len(shapes))], "day": "2024-05-01", "ha": 0.5} | columns
    gpd.GeoDataFrame(table, geometry=shapes, crs=32719).to_file(path, driver="GPKG", layer="tracks")


def test_a_track_whose_ends_are_near_is_closed_and_told(tmp_path) -> None:
    path = tmp_path / "tracks.gpkg"
    write(path, [shapely.LineString([*SQUARE, (500_000, 8_400_012)]), shapely.Polygon(SQUARE)])
    with recorded() as notes:
        found = read_operations(rules(path, close_within_m=15))
    # in the plane 0.5 ha; on the ellipsoid 1 / 0.9996 ** 2 of it at the central meridian
    assert found.table["polygon_ha"].to_numpy() == pytest.approx(0.5 / 0.9996**2, rel=1e-5)
    closed = next(note for note in notes if note.code == "operation_tracks_closed")
    assert closed.values["gap_m"] == pytest.approx(12 / 0.9996, abs=0.01)
    # the same ground twice: half of the sum
    overlap = next(note for note in notes if note.code == "operations_overlap")
    assert overlap.values["share"] == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(InputError, match=r"ends lie more than 11 m apart in row 1, up to 12 m"):
        read_operations(rules(path, close_within_m=11))
    with pytest.raises(InputError, match="lines in row 1; state `close_within_m`"):
        read_operations(rules(path))


def test_a_figure_of_eight_is_repaired_with_its_hectares_before_and_after(tmp_path) -> None:
    """Its two triangles have a quarter of the square's area each; the ring's signed area is 0."""
    a, b, c, d = SQUARE
    write(tmp_path / "a.gpkg", [shapely.Polygon([a, c, b, d])])
    with recorded() as notes:
        found = read_operations(rules(tmp_path / "a.gpkg"))
    assert found.table["polygon_ha"].tolist() == pytest.approx([0.25 / 0.9996**2], rel=1e-4)
    assert [note.code for note in notes] == ["operations_repaired"]
    assert notes[0].values["after_ha"] == pytest.approx(0.25 / 0.9996**2, rel=1e-4)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"day": ["2024-05-01", "May"]}, "no day (ISO, 2024-05-31) in row 2"),
        ({"id": ["a", "a"]}, "an id that stands twice in row 1, 2"),
        ({"id": ["a", None]}, "no id in row 2"),
        ({"ha": [0.5, -1]}, "no hectares in 'ha' in row 2"),
        ({"hectares": 1.0, "source": {"claimed_ha": "area"}}, "has no column 'area'"),
        ({"end": "2024-04-30", "source": {"last_day": "end"}}, "an end before the beginning in row 1, 2"),
    ],
)
def test_what_is_missing_in_a_file_of_operations_is_refused_by_row(tmp_path, columns, words) -> None:
    own = {name: value for name, value in columns.items() if name != "source"}
    write(tmp_path / "a.gpkg", [shapely.Polygon(SQUARE)] * 2, **own)
    with pytest.raises(InputError) as problem:
        read_operations(rules(tmp_path / "a.gpkg", source=columns.get("source", {})))
    assert words in str(problem.value)


def test_shares_that_leave_no_room_between_are_refused() -> None:
    with pytest.raises(ValidationError, match="`not_up_to` must be below `cleared_from`"):
        rules(cleared_from=0.5, not_up_to=0.5)
