"""Hectares per region that add up, and are as narrow as honest."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    regional_lands,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *regional_lands.REQUIREMENTS,
)  # fmt: skip
