"""Merging of strata, only as the configuration states it, with a warning where rates differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.estimate.strata import Strata
from cocal.estimate.tally import sum_by
from cocal.notes import Note

SAME_RATE = 1.1
"""Strata whose sampling rates differ by more than this factor are not merged without a warning."""


def merge_strata(
    stratum: NDArray[np.int64], strata: Strata, collapse: Sequence[str | Sequence[str]]
) -> tuple[NDArray[np.int64], Strata, tuple[Note, ...]]:
    """(stratum index per point, strata, warnings) after merging the groups that `collapse` names.

    A name is a stratum (`A`: then A+B merges within each region) or a stratum of one region (`A@R1`).
    """
    target = np.arange(len(strata.names))
    merged_names = dict(enumerate(strata.names))
    for group in collapse:
        names = group.split("+") if isinstance(group, str) else list(group)
        for members in _members(names, strata):
            taken = [i for i in members if target[i] != i or (target == i).sum() > 1]
            if taken:
                raise InputError(
                    f"collapse names stratum {strata.labels[taken[0]]!r} twice",
                    "every stratum in one group at most",
                    "+".join(names),
                    "join the groups into one",
                )
            target[members] = members[0]
            merged_names[members[0]] = "+".join(dict.fromkeys(strata.names[i] for i in members))
    kept, new = np.unique(target, return_inverse=True)
    if len(kept) == len(target):
        return stratum, strata, ()
    warnings = _rate_warnings(new, np.bincount(stratum, minlength=len(target)), strata)
    return new[stratum], _merged(kept, new, merged_names, strata), warnings


def _members(names: Sequence[str], strata: Strata) -> list[list[int]]:
    """Groups of stratum indices that one collapse entry merges."""
    labels = strata.labels
    unknown = [name for name in names if name not in strata.names and name not in labels]
    if unknown or len(set(names)) < 2:
        raise InputError(
            f"collapse {'+'.join(names)!r} cannot be followed",
            f"two or more of the strata {', '.join(dict.fromkeys([*strata.names, *labels]))}",
            f"no stratum {', '.join(unknown)}" if unknown else "one name",
            "fix the names",
        )
    places = {name: [i for i, n in enumerate(strata.names) if n == name] for name in names}
    if any(not found for found in places.values()):
        return [sorted(i for i, label in enumerate(labels) if label in names or strata.names[i] in names)]
    groups: dict[str, list[int]] = {}
    for found in places.values():
        for i in found:
            groups.setdefault(strata.region_names[i], []).append(i)
    return [sorted(group) for group in groups.values()]


def _merged(kept: NDArray[np.int64], new: NDArray[np.int64], names: dict[int, str], strata: Strata) -> Strata:
    region, codes = np.unique(strata.region_names, return_inverse=True)
    first, last = np.full(len(kept), len(region)), np.full(len(kept), -1)
    np.minimum.at(first, new, codes)
    np.maximum.at(last, new, codes)
    return replace(
        strata,
        names=tuple(names[int(i)] for i in kept),
        region_names=tuple(str(region[a]) if a == b else "" for a, b in zip(first, last, strict=True)),
        area_ha=sum_by(new, strata.area_ha, len(kept)),
        pixels=sum_by(new, strata.pixels, len(kept)),
        n=np.zeros(len(kept), np.int64),
        region=np.full(len(kept), -1),
    )


def _rate_warnings(new: NDArray[np.int64], n: NDArray[np.int64], strata: Strata) -> tuple[Note, ...]:
    rate = n / strata.area_ha
    low, high = np.full(int(new.max()) + 1, np.inf), np.zeros(int(new.max()) + 1)
    np.minimum.at(low, new, rate)
    np.maximum.at(high, new, rate)
    labels, warnings = strata.labels, []
    for group in np.flatnonzero(high > SAME_RATE * low):
        own = np.flatnonzero(new == group)
        names = tuple(labels[i] for i in own)
        warnings.append(
            Note(
                "merged_at_different_rates",
                strata=names,
                points=n[own].tolist(),
                hectares=strata.area_ha[own].tolist(),
            )
        )
    return tuple(warnings)
