from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from cocal.checksums import sha256_file
from cocal.cli import app
from cocal.errors import ConfigError, InputError, UsageError
from cocal.fieldwork.checks import (
    RULES,
    Checked,
    Evidence,
    check_file,
    to_csv,
    to_json,
    to_text,
    write_fixed,
)
from cocal.fieldwork.checks.source import read_source
from cocal.simulate.crews import LAT, LON, PERIOD
from cocal.simulate.faults import PLANTED, FaultyRecords, simulate_records, write_records

AREA = "-69.2,-14.4,-68.8,-14.0"
LAT0, LON0 = "-14.2034567", "-69.0512345"
HEADER = "record_id,lat,lon,gps_accuracy_m,fecha,clase,observador,plot_id"
SOUND = f"r1,{LAT0},{LON0},4.5,2024-06-01,coca,ana,P1"
TO_METRES = Transformer.from_crs(4326, 32719, always_xy=True)
TO_DEGREES = Transformer.from_crs(32719, 4326, always_xy=True)


def written(
    folder: Path, *rows: str, header: str = HEADER, name: str = "r.csv", encoding: str = "utf-8"
) -> Path:
    path = folder / name
    path.write_bytes(("\n".join([header, *rows]) + "\n").encode(encoding))
    return path


def checked(
    folder: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8", **given_: object
) -> Checked:
    path = written(folder, *rows, header=header, encoding=encoding)
    return check_file(path, Evidence(**{"area": AREA, "period": "..".join(PERIOD)} | given_))


def rules(found: Checked) -> list[str]:
    return [fault.rule for fault in found.faults]


def row(lat: str = LAT0, lon: str = LON0, **more: str) -> str:
    cells = dict(zip(HEADER.split(","), SOUND.split(","), strict=True)) | {"lat": lat, "lon": lon} | more
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells.values())
    return out.getvalue()


def fixed(found: Checked, folder: Path, *accept: str) -> pd.DataFrame:
    out = folder / "fixed.csv"
    for path in (out, folder / "fixed.csv.changes.csv"):
        path.unlink(missing_ok=True)
    write_fixed(found, accept, out)
    return read_source(out).rows


def test_a_sound_file_has_no_fault(tmp_path: Path) -> None:
    found = checked(tmp_path, SOUND, "r2,-14.21,-69.06,3.0,2024-06-02,forest,ana,P2")
    assert found.faults == ()
    assert not found.has_fault
    assert found.records == 2


ONE_RECORD = {
    "swapped": row(lat=LON0, lon=LAT0),
    "sign_lost": row(lat=LAT0[1:]),
    "degrees_minutes": row(lon="-68.3012345"),
    "decimal_comma": row(lat=LAT0.replace(".", ","), lon=LON0.replace(".", ",")),
}


@pytest.mark.parametrize("rule", ONE_RECORD)
def test_each_fault_of_one_position_is_named_and_its_fix_is_proposed(tmp_path: Path, rule: str) -> None:
    area = (
        "-68.6,-14.4,-68.4,-14.3" if rule == "degrees_minutes" else AREA
    )  # 68 deg 30.12345', 14 deg 20.34567'
    found = checked(tmp_path, ONE_RECORD[rule], area=area)
    assert [(f.rule, f.row, f.record_id) for f in found.faults] == [(rule, 2, "r1")]
    assert found.faults[0].fix is not None
    after = fixed(found, tmp_path, rule).loc[2]
    if rule == "degrees_minutes":
        assert float(after["lon"]) == pytest.approx(-(68 + 30.12345 / 60), abs=1e-8)
    else:
        assert (after["lat"], after["lon"]) == (LAT0, LON0)


