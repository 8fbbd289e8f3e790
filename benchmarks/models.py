"""What each way to make a map is worth on border-1: regions left out, years left out, ten lands.

python -m benchmarks.models --seeds 7 8 --kinds region      # a look
python -m benchmarks.models --variants "plain forest"       # these again, the others as they were found last
python -m benchmarks.models --write docs/models.md          # the table into the document
python -m benchmarks.models --variants --write docs/models.md   # the same from the rows kept in models.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student
from sklearn.metrics import average_precision_score

from benchmarks.border import KINDS, Split, splits
from benchmarks.marks import write_between
from benchmarks.variants import FULL, PLAIN, VARIANTS, Answer, Variant

SEEDS = tuple(range(7, 17))
FOUND = Path(__file__).with_suffix(".csv")
"""What was measured: pixels counted in each split."""
NAMED = {v.name: v for v in VARIANTS}
PAIRS = [
    (FULL, NAMED[name]) for name in ("last year's map", "full without harvests", "full without threshold")
]
PAIRS += [(NAMED[f"plain forest + {name}"], PLAIN) for name in ("harvests", "minimum unit")]
"""What is told of two ways side by side, below each table."""
KEY = ["variant", "seed", "kind", "left_out"]


def counted(variant: Variant, seed: int, split: Split) -> dict[str, object]:
    """One row: what a variant called coca in what was left out, against the truth."""
    answer: Answer = variant.answer(split.train, split.test, seed)
    coca, known = split.test.coca, not np.isnan(answer.probability).any()
    return {
        "variant": variant.name, "seed": seed, "kind": split.kind, "left_out": split.left_out,
        "pixels": coca.size,
        "coca": int(coca.sum()), "said": int(answer.said.sum()), "hits": int((answer.said & coca).sum()),
        "average_precision": average_precision_score(coca, answer.probability)
        if known and coca.any()
        else np.nan,
        "brier": float(((answer.probability - coca) ** 2).mean()) if known else np.nan,
    }  # fmt: skip


def measured(
    variants: Sequence[Variant], seeds: Sequence[int], kinds: Sequence[str] = tuple(KINDS)
) -> Iterator[pd.DataFrame]:
    """`counted` of every variant and split, seed by seed."""
    for seed in seeds:
        rows = []
        for digest, wanted in {v.features.digest: v.features for v in variants}.items():
            chosen = [v for v in variants if v.features.digest == digest]
            for split in splits(seed, wanted, kinds):
                rows += [counted(v, seed, split) for v in chosen]
        yield pd.DataFrame(rows)


def per_land(found: pd.DataFrame) -> pd.DataFrame:
    """Per variant, kind and seed: F1 of coca over all that was left out, and counted / true pixels."""
    sums = found.groupby(["variant", "kind", "seed"], sort=False)[["coca", "said", "hits"]].sum()
    mean = found.groupby(["variant", "kind", "seed"], sort=False)[["average_precision", "brier"]].mean()
    sums["f1"] = 2 * sums["hits"] / (sums["coca"] + sums["said"])
    sums["users"], sums["producers"] = sums["hits"] / sums["said"], sums["hits"] / sums["coca"]
    sums["ratio"] = sums["said"] / sums["coca"]
    return sums.join(mean).reset_index()


def interval(values: pd.Series) -> tuple[float, float]:
    """95 % interval of the mean over lands, which are independent draws (Student's t)."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def told(values: pd.Series, sign: str = "") -> str:
    """Mean and interval."""
    low, high = interval(values)
    return f"{values.mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def row(variant: Variant, lands: pd.DataFrame, plain: pd.Series) -> str:
    """One line of the table: a variant on its `lands`, beside the F1 of the `plain` forest on the same."""
    more = (lands["f1"] - plain).dropna()
    beside = ["", ""] if variant is PLAIN else [told(more, "+"), f"{int((more > 0).sum())} of {len(more)}"]
    optional = (("average_precision", 3), ("brier", 4))
    cells = [
        f"{variant.name}{' (null)' if variant.null else ''}", told(lands["f1"]), *beside,
        *(f"{lands[c].mean():.3f}" for c in ("users", "producers")),
        *("" if lands[c].isna().all() else f"{lands[c].mean():.{digits}f}" for c, digits in optional),
        f"{lands['ratio'].mean():.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def table(found: pd.DataFrame) -> str:
    """The scores of all variants as a table for people; the nulls always stand in it."""
    lands = per_land(found)
    lacking = {v.name for v in VARIANTS if v.null} - set(lands["variant"])
    if lacking:
        raise SystemExit(f"no table without the null models; measure {', '.join(sorted(lacking))}")
    parts = []
    for kind, words in KINDS.items():
        part = lands[lands["kind"] == kind].set_index("seed")
        own = {v: part[part["variant"] == v.name] for v in VARIANTS}
        if own[PLAIN].empty:
            continue
        parts += [
            f"**{words}**, lands {', '.join(map(str, sorted(own[PLAIN].index)))}:", "",
            ("| map | F1 of coca [95 %] | more than the plain forest [95 %] | better in | user's | "
             "producer's "
            "| AP | Brier | counted / true |"),
            "|---|---|---|---|---|---|---|---|---|",
            *(row(v, rows, own[PLAIN]["f1"]) for v, rows in own.items() if not rows.empty), "",
        ]  # fmt: skip
        parts += [f"* {pair(a, b, own)}" for a, b in PAIRS if not (own[a].empty or own[b].empty)] + [""]
    return "\n".join(parts).rstrip()


def pair(first: Variant, second: Variant, own: Mapping[Variant, pd.DataFrame]) -> str:
    """What the first has more than the second on the same lands, in F1 and in average precision."""
    f1, precision = ((own[first][c] - own[second][c]).dropna() for c in ("f1", "average_precision"))
    return (
        f"{first.name} less {second.name}: F1 {told(f1, '+')}, more in {int((f1 > 0).sum())} of {len(f1)}; "
        f"AP {told(precision, '+')}"
    )


def keep(fresh: pd.DataFrame) -> None:
    """Write `fresh` over what was measured before of the same variants and splits; the rest stays."""
    found = pd.concat([read_found(), fresh]) if FOUND.exists() else fresh
    found.drop_duplicates(KEY, keep="last").to_csv(FOUND, index=False, float_format="%.6f")


def read_found() -> pd.DataFrame:
    """What was measured last, of the variants that there are."""
    found = pd.read_csv(FOUND, dtype={"left_out": str})
    return found[found["variant"].isin([v.name for v in VARIANTS])]


def main() -> int:
    names = [v.name for v in VARIANTS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=tuple(KINDS))
    parser.add_argument("--variants", nargs="*", choices=names, default=names)
    parser.add_argument("--write", type=Path, help="document that holds the table between its marks")
    chosen = parser.parse_args()
    variants = [v for v in VARIANTS if v.name in chosen.variants]
    for seed, fresh in zip(chosen.seeds, measured(variants, chosen.seeds, chosen.kinds), strict=True):
        keep(fresh)
        print(f"seed {seed}", file=sys.stderr, flush=True)
    text = table(read_found())
    print(text, flush=True)
    if chosen.write:
        write_between(chosen.write, "models", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
