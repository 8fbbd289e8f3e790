"""Which column of a file holds what: known exports by their names, others by a mapping file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pyproj import CRS
from pyproj.exceptions import CRSError

from cocal.errors import ConfigError, InputError
from cocal.fieldwork.checks.source import Source
from cocal.fieldwork.checks.text import fold
from cocal.settings import Settings, read_yaml

_NAMES = {
    "record_id": "_uuid ec5_uuid instanceid meta/instanceid key record_id id_registro globalid uuid objectid "
    "fid id _id",
    "observed_on": "observed_on fecha_visita fecha visit_date report_datetime date today start "
    "_submission_time",
    "class": "class clase cobertura cultivo uso land_use_category land_cover label etiqueta",
    "observer": "observer observador encuestador brigadista username surveyor operator _submitted_by",
    "device": "deviceid device dispositivo gps",
    "plot_id": "plot_id parcela_id id_parcela parcela sample_id punto_id",
    "plot_area_ha": "plot_area_ha area_ha superficie_ha",
    "accuracy": "gps_accuracy_m positional_accuracy_m accuracy_m precision_m accuracy precision hacc",
    "cover": "cover cover_percent cover_pct cobertura_porcentaje cobertura_pct porcentaje",
    "source": "source fuente campaign campana method metodo",
    "point_id": "point_id punto_id id_punto punto point",
    "visited": "visited visitado llego reached",
    "why_not": "why_not motivo reason",
    "second_class": "second_class segunda_clase",
    "state": "state estado",
    "shade": "shade sombra",
    "mixture": "mixture mezcla",
    "age": "age edad",
    "review": "reviewstate _validation_status",
    "x": "lon lng long longitude longitud location_x xcoordinate x easting este utm_x coord_x",
    "y": "lat latitude latitud location_y ycoordinate y northing norte utm_y coord_y",
}  # fmt: skip
"""Names of each column, the first that a file has is taken; compared folded, without groups."""

_GEOPOINT = re.compile(r"(.*?)[_-](latitude|longitude|altitude|precision|accuracy)", re.IGNORECASE)
_GEOPOINT_FIRST = re.compile(r"(lat|long|acc|accuracy)_(\d+_.*)", re.IGNORECASE)
_GEOPOINT_PARTS = {"latitude": "y", "longitude": "x", "precision": "accuracy", "accuracy": "accuracy",
                   "lat": "y", "long": "x", "acc": "accuracy"}  # fmt: skip
_CUT = 12
"""Letters that a name which Epicollect has cut keeps at least."""

_POINT_TEXT = re.compile(r"[+-]?\d+(\.\d+)?\s+[+-]?\d+(\.\d+)?(\s+[+-]?\d+(\.\d+)?){0,2}")


class Limits(Settings):
    """Thresholds; every report prints them."""

    office_records: Annotated[int, Field(ge=3, description="records at one place that are too many")] = 12
    office_radius_m: Annotated[float, Field(gt=0)] = 30.0
    same_place_m: Annotated[float, Field(ge=0, description="one place, for observers who disagree")] = 5.0
    same_time_days: Annotated[int, Field(ge=0, description="one time, for observers who disagree")] = 180
    road_m: Annotated[float, Field(gt=0, description="on the road: half its width, GPS and map error")] = 15.0
    side_share: Annotated[
        float, Field(gt=0, description="largest GPS error, as share of the plot's side")
    ] = 0.25
    plot_ha: Annotated[float, Field(gt=0, description="a plot whose size is not known; 0.16: one cato")] = (
        0.16
    )
    set_records: Annotated[int, Field(ge=5, description="records of a set that may be presence-only")] = 20


class RecordMapping(Settings):
    """The mapping file (YAML): what the names of the columns do not show."""

    columns: dict[str, str] = Field(default={}, description="what -> name of the column in the file")
    crs: Annotated[str | None, Field(description="of x and y, for instance EPSG:32719")] = None
    layer: str | None = None
    classes: dict[str, str] = Field(default={}, description="name in the file -> class key")
    target: Annotated[str | None, Field(description="class key of the target")] = None
    limits: Limits = Limits()


@dataclass(frozen=True)
class Layout:
    """Columns by what they hold; `point` is one column 'lat lon alt acc'. `format` names the export."""

    columns: dict[str, str]
    point: str | None
    crs: CRS
    format: str

    def column(self, what: str) -> str | None:
        return self.columns.get(what)


def read_mapping(path: Path | None) -> RecordMapping:
    """Read the mapping file; ConfigError with every problem. None: nothing is mapped."""
    if path is None:
        return RecordMapping()
    content = read_yaml(path, "mapping", "correct --mapping")
    try:
        found = RecordMapping.model_validate(content or {})
    except ValidationError as err:
        raise ConfigError(f"mapping {path} cannot be used", "see docs/records.md", str(err)) from err
    unknown = sorted(set(found.columns) - set(_NAMES) - {"point"})
    if unknown:
        expected = f"columns: {', '.join([*_NAMES, 'point'])}"
        raise ConfigError(f"mapping {path} cannot be used", expected, ", ".join(map(repr, unknown)))
    return found


def find_layout(source: Source, mapping: RecordMapping, *, placed: bool = True) -> Layout:
    """Return which column holds what; InputError if a position is needed (`placed`) and not found, or more
    than one is.
    """
    names = [str(c) for c in source.rows.columns]
    stated = {k: v for k, v in mapping.columns.items() if k != "point"}
    absent = sorted(set(mapping.columns.values()) - set(names))
    if absent:
        raise _refusal(source, f"the columns that the mapping names: {', '.join(map(repr, absent))}")
    columns = {what: _first(names, [*_questions(what), *known.split()]) for what, known in _NAMES.items()}
    found = {what: name for what, name in columns.items() if name is not None}
    point: str | None = None
    if source.shapes is None:
        geopoint, point = _geopoint(source, mapping)
        found = {k: v for k, v in found.items() if not (geopoint and k in "xy")} | geopoint
    else:
        found = {k: v for k, v in found.items() if k not in "xy"}
    found |= stated
    if "x" in stated and "point" not in mapping.columns:
        point = None
    if placed and source.shapes is None and point is None and not {"x", "y"} <= set(found):
        raise _refusal(source, "a position: lon and lat, x and y, or a geopoint; name them in --mapping")
    return Layout(found, point, _crs(source, mapping, found), _format(source, names, point or found.get("x")))


def _refusal(source: Source, expected: str) -> InputError:
    there = ", ".join(repr(str(c)) for c in source.rows.columns)
    return InputError(
        f"records {source.path}", expected, f"the columns {there}", "give a mapping file, see docs/records.md"
    )


def _bare(name: str) -> str:
    """Return a column's name without its groups: 'grupo/sitio/_q_latitude' -> '_q_latitude'."""
    return re.split(r"[/:.]", name)[-1].strip().lower()


