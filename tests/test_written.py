"""Rasters are committed whole or not at all, wherever a full disk or a limit on file sizes cuts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from cocal.errors import NotWrittenError
from cocal.store import LocalStore

WRITER = '''
import json, resource, sys
from pathlib import Path

import numpy as np
import rasterio

from cocal.archive import band_writer
from cocal.classify.product import write_cog
from cocal.errors import NotWrittenError
from cocal.grid import Window
from cocal.store import LocalStore, address

root, sizes = Path(sys.argv[1]), json.loads(sys.argv[2])
window = Window(32719, 480_000, 8_430_000, 700, 700)
values = np.random.default_rng(0).integers(0, 9, window.shape).astype(np.uint16)


def cog(path):
    write_cog(path, values, window, {})


def band(path):
    with band_writer(path, window, "uint16") as target:
        target.write(values, 1)


def pixel_interleaved(path):
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", count=3, height=700, width=700,
                       tiled=True, compress="zstd", predictor=3) as target:
        target.write(np.stack([values] * 3).astype(np.float32))


def committed(home, write, size):
    """Whether the unit was committed under this limit on file sizes; "readback": refused by the last look."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if size else hard, hard))
    try:
        with LocalStore(home, timed=False).commit("u", {"x": 1}) as folder:
            write(folder / "a.tif")
        return "committed"
    except NotWrittenError:
        return "not whole"
    except Exception as err:
        return type(err).__name__
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


found = []
for write in (cog, band, pixel_interleaved):
    good = root / write.__name__ / "good"
    assert committed(good, write, 0) == "committed"
    whole = (good / "u" / "a.tif").read_bytes()
    for part in sizes:
        home = root / write.__name__ / str(part)
        ended = committed(home, write, int(len(whole) * part))
        is_whole = ended == "committed" and (home / "u" / "a.tif").read_bytes() == whole
        kept = LocalStore(home).find("u", address({"x": 1})) is not None
        same = kept or committed(home, write, 0) == "committed"
        again = same and (home / "u" / "a.tif").read_bytes() == whole
        left = sorted(p.name for p in (home / "u").iterdir())
        found.append([write.__name__, part, ended, is_whole, again, left])
print(json.dumps(found))
'''


def test_no_limit_on_file_sizes_leaves_a_truncated_raster_committed(tmp_path: Path) -> None:
    parts = [round(0.03 + 0.049 * i, 4) for i in range(20)] + [0.999, 0.9999, 1.0, 1.2]
    ended = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path), json.dumps(parts)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found = json.loads(ended.stdout.splitlines()[-1])
    assert len(found) == 3 * len(parts)
    for kind, part, how, is_whole, again, left in found:
        assert is_whole == (how == "committed") == (part >= 1.0), (kind, part, how)
        assert again, f"{kind}: a run with room differs after a limit of {part}"
        assert left == ["a.tif", "manifest.json"]
    assert any(how == "not whole" for _, _, how, *_ in found), (
        "GDAL reports all errors now: is read_back needed?"
    )


def test_a_block_that_was_never_written_is_an_error_though_it_reads_as_no_data(tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 64, "width": 64, "tiled": True}
    place = {"crs": "EPSG:32719", "transform": rasterio.Affine(10, 0, 480_000, 0, -10, 8_430_000)}
    with (
        pytest.raises(NotWrittenError, match=r"u/a\.tif was not written whole"),
        LocalStore(tmp_path).commit("u", {"x": 1}) as folder,
        rasterio.open(
            folder / "a.tif", "w", **profile, **place, blockxsize=32, blockysize=32, sparse_ok=True
        ) as target,
    ):
        target.write(np.ones((32, 32), np.uint8), 1, window=rasterio.windows.Window(0, 0, 32, 32))
    assert not (tmp_path / "u").exists()
