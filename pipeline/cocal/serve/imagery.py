"""The user's own image of high resolution: a GeoTIFF, or the tiles of a server, around one pixel.

Whoever starts the server states it; a run's configuration cannot make the server ask another host. Without it
no other host is asked. With an address that host learns the tiles, of some 150 m, around places whose cards
are opened.
"""

from __future__ import annotations

import io
import logging
import math
import secrets
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cocal.errors import UsageError
from cocal.grid import Window, project
from cocal.rasters import GDAL_ERRORS
from cocal.serve.rasters import TILE_PX, Square, warped
from cocal.store import address

log = logging.getLogger(__name__)

ZOOM = 18
"""Of the tiles: 0.6 m at the equator."""

_PLACES = ({"{z}", "{x}", "{y}"}, {"{TileMatrix}", "{TileCol}", "{TileRow}"})
"""What an address of tiles (XYZ) or of a WMTS in the grid of the web (GoogleMapsCompatible) holds."""

_WAIT_S, _MOST_BYTES = 10, 4 << 20
_FRAME = (255, 255, 0)
_HALF_M = math.pi * 6378137.0

Pixels = NDArray[np.uint8]


class NoImageryError(Exception):
    """The image is not to be had there, or now."""


class Imagery:
    """The image around a pixel.

    Raises
    ------
    UsageError
        `source` is neither a GeoTIFF of 8-bit colours with a place nor an address of tiles.
    """

    def __init__(self, source: str) -> None:
        is_address = source.startswith(("http://", "https://"))
        self._tile: Callable[[Square], Pixels] = self._fetched if is_address else self._read
        self._source = source
        if is_address:
            _check_address(source)
            self._mark = secrets.token_hex(8)
        else:
            _check_file(Path(source))
            stat = Path(source).stat()
            self._mark = f"{stat.st_size} {stat.st_mtime_ns}"
        self._opener = urllib.request.OpenerDirector()  # follows no redirect: only the stated host is asked
        for name in ("Proxy", "HTTP", "HTTPS", "HTTPDefaultError"):
            self._opener.add_handler(getattr(urllib.request, f"{name}Handler")())
        self._opener.add_handler(urllib.request.HTTPErrorProcessor())

    def address(self, pixel: Window) -> str:
        """The SHA-256 of what a picture depends on; of a server, for as long as this one runs."""
        return address([self._source, self._mark, pixel.epsg, pixel.left, pixel.top])

    def around(self, pixel: Window) -> Pixels:
        """(y, x, 3) the image of `TILE_PX` px at `ZOOM` around a pixel, which is framed.

        Raises
        ------
        NoImageryError
            The file has no data there, or the server does not give an image.
        """
        corners = project(shapely.box(*pixel.bounds), pixel.epsg, 3857)
        ring = (shapely.get_coordinates(corners) * [1, -1] + _HALF_M) / (2 * _HALF_M) * 2**ZOOM * TILE_PX
        left, top = (int(v) - TILE_PX // 2 for v in ring[:4].mean(axis=0))
        column, row = left // TILE_PX, top // TILE_PX
        tiles = [[self._tile(Square(ZOOM, column + j, row + i)) for j in (0, 1)] for i in (0, 1)]
        whole = np.concatenate([np.concatenate(line, axis=1) for line in tiles], axis=0)
        down, right = top - row * TILE_PX, left - column * TILE_PX
        picture = Image.fromarray(whole[down : down + TILE_PX, right : right + TILE_PX].copy())
        places = [(float(x), float(y)) for x, y in ring - [left, top]]
        ImageDraw.Draw(picture).line(places, fill=_FRAME, width=2)
        return np.asarray(picture)

    def _read(self, square: Square) -> Pixels:
        image = warped(Path(self._source), square, "bilinear")
        bands = image.data[:3] if len(image.data) >= 3 else np.repeat(image.data[:1], 3, axis=0)
        if not (image.mask > 0).any():
            raise NoImageryError("no data there")
        return np.asarray(np.moveaxis(bands, 0, -1), dtype=np.uint8)

    def _fetched(self, square: Square) -> Pixels:
        values = {"{z}": square.z, "{x}": square.x, "{y}": square.y}
        values |= {"{TileMatrix}": square.z, "{TileCol}": square.x, "{TileRow}": square.y}
        url = self._source
        for name, value in values.items():
            url = url.replace(name, str(value))
        request = urllib.request.Request(url, headers={"User-Agent": "cocal"})  # noqa: S310 - checked: http
        try:
            with self._opener.open(request, timeout=_WAIT_S) as answer:
                return _decoded(answer.read(_MOST_BYTES + 1))
        except (OSError, ValueError, Image.DecompressionBombError) as err:
            why = getattr(err, "code", type(err).__name__)  # no address: it may hold a key
            log.warning("no image from %s: %s", urlsplit(self._source).hostname, why)
            raise NoImageryError(str(why)) from err


def _decoded(data: bytes) -> Pixels:
    if len(data) > _MOST_BYTES:
        raise ValueError("too large")
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        if image.size not in ((256, 256), (512, 512)):
            raise ValueError("no tile")
        return np.asarray(image.convert("RGB").resize((TILE_PX, TILE_PX)))


def _check_address(source: str) -> None:
    if not urlsplit(source).hostname or not any(all(p in source for p in names) for names in _PLACES):
        raise UsageError(
            "--imagery", "an address with {z}, {x}, {y}, or {TileMatrix}, {TileCol}, {TileRow}",
            urlsplit(source).hostname or "no host", "correct the address",
        )  # fmt: skip


def _check_file(path: Path) -> None:
    try:
        with rasterio.open(path, driver="GTiff") as source:
            found = f"{source.count} bands of {source.dtypes[0]}, {source.crs or 'no CRS'}"
            usable = source.crs is not None and set(source.dtypes[:3]) == {"uint8"}
    except GDAL_ERRORS as err:
        raise UsageError(f"--imagery {path}", "a GeoTIFF", str(err), "correct the path") from err
    if not usable:
        raise UsageError(
            f"--imagery {path}", "colours of 8 bits (uint8) and a coordinate reference system", found,
            "convert it, for instance with gdal_translate -ot Byte -scale",
        )  # fmt: skip
