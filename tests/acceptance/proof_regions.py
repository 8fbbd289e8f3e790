"""The adversary of `proof_disclosure` on runs that publish regions: he learns nothing of regions not shown.

He has all files of 200 simulated runs, every second one with estimates that follow the map closely, and the
truth of half of them.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from tests.acceptance.proof_disclosure import ERROR, PAGES, RUNS, TWINS, land, totals
from tests.support.published_runs import REGIONS, PublishedRun, published


@functools.cache
def _runs() -> tuple[PublishedRun, ...]:
    return tuple(_run(number) for number in range(RUNS))


def _run(number: int, *, emptied: bool = False) -> PublishedRun:
    state, folder = land()
    error = ERROR if number % 2 else None
    return published(
        state, number, folder, error=error, emptied=emptied, page=number < PAGES, geography="regions"
    )


def hidden_regions(run: PublishedRun) -> pd.DataFrame:
    """region_id, period, true_ha of the regions that are not shown."""
    public = pd.read_csv(run.public / "hectares.csv", keep_default_na=False, na_values=[""])
    true = run.truth.groupby(["region_id", "period"])["mapped_ha"].sum().rename("true_ha").reset_index()
    both = public.merge(true, on=["region_id", "period"])
    return both[both["shown_ha"].isna()]


def rests(run: PublishedRun, region: str, period: str, *, estimate: bool) -> list[float]:
    """Each total with the region, less what is published of its other regions; NaN where there is none."""
    known = [t for t in totals(run.public) if t.period == period and t.estimate is estimate]
    own = {next(iter(t.regions)): t.ha for t in known if len(t.regions) == 1}
    groups: dict[frozenset[str], float] = {t.regions: t.ha for t in known if len(t.regions) > 1}
    within = sorted((g for g in groups if region in g), key=lambda g: (len(g), sorted(g)))
    found = [groups[g] - sum(own.get(name, 0.0) for name in g if name != region) for g in within]
    return [*found, *[np.nan] * 5][:5]


def features(run: PublishedRun) -> NDArray[np.float64]:
    """A row per region that is not shown: all that the files tell of it and of the others."""
    public = pd.read_csv(run.public / "hectares.csv", keep_default_na=False, na_values=[""])
    sizes = [path.stat().st_size for path in sorted(run.public.iterdir()) if path.name != "index.html"]
    rows = []
    for row in hidden_regions(run).to_dict("records"):
        here = public[public["period"] == row["period"]]
        other = public[(public["region_id"] == row["region_id"]) & (public["period"] != row["period"])]
        rows.append([
            *rests(run, row["region_id"], row["period"], estimate=False),
            *rests(run, row["region_id"], row["period"], estimate=True),
            here["shown_ha"].sum(), here["shown_ha"].isna().sum(), other["shown_ha"].iloc[0],
            list(REGIONS).index(row["region_id"]), float(row["period"] == "a"), len(str(row["notes"])),
            *sizes,
        ])  # fmt: skip
    return np.nan_to_num(np.array(rows, dtype=float), nan=-1.0)


def no_region_that_is_not_shown_follows_from_the_public_files() -> str:
    """Differences of the map's totals; the same bytes, of estimates too, where those regions are empty."""
    planted = [
        (rest, row["true_ha"])
        for run in _runs()
        for row in hidden_regions(run).to_dict("records")
        if row["true_ha"] > 0
        for rest in rests(run, row["region_id"], row["period"], estimate=False)
    ]
    told = [(rest, true) for rest, true in planted if abs(rest - true) < 0.05 or rest > 0]
    assert len(planted) > RUNS, "too few regions with few plots"
    assert not told, f"{len(told)} of {len(planted)} by differences: {told[:5]}"
    same = sum(_same(number) for number in range(TWINS))
    assert same == TWINS, f"{TWINS - same} of {TWINS} runs tell by their bytes that regions were emptied"
    return (
        f"0 of {len(planted)} rests of the map's totals tell a region with few plots; {same} of {TWINS} "
        "runs, half of them with estimates, have the same public bytes with those regions emptied"
    )


def _same(number: int) -> bool:
    own, twin = _runs()[number].public, _run(number, emptied=True).public
    names = {path.name for path in own.iterdir()}
    return names == {path.name for path in twin.iterdir()} and all(
        (own / name).read_bytes() == (twin / name).read_bytes() for name in names
    )


def regions_with_few_plots_and_empty_ones_cannot_be_told_apart() -> str:
    """A classifier with all features of the files is within three standard errors of chance."""
    tables = [features(run) for run in _runs()]
    few = [(hidden_regions(run)["true_ha"] > 0).to_numpy() for run in _runs()]
    half = RUNS // 2
    model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=8, random_state=1)
    model.fit(np.vstack(tables[:half]), np.concatenate(few[:half]))
    scores, rest = model.predict_proba(np.vstack(tables[half:]))[:, 1], np.concatenate(few[half:])
    area = roc_auc_score(rest, scores)
    n = len(rest)
    error = np.sqrt((n + 1) / (12 * rest.sum() * (~rest).sum()))  # of Mann and Whitney, at chance
    figure = f"area under the curve {area:.3f} +- {error:.3f} of {n} regions of {half} runs (chance 0.5)"
    assert abs(area - 0.5) < 3 * error, figure
    return figure


REQUIREMENTS = (
    no_region_that_is_not_shown_follows_from_the_public_files,
    regions_with_few_plots_and_empty_ones_cannot_be_told_apart,
)
