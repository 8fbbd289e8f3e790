"""Altered answers of a service to the real client: refused in words, or what is committed is the truth.

Each input is one request on loopback: a tile-date, a screen, a page of the catalogue or a token, of which the
body or the headers are altered.
"""

from __future__ import annotations

import atexit
import gzip
import io
import json
import logging
import os
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from cocal.archive import list_scenes, read_scenes
from cocal.errors import DownloadError, DownloadStoppedError
from cocal.grid import Tile, Window
from cocal.scenes.download import make_gate, tokens
from cocal.scenes.download.catalogue import Granule, Screen, TileDate, granule_of
from cocal.scenes.download.evalscript import LAND_BANDS
from cocal.scenes.download.fetch import Fetch, fetch_screen, fetch_tile_date, screen_store
from cocal.scenes.download.hub import SentinelHub
from cocal.scenes.download.settings import DownloadSettings, SentinelHubSource
from tests.fuzz.alterations import altered
from tests.support.services.hub import CLIENT_ID, PROCESS, SECRET, HubStandIn, tarred, tiff
from tests.support.services.loopback import HTML, Reply
from tests.support.services.small import SmallLand, hub_source, make_land

SEEDS = (37, 1250, 1254)

WINDOW = Window(32719, 498_480, 8_425_440, 60, 60)
Change = Callable[[bytes, np.random.Generator], bytes]


class Altering(HubStandIn):
    """Answers the next request of an end point with `alter(reply)`."""

    alter: Callable[[Reply], Reply] | None = None
    endpoint_altered = PROCESS

    def answer(self, endpoint: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Reply, Any]:
        reply, about = super().answer(endpoint, request, body)
        if self.alter is not None and endpoint == self.endpoint_altered:
            reply = self.alter(reply)
        return reply, about


@dataclass(frozen=True)
class Stage:
    """The land and the service that all inputs share."""

    land: SmallLand
    hub: Altering

    @property
    def granule(self) -> Granule:
        return granule_of(self.land.granules[3].feature())


@cache
def stage() -> Stage:
    """Made at the first call."""
    folder = tempfile.TemporaryDirectory(prefix="cocal-bodies-")
    atexit.register(folder.cleanup)
    os.environ |= {
        "SH_CLIENT_ID": CLIENT_ID, "SH_CLIENT_SECRET": SECRET, "OAUTHLIB_INSECURE_TRANSPORT": "1",
        "XDG_CONFIG_HOME": f"{folder.name}/profile",
    }  # fmt: skip
    land = make_land(Path(folder.name))
    return Stage(land, Altering(land.granules))


def prepare() -> None:
    """The land, which is no part of the first input's time."""
    stage()
    bomb()


# the bodies ------------------------------------------------------------------------------------------------


def cut(body: bytes, rng: np.random.Generator) -> bytes:
    return body[: int(rng.integers(0, len(body)))]


def longer(body: bytes, rng: np.random.Generator) -> bytes:
    return body + rng.bytes(int(rng.integers(1, 4000)))


def flipped(body: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(body)
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(0, len(data)))] ^= 1 << int(rng.integers(0, 8))
    return bytes(data)


