"""A ring test made from a run: pictures that tell no place, a key, labels that are checked."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.command import in_process
from tests.support.small_world import SmallWorld

from cocal.contracts import Period
from cocal.errors import InputError
from cocal.grid import Window
from cocal.run.images import COMBINATIONS, png
from cocal.run.ring.draw import place_ranks
from cocal.run.ring.images import picture, view_of
from cocal.run.ring.make import chip_names

OPTIONS = ("--chips", "16", "--side", "9", "--parts", "1")


def make(world: SmallWorld, out: Path, *more: str) -> str:
    done = in_process("ring", "make", str(world.root), str(out), *OPTIONS, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(out: Path, *more: str):
    tables = [str(out / f"team-{team}" / "labels.csv") for team in "ab"]
    return in_process("ring", "read", str(out / "key.json"), *tables, *more)


def label(out: Path, team: str, truth: dict[str, str]) -> pd.DataFrame:
    """The team's table, filled in with the class of each place on the land."""
    path = out / f"team-{team}" / "labels.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["label"] = [truth[name] for name in table["chip"]]
    table.to_csv(path, index=False)
    return table


def chunks(data: bytes) -> list[bytes]:
    """The kinds of the chunks of a PNG."""
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.append(data[at + 4 : at + 8])
        at += 12 + length
    return found


def test_what_a_team_gets_differs_by_pixels_only_and_what_it_labels_is_read(
    finished: SmallWorld, tmp_path: Path
) -> None:
    out = tmp_path / "ring"
    printed = make(finished, out)
    key = json.loads((out / "key.json").read_text())
    assert len(key["chips"]) == 16
    cells = pd.DataFrame(key["chips"]).groupby(["stratum", "country"]).size()
    assert cells.max() - cells.min() <= 1
    assert f"ring test {key['ring']}" in printed
    for team in "ab":
        files = sorted((out / f"team-{team}").rglob("*.png"))
        bytes_of = [path.read_bytes() for path in files]
        assert len({len(data) for data in bytes_of}) == 1
        assert {tuple(dict.fromkeys(chunks(data))) for data in bytes_of} == {(b"IHDR", b"IDAT", b"IEND")}
        assert len({data[:33] for data in bytes_of}) == 1
        assert len({path.stat().st_mtime_ns for path in (out / f"team-{team}").rglob("*")}) == 1
        names = [path.stem for path in files]
        table = label(out, team, {chip[f"chip_{team}"]: "coca" for chip in key["chips"]})
        assert table["chip"].tolist() == names
        text = " ".join(p.read_text() for p in (out / f"team-{team}").iterdir() if p.is_file())
        assert not any(str(chip[c]).split(".")[0] in text for chip in key["chips"] for c in ("x", "y"))
    assert not {c["chip_a"] for c in key["chips"]} & {c["chip_b"] for c in key["chips"]}
    truth = ["coca" if n % 3 else "bare" for n in range(16)]
    for team in "ab":
        label(out, team, {c[f"chip_{team}"]: t for c, t in zip(key["chips"], truth, strict=True)})
    found = json.loads(read(out, "--format", "json").stdout)
    assert found["matrix"]["coca"]["coca"] == sum(t == "coca" for t in truth)
    assert found["agreement"]["a - b"]["overall"] == 1
    assert "latent class model, 16 images" in read(out).stdout


def test_the_same_seed_gives_the_same_files_and_another_seed_others(
    finished: SmallWorld, tmp_path: Path
) -> None:
    for name, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        make(finished, tmp_path / name, "--seed", seed, "--visited")
    one, two, three = (
        {p.relative_to(tmp_path / name).as_posix(): p.read_bytes() for p in (tmp_path / name).rglob("*.*")
         if p.is_file()} for name in ("one", "two", "three")
    )  # fmt: skip
    assert one == two
    assert {*one} & {*three} == {f"team-{t}/{n}" for t in "ab" for n in ("index.html", "labels.csv")} | {
        "key.json"
    }
    chips = json.loads(one["key.json"])["chips"]
    assert {chip["truth"] for chip in chips} >= {"coca"}
    assert (tmp_path / "one" / "team-a" / "index.html").read_text().count("SIMULATED") == 1


