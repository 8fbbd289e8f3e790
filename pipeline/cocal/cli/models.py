"""To know models: exit code of `verify` 0 all hold, 1 one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cocal.cli.options import say

Models = Annotated[Path, typer.Option("--in", help="folder of models")]
HERE = Path("models")

models = typer.Typer(help="Trained models: what there is, what each is worth, whether it is whole.")


@models.command("list")
def list_(folder: Models = HERE) -> None:
    """What the cards say, unverified."""
    from cocal.classify.collection import list_models
    from cocal.cli.model_tables import models_table

    say(models_table(list_models(folder)))


@models.command()
def show(model: Annotated[str, typer.Argument(help="id, or folder")], folder: Models = HERE) -> None:
    """All of a card: samples, scores beside null models, features, settings, checksums."""
    from cocal.classify.collection import find_model
    from cocal.classify.model import load_model
    from cocal.cli.model_tables import card_tables

    for table in card_tables(load_model(find_model(model, folder)).card):
        say(table)


@models.command()
def verify(
    model: Annotated[list[str] | None, typer.Argument(help="ids or folders; left out: all")] = None,
    folder: Models = HERE,
) -> None:
    """Load each model: checksums, types, card, and the probabilities on the card computed anew."""
    from cocal.classify.collection import find_model, list_models, verify_models
    from cocal.cli.model_tables import verdict_lines

    folders = [find_model(m, folder) for m in model] if model else [f.folder for f in list_models(folder)]
    verdicts = verify_models(folders)
    say("\n".join(verdict_lines(verdicts)) or f"no model in {folder}")
    if any(v.refusal for v in verdicts):
        raise typer.Exit(1)


@models.command()
def keep(
    model: Annotated[Path, typer.Argument(help="folder: runs/NAME/model/...")], folder: Models = HERE
) -> None:
    """Verify a model that a run has trained and copy it to models/<id>/."""
    from cocal.classify.collection import keep_model

    say(str(keep_model(model, folder)))
