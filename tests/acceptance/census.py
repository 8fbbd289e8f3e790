"""An office's own map, several definitions, the exchange between offices, operations."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import census_defs, census_ring, census_zones

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *census_defs.REQUIREMENTS,
    *census_ring.REQUIREMENTS,
    *census_zones.REQUIREMENTS,
)  # fmt: skip
