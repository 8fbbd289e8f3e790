"""Downloads: each case ends recovered, listed or stopped, with the number of requests it takes."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cocal.archive import list_scenes
from cocal.config import read_config
from cocal.errors import DownloadStoppedError
from cocal.run import run
from cocal.scenes.download import tokens
from cocal.scenes.download.catalogue import MAX_PAGES
from tests.acceptance.download import every_fault_ends_as_stated_with_the_number_of_requests_it_takes, folder
from tests.acceptance.proof_fuzz import _without_fault
from tests.support.services.hub import CATALOGUE, CLIENT_ID, PROCESS, SECRET, TOKEN, HubStandIn
from tests.support.services.kills import kill_and_compare
from tests.support.services.loopback import Trouble
from tests.support.services.small import QUICK, SmallLand, hub_source, make_land, write_config

KILLS, BODIES = 20, 1000
DAYS = 5
TOUCHED = 45 - 3
"""Nine tiles on five days; three of the last day lie outside the swath."""
PATIENT = {"retry": {**QUICK, "stop_after": 9}}
SCREEN = {"clear": ["vegetation"], "min_share": 0.0}


def too_long(header: str, status: int = 429) -> Trouble:
    return Trouble(status=status, headers={"Retry-After": header})


def in_ten_minutes() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)


@dataclass(frozen=True)
class Case:
    """What a service does, how the download ends, with how many requests of an end point."""

    name: str
    ends: str
    requests: int
    once: tuple[Trouble, ...] = ()
    always: Trouble | None = None
    endpoint: str = PROCESS
    of: str = PROCESS
    endless: str = ""
    says: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    period: tuple[str, str] = ("2024-01-01", "2024-05-31")


BOMB = Trouble(status=200, body=gzip.compress(bytes(400_000_000), 1), headers={"Content-Encoding": "gzip"})
EMPTY_MONTHS = ("2024-09-01", "2024-10-31")
AGAIN = "run again after 20"
CASES = (
    Case("all without data, once", "recovered", DAYS + 1, once=(Trouble("no_data"),)),
    Case("half without data, once", "recovered", DAYS + 1, once=(Trouble("half_no_data"),)),
    Case("all without data", "listed 5", 2 * DAYS, always=Trouble("no_data"), says="no data on 100%",
         settings=PATIENT),
    Case("half without data", "listed 5", 2 * DAYS, always=Trouble("half_no_data"), says="no data on",
         settings=PATIENT),
    Case("all without data, four in a row", "stopped", 2 * 4, always=Trouble("no_data"), says="no data on"),
    Case("no classes, once", "recovered", DAYS + 1, once=(Trouble("no_classes"),)),
    Case("screen without data", "listed 1", DAYS + 1 + DAYS - 1, once=(Trouble("no_data"),) * 2,
         settings={"screen": SCREEN}, says="no data on 100%"),
    Case("edges of swaths", "recovered", 2 * DAYS, settings={"tile_px": 144}),
    Case("edges of swaths, small tiles", "recovered", TOUCHED, settings={"tile_px": 48}),
    Case("another day", "recovered", DAYS + 1, once=(Trouble("other_day"),)),
    Case("a changed bit", "recovered", DAYS + 1, once=(Trouble("flip"),)),
    Case("a body of 400 MB in 2 MB", "recovered", DAYS + 1, once=(BOMB,)),
    Case("nothing listed", "listed 1", 2, of=CATALOGUE, period=EMPTY_MONTHS, says="lists nothing"),
    Case("nothing listed, allowed", "recovered", 2, of=CATALOGUE, period=EMPTY_MONTHS,
         settings={"allow_empty": True}),
    Case("pages that repeat", "recovered", 2 * DAYS, of=CATALOGUE, endless="repeat"),
    Case("pages that invent", "stopped", MAX_PAGES, of=CATALOGUE, endless="invent", says="does not end"),
    Case("429, 600 s in milliseconds", "stopped", 1, always=too_long("600000"), says=AGAIN),
    Case("429, 600 s in seconds", "stopped", 3, always=too_long("600"), says=AGAIN),
    Case("429, a date in 600 s", "stopped", 1, always=too_long(in_ten_minutes()), says=AGAIN),
    Case("503, 600 s in milliseconds", "stopped", 1, always=too_long("600000", 503), says=AGAIN),
    Case("503, a date in 600 s", "stopped", 1, always=too_long(in_ten_minutes(), 503), says=AGAIN),
    Case("429, an absurd pause", "recovered", DAYS + 1, once=(too_long("9" * 40),)),
    Case("429, a date in 9999", "recovered", DAYS + 1, once=(too_long("Fri, 31 Dec 9999 23:59:59 GMT"),)),
    Case("429 of the catalogue, 600 s", "stopped", 1, always=too_long("600000"), endpoint=CATALOGUE,
         of=CATALOGUE, says=AGAIN),
    Case("429 of the token, 600 s", "stopped", 1, always=too_long("600000"), endpoint=TOKEN, of=TOKEN,
         says=AGAIN),
    *(Case(f"{status} of the token", "stopped", 1, always=Trouble(status=status), endpoint=TOKEN, of=TOKEN,
           says="refuses client id or secret") for status in (400, 401, 403)),
    Case("a service that is down", "stopped", 4 * 4, always=Trouble(status=500), says="answers 500: trouble"),
)  # fmt: skip


@contextmanager
def service(base: Path) -> Iterator[tuple[SmallLand, HubStandIn]]:
    land = make_land(base / "land")
    with HubStandIn(land.granules) as hub:
        yield land, hub


def end_of(config: Path) -> tuple[str, str]:
    """How a download ends, and what it says."""
    for memory in (tokens._OWN, tokens._SEEN, tokens._REFUSED, tokens._STRIKES):
        memory.clear()
    try:
        failures = run(read_config(config), last="download").failures
    except DownloadStoppedError as err:
        return "stopped", str(err)
    return (f"listed {len(failures)}" if failures else "recovered"), str(failures)


def config_of(case: Case, base: Path, land: SmallLand, hub: HubStandIn) -> Path:
    limits = {"in_flight": 1, "per_minute": 100_000}
    config = write_config(
        base, land, hub_source(hub.url), **{"tile_px": 288, "limits": limits, **case.settings}
    )
    text = config.read_text().replace("2024-01-01", case.period[0]).replace("2024-05-31", case.period[1])
    config.write_text(text)
    return config


def each_case_ends_recovered_listed_or_stopped_with_its_number_of_requests() -> str:
    """After each case that does not recover the next run brings the rest, and asks for no more than that."""
    wrong, ends = [], []
    logging.disable(logging.CRITICAL)
    with folder() as base, service(base) as (land, hub):
        for number, case in enumerate(CASES):
            config = config_of(case, base / str(number), land, hub)
            hub.forget()
            hub.troubles[case.endpoint].extend(case.once)
            hub.endless = case.endless
            if case.always is not None:
                hub.always[case.endpoint] = case.always
            ended, said = end_of(config)
            found = (ended, hub.count(case.of))
            if found != (case.ends, case.requests) or case.says not in said:
                wrong.append(f"{case.name}: {found}, not {(case.ends, case.requests)}: {said[:300]}")
            ends.append(ended.split()[0])
            hub.endless = ""
            if ended != "recovered" and case.period != EMPTY_MONTHS:
                wrong += _next_run(case, config, hub)
    logging.disable(logging.NOTSET)
    assert not wrong, "\n".join(wrong)
    return f"{len(CASES)} cases: " + ", ".join(
        f"{ends.count(e)} {e}" for e in ("recovered", "listed", "stopped")
    )


def _next_run(case: Case, config: Path, hub: HubStandIn) -> list[str]:
    before = len(list_scenes(config.parent / "archive"))
    hub.forget()
    ended, said = end_of(config)
    there, screens = len(list_scenes(config.parent / "archive")), int("screen" in case.settings)
    if (ended, there, hub.count(PROCESS)) == ("recovered", DAYS, DAYS - before + screens):
        return []
    return [f"after {case.name}: {ended}, {there} scenes, {hub.count(PROCESS)} requests: {said[:200]}"]


def run_json_and_archive_hold_neither_id_nor_secret_in_any_encoding() -> str:
    """Every form of id and secret in messages, pages and catalogues; then every file of the run is read."""
    from tests.scenes.download.test_secrets import forms

    written = {*forms(SECRET).values(), CLIENT_ID}
    with folder() as base, service(base) as (land, hub):
        config = write_config(base / "x", land, hub_source(hub.url), tile_px=144)
        for form in written:
            message = json.dumps({"error": {"message": f"{form} of {CLIENT_ID}"}}).encode()
            page = Trouble(status=200, body=f"<html>{form}</html>".encode(), type="text/html")
            hub.troubles[PROCESS].extend(
                [Trouble(status=400, body=message), page, Trouble(status=500, body=message)]
            )
            ended, said = end_of(config)
            assert not any(w in said for w in written), f"{ended}: {said[:300]}"
        files = [p for p in (base / "x").rglob("*") if p.is_file()]
        held = [p.name for p in files if any(w.encode() in p.read_bytes() for w in written)]
    assert not held, held
    bodies = sum(p.suffix == ".body" for p in files)
    assert bodies
    return f"{len(written)} forms in none of {len(files)} files, of which {bodies} quarantined bodies"


def twenty_kills_lose_nothing() -> str:
    with folder() as base, service(base) as (land, hub):
        hub.slow = 0.03
        budget = {"processing_units": 60.0, "requests": 5000}
        calm, torn = (
            write_config(base / name, land, hub_source(hub.url), tile_px=48, screen=SCREEN, budget=budget)
            for name in ("calm", "torn")
        )
        toll = kill_and_compare(hub, calm, torn, kills=KILLS, ahead=3, seed=18, log=base / "log")
    assert toll.inside == KILLS, f"only {toll.inside} kills hit an unfinished download"
    return (
        f"{toll.kills} kills, archive byte-identical: {toll.requests} requests, {toll.committed} tile-dates"
    )


def a_damaged_scene_is_fetched_again_within_the_budget() -> str:
    """One bit, the file's time unchanged; first without room in the budget, then with it."""
    one = 300 * 300 / 512**2 * 12 / 3
    with folder() as base, service(base) as (land, hub):

        def config_with(units: float) -> Path:
            budget = {"processing_units": units}
            return write_config(base / "x", land, hub_source(hub.url), tile_px=288, budget=budget)

        config = config_with(DAYS * one + DAYS * 0.02)
        assert end_of(config)[0] == "recovered"
        path = list_scenes(base / "x" / "archive")[0].bands["red"].path
        whole, state = path.read_bytes(), path.stat()
        path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        ended, said = end_of(config)
        assert ended == "stopped", ended
        assert "budget of processing units" in said, said
        assert len(list_scenes(base / "x" / "archive")) == DAYS - 1
        assert end_of(config_with((DAYS + 2) * one))[0] == "recovered"
        assert path.read_bytes() == whole
        assert hub.count(PROCESS) == DAYS + 1
    return f"{DAYS} + 1 requests; no request while the budget had no room"


def altered_bodies_are_refused_or_hold_the_truth() -> str:
    return _without_fault("bodies", BODIES)


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    each_case_ends_recovered_listed_or_stopped_with_its_number_of_requests,
    run_json_and_archive_hold_neither_id_nor_secret_in_any_encoding,
    twenty_kills_lose_nothing,
    a_damaged_scene_is_fetched_again_within_the_budget,
    altered_bodies_are_refused_or_hold_the_truth,
    every_fault_ends_as_stated_with_the_number_of_requests_it_takes,
)
