"""Nothing wrong gets through in silence: bytes, models, tables, configurations, pages, downloads."""

from __future__ import annotations

from collections.abc import Callable

REQUIREMENTS: tuple[Callable[[], str], ...] = ()
