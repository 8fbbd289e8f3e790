"""Bundles of finished runs: what of a run's folder goes into one, and the tables that several make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cocal.checksums import sha256_bytes
from cocal.errors import InputError
from cocal.estimate.disclosure import shown_hectares
from cocal.exchange.content import (
    OfficialRow,
    PeriodContent,
    SchemeContent,
    StateRow,
    SurveyContent,
    hectares_text,
    survey_of,
)
from cocal.exchange.make import Source, joined_before, make_bundle
from cocal.exchange.merge import Merged, merge
from cocal.exchange.signing import SignedBundle, check_signatures, read_bundle, write_bundle
from cocal.run.finished import FinishedRun, open_run
from cocal.run.history import figure_states
from cocal.run.measure.exchange import BUNDLE, EARLIER, EXCHANGE, MADE_FROM
from cocal.run.tables import read_own_csv
from cocal.store import Manifest, atomic_path, canonical_json, proven, write_csv, write_json
from cocal.user_tables import clean_text

MOST_LETTERS = 200
"""Of the name of an office, as in docs/bundle.schema.json."""


def make(folder: Path, office: str, least: int, private: Path) -> Path:
    """Write and sign the bundle of the finished run in `folder`, as `BUNDLE` of it; its path.

    Places that an earlier bundle of the run joined stay joined, that of results before these included.

    Raises
    ------
    InputError
        The run has no sample, the rule of k cannot be kept, or the key cannot be used.
    """
    if not (words := str(clean_text(office))) or len(words) > MOST_LETTERS or not words.isprintable():
        raise InputError(
            "--office is no name", f"1 to {MOST_LETTERS} letters", repr(office), "name the office, such as PE"
        )
    path = folder / BUNDLE
    bundle = make_bundle(source_of(folder, least), words, least, joined_so_far(folder))
    path.parent.mkdir(exist_ok=True)
    counts = sha256_bytes(proven(folder / EXCHANGE).read_bytes())
    write_bundle(path, bundle, private)
    with atomic_path(folder / MADE_FROM) as temporary:
        temporary.write_text(counts, encoding="utf-8")
    (folder / EARLIER).unlink(missing_ok=True)
    return path


def joined_so_far(folder: Path) -> dict[str, str]:
    """Region -> place of the bundle in a run's folder, or of the one that was set aside; empty without.

    Raises
    ------
    InputError
        It cannot be read.
    """
    path = next((own for own in (folder / BUNDLE, folder / EARLIER) if own.exists()), None)
    try:
        return {} if path is None else joined_before([read_bundle(path).bundle])
    except InputError as err:
        raise InputError(
            f"the earlier bundle of the run, {path}, cannot be read", "what it joined, which stays joined",
            err.found, "restore a copy; delete it only if no bundle of this run has left the office",
        ) from err  # fmt: skip


def source_of(folder: Path, least: int) -> Source:
    """What the bundle of a finished run is made from, each file as it was committed."""
    run = open_run(folder)
    if not (folder / EXCHANGE).exists():
        raise InputError(
            f"the run in {folder} has no sample as counts",
            "a run with `records:` of a probability sample and `estimate:`",
            f"no {EXCHANGE}",
            "state them and run `cocal run` again; a run of an earlier cocal makes it anew",
        )
    facts = json.loads(proven(folder / EXCHANGE).read_text(encoding="utf-8"))
    definitions = tuple(facts["definitions"])
    regions = pd.DataFrame(facts["regions"])
    areas = run.areas[["period", "region_id", "class", "mapped_ha"]]
    return Source(
        run=str(run.facts["run"]),
        simulated=run.simulated,
        made_by=f"cocal {metadata.version('cocal')}",
        scheme=SchemeContent.model_validate(facts["scheme"]),
        crosswalk=facts["crosswalk"],
        definitions=definitions,
        map=_map_facts(run),
        states=_states(folder),
        regions=regions,
        regions_sha256=facts["regions_sha256"],
        periods=tuple(PeriodContent.model_validate(period) for period in facts["periods"]),
        interval=facts["interval"],
        confidence=facts["confidence"],
        surveys=tuple(survey_of(SurveyContent.model_validate(own), definitions) for own in facts["surveys"]),
        mapped=areas.astype({"period": str, "region_id": str, "class": str}),
        out=facts["out"],
        official=_official(run, set(regions["region_id"])),
        alone=_alone(run, facts, least),
    )


def _map_facts(run: FinishedRun) -> dict[str, str]:
    """What made the maps: their addresses as one digest, and the card of the run's model."""
    found = {"maps_sha256": sha256_bytes(canonical_json(dict(run.measured.maps)).encode())}
    cards = sorted(run.folder.glob("model/*/card.json"))
    if len(cards) == 1:
        card = json.loads(proven(cards[0]).read_text(encoding="utf-8"))
        found |= {"model": card["id"], "model_sha256": card["sha256"], "estimator": card["estimator"]}
    return found


