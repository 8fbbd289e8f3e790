"""Pictures as bytes, and the frame around the pixel that is judged."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

FRAME = (255, 255, 0)
REACH_PX = 3


def marked(
    pixels: NDArray[np.uint8], row: int | None = None, column: int | None = None, *, reach_px: int = REACH_PX
) -> NDArray[np.uint8]:
    """`pixels` (y, x, 3) with a yellow frame `reach_px` pixels around one: by default the one in the middle.

    The pixel itself and those next to it stay as they are.
    """
    found = pixels.copy()
    height, width = found.shape[:2]
    y, x = height // 2 if row is None else row, width // 2 if column is None else column
    rows = slice(max(y - reach_px, 0), y + reach_px + 1)
    columns = slice(max(x - reach_px, 0), x + reach_px + 1)
    for edge in (y - reach_px, y + reach_px):
        if 0 <= edge < height:
            found[edge, columns] = FRAME
    for edge in (x - reach_px, x + reach_px):
        if 0 <= edge < width:
            found[rows, edge] = FRAME
    return found


def png(pixels: NDArray[np.uint8], *, level: int = 0) -> bytes:
    """A PNG of the pixels (y, x, 3 or 4) and nothing else. At level 0 pictures of one shape have one size."""
    return _encoded(pixels, "PNG", compress_level=level)


def webp(pixels: NDArray[np.uint8], *, quality: int | None = None) -> bytes:
    """A WebP of the pixels (y, x, 3 or 4): lossless, as small as a PNG in a quarter of the time; or of a
    `quality` from 0 to 100.
    """
    if quality is None:
        return _encoded(pixels, "WEBP", lossless=True, method=0, quality=0)
    return _encoded(pixels, "WEBP", quality=quality, method=2)


def _encoded(pixels: NDArray[np.uint8], kind: str, **options: object) -> bytes:
    from PIL import Image  # of the extras `report` and `serve`

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()
