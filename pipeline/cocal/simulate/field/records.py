"""Field records of the invented year: a probability sample, and purposive missions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.crosswalk import TEXTS
from cocal.grid import transformer
from cocal.simulate.field.survey import Surveyed
from cocal.simulate.noise import normal, uniform
from cocal.simulate.settings import EPSG, STRATA, SimulateSettings

OBSERVER_ERROR = 0.04
"""Share of the points that one observer labels wrongly (assumption); two differ at about twice that."""

UNREACHED, UNREACHED_FAR = 0.02, 0.20
"""Share of points that were not reached, near and far (steep ground, no road within 1.5 km); an assumption.
It depends on the place and not on what grows there.
"""

CONFUSED = {
    "coca": "other_crops", "other_crops": "coca", "forest": "regrowth", "regrowth": "forest",
    "pasture": "regrowth", "bare": "pasture", "water": "bare",
}  # fmt: skip
"""Class that an observer writes by mistake (assumption)."""

MISSIONS = {True: 120, False: 80}
"""Visits of missions to coca and to other land."""
TAKEN_AT_ROAD = 0.15


def sample_records(whole: Surveyed, settings: SimulateSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(records, truth): a simple random sample without replacement of the pixels of each stratum.

    `class` is what both observers agreed on in the end, which is right; `first_class` and `second_class` are
    what each wrote alone. `state`, `shade`, `mixture` and `age` are those of the coca on the pixel, whatever
    its class. Points that were not reached have `visited` false and no class; truth has it.
    """
    pixels = dict(zip(STRATA, whole.stratum_pixels.tolist(), strict=True))
    table = _from_north(whole.sample)
    drawn = table.groupby("stratum")["x"].size()
    place, seed = np.arange(len(table)), settings.seed
    reached = uniform(seed, "reached", place, 0) >= np.where(table["far"], UNREACHED_FAR, UNREACHED)
    first, second = (_observed(seed, f"observer/{k}", table["class"].to_numpy(), place) for k in (1, 2))
    crew = np.floor(uniform(seed, "crew", place, 0) * 6).astype(int)
    records = _common(table, settings, "S", "SIMULATED field visit").assign(
        **{"class": table["class"].where(reached, "")},
        cover=table["cover"].where(reached),
        observer=np.where(reached, [f"SIM-crew-{k}" for k in crew], ""),
        first_class=np.where(reached, first, ""),
        second_observer=np.where(reached, [f"SIM-crew-{(k + 1) % 6}" for k in crew], ""),
        second_class=np.where(reached, second, ""),
        stratum=table["stratum"],
        inclusion_probability=[drawn[s] / pixels[s] for s in table["stratum"]],
        **{name: table[name].where(reached, "") for name in TEXTS},
        age=table["age"].where(reached),
        visited=reached,
        why_not=np.where(reached, "", np.where(table["far"], "steep or far from a road", "other")),
        split="test",
    )
    truth = pd.DataFrame({"record_id": records["record_id"], "class": table["class"], "far": table["far"]})
    wrong = {"first_wrong": first != table["class"], "second_wrong": second != table["class"]}
    return records, truth.assign(**wrong, source="SIMULATED truth")


def mission_records(whole: Surveyed, settings: SimulateSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(records, truth): purposive visits beside roads, most to known coca, some taken at the road.

    There is no stratum and no inclusion probability: no area can be estimated from them.
    """
    table = _from_north(whole.missions)
    place = np.arange(len(table))
    off = uniform(settings.seed, "roadside", place, 0) < TAKEN_AT_ROAD
    distance = np.where(off, 45.0, 2.0)
    x = table["x"] + distance * normal(settings.seed, "mission/x", place, 0)
    y = table["y"] + distance * normal(settings.seed, "mission/y", place, 0)
    records = _common(table.assign(x=x, y=y), settings, "M", "SIMULATED mission along roads")
    records["class"] = _observed(settings.seed, "observer/m", table["class"].to_numpy(), place)
    records["visited"] = True
    truth = pd.DataFrame({"record_id": records["record_id"], "class": table["class"], "taken_at_road": off})
    wrong = records["class"] != table["class"]
    return records, truth.assign(wrong_class=wrong, source="SIMULATED truth")


def _from_north(table: pd.DataFrame) -> pd.DataFrame:
    """The rows from north to south, then from west to east."""
    return table.sort_values(["y", "x"], ascending=[False, True], kind="stable", ignore_index=True)


def _observed(
    seed: int, stream: str, true: NDArray[np.object_], place: NDArray[np.int64]
) -> NDArray[np.object_]:
    """The classes that an observer writes, some of them wrong."""
    wrong = uniform(seed, stream, place, 0) < OBSERVER_ERROR
    return np.where(wrong, [CONFUSED[key] for key in true], true)


def _common(table: pd.DataFrame, settings: SimulateSettings, letter: str, source: str) -> pd.DataFrame:
    place = np.arange(len(table))
    longitude, latitude = transformer(EPSG, 4326).transform(table["x"].to_numpy(), table["y"].to_numpy())
    days = np.floor(uniform(settings.seed, f"visit/{letter}", place, 0) * 150).astype("timedelta64[D]")
    accuracy = 3 + 5 * uniform(settings.seed, f"accuracy/{letter}", place, 0)
    return pd.DataFrame(
        {
            "record_id": [f"SIM-{letter}{number:04d}" for number in place + 1],
            "lon": np.round(longitude, 7),
            "lat": np.round(latitude, 7),
            "observed_on": np.datetime_as_string(np.datetime64(f"{settings.year}-06-01") + days, unit="D"),
            "positional_accuracy_m": np.round(accuracy, 1),
            "source": source,
        }
    )