def test_a_cover_below_the_least_of_the_scheme_is_a_fault_of_the_target_alone(tmp_path: Path) -> None:
    """Coca covers at least 50 %: 50 is enough, 49.5 is not; forest may have 20."""
    header = f"{HEADER},cobertura_pct"
    covers = {"coca": "50", "Cocal": "49,5", "forest": "20", "hoja de coca": "20"}
    rows = [
        f'r{i},{float(LAT0) + i / 50},{LON0},4.5,2024-06-01,{name},ana,P{i},"{cover}"'
        for i, (name, cover) in enumerate(covers.items())
    ]
    border = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
    scheme = tmp_path / "scheme.yaml"
    scheme.write_text(border.read_text().replace("definition:", "definition:\n  minimum_cover: 50 %", 1))
    found = checked(tmp_path, *rows, header=header, scheme=scheme)
    sparse = [(fault.row, fault.finding) for fault in found.faults if fault.rule == "cover"]
    assert sparse == [(3, "coca with a cover of 49.5 %, below 50 %"),
                      (5, "coca with a cover of 20 %, below 50 %")]  # fmt: skip
    without = checked(tmp_path, *rows, header=header)
    assert "cover" not in rules(without)
    assert any("needs --scheme" in words for words in without.not_checked)


def test_exchanged_and_without_signs_needs_both_rules(tmp_path: Path) -> None:
    found = checked(tmp_path, row(lat=LON0[1:], lon=LAT0[1:]))
    assert rules(found) == ["swapped", "sign_lost"]
    result = write_fixed(found, ["swapped"], tmp_path / "one.csv")
    assert (result.changes, result.waiting) == (0, 1)
    assert (tmp_path / "one.csv").read_bytes() == found.source.path.read_bytes()
    after = fixed(found, tmp_path, "swapped", "sign_lost").loc[2]
    assert (after["lat"], after["lon"]) == (LAT0, LON0)


def test_a_zone_that_was_taken_for_its_neighbour_moves_six_degrees(tmp_path: Path) -> None:
    found = checked(tmp_path, row(lon="-63.0512345"))
    assert rules(found) == ["wrong_zone"]
    after = fixed(found, tmp_path, "wrong_zone").loc[2]
    assert float(after["lon"]) == pytest.approx(float(LON0), abs=2e-8)


def test_metres_need_their_zone_stated_and_other_zones_are_found(tmp_path: Path) -> None:
    x, y = TO_METRES.transform(float(LON0), float(LAT0))
    x18, y18 = Transformer.from_crs(4326, 32718, always_xy=True).transform(float(LON0), float(LAT0))
    text = [f"a,{x:.3f},{y:.3f},coca", f"b,{x18:.3f},{y18:.3f},coca", f"c,{y:.3f},{x:.3f},coca"]
    header = "id,este,norte,clase"
    with pytest.raises(InputError, match="EPSG:32719"):
        checked(tmp_path, *text, header=header)
    mapping = tmp_path / "m.yaml"
    mapping.write_text("crs: EPSG:32719\n")
    found = checked(tmp_path, *text, header=header, mapping=mapping)
    assert [(f.rule, f.row) for f in found.faults] == [("wrong_zone", 3), ("swapped", 4)]
    after = fixed(found, tmp_path, "wrong_zone", "swapped")
    # a and c are one place, to the digit; b is within the rounding of its millimetres
    assert after.loc[4].tolist()[1:] == after.loc[2].tolist()[1:]
    assert float(after.loc[3]["este"]) == pytest.approx(x, abs=0.002)


def test_a_position_that_nothing_explains_has_no_fix(tmp_path: Path) -> None:
    found = checked(
        tmp_path, row(lat="-17.9", lon="-65.0"), row(lat="", record_id="r2"), row(lat="x", record_id="r3")
    )
    assert rules(found) == ["outside_area", "no_position", "not_a_number"]
    assert all(f.fix is None for f in found.faults)