def test_labels_that_cannot_be_used_are_named(finished: SmallWorld, tmp_path: Path) -> None:
    out = tmp_path / "ring"
    make(finished, out)
    key = json.loads((out / "key.json").read_text())
    for team in "ab":
        label(out, team, {chip[f"chip_{team}"]: "forest" for chip in key["chips"]})
    path = out / "team-b" / "labels.csv"
    good = pd.read_csv(path, dtype=str)
    wrong = {
        "label 'coka'": good.assign(label=["coka", *good["label"][1:]]),
        "is missing": good[1:],
        "twice": pd.concat([good, good[:1]]),
        "is unknown": good.assign(chip=["0" * 12, *good["chip"][1:]]),
        "is of another ring test": good.assign(ring="00000000"),
        "no ring": good.drop(columns="ring"),
        "those of none": good.assign(chip="0" * 12),
    }
    for text, table in wrong.items():
        table.to_csv(path, index=False)
        refused = read(out)
        assert refused.returncode == 2
        assert text in refused.stderr
    good.to_csv(path, index=False)
    twice = in_process("ring", "read", str(out / "key.json"), str(path), str(path))
    assert "one table" in twice.stderr
    assert "none of a" in in_process("ring", "read", str(out / "key.json"), str(path)).stderr
    assert in_process("ring", "read", str(path), str(path)).returncode == 2
    again = in_process("ring", "make", str(finished.root), str(out), *OPTIONS)
    assert "an empty folder" in again.stderr
    even = in_process("ring", "make", str(finished.root), str(tmp_path / "x"), "--side", "8", "--team", "a")
    assert "an odd number" in even.stderr
    assert "two teams" in even.stderr


def test_the_middle_of_a_picture_is_the_pixel_however_it_is_turned(finished: SmallWorld) -> None:
    from cocal.archive import list_scenes  # the archive of the land

    scenes = list_scenes(finished.archive)
    days = sorted(s.day for s in scenes)
    view = view_of(scenes, Period("p", days[0], days[-1]), 1, 9)
    assert view.combinations == (COMBINATIONS["false"],)
    window = finished.window
    x, y = float(window.x[30]), float(window.y[40])
    shown = [picture(view, window.epsg, x, y, turn=turn) for turn in range(8)]
    assert all(p is not None and p.shape == (*view.shape, 3) for p in shown)
    middles = {tuple(p[4, 4]) for p in shown if p is not None}
    assert len(middles) == 1
    assert len({p.tobytes() for p in shown if p is not None}) == 8
    assert picture(view, window.epsg, window.left + 5.0, y, turn=0) is None


def test_bands_that_no_picture_can_be_made_of_are_named(finished: SmallWorld) -> None:
    from cocal.archive import list_scenes

    scenes = list_scenes(finished.archive)
    days = sorted(s.day for s in scenes)
    with pytest.raises(InputError, match="0 scenes"):
        view_of([], Period("p", days[0], days[-1]), 1, 9)


def test_ranks_do_not_depend_on_the_window_and_names_have_no_order() -> None:
    whole = Window(32719, 500_000, 8_430_000, 20, 20)
    part = Window(32719, 500_050, 8_429_930, 5, 5)
    assert np.array_equal(place_ranks(7, whole)[7:12, 5:10], place_ranks(7, part))
    assert not np.array_equal(place_ranks(8, part), place_ranks(7, part))
    order = [np.argsort(np.argsort(chip_names(f"{ring:08x}", "a", 200))) for ring in range(200)]
    correlation = [np.corrcoef(o, np.arange(200))[0, 1] for o in order]
    assert abs(np.mean(correlation)) < 4 / np.sqrt(199 * 200)


def test_a_png_of_one_shape_has_one_size() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    assert len(png(noise)) == len(png(noise * 0))
