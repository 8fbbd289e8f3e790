"""Tile latency of `cocal serve` on one class map of 10,980 px, a whole Sentinel-2 tile, under 1 and 8 clients
at once.

    python -m benchmarks.serve [--write docs/serve.md]

The server is a process of its own, asked over loopback. Every client asks for other tiles, at random places
and zooms 9 to 15, and none twice: no tile is kept from one request to the next.
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
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
import rasterio.shutil
from tests.support.shown_land import finished_land

from benchmarks.marks import write_between
from cocal.classify.product import _COG
from cocal.grid import Tile, Window
from cocal.serve import make_app, make_server, open_run

SIDE_PX = 10_980
WINDOW = Window(32719, 399_960, 8_500_000, SIDE_PX, SIDE_PX)
ZOOMS = range(9, 16)
REQUESTS = 50


def write_map(folder: Path) -> None:
    """Fields of 12 px of seven classes, a tenth of the pixels of another class, one part not observed;
    written as product.py does.
    """
    rng = np.random.default_rng(5)
    fields = rng.integers(1, 8, (SIDE_PX // 12, SIDE_PX // 12), dtype=np.uint8)
    codes = np.repeat(np.repeat(fields, 12, axis=0), 12, axis=1)
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
    rasterio.shutil.copy(plain, folder / "class.tif", **_COG)
    plain.unlink()


def offer(land: Path, maps: Path) -> None:
    """Offer the run of the small land with the large map in the place of its own, and print the port."""
    run = open_run(land, restricted=True)
    large = replace(run, maps={"all": {Tile(WINDOW): maps}})
    app = make_app([large], restricted=True, token=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        make_server(app).run(sockets=[listener])


def tiles(rng: np.random.Generator, count: int) -> list[str]:
    """Paths of tiles inside the map, none twice, as many of each zoom."""
    lon, lat = rng.uniform(-69.9, -68.95, 20 * count), rng.uniform(-14.5, -13.6, 20 * count)
    zoom = np.resize(np.array(ZOOMS)[::-1], lon.size)
    x = ((lon + 180) / 360 * 2.0**zoom).astype(int)
    y = ((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2.0**zoom).astype(int)
    paths = dict.fromkeys(
        f"/tiles/small/all/class/{z}/{c}/{r}.png" for z, c, r in zip(zoom, x, y, strict=True)
    )
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


def measure(port: int, clients: int, rng: np.random.Generator) -> dict[str, float]:
    """Milliseconds per tile and tiles per second."""
    paths = tiles(rng, clients * REQUESTS)
    seconds: list[float] = []
    threads = [threading.Thread(target=ask, args=(port, paths[i::clients], seconds)) for i in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if len(seconds) < len(paths):
        raise RuntimeError("tiles were refused")
    median, p95 = (1000 * float(v) for v in np.percentile(seconds, [50, 95]))
    return {"clients": clients, "tiles": len(paths), "median": median, "p95": p95, "rate": len(paths) / took}


def table(rows: list[dict[str, float]], load: float) -> str:
    """The figures for people."""
    lines = [
        "| clients | tiles | median, ms | 95th percentile, ms | tiles per second |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['clients']} | {r['tiles']} | {r['median']:.0f} | {r['p95']:.0f} | {r['rate']:.0f} |"
        for r in rows
    ]
    busy = f"{os.cpu_count()} cores; load average of the machine before the start: {load:.1f}"
    return "\n".join([*lines, "", f"One class map of {SIDE_PX:,} px, {busy}."])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    parser.add_argument("--offer", type=Path, nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.offer:
        offer(*chosen.offer)
        return 0
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        maps = Path(folder) / "maps"
        maps.mkdir()
        write_map(maps)
        land = finished_land(Path(folder) / "land")
        command = [sys.executable, __file__, "--offer", str(land.root), str(maps)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                rng = np.random.default_rng(1)
                measure(port, 2, rng)
                rows = [measure(port, clients, rng) for clients in (1, 8)]
            finally:
                server.terminate()
    print(table(rows, load))
    if chosen.write:
        write_between(chosen.write, "latency", table(rows, load))
    return 0


if __name__ == "__main__":
    sys.exit(main())
