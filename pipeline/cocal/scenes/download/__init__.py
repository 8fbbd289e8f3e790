"""Download: scenes fetched from a service, within a budget, verified, into the same archive as imports.

settings   what can be chosen                    units       what a request costs
catalogue  granules, tile-dates, screens         estimate    what a download would take
fetch      the tasks: one screen, one tile-date  gate        limits, budget, trying again
hub, tokens, evalscript, body   Sentinel Hub     limiter, ledger, deadline, faults   what the gate is made of
stac       STAC APIs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cocal.scenes.download.gate import Gate
from cocal.scenes.download.ledger import Ledger
from cocal.scenes.download.limiter import Limiter
from cocal.scenes.download.settings import DownloadSettings, SentinelHubSource, Source

if TYPE_CHECKING:
    from cocal.scenes.download.fetch import SceneSource

__all__ = ["make_gate", "make_source"]


def make_gate(settings: DownloadSettings) -> Gate:
    """Limiter, ledger and rules of trying again, all below `settings.state`."""
    retry = settings.retry
    limiter = Limiter(settings.state, settings.limits, retry.deadline + retry.read_timeout)
    return Gate(limiter, Ledger(settings.state, settings.budget), retry)


def make_source(source: Source, settings: DownloadSettings) -> SceneSource:
    """The source that `source:` states. Clients are imported here: they take a second."""
    if isinstance(source, SentinelHubSource):
        from cocal.scenes.download.body import Quarantine
        from cocal.scenes.download.hub import SentinelHub

        return SentinelHub(source, settings.retry.read_timeout, Quarantine(settings.state / "quarantine"))
    from cocal.scenes.download.stac import StacApi

    return StacApi(source, settings.retry.read_timeout)
