"""A stand-in of Sentinel Hub on loopback: token, catalogue, process; scripts run in V8, pixels cut from
rasters.
"""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse
import uuid
from collections.abc import Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from py_mini_racer import MiniRacer
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds

from tests.support.services.granules import SIZES, RawGranule
from tests.support.services.loopback import Reply, StandIn, Trouble

CLIENT_ID, SECRET = "stand-in-client", "MARKER-s3cr3t-of-the-stand-in"
EMPTIED = {"no_data": 1.0, "half_no_data": 0.5, "quarter_no_data": 0.25}
"""Kinds of trouble: share of the ground with data that comes back without."""
TOKEN, CATALOGUE, PROCESS = "token", "catalogue", "process"
_ANSWERS: dict[Any, Reply] = {}
DTYPES = {"UINT8": np.uint8, "UINT16": np.uint16}
HARNESS = """
function __setup() { return JSON.stringify(setup()); }
function __run(text) {
  return JSON.stringify(JSON.parse(text).map(function (s) { return evaluatePixel(s); }));
}
function __about(text) { var out = {}; if (typeof updateOutputMetadata === 'function') {
  updateOutputMetadata(JSON.parse(text), {}, out); } return JSON.stringify(out.userData || {}); }
"""


class HubStandIn(StandIn):
    """Serves some granules."""

    def __init__(
        self, granules: Sequence[RawGranule], *, page: int = 3, life: int = 3600, certificate: Any = None
    ):
        self.granules, self.page, self.life = list(granules), page, life
        self.tokens: set[str] = set()
        self.units = 0.0
        self.compress: str | None = "deflate"
        self.endless = ""
        """"repeat": every page is the first again; "invent": every page has new ids; neither ends."""
        super().__init__(certificate)

    def endpoint(self, method: str, path: str) -> str:
        names = {"/token": TOKEN, "/api/v1/catalog/1.0.0/search": CATALOGUE, "/api/v1/process": PROCESS}
        return names.get(path, "unknown")

    def answer(self, endpoint: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Reply, Any]:
        if endpoint == TOKEN:
            return self._token(body), None
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Reply(401, b'{"error": {"status": 401, "message": "token expired"}}'), None
        if endpoint == CATALOGUE:
            asked = json.loads(body)
            return self._catalogue(asked), asked
        if endpoint == PROCESS:
            asked = json.loads(body)
            return self._remembered(asked), asked
        return Reply(404, b"{}"), None

    def _token(self, body: bytes) -> Reply:
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, SECRET):
            answer = {"error": "invalid_client", "error_description": f"wrong: {form.get('client_secret')}"}
            return Reply(401, json.dumps(answer).encode())
        token = f"h.{uuid.uuid4().hex}.s"
        self.tokens.add(token)
        answer = {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}
        return Reply(200, json.dumps(answer).encode())

    def _between(self, start: str, end: str) -> list[RawGranule]:
        first, last = (datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (start, end))
        return [g for g in self.granules if first <= g.acquired <= last]

    def _catalogue(self, asked: dict[str, Any]) -> Reply:
        assert asked["collections"] == ["sentinel-2-l2a"], asked
        box = shapely.box(*asked["bbox"])
        found = [g for g in self._between(*asked["datetime"].split("/")) if g.outline.intersects(box)]
        first = int(asked.get("next", 0))
        part = found[first : first + min(self.page, asked["limit"])]
        context: dict[str, Any] = {"limit": asked["limit"], "returned": len(part)}
        if first + len(part) < len(found):
            context["next"] = first + len(part)
        features = [g.feature() for g in part]
        if self.endless:
            features = [g.feature() for g in found[: self.page]]
            context["next"] = first + 1
            for feature in features if self.endless == "invent" else ():
                feature["id"] += f"_{first}"
        answer = {"type": "FeatureCollection", "features": features, "context": context}
        return Reply(200, json.dumps(answer).encode())

    def _remembered(self, asked: dict[str, Any]) -> Reply:
        """The answer to a request; the same request has the same answer, at the same price."""
        key = (
            json.dumps(asked, sort_keys=True),
            tuple(g.id for g in self.granules),
            str(self.granules[0].folder),
        )
        if key not in _ANSWERS:
            _ANSWERS[key] = self._process(asked)
        reply = _ANSWERS[key]
        self.units += float(reply.headers.get("x-processingunits-spent", 0))
        return reply

    def _process(self, asked: dict[str, Any]) -> Reply:
        bounds, output = asked["input"]["bounds"], asked["output"]
        [data] = asked["input"]["data"]
        width, height = output["width"], output["height"]
        if max(width, height) > 2500:
            return Reply(400, b'{"error": {"status": 400, "message": "at most 2500 px"}}')
        span = data["dataFilter"]["timeRange"]
        epsg = int(bounds["properties"]["crs"].rsplit("/", 1)[-1])
        engine = MiniRacer()
        engine.eval(asked["evalscript"].replace("//VERSION=3", ""))
        engine.eval(HARNESS)
        setup = json.loads(engine.call("__setup"))
        assert setup["mosaicking"] == "ORBIT", setup
        names = setup["input"][0]["bands"]
        found = sorted(self._between(span["from"], span["to"]), key=lambda g: g.acquired, reverse=True)
        samples = self._samples(
            [g for g in found if g.window.epsg == epsg], names, bounds["bbox"], width, height
        )
        outputs = _run(engine, names, samples, setup)
        charged = sum(name != "dataMask" for name in names)
        units = max(max(width * height / 262144, 0.01) * charged / 3, 0.005)
        days = sorted({f"{g.acquired:%Y-%m-%d}" for g in found})
        about = engine.call("__about", json.dumps({"orbits": [{"dateFrom": day} for day in days]}))
        return self._packed(outputs, about, asked, epsg, units)

    def _samples(
        self, granules: list[RawGranule], names: list[str], bbox: list[float], width: int, height: int
    ) -> NDArray[np.int64]:
        """(band, y, x) of the day: per pixel the most recent granule that has data there."""
        west, south, east, north = bbox
        x = west + (np.arange(width) + 0.5) * (east - west) / width
        y = north - (np.arange(height) + 0.5) * (north - south) / height
        out = np.zeros((len(names), height, width), dtype=np.int64)
        empty = np.ones((height, width), dtype=bool)
        for granule in granules:
            cut = {name: _nearest(granule, name, x, y) for name in SIZES}
            seen = cut["B02"] > 0
            for index, name in enumerate(names):
                if name == "dataMask":
                    values = seen.astype(np.int64)
                elif name == "CLD":
                    values = np.where(seen, 7, 0)
                elif name == "SCL":
                    values = cut[name]
                else:
                    values = np.where(seen, np.maximum(cut[name] + granule.offset, 0), 0)
                out[index] = np.where(empty & seen, values, out[index])
            empty &= ~seen
        return out

    def _packed(
        self, outputs: dict[str, Any], about: str, asked: dict[str, Any], epsg: int, units: float
    ) -> Reply:
        bbox, files = asked["input"]["bounds"]["bbox"], {}
        for response in asked["output"]["responses"]:
            name = response["identifier"]
            if response["format"]["type"] == "application/json":
                files[f"{name}.json"] = about.encode()
            else:
                files[f"{name}.tif"] = tiff(outputs[name], bbox, epsg, self.compress)
        headers = {"x-processingunits-spent": f"{units}"}
        if len(files) == 1:
            return Reply(200, next(iter(files.values())), "image/tiff", headers)
        return Reply(200, tarred(files), "application/x-tar", headers)

    def spoiled(self, trouble: Trouble, endpoint: str, body: bytes) -> bytes:
        if trouble.kind == "tar_cut":
            return body[: body.index(b"qa.tif\0")]
        if trouble.kind == "flip":
            data = bytearray(body)
            data[len(data) // 3] ^= 1
            return bytes(data)
        if trouble.kind in EMPTIED:
            return emptied(body, EMPTIED[trouble.kind])
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        if trouble.kind == "no_classes":
            with MemoryFile(files["qa.tif"]) as memory, memory.open() as dataset:
                qa = dataset.read() * np.array([0, 1, 1], np.uint8)[:, None, None]
                return tarred(files | {"qa.tif": tiff(qa, list(dataset.bounds), dataset.crs.to_epsg())})
        if trouble.kind == "other_day":
            about = json.dumps({"orbits": [{"dateFrom": "2024-01-06T00:00:00Z"}]})
            return tarred(files | {"userdata.json": about.encode()})
        with MemoryFile(files["bands.tif"]) as memory, memory.open() as dataset:
            values, box, epsg = dataset.read(), list(dataset.bounds), dataset.crs.to_epsg()
        if trouble.kind == "wrong_crs":
            files["bands.tif"] = tiff(values, box, epsg - 1)
        elif trouble.kind == "wrong_shape":
            files["bands.tif"] = tiff(values[:, :-1], box, epsg)
        elif trouble.kind == "wrong_place":
            files["bands.tif"] = tiff(values, [box[0] + 10, box[1], box[2] + 10, box[3]], epsg)
        elif trouble.kind == "holes":
            row, column = np.argwhere(values[3] > 0)[0]
            values[3, row, column] = 0
            files["bands.tif"] = tiff(values, box, epsg)
        return tarred(files)


def _nearest(granule: RawGranule, band: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    window = granule.window.at(SIZES[band])
    column = np.floor((x - window.left) / window.resolution).astype(int)
    row = np.floor((window.top - y) / window.resolution).astype(int)
    inside_x, inside_y = (column >= 0) & (column < window.width), (row >= 0) & (row < window.height)
    out = np.zeros((y.size, x.size), dtype=np.int64)
    if inside_x.any() and inside_y.any():
        values = granule.read(band).astype(np.int64)
        out[np.ix_(inside_y, inside_x)] = values[np.ix_(row[inside_y], column[inside_x])]
    return out


def _run(
    engine: MiniRacer, names: list[str], samples: NDArray[Any], setup: dict[str, Any]
) -> dict[str, NDArray[Any]]:
    """The script's outputs (band, y, x); it is asked once for each different pixel."""
    flat = samples.reshape(len(names), -1).T.astype(np.uint64)
    key = (flat * np.random.default_rng(0).integers(1, 2**63, len(names), dtype=np.uint64)).sum(axis=1)
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    rows = flat[first]
    mask = names.index("dataMask")
    told = [[dict(zip(names, map(int, row), strict=True))] if row[mask] else [] for row in rows]
    answers = json.loads(engine.call("__run", json.dumps(told)))
    outputs = {}
    for output in setup["output"]:
        values = np.array([answer[output["id"]] for answer in answers], dtype=DTYPES[output["sampleType"]])
        assert values.shape[1] == output["bands"], output
        outputs[output["id"]] = values[place.reshape(-1)].T.reshape(output["bands"], *samples.shape[1:])
    return outputs


def tiff(values: NDArray[Any], bbox: Sequence[float], epsg: int, compress: str | None = "deflate") -> bytes:
    """A GeoTIFF as the service sends it."""
    count, height, width = values.shape
    profile = {"driver": "GTiff", "dtype": values.dtype.name, "count": count, "height": height,
        "width": width,
               "crs": f"EPSG:{epsg}", "transform": from_bounds(*bbox, width, height),
               "compress": compress}  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(values)
        return bytes(memory.read())


def emptied(body: bytes, share: float) -> bytes:
    """A body whose rasters have no data in the westernmost columns that hold `share` of all data."""
    if body[:2] in (b"II", b"MM"):
        with MemoryFile(body) as memory, memory.open() as dataset:
            values, box, epsg = dataset.read(), list(dataset.bounds), dataset.crs.to_epsg()
        held = np.cumsum((values[-1] > 0).sum(axis=0))
        values[:, :, held <= share * held[-1]] = 0
        return tiff(values, box, epsg)
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
    return tarred({n: emptied(b, share) if n.endswith(".tif") else b for n, b in files.items()})


def tarred(files: dict[str, bytes]) -> bytes:
    """A TAR of some files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
