"""The exchange between offices: merged as pooled, nothing sensitive in a file, what was altered refused."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cocal.errors import InputError
from cocal.estimate.disclosure import shown_hectares
from cocal.exchange.content import Bundle
from cocal.exchange.make import joined_before, make_bundle
from cocal.exchange.merge import merge
from cocal.exchange.signing import check_signatures, make_keys, read_bundle, write_bundle
from cocal.exchange.survey import OWN
from tests.support.exchanging import (
    DIGEST,
    PERIODS,
    REGIONS,
    Land,
    bundle_of,
    bundles_of,
    differences,
    divided,
    random_land,
    source_of,
)

SPLITS, RUNS, ALTERED = 500, 200, 300
WAYS = ("samples", "regions", "designs")


def merged_bundles_are_the_pooled_records_to_the_last_digit() -> str:
    """Of each split one kind of figures: a period under both definitions, or change under both."""
    compared, kinds = 0, {"stock": 0, "change": 0}
    for seed in range(SPLITS):
        kind = ("stock", "change")[seed % 2]
        split = divided(seed, WAYS[seed % 3], calibrated=seed % 4 < 2)
        periods = PERIODS if kind == "change" else (PERIODS[seed % 4 // 2],)
        bundles = [_only(bundle, periods) for bundle in bundles_of(split)]
        found = differences(split, merge(bundles[:: 1 if seed % 5 else -1]), periods)
        assert not found.different, (seed, found.different[:3])
        compared, kinds[kind] = compared + found.compared, kinds[kind] + 1
    return (
        f"{compared:,} rows of {SPLITS} splits ({kinds['change']} of change), two definitions: hectares, "
        "errors, ends equal to 6 decimals"
    )


def _only(bundle: Bundle, periods: tuple[str, ...]) -> Bundle:
    """The bundle with one of its surveys."""
    return bundle.model_copy(update={"surveys": tuple(s for s in bundle.surveys if s.periods == periods)})


def an_adversary_recovers_no_place_no_id_and_no_withheld_cell() -> str:
    """Bundles of two sizes of k and of public/ are subtracted from each other; their bytes are searched."""
    made = refused = withheld = numbers = 0
    for seed in range(RUNS):
        land = random_land(seed, calibrated=seed % 2 == 0, per_stratum=(150, 400))
        rng = np.random.default_rng(seed)
        plots = dict(zip(REGIONS, rng.integers(0, 12, len(REGIONS)).tolist(), strict=True))
        least = int(rng.integers(2, 5))
        alone = frozenset(r for r in REGIONS if plots[r] >= max(least, 3))
        ids = _points(rng, len(land.points))
        try:
            bundles = _two_editions(land, alone, least)
        except InputError:
            refused += 1
            continue
        made += 1
        for bundle in bundles:
            _search_bytes(bundle, ids)
        hidden = _withheld(land, bundles[0], least)
        withheld += len(hidden)
        numbers += _subtract(bundles, hidden)
        _public(land, bundles[0], alone)
    assert made >= RUNS // 2, made
    return (
        f"{made} runs with bundles of two k ({refused} refused): {withheld:,} withheld cells, {numbers:,} "
        f"sums and differences, none of a single region below k; no id, no coordinate in {2 * made} files"
    )


def _two_editions(land: Land, alone: frozenset[str], least: int) -> list[Bundle]:
    source = replace(source_of(land, land.points, set(REGIONS), DIGEST), alone=alone)
    first = make_bundle(source, "PE", least)
    return [first, make_bundle(source, "PE", least + 1, joined_before([first]))]


def _points(rng: np.random.Generator, n: int) -> list[tuple[str, str, str]]:
    """Invented ids and positions of the records."""
    lon, lat = rng.uniform(-71, -67, n), rng.uniform(-16, -12, n)
    return [(f"REC-{k:05d}", f"{x:.5f}", f"{y:.5f}") for k, (x, y) in enumerate(zip(lon, lat, strict=True))]


def _search_bytes(bundle: Bundle, ids: list[tuple[str, str, str]]) -> None:
    text = json.dumps(bundle.model_dump(mode="json"))
    keys = set(re.findall(r'"(\w+)":', text))
    assert not keys & {"lon", "lat", "x", "y", "longitude", "latitude", "geometry", "record_id", "sample_id"}
    assert not any(word in text for words in ids for word in words)


def _withheld(land: Land, bundle: Bundle, least: int) -> set[tuple[str, ...]]:
    """(period, stratum, region, target on the map, target on the ground) of cells below k."""
    found = set()
    for period in PERIODS:
        own = land.points.assign(
            mapped=land.points[f"map {period}"] == "coca", seen=land.points[f"{OWN} {period}"] == "coca"
        )
        own["mapped"] = own["mapped"].astype(str).mask(own["stratum"].isin(bundle.rule.any_class), "any")
        counts = own.groupby(["stratum", "place", "mapped", "seen"]).size()
        found |= {(period, *map(str, key)) for key in counts.index[counts < least]}
    return found


def _subtract(bundles: list[Bundle], hidden: set[tuple[str, ...]]) -> int:
    """Sums of places of one bundle less those of the other: none is a single region with a small cell."""
    regions = [{place.id: frozenset(place.regions) for place in bundle.places} for bundle in bundles]
    known = {region for own in regions for region in own.values()}
    # unions of one bundle and differences to the other: the algebra that an adversary has
    sets = set(known)
    for _ in range(2):
        sets |= {a - b for a in sets for b in sets if b < a} | {a & b for a in sets for b in sets if a & b}
    alone = {next(iter(own)) for own in sets if len(own) == 1}
    secret = {key[2] for key in hidden}
    assert not alone & secret, alone & secret
    n = 0
    for bundle in bundles:
        for survey in bundle.surveys:
            counts = [cell[4] for cell in survey.cells if cell[2] != "unobserved"]
            n += len(counts)
            assert min(counts) >= bundle.rule.least, min(counts)
        n += _unpaired(bundle)
    return n + len(sets)


def _unpaired(bundle: Bundle) -> int:
    """Stocks less pairs, by stratum, place and classes on the ground: nothing, or k points and more."""
    stocks = {s.periods[0]: s for s in bundle.surveys if len(s.periods) == 1}
    n = 0
    for pairs in (s for s in bundle.surveys if len(s.periods) == 2):
        for which, period in enumerate(pairs.periods):
            rest: dict[tuple[object, ...], int] = {}
            for cell in stocks[period].cells:
                key = (cell[0], cell[1], cell[3])
                rest[key] = rest.get(key, 0) + cell[4]
            for cell in pairs.cells:
                key = (cell[0], cell[1], cell[3][which::2])
                rest[key] = rest.get(key, 0) - cell[4]
            n += len(rest)
            assert all(v == 0 or abs(v) >= bundle.rule.least for v in rest.values())
    return n


def _public(land: Land, bundle: Bundle, alone: frozenset[str]) -> None:
    """What public/ shows of regions, less the bundle: no region that it withholds stands by itself."""
    hidden = set(REGIONS) - alone
    for place in bundle.places:
        rest = set(place.regions) - alone
        if rest:
            assert len(place.regions) > 1, place.id
    mapped = pd.DataFrame(bundle.mapped, columns=["period", "place", "class", "ha"])
    assert not hidden & set(mapped["place"])
    shown = shown_hectares(pd.DataFrame({"mapped_ha": [5.0], "plots": [1]}), 2)
    assert shown.isna().all()


def a_bundle_that_was_altered_cut_short_or_signed_by_another_is_refused_by_name() -> str:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("pe", "other"):
            make_keys(home / f"{name}.private.pem", home / f"{name}.public.pem")
        land = random_land(1, calibrated=True)
        bundle = bundle_of(land, land.points, set(REGIONS), "PE", DIGEST)
        path, bad = home / "bundle.json", home / "bad.json"
        write_bundle(path, bundle, home / "pe.private.pem")
        data, rng = path.read_bytes(), np.random.default_rng(1)
        same = json.loads(data)
        said: dict[str, int] = {}
        for k in range(ALTERED):
            other = bytearray(data)
            if k % 3 == 0:
                other = other[: int(rng.integers(0, len(data) - 2))]
            else:
                for at in rng.integers(0, len(data), 1 + k % 4).tolist():
                    other[at] = int(rng.integers(32, 127))
            bad.write_bytes(bytes(other))
            word = _refusal(bad, home / "pe.public.pem")
            if word == "" and json.loads(bytes(other))["bundle"] == same["bundle"]:
                word = "the content is the same"
            assert word, k
            said[word] = said.get(word, 0) + 1
        assert "is not signed by the key" in _whole(path, home / "other.public.pem")
    return f"{ALTERED} files: " + ", ".join(f"{n} {word}" for word, n in sorted(said.items()))


def _refusal(path: Path, key: Path) -> str:
    text = _whole(path, key)
    for word in ("cannot be read as a bundle", "altered after it was signed", "is not signed by the key"):
        if word in text:
            return word
    return text


def _whole(path: Path, key: Path) -> str:
    try:
        check_signatures(read_bundle(path), [key])
    except InputError as err:
        return err.what
    return ""


def a_seam_is_refused_or_set_side_by_side() -> str:
    shared = 0
    for seed in range(20):
        lands = [random_land(seed + 50 * i, calibrated=False) for i in range(2)]
        own = (set(REGIONS[:4]), set(REGIONS[2:]))
        bundles = [
            bundle_of(Land(*(t[t["place"].isin(p)] for t in (x.points, x.ground)), x.estimator),
                      x.points[x.points["place"].isin(p)], p, office, design)
            for x, p, office, design in zip(lands, own, ("PE", "BO"), ("a" * 64, "b" * 64), strict=True)
        ]  # fmt: skip
        assert "same ground" in _said(bundles)
        seam = merge(bundles, counted="PE").seam
        assert set(seam["region_id"]) == own[0] & own[1]
        assert seam.groupby(["region_id", "period"])["counted"].sum().eq(1).all()
        shared += len(set(seam["region_id"]))
    return f"{shared} regions mapped by two offices, 20 pairs of bundles: refused, or one counts"


def _said(bundles: list[Bundle]) -> str:
    try:
        merge(bundles)
    except InputError as err:
        return err.what
    return ""


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    merged_bundles_are_the_pooled_records_to_the_last_digit,
    an_adversary_recovers_no_place_no_id_and_no_withheld_cell,
    a_bundle_that_was_altered_cut_short_or_signed_by_another_is_refused_by_name,
    a_seam_is_refused_or_set_side_by_side,
)