def test_semicolons_and_latin_1_of_a_whole_file_are_told_once(tmp_path: Path) -> None:
    header = HEADER.replace(",", ";") + ";comunidad"
    found = checked(tmp_path, SOUND.replace(",", ";") + ";Ñanpallqa", header=header, encoding="latin-1")
    assert {(f.rule, f.row) for f in found.faults} >= {("separator", None)}
    two = checked(
        tmp_path,
        SOUND.replace(",", ";") + ";Ñanpallqa",
        "r2;-14.21;-69.06;3.0;2024-06-02;coca;ana;P2;Región",
        header=header,
        encoding="latin-1",
    )
    assert [(f.rule, f.row) for f in two.faults] == [("encoding", None), ("separator", None)]
    out = tmp_path / "utf8.csv"
    write_fixed(two, ["encoding", "separator"], out)
    assert out.read_bytes().decode("utf-8").splitlines()[1] == SOUND + ",Ñanpallqa"


def test_rows_of_another_export_inside_a_file_are_told_by_row(tmp_path: Path) -> None:
    header = HEADER + ",comunidad"
    path = tmp_path / "r.csv"
    lines = [
        (header + "\n").encode(),
        (SOUND + ",Ñanpallqa\n").encode(),
        b"r2;-14,21;-69,06;3,0;2024-06-02;coca;ana;P2;Achuma\n",
        "r3,-14.22,-69.07,3.0,2024-06-02,coca,ana,P3,Región\n".encode("latin-1"),
        "r4,-14.23,-69.08,3.0,2024-06-02,coca,ana,P4,RegiÃ³n\n".encode(),
        b"r5,-14.24,-69.09\n",
    ]
    path.write_bytes(b"".join(lines))
    found = check_file(path, Evidence(area=AREA))
    assert [(f.rule, f.row) for f in found.faults] == [
        ("separator", 3), ("decimal_comma", 3), ("decimal_comma", 3), ("encoding", 4), ("mojibake", 5),
        ("ragged_row", 6),
    ]  # fmt: skip
    out = tmp_path / "fixed.csv"
    write_fixed(found, ["mojibake"], out)
    after = out.read_bytes().splitlines(keepends=True)
    assert after[4].decode().endswith("Región\n")
    assert after[:4] + after[5:] == lines[:4] + lines[5:]


def test_twins_copies_and_doubled_ids_are_three_things(tmp_path: Path) -> None:
    other = "r3,-14.25,-69.10,3.0,2024-06-02,forest,ana,P3"
    found = checked(
        tmp_path,
        SOUND,
        SOUND.replace("r1", "r2"),
        other,
        row(record_id="r4", plot_id="P4", clase="forest"),
        "r3,-14.26,-69.11,3.0,2024-06-02,forest,ana,P5",
    )
    assert [(f.rule, f.row, f.rows) for f in found.faults] == [
        ("copied_position", 2, (5,)),
        ("duplicate", 3, (2,)),
        ("duplicate_id", 4, (6,)),
        ("copied_position", 5, (2,)),
        ("duplicate_id", 6, (4,)),
    ]
    assert fixed(found, tmp_path, "duplicate")["record_id"].tolist() == ["r1", "r3", "r4", "r3"]


def test_coarse_positions_that_are_equal_in_one_plot_are_no_copies(tmp_path: Path) -> None:
    same = [row(lat="-14.2034", lon="-69.0512", record_id=f"r{k}", fecha=f"2024-06-0{k}") for k in (1, 2)]
    assert rules(checked(tmp_path, *same)) == []
    assert rules(checked(tmp_path, same[0], same[1].replace("P1", "P2"))) == ["copied_position"] * 2


def test_many_records_within_a_few_metres_are_an_office(tmp_path: Path) -> None:
    x, y = TO_METRES.transform(float(LON0), float(LAT0))
    texts = []
    for k in range(12):
        lon, lat = TO_DEGREES.transform(x + k, y)
        texts.append(
            row(f"{lat:.7f}", f"{lon:.7f}", record_id=f"r{k}", fecha=f"2024-06-{k + 1:02d}", plot_id=f"P{k}")
        )
    assert rules(checked(tmp_path, *texts)) == ["office"] * 12
    assert rules(checked(tmp_path, *texts[:11])) == []


