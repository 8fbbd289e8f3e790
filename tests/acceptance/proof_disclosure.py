"""An adversary takes all public files of 200 simulated runs, and learns nothing of squares not shown.

He reads the code, so he attacks what it writes: he differences totals over regions, countries, groups, zones
and periods, and trains a classifier on half of the runs, of which
he holds the truth, to tell in the other half squares with few plots from empty ones.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from cocal.run.state import Run
from cocal.serve.rasters import SquareRaster
from tests.support.published_runs import REGIONS, PublishedRun, prepared, published

RUNS, PAGES, TWINS = 200, 10, 20
ERROR = 0.25
"""Standard error of the estimates of regions, as a share; every second run has estimates."""

_COUNTRIES = {"PE": "ABC", "BO": ("D", "E", "ONE", "TWO"), "total": tuple(REGIONS)}
_GROUPS = {"north": ("A", "B", "ONE"), "south": ("D", "E", "TWO"), "few": ("ONE", "TWO")}
_ZONES = {
    "Z": "BC", "Y": ("ONE",), "outside-PE": "A", "outside-BO": ("D", "E", "TWO"),
    "authorised": ("B", "C", "ONE"), "limit": ("B", "C", "ONE"), "outside": ("A", "D", "E", "TWO"),
}  # fmt: skip


@functools.cache
def land() -> tuple[Run, Path]:
    """The land of all runs, and the folder that they are in."""
    folder = Path(tempfile.mkdtemp(prefix="cocal-public-"))
    return prepared(folder), folder


@functools.cache
def _runs() -> tuple[PublishedRun, ...]:
    state, folder = land()
    return tuple(
        published(state, n, folder, error=ERROR if n % 2 else None, page=n < PAGES) for n in range(RUNS)
    )


@dataclass(frozen=True)
class Total:
    """A published figure: the regions that it sums, and its hectares."""

    regions: frozenset[str]
    period: str
    ha: float
    estimate: bool


def totals(public: Path) -> Iterator[Total]:
    """Every figure of hectares in the tables of public/, read by the names of their columns."""
    for path in sorted(public.glob("*.csv")):
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        if path.stem in ("density", "regions", "notes", "unmatched"):
            continue
        for row in table.to_dict("records"):
            inside = _members(path.stem, row)
            for column in ("mapped_ha", "shown_ha", "estimated_ha"):
                if not pd.isna(row.get(column, np.nan)):
                    estimate = column == "estimated_ha"
                    yield Total(frozenset(inside), str(row["period"]), row[column], estimate)


def _members(table: str, row: dict[object, object]) -> frozenset[str]:
    if table == "legal":
        return frozenset(_ZONES[str(row["id"])])
    if table == "countries":
        return frozenset(_COUNTRIES[str(row["country"])])
    return frozenset(_GROUPS.get(str(row["region_id"]), (str(row["region_id"]),)))


def hidden_squares(run: PublishedRun) -> pd.DataFrame:
    """The squares that are not shown, in the order of density.csv, with what they hold."""
    squares = pd.read_csv(run.public / "density.csv", keep_default_na=False, na_values=[""])
    squares["line"] = range(len(squares))
    truth = run.truth[["cell_id", "period", "mapped_ha", "plots"]].rename(columns={"mapped_ha": "true_ha"})
    both = squares.merge(truth, on=["cell_id", "period"])
    return both[both["mapped_ha"].isna()]


def differences(run: PublishedRun) -> list[tuple[float, float]]:
    """(hectares by difference, true hectares) of each rest that is a single square, over all pairs of totals.

    The rest of a total is the total less the squares shown in it, and less that of every total inside it.
    """
    squares = pd.read_csv(run.public / "density.csv", keep_default_na=False, na_values=[""])
    true = run.truth.set_index(["cell_id", "period"])["mapped_ha"]
    found = []
    for period, own in squares.groupby("period"):
        exact = [t for t in totals(run.public) if t.period == period and not t.estimate]
        rests = [(t.regions, t.ha) for t in exact]
        rests += [(a.regions - b.regions, a.ha - b.ha) for a in exact for b in exact if b.regions < a.regions]
        for regions, ha in rests:
            inside = own[own["region_id"].isin(regions)]
            lone = inside[inside["mapped_ha"].isna()]
            if len(lone) == 1:
                rest = ha - inside["mapped_ha"].sum()
                found.append((rest, float(true[lone["cell_id"].iloc[0], str(period)])))
    return found


def features(run: PublishedRun) -> NDArray[np.float64]:
    """A row per square that is not shown: all that the files tell of it and of its surroundings."""
    hidden = hidden_squares(run)
    squares = pd.read_csv(run.public / "density.csv", keep_default_na=False, na_values=[""])
    sizes = [path.stat().st_size for path in sorted(run.public.iterdir()) if path.name != "index.html"]
    known = list(totals(run.public))
    codes = {p: SquareRaster(own) for p, own in squares.groupby("period")}
    rows = []
    for row in hidden.to_dict("records"):
        own = squares[(squares["period"] == row["period"]) & (squares["region_id"] == row["region_id"])]
        near = squares[
            (squares["period"] == row["period"]) & ((squares["x"] - row["x"]).abs() <= 1000)
            & ((squares["y"] - row["y"]).abs() <= 1000)
        ]["mapped_ha"]  # fmt: skip
        other = squares[(squares["cell_id"] == row["cell_id"]) & (squares["period"] != row["period"])]
        shown, estimated = (_least(known, row, estimate=e) for e in (False, True))
        rests = [_rest(total, squares) for total in (shown, estimated)]
        window, drawn = codes[row["period"]]._grids[row["epsg"]]
        code = drawn[(window.top - row["y"]) // 1000 - 1, (row["x"] - window.left) // 1000]
        rows.append([
            *rests, own["mapped_ha"].isna().sum(), own["mapped_ha"].mean(), near.mean(), near.isna().sum(),
            other["mapped_ha"].iloc[0], code,
            row["line"], row["x"], row["y"], len(str(row["notes"])), float(row["period"] == "a"), *sizes,
        ])  # fmt: skip
    return np.nan_to_num(np.array(rows, dtype=float), nan=-1.0)


def _least(known: list[Total], row: dict[str, object], *, estimate: bool) -> Total | None:
    """The total of the fewest regions that holds a square; None where none does."""
    own = [
        t
        for t in known
        if t.period == row["period"] and t.estimate is estimate and row["region_id"] in t.regions
    ]
    return min(own, key=lambda t: len(t.regions), default=None)


def _rest(total: Total | None, squares: pd.DataFrame) -> float:
    """Hectares of a total less the squares shown in it, per square that is not shown."""
    if total is None:
        return np.nan
    inside = squares[(squares["period"] == total.period) & squares["region_id"].isin(total.regions)]
    return float((total.ha - inside["mapped_ha"].sum()) / max(inside["mapped_ha"].isna().sum(), 1))


def told_apart(runs: list[PublishedRun]) -> tuple[float, float, int]:
    """Area under the curve of few plots against none on the second half of runs, its standard error, squares.

    The error is that of the runs, drawn again 200 times.
    """
    tables = [features(run) for run in runs]
    few = [(hidden_squares(run)["true_ha"] > 0).to_numpy() for run in runs]
    half = len(runs) // 2
    model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=8, random_state=1)
    model.fit(np.vstack(tables[:half]), np.concatenate(few[:half]))
    scores = [model.predict_proba(table)[:, 1] for table in tables[half:]]
    rng, draws = np.random.default_rng(1), []
    for _ in range(200):
        taken = rng.integers(0, len(scores), len(scores))
        draws.append(
            roc_auc_score(
                np.concatenate([few[half + i] for i in taken]), np.concatenate([scores[i] for i in taken])
            )
        )
    area = roc_auc_score(np.concatenate(few[half:]), np.concatenate(scores))
    return float(area), float(np.std(draws)), sum(map(len, scores))


def no_square_that_is_not_shown_follows_from_the_public_files() -> str:
    """Differences of totals; no estimate; the same bytes where those squares are empty."""
    found = [pair for run in _runs() for pair in differences(run)]
    planted = [(rest, true) for rest, true in found if true > 0]
    told = [(rest, true) for rest, true in planted if abs(rest - true) < 0.05]
    assert len(planted) > RUNS / 4, "too few single squares to difference"
    assert not told, f"{len(told)} of {len(planted)} by differences: {told[:5]}"
    told_of = sum(total.estimate for run in _runs() for total in totals(run.public))
    assert not told_of, f"{told_of} estimates are published"
    same = sum(_same(number) for number in range(TWINS))
    assert same == TWINS, f"{TWINS - same} of {TWINS} runs tell by their bytes that squares were emptied"
    n = sum(len(hidden_squares(run)) for run in _runs())
    return (
        f"0 of {len(planted)} single rests with coca by differences, of {n} squares "
        f"in {RUNS} runs, no estimate; {same} of {TWINS} have the same public bytes with those emptied"
    )


def _same(number: int) -> bool:
    """Whether public/ of a run is the same, byte for byte, with every square that is not shown emptied."""
    state, folder = land()
    own, page = _runs()[number].public, number < PAGES
    twin = published(
        state, number, folder, error=ERROR if number % 2 else None, emptied=True, page=page
    ).public
    names = {path.name for path in own.iterdir()}
    return names == {path.name for path in twin.iterdir()} and all(
        (own / name).read_bytes() == (twin / name).read_bytes() for name in names
    )


def squares_with_few_plots_and_empty_ones_cannot_be_told_apart() -> str:
    """A classifier with all features of the files is within three standard errors of chance."""
    area, error, n = told_apart(list(_runs()))
    figure = f"area under the curve {area:.3f} +- {error:.3f} of {n} squares of {RUNS // 2} runs (chance 0.5)"
    assert abs(area - 0.5) < 3 * error, figure
    return figure


REQUIREMENTS = (
    no_square_that_is_not_shown_follows_from_the_public_files,
    squares_with_few_plots_and_empty_ones_cannot_be_told_apart,
)
