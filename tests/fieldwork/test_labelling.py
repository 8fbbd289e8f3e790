"""Points labelled with other tools: what they take, what they return, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import collect_earth as ceo

from cocal.errors import InputError, UsageError
from cocal.fieldwork.labelling import (
    Labels,
    acatama,
    collect_earth,
    numbered,
    plot_numbers,
    sample_mark,
    settle,
)
from cocal.fieldwork.labelling.answers import as_answers
from cocal.scheme import ClassScheme

QUESTIONS = ["Clase", "Fecha de la imagen", "Cobertura %", "Notas"]
SCHEME = ClassScheme.model_validate(
    {
        "id": "test", "target": "coca", "definition": {"unit": "pixel"},
        "classes": [
            {"code": 1, "key": "coca", "name_es": "Coca", "name_en": "Coca field", "colour": "#ff0000"},
            {"code": 2, "key": "forest", "name_es": "Bosque, alto", "name_en": "Forest", "colour": "#00ff00"},
        ],
    }
)  # fmt: skip
LABELS = Labels(SCHEME, {})
SAMPLE = pd.DataFrame(
    {
        "point_id": ["P0001", "P0002", "P0003", "R0001"], "stratum": ["a", "a", "b", "b"],
        "role": ["main"] * 3 + ["reserve"], "map_class": ["coca", "coca", "forest", "coca"],
        "lon": [-69.1, -69.05, -68.99, -68.95], "lat": [-14.0, -14.01, -14.02, -14.03],
    }
)  # fmt: skip
POINTS = numbered(SAMPLE)
NUMBER = dict(zip(POINTS["point_id"], POINTS["number"], strict=True))


def answers(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return as_answers(pd.DataFrame(rows, columns=["point_id", "observer", "class"]))


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (["coca"], ("yes", "", "coca", "")),
        ([""], ("no", "cannot_tell", "", "")),
        (["coca", "coca"], ("yes", "", "coca", "coca")),
        (["coca", "forest"], ("no", "readers_disagree", "", "")),
        (["coca", ""], ("no", "readers_disagree", "", "")),
        (["coca", "forest", "forest"], ("yes", "", "forest", "coca")),
        (["coca", "forest", "coca"], ("yes", "", "coca", "forest")),
        (["coca", "coca", "forest"], ("yes", "", "coca", "coca")),
        (["coca", "forest", "water"], ("no", "readers_disagree", "", "")),
        (["coca", "", ""], ("no", "cannot_tell", "", "")),
    ],
)
def test_a_class_is_what_most_readers_say_and_no_class_is_made_where_they_do_not(said, result):
    found = settle(answers(*(("P1", f"R{n}", c) for n, c in enumerate(said)))).iloc[0]
    assert tuple(found[["visited", "why_not", "class", "second_class"]]) == result


@given(st.lists(st.sampled_from(["coca", "forest", "water", ""]), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_nothing_and_a_class_always_has_a_majority(said):
    rows = [("P1", f"R{n}", c) for n, c in enumerate(said)]
    first = settle(answers(*rows))
    assert first.equals(settle(answers(*reversed(rows))))
    assert (first["class"][0] == "") or 2 * said.count(first["class"][0]) > len(said)


def test_a_reader_who_answers_twice_is_refused_by_point():
    with pytest.raises(InputError, match="P7"):
        settle(answers(("P7", "A", "coca"), ("P7", "A", "forest")))


def test_numbers_are_whole_each_once_and_tell_no_role():
    ids = [f"P{n:04d}" for n in range(1, 201)] + [f"R{n:04d}" for n in range(1, 201)]
    numbers = plot_numbers(ids)
    assert sorted(numbers) == list(range(1, 401))
    assert 80 < sum(n <= 200 for n in numbers[:200]) < 120


@pytest.fixture
def project(tmp_path: Path) -> list[dict[str, Any]]:
    """The plots as the program holds them after the upload of what was exported."""
    collect_earth.write_project(tmp_path, POINTS, SCHEME)
    texts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    plots, samples = (ceo.uploaded(texts[f"{kind}s.csv"], kind) for kind in ("plot", "sample"))
    assert [(s["plotid"], s["lon"], s["lat"]) for s in samples] == [
        (str(p["visible_id"]), p["lon"], p["lat"]) for p in plots
    ]
    joined = "\n".join(texts.values()).lower()
    assert not any(word in joined for word in ("stratum", "role", "map_class", "probability"))
    return plots


def returned(plots: list[dict[str, Any]], path: Path, **changes: Any) -> Path:
    """Sample data of two users: they agree on P0001, differ on P0002; one flags P0003; R0001 is not done."""
    day = {"Fecha de la imagen": "2024-06-03", "Cobertura %": "60", "Notas": "nube, al lado"}
    said = {
        (NUMBER["P0001"], "eva@x.org"): {"Clase": "Coca", "confidence": 90, **day},
        (NUMBER["P0001"], "ana@x.org"): {"Clase": "Coca", "confidence": 70, **day},
        (NUMBER["P0002"], "eva@x.org"): {"Clase": "Coca", **day},
        (NUMBER["P0002"], "ana@x.org"): {"Clase": "Bosque, alto", **day},
        (NUMBER["P0003"], "ana@x.org"): {"flagged": True},
    }
    path.write_text(ceo.sample_data(plots, said, changes.get("questions", QUESTIONS)), encoding="utf-8")
    return path


def test_sample_data_comes_back_as_answers_of_codes_and_as_one_row_for_each_point(project, tmp_path):
    path = returned(project, tmp_path / "ceo.csv")
    found = collect_earth.read_sample_data(path, POINTS, LABELS, collect_earth.Questions())
    rows = {(r.point_id, r.observer): (r[2], r.certainty, r.observed_on, r.cover) for r in found.rename(
        columns={"class": "class_"}).itertuples(index=False)}  # fmt: skip
    assert rows[("P0001", "R1")] == ("coca", "70", "2024-06-03", "60")
    assert rows[("P0002", "R1")][0] == "forest"
    assert rows[("P0002", "R2")][0] == "coca"
    assert rows[("P0003", "R1")][0] == ""
    assert len(rows) == 5
    assert "@" not in found.to_csv()
    result = settle(found).set_index("point_id")
    assert result["class"].to_dict() == {"P0001": "coca", "P0002": "", "P0003": ""}
    assert result["why_not"].to_dict() == {"P0001": "", "P0002": "readers_disagree", "P0003": "cannot_tell"}
    assert "nube, al lado" in result.loc["P0001", "notes"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("P0001", "P0009"), "not of this sample"),
        (lambda t: t.replace(",-69.1,", ",-69.2,"), "not of this sample"),
        (lambda t: t.replace("-69.1,-14.0,", ",,").replace("P0001", ""), "not of this sample"),
        (lambda t: t.replace("Coca,", "Almácigo,"), "Almácigo"),
        (lambda t: t.replace("2024-06-03", "junio"), "days of the images"),
        (lambda t: t.replace("plotid,sampleid", "plotid,center_lon"), "not its plot data"),
        (lambda t: t.replace("eva@x.org", "ana@x.org"), "one sample in a plot"),
        (lambda t: t.replace(", Guest Interpreters", "").replace("Planet", "Planet,"), "cells"),
    ],
)
def test_files_of_another_sample_labels_without_class_and_broken_rows_are_refused(
    project, tmp_path, change, words
):
    path = returned(project, tmp_path / "ceo.csv")
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        collect_earth.read_sample_data(path, POINTS, LABELS, collect_earth.Questions())


def test_the_day_of_an_answer_is_never_taken_for_the_day_of_the_image(project, tmp_path):
    path = returned(project, tmp_path / "ceo.csv", questions=["Clase"])
    with pytest.raises(UsageError, match="--observed-on"):
        collect_earth.read_sample_data(path, POINTS, LABELS, collect_earth.Questions())
    asked = collect_earth.Questions(day="2024-08-01")
    found = collect_earth.read_sample_data(path, POINTS, LABELS, asked)
    assert set(found["observed_on"]) == {"2024-08-01"}


def test_a_state_of_the_crop_counts_as_what_the_user_states():
    with pytest.raises(InputError, match="Almácigo"):
        LABELS.read(["Almácigo"], Path("x"))
    own = Labels(SCHEME, {"almacigo": "forest"})
    assert own.read(["Almácigo", "Monte alto", "cannot tell"], Path("x")) == ["forest", "forest", ""]
    with pytest.raises(InputError, match="nursery"):
        Labels(SCHEME, {"Almácigo": "nursery"}).read([], Path("x"))


@given(st.lists(st.sampled_from(["coca", "forest", ""]), min_size=8, max_size=8))
@settings(max_examples=10, deadline=None)
def test_answers_that_go_out_come_back_the_same(said):
    pairs = list(itertools.product(SAMPLE["point_id"], ["R1", "R2"]))
    table = answers(*((p, r, c) for (p, r), c in zip(pairs, said, strict=True)))
    table = table.assign(certainty="3", observed_on="2024-05-01", cover="50", notes="a, b")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.csv"
        collect_earth.write_answers(path, table, POINTS, SCHEME)
        found = collect_earth.read_sample_data(path, POINTS, LABELS, collect_earth.Questions())
    order = ["point_id", "observer"]
    assert found.sort_values(order).values.tolist() == table.sort_values(order).values.tolist()


def test_labels_of_acatama_come_back_from_its_layer_and_its_session(tmp_path):
    acatama.write_points(tmp_path, POINTS, sample_mark(POINTS))
    (layer,) = tmp_path.glob("*.gpkg")
    assert list(pyogrio.read_info(layer)["fields"]) == ["id", "point_id"]
    said = answers(("P0001", "A", "coca"), ("P0002", "A", "forest"), ("P0003", "A", ""))
    acatama.write_labelled(tmp_path / "labelled.gpkg", said, POINTS, SCHEME)
    saved = gpd.read_file(tmp_path / "labelled.gpkg")
    assert saved[["ID", "Label"]].dropna().set_index("ID")["Label"].to_dict() == {
        NUMBER["P0001"]: "Coca", NUMBER["P0002"]: "Bosque, alto", NUMBER["P0003"]: "No se puede decir",
    }  # fmt: skip
    metres = saved.to_crs(32719).rename(columns={"Label ID": "Is labeled"})
    metres.to_file(tmp_path / "metres.shp")
    session = {
        "sampling_layer": f"C:\\mapas\\{layer.name}|layername={layer.stem}",
        "labeling_buttons": {1: {"name": "Coca"}, 2: {"name": "Forest"}, 3: {"name": "Cannot tell"}},
        "samples": {n: {"label_id": n + 1, "sample_id": NUMBER[f"P000{n + 1}"]} for n in range(3)},
    }
    (tmp_path / "session.yaml").write_text(yaml.safe_dump(session), encoding="utf-8")
    expected = [["P0001", "coca"], ["P0002", "forest"], ["P0003", ""]]
    for name in ("labelled.gpkg", "metres.shp", "session.yaml"):
        found = acatama.read_labels(tmp_path / name, POINTS, LABELS, "R1", "2024-06-01")
        assert sorted(found[["point_id", "class"]].values.tolist()) == expected
        assert set(found["observer"]), set(found["observed_on"]) == ({"R1"}, {"2024-06-01"})


def test_a_session_or_layer_of_another_sample_is_refused(tmp_path):
    said = answers(("P0001", "A", "coca"))
    moved = numbered(SAMPLE.assign(lon=SAMPLE["lon"] + 0.001))
    acatama.write_labelled(tmp_path / "labelled.gpkg", said, moved, SCHEME)
    session = {"sampling_layer": "points.gpkg", "labeling_buttons": {}, "samples": {}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(session), encoding="utf-8")
    (tmp_path / "b.yaml").write_text("samples: 3", encoding="utf-8")
    for name in ("labelled.gpkg", "a.yaml", "b.yaml"):
        with pytest.raises(InputError, match="sample"):
            acatama.read_labels(tmp_path / name, POINTS, LABELS, "R1", "2024-06-01")