def _states(folder: Path) -> tuple[StateRow, ...]:
    table = figure_states(folder)[["place", "period", "state", "by", "on"]]
    return tuple(StateRow.model_validate(row) for row in table.to_dict("records"))


def _official(run: FinishedRun, regions: set[str]) -> tuple[OfficialRow, ...]:
    """The official figures of the run's regions, which are public already."""
    table = run.table("comparison") if "comparison" in run.tables else pd.DataFrame()
    if "official_ha" not in table:
        return ()
    rows = table[table["official_ha"].notna() & table["region_id"].isin(regions)]
    return tuple(
        OfficialRow(
            region_id=str(row["region_id"]),
            period=str(row["period"]),
            hectares=hectares_text(row["official_ha"]),
            source=str(row["official_source"]),
        )
        for row in rows.to_dict("records")
    )


def _alone(run: FinishedRun, facts: Mapping[str, Any], least: int) -> frozenset[str]:
    """The regions whose mapped hectares may stand by themselves: of enough plots, in every period.

    Where no plots were counted, 1 ha stands for a plot.

    Raises
    ------
    InputError
        public/ hides a single region of a country: its hectares would follow from the bundle.
    """
    names = [row["region_id"] for row in facts["regions"]]
    if least == 1:
        return frozenset(names)
    wanted = max(2, least, facts["min_plots"] or 0)
    good = np.ones(len(names), dtype=bool)
    areas = run.areas[run.areas["class"] == run.target]
    for period, own in areas.groupby("period"):
        ha = own.set_index(own["region_id"].astype(str))["mapped_ha"].reindex(names).tolist()
        plots = (facts["plots"] or {}).get(str(period), [int(v) for v in ha])
        hectares = shown_hectares(pd.DataFrame({"mapped_ha": ha, "plots": plots}), wanted)
        empty = np.array([v == 0 for v in ha]) & (facts["plots"] is None)
        good &= hectares.notna().to_numpy() | empty
    _check_public(run)
    return frozenset(np.array(names, dtype=object)[good].tolist())


def _check_public(run: FinishedRun) -> None:
    path = run.folder / "public" / "hectares.csv"
    if not path.exists() or Manifest.read(run.folder / "manifests" / "publish.json") is None:
        return
    table = read_own_csv(path)
    hidden = table[table["shown_ha"].isna()].groupby(["country", "period"])["region_id"].nunique()
    if (hidden == 1).any():
        raise InputError(
            "public/ hides a single region of a country, whose hectares are the country's less the others'",
            "two hidden regions or more, or none",
            ", ".join(sorted({str(key[0]) for key in hidden.index[hidden == 1]})),
            "agree on `--least 1`, or publish nothing of this run",
        )


def read_signed(paths: Sequence[Path], keys: Sequence[Path]) -> list[SignedBundle]:
    """The bundles in `paths`, each signed by one of the public `keys` at least, no two by the same one.

    Raises
    ------
    InputError
        One is no bundle, was altered, or is signed by none of the keys; a key signed two.
    """
    found, used = [], dict[bytes, Path]()
    for path in paths:
        signed, problems = read_bundle(path), list[InputError]()
        for key in keys:
            try:
                check_signatures(signed, [key])
                break
            except InputError as err:
                problems.append(err)
        else:
            raise InputError(
                f"{path}: no key that was given signed it",
                "a bundle as its office signed it, and the office's public key",
                "; ".join(f"{err.what}" for err in problems) or "no key was given",
                "use the public key that the office gave you itself; else do not use this bundle",
            )
        if (own := key.read_bytes()) in used:
            raise InputError(
                f"{path} and {used[own]} are signed by one key",
                "bundles of several offices, each signed by its own key", key.name,
                "merge one bundle of each office; ask the other office for its own",
            )  # fmt: skip
        used[own] = path
        found.append(signed)
    return found


def write_merged(signed: Sequence[SignedBundle], out: Path, counted: str | None) -> Merged:
    """Merge bundles and write hectares.csv, change.csv, seam.csv and merged.json into `out`.

    Raises
    ------
    InputError
        They cannot be added up; see `merge`.
    """
    signed = sorted(signed, key=lambda own: own.bundle.office)
    found = merge([own.bundle for own in signed], counted=counted)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("hectares", found.hectares), ("change", found.change), ("seam", found.seam)):
        write_csv(out / f"{name}.csv", table)
    facts = {
        "bundles": [
            {
                "office": own.bundle.office,
                "run": own.bundle.run,
                "sha256": own.sha256,
                "least": own.bundle.rule.least,
                "out": own.bundle.out,
            }
            for own in signed
        ],
        "simulated": signed[0].bundle.simulated,
        "scheme": signed[0].bundle.scheme.model_dump(mode="json"),
        "left_out": list(found.left_out),
    }
    write_json(out / "merged.json", facts)
    return found
