"""What labels are worth where the map is least sure, beside labels drawn by chance, on lands of border-1.

    python -m benchmarks.label_next [--seeds 31 32 33] [--write docs/models.md]

Both begin with the same `FIRST` pixels drawn by chance. Then one goes on by chance, the other by the rule of
`cocal label-next`: a forest is trained, the land mapped, the least sure pixels are labelled, one per square,
and so on in `BATCHES`. F1 of coca is that of the plain likeliest class on all pixels of the land.
Exit code 1 if what is required does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks import border
from benchmarks.border import LAST_YEAR, Land, Pixels, demo_features
from benchmarks.marks import write_between
from cocal.classify.doubt import doubt_of, most_doubtful_pixels, most_doubtful_places, worth_of
from cocal.classify.kernel import accelerated
from cocal.simulate.land.kinds import CODES

SEEDS = tuple(range(31, 41))
"""Lands on which nothing was chosen (the rule was, among five, on land 41)."""

SIDE_PX = 312
"""Lands of 3.1 km: a quarter of those of the other benchmarks."""

FIRST, MANY, APART_M = 200, 6_000, 60
BATCHES = (350, 500, 750, 1_000, 1_500, 2_000)
"""Labels after each batch."""

EARLY, THIRD, AHEAD = 500, MANY // 3, 0.9
TREES = 60


def mapped(pixels: Pixels, labelled: NDArray[np.intp], seed: int) -> tuple[float, NDArray[np.float64]]:
    """(F1 of coca, probability of coca) of all pixels, by a forest that these rows trained."""
    forest = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=seed)
    forest.fit(pixels.x[labelled], pixels.code[labelled])
    answer = accelerated(forest).predict_proba(np.ascontiguousarray(pixels.x))
    classes = forest.classes_.tolist()
    if CODES["coca"] not in classes:
        return 0.0, np.zeros(len(pixels.x))
    column = classes.index(CODES["coca"])
    said = answer.argmax(axis=1) == column
    f1 = 2 * (said & pixels.coca).sum() / (said.sum() + pixels.coca.sum())
    return float(f1), answer[:, column]


def next_rows(
    pixels: Pixels, probability: NDArray[np.float64], labelled: NDArray[np.intp], number: int, land: Land
) -> NDArray[np.intp]:
    """The rows to be labelled next."""
    window = land.window
    doubt, known = np.full(window.shape, np.nan), np.zeros(window.shape, dtype=bool)
    doubt[pixels.row, pixels.col] = doubt_of(probability)
    known[pixels.row[labelled], pixels.col[labelled]] = True
    worth = worth_of(doubt, known, APART_M / window.resolution)
    worth[known] = np.nan
    places = most_doubtful_places(most_doubtful_pixels(worth, window, APART_M), number)
    row, column, _ = window.locate(places["x"].to_numpy(), places["y"].to_numpy())
    at = np.full(window.shape, -1)
    at[pixels.row, pixels.col] = np.arange(len(pixels.row))
    return np.asarray(at[row, column], dtype=np.intp)


def learned(seed: int) -> pd.DataFrame:
    """F1 by number of labels and way of one land."""
    border.SIDE_PX = SIDE_PX
    land = Land(seed, LAST_YEAR)
    pixels = land.pixels(demo_features())
    order = np.random.default_rng(seed).permutation(len(pixels.code))
    rows = [
        {"seed": seed, "way": "chance", "labels": n, "f1": mapped(pixels, order[:n], seed)[0]}
        for n in (EARLY, THIRD, MANY)
    ]
    chosen = order[:FIRST]
    f1, probability = mapped(pixels, chosen, seed)
    for labels in BATCHES:
        more = next_rows(pixels, probability, chosen, labels - len(chosen), land)
        chosen = np.concatenate([chosen, more])
        f1, probability = mapped(pixels, chosen, seed)
        rows.append({"seed": seed, "way": "doubt", "labels": len(chosen), "f1": f1})
    return pd.DataFrame(rows)


def per_land(found: pd.DataFrame) -> pd.DataFrame:
    """A row per land: F1 by chance with few and many labels, by doubt with few and a third, labels needed."""
    rows = []
    for seed, part in found.groupby("seed"):
        chance, doubt = (part[part["way"] == way].set_index("labels")["f1"] for way in ("chance", "doubt"))
        enough = doubt.index[doubt >= chance[MANY]]
        rows.append(
            {
                "seed": seed,
                "chance_early": chance[EARLY],
                "doubt_early": doubt[EARLY],
                "chance_many": chance[MANY],
                "doubt_third": doubt.iloc[-1],
                "needed": int(enough[0]) if len(enough) else None,
            }
        )
    return pd.DataFrame(rows)


def problems(lands: pd.DataFrame) -> list[str]:
    """What does not hold."""
    ahead = int((lands["doubt_early"] > lands["chance_early"]).sum())
    short = lands.loc[lands["needed"].isna(), "seed"].tolist()
    out = [f"{THIRD} labels do not reach the F1 of {MANY} on lands {short}"] if short else []
    few = ahead < AHEAD * len(lands)
    return [*out, *([f"ahead at {EARLY} labels on {ahead} of {len(lands)} lands"] if few else [])]


def table(lands: pd.DataFrame) -> str:
    """The lands as a table for people."""
    head = (
        f"| land | F1, {EARLY} by chance | F1, {EARLY} by doubt | F1, {MANY:,} by chance "
        f"| F1, {THIRD:,} by doubt | labels by doubt that reach it |"
    )
    lines = [
        f"| {r.seed} | {r.chance_early:.2f} | {r.doubt_early:.2f} | {r.chance_many:.2f} "
        f"| {r.doubt_third:.2f} | {'not reached' if pd.isna(r.needed) else f'{int(r.needed):,}'} |"
        for r in lands.itertuples()
    ]
    return "\n".join([head, "|---|---|---|---|---|---|", *lines])


def measure(seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """`per_land` of the lands."""
    return per_land(pd.concat([learned(seed) for seed in seeds], ignore_index=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    chosen = parser.parse_args()
    lands = measure(chosen.seeds)
    print(table(lands), flush=True)
    broken = problems(lands)
    if chosen.write:
        write_between(chosen.write, "label-next", table(lands))
    print("\n".join(broken) or "all holds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
