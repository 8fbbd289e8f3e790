"""Bodies of responses, verified whole before anything of them is kept."""

from __future__ import annotations

import io
import json
import tarfile
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Compression, Interleaving
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from cocal.contracts import NO_DATA, SCL_CLASSES
from cocal.errors import OffsetError, SceneRefusedError
from cocal.grid import Window
from cocal.rasters import GDAL_ERRORS
from cocal.scenes.download.evalscript import LAND_BANDS
from cocal.scenes.download.gate import Fault
from cocal.scenes.radiometry import QUANTIFICATION, check_offset, sample_step

MEMBERS = {"bands.tif", "qa.tif", "userdata.json"}
CORNER_TOLERANCE_M = 1e-3
LARGEST_BLOCK_PX = 1024 * 1024
ODD = (AttributeError, KeyError, IndexError, OverflowError, RecursionError, MemoryError)
"""What libraries raise for bodies that no service would send."""
NO_CACHE = 0
"""GDAL's cache of blocks: each is needed once."""


@dataclass(frozen=True)
class Pixels:
    """One day on one window (y, x): scenes/1 values by band, the classification, the cloud probability."""

    bands: dict[str, NDArray[np.uint16]]
    scl: NDArray[np.uint8]
    cloud_probability: NDArray[np.uint8]

    @property
    def has_data(self) -> NDArray[np.bool_]:
        """(y, x) where both the bands and the classification have data."""
        return np.asarray((self.bands["blue"] != NO_DATA) & (self.scl != NO_DATA))


def read_members(body: bytes) -> dict[str, bytes]:
    """The members of a TAR, which must be exactly MEMBERS, and no larger than the body."""
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as tar:
            files = tar.getmembers()
            if sorted(file.name for file in files) != sorted(MEMBERS):
                raise Fault(f"the TAR holds {sorted(f.name for f in files)[:9]}, not {sorted(MEMBERS)}")
            if any(not file.isreg() or file.issparse() or file.size > len(body) for file in files):
                raise Fault("the TAR holds links or members larger than itself")
            members = {file.name: tar.extractfile(file) for file in files}
            return {name: file.read() for name, file in members.items() if file is not None}
    except (tarfile.TarError, OSError, EOFError, ValueError, *ODD) as err:
        raise Fault(f"the body is no whole TAR: {err}; it begins {body[:40]!r}") from None


def check_day(body: bytes, day: date) -> None:
    """Raise if userdata.json is no JSON object, or names orbits of other days only."""
    try:
        orbits = json.loads(body).get("orbits", [])
        days = {date.fromisoformat(str(orbit["dateFrom"])[:10]) for orbit in orbits if "dateFrom" in orbit}
    except (ValueError, TypeError, *ODD) as err:
        raise Fault(f"userdata.json is not that of the script: {type(err).__name__}: {err}") from None
    if days and day not in days:
        raise Fault(f"the answer is of {', '.join(map(str, sorted(days)))}, not {day}")


def read_tiff(body: bytes, window: Window, dtype: str, count: int, name: str) -> NDArray[Any]:
    """All bands (band, y, x) of a GeoTIFF that must lie on `window`; every block is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with (
                rasterio.Env(GDAL_CACHEMAX=NO_CACHE),
                MemoryFile(body) as memory,
                memory.open(driver="GTiff") as dataset,
            ):
                _check_header(dataset, window, dtype, count, name)
                _check_sums(dataset, body, name)
                return np.asarray(dataset.read())
    except (*GDAL_ERRORS, TypeError, ValueError, *ODD) as err:
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
    rows, columns = dataset.block_shapes[0]
    if rows * columns > 4 * window.height * window.width + LARGEST_BLOCK_PX:
        problems.append(f"in blocks of {rows} x {columns}")
    corners = np.array(dataset.bounds)
    if not np.isfinite(corners).all() or np.abs(corners - np.array(window.bounds)).max() > CORNER_TOLERANCE_M:
        problems.append(f"at {tuple(corners.tolist())}, not {window.bounds}")
    if problems:
        raise Fault(f"{name} is " + "; ".join(problems))


def _check_sums(dataset: Any, body: bytes, name: str) -> None:
    """Raise if a block's own checksum (RFC 1950) is not that of its pixels, or if two blocks share bytes.

    GDAL compares neither. A block without bytes is one without data.
    """
    if dataset.compression is not Compression.deflate:
        return
    rows, columns = dataset.block_shapes[0]
    together = dataset.interleaving is Interleaving.pixel
    most = rows * columns * np.dtype(dataset.dtypes[0]).itemsize * (dataset.count if together else 1)
    end = 0
    for place, size in sorted(_blocks(dataset)):
        stream = zlib.decompressobj()
        try:
            stream.decompress(body[place : place + size], most + 1)
        except zlib.error as err:
            raise Fault(f"{name} is damaged at byte {place}: {err}") from None
        if place < end or not stream.eof:
            raise Fault(f"{name} is damaged: the block at byte {place} overlaps another or does not end")
        end = place + size


def _blocks(dataset: Any) -> list[tuple[int, int]]:
    """(offset, size) in bytes of every block that has any."""
    bands = dataset.indexes[:1] if dataset.interleaving is Interleaving.pixel else dataset.indexes
    found = (
        tuple(
            int(dataset.get_tag_item(f"BLOCK_{what}_{j}_{i}", "TIFF", bidx=band) or 0)
            for what in ("OFFSET", "SIZE")
        )
        for band in bands
        for (i, j), _ in dataset.block_windows(band)
    )
    return [(place, size) for place, size in found if size]


def read_day(body: bytes, window: Window, day: date) -> Pixels:
    """The pixels of a process response of the script ONE_DAY.

    Raises
    ------
    Fault
        Members, day, dtype, shape, CRS, bounds, classes or no data are invalid.
    """
    members = read_members(body)
    check_day(members["userdata.json"], day)
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
