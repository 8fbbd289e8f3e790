"""A project for QGIS and QField: points with their form, squares of pixels, roads, images, by relative path.

Written in the form of QGIS 3.22, which later versions read: what is left out has QGIS's own default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from pyproj import CRS

from cocal.fieldwork.design.points import LAYER, form_elements
from cocal.fieldwork.design.texts import CHOICES, KIT, VISIT
from cocal.fieldwork.kit.files import SQUARES
from cocal.scheme import ClassScheme

Extent = tuple[float, float, float, float]
"""West, south, east, north, degrees."""

_ID = "cocal_kit_"
"""Before the layers' names: QGIS gives a layer another id where one has ten characters or fewer."""

_STATE = "CASE WHEN visited <> '' THEN visited WHEN role = 'main' THEN 'open' ELSE 'reserve' END"
_FILL = {
    "yes": "40,140,60,255", "no": "120,120,120,255", "open": "214,40,40,255", "reserve": "60,110,220,255",
}  # fmt: skip


@dataclass(frozen=True)
class Raster:
    """A picture beside the project: name of its file, its zone."""

    file: str
    epsg: int


def write_project(
    path: Path,
    scheme: ClassScheme,
    rasters: Sequence[Raster],
    *,
    title: str,
    extent: Extent,
    roads: bool,
) -> None:
    """Write the project file (.qgs) beside sample.gpkg, squares.gpkg, roads.gpkg and the pictures.

    The map's order is points, squares, roads, pictures, from the top.
    """
    layers = [_points(scheme), _shapes(SQUARES, "Polygon", "squares")]
    layers += [_shapes("roads", "Line", "roads")] if roads else []
    layers += [_picture(raster) for raster in rasters]
    root = ET.Element("qgis", projectname=title, version="3.22.0")
    _text(root, "title", title)
    root.append(_crs("projectCrs", 4326))
    tree = ET.SubElement(root, "layer-tree-group")
    order = ET.SubElement(tree, "custom-order", enabled="0")
    for layer in layers:
        name, key = layer.findtext("layername") or "", layer.findtext("id") or ""
        ET.SubElement(tree, "layer-tree-layer", id=key, name=name, checked="Qt::Checked", expanded="1")
        _text(order, "item", key)
    root.append(_canvas(extent))
    ET.SubElement(root, "projectlayers").extend(layers)
    properties = ET.SubElement(root, "properties")
    _text(ET.SubElement(properties, "Paths"), "Absolute", "false", type="bool")
    _text(ET.SubElement(properties, "SpatialRefSys"), "ProjectionsEnabled", "1", type="int")
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    path.write_text(head + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8", newline="\n")


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _crs(tag: str, epsg: int) -> ET.Element:
    element = ET.Element(tag)
    system = ET.SubElement(element, "spatialrefsys")
    _text(system, "wkt", CRS.from_epsg(epsg).to_wkt())
    _text(system, "authid", f"EPSG:{epsg}")
    return element


def _canvas(extent: Extent) -> ET.Element:
    canvas = ET.Element("mapcanvas", name="theMapCanvas")
    _text(canvas, "units", "degrees")
    bounds = ET.SubElement(canvas, "extent")
    for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), extent, strict=True):
        _text(bounds, tag, f"{value:.7f}")
    canvas.append(_crs("destinationsrs", 4326))
    return canvas


def _layer(key: str, source: str, words: str, epsg: int, **attributes: str) -> ET.Element:
    layer = ET.Element("maplayer", attributes)
    _text(layer, "id", f"{_ID}{key}")
    _text(layer, "datasource", f"./{source}")
    _text(layer, "layername", words)
    layer.append(_crs("srs", epsg))
    return layer


def _words(name: str) -> str:
    return " / ".join(KIT[name].values())


def _points(scheme: ClassScheme) -> ET.Element:
    """The points: coloured by their state, labelled with their id, with the form."""
    layer = _layer(
        "points", f"sample.gpkg|layername={LAYER}", _words("points"), 4326, type="vector", geometry="Point"
    )
    _text(layer, "provider", "ogr", encoding="UTF-8")
    renderer = ET.SubElement(layer, "renderer-v2", type="categorizedSymbol", attr=_STATE)
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for number, (value, colour) in enumerate(_FILL.items()):
        texts = {**CHOICES["yes_no"], "open": KIT["open"], "reserve": VISIT["reserve"]}
        words = " / ".join(texts[value].values())
        ET.SubElement(categories, "category", symbol=str(number), value=value, label=words, render="true")
        look = {"name": "circle", "color": colour, "size": "3", "outline_color": "255,255,255,255"}
        symbols.append(_symbol(str(number), "marker", "SimpleMarker", look))
    settings = ET.SubElement(ET.SubElement(layer, "labeling", type="simple"), "settings")
    style = ET.SubElement(settings, "text-style", fieldName="point_id", fontSize="9", isExpression="0")
    ET.SubElement(style, "text-buffer", bufferDraw="1", bufferSize="1", bufferColor="255,255,255,255")
    layer.extend(form_elements(scheme))
    fixed = ET.SubElement(layer, "editable")
    for name in ("point_id", "role", "region_id", "crew", "crew_day", "stop", "leg_m", "road_m"):
        ET.SubElement(fixed, "field", name=name, editable="0")
    return layer


def _shapes(name: str, geometry: str, words: str) -> ET.Element:
    layer = _layer(
        name, f"{name}.gpkg|layername={name}", _words(words), 4326, type="vector", geometry=geometry
    )
    _text(layer, "provider", "ogr", encoding="UTF-8")
    renderer = ET.SubElement(layer, "renderer-v2", type="singleSymbol")
    symbols = ET.SubElement(renderer, "symbols")
    if geometry == "Line":
        look = {"line_color": "90,90,90,255", "line_width": "0.5"}
        symbols.append(_symbol("0", "line", "SimpleLine", look))
    else:
        look = {"style": "no", "outline_color": "255,255,0,255", "outline_width": "0.5"}
        symbols.append(_symbol("0", "fill", "SimpleFill", look))
    return layer


def _symbol(name: str, kind: str, of: str, look: dict[str, str]) -> ET.Element:
    symbol = ET.Element("symbol", {"type": kind, "name": name, "alpha": "1"})
    options = ET.SubElement(
        ET.SubElement(symbol, "layer", {"class": of, "enabled": "1"}), "Option", type="Map"
    )
    for key, value in look.items():
        ET.SubElement(options, "Option", name=key, type="QString", value=value)
    return symbol


def _picture(raster: Raster) -> ET.Element:
    """Three bands as they are, the fourth their mask."""
    key = Path(raster.file).stem
    layer = _layer(key, raster.file, f"{_words('image')} ({key})", raster.epsg, type="raster")
    _text(layer, "provider", "gdal")
    pipe = ET.SubElement(layer, "pipe")
    bands = {"redBand": "1", "greenBand": "2", "blueBand": "3", "alphaBand": "4", "opacity": "1"}
    ET.SubElement(pipe, "rasterrenderer", {"type": "multibandcolor", **bands})
    return layer
