"""Scenes from Sentinel Hub and STAC services, within a budget, resumable, verified."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import shapely
import yaml

from cocal.archive import list_scenes, read_scenes
from cocal.config import read_config
from cocal.grid import Window, project
from cocal.simulate import SimulateSettings, simulate
from tests.support.services.granules import NAMES, RawGranule, granule_from, write_granule
from tests.support.services.hub import CLIENT_ID, PROCESS, SECRET, HubStandIn
from tests.support.services.kills import kill_and_compare
from tests.support.services.small import SmallLand, hub_source, make_land, write_config
from tests.support.services.stac import FilesStandIn, stac_api

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COCAL = [sys.executable, "-c", "from cocal.cli import main; main()"]
BANDS = (*NAMES, "scl")
KILLS, SEED = 50, 7
WORKER_MIB, PLAN_GIB = 600, 1
ACQUISITIONS, MONTHS, RUN_PX = 1, 4, 288
CLASSES = ("coca", "forest", "pasture", "bare")


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cocal-issue-5-") as name:
        os.environ |= {"SH_CLIENT_ID": CLIENT_ID, "SH_CLIENT_SECRET": SECRET,
            "OAUTHLIB_INSECURE_TRANSPORT": "1",
                       "XDG_CONFIG_HOME": f"{name}/profile"}  # fmt: skip
        yield Path(name)


def cocal(*words: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COCAL, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"cocal {' '.join(map(str, words))}: {done.returncode}\n{done.stderr[-3000:]}"
    )
    return done


def pixels(archive: Path, window: Window) -> dict[str, Any]:
    found = read_scenes(list_scenes(archive), window, BANDS)
    return {name: found[name].values for name in (*BANDS, "time")}


def both_sources_are_bit_equal_over_five_days() -> str:
    with folder() as base:
        land = make_land(base / "land")
        with (
            HubStandIn(land.granules) as hub,
            FilesStandIn(land.folder / "granules") as files,
            stac_api(land.granules, base, files.url) as url,
        ):
            sources = {"hub": hub_source(hub.url), "stac": {"type": "stac", "catalogue": url}}
            for name, source in sources.items():
                cocal("download", write_config(base / name, land, source, tile_px=144), "--serial")
            requests = hub.count(PROCESS), len(files.log)
        window = land.scenes[0].window
        ours, theirs = (pixels(base / name / "archive", window) for name in sources)
    different = [name for name in ours if not np.array_equal(ours[name], theirs[name])]
    assert not different, different
    days, below, empty = ours["time"].size, int((ours["red"] == 1).sum()), int((ours["red"] == 0).sum())
    clouds = int(np.isin(ours["scl"], (3, 8, 9, 10)).sum())
    baselines = sorted({g.baseline for g in land.granules})
    assert days == 5
    assert len(baselines) == 2
    assert min(below, empty, clouds) > 0
    return (
        f"{days} days, baselines {' and '.join(baselines)}, {len(land.granules)} granules of which two on "
        "one day; 11 "
        f"variables equal; {below} pixels of red below zero, {empty} without data, {clouds} of cloud or "
        "shadow; "
        f"{requests[0]} process requests, {requests[1]} range requests"
    )


def run_land(base: Path) -> tuple[Path, list[RawGranule]]:
    """The whole invented landscape, and its acquisitions of some months as products of two baselines."""
    world, settings = base / "world", SimulateSettings(size_px=RUN_PX, acquisitions_per_month=ACQUISITIONS)
    simulate(world, settings)
    write_labels(world / "labels.geojson", settings.window)
    scenes = [s for s in list_scenes(world / "archive") if s.day.month <= MONTHS]
    return world, [
        granule_from(scene, base / "granules", scene.day, "05.10" if n % 2 else "03.01")
        for n, scene in enumerate(scenes)
    ]


def write_labels(path: Path, window: Window) -> None:
    """Squares of 8 px every 16 px, of all classes in turn: which map they lead to is of no concern here."""
    features = []
    for number, (row, column) in enumerate(np.ndindex(window.height // 16, window.width // 16)):
        left, top = window.left + column * 160 + 40, window.top - row * 160 - 40
        square = project(shapely.box(left, top - 80, left + 80, top), window.epsg, 4326)
        properties = {"sample_id": f"L{number:04d}", "class": CLASSES[(row + column) % len(CLASSES)]}
        geometry = json.loads(shapely.to_geojson(square))
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def run_config(base: Path, world: Path, name: str, source: dict[str, Any] | None) -> Path:
    """The demo's configuration on that land; without a source on the archive that `simulate` wrote."""
    text = (ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8")
    text = text.replace("../work/demo", str(world)).replace(" schemes/", f" {ROOT}/configs/schemes/")
    content = yaml.safe_load(text)
    content |= {"name": name, "runs": str(base / "runs")}
    content["periods"] = [{"name": "2024", "start": "2024-01-01", "end": f"2024-{MONTHS:02d}-30"}]
    content["grid"] = {"tile_px": 192, "block_px": 96}
    content["index"] |= {"windows": "season", "features": [f"{n}.median" for n in ("NDVI", "NBR2", *NAMES)]}
    content["classify"]["min_clear"] = 1
    needed = ("scheme", "dem", "archive", "periods", "regions", "grid", "index", "train", "classify")
    content = {key: content[key] for key in ("name", "runs", *needed)}
    content["train"]["model"]["parameters"]["n_estimators"] = 12
    content["train"]["model"]["validation"] = {"block_m": 480, "folds": 2, "buffer_m": 0}
    content["train"]["samples"] |= {"path": str(world / "labels.geojson"), "source": "SIMULATED squares"}
    if source is not None:
        content["archive"] = str(base / name / "archive")
        content["source"] = source
        content["download"] = {
            "state": str(base / name / "state"), "name": "sim", "tile_px": 288, "simulated": True,
            "screen": "none", "budget": {"requests": 100_000}, "limits": {"per_minute": 100_000},
        }  # fmt: skip
    path = base / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def the_whole_run_from_each_source_gives_identical_hectares() -> str:
    with folder() as base:
        world, granules = run_land(base)
        with (
            HubStandIn(granules) as hub,
            FilesStandIn(base / "granules") as files,
            stac_api(granules, base, files.url) as url,
        ):
            sources = {
                "archive": None,
                "hub": hub_source(hub.url),
                "stac": {"type": "stac", "catalogue": url},
            }
            for name, source in sources.items():
                cocal("run", run_config(base, world, name, source), "--serial")
        tables = [(base / "runs" / name / "hectares.csv").read_bytes() for name in sources]
        assert tables[0] == tables[1] == tables[2], "hectares.csv differ"
        lines = tables[0].decode().splitlines()
        assert len(lines) > 7
    return (
        "hectares.csv of a run from the archive, from Sentinel Hub and from STAC identical: "
        f"{len(lines) - 1} rows, {len(granules)} dates"
    )


def every_fault_ends_as_stated_with_the_number_of_requests_it_takes() -> str:
    """The whole table of docs/download.md, as the tests of the room hold it."""
    tests = HERE.parent / "scenes" / "download"
    names = ("test_faults.py", "test_stac.py", "test_surroundings.py", "test_secrets.py")
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
            *(str(tests / name) for name in names)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(outcome.stdout[-1500:])
    assert outcome.returncode == pytest.ExitCode.OK, outcome.stdout[-3000:]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", *(str(tests / name) for name in names)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    count = sum(int(n) for n in re.findall(r"^\S+\.py: (\d+)$", listed.stdout, re.MULTILINE))
    assert count > 90, listed.stdout[-500:]
    skipped = re.findall(r"^SKIPPED \[(\d+)\] (.*)$", outcome.stdout, re.MULTILINE)
    return (
        f"{count} cases, {sum(int(n) for n, _ in skipped)} skipped "
        f"({'; '.join(why for _, why in skipped) or 'none'})"
    )


def fifty_kills_leave_the_archive_of_an_undisturbed_download() -> str:
    with folder() as base:
        land = make_land(base / "land")
        with HubStandIn(land.granules) as hub:
            hub.slow = 0.03
            screen = {"clear": ["vegetation", "bare", "water", "dark", "unclassified"], "min_share": 0.0}
            budget = {"processing_units": 60.0, "requests": 5000}
            calm, torn = (
                write_config(base / name, land, hub_source(hub.url), tile_px=48, screen=screen, budget=budget)
                for name in ("calm", "torn")
            )
            toll = kill_and_compare(hub, calm, torn, kills=KILLS, ahead=3, seed=SEED, log=base / "log")
        found = [p for p in base.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
        assert not found, found
    assert toll.inside >= KILLS - 5, f"only {toll.inside} kills hit an unfinished download"
    return (
        f"{toll.kills} kills, {toll.inside} of them before all was there; {toll.committed} tile-dates, "
        f"{toll.requests} process "
        "requests; archive byte-identical, no committed tile-date asked for again, ledger never below what "
        "was charged"
    )


def kills_of_dask_workers_are_survived_too() -> str:
    """The whole process group of `cocal download --workers 2`, killed three times inside the download."""
    import signal

    with folder() as base:
        land = make_land(base / "land")
        with HubStandIn(land.granules) as hub:
            hub.slow = 0.2
            limits = {"in_flight": 2, "per_minute": 100_000}
            config = write_config(base / "torn", land, hub_source(hub.url), tile_px=48, limits=limits)
            for number in range(3):
                before = hub.count(PROCESS)
                process = subprocess.Popen(
                    [*COCAL, "download", str(config), "--workers", "2"], start_new_session=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                end = time.monotonic() + 120
                while hub.count(PROCESS) < before + 3 + number and time.monotonic() < end:
                    time.sleep(0.02)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            cocal("download", config, "--workers", "2")
            calm = write_config(base / "calm", land, hub_source(hub.url), tile_px=48)
            most, tokens = hub.most_in_flight, hub.count("token")
            cocal("download", calm, "--serial")
        from tests.support.services.kills import files_of

        one, other = files_of(base / "torn" / "archive"), files_of(base / "calm" / "archive")
        assert one == other, "archives differ"
        assert most <= 2 + 1, f"{most} requests at once"
    assert tokens == 4, f"{tokens} tokens for four downloads of two workers"
    return (
        f"3 kills of a download with 2 workers: {len(one)} files as without; at most {most} requests at "
        f"once, {tokens} tokens for 4 downloads"
    )


def limits_hold_over_all_workers() -> str:
    """Three workers, two requests in flight, 40 a minute: counted by the service."""
    with folder() as base:
        land = make_land(base / "land")
        with HubStandIn(land.granules) as hub:
            hub.slow = 0.3
            limits = {"in_flight": 2, "per_minute": 40}
            cocal(
                "download",
                write_config(base / "x", land, hub_source(hub.url), tile_px=48, limits=limits),
                "--workers",
                "3",
            )
            at = sorted(asked.at for asked in hub.log if asked.endpoint != "token")
            most = hub.most_in_flight
        densest = max(sum(first <= other < first + 60 for other in at) for first in at)
    assert most <= 2, f"{most} at once"
    assert densest <= 40, f"{densest} within a minute"
    assert len(at) > 40
    return (
        f"{len(at)} requests of 3 workers: at most {most} at once (2 allowed), {densest} within any minute "
        "(40 allowed)"
    )


def secrets_are_found_nowhere() -> str:
    with folder() as base:
        land = make_land(base / "land")
        with HubStandIn(land.granules) as hub:
            config = write_config(base / "x", land, hub_source(hub.url), tile_px=144)
            said = [
                cocal("download", config, "--verbose", "--dry-run"),
                cocal("download", config, "--verbose"),
            ]
            secrets = {SECRET, *hub.tokens}
            os.environ["SH_CLIENT_SECRET"] = other = "MARKER-another-wrong-secret"
            wrong = subprocess.run(
                [*COCAL, "download", str(config), "--verbose", "--serial"],
                capture_output=True,
                text=True,
                check=False,
            )
            said.append(wrong)
        texts = [done.stdout + done.stderr for done in said]
        files = [p for p in base.rglob("*") if p.is_file()]
        assert wrong.returncode == 1, wrong.stderr
        assert not [t for t in texts if any(s in t for s in (*secrets, other))]
        held = [p for p in files if any(s.encode() in p.read_bytes() for s in (*secrets, other))]
        assert not held, held
    return (
        f"{len(secrets) + 1} secrets and tokens in none of {len(files)} files and {len(texts)} outputs with "
        "--verbose; a wrong one ends with exit code 1"
    )


def the_border_is_planned_without_a_network_below_one_gib() -> str:
    figures = []
    for name in ("border", "border-sentinelhub"):
        command = [*COCAL, "plan", str(ROOT / "configs" / f"{name}.yaml")]
        if os.geteuid() == 0 and shutil.which("unshare"):
            command = ["unshare", "--net", *command]
        process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        most = 0
        while process.poll() is None:
            most = max(most, _memory(process))
            time.sleep(0.02)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert most < PLAN_GIB * 2**30, f"{most / 2**20:.0f} MiB"
        tiles = re.search(r"EPSG:32719: (\d+)", out)
        assert tiles, out
        figures.append(f"{name}: {tiles[1]} tiles, {most / 2**20:.0f} MiB")
    return "; ".join(figures) + (" (in a network name space of its own)" if "unshare" in command[0] else "")


def _memory(process: psutil.Process) -> int:
    try:
        return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def large_granule(base: Path) -> RawGranule:
    """One product of 1596 px: every pixel of 20 m has one of 3000 random spectra."""
    land = make_land(base / "land")
    rng, first = np.random.default_rng(3), land.granules[0]
    window = Window(32719, 32 * 15360 - 300, 549 * 15360 + 300, 1596, 1596)
    granule = replace(first, window=window, folder=base / "large", id=first.id)
    which = rng.integers(0, 3000, window.at(20).shape)
    values = {"SCL": np.full(which.shape, 4, np.uint8)}
    for band in NAMES.values():
        coarse = rng.integers(300, 4000, 3000, dtype=np.uint16)[which]
        fine = band in ("B02", "B03", "B04", "B08")
        values[band] = np.repeat(np.repeat(coarse, 2, 0), 2, 1) if fine else coarse
    return write_granule(granule, values)


def one_worker_stays_below_600_mib_on_a_full_tile_date() -> str:
    """Peak resident memory of the worker process. Bodies are not compressed: none can be larger."""
    figures = []
    with folder() as base:
        granule = large_granule(base)
        land = SmallLand(base / "land", tuple(list_scenes(base / "land" / "simulated")), (granule,))
        from tests.support.services.small import write_region

        write_region(
            land.folder / "region.geojson", replace(land.scenes[0], window=granule.window.expanded(-200))
        )
        with (
            HubStandIn([granule]) as hub, FilesStandIn(base / "large") as files,
            stac_api([granule], base, files.url) as url,
        ):  # fmt: skip
            hub.compress = None
            for name, source in (("hub", hub_source(hub.url)), ("stac", {"type": "stac", "catalogue": url})):
                retry = {"read_timeout": 600, "deadline": 900}
                config = write_config(base / name, land, source, tile_px=1536, margin_px=12, retry=retry)
                config.write_text(config.read_text().replace("2024-05-31", "2024-01-31"))
                if name == "hub":
                    cocal("download", config, "--serial")
                    shutil.rmtree(read_config(config).archive)
                code = (
                    f"import sys; sys.argv[1:] = ['download', {str(config)!r}, '--serial']\n"
                    "from cocal.cli import main\ntry:\n    main()\nfinally:\n"
                    "    print(open('/proc/self/status').read())"
                )
                done = subprocess.run(
                    [sys.executable, "-c", code], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr[-2000:]
                peak = int(re.findall(r"^VmHWM:\s+(\d+) kB", done.stdout, re.MULTILINE)[-1]) / 1024
                count = len(list_scenes(base / name / "archive"))
                assert count == 1
                assert peak < WORKER_MIB, f"{name}: {peak:.0f} MiB"
                figures.append(f"{name} {peak:.0f} MiB")
    return (
        f"peak of one worker on one tile-date of 1560 x 1560 px, libraries included: {', '.join(figures)} "
        f"(bound {WORKER_MIB})"
    )


REQUIREMENTS = (
    both_sources_are_bit_equal_over_five_days,
    the_whole_run_from_each_source_gives_identical_hectares,
    every_fault_ends_as_stated_with_the_number_of_requests_it_takes,
    fifty_kills_leave_the_archive_of_an_undisturbed_download,
    kills_of_dask_workers_are_survived_too,
    limits_hold_over_all_workers,
    secrets_are_found_nowhere,
    the_border_is_planned_without_a_network_below_one_gib,
    one_worker_stays_below_600_mib_on_a_full_tile_date,
)
