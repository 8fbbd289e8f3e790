"""A STAC API as a source of scenes: pystac-client searches, odc-stac reads rasters by HTTP ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import odc.stac
import pystac
import rasterio
import requests
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from rasterio.errors import RasterioError

from cocal.contracts import QUALITY
from cocal.errors import CocalError, InputError, OffsetError, SceneRefusedError
from cocal.grid import Window
from cocal.scenes.download.body import ODD, Pixels, check_radiometry
from cocal.scenes.download.catalogue import Bounds, Granule, SceneRequest, granules_of
from cocal.scenes.download.coverage import check_coverage
from cocal.scenes.download.evalscript import LAND_BANDS
from cocal.scenes.download.gate import Answer, Deadline, Fault, Gate, Verdict, not_fetched
from cocal.scenes.download.settings import StacSource
from cocal.scenes.download.units import Cost
from cocal.scenes.metadata import asset_claims, item_claims
from cocal.scenes.radiometry import QUANTIFICATION, decide_offset, stored_reflectance

PAGE = 100
PAGE_BYTES = 2_000_000
SCL_M = 20
RAGGED_SHARE = 0.01
"""Largest share of pixels with data in some bands only: there are a few at the edge of a swath."""

_SAFE = {name: f"{name}_20m" for name in ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")}
ASSETS: tuple[Mapping[str, str], ...] = (
    {
        "blue": "blue", "green": "green", "red": "red", "rededge071": "rededge1", "rededge075": "rededge2",
        "rededge078": "rededge3", "nir": "nir", "nir08": "nir08", "swir16": "swir16", "swir22": "swir22",
        "scl": "scl", "cloud_probability": "cloud",
    },
    {**LAND_BANDS, "scl": "SCL"},
    {
        **{band: _SAFE.get(name, f"{name}_10m") for band, name in LAND_BANDS.items()},
        "scl": "SCL_20m", "cloud_probability": "CLD_20m",
    },
    {name: name for name in (*LAND_BANDS, *QUALITY)},
)  # fmt: skip
"""Names of the assets at Earth Search, Planetary Computer, Copernicus Data Space, and by common names."""

GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_USE_HEAD": "NO",
    "GDAL_HTTP_MAX_RETRY": "0", "GDAL_NUM_THREADS": "1", "GDAL_CACHEMAX": 0, "VSI_CACHE": "FALSE",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
}  # fmt: skip
"""GDAL repeats nothing by itself, as the gate does that and counts; nothing is cached that may be damaged."""


def assets_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Common name of each band: name of its asset. The cloud probability may be missing."""
    for names in ASSETS:
        own = {band: name for band, name in names.items() if name in item["assets"]}
        if set(own) | {"cloud_probability"} == {*LAND_BANDS, *QUALITY}:
            return own
    raise SceneRefusedError(
        f"{item['id']} lacks bands",
        "assets named as at " + "; ".join(", ".join(names.values()) for names in ASSETS[:3]),
        ", ".join(sorted(item["assets"])),
        "use another catalogue or collection; the tile-date counts as unobserved",
    )


