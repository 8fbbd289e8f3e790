"""Hectares that stand up: estimators, designs, records, comparison."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.estimate_tables import olofsson, stehman

ROOT = Path(__file__).parents[2]
COCAL = [sys.executable, "-c", "from cocal.cli import main; main()"]
Tables = tuple[pd.DataFrame, pd.DataFrame]


def command(folder: Path, tables: Tables, *more: str) -> subprocess.CompletedProcess[str]:
    """`cocal estimate` on two tables, as an analyst calls it."""
    for name, table in zip(("sample", "strata"), tables, strict=True):
        table.to_csv(folder / f"{name}.csv", index=False)
    files = ["--sample", str(folder / "sample.csv"), "--strata", str(folder / "strata.csv")]
    return subprocess.run([*COCAL, "estimate", *files, *more], capture_output=True, text=True, check=False)


def answer(tables: Tables, *more: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        done = command(Path(folder), tables, *more, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def script(name: str, *more: str) -> str:
    """What a script of benchmarks/ prints; it must exit with 0."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


def rows_of(text: str) -> list[list[str]]:
    """The cells of the lines of a Markdown table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line][1:]


def published_examples_to_their_printed_digits() -> str:
    found = answer(olofsson(), "--interval", "wald")
    printed = {"deforestation": (21_158, 6_158), "gain": (11_686, 3_756), "forest": (285_770, 15_510),
               "nonforest": (581_386, 16_282)}  # fmt: skip
    for name, (area, half) in printed.items():
        row = found["classes"][name]
        assert (round(row["area_ha"]), round(1.96 * row["standard_error_ha"])) == (area, half), (name, row)
    users = {
        "deforestation": (0.88, 0.07),
        "gain": (0.73, 0.10),
        "forest": (0.93, 0.04),
        "nonforest": (0.96, 0.02),
    }
    for name, (accuracy, half) in users.items():
        row = found["classes"][name]
        shown = round(row["users_accuracy"], 2), round(1.96 * row["users_accuracy_se"], 2)
        assert shown == (accuracy, half), (name, shown)
    producers = {name: round(row["producers_accuracy"], 2) for name, row in found["classes"].items()}
    assert producers == {"deforestation": 0.75, "gain": 0.85, "forest": 0.93, "nonforest": 0.96}, producers
    halves = {n: 1.96 * row["producers_accuracy_se"] for n, row in found["classes"].items()}
    assert round(halves["deforestation"], 2) == 0.21
    assert round(halves["forest"], 2) == 0.03 or round(halves["forest"], 3) == 0.035, halves
    assert (round(halves["gain"], 3), round(halves["nonforest"], 4)) == (0.254, 0.0184), halves
    assert round(found["overall_accuracy"], 6) == 0.946512
    assert round(found["overall_accuracy_se"], 6) == 0.00943
    sample, strata = stehman()
    counted = strata.assign(pixels=strata["area_ha"].astype(int), pixel_area_m2=10_000).drop(
        columns="area_ha"
    )
    second = answer((sample, counted), "--interval", "wald")
    frame = 100_000
    areas = {n: round(second["classes"][n]["area_ha"] / frame, 2) for n in "AC"}
    errors = {n: round(second["classes"][n]["standard_error_ha"] / frame, 3) for n in "AC"}
    b = second["classes"]["B"]
    shown = (round(b["users_accuracy"], 3), round(b["users_accuracy_se"], 3), round(b["producers_accuracy"],
        3),
             round(b["producers_accuracy_se"], 4))  # fmt: skip
    assert areas == {"A": 0.35, "C": 0.2}, areas
    assert errors == {"A": 0.082, "C": 0.064}, errors
    assert shown == (0.574, 0.125, 0.794, 0.1165), shown
    assert (round(second["overall_accuracy"], 2), round(second["overall_accuracy_se"], 3)) == (0.63, 0.085)
    return (
        "Olofsson 2014: 4 areas, 4 half-widths, UA, PA, OA .946512 (.009430), two printed PA half-widths at "
        "the formula's "
        f"{halves['gain']:.3f} and {halves['nonforest']:.4f}; Stehman 2014: areas, OA, UA_B, PA_B, SE(PA_B) "
        f"{shown[3]} (printed .114)"
    )


def coverage_meets_its_bounds_and_regions_add_up_in_every_draw() -> str:
    text = script("interval_coverage")
    cells = rows_of(text)
    shipped = rows_of(
        (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8").split("coverage: begin")[1]
    )
    assert cells == shipped, "the table in docs/statistics.md is not the one that the script makes"
    cover = np.array([float(row[4]) for row in cells])
    many = np.array([float(row[2]) >= 10 for row in cells])
    return (
        f"{len(cells)} cells of 10,000 draws: {cover.min()} to {cover.max()} %, where 10 or more are "
        "expected "
        f"{cover[many].min()} to {cover[many].max()} %; none refused; the table is that of docs/statistics.md"
    )


def each_error_of_the_peers_is_caught_by_a_test() -> str:
    path = ROOT / "tests" / "estimate" / "test_peer_errors.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-vv", str(path)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    names = re.findall(r"fails_with_the_error_put_in\[(\w+)\] PASSED", done.stdout)
    assert len(names) >= 6, done.stdout[-2000:]
    return f"caught when put in: {', '.join(names)}"


def planted_faults_of_field_records_are_found() -> str:
    rows = rows_of(script("record_faults"))
    last = [row for row in rows if row[1] != "-"]
    recall = {row[0]: float(row[6]) for row in last}
    alarms = {row[0]: float(row[7]) for row in last}
    short = {name: value for name, value in recall.items() if value < 95}
    assert not short, short
    return (
        f"{len(last)} faults on 3 x 5,000 records, with plots, roads and ids: recall from "
        f"{min(recall.values())} % "
        f"({min(recall, key=recall.__getitem__)}), false alarms to {max(alarms.values())} %; the original is "
        "untouched, mends are logged"
    )


def _refusals() -> dict[str, tuple[Tables, tuple[str, ...], tuple[str, ...]]]:
    """Kind -> (tables, arguments, words that the message must hold)."""
    sample, strata = olofsson()
    purposive = sample.assign(inclusion_probability=["" if i % 9 == 0 else 0.001 for i in range(len(sample))])
    empty = sample[sample["stratum"] != "gain"]
    single = pd.concat([empty, sample[sample["stratum"] == "gain"].head(1)])
    unknown = sample.assign(stratum=sample["stratum"].replace("gain", "growth"))
    weights = sample.assign(inclusion_probability=0.01)
    twice = sample.assign(class_scheme=["A" if i % 2 else "B" for i in range(len(sample))])
    simple = sample[sample["map_class"] != "gain"].groupby("map_class").head(60)
    spread = strata.assign(area_ha=[300_000, 9_000, 300_000, 300_000])
    other = sample.assign(reference_class=sample["reference_class"].str.upper())
    return {
        "purposive points": ((purposive, strata), (), ("purposive", "leave purposive points out")),
        "an empty stratum": ((empty, strata), (), ("'gain'", "--collapse A+B")),
        "a single-point stratum": ((single, strata), (), ("'gain'", "--collapse A+B")),
        "a class of the map never sampled": (
            (simple, spread), ("--estimator", "poststratified"), ("'gain'", "--collapse A+B"),
        ),
        "strata that the weights do not match": ((unknown, strata), (), ("growth", "add the missing rows")),
        "weights that do not match the strata": ((weights, strata), (), ("weights do not match",
            "use the strata table")),
        "two class schemes in a column": ((twice, strata), (), ("mixes class schemes: A, B",
            "estimate each scheme by itself")),
        "two class schemes, map and reference": ((other, strata), (), ("two class schemes", "rename")),
        "a stratified sample as a simple one": ((sample, strata), ("--estimator", "simple"), ("simple",
            "use `stratified`")),
    }  # fmt: skip


def what_gives_no_estimate_is_refused_with_what_to_do() -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name, (tables, arguments, words) in _refusals().items():
            done = command(Path(folder), tables, *arguments)
            assert done.returncode == 2, (name, done.returncode, done.stdout[-300:])
            missing = [word for word in words if word not in done.stderr]
            assert not missing, (name, missing, done.stderr)
            assert "Traceback" not in done.stderr, name
    sample, strata = olofsson()
    never = sample.assign(map_class=sample["map_class"].replace("gain", "forest"), reference_class="forest")
    found = answer((never, strata))
    assert any("no user's accuracy" in w for w in found["warnings"]) or "gain" not in found["classes"]
    return f"{len(_refusals())} kinds refused by exit code 2: {', '.join(_refusals())}"


def a_class_never_sampled_is_refused_by_name() -> str:
    """In a run the scheme names the classes; on tables a class that no point has cannot be known to exist."""
    from cocal.errors import InputError
    from cocal.estimate import estimate_areas

    sample, strata = olofsson()
    settings = {"estimator": "stratified", "interval": "wald", "confidence": 0.95, "by_region": False}
    try:
        estimate_areas(sample, strata, classes=["deforestation", "forest", "nonforest"], **settings)
    except InputError as err:
        refused = str(err)
    assert "gain" in refused
    whole = estimate_areas(
        sample, strata, classes=["deforestation", "gain", "forest", "nonforest", "coca"], **settings
    )
    coca = whole.classes.set_index("class").loc["coca"]
    assert np.isnan(coca["users_accuracy"])
    assert any("coca" in warning for warning in whole.warnings), whole.warnings
    return (
        "a class outside the scheme is refused by name; one of the scheme without a point has a warning: "
        f"{whole.warnings[0]}"
    )


def a_design_reaches_the_half_width_that_it_promises() -> str:
    text = script("design")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return f"{len(lines) - 2} designs, 1,000 campaigns each, exit 0: " + "; ".join(lines[2:5])


def a_million_rows_and_ten_thousand_regions() -> str:
    rng = np.random.default_rng(1)
    n, regions = 1_000_000, 10_000
    stratum = rng.choice(["coca", "near", "rest"], n, p=[0.2, 0.3, 0.5])
    share = {"coca": 0.8, "near": 0.1, "rest": 0.002}
    reference = np.where(rng.random(n) < pd.Series(stratum).map(share), "coca", "forest")
    sample = pd.DataFrame(
        {"stratum": stratum, "map_class": np.where(stratum == "coca", "coca", "forest"),
         "reference_class": reference, "region": rng.integers(0, regions, n).astype(str)}
    )  # fmt: skip
    strata = pd.DataFrame({"stratum": ["coca", "near", "rest"], "area_ha": [30_000, 200_000, 9_000_000]})
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        sample.to_csv(here / "sample.csv", index=False)
        strata.to_csv(here / "strata.csv", index=False)
        arguments = ["estimate", "--sample", str(here / "sample.csv"), "--strata", str(here / "strata.csv"),
                     "--by", "region", "--format", "json"]  # fmt: skip
        with (here / "out.json").open("w") as out:
            process = subprocess.Popen([*COCAL, *arguments], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        found = json.loads((here / "out.json").read_text())
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    assert len(found["regions"]) == regions
    total = sum(r["classes"]["coca"]["area_ha"] for r in found["regions"].values())
    assert abs(total - found["classes"]["coca"]["area_ha"]) < 1e-3, total
    assert cpu < 60, cpu
    assert memory < 1, memory
    return f"{cpu:.1f} CPU s with start and JSON, peak {memory:.2f} GiB; regions add up to the total"


def the_documented_command_prints_what_the_docs_show() -> str:
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    block = text.split("    cocal estimate --sample sample.csv --strata strata.csv --interval wald\n")[1]
    shown = [line[4:] for line in block.splitlines()[1:] if line.startswith("    ")][:8]
    with tempfile.TemporaryDirectory() as folder:
        printed = command(Path(folder), olofsson(), "--interval", "wald").stdout
    lines = [line for line in printed.splitlines() if line.strip()]
    missing = [line for line in shown if line.strip() and line.rstrip() not in [p.rstrip() for p in lines]]
    assert not missing, missing
    return f"{len(shown)} lines of docs/statistics.md are those that the command prints"


REQUIREMENTS: list[Callable[[], str]] = [
    published_examples_to_their_printed_digits,
    coverage_meets_its_bounds_and_regions_add_up_in_every_draw,
    each_error_of_the_peers_is_caught_by_a_test,
    planted_faults_of_field_records_are_found,
    what_gives_no_estimate_is_refused_with_what_to_do,
    a_class_never_sampled_is_refused_by_name,
    a_design_reaches_the_half_width_that_it_promises,
    a_million_rows_and_ten_thousand_regions,
    the_documented_command_prints_what_the_docs_show,
]
