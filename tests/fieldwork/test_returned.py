"""What came back of a drawn sample: exports as they are, joined by point; what is in doubt is asked about."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.exports import EXPORTS, Answer

from cocal.errors import InputError
from cocal.fieldwork import RecordSettings, read_records
from cocal.fieldwork.design import write_geopackage
from cocal.fieldwork.design.texts import COLUMNS
from cocal.fieldwork.returned import distances_m
from cocal.scheme import ClassScheme

SCHEME = ClassScheme(
    id="test",
    target="coca",
    definition={"unit": "pixel"},
    classes=[
        {"code": 1, "key": "coca", "name_es": "Coca", "name_en": "Coca", "colour": "#ff0000"},
        {"code": 2, "key": "forest", "name_es": "Bosque", "name_en": "Forest", "colour": "#00ff00"},
    ],
)
METRE = 1 / 110_650
"""A metre in degrees of latitude at 14 S: the meridian's radius is 6,339.2 km there."""


def write_sample(folder: Path) -> pd.DataFrame:
    """Eight points and three reserves, P0001 to P0004 in the stratum coca."""
    ids = [f"P{n:04d}" for n in range(1, 9)] + ["R0001", "R0002", "R0003"]
    sample = pd.DataFrame(
        {
            "point_id": ids,
            "role": ["main"] * 8 + ["reserve"] * 3,
            "order": [*range(1, 5), *range(1, 5), 1, 2, 1],
            "stratum": ["coca"] * 4 + ["rest"] * 4 + ["coca", "coca", "rest"],
            "region_id": "PE-1",
            "inclusion_probability": [0.01] * 4 + [0.001] * 4 + [0.01, 0.01, 0.001],
            "map_class": "forest",
            "lon": -69.0 + 0.01 * np.arange(11),
            "lat": -14.0,
            "epsg": 32719,
            "x": 500005.0,
            "y": 8450005.0,
        }
    )
    sample.to_csv(folder / "sample.csv", index=False)
    write_geopackage(folder / "sample.gpkg", sample, SCHEME, simulated=True)
    return sample


def answer(sample: pd.DataFrame, point: str, label: str = "forest", metres: float = 3.0, **more) -> Answer:
    """A visit `metres` north of the point."""
    place = sample.set_index("point_id").loc[point]
    found = {
        "point_id": point, "visited": "yes", "class": label, "cover": "80", "observed_on": "2024-06-25",
        "observer": "c1", "method": "ground", "accuracy": "4.5",
        "lat": f"{place['lat'] + metres * METRE:.7f}", "lon": f"{place['lon']:.7f}",
        "state": "productive" if label == "coca" else "",
    }  # fmt: skip
    return found | more


def lost(point: str) -> Answer:
    return {"point_id": point, "visited": "no", "why_not": "terrain", "observed_on": "2024-06-25"}


def returned(folder: Path, answers: list[Answer], kind: str = "odk", **more):
    path = EXPORTS[kind](folder, answers, folder)
    settings = RecordSettings(path=path, sample=folder / "sample.csv", **{"far_m": 30.0} | more)
    return read_records(settings, SCHEME).set_index("sample_id")


def asked(records) -> dict[str, list[str]]:
    return {note.code: list(note.values["which"]) for note in records.attrs["asked"]}


@pytest.mark.parametrize("kind", list(EXPORTS))
def test_an_export_as_it_is_gives_the_same_records_with_what_the_sample_has(tmp_path, kind) -> None:
    sample = write_sample(tmp_path)
    answers = [answer(sample, "P0001", "coca"), answer(sample, "P0002", metres=200), lost("P0003"),
               answer(sample, "P0005"), answer(sample, "P0005"), answer(sample, "P0006"),
               answer(sample, "P0007"), answer(sample, "R0002", "coca")]  # fmt: skip
    found = returned(tmp_path, answers, kind)
    assert asked(found) == {
        "records_twice": ["P0005"], "records_asked_far": ["P0002"], "reserves_out_of_order": ["R0002"],
        "points_not_returned": ["P0004", "P0008"],
    }  # fmt: skip
    seen = found[found["visited"]]
    assert seen["class"].sort_index().to_dict() == {
        "P0001": "coca", "P0005": "forest", "P0006": "forest", "P0007": "forest", "R0002": "coca",
    }  # fmt: skip
    why = found.loc[~found["visited"], "why_not"].sort_index().to_dict()
    assert why == {
        "P0002": "asked_far", "P0003": "terrain", "P0004": "not_returned", "P0008": "not_returned",
    }  # fmt: skip
    drawn = sample.set_index("point_id").loc[found.index]
    for name in ("stratum", "role", "inclusion_probability", "region_id"):
        assert (found[name] == drawn[name]).all()
    assert (found.geometry.x == drawn["lon"]).all()
    assert (found.geometry.y == drawn["lat"]).all()
    assert (seen["observed_on"] == pd.Timestamp("2024-06-25")).all()
    assert seen["cover"].tolist() == [80.0] * 5
    assert found.loc["P0001", "state"] == "productive"
    assert found["record_id"].is_unique


