"""Hectares per region that add up, and are as narrow as honest."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    regional_compare,
    regional_core,
    regional_lands,
    regional_page,
    regional_run,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *regional_core.REQUIREMENTS,
    *regional_compare.REQUIREMENTS,
    *regional_lands.REQUIREMENTS,
    *regional_run.REQUIREMENTS,
    *regional_page.REQUIREMENTS,
)  # fmt: skip
