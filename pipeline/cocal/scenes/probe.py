"""A first look at a NetCDF-4 file in a process of its own: an altered one can loop or crash inside HDF5."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

LIMIT_S, WAIT_S = 60, 900
"""Seconds of CPU time, and seconds, that a look may take; one at a million chunks takes five."""

_LOOK = """
import resource, sys
import h5py, xarray
path, seconds = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def look(_, item):
    try:
        list(item.attrs.items())
        if isinstance(item, h5py.Dataset) and item.chunks:
            item.id.chunk_iter(lambda info: None)
    except Exception:
        pass

with xarray.open_dataset(path, engine="h5netcdf", decode_cf=False) as cube:
    for variable in cube.coords.values():
        variable.values
with h5py.File(path) as file:
    file.visititems(look)
"""
"""What planning and reading do with a file, apart from its pixels; what it raises is raised again by them."""


def broken(path: Path) -> str:
    """What ended a process that looked at the file, "" where nothing did; each state of a file is tried once.

    Exceptions count as nothing: whoever opens the file has them too.
    """
    try:
        state = path.stat()
    except OSError:
        return ""
    return _broken(path, state.st_size, state.st_mtime_ns, LIMIT_S)


@lru_cache(maxsize=4096)
def _broken(path: Path, _size: int, _changed: int, limit_s: int) -> str:
    command = [sys.executable, "-c", _LOOK, str(path), str(limit_s)]
    try:
        code = subprocess.run(  # noqa: S603 - this Python, and a path as an argument
            command, capture_output=True, timeout=WAIT_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return f"opening it takes more than {WAIT_S} s"
    return (
        "" if code >= 0 else f"a process that opened it ended with signal {-code} within {limit_s} s of CPU"
    )
