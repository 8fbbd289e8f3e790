"""What each ingredient adds on real samples, Brazil to Bolivia, the table in docs/models.md.

python -m tests.acceptance.models_ablation      # measures it again and writes it
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.marks import write_between
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from cocal.classify.estimators import fit
from cocal.classify.settings import TrainSettings
from tests.acceptance.models_scores import MEASURES, SHAPE, T20LKP, border_samples
from tests.acceptance.real import BORDER_CLASSES, FOREST, PLAIN_BORDER_FOREST, SEEDS, border_scores, raw_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
MONTHS, STATISTICS, YEAR = SHAPE[:1], SHAPE[1:5], SHAPE[5:]
HARVESTS = (".falls",)
RAW = "every number of the file"
WAYS = (
    ("extra_trees", RAW, ()),
    ("extra_trees", "months", MONTHS),
    ("extra_trees", "statistics", STATISTICS),
    ("extra_trees", "months, statistics", MONTHS + STATISTICS),
    ("extra_trees", "months, statistics, shape of the year", SHAPE),
    ("extra_trees", "months, statistics, shape of the year, falls", SHAPE + HARVESTS),
    ("random_forest", "months, statistics, shape of the year", SHAPE),
)
"""(estimator, what it sees, which features that is)."""


def settings_of(estimator: str, seed: int) -> TrainSettings:
    return TrainSettings.model_validate(
        {"id": "t20lkp", "estimator": estimator, "parameters": {"n_estimators": FOREST}, "seed": seed,
         "missing": "native", "null_index": "best",
         "validation": {"block_m": 22_000, "folds": 2, "buffer_m": 0}}
    )  # fmt: skip


def measured() -> NDArray[np.float64]:
    """(way, measure, seed): the plain forest first, then `WAYS`."""
    samples, names, bolivian = border_samples(SHAPE + HARVESTS)
    truth, keys = samples["label"].to_numpy(str), np.array(sorted(BORDER_CLASSES))
    codes = np.searchsorted(keys, truth).astype(np.uint8)
    raw = raw_table(T20LKP, samples["sample_id"])
    found = np.empty((1 + len(WAYS), len(MEASURES), len(SEEDS)))
    for at, seed in enumerate(SEEDS):
        plain = RandomForestClassifier(PLAIN_BORDER_FOREST, random_state=seed).fit(
            raw[~bolivian], truth[~bolivian]
        )
        answers = [plain.predict(raw[bolivian])]
        for estimator, _, suffixes in WAYS:
            chosen = [name for name in names if name.endswith(suffixes) or ("@" in name and "@*" in suffixes)]
            values = (samples[chosen].to_numpy() if suffixes else raw).astype(np.float32)
            model = fit(settings_of(estimator, seed), values[~bolivian], codes[~bolivian])
            answers.append(keys[model.predict(values[bolivian])])
        for way, answer in enumerate(answers):
            scores = border_scores(truth[bolivian], {"it": answer})
            found[way, :, at] = [scores[f"{measure} it"] for measure in MEASURES]
    return found


def table(found: NDArray[np.float64]) -> str:
    """The means over the seeds, and in accuracy what is more than the plain forest of the same seed."""
    rows = [
        (
            f"| model | sees | {' | '.join(MEASURES)} | accuracy beyond the plain forest (sd) | ahead, "
            "level, "
            "behind |"
        ),
        "|---" * 7 + "|",
    ]
    for way, (estimator, sees) in enumerate(
        [("plain random forest", RAW), *((e.replace("_", " "), s) for e, s, _ in WAYS)]
    ):
        more = found[way, 0] - found[0, 0]
        counts = ", ".join(str(int(part.sum())) for part in (more > 1e-9, np.abs(more) <= 1e-9, more < -1e-9))
        told = [f"{more.mean():+.4f} ({more.std(ddof=1):.4f})", counts] if way else ["", ""]
        rows.append(
            f"| {' | '.join([estimator, sees, *(f'{m:.4f}' for m in found[way].mean(axis=1)), *told])} |"
        )
    return "\n".join(rows)


def what_each_ingredient_adds_on_real_samples_is_what_the_document_says() -> str:
    text = table(measured())
    assert text in DOCUMENT.read_text(encoding="utf-8"), f"docs/models.md has another table than\n{text}"
    return (
        f"{len(WAYS)} ways beside the plain forest, {len(SEEDS)} seeds: the table of docs/models.md to the "
        "digit"
    )


REQUIREMENTS = (what_each_ingredient_adds_on_real_samples_is_what_the_document_says,)

if __name__ == "__main__":
    write_between(DOCUMENT, "real samples", table(measured()))
