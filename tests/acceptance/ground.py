"""Look at the ground: images, interpretation of points, the field loop."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import ground_interpret

REQUIREMENTS: tuple[Callable[[], str], ...] = (*ground_interpret.REQUIREMENTS,)
