"""Hostile requests against the real server, and what its answers hold."""

from __future__ import annotations

import hashlib
import io
import re
import socket
from importlib import resources

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from tests.support.offering import offered, served
from tests.support.shown_land import HOSTILE

from cocal.archive import list_scenes, read_scenes
from cocal.errors import UsageError
from cocal.grid import transformer, utm_epsg
from cocal.serve import Access, open_run
from cocal.serve.guard import check_access
from cocal.serve.pixel import LEAST_PIXELS, class_curve, find_pixel
from cocal.serve.rasters import NOTHING, MapRasters, Square, terrarium

TOKEN = "correct-horse-battery-staple"
TRAVERSALS = (
    "/../etc/passwd", "/../../../../etc/passwd", "/assets/../app.py", "/assets/../../store.py",
    "/assets/%2e%2e/app.py",
    "/assets/..%2fapp.py", "/assets/%2e%2e%2f%2e%2e%2fstore.py", "/assets/..%5capp.py", "/assets//etc/passwd",
    "//etc/passwd",
    "/assets/%2fetc%2fpasswd", "/assets/js/main.js%00.png", "/assets/%00", "/assets/js/", "/assets/js",
    "/assets/",
    "/data/../house/../regions", "/data/%2e%2e/regions", "/data/small%2f..%2fsmall/regions",
    "/data/small/all%00/figures",
    "/tiles/small/..%2fall/class/14/4915/8763.png", "/tiles/small/all/class.tif/14/4915/8763.png",
    "/tiles/small/all/class/14/4915/..%2f8763.png", "/tiles/small/all/class/14/-1/8763.png",
    "/tiles/small/all/class/99/1/1.png",
    f"/tiles/small/all/class/14/{'9' * 5000}/1.png", "/tiles/small/all/class/14/1e3/8763.png",
    "/tiles/small/all/class/%D9%A3/1/1.png",
    "/relief/small/..%2f..%2f14/1/1.png", "/public/hectares.csv", "/runs/small/records.csv",
    "/small/records.csv",
)  # fmt: skip
METHODS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
PLACES = ("", "lng=-72", "lng=x&lat=1", "lng=nan&lat=1", "lng=inf&lat=1", "lng=181&lat=0", "lng=0&lat=89")
OTHER_HOSTS = ("localhost@evil.example", "evil.example:8765", "[::2]", "0.0.0.0", "", "local")
ALTERING_HOSTS = (
    "x/login?", "127.0.0.1/login?", "x/assets/#", "127.0.0.1:1/assets/?", "x/login\\", "[::1]/login?",
)  # fmt: skip
STRANGE_TOKENS = (
    "Bearer", "Bearer ", f"Basic {TOKEN}", "Bearer \xff\xfe", f"Bearer {TOKEN}\xe9", f"Bearer x {TOKEN}",
)  # fmt: skip
STRANGE_COOKIES = (
    "cocal", "cocal=", "cocal=\xff", ";;;=", f"cocal={TOKEN}; cocal=", f'other="{TOKEN}"',
)  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_what_is_offered(restricted, path):
    answer = restricted.ask(path)
    assert answer.status in (400, 404), (path, answer.status, answer.body[:80])
    assert b"root:" not in answer.body
    assert b"import " not in answer.body


def test_links_in_the_folder_of_the_run_lead_nowhere(land):
    (land.root / "public" / "passwd").symlink_to("/etc/passwd")
    (land.root / "etc").symlink_to("/etc")
    with offered(land.root, restricted=True) as server:
        for path in (
            "/passwd",
            "/public/passwd",
            "/etc/passwd",
            "/data/small/etc/passwd",
            "/assets/public/passwd",
        ):
            assert server.ask(path).status == 404


def test_a_map_that_was_exchanged_for_one_that_names_other_files_is_not_opened(land):
    with offered(land.root, restricted=True) as server:
        for path in land.root.glob("maps/*/*/*/class.tif"):
            path.write_text(
                "<VRTDataset rasterXSize='96' rasterYSize='96'><VRTRasterBand dataType='Byte' band='1'>"
                f"<SimpleSource><SourceFilename>{land.folder}/dem.tif</SourceFilename></SimpleSource>"
                "</VRTRasterBand></VRTDataset>"
            )
        answer = server.ask(tile_path("class", 14))
    assert answer.status == 500
    assert str(land.folder).encode() not in answer.body


@pytest.mark.parametrize("method", METHODS)
def test_nothing_can_be_changed(restricted, method):
    assert restricted.ask("/data/house", method).status == 405


