"""`cocal bundle`: what one office gives to another, counts in the place of points, and what both estimate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cocal.cli.console import print_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cocal.exchange.merge import Merged
    from cocal.exchange.signing import SignedBundle

bundle_app = typer.Typer(
    help="Exchange between offices: bundles of counts and hectares, without a place of a point.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="a bundle")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="bundles")]
Keys = Annotated[
    list[Path], typer.Option("--key", help="public key of an office, as it gave it itself; may be repeated")
]


def _require() -> None:
    from cocal.extras import require

    require("exchange", "`cocal bundle`")


@bundle_app.command()
def keys(
    name: Annotated[Path, typer.Argument(help="NAME.private.pem and NAME.public.pem are written")],
) -> None:
    """Make a pair of keys. The private one signs and stays; the public one is given to the other office."""
    _require()
    from cocal.exchange.signing import make_keys

    paths = [name.with_name(f"{name.name}.{kind}.pem") for kind in ("private", "public")]
    print_content(
        f"public key {make_keys(*paths)}\n{paths[0]}: keep it\n{paths[1]}: give it to the other office"
    )


@bundle_app.command()
def make(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run, such as runs/demo")],
    office: Annotated[str, typer.Option(help="name of the office that makes it")],
    least: Annotated[int, typer.Option(min=1, help="k: no cell with fewer points; 1 merges nothing")],
    key: Annotated[Path, typer.Option(help="private key of the office")],
) -> None:
    """Write and sign RUN/files/bundle.json."""
    _require()
    from cocal.exchange.signing import read_bundle
    from cocal.run.bundle import make as make_file

    path = make_file(run, office, least, key)
    print_content(f"{_bundle_text(read_bundle(path))}\n{path}")


@bundle_app.command()
def show(file: File) -> None:
    """Print what a bundle holds; signatures are not checked."""
    _require()
    from cocal.exchange.signing import read_bundle

    print_content(_bundle_text(read_bundle(file)))


@bundle_app.command()
def verify(file: File, key: Keys) -> None:
    """Check that a bundle is as the offices with these keys signed it. Exit code 2 where it is not."""
    _require()
    from cocal.exchange.signing import check_signatures, read_bundle

    signed = read_bundle(file)
    names = check_signatures(signed, key)
    print_content(f"{file}: bundle of {signed.bundle.office}, as signed by the key in {', '.join(names)}")


@bundle_app.command()
def merge(
    files: Files,
    key: Keys,
    out: Annotated[Path, typer.Option(help="folder for hectares.csv, change.csv, seam.csv, merged.json")],
    counted: Annotated[
        str | None, typer.Option(help="office whose figures count where both mapped the same ground")
    ] = None,
) -> None:
    """Estimate from several bundles as from all their points. Each must be signed by one of the keys."""
    _require()
    from cocal.run.bundle import read_signed, write_merged

    signed = read_signed(files, key)
    print_content(_merged_text(write_merged(signed, out, counted), signed))


def _bundle_text(signed: SignedBundle) -> str:
    """What a bundle holds, a line each."""
    bundle, mark = signed.bundle, "SIMULATED " if signed.bundle.simulated else ""
    rule = bundle.rule
    lines = [
        f"{mark}bundle of {bundle.office}, run {bundle.run}, {bundle.made_by}",
        f"  scheme {bundle.scheme.id}, target {bundle.scheme.target}",
        f"  definitions {', '.join(bundle.definitions)}",
        *(f"  period {p.name}: {p.start} to {p.end}" for p in bundle.periods),
        f"  {len(bundle.places)} places of {', '.join(sorted({p.country for p in bundle.places}))}",
        f"  rule: no cell below {rule.least} points; classes: {rule.classes}; {rule.joined_regions} of "
        f"{rule.regions} regions joined" + (f"; without {', '.join(rule.left_out)}" if rule.left_out else ""),
        *([f"  one class of the map in strata {', '.join(rule.any_class)}"] if rule.any_class else []),
        *(
            f"  standard error in all, {period}: {own} ha of the run, {here} ha of the bundle"
            for period, own, here in rule.precision
        ),
    ]
    for survey in bundle.surveys:
        points = sum(cell[4] for cell in survey.cells)
        lines.append(f"  {' to '.join(survey.periods)}: {points} points in {len(survey.cells)} cells")
    lines += [f"  {n} points have not come back, {period}" for period, n in bundle.out.items() if n]
    lines += [f"  signed (not checked): {own.office}, key {own.key}" for own in signed.signatures]
    return "\n".join([*lines, f"  sha256 {signed.sha256}"])


def _merged_text(merged: Merged, signed: Sequence[SignedBundle]) -> str:
    """The target's hectares by country and in all, the seam, and what was left out."""
    target = signed[0].bundle.scheme.target
    mark = "SIMULATED: " if signed[0].bundle.simulated else ""
    lines = [f"{mark}hectares of {target} from {', '.join(own.bundle.office for own in signed)}"]
    table = merged.hectares[(merged.hectares["class"] == target) & (merged.hectares["level"] != "place")]
    for row in table.to_dict("records"):
        ends = f"{_ha(row['ci_low_ha'])} to {_ha(row['ci_high_ha'])}"
        figure = f"{_ha(row['estimated_ha'])} ({ends}) ha, {row['n']} points"
        lines.append(f"  {row['period']} {row['id']}, {row['definition']}: {figure}")
    regions = sorted(set(merged.seam["region_id"]))
    lines += [f"  mapped by two offices: {', '.join(regions)}; see seam.csv"] if regions else []
    return "\n".join([*lines, *(f"  left out: {text}" for text in merged.left_out)])


def _ha(value: float) -> str:
    return "-" if value != value else f"{value:,.1f}"
