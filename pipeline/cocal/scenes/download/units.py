"""Cost of a request: processing units of Sentinel Hub, requests, bytes.

Source of the formula and of its examples: Sentinel Hub documentation, "Processing units" (Copernicus Data
Space Ecosystem, APIs/SentinelHub/Overview/ProcessingUnit).
"""

from __future__ import annotations

from dataclasses import dataclass

UNIT_PX = 512 * 512
"""Pixels of one output that cost one unit, for up to ..."""
UNIT_BANDS = 3
"""... three input bands, 16 bits per band, one sample per pixel."""
SMALLEST_AREA, SMALLEST_COST = 0.01, 0.005


@dataclass(frozen=True)
class Cost:
    """Cost of one or more requests."""

    requests: int = 0
    processing_units: float = 0.0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        units = self.processing_units + other.processing_units
        return Cost(self.requests + other.requests, units, self.bytes + other.bytes)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.requests * times, self.processing_units * times, self.bytes * times)


def process_units(width: int, height: int, bands: int, *, samples: int = 1, float32: bool = False) -> float:
    """Processing units of one process request.

    Parameters
    ----------
    width, height
        Of the output, pixels.
    bands
        Input bands; `dataMask` is free unless it is the only one.
    samples
        Acquisitions per pixel; 1 where one day is mosaicked by orbit.
    float32
        32 bits per output value cost twice as much as 8 or 16.
    """
    area = max(width * height / UNIT_PX, SMALLEST_AREA)
    return max(area * bands / UNIT_BANDS * samples * (2 if float32 else 1), SMALLEST_COST)


def catalogue_units(area_km2: float, months: int) -> float:
    """Processing units of one catalogue request over an area and so many months: 0.01 to 1."""
    return min(1.0, max(0.01, max(area_km2 / 1e6, 0.01) * months))
