"""NetCDF files that loop inside HDF5 are refused by name: they are opened in a process of their own first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cocal.errors import InputError
from cocal.scenes import probe
from cocal.scenes.source import open_cube


def cube(path: Path) -> Path:
    steps = pd.to_datetime(["2024-01-01", "2024-01-05"])
    axes = {"time": steps, "y": np.arange(4.0)[::-1] * 10, "x": np.arange(4.0) * 10}
    values = np.ones((2, 4, 4), dtype=np.uint16)
    xr.Dataset({"red": (("time", "y", "x"), values)}, coords=axes).to_netcdf(path, engine="h5netcdf")
    return path


def looping(path: Path) -> Path:
    """A cube of which the second text has size 0 in the heap that holds texts: HDF5 1.14 never passes it."""
    content = bytearray(cube(path).read_bytes())
    first = content.index(b"GCOL") + 16
    size = int.from_bytes(content[first + 8 : first + 16], "little")
    second = first + 16 + -(-size // 8) * 8
    content[second : second + 16] = bytes(16)
    path.write_bytes(content)
    return path


def test_a_cube_that_loops_inside_hdf5_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "LIMIT_S", 4)
    path = looping(tmp_path / "loop.nc")
    with (
        pytest.raises(InputError, match=r"(?s)cannot open .*loop\.nc.*ended with signal 9 within 4 s"),
        open_cube(path),
    ):
        pass


def test_a_sound_cube_and_a_missing_file_pass_the_look(tmp_path: Path) -> None:
    assert probe.broken(cube(tmp_path / "cube.nc")) == ""
    assert probe.broken(tmp_path / "none.nc") == ""
