"""Findings about labels as a table and a page with pictures, beside the model."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cocal.classify.model import save_model
from cocal.classify.training.checks import RULES, check_labels
from cocal.classify.training.train import Trained
from cocal.classify.validation.validate import Fitted
from cocal.contracts import Period
from cocal.store import atomic_path, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE, PAGE = "labels.csv", "labels.html"
SHOWN = 12
_STYLE = (
    "body{font:15px sans-serif;max-width:60rem;margin:2rem auto}td,th{padding:.2rem .6rem;text-align:left}"
)


def write_trained(folder: Path, trained: Trained, samples: pd.DataFrame, period: Period) -> None:
    """Write the model with its card, and the findings about the labels of all `samples` for `period`."""
    save_model(trained.model, folder)
    findings = check_labels(samples, trained.fitted, period)
    write_checks(folder, findings, trained.fitted, simulated=trained.model.card.simulated)


def write_checks(folder: Path, findings: pd.DataFrame, fitted: Fitted, *, simulated: bool) -> None:
    """Write labels.csv, a row per finding, and labels.html: counts, a map, and each suspect beside its classes."""
    write_csv(folder / TABLE, findings)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(_page(findings, fitted, simulated=simulated), encoding="utf-8")


def _page(findings: pd.DataFrame, fitted: Fitted, *, simulated: bool) -> str:
    labels = fitted.problem.table.drop_duplicates("sample_id")["label"].value_counts().sort_index()
    counts = findings["rule"].value_counts()
    title = "Labels to look at again" + (" - SIMULATED" if simulated else "")
    parts = [
        "<!doctype html><meta charset='utf-8'>", f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        "<p>Nothing was dropped or changed: each finding is for a person to judge.</p>",
        _table(["class", "samples", "share"], [[k, n, f"{100 * n / labels.sum():.1f} %"] for k, n in labels.items()]),
        _table(["finding", "samples"], [[words, counts.get(rule, 0)] for rule, words in RULES.items()]),
        _picture(_map(findings, fitted), "Where the samples lie; findings are marked"),
    ]  # fmt: skip
    suspects = findings[findings["rule"] == "suspect"].head(SHOWN)
    if len(suspects):
        parts.append(_picture(_courses(suspects, fitted), "Suspects beside the middle of both classes"))
    shown = findings.head(200).astype(object)
    rows = shown.where(shown.notna(), "").to_numpy().tolist()
    return "\n".join([*parts, _table(list(findings.columns), rows)])


def _table(head: list[str], rows: list[list[object]]) -> str:
    cells = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    names = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    return f"<table><tr>{names}</tr>{''.join(f'<tr>{c}</tr>' for c in cells)}</table>"


def _picture(figure: Figure, words: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    code = base64.b64encode(buffer.getvalue()).decode()
    return f"<p><img alt='{words}' src='data:image/png;base64,{code}'><br>{words}</p>"


def _map(findings: pd.DataFrame, fitted: Fitted) -> Figure:
    from matplotlib.figure import Figure

    table = fitted.problem.table.drop_duplicates("sample_id")
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for label, rows in table.groupby("label"):
        axes.plot(rows["x"] / 1000, rows["y"] / 1000, ".", markersize=4, label=_plain(str(label)))
    marked = table[table["sample_id"].isin(findings["sample_id"])]
    axes.plot(marked["x"] / 1000, marked["y"] / 1000, "o", mfc="none", mec="black", label="found")
    axes.set(xlabel="x, km in its zone", ylabel="y, km")
    axes.legend(fontsize=8)
    return figure


def _courses(suspects: pd.DataFrame, fitted: Fitted) -> Figure:
    """Each suspect's course of one variable (or all features, in spreads from the mean) and its classes' medians."""
    from matplotlib.figure import Figure

    problem = fitted.problem
    names = [n for n in problem.names if "@" in n]
    variable = next((n for n in names if n.startswith("NDVI@")), names[0] if names else "").partition("@")[0]
    columns = [n for n in names if n.startswith(f"{variable}@")] or list(problem.names)
    values = problem.table[columns].astype(float)
    if not names:
        spread = values.std().replace(0, 1)
        values = (values - values.mean()) / spread
    medians = values.groupby(problem.table["label"]).median()
    rows = -(-len(suspects) // 3)
    figure = Figure(figsize=(9, 2.2 * rows), layout="constrained")
    for axes, found in zip(
        np.ravel(figure.subplots(rows, 3, squeeze=False)), suspects.itertuples(), strict=False
    ):
        for key, style in ((found.label, "C0--"), (found.likelier, "C1--")):
            axes.plot(medians.loc[str(key)].to_numpy(), style, label=_plain(str(key)))
        axes.plot(values[problem.table["sample_id"] == found.sample_id].mean().to_numpy(), "k-")
        axes.set_title(_plain(f"{found.sample_id}: {found.label}?"), fontsize=8)
        axes.legend(fontsize=6)
    figure.supylabel(variable if names else "spreads from the mean")
    return figure


def _plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
