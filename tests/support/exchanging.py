"""Samples at random, divided between two offices, and what all their points together estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from cocal.contracts import OTHER
from cocal.estimate import estimate_areas, estimate_change
from cocal.exchange.content import Bundle, PeriodContent, SchemeContent
from cocal.exchange.figures import FIGURES, PRINTED
from cocal.exchange.make import Source, make_bundle
from cocal.exchange.merge import Merged
from cocal.exchange.survey import BOTH, OWN, Survey, answer, cells_of

CLASSES = ("coca", "forest", "pasture")
DEFINITIONS = (OWN, "joint")
NOT_COUNTED = "not_counted"
PERIODS = ("2023", "2024")
REGIONS = ("PE-1", "PE-2", "PE-3", "BO-1", "BO-2", "BO-3")
UNITS = 10**10
DIGEST = "0" * 64


@dataclass(frozen=True)
class Land:
    """A design, its known ground in 1e-6 m2, and a point of the sample per row.

    `points`: stratum, place, map of each period, class of each period under each definition.
    """

    points: pd.DataFrame
    ground: pd.DataFrame
    estimator: str


def random_land(
    seed: int,
    *,
    calibrated: bool,
    per_stratum: tuple[int, int] = (30, 60),
    places: Iterable[str] = REGIONS,
) -> Land:
    """A land with strata that are not the classes of the map, and places of two countries."""
    rng = np.random.default_rng(seed)
    strata = ("near", "far", "rest")
    rows = [(s, r, a, b) for s in strata for r in sorted(places) for a in CLASSES for b in CLASSES]
    ground = pd.DataFrame(rows, columns=["stratum", "place", *(f"map {p}" for p in PERIODS)])
    units = rng.integers(UNITS, 400 * UNITS, len(ground))
    ground = ground.assign(units=np.where(ground["stratum"] == "rest", 20 * units, units))
    parts = []
    for stratum in strata:
        own = ground[ground["stratum"] == stratum]
        n = int(rng.integers(*per_stratum))
        parts.append(own.sample(n, replace=True, weights=own["units"], random_state=rng))
    points = pd.concat(parts, ignore_index=True).drop(columns="units")
    for period in PERIODS:
        own = points[f"map {period}"]
        right = rng.random(len(points)) < 0.8
        points[answer(OWN, period)] = np.where(right, own, rng.choice(CLASSES, len(points)))
        counts = (points[answer(OWN, period)] != "coca") | (rng.random(len(points)) < 0.6)
        points[answer("joint", period)] = points[answer(OWN, period)].where(counts, NOT_COUNTED)
    return Land(points, ground, "calibrated" if calibrated else "stratified")


def change_map(table: pd.DataFrame) -> pd.Series:
    """What became of the target on the two maps."""
    words = [table[f"map {p}"].where(table[f"map {p}"] == "coca", OTHER) for p in PERIODS]
    return words[0] + " to " + words[1]


def with_map(table: pd.DataFrame, periods: tuple[str, ...]) -> pd.DataFrame:
    """`table` with the class of the map of one period, or of a pair of them."""
    return table.assign(map_class=table[f"map {periods[0]}"] if len(periods) == 1 else change_map(table))


def known_of(land: Land, periods: tuple[str, ...]) -> pd.DataFrame:
    """stratum, place, map_class, area_ha: exact sums of the ground, divided once."""
    table = with_map(land.ground, periods)
    sums = table.groupby(["stratum", "place", "map_class"])["units"].sum() / UNITS
    return sums.rename("area_ha").reset_index()


def strata_of(land: Land) -> pd.DataFrame:
    ha = land.ground.groupby("stratum", sort=True)["units"].sum() / UNITS
    return ha.rename("area_ha").reset_index()


def answers_of(points: pd.DataFrame, periods: tuple[str, ...]) -> pd.DataFrame:
    """`points` with the columns of answers of a survey."""
    found = with_map(points, periods)
    for definition in DEFINITIONS:
        if len(periods) == 1:
            found[answer(definition)] = points[answer(definition, periods[0])]
            continue
        for when, period in zip(BOTH, periods, strict=True):
            own = points[answer(definition, period)]
            found[answer(definition, when)] = own.where(own == "coca", OTHER)
    return found


def survey_of_land(
    land: Land, points: pd.DataFrame, places: set[str], periods: tuple[str, ...], design: str
) -> Survey:
    """An office's survey: its points, the ground of its places, and what of the strata lies elsewhere."""
    known = known_of(land, periods)
    outside = ~known["place"].isin(places)
    known.loc[outside, ["place", "map_class"]] = ["(no region)", "unobserved"]
    known = known.groupby(["stratum", "place", "map_class"])["area_ha"].sum().reset_index()
    table = answers_of(points, periods)
    names = [c for c in table if any(c in (answer(d), *(answer(d, w) for w in BOTH)) for d in DEFINITIONS)]
    ground = known if land.estimator == "calibrated" else None
    return Survey(periods, design, land.estimator, (), strata_of(land), cells_of(table, names), ground)


