"""Bodies of responses, verified whole before anything of them is kept."""

from __future__ import annotations

import io
import json
import tarfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from cocal.contracts import SCL_CLASSES
from cocal.errors import OffsetError, SceneRefusedError
from cocal.grid import Window
from cocal.scenes.download.evalscript import LAND_BANDS
from cocal.scenes.download.gate import Fault
from cocal.scenes.radiometry import QUANTIFICATION, check_offset, sample_step

MEMBERS = {"bands.tif", "qa.tif", "userdata.json"}
CORNER_TOLERANCE_M = 1e-3
NO_CACHE = 0
"""GDAL's cache of blocks: each is needed once."""


@dataclass(frozen=True)
class Pixels:
    """One day on one window (y, x): scenes/1 values by band, the classification, the cloud probability."""

    bands: dict[str, NDArray[np.uint16]]
    scl: NDArray[np.uint8]
    cloud_probability: NDArray[np.uint8]


def read_members(body: bytes) -> dict[str, bytes]:
    """The members of a TAR, which must be exactly MEMBERS."""
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:*") as tar:
            files = {m.name: tar.extractfile(m) for m in tar.getmembers() if m.isfile()}
            members = {name: file.read() for name, file in files.items() if file is not None}
    except (tarfile.TarError, OSError, EOFError, ValueError) as err:
        raise Fault(f"the body is no whole TAR: {err}; it begins {body[:40]!r}") from None
    if set(members) != MEMBERS:
        raise Fault(f"the TAR holds {sorted(members)}, not {sorted(MEMBERS)}")
    try:
        json.loads(members["userdata.json"])
    except ValueError as err:
        raise Fault(f"userdata.json is not JSON: {err}") from None
    return members


def read_tiff(body: bytes, window: Window, dtype: str, count: int, name: str) -> NDArray[Any]:
    """All bands (band, y, x) of a GeoTIFF that must lie on `window`; every block is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.Env(GDAL_CACHEMAX=NO_CACHE), MemoryFile(body) as memory, memory.open() as dataset:
                _check_header(dataset, window, dtype, count, name)
                return np.asarray(dataset.read())
    except RasterioError as err:
        raise Fault(
            f"{name} cannot be decoded: {err} {err.__cause__ or ''}; it begins {body[:40]!r}"
        ) from None


def _check_header(dataset: Any, window: Window, dtype: str, count: int, name: str) -> None:
    problems = []
    if dataset.shape != window.shape or dataset.count != count:
        problems.append(f"{dataset.count} x {dataset.shape}, not {count} x {window.shape}")
    if set(dataset.dtypes) != {dtype}:
        problems.append(f"of {sorted(set(dataset.dtypes))}, not {dtype}")
    if dataset.crs is None or dataset.crs.to_epsg() != window.epsg:
        problems.append(f"in {dataset.crs}, not EPSG:{window.epsg}")
    corners = np.array(dataset.bounds)
    if np.abs(corners - np.array(window.bounds)).max() > CORNER_TOLERANCE_M:
        problems.append(f"at {tuple(corners.tolist())}, not {window.bounds}")
    if problems:
        raise Fault(f"{name} is " + "; ".join(problems))


def read_day(body: bytes, window: Window) -> Pixels:
    """The pixels of a process response of the script ONE_DAY.

    Raises
    ------
    Fault
        Members, dtype, shape, CRS, bounds, classes or no data are invalid.
    """
    members = read_members(body)
    qa = read_tiff(members.pop("qa.tif"), window, "uint8", 3, "qa.tif")
    bands = read_tiff(members.pop("bands.tif"), window, "uint16", len(LAND_BANDS), "bands.tif")
    if not np.isin(qa[2], (0, 1)).all():
        raise Fault(f"the data mask holds {int(qa[2].max())}")
    valid = qa[2] == 1
    different = sum(int((band.astype(bool) != valid).sum()) for band in bands)
    if different:
        raise Fault(f"bands and data mask disagree on where there is data ({different} values)")
    _check_classes(qa[0])
    if bool(qa[0][~valid].any()):
        raise Fault("scl holds classes where there is no data")
    cloud = np.where(valid, qa[1], np.uint8(255))
    return Pixels(dict(zip(LAND_BANDS, bands, strict=True)), qa[0], cloud)


def read_screen(body: bytes, window: Window) -> NDArray[np.uint8]:
    """The classification (y, x) of a process response of the script SCREEN."""
    scl = read_tiff(body, window, "uint8", 1, "the screen")[0]
    _check_classes(scl)
    return np.asarray(scl)


def _check_classes(scl: NDArray[Any]) -> None:
    if int(scl.max(initial=0)) >= len(SCL_CLASSES):
        raise Fault(f"scl holds {int(scl.max())}, at most {len(SCL_CLASSES) - 1} is a class")


def check_radiometry(unit: str, dn: Mapping[str, NDArray[Any]], offset: float) -> None:
    """Raise if the data contradict the offset (`scenes.radiometry.check_offset`).

    Raises
    ------
    SceneRefusedError
        The tile-date must not become hectares.
    """
    height, width = next(iter(dn.values())).shape
    step = sample_step((height, width))
    try:
        check_offset({band: values[::step, ::step] for band, values in dn.items()}, offset, QUANTIFICATION)
    except OffsetError as err:
        remedy = "none here: catalogue or service give a wrong offset; the tile-date counts as unobserved"
        raise SceneRefusedError(f"{unit}: {err.what}", err.expected, err.found, remedy) from err