def test_a_page_elsewhere_cannot_reach_the_map_by_a_name_of_its_own(restricted):
    assert restricted.ask("/data/house", Host="evil.example").status == 400
    assert restricted.ask("/data/house", Host="127.0.0.1.evil.example").status == 400
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert restricted.ask("/data/house", Host=f"{host}:{restricted.port}").status == 200


@pytest.mark.parametrize("path", ["/", "/data/house", "/assets/js/main.js", "/nothing", "/assets/../x"])
def test_every_answer_carries_the_policy(restricted, path):
    headers = restricted.ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("query", PLACES)
def test_a_place_that_is_none_is_refused(restricted, query):
    assert restricted.ask(f"/data/small/all/pixel?{query}").status == 400


def test_with_a_token_all_but_the_code_of_the_page_needs_it(shown):
    with offered(shown.root, restricted=True, token=TOKEN, local=False) as server:
        for path in ("/data/house", tile_path("class", 14), "/data/small/all/points", "/nothing"):
            assert server.ask(path).status == 401
            assert server.ask(path, Authorization="Bearer " + TOKEN[:-1]).status == 401
            assert server.ask(path, Cookie=f"cocal={TOKEN}").status == 401
        assert server.ask("/data/house", Authorization=f"Bearer {TOKEN}").status == 200
        assert server.ask("/").headers["location"] == "/login"
        assert server.ask("/assets/style.css").status == 200


def test_the_form_gives_a_cookie_that_scripts_and_other_sites_cannot_use(shown):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with offered(shown.root, restricted=True, token=TOKEN, local=False) as server:
        assert server.ask("/login", "POST", "token=wrong", **form).headers["location"] == "/login?again"
        assert server.ask("/login", "POST", "x" * 5000, **form).status == 413
        cookie = server.ask("/login", "POST", f"token={TOKEN}", **form).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert server.ask("/data/house", Cookie=cookie.split(";")[0]).status == 200


@pytest.mark.parametrize(
    "host",
    ["x/login?", "127.0.0.1/login?", "x/assets/#", "127.0.0.1:1/assets/?", "x/login\\", "[::1]/login?"],
)
def test_a_host_header_that_alters_the_url_does_not_alter_what_needs_the_token(shown, host):
    with served(str(shown.root), "--restricted", "--host", "0.0.0.0", COCAL_SERVE_TOKEN=TOKEN) as server:
        for path in ("/data/house", "/data/small/all/points", tile_path("class", 14)):
            assert server.ask(path, Host=host).status == 401
            assert server.ask(path, Host=host, Authorization=f"Bearer {TOKEN}").status == 400


def test_behind_a_proxy_the_stated_name_counts_and_the_cookie_is_for_tls_alone(shown):
    proxied = ("--name", "Map.Example.org", "--proxy", "127.0.0.2")
    form = b"POST /login HTTP/1.1\r\nHost: map.example.org\r\nX-Forwarded-Proto: %s\r\nConnection: close\r\n"
    token = b"Content-Length: %d\r\n\r\ntoken=%s" % (len(TOKEN) + 6, TOKEN.encode())
    with served(str(shown.root), *proxied, COCAL_SERVE_TOKEN=TOKEN) as server:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert server.ask("/data/house", Host="map.example.org", **bearer).status == 200
        assert server.ask("/data/house", Host="other.example.org", **bearer).status == 400
        cookies = {
            (scheme, source): b"; Secure" in server.send(form % scheme + token, source)
            for scheme in (b"https", b"http", b"javascript")
            for source in ("127.0.0.1", "127.0.0.2")
        }
    assert {key for key, secure in cookies.items() if secure} == {(b"https", "127.0.0.2")}


def test_without_a_proxy_no_request_states_its_own_scheme_or_client(shown):
    with served(str(shown.root), COCAL_SERVE_TOKEN=TOKEN, FORWARDED_ALLOW_IPS="*") as server:
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.1.1"}
        answer = server.ask("/login", "POST", f"token={TOKEN}", **forged)
        assert "Secure" not in answer.headers["set-cookie"]
        for number in range(30):
            server.ask("/login", "POST", "token=wrong", **{"X-Forwarded-For": f"10.1.1.{number}"})
        assert server.ask("/login", "POST", "token=wrong", **forged).status == 429


def test_on_every_address_the_names_are_those_of_this_machine(shown):
    hosts = Access("0.0.0.0", TOKEN, ("map.example.org",)).hosts
    assert {"localhost", "127.0.0.1", "[::1]", socket.gethostname().lower(), "map.example.org"} <= set(hosts)
    assert "*" not in hosts
    assert Access("192.0.2.7").hosts == ("localhost", "127.0.0.1", "[::1]", "192.0.2.7")
    assert Access("2001:db8::1").hosts[-1] == "[2001:db8::1]"


