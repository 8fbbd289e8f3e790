"""What a download would take, per month of imagery, before anything of it is fetched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cocal.scenes.download.catalogue import Cell, Look
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
    """By the screens that are there already."""
    screens: Cost
    pixels: Cost

    @property
    def total(self) -> Cost:
        return self.screens + self.pixels


@dataclass(frozen=True)
class State:
    """What is known of one tile-date before it is fetched."""

    cell: Cell
    look: Look
    committed: bool
    clear: float | None
    """Share of the tile by its screen; None: not screened yet, or no screen is asked for."""


def estimate(
    states: Iterable[State], screens: Sequence[Look], source: SceneSource, settings: DownloadSettings
) -> list[MonthEstimate]:
    """Per month: what the catalogue lists, what is there, what is still to be spent at most.

    Parameters
    ----------
    states
        Every tile-date that the catalogue lists.
    screens
        The screens that are still to be fetched.
    """
    listed: dict[str, list[State]] = defaultdict(list)
    for state in states:
        listed[f"{state.look.day:%Y-%m}"].append(state)
    to_screen: dict[str, Cost] = defaultdict(Cost)
    for look in screens:
        to_screen[f"{look.day:%Y-%m}"] += source.screen_cost(look.window, len(look.granules))
    found = []
    for month in sorted(listed):
        cloudy = [s for s in listed[month] if not s.committed and is_too_cloudy(s.clear, settings)]
        due = [s for s in listed[month] if not s.committed and not is_too_cloudy(s.clear, settings)]
        pixels = sum(
            (source.pixel_cost(state.look.window, len(state.look.granules)) for state in due), Cost()
        )
        committed = sum(state.committed for state in listed[month])
        found.append(
            MonthEstimate(month, len(listed[month]), committed, len(cloudy), to_screen[month], pixels)
        )
    return found


def is_too_cloudy(clear: float | None, settings: DownloadSettings) -> bool:
    """True if the screen says that the tile-date is not worth its bands."""
    return settings.screen != "none" and clear is not None and clear < settings.screen.min_share
