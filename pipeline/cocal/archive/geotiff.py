"""GeoTIFFs as the archive writes them, read without GDAL: the header once, then only what a window needs.

Supported are little-endian TIFF and BigTIFF of one band, north up, in square ZSTD tiles of unsigned integers
of 8 or 16 bits, with horizontal differences (predictor 2) or none, without empty tiles (TIFF 6.0, sections 2,
14, 15; BigTIFF). For every other file `open_tiled` returns None and GDAL reads it; both give the same pixels.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window

if TYPE_CHECKING:
    from cocal.archive.unpack import Box

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PREDICTOR = 256, 257, 258, 259, 277, 317
_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS, _FORMAT, _SCALE, _TIE = 322, 323, 324, 325, 339, 33550, 33922
_ZSTD, _UNSIGNED, _DIFFERENCES = 50_000, 1, 2
_TYPES = {1: "B", 3: "H", 4: "I", 12: "d", 16: "Q"}


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
    dtype: np.dtype[Any]
    differences: bool
    offset: NDArray[np.uint64]
    count: NDArray[np.uint64]

    def fits(self, window: Window, resolution: int, dtype: str) -> bool:
        """True if the file has this pixel size and dtype, and its pixels are whole pixels of `window`."""
        return self.resolution == resolution and self.dtype == dtype and resolution % window.resolution == 0

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
def _open(path: Path, *_state: int) -> Tiled | None:
    try:
        with path.open("rb") as file:
            return _layout(path, _tags(file))
    except (KeyError, ValueError, struct.error, OSError):
        return None


def _tags(file: BinaryIO) -> dict[int, NDArray[Any]]:
    """The values of the first directory, by tag."""
    order, version = struct.unpack("<2sH", file.read(4))
    if order != b"II" or version not in (42, 43):
        raise ValueError("not a little-endian TIFF")
    wide = version == 43
    if wide:
        file.seek(8)
    word, entry = ("Q", "<HHQ8s") if wide else ("I", "<HHI4s")
    (start,) = struct.unpack(f"<{word}", file.read(struct.calcsize(f"<{word}")))
    file.seek(start)
    (n,) = struct.unpack("<Q" if wide else "<H", file.read(8 if wide else 2))
    found = {}
    for tag, kind, count, value in struct.iter_unpack(entry, file.read(n * struct.calcsize(entry))):
        if kind in _TYPES:
            dtype = np.dtype(f"<{_TYPES[kind]}")
            if count * dtype.itemsize > len(value):
                file.seek(struct.unpack(f"<{word}", value)[0])
                value = file.read(count * dtype.itemsize)
            found[tag] = np.frombuffer(value, dtype=dtype, count=count)
    return found


def _layout(path: Path, tags: dict[int, NDArray[Any]]) -> Tiled | None:
    def one(tag: int, otherwise: int | None = None) -> int:
        return int(tags[tag][0]) if otherwise is None or tag in tags else otherwise

    width, height, side, bits = one(_WIDTH), one(_HEIGHT), one(_TILE_WIDTH), one(_BITS)
    scale, tie, predictor = tags[_SCALE], tags[_TIE], one(_PREDICTOR, 1)
    tiles = -(-width // side) * -(-height // side)
    supported = (
        one(_COMPRESSION) == _ZSTD and one(_SAMPLES, 1) == 1 and one(_FORMAT, 1) == _UNSIGNED
        and bits in (8, 16) and predictor in (1, _DIFFERENCES) and one(_TILE_HEIGHT) == side
        and len(tags[_OFFSETS]) == len(tags[_COUNTS]) == tiles and tags[_COUNTS].all()
        and scale[0] == scale[1] == int(scale[0])
        and not tie[:3].any() and (tie[3:5] == tie[3:5].astype(int)).all()
    )  # fmt: skip
    if not supported:
        return None
    return Tiled(
        path, width, height, side, int(tie[3]), int(tie[4]), int(scale[0]), np.dtype(f"<u{bits // 8}"),
        predictor == _DIFFERENCES, tags[_OFFSETS].astype(np.uint64), tags[_COUNTS].astype(np.uint64),
    )  # fmt: skip


@cache
def _zstd() -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    return pa.Codec("zstd")
