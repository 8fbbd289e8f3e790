"""The small land with a finished run, made once a process, and the command on a copy of it."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.command import in_process
from tests.support.small_world import DAYS, SmallWorld, blank_pages, make_world

PLAIN = ("INFO", "WARNING")


@cache
def land() -> SmallWorld:
    """96 x 96 pixels of two days, with a finished run; removed as the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="fuzzed-land-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = make_world(folder / "land", 96, DAYS[:2])
    world.edit(lambda content: content.update(_more(content)))
    with blank_pages():
        answer = in_process("run", "--serial", world.config)
        drawn = in_process("design", "--serial", world.config)
    assert (answer.returncode, drawn.returncode) == (0, 0), answer.stderr + drawn.stderr
    return world


def _more(content: dict[str, Any]) -> dict[str, Any]:
    """Sections that the small land does without."""
    design = {
        "unobserved": "left_out",
        "by_region": True,
        "size": {"points": 60},
        "allocation": "equal",
        "strata": [
            {"stratum": "coca", "classes": ["coca"]},
            {"stratum": "near", "near": {"metres": 30, "classes": ["coca"]}},
            {"stratum": "zone", "zones": {"path": "labels.geojson"}, "probability": {"at_least": 0.2}},
            {"stratum": "rest"},
        ],
        "small": {"below_pixels": 30, "into": "rest"},
        "minimum": 5,
        "draw": "random",
        "reserve": 0.2,
        "expected": {"source": "stated", "share": {"coca": 0.8, "near": 0.1, "zone": 0.1, "rest": 0.01}},
        "seed": 1,
    }
    zones = content["regions"]
    return {
        "design": design,
        "groups": {"PE": ["PE-*"], "south": ["PE-2", "BO-2"]},
        "density": {"cell_m": 1000, "min_plots": 3, "plot_ha": 0.1},
        "legal": {
            "zones": zones, "kinds": {"PE-*": "authorised", "BO-*": "protected"},
            "limits": [{"id": "limit", "zones": ["PE-1", "PE-2"], "limit_ha": 5, "source": "SIMULATED law"}],
        },
    }  # fmt: skip


def prepare() -> None:
    """Make the land before the clock of the first input starts."""
    land()


def fault_of(*arguments: str | Path, codes: tuple[int, ...], words: tuple[str, ...] = ()) -> str:
    """What is wrong with the answer of `cocal ARGUMENTS` to an altered input, "" where nothing is.

    Parameters
    ----------
    codes : exit codes that are right.
    words : the message names one of them, where the command ends with 2.
    """
    logging.disable(logging.INFO)
    with warnings.catch_warnings(), blank_pages():
        warnings.simplefilter("ignore")
        try:
            answer = in_process(*arguments)
        finally:
            logging.disable(logging.NOTSET)
    said = answer.stderr + answer.stdout
    if "Traceback" in said:
        return f"a traceback: {said[-300:]}"
    if answer.returncode not in codes:
        return f"exit code {answer.returncode}, not one of {codes}: {said[-300:]}"
    if answer.returncode == 2 and words and not any(word in said for word in words):
        return f"{' or '.join(words)} is not named: {said[-300:]}"
    if answer.returncode and "cocal: operating system error" in said:
        return f"an error of the system is passed on: {said[-300:]}"
    return ""