def trimmed(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields and assets of an item that a worker needs."""
    keys = ("type", "stac_version", "id", "geometry", "bbox", "collection", "properties")
    wanted = {name for names in ASSETS for name in names.values()}
    assets = {k: v for k, v in item["assets"].items() if k in wanted}
    return {k: item[k] for k in keys if k in item} | {"links": [], "stac_extensions": [], "assets": assets}


def item_offset(item: Mapping[str, Any], stated: float | None) -> tuple[float, str]:
    """(offset in DN, its sources) of one item, by its own metadata.

    `earthsearch:boa_offset_applied` comes first, as items that have it name an offset of -0.1 in
    `raster:bands` whether it was removed or not (github.com/Element84/earth-search, issue 66); then
    `raster:offset`; then the processing baseline.

    Raises
    ------
    OffsetError
        It is in no metadata and not stated, or the metadata contradict each other.
    """
    name, names = str(item["id"]), assets_of(item)
    bands = {names[band]: item["assets"][names[band]] for band in LAND_BANDS}
    of_item = list(item_claims(name, item["properties"]))
    of_assets = list(asset_claims(name, bands, QUANTIFICATION))
    odd = sorted({c.scale for c in of_assets if c.scale is not None} - {QUANTIFICATION})
    if odd:
        raise OffsetError(f"the scale of {name}", f"{QUANTIFICATION:g}", ", ".join(f"{s:g}" for s in odd), "")
    flagged = any(claim.about == "file" for claim in of_item)
    return decide_offset(of_item if flagged else [*of_item, *of_assets], stated)


@dataclass(frozen=True)
class StacApi:
    """A SceneSource. Picklable."""

    source: StacSource
    read_timeout: float
    max_missing: float
    """Largest share without data of the ground that footprints cover."""

    @property
    def facts(self) -> dict[str, Any]:
        return {"type": "stac", "collection": self.source.collection, "offset": self.source.offset}

    def granules(self, bounds: Bounds, span: tuple[date, date], gate: Gate) -> list[Granule]:
        start, end = span

        def once(_: Deadline) -> Answer[list[Granule]]:
            return self._search(bounds, f"{start}T00:00:00Z/{end}T23:59:59Z")

        return gate.send(f"catalogue {start:%Y-%m}", Cost(1, 0.0, PAGE_BYTES), once)

    def _search(self, bounds: Bounds, times: str) -> Answer[list[Granule]]:
        """The granules of a search, all pages; errors as Faults."""
        answers: list[tuple[str | None, int]] = []

        def record(answer: requests.Response, *_: Any, **__: Any) -> None:
            answers.append((answer.headers.get("Retry-After"), len(answer.content)))

        try:
            io = StacApiIO(timeout=self.read_timeout, max_retries=None)
            io.session.hooks["response"] = [record]
            search = Client.open(self.source.url, stac_io=io).search(
                collections=[self.source.collection], bbox=list(bounds), limit=PAGE, datetime=times
            )
            found = granules_of((page["features"] for page in search.pages_as_dicts()), trimmed)
            return Answer(found, Cost(len(answers), 0.0, sum(size for _, size in answers)))
        except APIError as err:
            status = int(getattr(err, "status_code", None) or 0)  # set only if there was an answer
            again = status == 0 or status == 429 or status >= 500
            reason = f"the catalogue answers {status}: {str(err)[:200]}"
            verdict = Verdict.AGAIN if again else Verdict.REFUSED
            header = answers[-1][0] if answers else None
            raise Fault(reason, verdict, header=header, busy=status == 429) from None
        except requests.RequestException as err:
            raise Fault(f"no whole answer: {type(err).__name__}") from None
        except (TypeError, ValueError, pystac.STACError, *ODD) as err:
            raise Fault(
                f"the catalogue's answer is not valid: {type(err).__name__}: {str(err)[:200]}"
            ) from None

    @contextmanager
    def opened(self, gate: Gate, share: bool) -> Iterator[StacApi]:  # noqa: ARG002 - there is no token to share
        yield self

    def screen_cost(self, window: Window, granules: int) -> Cost:
        fine = window.at(SCL_M)
        return Cost(1, 0.0, fine.width * fine.height) * granules

    def pixel_cost(self, window: Window, granules: int) -> Cost:
        pixels, reads = window.width * window.height, len(LAND_BANDS) + 2
        return Cost(reads, 0.0, pixels * (2 * len(LAND_BANDS) + 2)) * granules

    def screen(self, request: SceneRequest, gate: Gate) -> NDArray[np.uint8]:
        """Of 3 x 3 pixels of 20 m the one in the middle."""
        fine = request.window.at(SCL_M)
        out = np.zeros(fine.shape, dtype=np.uint8)
        for granule in request.granules:
            scl = self._read(request.unit, granule, "scl", fine, gate)
            out = np.where(out == 0, scl, out)
            if out.all():
                break
        step = request.window.resolution // SCL_M
        scl = np.ascontiguousarray(out[step // 2 :: step, step // 2 :: step])
        self._check(request, scl != 0)
        return scl

    def pixels(self, request: SceneRequest, gate: Gate) -> tuple[Pixels, dict[str, Any]]:
        """A pixel is taken from the first granule in which every band has data there."""
        shape = request.window.shape
        out: dict[str, NDArray[Any]] = {band: np.zeros(shape, dtype=np.uint16) for band in LAND_BANDS}
        scl, cloud = np.zeros(shape, dtype=np.uint8), np.full(shape, 255, dtype=np.uint8)
        empty = np.ones(shape, dtype=bool)
        offsets: dict[str, float] = {}
        sources: dict[str, str] = {}
        for granule in request.granules:
            if not empty.any():
                break
            offset, source = self._offset(granule)
            values = self._granule(request, granule, gate)
            dn = {band: values[band] for band in LAND_BANDS}
            check_radiometry(f"{request.unit} ({granule.id})", dn, offset)
            taken = empty & np.all([band != 0 for band in dn.values()], axis=0)
            if not taken.any():
                continue
            for band, plane in out.items():
                stored = stored_reflectance(dn[band], 0, offset=offset, scale=QUANTIFICATION)
                np.copyto(plane, stored, where=taken)
            np.copyto(scl, values["scl"], where=taken)
            np.copyto(cloud, values.get("cloud_probability", cloud), where=taken)
            empty &= ~taken
            offsets[granule.id], sources[granule.id] = offset, source
        pixels = Pixels(out, scl, cloud)
        self._check(request, pixels.has_data)
        return pixels, {"cocal:offset_applied": offsets, "cocal:offset_source": sources}

    def _check(self, request: SceneRequest, has_data: NDArray[np.bool_]) -> None:
        try:
            check_coverage(request, has_data, self.max_missing)
        except Fault as fault:
            raise not_fetched(request.unit, fault.reason) from None

    def _offset(self, granule: Granule) -> tuple[float, str]:
        try:
            return item_offset(granule.item, self.source.offset)
        except CocalError as err:
            raise SceneRefusedError(f"{granule.id}: {err.what}", err.expected, err.found, err.remedy) from err

    def _granule(self, request: SceneRequest, granule: Granule, gate: Gate) -> dict[str, NDArray[Any]]:
        """Every band of one granule on the request's window, DN."""
        names = assets_of(granule.item)
        values = {band: self._read(request.unit, granule, band, request.window, gate) for band in names}
        data = np.array([values[band] != 0 for band in LAND_BANDS])
        ragged = int((data.any(axis=0) != data.all(axis=0)).sum())
        if ragged > RAGGED_SHARE * max(1, int(data.any(axis=0).sum())):
            raise SceneRefusedError(
                f"{request.unit}: the bands of {granule.id} disagree on where there is data",
                f"at most {RAGGED_SHARE:.0%} of the pixels with data in some bands only",
                f"{ragged} pixels", "it counts as unobserved; the next run tries again",
            )  # fmt: skip
        return values

    def _read(self, unit: str, granule: Granule, band: str, window: Window, gate: Gate) -> NDArray[Any]:
        """One band on `window`, nearest pixel, 0 outside the granule."""
        dtype = "uint8" if band in QUALITY else "uint16"
        cost = Cost(1, 0.0, window.width * window.height * np.dtype(dtype).itemsize)
        name = assets_of(granule.item)[band]

        def once(_: Deadline) -> Answer[NDArray[Any]]:
            return Answer(self._load(granule, name, window, dtype), cost)

        return gate.send(f"{unit} {band} of {granule.id}", cost, once)

    def _load(self, granule: Granule, name: str, window: Window, dtype: str) -> NDArray[Any]:
        item = self._signed(pystac.Item.from_dict(dict(granule.item)))
        box = GeoBox(window.shape, window.transform, f"EPSG:{window.epsg}")
        timeout = {"GDAL_HTTP_TIMEOUT": self.read_timeout, "GDAL_HTTP_CONNECTTIMEOUT": self.read_timeout}
        try:
            with rasterio.Env(
                **GDAL, **timeout, CPL_VSIL_CURL_NON_CACHED=f"/vsicurl/{item.assets[name].href}"
            ):
                found = odc.stac.load(
                    [item], bands=[name], geobox=box, resampling="nearest", dtype=dtype, fail_on_error=True
                )
        except (RasterioError, OSError) as err:
            message = re.sub(r"\?\S+", "", f"{err} {err.__cause__ or ''}")  # queries hold signatures
            raise Fault(f"a raster cannot be read: {message[:300]}") from None
        except (KeyError, ValueError) as err:
            raise Fault(f"the item cannot be used: {err}", Verdict.REFUSED) from None
        return np.asarray(found[name].values[0])

    def _signed(self, item: pystac.Item) -> pystac.Item:
        """The item with addresses that can be read: Planetary Computer requires signed ones."""
        if self.source.catalogue != "planetary-computer":
            return item
        try:
            import planetary_computer
        except ImportError as err:
            raise InputError(
                "Planetary Computer requires signed addresses", "the package planetary-computer",
                "it is not installed", "pip install 'cocal[planetary]'",
            ) from err  # fmt: skip
        signed: pystac.Item = planetary_computer.sign(item)
        return signed
