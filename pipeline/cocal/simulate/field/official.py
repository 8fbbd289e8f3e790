"""Published figures: hectares per district and year, and eradication; and the truth beside them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.grid import hectares
from cocal.simulate.field.survey import PLACES_PER_PIXEL, Surveyed
from cocal.simulate.land.kinds import CODES, KINDS, NUMBER
from cocal.simulate.land.places import PLACES
from cocal.simulate.land.plots import STATES
from cocal.simulate.noise import normal, uniform
from cocal.simulate.settings import STRATA, SimulateSettings

DEFINITION = "productive coca on at least half of a 10 m pixel"
OLD_DEFINITION = "coca of any age, nurseries and abandoned plots too"
SERIES, OLD_SERIES = "SIMULATED productive coca", "SIMULATED coca of any age"
BREAK_REGION = PLACES[1].region_id
BROKEN_KINDS = ("nursery", "abandoned_coca")

ROUNDED_TO_HA = {"PE": 1, "BO": 10}
"""Peru publishes to 1 ha since 2018, Bolivia to 100 ha nationally and finer by zone (domain notes)."""

OFFICE_ERROR, REVISION = 0.05, 0.06
"""Relative error of a figure beyond missed and mistaken plots, and of its first edition (assumptions)."""

VALIDATED = {"PE": 0.85, "BO": 0.447}
"""Share of the claimed eradication that is true: validated in Bolivia in 2023; for Peru an assumption."""

Ints = NDArray[np.int64]


def _ha(sixteenths: Ints | int) -> float:
    return hectares(int(sixteenths)) / PLACES_PER_PIXEL


def truth_table(whole: Surveyed) -> pd.DataFrame:
    """region_id, region_name, country, class, truth_ha, cover_ha: the truth at the end of the year.

    `truth_ha` is the area of the pixels of the class by the scheme's definition; `cover_ha` the ground that
    the class covers, in parts of pixels. Each adds up to the region's owned area over the classes.
    """
    keys = np.array([k.class_key for k in KINDS.values()])
    rows = [
        (
            p.region_id,
            p.name,
            p.country,
            key,
            hectares(int(whole.truth[r, c])),
            _ha(whole.cover[-1, r, keys == key].sum()),
        )
        for r, p in enumerate(PLACES)
        for c, key in enumerate(CODES)
    ]
    columns = ["region_id", "region_name", "country", "class", "truth_ha", "cover_ha"]
    return pd.DataFrame(rows, columns=columns).assign(source="SIMULATED truth")


def states_table(whole: Surveyed) -> pd.DataFrame:
    """region_id, state, truth_ha: pixels of which coca of the state covers at least half, at the year's end.

    Hectares of a definition are sums of them. Bearing states count together, and a pixel has the larger.
    """
    rows = [
        (place.region_id, name, hectares(int(whole.states[r, k])))
        for r, place in enumerate(PLACES)
        for k, name in enumerate(STATES)
        if name
    ]
    return pd.DataFrame(rows, columns=["region_id", "state", "truth_ha"]).assign(source="SIMULATED truth")


def kinds_table(whole: Surveyed) -> pd.DataFrame:
    """region_id, kind, class, cover_ha of every kind of cover at the end of the year."""
    rows = [
        (place.region_id, name, kind.class_key, _ha(whole.cover[-1, r, NUMBER[name]]))
        for r, place in enumerate(PLACES)
        for name, kind in KINDS.items()
    ]
    return pd.DataFrame(rows, columns=["region_id", "kind", "class", "cover_ha"]).assign(
        source="SIMULATED truth"
    )


def history_table(whole: Surveyed, settings: SimulateSettings) -> pd.DataFrame:
    """region_id, year, coca_ha (by the definition), cover_ha, nursery_ha, cleared_ha of 31 December."""
    coca, cover = whole.coca, whole.cover
    cleared = _cleared(whole).groupby(["region", "year"])["units"].sum()
    is_coca = np.array([k.class_key == "coca" for k in KINDS.values()])
    return pd.DataFrame(
        {
            "region_id": place.region_id, "year": year, "coca_ha": hectares(int(coca[k, r])),
            "cover_ha": _ha(cover[k, r, is_coca].sum()), "nursery_ha": _ha(cover[k, r, NUMBER["nursery"]]),
            "cleared_ha": _ha(int(cleared.get((r, year), 0))), "source": "SIMULATED truth",
        }
        for r, place in enumerate(PLACES)
        for k, year in enumerate(settings.history)
    )  # fmt: skip


def strata_table(whole: Surveyed) -> pd.DataFrame:
    """stratum, code on strata.tif, pixels, area_ha of the strata that the sample was drawn from."""
    units, pixels = whole.stratum_units, whole.stratum_pixels
    area = [hectares(int(u)) for u in units]
    table = {"stratum": STRATA, "code": range(1, len(STRATA) + 1), "pixels": pixels, "area_ha": area}
    return pd.DataFrame({**table, "source": "SIMULATED maps of the year before"})


def official_table(whole: Surveyed, settings: SimulateSettings) -> pd.DataFrame:
    """Invented official figures per region and year: the sum of the office's own plots, with errors, rounded.

    `coca_ha` is the present figure, `first_published_ha` that of the first edition. One region's definition
    changes with the last year.
    """
    found, cover = whole.found, whole.cover
    rows = []
    for r, place in enumerate(PLACES):
        for k, year in enumerate(settings.history):
            value = _ha(found[k, r])
            old = place.region_id == BREAK_REGION and year < settings.year
            if old:
                value += sum(_ha(cover[k, r, NUMBER[name]]) for name in BROKEN_KINDS)
            error = [float(normal(settings.seed, f"official/{e}", r, year)[0]) for e in ("error", "edition")]
            value *= 1 + OFFICE_ERROR * error[0]
            step = ROUNDED_TO_HA[place.country]
            rows.append(
                {
                    "region_id": place.region_id, "year": year, "coca_ha": step * round(value / step),
                    "first_published_ha": step * round(value * (1 + REVISION * error[1]) / step),
                    "source": "SIMULATED survey office",
                    "definition": OLD_DEFINITION if old else DEFINITION,
                    "reference_date": f"{year}-12-31",
                    "series": OLD_SERIES if old else SERIES,
                    "rounded_to_ha": step,
                }
            )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["region_id", "year"]).reset_index(drop=True)


def _cleared(whole: Surveyed) -> pd.DataFrame:
    """Eradicated plots, the sums of their parts in several blocks."""
    keys = ["region", "year", "layer", "column", "row", "day"]
    return whole.cleared.groupby(keys)["units"].sum().reset_index()


def cleared_table(whole: Surveyed) -> pd.DataFrame:
    """plot, region_id, year, cleared_on, cleared_ha of every eradicated plot. Hidden truth."""
    table = _cleared(whole)
    days = [(date(2000, 1, 1) + timedelta(days=int(d))).isoformat() for d in table["day"]]
    return pd.DataFrame(
        {
            "plot": [f"SIM-P{k:05d}" for k in range(1, len(table) + 1)],
            "region_id": [PLACES[r].region_id for r in table["region"]],
            "year": table["year"],
            "cleared_on": days,
            "cleared_ha": [_ha(u) for u in table["units"]],
            "source": "SIMULATED truth",
        }
    )


def claims_table(whole: Surveyed, settings: SimulateSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(claims, truth): claimed hectares of eradication per region and year, and the true part of them.

    A claim is the true hectares over the validated share, which varies, rounded to 1 ha.
    """
    table = _cleared(whole)
    units = table.groupby(["region", "year"])["units"].sum()
    plots = table.groupby(["region", "year"]).size()
    claims, truth = [], []
    for r, place in enumerate(PLACES):
        for year in settings.history:
            cleared = _ha(int(units.get((r, year), 0)))
            draw = float(uniform(settings.seed, "claim", r, year)[0])
            share = VALIDATED[place.country] * (0.8 + 0.35 * draw)
            claimed = round(cleared / share + (2.0 * draw if place.country == "BO" else 0.0))
            key = {"region_id": place.region_id, "year": year}
            days = {"from": f"{year}-01-01", "to": f"{year}-12-31"}
            claims.append({**key, "claimed_ha": claimed, **days, "source": "SIMULATED eradication authority"})
            share, n = cleared / claimed if claimed else np.nan, int(plots.get((r, year), 0))
            true = {"claimed_ha": claimed, "cleared_ha": cleared, "cleared_plots": n, "true_share": share}
            truth.append({**key, **true, "source": "SIMULATED truth"})
    return pd.DataFrame(claims), pd.DataFrame(truth)
