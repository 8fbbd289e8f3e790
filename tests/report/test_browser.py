"""The page in a real Chromium: what people see, and what must never happen."""

import pytest
from tests.support.browser import PHONE, chromium, keep, violations, visit

from cocal.report.page import report

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
SHOWN = """['es', 'en'].filter(l =>
    getComputedStyle(document.querySelector('.page[lang=' + l + ']')).display !== 'none')"""


@pytest.fixture(scope="module")
def page_path(made_up, tmp_path_factory):
    names = [("PE", HOSTILE), ("BO", "Apolo"), ("BO", "x" * 120)]
    return report(tmp_path_factory.mktemp("report"), made_up(names=names, further=True))


@pytest.fixture(scope="module")
def url(page_path):
    return page_path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def test_the_language_switch_shows_one_language_and_tells_the_reader_which(browser, url):
    with visit(browser, url) as page:
        assert (page.evaluate(SHOWN), page.evaluate("document.documentElement.lang")) == (["es"], "es")
        page.click("label[for=show-en]")
        assert (page.evaluate(SHOWN), page.evaluate("document.documentElement.lang")) == (["en"], "en")
        assert page.title() == "Area of coca by region: demo"


def test_the_language_switch_works_without_scripts_and_a_link_may_ask_for_english(browser, url):
    with visit(browser, url, script=False) as page:
        assert page.locator(".page[lang=es]").is_visible()
        page.click("label[for=show-en]")
        assert page.locator(".page[lang=en]").is_visible()
        assert not page.locator(".page[lang=es]").is_visible()
    with visit(browser, f"{url}#en-classes") as page:
        assert page.evaluate(SHOWN) == ["en"]


def test_all_pictures_are_inside_the_page_and_hostile_names_do_nothing(browser, url):
    with visit(browser, url) as page:
        page.click("label[for=show-en]")
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert page.evaluate("document.scripts.length") == 1
        assert HOSTILE in page.inner_text("main:visible")


def test_a_request_that_a_page_like_this_makes_is_seen_by_these_tests(browser, page_path, tmp_path):
    open_page = tmp_path / "open.html"
    text = page_path.read_text(encoding="utf-8")
    open_page.write_text(
        text.replace("<h1>", '<img src="http://127.0.0.1:9/x.png"><h1>', 1), encoding="utf-8"
    )
    with pytest.raises(AssertionError, match="Content Security Policy"), visit(browser, open_page.as_uri()):
        pass


def test_the_page_keeps_wcag_a_and_aa_and_these_tests_see_a_page_that_does_not(browser, url):
    with visit(browser, url) as page:
        assert violations(page) == []
        page.evaluate("document.querySelector('main img').removeAttribute('alt')")
        assert [v.split()[0] for v in violations(page)] == ["image-alt"]


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_telephone_shows_the_page_without_sideways_scrolling(browser, url, language):
    with visit(browser, f"{url}#{language}", size=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        keep(page, f"report-made-up-phone-{language}")


def test_the_page_prints_on_paper_with_its_mark(browser, url):
    with visit(browser, url) as page:
        paper = page.pdf(format="A4", prefer_css_page_size=True)
        assert paper.startswith(b"%PDF")
        assert paper.count(b"/Type /Page\n") > 3
        page.emulate_media(media="print")
        assert page.locator(".watermark").is_visible()
        assert not page.locator(".switch").is_visible()
