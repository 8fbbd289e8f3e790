"""What one worker needs at most, and blocks that keep it within a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from cocal.archive import Scene, list_scenes
from cocal.classify.minimum import reach_px
from cocal.config import RunConfig
from cocal.contracts import Period
from cocal.errors import UsageError
from cocal.features import bands_needed, composite_windows, feature_names, halo_px

REVISIT_DAYS = 5
"""Sentinel-2 revisit with two satellites (ESA, Sentinel-2 User Handbook, 2015, section 1)."""

SMALLEST_BLOCK, _STEP = 96, 48
_PROCESS_BYTES = 500 * 2**20
"""A worker with its libraries, a model of usual size, and strips."""

_PATCH_BYTES = 48
"""Of one pixel of a tile while its patches are found: levels, their order, roots and sizes, owner, area."""

_CENSUS_BYTES = 96
"""Of one pixel of a tile while an office's own map is cut into it: the ground of each class and its area."""

_UNITS = {"MiB": 2**20, "GiB": 2**30, "MB": 10**6, "GB": 10**9}
DASK_SHARE = 0.8
"""Dask pauses a worker at this share of its limit, so a limit for Dask is the bound over it."""


def parse_size(text: str) -> int:
    """Bytes of `2GiB`, `1500 MB`.

    Raises
    ------
    UsageError
        It is not a positive number with a unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MiB|GiB|MB|GB)", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--memory {text!r}", "a number with MiB, GiB, MB or GB: 2GiB", text, "fix --memory")
    return int(float(match[1]) * _UNITS[match[2]])


def dates_at_once(config: RunConfig, scenes: Iterable[Scene] | None) -> int:
    """Dates of the fullest window, from the known scenes, else from twice the revisit frequency."""
    index = config.require_index()
    windows = [w for p in config.periods for w in composite_windows(index, p.period)]
    if scenes is None:
        return max(2 * math.ceil(((w.end - w.start).days + 1) / REVISIT_DAYS) for w in windows)
    days = {s.day for s in scenes}
    return max(1, *(sum(w.start <= day <= w.end for day in days) for w in windows))


def memory_per_worker(config: RunConfig, dates: int, period: Period) -> int:
    """Bytes that one worker needs at most: the process, one window of scenes, composites, features.

    Per pixel and halo: uint16 scenes of a window, and once more the bands of one date while they are read; a
    clear flag per
    date; float32 composites of all windows; float32 features of the block, which only those that
    are written hold whole; the finished map. Everything else is in strips. A minimum unit looks at whole
    tiles.
    """
    index, minimum = config.require_index(), config.classify.minimum_unit
    side = config.grid.block_px + 2 * halo_px(index)
    windows = len(composite_windows(index, period))
    bands, features = len(bands_needed(index)), len(feature_names(index, period))
    per_pixel = 2 * bands * (dates + 2) + 2 * dates + 4 * windows * bands + 4 * features + 64
    tile = 0 if minimum is None else (config.grid.tile_px + 2 * reach_px(minimum.pixels)) ** 2 * _PATCH_BYTES
    return _PROCESS_BYTES + max(side * side * per_pixel, tile)


def worker_bound(config: RunConfig) -> int:
    """`memory_per_worker` of a configuration, with the scenes that its archive holds, if any.

    Without a model a worker holds the classes of a tile and what they are counted from.
    """
    if not config.has_model:
        return _PROCESS_BYTES + config.grid.tile_px * config.grid.tile_px * _CENSUS_BYTES
    archive = config.require_archive()
    known = list_scenes(archive) if (archive / "scenes").is_dir() else None
    dates = dates_at_once(config, known or None)
    return max(memory_per_worker(config, dates, p.period) for p in config.periods)


def fit_memory(config: RunConfig, limit: int) -> RunConfig:
    """`config` with the largest blocks, up to its own, with which a worker stays within `limit` bytes.

    Results do not depend on blocks.

    Raises
    ------
    UsageError
        Not even the smallest blocks fit.
    """
    own = config.grid.block_px
    for block in [own, *range((own - 1) // _STEP * _STEP, SMALLEST_BLOCK - 1, -_STEP)]:
        grid = config.grid.model_copy(update={"block_px": block})
        local = config.local.model_copy(update={"memory_gib": limit / DASK_SHARE / 2**30})
        fitting = config.model_copy(update={"grid": grid, "local": local})
        need = worker_bound(fitting)
        if need <= limit:
            return fitting
    raise UsageError(
        f"--memory {limit / 2**30:.2f} GiB a worker",
        f"at least {need / 2**30:.2f} GiB, with blocks of {block} px",
        f"{limit / 2**30:.2f} GiB",
        "give more memory, or shorter windows or fewer features",
    )
