"""Images of a place: what is shown in which colours, the same on every date.

colours    band combinations and indices as colours, with one fixed stretch
dates      the dates of a place as small pictures, each with its share of cloud; the period's median
encoding   pictures as bytes, and the frame around the pixel that is judged
"""

from cocal.run.images.colours import BRIGHTEST, COMBINATIONS, MISSING, Shown, common_bands, shown_of
from cocal.run.images.dates import (
    MASK,
    Chips,
    Looks,
    RunImages,
    as_reflectance,
    chip,
    chips,
    looks,
    median_bands,
    run_images,
)
from cocal.run.images.encoding import marked, png, webp

__all__ = [
    "BRIGHTEST", "COMBINATIONS", "MASK", "MISSING", "Chips", "Looks", "RunImages", "Shown", "as_reflectance",
    "chip", "chips", "common_bands", "looks", "marked", "median_bands", "png", "run_images", "shown_of",
    "webp",
]  # fmt: skip
