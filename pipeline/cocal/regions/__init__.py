"""Region files -> exclusive ownership of pixels.

    settings   files, columns, order, sliver distance, as the user states them
    read       files -> Regions; every problem is listed at once
    ownership  Regions + window -> which region owns each pixel

A pixel belongs to the region that holds its centre. Where regions overlap the first in the stated order
wins; a pixel in a narrow gap between two regions goes to the nearest; everything else stays outside.
"""

from __future__ import annotations

from cocal.regions.ownership import owned, owners, owners_at, slivers
from cocal.regions.read import Regions, read_regions
from cocal.regions.settings import RegionSettings, RegionSource

__all__ = [
    "RegionSettings",
    "RegionSource",
    "Regions",
    "owned",
    "owners",
    "owners_at",
    "read_regions",
    "slivers",
]
