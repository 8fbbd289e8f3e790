"""AcATaMa, the QGIS plugin for accuracy assessment: a layer of points out; its labels back.

The plugin takes a layer of points with a whole number `id`. Its labelled layer (GeoPackage or Shapefile)
has `ID` and `Label`, null where there is none, and `Label ID`, or beside a thematic map its numbers. Its
session (YAML) has `labeling_buttons` (number -> name) and `samples` (label_id, sample_id), and names the
layer. As the program writes them: github.com/SMByC/AcATaMa, `core/response_design.py`, `core/config.py`
(August 2026).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from cocal.errors import InputError
from cocal.fieldwork.design.points import fixed_date
from cocal.fieldwork.labelling.answers import as_answers
from cocal.fieldwork.labelling.matching import UNSURE, Labels, points_of, sample_mark
from cocal.fieldwork.tables import read_rows
from cocal.scheme import ClassScheme
from cocal.settings import read_yaml

POINTS, LABELLED = "acatama-{mark}.gpkg", "labelled.gpkg"
_YAML = (".yaml", ".yml")


def write_points(folder: Path, points: pd.DataFrame, mark: str) -> None:
    """Write the layer of `points`; by the sample's `mark` in its name a session is proven to be of it."""
    rows = pd.DataFrame({"id": points["number"], "point_id": points["point_id"]})
    _write(folder / POINTS.format(mark=mark), rows, points)


def write_labelled(path: Path, answers: pd.DataFrame, points: pd.DataFrame, scheme: ClassScheme) -> None:
    """Write the answers of one reader as the plugin's labelled layer: every point, labelled or not."""
    names = {c.key: c.name_es for c in scheme.classes} | {"": UNSURE["es"]}
    code = {key: n for n, key in enumerate(names, start=1)}
    said = dict(zip(answers["point_id"], answers["class"], strict=True))
    keys = [said.get(point) for point in points["point_id"]]
    rows = pd.DataFrame(
        {
            "ID": points["number"],
            "Label": [None if k is None else names[k] for k in keys],
            "Label ID": pd.array([None if k is None else code[k] for k in keys], dtype="Int32"),
        }
    )
    _write(path, rows, points)


def _write(path: Path, rows: pd.DataFrame, points: pd.DataFrame) -> None:
    places = gpd.points_from_xy(points["lon"], points["lat"])
    with fixed_date():
        layer = gpd.GeoDataFrame(rows, geometry=places, crs="EPSG:4326")
        pyogrio.write_dataframe(layer, path, driver="GPKG", layer=path.stem)


def read_labels(path: Path, points: pd.DataFrame, labels: Labels, observer: str, day: str) -> pd.DataFrame:
    """The answers of one reader, `ANSWER_COLUMNS`, of a labelled layer or a session; unlabelled are left out.

    Raises
    ------
    InputError
        The file is neither, of another sample, or has labels without class.
    """
    rows = _session(path, points) if path.suffix.lower() in _YAML else _layer(path)
    rows = rows.assign(point_id=points_of(rows, points, path))
    rows = rows[rows["label"].notna() & (rows["label"] != "")]
    found = pd.DataFrame({"point_id": rows["point_id"], "class": labels.read(rows["label"], path)})
    found = found.assign(observer=observer, observed_on=day)
    return as_answers(found)


def _layer(path: Path) -> pd.DataFrame:
    rows = read_rows(path)
    names = {str(c).lower(): c for c in rows.columns}
    if not isinstance(rows, gpd.GeoDataFrame) or rows.crs is None or not {"id", "label"} <= {*names}:
        raise InputError(
            f"labels {path}", "points with ID and Label, as AcATaMa saves labels, or its session (.yaml)",
            "columns " + ", ".join(map(repr, names)),
            "save the labels in AcATaMa ('save the sampling labelled'), or give the session",
        )  # fmt: skip
    shapes = np.array(rows.geometry.to_crs(4326).array, dtype=object)
    table = pd.DataFrame({"number": rows[names["id"]], "label": rows[names["label"]]})
    return table.assign(lon=shapely.get_x(shapes), lat=shapely.get_y(shapes))


def _session(path: Path, points: pd.DataFrame) -> pd.DataFrame:
    content = read_yaml(path, "session of AcATaMa", "save it in AcATaMa again")
    try:
        name = re.split(r"[\\/]", str(content["sampling_layer"]))[-1].split("|")[0]
        buttons = {str(key): str(button["name"]) for key, button in content["labeling_buttons"].items()}
        pairs = [_pair(entry) for entry in content["samples"].values()]
        rows = pd.DataFrame(
            {"number": [n for n, _ in pairs], "label": [buttons[label] for _, label in pairs]}
        )
    except (AttributeError, KeyError, TypeError) as err:
        raise InputError(
            f"session {path}", "sampling_layer, labeling_buttons and samples, as AcATaMa saves them",
            f"{type(err).__name__}: {err}", "save the session again, or give the labelled layer",
        ) from err  # fmt: skip
    if name != (own := POINTS.format(mark=sample_mark(points))):
        raise InputError(
            f"session {path} is not of this sample", own, repr(name),
            "a session holds no positions: give the labelled layer (.gpkg), which is proven by its own",
        )  # fmt: skip
    return rows


def _pair(entry: dict[str, Any]) -> tuple[Any, str]:
    """Number and label of a sample; versions before 2023 wrote other names."""
    old = "classif_id" in entry
    return entry["shape_id" if old else "sample_id"], str(entry["classif_id" if old else "label_id"])
