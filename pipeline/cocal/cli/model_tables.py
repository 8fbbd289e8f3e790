"""Tables of `cocal models`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from cocal.classify.card import ModelCard
from cocal.classify.collection import ModelFolder, Verdict
from cocal.classify.page import card_sections


def models_table(found: Sequence[ModelFolder]) -> Table:
    """One row per model: content of its card, unverified; or why the card cannot be read."""
    table = Table("id", "estimator", "features", "target", "F1 in validation", "folder")
    for one in found:
        card = one.card
        cells = (
            ["(card refused)", "", "", "", one.problem.splitlines()[0]]
            if card is None or one.problem
            else [_name(card), card.estimator, str(len(card.features)), card.class_scheme.target, _f1(card)]
        )
        table.add_row(*(Text(cell) for cell in [*cells, str(one.folder)]))
    return table


def _name(card: ModelCard) -> str:
    return f"{card.id} (SIMULATED)" if card.simulated else card.id


def _f1(card: ModelCard) -> str:
    """F1 of the target in the validation, and the best of the null models."""
    target = card.class_scheme.target
    every = {"model": card.validation["model"], **card.validation["null_models"]}
    pooled = {name: result["pooled"] for name, result in every.items() if "pooled" in result}
    f1 = {name: scores["classes"][target]["f1"] or 0.0 for name, scores in pooled.items()}
    mine = f1.pop("model")
    best = max(f1, key=lambda name: f1[name])
    return f"{mine:.3f} (null {best}: {f1[best]:.3f})"


def card_tables(card: ModelCard) -> Iterator[Table]:
    """The sections of the page of a card."""
    for section in card_sections(card):
        table = Table(
            *section.head, title=section.title, caption=section.note, show_header=bool(section.head)
        )
        for row in section.rows:
            table.add_row(*(Text(cell) for cell in row))
        if section.rows:
            yield table


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per model: valid, or refused with the reason."""
    return [
        f"{v.folder}: REFUSED: {v.refusal}"
        if v.refusal
        else f"{v.folder}: holds" + (f"; {v.warning}" if v.warning else "")
        for v in verdicts
    ]