@pytest.mark.parametrize(("metres", "far"), [(29.9, False), (30.1, True)])
def test_a_visit_is_far_beyond_the_stated_distance_and_counts_once_confirmed(tmp_path, metres, far) -> None:
    sample = write_sample(tmp_path)
    answers = [answer(sample, "P0001", "coca", metres)]
    assert returned(tmp_path, answers).loc["P0001", "visited"] == (not far)
    assert returned(tmp_path, answers, confirmed=["P0001"]).loc["P0001", "class"] == "coca"


def test_a_point_that_was_moved_in_the_layer_is_far_too(tmp_path) -> None:
    """Where the receiver's fields are empty, the geometry is what was measured."""
    sample = write_sample(tmp_path)
    path = EXPORTS["qfield"](tmp_path, [answer(sample, "P0001", lat="", lon="")], tmp_path)
    layer = gpd.read_file(path, layer="points")
    layer.loc[layer["point_id"] == "P0001", "geometry"] = shapely.Point(-69.0, -14.0 + 40 * METRE)
    layer.to_file(path, layer="points", driver="GPKG")
    settings = RecordSettings(path=path, sample=tmp_path / "sample.csv", far_m=30.0)
    assert asked(read_records(settings, SCHEME))["records_asked_far"] == ["P0001"]


def test_a_sheet_that_is_typed_in_under_its_own_heads_is_read(tmp_path) -> None:
    write_sample(tmp_path)
    path = tmp_path / "sheet.csv"
    rows = {"es": "P0001;sí;;25/06/2024;-14,0;-69,0;5;Coca;60;En producción;No, a pleno sol",
            "en": "P0001;yes;;25/06/2024;-14.0;-69.0;5;Coca;60;In production;No"}  # fmt: skip
    for language, row in rows.items():
        heads = [both[language] for both in COLUMNS.values()][: len(row.split(";"))]
        path.write_text(";".join(heads) + "\n" + row + "\n", encoding="utf-8")
        settings = RecordSettings(path=path, sample=tmp_path / "sample.csv", far_m=30.0)
        found = read_records(settings, SCHEME).set_index("sample_id").loc["P0001"]
        names = ["class", "cover", "state", "shade", "positional_accuracy_m"]
        assert found[names].tolist() == ["coca", 60.0, "productive", "open", 5.0]
        assert found["observed_on"] == pd.Timestamp("2024-06-25")


def test_who_looked_from_across_stood_elsewhere(tmp_path) -> None:
    found = returned(tmp_path, [answer(write_sample(tmp_path), "P0001", metres=400, method="across")])
    assert found.loc["P0001", "visited"]


def test_a_visit_counts_before_none_and_visits_that_differ_count_for_nothing(tmp_path) -> None:
    sample = write_sample(tmp_path)
    found = returned(
        tmp_path,
        [answer(sample, "P0001"), lost("P0001"), answer(sample, "P0002"), answer(sample, "P0002", "coca"),
         answer(sample, "P0003", "coca"), answer(sample, "P0003", "coca", state="pruned"),
         answer(sample, "P0004"), answer(sample, "P0004", "coca", review="rejected")],
    )  # fmt: skip
    assert found.loc["P0001", "class"] == found.loc["P0004", "class"] == "forest"
    assert found.loc[["P0002", "P0003"], "why_not"].tolist() == ["asked_contradictory"] * 2
    assert not found.loc[["P0002", "P0003"], "visited"].any()
    assert asked(found)["records_rejected"] == ["P0004"]
    assert asked(found)["records_twice"] == ["P0001"]