def test_a_quarter_of_the_plots_side_is_the_largest_gps_error(tmp_path: Path) -> None:
    # 0.16 ha is 40 m by 40 m and allows 10 m; 1 ha allows 25 m; without an area 0.16 ha is taken
    header = HEADER + ",area_ha"
    cases = {("10", "0.16"): 0, ("10.1", "0.16"): 1, ("25", "1"): 0, ("26", "1"): 1, ("10.1", ""): 1}
    for (error, area), count in cases.items():
        found = checked(tmp_path, row(gps_accuracy_m=error) + f",{area}", header=header)
        assert rules(found) == ["gps_error"] * count, (error, area)


def test_visits_outside_the_period_and_unread_days_are_told(tmp_path: Path) -> None:
    days = ["2024-12-31", "31/12/2024", "2025-01-01", "mañana", "2024-06-01T10:00:00.000-04:00"]
    found = checked(
        tmp_path, *[row(record_id=f"r{k}", fecha=d, lat=f"-14.2{k}1234") for k, d in enumerate(days)]
    )
    assert [(f.rule, f.row) for f in found.faults] == [("visit_date", 4), ("visit_date", 5)]
    with pytest.raises(InputError, match="--period"):
        checked(tmp_path, SOUND, period="2024")


def test_class_names_are_read_and_states_are_left_to_the_definition(tmp_path: Path) -> None:
    names = ["Cocal", "Almácigo", "papaya", "forest"]
    found = checked(
        tmp_path,
        *[row(record_id=f"r{k}", clase=c, lat=f"-14.2{k}1234", plot_id=f"P{k}") for k, c in enumerate(names)],
    )
    assert [(f.rule, f.row, f.fix is None) for f in found.faults] == [
        ("class_name", 2, False), ("class_state", 3, True), ("unknown_class", 4, True),
    ]  # fmt: skip
    assert fixed(found, tmp_path, "class_name")["clase"].tolist() == ["coca", "Almácigo", "papaya", "forest"]


def test_observers_disagree_only_about_one_plot_at_one_time(tmp_path: Path) -> None:
    near = row(record_id="r2", lat="-14.2034600", clase="forest", observador="eva", fecha="2024-07-01")
    assert rules(checked(tmp_path, SOUND, near)) == ["observers_disagree"] * 2
    assert rules(checked(tmp_path, SOUND, near.replace("eva", "ana"))) == []
    assert rules(checked(tmp_path, SOUND, near.replace("2024-07-01", "2024-12-15"))) == []
    assert rules(checked(tmp_path, SOUND, near.replace("P1", "P2"))) == []
    assert rules(checked(tmp_path, SOUND, near.replace("forest", "cocal"))) == ["class_name"]


def test_a_set_with_nothing_but_coca_is_told_when_others_have_more(tmp_path: Path) -> None:
    header = HEADER + ",fuente"
    coca = [row(record_id=f"a{k}", lat=f"-14.2{k:02d}123", plot_id=f"A{k}") + ",visita" for k in range(20)]
    mixed = [
        row(record_id=f"b{k}", lat=f"-14.1{k:02d}123", plot_id=f"B{k}", clase=("coca", "forest")[k % 2])
        + ",muestra"
        for k in range(20)
    ]
    found = checked(tmp_path, *coca, *mixed, header=header)
    assert [(f.rule, f.row, f.rows) for f in found.faults] == [("presence_only", None, tuple(range(2, 22)))]
    assert rules(checked(tmp_path, *coca[:19], *mixed, header=header)) == []
    assert checked(tmp_path, *coca, header=header).faults[0].field == "(file)"


