"""What a download would take, per month of imagery, before anything is fetched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cocal.scenes.download.catalogue import Screen, TileDate
from cocal.scenes.download.fetch import SceneSource
from cocal.scenes.download.settings import DownloadSettings
from cocal.scenes.download.units import Cost


@dataclass(frozen=True)
class MonthEstimate:
    """One month of imagery. `screens` and `pixels` are what is still to be spent, at most."""

    month: str
    tile_dates: int
    """Listed by the catalogue."""
    committed: int
    too_cloudy: int
    """By the screens that are committed."""
    screens: Cost
    pixels: Cost

    @property
    def total(self) -> Cost:
        return self.screens + self.pixels


def estimate_months(
    tile_dates: Iterable[TileDate],
    due_screens: Iterable[Screen],
    *,
    committed: Collection[str],
    clear_shares: Mapping[str, float],
    source: SceneSource,
    settings: DownloadSettings,
) -> list[MonthEstimate]:
    """Per month: tile-dates listed, committed and too cloudy, and what is still to be spent at most.

    Parameters
    ----------
    tile_dates
        Every tile-date that the catalogue lists.
    due_screens
        The screens that are still to be fetched.
    committed
        Units of the tile-dates that the archive holds.
    clear_shares
        Unit: share of the tile that is clear; only of tile-dates whose screen is committed.
    """
    listed: dict[str, list[TileDate]] = defaultdict(list)
    for tile_date in tile_dates:
        listed[f"{tile_date.day:%Y-%m}"].append(tile_date)
    to_screen: dict[str, Cost] = defaultdict(Cost)
    for screen in due_screens:
        to_screen[f"{screen.day:%Y-%m}"] += source.screen_cost(screen.window, len(screen.granules))
    found = []
    for month, group in sorted(listed.items()):
        lacking = [t for t in group if t.unit not in committed]
        due = [t for t in lacking if not is_too_cloudy(clear_shares.get(t.unit), settings)]
        pixels = sum((source.pixel_cost(t.window, len(t.granules)) for t in due), Cost())
        found.append(
            MonthEstimate(
                month,
                len(group),
                len(group) - len(lacking),
                len(lacking) - len(due),
                to_screen[month],
                pixels,
            )
        )
    return found


def is_too_cloudy(clear_share: float | None, settings: DownloadSettings) -> bool:
    """True if the tile's screen leaves too little of it clear; False where there is no screen (None)."""
    return settings.screen != "none" and clear_share is not None and clear_share < settings.screen.min_share
