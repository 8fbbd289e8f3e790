import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from tests.support.small_world import undrawn_pictures

from cocal.notes import Note
from cocal.report.page import render, report

HOSTILE = "<img src=x onerror=alert(1)>\"'&</td><script>alert(2)</script>\u202e{{ 7*7 }}"


class _Outline(HTMLParser):
    """Tags with attributes, the text of each language, and whether every tag is closed in order."""

    VOID = frozenset({"meta", "img", "input", "br", "source", "link", "hr"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.misplaced, self.words = [], [], [], {"es": [], "en": []}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.misplaced.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data):
        for language in ("es", "en"):
            if any(a.get("class") == "page" and a.get("lang") == language for _, a in self.open):
                self.words[language].append(data)

    def text(self, language):
        return re.sub(r"\s+", " ", " ".join(self.words[language]).replace("\N{NO-BREAK SPACE}", " "))


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    """No test here looks at a pixel."""
    with undrawn_pictures():
        yield


@pytest.fixture(scope="module")
def html(made_up):
    content = made_up(n_periods=2)
    last = replace(content.map_overview, pictures=content.map_overview.pictures[-1:])
    return render(replace(content, map_overview=last))


@pytest.fixture(scope="module")
def page(html):
    return _Outline(html)


def test_the_page_is_well_formed_and_ids_are_unique(page):
    assert (page.open, page.misplaced) == ([], [])
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in page.tags if tag == "a"}
    labels = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert (links | labels) <= set(ids)


def test_nothing_on_the_page_names_another_place_to_load_from(page):
    loads = [a[name] for _, a in page.tags for name in ("src", "srcset", "href") if name in a]
    assert loads
    assert all(url.startswith(("data:image/", "#")) for url in loads)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def test_every_number_is_written_the_way_of_its_language(page):
    # The six regions: 1.2 x (20 + 57.5 + 95 + 132.5 + 170 + 207.5) = 819.0; each owns 10,000 ha.
    assert "la superficie estimada de coca en las 6 regiones de este informe es de 819,0 ha" in page.text(
        "es"
    )
    assert "the estimated area of coca in the 6 regions of this report is 819.0 ha" in page.text("en")
    assert "10.000" in page.text("es")
    assert "10,000" in page.text("en")


def test_mapped_estimated_interval_and_unobserved_stand_side_by_side(page):
    # Apolo: mapped 132.5, estimated 159.0, +- 1.96 x 14.575 = 28.567; unobserved 380 of 10,000 ha.
    row = "4 Apolo 159,0 130,4 – 187,6 132,5 380 (3,8 %) 183,0 difieren 143,1 152,4"
    assert row in page.text("es")
    assert "By model (ha)" not in page.text("en")
    assert "Before" not in page.text("en")


def test_the_first_table_has_both_intervals_what_is_in_none_the_figure_before_and_the_verdict(made_up):
    # San Pedro: map 20, model 1.1, 0.8 and 1.5 times as much; the others as in the test above.
    outline = _Outline(render(made_up(small=True, map_overview=None)))
    assert (outline.open, outline.misplaced) == ([], [])
    rows = {
        "es": [
            "Estimada (ha) Intervalo garantizado del 95 % (ha) Por modelo (ha) Intervalo del modelo (ha)",
            "Mapeada (ha) No observado (ha, %) No muestreado (ha) Antes: 2022 (ha) Oficial (ha) ¿Coinciden?",
            "1 San Pedro de Putina Punco 24,0 19,7 – 28,3 22,0 16,0 – 30,0 20,0 380 (3,8 %) — sin dato",
            "380 (3,8 %) — sin dato 22,0 28,0 difieren",
            "4 Apolo 159,0 130,4 – 187,6 — sin dato — sin dato 132,5 380 (3,8 %) 310,0 145,8 183,0 difieren",
        ],
        "en": [
            "Estimated (ha) Guaranteed 95% interval (ha) By model (ha) Model's interval (ha)",
            "Mapped (ha) Not observed (ha, %) Not sampled (ha) Before: 2022 (ha) Official (ha) Do",
            "1 San Pedro de Putina Punco 24.0 19.7 – 28.3 22.0 16.0 – 30.0 20.0 380 (3.8%) — no figure",
            "380 (3.8%) — no figure 22.0 28.0 they differ",
            "4 Apolo 159.0 130.4 – 187.6 — no figure — no figure 132.5 380 (3.8%) 310.0 145.8 183.0 they",
        ],
    }
    for language, wanted in rows.items():
        for text in wanted:
            assert text in outline.text(language)
    assert "supone que el mapa omite coca aquí tanto como en otras partes" in outline.text("es")
    assert "it assumes that the map misses as much coca here as elsewhere" in outline.text("en")
    assert "310 ha were not sampled: the estimate neither covers them nor" in outline.text("en")
    lighter = [a for tag, a in outline.tags if tag == "td" and a.get("class") == "model"]
    assert len(lighter) == 2 * 2 * 6


