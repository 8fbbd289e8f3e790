"""The kernels against scikit-learn and plain numpy (`tests/oracles`), in turns.

`python -m benchmarks.kernels [pixels] [turns]`

Prints the middle ratio of CPU seconds of each pair, the smallest and the largest, and if results are equal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from tests.oracles import rasters

from cocal.classify.kernel import kernel_of
from cocal.contracts import Period
from cocal.features import FeatureSettings
from cocal.features.composites import reduce_dates
from cocal.features.stack import FeaturePlan
from cocal.features.windows import select_features

FEATURES, CLASSES = 96, 6
MODELS: dict[str, tuple[float, Callable[[], Any]]] = {
    "random forest 300 x 18": (5.5, lambda: RandomForestClassifier(300, max_depth=18, random_state=0)),
    "random forest 100 x 12": (
        5.5,
        lambda: RandomForestClassifier(100, max_depth=12, min_samples_leaf=5, random_state=0),
    ),
    "boosting 100 rounds x 6 classes": (15.0, lambda: HistGradientBoostingClassifier(random_state=0)),
}
"""Name -> least ratio, and the estimator; of forests the ratio for int16 features (the kernel takes
float32).
"""


@dataclass(frozen=True)
class Pairs:
    """CPU seconds of the yardstick and of the contender, turn by turn."""

    name: str
    yardstick: tuple[float, ...]
    contender: tuple[float, ...]
    equal: bool

    @property
    def ratios(self) -> list[float]:
        return sorted(a / b for a, b in zip(self.yardstick, self.contender, strict=True))

    def __str__(self) -> str:
        low, middle, high = self.ratios[0], float(np.median(self.ratios)), self.ratios[-1]
        return (
            f"{self.name}: {middle:.2f} x ({low:.2f} to {high:.2f}), {'equal' if self.equal else 'NOT EQUAL'}"
        )


def in_turns(
    name: str,
    yardstick: Callable[[], Any],
    contender: Callable[[], Any],
    same: Callable[[Any, Any], bool],
    turns: int,
) -> Pairs:
    """Both, one after the other, `turns` times, after one turn that is not counted."""
    equal = same(yardstick(), contender())
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for seconds, call in zip(spent, (yardstick, contender), strict=True):
            began = time.process_time()
            call()
            seconds.append(time.process_time() - began)
    return Pairs(name, tuple(spent[0]), tuple(spent[1]), equal)


def invented(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, feature) float32 of 8 hidden causes with noise, and classes 0 to 5."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    mixing, centres = fixed.normal(size=(8, FEATURES)), fixed.normal(size=(CLASSES, 8)) * 1.15
    y = rng.integers(0, CLASSES, n)
    hidden = centres[y] + rng.normal(size=(n, 8))
    return ((hidden @ mixing / 3 + rng.normal(size=(n, FEATURES)) * 0.8) * 0.2).astype(np.float32), y


def models(pixels: int, turns: int) -> Iterator[Pairs]:
    """Each model's kernel against its `predict_proba`."""
    x, y = invented(24_000, 1)
    asked, _ = invented(pixels, 2)
    by_columns = np.asfortranarray(asked)
    for name, (_, build) in MODELS.items():
        estimator = build().fit(x, y)
        kernel = kernel_of(estimator)
        assert kernel is not None
        yield in_turns(
            name, lambda e=estimator: e.predict_proba(asked), lambda k=kernel: k.predict_proba(by_columns),
            lambda a, b: bool(np.array_equal(a, b)), turns,
        )  # fmt: skip


def strips(pixels: int, turns: int) -> Iterator[Pairs]:
    """Composites of 20 dates and 96 features against plain numpy."""
    bands = [
        "blue",
        "green",
        "red",
        "rededge071",
        "rededge075",
        "rededge078",
        "nir",
        "nir08",
        "swir16",
        "swir22",
    ]
    indices = [
        "NDVI",
        "EVI2",
        "SAVI",
        "NDMI",
        "NBR2",
        "BSI",
        "CIRE",
        "NDREI",
        "GNDVI",
        "MCARI",
        "NDWI",
        "MTCI",
    ]
    names = [f"{b}@*" for b in (*bands, "NDVI", "NDMI")]
    names += [f"{i}.{s}" for i in indices for s in ("p10", "median", "p90", "std")]
    plain = {
        "mask": "none",
        "windows": "quarterly",
        "composite": "median",
        "features": names,
        "fill": {"*": "none"},
    }
    settings, rng = FeatureSettings.model_validate(plain), np.random.default_rng(0)
    stacks = {
        b: rng.integers(300, 4000, (20, 1, pixels)).astype(np.uint16) for b in settings.reflectance_bands
    }
    clear = rng.random((20, 1, pixels)) < 0.6
    yield in_turns(
        "median of 20 dates, 10 bands", *(
            lambda f=f: f(stacks, clear, settings).bands for f in (rasters.reduce_dates, reduce_dates)
        ), lambda a, b: all(a[k].tobytes() == b[k].tobytes() for k in a), turns,
    )  # fmt: skip
    quarters = [
        reduce_dates({b: s[i::4] for b, s in stacks.items()}, clear[i::4], settings).bands for i in range(4)
    ]
    year = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
    chosen = select_features(settings, year)
    plan = FeaturePlan.of(settings, year)
    parts = [
        [{b: v[:, a : a + 4096] for b, v in own.items()} for own in quarters] for a in range(0, pixels, 4096)
    ]
    yield in_turns(
        f"{len(chosen)} features of 4 windows", *(
            lambda f=f: [f(p) for p in parts]
            for f in (lambda p: rasters.features(p, settings, year), plan.compute)
        ), lambda a, b: all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True)), turns,
    )  # fmt: skip


def main(arguments: list[str]) -> None:
    pixels, turns = [int(a) for a in arguments] or [16_384, 5]
    for measure in (models, strips):
        for pairs in measure(pixels, turns):
            print(f"- {pairs}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
