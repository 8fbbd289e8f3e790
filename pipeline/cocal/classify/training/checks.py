"""Checks of the labels: findings for a person to judge, as a table and a page. No label is changed."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.estimators import one_thread
from cocal.classify.model import save_model
from cocal.classify.training.train import Trained
from cocal.classify.validation.validate import Fitted
from cocal.contracts import Period
from cocal.notes.account import first, part, record
from cocal.store import atomic_path, write_csv
from cocal.user_tables import local_times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE, PAGE = "labels.csv", "labels.html"
SHOWN = 12
"""Suspects that the page shows a figure of, at most."""

_STYLE = (
    "body{font:15px sans-serif;max-width:60rem;margin:2rem auto}td,th{padding:.2rem .6rem;text-align:left}"
)
COLUMNS = ("sample_id", "label", "rule", "found", "likelier", "probability")
RULES = {
    "same_place": "samples of different classes at one place",
    "same_values": "samples of different classes with the same features",
    "not_seen": "no clear image of the sample",
    "out_of_season": "the label is of a day outside the period",
    "suspect": "models that were not trained on it are confident of another class",
}


def check_labels(samples: pd.DataFrame, fitted: Fitted, period: Period) -> pd.DataFrame:
    """One row per finding, in the order of `RULES`: sample_id, label, rule, found, likelier, probability.

    Parameters
    ----------
    samples : DataFrame
        All labelled pixels or series, also those that do not train: label, sample_id, epsg, x, y, the
        features, and `labelled_on` where it is known.
    fitted : Fitted
        The models of the spatial folds: each sample is judged by the one that it did not train.
    period : Period
        The period that the labels should refer to.
    """
    names = list(fitted.problem.names)
    parts = [
        _clashes(samples, ["epsg", "x", "y"], "same_place", "at this place"),
        _clashes(samples.dropna(subset=names), names, "same_values", "with these features"),
        _found(samples[samples[names].isna().all(axis=1)], "not_seen", "no value in any feature"),
        _out_of_season(samples, period),
        suspects(fitted),
    ]
    parts = [part for part in parts if len(part)] or [pd.DataFrame(columns=list(COLUMNS))]
    whole = pd.concat(parts, ignore_index=True)
    return whole.drop_duplicates(["sample_id", "rule"]).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _found(rows: pd.DataFrame, rule: str, text: Sequence[str] | str) -> pd.DataFrame:
    return pd.DataFrame({"sample_id": rows["sample_id"], "label": rows["label"], "rule": rule, "found": text})


def _clashes(samples: pd.DataFrame, same: list[str], rule: str, text: str) -> pd.DataFrame:
    """Rows that agree in `same` and differ in their label."""
    twins = samples[samples.duplicated(same, keep=False)]
    if twins.empty:
        return _found(twins, rule, "")
    groups = twins.groupby(same, dropna=False)["label"]
    clash = twins[groups.transform("nunique") > 1]
    labels = groups.transform(lambda own: " and ".join(sorted(set(own))))
    return _found(clash, rule, [f"{labels[row]} {text}" for row in clash.index])


def _out_of_season(samples: pd.DataFrame, period: Period) -> pd.DataFrame:
    if "labelled_on" not in samples:
        return _found(samples.iloc[:0], "out_of_season", "")
    days = local_times(samples["labelled_on"]).dt.normalize()
    out = samples[~days.between(pd.Timestamp(period.start), pd.Timestamp(period.end))]
    return _found(
        out, "out_of_season", [f"{d}, not in {period.start} to {period.end}" for d in out["labelled_on"]]
    )


def out_of_fold(fitted: Fitted) -> NDArray[np.float64]:
    """(row, class) probabilities of each row from the model of the fold that tests it."""
    problem = fitted.problem
    shares = np.zeros((len(problem.labels), len(problem.keys)))
    with one_thread():
        for fold, estimator in zip(fitted.design.folds, fitted.estimators, strict=True):
            shares[np.ix_(fold.test, estimator.classes_)] = estimator.predict_proba(problem.values[fold.test])
    return shares


def suspects(fitted: Fitted) -> pd.DataFrame:
    """Samples with another class that is as probable as it is, on average, for that class's own samples.

    Confident learning (Northcutt et al. 2021, JAIR 70:1373, eq. 2), on the mean probability of a sample's
    pixels; in descending order of probability.
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


def write_trained(folder: Path, trained: Trained, samples: pd.DataFrame, period: Period) -> None:
    """Write the model with its card, and the findings about the labels of all `samples` in `period`."""
    save_model(trained.model, folder)
    findings = check_labels(samples, trained.fitted, period)
    write_checks(folder, findings, trained.fitted, simulated=trained.model.card.simulated)


