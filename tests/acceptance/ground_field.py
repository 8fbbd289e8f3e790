"""What the field loop must show: a campaign as it goes, on the demo's SIMULATED land, in every export."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import yaml
from pyxform.xls2xform import convert

from cocal.assets import PACKAGE
from cocal.fieldwork import RecordSettings, read_records
from cocal.fieldwork.design import write_point_list
from cocal.notes.account import first
from cocal.run.tables import read_own_csv
from cocal.scheme import read_scheme
from tests.acceptance.house import environment
from tests.acceptance.pages_report import demo as demo_run
from tests.support.exports import EXPORTS, Answer, campaign
from tests.support.web_form import central_csv, installed, web_form

POINTS, FAR_M = 600, 30.0
FIGURES = ["estimated_ha", "ci_low_ha", "ci_high_ha"]
DESIGN = {
    "unobserved": "left_out", "by_region": True, "size": {"points": POINTS, "per": "whole"},
    "strata": [{"stratum": "coca", "classes": ["coca"]},
               {"stratum": "near", "near": {"metres": 100, "classes": ["coca"]}}, {"stratum": "elsewhere"}],
    "allocation": "interval", "floor": 0.001, "minimum": 10, "draw": "balanced", "reserve": 0.2, "seed": 1,
    "expected": {"source": "stated", "share": {"coca": 0.8, "near": 0.05, "elsewhere": 0.002}},
}  # fmt: skip


def _cocal(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cocal.cli import main; main()", *arguments],
        env=environment(PACKAGE.parent, COLUMNS="200"), cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@functools.cache
def designed() -> Path:
    """A copy of the demo with a drawn sample of 600 points; its images are not copied."""
    given = demo_run().parents[1]
    folder = Path(tempfile.mkdtemp(prefix="cocal-field-"))
    for name in ("configs", "runs"):
        shutil.copytree(given / name, folder / name)
    (folder / "work").symlink_to(given / "work", target_is_directory=True)
    content = yaml.safe_load((folder / "configs" / "demo.yaml").read_text(encoding="utf-8"))
    _write(folder, content | {"design": DESIGN})
    done = _cocal(folder, "design", "configs/field.yaml")
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def _write(folder: Path, content: dict[str, Any]) -> None:
    (folder / "configs" / "field.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _sample(folder: Path) -> pd.DataFrame:
    return read_own_csv(folder / "runs" / "demo" / "design" / "sample.csv")


def _truth(sample: pd.DataFrame) -> Callable[[pd.Series[Any]], str]:
    """The class on the ground of a point of the sample, from the land's truth."""
    with rasterio.open(demo_run().parents[1] / "work" / "demo" / "truth" / "class.tif") as source:
        codes = [int(v[0]) for v in source.sample(zip(sample["x"], sample["y"], strict=True))]
    keys = {code: key for key, code in read_scheme(_scheme()).codes.items()}
    found = dict(zip(sample["point_id"], (keys[code] for code in codes), strict=True))
    return lambda point: found[point["point_id"]]


def _scheme() -> Path:
    return demo_run().parents[1] / "configs" / "schemes" / "border-coca.yaml"


def _with(folder: Path, export: Path, **more: Any) -> None:
    """The demo's configuration with an export of the campaign as its records."""
    content = yaml.safe_load((folder / "configs" / "demo.yaml").read_text(encoding="utf-8"))
    rasters = sorted((folder / "runs" / "demo" / "design").glob("strata-*.tif"))
    records = {
        "path": str(export), "sample": "../runs/demo/design/sample.csv", "far_m": FAR_M,
        "strata": "../runs/demo/design/strata.csv",
        "strata_raster": [f"../runs/demo/design/{path.name}" for path in rasters],
    }  # fmt: skip
    _write(folder, content | {"records": records | more, "publish": None})


def _hectares(folder: Path) -> pd.DataFrame:
    table = read_own_csv(folder / "runs" / "demo" / "hectares.csv")
    return table[table["class"] == "coca"].set_index("region_id")


def _left_out(folder: Path) -> dict[str, dict[str, Any]]:
    notes = json.loads((folder / "runs" / "demo" / "run.json").read_text(encoding="utf-8"))["left_out"]
    return {note["code"]: note["values"] for note in notes}


@functools.cache
def _campaign(out: int | None) -> tuple[list[Answer], dict[str, list[str]]]:
    sample = _sample(designed())
    return campaign(sample, out=out, label=_truth(sample))


def exports_of_a_campaign_run_without_a_hand_edit() -> str:
    """ODK Central, Kobo by values and by Spanish labels, QField, Epicollect: one command each, one result."""
    folder, seen = designed(), []
    answers, wrong = _campaign(None)
    main = int((_sample(folder)["role"] == "main").sum())
    for kind, export in EXPORTS.items():
        home = Path(tempfile.mkdtemp(prefix=f"cocal-{kind}-"))
        _with(folder, export(home, answers, folder / "runs" / "demo" / "design"))
        done = _cocal(folder, "run" if kind == "odk" else "measure", "configs/field.yaml")
        assert done.returncode == 0, f"{kind}: {done.stderr[-3000:]}"
        notes = _left_out(folder)
        for code, points in wrong.items():
            assert list(notes[code]["which"]) == list(first(points)), (kind, code, notes[code])
        seen.append(_hectares(folder)[FIGURES])
    assert all(table.equals(seen[0]) for table in seen), "the exports differ in their hectares"
    lost = sum(answer["visited"] == "no" for answer in answers)
    total = seen[0]["estimated_ha"].sum()
    far = len(wrong["records_asked_far"])
    return (
        f"{len(EXPORTS)} exports of {main} points: {lost} not reached, {far} far, "
        f"1 twice, 1 reserve out of order, each named; {total:.1f} ha of coca by all, exit code 0"
    )


