"""The calibrated totals and their linearised errors beside those of R's package survey.

    python -m benchmarks.r_survey [--seeds 21 22] [--draws 3] [--write docs/statistics.md]

R forms the same estimate its own way: `svydesign` by strata, `postStratify` by stratum and group of map
classes, rates by `svyby`, and `svytotal` of the residuals of each region and class (Lumley 2004,
doi:10.18637/jss.v009.i08). The exit code is 1 if a
figure differs by more than 1e-9 of it. Without Rscript or the package (Debian: r-cran-survey) nothing is
compared, and that is said.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.lands import SEEDS, population, redraws
from benchmarks.marks import write_between
from benchmarks.regional_draws import CLASSES, Frame
from cocal.estimate.design import Cells
from cocal.estimate.regional.calibration import (
    crossed,
    groups_of,
    pooled,
    regression_totals,
    regression_variances,
)

AGREE = 1e-9
DARK = len(CLASSES) - 1

SCRIPT = """
suppressPackageStartupMessages(library(survey))
folder <- commandArgs(trailingOnly = TRUE)[1]
points <- read.csv(file.path(folder, "points.csv")); known <- read.csv(file.path(folder, "known.csv"))
design <- svydesign(ids = ~1, strata = ~stratum, weights = ~weight, data = points)
sizes <- aggregate(area_ha ~ post, known, sum); names(sizes)[2] <- "Freq"
design <- postStratify(design, ~post, sizes)
out <- NULL
for (k in sort(unique(points$reference))) {
  design <- update(design, y = as.numeric(reference == k))
  rates <- svyby(~y, ~post, design, svymean)
  p <- setNames(rates$y, rates$post)
  for (r in sort(unique(known$region))) {
    design <- update(design, z = (region == r) * (y - p[as.character(post)]))
    own <- known[known$region == r, ]
    total <- svytotal(~z, design)
    ha <- sum(own$area_ha * p[as.character(own$post)]) + coef(total)
    out <- rbind(out, data.frame(class = k, region = r, ha = ha, se = as.numeric(SE(total))))
  }
}
write.csv(out, file.path(folder, "out.csv"), row.names = FALSE)
"""


def missing() -> str:
    """Why R cannot be asked; "" if it can."""
    if shutil.which("Rscript") is None:
        return "no Rscript on this machine"
    asked = ["Rscript", "-e", "stopifnot(requireNamespace('survey', quietly = TRUE))"]
    found = subprocess.run(asked, check=False, capture_output=True)
    return "" if found.returncode == 0 else "R has no package survey"


def compared(frame: Frame, cells: Cells, folder: Path) -> pd.DataFrame:
    """ours and R's hectares and standard errors, a row per region and class that a point has."""
    k, strata = len(CLASSES), frame.strata
    table = crossed(frame.known, cells, cells.region, strata=strata, n_classes=k, dark=DARK)
    post = pooled(table, strata, DARK)
    total, _ = regression_totals(table, post)
    error = np.sqrt(regression_variances(table, post, strata))
    size = len(strata.names) * k
    area = np.bincount(frame.known.stratum * k + frame.known.mapped, frame.known.area_ha, size)
    group = groups_of(strata.n, area.reshape(-1, k), DARK)
    known, at = frame.known, np.repeat(np.arange(cells.count.size), cells.count.astype(int))
    points = {
        "stratum": cells.stratum, "region": cells.region, "reference": cells.reference,
        "post": cells.stratum * 100 + group[cells.stratum, cells.mapped],
        "weight": strata.weight_ha[cells.stratum],
    }  # fmt: skip
    pd.DataFrame(points).iloc[at].to_csv(folder / "points.csv", index=False)
    ground = {"region": known.atom, "post": known.stratum * 100 + group[known.stratum, known.mapped]}
    met = np.isin(
        ground["post"], points["post"]
    )  # unobserved ground that no point met is known, not estimated
    pd.DataFrame(ground | {"area_ha": known.area_ha})[met].to_csv(folder / "known.csv", index=False)
    (folder / "script.R").write_text(SCRIPT)
    subprocess.run(["Rscript", folder / "script.R", folder], check=True)
    found = pd.read_csv(folder / "out.csv")
    found = found[found["class"] != DARK]
    where = found["region"].to_numpy(), found["class"].to_numpy()
    return found.assign(our_ha=total[where], our_se=error[where])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS[:4]))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--write", type=Path, help="file that holds the line between its marks")
    chosen = parser.parse_args()
    if why := missing():
        print(f"skipped: {why}")
        return 0
    parts = []
    for seed in chosen.seeds:
        land = population(seed, map_name="f1_054", unobserved=True)
        frame = Frame(land)
        for counts in redraws(land, chosen.draws, np.random.default_rng(seed)):
            with TemporaryDirectory() as folder:
                parts.append(compared(frame, frame.drawn(counts), Path(folder)))
    found = pd.concat(parts, ignore_index=True)
    gaps = [
        float((abs(found[f"our_{name}"] - found[name]) / np.maximum(abs(found[name]), 1.0)).max())
        for name in ("ha", "se")
    ]
    text = (
        f"R's package survey, {len(found):,} regional figures of {len(parts)} samples: hectares agree to "
        f"{gaps[0]:.0e}, linearised standard errors to {gaps[1]:.0e} (before raking, which R does not do)."
    )
    print(text)
    if chosen.write:
        write_between(chosen.write, "r_survey", text)
    return int(max(gaps) > AGREE)


if __name__ == "__main__":
    sys.exit(main())
