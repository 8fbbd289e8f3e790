"""The web application: routes, their handlers, and the data of each run.

No path of a request reaches the file system: the files of the page are read once and found by name in a dict,
as are runs, periods, layers and regions; everything else is a number.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cocal.assets import asset
from cocal.contracts import Period
from cocal.errors import CocalError, UsageError
from cocal.grid import Window
from cocal.run.images import shown_of, webp
from cocal.serve.card import height_and_slope, maps_say
from cocal.serve.counting import MOST_HA, count_polygon
from cocal.serve.data import RunData
from cocal.serve.guard import TokenCheck, guarded
from cocal.serve.imagery import Imagery, NoImageryError
from cocal.serve.images import LEAST_MEDIAN_ZOOM, LEAST_ZOOM, MEDIAN, ImageTiles, Picture
from cocal.serve.kept import Kept, answered
from cocal.serve.pixel import MappedPixel, find_pixel, pixel_facts
from cocal.serve.places import MOST_CORNERS
from cocal.serve.rasters import Square, relief
from cocal.serve.runs import ShownRun
from cocal.serve.tools import asked_polygon, degrees, find_place, measure
from cocal.serve.turns import Turns

TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "csv": "text/csv; charset=utf-8",
}  # fmt: skip
_KEPT_BYTES = 64 << 20
"""Memory for tiles and strips: some thousand of them."""

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


class Handlers:
    """The request handlers of all routes."""

    def __init__(self, runs: Sequence[ShownRun], restricted: bool, imagery: Imagery | None) -> None:
        self.runs = {run.name: RunData(run) for run in runs}
        self.restricted = restricted
        self.imagery = imagery if restricted else None
        self.kept: Kept[bytes] = Kept(_KEPT_BYTES)
        folder = asset("serve/assets")
        files = (path for path in folder.rglob("*") if path.suffix[1:] in TYPES)
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def page(self, _: Request) -> Response:
        return self._file("index.html")

    def login(self, _: Request) -> Response:
        return self._file("login.html")

    def asset(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def description(self, _: Request) -> Response:
        facts = [run.facts() for run in self.runs.values()]
        limits = {"corners": MOST_CORNERS, "count_ha": MOST_HA}
        return JSONResponse({"restricted": self.restricted, "limits": limits, "runs": facts})

    def regions(self, request: Request) -> Response:
        return Response(self._run(request).outlines, media_type="application/json")

    def figures(self, request: Request) -> Response:
        return JSONResponse(self._run(request).tables.figures(self._period(request).name))

    def region(self, request: Request) -> Response:
        wanted = request.query_params.get("id", "")
        found = self._run(request).tables.region(self._period(request).name, wanted)
        return JSONResponse(_known(found, "region"))

    def points(self, request: Request) -> Response:
        data = self._run(request)
        if not data.run.has_records:
            raise HTTPException(404, "no field points here")
        return JSONResponse(data.tables.points(self._period(request).name))

    def pixel(self, request: Request) -> Response:
        data, period = self._run(request), self._period(request)
        if not data.run.restricted:
            raise HTTPException(404, "no pixels here")
        longitude, latitude = degrees(request, "lng", 180.0), degrees(request, "lat", 80.0)
        found = _known(find_pixel(data.run, period.name, longitude, latitude), "pixel")
        return JSONResponse(pixel_facts(data.run, period, found))

    def doubtful(self, request: Request) -> Response:
        """Places where the map is least sure of the target."""
        data, period = self._run(request), self._period(request)
        if not data.run.restricted:
            raise HTTPException(404, "no pixels here")
        return JSONResponse(data.doubtful(period.name))

    def count(self, request: Request) -> Response:
        """Hectares by class of a drawn polygon."""
        data, period = self._run(request), self._period(request)
        if not data.run.restricted:
            raise HTTPException(404, "no pixels here")
        return JSONResponse(count_polygon(data.run, period.name, asked_polygon(request, MOST_HA)))

    def table(self, request: Request) -> Response:
        """The rows of one region and period of hectares.csv."""
        wanted = request.query_params.get("id", "")
        text = _known(self._run(request).tables.csv(self._period(request).name, wanted), "region")
        return Response(text, media_type=TYPES["csv"], headers={"Content-Disposition": "attachment"})

    def tile(self, request: Request) -> Response:
        data, period, layer = self._run(request), self._period(request), request.path_params["layer"]
        _known(data.layers.get(layer), "layer")
        square = _square(request)
        place = data.address(period.name, layer, square)
        if place is None:
            return Response(data.tile(period.name, layer, square), media_type="image/png")
        return answered(request, self.kept, place, lambda: data.tile(period.name, layer, square), "image/png")

    def image(self, request: Request) -> Response:
        images, asked, square = self._images(request), self._picture(request), _square(request)
        if square.z < (LEAST_MEDIAN_ZOOM if asked.day is None else LEAST_ZOOM):
            raise HTTPException(404, "no such tile")
        scenes = images.near(square.outline, asked)
        key = images.address(scenes, asked, square)
        return answered(request, self.kept, key, lambda: images.tile(scenes, asked, square), "image/webp")

    def strip(self, request: Request) -> Response:
        data, images, asked = self._run(request), self._images(request), self._picture(request)
        place = degrees(request, "lng", 180.0), degrees(request, "lat", 80.0)
        pixel = _known(find_pixel(data.run, asked.period.name, *place), "pixel").window
        scenes = images.around(pixel, asked)
        key = images.address(scenes, asked, [pixel.epsg, pixel.left, pixel.top])
        return answered(
            request, self.kept, key, lambda: images.strip(scenes, asked, pixel), "application/json"
        )

    def card(self, request: Request) -> Response:
        data, pixel = self._run(request), self._pixel(request)
        place = degrees(request, "lng", 180.0), degrees(request, "lat", 80.0)
        maps = maps_say((run.run for run in self.runs.values()), *place)
        facts = height_and_slope(data.run, pixel) | {"maps": maps, "imagery": self.imagery is not None}
        return JSONResponse(facts)

    def own_image(self, request: Request) -> Response:
        imagery: Imagery = _known(self.imagery, "image")
        pixel = self._pixel(request)
        try:
            return answered(
                request, self.kept, imagery.address(pixel), lambda: webp(imagery.around(pixel)), "image/webp"
            )
        except NoImageryError as err:
            raise HTTPException(404, "no image there") from err

    def record(self, request: Request) -> Response:
        data = self._run(request)
        if not data.run.has_records:
            raise HTTPException(404, "no field points here")
        wanted = request.query_params.get("id", "")
        return JSONResponse(_known(data.tables.record(self._period(request).name, wanted), "record"))

    def relief(self, request: Request) -> Response:
        dem = _known(self._run(request).run.config.dem, "relief")
        return Response(relief(dem, _square(request)), media_type="image/png")

    def _file(self, name: str) -> Response:
        content = _known(self.files.get(name), "file")
        return Response(content, media_type=TYPES[name.rpartition(".")[2]])

    def _run(self, request: Request) -> RunData:
        found: RunData = _known(self.runs.get(request.path_params["run"]), "run")
        return found

    def _period(self, request: Request) -> Period:
        found: Period = _known(self._run(request).periods.get(request.path_params["period"]), "period")
        return found

    def _pixel(self, request: Request) -> Window:
        """The mapped pixel of a place, for the restricted profile."""
        data = self._run(request)
        if not data.run.restricted:
            raise HTTPException(404, "no pixels here")
        place = degrees(request, "lng", 180.0), degrees(request, "lat", 80.0)
        found: MappedPixel = _known(find_pixel(data.run, self._period(request).name, *place), "pixel")
        return found.window

    def _images(self, request: Request) -> ImageTiles:
        found: ImageTiles = _known(self._run(request).images, "image")
        return found

    def _picture(self, request: Request) -> Picture:
        """What of the images is asked for: of a day of the period, or (`median`, a strip) of all its days."""
        period, when = self._period(request), request.path_params.get("when", MEDIAN)
        try:
            day = None if when == MEDIAN else date.fromisoformat(when)
            shown = shown_of(request.path_params["shown"], self._images(request).images.bands)
        except (ValueError, UsageError) as err:
            raise HTTPException(404, "no such image") from err
        if day and not period.start <= day <= period.end:
            raise HTTPException(404, "no such image")
        return Picture(period, day, shown)


def make_app(
    runs: Sequence[ShownRun],
    *,
    restricted: bool,
    token: str | None,
    hosts: Sequence[str] = ("*",),
    imagery: Imagery | None = None,
) -> ASGIApp:
    """The map as an ASGI application; a request must name one of `hosts` and, if given, hold the token.

    `imagery` is the user's own image, for the restricted profile.

    Raises
    ------
    UsageError
        Two runs have one name.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise UsageError("two runs have the same name", "different names", ", ".join(names), "rename one")
    handlers, turn = Handlers(runs, restricted, imagery), Turns().of
    check = None if token is None else TokenCheck(token)
    data = "/data/{run}/{period}"
    square = "{z}/{x}/{y}.png"
    routes = [
        Route("/", handlers.page),
        Route("/login", handlers.login),
        Route("/assets/{name:path}", handlers.asset),
        Route("/data/house", turn(handlers.description)),
        Route("/data/place", turn(find_place)),
        Route("/data/measure", turn(measure)),
        Route("/data/{run}/regions", turn(handlers.regions)),
        Route(f"{data}/figures", turn(handlers.figures)),
        Route(f"{data}/region", turn(handlers.region)),
        Route(f"{data}/table.csv", turn(handlers.table)),
        Route(f"{data}/count", turn(handlers.count)),
        Route(f"{data}/doubtful", turn(handlers.doubtful)),
        Route(f"{data}/points", turn(handlers.points)),
        Route(f"{data}/pixel", turn(handlers.pixel)),
        Route(f"{data}/card", turn(handlers.card)),
        Route(f"{data}/own.webp", turn(handlers.own_image)),
        Route(f"{data}/record", turn(handlers.record)),
        Route(f"/relief/{{run}}/{square}", turn(handlers.relief)),
        Route("/images/{run}/{period}/{when}/{shown}/{z}/{x}/{y}.webp", turn(handlers.image)),
        Route(f"{data}/strip/{{shown}}", turn(handlers.strip)),
        Route(f"/tiles/{{run}}/{{period}}/{{layer}}/{square}", turn(handlers.tile)),
    ]
    if check:
        routes.append(Route("/login", check.log_in, methods=["POST"]))
    app = Starlette(routes=routes, exception_handlers=FAILURES)
    app.router.redirect_slashes = False
    return guarded(app, check, hosts)


def _known(value: Any, kind: str) -> Any:
    if value is None:
        raise HTTPException(404, f"no such {kind}")
    return value


def _square(request: Request) -> Square:
    parts = [request.path_params[key] for key in "zxy"]
    square = Square(*map(int, parts)) if all(_NUMBER.fullmatch(p) for p in parts) else None
    return _known(square if square and square.exists else None, "tile")  # type: ignore[no-any-return]


def _refuse(_: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)
    return JSONResponse({"error": err.detail}, err.status_code)


def _fail(_: Request, err: Exception) -> Response:
    """The response to unusable files of the run. It holds no path: why is in the log."""
    assert isinstance(err, CocalError)
    log.error("%s", err)
    return JSONResponse({"error": type(err).__name__}, 500)


FAILURES = {HTTPException: _refuse, CocalError: _fail}
"""How a request ends that cannot be answered."""
