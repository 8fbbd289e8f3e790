"""Images on the map: what a tile and a strip cost, and the page."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.offering import served
from tests.support.shown_land import finished_land

ROOT = Path(__file__).parents[2]
TILE_MS, STRIP_MS, P95_MS = 30, 200, 150


@cache
def _figures() -> list[dict[str, Any]]:
    """The rows of `benchmarks.serve`: a class map and 36 dates of 10,980 px."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.serve", "--json", str(out)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        rows: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return rows


def _of(what: str, clients: int) -> dict[str, Any]:
    return next(r for r in _figures() if r["what"] == what and r["clients"] == clients)


def a_tile_takes_30_CPU_ms_and_a_strip_of_36_dates_200() -> str:
    tiles = {what: _of(what, 1)["cpu"] for what in ("image of a date", "index of a date")}
    tiles["median, once made"] = _of("median of 36 dates, asked again", 8)["cpu"]
    strip, first = _of("strip of 36 dates", 1)["cpu"], _of("median of 36 dates", 1)["cpu"]
    assert max(tiles.values()) <= TILE_MS, tiles
    assert strip <= STRIP_MS, strip
    shown = ", ".join(f"{what} {ms:.0f}" for what, ms in tiles.items())
    return f"CPU ms: {shown}, strip {strip:.0f}; a tile of the median the first time {first:.0f}"


def eight_clients_that_pan_wait_less_than_150_ms_for_19_of_20_tiles() -> str:
    waited = {what: _of(what, 8)["p95"] for what in ("class", "image of a date", "index of a date")}
    assert max(waited.values()) < P95_MS, waited
    return "95th percentile, ms: " + ", ".join(f"{what} {ms:.0f}" for what, ms in waited.items())


def the_first_requests_of_a_server_may_come_at_once() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = finished_land(Path(folder) / "land")
        square = "14/4915/8763"
        paths = [
            *(f"/images/small/all/{d}/{s}/{square}.webp" for d in ("2024-01-20", "median") for s in
              ("false", "NDVI")),
            "/data/small/all/strip/false?lng=-72.0015&lat=-12.5005",
            "/data/small/all/pixel?lng=-72.0015&lat=-12.5005",
        ]  # fmt: skip
        with served(str(world.root), "--restricted") as server, ThreadPoolExecutor(24) as pool:

            def ask(path: str) -> int:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
                connection.request("GET", path)
                return connection.getresponse().status

            found = list(pool.map(ask, paths * 4))
            assert found == [200] * len(found), (found, server.logged())
    return f"{len(found)} requests of a fresh server at once: all answered"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    a_tile_takes_30_CPU_ms_and_a_strip_of_36_dates_200,
    eight_clients_that_pan_wait_less_than_150_ms_for_19_of_20_tiles,
    the_first_requests_of_a_server_may_come_at_once,
)
