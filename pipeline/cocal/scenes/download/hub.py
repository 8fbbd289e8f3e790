"""Sentinel Hub as a source of scenes, through its own client.

The client does what it does well: tokens, requests, decoding of catalogue pages. It is told to try once, so
that trying again, waiting and counting are the gate's alone; and its disk cache is never used.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

import numpy as np
import requests
import shapely
from numpy.typing import NDArray
from sentinelhub.api.catalog import SentinelHubCatalog
from sentinelhub.api.process import SentinelHubRequest
from sentinelhub.config import SHConfig
from sentinelhub.constants import CRS, MimeType, MosaickingOrder, ResamplingType
from sentinelhub.data_collections import DataCollection
from sentinelhub.download.models import DownloadResponse
from sentinelhub.download.rate_limit import SentinelHubRateLimit
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient
from sentinelhub.download.session import SentinelHubSession
from sentinelhub.exceptions import (
    DownloadFailedException,
    MissingDataInRequestException,
    SHRateLimitWarning,
    SHRuntimeWarning,
    SHUserWarning,
)
from sentinelhub.geometry import BBox
from urllib3.exceptions import HTTPError

from cocal.errors import DownloadError, DownloadStoppedError
from cocal.grid import Window, geodesic_hectares
from cocal.scenes.download import tokens
from cocal.scenes.download.body import Pixels, Quarantine, check_radiometry, read_day, read_screen
from cocal.scenes.download.catalogue import Bounds, Granule, SceneRequest, granule_of
from cocal.scenes.download.deadline import Deadline
from cocal.scenes.download.evalscript import INPUT_BANDS, LAND_BANDS, ONE_DAY, SCREEN
from cocal.scenes.download.faults import UNCHARGED, Fault, Verdict
from cocal.scenes.download.gate import Answer, Gate
from cocal.scenes.download.settings import SentinelHubSource
from cocal.scenes.download.units import Cost, catalogue_units, process_units

T = TypeVar("T")

PAGE = 100
"""Features per page of the catalogue."""
PAGE_BYTES = 500_000


class _OneRequest(SentinelHubRateLimit):
    """In the place of the client's own pacing: a request goes at once, and a 429 is a Fault."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def register_next(self) -> float:
        self._deadline.cover()
        return 0.0

    def update(self, headers: Any, *, default: float) -> None:  # noqa: ARG002 - the client's signature
        raise Fault("too many requests (429)", spent=UNCHARGED, header=_retry_header(headers), busy=True)


def _retry_header(headers: Any) -> str | None:
    return {str(k).lower(): str(v) for k, v in dict(headers).items()}.get("retry-after")