def record_unused(ids: Sequence[str], samples: pd.DataFrame, fitted: Fitted) -> None:
    """Record the samples of which nothing trains, and those that are seen in part.

    Parameters
    ----------
    ids
        Of all samples that were given.
    samples
        Their pixels or series with features, also those that do not train.
    fitted
        What was fitted to those that train.
    """
    problem, there = fitted.problem, samples["sample_id"]
    blank = samples[list(problem.names)].isna().all(axis=1)
    training = there.isin(problem.table["sample_id"]) & there.isin(there[~blank])
    unseen, bare = there[~training].unique(), sorted(set(ids) - set(there))
    partly = there[training & blank].unique()
    if len(unseen) or bare or len(partly):
        facts = part([*bare, *unseen], len(ids)) | {"which": first([*bare, *unseen, *partly])}
        record("labels_unused", **facts, bare=len(bare), unseen=len(unseen), partly=len(partly))


def write_checks(folder: Path, findings: pd.DataFrame, fitted: Fitted, *, simulated: bool) -> None:
    """Write labels.csv, a row per finding, and labels.html: counts, a map, and suspects beside classes."""
    write_csv(folder / TABLE, findings)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(_page(findings, fitted, simulated=simulated), encoding="utf-8")


def _page(findings: pd.DataFrame, fitted: Fitted, *, simulated: bool) -> str:
    labels = fitted.problem.table.drop_duplicates("sample_id")["label"].value_counts().sort_index()
    counts = findings["rule"].value_counts()
    title = "Labels to review" + (" - SIMULATED" if simulated else "")
    shares = [[k, n, f"{100 * n / labels.sum():.1f} %"] for k, n in labels.items()]
    parts = [
        "<!doctype html><meta charset='utf-8'>",
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        "<p>Nothing was dropped or changed: a person has to judge each finding.</p>",
        _table(["class", "samples", "share"], shares),
        _table(["finding", "samples"], [[text, counts.get(rule, 0)] for rule, text in RULES.items()]),
        _picture(_map(findings, fitted), "Positions of the samples; findings are marked"),
    ]
    suspects = findings[findings["rule"] == "suspect"].head(SHOWN)
    if len(suspects):
        parts.append(_picture(_courses(suspects, fitted), "Suspects beside the medians of both classes"))
    shown = findings.head(200).astype(object)
    rows = shown.where(shown.notna(), "").to_numpy().tolist()
    return "\n".join([*parts, _table(list(findings.columns), rows)])


def _table(head: list[str], rows: list[list[object]]) -> str:
    cells = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    names = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    return f"<table><tr>{names}</tr>{''.join(f'<tr>{c}</tr>' for c in cells)}</table>"


def _picture(figure: Figure, caption: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    code = base64.b64encode(buffer.getvalue()).decode()
    return f"<p><img alt='{caption}' src='data:image/png;base64,{code}'><br>{caption}</p>"


def _map(findings: pd.DataFrame, fitted: Fitted) -> Figure:
    from matplotlib.figure import Figure

    table = fitted.problem.table.drop_duplicates("sample_id")
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for label, rows in table.groupby("label"):
        axes.plot(rows["x"] / 1000, rows["y"] / 1000, ".", markersize=4, label=_escaped(str(label)))
    marked = table[table["sample_id"].isin(findings["sample_id"])]
    axes.plot(marked["x"] / 1000, marked["y"] / 1000, "o", mfc="none", mec="black", label="found")
    axes.set(xlabel="x, km in its zone", ylabel="y, km")
    axes.legend(fontsize=8)
    return figure


def _courses(suspects: pd.DataFrame, fitted: Fitted) -> Figure:
    """Each suspect's course of one variable, or all features standardised, beside both classes' medians."""
    from matplotlib.figure import Figure

    problem = fitted.problem
    names = [n for n in problem.names if "@" in n]
    variable = next((n for n in names if n.startswith("NDVI@")), names[0] if names else "").partition("@")[0]
    columns = [n for n in names if n.startswith(f"{variable}@")] or list(problem.names)
    values = problem.table[columns].astype(float)
    if not names:
        values = (values - values.mean()) / values.std().replace(0, 1)
    medians = values.groupby(problem.table["label"]).median()
    rows = -(-len(suspects) // 3)
    figure = Figure(figsize=(9, 2.2 * rows), layout="constrained")
    panels = np.ravel(figure.subplots(rows, 3, squeeze=False))
    for axes, found in zip(panels, suspects.itertuples(), strict=False):
        for key, style in ((found.label, "C0--"), (found.likelier, "C1--")):
            axes.plot(medians.loc[str(key)].to_numpy(), style, label=_escaped(str(key)))
        axes.plot(values[problem.table["sample_id"] == found.sample_id].mean().to_numpy(), "k-")
        axes.set_title(_escaped(f"{found.sample_id}: {found.label}?"), fontsize=8)
        axes.legend(fontsize=6)
    figure.supylabel(variable if names else "standard deviations from the mean")
    return figure


def _escaped(text: str) -> str:
    """`text` without the sign that starts a formula in matplotlib."""
    return text.replace("$", r"\$")
