"""Where the map is unsure, and which places to label next."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pandas as pd
from benchmarks.label_next import AHEAD, EARLY, MANY, SEEDS, THIRD, measure


@lru_cache(maxsize=1)
def _lands() -> pd.DataFrame:
    return measure(SEEDS)


def a_third_of_the_labels_reaches_the_f1_of_random_ones() -> str:
    """On every land."""
    lands = _lands()
    needed = lands["needed"]
    assert needed.notna().all(), (
        f"{THIRD} labels do not reach it on {lands.loc[needed.isna(), 'seed'].tolist()}"
    )
    return (
        f"{len(lands)} lands: {needed.min():.0f} to {needed.max():.0f} labels for the F1 of {MANY} by chance"
    )


def few_labels_are_worth_more_where_the_map_is_unsure() -> str:
    """On nine of ten lands."""
    lands = _lands()
    more = lands["doubt_early"] - lands["chance_early"]
    assert (more > 0).mean() >= AHEAD, f"ahead on {(more > 0).sum()} of {len(lands)}"
    return f"{EARLY} labels: ahead on {(more > 0).sum()} of {len(lands)} lands, F1 {more.mean():+.3f}"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    a_third_of_the_labels_reaches_the_f1_of_random_ones,
    few_labels_are_worth_more_where_the_map_is_unsure,
)
