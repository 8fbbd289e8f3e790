"""Download: scenes fetched from a service, within a budget, verified, into the same archive as imports.

settings   service, budget, limits               units      cost of a request
catalogue  granules, tile-dates, screens         estimate   cost of a download
fetch      one screen, one tile-date             coverage   pixels beside footprints
gate        limits, budget, deadline, trying again
hub, tokens, evalscript, body   Sentinel Hub     limiter, ledger   state that workers share
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
    """The gate of a download: limiter and ledger below `settings.state`, rules of trying again."""
    retry = settings.retry
    limiter = Limiter(settings.state, settings.limits, retry.deadline + retry.read_timeout)
    return Gate(limiter, Ledger(settings.state, settings.budget), retry)


def make_source(source: Source, settings: DownloadSettings) -> SceneSource:
    """The source of `source:` in the configuration. Clients are imported here: that takes a second."""
    if isinstance(source, SentinelHubSource):
        from cocal.scenes.download.hub import SentinelHub

        return SentinelHub(
            source, settings.retry.read_timeout, settings.state / "quarantine", settings.max_missing
        )
    from cocal.scenes.download.stac import StacApi

    return StacApi(source, settings.retry.read_timeout, settings.max_missing)