def test_where_the_model_is_refused_by_its_own_test_the_first_screen_says_so(made_up):
    refused = Note("map_misses_more", target="coca", strata=["far"])
    outline = _Outline(render(made_up(2, small=True, map_overview=None, warnings=(("2023", refused),))))
    for language, words in (
        ("es", "El mapa omite más coca en los estratos far"),
        ("en", "The map misses more coca"),
    ):
        text = outline.text(language)
        assert text.index(words) < text.index(
            {"es": "Cómo leer este informe", "en": "How to read this"}[language]
        )


def test_a_sample_that_is_not_all_back_is_said_first_and_the_tilt_of_missing_points_with_the_total(made_up):
    gone = Note(
        "preliminary_missing", n=12, of=420, share=12 / 420, strata=["forest: 12 / 180"], regions=["-"]
    )
    band = {"region_id": "r0", "period": "2023", "missing_low_ha": 18.0, "missing_high_ha": 40.0}
    band |= {"tilt_low_ha": 20.0, "tilt_high_ha": 31.5}
    content = made_up(
        map_overview=None, warnings=(("2023", gone),), tilt=(3.0, 742.0, 905.5), caveats=pd.DataFrame([band])
    )
    outline = _Outline(render(content))
    for language, tilt in (
        ("es", "de 1/3 a 3 veces la de los visitados, la estimación estaría entre 742,0 y 905,5 ha."),
        ("en", "were 1/3 to 3 times that of the points visited, the estimate would lie between 742.0 and"),
    ):
        text = outline.text(language)
        assert tilt in text
        assert text.index("forest: 12 / 180") < text.index("819")
    assert [a["class"] for tag, a in outline.tags if tag == "p" and a.get("class") == "alert"] == [
        "alert"
    ] * 2
    # the band stands by region too, where the run has one
    caveats = content.places["2023"][0]
    assert (caveats.tilt_low_ha, caveats.tilt_high_ha) == (20.0, 31.5)
    assert re.search(
        r"1 San Pedro de Putina Punco 24\.0 19\.7 – 28\.3 18\.0 – 40\.0 20\.0 – 31\.5", outline.text("en")
    )
    earlier = replace(content, warnings=(("2022", gone),))
    assert 'class="alert"' not in render(earlier)


def test_what_the_minimum_unit_moved_stands_region_by_region(made_up):
    # Before 10.2, 1.5 taken away, 1.3 put there: 10.0 on the map.
    with_unit = _Outline(render(made_up(2, further=True, map_overview=None)))
    assert (with_unit.open, with_unit.misplaced) == ([], [])
    assert "La unidad mínima del mapa" in with_unit.text("es")
    assert re.search(r"San Pedro 10\.2\d* 1\.5\d* 1\.3\d* 10\.0", with_unit.text("en"))
    without = _Outline(render(made_up(2, further=True, map_overview=None, minimum_unit=None)))
    assert "minimum unit" not in without.text("en")


def test_a_map_count_is_never_called_an_estimate(made_up):
    outline = _Outline(render(made_up(2, estimated=False, comparison=None, accuracy=None, map_overview=None)))
    text = outline.text("es")
    assert "Es un conteo del mapa, no una estimación" in text
    assert "Estimada (ha)" not in text
    assert "superficie estimada de" not in text


def test_the_warnings_of_the_estimate_stand_on_the_page_in_both_languages(page):
    assert "Advertencias de la estimación: 1, en «Exactitud del mapa y registros de campo»." in page.text(
        "es"
    )
    assert "Warnings of the estimate: 1, in “Accuracy of the map and field records”." in page.text("en")
    assert "2023: estrato 'forest': cerca del 12 % de los puntos previstos quedó sin respuesta" in page.text(
        "es"
    )
    assert "2023: stratum 'forest': about 12% of the planned points gave no answer" in page.text("en")


def test_of_an_offices_own_map_the_page_has_the_polygons_and_no_satellite(made_up):
    drawn = {"2023": {"coca": {"polygons": 1, "hectares": 0.36}},
             "2024": {"coca": {"polygons": 3, "hectares": 1234.56}}}  # fmt: skip
    census = {"id": "office", "source": "drawn by eye", "licence": "none", "drawn": drawn, "overlaps": 2}
    own = made_up(2, map_overview=None, model_card={"census": census})
    outline = _Outline(render(own))
    for language, words in (
        ("es", ("mapa de una oficina", "2024 Coca 3 1.234,6", "se solapan: 2")),
        ("en", ("an office's own map", "2024 Coca 3 1,234.6", "overlap: 2")),
    ):
        for said in words:
            assert said in outline.text(language)
        for word in ("satel", "sentinel", "nubes", "cloud"):
            assert word not in outline.text(language).lower()


