"""An invented landscape on the border, with known truth. Everything it writes says SIMULATED.

    noise      chance as a function of seed and place
    terrain    valley, heights, border river, roads, villages
    cover      kinds of cover: spectra and the course of the year (what is measured, what is assumed)
    patches    stands, fields, plots and villages on absolute lattices
    land       one window of land: patches, heights, true classes
    sky        sun, clouds, shadows, scene classification
    scene      land and sky to one block of one acquisition
    survey     truth, strata, probability sample and training polygons of one block
    places     the six invented regions
    settings   what can be chosen
    scenes     scenes on disk
    world      the whole folder
    crews      invented ground and sound field records, as a Kobo export holds them
    faults     the same records with every usual fault planted and labelled

All of it is a function of the seed and of absolute coordinates: any block can be made alone.
"""

from __future__ import annotations

from cocal.simulate.scenes import simulate_scenes
from cocal.simulate.settings import SimulateSettings
from cocal.simulate.world import simulate

__all__ = ["SimulateSettings", "simulate", "simulate_scenes"]