def test_reserves_in_their_order_are_not_asked_about(tmp_path) -> None:
    sample = write_sample(tmp_path)
    found = returned(tmp_path, [lost("P0001"), answer(sample, "R0001"), answer(sample, "R0003")])
    assert "reserves_out_of_order" not in asked(found)
    assert "R0002" not in found.index, "a reserve that nobody tried is no point that was lost"


def test_answers_from_images_need_no_position(tmp_path) -> None:
    write_sample(tmp_path)
    path = tmp_path / "answers.csv"
    path.write_text(
        "point_id,visited,class,second_class,certainty,observed_on,method,observer,cover,notes,why_not\n"
        "P0001,yes,coca,coca,sure,2024-06-25,image,r1,,,\nP0002,no,,,,2024-06-25,image,r1,,,cloud\n"
    )
    found = read_records(RecordSettings(path=path, sample=tmp_path / "sample.csv"), SCHEME)
    found = found.set_index("sample_id")
    assert found.loc["P0001", ["class", "second_class", "source"]].tolist() == ["coca", "coca", "image"]
    assert found.loc["P0002", "why_not"] == "cloud"
    assert found.attrs["asked"][0].values["n"] == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"point_id": "P9999"}, "points that are not in the sample: row 2 'P9999'"),
        ({"class": "papaya"}, "classes that are not in `class_names` ('papaya')"),
        ({"visited": ""}, "'visited' is neither yes nor no"),
        ({"cover": "much"}, "'cover' is not a number"),
    ],
)
def test_what_cannot_be_read_is_refused_by_row(tmp_path, change, words) -> None:
    with pytest.raises(InputError) as refused:
        returned(tmp_path, [answer(write_sample(tmp_path), "P0001") | change])
    assert words in str(refused.value)
    assert "-14.0" not in str(refused.value)


def test_measured_positions_need_a_stated_distance(tmp_path) -> None:
    with pytest.raises(InputError, match="far_m"):
        returned(tmp_path, [answer(write_sample(tmp_path), "P0001")], far_m=None)


def test_a_sample_that_is_none_and_a_confirmation_of_nothing_are_refused(tmp_path) -> None:
    sample = write_sample(tmp_path)
    with pytest.raises(InputError, match="P7777"):
        returned(tmp_path, [answer(sample, "P0001")], confirmed=["P7777"])
    sample.drop(columns="order").to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(InputError, match="'order'"):
        returned(tmp_path, [answer(sample, "P0001")])


@pytest.mark.parametrize(
    "stated",
    [{"columns": {"stratum": "s"}}, {"design": "purposive"}, {"confirmed": ["P0001"]},
     {"matching": {"support": "cluster", "cluster_px": 3, "positional_error": "ignore", "majority": 0.5}}],
)  # fmt: skip
def test_what_the_sample_settles_is_not_stated_otherwise(stated) -> None:
    with pytest.raises(ValidationError):
        RecordSettings(path="a.csv", sample="sample.csv", **stated)
    with pytest.raises(ValidationError):
        RecordSettings(path="a.csv", design="probability", far_m=30.0, columns={})


@given(st.floats(-80, 80), st.floats(-179, 179), st.floats(0, 1000))
def test_a_distance_along_the_meridian_is_that_of_its_radius_of_curvature(lat, lon, metres) -> None:
    """M = a (1 - e2) / (1 - e2 sin2)^1.5 of WGS 84."""
    e2 = 0.00669437999014
    radius = 6378137.0 * (1 - e2) / (1 - e2 * np.sin(np.radians(lat)) ** 2) ** 1.5
    north = lat + np.degrees(metres / radius)
    found = distances_m(*(np.array([v]) for v in (lon, lat, lon, north)))
    assert found[0] == pytest.approx(metres, rel=1e-4, abs=1e-3)


def test_a_position_off_the_earth_is_far() -> None:
    assert np.isinf(distances_m(*(np.array([v]) for v in (0.0, 0.0, 500000.0, 8e6))))[0]