@pytest.mark.parametrize(
    ("access", "named"),
    [
        (Access("0.0.0.0"), "open to all"),
        (Access(names=("map.example.org",)), "who reach the proxy"),
        (Access(proxies=("10.0.0.2",)), "who reach the proxy"),
        (Access(token="short"), "too short"),
        (Access(token=TOKEN, names=("*.org",)), "--name"),
        (Access(token=TOKEN, names=("https://map.example.org",)), "--name"),
        (Access(token=TOKEN, names=("map.example.org:443",)), "--name"),
        (Access(token=TOKEN, proxies=("*",)), "--proxy"),
        (Access(token=TOKEN, proxies=("10.0.0.0/8",)), "--proxy"),
    ],
)
def test_an_access_that_cannot_be_meant_is_refused(access, named):
    with pytest.raises(UsageError, match=re.escape(named)):
        check_access(access)


def tile_path(layer: str, z: int, lon: float = -72.001, lat: float = -12.5) -> str:
    square = square_at(z, lon, lat)
    return f"/tiles/small/all/{layer}/{z}/{square.x}/{square.y}.png"


def square_at(z: int, lon: float, lat: float) -> Square:
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2
    return Square(z, int((lon + 180) / 360 * 2**z), int(y * 2**z))


def test_the_public_sees_squares_and_hectares_and_no_pixel_no_plot_no_point(public, shown):
    (run,) = public.ask("/data/house").json()["runs"]
    assert [layer["id"] for layer in run["layers"]] == ["density"]
    assert (run["pixels"], run["records"]) == (False, False)
    for layer in ("class", "probability", "looks"):
        assert public.ask(tile_path(layer, 14)).status == 404
    assert public.ask("/data/small/all/pixel?lng=-72.001&lat=-12.5").status == 404
    assert public.ask("/data/small/all/points").status == 404
    assert public.ask(tile_path("density", 14)).status == 200
    table = pd.read_csv(shown.root / "public" / "hectares.csv")
    rows = table[(table["period"] == "all") & (table["class"] == "coca")].set_index("region_id")
    found = public.ask("/data/small/all/figures").json()
    assert {k: v["mapped_ha"] for k, v in found.items()} == pytest.approx(rows["shown_ha"].to_dict())
    assert {v["estimated_ha"] for v in found.values()} == {None}


def test_a_square_that_is_not_shown_is_grey_on_the_public_map_and_coloured_on_the_other(
    public, restricted, shown
):
    squares = pd.read_csv(shown.root / "public" / "density.csv")
    hidden = squares[(squares["period"].astype(str) == "all") & squares["mapped_ha"].isna()].iloc[0]
    middle = hidden["x"] + hidden["side_m"] / 2, hidden["y"] + hidden["side_m"] / 2
    lon, lat = transformer(int(hidden["epsg"]), 4326).transform(*middle)
    square = square_at(15, lon, lat)
    column = np.abs(square.degrees()[0] - lon).argmin()
    row = np.abs(square.degrees()[1] - lat).argmin()
    path = tile_path("density", 15, lon, lat)
    grey = (0xDF, 0xE3, 0xE8, 255)
    seen = [
        tuple(np.asarray(Image.open(io.BytesIO(s.ask(path).body)).convert("RGBA"))[row, column])
        for s in (public, restricted)
    ]
    assert seen[0] == grey
    assert seen[1] != grey


