"""Cover of patches on a day: coca is opened, bears, is abandoned or eradicated, and returns; fields are sown.

Days are counted from 2000-01-01, so that the history of a land does not depend on the year of the images.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from cocal.simulate.land.kinds import COCA_KINDS, NUMBER
from cocal.simulate.land.patches import COCA, ROTATION, Patches

YEAR = 365.25
BURNED_YEARS = 0.15
BEARING_YEARS = (1.0, 2.0)
"""A plot bears 12 to 24 months after planting (issue 4)."""
STUBS_YEARS, SENESCENT_YEARS, FALLOW_YEARS = 0.35, 3.0, 7.0

SEEN = {"coca": 0.95, "mixed_coca": 0.90, "shaded_coca": 0.82}
"""Probability that a survey office detects a plot (assumption; UNODC names shade and mixture)."""
MISTAKEN = {"nursery": 0.25, "abandoned_coca": 0.15, "eradicated": 0.35, "stevia": 0.03, "tea": 0.01}
"""Probability that it maps such a plot as coca (assumption; UNODC names stevia)."""

Array = NDArray[np.float64]


def day_number(day: date) -> float:
    """Days since 2000-01-01."""
    return float((day - date(2000, 1, 1)).days)


def generation(patches: Patches, day: float) -> tuple[Array, Array]:
    """(years since the ground was last opened for coca, age at which it ends); before it -1, infinity."""
    since = day - patches.opened
    age = np.where(since < 0, -1.0, np.mod(since, patches.cycle) / YEAR)
    end = np.where(since < 0, np.inf, patches.life * patches.cycle / YEAR)
    return age, end


def state(patches: Patches, day: float) -> tuple[NDArray[np.int64], Array]:
    """(kind, years since it became that kind) of every patch on a day; 0 where they do not matter."""
    kind, years = patches.kind.copy(), np.zeros(len(patches))
    sown = patches.use == ROTATION
    kind[sown] = _rotation(patches.take(sown), day)
    sites = patches.use == COCA
    kind[sites], years[sites] = _coca(patches.take(sites), day)
    return kind, years


def _rotation(fields: Patches, day: float) -> NDArray[np.int64]:
    """The crop of the farming year that begins in August: cassava, maize, fallow or none."""
    season = np.floor((day - 213.0) / YEAR)
    turn = fields.luck * 7.31 + season * 0.2236
    turn -= np.floor(turn)
    names = ("cassava", "maize", "young_regrowth")
    return np.select([turn < 0.36, turn < 0.62, turn < 0.86], [NUMBER[n] for n in names], NUMBER["tilled"])


def _coca(sites: Patches, day: float) -> tuple[NDArray[np.int64], Array]:
    age, end = generation(sites, day)
    bears = BEARING_YEARS[0] + (BEARING_YEARS[1] - BEARING_YEARS[0]) * sites.pace
    gone = age - end
    steps: list[tuple[NDArray[np.bool_], NDArray[np.int64] | int, Array]] = [
        (age < 0, sites.kind, 0.0 * age),
        (age < BURNED_YEARS, NUMBER["burned"], age),
        (age < bears, NUMBER["nursery"], age),
        (gone < 0, sites.form, age - bears),
        (sites.cleared & (gone < STUBS_YEARS), NUMBER["eradicated"], gone),
        (~sites.cleared & (gone < SENESCENT_YEARS), NUMBER["abandoned_coca"], gone),
        (gone < FALLOW_YEARS, NUMBER["young_regrowth"], gone),
    ]
    conditions, kinds, years = zip(*steps, strict=True)
    kind = np.select(conditions, [np.broadcast_to(k, age.shape) for k in kinds], NUMBER["middle_regrowth"])
    return kind.astype(np.int64), np.select(conditions, years, 0.0)


def is_coca(kind: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for the kinds that count as coca."""
    return np.isin(kind, [NUMBER[name] for name in COCA_KINDS])


def ended_between(patches: Patches, start: float, stop: float) -> NDArray[np.bool_]:
    """Bearing plots that the state eradicated after `start` and up to `stop`."""
    age, end = generation(patches, stop)
    gone = (age - end) * YEAR
    return np.asarray((patches.use == COCA) & patches.cleared & (gone >= 0) & (gone < stop - start))


def census(patches: Patches, day: float) -> NDArray[np.bool_]:
    """Patches that an invented survey office maps as coca on a day; it errs on the same plots every year."""
    kind, _ = state(patches, day)
    chance = np.zeros(len(NUMBER))
    for name, share in {**SEEN, **MISTAKEN}.items():
        chance[NUMBER[name]] = share
    return np.asarray(patches.luck < chance[kind])
