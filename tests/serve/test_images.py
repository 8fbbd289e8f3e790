"""Images on the map: the pixels of a date, the median, the strip of dates, and what the browser may keep."""

from __future__ import annotations

import base64
import io
import json
import threading
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.support.offering import offered

from cocal.archive import list_scenes, read_scenes
from cocal.grid import pixel_zones, transformer, utm_zones
from cocal.run.images import BRIGHTEST
from cocal.serve.images import places
from cocal.serve.kept import Kept
from cocal.serve.rasters import Square

DAY = date(2024, 1, 20)
PLACE = "lng=-72.0015&lat=-12.5005"


def square_at(zoom, longitude=-72.0, latitude=-12.5):
    x = int((longitude + 180) / 360 * 2**zoom)
    y = int((1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * 2**zoom)
    return Square(zoom, x, y)


def path_of(square, when=DAY, shown="false", period="all"):
    return f"/images/small/{period}/{when}/{shown}/{square.z}/{square.x}/{square.y}.webp"


def pixels_of(answer):
    assert answer.status == 200, answer.body
    return np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA"))


@pytest.mark.parametrize("zoom", [13, 15])
def test_a_tile_shows_the_archives_pixels_on_both_sides_of_a_meridian(restricted, shown, zoom):
    square = square_at(zoom)
    found = [pixels_of(restricted.ask(path_of(s))) for s in (square, square._replace(x=square.x - 1))]
    scenes = [s for s in list_scenes(shown.archive) if s.day == DAY]
    assert len({s.window.epsg for s in scenes}) == 2
    checked = 0
    for s, pixels in zip((square, square._replace(x=square.x - 1)), found, strict=True):
        lon, lat = np.meshgrid(*s.degrees())
        zone = np.where(np.abs(lon + 72) < 2e-4, 0, utm_zones(lon, lat))  # along it either may be shown
        for scene in scenes:
            x, y = transformer(4326, scene.window.epsg).transform(lon, lat)
            row, column, inside = scene.window.locate(x, y)
            cube = read_scenes([scene], scene.window, ["nir", "swir16", "red"])
            # a place that lies on the edge of a pixel may be shown as its neighbour
            clear = np.minimum(np.minimum(x % 10, -x % 10), np.minimum(y % 10, -y % 10)) > 0.5
            here = inside & clear & (zone == scene.window.epsg)
            for channel, name in enumerate(("nir", "swir16", "red")):
                values = cube[name].values[0][row, column] / 10_000
                there = here & (values > 0)
                expected = np.minimum(np.round(255 * values / BRIGHTEST[name]), 255)
                assert np.abs(pixels[..., channel].astype(float) - expected)[there].max(initial=0) <= 1
                assert (pixels[..., 3][there] == 255).all()
                checked += int(there.sum())
    assert checked > 3 * 1000


@settings(max_examples=20)
@given(st.integers(12, 19), st.floats(-75, -58), st.floats(-20, 0))
def test_places_of_a_tile_are_less_than_a_metre_off(zoom, longitude, latitude):
    square = square_at(zoom, longitude, latitude)
    epsg = int(pixel_zones(longitude, latitude))
    lon, lat = np.meshgrid(*square.degrees())
    exact = transformer(4326, epsg).transform(lon, lat)
    found = places(square, epsg)
    assert np.hypot(found[0] - exact[0], found[1] - exact[1]).max() < 1.0


def test_the_median_has_no_cloud_and_is_of_the_period(restricted):
    square = square_at(15)
    white = (255, 255, 255)
    one, other = (pixels_of(restricted.ask(path_of(square, "median", period=p))) for p in ("january", "all"))
    assert not np.array_equal(one, other)
    assert not (other[other[..., 3] == 255][:, :3] == white).all(axis=-1).any()
    cloudy = pixels_of(restricted.ask(path_of(square)))
    assert (cloudy[..., :3] == white).all(axis=-1).any()


def test_a_strip_names_each_date_its_cloud_and_its_picture(restricted, shown):
    answer = restricted.ask(f"/data/small/all/strip/false?{PLACE}")
    strip = answer.json()
    days = sorted({str(s.day) for s in list_scenes(shown.archive)})
    assert [d["day"] for d in strip["days"]] == days
    assert all(0 <= d["cloud"] <= 1 and 0 < d["seen"] <= 1 for d in strip["days"])
    picture = base64.b64decode(strip["image"].removeprefix("data:image/webp;base64,"))
    image = Image.open(io.BytesIO(picture))
    assert image.size == (strip["side"] * len(days), strip["side"])
    frame = np.asarray(image)[32 - 3, 32 - 3 : 32 + 4]
    assert (frame == (255, 255, 0)).all()
    assert [d["day"] for d in restricted.ask(f"/data/small/january/strip/NDVI?{PLACE}").json()["days"]] == [
        "2024-01-20"
    ]


def test_what_there_is_no_image_of_is_not_found(restricted, public):
    square = square_at(14)
    wrong = [
        path_of(square, shown="true"), path_of(square, shown="red-nir"), path_of(square, shown="../red"),
        path_of(square, "2024-03-01", period="january"), path_of(square, "yesterday"), path_of(square, "%00"),
        path_of(square_at(11)), path_of(square_at(12), "median"), path_of(square_at(20)),
        path_of(square, period="none"), f"/data/small/all/strip/true?{PLACE}",
        "/data/small/all/strip/false?lng=0&lat=0",
    ]  # fmt: skip
    assert [restricted.ask(path).status for path in wrong] == [404] * len(wrong)
    assert restricted.ask("/data/small/all/strip/false?lng=x&lat=0").status == 400
    empty = pixels_of(restricted.ask(path_of(square._replace(y=square.y + 40))))
    assert not empty[..., 3].any()
    for path in (path_of(square), f"/data/small/all/strip/false?{PLACE}"):
        assert public.ask(path).status == 404
    assert public.ask("/data/house").json()["runs"][0]["images"] is None
    facts = restricted.ask("/data/house").json()["runs"][0]["images"]
    assert facts["bands"] == ["red", "nir", "swir16"]
    assert {"false", "NDVI", "NDMI"} <= {p["id"] for p in facts["pictures"]}
    assert not {"true", "EVI"} & {p["id"] for p in facts["pictures"]}


def test_the_browser_keeps_what_has_its_address_and_nothing_else(restricted):
    square = square_at(14)
    tile = f"/tiles/small/all/class/{square.z}/{square.x}/{square.y}.png"
    paths = (path_of(square), path_of(square, "median"), f"/data/small/all/strip/false?{PLACE}", tile)
    tags = []
    for path in paths:
        first = restricted.ask(path)
        assert first.headers["cache-control"] == "private, no-cache"
        tags.append(first.headers["etag"])
        for offered_tag in (tags[-1], f'"x", W/{tags[-1]}', "*"):
            again = restricted.ask(path, **{"If-None-Match": offered_tag})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
        assert restricted.ask(path, **{"If-None-Match": '"other"'}).body == first.body
    assert len({*tags}) == len(tags)
    assert restricted.ask(path_of(square, period="january")).headers["etag"] == tags[0]  # the same image
    for path in ("/data/house", "/data/small/all/points", f"/relief/small/14/{square.x}/{square.y}.png"):
        headers = restricted.ask(path).headers
        assert headers["cache-control"] == "no-store"
        assert "etag" not in headers


def test_a_damaged_image_is_not_shown_and_its_path_is_not_told(land):
    for path in land.archive.rglob("nir.tif"):
        content = bytearray(path.read_bytes())
        content[-40] ^= 1
        path.write_bytes(bytes(content))
    with offered(land.root, restricted=True) as server:
        for path in (path_of(square_at(15)), path_of(square_at(15), "median")):
            answer = server.ask(path)
            assert answer.status == 500
            assert str(land.folder).encode() not in answer.body
        assert server.ask(path_of(square_at(15), shown="red-red-swir16")).status == 200


def test_a_run_whose_archive_is_gone_is_shown_without_images(land):
    (land.archive / "scenes").rename(land.archive / "elsewhere")
    with offered(land.root, restricted=True) as server:
        assert server.ask("/data/house").json()["runs"][0]["images"] is None
        assert server.ask(path_of(square_at(15))).status == 404


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 6)), max_size=40))
def test_what_is_kept_is_right_and_bounded(asked):
    kept = Kept(8)
    first = {}
    for name, size in asked:
        key = f"{name}{size}"
        value = kept.get(key, lambda key=key, size=size: key[:1].encode() * size)
        assert value == first.setdefault(key, value)
        assert kept._used == sum(map(len, kept._values.values())) <= 8


def test_what_many_ask_for_at_once_is_made_once_and_a_failure_is_not_kept():
    kept, made, wait = Kept(100), [], threading.Event()

    def slow():
        made.append(1)
        wait.wait(10)
        return b"value"

    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("k", slow))) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait.set()
    for thread in threads:
        thread.join()
    assert (found, len(made)) == ([b"value"] * 5, 1)
    with pytest.raises(KeyError):
        kept.get("other", lambda: {}["none"])
    assert kept.get("other", lambda: b"there") == b"there"
    assert json.dumps(sorted(kept._values)) == '["k", "other"]'
