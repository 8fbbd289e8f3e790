"""Paths -> answers.

No path of a request ever reaches the file system: the page's files are read once and found by name in a dict, runs, periods, layers
and regions likewise, and everything else is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cocal.contracts import Period
from cocal.errors import CocalError, UsageError
from cocal.run.tables import read_own_csv
from cocal.serve.guard import Guard
from cocal.serve.palettes import Layer, class_layer, density_layer, looks_layer, picture, probability_layer
from cocal.serve.pixel import find_pixel, pixel_facts
from cocal.serve.rasters import CLASS, LEAST_ZOOM, LOOKS, MOST_ZOOM, PROBABILITY, MapRasters, Square
from cocal.serve.relief import relief
from cocal.serve.runs import ShownRun
from cocal.serve.squares import SquareRaster
from cocal.serve.tables import RunTables

RASTERS = {"class": CLASS, "probability": PROBABILITY, "looks": LOOKS}
TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
}  # fmt: skip
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


class Offer:
    """A run with what its answers are made from, read when first asked for."""

    def __init__(self, run: ShownRun) -> None:
        self.run = run
        self.periods = {p.name: p for p in run.periods}

    @cached_property
    def tables(self) -> RunTables:
        return RunTables(self.run)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """What may be painted, by id."""
        found = (
            [class_layer(self.run.scheme), probability_layer(), looks_layer()] if self.run.restricted else []
        )
        found += [density_layer()] if self.run.has_density else []
        return {layer.id: layer for layer in found}

    @cached_property
    def rasters(self) -> dict[str, MapRasters]:
        return {period: MapRasters(maps) for period, maps in self.run.maps.items()}

    @cached_property
    def squares(self) -> dict[str, SquareRaster]:
        table = read_own_csv(self.run.tables / "density.csv")
        return {str(period): SquareRaster(rows) for period, rows in table.groupby("period")}

    def tile(self, period: str, layer: str, square: Square) -> bytes:
        """A PNG of one layer."""
        if layer == "density":
            codes = self.squares[period].codes(square)
        else:
            codes = self.rasters[period].codes(RASTERS[layer], square)
        return picture(codes, self.layers[layer])

    def facts(self) -> dict[str, Any]:
        """What the page must know of the run before it asks for more."""
        run = self.run
        west, south, east, north = (float(v) for v in run.regions.area.bounds)
        return {
            "name": run.name,
            "simulated": run.simulated,
            "target": run.scheme.target,
            "classes": [
                {"key": c.key, "colour": c.colour, "es": c.name_es, "en": c.name_en}
                for c in run.scheme.classes
            ],
            "periods": [
                {
                    "name": p.name,
                    "start": str(p.start),
                    "end": str(p.end),
                    "failed": run.measured.failed(p.name),
                }
                for p in run.periods
            ],
            "layers": [
                {"id": layer.id, "legend": [asdict(s) for s in layer.legend]}
                for layer in self.layers.values()
            ],
            "bounds": [west, south, east, north],
            "zooms": [LEAST_ZOOM, MOST_ZOOM],
            "relief": run.config.dem is not None,
            "records": run.has_records,
            "pixels": run.restricted,
            "sources": [source.path.name for source in run.config.regions.sources],
        }


class House:
    """The answers of the map to all that may be asked."""

    def __init__(self, runs: Sequence[ShownRun], restricted: bool) -> None:
        self.offers = {run.name: Offer(run) for run in runs}
        self.restricted = restricted
        self.files = dict(_files(resources.files("cocal.serve").joinpath("assets")))

    def page(self, _: Request) -> Response:
        return self._file("index.html")

    def login(self, _: Request) -> Response:
        return self._file("login.html")

    def asset(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def house(self, _: Request) -> Response:
        facts = [offer.facts() for offer in self.offers.values()]
        return JSONResponse({"restricted": self.restricted, "runs": facts})

    def regions(self, request: Request) -> Response:
        return JSONResponse(self._offer(request).tables.outlines())

    def figures(self, request: Request) -> Response:
        return JSONResponse(self._offer(request).tables.figures(self._period(request).name))

    def region(self, request: Request) -> Response:
        wanted = request.query_params.get("id", "")
        found = self._offer(request).tables.region(self._period(request).name, wanted)
        return JSONResponse(_known(found, "region"))

    def points(self, request: Request) -> Response:
        offer = self._offer(request)
        if not offer.run.has_records:
            raise HTTPException(404, "no field points here")
        return JSONResponse(offer.tables.points(self._period(request).name))

    def pixel(self, request: Request) -> Response:
        offer, period = self._offer(request), self._period(request)
        if not offer.run.restricted:
            raise HTTPException(404, "no pixels here")
        longitude, latitude = (
            _degrees(request, name, most) for name, most in (("lng", 180.0), ("lat", 80.0))
        )
        place = _known(find_pixel(offer.run, period.name, longitude, latitude), "pixel")
        return JSONResponse(pixel_facts(offer.run, period, place))

    def tile(self, request: Request) -> Response:
        offer, period, layer = self._offer(request), self._period(request), request.path_params["layer"]
        _known(offer.layers.get(layer), "layer")
        return Response(offer.tile(period.name, layer, _square(request)), media_type="image/png")

    def relief(self, request: Request) -> Response:
        dem = _known(self._offer(request).run.config.dem, "relief")
        return Response(relief(dem, _square(request)), media_type="image/png")

    def _file(self, name: str) -> Response:
        content = _known(self.files.get(name), "file")
        return Response(content, media_type=TYPES[name.rpartition(".")[2]])

    def _offer(self, request: Request) -> Offer:
        found: Offer = _known(self.offers.get(request.path_params["run"]), "run")
        return found

    def _period(self, request: Request) -> Period:
        found: Period = _known(self._offer(request).periods.get(request.path_params["period"]), "period")
        return found


def make_app(runs: Sequence[ShownRun], *, restricted: bool, token: str | None, local: bool) -> Guard:
    """The map as an ASGI application.

    Raises
    ------
    UsageError
        Two runs have one name.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise UsageError(
            "two runs have the same name", "a name of its own for each", ", ".join(names), "rename one"
        )
    house = House(runs, restricted)
    data = "/data/{run}/{period}"
    square = "{z}/{x}/{y}.png"
    routes = [
        Route("/", house.page),
        Route("/login", house.login),
        Route("/assets/{name:path}", house.asset),
        Route("/data/house", house.house),
        Route("/data/{run}/regions", house.regions),
        Route(f"{data}/figures", house.figures),
        Route(f"{data}/region", house.region),
        Route(f"{data}/points", house.points),
        Route(f"{data}/pixel", house.pixel),
        Route(f"/relief/{{run}}/{square}", house.relief),
        Route(f"/tiles/{{run}}/{{period}}/{{layer}}/{square}", house.tile),
    ]
    return Guard(
        Starlette(routes=routes, exception_handlers={HTTPException: _refuse, CocalError: _fail}), token, local
    )


