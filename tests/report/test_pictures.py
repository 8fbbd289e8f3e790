import base64
import io
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cocal.report import drawing
from cocal.report.content import MapOverview, MapPicture
from cocal.report.figures import hectares_figures
from cocal.report.map import map_figure, pixel_metres, scale_bar_metres
from cocal.report.texts import Wording
from cocal.scheme import read_scheme

HOSTILE = (
    "<script>alert(1)</script>",
    "a\"b'c&d",
    "$\\frac{1}{0}$",
    "\u202eنص",
    "龍🐉",
    "x" * 300,
    "\x00\n\t",
)


@pytest.fixture(scope="module")
def voice():
    return Wording("es", read_scheme(Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"))


def _pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB")).astype(int)


def _texts(figure):
    import matplotlib.text

    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


@given(st.floats(50, 2e6))
def test_the_scale_bar_is_a_round_length_of_a_tenth_to_a_quarter_of_the_width(width):
    bar = scale_bar_metres(width)
    assert width / 10 * (1 - 1e-9) <= bar <= width / 4 * (1 + 1e-9)
    assert f"{bar:.0e}"[0] in "125"


def test_a_pixel_of_one_thousandth_degree_at_the_equator_is_111_m():
    picture = MapPicture("2023", np.ones((10, 10), dtype=np.uint8), (-70.0, -0.005, -69.99, 0.005))
    assert pixel_metres(picture) == pytest.approx(111.32, abs=0.01)


def test_map_classes_keep_their_colours_and_north_is_up(voice, made_up):
    codes = np.full((100, 100), 2, dtype=np.uint8)
    codes[:50, :50] = 1
    content = made_up(1)
    picture = MapPicture("2023", codes, (-70.0, -0.005, -69.99, 0.005))
    overview = MapOverview((picture,), {}, ())
    figure = map_figure(picture, overview, content.places["2023"], voice, drawing.WIDE, simulated=False)
    seen = _pixels(drawing.png_uri(figure))
    side = (drawing.WIDE.width - 0.2) * drawing.DPI
    origin = 0.1 * drawing.DPI
    at = {
        where: (round(origin + side * where[0]), round(origin + side * where[1]))
        for where in ((0.25, 0.3), (0.75, 0.3), (0.25, 0.7))
    }
    coca, forest = np.array([0xD9, 0x5F, 0x02]), np.array([0x1B, 0x78, 0x37])
    for where, colour in (((0.25, 0.3), coca), ((0.75, 0.3), forest), ((0.25, 0.7), forest)):
        row, column = at[where][1], at[where][0]
        assert np.abs(seen[row, column] - colour).max() <= 3


def test_region_names_stand_on_the_map_if_they_fit_and_numbers_where_they_do_not(voice, made_up):
    for n, expected in ((2, "San Pedro de\nPutina Punco"), (60, "60")):
        content = made_up(n)
        places = content.places["2023"]
        overview = content.map_overview
        figure = map_figure(overview.pictures[0], overview, places, voice, drawing.WIDE, simulated=True)
        assert expected in _texts(figure)


def test_every_picture_of_a_simulated_run_says_so_and_no_other_does(voice, made_up):
    content = made_up(2)
    places, overview = content.places["2023"], content.map_overview
    for simulated in (True, False):
        chart = hectares_figures(places, voice, drawing.NARROW, simulated=simulated, foot="f")[0]
        picture = map_figure(
            overview.pictures[0], overview, places, voice, drawing.NARROW, simulated=simulated
        )
        for figure in (chart, picture):
            assert any("SIMULADO" in text for text in _texts(figure)) is simulated


def test_hostile_names_are_drawn_as_plain_text_without_a_warning(voice, made_up):
    names = [("PE", name) for name in HOSTILE]
    content = made_up(names=names)
    places, overview = content.places["2023"], content.map_overview
    figure = hectares_figures(places, voice, drawing.WIDE, simulated=True, foot="$x$")[0]
    assert drawing.svg_uri(figure).startswith("data:image/svg+xml;base64,")
    drawing.png_uri(map_figure(overview.pictures[0], overview, places, voice, drawing.WIDE, simulated=True))
    assert drawing.plain("\u202ea\x00龍") == "a\N{WHITE SQUARE}"


def test_many_regions_fill_several_pictures_and_a_country_keeps_its_axis(voice, made_up):
    places = made_up(60).places["2023"]
    figures = hectares_figures(places, voice, drawing.WIDE, simulated=True, foot="")
    assert [sum(len(a.get_yticks()) for a in f.axes) for f in figures] == [24, 24, 12]
    peru_first, peru_second = figures[0].axes[0], figures[1].axes[0]
    assert peru_first.get_xlim() == peru_second.get_xlim()


def test_a_region_outside_the_picture_has_no_label_and_does_no_harm(voice, made_up):
    content = made_up(2)
    overview = content.map_overview
    far = dict(overview.outlines) | {"r1": shapely.box(10, 10, 11, 11)}
    moved = MapOverview(overview.pictures, far, overview.sources)
    places = content.places["2023"]
    figure = map_figure(overview.pictures[0], moved, places, voice, drawing.WIDE, simulated=False)
    assert "Alto Inambari" not in _texts(figure)
