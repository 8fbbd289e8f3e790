"""The page on which a reader answers points. It tells no place, stratum, map class or other reader.

An answer is on the disk when its request is answered. Only a JSON body is taken, which a page of another site
cannot send without asking first.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from threading import Lock

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cocal.assets import asset
from cocal.errors import InputError
from cocal.run.images import webp
from cocal.run.readings import Answer, Campaign, SheetMaker
from cocal.run.readings.kit import check_answers, page_facts
from cocal.serve.app import FAILURES, TYPES
from cocal.serve.guard import Access, guarded
from cocal.serve.kept import Kept
from cocal.serve.server import serve_app
from cocal.serve.turns import Turns
from cocal.settings import Settings

_MOST_BODY = 8 * 1024
_KEPT_BYTES = 64 << 20


class Sent(Settings):
    """What the page sends: an answer, and whose it is."""

    campaign: str
    reader: str
    answer: Answer


class ReadingHandlers:
    """The request handlers of one reader's page."""

    def __init__(self, campaign: Campaign, reader: str) -> None:
        self.campaign, self.reader = campaign, reader
        self.maker, self.kept = SheetMaker(campaign), Kept[bytes](_KEPT_BYTES)
        self._writing = Lock()
        self.items = frozenset(campaign.items(reader))
        folder = asset("run/readings/assets")
        self.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix[1:] in TYPES}

    def page(self, _: Request) -> Response:
        return self._file("page.html")

    def asset(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def facts(self, _: Request) -> Response:
        """The campaign, and the reader's own answers so far."""
        given = self.campaign.answers(self.reader).read()
        own = [a.model_dump(mode="json", exclude_none=True) for a in given if a.item in self.items]
        return JSONResponse({**page_facts(self.campaign, self.reader), "answers": own})

    def sheet(self, request: Request) -> Response:
        item = request.path_params["item"]
        if item not in self.items:
            raise HTTPException(404, "no such point")
        return Response(self.kept.get(item, lambda: self._sheet(item)), media_type="application/json")

    def _sheet(self, item: str) -> bytes:
        sheet = self.maker.sheet(item)
        pictures = {
            name: "data:image/webp;base64," + base64.b64encode(webp(pixels)).decode()
            for name, pixels in sheet.pictures.items()
        }
        return json.dumps({**sheet.facts, "pictures": pictures}).encode()

    async def take(self, request: Request) -> Response:
        """Keep an answer; one that is known already is passed over."""
        if request.headers.get("content-type", "") != "application/json":
            raise HTTPException(415, "application/json is wanted")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                raise HTTPException(413, "too long")
        return await run_in_threadpool(self._take, body)

    def _take(self, body: bytes) -> Response:
        try:
            sent = Sent.model_validate_json(body)
            if (sent.campaign, sent.reader) != (self.campaign.id, self.reader):
                return JSONResponse({"error": "the answers of another reader are taken here"}, 409)
            check_answers(self.campaign, [sent.answer])
        except (ValidationError, InputError) as err:
            told = err.errors()[0]["msg"] if isinstance(err, ValidationError) else str(err).splitlines()[0]
            return JSONResponse({"error": told}, 400)
        with self._writing:
            file = self.campaign.answers(self.reader)
            if sent.answer.uid not in {answer.uid for answer in file.read()}:
                file.add([sent.answer])
        return JSONResponse({"kept": sent.answer.uid})

    def _file(self, name: str) -> Response:
        content = self.files.get(name)
        if content is None:
            raise HTTPException(404, "no such file")
        return Response(content, media_type=TYPES[name.rpartition(".")[2]])


def make_reading_app(campaign: Campaign, reader: str) -> ASGIApp:
    """The page of one reader as an ASGI application, for this machine alone."""
    handlers, turn = ReadingHandlers(campaign, reader), Turns().of
    routes = [
        Route("/", handlers.page),
        Route("/assets/{name}", handlers.asset),
        Route("/data/campaign", turn(handlers.facts)),
        Route("/data/items/{item}", turn(handlers.sheet)),
        Route("/data/answers", handlers.take, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers=FAILURES)
    app.router.redirect_slashes = False
    return guarded(app, None, Access().hosts)


def serve_readings(campaign: Campaign, reader: str, *, port: int, announce: Callable[[str], None]) -> None:
    """Serve the page of one reader on loopback until the process is stopped.

    Raises
    ------
    BusyError
        Another process takes answers of this reader.
    UsageError
        The port is taken.
    """
    with campaign.reading(reader):
        serve_app(make_reading_app(campaign, reader), port=port, access=Access(), announce=announce)