def source_of(land: Land, points: pd.DataFrame, places: set[str], design: str, run: str = "run") -> Source:
    """What an office makes its bundle from."""
    rows = [
        (r, f"{r} (simulated)", r[:2], DIGEST[:-1] + str(i)) for i, r in enumerate(REGIONS) if r in places
    ]
    kinds = [(PERIODS[0],), (PERIODS[1],), PERIODS]
    mapped = [
        known_of(land, (p,)).groupby(["place", "map_class"])["area_ha"].sum().reset_index().assign(period=p)
        for p in PERIODS
    ]
    table = pd.concat(mapped).rename(columns={"place": "region_id", "map_class": "class"})
    table = table[table["region_id"].isin(places)]
    return Source(
        run=run,
        simulated=True,
        made_by="cocal test",
        scheme=SchemeContent(id="s", sha256=DIGEST, target="coca", classes=CLASSES),
        crosswalk=DIGEST,
        definitions=DEFINITIONS,
        map={"kind": "none"},
        states=(),
        regions=pd.DataFrame(rows, columns=["region_id", "region_name", "country", "sha256"]),
        regions_sha256=DIGEST,
        periods=tuple(
            PeriodContent(name=p, start=date(int(p), 1, 1), end=date(int(p), 12, 31)) for p in PERIODS
        ),
        interval="gamma",
        confidence=0.95,
        surveys=tuple(survey_of_land(land, points, places, kind, design) for kind in kinds),
        mapped=table.assign(mapped_ha=[Decimal(f"{ha:.10f}") for ha in table["area_ha"]]),
        out={},
        official=(),
        alone=frozenset(places),
    )


def bundle_of(
    land: Land, points: pd.DataFrame, places: set[str], office: str, design: str, least: int = 1
) -> Bundle:
    return make_bundle(source_of(land, points, places, design), office, least)


def pooled_stock(
    lands: Mapping[str, Land], period: str, definition: str, domain: Mapping[str, str], *, prefix: bool
) -> pd.DataFrame:
    """class, region, figures of all points of all lands in one table; region "total" the whole."""
    frames, strata, known = [], [], []
    for name, land in lands.items():
        before = f"{name} " if prefix else ""
        own = answers_of(land.points, (period,))
        frames.append(own.assign(stratum=before + own["stratum"], reference_class=own[answer(definition)]))
        strata.append(strata_of(land).assign(stratum=lambda t, b=before: b + t["stratum"]))
        known.append(known_of(land, (period,)).assign(stratum=lambda t, b=before: b + t["stratum"]))
    frame, ground = pd.concat(frames, ignore_index=True), pd.concat(known, ignore_index=True)
    frame = frame.assign(unit=frame["place"], region=frame["place"].map(domain))
    calibrated = next(iter(lands.values())).estimator == "calibrated"
    ground = ground.assign(unit=ground["place"], region=ground["place"].map(domain))
    used = sorted({*frame["reference_class"]} - {*CLASSES})
    found = estimate_areas(
        frame.sample(frac=1, random_state=1),
        pd.concat(strata, ignore_index=True),
        classes=(*CLASSES, *used),
        estimator="calibrated" if calibrated else "stratified",
        interval="gamma",
        confidence=0.95,
        by_region=True,
        known=ground.drop(columns="place") if calibrated else None,
        rare=("coca",) if calibrated else None,
    )
    return pd.concat([found.regions, found.classes.assign(region="total", n=found.n)], ignore_index=True)


def pooled_change(
    lands: Mapping[str, Land], definition: str, domain: Mapping[str, str], *, prefix: bool
) -> pd.DataFrame:
    """The change of the target from all points of all lands in one table; region "" the whole."""
    frames, strata, known = [], [], []
    for name, land in lands.items():
        before = f"{name} " if prefix else ""
        own = answers_of(land.points, PERIODS)
        frames.append(own.assign(stratum=before + own["stratum"]))
        strata.append(strata_of(land).assign(stratum=lambda t, b=before: b + t["stratum"]))
        known.append(known_of(land, PERIODS).assign(stratum=lambda t, b=before: b + t["stratum"]))
    frame, ground = pd.concat(frames, ignore_index=True), pd.concat(known, ignore_index=True)
    frame = frame.assign(
        unit=frame["place"], region=frame["place"].map(domain),
        **{f"reference_{w}": frame[answer(definition, w)] for w in BOTH},
    )  # fmt: skip
    calibrated = next(iter(lands.values())).estimator == "calibrated"
    ground = ground.assign(unit=ground["place"], region=ground["place"].map(domain)).drop(columns="place")
    found = estimate_change(
        frame.sample(frac=1, random_state=1), pd.concat(strata, ignore_index=True),
        classes=("coca", OTHER), interval="gamma", confidence=0.95, by_region=True,
        known=ground if calibrated else None,
    ).table  # fmt: skip
    return found[found["class"] == "coca"]


