"""The folders of a ring test: pictures, a table and a page for each team; the key for the maker."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cocal.archive import list_scenes
from cocal.assets import asset
from cocal.checksums import sha256_bytes
from cocal.errors import InputError, UsageError
from cocal.hashing import splitmix64
from cocal.run.finished import FinishedRun
from cocal.run.images import png
from cocal.run.ring.draw import CELL, drawn_places, visited_places, wanted
from cocal.run.ring.images import View, picture, view_of
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import address, write_csv, write_json

KEY, LABELS = "key.json", "labels.csv"
SPARE = 8
"""Places that are tried for each picture: around some a pixel was never clear."""
_DAY = 315_532_800
"""Time of every file, 1980-01-01: it says nothing of the order in which they were made."""


@dataclass(frozen=True)
class RingOptions:
    """`chips` pictures of `side_px` pixels in `parts` of the period, for `teams`; by chance from `seed`.

    `visited`: at field records, whose class is the truth, in place of any ground.
    """

    period: str | None = None
    chips: int = 300
    seed: int = 1
    teams: tuple[str, ...] = ("a", "b")
    side_px: int = 65
    parts: int = 2
    visited: bool = False


@dataclass(frozen=True)
class RingMade:
    """The number of the ring test, its pictures by stratum and country, and places without a whole one."""

    ring: str
    counts: Mapping[tuple[str, ...], int]
    skipped: int


def make_ring(run: FinishedRun, out: Path, options: RingOptions) -> RingMade:
    """Write key.json and a folder per team into `out`.

    Raises
    ------
    UsageError
        An option cannot be used, or `out` holds something.
    InputError
        The run lacks maps, scenes or records, or too few places have a whole picture.
    """
    _check(options, out)
    scheme = read_scheme(run.config.scheme)
    periods = {p.name: p for p in run.measured.periods}
    name = options.period or list(periods)[-1]
    if name not in periods:
        raise UsageError(f"no period {name!r} in {run.folder}", ", ".join(periods), name, "choose one")
    scenes = [] if run.config.archive is None else list_scenes(run.config.archive)
    view = view_of(scenes, periods[name], options.parts, options.side_px)
    draw = visited_places if options.visited else drawn_places
    places = draw(run, name, options.seed, SPARE * options.chips)
    chosen, pictures, skipped = _whole(view, places, options)
    facts = {
        "run": str(run.facts["run"]), "period": name, "scheme_sha256": scheme.sha256,
        "target": scheme.target, "classes": list(scheme.keys), "simulated": run.simulated,
        "seed": options.seed, "teams": list(options.teams), "visited": options.visited,
    }  # fmt: skip
    ring = address([facts, chosen.astype(str).to_numpy().tolist()])[:8]
    rows: list[dict[Any, Any]] = chosen.drop(columns="rank").to_dict("records")
    for team in options.teams:
        names = chip_names(ring, team, len(rows))
        for row, chip, pixels in zip(rows, names, pictures, strict=True):
            row[f"chip_{team}"] = chip
            _write(out / f"team-{team}" / "chips" / f"{chip}.png", png(pixels))
        _write_team(out / f"team-{team}", sorted(names), ring, scheme, simulated=run.simulated)
    write_json(out / KEY, facts | {"ring": ring, "chips": rows})
    return RingMade(
        ring, dict(sorted(Counter(zip(*(chosen[c] for c in CELL), strict=True)).items())), skipped
    )


def _check(options: RingOptions, out: Path) -> None:
    problems = []
    if len(options.teams) < 2 or len({*options.teams}) < len(options.teams):
        problems.append("two teams or more, each with a name of its own")
    if not all(team.isascii() and team.isalnum() for team in options.teams):
        problems.append("names of teams of plain letters and digits")
    if options.side_px % 2 == 0 or not 9 <= options.side_px <= 513:
        problems.append("a side of an odd number of pixels, 9 to 513")
    if options.chips < 2 or options.parts < 1 or options.seed < 0:
        problems.append("two pictures or more, a part or more, a seed from 0")
    if out.exists() and any(out.iterdir()):
        problems.append(f"an empty folder, not {out}")
    if problems:
        raise UsageError(
            "this ring test cannot be made", "; ".join(problems), str(options), "fix the options"
        )


def _whole(
    view: View, places: pd.DataFrame, options: RingOptions
) -> tuple[pd.DataFrame, list[np.ndarray[Any, Any]], int]:
    """The places whose picture is whole, in a random order, with their pictures; how many were not whole."""
    left = dict(wanted(places, options.chips))
    kept, pictures, skipped = [], [], 0
    for index, row in zip(places.index, places.to_dict("records"), strict=True):
        cell = str(row["stratum"]), str(row["country"])
        if not left[cell]:
            continue
        turn = int(_again(np.array([row["rank"]], dtype=np.uint64), 1)[0] % np.uint64(8))
        pixels = picture(view, int(row["epsg"]), float(row["x"]), float(row["y"]), turn=turn)
        if pixels is None:
            skipped += 1
            continue
        kept.append(index)
        pictures.append(pixels)
        left[cell] -= 1
    if sum(left.values()) == options.chips or len(kept) < 2:
        raise InputError(
            "too few places have a whole picture", f"{options.chips} pictures",
            f"{len(kept)}; around {skipped} places a pixel was never clear in a part of the period",
            "fewer --parts, or a smaller --side",
        )  # fmt: skip
    chosen = places.loc[kept]
    order = np.argsort(_again(chosen["rank"].to_numpy(np.uint64), 2))
    return chosen.iloc[order], [pictures[i] for i in order], skipped


def _again(ranks: np.ndarray[Any, Any], times: int) -> np.ndarray[Any, Any]:
    """Further random numbers of the same places: the least of many ranks are no random numbers any more."""
    for _ in range(times):
        with np.errstate(over="ignore"):
            ranks = splitmix64(ranks + np.uint64(0x9E3779B97F4A7C15))
    return ranks


def chip_names(ring: str, team: str, n: int) -> list[str]:
    """(n,) names of the pictures of a team in the order of the key: no two alike, none with an order.

    Examples
    --------
    >>> names = chip_names("0f3a", "a", 3)
    >>> len({*names}), {len(name) for name in names}
    (3, {12})
    """
    return [sha256_bytes(f"{ring} {team} {number}".encode())[:12] for number in range(n)]


def _write_team(
    folder: Path, names: Sequence[str], ring: str, scheme: ClassScheme, *, simulated: bool
) -> None:
    table = pd.DataFrame({"chip": names, "ring": ring, "label": "", "comment": ""})
    write_csv(folder / LABELS, table)
    environment = Environment(
        loader=FileSystemLoader(asset("run/ring/assets")), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("ring.html.j2").render(
        names=names, ring=ring, scheme=scheme, simulated=simulated
    )
    _write(folder / "index.html", page.encode())
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (_DAY, _DAY))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
