"""The cache of compiled kernels."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cocal.assets import PACKAGE
from cocal.classify import flood
from cocal.code import installed
from cocal.jit import cache_folder

TREND = """
import numpy as np
from cocal.features.kernels import trend
out = np.empty(1, np.float32)
series = np.array([[0.0], [1.0]], np.float32)
trend(series, np.array([2], np.uint16), np.array([0.0, 100.0]), np.array([0.5]), 2, out)
print(out[0])
"""


def trend_in(folder: Path) -> float:
    """The rise per year of a value that rises by 1 in 100 days, by the package below `folder`."""
    environment = os.environ | {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", TREND], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_changed_constant_of_another_module_changes_a_compiled_result(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "cocal", ignore=shutil.ignore_patterns("__pycache__"))
    kernels, names = tmp_path / "cocal/features/kernels.py", tmp_path / "cocal/features/names.py"
    replaced(kernels, "DAYS_PER_YEAR = 365.25\n", "from cocal.features.names import DAYS_PER_YEAR\n")
    with names.open("a", encoding="utf-8") as file:
        file.write("\nDAYS_PER_YEAR = 365.25\n")
    assert trend_in(tmp_path) == pytest.approx(3.6525)
    compiled = set((tmp_path / "cache").rglob("*.nbc"))
    assert trend_in(tmp_path) == pytest.approx(3.6525)
    assert compiled
    assert set((tmp_path / "cache").rglob("*.nbc")) == compiled, "compiled twice"
    replaced(names, "DAYS_PER_YEAR = 365.25", "DAYS_PER_YEAR = 730.5")
    assert trend_in(tmp_path) == pytest.approx(7.305)


def test_no_flipped_bit_of_a_compiled_kernel_or_its_index_is_loaded(tmp_path: Path):
    """numba itself loads the altered constant 365.25 of the machine code, and answers 3.66."""
    (tmp_path / "cocal").symlink_to(PACKAGE)
    right = trend_in(tmp_path)
    (code,) = (tmp_path / "cache").rglob("kernels.trend-*.nbc")
    whole, constant = code.read_bytes(), struct.pack("<d", 365.25)
    assert constant in whole
    code.write_bytes(whole.replace(constant, struct.pack("<d", 366.25)))
    assert trend_in(tmp_path) == right == pytest.approx(3.6525)
    assert constant in code.read_bytes(), "it is compiled again, and kept"
    (index,) = (tmp_path / "cache").rglob("kernels.trend-*.nbi")
    data = bytearray(index.read_bytes())
    for at in (len(data) // 3, len(data) - 20):
        data[at] ^= 1
        index.write_bytes(data)
        assert trend_in(tmp_path) == right


def test_every_kernel_is_kept_in_the_folder_of_this_code():
    assert Path(flood.area_opening.stats.cache_path).parent == cache_folder()


def test_only_one_module_compiles():
    """Any other use of numba's own decorators would have a cache that does not follow other modules."""
    own = {
        path
        for path, data in installed().files.items()
        if path.endswith(".py") and b"njit" in data and b"numba" in data
    }
    users = {path for path in own if b"from numba import njit" in installed().files[path]}
    assert users == {"jit.py"}
