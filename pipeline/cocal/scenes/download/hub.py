"""Sentinel Hub as a source of scenes, through its own client.

The client handles tokens, requests and decoding of catalogue pages. It is set to try once, as trying again,
waiting and counting are left to the gate; its disk cache is not used.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
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
from sentinelhub.download.models import DownloadRequest, DownloadResponse
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
from cocal.scenes.download.body import ODD, Pixels, check_radiometry, read_day, read_screen
from cocal.scenes.download.catalogue import Bounds, Granule, SceneRequest, granules_of
from cocal.scenes.download.coverage import check_coverage
from cocal.scenes.download.evalscript import INPUT_BANDS, LAND_BANDS, ONE_DAY, SCREEN
from cocal.scenes.download.gate import UNCHARGED, Answer, Deadline, Fault, Gate, Verdict
from cocal.scenes.download.settings import MAX_SIDE_PX, SentinelHubSource
from cocal.scenes.download.units import Cost, catalogue_units, process_units
from cocal.store import atomic_path

T = TypeVar("T")

PAGE = 100
"""Features per page of the catalogue."""
PAGE_BYTES = 500_000
LARGEST_BODY = 2 * MAX_SIDE_PX**2 * (2 * len(LAND_BANDS) + 3)
"""Bytes: twice the largest request, not compressed."""
CHUNK_BYTES = 1 << 16
KEPT_BYTES = 2_000_000
"""An invalid body is kept up to here."""

_OUTPUTS = {
    SCREEN: {"default": MimeType.TIFF},
    ONE_DAY: {"bands": MimeType.TIFF, "qa": MimeType.TIFF, "userdata": MimeType.JSON},
}


class _OneRequest(SentinelHubRateLimit):
    """Replaces the client's own pacing: a request is sent at once, and a 429 is a Fault."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def register_next(self) -> float:
        self._deadline.cover()
        return 0.0

    def update(self, headers: Any, *, default: float) -> None:  # noqa: ARG002 - the client's signature
        raise Fault(
            "too many requests (429)", spent=UNCHARGED, header=_header(headers, "retry-after"), busy=True
        )


def _header(headers: Any, name: str) -> str | None:
    return {str(k).lower(): str(v) for k, v in dict(headers).items()}.get(name)


class _Client(SentinelHubDownloadClient):
    """The client, which reads no more of an answer than any valid one holds."""

    def _do_download(self, request: DownloadRequest) -> requests.Response:
        response = requests.request(
            request.request_type.value, url=request.url or "", json=request.post_values,
            headers=self._prepare_headers(request), timeout=self.config.download_timeout_seconds, stream=True,
        )  # fmt: skip
        body = bytearray()
        with response:
            for part in response.iter_content(CHUNK_BYTES):
                body += part
                if len(body) > LARGEST_BODY:
                    raise Fault(f"the answer is larger than {LARGEST_BODY / 1e6:.0f} MB, unpacked")
        response._content = bytes(body)
        return response


