"""Images, points read on images, the field loop, the field kit, the map."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    ground_field,
    ground_formats,
    ground_images,
    ground_interpret,
    ground_kit,
    ground_mapwork,
    ground_unsure,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *ground_field.REQUIREMENTS,
    *ground_formats.REQUIREMENTS,
    *ground_images.REQUIREMENTS,
    *ground_interpret.REQUIREMENTS,
    *ground_kit.REQUIREMENTS,
    *ground_mapwork.REQUIREMENTS,
    *ground_unsure.REQUIREMENTS,
)