@dataclass(frozen=True)
class SentinelHub:
    """A SceneSource. Picklable: it holds no secret, each process finds its own."""

    source: SentinelHubSource
    read_timeout: float
    quarantine: Quarantine
    shared: str | None = None
    """Name of the memory in which the main process keeps its token for the workers."""

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the pixels besides the granules; no host, so a service may move."""
        return {
            "type": "sentinelhub",
            "collection": self.source.collection,
            "script": ONE_DAY,
            "screen": SCREEN,
        }

    def granules(self, bounds: Bounds, span: tuple[date, date], gate: Gate) -> list[Granule]:
        """The granules of some days (both included) that touch `bounds` (degrees)."""
        start, end = (day.isoformat() for day in span)
        search = SentinelHubCatalog(config=self._config()).search(
            self.source.collection, time=(f"{start}T00:00:00", f"{end}T23:59:59"),
            bbox=BBox(bounds, CRS.WGS84), limit=PAGE,
        )  # fmt: skip
        cost = Cost(1, catalogue_units(degrees_km2(bounds), 1), PAGE_BYTES)
        found: dict[str, Granule] = {}

        def page(deadline: Deadline) -> Answer[dict[str, Any] | None]:
            with self._one(deadline) as client:
                search.client = client
                return Answer(next(search, None), cost)

        while search.index < len(search.features) or not search.finished:
            waiting = search.index < len(search.features)
            feature = next(search) if waiting else gate.send(f"catalogue {start[:7]}", cost, page)
            if feature is not None:
                granule = granule_of(feature)
                found[granule.id] = granule
        return list(found.values())

    @contextmanager
    def opened(self, gate: Gate, share: bool) -> Iterator[SentinelHub]:
        """This source with a token in hand, shared with other processes if asked for."""
        config = self._config()
        try:
            found = gate.send("token", Cost(), lambda _: Answer(tokens.session(config), Cost()))
        except DownloadError as err:
            raise DownloadStoppedError(err.what, err.expected, err.found, "run again later") from None
        if not share:
            yield self
            return
        with tokens.sharing(found) as name:
            yield replace(self, shared=name)

    def screen_cost(self, window: Window, granules: int) -> Cost:  # noqa: ARG002 - one price a day
        """At most what `screen` takes."""
        height, width = window.shape
        return Cost(1, process_units(width, height, 1), width * height)

    def pixel_cost(self, window: Window, granules: int) -> Cost:  # noqa: ARG002 - one price a day
        """At most what `pixels` takes."""
        height, width = window.shape
        return Cost(1, process_units(width, height, INPUT_BANDS), width * height * (2 * len(LAND_BANDS) + 3))

    def screen(self, request: SceneRequest, gate: Gate) -> NDArray[np.uint8]:
        """The classification (y, x) on the request's window."""
        responses = [SentinelHubRequest.output_response("default", MimeType.TIFF)]
        cost = self.screen_cost(request.window, len(request.granules))

        def once(deadline: Deadline) -> Answer[NDArray[np.uint8]]:
            response = self._process(request, SCREEN, responses, deadline)
            return self._checked(
                request, response, cost, lambda: read_screen(response.content, request.window)
            )

        return gate.send(request.unit, cost, once)

    def pixels(self, request: SceneRequest, gate: Gate) -> tuple[Pixels, dict[str, Any]]:
        """The day on the request's window, and what the item says of its radiometry."""
        responses = [
            SentinelHubRequest.output_response("bands", MimeType.TIFF),
            SentinelHubRequest.output_response("qa", MimeType.TIFF),
            SentinelHubRequest.output_response("userdata", MimeType.JSON),
        ]
        cost = self.pixel_cost(request.window, len(request.granules))

        def once(deadline: Deadline) -> Answer[Pixels]:
            response = self._process(request, ONE_DAY, responses, deadline)
            return self._checked(request, response, cost, lambda: read_day(response.content, request.window))

        found = gate.send(request.unit, cost, once)
        check_radiometry(request.unit, found.bands, 0.0)
        return found, {"cocal:offset_applied": 0.0, "cocal:offset_source": "harmonised by the service"}

    def _checked(
        self, request: SceneRequest, response: DownloadResponse, cost: Cost, read: Callable[[], T]
    ) -> Answer[T]:
        """The body read and verified; a bad one is set aside, and is paid for all the same."""
        said = {k.lower(): v for k, v in response.headers.items()}.get("x-processingunits-spent", "")
        units = float(said) if re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", said.lower()) else cost.processing_units
        spent = Cost(1, units, len(response.content))
        try:
            return Answer(read(), spent)
        except Fault as fault:
            reason = tokens.scrub(fault.reason, self._config())
            body = tokens.scrub(response.content.decode("latin-1"), self._config()).encode("latin-1")
            self.quarantine.keep(request.unit, body, reason)
            raise Fault(reason, spent=spent) from None

    def _collection(self) -> DataCollection:
        """The collection with this service's address: the predefined one carries another, which would win."""
        known, wanted = DataCollection.SENTINEL2_L2A, self.source.collection
        if (known.service_url, known.api_id) == (self.source.base_url, wanted):
            return known
        name = f"COCAL {wanted} {self.source.base_url}"
        return known.define_from(name, api_id=wanted, catalog_id=wanted, service_url=self.source.base_url)

    def _config(self) -> SHConfig:
        client_id, secret = tokens.read_credentials(self.source)
        return SHConfig(
            use_defaults=True, sh_client_id=client_id, sh_client_secret=secret,
            sh_base_url=self.source.base_url, sh_token_url=self.source.token_url,
            max_download_attempts=1, download_sleep_time=0, download_timeout_seconds=self.read_timeout,
        )  # fmt: skip

    def _process(
        self, request: SceneRequest, script: str, responses: list[Any], deadline: Deadline
    ) -> DownloadResponse:
        window, config = request.window, self._config()
        with self._one(deadline) as client:
            process = SentinelHubRequest(
                evalscript=script,
                input_data=[
                    SentinelHubRequest.input_data(
                        self._collection(),
                        time_interval=(f"{request.day}T00:00:00", f"{request.day}T23:59:59"),
                        mosaicking_order=MosaickingOrder.MOST_RECENT, upsampling=ResamplingType.NEAREST, downsampling=ResamplingType.NEAREST,
                        other_args={"processing": {"harmonizeValues": True}},
                    )
                ],
                responses=responses,
                bbox=BBox(window.bounds, CRS(str(window.epsg))),
                size=(window.width, window.height),
                config=config,
            )  # fmt: skip
            [download] = process.download_list
            [response] = client.download([download], max_threads=1, decode_data=False)
            return response  # type: ignore[no-any-return]

    @contextmanager
    def _one(self, deadline: Deadline) -> Iterator[SentinelHubDownloadClient]:
        """A client for one request; whatever fails in it is a Fault without secrets.

        Causes are cut off (`from None`): what the service answered may hold what it was sent.
        """
        session = tokens.session(self._config(), self.shared)
        try:
            client = SentinelHubDownloadClient(config=self._config(), session=session)
            client.rate_limit = _OneRequest(deadline)
            with warnings.catch_warnings():
                for category in (SHRateLimitWarning, SHUserWarning, SHRuntimeWarning):
                    warnings.simplefilter("ignore", category)
                yield client
        except DownloadFailedException as err:
            raise self._failed(err, session) from None
        except (requests.RequestException, HTTPError) as err:
            raise Fault(f"no whole answer: {type(err).__name__}") from None
        except (KeyError, TypeError, ValueError, MissingDataInRequestException) as err:
            words = tokens.scrub(str(err), self._config())[:200]
            raise Fault(f"the answer is not what was asked for: {type(err).__name__}: {words}") from None
        tokens.accepted()

    def _failed(self, err: DownloadFailedException, session: SentinelHubSession) -> Fault:
        """What an error of the client means for the request."""
        response = getattr(err.request_exception, "response", None)
        if response is None:
            return Fault(f"no whole answer: {type(err.request_exception).__name__}")
        status, words = response.status_code, tokens.scrub(_words(response), self._config())
        reason = f"the service answers {status}" + (f": {words}" if words else "")
        if status >= 500:
            return Fault(reason, spent=UNCHARGED, header=_retry_header(response.headers))
        if status == 401 and tokens.refused(session):
            return Fault(reason, spent=UNCHARGED, at_once=True)
        verdict = Verdict.STOP if status in (401, 402, 403) else Verdict.REFUSED
        return Fault(reason, verdict, spent=UNCHARGED)


def _words(response: requests.Response) -> str:
    """The service's own words, short."""
    try:
        error = response.json()["error"]
        return str(error.get("message", error) if isinstance(error, dict) else error)[:300]
    except (ValueError, KeyError, TypeError):
        return response.text[:100]


def degrees_km2(bounds: Bounds) -> float:
    """Area of a box in degrees, km2."""
    return geodesic_hectares(shapely.box(*bounds)) / 100
