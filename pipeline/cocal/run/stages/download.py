"""The download stage: catalogue -> screens -> tile-dates, as jobs behind one gate, into the archive.

Failures of single tile-dates are listed and the rest goes on; what no request can fix ends the stage, and
what is fetched is kept. The next run takes up what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cocal.archive import Scene, list_scenes, scene_store, write_catalog
from cocal.config import RunConfig
from cocal.contracts import Period
from cocal.errors import CocalError, DownloadError, DownloadStoppedError, SceneRefusedError, UsageError
from cocal.notes.account import part, record
from cocal.run.execute import Call, Job, Outcome, SerialExecutor
from cocal.run.observers import Ended, Failed, Made, Reused, SetAside, Started
from cocal.run.state import Ground, Run, ground
from cocal.scenes.download import make_gate, make_source
from cocal.scenes.download.catalogue import (
    Granule,
    SceneRequest,
    TileDate,
    list_screens,
    list_tile_dates,
    months_within,
)
from cocal.scenes.download.coverage import MISSING
from cocal.scenes.download.estimate import MonthEstimate, estimate_months, is_too_cloudy
from cocal.scenes.download.fetch import (
    Fetch,
    SceneSource,
    clear_shares,
    download_store,
    fetch_screen,
    fetch_tile_date,
    is_committed,
    screen_store,
    unit_inputs,
)
from cocal.scenes.download.gate import Gate
from cocal.scenes.download.settings import USUAL_SHARE, DownloadSettings
from cocal.scenes.download.units import Cost
from cocal.store import LocalStore, address

log = logging.getLogger(__name__)

Fetcher = Callable[[Fetch], None]


@dataclass(frozen=True)
class Download:
    """A download under way."""

    run: Run
    settings: DownloadSettings
    source: SceneSource
    gate: Gate

    def work(self, jobs: Iterator[Job]) -> set[str]:
        """Do the jobs; the units that failed.

        Raises
        ------
        DownloadStoppedError, UsageError
            No further job was begun; those that were not are listed.
        """
        failed: set[str] = set()
        stop: list[CocalError] = []
        in_a_row = 0

        def begun() -> Iterator[Job]:
            while not stop and (job := next(jobs, None)) is not None:
                yield job

        for outcome in self.run.executor.outcomes(begun()):
            if outcome.error is None:
                self.run.observe(Made(outcome.unit, "", outcome.seconds))
            else:
                self.run.observe(Failed(outcome.unit, outcome.reason))
                failed.add(outcome.unit)
            if not isinstance(outcome.error, SceneRefusedError):
                in_a_row = in_a_row + 1 if outcome.error else 0
            if isinstance(outcome.error, DownloadStoppedError | UsageError):
                stop.append(outcome.error)
            elif in_a_row >= self.settings.retry.stop_after:
                stop.append(_down(in_a_row, outcome))
            if stop:
                self.gate.limiter.stop(stop[0].what)
        if stop:
            for job in jobs:
                self.run.observe(Failed(job.unit, f"not begun: {stop[0].what}"))
            raise stop[0]
        return failed

    def fetch(self, function: Fetcher, request: SceneRequest) -> Job:
        """The job of one screen or tile-date."""
        folder = self.settings.state if function is fetch_screen else self.run.config.require_archive()
        task = Fetch(request, self.source, self.gate, folder, self.settings.simulated)
        return Job(request.unit, (Call(function, (task,)),))


def _down(count: int, last: Outcome) -> DownloadStoppedError:
    return DownloadStoppedError(
        f"{count} units failed one after the other: the service is assumed to be down",
        "answers", f"{last.unit}: {last.error.found or last.error.what}" if last.error else "",
        "look at the service's status page and run again later; what is fetched is kept",
    )  # fmt: skip


def download(run: Run) -> None:
    """Fetch what the archive lacks of the periods, as far as it is worth it and may be spent."""
    config = run.config
    if config.source is None or config.download is None:
        return
    scenes = config.require_archive()
    store = scene_store(scenes)
    store.root.mkdir(parents=True, exist_ok=True)
    gate = make_gate(config.download)
    gate.limiter.open()
    with store.locked(), screen_store(config.download.state).locked():
        store.sweep()
        screen_store(config.download.state).sweep()
        share = not isinstance(run.executor, SerialExecutor)
        try:
            with make_source(config.source, config.download).opened(gate, share) as source:
                own = Download(run, config.download, source, gate)
                wanted = list(_clear_enough(own, _listed(own)))
                archive = download_store(scenes)
                _fetch_missing(own, "download", fetch_tile_date, archive, wanted)
        except DownloadStoppedError:
            with suppress(OSError, CocalError):  # a full disk has no room for it; the next run writes it
                write_catalog(scenes)
                run.scenes = list_scenes(scenes)
            raise
        write_catalog(scenes)
        run.scenes = list_scenes(scenes)
        _note_empty(run.scenes, wanted)


def _listed(download: Download) -> list[TileDate]:
    """The tile-dates of the periods. A period without one is listed as failed, unless that is allowed."""
    run, granules = download.run, []
    run.observe(Started("catalogue", len(months_within((p.start, p.end) for p in run.periods))))
    try:
        for month, listed in listings(run.config, run.base, download.source, download.gate):
            granules += listed
            run.observe(Made(f"{month} ({len(listed)} granules)", "", 0.0))
        found = tile_dates(run.config, run.base, granules)
        for period in run.periods:
            if not any(period.start <= t.day <= period.end for t in found):
                _nothing_listed(download, period)
    finally:
        run.observe(Ended("catalogue"))
    return found


def _nothing_listed(download: Download, period: Period) -> None:
    record("catalogue_empty", period=period.name, start=period.start, end=period.end)
    reason = DownloadError(
        f"the catalogue lists nothing of the regions from {period.start} to {period.end}",
        "granules that touch the regions", "none",
        "fix `source:`, `periods:` or `regions:`; where nothing is right, state `download.allow_empty: true`",
    )  # fmt: skip
    if not download.settings.allow_empty:
        download.run.observe(Failed(f"period {period.name}", str(reason)))


def _note_empty(scenes: Sequence[Scene], wanted: Sequence[TileDate]) -> None:
    """Note the scenes of this download that lack more data than is usual, as `max_missing` allows."""
    units = {tile_date.unit for tile_date in wanted}
    own = [scene for scene in scenes if scene.id in units]
    if empty := [s.id for s in own if s.properties.get(MISSING, 0) > USUAL_SHARE]:
        record("granules_empty", **part(empty, len(own)))


def listings(
    config: RunConfig, base: Ground, source: SceneSource, gate: Gate
) -> Iterator[tuple[str, list[Granule]]]:
    """Month by month, what the catalogue lists of the periods.

    Raises
    ------
    DownloadStoppedError
        It does not answer: what is missing cannot be known.
    """
    for span in months_within((p.period.start, p.period.end) for p in config.periods):
        try:
            yield f"{span[0]:%Y-%m}", source.granules(base.regions.area.bounds, span, gate)
        except DownloadError as err:
            raise DownloadStoppedError(err.what, err.expected, err.found, "run again later") from err


def tile_dates(config: RunConfig, base: Ground, found: Sequence[Granule]) -> list[TileDate]:
    """Every tile of the regions on every day on which a granule touches it."""
    assert config.download is not None
    return list_tile_dates(base.regions.area, found, config.download)


def _clear_enough(download: Download, listed: Sequence[TileDate]) -> Iterator[TileDate]:
    """The tile-dates that are clear enough by their screens; those of a failed screen are skipped."""
    settings = download.settings
    if settings.screen == "none":
        yield from listed
        return
    screens, store = list_screens(listed, settings.name), screen_store(settings.state)
    failed = _fetch_missing(download, "screen", fetch_screen, store, screens)
    for screen in screens:
        if screen.unit not in failed:
            shares = clear_shares(settings.state, screen, settings.screen)
            yield from (t for t in screen.tile_dates if not is_too_cloudy(shares[t.unit], settings))


def _fetch_missing(
    download: Download, stage: str, function: Fetcher, store: LocalStore, requests: Sequence[SceneRequest]
) -> set[str]:
    """Fetch what the store lacks of these requests; the units that failed."""
    observe, due = download.run.observe, []
    observe(Started(stage, len(requests)))
    try:
        for request in requests:
            if is_committed(store, request, download.source, read=download.run.last == "download"):
                observe(Reused(request.unit, ""))
                continue
            if damage := store.damage(request.unit, address(unit_inputs(request, download.source))):
                observe(SetAside(request.unit, damage, store.set_aside(request.unit)))
            due.append(request)
        return download.work(download.fetch(function, request) for request in due)
    finally:
        observe(Ended(stage))


def dry_run(config: RunConfig) -> list[MonthEstimate]:
    """What `cocal download` would take, per month. Requests go to the catalogue only.

    Raises
    ------
    UsageError
        The configuration states no source.
    DownloadStoppedError
        The catalogue does not answer.
    """
    settings = config.download
    if config.source is None or settings is None:
        raise UsageError("there is nothing to download", "`source:` and `download:`", "neither", "add them")
    base, gate = ground(config), make_gate(settings)
    gate.limiter.open()
    with make_source(config.source, settings).opened(gate, False) as source:
        found = [g for _, month in listings(config, base, source, gate) for g in month]
    listed = tile_dates(config, base, found)
    shares: dict[str, float] = {}
    due = []
    if settings.screen != "none":
        for screen in list_screens(listed, settings.name):
            if is_committed(screen_store(settings.state), screen, source):
                shares |= clear_shares(settings.state, screen, settings.screen)
            else:
                due.append(screen)
    store = download_store(config.require_archive())
    committed = {t.unit for t in listed if is_committed(store, t, source)}
    return estimate_months(
        listed, due, committed=committed, clear_shares=shares, source=source, settings=settings
    )


def spent_this_month(config: RunConfig) -> Cost:
    """What the ledger of the configuration's account holds for the current month."""
    return make_gate(config.download).ledger.spent() if config.download else Cost()
