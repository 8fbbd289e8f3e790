"""Altered rasters and altered models, as many as the issue states: refused, or the right answer."""

from __future__ import annotations

import time

from tests.fuzz import faults


def _without_fault(target: str, count: int) -> str:
    began = time.monotonic()
    found = list(faults(target, count))
    listed = "; ".join(f"seed {seed}: {wrong}" for seed, wrong in found[:6])
    assert not found, f"{len(found)} of {count}: {listed}"
    return f"{count} altered files in {time.monotonic() - began:.0f} s"


def altered_tiffs_are_read_as_gdal_reads_them_or_refused() -> str:
    """0 differ from GDAL in silence, 0 uncaught exceptions or crashes, 0 over 5 s."""
    return _without_fault("tiff", 20_000)


def altered_models_are_refused_or_say_what_the_sound_one_says() -> str:
    """0 crashes, hangs or silent differences; `verify_model` refuses each that changes an answer."""
    return _without_fault("models", 10_000)


REQUIREMENTS = (
    altered_tiffs_are_read_as_gdal_reads_them_or_refused,
    altered_models_are_refused_or_say_what_the_sound_one_says,
)