def _first(names: list[str], known: list[str]) -> str | None:
    """Return the first known name that a column has, in full or without groups ('/' in Kobo, '-' in ODK)."""
    ways: list[Callable[[str], str]] = [str.lower, _bare, lambda n: n.split("-")[-1].lower()]
    for wanted in known:
        numbered = [name for name in names if _is_numbered(name, wanted)]
        if numbered:
            return numbered[0]
        for way in ways:
            for name in names:
                if fold(way(name)) == fold(wanted) and way(name).startswith("_") == wanted.startswith("_"):
                    return name
    return None


def _questions(what: str) -> tuple[str, ...]:
    """What cocal's form and sheet ask: names of columns where labels are exported, or a sheet typed in."""
    from cocal.fieldwork.design.texts import COLUMNS, FIELDS  # not above: the design has scipy

    key = {"source": "method", "x": "lon", "y": "lat"}.get(what, what)
    return (*FIELDS.get(key, {}).values(), *COLUMNS.get(key, {}).values())


def _is_numbered(name: str, wanted: str) -> bool:
    """True if Epicollect calls a question so: its number, its first 20 letters without accented ones."""
    if re.match(r"\d+_", name) is None:
        return False
    own, full = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (name.split("_", 1)[1], wanted))
    return own == full or (len(own) >= _CUT and full.startswith(own))


def _geopoint(source: Source, mapping: RecordMapping) -> tuple[dict[str, str], str | None]:
    """Return (columns x, y, accuracy of a geopoint that the export split, the column that holds it whole)."""
    names = [str(c) for c in source.rows.columns]
    split: dict[str, dict[str, str]] = {}
    for name in names:
        part, first = _GEOPOINT.fullmatch(name), _GEOPOINT_FIRST.fullmatch(name)
        question, kind = part.groups() if part else first.groups()[::-1] if first else ("", "")
        if question.strip("_") and kind.lower() in _GEOPOINT_PARTS:
            split.setdefault(question, {})[_GEOPOINT_PARTS[kind.lower()]] = name
    whole = [n for n in split if {"x", "y"} <= set(split[n])]
    points = [mapping.columns["point"]] if "point" in mapping.columns else _points(source, names)
    if len(whole) > 1 or len(points) > 1:
        if not {"x", "point"} & set(mapping.columns):
            raise _refusal(source, f"one geopoint, or `columns:` that names x and y; found {whole or points}")
        whole, points = [], points[:1] if "point" in mapping.columns else []
    return (split[whole[0]] if whole else {}), (points[0] if points else None)


def _points(source: Source, names: list[str]) -> list[str]:
    """Return the columns in which most cells that are not empty read 'lat lon[ alt[ acc]]'."""
    found = []
    for name in names:
        cells = [c for c in source.rows[name].head(200) if c.strip()]
        if cells and sum(_POINT_TEXT.fullmatch(c.strip()) is not None for c in cells) > 0.5 * len(cells):
            found.append(name)
    return found


def _crs(source: Source, mapping: RecordMapping, columns: dict[str, str]) -> CRS:
    if mapping.crs is not None:
        try:
            return CRS.from_user_input(mapping.crs)
        except CRSError as err:
            raise ConfigError("mapping: crs", "for instance EPSG:32719", repr(mapping.crs)) from err
    if source.crs is not None:
        return source.crs
    if fold(_bare(columns.get("x", "lon"))).startswith(("este", "easting", "utm")):
        raise _refusal(source, "the CRS of the metres: `crs: EPSG:32719` in a mapping file")
    return CRS.from_epsg(4326)


def _format(source: Source, names: list[str], position: str | None) -> str:
    if source.kind != "text":
        return source.kind
    bare = {_bare(n) for n in names}
    if "ec5_uuid" in bare:
        return "Epicollect CSV"
    if bare & {"location_x", "actively_saved_on", "actively_saved", "location_srs"}:
        return "Collect Earth CSV"
    if bare & {"_uuid", "_submission_time", "instanceid", "meta-instanceid", "_validation_status"}:
        return "Kobo/ODK CSV"
    return "Kobo/ODK CSV" if position and _GEOPOINT.fullmatch(position) else "CSV"
