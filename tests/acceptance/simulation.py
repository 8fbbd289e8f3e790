"""An invented border with known truth."""

from __future__ import annotations

import functools
import json
import os
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from benchmarks import hardness, regional_demo, simulation

from cocal.checksums import sha256_file
from cocal.grid import cell_area_units
from cocal.regions import owned
from cocal.simulate import SimulateSettings
from tests.support.command import COCAL

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "simulation.md"
DEMO_MINUTES, DEMO_GIB = 6.0, 3.0
SMALL = ("--size", "480")


def run_cocal(*arguments: str | Path) -> str:
    """`cocal ARGUMENTS`, to its end; what it said on stderr."""
    done = subprocess.run(
        [*COCAL, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


@functools.cache
def demo() -> tuple[Path, Path, float, float, str]:
    """The default land and the demo's run on it: folders, minutes, GiB of the largest process, what was
    said.
    """
    folder = Path(tempfile.mkdtemp(prefix="cocal-border-"))
    text = (ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8")
    text = text.replace("../work/demo", str(folder / "land")).replace(
        "runs: ../runs", f"runs: {folder / 'runs'}"
    )
    config = folder / "demo.yaml"
    config.write_text(text.replace("schemes/", f"{ROOT / 'configs' / 'schemes'}/"), encoding="utf-8")
    began = time.monotonic()
    said = run_cocal("simulate", folder / "land", "--workers", "2") + run_cocal(
        "run", config, "--workers", "2"
    )
    minutes = (time.monotonic() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return folder / "land", folder / "runs" / "demo", minutes, peak, said


def the_page_says_where_each_assumption_comes_from() -> str:
    text = PAGE.read_text(encoding="utf-8")
    table = text.split("## What is assumed")[1].split("What counts:")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    named = re.compile(r"assumption|domain notes|UNODC|issue 4|doi:|RStoolbox|Ley 906", re.IGNORECASE)
    bare = [row[0] for row in rows if len(row) != 3 or not named.search(row[2])]
    assert not bare, f"no source for {bare}"
    pictures = re.findall(r"\]\((images/simulation-\w+\.png)\)", text)
    sizes = [(PAGE.parent / p).stat().st_size for p in pictures]
    assert len(pictures) == 3, pictures
    assert max(sizes) < 150_000, sizes
    assert "## What it does not simulate" in text
    return (
        f"{len(rows)} assumptions, each with a source or the word; {len(pictures)} pictures of at most "
        f"{max(sizes) // 1000} kB"
    )


def the_table_of_truth_is_that_of_the_land() -> str:
    land, *_ = demo()
    truth = pd.read_csv(land / "truth.csv")
    coca = truth[truth["class"] == "coca"].set_index("region_id")["truth_ha"]
    share = 100 * coca / truth.groupby("region_id")["truth_ha"].sum()
    part = PAGE.read_text(encoding="utf-8").split("<!-- truth: begin -->")[1].split("<!-- truth: end -->")[0]
    for region, hectares in coca.items():
        assert f"| {region} | {hectares:.1f} | {share[region]:.2f} |" in part, f"{region}: {hectares:.1f} ha"
    assert share.min() <= 0.1, share.min()
    assert share.max() >= 7.0, share.max()
    return (
        f"{len(coca)} regions as in the page; coca from {share.min():.2f} to {share.max():.2f} % of a region"
    )


def truth_adds_up_to_the_owned_area_exactly() -> str:
    land, *_ = demo()
    settings = SimulateSettings()
    regions = hardness.regions_of(settings)
    owner, units = owned(regions, settings.window), cell_area_units(settings.window)
    truth, kinds = pd.read_csv(land / "truth.csv"), pd.read_csv(land / "truth" / "kinds.csv")
    for number, region in enumerate(regions.table["region_id"]):
        whole = int(units[owner == number].sum())
        mine = truth[truth["region_id"] == region]
        of_kinds = kinds.loc[kinds["region_id"] == region, "cover_ha"]
        assert sum(round(v * 1e10) for v in mine["truth_ha"]) == whole, region
        assert sum(round(v * 16e10) for v in mine["cover_ha"]) == 16 * whole, region
        assert sum(round(v * 16e10) for v in of_kinds) == 16 * whole, region
    with (
        rasterio.open(land / "truth" / "coca_percent.tif") as percent,
        rasterio.open(land / "truth" / "class.tif") as code,
    ):
        assert np.array_equal(percent.read(1) >= 50, code.read(1) == 1)
    return (
        f"{len(regions)} regions: {truth['class'].nunique()} classes and {kinds['kind'].nunique()} kinds add "
        "up to 1e-10 ha"
    )


def contents(folder: Path) -> dict[str, object]:
    """What each file holds; of a manifest all but the seconds that it took."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name == "manifest.json":
            found[name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "seconds"}
        else:
            found[name] = sha256_file(path)
    return found


def the_same_seed_gives_the_same_bytes_on_one_and_four_workers() -> str:
    folder = Path(tempfile.mkdtemp(prefix="cocal-bytes-"))
    for workers in ("1", "4"):
        run_cocal("simulate", folder / workers, *SMALL, "--workers", workers)
    one, four = contents(folder / "1"), contents(folder / "4")
    different = sorted(name for name in one.keys() | four.keys() if one.get(name) != four.get(name))
    assert not different, different[:5]
    run_cocal("simulate", folder / "other", *SMALL, "--seed", "8")
    other = contents(folder / "other")
    same = [n for n in one if n.endswith(".tif") and other.get(n) == one[n]]
    assert not same, f"another seed, the same bytes: {same[:5]}"
    return (
        f"{len(one)} files with the same bytes on 1 and 4 workers; none of "
        f"{sum(n.endswith('.tif') for n in one)} rasters with another seed"
    )


def it_is_hard_by_realism() -> str:
    found = hardness.measure()
    broken = hardness.problems(found)
    assert not broken, "; ".join(broken)
    f1s = found.groupby("map")["f1"].agg(["min", "max"]).round(2)
    ratios = found[found["map"] == "year"].drop(columns=["map", "f1", "seed", "year", "prevalence"])
    spread = ", ".join(
        f"{a:.2f} to {b:.2f}" for a, b in zip(ratios.min(axis=1), ratios.max(axis=1), strict=True)
    )
    said = "; ".join(f"{name} {row['min']:.2f} to {row['max']:.2f}" for name, row in f1s.iterrows())
    return f"F1 over {len(hardness.SEEDS)} seeds: {said}; counted / true per region: {spread}"


def estimates_stand_beside_the_truth_on_the_page() -> str:
    land, run, *_ = demo()
    areas = pd.read_csv(run / "hectares.csv")
    coca = areas[areas["class"] == "coca"].set_index("region_id")
    truth = pd.read_csv(land / "truth.csv").query("`class` == 'coca'").set_index("region_id")["truth_ha"]
    truth = truth[coca.index]
    held = (coca["ci_low_ha"] <= truth) & (truth <= coca["ci_high_ha"])
    html = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "SIMULATED" in html
    assert "Comparison with the simulated truth" in html
    assert held.sum() >= len(held) - 1, f"{held.sum()} of {len(held)}"
    page = (
        PAGE.read_text(encoding="utf-8")
        .split("<!-- pipeline: begin -->")[1]
        .split("<!-- pipeline: end -->")[0]
    )
    missing = [r for r in coca.index if f"| {r} | {coca.loc[r, 'mapped_ha']:.1f} |" not in page]
    assert not missing, f"the page tells other figures of {missing}"
    return (
        f"{held.sum()} of {len(held)} intervals hold the truth; {coca['estimated_ha'].sum():.0f} ha "
        f"estimated, {truth.sum():.0f} true, {coca['mapped_ha'].sum():.0f} mapped"
    )


def intervals_hold_the_truth_as_often_as_they_promise() -> str:
    land, run, *_ = demo()
    rows, broken = regional_demo.judged_demo(run, land, 1_000)
    assert not broken, "; ".join(broken)
    mean, least = rows.groupby("class")["held"].agg(["mean", "min"]).loc["coca"]
    return f"coca, 1,000 draws: {mean:.1%} held on average over the regions, {least:.1%} at least"


def the_demo_stays_a_demo() -> str:
    *_, minutes, peak, said = demo()
    assert "scenes: 43 of 43" in said, "no progress was shown"
    assert minutes < DEMO_MINUTES, f"{minutes:.1f} min"
    assert peak < DEMO_GIB, f"{peak:.2f} GiB"
    return f"{minutes:.1f} min on {os.cpu_count()} cores, largest process {peak:.2f} GiB, progress shown"


def cost_grows_with_area_and_dates_and_memory_does_not() -> str:
    costs = [simulation.measure(*case) for case in simulation.CASES]
    broken = simulation.problems(costs)
    assert not broken, "; ".join(broken)
    fixed = costs[0].cpu_s
    return "; ".join(
        f"{c.size_px / 100:.0f} km, {12 * c.per_month} dates: {c.cpu_s:.0f} CPU s "
        f"({c.per_mpx_date(fixed):.2f} s/Mpx/date), {c.peak_gib:.2f} GiB"
        for c in costs[1:]
    )


REQUIREMENTS = (
    the_page_says_where_each_assumption_comes_from,
    the_table_of_truth_is_that_of_the_land,
    truth_adds_up_to_the_owned_area_exactly,
    the_same_seed_gives_the_same_bytes_on_one_and_four_workers,
    it_is_hard_by_realism,
    estimates_stand_beside_the_truth_on_the_page,
    intervals_hold_the_truth_as_often_as_they_promise,
    the_demo_stays_a_demo,
    cost_grows_with_area_and_dates_and_memory_does_not,
)