def _files(folder: Traversable, above: str = "") -> list[tuple[str, bytes]]:
    """(name, content) of the page's files."""
    found = []
    for entry in folder.iterdir():
        name = above + entry.name
        if entry.is_dir():
            found += _files(entry, name + "/")
        elif name.rpartition(".")[2] in TYPES:
            found.append((name, entry.read_bytes()))
    return found


def _known(value: Any, kind: str) -> Any:
    if value is None:
        raise HTTPException(404, f"no such {kind}")
    return value


def _square(request: Request) -> Square:
    parts = [request.path_params[key] for key in "zxy"]
    square = Square(*map(int, parts)) if all(_NUMBER.fullmatch(p) for p in parts) else None
    return _known(square if square and square.exists else None, "tile")  # type: ignore[no-any-return]


def _degrees(request: Request, name: str, most: float) -> float:
    try:
        value = float(request.query_params[name])
    except (KeyError, ValueError) as err:
        raise HTTPException(400, f"{name}: a number of degrees") from err
    if not math.isfinite(value) or abs(value) > most:
        raise HTTPException(400, f"{name}: -{most:g} to {most:g} degrees")
    return value


def _refuse(_: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)
    return JSONResponse({"error": err.detail}, err.status_code)


def _fail(_: Request, err: Exception) -> Response:
    """A fault of the run's files: what failed, without the paths that the message may hold."""
    assert isinstance(err, CocalError)
    return JSONResponse({"error": err.what if isinstance(err, UsageError) else type(err).__name__}, 500)
