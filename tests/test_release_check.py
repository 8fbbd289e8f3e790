"""When a release may stand for the results of the last one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from cocal.code import Package, installed
from tests import release_check as check

MADE_BY = ["cocal.run.worker.tiles.write_features"]
WRITE = ("cocal.run.worker.tiles.write_features", "write_features")


def before(path: str, old: str, new: str) -> Package:
    """The installed package with one text of one file as it was in a release before."""
    files = installed().files
    assert old.encode() in files[path]
    return Package({**files, path: files[path].replace(old.encode(), new.encode())})


def missing(last: Package, *executed: tuple[str, str]) -> tuple[set[str], set[str]]:
    """(definitions that differ, those of them that were not executed)."""
    now = installed()
    changed = check.differing(last, now, MADE_BY)
    return changed, check.not_executed(last, now, changed, set(executed))


def test_a_function_that_differs_must_run():
    name, code = (
        "cocal.features.terrain.slope_degrees",
        ("cocal.features.terrain.slope_degrees", "slope_degrees"),
    )
    last = before("features/terrain.py", "def slope_degrees(", "def slope_degrees(unused=1, *, ")
    assert missing(last, WRITE) == ({name}, {name})
    assert missing(last, WRITE, code) == ({name}, set())


def test_a_method_that_differs_must_run_and_not_only_its_class():
    name = "cocal.grid.Window"
    last = before(
        "grid.py", "def expanded(self, pixels: int)", "def expanded(self, pixels: int, unused: int = 1)"
    )
    assert missing(last, WRITE, (name, "Window.locate")) == ({name}, {"cocal.grid.Window.expanded"})
    assert missing(last, WRITE, (name, "Window.expanded")) == ({name}, set())


def test_a_constant_or_a_kernel_is_run_by_a_function_that_names_it():
    last = before("features/kernels.py", "DAYS_PER_YEAR = 365.25", "DAYS_PER_YEAR = 365.2425")
    name = "cocal.features.kernels.DAYS_PER_YEAR"
    assert missing(last, WRITE) == ({name}, {name})
    user = "cocal.features.statistics.WindowStatistics"
    assert missing(last, WRITE, (user, "WindowStatistics.trend")) == ({name}, set())


def raster(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True)
    with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, count=1, width=2, height=1,
        crs="EPSG:32718",
                       transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as target:  # fmt: skip
        target.write(values[None, None])


def test_pixels_are_compared_to_the_bit_whatever_the_address(tmp_path: Path):
    values = np.array([1.5, np.nan], np.float32)
    raster(tmp_path / "a/runs/small/features/2024/18S-0-0/0123/features.tif", values)
    raster(tmp_path / "b/runs/small/features/2024/18S-0-0/4567/features.tif", values)
    raster(
        tmp_path / "c/runs/small/features/2024/18S-0-0/4567/features.tif", np.nextafter(values, np.float32(2))
    )
    found = {name: check.results(tmp_path / name, "features") for name in "abc"}
    assert found["a"] == found["b"]
    assert found["a"] != found["c"]
    assert [list(one) for one in found.values()] == [["runs/small/features/2024/18S-0-0/features.tif"]] * 3


@pytest.mark.parametrize(("ran", "generation"), [({("cocal.grid.Window", "Window.expanded")}, 1), (set(), 2)])
def test_a_digest_joins_its_generation_or_begins_the_next(
    ran: check.Executed, generation: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(check, "WORLDS", {"one": ()})
    for side in ("a", "b"):
        raster(
            tmp_path / side / "one/runs/small/features/2024/18S-0-0/0123/features.tif", np.zeros(2, np.uint8)
        )
    last = before(
        "grid.py", "def expanded(self, pixels: int)", "def expanded(self, pixels: int, unused: int = 1)"
    )
    entry = {"made_by": MADE_BY, "generation": 1, "digests": ["0" * 64]}
    now = installed().closure(MADE_BY).digest
    new = check.decide("features", entry, last, (tmp_path / "a", tmp_path / "b"), {WRITE} | ran)
    assert new["generation"] == generation
    assert new["digests"] == (["0" * 64, now] if generation == 1 else [now])
    assert check.decide("features", new, last, (tmp_path / "a", tmp_path / "b"), set()) == new