def ground(folder: Path) -> dict[str, Path]:
    """A plot of 60 m around the sound record, and a road 100 m east of it."""
    x, y = TO_METRES.transform(float(LON0), float(LAT0))
    plot = gpd.GeoDataFrame(
        {"plot_id": ["P1"]}, geometry=[shapely.box(x - 30, y - 30, x + 30, y + 30)], crs=32719
    )
    road = gpd.GeoDataFrame(
        {"n": [1]}, geometry=[shapely.LineString([(x + 100, y - 900), (x + 100, y + 900)])], crs=32719
    )
    plot.to_file(folder / "plots.gpkg")
    road.to_file(folder / "roads.gpkg")
    return {"plots": folder / "plots.gpkg", "roads": folder / "roads.gpkg"}


def off(east: float, north: float = 0.0) -> str:
    x, y = TO_METRES.transform(float(LON0), float(LAT0))
    lon, lat = TO_DEGREES.transform(x + east, y + north)
    return row(f"{lat:.7f}", f"{lon:.7f}")


@pytest.mark.parametrize(
    ("east", "expected"),
    [(0, []), (35, []), (92, ["on_road"]), (130, ["outside_plot"]), (-300, ["outside_plot"])],
)
def test_beside_the_plot_a_record_is_on_the_road_or_unexplained(
    tmp_path: Path, east: float, expected: list[str]
) -> None:
    assert rules(checked(tmp_path, off(east), **ground(tmp_path))) == expected


def test_psad56_is_told_with_plots_and_cannot_be_told_without(tmp_path: Path) -> None:
    x, y = Transformer.from_crs(4326, 24879, always_xy=True).transform(float(LON0), float(LAT0))
    lon, lat = TO_DEGREES.transform(x, y)
    faulty = row(f"{lat:.7f}", f"{lon:.7f}")
    without = checked(tmp_path, faulty)
    assert rules(without) == []
    assert any("datum" in words for words in without.not_checked)
    found = checked(tmp_path, faulty, **ground(tmp_path))
    assert rules(found) == ["datum"]
    after = fixed(found, tmp_path, "datum").loc[2]
    back = TO_METRES.transform(float(after["lon"]), float(after["lat"]))
    true = TO_METRES.transform(float(LON0), float(LAT0))
    assert np.hypot(back[0] - true[0], back[1] - true[1]) < 30


def test_degrees_and_minutes_inside_the_area_are_told_by_the_plot(tmp_path: Path) -> None:
    def packed(v: str) -> str:
        value = float(v)
        return f"{np.trunc(value) + (value - np.trunc(value)) * 0.6:.7f}"

    faulty = row(packed(LAT0), packed(LON0))
    assert rules(checked(tmp_path, faulty)) == []
    found = checked(tmp_path, faulty, **ground(tmp_path))
    assert rules(found) == ["degrees_minutes"]
    after = fixed(found, tmp_path, "degrees_minutes").loc[2]
    assert float(after["lat"]) == pytest.approx(float(LAT0), abs=2e-7)
    assert float(after["lon"]) == pytest.approx(float(LON0), abs=2e-7)


FAULTS = {
    "swapped": lambda lat, lon: (lon, lat),
    "sign_lost": lambda lat, lon: (lat[1:], lon[1:]),
    "decimal_comma": lambda lat, lon: (lat.replace(".", ","), lon.replace(".", ",")),
}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(FAULTS)),
    st.decimals("-14.39", "-14.01", places=7),
    st.decimals("-69.19", "-68.81", places=7),
)
def test_fixing_a_fault_gives_the_record_back_to_the_byte(tmp_path: Path, rule, lat, lon) -> None:
    sound = written(tmp_path, row(str(lat), str(lon)), name="sound.csv").read_bytes()
    found = checked(tmp_path, row(*FAULTS[rule](str(lat), str(lon))))
    assert rules(found) == [rule]
    fixed(found, tmp_path, rule)
    assert (tmp_path / "fixed.csv").read_bytes() == sound


KOBO = (
    "start,grupo/ubicacion,grupo/_ubicacion_latitude,grupo/_ubicacion_longitude,grupo/_ubicacion_altitude,"
    "grupo/_ubicacion_precision,cobertura,_id,_uuid"
)


