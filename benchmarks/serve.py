"""Latency and processor time of `cocal serve` on a whole Sentinel-2 tile of 10,980 px, a class map and 36
dates of images, under 1 and 8 clients at once.

    python -m benchmarks.serve [--write docs/serve.md]

The server is a process of its own, asked over loopback. Every client asks for other tiles, at random places
and all zooms, and none twice, unless a row says so. What is done once per file (its checksum) is done before.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import rasterio
import rasterio.shutil
from tests.support.shown_land import finished_land

from benchmarks.marks import write_between
from cocal.archive import SIMULATED, band_writer, scene_item, scene_store
from cocal.checksums import file_facts
from cocal.classify.product import _COG
from cocal.grid import Tile, Window
from cocal.serve import make_app, make_server, open_run
from cocal.store import MANIFEST, LocalStore, Manifest, write_json

SIDE_PX, DATES = 10_980, 36
SIZES = {"red": 10, "nir": 10, "swir16": 20, "scl": 20}
LEVELS = {"red": (200, 900), "nir": (2000, 3800), "swir16": (1000, 3000)}
FIRST = datetime(2024, 1, 5, 15, tzinfo=UTC)
WINDOW = Window(32719, 399_960, 8_500_000, SIDE_PX, SIDE_PX)


@dataclass(frozen=True)
class Kind:
    """What is asked for: paths with the tile in the place of {}, at these zooms; `count` per client."""

    name: str
    path: str
    zooms: range
    count: int = 50


CLASS = Kind("class", "/tiles/small/all/class/{}.png", range(9, 17))
IMAGE = Kind("image of a date", "/images/small/all/2024-01-15/false/{}.webp", range(12, 17))
INDEX = Kind("index of a date", "/images/small/all/2024-01-25/NDVI/{}.webp", range(12, 17))
MEDIAN = Kind("median of 36 dates", "/images/small/all/median/false/{}.webp", range(14, 17), 10)
STRIP = Kind("strip of 36 dates", "/data/small/all/strip/false?{}", range(1), 10)


def fields_of(rng: np.random.Generator) -> np.ndarray:
    """(y, x) class of fields of 12 px, 1 to 7."""
    fields = rng.integers(1, 8, (SIDE_PX // 12, SIDE_PX // 12), dtype=np.uint8)
    return np.repeat(np.repeat(fields, 12, axis=0), 12, axis=1)


def write_images(archive: Path) -> None:
    """One date of fields with noise and a tenth under cloud; the others have the same files by links."""
    rng = np.random.default_rng(6)
    codes, store, name = fields_of(rng), scene_store(archive), f"SIM-{FIRST:%Y%m%d}"
    cloudy = np.kron(rng.random((SIDE_PX // 60, SIDE_PX // 60)) < 0.1, np.ones((60, 60), dtype=bool))
    noise = rng.normal(0, 60, codes.shape).astype(np.int16)
    with store.commit(name, {}) as home:
        for band, resolution in SIZES.items():
            step = resolution // 10
            values = np.where(cloudy, 9, 4)[::step, ::step].astype(np.uint8)
            if band in LEVELS:
                low, high = LEVELS[band]
                level = low + (high - low) / 7 * codes + noise + 3000 * cloudy
                values = np.clip(level[::step, ::step], 1, 10_000).astype(np.uint16)
            with band_writer(home / f"{band}.tif", WINDOW.at(resolution), str(values.dtype)) as target:
                target.write(values, 1)
        write_json(home / f"{name}.json", scene_item(name, FIRST, WINDOW, SIZES, {SIMULATED: True}))
    manifest = Manifest.read(store.home(name) / MANIFEST)
    assert manifest is not None
    rasters = {n: facts for n, facts in manifest.files.items() if n.endswith(".tif")}
    for number in range(1, DATES):
        acquired = FIRST + timedelta(days=10 * number)
        unit = f"SIM-{acquired:%Y%m%d}"
        home = store.home(unit)
        home.mkdir()
        for file in rasters:
            os.link(store.home(name) / file, home / file)
        item = home / f"{unit}.json"
        write_json(item, scene_item(unit, acquired, WINDOW, SIZES, {SIMULATED: True}))
        own = replace(manifest, address=f"{number:064x}", files=rasters | {item.name: file_facts(item)})
        (home / MANIFEST).write_text(own.to_text(), encoding="utf-8")


def write_map(folder: Path) -> None:
    """Fields of 12 px of seven classes, a tenth of the pixels of another class, one part not observed;
    written as product.py does.
    """
    rng = np.random.default_rng(5)
    codes = fields_of(rng)
    noise = rng.random(codes.shape, dtype=np.float32) < 0.1
    codes[noise] = rng.integers(1, 8, int(noise.sum()), dtype=np.uint8)
    codes[2000:3000, 4000:6000] = 0
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": SIDE_PX, "width": SIDE_PX,
        "crs": f"EPSG:{WINDOW.epsg}", "transform": WINDOW.transform,
    }  # fmt: skip
    plain = folder / "plain.tif"
    with rasterio.open(plain, "w", **profile) as target:
        target.write(codes, 1)
    with LocalStore(folder).commit("maps", {}) as home:
        rasterio.shutil.copy(plain, home / "class.tif", **_COG)
    plain.unlink()


def offer(land: Path, maps: Path) -> None:
    """Offer the run of the small land with the large map in the place of its own, and print the port."""
    run = open_run(land, restricted=True)
    large = replace(run, maps={"all": {Tile(WINDOW): maps}})
    app = make_app([large], restricted=True, token=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        make_server(app).run(sockets=[listener])


def paths_of(kind: Kind, rng: np.random.Generator, count: int) -> list[str]:
    """Paths of tiles (or strips) inside the map, none twice, as many of each zoom."""
    lon, lat = rng.uniform(-69.9, -68.95, 20 * count), rng.uniform(-14.5, -13.6, 20 * count)
    if kind is STRIP:
        return [kind.path.format(f"lng={x:.6f}&lat={y:.6f}") for x, y in zip(lon, lat, strict=True)][:count]
    zoom = np.resize(np.array(kind.zooms)[::-1], lon.size)
    x = ((lon + 180) / 360 * 2.0**zoom).astype(int)
    y = ((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2.0**zoom).astype(int)
    paths = dict.fromkeys(kind.path.format(f"{z}/{c}/{r}") for z, c, r in zip(zoom, x, y, strict=True))
    return list(paths)[:count]


def ask(port: int, paths: list[str], seconds: list[float]) -> None:
    """Ask for each path in turn on one connection; `seconds` gets how long each took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        seconds.append(time.perf_counter() - began)
        if answer.status != 200 or len(body) < 100:
            raise RuntimeError(f"{path}: {answer.status}")


