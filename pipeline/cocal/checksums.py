"""Whether a file is the one that was written: sizes and checksums, and reading back what was written.

A raster has the XXH3 of its bytes (128 bits, a tenth of the time of SHA-256: rasters are most of what is
read), every other file their SHA-256. Rasters of earlier versions have SHA-256, which is compared then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import xxhash

from cocal.errors import NotWrittenError

_HASHES: Mapping[str, Any] = {"xxh3": xxhash.xxh3_128, "sha256": hashlib.sha256}
_CHUNK = 1 << 18


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of `data`, in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    return _file_hash("sha256", Path(path))


def _file_hash(kind: str, path: Path) -> str:
    total, buffer = _HASHES[kind](), bytearray(_CHUNK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total.update(view[:count])
    return str(total.hexdigest())


def file_facts(path: Path) -> dict[str, Any]:
    """`bytes` and the checksum of a file: `xxh3` of a GeoTIFF, `sha256` of any other."""
    kind = "xxh3" if path.suffix == ".tif" else "sha256"
    return {"bytes": path.stat().st_size, kind: _file_hash(kind, path)}


def difference(path: Path, facts: Mapping[str, Any]) -> str:
    """How a file differs from its `file_facts`; "" where it does not.

    The file is read as a whole once per process, and again when it has changed.

    Raises
    ------
    OSError
        It is there and cannot be read.
    """
    kind = "xxh3" if "xxh3" in facts else "sha256"
    try:
        state = path.stat()
        if state.st_size != facts.get("bytes"):
            return f"{state.st_size} bytes, {facts.get('bytes')} were committed"
        found = _known_hash(kind, path, state.st_ino, state.st_size, state.st_mtime_ns)
    except FileNotFoundError:
        return "no such file"
    return "" if found == facts.get(kind) else f"{kind} {found}, {facts.get(kind)} was committed"


@lru_cache(maxsize=1 << 16)
def _known_hash(kind: str, path: Path, *_state: int) -> str:
    return _file_hash(kind, path)


def read_back(path: Path, name: str) -> None:
    """Decode every block of a GeoTIFF that was written, with its overviews.

    GDAL reports no error where a disk is full as a file is closed: the file is cut short, or blocks are
    missing, which read as "no data".

    Raises
    ------
    NotWrittenError
        A block is missing or cannot be decoded.
    """
    from rasterio.errors import RasterioError

    from cocal.rasters import LayoutError

    try:
        missing = _decode(path)
    except (RasterioError, LayoutError) as err:
        missing = str(err)
    if missing:
        raise NotWrittenError(
            f"{name} was not written whole", "every block of the raster, read back before it is committed",
            f"{path.stat().st_size} bytes: {missing}",
            "free space on the disk or raise the limit on the size of files (`ulimit -f`), then run again",
        )  # fmt: skip


def _decode(path: Path) -> str:
    """Read every block of a raster and of its overviews; which one is missing, "" where none is."""
    import rasterio

    from cocal.rasters import check_layout

    with rasterio.open(path) as source:
        check_layout(source)
        levels = range(len(source.overviews(1)))
    for level in (None, *levels):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as source:
            for (i, j), block in source.block_windows(1):
                if source.get_tag_item(f"BLOCK_SIZE_{j}_{i}", "TIFF", bidx=1) is None:
                    return f"block {i}, {j} is missing"
                source.read(window=block)
    return ""
