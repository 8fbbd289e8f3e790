"""Recall and false alarms of `cocal records check`, per fault, as the table of docs/records.md.

    python -m benchmarks.record_faults [--records 5000] [--seeds 1 2 3] [--write docs/records.md]

The records are SIMULATED, each fault planted and labelled; the labels are hidden from the check. Recall: of
the records with a fault, the share reported under its rule. False alarms: of the records without that fault,
sound or with another one, the share reported under its rule. The exit code is 1 if, with all evidence, a
fault stays below 95 % recall or above 1 % false alarms, or if a proposed fix does not bring back what was
measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from pyproj import Geod

from cocal.fieldwork.checks import RULES, Evidence, check_file, write_fixed
from cocal.fieldwork.checks.source import read_source
from cocal.simulate.crews import LAT, LON, PERIOD
from cocal.simulate.faults import PLANTED, FaultyRecords, simulate_records, write_records

RECALL, FALSE_ALARMS = 0.95, 0.01
UNEXPLAINED = "outside_area, outside_plot"
BACK_M = {"datum": 30.0}
EVIDENCE = ("the records and the area", "plots and roads", "plots with ids")
BEGIN, END = "<!-- record faults: begin -->", "<!-- record faults: end -->"


def evidence(folder: Path, records: FaultyRecords) -> list[dict]:
    """What the check is given, from least to most."""
    stated = {"area": ",".join(f"{v:.6f}" for v in records.area), "period": "..".join(PERIOD)}
    nameless = folder / "plots_without_ids.gpkg"
    records.plots.drop(columns="parcela_id").to_file(nameless)
    ground = {"roads": folder / "roads.gpkg"}
    return [
        stated,
        stated | ground | {"plots": nameless},
        stated | ground | {"plots": folder / "plots.gpkg"},
    ]


def found_rows(path: Path, given: dict) -> pd.DataFrame:
    """(rule, row) of every finding; a set's finding stands for each of its rows."""
    faults = check_file(path, Evidence(**given)).faults
    pairs = {(f.rule, row) for f in faults for row in ([f.row] if f.row is not None else f.rows)}
    return pd.DataFrame(sorted(pairs), columns=["rule", "row"])


def scores(truth: pd.DataFrame, found: pd.DataFrame, rule: str) -> tuple[int, int, int, int]:
    """(planted, of them found, not planted, of them found)."""
    planted = (truth["fault"] == rule).to_numpy()
    told = truth["row"].isin(found.loc[found["rule"] == rule, "row"]).to_numpy()
    return (
        int(planted.sum()),
        int((planted & told).sum()),
        int((~planted).sum()),
        int((~planted & told).sum()),
    )


def brought_back(folder: Path, records: FaultyRecords, given: dict) -> dict[str, float]:
    """Per rule that moves positions, the largest distance, m, from a fixed record to where it was measured.

    Only records that were reported under their rule count; the fixes are accepted one rule at a time.
    """
    path, worst = folder / "records.csv", {}
    checked = check_file(path, Evidence(**given))
    for rule in ("swapped", "sign_lost", "wrong_zone", "degrees_minutes", "decimal_comma", "datum"):
        out = folder / f"fixed-{rule}.csv"
        write_fixed(checked, [rule], out)
        rows = [
            f.row
            for f in checked.faults
            if f.rule == rule and f.fix is not None and set(f.fix.rules) == {rule}
        ]
        planted = records.truth.loc[records.truth["fault"] == rule, "row"]
        rows = sorted(set(planted) & set(rows))
        fixed = read_source(out).rows.loc[rows, [LON, LAT]].astype(float).to_numpy()
        measured = records.clean.loc[np.array(rows) - 2, [LON, LAT]].astype(float).to_numpy()
        _, _, metres = Geod(ellps="WGS84").inv(*fixed.T, *measured.T)
        worst[rule] = float(np.max(metres))
        out.unlink()
        out.with_name(out.name + ".changes.csv").unlink()
    return worst


def measure(n: int, seeds: list[int]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Scores by rule, (evidence, 4), added over the seeds; worst distance of fixed records by rule."""
    rules = [rule for rule in RULES if rule in PLANTED]
    total = {rule: np.zeros((len(EVIDENCE), 4), dtype=np.int64) for rule in (*rules, UNEXPLAINED)}
    worst: dict[str, float] = {}
    for seed in seeds:
        records = simulate_records(seed, n=n)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_records(records, folder)
            given = evidence(folder, records)
            for k, some in enumerate(given):
                found = found_rows(folder / "records.csv", some)
                for rule in rules:
                    total[rule][k] += scores(records.truth, found, rule)
                sound = records.truth.loc[records.truth["fault"] == "", "row"]
                other = found[found["rule"].isin(["outside_area", "outside_plot"])]
                total[UNEXPLAINED][k] += (
                    0,
                    0,
                    len(sound),
                    int(sound.isin(other["row"]).sum()),
                )
            for rule, metres in brought_back(folder, records, given[-1]).items():
                worst[rule] = max(worst.get(rule, 0.0), metres)
    return total, worst


def table(n: int, seeds: list[int]) -> tuple[str, list[str]]:
    """The table as Markdown, and what breaks the bounds."""
    total, worst = measure(n, seeds)
    lines, broken = [], []
    for rule, counts in total.items():
        cells = [rule, f"{counts[0][0]:,}" if counts[0][0] else "-"]
        for planted, hit, sound, alarm in counts:
            cells += [f"{100 * hit / planted:.1f}" if planted else "-", f"{100 * alarm / sound:.2f}"]
        cells += [f"{worst[rule]:.2f}" if rule in worst else "-"]
        planted, hit, sound, alarm = counts[-1]
        if (planted and hit / planted < RECALL) or alarm / sound > FALSE_ALARMS:
            broken.append(f"{rule}: recall {hit}/{planted}, false alarms {alarm}/{sound}")
        if worst.get(rule, 0.0) > BACK_M.get(rule, 0.02):
            broken.append(f"{rule}: a fixed record lies {worst[rule]:.2f} m from where it was measured")
        lines.append(cells)
    head = ["fault", "planted"] + ["recall %", "false alarms %"] * len(EVIDENCE) + ["fixed within m"]
    levels = "; ".join(f"{k}) {words}" for k, words in enumerate(EVIDENCE, start=1))
    text = [
        f"{len(seeds)} x {n:,} SIMULATED records, seeds {', '.join(map(str, seeds))}. Evidence: {levels}.",
        "",
    ]
    text += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    text += ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(text), broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--write", type=Path, help="a Markdown file with the two marks")
    settings = parser.parse_args()
    text, broken = table(settings.records, settings.seeds)
    if settings.write:
        before, rest = settings.write.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        settings.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    else:
        print(text)
    for fault in broken:
        print("OUT OF BOUNDS:", fault, file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