def measure(server: psutil.Process, port: int, clients: int, paths: list[str]) -> dict[str, float]:
    """Milliseconds per request, of which the server's processor time; requests per second."""
    seconds: list[float] = []
    before = sum(server.cpu_times()[:2])
    threads = [threading.Thread(target=ask, args=(port, paths[i::clients], seconds)) for i in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if len(seconds) < len(paths):
        raise RuntimeError("requests were refused")
    spent = 1000 * (sum(server.cpu_times()[:2]) - before) / len(paths)
    median, p95 = (1000 * float(v) for v in np.percentile(seconds, [50, 95]))
    rate = len(paths) / took
    return {"clients": clients, "n": len(paths), "cpu": spent, "median": median, "p95": p95, "rate": rate}


def measured(server: psutil.Process, port: int) -> list[tuple[str, dict[str, float]]]:
    """The rows of the table."""
    rng, rows = np.random.default_rng(1), []
    for kind in (CLASS, IMAGE, INDEX, MEDIAN, STRIP):
        measure(server, port, 2, paths_of(kind, np.random.default_rng(9), 8))
        for clients in (1, 8):
            paths = paths_of(kind, rng, clients * kind.count)
            rows.append((kind.name, measure(server, port, clients, paths)))
        if kind in (IMAGE, MEDIAN):
            rows.append((f"{kind.name}, asked again", measure(server, port, 8, paths)))
    return rows


def table(rows: list[tuple[str, dict[str, float]]], load: float) -> str:
    """The figures for people."""
    lines = [
        "| what | clients | requests | CPU, ms each | median, ms | 95th percentile, ms | per second |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['clients']} | {r['n']} | {r['cpu']:.0f} | {r['median']:.0f} | {r['p95']:.0f} | "
        f"{r['rate']:.0f} |"
        for name, r in rows
    ]
    busy = f"{os.cpu_count()} cores; load average of the machine before the start: {load:.1f}"
    return "\n".join([*lines, "", f"One class map and 36 dates of {SIDE_PX:,} px, {busy}."])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--offer", type=Path, nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.offer:
        offer(*chosen.offer)
        return 0
    load, rows = os.getloadavg()[0], []
    with TemporaryDirectory() as folder:
        write_map(Path(folder))
        land = finished_land(Path(folder) / "land")
        write_images(land.archive)
        offered = ["--offer", str(land.root), str(Path(folder) / "maps")]
        command = [sys.executable, "-m", "benchmarks.serve", *offered]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                rows = measured(psutil.Process(server.pid), port)
            finally:
                server.terminate()
    print(table(rows, load))
    if chosen.write:
        write_between(chosen.write, "latency", table(rows, load))
    if chosen.json:
        write_json(chosen.json, [{"what": name} | row for name, row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
