"""A point's card: height, slope, what the maps say, the record, the user's own image."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin
from tests.support.offering import offered
from tests.support.small_world import EPSG

from cocal.errors import UsageError
from cocal.features.terrain import read_dem, slope_degrees
from cocal.grid import Window, transformer
from cocal.serve.card import height_and_slope
from cocal.serve.imagery import Imagery, NoImageryError
from cocal.serve.runs import open_run

PLACE = "lng=-72.0015&lat=-12.5005"


def test_a_card_has_height_slope_and_the_class_of_every_period(restricted, shown):
    card = restricted.ask(f"/data/small/all/card?{PLACE}").json()
    assert [m["period"] for m in card["maps"]] == ["january", "all"]
    pixel = restricted.ask(f"/data/small/all/pixel?{PLACE}").json()
    names = {c["key"]: c["es"] for c in restricted.ask("/data/house").json()["runs"][0]["classes"]}
    assert card["maps"][1]["class"]["es"] == names[pixel["class"]]
    assert card["maps"][1]["probability"] == pixel["probability"]
    assert card["imagery"] is False
    x, y = transformer(4326, EPSG).transform(-72.0015, -12.5005)
    whole = shown.window
    row, column, _ = whole.locate(x, y)
    heights = read_dem(shown.folder / "dem.tif", whole)
    assert card["height_m"] == pytest.approx(float(heights[int(row), int(column)]), abs=0.051)
    slopes = slope_degrees(heights, whole.resolution)
    assert card["slope_degrees"] == pytest.approx(float(slopes[int(row), int(column)]), abs=0.051)


def test_a_plane_that_falls_one_in_ten_has_that_slope(tmp_path, shown):
    """East by 10 m, down by 1 m: atan(0.1) = 5.7 degrees; the pixel's own height is that of its middle."""
    path = tmp_path / "plane.tif"
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": 40, "height": 40,
               "crs": f"EPSG:{EPSG}", "transform": from_origin(799_800, 8_600_200, 10, 10)}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.broadcast_to(500 - np.arange(40, dtype=np.float32), (1, 40, 40)))
        target.units = ("m",)
    run = open_run(shown.config, restricted=True)
    flat = replace(run, config=run.config.model_copy(update={"dem": None}))
    run = replace(run, config=run.config.model_copy(update={"dem": path}))
    middle = Window(EPSG, 800_010, 8_599_990, 1, 1)
    assert height_and_slope(run, middle) == {"height_m": 479.0, "slope_degrees": 5.7}
    assert height_and_slope(flat, middle) == {"height_m": None, "slope_degrees": None}


def test_a_record_is_shown_as_it_was_read_and_only_to_the_restricted_profile(restricted, public, shown):
    rows = pd.read_csv(shown.folder / "records.csv")
    first = rows.iloc[0]
    found = restricted.ask(f"/data/small/all/record?id={first['record_id']}").json()
    assert found["place"] == pytest.approx([first["lon"], first["lat"]], abs=1e-6)
    found = found["record"]
    assert found["record_id"] == first["record_id"]
    assert found["class"] == first["class"]
    assert found["stratum"] == first["stratum"]
    assert restricted.ask("/data/small/all/record?id=none").status == 404
    assert restricted.ask(f"/data/small/january/record?id={first['record_id']}").status == 404
    for path in (f"record?id={first['record_id']}", f"card?{PLACE}", f"own.webp?{PLACE}"):
        answer = public.ask(f"/data/small/all/{path}")
        assert answer.status == 404
        assert first["stratum"].encode() not in answer.body


@contextmanager
def tile_server(answer) -> Iterator[tuple[str, list[str]]]:
    """A server of tiles on loopback; `answer(path) -> (status, bytes, headers)`."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body, headers = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tile(colour=(10, 120, 30), side=256, kind="PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, kind)
    return out.getvalue()


def test_tiles_of_a_server_make_one_picture_with_the_pixel_framed_and_are_asked_for_once(shown):
    with tile_server(lambda _: (200, tile(), {})) as (address, asked):
        source = f"{address}/wmts?layer=a&TileMatrix={{TileMatrix}}&x={{TileCol}}&y={{TileRow}}"
        with offered(shown.root, restricted=True, imagery=source) as server:
            assert server.ask(f"/data/small/all/card?{PLACE}").json()["imagery"] is True
            assert asked == []
            answers = [server.ask(f"/data/small/all/own.webp?{PLACE}") for _ in range(2)]
    assert len(asked) == 4
    assert all(path.startswith("/wmts?layer=a&TileMatrix=18&x=") for path in asked)
    pixels = np.asarray(Image.open(io.BytesIO(answers[1].body)).convert("RGB")).astype(int)
    assert pixels.shape == (256, 256, 3)
    framed = (pixels == (255, 255, 0)).all(axis=-1)
    rows, columns = np.nonzero(framed)
    side = 10 / (2 * np.pi * 6378137 * np.cos(np.radians(12.5)) / 2**18 / 256)  # px of 10 m at this latitude
    assert np.ptp(rows) == pytest.approx(side, abs=3)
    assert np.ptp(columns) == pytest.approx(side, abs=3)
    assert abs(rows.mean() - 128) < 2
    assert abs(columns.mean() - 128) < 2
    assert (pixels[~framed] == (10, 120, 30)).all()


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"", {}), (200, b"<html>", {}), (200, b"x" * (5 << 20), {}), (200, tile(side=64), {}),
        (302, b"", {"Location": "http://127.0.0.1:1/other"}),
    ],
)  # fmt: skip
def test_what_is_no_tile_of_that_host_is_no_image_and_the_log_holds_no_key(answer, caplog):
    pixel = Window(EPSG, 800_000, 8_600_000, 1, 1)
    with tile_server(lambda _: answer) as (address, _), pytest.raises(NoImageryError):
        Imagery(f"{address}/{{z}}/{{x}}/{{y}}?key=SECRET").around(pixel)
    assert "SECRET" not in caplog.text
    assert "127.0.0.1" in caplog.text


def test_a_geotiff_shows_its_own_colours_around_the_pixel(tmp_path):
    path = tmp_path / "own.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": 400, "height": 400,
               "crs": f"EPSG:{EPSG}", "transform": from_origin(799_900, 8_600_100, 0.5, 0.5)}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.repeat(np.array([200, 90, 40], dtype=np.uint8), 400 * 400).reshape(3, 400, 400))
    pixel = Window(EPSG, 800_000, 8_600_000, 1, 1)
    picture = Imagery(str(path)).around(pixel)
    assert picture[100, 100].tolist() == [200, 90, 40]
    with pytest.raises(NoImageryError):
        Imagery(str(path)).around(Window(EPSG, 700_000, 8_600_000, 1, 1))


def test_an_image_that_cannot_be_shown_is_refused_before_the_map_is_served(tmp_path, shown):
    for source in ("http://x.org/{z}/{x}.png", "https:///{z}/{x}/{y}", str(tmp_path / "none.tif"),
                   str(shown.folder / "dem.tif"), "file:///etc/passwd"):  # fmt: skip
        with pytest.raises(UsageError, match="--imagery"):
            Imagery(source)