@dataclass(frozen=True)
class SentinelHub:
    """A SceneSource; the service removes the offset. Picklable: each process reads its own secret."""

    source: SentinelHubSource
    read_timeout: float
    quarantine: Path
    """Folder of invalid bodies: the last one of each unit, and the reason."""
    max_missing: float
    """Largest share without data of the ground that footprints cover."""
    shared: str | None = None
    """Name of the shared memory that holds the main process's token for the workers."""

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "type": "sentinelhub",
            "collection": self.source.collection,
            "script": ONE_DAY,
            "screen": SCREEN,
        }

    def granules(self, bounds: Bounds, span: tuple[date, date], gate: Gate) -> list[Granule]:
        start, end = (day.isoformat() for day in span)
        times = (f"{start}T00:00:00", f"{end}T23:59:59")
        search = SentinelHubCatalog(config=self._config()).search(
            self.source.collection, time=times, bbox=BBox(bounds, CRS.WGS84), limit=PAGE
        )
        area_km2 = geodesic_hectares(shapely.box(*bounds)) / 100
        cost = Cost(1, catalogue_units(area_km2, 1), PAGE_BYTES)

        def page(deadline: Deadline) -> Answer[list[Any]]:
            with self._one(deadline) as client:
                search.client, search.index = client, len(search.features)
                next(search, None)
                return Answer(search.features[max(0, search.index - 1) :], cost)

        def pages() -> Iterator[list[Any]]:
            while not search.finished:
                if features := gate.send(f"catalogue {start[:7]}", cost, page):
                    yield features

        try:
            return granules_of(pages())
        except DownloadError as err:
            raise DownloadError(*(tokens.scrub(str(text), self._config()) for text in err.args)) from None

    @contextmanager
    def opened(self, gate: Gate, share: bool) -> Iterator[SentinelHub]:
        """This source with a token, shared with other processes if requested."""
        config = self._config()
        try:
            session = gate.send("token", Cost(), lambda _: Answer(tokens.session(config), Cost()))
        except DownloadError as err:
            raise DownloadStoppedError(err.what, err.expected, err.found, "run again later") from None
        if not share:
            yield self
            return
        with tokens.sharing(session) as name:
            yield replace(self, shared=name)

    def screen_cost(self, window: Window, granules: int) -> Cost:  # noqa: ARG002 - one price a day
        height, width = window.shape
        return Cost(1, process_units(width, height, 1), width * height)

    def pixel_cost(self, window: Window, granules: int) -> Cost:  # noqa: ARG002 - one price a day
        height, width = window.shape
        return Cost(1, process_units(width, height, INPUT_BANDS), width * height * (2 * len(LAND_BANDS) + 3))

    def screen(self, request: SceneRequest, gate: Gate) -> NDArray[np.uint8]:
        def read(body: bytes) -> NDArray[np.uint8]:
            scl = read_screen(body, request.window)
            check_coverage(request, scl != 0, self.max_missing)
            return scl

        return self._fetch(request, gate, SCREEN, self.screen_cost(request.window, 1), read)

    def pixels(self, request: SceneRequest, gate: Gate) -> tuple[Pixels, dict[str, Any]]:
        def read(body: bytes) -> Pixels:
            day = read_day(body, request.window, request.day)
            check_coverage(request, day.has_data, self.max_missing)
            return day

        day = self._fetch(request, gate, ONE_DAY, self.pixel_cost(request.window, 1), read)
        check_radiometry(request.unit, day.bands, 0.0)
        return day, {"cocal:offset_applied": 0.0, "cocal:offset_source": "harmonised by the service"}

    def _fetch(
        self, request: SceneRequest, gate: Gate, script: str, cost: Cost, read: Callable[[bytes], T]
    ) -> T:
        """The response of a script, read and verified; an invalid body, charged too, is put in quarantine."""

        def once(deadline: Deadline) -> Answer[T]:
            response = self._process(request, script, deadline)
            spent = Cost(1, _units_spent(response, cost), len(response.content))
            try:
                return Answer(read(response.content), spent)
            except Fault as fault:
                reason = tokens.scrub(fault.reason, self._config())
                body = tokens.scrub_body(response.content[: 2 * KEPT_BYTES], self._config())[:KEPT_BYTES]
                for suffix, text in (("body", body), ("txt", f"{reason}\n".encode())):
                    with atomic_path(self.quarantine / f"{request.unit}.{suffix}") as path:
                        path.write_bytes(text)
                raise Fault(reason, spent=spent, most=fault.most) from None

        return gate.send(request.unit, cost, once)

    def _collection(self) -> DataCollection:
        """The collection with this service's address, as that of the predefined one would be used."""
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

    def _process(self, request: SceneRequest, script: str, deadline: Deadline) -> DownloadResponse:
        window = request.window
        with self._one(deadline) as client:
            data = SentinelHubRequest.input_data(
                self._collection(),
                time_interval=(f"{request.day}T00:00:00", f"{request.day}T23:59:59"),
                mosaicking_order=MosaickingOrder.MOST_RECENT,
                upsampling=ResamplingType.NEAREST,
                downsampling=ResamplingType.NEAREST,
                other_args={"processing": {"harmonizeValues": True}},
            )
            process = SentinelHubRequest(
                evalscript=script,
                input_data=[data],
                responses=[
                    SentinelHubRequest.output_response(*output) for output in _OUTPUTS[script].items()
                ],
                bbox=BBox(window.bounds, CRS(str(window.epsg))),
                size=(window.width, window.height),
                config=self._config(),
            )
            [response] = client.download(process.download_list, max_threads=1, decode_data=False)
            return response  # type: ignore[no-any-return]

    @contextmanager
    def _one(self, deadline: Deadline) -> Iterator[SentinelHubDownloadClient]:
        """A client for one request; its failures are Faults without secrets.

        Causes are cut off (`from None`): the answer of the service may hold what it was sent.
        """
        session = tokens.session(self._config(), self.shared)
        try:
            client = _Client(config=self._config(), session=session)
            client.rate_limit = _OneRequest(deadline)
            with warnings.catch_warnings():
                for category in (SHRateLimitWarning, SHUserWarning, SHRuntimeWarning):
                    warnings.simplefilter("ignore", category)
                yield client
        except DownloadFailedException as err:
            raise self._failed(err, session) from None
        except (requests.RequestException, HTTPError) as err:
            raise Fault(f"no whole answer: {type(err).__name__}") from None
        except (TypeError, ValueError, MissingDataInRequestException, *ODD) as err:
            message = tokens.scrub(str(err), self._config())[:200]
            raise Fault(f"the answer is not valid: {type(err).__name__}: {message}") from None
        tokens.accepted()

    def _failed(self, err: DownloadFailedException, session: SentinelHubSession) -> Fault:
        """The Fault of an error of the client."""
        response = getattr(err.request_exception, "response", None)
        if response is None:
            return Fault(f"no whole answer: {type(err.request_exception).__name__}")
        status, message = response.status_code, tokens.scrub(_message(response), self._config())
        reason = f"the service answers {status}" + (f": {message}" if message else "")
        if status >= 500:
            return Fault(reason, spent=UNCHARGED, header=_header(response.headers, "retry-after"))
        if status == 401 and tokens.refused(session):
            return Fault(reason, spent=UNCHARGED, at_once=True)
        verdict = Verdict.STOP if status in (401, 402, 403) else Verdict.REFUSED
        return Fault(reason, verdict, spent=UNCHARGED)


def _units_spent(response: DownloadResponse, cost: Cost) -> float:
    """Processing units that the service states it charged, else those of `cost`."""
    stated = (_header(response.headers, "x-processingunits-spent") or "").lower()
    return float(stated) if re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", stated) else cost.processing_units


def _message(response: requests.Response) -> str:
    """The message of an error of the service, shortened."""
    try:
        error = response.json()["error"]
        return str(error.get("message", error) if isinstance(error, dict) else error)[:300]
    except (ValueError, KeyError, TypeError):
        return response.text[:100]