def test_a_kobo_export_is_known_and_both_forms_of_its_geopoint_are_fixed(tmp_path: Path) -> None:
    faulty = f"2024-06-01T10:00:00.000-04:00,{LON0} {LAT0} 900 4,{LON0},{LAT0},900,4,coca,1,u1"
    found = checked(tmp_path, faulty, header=KOBO)
    assert found.layout.format == "Kobo/ODK CSV"
    assert [(f.rule, f.record_id) for f in found.faults] == [("swapped", "u1")]
    after = fixed(found, tmp_path, "swapped").loc[2]
    assert after["grupo/ubicacion"] == f"{LAT0} {LON0} 900 4"
    assert (after["grupo/_ubicacion_latitude"], after["grupo/_ubicacion_longitude"]) == (LAT0, LON0)


@pytest.mark.parametrize(
    ("header", "cells", "format_"),
    [
        ("sitio-gps-Latitude,sitio-gps-Longitude,sitio-gps-Altitude,sitio-gps-Accuracy,KEY,clase",
         f"{LAT0},{LON0},900,4,u1,coca", "Kobo/ODK CSV"),
        ("KEY,gps,clase", f"u1,{LAT0} {LON0} 900.0 4.0,coca", "Kobo/ODK CSV"),
        ("id,location_srs,location_x,location_y,operator,land_use_category",
         f"u1,EPSG:4326,{LON0},{LAT0},ana,coca", "Collect Earth CSV"),
        ("id,YCoordinate,XCoordinate,clase", f"u1,{LAT0},{LON0},coca", "CSV"),
        ("id\tlatitud\tlongitud\tclase", f"u1\t{LAT0}\t{LON0}\tcoca", "CSV"),
    ],
)  # fmt: skip
def test_the_position_is_found_in_every_known_export(
    tmp_path: Path, header: str, cells: str, format_: str
) -> None:
    found = checked(tmp_path, cells, header=header)
    assert [r for r in rules(found) if r != "separator"] == []
    assert found.records == 1
    swapped = cells.replace(LAT0, "@").replace(LON0, LAT0).replace("@", LON0)
    again = checked(tmp_path, swapped, header=header)
    assert [(f.rule, f.record_id) for f in again.faults if f.rule != "separator"] == [("swapped", "u1")]
    assert found.layout.format in (format_, "CSV")


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_a_vector_file_is_checked_and_fixed_into_a_geopackage(tmp_path: Path, suffix: str) -> None:
    frame = gpd.GeoDataFrame(
        {"id": ["a", "b"], "clase": ["coca", "cocal"]},
        geometry=shapely.points([float(LON0), float(LAT0)], [float(LAT0), float(LON0)]),
        crs=4326,
    )
    path = tmp_path / f"r{suffix}"
    frame.to_file(path)
    before = sha256_file(path)
    found = check_file(path, Evidence(area=AREA))
    assert [(f.rule, f.row, f.record_id) for f in found.faults] == [
        ("swapped", 2, "b"),
        ("class_name", 2, "b"),
    ]
    with pytest.raises(UsageError, match="correct --out"):
        write_fixed(found, ["swapped"], tmp_path / "out.shp")
    write_fixed(found, ["swapped", "class_name"], tmp_path / "out.gpkg")
    after = gpd.read_file(tmp_path / "out.gpkg")
    assert after.geometry.x.tolist() == [float(LON0)] * 2
    assert after["clase"].tolist() == ["coca", "coca"]
    assert sha256_file(path) == before


