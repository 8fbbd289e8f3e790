"""Features at labelled pixels, block by block.

These functions run in workers, and in the client where the samples are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from cocal.grid import Window
from cocal.run.worker.tiles import FeatureTask, block_features

N_CLEAR = "n_clear"


@dataclass(frozen=True)
class SampleBlock:
    """The labelled pixels of one block: epsg, x, y (m) and what else is known of each."""

    window: Window
    pixels: pd.DataFrame


def sample_blocks(pixels: pd.DataFrame, block_px: int, resolution: int) -> Iterator[SampleBlock]:
    """The pixels by blocks of a lattice that is the same for every run."""
    side = block_px * resolution
    keys = [pixels["epsg"], np.floor(pixels["x"] / side), np.floor(pixels["y"] / side)]
    for key, group in pixels.groupby(keys, sort=True):
        epsg, column, row = (int(part) for part in cast("tuple[float, ...]", key))
        yield SampleBlock(
            Window(epsg, column * side, (row + 1) * side, block_px, block_px, resolution), group
        )


def with_features(block: SampleBlock, task: FeatureTask) -> pd.DataFrame:
    """The block's pixels with a float32 column per feature and the number of their clear dates."""
    window, pixels = block.window, block.pixels
    dataset = block_features(window, task)
    rows, columns, _ = window.locate(pixels["x"].to_numpy(), pixels["y"].to_numpy())
    names = [str(name) for name in dataset["feature"].values]
    values = dataset["features"].values[:, rows, columns].T.astype(np.float32)
    features = pd.DataFrame(values, columns=names, index=pixels.index)
    return pd.concat([pixels, features], axis=1).assign(**{N_CLEAR: dataset["n_clear"].values[rows, columns]})
