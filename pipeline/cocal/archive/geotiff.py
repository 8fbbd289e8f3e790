"""GeoTIFFs as the archive writes them, read without GDAL: the header once, then only what a window needs.

Only what `catalog.band_profile` writes is read: one band of unsigned integers of 8 or 16 bits, north up in
a UTM zone, in square ZSTD tiles, with horizontal differences (predictor 2) or none, little-endian TIFF or
BigTIFF (TIFF 6.0, sections 2, 14, 15; GeoTIFF 1.1, sections 7, 8). Each field is compared with what is
written, and each place with the size of the file, before anything is allocated. For every other file
`open_tiled` returns None and GDAL reads it; both give the same pixels (`tests/fuzz/tiff`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cocal.archive.catalog import tile_side
from cocal.grid import Window

if TYPE_CHECKING:
    from cocal.archive.unpack import Box

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANES = 256, 257, 258, 259, 262, 277, 284
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS, _FORMAT = 317, 322, 323, 324, 325, 339
_SCALE, _TIE, _GEO_KEYS, _GEO_TEXT, _METADATA, _NO_DATA = 33550, 33922, 34735, 34737, 42112, 42113
_ZSTD, _DIFFERENCES = 50_000, 2
_TEXT, _SHORT, _LONG, _DOUBLE, _LONG8 = 2, 3, 4, 12, 16
_DTYPES = {_TEXT: "u1", _SHORT: "<u2", _LONG: "<u4", _DOUBLE: "<f8", _LONG8: "<u8"}

_WHOLE, _PLACES = {_SHORT, _LONG}, {_SHORT, _LONG, _LONG8}
_KINDS: Mapping[int, set[int]] = {
    _WIDTH: _WHOLE, _HEIGHT: _WHOLE, _BITS: {_SHORT}, _COMPRESSION: {_SHORT}, _PHOTOMETRIC: {_SHORT},
    _SAMPLES: {_SHORT}, _PLANES: {_SHORT}, _PREDICTOR: {_SHORT}, _TILE_WIDTH: _WHOLE, _TILE_HEIGHT: _WHOLE,
    _OFFSETS: _PLACES, _COUNTS: _PLACES, _FORMAT: {_SHORT}, _SCALE: {_DOUBLE}, _TIE: {_DOUBLE},
    _GEO_KEYS: {_SHORT}, _GEO_TEXT: {_TEXT}, _METADATA: {_TEXT}, _NO_DATA: {_TEXT},
}  # fmt: skip
"""The tags that the archive writes, and the types of each."""
_OPTIONAL = {_PREDICTOR, _METADATA, _NO_DATA}
_ONLY = {_COMPRESSION: _ZSTD, _PHOTOMETRIC: 1, _SAMPLES: 1, _PLANES: 1, _FORMAT: 1}
"""Tags of one value, and the value."""

_EPSG = 3072
_ONLY_KEYS = {1024: 1, 1025: 1, 2054: 9102, 3076: 9001}
"""Projected, pixel is area, degrees, metres."""
_TEXT_KEYS = {1026, 2049}

FAR_M = 1e8
"""No place of a zone is so far from its origin."""

Tags = dict[int, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Tiled:
    """The layout of one file. `offset` and `count` (bytes) are of each tile, row by row."""

    path: Path
    width: int
    height: int
    side: int
    left: int
    top: int
    resolution: int
    epsg: int
    dtype: np.dtype[Any]
    differences: bool
    offset: NDArray[np.uint64]
    count: NDArray[np.uint64]

    def fits(self, window: Window, resolution: int, dtype: str) -> bool:
        """True if the file has this pixel size and dtype, and its pixels are whole pixels of `window`."""
        apart = self.left - window.left, self.top - window.top, resolution
        return (
            self.epsg == window.epsg and self.resolution == resolution and self.dtype == dtype
            and not (self.left % resolution or self.top % resolution)
            and not any(metres % window.resolution for metres in apart)
        )  # fmt: skip

    def read(self, window: Window, out: NDArray[Any], box: Box) -> None:
        """Write the pixels of `window` into the `box` of `out` (y, x), coarse ones repeated.

        Pixels outside the file are left as they are.

        Raises
        ------
        ValueError, OSError
            A tile is truncated or cannot be decompressed.
        """
        from cocal.archive.unpack import write_tile  # numba is 60 MB: a download does without

        repeat = self.resolution // window.resolution
        down = (self.top - window.top) // window.resolution
        right = (window.left - self.left) // window.resolution
        rows = _tiles(down, window.height, self.height * repeat, self.side * repeat)
        columns = _tiles(right, window.width, self.width * repeat, self.side * repeat)
        across = -(-self.width // self.side)
        with self.path.open("rb", buffering=0) as file:
            for i in rows:
                for j in columns:
                    tile = self._tile(file.fileno(), i * across + j)
                    limit = (self.height - i * self.side, self.width - j * self.side)
                    top = box[0] + i * self.side * repeat - down
                    left = box[2] + j * self.side * repeat - right
                    part, width = tile[: limit[0]], min(limit[1], self.side)
                    write_tile(part, width, self.differences, repeat, top, left, box, out)

    def _tile(self, handle: int, number: int) -> NDArray[Any]:
        packed = os.pread(handle, int(self.count[number]), int(self.offset[number]))
        size = self.side * self.side * self.dtype.itemsize
        return np.frombuffer(_zstd().decompress(packed, size), dtype=self.dtype).reshape(self.side, self.side)


def _tiles(shift: int, length: int, whole: int, side: int) -> range:
    """Numbers of the tiles of `side` pixels that `length` pixels from `shift` on, of `whole`, touch."""
    first, last = max(shift, 0), min(shift + length, whole)
    return range(first // side, -(-last // side)) if first < last else range(0)


def open_tiled(path: Path) -> Tiled | None:
    """The layout of a file; None if this module does not support it, or it is missing."""
    try:
        state = path.stat()
    except OSError:
        return None
    return _open(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=1024)
def _open(path: Path, size: int, *_state: int) -> Tiled | None:
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            return _layout(path, _tags(handle, size), size)
        finally:
            os.close(handle)
    except (ValueError, struct.error, OSError):
        return None


def _need(holds: Any) -> None:
    """Raise a ValueError, so that GDAL reads the file, unless it `holds`."""
    if not holds:
        raise ValueError("not as the archive writes it")


def _tags(handle: int, size: int) -> Tags:
    """The values of the only directory, by tag."""

    def read(at: int, n: int) -> bytes:
        _need(at + n <= size)
        return os.pread(handle, n, at)

    order, version = struct.unpack("<2sH", read(0, 4))
    _need(order == b"II" and version in (42, 43))
    wide = version == 43
    _need(not wide or struct.unpack("<HH", read(4, 4)) == (8, 0))
    word, number, entry = ("<Q", "<Q", "<HHQ8s") if wide else ("<I", "<H", "<HHI4s")
    width, step = struct.calcsize(word), struct.calcsize(entry)
    (start,) = struct.unpack(word, read(width if wide else 4, width))
    first = start + struct.calcsize(number)
    (n,) = struct.unpack(number, read(start, first - start))
    _need(n <= len(_KINDS) and not any(read(first + n * step, width)))
    found: Tags = {}
    for tag, kind, count, value in struct.iter_unpack(entry, read(first, n * step)):
        _need(kind in _KINDS.get(tag, ()) and tag > max(found, default=0))
        dtype = np.dtype(_DTYPES[kind])
        own = count * dtype.itemsize
        _need(0 < own <= size)
        content = value[:own] if own <= width else read(struct.unpack(word, value)[0], own)
        found[tag] = np.frombuffer(content, dtype=dtype)
    _need(found.keys() | _OPTIONAL == _KINDS.keys())
    return found


def _layout(path: Path, tags: Tags, size: int) -> Tiled:
    def one(tag: int) -> int:
        _need(len(tags[tag]) == 1)
        return int(tags[tag][0])

    for tag, value in _ONLY.items():
        _need(one(tag) == value)
    width, height, bits, side = one(_WIDTH), one(_HEIGHT), one(_BITS), one(_TILE_WIDTH)
    predictor = one(_PREDICTOR) if _PREDICTOR in tags else 1
    _need(width > 0 and height > 0 and bits in (8, 16) and predictor in (1, _DIFFERENCES))
    resolution, left, top = _place(tags[_SCALE], tags[_TIE])
    _need(side == one(_TILE_HEIGHT) == tile_side(resolution))
    offset, count = tags[_OFFSETS].astype(np.uint64), tags[_COUNTS].astype(np.uint64)
    _need(len(offset) == len(count) == -(-width // side) * -(-height // side) and count.all())
    _need((offset <= size).all() and (count <= size - offset).all())
    return Tiled(
        path, width, height, side, left, top, resolution, _epsg(tags[_GEO_KEYS], tags[_GEO_TEXT]),
        np.dtype(f"<u{bits // 8}"), predictor == _DIFFERENCES, offset, count,
    )  # fmt: skip


def _place(scale: NDArray[np.float64], tie: NDArray[np.float64]) -> tuple[int, int, int]:
    """(pixel size, left, top) in whole metres."""
    _need(len(scale) == 3 and len(tie) == 6 and np.isfinite(scale).all() and np.isfinite(tie).all())
    _need(0 < scale[0] == scale[1] == int(scale[0]) and scale[2] == 0)
    _need(not tie[:3].any() and tie[5] == 0 and all(value == int(value) for value in tie[3:5]))
    _need(np.abs(tie).max() < FAR_M)
    return int(scale[0]), int(tie[3]), int(tie[4])


def _epsg(keys: NDArray[np.uint16], text: NDArray[np.uint8]) -> int:
    """The projected CRS of a key directory and its text."""
    _need(len(keys) % 4 == 0 and keys[:2].tolist() == [1, 1] and keys[2] < 2)
    _need(keys[3] == len(keys) // 4 - 1 and text[-1] == 0 and ((text[:-1] >= 32) & (text[:-1] < 127)).all())
    found: dict[int, int] = {}
    for key, place, count, value in keys[4:].reshape(-1, 4).tolist():
        _need(key > max(found, default=0))
        if key in _TEXT_KEYS:
            _need(place == _GEO_TEXT and count > 0 and value + count <= len(text))
        else:
            _need((place, count) == (0, 1) and _ONLY_KEYS.get(key, value if key == _EPSG else None) == value)
        found[key] = value
    _need({*_ONLY_KEYS, _EPSG} <= found.keys())
    return found[_EPSG]


@cache
def _zstd() -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    return pa.Codec("zstd")
