"""Labels that deserve a second look: findings for a person to judge. Nothing is dropped or changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.estimators import one_thread
from cocal.classify.validation.validate import Fitted
from cocal.contracts import Period

COLUMNS = ("sample_id", "label", "rule", "found", "likelier", "probability")
RULES = {
    "same_place": "samples of different classes at one place",
    "same_values": "samples of different classes with the same features",
    "not_seen": "no clear image shows it",
    "out_of_season": "the label speaks of a day outside the period",
    "suspect": "models that did not see it are sure of another class",
}


def check_labels(samples: pd.DataFrame, fitted: Fitted, period: Period) -> pd.DataFrame:
    """One row per finding, in the order of `RULES`: sample_id, label, rule, found (in words), likelier, probability.

    Parameters
    ----------
    samples : DataFrame
        All labelled pixels or series, those that do not train too: label, sample_id, epsg, x, y, the
        features, and `labelled_on` where it is known.
    fitted : Fitted
        The models of the spatial blocks: each says what a sample is that lies in none of its blocks.
    period : Period
        What the labels should speak of.
    """
    names = list(fitted.problem.names)
    parts = [
        _clashes(samples, ["epsg", "x", "y"], "same_place", "at this place"),
        _clashes(samples.dropna(subset=names), names, "same_values", "with these features"),
        _found(samples[samples[names].isna().all(axis=1)], "not_seen", "no value in any feature"),
        _out_of_season(samples, period),
        suspects(fitted),
    ]
    parts = [part for part in parts if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return whole.drop_duplicates(["sample_id", "rule"]).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _found(rows: pd.DataFrame, rule: str, words: Sequence[str] | str) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample_id": rows["sample_id"], "label": rows["label"], "rule": rule, "found": words}
    )


def _clashes(samples: pd.DataFrame, same: list[str], rule: str, words: str) -> pd.DataFrame:
    """Rows that agree in `same` and differ in their label."""
    twins = samples[samples.duplicated(same, keep=False)]
    if twins.empty:
        return _found(twins, rule, "")
    groups = twins.groupby(same, dropna=False)["label"]
    clash = twins[groups.transform("nunique") > 1]
    labels = groups.transform(lambda own: " and ".join(sorted(set(own))))
    return _found(clash, rule, [f"{labels[row]} {words}" for row in clash.index])


def _out_of_season(samples: pd.DataFrame, period: Period) -> pd.DataFrame:
    if "labelled_on" not in samples:
        return _found(samples.iloc[:0], "out_of_season", "")
    days = pd.to_datetime(samples["labelled_on"], errors="coerce", format="ISO8601").dt.normalize()
    out = samples[~days.between(pd.Timestamp(period.start), pd.Timestamp(period.end))]
    return _found(
        out, "out_of_season", [f"{d}, not in {period.start} to {period.end}" for d in out["labelled_on"]]
    )


def out_of_fold(fitted: Fitted) -> NDArray[np.float64]:
    """(row, class) probabilities of each row from the model of the fold that tests it."""
    problem = fitted.problem
    found = np.zeros((len(problem.labels), len(problem.keys)))
    with one_thread():
        for fold, estimator in zip(fitted.design.folds, fitted.estimators, strict=True):
            answer = estimator.predict_proba(problem.values[fold.test])
            found[np.ix_(fold.test, estimator.classes_)] = answer
    return found


def suspects(fitted: Fitted) -> pd.DataFrame:
    """Samples that are likelier of another class, and as likely as that class's own samples are on average.

    Confident learning (Northcutt et al. 2021, JAIR 70:1373, eq. 2), on the mean probability of a sample's
    pixels; the surest first.
    """
    problem = fitted.problem
    frame = pd.DataFrame(out_of_fold(fitted), columns=list(problem.keys))
    samples = problem.table[["sample_id", "label"]].reset_index(drop=True)
    mean = frame.groupby([samples["sample_id"], samples["label"]], sort=True).mean().reset_index()
    shares = mean[list(problem.keys)].to_numpy()
    own = np.searchsorted(np.array(problem.keys), mean["label"].to_numpy(str))
    usual = np.array(
        [shares[own == k, k].mean() if (own == k).any() else np.inf for k in range(len(problem.keys))]
    )
    likelier = shares.argmax(axis=1)
    sure = (likelier != own) & (shares.max(axis=1) >= usual[likelier])
    rows, best = mean[sure], likelier[sure]
    found = _found(rows, "suspect", [f"{problem.keys[k]} looks likelier" for k in best])
    found = found.assign(
        likelier=np.array(problem.keys, dtype=object)[best], probability=shares[sure].max(axis=1).round(3)
    )
    return found.sort_values(["probability", "sample_id"], ascending=[False, True], ignore_index=True)
