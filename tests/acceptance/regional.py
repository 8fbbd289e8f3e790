"""Hectares per region that add up, and are as narrow as honest."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    regional_compare,
    regional_core,
    regional_design,
    regional_lands,
    regional_page,
    regional_run,
    regional_small,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *regional_core.REQUIREMENTS,
    *regional_compare.REQUIREMENTS,
    *regional_design.REQUIREMENTS,
    *regional_lands.REQUIREMENTS,
    *regional_page.REQUIREMENTS,
    *regional_run.REQUIREMENTS,
    *regional_small.REQUIREMENTS,
)  # fmt: skip