def test_several_geopoints_need_a_mapping(tmp_path: Path) -> None:
    header = "_casa_latitude,_casa_longitude,_chacra_latitude,_chacra_longitude,clase,_uuid"
    text = f"-14.1,-69.1,{LAT0},{LON0},coca,u1"
    with pytest.raises(InputError, match="one geopoint"):
        checked(tmp_path, text, header=header)
    mapping = tmp_path / "m.yaml"
    mapping.write_text("columns: {x: _chacra_longitude, y: _chacra_latitude}\nclasses: {hojita: coca}\n")
    found = checked(tmp_path, text.replace("coca", "hojita"), header=header, mapping=mapping)
    assert rules(found) == ["class_name"]
    mapping.write_text("columns: {latitude: x}\n")
    with pytest.raises(ConfigError, match="latitude"):
        checked(tmp_path, text, header=header, mapping=mapping)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no records"),
        (b"one\n1\n", "export it as CSV"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,2\n", "give a mapping"),
        (b"r1,-14.2034567,-69.0512345\nr2,-14.2,-69.1\n", "put a header above"),
        (b"id,lat,lat\n1,2,3\n", "correct row 1"),
    ],
)
def test_a_file_that_is_no_table_of_records_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        check_file(path)
    assert "2034567" not in str(caught.value)


def test_only_fixes_that_exist_are_accepted_and_no_file_is_overwritten(tmp_path: Path) -> None:
    found = checked(tmp_path, ONE_RECORD["swapped"])
    for wrong in ("office", "everything"):
        with pytest.raises(UsageError, match="--accept"):
            write_fixed(found, [wrong], tmp_path / "out.csv")
    with pytest.raises(UsageError, match="does not exist"):
        write_fixed(found, ["swapped"], found.source.path)
    found.source.path.write_text("changed")
    with pytest.raises(InputError, match="another content"):
        write_fixed(found, ["swapped"], tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_every_change_is_in_the_log_and_nothing_else_changed(tmp_path: Path) -> None:
    texts = [
        ONE_RECORD["swapped"],
        row(record_id="r2", lat="-14.3", clase="cocal", plot_id="P2"),
        row(record_id="=1+1", lat="-14.31", clase="Cocal", plot_id="P3"),
    ]
    found = checked(tmp_path, *texts)
    before = sha256_file(found.source.path)
    result = write_fixed(found, ["swapped", "class_name"], tmp_path / "out.csv")
    old, new = found.source.rows, read_source(tmp_path / "out.csv").rows
    differing = {(n, c) for n in old.index for c in old.columns if old.loc[n, c] != new.loc[n, c]}
    journal = pd.read_csv(result.log, dtype=str)
    assert {(int(r), c) for r, c in zip(journal["row"], journal["column"], strict=True)} == differing
    assert result.changes == len(differing) == 4
    assert journal["before"].tolist() == ["(position)", "(position)", "cocal", "Cocal"] or set(
        journal["before"]
    ) == {"(position)", "cocal", "Cocal"}
    assert journal["record_id"].iloc[-1] == "'=1+1"
    assert sha256_file(found.source.path) == before


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FaultyRecords, dict]:
    """2,400 invented records with every fault, and what the check is given."""
    folder = tmp_path_factory.mktemp("planted")
    records = simulate_records(11, n=2_400)
    write_records(records, folder)
    ground_ = {"plots": folder / "plots.gpkg", "roads": folder / "roads.gpkg"}
    return folder, records, {"area": ",".join(map(str, records.area)), "period": "..".join(PERIOD)} | ground_


def test_planted_faults_are_found_and_no_position_is_told_anywhere(
    planted, caplog: pytest.LogCaptureFixture
) -> None:
    folder, records, stated = planted
    with caplog.at_level(logging.DEBUG):
        found = check_file(folder / "records.csv", Evidence(**stated))
        write_fixed(found, [name for name, rule in RULES.items() if rule.fixable], folder / "all.csv")
    told = {(f.rule, r) for f in found.faults for r in ([f.row] if f.row else f.rows)}
    planted_ = records.truth[records.truth["fault"] != ""]
    hit = [(f, r) in told for f, r in zip(planted_["fault"], planted_["row"], strict=True)]
    assert np.mean(hit) >= 0.95
    sound = set(records.truth.loc[records.truth["fault"] == "", "row"])
    false = {r for rule, r in told if r in sound and rule not in ("class_name", "class_state")}
    assert len(false) <= 0.01 * len(sound)
    digits = {text.lstrip("-") for text in (*records.clean[LAT], *records.clean[LON]) if len(text) > 9}
    digits |= {
        d for text in found.source.rows[LAT] for d in [text.lstrip("-").replace(",", ".")] if len(d) > 9
    }
    public = [to_text(found), to_csv(found), to_json(found), caplog.text]
    public.append((folder / "all.csv.changes.csv").read_text())
    for text in public:
        words = set(
            text.replace('"', " ")
            .replace("'", " ")
            .replace("-", " ")
            .replace(":", " ")
            .replace(",", " ")
            .split()
        )
        assert not words & digits
    assert "->" in to_text(found)
    assert any(d in to_csv(found, restricted=True) for d in digits)


