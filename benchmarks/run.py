"""Writes docs/performance.md: `python -m benchmarks.run [SECTION ...]`, what `make bench` calls. No figure is
put there by hand.

Each section is what its benchmark prints, with the day and the versions. Sections that are not run stay as
they were: `larger` and `tile` take long and run only if they are named. `run.py all` runs every one.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.marks import write_between
from benchmarks.spent import environment

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
LIBRARIES = ("cocal", "numpy", "numba", "scikit-learn", "xarray", "dask", "odc-stac", "rasterio")

INTRODUCTION = (
    "Written by `make bench` (`benchmarks/run.py`), no figure by hand. CPU seconds are user and system time; "
    "ratios within a run "
    "count more than seconds, which depend on the machine and on what else it does."
)


@dataclass(frozen=True)
class Section:
    """A part of the page and the benchmark that writes it."""

    key: str
    title: str
    about: str
    script: str
    options: tuple[str, ...] = ()
    long: bool = False


SECTIONS = (
    Section(
        "pipeline",
        "Whole pipeline",
        "`cocal measure CONFIG --serial` (archive -> rasters of class, probability and clear dates, hectares "
        "per region) against "
        "`benchmarks/idiomatic.py`, in turns, each in a fresh process, start-up included: 20 dates x 10 "
        "bands and the scene class at 10 "
        "and 20 m, 96 features, 6 classes, 40 regions, the same files and the same forest. The data are "
        "invented (`benchmarks/land.py`). "
        "A ratio is the yardstick over cocal; seconds and memory are those of the middle turn.",
        "whole.py",
        ("--mpx", "1"),
    ),
    Section(
        "larger",
        "Whole pipeline at 4 Mpx",
        "The same on four times the area, one turn: start-up counts for less.",
        "whole.py",
        ("--mpx", "4", "--turns", "1"),
        long=True,
    ),
    Section(
        "distilled",
        "A small model that learned from a large one",
        "`cocal train` with `distil: true`: the cheapest small model that loses at most 0.005 of accuracy "
        "and of the target's F1 "
        "under the same spatial blocks takes the place of 300 x 18. The yardstick predicts with the large "
        "one.",
        "whole.py",
        ("--distilled",),
        long=True,
    ),
    Section(
        "tile",
        "A whole Sentinel-2 tile",
        "cocal alone on 10,980 x 10,980 px x 20 dates, one process; the last column says how far a pixel "
        "costs more or less than at 4 Mpx.",
        "whole.py",
        ("--tile",),
        long=True,
    ),
    Section(
        "kernels",
        "Kernels",
        "Each kernel against scikit-learn or the plain numpy of `tests/oracles`: the middle ratio of CPU "
        "seconds, the smallest "
        "and the largest, and whether results are equal.",
        "kernels.py",
    ),
    Section(
        "libraries",
        "Step by step",
        "One step of cocal against a library that does that step, on the same arrays, without reading and "
        "start-up: CPU seconds of the best of "
        "three. The libraries are no dependencies of cocal; those that are not installed are skipped, with "
        "the reason.",
        "libraries.py",
    ),
    Section(
        "peers",
        "Peers",
        "The same composite of 40 bands -> 48 indices -> forest on 88 features -> class map. Peers are no "
        "dependencies of cocal; "
        "those that are not installed are skipped, with the reason.",
        "peers.py",
    ),
    Section(
        "addresses",
        "Addresses",
        "The code that a unit's address stands for, found from the source text (`cocal.code`): cold, and "
        "with the cache of closures. "
        "The aim for maps is 0.3 CPU s cold and 0.05 warm.",
        "addresses.py",
    ),
    Section(
        "scaling",
        "Scaling out",
        "More workers, the scheduler's own cost, and the tasks of the whole border.",
        "scaling.py",
    ),
)


def machine() -> str:
    """Processor, cores, memory and system."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} "
        f"GiB, {platform.system()}"
    )


def skeleton() -> str:
    """The page without figures."""
    parts = ["# Performance", INTRODUCTION]
    for section in SECTIONS:
        parts += [
            f"## {section.title}",
            section.about,
            (
                f"<!-- {section.key}: begin -->\n\nNot measured yet: `python -m benchmarks.run "
                f"{section.key}`.\n\n<!-- {section.key}: end -->"
            ),
        ]
    return "\n\n".join(parts) + "\n"


def kept(section: Section, page: str) -> str | None:
    """What the page says in a section."""
    begin, end = f"<!-- {section.key}: begin -->", f"<!-- {section.key}: end -->"
    return page.split(begin)[1].split(end)[0].strip() if begin in page else None


def measure(section: Section) -> str:
    """What the section's benchmark prints, and on what."""
    done = subprocess.run(
        [sys.executable, str(HERE / section.script), *section.options],
        env=environment(), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    told = f"{datetime.now(UTC):%Y-%m-%d}: {machine()}; Python {platform.python_version()}, {versions}."
    return f"{told}\n\n{done.stdout.strip()}"


def main(wanted: list[str]) -> None:
    unknown = set(wanted) - {s.key for s in SECTIONS} - {"all"}
    if unknown:
        raise SystemExit(
            f"no section {', '.join(sorted(unknown))}; there are {', '.join(s.key for s in SECTIONS)}"
        )
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(skeleton(), encoding="utf-8")
    for section in SECTIONS:
        if (text := kept(section, before)) is not None:
            write_between(PAGE, section.key, text)
    for section in SECTIONS:
        if section.key in wanted or "all" in wanted or not (wanted or section.long):
            write_between(PAGE, section.key, measure(section))


if __name__ == "__main__":
    main(sys.argv[1:])
