"""`cocal ring`: images of a run for teams to label, and what their labels say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cocal.cli.console import Format, log_to_stderr, print_content, print_problem

if TYPE_CHECKING:
    from rich.table import Table

    from cocal.estimate.ring import RingResult

ring_app = typer.Typer(help="Ring test: two teams label the same images.", no_args_is_help=True)


@ring_app.command()
def make(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run, such as runs/demo")],
    out: Annotated[Path, typer.Argument(help="folder to write: key.json, team-a, team-b")],
    chips: Annotated[int, typer.Option(help="number of images")] = 300,
    seed: Annotated[int, typer.Option(help="same seed, same images, names and order")] = 1,
    team: Annotated[list[str] | None, typer.Option(help="two or more; default: a and b")] = None,
    period: Annotated[str | None, typer.Option(help="default: the last one")] = None,
    side: Annotated[int, typer.Option(help="side of an image, pixels of 10 m, an odd number")] = 65,
    parts: Annotated[int, typer.Option(help="parts of the period, each shown by its median")] = 2,
    visited: Annotated[bool, typer.Option(help="at field records: then the truth is known")] = False,
) -> None:
    """Draw images for teams to label. They hold no place; key.json does, and stays in the office."""
    from cocal.extras import require
    from cocal.run.finished import open_run
    from cocal.run.ring.make import RingOptions, make_ring

    require("report", "`cocal ring make`")
    log_to_stderr(False)
    options = RingOptions(period, chips, seed, tuple(team or ("a", "b")), side, parts, visited)
    made = make_ring(open_run(run), out, options)
    cells = ", ".join(f"{' '.join(cell)} {n}" for cell, n in made.counts.items())
    print_content(f"ring test {made.ring} in {out}: {sum(made.counts.values())} images ({cells})")
    if sum(made.counts.values()) < chips:
        print_problem(f"warning: {chips} images were asked for")
    if made.skipped:
        print_content(f"{made.skipped} places were passed over: a pixel around them was never clear")
    print_content(f"{out / 'key.json'} has the places: it stays here; hand out the folders of the teams")


@ring_app.command()
def read(
    key: Annotated[Path, typer.Argument(help="key.json of `cocal ring make`")],
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="labels.csv of each team")],
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999)] = 0.95,
    output: Annotated[Format, typer.Option("--format", help="output format: text or json")] = Format.TEXT,
) -> None:
    """Agreement of the teams, how often each errs, and the range for `estimate.reference_error`."""
    from cocal.run.ring.labels import read_ring

    found = read_ring(key, labels, confidence=confidence)
    if output is not Format.TEXT:
        sys.stdout.write(json.dumps(_facts(found), ensure_ascii=False, indent=2) + "\n")
        return
    for table in _tables(found):
        print_content(table)
    print_content("\n".join(_words(found)))


def _outward(found: RingResult) -> dict[str, list[float]]:
    """The band with four decimals, rounded outwards."""
    from math import ceil, floor

    low_high = dict(zip(("sensitivity", "specificity"), found.accuracy.band, strict=True))
    return {k: [floor(a * 1e4) / 1e4, ceil(b * 1e4) / 1e4] for k, (a, b) in low_high.items()}


def _facts(found: RingResult) -> dict[str, Any]:
    def plain(table: Any) -> Any:
        return json.loads(table.to_json(orient="index", double_precision=15))

    fit = found.accuracy.fit
    return {
        "target": found.target, "confidence": found.confidence, "judged": plain(found.judged),
        "n": found.accuracy.n, "matrix": plain(found.matrix), "agreement": plain(found.pairs),
        "basis": found.accuracy.basis, "accuracy": plain(found.accuracy.table),
        "fit": None if fit is None else dict(zip(("deviance", "freedom", "p"), fit, strict=True)),
        "reference_error": _outward(found) if found.usable else None,
    }  # fmt: skip


def _tables(found: RingResult) -> list[Table]:
    from rich.table import Table

    matrix = Table("", *found.matrix.columns, title="images by label: first team down, second team across")
    for name, row in found.matrix.iterrows():
        matrix.add_row(str(name), *map(str, row))
    pairs = Table("teams", "n", "agree", "kappa", "on the target", "on the rest", title="agreement")
    for name, row in found.pairs.iterrows():
        pairs.add_row(str(name), f"{row.iloc[0]:.0f}", *(f"{v:.3f}" for v in row.iloc[1:]))
    title = f"accuracy of the teams: {found.accuracy.basis}, {found.accuracy.n} images"
    judged = found.judged.to_dict()
    teams = Table("team", "judged", "sensitivity", "interval", "specificity", "interval", title=title)
    for name, row in found.accuracy.table.iterrows():
        se, se_low, se_high, sp, sp_low, sp_high = row
        ends = f"{se_low:.3f} to {se_high:.3f}", f"{sp_low:.4f} to {sp_high:.4f}"
        teams.add_row(
            str(name), str(judged[name]), f"{se:.3f}", ends[0], f"{sp:.4f}", ends[1]
        )  # fmt: skip
    return [matrix, pairs, teams]


def _words(found: RingResult) -> list[str]:
    """What the accuracy rests on, and the range as `estimate.reference_error` takes it."""
    from cocal.estimate.ring import LATENT

    texts, fit = [], found.accuracy.fit
    if found.accuracy.basis == LATENT:
        texts.append(
            "model: one sensitivity and specificity per team in all strata; teams err independently. Where "
            "they take the same ground for the target, both are worse than this says: only visits tell"
        )
    if fit is not None and fit[2] < 0.05:
        texts.append(
            f"warning: the model does not fit (deviance {fit[0]:.1f}, {fit[1]} degrees of freedom, "
            f"p {fit[2]:.3f}): the teams err together, or not alike in all strata"
        )
    if not found.usable:
        texts.append(
            "no range follows: the intervals hold labels that are no better than chance; more images"
        )
    else:
        ends = ", ".join(f"{k}: [{a:g}, {b:g}]" for k, (a, b) in _outward(found).items())
        texts.append(f"reference_error: {{{ends}}}")
    return texts