def a_partial_return_is_preliminary_and_a_confirmed_point_counts() -> str:
    """A quarter of the points out; then all far points confirmed; then a region where nobody was yet."""
    folder = designed()
    answers, wrong = _campaign(4)
    home = Path(tempfile.mkdtemp(prefix="cocal-partial-"))
    export = EXPORTS["odk"](home, answers, folder)
    _with(folder, export)
    assert _cocal(folder, "measure", "configs/field.yaml").returncode == 0
    early, notes = _hectares(folder), _left_out(folder)
    assert early["notes"].str.contains("preliminary").all()
    assert notes["points_not_returned"]["n"] == len(wrong["points_not_returned"])
    listed = read_own_csv(folder / "runs" / "demo" / "records.csv").set_index("sample_id")["why_not"]
    assert set(listed.index[listed == "not_returned"]) == set(wrong["points_not_returned"])
    assert set(listed.index[listed == "asked_far"]) == set(wrong["records_asked_far"])
    _with(folder, export, confirmed=wrong["records_asked_far"])
    assert _cocal(folder, "measure", "configs/field.yaml").returncode == 0
    assert "records_asked_far" not in _left_out(folder)
    sample = _sample(folder)
    nobody = sample["region_id"].iloc[0]
    away = set(sample.loc[sample["region_id"] == nobody, "point_id"])
    _with(folder, EXPORTS["odk"](home, [a for a in answers if a["point_id"] not in away], folder))
    done = _cocal(folder, "measure", "configs/field.yaml")
    assert done.returncode == 0, done.stderr[-2000:]
    waits = _left_out(folder)["estimate_awaits_points"]
    assert all(str(name).endswith(f"in {nobody}") for name in waits["strata"])
    return (
        f"{len(wrong['points_not_returned'])} of {notes['points_not_returned']['of']} out: preliminary, all "
        f"listed by id; far points count once confirmed; {waits['n']} strata of a region without answers "
        "named"
    )


def the_form_passes_pyxform_and_odk_validate() -> str:
    """The form that `cocal design` wrote, and that nothing of the crews tells a stratum."""
    folder = designed() / "runs" / "demo" / "design"
    made = convert(xlsform=folder / "form.xlsx", validate=True)
    assert made.warnings == [], made.warnings
    for name in ("points.csv", "sample.gpx", "sample.gpkg", "sheet.es.html", "sheet.en.html"):
        data = (folder / name).read_bytes()
        assert b"near" not in data.replace(b"linear", b""), name
        assert b"elsewhere" not in data, name
    return "pyxform and ODK Validate: no error, no warning; no stratum in any file of the crews"


def answers_of_odk_web_forms_are_records() -> str:
    """The form filled in by a real Chromium with ODK Web Forms: a visit, a visit far off, one not reached."""
    folder = designed() / "runs" / "demo" / "design"
    home = Path(tempfile.mkdtemp(prefix="cocal-webforms-"))
    why = installed(home)
    if why is not None:
        return f"left out: @getodk/web-forms cannot be had here ({why})"
    three = _sample(designed()).iloc[:3].assign(lon=-69.1, lat=[-14.0, -14.01, -14.02])
    three.to_csv(home / "sample.csv", index=False)
    ids = three["point_id"].tolist()
    with web_form(home, convert(xlsform=folder / "form.xlsx").xform) as form:
        for i, off_m in enumerate((4.0, 80.0, None)):
            own = three.iloc[[i, i, i]].assign(point_id=["R0001", ids[i], "R0002"])
            own["lat"] += np.array([-0.0006, 0.0, 0.0006])  # the one to be chosen is in the middle of the map
            write_point_list(home / "points.csv", own)
            form.stand(three["lat"].iloc[i] + (off_m or 0.0) / 110_650, -69.1, 4.5)
            form.open()
            form.choose(ids[i])
            form.answer(off_m is not None)
            form.send()
    export = central_csv(form.sent, home / "central.csv")
    settings = RecordSettings(path=export, sample=home / "sample.csv", far_m=FAR_M)
    records = read_records(settings, read_scheme(_scheme())).set_index("sample_id")
    assert records["why_not"].fillna("").tolist() == ["", "asked_far", "terrain"], records["why_not"].tolist()
    assert records.loc[ids[0], ["class", "state", "cover"]].tolist() == ["coca", "productive", 80.0]
    told = pd.read_csv(export)["distance_m"].dropna().to_numpy()
    assert np.abs(told - [4.0, 80.0]).max() <= 1.0, told
    shown = " and ".join(f"{metres:.0f} m" for metres in told)
    return f"3 forms sent by ODK Web Forms 0.22.0, distances shown {shown}; read as records"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    exports_of_a_campaign_run_without_a_hand_edit,
    a_partial_return_is_preliminary_and_a_confirmed_point_counts,
    the_form_passes_pyxform_and_odk_validate,
    answers_of_odk_web_forms_are_records,
)