def test_a_tile_shows_the_nearest_pixel_of_the_zone_that_owns_the_ground(shown):
    run = open_run(shown.root, restricted=True)
    maps = run.maps["all"]
    square = square_at(15, -72.0, -12.5)
    codes = MapRasters(maps).codes("class.tif", square)
    lon, lat = square.degrees()
    wanted = np.full(codes.shape, NOTHING)
    for column, longitude in enumerate(lon):
        epsg = utm_epsg(longitude, -12.5)
        x, y = transformer(4326, epsg).transform(np.full(lat.shape, longitude), lat)
        for tile, folder in maps.items():
            w = tile.window
            inside = (x >= w.left) & (x < w.right) & (y > w.bottom) & (y <= w.top) & (w.epsg == epsg)
            with rasterio.open(folder / "class.tif") as source:
                values = source.read(1)
            c, r = ((x[inside] - w.left) // 10).astype(int), ((w.top - y[inside]) // 10).astype(int)
            wanted[inside, column] = np.where(values[r, c] == 0, NOTHING, values[r, c])
    assert set(np.unique(codes)) <= {1, 2, 4, 6, NOTHING}
    assert np.unique(codes).size > 3
    assert (codes == wanted).mean() > 0.97


def test_heights_are_encoded_to_a_256th_of_a_metre():
    heights = np.array([[0.0, 1.5, 4321.25, -3.0]])
    red, green, blue = np.moveaxis(
        np.asarray(Image.open(io.BytesIO(terrarium(heights)))).astype(float), -1, 0
    )
    assert (red * 256 + green + blue / 256 - 32768).tolist() == heights.tolist()


def test_a_pixels_year_is_that_of_the_scenes(restricted, shown):
    run = open_run(shown.root, restricted=True)
    pixel = find_pixel(run, "all", -72.002, -12.501)
    assert pixel is not None
    facts = restricted.ask("/data/small/all/pixel?lng=-72.002&lat=-12.501").json()
    scenes = [s for s in list_scenes(shown.archive) if s.window.epsg == pixel.window.epsg]
    cube = read_scenes(scenes, pixel.window, ["red", "nir", "scl"])
    red, nir = (cube[b].values[:, 0, 0].astype(float) / 10_000 for b in ("red", "nir"))
    wanted = (nir - red) / (nir + red)
    found = facts["indices"]["NDVI"]["pixel"]
    assert facts["dates"] == [str(d)[:10] for d in cube["time"].values]
    assert facts["looks"] == sum(v is not None for v in found)
    assert facts["looks"] > 0
    for value, truth in zip(found, wanted, strict=True):
        assert value is None or value == pytest.approx(truth, abs=1e-4)


def test_a_class_curve_by_hand():
    values = np.arange(22.0).reshape(2, 1, 11)
    values[1, 0, LEAST_PIXELS - 1 :] = np.nan
    members = np.ones((1, 11), dtype=bool)
    assert class_curve(values, members) == {"low": [1.0, None], "middle": [5.0, None], "high": [9.0, None]}
    assert class_curve(values, ~members) is None


def test_field_points_are_where_the_records_are(restricted, shown):
    points = restricted.ask("/data/small/all/points").json()["features"]
    records = pd.read_csv(shown.folder / "records.csv").set_index("record_id")
    assert len(points) == len(records)
    for point in points:
        row = records.loc[point["properties"]["id"]]
        assert point["geometry"]["coordinates"] == pytest.approx([row["lon"], row["lat"]])
        assert point["properties"]["field"] == row["class"]


def test_a_hostile_name_travels_as_text_in_json(restricted):
    regions = restricted.ask("/data/small/regions").json()["features"]
    assert regions[0]["properties"]["name"] == HOSTILE


def test_the_page_holds_no_other_host_and_never_parses_text_as_html():
    assets = resources.files("cocal.serve").joinpath("assets")
    own = [assets / n for n in ("index.html", "login.html", "style.css")] + list((assets / "js").iterdir())
    for path in own:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?:|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|setHTML", text
        ), path


def test_the_shipped_library_is_the_one_that_its_note_says():
    folder = resources.files("cocal.serve").joinpath("assets/vendor/maplibre-gl")
    rows = re.findall(r"\| (\S+) \| ([0-9a-f]{64}) \|", (folder / "README.md").read_text(encoding="utf-8"))
    assert len(rows) == 4
    for name, wanted in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == wanted


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_a_host_that_only_looks_like_this_machine_is_refused(restricted, host):
    assert restricted.ask("/data/house", Host=host).status == 400


def test_headers_that_are_not_well_formed_open_nothing(shown):
    with offered(shown.root, restricted=True, token=TOKEN, local=False) as server:
        for value in STRANGE_TOKENS:
            assert server.ask("/data/house", Authorization=value).status == 401, value
        for value in STRANGE_COOKIES:
            assert server.ask("/data/house", Cookie=value).status == 401, value
        for path in ("/login/../data/house", "/assets/../data/house", "/login/data/house", "//data/house"):
            assert server.ask(path).status in (401, 404), path


def test_every_answer_says_what_it_is(restricted):
    wanted = {
        "/": "text/html; charset=utf-8",
        "/login": "text/html; charset=utf-8",
        "/assets/style.css": "text/css; charset=utf-8",
        "/assets/js/main.js": "text/javascript; charset=utf-8",
        "/assets/vendor/maplibre-gl/maplibre-gl.mjs": "text/javascript; charset=utf-8",
        "/assets/icon.svg": "image/svg+xml",
        "/data/small/regions": "application/json",
        "/nothing": "application/json",
        tile_path("class", 14): "image/png",
    }
    assert {path: restricted.ask(path).headers["content-type"] for path in wanted} == wanted


def test_the_state_of_a_figure_is_told_to_everyone_without_hectares(restricted, public):
    for server in (restricted, public):
        found = server.ask("/data/small/all/region?id=PE-1").json()
        assert found["state"] == {"state": {"es": "borrador", "en": "draft"}, "by": "", "on": ""}