def test_the_report_says_the_same_in_its_three_forms(tmp_path: Path) -> None:
    texts = [
        row(record_id=f"r{k}", lat=f"14.2{k:02d}1234", clase="cocal", plot_id=f"P{k}") for k in range(11)
    ]
    found = checked(tmp_path, *texts)
    assert "and 1 more" in to_text(found)
    content = json.loads(to_json(found))
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(content["findings"]) == len(rows) == len(found.faults)
    assert content["counts"] == found.counts()
    for rule, count in found.counts().items():
        assert f"{rule}: {count:,} " in to_text(found)


def test_the_invented_records_are_a_function_of_the_seed_and_labelled(planted) -> None:
    _, records, _ = planted
    assert simulate_records(11, n=2_400).lines == records.lines
    assert all("SIMULATED" in source for source in records.clean["fuente"])
    assert set(records.truth["fault"]) == {"", *PLANTED}


def test_as_few_as_1000_records_hold_every_fault_and_fewer_are_refused() -> None:
    fewer = simulate_records(11, n=1_000).truth["fault"].value_counts()
    assert set(fewer.index) == {"", *PLANTED}
    assert fewer[["swapped", "duplicate", "encoding"]].tolist() == [41, 41, 41]  # 1000 // 24
    with pytest.raises(ValueError, match="999 records are too few"):
        simulate_records(11, n=999)


def test_the_command_ends_with_0_1_or_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from typer.testing import CliRunner

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["records", "check", *words])
        code = result.exception.exit_code if isinstance(result.exception, UsageError) else result.exit_code
        return code, result.output

    sound = str(written(tmp_path, SOUND, name="sound.csv"))
    faulty = str(written(tmp_path, ONE_RECORD["swapped"], name="faulty.csv"))
    assert run(sound, "--area", AREA)[0] == 0
    code, text = run(faulty, "--area", AREA, "--format", "json")
    assert code == 1
    assert '"rule": "swapped"' in text
    assert run(str(tmp_path / "none.csv"))[0] == 2
    assert run(faulty, "--accept", "swapped")[0] == 2
    code, _ = run(faulty, "--area", AREA, "--accept", "swapped", "--out", str(tmp_path / "new.csv"))
    assert code == 1
    assert (tmp_path / "new.csv").read_bytes() == Path(sound).read_bytes()


def test_roads_and_plots_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    """Latitude before longitude: no record would be on a road, and the report would say no fault."""
    line = shapely.LineString([(float(LON0), float(LAT0)), (float(LON0) + 0.01, float(LAT0))])
    for name, shape in (("roads", line), ("plots", line.buffer(0.001))):
        for exchanged in (False, True):
            path = tmp_path / f"{name}{exchanged}.gpkg"
            own = shapely.transform(shape, lambda xy: xy[:, ::-1]) if exchanged else shape
            gpd.GeoDataFrame({"id": ["P1"]}, geometry=[own], crs=4326).to_file(path)
            if exchanged:
                with pytest.raises(InputError, match=rf"{name} .*{name}True.gpkg lie elsewhere"):
                    checked(tmp_path, SOUND, **{name: path})
            else:
                checked(tmp_path, SOUND, **{name: path})
