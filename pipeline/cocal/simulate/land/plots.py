"""What a crew or an interpreter would write of a coca plot: its state, shade, mixture and age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocal.simulate.land.history import generation, is_coca, state
from cocal.simulate.land.kinds import NUMBER
from cocal.simulate.land.patches import COCA, Patches

STATES = ("", "nursery", "young", "productive", "pruned", "abandoned", "eradicated")
"""States of coca on the ground, those of configs/schemes/coca-definitions.yaml; "" where there is none."""

BEARING = (STATES.index("productive"), STATES.index("pruned"))
NURSERY_YEARS, STUMPED_EVERY, STUMPED_YEARS = 0.5, 3.0, 0.25
"""A plot is a nursery in its first half year, then young until it bears; bearing plots are pruned for a
quarter of a year in every third (assumptions; stumping about every third year: domain notes)."""


@dataclass(frozen=True)
class PlotFacts:
    """By patch: `state` (place in `STATES`), `shaded`, `mixed`, `age` in years.

    0, False and NaN where there is no coca.
    """

    state: NDArray[np.uint8]
    shaded: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    age: NDArray[np.float64]


def plot_facts(patches: Patches, day: float) -> PlotFacts:
    """The facts of every patch on a day."""
    kind, _ = state(patches, day)
    age, _ = generation(patches, day)
    bears, planted = is_coca(kind), kind == NUMBER["nursery"]
    steps = [
        (planted & (age < NURSERY_YEARS), "nursery"),
        (planted, "young"),
        (bears & (np.mod(age, STUMPED_EVERY) < STUMPED_YEARS), "pruned"),
        (bears, "productive"),
        (kind == NUMBER["abandoned_coca"], "abandoned"),
        (kind == NUMBER["eradicated"], "eradicated"),
    ]
    own = [condition & (patches.use == COCA) for condition, _ in steps]
    found = np.select(own, [STATES.index(name) for _, name in steps], 0).astype(np.uint8)
    there = found > 0
    shaded, mixed = (there & (patches.form == NUMBER[name]) for name in ("shaded_coca", "mixed_coca"))
    return PlotFacts(found, shaded, mixed, np.where(there, age, np.nan))


def pixel_states(held: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """(...) state of each pixel: one that covers at least half of it; bearing states count together.

    Parameters
    ----------
    held : (states, ...) places of the pixel of each state of `STATES`.
    n : places of a pixel.
    """
    code = np.zeros(held.shape[1:], dtype=np.uint8)
    for number in range(1, len(STATES)):
        if number not in BEARING:
            code[2 * held[number] >= n] = number
    productive, pruned = (held[number] for number in BEARING)
    bears = 2 * (productive.astype(np.int64) + pruned) >= n
    code[bears] = np.where(pruned > productive, *reversed(BEARING))[bears]
    return code
