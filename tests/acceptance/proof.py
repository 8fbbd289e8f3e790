"""Nothing wrong gets through in silence: bytes, models, tables, configurations, pages, downloads."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance import (
    proof_account,
    proof_clusters,
    proof_disclosure,
    proof_downloads,
    proof_fuzz,
    proof_inputs,
    proof_regions,
    proof_serve,
    proof_verify,
)

REQUIREMENTS: tuple[Callable[[], str], ...] = (
    *proof_account.REQUIREMENTS,
    *proof_clusters.REQUIREMENTS,
    *proof_disclosure.REQUIREMENTS,
    *proof_downloads.REQUIREMENTS,
    *proof_fuzz.REQUIREMENTS,
    *proof_inputs.REQUIREMENTS,
    *proof_regions.REQUIREMENTS,
    *proof_serve.REQUIREMENTS,
    *proof_verify.REQUIREMENTS,
)