@dataclass(frozen=True)
class Split:
    """A land, or two, divided between two offices; `lands` by the first letters of their designs."""

    lands: Mapping[str, Land]
    parts: tuple[tuple[Land, pd.DataFrame, set[str], str, str], ...]


@dataclass(frozen=True)
class Differences:
    """Rows of the pooled estimate that were compared, and those that the merged one prints otherwise."""

    compared: int
    different: list[tuple[str, ...]]


def divided(seed: int, how: str, *, calibrated: bool) -> Split:
    """Points of one design divided at random (`samples`), by region (`regions`), or two designs."""
    rng, land = np.random.default_rng(seed), random_land(seed, calibrated=calibrated)
    own = set(rng.choice(REGIONS, int(rng.integers(1, 6)), replace=False))
    places = (own, set(REGIONS) - own)
    if how == "designs":
        lands = [
            random_land(seed + 10_000 * i, calibrated=calibrated, places=p) for i, p in enumerate(places)
        ]
        ids = ("a" * 64, "b" * 64)
        rows = zip(lands, places, ("PE", "BO"), ids, strict=True)
        parts = tuple((own_land, own_land.points, p, office, d) for own_land, p, office, d in rows)
        return Split({d[:8]: own_land for d, own_land in zip(ids, lands, strict=True)}, parts)
    mine = land.points["place"].isin(own).to_numpy()
    if how == "samples":
        mine, places = rng.random(len(land.points)) < rng.uniform(0.2, 0.8), (set(REGIONS), set(REGIONS))
    design = "a" * 64
    parts = tuple(
        (land, land.points[rows], p, office, design)
        for rows, p, office in zip((mine, ~mine), places, ("PE", "BO"), strict=True)
    )
    return Split({design[:8]: land}, parts)


def bundles_of(split: Split) -> list[Bundle]:
    return [bundle_of(*part) for part in split.parts]


def differences(split: Split, merged: Merged, periods: tuple[str, ...] | None = None) -> Differences:
    """The merged figures beside those of all points in one table, as text with six decimals.

    `periods`: of one survey alone; None: of all.
    """
    prefix = len(split.lands) > 1
    stocks = PERIODS if periods is None else periods if len(periods) == 1 else ()
    domains = {"place": {r: r for r in REGIONS}, "country": {r: r[:2] for r in REGIONS}}
    wanted: dict[tuple[str, ...], tuple[str, ...]] = {}
    for level, domain in domains.items():
        for definition in DEFINITIONS:
            for period in stocks:
                table = pooled_stock(split.lands, period, definition, domain, prefix=prefix)
                whole = table["region"] == "total"
                table = table.assign(level=np.where(whole, "total", level), period=period)
                wanted |= _printed(table.assign(id=table["region"], definition=definition), STOCK_KEYS)
            if periods is not None and len(periods) == 1:
                continue
            table = pooled_change(split.lands, definition, domain, prefix=prefix)
            whole = table["region"] == ""
            table = table.assign(level=np.where(whole, "total", level), definition=definition)
            table["id"] = np.where(whole, "total", table["region"])
            wanted |= _printed(table, PAIR_KEYS)
    found = _printed(merged.hectares, STOCK_KEYS) | _printed(merged.change, PAIR_KEYS)
    return Differences(len(wanted), [key for key, row in wanted.items() if found.get(key) != row])


STOCK_KEYS = ("level", "id", "period", "definition", "class")
PAIR_KEYS = ("level", "id", "definition", "quantity")


def _printed(table: pd.DataFrame, keys: tuple[str, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    own = table.rename(columns={"area_ha": "estimated_ha"})[[*keys, "n", *FIGURES]]
    rows = own.round(PRINTED).itertuples(index=False)  # both by one rule: a tie is rounded in two ways else
    k = len(keys)
    return {
        tuple(map(str, r[:k])): (
            str(int(r[k])),
            *("" if pd.isna(v) else f"{v + 0:.6f}" for v in r[k + 1 :]),
        )
        for r in rows
    }
