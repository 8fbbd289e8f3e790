"""An invented border with known truth: the scenario `border-1`. Everything it writes says SIMULATED.

    noise      random numbers as a function of seed and place
    settings   what can be chosen
    land/      heights, cover, patches and their history, leaves through the year, boundaries and zones
    sensor/    canopy spectra, sky, exposures, passes, scenes on disk
    field/     truth of a block, sample and missions, training polygons, official figures and claims
    world      the whole folder
    output     files with reproducible bytes; work in one process or several
    crews      invented plots, roads and sound field records, in the form of a Kobo export
    faults     the same records with every usual fault planted and labelled

All of it is a function of the seed and of absolute coordinates: any block can be made alone.
"""

from __future__ import annotations

from cocal.simulate.sensor.scenes import simulate_scenes
from cocal.simulate.settings import SimulateSettings
from cocal.simulate.world import simulate

__all__ = ["SimulateSettings", "simulate", "simulate_scenes"]
