"""Images, points read on images, the field loop, the field kit."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    ground_formats,
    ground_images,
    ground_interpret,
    ground_kit,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *ground_formats.REQUIREMENTS,
    *ground_images.REQUIREMENTS,
    *ground_interpret.REQUIREMENTS,
    *ground_kit.REQUIREMENTS,
)  # fmt: skip
