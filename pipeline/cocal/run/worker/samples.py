"""Features at labelled pixels, block by block.

These functions run in workers, and in the client where the samples are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cocal.grid import Window, windows_holding
from cocal.run.worker.tiles import FeatureTask, block_features

N_CLEAR = "n_clear"


@dataclass(frozen=True)
class SampleBlock:
    """The labelled pixels of one block: epsg, x, y (m) and what else is known of each."""

    window: Window
    pixels: pd.DataFrame


def sample_blocks(pixels: pd.DataFrame, block_px: int, resolution: int) -> Iterator[SampleBlock]:
    """The pixels by blocks of a lattice that is the same for every run."""
    for window, rows in windows_holding(pixels["epsg"], pixels["x"], pixels["y"], block_px, resolution):
        yield SampleBlock(window, pixels.iloc[rows])


def with_features(block: SampleBlock, task: FeatureTask) -> pd.DataFrame:
    """The block's pixels with a float32 column per feature and the number of their clear dates."""
    window, pixels = block.window, block.pixels
    dataset = block_features(window, task)
    rows, columns, _ = window.locate(pixels["x"].to_numpy(), pixels["y"].to_numpy())
    names = [str(name) for name in dataset["feature"].values]
    values = dataset["features"].values[:, rows, columns].T.astype(np.float32)
    features = pd.DataFrame(values, columns=names, index=pixels.index)
    return pd.concat([pixels, features], axis=1).assign(**{N_CLEAR: dataset["n_clear"].values[rows, columns]})
