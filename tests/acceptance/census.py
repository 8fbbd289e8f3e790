"""An office's own map, several definitions, the exchange between offices, operations."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    census_bundle,
    census_census,
    census_defs,
    census_maps,
    census_offices,
    census_ring,
    census_zones,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *census_census.REQUIREMENTS,
    *census_defs.REQUIREMENTS,
    *census_maps.REQUIREMENTS,
    *census_bundle.REQUIREMENTS,
    *census_offices.REQUIREMENTS,
    *census_ring.REQUIREMENTS,
    *census_zones.REQUIREMENTS,
)  # fmt: skip
