"""Output: labelled files whose bytes depend on their content only, and work in one process or several."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import geopandas as gpd
import pyogrio
import rasterio

from cocal.store import atomic_path

Task = TypeVar("Task")
Result = TypeVar("Result")

TAGS = {"SIMULATED": "yes", "DESCRIPTION": "SIMULATED, not an observation"}
"""Tags of every raster and vector file."""


def write_vector(path: Path, table: gpd.GeoDataFrame, layer: str) -> None:
    """Write a GeoPackage with a fixed date of change."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        with atomic_path(path) as temporary:
            table.to_file(temporary, driver="GPKG", layer=layer, engine="pyogrio", metadata=dict(TAGS))
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def no_cache() -> rasterio.Env:
    """An environment in which GDAL caches no blocks, since only whole blocks are written.

    Each block is written at once, so that the bytes do not depend on what else is open. (Rasterio takes this
    size in bytes, and restores the old one at the end.)
    """
    return rasterio.Env(GDAL_CACHEMAX=0)


def in_order(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Results of `work` in the order of the tasks, for any number of workers.

    At most two tasks per worker are running or finished but not yet yielded, which bounds the memory.
    """
    if workers == 1:
        yield from map(work, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
