"""Elevation as tiles that the page shades: MapLibre draws the hills from them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cocal.serve.rasters import Square, warped


def relief(path: Path, square: Square) -> bytes:
    """Heights in the Terrarium encoding (Mapzen): (red x 256 + green + blue / 256) - 32768 m; 0 m where there is none."""
    image = warped(path, square, "bilinear")
    return terrarium(np.where(image.mask > 0, np.nan_to_num(image.data[0].astype(np.float64)), 0.0))


def terrarium(heights: NDArray[np.float64]) -> bytes:
    """(y, x) metres as PNG."""
    steps = np.rint((np.clip(heights, -11_000, 9_000) + 32_768) * 256).astype(np.uint32)
    rgb = np.stack([steps >> 16, (steps >> 8) & 255, steps & 255], axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG", compress_level=1)
    return out.getvalue()