def shuffled(body: bytes, rng: np.random.Generator) -> bytes:
    """A part of the body stands where another stood."""
    size = int(rng.integers(1, max(2, len(body) // 4)))
    one, other = (int(rng.integers(0, len(body) - size + 1)) for _ in range(2))
    return body[:one] + body[other : other + size] + body[one + size :]


def noise(body: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(int(rng.integers(0, len(body))))


def other_text(_: bytes, rng: np.random.Generator) -> bytes:
    texts = (
        b"", b"{}", b"[]", b"null", b'"x"', b"0", HTML, b'{"error": {"message": "no"}}', b"[" * 200_000,
        b'{"a":' * 100_000, b"\xff\xfe", b"PK\x03\x04" + bytes(100), b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"<VRTDataset rasterXSize='60' rasterYSize='60'><VRTRasterBand/></VRTDataset>",
    )  # fmt: skip
    return texts[int(rng.integers(0, len(texts)))]


def members_of(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]


def raster_of(body: bytes) -> tuple[NDArray[Any], list[float], int]:
    with MemoryFile(body) as memory, memory.open() as dataset:
        return dataset.read(), list(dataset.bounds), dataset.crs.to_epsg()


def other_raster(body: bytes, rng: np.random.Generator) -> bytes:
    """Another size, type, number of bands, CRS or place, or less data."""
    values, box, epsg = raster_of(body)
    kind = int(rng.integers(0, 8))
    if kind == 0:
        values = values[:, : int(rng.integers(1, values.shape[1]))]
    elif kind == 1:
        values = values.astype((np.uint8, np.int16, np.float32, np.uint32)[int(rng.integers(0, 4))])
    elif kind == 2:
        values = np.concatenate([values, values[:1]]) if rng.random() < 0.5 else values[:-1]
    elif kind == 3:
        epsg = (32718, 32619, 4326, 3857, 24879)[int(rng.integers(0, 5))]
    elif kind == 4:
        box = [edge + float(rng.choice([1e7, 60, 10, 5, -10, 0.5])) for edge in box]
    elif kind == 5:
        values[:, :, : int(rng.integers(20, 60))] = 0
    elif kind == 6 and len(values) > 3:
        values[int(rng.integers(0, len(values))), :, int(rng.integers(0, 60))] = 0
    else:
        values[:] = 0
    if not values.size:
        return b""
    return tiff(values, box, epsg)


def within_tar(change: Change) -> Change:
    """A change of one member."""

    def changed(body: bytes, rng: np.random.Generator) -> bytes:
        files = members_of(body)
        name = str(rng.choice(sorted(files)))
        if change in (other_raster, altered_tiff) and not name.endswith(".tif"):
            name = "bands.tif"
        return tarred(files | {name: change(files[name], rng)})

    return changed


def altered_tiff(body: bytes, rng: np.random.Generator) -> bytes:
    return altered(body, rng)


def other_members(body: bytes, rng: np.random.Generator) -> bytes:
    """A member is missing, doubled, renamed, sparse, a link, or of another day."""
    files, kind = members_of(body), int(rng.integers(0, 6))
    name = str(rng.choice(sorted(files)))
    if kind == 0:
        return tarred({n: content for n, content in files.items() if n != name})
    if kind == 1:
        return body[: len(body) - 1024] + tarred({name: noise(files[name], rng)})
    if kind == 2:
        return tarred({f"../{n}" if n == name else n: content for n, content in files.items()})
    if kind == 3:
        day = f"2024-0{rng.integers(1, 4)}-05T00:00:00Z"
        return tarred(files | {"userdata.json": json.dumps({"orbits": [{"dateFrom": day}]}).encode()})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for n, content in files.items():
            member = tarfile.TarInfo(n)
            if n == name and kind == 4:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            elif n == name:
                member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                                      "GNU.sparse.realsize": str(1 << 40), "GNU.sparse.name": n}  # fmt: skip
            member.size = 0 if member.issym() else len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


PLAIN: tuple[Change, ...] = (cut, longer, flipped, shuffled, noise, other_text)
OF_TAR: tuple[Change, ...] = (*map(within_tar, (*PLAIN, other_raster, altered_tiff)), other_members)
OF_TIFF: tuple[Change, ...] = (other_raster, altered_tiff)


def lying(reply: Reply, rng: np.random.Generator) -> Reply:
    """Headers that do not fit the body: encodings, types, statuses; a body that unpacks to 400 MB."""
    kind = int(rng.integers(0, 7))
    if kind == 0:
        return replace(
            reply, headers={**reply.headers, "Content-Encoding": str(rng.choice(["gzip", "deflate"]))}
        )
    if kind == 1:
        return replace(reply, body=gzip.compress(reply.body), headers={"Content-Encoding": "gzip"})
    if kind == 2:
        return replace(reply, body=gzip.compress(reply.body))
    if kind == 3:
        return replace(reply, body=bomb(), headers={"Content-Encoding": "gzip"})
    if kind == 4:
        return replace(reply, headers={**reply.headers, "Transfer-Encoding": "chunked"})
    if kind == 5:
        return replace(
            reply, headers={"x-processingunits-spent": str(rng.choice(["1e999", "-3", "nan", "x"]))}
        )
    return replace(reply, status=int(rng.choice([201, 204, 206, 300, 304, 418, 429, 451, 500, 599])))


@cache
def bomb() -> bytes:
    return gzip.compress(bytes(400_000_000), 1)


# one input -------------------------------------------------------------------------------------------------


def one(seed: int, folder: Path) -> str:
    """What is wrong with the answer to one altered request of a random end point."""
    logging.disable(logging.CRITICAL)
    try:
        rng = np.random.default_rng(seed)
        endpoint = str(rng.choice(["pixels", "screen", "catalogue", "token"], p=[0.6, 0.2, 0.15, 0.05]))
        hub = stage().hub
        hub.endpoint_altered = PROCESS if endpoint in ("pixels", "screen") else endpoint
        hub.alter = lambda reply: _changed(reply, endpoint, rng)
        for memory in (tokens._OWN, tokens._SEEN, tokens._REFUSED, tokens._STRIKES):
            memory.clear()
        try:
            return {"pixels": _pixels, "screen": _screen}.get(endpoint, _catalogue)(folder)
        except (DownloadError, DownloadStoppedError) as err:
            return "" if err.what else "an error without a text"
    finally:
        stage().hub.alter = None
        logging.disable(logging.NOTSET)


def _changed(reply: Reply, endpoint: str, rng: np.random.Generator) -> Reply:
    if rng.random() < 0.15:
        return lying(reply, rng)
    changes = PLAIN + {"pixels": OF_TAR, "screen": OF_TIFF}.get(endpoint, ())
    return replace(reply, body=changes[int(rng.integers(0, len(changes)))](reply.body, rng))


def _fetch(folder: Path, request: TileDate | Screen) -> Fetch:
    settings = DownloadSettings.model_validate(
        {
            "state": folder / "state",
            "screen": "none",
            "budget": {"requests": 1000},
            "limits": {"per_minute": 100_000},
            "retry": {"attempts": 1, "read_timeout": 3, "deadline": 8, "longest_wait": 1},
        }
    )
    source = SentinelHubSource.model_validate(hub_source(stage().hub.url))
    service = SentinelHub(source, settings.retry.read_timeout, folder / "quarantine", settings.max_missing)
    target = folder / ("state" if isinstance(request, Screen) else "archive")
    return Fetch(request, service, make_gate(settings), target)


def _tile_date() -> TileDate:
    granule = stage().granule
    return TileDate("tile-date", granule.day, WINDOW, (granule,), Tile(WINDOW))


def _pixels(folder: Path) -> str:
    fetch_tile_date(_fetch(folder, _tile_date()))
    [scene] = list_scenes(folder / "archive")
    if (scene.window, scene.day) != (WINDOW, date(2024, 4, 5)):
        return f"committed as {scene.window} of {scene.day}"
    names = (*LAND_BANDS, "scl")
    found = read_scenes([scene], WINDOW, names)
    truth = _truth(folder)
    wrong = [name for name in names if not np.array_equal(found[name].values[0], truth[name])]
    return f"committed with other values of {', '.join(wrong)}" if wrong else ""


@cache
def _truth(_: Path | None = None) -> dict[str, NDArray[Any]]:
    """What the granule holds, by plain arithmetic."""
    made, values = stage().land.granules[3], {}
    for name, band in (*LAND_BANDS.items(), ("scl", "SCL")):
        raw = made.read(band).astype(np.int64)
        step = made.window.height // raw.shape[0]
        raw = np.repeat(np.repeat(raw, step, 0), step, 1)[made.window.slices_of(WINDOW)]
        values[name] = raw if name == "scl" else np.where(raw > 0, np.maximum(raw + made.offset, 1), 0)
    return values


def _screen(folder: Path) -> str:
    tile_date = _tile_date()
    window = WINDOW.at(20)
    request = Screen("screen", tile_date.day, window, tile_date.granules, (tile_date,))
    fetch_screen(_fetch(folder, request))
    home = screen_store(folder / "state").home("screen")
    values = raster_of((home / "scl.tif").read_bytes())[0][0]
    return "" if np.array_equal(values, _truth()["scl"][::2, ::2]) else "committed with other classes"


def _catalogue(folder: Path) -> str:
    """Ids and days may differ: nothing tells whether they are right."""
    task = _fetch(folder, _tile_date())
    bounds = stage().land.granules[3].outline.bounds
    found = task.source.granules(bounds, (date(2024, 4, 1), date(2024, 4, 30)), task.gate)
    return "" if all(isinstance(granule, Granule) for granule in found) else "other things than granules"