def test_a_simulated_run_says_so_in_both_languages_and_in_print_and_a_real_one_does_not(html, made_up):
    real = render(made_up(2, simulated=False, map_overview=None))
    for words in ("SIMULADO: paisaje inventado", "SIMULATED: an invented landscape", "SIMULADO · SIMULATED"):
        assert words in html
        assert words not in real


def test_presence_is_not_illegality_and_no_coordinates_are_in_the_page(page):
    assert "La presencia de coca no equivale a ilegalidad" in page.text("es")
    assert "The presence of coca does not mean illegality" in page.text("en")
    assert re.search(r"-(6[0-9]|7[0-9])\.\d{2,}", page.text("es") + page.text("en")) is None


def test_tables_have_captions_and_scopes_and_pictures_have_alternatives_in_both_languages(page):
    kinds = [tag for tag, _ in page.tags]
    assert kinds.count("caption") == kinds.count("table") > 10
    assert all(a.get("scope") in {"col", "row", "rowgroup"} for tag, a in page.tags if tag == "th")
    alternatives = [a["alt"] for tag, a in page.tags if tag == "img"]
    assert any(alt.startswith("Gráfico de puntos") for alt in alternatives)
    assert any(alt.startswith("Dot-and-interval chart") for alt in alternatives)


def test_tables_are_numbered_in_the_order_of_the_page(page):
    for language, word in (("es", "Cuadro"), ("en", "Table")):
        shown = [int(n) for n in re.findall(rf"{word} (\d+)\.", page.text(language))]
        assert shown == list(range(1, len(shown) + 1))


def test_hostile_text_is_text_wherever_it_comes_from(made_up):
    content = made_up(
        names=[("PE", HOSTILE), (HOSTILE, "b")],
        run_name=HOSTILE,
        failures=((HOSTILE, HOSTILE),),
        left_out=(Note("scene_without_pixel", scene=HOSTILE),),
        map_overview=None,
        model_card={"id": HOSTILE, "features": [HOSTILE]},
    )
    outline = _Outline(render(content))
    assert (outline.open, outline.misplaced) == ([], [])
    assert [tag for tag, _ in outline.tags].count("script") == 1
    assert not any("onerror" in attrs for _, attrs in outline.tags)
    assert "<img src=x onerror=alert(1)>" in outline.text("es")
    assert "{{ 7*7 }}" in outline.text("en")


def test_equal_content_gives_equal_bytes_in_one_file(made_up, tmp_path):
    first = report(tmp_path / "a", made_up(1))
    second = report(tmp_path / "b", made_up(1))
    assert first == tmp_path / "a" / "index.html"
    assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["index.html"]


@pytest.mark.parametrize("n", [1, 25])
def test_the_page_holds_for_one_region_and_for_many(made_up, n):
    outline = _Outline(render(made_up(n, map_overview=None, records_summary=None)))
    assert (outline.open, outline.misplaced) == ([], [])
    rows = re.findall(r"\b\d+ Distrito número \d+", outline.text("es"))
    assert len(set(rows)) == max(n - 6, 0)


def test_charts_are_well_formed_svg_without_links(html):
    import base64

    charts = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    assert len(charts) == 8  # dots and series, wide and narrow, in two languages
    for chart in charts:
        text = base64.b64decode(chart).decode()
        ET.fromstring(text)
        loads = re.findall(r'(?:xlink:)?href="([^"]*)"', text)
        assert all(link.startswith("#") for link in loads)


def test_what_was_left_out_has_a_section_in_both_languages_and_the_public_one_names_no_sample(made_up):
    scenes = Note("scenes_unused", n=2, of=8, share=0.25, which=["s-1", "s-2"])
    records = Note("records_outside", period="2024", n=1, of=40, share=0.025, which=["R0007"])
    content = made_up(left_out=(scenes, records), map_overview=None)
    for profile, named in (("restricted", True), ("public", False)):
        outline = _Outline(render(replace(content, profile=profile)))
        for language, text in (
            ("es", "2 de 8 escenas importadas (25,0 %) están fuera"),
            ("en", "2 of 8 imported scenes (25.0%) lie"),
        ):  # fmt: skip
            words = outline.text(language).replace("\N{NO-BREAK SPACE}", " ")
            assert text in words
            assert "s-1, s-2" in words
            assert ("R0007" in words) is named
    assert "left_out" not in render(made_up(left_out=(), map_overview=None))
